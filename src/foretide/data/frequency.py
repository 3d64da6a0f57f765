"""The frequency of times: found, read from an alias, and applied as a regular grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.problems import show
from foretide.errors import ConfigError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY = 86_400_000_000_000
_OLD = {"H": "h", "T": "min", "S": "s", "M": "ME", "Q": "QE", "Y": "YE", "A": "YE", "L": "ms"}
_COMMON = ("s", "min", "5min", "15min", "30min", "h", "D", "B", "W", "MS", "ME", "QS", "QE", "YS", "YE")
_UNITS = (("D", DAY), ("h", DAY // 24), ("min", DAY // 1440), ("s", 10**9), ("ms", 10**6), ("us", 10**3))
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def offset_of(freq: Any) -> Any:
    """Return the pandas offset of a frequency."""
    to_offset: Any = pd.tseries.frequencies.to_offset
    return to_offset(freq)


def read_freq(freq: str | int | Any, name: str = "freq") -> str | int:
    """Return a frequency in its canonical spelling; a ConfigError names the nearest one otherwise."""
    if isinstance(freq, (int, np.integer)) and not isinstance(freq, bool):
        if freq < 1:
            raise ConfigError(f"{name} counts integer time and is at least 1; got {freq}.")
        return int(freq)
    alias = _OLD.get(freq, freq) if isinstance(freq, str) else freq
    try:
        offset = offset_of(alias)
    except (ValueError, TypeError):
        offset = None
    if offset is None or isinstance(freq, bool) or offset.n < 1:
        raise ConfigError(
            f"{name}={freq!r} is not a frequency such as 'h', '30min', 'D' or 'MS'. {nearest(freq, _COMMON)}"
        )
    if isinstance(offset, pd.offsets.Tick):
        return alias_of(int(pd.Timedelta(offset).value))
    return str(offset.freqstr)


def alias_of(step: int) -> str:
    """Return the alias of a step of so many nanoseconds: the largest unit that divides it."""
    for unit, size in _UNITS:
        if step % size == 0:
            return unit if step == size else f"{step // size}{unit}"
    return f"{step}ns"


def fixed_step(freq: str) -> int | None:
    """Return the length of a step in nanoseconds, or None where steps differ in length (months, business days)."""
    offset = offset_of(freq)
    if type(offset) is pd.offsets.Day:
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


def find_freq(times: NDArray[np.int64], codes: NDArray[np.int64], integer: bool) -> str | int | None:
    """Return the frequency of sorted times without duplicates, or None where none is plain to see.

    The most frequent distance between neighbours of one entity is the step; it must be at least half of all
    distances, and is taken for months, quarters, years or business days where the dates say so.
    """
    gaps = np.diff(times)[np.diff(codes) == 0]
    if not gaps.size:
        return None
    sizes, counts = np.unique(gaps, return_counts=True)
    step = int(sizes[np.argmax(counts)])
    if integer:
        return step if 2 * counts.max() >= gaps.size else None
    if step >= 28 * DAY and (found := _months(times, codes)):
        return found
    if 2 * counts.max() < gaps.size:
        return None
    if step == DAY and _no_weekend(times):
        return "B"
    if step % (7 * DAY) == 0:
        return _weekly(times, step // (7 * DAY))
    return alias_of(step)


def _weekly(times: NDArray[np.int64], n: int) -> str:
    days = (times // DAY + 3) % 7  # 1970-01-01 was a Thursday
    weekday = _WEEKDAYS[int(np.bincount(days.astype(int)).argmax())]
    return f"{n if n > 1 else ''}W-{weekday}"


def _no_weekend(times: NDArray[np.int64]) -> bool:
    days = times // DAY + 3
    return bool((days % 7 < 5).all() and (days // 7).max() > (days // 7).min())


def _months(times: NDArray[np.int64], codes: NDArray[np.int64]) -> str | None:
    """Return a frequency of months, quarters or years when nearly all dates begin or end a month."""
    index = pd.DatetimeIndex(times.view("datetime64[ns]"))
    starts, ends = np.asarray(index.day == 1), np.asarray(index.is_month_end)
    letter = "S" if starts.mean() >= 0.9 else "E" if ends.mean() >= 0.9 else None
    if letter is None:
        return None
    on = starts if letter == "S" else ends
    number = np.asarray(index.year * 12 + index.month - 1)[on]
    gaps = np.diff(number)[np.diff(codes[on]) == 0]
    if not gaps.size:
        return None
    sizes, counts = np.unique(gaps, return_counts=True)
    n = int(sizes[np.argmax(counts)])
    if n < 1 or 2 * counts.max() < gaps.size:
        return None
    month = int(np.bincount(number % 12).argmax())
    if n % 12 == 0:
        anchor = _MONTHS[month]
        return f"{n // 12 if n > 12 else ''}Y{letter}-{anchor}"
    if n % 3 == 0:
        anchor = _MONTHS[month % 3 if letter == "S" else month % 3 + 9]
        return f"{n // 3 if n > 3 else ''}Q{letter}-{anchor}"
    return f"{n if n > 1 else ''}M{letter}"


def place_on_grid(
    times: NDArray[np.int64], freq: str | int
) -> tuple[Any, str | int, NDArray[np.int64], NDArray[np.bool_]]:
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
        values, counts = np.unique(phase, return_counts=True)
        common = int(values[np.argmax(counts)])
        begin = int(times[phase == common].min())
        moved = times - begin
        return show(begin, isinstance(freq, int), None), freq, moved // step, moved % step != 0
    offset = offset_of(freq)
    first, last = pd.Timestamp(int(times.min())), pd.Timestamp(int(times.max()))
    start = offset.rollback(first)
    grid = _as_ns(pd.date_range(start, last, freq=offset))
    steps = np.searchsorted(grid, times, side="right") - 1
    return start, freq, steps.astype(np.int64), grid[steps] != times


def floor_times(times: NDArray[np.int64], freq: str) -> NDArray[np.int64]:
    """Return the start of the step that each time falls into."""
    step = fixed_step(freq)
    if step is not None and step % (7 * DAY):
        return times // step * step
    offset = offset_of(freq)
    first, last = pd.Timestamp(int(times.min())).normalize(), pd.Timestamp(int(times.max()))
    grid = _as_ns(pd.date_range(offset.rollback(first), last, freq=offset))
    return grid[np.searchsorted(grid, times, side="right") - 1]


def _as_ns(index: pd.DatetimeIndex) -> NDArray[np.int64]:
    return np.asarray(index.to_numpy().astype("datetime64[ns]")).view(np.int64)
