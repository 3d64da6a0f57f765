"""The step of times: found by looking at them, and applied as a regular grid."""

from __future__ import annotations

import numpy as np
import pandas as pd

from foretide.data.time.frequency import WEEKDAYS, alias_of, fixed_step, parts_of, range_of
from foretide.data.time.stamps import DAY, as_index, as_ns
from foretide.typing import Bools, Ints

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


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
    >>> from foretide.data.time.steps import find_freq
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
    weekday = WEEKDAYS[int(np.bincount(days.astype(int)).argmax())]
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
    day, weekday = int(common.argmax()), WEEKDAYS[int(np.bincount(index.day_of_week).argmax())]
    week = int(np.bincount((np.asarray(index.day) - 1) // 7).argmax()) + 1
    aliases += ["BMS", "BME", *([f"MS+{day - 1}D"] if 2 <= day <= 28 else [])]
    return [*aliases, *([f"WOM-{week}{weekday}"] if week <= 4 else []), f"LWOM-{weekday}"]


def _every(alias: str, n: int, dates: pd.DatetimeIndex) -> str:
    """Return every ``n``-th step of a frequency of months, as quarters and years where it makes such."""
    code, days = parts_of(alias)
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


def place_on_grid(times: Ints, freq: str | int) -> tuple[pd.Timestamp | int, str | int, Ints, Bools]:
    """Put times on a regular grid.

    Parameters
    ----------
    times : int array ``[R]``
        Nanoseconds, or integer times.
    freq : str or int

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
