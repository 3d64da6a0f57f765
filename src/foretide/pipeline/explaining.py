"""What the models of a run folder say: attention, latent state and inputs, in words, tables and pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.errors import ArtifactError, ConfigError, nearest
from foretide.explain import attention, dynamics, inputs
from foretide.forecasters.artifact import load
from foretide.pipeline.config import Config, read_yaml
from foretide.pipeline.folder import RunFolder
from foretide.pipeline.prepare import prepare
from foretide.pipeline.results import evenly, file_name
from foretide.pipeline.threads import NETWORKS
from foretide.report.figures import attention_figure, write_png

if TYPE_CHECKING:
    from foretide.forecasters.base import Forecaster
    from foretide.pipeline.prepare import Prepared

FOLDER, PAGE = "explain", "explain.md"
MOST_CUTOFFS, MOST_FOR_INPUTS = 2000, 200
"""Test cutoffs looked at, evenly spread: by attention and latent state; by the slower permutation of inputs."""
REPEATS = 5


@dataclass
class Section:
    """What was found about one model.

    Attributes
    ----------
    title : str
    sentences : list of str
    tables : dict
        File name -> table.
    figure : object or None
    """

    title: str
    sentences: list[str]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figure: Any = None


def explain_run(
    folder: str | os.PathLike[str],
    *,
    model: str | None = None,
    with_inputs: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Explain the networks that :func:`foretide.run` (or a search) left in a folder, on the windows of its test part.

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
    prepared = prepare(Config.model_validate(read_yaml((run.path / "settings.yaml").read_text(encoding="utf-8"))))
    say = progress or (lambda _: None)
    parts = [
        f"# What the models of {run.path.name} say",
        "On the windows of the test part. Every sentence is made from the figures beside it, and says which threshold "
        "decided it.",
    ]
    for name, forecaster in found.items():
        parts.append(f"## {name}")
        for section in _sections(forecaster, prepared, say, with_inputs=with_inputs):
            parts += [f"### {section.title}", " ".join(section.sentences), *_written(run, name, section)]
    return run.write_text(PAGE, "\n\n".join(part for part in parts if part) + "\n")


def _models(path: Path, wanted: str | None) -> Mapping[str, Forecaster]:
    """Load the networks of a folder, or the one that was asked for."""
    place = path / "models"
    names = sorted(p.name for p in place.iterdir() if p.is_dir()) if place.is_dir() else []
    if not names or not (path / "settings.yaml").is_file():
        raise ArtifactError(f"{path} holds no models. Expected a folder made by `foretide run` or `foretide tune`.")
    if wanted is not None and file_name(wanted) not in names:
        raise ConfigError(f"{path} holds no model {wanted!r}. {nearest(wanted, names)}")
    loaded = {name: load(place / name) for name in names if wanted is None or name == file_name(wanted)}
    networks = {name: m for name, m in loaded.items() if type(m).__name__ in NETWORKS}
    if not networks:
        raise ConfigError(
            f"None of {', '.join(loaded)} is a network ({', '.join(NETWORKS)}): there is nothing to explain."
        )
    return networks


def _sections(
    forecaster: Forecaster, prepared: Prepared, say: Callable[[str], None], *, with_inputs: bool
) -> list[Section]:
    panel, name, h = prepared.panel, forecaster.name, forecaster.h
    windows = prepared.test_windows(input_size=forecaster.min_history, h=h, stride=1)
    steps = np.unique(windows.steps(panel))

    def cutoffs(most: int) -> list[Any]:
        return list(panel.grid.output_times(steps[evenly(len(steps), most)]))

    found = []
    if "attention" in forecaster.traces:
        say(f"{name}: attention")
        summary: Any = attention(forecaster, panel, cutoffs(MOST_CUTOFFS))
        picture = attention_figure(
            summary.mean_weights[None], model=name, freq=panel.grid.freq, windows=f"{summary.shape[0]} of the test part"
        )
        tables = {
            "lags_by_distance": summary.lag_importance(by="distance"), "lags": summary.lag_importance(),
            "entropy": summary.entropy(), "top1": summary.top1_counts(), "heads": summary.head_profiles().table,
            "horizon": summary.horizon_dependence(),
        }  # fmt: skip
        found.append(Section("Attention", summary.sentences(), tables, picture))
    if type(forecaster).__name__ == "LAVAR":
        say(f"{name}: latent state")
        latent: Any = dynamics(forecaster, panel, cutoffs(MOST_CUTOFFS))
        found.append(Section("Latent state", latent.sentences(), {k: _pandas(v) for k, v in latent.frames().items()}))
    if with_inputs:
        say(f"{name}: inputs")
        importance: Any = inputs(forecaster, panel, cutoffs(MOST_FOR_INPUTS), n_repeats=REPEATS)
        found.append(Section("Inputs", importance.sentences(), {"inputs": _pandas(importance.table())}))
    return found


def _written(run: RunFolder, name: str, section: Section) -> list[str]:
    """Write tables and picture of a section; return the lines that point at them."""
    lines = []
    if section.figure is not None:
        picture = f"{FOLDER}/{name}-{section.title.lower().replace(' ', '-')}.png"
        run.write(picture, lambda path: write_png(section.figure, path))
        lines.append(f"![{section.title} of {name}]({picture})")
    files = []
    for key, table in section.tables.items():
        target = f"{FOLDER}/{name}-{key}.csv"
        run.write(target, lambda path, table=table: table.to_csv(path, index=False, float_format="%.6g"))  # type: ignore[misc]
        files.append(f"`{target}`")
    return [*lines, *([f"Figures: {', '.join(files)}."] if files else [])]


def _pandas(table: Any) -> pd.DataFrame:
    return table if isinstance(table, pd.DataFrame) else table.to_pandas()
