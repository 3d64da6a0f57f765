"""The frequency of times: found, read from an alias, and applied as a regular grid."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

import numpy as np
import pandas as pd

from foretide.data.time.stamps import DAY, HOUR, as_index, as_ns
from foretide.errors import ConfigError, nearest
from foretide.typing import Bools, Ints

_OLD = {
    "H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns", "M": "ME", "Q": "QE", "Y": "YE", "A": "YE",
    "AS": "YS", "BM": "BME", "BQ": "BQE", "BY": "BYE", "BA": "BYE", "BAS": "BYS", "SM": "SME", "C": "B",
}  # fmt: skip
"""Codes of earlier versions of pandas, and plain custom business days."""
_CODED = re.compile(r"(\d*)([A-Z]+)(.*)")
_COMMON = ("s", "min", "5min", "15min", "30min", "h", "D", "B", "W", "MS", "ME", "QS", "QE", "YS", "YE")
_UNITS = (("D", DAY), ("h", HOUR), ("min", DAY // 1440), ("s", 10**9), ("ms", 10**6), ("us", 10**3))
_WEEK = np.arange("2024-01-01", "2024-01-08", dtype="datetime64[D]")
"""From Monday to Sunday."""
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_SHIFTED = re.compile(r"(.+)\+(\d+)D")
_LAST_WEEK = re.compile(rf"(\d*)LWOM-({'|'.join(_WEEKDAYS)})")
PER_YEAR = {
    "W": 52, "SMS": 24, "SME": 24, "MS": 12, "ME": 12, "BMS": 12, "BME": 12, "WOM": 12, "LWOM": 12, "QS": 4, "QE": 4,
    "BQS": 4, "BQE": 4, "REQ": 4, "YS": 1, "YE": 1, "BYS": 1, "BYE": 1, "RE": 1,
}  # fmt: skip
"""Code of a frequency of whole weeks, months or years -> steps a year."""
_ENDS = ("W", "ME", "QE", "YE", "BME", "BQE", "BYE")


@lru_cache(maxsize=256)
def offset_of(freq: str | pd.offsets.BaseOffset) -> pd.offsets.BaseOffset:
    """Return the pandas offset of a frequency, without its shift.

    Besides the aliases of pandas there are ``LWOM-FRI`` (the last Friday of the month) and a shift in days behind
    months, quarters and years: ``MS+14D`` is the 15th of every month, ``YS-APR+5D`` the 6th of April.
    """
    to_offset = pd.tseries.frequencies.to_offset
    if not isinstance(freq, str):
        return to_offset(freq)
    alias, _ = _parts(freq)
    last = _LAST_WEEK.fullmatch(alias)
    if last:
        weekday = _WEEKDAYS.index(last[2])
        return pd.offsets.LastWeekOfMonth(n=int(last[1] or 1), weekday=weekday)  # type: ignore[arg-type]
    return to_offset(alias)


def _parts(freq: str) -> tuple[str, int]:
    """``"MS+14D"`` -> ``("MS", 14)``."""
    shifted = _SHIFTED.fullmatch(freq)
    return (shifted[1], int(shifted[2])) if shifted else (freq, 0)


def shift_of(freq: str | int) -> int:
    """Return how long after its offset every step of a frequency lies, in nanoseconds: ``MS+14D`` 14 days."""
    return _parts(freq)[1] * DAY if isinstance(freq, str) else 0


def code_of(freq: str) -> str:
    """Return the code of a frequency without number, anchor and shift: ``2QS-FEB`` -> ``QS``."""
    return str(offset_of(freq).rule_code).partition("-")[0]


def ends_steps(freq: str) -> bool:
    """Whether a step is named by its last day, as pandas does with weeks, and with ends of months and years."""
    return code_of(freq) in _ENDS


def read_freq(freq: str | int | pd.offsets.BaseOffset, name: str = "freq") -> str | int:
    """Return a frequency in its canonical spelling; a ConfigError names the nearest one otherwise.

    Parameters
    ----------
    freq : str, int or pandas offset
    name : str
        Of the option, for messages.

    Returns
    -------
    str or int

    Examples
    --------
    >>> from foretide.data.time.frequency import read_freq
    >>> read_freq("H"), read_freq("60min"), read_freq("Q")
    ('h', 'h', 'QE-DEC')
    """
    if isinstance(freq, (int, np.integer)) and not isinstance(freq, bool):
        if freq < 1:
            raise ConfigError(f"{name} counts integer time and is at least 1; got {freq}.")
        return int(freq)
    alias = freq
    coded = _CODED.fullmatch(freq) if isinstance(freq, str) else None
    if coded:
        alias = coded[1] + _OLD.get(coded[2], coded[2]) + coded[3]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what pandas is about to give up is no frequency here
            offset = offset_of(alias)
            known = offset_of(str(offset.freqstr)) == offset
            known = known and (fixed_step(str(offset.freqstr)) or 0) < 100_000 * DAY
    except (ValueError, TypeError, AttributeError, OverflowError, Warning):
        offset, known = None, False
    if isinstance(offset, pd.offsets.BusinessHour):
        raise ConfigError(
            f"{name}={freq!r}: type {name}='h' and fill_gaps=True: closed hours become rows without a value."
        )
    if isinstance(offset, pd.offsets.BusinessDay) and not known:
        worked = getattr(offset, "calendar", None)
        weekend = worked is not None and bool(np.is_busday(_WEEK, busdaycal=worked)[5:].any())
        plain = "D" if weekend else "B"
        raise ConfigError(
            f"{name}={freq!r}: holidays of its own cannot be kept in a frequency. Type {name}={plain!r} and "
            "fill_gaps=True: days off become rows without a value."
        )
    if offset is None or isinstance(freq, bool) or not known or offset.n < 1:
        raise ConfigError(
            f"{name}={freq!r} is not a frequency such as 'h', '30min', 'D' or 'MS'. {nearest(freq, _COMMON)}"
        )
    days = _parts(alias)[1] if isinstance(alias, str) else 0
    if days > 27 or (days and code_of(str(offset.freqstr)) not in ("MS", "QS", "YS")):
        raise ConfigError(f"{name}={freq!r}: up to 27 days can follow MS, QS and YS, as in 'MS+14D' for the 15th.")
    if isinstance(offset, pd.offsets.Tick):
        return alias_of(int(pd.Timedelta(offset).value))
    return f"{offset.freqstr}+{days}D" if days else str(offset.freqstr)


def alias_of(step: int) -> str:
    """Return the alias of a step of so many nanoseconds: the largest unit that divides it."""
    for unit, size in _UNITS:
        if step % size == 0:
            return unit if step == size else f"{step // size}{unit}"
    return f"{step}ns"


def fixed_step(freq: str) -> int | None:
    """Return the length of a step in nanoseconds, or None where steps differ in length (months, business days)."""
    offset = offset_of(freq)
    if type(offset) is pd.offsets.Day:  # a tick in pandas 2, none in pandas 3
        return int(offset.n) * DAY
    if isinstance(offset, pd.offsets.Tick):
        return int(pd.Timedelta(offset).value)
    return 7 * DAY * int(offset.n) if type(offset) is pd.offsets.Week else None


def is_daily_or_longer(freq: str | int) -> bool:
    """Whether a step is made of whole days."""
    if isinstance(freq, int):
        return False
    step = fixed_step(freq)
    return step is None or step % DAY == 0


# ------------------------------------------------------------------------------------ found
def find_freq(times: Ints, codes: Ints, integer: bool) -> str | int | None:
    """Return the frequency of sorted times without duplicates, or None where none is plain to see.

    The most frequent distance between neighbours of one entity is the step; it must be at least half of all
    distances, and is taken for half months, months, quarters, years or business days where the dates say so.

    Parameters
    ----------
    times : int array ``[R]``
        Nanoseconds, or integer times.
    codes : int array ``[R]``
        Entity of each row; rows are sorted by it, then by time.
    integer : bool

    Returns
    -------
    str, int or None

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.time.frequency import find_freq
    >>> find_freq(np.array([0, 3, 6, 9]), np.zeros(4, dtype=np.int64), integer=True)
    3
    """
    gaps = np.diff(times)[np.diff(codes) == 0]
    if not gaps.size:
        return None
    sizes, counts = np.unique(gaps, return_counts=True)
    step = int(sizes[np.argmax(counts)])
    if step <= 0:
        return None
    if integer:
        return step if 2 * counts.max() >= gaps.size else None
    if step >= 5 * DAY and (found := _by_calendar(times, codes, step, even=len(sizes) == 1)):
        return found
    if 2 * counts.max() < gaps.size:
        return None
    if step == DAY and _no_weekend(times):
        return "B"
    if step % (7 * DAY) == 0:
        return _weekly(times, step // (7 * DAY))
    return alias_of(step)


def _weekly(times: Ints, n: int) -> str:
    days = (times // DAY + 3) % 7  # 1970-01-01 was a Thursday
    weekday = _WEEKDAYS[int(np.bincount(days.astype(int)).argmax())]
    return f"{n if n > 1 else ''}W-{weekday}"


def _no_weekend(times: Ints) -> bool:
    days = times // DAY + 3
    return bool((days % 7 < 5).all() and (days // 7).max() > (days // 7).min())


def _by_calendar(times: Ints, codes: Ints, step: int, *, even: bool) -> str | None:
    """Return the frequency of half months up to years on which nine in ten dates lie, the best first.

    Even distances of whole weeks are weeks, unless the dates begin or end months.
    """
    days = times // DAY * DAY
    best, on_best, share = "", np.zeros(0, np.int64), 0.9
    for alias in _candidates(days, step, weeks=even and step % (7 * DAY) == 0):
        grid = as_ns(range_of(alias, int(days.min()), int(days.max())))
        at = np.searchsorted(grid, days, side="right") - 1
        on = (at >= 0) & (grid[at] == days)
        if on.mean() > share or (on.mean() == share and not best):
            best, on_best, share = alias, np.where(on, at, -1), float(on.mean())
    if not best:
        return None
    on = on_best >= 0
    gaps = np.diff(on_best[on])[np.diff(codes[on]) == 0]
    if not gaps.size:
        return None
    sizes, counts = np.unique(gaps, return_counts=True)
    n = int(sizes[np.argmax(counts)])
    if n < 1 or 2 * counts.max() < gaps.size:
        return None
    return _every(best, n, as_index(days[on]))


def _candidates(days: Ints, step: int, *, weeks: bool) -> list[str]:
    """Return frequencies that the dates may have, those most often meant first."""
    index = as_index(days)
    common = np.bincount(index.day)
    if step < 28 * DAY:
        halves = sorted(int(day) for day in np.argsort(-common, kind="stable")[:2] if 2 <= day <= 27)
        return [] if weeks else [f"{code}-{day}" for code in ("SMS", "SME") for day in halves]
    aliases = ["MS", "ME"]
    if weeks:
        return aliases
    day, weekday = int(common.argmax()), _WEEKDAYS[int(np.bincount(index.day_of_week).argmax())]
    week = int(np.bincount((np.asarray(index.day) - 1) // 7).argmax()) + 1
    aliases += ["BMS", "BME", *([f"MS+{day - 1}D"] if 2 <= day <= 28 else [])]
    return [*aliases, *([f"WOM-{week}{weekday}"] if week <= 4 else []), f"LWOM-{weekday}"]


def _every(alias: str, n: int, dates: pd.DatetimeIndex) -> str:
    """Return every ``n``-th step of a frequency of months, as quarters and years where it makes such."""
    code, days = _parts(alias)
    behind = f"+{days}D" if days else ""
    months = np.asarray(dates.year * 12 + dates.month - 1)
    if code[-2:] in ("MS", "ME") and n % 3 == 0:
        head, letter = code[:-2], code[-1]
        if n % 12 == 0:
            anchor = _MONTHS[int(np.bincount(months % 12).argmax())]
            return f"{n // 12 if n > 12 else ''}{head}Y{letter}-{anchor}{behind}"
        month = int(np.bincount(months % 3).argmax())
        return f"{n // 3 if n > 3 else ''}{head}Q{letter}-{_MONTHS[month if letter == 'S' else month + 9]}{behind}"
    return f"{n if n > 1 else ''}{code}{behind}"


# ---------------------------------------------------------------------------------- applied
def range_of(freq: str, low: int, high: int) -> pd.DatetimeIndex:
    """Return the dates of a frequency from the last one at or before ``low`` up to ``high``, both in nanoseconds."""
    offset, shift = offset_of(freq), shift_of(freq)
    first, last = (pd.Timestamp((time - shift) // 1000 * 1000) for time in (low, high))
    # In microseconds, because the step after the last is made too and may lie beyond nanoseconds.
    dates = pd.date_range(offset.rollback(first), last, freq=offset, unit="us")
    return pd.DatetimeIndex(dates + pd.Timedelta(shift))


def place_on_grid(times: Ints, freq: str | int) -> tuple[pd.Timestamp | int, str | int, Ints, Bools]:
    """Put times on a regular grid.

    Returns
    -------
    start : Timestamp or int
        Time of step 0.
    freq : str or int
        As given, a week anchored on the weekday that is there.
    steps : int array ``[R]``
        Last step at or before each time.
    off : bool array ``[R]``
        Which times are not on the grid.
    """
    step = freq if isinstance(freq, int) else fixed_step(freq)
    if step is not None:
        if isinstance(freq, str) and step % (7 * DAY) == 0 and "W" in freq:
            freq = _weekly(times, step // (7 * DAY))
        phase = times % step
        begin = int(times[phase == _commonest(phase)].min())
        moved = times - begin
        return (begin if isinstance(freq, int) else pd.Timestamp(begin)), freq, moved // step, moved % step != 0
    assert isinstance(freq, str)
    clock = _commonest(times % DAY)
    # Counted from midnight, so that one odd time of day at the beginning does not move all others off the grid.
    low, high = int(times.min()), int(times.max())
    grid = as_ns(range_of(freq, (low - clock) // DAY * DAY, high)) + clock
    steps = np.searchsorted(grid, times, side="right") - 1
    return pd.Timestamp(int(grid[0])), freq, steps.astype(np.int64), grid[steps] != times


def _commonest(values: Ints) -> int:
    found, counts = np.unique(values, return_counts=True)
    return int(found[np.argmax(counts)])
