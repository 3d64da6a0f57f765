"""A panel on the wall clock of its zone, where seasons keep their hour through every clock change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data import scratch
from foretide.data.time.frequency import fixed_step
from foretide.data.time.grid import Grid
from foretide.data.time.stamps import DAY
from foretide.typing import Ints

if TYPE_CHECKING:
    from foretide.data.panel import Panel


def wall_grid(grid: Grid) -> Grid:
    """Return a grid without a zone: the wall clock of the zone that the grid has, the grid itself without one.

    Parameters
    ----------
    grid : Grid

    Returns
    -------
    Grid
    """
    if grid.tz is None:
        return grid
    if grid.wall:
        return replace(grid, tz=None, wall=False)
    return Grid(pd.Timestamp(grid.local_times([0])[0]), grid.freq)


def wall_steps(grid: Grid, wall: Grid, steps: Ints) -> Ints:
    """Return where steps of a grid with a zone lie on a grid of its wall clock.

    The hour that a clock shows twice is one step there, the hour that it leaves out is a hole.

    Parameters
    ----------
    grid : Grid
    wall : Grid
        As :func:`wall_grid` gives it.
    steps : int array ``[n]``

    Returns
    -------
    int array ``[n]``
    """
    if grid.tz is None or grid.wall or isinstance(grid.freq, int):
        return np.asarray(steps, dtype=np.int64)
    step = fixed_step(grid.freq)
    if step is None:
        return wall.steps_of(pd.DatetimeIndex(grid.local_times(steps)))
    local = pd.DatetimeIndex(grid.local_times(steps)).as_unit("ns") - pd.Timestamp(wall.start)
    # Steps of several hours lie between two positions after a change; the nearer one is theirs.
    return np.asarray(np.floor(np.asarray(local.asi8) / step + 0.5), dtype=np.int64)


def on_wall_clock(panel: Panel, wall: Grid) -> tuple[Panel, list[Ints]]:
    """Put a panel on the wall clock.

    Of an hour that comes twice the first value is kept, so that nothing later is seen from it. A row that the clock
    leaves out is the mean of its neighbours, rounded where both are whole: counts stay counts.

    Parameters
    ----------
    panel : Panel
    wall : Grid

    Returns
    -------
    panel : Panel
        On the grid ``wall``.
    rows : list of int arrays ``[T_i]``
        Row that each of an entity's rows has there.
    """
    if panel.grid.tz is None:
        return panel, [np.arange(n) for n in panel.length]
    low, high = int(panel.first.min(initial=0)), int(panel.last.max(initial=0))
    table = wall_steps(panel.grid, wall, np.arange(low, high + 1))
    first, last = table[panel.first - low], table[panel.last - low]
    rows = [table[f - low : f - low + n] - p for f, n, p in zip(panel.first, panel.length, first, strict=True)]
    length = last - first + 1
    moved = replace(panel, grid=wall, first=first)
    if all(np.array_equal(own, np.arange(len(own))) for own in rows):
        return moved, rows
    row0 = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)
    values = scratch.empty((int(length.sum()), panel.values.shape[1]), panel.values.dtype, like=panel.values)
    for i, own in enumerate(rows):
        values[row0[i] : row0[i] + length[i]] = np.nan
        once = np.flatnonzero(np.concatenate([[True], np.diff(own) > 0]))
        values[row0[i] + own[once]] = panel.rows(i)[once]
        left_out = np.setdiff1d(np.arange(length[i]), own, assume_unique=False)
        if len(left_out):
            at = row0[i] + left_out
            before, after = values[at - 1], values[at + 1]
            mean, whole = (before + after) / 2, (before == np.rint(before)) & (after == np.rint(after))
            values[at] = np.where(whole, np.rint(mean), mean)
    return replace(moved, values=values, row0=row0, length=length), rows


def extended(panel: Panel, rows: int) -> Panel:
    """Return the panel with so many rows more of each entity, in which columns known ahead keep their last values.

    A forecast through a clock that is put back reaches fewer steps on the wall than a model makes.

    Parameters
    ----------
    panel : Panel
    rows : int

    Returns
    -------
    Panel
    """
    if not panel.future or rows < 1:
        return panel
    parts = []
    for i in range(panel.n_entities):
        more = np.full((rows, panel.values.shape[1]), np.nan, dtype=panel.values.dtype)
        known = panel.n_targets + len(panel.past)
        more[:, known:] = panel.rows(i)[-1, known:]
        parts += [panel.rows(i), more]
    length = panel.length + rows
    row0 = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)
    return replace(panel, values=scratch.joined(parts, like=panel.values), row0=row0, length=length)


def ahead_index(grid: Grid, wall: Grid, cutoffs: Ints, h: int) -> Ints | None:
    """Return which step of a forecast on the wall clock each step of one on the grid is.

    A forecast through a clock that jumps ahead ends a step early on the wall; its last step is that of the day before
    where the forecast reaches so far, else the last there is.

    Parameters
    ----------
    grid, wall : Grid
    cutoffs : int array ``[W]``
        Grid steps.
    h : int

    Returns
    -------
    int array ``[W, h]`` or None
        None: each its own.
    """
    steps = np.asarray(cutoffs, dtype=np.int64)[:, None] + np.arange(h + 1)
    if grid.tz is None or not steps.size:
        return None
    low = int(steps.min())
    table = wall_steps(grid, wall, np.arange(low, int(steps.max()) + 1))
    ahead = table[steps[:, 1:] - low] - table[steps[:, :1] - low] - 1
    if np.array_equal(ahead, np.broadcast_to(np.arange(h), ahead.shape)):
        return None
    size = None if isinstance(grid.freq, int) else fixed_step(grid.freq)
    day = max(1, round(DAY / size)) if size else 1
    ahead = np.where((ahead >= h) & (ahead - day >= 0), ahead - day, ahead)
    return np.asarray(np.clip(ahead, 0, h - 1), dtype=np.int64)
