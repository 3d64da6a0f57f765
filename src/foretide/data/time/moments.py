"""Single times that a person names, as cutoffs: read only where they mean one thing."""

from __future__ import annotations

import datetime as dt
import re
from typing import cast

import numpy as np
import pandas as pd

from foretide.data.time.forms import in_periods, looks_like_digits, looks_like_epoch, readings
from foretide.data.time.stamps import NOWHERE
from foretide.errors import DataError
from foretide.text import time_text

_ISO = re.compile(
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}(?:(?:T| +)\d{1,2}(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?\s*(?:Z|[+-]\d\d(?::?\d\d)?)?)?"
    r"|\d{8}(?:T\d{2,6}Z?)?"
)
EXPECTED = "Expected a time such as '2024-01-31 06:00'"


def read_moment(time: object) -> tuple[pd.Timestamp, pd.Timestamp | None]:
    """Return a time and, where a month, quarter, week or year is named, the end of it.

    Parameters
    ----------
    time : Timestamp, datetime, date, numpy.datetime64, Period, or text
        Text in ISO 8601, or ``2024-06``, ``2024Q2``, ``2024-W05``, ``2024``.

    Returns
    -------
    time : Timestamp
    end : Timestamp or None

    Raises
    ------
    DataError
        For numbers, for text in another form, with what to type, and beyond the years 1678 to 2261.

    Examples
    --------
    >>> from foretide.data.time.moments import read_moment
    >>> [str(time) for time in read_moment("2024-02")]
    ['2024-02-01 00:00:00', '2024-03-01 00:00:00']
    """
    if isinstance(time, pd.Period):
        return _stamp(time, time), _stamp(time + 1, time)
    if isinstance(time, (dt.date, np.datetime64)):  # datetimes and timestamps among them
        return _stamp(time, time), None
    if time is None or time is pd.NaT or (isinstance(time, float) and np.isnan(time)):
        raise DataError(f"{EXPECTED}, got a missing time ({time}).")
    if isinstance(time, (int, np.integer)) and not isinstance(time, bool):
        raise DataError(f"{EXPECTED}, got the whole number {time}.{_number(int(time))}")
    if not isinstance(time, str):
        raise DataError(f"{EXPECTED}, got {time!r}.")
    text = time.strip()
    if _ISO.fullmatch(text):
        return _stamp(text, time), None
    words = pd.Series([text])
    period = in_periods(words)
    if period is not None and NOWHERE not in (period[0].values[0], period[1][0]):
        return pd.Timestamp(int(period[0].values[0])), pd.Timestamp(int(period[1][0]))
    meant = [time_text(pd.Timestamp(int(r.values[0]))) for r in readings(words) if r.count]
    if len(meant) > 1:
        ways = " or ".join(repr(way) for way in meant)
        raise DataError(f"{EXPECTED}, got {time!r}, which may be {ways}. Type the one that is meant.")
    raise DataError(f"{EXPECTED}, got {time!r}." + (f" Type {meant[0]!r}." if meant else ""))


def _stamp(value: object, typed: object) -> pd.Timestamp:
    try:
        stamp = value.start_time if isinstance(value, pd.Period) else pd.Timestamp(cast("str", value))
        if not pd.isna(stamp):
            stamp = stamp.as_unit("ns")
    except (pd.errors.OutOfBoundsDatetime, OverflowError) as error:
        raise DataError(f"{typed!s} lies beyond the years 1678 to 2261. {EXPECTED}.") from error
    except (TypeError, ValueError) as error:
        raise DataError(f"{EXPECTED}, got {typed!r}.") from error
    if pd.isna(stamp):
        raise DataError(f"{EXPECTED}, got a missing time (NaT).")
    return stamp


def _number(value: int) -> str:
    """Return what a whole number looks like and how to type that."""
    found = np.array([value])
    if looks_like_digits(found):
        text = str(value)
        clock = f" {text[8:10]}:{text[10:12] or '00'}" if len(text) > 8 else ""
        return f" Type {'-'.join(part for part in (text[:4], text[4:6], text[6:8]) if part) + clock!r}."
    form = looks_like_epoch(found)
    if form:
        unit = form.removeprefix("epoch_")
        return f" Counted from 1970 in {unit} it is {str(pd.Timestamp(value, unit=unit))!r}; type that."
    return " This panel's times are dates."
