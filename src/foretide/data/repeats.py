"""Columns that repeat the calendar: the year, the weekday or the hour of a row's own time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pandas as pd

from foretide.data.frames import codes_of, is_number, numbers, strings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.times import Times

_LOOKED_AT = 20_000
_TEXTS = {"weekday": "day_name", "month": "month_name"}
_PARTS = ("year", "quarter", "month", "week", "day", "dayofyear", "weekday", "hour", "minute")


def calendar_part(series: nw.Series[Any], times: Times, named: str | None) -> str | None:
    """Return the part of the calendar that a column repeats (``"weekday"``), None where it is none.

    A column whose name says nothing must hold just the part, counted from 0 or 1, or its English name; one named after
    a part may write it in any way that is the same for the same part.

    Parameters
    ----------
    series : narwhals series ``[R]``
    times : Times
        Of the rows.
    named : str or None
        The part that the column's name says.
    """
    rows = np.flatnonzero(~times.bad)
    if times.integer or not len(rows):
        return None
    rows = rows[:: max(len(rows) // _LOOKED_AT, 1)]
    stamps = pd.DatetimeIndex(times.values[rows].view("datetime64[ns]"))
    if times.aware and times.tz is not None:
        stamps = stamps.tz_localize("UTC").tz_convert(times.tz).tz_localize(None)
    parts = {part: _part(stamps, part) for part in _PARTS}
    parts["weekend"] = (parts["weekday"] >= 5).astype(np.int64)
    if named is not None and _follows(codes_of(series)[0][rows], parts[named]):
        return named
    if is_number(series):
        values = numbers(series)[rows]
        return next((part for part, own in parts.items() if part != "weekend" and _is(values, own)), None)
    cells = strings(series).astype(str).str.strip().str.lower().str[:3].to_numpy()[rows]
    for part, method in _TEXTS.items():
        own = np.asarray(getattr(stamps, method)().str.lower().str[:3])
        if len(np.unique(own)) > 1 and (cells == own).all():
            return part
    return None


def _part(stamps: pd.DatetimeIndex, part: str) -> NDArray[np.int64]:
    found = stamps.isocalendar()["week"] if part == "week" else getattr(stamps, part)
    return np.asarray(found, dtype=np.int64)


def _is(values: NDArray[np.floating], own: NDArray[np.int64]) -> bool:
    """Whether values are a part of the calendar that changes, counted from 0 or from 1."""
    distinct = len(np.unique(own))
    return distinct > 2 and any(bool((values == own + shift).all()) for shift in (0, 1, -1))


def _follows(codes: NDArray[np.int64], own: NDArray[np.int64]) -> bool:
    """Whether the same part always has the same value, on several parts that come twice."""
    pairs = np.unique(own * (int(codes.max(initial=0)) + 2) + codes)
    distinct = len(np.unique(own))
    return len(pairs) == distinct and 2 * distinct <= len(own) and bool((codes >= 0).all())
