"""What the simple forecasters read from a series: last values, same-season values, smoothed levels.

Every function is causal: row ``t`` of what it returns depends on rows ``0 .. t`` of the history only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.typing import Floats, Ints, Reals


CELLS = 2**18
"""Entities that are alike are gone through together, up to so many cells at once."""
SLEEP = 10
"""So many equal values at the beginning of a series are taken for sleep."""


def by_entity(windows: Windows) -> Iterator[tuple[int, Ints]]:
    """Yield every entity that has windows, with the positions of its windows."""
    if not len(windows):
        return
    order = np.argsort(windows.entity, kind="stable")
    entities, starts = np.unique(windows.entity[order], return_index=True)
    for entity, chosen in zip(entities, np.split(order, starts[1:]), strict=True):
        yield int(entity), chosen


def alike(panel: Panel, windows: Windows, h: int = 1) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Yield entities that are forecast from the same rows, so that formulas go through them as columns side by side.

    Parameters
    ----------
    panel : Panel
    windows : Windows
    h : int
        Steps that are forecast from each: what is done at once stays within :data:`CELLS` cells.

    Yields
    ------
    entities : int array ``[B]``
    chosen : int array ``[B, n]``
        Positions of their windows.
    cutoffs : int array ``[n]``
        Of each of these entities.
    """
    order = np.argsort(windows.entity, kind="stable")
    entities, starts, counts = np.unique(windows.entity[order], return_index=True, return_counts=True)
    for n in np.unique(counts):
        own = np.flatnonzero(counts == n)
        chosen = order[starts[own][:, None] + np.arange(n)]
        rows = windows.cutoff[chosen]
        kinds, kind = np.unique(rows, axis=0, return_inverse=True) if (rows != rows[0]).any() else (rows[:1], own * 0)
        together = np.argsort(kind.ravel(), kind="stable")
        for cutoffs, same in zip(kinds, np.split(together, np.cumsum(np.bincount(kind.ravel()))[:-1]), strict=True):
            most = max(1, CELLS // (max(int(cutoffs.max()) + 1, int(n) * h) * panel.n_targets))
            for at in range(0, len(same), most):
                some = same[at : at + most]
                yield entities[own[some]], chosen[some], cutoffs


def side_by_side(panel: Panel, entities: Ints, start: int, stop: int) -> Floats:
    """Return a copy of rows ``start .. stop - 1`` of the targets of some entities, ``[T, B * D]`` float64."""
    rows = panel.row0[entities] + np.arange(start, stop)[:, None]
    return np.array(panel.values[rows, : panel.n_targets], dtype=np.float64).reshape(len(rows), -1)


def seen_until(panel: Panel, entities: Ints, row: int) -> Reals:
    """Return the targets of some entities up to a row, to be read only: of one where they lie, ``[row + 1, B * D]``."""
    if len(entities) > 1:
        return side_by_side(panel, entities, 0, row + 1)
    return panel.rows(int(entities[0]))[: row + 1, : panel.n_targets]


def targets_until(panel: Panel, entity: int, row: int) -> Floats:
    """Return a copy of an entity's targets up to and including one row, ``[row + 1, D]`` float64."""
    return np.array(panel.rows(entity)[: row + 1, : panel.n_targets], dtype=np.float64)


def last_seen(history: Floats) -> Floats:
    """Return the last observed value at or before each row, ``[T, D]``; NaN before the first."""
    return np.asarray(np.take_along_axis(history, last_seen_row(history).clip(0), axis=0))


def last_seen_row(history: Floats) -> Ints:
    """Return the row of the last observed value at or before each row, ``[T, D]``; -1 before the first."""
    rows = np.where(np.isnan(history), -1, np.arange(len(history))[:, None])
    return np.asarray(np.maximum.accumulate(rows, axis=0), dtype=np.int64)


def wakes(series: Floats) -> int:
    """Return the row from which on a series ``[T]`` is to be learned from: 0, or where it wakes from a long sleep.

    A series that sleeps to its end does not wake.
    """
    seen = series[~np.isnan(series)]
    if not len(seen):
        return 0
    moved = np.flatnonzero(np.abs(series - seen[0]) > 1e-9 * np.abs(seen).max())
    if not len(moved) or int((~np.isnan(series[: moved[0]])).sum()) < SLEEP:
        return 0
    return int(moved[0])


def cycles_of(history: Floats, season: int) -> Floats:
    """Return the history as ``[cycles, season, D]``, padded with NaN at its end."""
    rows, columns = history.shape
    cycles = -(-rows // season)
    padded = np.full((cycles * season, columns), np.nan)
    padded[:rows] = history
    return padded.reshape(cycles, season, columns)


def season_last(history: Floats, season: int) -> Floats:
    """Return the last observed value of each row's own season position, ``[T, D]``; NaN before the first."""
    folded = cycles_of(history, season)
    filled = last_seen(folded.reshape(len(folded), -1)).reshape(-1, history.shape[1])
    return filled[: len(history)]


def season_level(history: Floats, season: int, alpha: float) -> Floats:
    """Return the exponentially smoothed level of each row's own season position, ``[T, D]``.

    The level is the mean of that position's observed values with weights ``(1 - alpha)^k``, ``k`` the number
    of observed values since; so the first values need no start level, and a missing value changes nothing
    (pandas: ``ewm(alpha, adjust=True, ignore_na=True)``).
    """
    folded = cycles_of(history, season)
    seen = ~np.isnan(folded)
    values, whole = np.where(seen, folded, 0.0), np.asarray(seen.all(axis=(1, 2)))
    totals, weights = np.empty_like(folded), np.empty_like(folded)
    total, weight = np.zeros(folded.shape[1:]), np.zeros(folded.shape[1:])
    keep = 1.0 - alpha
    for cycle in range(len(folded)):
        newer, heavier = keep * total + values[cycle], keep * weight + 1.0
        if whole[cycle]:
            total, weight = newer, heavier
        else:
            total, weight = np.where(seen[cycle], newer, total), np.where(seen[cycle], heavier, weight)
        totals[cycle], weights[cycle] = total, weight
    known = weights > 0
    level = np.where(known, totals / np.where(known, weights, 1.0), np.nan)
    return level.reshape(-1, history.shape[1])[: len(history)]


def ahead_rows(cutoffs: Ints, h: int, season: int) -> Ints:
    """Return the row one or more whole cycles before each forecast step, within the last cycle: ``[n, H]``.

    Rows before the history are negative.
    """
    position = np.arange(h) % season
    return np.asarray(cutoffs[:, None] - season + 1 + position[None, :], dtype=np.int64)


def at_rows(table: Floats, rows: Ints) -> Floats:
    """Return ``table[rows]``, ``[..., D]``, with NaN for negative rows."""
    found = table[rows.clip(0)]
    found[rows < 0] = np.nan
    return np.asarray(found)


def first_known(*choices: Floats | float) -> Floats:
    """Return the first of several broadcastable arrays that is not NaN, cell by cell."""
    result = np.array(np.broadcast_arrays(*choices)[0], dtype=np.float64)
    for other in choices[1:]:
        missing = np.isnan(result)
        if not missing.any():
            break
        result = np.where(missing, other, result)
    return result
