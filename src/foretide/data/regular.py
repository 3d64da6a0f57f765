"""From sorted rows to rows on a regular grid: duplicates, resampling, frequency, gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.categories import most_frequent
from foretide.data.frequency import find_freq, floor_times, is_daily_or_longer, place_on_grid
from foretide.data.grid import Grid
from foretide.data.problems import Place, Problem, located, phrase, where
from foretide.data.times import to_wall

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.survey import Survey

_MOST_FILLED = 20  # rows after filling gaps, as a multiple of the rows before


def regularise(found: Survey) -> None:
    """Drop duplicates (an error), resample, find the frequency, place rows on the grid, fill gaps."""
    options = found.options
    again = np.concatenate([[False], (np.diff(found.place.times) == 0) & (np.diff(found.place.codes) == 0)])
    found.problems += located(
        "duplicate",
        again,
        found.place,
        "time occurs more than once|times occur more than once",
        "Keep one row per time: frame.drop_duplicates([id, time]), or add them up: frame.groupby([id, time]).sum().",
    )
    if again.any():
        _keep(found, ~again)
    freq = options.freq
    place = found.place
    if freq is not None and isinstance(freq, int) != place.integer:
        kind = "integers" if place.integer else "dates"
        fix = "Type: freq=1" if place.integer else "Type: freq='h' (or 'D', 'MS' ...)"
        found.problems.append(Problem("frequency", f"Time is given in {kind}, freq={freq!r} does not fit.", fix))
        freq = None
    if options.resample is not None and place.integer:
        found.problems.append(
            Problem("frequency", "Time is given in integers; resample needs dates.", "Leave resample out.")
        )
    elif options.resample is not None:
        _to_wall_clock(found, options.resample)
        _resample(found, options.resample)
    place = found.place
    if freq is None:
        freq = find_freq(place.times, place.codes, place.integer)
        if freq is None and place.tz not in (None, "UTC"):
            wall = to_wall(place.times, str(place.tz))
            freq = find_freq(wall, place.codes, False)
    if freq is None:
        found.problems.append(_no_frequency(found.place))
        return
    _to_wall_clock(found, freq)
    _place_on_grid(found, freq)


def _to_wall_clock(found: Survey, freq: str | int) -> None:
    """Take days and longer steps by the wall clock: with a clock change they are no equal stretches of UTC."""
    place = found.place
    if place.tz in (None, "UTC") or not is_daily_or_longer(freq):
        return
    found.problems.append(
        Problem(
            "zone",
            f"Steps of {freq} in {place.tz} are not all equally long, so times are dates on the wall clock there.",
            "Give cutoffs without a zone.",
            severity="note",
        )
    )
    found.place = Place(place.ids, place.codes, to_wall(place.times, str(place.tz)), False, None)


def _no_frequency(place: Place) -> Problem:
    gaps = np.diff(place.times)
    same = np.diff(place.codes) == 0
    if not same.any():
        fix = "Type it: freq='h' (or 'D', 'MS' ...)."
        return Problem("frequency", "No series has two times, so the frequency cannot be found.", fix)
    sizes, counts = np.unique(gaps[same], return_counts=True)
    step = int(sizes[np.argmax(counts)])
    row = int(np.flatnonzero(same & (gaps != step))[0]) + 1
    common = str(step) if place.integer else str(pd.Timedelta(step))
    name = place.ids[place.codes[row]]
    return Problem(
        "irregular",
        f"{where(name, None)}{'the' if name else 'The'} steps have no regular length; {common} is the most frequent, "
        f"and not the step to {place.time(row)}.",
        "Average onto regular steps: resample='1h', or name the frequency: freq='h' (or 'D', 'MS' ...).",
        entity=name or None,
        time=place.time(row),
        count=int((gaps[same] != step).sum()),
    )


def _place_on_grid(found: Survey, freq: str | int) -> None:
    place = found.place
    start, freq, steps, off = place_on_grid(place.times, freq)
    found.grid = Grid(start, freq, None if place.integer else place.tz)
    fix = "Name another frequency: freq=..."
    if not place.integer:
        fix = f"Average onto regular steps: resample={freq!r}, or name another frequency: freq=..."
    off_grid = f"time does not lie on steps of {freq}|times do not lie on steps of {freq}"
    found.problems += located("irregular", off, place, off_grid, fix)
    found.steps = steps
    jump = np.where(np.diff(place.codes) == 0, np.diff(steps), 1)
    gaps = np.flatnonzero(jump > 1)
    if not gaps.size:
        return
    if not found.options.fill_gaps:
        absent = Place(place.ids, place.codes[gaps], _times(found.grid, steps[gaps] + 1), place.integer, place.tz)
        found.problems += located(
            "gap",
            np.arange(len(gaps)),
            absent,
            f"step of {freq} is missing|steps of {freq} are missing",
            "Fill them with rows of missing values: fill_gaps=True.",
            weights=jump[gaps] - 1,
        )
        return
    extra, n = int((jump[gaps] - 1).sum()), len(steps)
    if extra > _MOST_FILLED * n + 10_000:
        found.problems += located(
            "gap",
            gaps[[int(np.argmax(jump[gaps]))]],
            place,
            "long gap|long gaps",
            f"Filling would turn {n} rows into {n + extra}: a time may be wrong, or freq={freq!r} too short.",
        )
        return
    text = f"{phrase('missing step was|missing steps were', extra)} filled in."
    found.problems.append(Problem("gap", text, count=extra, severity="note"))
    _fill(found, jump, extra)


def _fill(found: Survey, jump: NDArray[np.int64], extra: int) -> None:
    """Insert rows of NaN where steps are missing."""
    place, n = found.place, len(found.steps)
    at = np.concatenate([[0], np.cumsum(jump)])
    source = np.repeat(np.arange(n), np.concatenate([jump, [1]]))
    values = np.full((n + extra, found.values.shape[1]), np.nan, dtype=found.values.dtype)
    values[at] = found.values
    found.values = values
    found.inserted = np.ones(n + extra, dtype=bool)
    found.inserted[at] = False
    found.steps = found.steps[source] + np.arange(n + extra) - at[source]
    times = _times(found.require_grid(), found.steps)
    found.place = Place(place.ids, place.codes[source], times, place.integer, place.tz)


def _times(grid: Grid, steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the times of grid steps as integers or nanoseconds."""
    times = np.asarray(grid.times(steps).to_numpy())
    return times.astype(np.int64) if grid.is_integer else times.astype("datetime64[ns]").view(np.int64)


def _resample(found: Survey, freq: str) -> None:
    """Average the rows of each entity that fall into one step, leaving missing cells out; text: the most frequent."""
    place = found.place
    floored = floor_times(place.times, freq)
    first = np.concatenate([[True], (np.diff(floored) != 0) | (np.diff(place.codes) != 0)])
    if first.all():
        found.place = Place(place.ids, place.codes, floored, False, place.tz)
        return
    starts = np.flatnonzero(first)
    values = np.empty((len(starts), found.values.shape[1]), dtype=found.values.dtype)
    for k in range(values.shape[1]):
        cells = found.values[:, k]
        if found.roles.numeric[k] in found.categories:
            values[:, k] = most_frequent(cells, starts)
            continue
        known = ~np.isnan(cells)
        counts = np.add.reduceat(known.astype(np.int64), starts)
        with np.errstate(invalid="ignore"):  # infinities of both signs; they were reported before
            sums = np.add.reduceat(np.where(known, cells, 0).astype(np.float64), starts)
        values[:, k] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    found.values = values
    found.place = Place(place.ids, place.codes[starts], floored[starts], False, place.tz)


def _keep(found: Survey, rows: NDArray[np.bool_]) -> None:
    found.place = found.place.take(rows)
    found.values = found.values[rows]
