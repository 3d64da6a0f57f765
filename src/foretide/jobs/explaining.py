"""What the models of a run folder say: attention, latent state and inputs, in words, tables and pictures."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.checkpoints import remembered
from foretide.data.digests import digest, digest_of_panel
from foretide.data.files import understood
from foretide.data.kept import Kept
from foretide.errors import ArtifactError, ConfigError
from foretide.explain.origins import Origins
from foretide.explain.table import EXPLAINERS
from foretide.forecasters.artifact import load
from foretide.forecasters.table import class_place
from foretide.jobs.config import kept_config
from foretide.jobs.folder import RunFolder
from foretide.jobs.prepare import prepare
from foretide.jobs.reporting import write
from foretide.jobs.saved import chosen_model, saved_models, starts_in
from foretide.jobs.store import EXPLAIN_PAGE, EXPLAINED, EXPLAINED_TABLE, SETTINGS
from foretide.jobs.threads import networks_in

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.explain.table import Explainer
    from foretide.forecasters.base import Forecaster
    from foretide.jobs.prepare import Prepared
    from foretide.typing import Array, Json


def explain_run(
    folder: str | os.PathLike[str],
    *,
    model: str | None = None,
    with_inputs: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Explain the networks that :func:`foretide.run` (or a search) left in a folder, or the last fits of a backtest.

    On windows that the model has not learned from; where these are too few, on all, and the sentences say so.

    Parameters
    ----------
    folder : path
        Holds ``settings.yaml`` and ``models``; gets ``explain.md`` and, in ``explain``, tables and pictures.
    model : str, optional
        One of its models; all networks by default.
    with_inputs : bool
        Whether the importance of inputs is measured too, which forecasts many times.
    progress : callable, optional
        Gets one line of text per model and subject.

    Returns
    -------
    Path
        Of ``explain.md``.

    Raises
    ------
    ArtifactError, ConfigError
        For a folder without models, and a name that is not among them.
    """
    run = RunFolder(Path(folder))
    found = _models(run.path, model)
    prepared = prepare(kept_config(run.path / SETTINGS.file))
    keep_explanations(run, found, prepared, with_inputs=with_inputs, progress=progress)
    with understood(run.path):
        write(run)
    return run.path / EXPLAIN_PAGE.file


def keep_explanations(
    run: RunFolder,
    models: Mapping[str, Forecaster],
    prepared: Prepared,
    *,
    with_inputs: bool = True,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Explain fitted networks on windows they have not learned from, and keep what was found in a run folder.

    Parameters
    ----------
    run : RunFolder
    models : mapping
        Name -> network, fitted.
    prepared : Prepared
        What the run worked on.
    with_inputs, progress
        As for :func:`explain_run`.
    """
    say = progress or (lambda _: None)
    # What was found before stays: other models, and inputs, which are measured only when asked for.
    with understood(run.path / EXPLAINED.file):
        entries = {(entry["model"], entry["subject"]): entry for entry in run.read(EXPLAINED) or ()}
    names = list(dict.fromkeys([*(model for model, _ in entries), *models]))
    for name, model in models.items():
        origins = Origins.of(model, prepared.panel)
        for row in (row for row in EXPLAINERS.values() if row.fits(model, slow=with_inputs)):
            say(f"{model.name}: {row.subject.lower()}")
            told, tables = _told(row, model, prepared.panel, origins)
            for key, table in tables.items():
                run.keep(EXPLAINED_TABLE, table, model=name, table=key)
            entries[name, row.subject] = {"model": name, "subject": row.subject, **told}
    subjects = [row.subject for row in EXPLAINERS.values()]
    every = sorted(entries.values(), key=lambda e: (names.index(e["model"]), subjects.index(e["subject"])))
    run.keep(EXPLAINED, every)


def _told(
    row: Explainer, model: Forecaster, panel: Panel, origins: Origins
) -> tuple[Json, dict[str, pd.DataFrame]]:  # fmt: skip
    """Return the sentences and the tables on one subject; of a job that was killed, as they were found before."""

    def found() -> tuple[Json, dict[str, pd.DataFrame]]:
        summary = row.of(model, panel, origins)
        tables = dict(summary.tables())
        return {"sentences": summary.findings(), "brief": summary.brief(), "tables": list(tables)}, tables

    about = (row.subject, model.name, class_place(type(model)), model.settings(), model.fitted_until)
    return remembered(
        "explained", (*about, digest(model.state()), digest_of_panel(panel)), found,
        pack=lambda made: Kept({name: _packed(table) for name, table in made[1].items()}, made[0]),
        unpack=lambda kept: (kept.facts, {name: _unpacked(kept.arrays[name]) for name in kept.facts["tables"]}),
    )  # fmt: skip


def _packed(table: pd.DataFrame) -> Array:
    return np.frombuffer(table.to_parquet(index=False), dtype=np.uint8)


def _unpacked(content: Array) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(content.tobytes()))


def _models(path: Path, wanted: str | None) -> Mapping[str, Forecaster]:
    """Load the networks of a folder, or the one that was asked for."""
    known = saved_models(path)
    if not known or not (path / "settings.yaml").is_file():
        raise ArtifactError(f"{path} holds no models. Expected a folder made by `foretide run`, `backtest` or `tune`.")
    trained = {name: place for name, place in known.items() if name not in starts_in(path)}
    chosen = trained if wanted is None else dict([chosen_model(path, wanted)])
    loaded = {name: load(place) for name, place in chosen.items()}
    networks = networks_in(loaded)
    if not networks:
        raise ConfigError(f"None of {', '.join(loaded)} is a network: there is nothing to explain.")
    return networks
