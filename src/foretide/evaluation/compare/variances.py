"""Variances of the mean of an autocorrelated series, and an interval of it by the bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.errors import ConfigError, DataError
from foretide.forecasters.levels import interval_level

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FEWEST = 8
"""Values below which no interval is made and no test: the long-run variance of fewer says nothing."""


def cosine_variance(values: ArrayLike, terms: int, *, overlap: int = 1) -> float:
    """Variance of ``sqrt(n)`` times the mean of an autocorrelated series, from its slowest cosine transforms.

    Parameters
    ----------
    values : array-like ``[n]``
    terms : int
        Cosine transforms used, from the slowest.
    overlap : int
        Neighbours that share forecast steps. The transforms of such losses fall from frequency zero on, so their mean
        is too small; it is divided by the ratio that is exact for sums over ``overlap`` steps of independent noise.
        Losses that overlap less get a variance that is somewhat too large.

    Returns
    -------
    float

    Examples
    --------
    >>> cosine_variance([1.0, 2.0, 1.0, 2.0], 1) < cosine_variance([1.0, 1.0, 2.0, 2.0], 1)
    True
    """
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    waves = np.sqrt(2 / n) * np.cos(np.pi * np.outer(np.arange(1, terms + 1), np.arange(n) + 0.5) / n)
    estimate = float(np.mean((waves @ x) ** 2))
    if overlap == 1:
        return estimate
    # A weighted sum of running sums weighs each step of the noise by a running sum of the weights.
    weights = np.pad(np.vstack([np.full(n, n**-0.5), waves]), ((0, 0), (overlap, overlap - 1)))
    sums = np.cumsum(weights, axis=1)
    expected = ((sums[:, overlap:] - sums[:, :-overlap]) ** 2).sum(axis=1)
    return float(estimate * expected[0] / np.mean(expected[1:]))


def autocovariance_sum(values: ArrayLike, lags: int) -> float:
    """Variance of ``sqrt(n)`` times the mean of a series, all of ``lags`` autocovariances at equal weight.

    Not positive for some series (Diebold & Mariano 1995).

    Parameters
    ----------
    values : array-like ``[n]``
    lags : int
        Autocovariances beside the variance itself.

    Returns
    -------
    float

    Examples
    --------
    >>> autocovariance_sum([1.0, 3.0], 0)
    1.0
    """
    centred = np.asarray(values, dtype=np.float64)
    centred = centred - centred.mean()
    n = len(centred)
    return sum((1 if k == 0 else 2) * float(centred[k:] @ centred[: n - k]) for k in range(min(lags, n - 1) + 1)) / n


def long_run_variance(values: ArrayLike, lags: int) -> float:
    """Variance of ``sqrt(n)`` times the mean of an autocorrelated series, by Bartlett weights (never negative).

    Parameters
    ----------
    values : array-like ``[n]``
    lags : int
        Autocovariances beside the variance itself.

    Returns
    -------
    float

    Examples
    --------
    >>> long_run_variance([1.0, 3.0], 0)
    1.0
    """
    centred = np.asarray(values, dtype=np.float64)
    centred = centred - centred.mean()
    n = len(centred)
    total = float(centred @ centred)
    for k in range(1, lags + 1):
        total += 2 * (1 - k / (lags + 1)) * float(centred[k:] @ centred[:-k])
    return max(total, 0.0) / n


def block_bootstrap(
    values: ArrayLike, rng: np.random.Generator, *, block: int | None = None, level: float = 95, n_draws: int = 2000
) -> tuple[float, float]:
    """Interval of the mean of an autocorrelated series by the moving-block bootstrap (Künsch 1989).

    It is too narrow on few values: a 95 % interval of independent losses misses the truth 11 % of the time at 20, 7 %
    from 60 on; with blocks of the overlap, 20 % at 100 losses that overlap by 12. :meth:`Comparison.interval` keeps its
    level there.

    Parameters
    ----------
    values : array-like ``[n]``
        In order of time, e.g. loss differences by cutoff. NaN is left out.
    rng : numpy.random.Generator
    block : int, optional
        Neighbours drawn together; ``ceil(n ** (1 / 3))`` by default. At least the overlap of neighbouring forecasts.
    level : float
        Central level in percent.
    n_draws : int
        Resampled series.

    Returns
    -------
    low, high : float

    Raises
    ------
    ConfigError, DataError
        For a block or a number of draws that cannot work; for too few values.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = block_bootstrap(np.arange(20.0), np.random.default_rng(0))
    >>> low < 9.5 < high
    True
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[~np.isnan(x)]
    n = len(x)
    if n < FEWEST:
        raise DataError(f"{n} values are too few for a bootstrap: {FEWEST} are needed. Score more cutoffs.")
    size = int(np.ceil(n ** (1 / 3))) if block is None else block
    level = interval_level(level)
    if not 1 <= size <= n or n_draws < 1:
        raise ConfigError(f"block lies in 1 .. {n}, n_draws is at least 1; got block={block!r}, n_draws={n_draws!r}.")
    sums = np.concatenate([[0.0], np.cumsum(x)])
    whole, rest = divmod(n, size)
    starts = rng.integers(0, n - size + 1, size=(n_draws, whole))
    total = (sums[starts + size] - sums[starts]).sum(axis=1)
    if rest:
        last = rng.integers(0, n - rest + 1, size=n_draws)
        total += sums[last + rest] - sums[last]
    low, high = np.quantile(total / n, [0.5 - level / 200, 0.5 + level / 200])
    return float(low), float(high)
