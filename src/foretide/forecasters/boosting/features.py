"""What boosted trees read of a window and a step ahead: lags, calendar, known and past columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from foretide.data.time.calendar import CYCLES, Calendar

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.typing import Bools, Floats, Ints, Singles

NEWEST = 8
"""Newest values that are read one by one."""
CYCLES_BACK = 4
"""Values at the same position of a season are read in so many earlier ones."""
DETAILED = 12
"""Of more known-future or past columns than this, flags are read at one step only."""
LEAST = 0.05
"""The unit of a window is at least this share of the mean size of its values."""
CELLS = 8_000_000
"""Windows are looked at so many cells at a time."""


class Rows(NamedTuple):
    """Rows of the table that trees read: a pair of window and step, for each target.

    Attributes
    ----------
    x : float32 array ``[P, D, C]``
        NaN where nothing is known.
    bases : float array ``[P, D, B]``
        What may be subtracted from the truth before trees learn it, in units of the window: nothing, and for each
        season the value at the same position of the last one.
    level, unit : float arrays ``[P, D]``
        What is taken off a window's values, and what they are then divided by.
    ahead : slice
        Columns that come from known-future ones.
    """

    x: Singles
    bases: Floats
    level: Floats
    unit: Floats
    ahead: slice


@dataclass(frozen=True, eq=False)
class Reading:
    """Which columns trees read, and how they are made.

    Attributes
    ----------
    h, lookback : int
        Steps forecast, and steps that are looked back at.
    seasons : tuple of int
        Shortest first.
    calendar : Calendar or None
    units : float array ``[D]``
        Unit of each target where a window says nothing.
    known, past : int arrays
        Known-future and past columns that are read around a step, too.
    reads_future : bool
        Whether known-future columns are read at all.
    """

    h: int
    lookback: int
    seasons: tuple[int, ...]
    calendar: Calendar | None
    units: Floats
    known: Ints
    past: Ints
    reads_future: bool = True

    def chunks(self, panel: Panel, windows: Windows) -> int:
        """Return how many windows are looked at at a time."""
        return max(1, CELLS // ((self.lookback + self.h) * len(panel.columns)))

    def rows(self, panel: Panel, windows: Windows, which: Ints, step: Ints) -> Rows:
        """Return the rows of some pairs of a window and a step.

        Parameters
        ----------
        panel : Panel
        windows : Windows
        which, step : int arrays ``[P]``
            Position of the window, and steps ahead, from 1 on.

        Returns
        -------
        Rows
        """
        d, n = panel.n_targets, self.lookback
        y = _gather(panel, windows, np.arange(1 - n, 1), slice(0, d))
        level, unit = self._level_and_unit(y)
        z = (y - level[..., None]) / unit[..., None]
        own, bases = self._of_step(z, which, step)
        own = [*(column[which] for column in self._of_window(y, z, level, unit)), *own]
        shared = [step.astype(np.float64)[:, None], self._calendar_of(panel, windows, which, step)]
        before = sum(part.shape[1] for part in shared)
        if panel.future and self.reads_future:
            shared.append(self._known_of(panel, windows, which, step))
        after = sum(part.shape[1] for part in shared)
        if panel.past:
            shared.append(self._past_of(panel, windows, which, step))
        if panel.static.names:
            shared.append(np.asarray(panel.static.values, dtype=np.float64)[windows.entity[which]])
        for_all = np.concatenate(shared, axis=1)
        if d > 1:
            own.append(np.broadcast_to(np.arange(d, dtype=np.float64), (len(which), d)))
        x = np.empty((len(which), d, len(own) + for_all.shape[1]), dtype=np.float32)
        with np.errstate(over="ignore"):
            x[..., : len(own)] = np.stack(own, axis=-1)
            x[..., len(own) :] = for_all[:, None]
        return Rows(x, bases, level[which], unit[which], slice(len(own) + before, len(own) + after))

    def _level_and_unit(self, y: Floats) -> tuple[Floats, Floats]:
        """Mean of the last season, and deviation from it in the whole window: ``[W, D, L]`` -> ``[W, D]`` each."""
        newest = _mean(y[..., -max(self.seasons, default=NEWEST // 2) :])
        level = np.where(np.isnan(newest), _mean(y), newest)
        size = _mean(np.abs(y))
        spread = np.fmax(np.sqrt(_mean((y - level[..., None]) ** 2)), LEAST * size)
        return level, np.where(spread > 0, spread, self.units)

    def _of_window(self, y: Floats, z: Floats, level: Floats, unit: Floats) -> list[Floats]:
        """Columns that are the same for all steps, each ``[W, D]``."""
        n, short = self.lookback, self.seasons[0] if self.seasons else 2
        newest = [z[..., n - 1 - k] for k in range(min(n, NEWEST))]
        spans = sorted({min(n, span) for span in (short, 2 * short, *self.seasons, n)})
        means = [_mean(z[..., n - span :]) for span in spans]
        around = zip(spans[:-1], means[:-1], strict=True)
        spreads = [np.sqrt(_mean((z[..., n - span :] - mean[..., None]) ** 2)) for span, mean in around]
        return [*newest, *means, *spreads, level / unit, _mean(np.where(np.isnan(y), np.nan, y == 0))]

    def _of_step(self, z: Floats, which: Ints, step: Ints) -> tuple[list[Floats], Floats]:
        """Values at the same position of earlier seasons and beside it, each ``[P, D]``; and the bases."""
        columns, bases = [], [np.zeros((len(which), z.shape[1]))]
        for season in self.seasons:
            at = step - season * -(-step // season)
            cycles = range(max(1, min(CYCLES_BACK, self.lookback // season)))
            same = [_picked(z, which, at - cycle * season) for cycle in cycles]
            after = np.where(at < 0, at + 1, at + 1 - season)
            columns += [*same, _mean(np.stack(same, axis=-1)), _picked(z, which, at - 1), _picked(z, which, after)]
            bases.append(np.nan_to_num(same[0]))
        return columns, np.stack(bases, axis=-1)

    def _calendar_of(self, panel: Panel, windows: Windows, which: Ints, step: Ints) -> Floats:
        if self.calendar is None:
            return np.zeros((len(step), 0))
        steps, where = np.unique(windows.steps(panel)[which] + step, return_inverse=True)
        return np.asarray(calendar_columns(self.calendar, panel, steps)[where.ravel()])

    def _known_of(self, panel: Panel, windows: Windows, which: Ints, step: Ints) -> Floats:
        """Known-future columns at the step; beside it, in means up to it, and against earlier seasons, ``[P, K]``."""
        n, h, low = self.lookback, self.h, panel.n_targets + len(panel.past)
        table = _gather(panel, windows, np.arange(1 - n, h + 1), slice(low, None))  # [W, F, L + h]
        at = n - 1 + step
        now, table = table[which, :, at], table[:, self.known]
        if not len(self.known):
            return now
        day = self.seasons[0] if self.seasons else 0
        moves = (-1, 1, -day, day) if len(self.seasons) > 1 else (-1, 1)
        parts = [now, *(_at(table, which, at + move) for move in moves)]
        parts += [now[:, self.known] - _at(table, which, at - s * -(-step // s)) for s in self.seasons]
        return np.concatenate([*parts, *_trailing(table, which, at, (3, day, 2 * day, 3 * day))], axis=1)

    def _past_of(self, panel: Panel, windows: Windows, which: Ints, step: Ints) -> Floats:
        """Past columns: newest value, mean of the last season, value at the same position of it, ``[P, K]``."""
        n, d, season = self.lookback, panel.n_targets, self.seasons[0] if self.seasons else NEWEST // 2
        table = _gather(panel, windows, np.arange(1 - n, 1), slice(d, d + len(panel.past)))  # [W, P, L]
        newest, table = table[which, :, -1], table[:, self.past]
        same = _at(table, which, n - 1 + step - season * -(-step // season))
        return np.concatenate([newest, _mean(table[..., -season:])[which], same], axis=1)


def calendar_columns(calendar: Calendar, panel: Panel, steps: Ints) -> Floats:
    """Return a calendar as trees read it: a number for a cycle, not a point on a circle, ``[n, K]``."""
    import pandas as pd

    times = pd.DatetimeIndex(panel.grid.local_times(steps))
    weekday = np.asarray(times.day_of_week, dtype=np.float64)
    flags = {"weekday": weekday, "weekend": np.asarray(weekday >= 5, dtype=np.float64)}
    columns = [flags[name] if name in flags else CYCLES[name](times) for name in calendar.features]
    if calendar.country is not None:
        columns += list(Calendar((), calendar.country).values(panel.grid, steps).T)
    return np.stack(columns, axis=1) if columns else np.zeros((len(steps), 0))


def detailed(panel: Panel, low: int, n: int) -> Ints:
    """Return which of ``n`` columns from ``low`` on are read around a step: all, or of many those that are no flags."""
    if n <= DETAILED:
        return np.arange(n)
    plain = [_is_flag(panel, low + k) for k in range(n)]
    return np.flatnonzero(~np.array(plain))[:DETAILED]


def _is_flag(panel: Panel, column: int) -> bool:
    cells = np.concatenate([panel.rows(i)[:, column] for i in range(panel.n_entities)])
    return bool(np.isin(cells[~np.isnan(cells)], (0.0, 1.0)).all())


def _gather(panel: Panel, windows: Windows, offsets: Ints, columns: slice) -> Floats:
    """Return cells around the cutoffs of windows, ``[W, C, n]``; NaN outside the series."""
    at = windows.cutoff[:, None] + offsets
    inside: Bools = (at >= 0) & (at < panel.length[windows.entity][:, None])
    rows = panel.row0[windows.entity][:, None] + np.where(inside, at, 0)
    found = np.moveaxis(panel.values[:, columns][rows], 1, 2).astype(np.float64, order="C")
    return np.asarray(np.where(inside[:, None], found, np.nan))


def _picked(z: Floats, which: Ints, offset: Ints) -> Floats:
    """Values at offsets from the cutoff, ``[P, D]``; NaN before the window."""
    return _at(z, which, z.shape[-1] - 1 + offset)


def _at(table: Floats, which: Ints, place: Ints) -> Floats:
    """``[W, C, n]`` at places ``[P]`` of windows, ``[P, C]``; NaN outside."""
    n = table.shape[-1]
    found = table[which, :, place.clip(0, n - 1)]
    found[(place < 0) | (place >= n)] = np.nan
    return np.asarray(found)


def _trailing(table: Floats, which: Ints, at: Ints, spans: tuple[int, ...]) -> list[Floats]:
    """Means over so many steps up to a place, each ``[P, C]``."""
    known = ~np.isnan(table)
    zero = np.zeros((*table.shape[:2], 1))
    total = np.concatenate([zero, np.cumsum(np.where(known, table, 0.0), axis=-1)], axis=-1)
    count = np.concatenate([zero, np.cumsum(known, axis=-1)], axis=-1)
    found = []
    for span in sorted({span for span in spans if span > 1}):
        first = (at + 1 - span).clip(0)
        number = count[which, :, at + 1] - count[which, :, first]
        sums = total[which, :, at + 1] - total[which, :, first]
        found.append(np.where(number > 0, sums / np.maximum(number, 1), np.nan))
    return found


def _mean(values: Floats) -> Floats:
    """Mean along the last axis of what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    return np.asarray(np.where(count > 0, np.where(known, values, 0.0).sum(axis=-1) / np.maximum(count, 1), np.nan))
