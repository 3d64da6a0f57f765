"""Scores of predictive distributions that are given by quantiles: loss, coverage, width, and where the truth fell.

Functions take truth ``[...]`` beside quantiles ``[..., Q]`` or the two bounds of an interval, and return one figure for
each point; a point whose truth or quantile is NaN gives NaN. :mod:`foretide.evaluation.metrics.table` has them by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.errors import ConfigError
from foretide.typing import Bools, Floats, Reals

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from foretide.typing import Ints

DECILES = tuple(round(0.1 * k, 10) for k in range(1, 10))
"""Levels of the weighted quantile loss."""
DENSE = tuple(round(0.01 * k, 10) for k in range(1, 100))
"""A grid that is dense enough for CRPS and PIT: ``predict(..., quantiles=DENSE)``."""
LEAST_DENSE = 49
"""CRPS from fewer levels is not given: from 9 it was measured 9 % too high, from 50 0.06 %."""


@dataclass(frozen=True, eq=False)
class Quantiles:
    """A predictive distribution at every point, by its quantiles.

    Attributes
    ----------
    levels : tuple of float
        Ascending, as fractions.
    values : float array ``[..., Q]``

    Examples
    --------
    >>> import numpy as np
    >>> distribution = Quantiles((0.1, 0.5, 0.9), np.array([[1.0, 2.0, 4.0]]))
    >>> distribution.holds((0.5,)), distribution.at((0.1, 0.9)).tolist()
    (True, [[1.0, 4.0]])
    """

    levels: tuple[float, ...]
    values: Reals

    def holds(self, levels: Sequence[float]) -> bool:
        """Whether every one of ``levels`` is among the levels.

        Parameters
        ----------
        levels : sequence of float
            As fractions.

        Returns
        -------
        bool
        """
        return all(self._place(level) is not None for level in levels)

    def at(self, levels: Sequence[float]) -> Floats:
        """Return some of the quantiles.

        Parameters
        ----------
        levels : sequence of float
            As fractions.

        Returns
        -------
        float array ``[..., len(levels)]``

        Raises
        ------
        ConfigError
            When one of them is not held.
        """
        places = [place for level in levels if (place := self._place(level)) is not None]
        if len(places) < len(levels):
            raise ConfigError(
                f"The quantiles {tuple(levels)} are wanted and only {self.levels} are held. "
                f"Ask for them: model.predict(..., quantiles={tuple(levels)})"
            )
        return np.asarray(self.values[..., places], dtype=np.float64)

    def part(self, points: Ints | slice) -> Quantiles:
        """Return the distributions at some points.

        Parameters
        ----------
        points : int array or slice
            Of the first axis.

        Returns
        -------
        Quantiles
        """
        return Quantiles(self.levels, self.values[points])

    def _place(self, level: float) -> int | None:
        return next((k for k, known in enumerate(self.levels) if abs(known - level) < 1e-9), None)


# ---------------------------------------------------------------- losses
def pinball(y: ArrayLike, quantile: ArrayLike, level: float) -> Floats:
    """Return the quantile (pinball) loss: ``level (y - q)`` above the quantile, ``(1 - level)(q - y)`` below.

    Parameters
    ----------
    y, quantile : array-like ``[...]``
    level : float
        Of the quantile, as a fraction.

    Returns
    -------
    float array ``[...]``
        In the unit of ``y``, least where the quantile is right.

    Examples
    --------
    >>> pinball([3.0, 1.0], 2.0, 0.75).tolist()
    [0.75, 0.25]
    """
    over = _floats(y) - _floats(quantile)
    return np.asarray(np.maximum(level * over, (level - 1) * over))


def mean_pinball(y: ArrayLike, quantiles: ArrayLike, levels: Sequence[float]) -> Floats:
    """Return twice the pinball loss, mean over levels: what the weighted quantile loss sums up.

    Parameters
    ----------
    y : array-like ``[...]``
    quantiles : array-like ``[..., Q]``
    levels : sequence of float
        Of the ``Q`` quantiles, as fractions.

    Returns
    -------
    float array ``[...]``
        In the unit of ``y``.

    Examples
    --------
    >>> mean_pinball([3.0], [[2.0]], (0.5,)).tolist()
    [1.0]
    """
    truth, values = _floats(y), _floats(quantiles)
    total = np.zeros(truth.shape)
    for k, level in enumerate(levels):
        total += 2 * pinball(truth, values[..., k], level) / len(levels)
    return total


def weighted_quantile_loss(y: ArrayLike, quantiles: ArrayLike, levels: Sequence[float] = DECILES) -> float:
    """Return the mean over levels of ``2 sum(pinball) / sum(|y|)``.

    As in the M5 and GluonTS ("mean weighted quantile loss", Park et al. 2022); at the median alone it is
    ``sum |y - q| / sum |y|``.

    Parameters
    ----------
    y : array-like ``[...]``
    quantiles : array-like ``[..., Q]``
    levels : sequence of float
        Of the ``Q`` quantiles, as fractions.

    Returns
    -------
    float
        Without unit, lower is better; NaN where every truth is zero.

    Examples
    --------
    >>> weighted_quantile_loss([1.0, 3.0], [[1.0], [2.0]], (0.5,))
    0.25
    """
    losses, size = mean_pinball(y, quantiles, levels), np.abs(_floats(y))
    known = ~np.isnan(losses)
    total = float(size[known].sum())
    return float(losses[known].sum() / total) if total > 0 else float("nan")


def crps(y: ArrayLike, quantiles: ArrayLike, levels: Sequence[float]) -> Floats:
    """Return the continuous ranked probability score, from a dense grid of quantiles.

    ``CRPS = 2 * integral of the pinball loss over the levels from 0 to 1`` (Gneiting & Ranjan 2011), by the
    trapezoidal rule; the loss is 0 at the levels 0 and 1.

    Parameters
    ----------
    y : array-like ``[...]``
    quantiles : array-like ``[..., Q]``
    levels : sequence of float
        Of the ``Q`` quantiles, ascending, as fractions.

    Returns
    -------
    float array ``[...]``
        In the unit of ``y``, lower is better.

    Raises
    ------
    ConfigError
        For fewer than 49 levels, whose result would be too high to compare.

    Examples
    --------
    >>> crps([2.0], [[1.0] * 99], DENSE).round(2).tolist()
    [0.99]
    """
    if len(levels) < LEAST_DENSE:
        raise ConfigError(
            f"CRPS needs at least {LEAST_DENSE} quantile levels, got {len(levels)}: from few of them it is far too "
            "high. Ask for more: model.predict(..., quantiles=[k / 100 for k in range(1, 100)])"
        )
    edges = np.concatenate([[0.0], _floats(levels), [1.0]])
    weights = (edges[2:] - edges[:-2]) / 2
    truth, values = _floats(y), np.asarray(quantiles)
    total = np.zeros(truth.shape)
    for k, level in enumerate(levels):
        total += 2 * weights[k] * pinball(truth, values[..., k], level)
    return total


# ---------------------------------------------------------------- intervals
def coverage(y: ArrayLike, low: ArrayLike, high: ArrayLike) -> Floats:
    """Return 1 where the truth lies in the interval, bounds included, 0 where not.

    Parameters
    ----------
    y, low, high : array-like ``[...]``

    Returns
    -------
    float array ``[...]``
        The mean of them is the share covered, right where it is near the interval's level.

    Examples
    --------
    >>> coverage([1.0, 5.0], 0.0, 3.0).tolist()
    [1.0, 0.0]
    """
    truth, lower, upper = _floats(y), _floats(low), _floats(high)
    return np.where(np.isnan(truth + lower + upper), np.nan, (lower <= truth) & (truth <= upper))


def winkler(y: ArrayLike, low: ArrayLike, high: ArrayLike, level: float) -> Floats:
    """Return the Winkler (interval) score.

    Width plus ``2 / alpha`` times the distance by which the truth lies outside, ``alpha = 1 - level / 100``
    (Winkler 1972; Gneiting & Raftery 2007).

    Parameters
    ----------
    y, low, high : array-like ``[...]``
    level : float
        Of the interval, in percent.

    Returns
    -------
    float array ``[...]``
        In the unit of ``y``, lower is better.

    Examples
    --------
    >>> winkler([1.0, 5.0], 0.0, 3.0, 80).round(6).tolist()
    [3.0, 23.0]
    """
    truth, lower, upper = _floats(y), _floats(low), _floats(high)
    outside = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
    return np.asarray(upper - lower + 2 / (1 - level / 100) * outside)


# ---------------------------------------------------------------- none or some
def says_zero(mean: ArrayLike, distribution: Quantiles | None = None) -> Bools:
    """Whether a forecast says "none": its median is below one half; without a median, its mean is.

    Parameters
    ----------
    mean : array-like ``[...]``
    distribution : Quantiles, optional
        Its values ``[..., Q]``.

    Returns
    -------
    bool array ``[...]``

    Examples
    --------
    >>> says_zero([0.2, 0.7]).tolist()
    [True, False]
    """
    if distribution is not None and distribution.holds((0.5,)):
        return np.asarray(distribution.at((0.5,))[..., 0] < 0.5)
    return np.asarray(_floats(mean) < 0.5)


def zero_accuracy(y: ArrayLike, mean: ArrayLike, distribution: Quantiles | None = None) -> Floats:
    """Return 1 where truth and forecast agree on "none or some" (see :func:`says_zero`), 0 where not.

    Parameters
    ----------
    y, mean : array-like ``[...]``
    distribution : Quantiles, optional
        Its values ``[..., Q]``.

    Returns
    -------
    float array ``[...]``
        The mean of them is a share, higher is better.

    Examples
    --------
    >>> zero_accuracy([0.0, 2.0], [0.2, 0.3]).tolist()
    [1.0, 0.0]
    """
    truth = _floats(y)
    unknown = np.isnan(truth) | np.isnan(_floats(mean))
    return np.where(unknown, np.nan, says_zero(mean, distribution) == (truth == 0))


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)
