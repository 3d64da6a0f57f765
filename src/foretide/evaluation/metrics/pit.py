"""Where the truth fell in a predictive distribution: the probability integral transform (PIT), for counts too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from foretide.errors import ConfigError
from foretide.evaluation.metrics.quantiles import LEAST_DENSE
from foretide.forecasters.levels import bounds_of
from foretide.typing import Floats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def randomised_pit(cdf_below: ArrayLike, cdf_at: ArrayLike, rng: np.random.Generator) -> Floats:
    """Return the randomised probability integral transform of counts: uniform between ``F(y - 1)`` and ``F(y)``.

    Uniform on (0, 1) exactly when the distribution is right (Brockwell 2007; Czado, Gneiting & Held 2009).

    Parameters
    ----------
    cdf_below, cdf_at : array-like of one shape
        Distribution function just below the truth, and at it.
    rng : numpy.random.Generator

    Returns
    -------
    float array of the same shape

    Raises
    ------
    ConfigError
        When ``cdf_at`` is smaller than ``cdf_below``, or one of them is no probability.

    Examples
    --------
    >>> import numpy as np
    >>> bool(0.2 <= randomised_pit(0.2, 0.5, np.random.default_rng(0)) <= 0.5)
    True
    """
    below, at = _floats(cdf_below), _floats(cdf_at)
    wrong = (at < below - 1e-9) | (below < -1e-9) | (at > 1 + 1e-9)
    if below.shape != at.shape or wrong.any():
        raise ConfigError(
            "Expected probabilities F(y - 1) <= F(y) of one shape; got shapes "
            f"{below.shape} and {at.shape}, {int(np.sum(wrong))} points out of order."
        )
    return np.asarray(below + rng.random(below.shape) * (at - below))


def pit_from_quantiles(y: ArrayLike, quantiles: ArrayLike, levels: Sequence[float], rng: np.random.Generator) -> Floats:
    """Return the randomised PIT of each point from a dense grid of quantiles, for counts and for other distributions.

    The levels whose quantile lies below the truth bound ``F(y - 1)`` from below, the first one above it bounds
    ``F(y)`` from above; each is known to half a cell of the grid. A distribution without a jump at the truth is
    spread evenly over its cell.

    Parameters
    ----------
    y : array-like ``[...]``
    quantiles : array-like ``[..., Q]``
    levels : sequence of float
        Of the ``Q`` quantiles, at least 49, ascending, as fractions.
    rng : numpy.random.Generator

    Returns
    -------
    float array ``[...]``

    Raises
    ------
    ConfigError
        For fewer than 49 levels.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.evaluation.metrics.quantiles import DENSE
    >>> pit = pit_from_quantiles([50.5], [np.arange(1.0, 100.0)], DENSE, np.random.default_rng(0))
    >>> bool(0.50 <= pit[0] <= 0.51)
    True
    """
    low, high = _pit_range(y, quantiles, levels)
    return np.asarray(low + rng.random(low.shape) * (high - low))


def fair_coverage(y: ArrayLike, quantiles: ArrayLike, levels: Sequence[float], level: float) -> Floats:
    """Return for each point the chance that its randomised PIT lies in the central interval.

    Its mean is ``level`` exactly when the distribution is right, for counts too, whose intervals of whole numbers
    otherwise cover more than they say. From a dense grid, as :func:`pit_from_quantiles`, without its randomness.

    Parameters
    ----------
    y : array-like ``[...]``
    quantiles : array-like ``[..., Q]``
    levels : sequence of float
        Of the ``Q`` quantiles, at least 49, ascending, as fractions.
    level : float
        Of the interval, in percent.

    Returns
    -------
    float array ``[...]``
        Shares from 0 to 1.

    Raises
    ------
    ConfigError
        For fewer than 49 levels.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.evaluation.metrics.quantiles import DENSE
    >>> fair_coverage([50.5, 99.5], [np.arange(1.0, 100.0)] * 2, DENSE, 80).tolist()
    [1.0, 0.0]
    """
    low, high = _pit_range(y, quantiles, levels)
    first, last = bounds_of(level)
    inside = np.clip(np.minimum(high, last) - np.maximum(low, first), 0, None)
    return np.asarray(inside / (high - low))


def _pit_range(y: ArrayLike, quantiles: ArrayLike, levels: Sequence[float]) -> tuple[Floats, Floats]:
    """Return :func:`jump_range` of a dense grid."""
    if len(levels) < LEAST_DENSE:
        raise ConfigError(f"PIT from quantiles needs at least {LEAST_DENSE} levels, got {len(levels)}.")
    return jump_range(y, quantiles, levels)


def jump_range(y: ArrayLike, quantiles: ArrayLike, levels: Sequence[float]) -> tuple[Floats, Floats]:
    """Return ``F(y - 1)`` and ``F(y)`` as far as the levels know them.

    Each is known to half a cell between neighbouring levels where the distribution jumps at the truth; where it does
    not, they are the ends of the truth's cell.

    Parameters
    ----------
    y : array-like ``[...]``
    quantiles : array-like ``[..., Q]``
    levels : sequence of float
        Of the ``Q`` quantiles, ascending, as fractions.

    Returns
    -------
    low, high : float arrays ``[...]``
        NaN where truth or distribution is.

    Examples
    --------
    >>> low, high = jump_range([1.0], [[0.0, 1.0, 1.0]], (0.25, 0.5, 0.75))
    >>> low.tolist(), high.tolist()
    ([0.375], [1.0])
    """
    truth, values = _floats(y), _floats(quantiles)
    edges = np.concatenate([[0.0], _floats(levels), [1.0]])
    below, up_to = (values < truth[..., None]).sum(axis=-1), (values <= truth[..., None]).sum(axis=-1)
    middle = (edges[1:] + edges[:-1]) / 2
    jump = up_to > below
    low = np.where(jump, middle[below], edges[below])
    high = np.where(jump, middle[up_to], edges[up_to + 1])
    # A distribution that jumps at its very first (last) level puts the whole first (last) cell on that value.
    low, high = np.where(below == 0, 0.0, low), np.where(up_to == len(levels), 1.0, high)
    unknown = np.isnan(truth) | np.isnan(values).any(axis=-1)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)
