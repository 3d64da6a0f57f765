"""Frequencies: read from an alias, measured, and as dates."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

import numpy as np
import pandas as pd

from foretide.data.time.stamps import DAY, HOUR
from foretide.errors import ConfigError, nearest

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
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_SHIFTED = re.compile(r"(.+)\+(\d+)D")
_LAST_WEEK = re.compile(rf"(\d*)LWOM-({'|'.join(WEEKDAYS)})")
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

    Parameters
    ----------
    freq : str or pandas offset

    Returns
    -------
    pandas offset
    """
    to_offset = pd.tseries.frequencies.to_offset
    if not isinstance(freq, str):
        return to_offset(freq)
    alias, _ = parts_of(freq)
    last = _LAST_WEEK.fullmatch(alias)
    if last:
        weekday = WEEKDAYS.index(last[2])
        return pd.offsets.LastWeekOfMonth(n=int(last[1] or 1), weekday=weekday)  # type: ignore[arg-type]
    return to_offset(alias)


def parts_of(freq: str) -> tuple[str, int]:
    """Return the alias of a frequency without its shift, and the shift in days.

    Parameters
    ----------
    freq : str

    Returns
    -------
    str, int

    Examples
    --------
    >>> from foretide.data.time.frequency import parts_of
    >>> parts_of("MS+14D")
    ('MS', 14)
    """
    shifted = _SHIFTED.fullmatch(freq)
    return (shifted[1], int(shifted[2])) if shifted else (freq, 0)


def shift_of(freq: str | int) -> int:
    """Return how long after its offset every step of a frequency lies, in nanoseconds.

    Parameters
    ----------
    freq : str or int

    Returns
    -------
    int

    Examples
    --------
    >>> from foretide.data.time.frequency import shift_of
    >>> shift_of("MS+14D") / 86_400_000_000_000
    14.0
    """
    return parts_of(freq)[1] * DAY if isinstance(freq, str) else 0


def code_of(freq: str) -> str:
    """Return the code of a frequency without number, anchor and shift.

    Parameters
    ----------
    freq : str

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.data.time.frequency import code_of
    >>> print(code_of("2QS-FEB"))
    QS
    """
    return str(offset_of(freq).rule_code).partition("-")[0]


def ends_steps(freq: str) -> bool:
    """Whether a step is named by its last day, as pandas does with weeks, and with ends of months and years.

    Parameters
    ----------
    freq : str

    Returns
    -------
    bool
    """
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
    days = parts_of(alias)[1] if isinstance(alias, str) else 0
    if days > 27 or (days and code_of(str(offset.freqstr)) not in ("MS", "QS", "YS")):
        raise ConfigError(f"{name}={freq!r}: up to 27 days can follow MS, QS and YS, as in 'MS+14D' for the 15th.")
    if isinstance(offset, pd.offsets.Tick):
        return alias_of(int(pd.Timedelta(offset).value))
    return f"{offset.freqstr}+{days}D" if days else str(offset.freqstr)


def alias_of(step: int) -> str:
    """Return the alias of a step: the largest unit that divides it.

    Parameters
    ----------
    step : int
        Nanoseconds.

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.data.time.frequency import alias_of
    >>> print(alias_of(5400 * 10**9))
    90min
    """
    for unit, size in _UNITS:
        if step % size == 0:
            return unit if step == size else f"{step // size}{unit}"
    return f"{step}ns"


def fixed_step(freq: str) -> int | None:
    """Return the length of a step in nanoseconds.

    Parameters
    ----------
    freq : str

    Returns
    -------
    int or None
        None where steps differ in length (months, business days).

    Examples
    --------
    >>> from foretide.data.time.frequency import fixed_step
    >>> fixed_step("min"), fixed_step("MS")
    (60000000000, None)
    """
    offset = offset_of(freq)
    if type(offset) is pd.offsets.Day:  # a tick in pandas 2, none in pandas 3
        return int(offset.n) * DAY
    if isinstance(offset, pd.offsets.Tick):
        return int(pd.Timedelta(offset).value)
    return 7 * DAY * int(offset.n) if type(offset) is pd.offsets.Week else None


def is_daily_or_longer(freq: str | int) -> bool:
    """Whether a step is made of whole days.

    Parameters
    ----------
    freq : str or int

    Returns
    -------
    bool
    """
    if isinstance(freq, int):
        return False
    step = fixed_step(freq)
    return step is None or step % DAY == 0


def range_of(freq: str, low: int, high: int) -> pd.DatetimeIndex:
    """Return the dates of a frequency from the last one at or before ``low`` up to ``high``.

    Parameters
    ----------
    freq : str
    low, high : int
        Nanoseconds.

    Returns
    -------
    DatetimeIndex
    """
    offset, shift = offset_of(freq), shift_of(freq)
    first, last = (pd.Timestamp((time - shift) // 1000 * 1000) for time in (low, high))
    # In microseconds, because the step after the last is made too and may lie beyond nanoseconds.
    dates = pd.date_range(offset.rollback(first), last, freq=offset, unit="us")
    return pd.DatetimeIndex(dates + pd.Timedelta(shift))
