"""Panels changed for an explanation: blocks of time of a column trade places; windows become entities of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.windows import Windows
from foretide.errors import DataError
from foretide.typing import Ints

if TYPE_CHECKING:
    from foretide.data.panel import Panel

FEWEST_BLOCKS = 4


def one_cycle(n: int, generator: np.random.Generator) -> Ints:
    """A random permutation in one cycle: from two items on, none stays in its place."""
    order = generator.permutation(n)
    moved = np.empty(n, dtype=np.int64)
    moved[order] = np.roll(order, 1)
    return moved


def moved_blocks(n: int, block: int, generator: np.random.Generator) -> Ints:
    """Where each of ``n`` neighbouring places takes its value from when blocks of time trade places, ``[n]``.

    Time is cut, at a random place and as a ring, into blocks of about the same length, at least
    :data:`FEWEST_BLOCKS` of them where ``n`` allows, and none keeps its place.
    """
    if n < 2:
        return np.arange(n)
    pieces = min(n, max(FEWEST_BLOCKS, n // max(block, 1)))
    start = int(generator.integers(n))
    cuts = np.array_split(np.roll(np.arange(n), -start), pieces)
    taken = np.concatenate([cuts[k] for k in one_cycle(pieces, generator)])
    return np.asarray(np.roll(taken, start))


def with_moved_columns(
    panel: Panel, columns: Sequence[int], last: Ints, block: int, generator: np.random.Generator
) -> Panel:
    """Return a copy in which blocks of time of some columns trade places, the same ones for all of these columns.

    Parameters
    ----------
    columns : sequence of int
        Positions in ``panel.values``.
    last : int ``[N, columns]``
        Last row, within each entity, that may move or be moved from; earlier cells without a value stay empty.
    """
    values = panel.values.copy()
    for i in range(panel.n_entities):
        before = panel.rows(i)
        rows = values[panel.row0[i] : panel.row0[i] + panel.length[i]]
        state = generator.bit_generator.state
        for number, column in enumerate(columns):
            # The same blocks for every column of a group, so that what they say together stays together.
            generator.bit_generator.state = state
            part = before[: max(int(last[i, number]) + 1, 0), column]
            observed = np.flatnonzero(~np.isnan(part))
            rows[observed, column] = part[observed[moved_blocks(len(observed), block, generator)]]
    return panel.with_values(values)


def with_moved_static(panel: Panel, columns: Sequence[int], generator: np.random.Generator) -> Panel:
    """Return a panel in which entities trade some static columns."""
    values = panel.static.values.copy()
    values[:, list(columns)] = values[one_cycle(len(values), generator)][:, list(columns)]
    return replace(panel, static=replace(panel.static, values=values))


def carried(panel: Panel) -> Panel:
    """Return a copy whose gaps of targets and past columns hold the last value, as models with a lookback fill them."""
    values, known = panel.values.copy(), panel.n_targets + len(panel.past)
    for i in range(panel.n_entities):
        rows = values[panel.row0[i] : panel.row0[i] + panel.length[i], :known]
        for column in range(known):
            newest = np.maximum.accumulate(np.where(np.isnan(rows[:, column]), -1, np.arange(len(rows))))
            rows[:, column] = np.where(newest < 0, np.nan, rows[newest, column])
    return panel.with_values(values)


def windows_apart(panel: Panel, windows: Windows, size: int | None, h: int) -> tuple[Panel, Windows]:
    """Return a panel in which every window is an entity of its own, under its entity's name.

    Parameters
    ----------
    size : int or None
        Rows up to the cutoff; None: all of them.
    h : int
        Rows after the cutoff, which hold known-future columns only.
    """
    known = panel.n_targets + len(panel.past)
    parts = []
    for entity, cutoff in zip(windows.entity.tolist(), windows.cutoff.tolist(), strict=True):
        low = 0 if size is None else cutoff - size + 1
        part = np.full((cutoff + 1 - low + h, panel.values.shape[1]), np.nan, dtype=panel.values.dtype)
        source = panel.rows(entity)[low : cutoff + 1 + h]
        part[: len(source)] = source
        part[cutoff + 1 - low :, :known] = np.nan
        parts.append(part)
    length = np.array([len(p) for p in parts], dtype=np.int64)
    static = panel.static
    if static.names:
        static = replace(static, values=static.values[windows.entity])
    apart = replace(
        panel, ids=tuple(panel.ids[i] for i in windows.entity), values=np.concatenate(parts), length=length,
        row0=np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64),
        first=panel.first[windows.entity] + windows.cutoff + 1 + h - length, static=static,
    )  # fmt: skip
    return apart, Windows(np.arange(len(windows), dtype=np.int64), length - h - 1)


def other_windows(windows: Windows, generator: np.random.Generator) -> Windows:
    """Return another window of the same entity for each; the one window of an entity stands for itself."""
    donor = np.arange(len(windows))
    for i in np.unique(windows.entity):
        mine = np.flatnonzero(windows.entity == i)
        donor[mine] = mine[one_cycle(len(mine), generator)]
    if (donor == np.arange(len(windows))).all():
        raise DataError("Lags are exchanged between windows of a series, and every series has one only. Give cutoffs.")
    return windows[donor]


def with_other_lags(apart: Panel, own: Windows, panel: Panel, donors: Windows, lags: Ints) -> Panel:
    """Return a copy of windows that stand apart in which each has the targets of another window at some lags.

    Parameters
    ----------
    apart, own
        As :func:`windows_apart` gives them.
    panel, donors
        Where each takes its values from, ``W`` windows.
    lags : int ``[G]``
        Rows back from the cutoff, 0 the newest.
    """
    # A window with a shorter history has no row to give, or to change, at the farthest lags.
    usable = (lags <= own.cutoff[:, None]) & (lags <= donors.cutoff[:, None])
    values, d = apart.values.copy(), apart.n_targets
    to, source = (w.rows(p)[:, None] - lags for w, p in ((own, apart), (donors, panel)))
    values[to[usable], :d] = panel.values[source[usable], :d]
    return apart.with_values(values)
