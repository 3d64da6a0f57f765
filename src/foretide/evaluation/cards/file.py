"""Saving and loading scorecards: one Parquet file of forecasts, one JSON file of everything else.

Of many series, what each has (its id, its scale, what it got) lies in the Parquet file too, in its metadata.
"""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from foretide.data.files import understood, write_whole
from foretide.data.panel import Names, Panel
from foretide.data.parquet import with_long_lists, without_long_lists, write_parquet
from foretide.data.time.grid import Grid
from foretide.data.windows import Windows
from foretide.errors import ArtifactError
from foretide.evaluation.cards.distributions import Distributions
from foretide.evaluation.cards.large import room, windows_at_once
from foretide.evaluation.cards.runs import ModelRun
from foretide.evaluation.cards.tidy import column_of, flat, tidy_frame, unflat
from foretide.evaluation.metrics.quantiles import Quantiles
from foretide.evaluation.metrics.scale import TrainingScale
from foretide.evaluation.rolling.plan import Plan
from foretide.forecasters.artifact import from_json, to_json
from foretide.typing import Floats, Json

if TYPE_CHECKING:
    from os import PathLike

    from foretide.evaluation.cards.scorecard import Scorecard

FORMAT = 1
FORECASTS, ABOUT = "scorecard.parquet", "scorecard.json"
DISTRIBUTION_TRUTH = "y-of-distributions"
"""Truth as far as the metrics of distributions count it, where that is less than ``y``."""
LISTS = "foretide.lists"
"""What the metadata of the Parquet file call long lists of the other file, in base 64."""
FORMER_TRUTH = "y-of-laws"
"""Its name in cards that earlier versions saved."""
PAGE = "foretide.jobs.reporting:write_card_page"
"""What writes the page of a card. It lies in a room above, so it is named here and imported when a card is saved."""


