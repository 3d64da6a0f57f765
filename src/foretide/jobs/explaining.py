"""What the models of a run folder say: attention, latent state and inputs, in words, tables and pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.data.files import file_name, read_text
from foretide.errors import ArtifactError, ConfigError
from foretide.explain.origins import Origins
from foretide.explain.table import EXPLAINERS
from foretide.forecasters.artifact import load
from foretide.jobs.config import Config, read_yaml
from foretide.jobs.folder import RunFolder
from foretide.jobs.pictures import write_picture
from foretide.jobs.prepare import prepare
from foretide.jobs.saved import chosen_model, saved_models
from foretide.jobs.threads import networks_in
from foretide.report.explain_figures import PICTURES

if TYPE_CHECKING:
    from foretide.explain.table import Explainer
    from foretide.forecasters.base import Forecaster
    from foretide.jobs.prepare import Prepared
    from foretide.typing import Json

FOLDER, PAGE, EXPLAINED = "explain", "explain.md", "explain/explain.json"


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
    prepared = prepare(Config.model_validate(read_yaml(read_text(run.path / "settings.yaml"))))
    return explain_models(run, found, prepared, with_inputs=with_inputs, progress=progress)


def explain_models(
    run: RunFolder,
    models: Mapping[str, Forecaster],
    prepared: Prepared,
    *,
    with_inputs: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Explain fitted networks on windows they have not learned from, and write what was found into a run folder.

    Parameters
    ----------
    run : RunFolder
    models : mapping
        Name -> network, fitted.
    prepared : Prepared
        What the run worked on.
    with_inputs, progress
        As for :func:`explain_run`.

    Returns
    -------
    Path
        Of ``explain.md``.
    """
    say = progress or (lambda _: None)
    file = run.path / EXPLAINED
    # What was found before stays: other models, and inputs, which are measured only when asked for.
    kept = json.loads(read_text(file)) if file.is_file() else []
    entries = {(entry["model"], entry["subject"]): entry for entry in kept}
    names = list(dict.fromkeys([*(model for model, _ in entries), *models]))
    for name, model in models.items():
        origins = Origins.of(model, prepared.panel)
        for row in EXPLAINERS.values():
            if row.fits(model, slow=with_inputs):
                say(f"{model.name}: {row.subject.lower()}")
                entries[name, row.subject] = _explained(run, name, model, row, prepared, origins)
    subjects = [row.subject for row in EXPLAINERS.values()]
    ordered = sorted(entries.values(), key=lambda e: (names.index(e["model"]), subjects.index(e["subject"])))
    run.write_json(EXPLAINED, ordered)
    parts = [
        f"# What the models of {run.path.name} say",
        "On windows after what each model was fitted on, or those that a sentence names. Every sentence is made from "
        "the figures beside it, and says which threshold decided it.",
    ]
    for name in names:
        parts.append(f"## {name}")
        for entry in (entry for entry in ordered if entry["model"] == name):
            parts += [f"### {entry['subject']}", " ".join(entry["sentences"]), *entry["lines"]]
    return run.write_text(PAGE, "\n\n".join(part for part in parts if part) + "\n")


def _models(path: Path, wanted: str | None) -> Mapping[str, Forecaster]:
    """Load the networks of a folder, or the one that was asked for."""
    known = saved_models(path)
    if not known or not (path / "settings.yaml").is_file():
        raise ArtifactError(f"{path} holds no models. Expected a folder made by `foretide run`, `backtest` or `tune`.")
    chosen = known if wanted is None else dict([chosen_model(path, wanted)])
    loaded = {name: load(place) for name, place in chosen.items()}
    networks = networks_in(loaded)
    if not networks:
        raise ConfigError(f"None of {', '.join(loaded)} is a network: there is nothing to explain.")
    return networks


def _explained(
    run: RunFolder, name: str, model: Forecaster, row: Explainer, prepared: Prepared, origins: Origins
) -> Json:
    """Explain one side of a model, write its tables and pictures, and return its entry of the list of all."""
    panel = prepared.panel
    summary = row.of(model, panel, origins)
    tables, stem, lines = summary.tables(), f"{FOLDER}/{file_name(name)}", []
    if row.subject in PICTURES:
        pictures = PICTURES[row.subject](summary, tables, model=model.name, freq=panel.grid.freq)
        for key, figure in pictures.items():
            files = write_picture(run, f"{stem}-{key}", figure)
            lines.append(f"![{row.subject} of {name}]({files['png']})\n[The same picture as SVG]({files['svg']})")
    places = {key: f"{stem}-{key}.csv" for key in tables}
    for key, table in tables.items():
        run.write(places[key], lambda path, table=table: table.to_csv(path, index=False, float_format="%.6g"))  # type: ignore[misc]
    if places:
        lines.append(f"Figures: {', '.join(f'`{file}`' for file in places.values())}.")
    return {
        "model": name, "subject": row.subject, "sentences": summary.findings(), "tables": places, "lines": lines,
    }  # fmt: skip
