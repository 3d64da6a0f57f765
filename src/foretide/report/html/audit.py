"""What is in the data, in words and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.audit import FAR
from foretide.report.html.tables import MOST_ROWS, Cell, Table, cell
from foretide.text import time_text

if TYPE_CHECKING:
    from foretide.report.html.content import Content

TIMES = ("first", "last")
SPARSE = 0.5
"""Share of zeros from which a series is called mostly zero."""
COLUMNS = {
    "role": "target; past: known up to the cutoff; future: known ahead",
    "min": "", "mean": "", "max": "", "std": "standard deviation",
    "zeros": "share of the known values that are zero", "missing": "share of the steps without a value",
}  # fmt: skip
SERIES = {
    "first": "time of the first value", "last": "time of the last value", "steps": "from the first to the last value",
    **{key: meaning for key, meaning in COLUMNS.items() if key != "role"},
    "constant_run": "longest run of one value, in steps",
    "spikes": f"values more than {FAR:g} robust standard deviations from those one season before and after",
}  # fmt: skip


def audit_lines(content: Content) -> list[str]:
    """Say what stands out among the series, and that nothing does where nothing does."""
    table = content.audit_series
    if table is None or not len(table):
        return []
    n = len(table)
    missing, zeros, spikes = (table[c].to_numpy(float) for c in ("missing", "zeros", "spikes"))
    flat = (table["std"].to_numpy(float) == 0) | (table["steps"].to_numpy(float) == 0)
    said = [
        _counted(missing > 0, n, "with missing values", f"up to {np.nanmax(missing, initial=0):.1%} of one"),
        _counted(zeros > SPARSE, n, f"zero more than {SPARSE:.0%} of the time", f"up to {_most(zeros):.1%}"),
        _counted(flat, n, "without any change"),
        _counted(spikes > 0, n, "with spikes", f"{int(spikes.sum())} values farther than {FAR:g} robust standard "
                 "deviations from those one season before and after"),
        _span(table),
    ]  # fmt: skip
    found = [text for text in said if text]
    if not found:
        return [
            f"Nothing stands out in {n} series: no missing value, none that is mostly zero or never changes, no spike "
            f"beyond {FAR:g} robust standard deviations, all of one span"
        ]
    return [f"Of {n} series: {'; '.join(found)}"]


def audit_tables(content: Content) -> list[Table]:
    """Return the columns, and the series."""
    made = (
        _table("audit-columns", "Every column, over all entities.", content.audit_columns, COLUMNS),
        _table("audit-series", "Every series.", content.audit_series, SERIES),
    )
    return [table for table in made if table is not None]


def _table(identity: str, caption: str, frame: pd.DataFrame | None, meanings: dict[str, str]) -> Table | None:
    if frame is None or not len(frame):
        return None
    shown = [c for c in meanings if c in frame]
    part = frame.head(MOST_ROWS)
    cut = f" The first {MOST_ROWS} of {len(frame)}." if len(frame) > MOST_ROWS else ""
    name = str(frame.columns[0])
    rows = [
        [Cell(str(line[name])), *(_when(line[c]) if c in TIMES else cell(c, line[c]) for c in shown)]
        for line in part.to_dict("records")
    ]
    head = [(name, ""), *((c.replace("_", " "), meanings[c]) for c in shown)]
    return Table(identity, caption + cut, head, rows)


def _counted(which: np.ndarray[tuple[int], np.dtype[np.bool_]], n: int, what: str, more: str = "") -> str:
    count = int(which.sum())
    if not count:
        return ""
    return f"{count if count < n else 'all'} {what}{f' ({more})' if more else ''}"


def _most(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else 0.0


def _span(table: pd.DataFrame) -> str:
    """How many series begin later or end earlier than others."""
    first, last = table["first"].dropna(), table["last"].dropna()
    if not len(first):
        return ""
    late, early = int((first != first.min()).sum()), int((last != last.max()).sum())
    said = [f"{late} that begin later than {_when(first.min()).text}"] if late else []
    said += [f"{early} that end before {_when(last.max()).text}"] if early else []
    return " and ".join(said)


def _when(time: Any) -> Cell:
    """Return a time as text, a midnight without its hours; steps that are numbers as they are."""
    if time is None or time != time:
        return Cell("–")
    if isinstance(time, int | float):
        return Cell(str(int(time)), float(time))
    return Cell(time_text(time), pd.Timestamp(time).timestamp())