def save(card: Scorecard, folder: str | PathLike[str]) -> None:
    """Write a card; each file appears whole or not at all.

    Parameters
    ----------
    card : Scorecard
    folder : path
    """
    target, panel, own = Path(folder), card.panel, card.distributions
    about = {
        "format": FORMAT, "shape": card.truth.shape,
        "panel": {
            "start": int(panel.grid.start) if panel.grid.is_integer else str(panel.grid.start),
            **{name: getattr(panel.grid, name) for name in ("freq", "tz", "wall")},
            **{name: getattr(panel, name) for name in ("ids", "length", "first", "targets", "past", "future")},
            "names": asdict(panel.names),
        },
        "models": list(card.forecasts), "quantiles": {name: q.levels for name, q in own.quantiles.items()},
        **{name: getattr(own, name) for name in ("levels", "grid", "columns")},
        "scale": asdict(card.scale), "plan": None if card.plan is None else card.plan.to_dict(),
        **{name: getattr(card, name) for name in ("baselines", "rates", "counts", "unused", "starts", "notes")},
        "about": card.about,
        "runs": [asdict(run) for run in card.runs],
    }  # fmt: skip
    short, lists = without_long_lists(about)
    carried = {LISTS: base64.b64encode(lists)} if lists else {}
    write_whole(target / FORECASTS, lambda path: write_parquet(_parts_of(card), path, carried))
    text = json.dumps(to_json(_plain(short)), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(target / ABOUT, lambda path: path.write_text(text, encoding="utf-8"))


def _parts_of(card: Scorecard) -> Iterator[pd.DataFrame]:
    """Yield the table of forecasts, some windows at a time."""
    for some in windows_at_once(card.truth.shape):
        part = tidy_frame(card, all_points=True, every_quantile=True, windows=some)
        part[DISTRIBUTION_TRUTH] = flat(card.distributions.truth[some])
        yield part


def write_page(card: Scorecard, folder: str | PathLike[str]) -> None:
    """Write the page of a card that was saved in a folder.

    Parameters
    ----------
    card : Scorecard
    folder : path
    """
    module, _, name = PAGE.partition(":")
    getattr(importlib.import_module(module), name)(card, folder)


def load(kind: type[Scorecard], folder: str | PathLike[str]) -> Scorecard:
    """Read a card that :func:`save` wrote.

    Parameters
    ----------
    kind : type
        Of the card.
    folder : path

    Returns
    -------
    Scorecard

    Raises
    ------
    ArtifactError
        When a file is missing, does not belong to the other, or has a later format.
    """
    with understood(Path(folder) / ABOUT, "Save the scorecard again."):
        return _load(kind, Path(folder))


def _load(kind: type[Scorecard], path: Path) -> Scorecard:
    try:
        about = from_json(json.loads((path / ABOUT).read_text(encoding="utf-8")))
        with pq.ParquetFile(path / FORECASTS) as table:
            return _from_files(kind, path, about, table)
    except FileNotFoundError as error:
        name = ABOUT if not (path / ABOUT).is_file() else FORECASTS
        raise ArtifactError(f"{path} holds no scorecard: {name} is missing.") from error


def _from_files(kind: type[Scorecard], path: Path, about: Json, table: pq.ParquetFile) -> Scorecard:
    lists = (table.schema_arrow.metadata or {}).get(LISTS.encode(), b"")
    about = with_long_lists(about, base64.b64decode(lists))
    if about["format"] > FORMAT:
        raise ArtifactError(
            f"{path} was written in format {about['format']}; this foretide reads up to {FORMAT}. Upgrade foretide."
        )
    n, h, d = about["shape"]
    rows = table.metadata.num_rows
    if rows != n * h * d:
        raise ArtifactError(f"{path / FORECASTS} has {rows} rows, {ABOUT} speaks of {n * h * d}. Save it again.")
    panel = _panel(about["panel"])

    def array(column: str) -> Floats:
        values = table.read([column]).column(0).to_numpy().astype(np.float64, copy=False)
        return np.asarray(unflat(values, (n, h, d)))

    def distribution(name: str, levels: Sequence[float]) -> Quantiles:
        values = room((n, h, d, len(levels)), np.float64)
        for k, level in enumerate(levels):
            values[..., k] = array(column_of(name, level))
        return Quantiles(tuple(levels), values)

    quantiles = {name: distribution(name, levels) for name, levels in about["quantiles"].items()}
    scale = {name: np.asarray(about["scale"][name], dtype=np.float64) for name in ("mae", "rmse", "near_zero")}
    judged = array(DISTRIBUTION_TRUTH if DISTRIBUTION_TRUTH in table.schema_arrow.names else FORMER_TRUTH)
    return kind(
        panel, _windows(table, panel, h, d), array("y"), {name: array(name) for name in about["models"]},
        tuple(about["baselines"]),
        TrainingScale(about["scale"]["season"], **scale, dropped=_tuples(about["scale"]["dropped"])),
        tuple(about["notes"]),
        Distributions(judged, quantiles, *(tuple(about.get(k, ())) for k in ("levels", "grid", "columns"))),
        np.asarray(about["rates"], dtype=np.float64), about["counts"], _tuples(about.get("unused", {})),
        about.get("starts", {}),
        plan=None if about["plan"] is None else Plan.from_dict(about["plan"], panel),
        runs=tuple(ModelRun(**run) for run in about["runs"]), about=about["about"],
    )  # fmt: skip


def _tuples(lists: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(items) for name, items in lists.items()}


def _panel(about: Json) -> Panel:
    """Return a panel that knows names and times; its values are all missing and take no memory."""
    start = about["start"] if isinstance(about["freq"], int) else pd.Timestamp(about["start"])
    length, first = (np.asarray(about[name], dtype=np.int64) for name in ("length", "first"))
    targets, past, future = (tuple(about[role]) for role in ("targets", "past", "future"))
    values = np.broadcast_to(np.float64(np.nan), (int(length.sum()), len(targets) + len(past) + len(future)))
    row0 = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)
    grid = Grid(start, about["freq"], about["tz"], about.get("wall", False))
    names = Names(**about["names"])
    return Panel(grid, tuple(about["ids"]), values, row0, length, first, targets, past, future, names=names)


def _windows(table: pq.ParquetFile, panel: Panel, h: int, d: int) -> Windows:
    """Return the windows, of which each has ``d * h`` neighbouring rows."""
    heads = table.read([panel.names.id, "cutoff"]).to_pandas().iloc[:: h * d]
    series = {name: k // d for k, name in enumerate(panel.series)}
    entity = np.asarray(heads[panel.names.id].map(series), dtype=np.int64)
    codes, times = pd.factorize(heads["cutoff"])
    steps = np.asarray(panel.grid.steps_of(times)[codes], dtype=np.int64)
    return Windows(entity, steps - panel.first[entity])


def _plain(value: object) -> object:
    """Keys as text; what JSON cannot hold as what it shows."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_plain(v) for v in value])
    known = (bool, int, float, str, np.generic, np.ndarray)
    return value if value is None or isinstance(value, known) else str(value)
