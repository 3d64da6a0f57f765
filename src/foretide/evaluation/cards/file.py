"""Saving and loading scorecards: one Parquet file of forecasts, one JSON file of everything else."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.files import write_whole
from foretide.data.panel import Names, Panel
from foretide.data.time.grid import Grid
from foretide.data.windows import Windows
from foretide.errors import ArtifactError
from foretide.evaluation.cards.distributions import Distributions
from foretide.evaluation.cards.tidy import column_of, flat, tidy_frame, unflat
from foretide.evaluation.metrics.points import TrainingScale
from foretide.evaluation.metrics.quantiles import Quantiles
from foretide.evaluation.rolling.folds import Plan
from foretide.forecasters.artifact import from_json, to_json

if TYPE_CHECKING:
    from os import PathLike

    from foretide.evaluation.cards.scorecard import Scorecard

FORMAT = 1
FORECASTS, ABOUT = "scorecard.parquet", "scorecard.json"
DISTRIBUTION_TRUTH = "y-of-distributions"
"""Truth as far as the measures of distributions count it, where that is less than ``y``."""


def save(card: Scorecard, folder: str | PathLike[str]) -> None:
    """Write a card; each file appears whole or not at all."""
    target = Path(folder)
    table = tidy_frame(card, all_points=True, every_quantile=True)
    table[DISTRIBUTION_TRUTH] = flat(card.distributions.truth)
    panel = card.panel
    start = panel.grid.start
    about = {
        "format": FORMAT,
        "shape": card.truth.shape,
        "panel": {
            "start": int(start) if panel.grid.is_integer else str(start), "freq": panel.grid.freq, "tz": panel.grid.tz,
            "wall": panel.grid.wall,
            "ids": list(panel.ids), "length": panel.length, "first": panel.first, "targets": list(panel.targets),
            "past": list(panel.past), "future": list(panel.future), "names": asdict(panel.names),
        },
        "models": list(card.forecasts),
        "quantiles": {name: list(distribution.levels) for name, distribution in card.distributions.quantiles.items()},
        "levels": list(card.distributions.levels), "grid": list(card.distributions.grid),
        "columns": list(card.distributions.columns),
        "baselines": list(card.baselines),
        "scale": {
            "season": card.scale.season, "mae": card.scale.mae, "rmse": card.scale.rmse,
            "near_zero": card.scale.near_zero, "dropped": {k: list(v) for k, v in card.scale.dropped.items()},
        },
        "rates": card.rates, "counts": card.counts, "unused": card.unused, "notes": list(card.notes),
        "plan": card.plan.to_dict(),
        "runs": [asdict(run) for run in card.runs],
        "about": card.about,
    }  # fmt: skip
    write_whole(target / FORECASTS, lambda path: table.to_parquet(path, index=False))
    text = json.dumps(to_json(_plain(about)), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(target / ABOUT, lambda path: path.write_text(text, encoding="utf-8"))


def load(folder: str | PathLike[str]) -> Scorecard:
    """Read a card that :func:`save` wrote.

    Raises
    ------
    ArtifactError
        When a file is missing, does not belong to the other, or has a later format.
    """
    from foretide.evaluation.cards.scorecard import ModelRun, Scorecard

    path = Path(folder)
    try:
        found = from_json(json.loads((path / ABOUT).read_text(encoding="utf-8")))
        table = pd.read_parquet(path / FORECASTS)
    except FileNotFoundError as error:
        raise ArtifactError(f"{folder} holds no scorecard: {Path(error.filename).name} is missing.") from None
    if found["format"] > FORMAT:
        raise ArtifactError(
            f"{folder} was written in format {found['format']}; this foretide reads up to {FORMAT}. Upgrade foretide."
        )
    n, h, d = found["shape"]
    if len(table) != n * h * d:
        raise ArtifactError(f"{path / FORECASTS} has {len(table)} rows, {ABOUT} speaks of {n * h * d}. Save it again.")
    panel, shape = _panel(found["panel"]), (n, h, d)

    def array(column: str) -> Any:
        return unflat(table[column].to_numpy(np.float64), shape)

    quantiles = {
        name: Quantiles(tuple(levels), np.stack([array(column_of(name, level)) for level in levels], axis=-1))
        for name, levels in found["quantiles"].items()
    }
    scale = found["scale"]
    own = {name: np.asarray(scale[name], dtype=np.float64) for name in ("mae", "rmse", "near_zero")}
    dropped = {reason: tuple(names) for reason, names in scale["dropped"].items()}
    return Scorecard(
        panel, _windows(table, panel, h, d), array("y"), {name: array(name) for name in found["models"]},
        tuple(found["baselines"]), TrainingScale(scale["season"], **own, dropped=dropped), tuple(found["notes"]),
        Distributions(
            array(DISTRIBUTION_TRUTH), quantiles,
            *(tuple(found.get(name, ())) for name in ("levels", "grid", "columns")),
        ),
        np.asarray(found["rates"], dtype=np.float64), found["counts"],
        {k: tuple(v) for k, v in found.get("unused", {}).items()}, plan=Plan.from_dict(found["plan"], panel),
        runs=tuple(ModelRun(**run) for run in found["runs"]), about=found["about"],
    )  # fmt: skip


def _panel(known: dict[str, Any]) -> Panel:
    """Return a panel that knows names and times; its values are all missing and take no memory."""
    start = known["start"] if isinstance(known["freq"], int) else pd.Timestamp(known["start"])
    length, first = (np.asarray(known[name], dtype=np.int64) for name in ("length", "first"))
    columns = len(known["targets"]) + len(known["past"]) + len(known["future"])
    values = np.broadcast_to(np.float64(np.nan), (int(length.sum()), columns))
    row0 = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)
    targets, past, future = (tuple(known[role]) for role in ("targets", "past", "future"))
    grid = Grid(start, known["freq"], known["tz"], known.get("wall", False))
    return Panel(
        grid, tuple(known["ids"]), values, row0, length, first, targets, past, future, names=Names(**known["names"]),
    )  # fmt: skip


def _windows(table: pd.DataFrame, panel: Panel, h: int, d: int) -> Windows:
    """Return the windows, of which each has ``d * h`` neighbouring rows."""
    heads = table.iloc[:: h * d]
    series = {name: k // d for k, name in enumerate(panel.series)}
    entity = np.asarray(heads[panel.names.id].map(series), dtype=np.int64)
    codes, times = pd.factorize(heads["cutoff"])
    steps = np.asarray(panel.grid.steps_of(times)[codes], dtype=np.int64)
    return Windows(entity, steps - panel.first[entity])


def _plain(value: Any) -> Any:
    """Arrays as lists; keys as text; what JSON cannot hold as what it shows."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, tuple):
        return tuple(_plain(v) for v in value)
    if value is None or isinstance(value, (bool, int, float, str, np.generic)):
        return value
    return str(value)
