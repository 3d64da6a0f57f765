"""Values of a predictive distribution at any probability, from its quantiles on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.typing import Bools, Floats, Ints

_TAIL = (0.001, 0.0025, 0.005)
GRID: tuple[float, ...] = tuple(sorted({*_TAIL, *(k / 100 for k in range(1, 100)), *(round(1 - q, 4) for q in _TAIL)}))
"""Levels that a model is asked for; beyond the outermost ones a distribution goes on like a normal one."""


def spread_evenly(mean: Floats, quantiles: Floats, levels: Sequence[float], n: int, nonnegative: Bools) -> Floats:
    """Return ``n`` values of each distribution at the probabilities ``(k + 1/2) / n``, in ascending order.

    Between two levels a quantile is interpolated, that of whole numbers in whole numbers, and so that their mean is
    the forecast one as far as the quantiles leave that open.

    Parameters
    ----------
    mean : float array ``[..., D]``
    quantiles : float array ``[..., D, Q]``
    levels : sequence of float
        Ascending, as fractions.
    n : int
    nonnegative : bool array ``[D]``
        Whether a target is never below zero.

    Returns
    -------
    float array ``[..., D, n]``
        NaN where a quantile is.

    Examples
    --------
    >>> import numpy as np
    >>> spread_evenly(np.zeros(1), np.array([[-1.2816, 0.0, 1.2816]]), (0.1, 0.5, 0.9), 4, np.zeros(1, bool)).round(2)
    array([[-1.15, -0.32,  0.32,  1.15]])
    """
    at = (np.arange(n) + 0.5) / n
    known = np.asarray(np.isfinite(quantiles).all(axis=-1))
    values = np.maximum.accumulate(np.where(known[..., None], quantiles, 0.0), axis=-1)
    # Each distribution by itself: a series' paths must not depend on what else is in the table.
    whole = (values == np.rint(values)).all(axis=-1)
    z = ndtri(np.asarray(levels))
    out = np.empty((*values.shape[:-1], n))
    if whole.any():
        out[whole] = _whole(mean[whole], values[whole], z, at)
    if not whole.all():
        out[~whole] = _linear(values[~whole], z, ndtri(at))
    np.maximum(out, np.where(nonnegative[:, None], np.minimum(values[..., :1], 0.0), -np.inf), out=out)
    out[~known] = np.nan
    return out


def _cells(z: Floats, at: Floats) -> tuple[Ints, Floats]:
    """Return for each place the cell between two levels that it is in, or next to, and the share of it passed."""
    cell = np.clip(np.searchsorted(z, at, side="right") - 1, 0, len(z) - 2)
    return cell, (at - z[cell]) / (z[cell + 1] - z[cell])


def _linear(values: Floats, z: Floats, at: Floats) -> Floats:
    """Values ``[..., n]`` at normal quantiles, linear in these, also beyond the outermost ones."""
    if len(z) == 1:
        return np.repeat(values, len(at), axis=-1)
    cell, share = _cells(z, at)
    return np.asarray(values[..., cell] * (1 - share) + values[..., cell + 1] * share)


def _whole(mean: Floats, values: Floats, z: Floats, at: Floats) -> Floats:
    """Whole values ``[..., n]``: where in a cell a quantile jumps is set so that the mean is met."""
    if len(z) == 1:
        return np.repeat(values, len(at), axis=-1)
    levels = ndtr(z)
    cell, share = _cells(levels, at)
    inside = (at >= levels[0]) & (at <= levels[-1])
    cell, share, size = cell[inside], share[inside], len(z)
    gap = np.diff(values, axis=-1)
    beyond = np.rint(_linear(values, z, ndtri(at[~inside])))
    straight = values @ (np.bincount(cell, 1 - share, size) + np.bincount(cell + 1, share, size)) + beyond.sum(axis=-1)
    jumps = (gap > 0) @ np.bincount(cell, minlength=size - 1)
    late = np.where(jumps > 0, (straight - len(at) * np.nan_to_num(mean)) / np.maximum(jumps, 1), 0.0)
    out = np.empty((*mean.shape, len(at)))
    moved = np.take(gap, cell, axis=-1)
    moved *= share
    moved += (0.5 - np.clip(late, -0.49, 0.5))[..., None]
    out[..., inside] = np.floor(moved, out=moved) + np.take(values, cell, axis=-1)
    out[..., ~inside] = beyond
    return out
