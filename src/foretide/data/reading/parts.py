"""Times that stand in several columns: a date and a time of day, a year and a month. They are said, not guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.reading.frames import is_number, numbers, strings
from foretide.data.reading.words import CALENDAR, said
from foretide.data.time.stamps import DAY
from foretide.errors import DataError
from foretide.typing import Array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.data.reading.frames import ColumnView, FrameView
    from foretide.data.time.times import Times

_FIRST = 1_000
_CLOCK = r"^(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?$"


def refuse_clock_beside(table: FrameView, time: str, times: Times, free: Sequence[str]) -> None:
    """Refuse a free column that holds the time of day of a column of dates that come again.

    Parameters
    ----------
    table : narwhals frame
    time : str
    times : Times
        Of that column.
    free : sequence of str
        Columns without a role.

    Raises
    ------
    DataError
        It says how to make one column of both.
    """
    known = times.values[~times.bad]
    if times.integer or not len(known) or (known % DAY != known[0] % DAY).any() or _all_differ(known):
        return
    for name in free:
        behind = _clock_of(table[name], name)
        if behind is not None:
            given = f", format={times.form!r}" if times.form else ""
            raise DataError(
                f"Columns {time!r} and {name!r} hold the times together: a day, and the time of that day. Make one of "
                f"them: frame[{time!r}] = pd.to_datetime(frame[{time!r}]{given}) + pd.to_timedelta({behind}). Or, for "
                f"a series of days of each time of day, name it: id={name!r}."
            )


def refuse_parts(table: FrameView, free: Sequence[str]) -> None:
    """Refuse times that are spread over columns of whole numbers: a year, a month, a day.

    Parameters
    ----------
    table : narwhals frame
    free : sequence of str
        Columns without a role.

    Raises
    ------
    DataError
        It says how to make one column of them.
    """
    parts: dict[str, str] = {}
    for name in free:
        part = CALENDAR.get(said(name, tuple(CALENDAR)) or "")
        if part is not None and is_number(table[name]):
            parts.setdefault(part, name)
    year, below = parts.get("year"), next((p for p in ("month", "quarter", "week", "dayofyear") if p in parts), None)
    if year is None or below is None or _all_differ(numbers(table[year])):
        return
    cell = {part: f"frame[{name!r}]" for part, name in parts.items()}
    if below == "week":
        text = f"{cell['year']}.astype(str) + {cell['week']}.astype(str).str.zfill(2) + '1', format='%G%V%u'"
    elif below == "dayofyear":
        text = f"{cell['year']} * 1000 + {cell['dayofyear']}, format='%Y%j'"
    else:
        month = cell["month"] if below == "month" else f"3 * {cell['quarter']} - 2"
        finer = ", ".join(f"{part}={cell[part]}" for part in ("hour", "minute") if part in cell)
        text = f"dict(year={cell['year']}, month={month}, day={cell.get('day', 1)}{', ' if finer else ''}{finer})"
    used = [parts[part] for part in ("year", below, "day", "hour", "minute") if part in parts]
    raise DataError(
        f"The time stands in several columns ({', '.join(used)}). Make one of them: frame['ds'] = "
        f"pd.to_datetime({text}); then time='ds'."
    )


def _clock_of(series: ColumnView, name: str) -> str | None:
    """Return how a column of times of day becomes a distance from midnight, None for another column."""
    if is_number(series):
        hours = numbers(series)
        fits = CALENDAR.get(said(name, tuple(CALENDAR)) or "") == "hour" and len(np.unique(hours)) > 2
        return f"frame.pop({name!r}), unit='h'" if fits and (hours >= 0).all() and (hours <= 24).all() else None
    column = strings(series)
    if not column.head(_FIRST).dropna().astype(str).str.match(_CLOCK).all():  # of many rows these say it mostly
        return None
    each = pd.Series(column.dropna().unique())
    text = each.astype(str)
    if each.empty or not text.str.match(_CLOCK).all() or text.nunique() < 3:
        return None
    as_text = "" if isinstance(each.iloc[0], str) else ".astype(str)"
    return f"frame.pop({name!r}){as_text}" + (" + ':00'" if text.str.count(":").max() == 1 else "")


def _all_differ(values: Array) -> bool:
    return len(np.unique(values)) == len(values)
