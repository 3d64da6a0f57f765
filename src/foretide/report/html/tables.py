"""Tables of the page: cells with the number they are sorted by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretide.report.html.content import Content
from foretide.report.summary import TEXTS, shown_columns
from foretide.text import number

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 200
SHARES = ("skill", "coverage", "fair", "zero", "missing", "series_won", "relative")
MORE = ("series_won", "p_vs_best_baseline", "worst_fold")
MEANING = {
    "rmse": "root of the mean squared error",
    "mse": "mean squared error",
    "mae": "mean absolute error",
    "mase": "mean absolute error over that of the seasonal naive forecast on the training part",
    "rmsse": "as MASE, of squared errors",
    "bias": "mean of forecast minus truth",
    "wql": "weighted quantile loss",
    "crps": "continuous ranked probability score",
    "coverage_80": "share of truths inside the 80 % interval",
    "coverage_95": "share of truths inside the 95 % interval",
    "fair_coverage_80": "coverage of the randomised quantiles, which whole numbers do not widen",
    "winkler_80": "width of the 80 % interval plus a penalty for misses",
    "zero_accuracy": "how often “none or some” is right",
    "skill_vs_best_baseline": "share of the best baseline's error that is saved; below 0 % the model is worse",
    "ratio_to_oracle": "error over that of the conditional mean, which no model beats on average",
    "wql_ratio_to_oracle": "the same, of the weighted quantile loss",
    "series_won": "share of series on which the model beats that series' best baseline, chosen with hindsight",
    "p_vs_best_baseline": "Diebold–Mariano test on the mean losses by cutoff, two-sided",
    "worst_fold": "main error of the worst fold",
    "unused": "columns known ahead that the model does not use",
}
"""What the columns of the leaderboard mean."""


@dataclass(frozen=True)
class Cell:
    """One cell: its text, and the number it is sorted by (None: by its text, or last where there is no number)."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """A table that can be sorted.

    Attributes
    ----------
    id, caption : str
    head : sequence of (name, meaning)
    rows : sequence of sequence of Cell
        The first cell is the row's name.
    """

    id: str
    caption: str
    head: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Cell]]


def leaderboard(content: Content) -> Table:
    """Return the leaderboard with the columns that the folder's kind shows."""
    board = content.leaderboard
    wanted = (*shown_columns(content.facts), *(MORE if content.backtest else ()))
    columns = [c for c in wanted if c in board.columns and board[c].notna().any()]
    head = [("model", ""), ("kind", ""), *((c.replace("_", " "), MEANING.get(c, "")) for c in columns)]
    head += [("fit, s", "seconds to fit"), ("forecast, s", "seconds to forecast")]
    rows = []
    for line in board.to_dict("records"):
        about = content.facts["models"].get(str(line["model"]), {})
        times = [cell("seconds", about.get(key)) for key in ("fit_seconds", "predict_seconds")]
        rows.append([
            Cell(str(line["model"])), Cell(str(line["kind"])), *(cell(str(c), line[c]) for c in columns), *times
        ])  # fmt: skip
    return Table("leaderboard", "Every model on the same windows and points, least main error first.", head, rows)


def series_table(content: Content) -> Table | None:
    """Return the main error of each series for the models that stand out."""
    table = content.by_series
    if table is None or not len(table):
        return None
    models = [m for m in content.shown if m in table]
    part = table.head(MOST_ROWS)
    cut = f" The first {MOST_ROWS} of {len(table)} series." if len(table) > MOST_ROWS else ""
    rows = [
        [Cell(str(name)), *(cell("error", v) for v in values)]
        for name, values in zip(part.iloc[:, 0], part[models].to_numpy(float).tolist(), strict=True)
    ]
    caption = f"{content.metric.upper()} of each series, {content.metric_unit}.{cut}"
    return Table("by-series", caption, [("series", ""), *((m, "") for m in models)], rows)


def comparison_table(content: Content) -> Table | None:
    """Return each model against the best baseline."""
    table = content.comparisons
    if table is None or not len(table):
        return None
    first = table.iloc[0]
    shown = {
        "relative": ("difference", "of mean losses, relative; negative is better"),
        "low_95": ("from", "95 % interval of the difference, in units of the loss"),
        "high_95": ("to", "95 % interval of the difference, in units of the loss"),
        "p_value": ("p", "Diebold–Mariano, two-sided"),
        "p_holm": ("p (Holm)", "corrected for the number of models"),
    }
    rows = [
        [Cell(str(line["model"])), *(cell(c, line[c]) for c in shown)]
        for line in table.sort_values("difference").to_dict("records")
    ]
    caption = (
        f"{str(first['loss']).upper()} against {first['baseline']}, the best baseline, on {int(first['n_cutoffs'])} "
        "cutoffs: is a difference more than chance?"
    )
    return Table("comparisons", caption, [("model", ""), *shown.values()], rows)


def frame_table(identity: str, caption: str, frame: pd.DataFrame) -> Table:
    """Return any small table."""
    part = frame.head(MOST_ROWS)
    head = [(str(c).replace("_", " "), "") for c in part.columns]
    rows = [[cell(str(c), v) for c, v in line.items()] for line in part.to_dict("records")]
    return Table(identity, caption, head, rows)


def cell(column: str, value: Any) -> Cell:
    """Return a number with four digits, shares in percent, a dash where there is none; text as it is."""
    if column in TEXTS and not isinstance(value, str):
        return Cell("")
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return Cell("–")
    if isinstance(value, str | bool):
        return Cell(str(value))
    figure = float(value)
    return Cell(f"{figure:.1%}" if column.startswith(SHARES) else number(figure), figure)
