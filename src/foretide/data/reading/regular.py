"""From sorted rows to rows on a regular grid: duplicates, resampling, frequency, gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.reading.problems import Place, Problem, located, where
from foretide.data.time.frequency import fixed_step, is_daily_or_longer
from foretide.data.time.grid import Grid
from foretide.data.time.resampling import resample, suggestion
from foretide.data.time.stamps import DAY, HOUR, as_ns
from foretide.data.time.steps import find_freq, place_on_grid
from foretide.data.time.zones import from_wall, to_wall, zone_put_back, zone_put_forward
from foretide.text import phrase
from foretide.typing import Bools, Ints

if TYPE_CHECKING:
    from foretide.data.reading.survey import Survey

    Placed = tuple[Grid, Ints, Bools]

MOST_FILLED = 20  # rows after filling gaps, as a multiple of the rows before


def regularise(survey: Survey) -> None:
    """Drop duplicates (an error), resample, find the frequency, place rows on the grid, fill gaps.

    Parameters
    ----------
    survey : Survey
        Changed in place.
    """
    freq, resampled, integer = survey.options.freq, survey.options.resample, survey.place.integer
    again = np.concatenate([[False], (np.diff(survey.place.times) == 0) & (np.diff(survey.place.codes) == 0)])
    if again.any() and (resampled is None or integer):  # resampling brings such rows together
        what = "time occurs more than once|times occur more than once"
        survey.problems += located("duplicate", again, survey.place, what, _one_row_per_time(survey, again))
        survey.place, survey.values = survey.place.take(~again), survey.values[~again]
    unfit = unfit_freq(freq, integer=integer)
    if unfit:
        survey.problems += unfit
        freq = None
    if resampled is not None and integer:
        text = "Time is given in integers; resample needs dates."
        survey.problems.append(Problem("frequency", text, "Leave resample out."))
    try:
        if resampled is not None and not integer and not resample(survey, resampled):
            return
        placed = grid_of(survey.place, freq, resampled=resampled is not None)
        if placed is None:
            problem = no_frequency(survey.place)
            survey.problems += [problem] * (problem.kind != "frequency" or not survey.lost)
        else:
            _use_grid(survey, *placed)
    except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta, OverflowError):
        text = "Some times lie so near the years 1678 and 2261 that steps of this length reach beyond them."
        survey.problems.append(Problem("frequency", text, "Leave these rows out, or count time in whole numbers."))


def unfit_freq(freq: str | int | None, *, integer: bool) -> list[Problem]:
    """Return whether a frequency was named that does not fit the kind of times.

    Parameters
    ----------
    freq : str, int or None
    integer : bool
        Whether times are counted in integers.

    Returns
    -------
    list of Problem
    """
    if freq is None or isinstance(freq, int) == integer:
        return []
    text = f"Time is given in {'integers' if integer else 'dates'}, freq={freq!r} does not fit."
    return [Problem("frequency", text, "Type: freq=1" if integer else "Type: freq='h' (or 'D', 'MS' ...)")]


def _one_row_per_time(survey: Survey, again: Bools) -> str:
    """Return what to type where times occur more than once: a zone where a clock was put back, else the two ways."""
    place, roles = survey.place, survey.named or survey.roles
    zone = None if place.integer or place.tz is not None else zone_put_back(place.times[again])
    if zone is not None:
        return f"The clock was put back then; type: tz={zone!r} (or another zone that does so)."
    names = [*([] if roles.id is None else roles.id.split("/")), roles.time]
    fix = f"Keep one row per time: frame.drop_duplicates({names!r}), or add them up: "
    if place.integer:
        return f"{fix}frame.groupby({names!r}, as_index=False).sum()."
    own = find_freq(place.times[~again], place.codes[~again], False) if survey.options.freq is None else None
    return f"{fix}resample={str(survey.options.freq or own or 'D')!r}, aggregate='sum'."


def grid_of(place: Place, freq: str | int | None, *, resampled: bool) -> Placed | None:
    """Return the grid that most rows lie on, their steps, and which do not lie on it; None without a frequency.

    With a zone, days and longer steps are tried on the clock on the wall first, and so are parts of a day above an hour
    that are counted from midnight there; shorter steps in UTC only, where they are regular through a clock change.

    Parameters
    ----------
    place : Place
        Sorted by entity and time.
    freq : str, int or None
        Found for None.
    resampled : bool

    Returns
    -------
    grid, steps, off, or None
        As of :func:`on_clock`.
    """
    codes = place.codes
    if place.integer or place.tz in (None, "UTC"):
        freq = find_freq(place.times, codes, place.integer) if freq is None else freq
        return None if freq is None else on_clock(place, place.times, freq, None)
    tries: list[tuple[bool, Placed]] = []
    wall = to_wall(place.times, str(place.tz))
    for times, tz in ((wall, place.tz), (place.times, None)):
        own = find_freq(times, codes, False) if freq is None else freq
        if own is None or (tz is not None and not _may_count_on_the_wall(own, resampled)):
            continue
        length = None if isinstance(own, int) else fixed_step(own)
        phased = tz is not None and length is not None and 2 * int((wall % min(length, DAY) == 0).sum()) <= len(wall)
        tries.append((phased and not is_daily_or_longer(own), on_clock(place, times, own, tz)))
    best = min(tries, key=lambda tried: (int(tried[1][2].sum()), tried[0]), default=None)
    return None if best is None else best[1]


def _may_count_on_the_wall(freq: str | int, resampled: bool) -> bool:
    """Whether steps may be meant on the clock on the wall; parts of a day that pandas made are equal in UTC."""
    step = None if isinstance(freq, int) else fixed_step(freq)
    if step is None or step % DAY == 0:
        return is_daily_or_longer(freq)
    return not resampled and step > HOUR and DAY % step == 0


def on_clock(place: Place, times: Ints, freq: str | int, tz: str | None) -> Placed:
    """Place rows on the grid of one clock; on the wall, a label that the clock skips is the first time after it.

    Parameters
    ----------
    place : Place
    times : int array ``[R]``
        As that clock shows them.
    freq : str or int
    tz : str or None
        Zone of a clock on the wall; None for UTC, or where there is no zone.

    Returns
    -------
    grid : Grid
    steps : int array ``[R]``
    off : bool array ``[R]``
        Rows that do not lie on the grid.
    """
    start, freq, steps, off = place_on_grid(times, freq)
    grid = Grid(start, freq, None if place.integer else place.tz, wall=tz is not None)
    if tz is not None and off.any():
        rows = np.flatnonzero(off)
        off[rows] = from_wall(as_ns(grid.times(steps[rows])), tz) != place.times[rows]
    return grid, steps, off


def no_frequency(place: Place) -> Problem:
    """Return what is wrong with times that have no plain frequency.

    Parameters
    ----------
    place : Place

    Returns
    -------
    Problem
    """
    gaps = np.diff(place.times)
    same = np.diff(place.codes) == 0
    if not same.any():
        fix = "Type it: freq='h' (or 'D', 'MS' ...)."
        return Problem("frequency", "No series has two times, so the frequency cannot be found.", fix)
    sizes, counts = np.unique(gaps[same], return_counts=True)
    step = int(sizes[np.argmax(counts)])
    row = int(np.flatnonzero(same & (gaps != step))[0]) + 1
    common = str(step) if place.integer else str(pd.Timedelta(step))
    name, time = place.ids[place.codes[row]], place.time(row)
    fix = "Name the step: freq=1, with fill_gaps=True."
    if not place.integer:
        fix = f"Average onto regular steps: resample={suggestion(place.times, place.codes)!r}, or name the frequency: "
        fix += "freq='h' (or 'D', 'MS' ...). Where steps stay empty add fill_gaps=True."
    text = (
        f"{where(name, None)}{'the' if name else 'The'} steps have no regular length; {common} is the most frequent, "
    )
    text += f"and not the step to {time}."
    return Problem("irregular", text, fix, name or None, None, time, int((gaps[same] != step).sum()))


def _use_grid(survey: Survey, grid: Grid, steps: Ints, off: Bools) -> None:
    """Take a grid: report rows off it; gaps are reported or filled."""
    place, freq = survey.place, grid.freq
    survey.grid, survey.steps = grid, steps
    fix = "Name another frequency: freq=..."
    if not isinstance(freq, int):
        step = fixed_step(freq)
        # Months that begin on no common day have a most frequent distance, which is no step.
        vague = survey.options.freq is None and step is not None and step > 8 * DAY
        longer = suggestion(place.times, place.codes) if vague else freq
        fix = f"Average onto regular steps: resample={longer!r}, or name another frequency: freq=..."
        own = (
            find_freq(place.times, place.codes, False) if survey.options.freq and not survey.options.resample else None
        )
        fix = fix if own in (None, freq) else f"They lie on steps of {own}: freq={own!r}, or leave freq out."
        fix = next((p.fix for p in survey.problems if p.kind == "zone"), fix)
    survey.problems += off_grid(off, place, freq, fix)
    jump = np.where(np.diff(place.codes) == 0, np.diff(steps), 1)
    gaps = np.flatnonzero(jump > 1)
    if not gaps.size or off.any():  # with rows off the grid, what is missing cannot be told
        return
    extra, n = int((jump[gaps] - 1).sum()), len(steps)
    if not survey.options.fill_gaps:
        if extra <= survey.lost:  # the rows that cannot be placed are what is missing
            return
        absent = Place(place.ids, place.codes[gaps], _times(grid, steps[gaps] + 1), place.integer, place.tz)
        what = f"step of {freq} is missing|steps of {freq} are missing"
        every = np.arange(len(gaps))
        survey.problems += located("gap", every, absent, what, fill_or_zone(absent), weights=jump[gaps] - 1)
    elif extra > MOST_FILLED * n + 10_000:
        fix = f"Filling would turn {n} rows into {n + extra}: a time may be wrong, or freq={freq!r} too short."
        survey.problems += located("gap", gaps[[int(np.argmax(jump[gaps]))]], place, "long gap|long gaps", fix)
    else:
        text = f"{phrase('missing step was|missing steps were', extra)} filled in."
        survey.problems.append(Problem("gap", text, count=extra, severity="note"))
        _fill(survey, jump, extra)


def off_grid(off: Bools, place: Place, freq: str | int, fix: str = "Name another frequency: freq=...") -> list[Problem]:
    """Return where times do not lie on the steps of a frequency.

    Parameters
    ----------
    off : bool array ``[R]``
    place : Place
        Of all rows.
    freq : str or int
    fix : str

    Returns
    -------
    list of Problem
    """
    return located(
        "irregular", off, place, f"time does not lie on steps of {freq}|times do not lie on steps of {freq}", fix
    )


def fill_or_zone(absent: Place) -> str:
    """Return what to type where steps are missing: a zone where a clock was put forward, or to fill them.

    Parameters
    ----------
    absent : Place
        Of the missing steps.

    Returns
    -------
    str
    """
    zone = None if absent.integer or absent.tz is not None else zone_put_forward(absent.times)
    if zone is not None:
        return f"The clock was put forward then; type: tz={zone!r} (or another zone that does so)."
    return "Fill them with rows of missing values: fill_gaps=True."


def _fill(survey: Survey, jump: Ints, extra: int) -> None:
    """Insert rows of NaN where steps are missing."""
    place, n = survey.place, len(survey.steps)
    at = np.concatenate([[0], np.cumsum(jump)])
    source = np.repeat(np.arange(n), np.concatenate([jump, [1]]))
    values = np.full((n + extra, survey.values.shape[1]), np.nan, dtype=survey.values.dtype)
    values[at] = survey.values
    survey.values = values
    survey.inserted = np.ones(n + extra, dtype=bool)
    survey.inserted[at] = False
    survey.steps = survey.steps[source] + np.arange(n + extra) - at[source]
    times = _times(survey.require_grid(), survey.steps)
    survey.place = Place(place.ids, place.codes[source], times, place.integer, place.tz)


def _times(grid: Grid, steps: Ints) -> Ints:
    """Return the times of grid steps as places count them: integers, or nanoseconds, in UTC where there is a zone."""
    times = grid.output_times(steps)
    return np.asarray(times, dtype=np.int64) if grid.is_integer else as_ns(times)
