"""Columns that repeat the calendar: the year, the weekday or the hour of a row's own time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.reading.frames import codes_of, is_number, numbers, strings
from foretide.data.time.stamps import as_index
from foretide.data.time.zones import to_wall
from foretide.typing import Array, Ints, Reals

if TYPE_CHECKING:
    from foretide.data.reading.frames import ColumnView
    from foretide.data.time.times import Times

_LOOKED_AT = 20_000
_TEXTS = {"weekday": "day_name", "month": "month_name"}
_PARTS = ("year", "quarter", "month", "week", "day", "dayofyear", "weekday", "hour", "minute")


@dataclass(frozen=True)
class Parts:
    """What the calendar says of some rows of a table.

    Attributes
    ----------
    rows : int array ``[L]``
        Rows in order of time, at most 40,000 of them.
    numbers : dict
        Part of the calendar -> its values ``[L]``.
    texts : dict
        Part of the calendar -> the first three letters of its English names ``[L]``, where these differ.
    """

    rows: Ints
    numbers: dict[str, Ints]
    texts: dict[str, Array]

    @classmethod
    def of(cls, times: Times) -> Parts:
        """Look at the times of a table, on the wall clock of their zone.

        Parameters
        ----------
        times : Times

        Returns
        -------
        Parts
        """
        rows = np.flatnonzero(~times.bad)
        if times.integer or not len(rows):
            return cls(rows, {}, {})
        rows = rows[:: max(len(rows) // _LOOKED_AT, 1)]
        rows = rows[np.argsort(times.values[rows], kind="stable")]
        zoned = times.aware and times.tz is not None
        stamps = as_index(to_wall(times.values[rows], str(times.tz)) if zoned else times.values[rows])
        numbers = {part: _part(stamps, part) for part in _PARTS}
        numbers["weekend"] = (numbers["weekday"] >= 5).astype(np.int64)
        names = {part: np.asarray(getattr(stamps, m)().str.lower().str[:3]) for part, m in _TEXTS.items()}
        return cls(rows, numbers, {part: own for part, own in names.items() if len(np.unique(own)) > 1})


def calendar_part(series: ColumnView, parts: Parts, named: str | None) -> str | None:
    """Return the part of the calendar that a column repeats (``"weekday"``), None where it is none.

    A column whose name says nothing must hold just the part, counted from 0 or 1, or its English name; one named after
    a part may write it in any way that is the same for the same part.

    Parameters
    ----------
    series : narwhals series ``[R]``
    parts : Parts
        Of the rows.
    named : str or None
        The part that the column's name says.

    Returns
    -------
    str or None
    """
    if not parts.numbers:
        return None
    cells = series[parts.rows.tolist()]
    if named is not None and _follows(codes_of(cells)[0], parts.numbers[named]):
        return named
    if is_number(series):
        values = numbers(cells)
        return next((part for part, own in parts.numbers.items() if part != "weekend" and _is(values, own)), None)
    begins = strings(cells).astype(str).str.strip().str.lower().str[:3].to_numpy()
    return next((part for part, own in parts.texts.items() if (begins == own).all()), None)


def _part(stamps: pd.DatetimeIndex, part: str) -> Ints:
    if part == "week":
        return np.asarray(stamps.isocalendar()["week"], dtype=np.int64)
    # The names that pandas 2 and 3 share.
    found = getattr(stamps, {"dayofyear": "day_of_year", "weekday": "day_of_week"}.get(part, part))
    return np.asarray(found, dtype=np.int64)


def _is(values: Reals, own: Ints) -> bool:
    """Whether values, in order of time, are a part of the calendar that begins again, counted from 0 or from 1.

    A part that only grows, as years do, must be the same to the digit, and come to several values.
    """
    distinct = len(np.unique(own))
    shifts = (0, 1, -1) if (np.diff(own) < 0).any() else (0,)
    return distinct > 2 and any(bool((values == own + shift).all()) for shift in shifts)


def _follows(codes: Ints, own: Ints) -> bool:
    """Whether the same part always has the same value, on several parts that come twice."""
    pairs = np.unique(own * (int(codes.max(initial=0)) + 2) + codes)
    distinct = len(np.unique(own))
    return len(pairs) == distinct and 2 * distinct <= len(own) and bool((codes >= 0).all())
