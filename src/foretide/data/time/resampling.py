"""Rows brought together into longer steps, labelled as pandas labels them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.reading.categories import most_frequent
from foretide.data.reading.problems import Place, Problem, located
from foretide.data.time.frequency import fixed_step, is_daily_or_longer, offset_of, shift_of
from foretide.data.time.grid import Grid
from foretide.data.time.stamps import DAY, as_index, as_ns
from foretide.data.time.steps import find_freq, place_on_grid
from foretide.data.time.zones import from_wall, to_wall
from foretide.errors import DataError, nearest
from foretide.typing import Ints

if TYPE_CHECKING:
    from foretide.data.reading.survey import Survey

    Labels = Callable[[Ints], Ints]

_STEPS = {
    "1s": 1 / 60, "10s": 1 / 6, "1min": 1, "5min": 5, "10min": 10, "15min": 15, "30min": 30, "1h": 60, "3h": 180,
    "6h": 360, "12h": 720, "D": 1440, "W": 7 * 1440, "MS": 31 * 1440, "QS": 92 * 1440,
}  # fmt: skip
"""Common steps, in minutes."""
MOST_STEPS = 20
"""Steps of the new length from the first to the last row, as a multiple of the rows; more are a mistake."""


def resample(survey: Survey, freq: str) -> bool:
    """Bring the rows of each entity that fall into one step together, column by column, leaving missing cells out.

    Parameters
    ----------
    survey : Survey
        Changed in place.
    freq : str

    Returns
    -------
    bool
        False where it cannot be done; why is among the problems.
    """
    place, options = survey.place, survey.options
    step = fixed_step(freq)
    span = int(place.times.max() - place.times.min())
    if step is not None and span // step > MOST_STEPS * len(place.times) + 10_000:
        text = f"resample={freq!r} makes {span // step + 1} steps of {len(place.times)} rows."
        fix = f"Type a longer step, such as resample={suggestion(place.times, place.codes)!r}."
        survey.problems.append(Problem("frequency", text, fix))
        return False
    aggregate = options.aggregate
    choices = aggregate if isinstance(aggregate, dict) else dict.fromkeys(survey.roles.numeric, aggregate or "mean")
    for name in choices:
        if name not in survey.roles.numeric:
            hint = nearest(name, survey.roles.numeric)
            survey.problems.append(
                Problem("column", f"aggregate names {name!r}, which is no column of the panel.", hint)
            )
    labels = _labels(place, freq)
    survey.problems += _incomplete(place, labels, freq)
    times = labels(place.times)
    groups = pd.DataFrame(survey.values, copy=False).groupby([place.codes, times], sort=True)
    values = np.empty((groups.ngroups, survey.values.shape[1]), dtype=survey.values.dtype)
    by_choice: dict[str, list[int]] = {}
    starts = np.flatnonzero(np.append(True, (np.diff(times) != 0) | (np.diff(place.codes) != 0)))
    for k, name in enumerate(survey.roles.numeric):
        if name in survey.categories:
            values[:, k] = most_frequent(survey.values[:, k], starts)
            continue
        by_choice.setdefault(choices.get(name, "mean"), []).append(k)
    for choice, columns in by_choice.items():
        part = groups[columns]
        table = part.sum(min_count=1) if choice == "sum" else part.agg(choice)
        values[:, columns] = table.to_numpy()
    keys = groups.size().index
    survey.values = values
    codes, stamps = (np.asarray(keys.get_level_values(level)).astype(np.int64) for level in (0, 1))
    survey.place = Place(place.ids, codes, stamps, False, place.tz)
    return True


def _labels(place: Place, freq: str) -> Labels:
    """Return a function from times to the labels of their steps, both as places count them.

    Whole days follow the clock on the wall of a zone; shorter steps are counted from its first midnight.
    """
    daily, tz, shift = is_daily_or_longer(freq), place.tz, shift_of(freq)

    def labels(times: Ints) -> Ints:
        clock = to_wall(times, tz) if tz is not None and daily else times
        unique, where = np.unique(clock, return_inverse=True)
        index = as_index(unique - shift)
        index = index.tz_localize("UTC").tz_convert(tz) if tz is not None and not daily else index
        sizes = pd.Series(1, index=index).resample(offset_of(freq)).size()
        names = pd.DatetimeIndex(sizes.index.repeat(sizes.to_numpy()))
        stamps = as_ns(names) + shift
        stamps = stamps[where.ravel()]
        return from_wall(stamps, tz) if tz is not None and daily else stamps

    return labels


def _incomplete(place: Place, labels: Labels, freq: str) -> list[Problem]:
    """Note the series that begin or end inside a step: one more row before or after would fall into it too."""
    clock = place.times if place.tz is None else to_wall(place.times, place.tz)
    own, tz = find_freq(clock, place.codes, False), place.tz
    if own is None or not is_daily_or_longer(own):
        clock, tz = place.times, None
        own = find_freq(clock, place.codes, False)
    if own is None or isinstance(own, int):
        return []
    start, own, steps, _ = place_on_grid(clock, own)
    grid, notes = Grid(start, own), []
    _, starts = np.unique(place.codes, return_index=True)
    ends = np.append(starts[1:], len(place.codes)) - 1
    for rows, side, step in ((starts, "first", -1), (ends, "last", 1)):
        try:
            beside = as_ns(grid.times(steps[rows] + step))
        except DataError:  # at the end of what nanoseconds can count
            continue
        beside = beside if tz is None else from_wall(beside, tz)
        both = labels(np.concatenate([place.times[rows], beside]))
        cut = rows[both[: len(rows)] == both[len(rows) :]]
        what = f"{side} step of {freq} is incomplete: the series {'begins' if step < 0 else 'ends'} inside it"
        fix = "Leave its rows out where a sum is meant to be whole."
        notes += located("resample", np.sort(cut), place, f"{what}|{what}", fix, severity="note")
    return notes


def suggestion(times: Ints, codes: Ints) -> str:
    """Return the shortest common step that is at least nearly as long as the middle distance between rows.

    Parameters
    ----------
    times, codes : int arrays ``[R]``
        Nanoseconds, and entity of each row.

    Returns
    -------
    str
    """
    gaps = np.diff(times)[np.diff(codes) == 0]
    middle = float(np.median(gaps)) if gaps.size else 0.0
    return next((alias for alias, size in _STEPS.items() if 1.05 * size * DAY / 1440 >= middle), "YS")
