"""A table whose rows are series and whose columns are times, as a long one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np
import pandas as pd

from foretide.data.reading.frames import is_number, is_time, numbers, open_frame, strings
from foretide.data.reading.rows import Rows, rows_of
from foretide.data.reading.words import TIMES, rank
from foretide.data.time.times import parse_times
from foretide.typing import Array, Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.data.reading.frames import ColumnView

_NUMBERED = re.compile(r"(\D*)(\d{1,9})")
_LEAST_NUMBERED, _LEAST_TIMES = 8, 4
"""Fewest columns that are taken for steps: such as V1, V2 …; such as 2024-01, 2024-02 …."""


def stand_up(frame: Frame, time: str, *targets: str) -> tuple[Frame, tuple[str, ...], Rows]:
    """Return a table with one row per series and step where its rows are series; any other as it is.

    Its last columns are steps where their names count (``V1``, ``V2`` …) or are times in order, they hold numbers, and
    no other column tells the rows apart by time.

    Parameters
    ----------
    frame : pandas or polars frame
    time, *targets : str
        Names of the new columns. Where the table has one of them, or several targets are named, it stays as it is.

    Returns
    -------
    frame : pandas or polars frame
        The other columns, the time, and the values, without the empty cells before a series' first value and after its
        last one.
    steps : tuple of str
        Columns that became rows; none where the table is as it was.
    rows : Rows
        What the rows of the new table are called.
    """
    names_of_rows = rows_of(frame)
    if not hasattr(frame, "columns") or len(targets) != 1 or {time, *targets} & {str(name) for name in frame.columns}:
        return frame, (), names_of_rows
    table = open_frame(frame)
    begin = len(table.columns)
    while begin and _may_be_step(table[table.columns[begin - 1]]):
        begin -= 1
    names = list(table.columns[begin:])
    found = _timed(names) or _counted(names)
    if found is None or len(found[0]) == len(table.columns):
        return frame, (), names_of_rows
    names, times = found
    others = [name for name in table.columns if name not in set(names)]
    if any(_tells_times(table[name]) for name in others):
        return frame, (), names_of_rows
    values = np.stack([numbers(table[name]) for name in names], axis=1)
    known = ~np.isnan(values)
    inside = np.maximum.accumulate(known, axis=1) & np.maximum.accumulate(known[:, ::-1], axis=1)[:, ::-1]
    own, steps = np.nonzero(inside)
    native = table.select(others).to_native()
    native = native.iloc[own].reset_index(drop=True) if isinstance(native, pd.DataFrame) else native[own]
    view = nw.from_native(native, eager_only=True)
    when = nw.new_series(time, times[steps], backend=table.implementation)
    cells = nw.new_series(targets[0], values[inside], backend=table.implementation)
    return view.with_columns(when, cells).to_native(), tuple(names), names_of_rows.taken(own.__getitem__)


def names_of_series(frame: Frame, steps: Sequence[str]) -> str | None:
    """Return the first column of a table whose rows are series that names every row, None where none does.

    Parameters
    ----------
    frame : data frame
    steps : sequence of str
        Columns that are steps.

    Returns
    -------
    str or None
    """
    table = open_frame(frame)
    others = [name for name in table.columns if name not in set(steps)]
    return next((name for name in others if table[name].n_unique() == len(table)), None)


def _may_be_step(series: ColumnView) -> bool:
    """Whether a column holds numbers, or nothing, and has a digit in its name."""
    return any(c.isdigit() for c in series.name) and (is_number(series) or series.null_count() == len(series))


def _counted(names: list[str]) -> tuple[list[str], Array] | None:
    """Return the last names that count on evenly with one word in front, and their numbers."""
    parts = [_NUMBERED.fullmatch(name) for name in names]
    words, counts = [part and part[1] for part in parts], [int(part[2]) if part else -1 for part in parts]
    begin = len(names) - 1
    while begin > 0 and words[begin - 1] == words[-1] and counts[begin] - counts[begin - 1] == counts[-1] - counts[-2]:
        begin -= 1
    if len(names) - begin < _LEAST_NUMBERED or words[-1] is None or counts[-1] <= counts[-2]:
        return None
    return names[begin:], np.array(counts[begin:])


def _timed(names: list[str]) -> tuple[list[str], Array] | None:
    """Return the last names where they are times in order; plain years count."""
    if len(names) < _LEAST_TIMES or (names[-1].isdigit() and len(names[-1]) < 5):
        return None
    words = np.array(names, dtype=object)
    times = parse_times(nw.from_native(pd.Series(words, name="time"), series_only=True))
    begin = int(np.flatnonzero(times.bad)[-1]) + 1 if times.bad.any() else 0
    if len(names) - begin < _LEAST_TIMES or not (np.diff(times.values[begin:]) > 0).all():
        return None
    return names[begin:], words[begin:]


def _tells_times(series: ColumnView) -> bool:
    """Whether every row has a time of its own, by type or text, or by the name of the column."""
    if len(series) < 2 or series.n_unique() < len(series):
        return False
    if is_time(series) or rank(series.name, TIMES) < len(TIMES):
        return True
    column = strings(series)
    digits = not is_number(series) and column.astype(str).str.contains(r"\d", regex=True).all()
    return bool(digits) and bool(parse_times(series).bad.mean() < 0.5)
