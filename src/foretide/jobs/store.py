"""What a folder holds: one list of items, by which files are named, written with their types, and read back.

Items that are read back keep their types (Parquet, JSON, safetensors, text); an *export* is a CSV for people and is
never read. :meth:`foretide.jobs.folder.RunFolder.keep` and :meth:`~foretide.jobs.folder.RunFolder.read` take an item.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from foretide.data.exports import guarded_frame
from foretide.data.files import file_name, read_text
from foretide.data.parquet import write_parquet
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.forecasters.artifact import from_json, to_json

if TYPE_CHECKING:
    from foretide.typing import Json, Singles

T = TypeVar("T")
JUDGED = ("run", "backtest")
JUDGED_OR_TUNED = (*JUDGED, "tune")
AHEAD = (*JUDGED, "forecast")
REPORTED = (*JUDGED_OR_TUNED, "forecast")
EVERY = (*REPORTED, "fit")


@dataclass(frozen=True)
class Kind(Generic[T]):
    """How a value lies in a file.

    Attributes
    ----------
    name : str
        In words.
    save : callable
        ``save(value, path)`` writes the file.
    load : callable, optional
        ``load(path)`` reads it; None for what is never read back.
    atomic : bool
        Whether ``save`` itself sees to it that files are whole or absent.
    """

    name: str
    save: Callable[[T, Path], object]
    load: Callable[[Path], T] | None = None
    atomic: bool = False


def _save_json(value: object, path: Path) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    path.write_text(f"{text}\n", encoding="utf-8")


def _load_json(path: Path) -> Json:
    found: Json = json.loads(read_text(path))
    if not isinstance(found, dict):
        raise TypeError(f"expected names and values, got {type(found).__name__}")
    return found


def _load_records(path: Path) -> list[Json]:
    records: list[Json] = json.loads(read_text(path))
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise TypeError("expected a list of records")
    return records


def _save_csv(table: pd.DataFrame, path: Path) -> None:
    guarded_frame(table).to_csv(path, index=False, float_format="%.10g")


def _save_arrays(arrays: Mapping[str, Singles], path: Path) -> None:
    from safetensors.numpy import save

    path.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def _load_arrays(path: Path) -> dict[str, Singles]:
    from safetensors.numpy import load

    return load(path.read_bytes())


def _save_array(array: Singles, path: Path) -> None:
    with path.open("wb") as file:  # a path would be given an ending
        np.save(file, array, allow_pickle=False)


def _load_array(path: Path) -> Singles:
    found: Singles = np.load(path, allow_pickle=False)
    return found


def _save_cells(table: pd.DataFrame, path: Path) -> None:
    cells = {str(name): [None if _is_missing(v) else v for v in column] for name, column in table.items()}
    types = {str(name): str(kind) for name, kind in table.dtypes.items() if is_numeric_dtype(kind)}
    path.write_text(
        json.dumps({"types": types, "columns": to_json(cells)}, indent=1, ensure_ascii=False), encoding="utf-8"
    )


def _is_missing(value: object) -> bool:
    return value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _load_cells(path: Path) -> pd.DataFrame:
    content = _load_json(path)
    columns = {name: pd.Series(cells, dtype=object) for name, cells in from_json(content["columns"]).items()}
    return pd.DataFrame(columns).astype(content["types"])


JSON: Kind[Json] = Kind("JSON", _save_json, _load_json)
RECORDS: Kind[list[Json]] = Kind("JSON", _save_json, _load_records)
TABLE: Kind[pd.DataFrame] = Kind("Parquet", write_parquet, pd.read_parquet)
PARTS: Kind[Iterable[pd.DataFrame]] = Kind("Parquet, for people; never read back", write_parquet)
"""A table that is made and written part by part."""
CELLS: Kind[pd.DataFrame] = Kind("JSON", _save_cells, _load_cells)
"""A table some of whose columns hold values of several types."""
ARRAYS: Kind[Mapping[str, Singles]] = Kind("safetensors", _save_arrays, _load_arrays)
ARRAY: Kind[Singles] = Kind("NumPy", _save_array, _load_array)
TEXT: Kind[str] = Kind("text", lambda text, path: path.write_text(text, encoding="utf-8"), read_text)
CARDS: Kind[Scorecard] = Kind(
    "Parquet and JSON",
    lambda card, path: card.save(path.parent, page=False),
    lambda path: Scorecard.load(path.parent),
    atomic=True,
)
EXPORT: Kind[pd.DataFrame] = Kind("CSV, for people; never read back", _save_csv)


@dataclass(frozen=True)
class Item(Generic[T]):
    """One file of a folder, or one for each model, table or picture.

    Attributes
    ----------
    file : str
        Place in the folder; ``{model}`` and ``{table}`` stand for names.
    about : str
        What it holds, in a sentence.
    jobs : tuple of str
        Which jobs write it.
    kind : Kind, optional
        How it is written and read; None for what is written some other way (folders, logs, pictures).
    beside : str
        A second file that is written with it, such as the CSV of a table that is read back.
    """

    file: str
    about: str
    jobs: tuple[str, ...] = JUDGED
    kind: Kind[T] | None = None
    beside: str = ""

    def places(self, **names: str) -> tuple[str, ...]:
        """Return the places of the file in a folder, and of the one beside it.

        Parameters
        ----------
        **names : str
            What ``{model}`` and ``{table}`` stand for.

        Returns
        -------
        tuple of str

        Examples
        --------
        >>> from foretide.jobs.store import BUCKETS
        >>> BUCKETS.places(model="LAVAR")
        ('buckets-LAVAR.csv',)
        """
        known = {key: file_name(name) for key, name in names.items()}
        return tuple(file.format(**known) for file in (self.file, self.beside) if file)


# ---------------------------------------------------------------- the list
STATUS: Item[Json] = Item(
    "status.json", "`running`, `finished`, `interrupted` or `failed`, and when; `files`: what the job wrote here",
    EVERY, JSON,
)  # fmt: skip
LOG: Item[str] = Item("run.log", "what happened when, warnings included", EVERY)
UNDONE: Item[str] = Item(
    "checkpoints/", "while a job works, and after one that did not finish: what is done so far, by which the same "
    "command goes on; it goes when the job has finished", EVERY,
)  # fmt: skip
SETTINGS = Item(
    "settings.yaml", "the whole configuration with defaults; `foretide run settings.yaml --out again` repeats the run",
    EVERY, TEXT,
)  # fmt: skip
FACTS = Item(
    "run.json", "facts: the verdict, parts and folds, sizes, settings and times per model, threads, versions",
    REPORTED, JSON,
)  # fmt: skip
CARD = Item(
    "scorecard.parquet",
    "the forecasts beside the truth, and all that figures are computed from; `ft.Scorecard.load` reads it",
    REPORTED, CARDS, beside="scorecard.json",
)  # fmt: skip
FORECASTS = Item(
    "forecasts.parquet",
    "id, time, `cutoff`, `h_step`, truth `y`, one column per model, `<Model>-lo-80`, `<Model>-hi-80` …, and "
    "`<Model>-ql0.1` … for `quantiles` of the configuration", JUDGED, PARTS,
)  # fmt: skip
BEFORE = Item(
    "before.parquet", "id, time, truth `y` of the steps just before the first cutoff, for pictures", JUDGED, TABLE
)
FORECAST = Item(
    "forecast.parquet", "what comes next: the best model's forecast from the end of the table, with intervals",
    AHEAD, TABLE, beside="forecast.csv",
)  # fmt: skip
FUTURE = Item(
    "tables/future.parquet", "the same by series, as the page draws it: `series`, `time`, `mean`, `lo-80`, `hi-80` …",
    AHEAD, TABLE,
)  # fmt: skip
RECENT = Item(
    "tables/recent.parquet", "`series`, `time`, truth `y` of the steps just before that forecast, for pictures",
    AHEAD, TABLE,
)  # fmt: skip
AUDIT_COLUMNS = Item(
    "tables/audit_columns.parquet",
    "what is in the data, column by column: range, zeros, missing values", AHEAD, TABLE, beside="audit_columns.csv",
)  # fmt: skip
AUDIT_SERIES = Item(
    "tables/audit_series.parquet",
    "the same by series, with spans, the longest run of one value, spikes", AHEAD, TABLE, beside="audit_series.csv",
)  # fmt: skip
ATTENTION = Item(
    "attention.safetensors", "attention weights per model, `[window, head, horizon_step, lag]`", JUDGED, ARRAYS
)
ATTENTION_ARRAY = Item(
    "attention-{model}.npy", "after `foretide explain RUN --npy`: the same of one model, for `numpy.load`",
    ("explain",), ARRAY,
)  # fmt: skip
ATTENTION_ABOUT = Item("attention.json", "the axes of the attention weights, and their windows", JUDGED, JSON)
MODELS: Item[str] = Item(
    "models/{model}/",
    "settings and facts (JSON), arrays (safetensors), SHA-256 manifest; `ft.load` reads it. A backtest keeps the last "
    "fit of every model that was asked for", EVERY,
)  # fmt: skip
INTERVENTIONS = Item(
    "interventions.json", "of models that change forecasts afterwards (LAVAR): how often, by reason", JUDGED, JSON
)
TUNED = Item("tuned.yaml", "the configuration with the settings a search found", JUDGED_OR_TUNED, TEXT)
TRIALS = Item(
    "tables/trials.json", "every trial of a search, its settings as they were tried", JUDGED_OR_TUNED, CELLS
)  # fmt: skip
STUDY = Item("study.json", "winner, data, folds, spaces, seeds and versions of a search", JUDGED_OR_TUNED, JSON)
JOURNAL: Item[str] = Item("study.journal", "the search's own store, by which it goes on", JUDGED_OR_TUNED)
EXPLAINED = Item(
    "explain/explain.json", "what the networks say, subject by subject: sentences, and names of tables",
    (*JUDGED, "explain"), RECORDS,
)  # fmt: skip
EXPLAINED_TABLE = Item(
    "explain/tables/{model}-{table}.parquet", "the figures behind these sentences", (*JUDGED, "explain"), TABLE,
    beside="explain/{model}-{table}.csv",
)  # fmt: skip

METRICS = Item(
    "metrics.csv",
    "every metric per model, pooled; skill against the best baseline; ratio to the oracle where there is one",
    JUDGED_OR_TUNED, EXPORT,
)  # fmt: skip
BY_STEP = Item("metrics_by_step.csv", "the same per horizon step; see [Metrics](metrics.md)", JUDGED, EXPORT)
BY_SERIES = Item("metrics_by_series.csv", "the same per series", JUDGED, EXPORT)
BY_BUCKET = Item("metrics_by_bucket.csv", "counts: the same for dense, sparse and ultra-sparse series", JUDGED, EXPORT)
FOLDS = Item("folds.csv", "the main error by cutoff, one column per model", JUDGED, EXPORT)
FOLD_SUMMARY = Item("fold_summary.csv", "mean, spread, 95th percentile and worst of these per model", JUDGED, EXPORT)
SERIES_SKILL = Item(
    "skill_by_series.csv", "each model's skill on each series against that series' best baseline", JUDGED, EXPORT
)
COMPARISONS = Item(
    "comparisons.csv", "each model beside the best baseline: difference, interval, p-values", JUDGED, EXPORT
)
ABLATIONS = Item(
    "tables/ablations.parquet", "of a configuration with `ablations`: each model beside the one before it", JUDGED,
    TABLE, beside="ablations.csv",
)  # fmt: skip
RANKS = Item("ranks.csv", "mean ranks over series, with the critical difference", JUDGED, EXPORT)
RELIABILITY = Item("calibration.csv", "how many truths lie below each quantile that was forecast", JUDGED, EXPORT)
STOCK = Item("stock.csv", "counts: what the newsvendor's stock would have done", JUDGED, EXPORT)
HISTORY = Item("history.csv", "losses and seconds per epoch", JUDGED, EXPORT)
BUCKETS = Item(
    "buckets-{model}.csv",
    "of models that sort targets (LAVAR): bucket and head of each target, and why",
    JUDGED,
    EXPORT,
)
CHOICES = Item(
    "choices-{model}.csv", "of models whose settings differ from series to series: what each got, as `model.choices()`",
    JUDGED, EXPORT,
)  # fmt: skip
TRIALS_TABLE = Item("trials.csv", "the same for people", JUDGED_OR_TUNED, EXPORT)
LEADERBOARD = Item(
    "tables/leaderboard.parquet",
    "of a search the best trial of every model beside the baselines; of a forecast how the candidates did",
    REPORTED, TABLE, beside="leaderboard.csv",
)  # fmt: skip

SUMMARY = Item(
    "summary.md", "the verdict in words, the leaderboard, the pictures, data facts, settings, versions; begin here",
    REPORTED, TEXT,
)  # fmt: skip
REPORT = Item(
    "report.html", "all of it on [one page](report.md) that opens without a network",
    (*REPORTED, "report"), TEXT,
)  # fmt: skip
EXPLAIN_PAGE = Item(
    "explain.md",
    "what attention and latent state of the networks say, and whether to believe it, in words, tables and pictures; "
    "after `foretide explain` the inputs too", (*JUDGED, "explain"), TEXT,
)  # fmt: skip
PICTURES: Item[bytes] = Item("{picture}.png", "pictures; each lies there as SVG too", (*REPORTED, "explain"))
FIGURES: Item[bytes] = Item(
    "figures/", "after `foretide report RUN --figures svg`: every picture of the page as a file", ("report",)
)
SEARCH: Item[bytes] = Item(
    "search/", "of a run with a section `search`: the files of the search, with its own `summary.md`", ("run",)
)

CHECKPOINTS = UNDONE.file.strip("/")
ITEMS: tuple[Item[object], ...] = tuple(value for value in list(globals().values()) if isinstance(value, Item))
"""Everything that a folder can hold, in the order of this page."""
