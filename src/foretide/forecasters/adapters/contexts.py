"""What a foreign model is given: the last values of every window, each series on its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.time.ahead import check_known, known_rows
from foretide.forecasters.answer import first_observed
from foretide.forecasters.simple.history import by_entity

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.typing import Floats, Ints

SHORTEST = 16
"""No context is cut shorter than so many steps."""


def groups(panel: Panel, windows: Windows, longest: int, most: int) -> Iterator[tuple[int, Ints]]:
    """Put windows that need the same length of context together.

    How long it is depends on the window's own observed history alone: a power of two that holds it, or ``longest``. So
    a window has the same context whatever it is forecast beside.

    Parameters
    ----------
    panel : Panel
    windows : Windows
    longest : int
        Steps of context at most.
    most : int
        Windows in a group at most.

    Yields
    ------
    int
        Steps of context.
    int array
        Positions of the windows.
    """
    rows = np.clip(windows.cutoff - first_observed(panel)[windows.entity] + 1, SHORTEST, None)
    length = np.minimum(longest, 2 ** np.ceil(np.log2(rows)).astype(np.int64))
    for size in np.unique(length):
        chosen = np.flatnonzero(length == size)
        for start in range(0, len(chosen), most):
            yield int(size), chosen[start : start + most]


def contexts_of(panel: Panel, windows: Windows, length: int, *, past: bool = False) -> Floats:
    """Return the last values of every target.

    Parameters
    ----------
    panel : Panel
    windows : Windows
    length : int
    past : bool
        Whether past columns follow the targets.

    Returns
    -------
    float64 array ``[W, C, length]``
        Oldest first; NaN for what is missing or lies before the series.
    """
    columns = panel.n_targets + (len(panel.past) if past else 0)
    rows = windows.cutoff[:, None] + np.arange(1 - length, 1)
    places = panel.row0[windows.entity][:, None] + np.maximum(rows, 0)
    values = panel.values[places][..., :columns].astype(np.float64)
    values[rows < 0] = np.nan
    return np.asarray(np.swapaxes(values, 1, 2))


def carried_forward(contexts: Floats) -> Floats:
    """Fill gaps with the last value before them, and those at the beginning with the first value.

    Parameters
    ----------
    contexts : float array ``[..., L]``

    Returns
    -------
    float array ``[..., L]``
        NaN where there is no value at all.
    """
    seen = ~np.isnan(contexts)
    if seen.all():
        return contexts
    last = np.maximum.accumulate(np.where(seen, np.arange(contexts.shape[-1]), -1), axis=-1)
    first = np.argmax(seen, axis=-1)[..., None]
    return np.asarray(np.take_along_axis(contexts, np.where(last < 0, first, last), axis=-1))


def known_contexts(panel: Panel, windows: Windows, length: int, h: int) -> Floats:
    """Return the known-future columns over the context and the horizon.

    Parameters
    ----------
    panel : Panel
    windows : Windows
    length, h : int

    Returns
    -------
    float64 array ``[W, F, length + h]``
        Gaps in the past carry the last value forward; NaN before the first.

    Raises
    ------
    DataError
        For a column without a value in the horizon.
    """
    out = np.full((len(windows), length + h, len(panel.future)), np.nan)
    for entity, chosen in by_entity(windows):
        table, cutoffs = known_rows(panel, entity, h), windows.cutoff[chosen]
        check_known(panel, entity, table, cutoffs, h, range(len(panel.future)))
        rows = cutoffs[:, None] + np.arange(1 - length, 1 + h)
        out[chosen] = np.where((rows >= 0)[..., None], table[np.maximum(rows, 0)], np.nan)
    return np.asarray(np.swapaxes(out, 1, 2))


def level_and_scale(contexts: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of every context; a scale of 1 where nothing moves.

    Parameters
    ----------
    contexts : float array ``[..., L]``

    Returns
    -------
    float arrays ``[..., 1]``
        The level is NaN where nothing is observed.
    """
    seen = ~np.isnan(contexts)
    count = seen.sum(axis=-1, keepdims=True)
    number = np.maximum(count, 1)
    level = np.where(seen, contexts, 0.0).sum(axis=-1, keepdims=True) / number
    spread = np.sqrt((np.where(seen, contexts - level, 0.0) ** 2).sum(axis=-1, keepdims=True) / number)
    moves = spread > 1e-9 * np.abs(level)
    return np.where(count > 0, level, np.nan), np.where(moves, spread, 1.0)
