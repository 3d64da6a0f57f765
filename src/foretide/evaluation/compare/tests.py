"""Whether one model's loss is lower than another's by more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.errors import ConfigError, DataError, nearest
from foretide.forecasters.levels import interval_level

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from foretide.typing import Floats, Ints

VARIANCES = ("cosine", "acf", "bartlett")
ALTERNATIVES = ("two-sided", "less", "greater")
FEWEST = 8
"""Losses below which no test is made: the long-run variance of fewer says nothing."""
TINY = 1e-24
"""Share of the squared mean below which a variance is rounding."""


@dataclass(frozen=True)
class Comparison:
    """What a Diebold–Mariano test found.

    Attributes
    ----------
    difference : float
        Mean loss of the first model minus that of the second; negative where the first is better.
    standard_error : float
        Of the difference, robust to autocorrelation, with the test's correction for few losses.
    statistic : float
        ``difference / standard_error``.
    p_value : float
        Of the alternative asked for.
    n : int
        Losses compared.
    freedom : int
        Degrees of freedom of Student's t that the statistic is held against.
    variance : str
        The variance that was used; ``"bartlett"`` where ``"acf"`` was asked for and was not positive.
    alternative : str
        As asked for.
    """

    difference: float
    standard_error: float
    statistic: float
    p_value: float
    n: int
    freedom: int
    variance: str = "cosine"
    alternative: str = "two-sided"

    def interval(self, level: float = 95) -> tuple[float, float]:
        """Return the central interval of the mean difference, ``level`` in percent.

        It leaves out zero exactly where the two-sided test rejects at ``1 - level / 100``.
        """
        from scipy import special

        level = interval_level(level)
        half = float(special.stdtrit(self.freedom, 0.5 + level / 200)) * self.standard_error
        return self.difference - half, self.difference + half


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Two models compared on each of many series.

    Attributes
    ----------
    difference, standard_error, statistic, p_value : float arrays ``[S]``
        As in :class:`Comparison`; NaN where a series has too few losses.
    p_holm : float array ``[S]``
        p-values adjusted for the number of series (:func:`holm`).
    n : int array ``[S]``
        Losses of each series.
    n_too_few : int
        Series without a test because their losses are too few.
    """

    difference: Floats
    standard_error: Floats
    statistic: Floats
    p_value: Floats
    p_holm: Floats
    n: Ints
    n_too_few: int


def diebold_mariano(
    loss_a: ArrayLike,
    loss_b: ArrayLike,
    *,
    h: int = 1,
    variance: str = "cosine",
    lags: int | None = None,
    alternative: str = "two-sided",
) -> Comparison:
    """Test whether two models have equal expected losses (Diebold & Mariano 1995).

    Two models with the same losses throughout have a p-value of one.

    Parameters
    ----------
    loss_a, loss_b : array-like ``[n]``
        Losses of the same cutoffs in order of time, e.g. the mean squared error of each cutoff. Where one is NaN the
        pair is left out.
    h : int
        Steps by which forecasts of neighbouring losses overlap; the horizon where cutoffs lie one step apart.
    variance : {"cosine", "acf", "bartlett"}
        ``"cosine"``: equal weights on the first ``0.4 n^(2/3)`` cosine transforms (at most ``0.6 n / h``), Student's t
        with as many degrees of freedom (Lazarus, Lewis, Stock & Watson 2018), corrected for the overlap (see
        :func:`cosine_variance`). It holds the level on few losses; where ``n`` is below ``4 h``, one or two degrees of
        freedom find large differences only.
        ``"acf"``: ``h - 1`` autocovariances at equal weight (Diebold & Mariano 1995), with the correction of Harvey,
        Leybourne & Newbold (1997) and Student's t with ``n - 1`` degrees of freedom, as R's ``dm.test``; where that
        variance is not positive, Bartlett weights on the same lags. At a nominal 5 % it rejects 25 % at 20 losses that
        overlap by 12, 8 % at 200, and 26 % at any number where losses are autocorrelated beyond the overlap (AR(1) of
        0.5).
        ``"bartlett"``: Newey & West (1987) with the same correction, as statsmodels; 5 to 20 %.
    lags : int, optional
        Of the Bartlett weights; ``max(h - 1, ceil(n ** (1 / 3)))`` by default.
    alternative : {"two-sided", "less", "greater"}
        ``"less"``: the first model's loss is smaller.

    Raises
    ------
    DataError
        For fewer than :data:`FEWEST` losses, or unequal numbers of them.
    ConfigError
        For an unknown variance or alternative, ``h`` below 1, or ``lags`` without Bartlett weights.
    """
    a, b = np.asarray(loss_a, dtype=np.float64), np.asarray(loss_b, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise DataError(f"Expected two lists of losses of equal length, got shapes {a.shape} and {b.shape}.")
    _check(h, variance, lags, alternative)
    gap = (a - b)[~np.isnan(a - b)]
    if len(gap) < fewest(h):
        raise DataError(
            f"{len(gap)} losses are too few for a test at h={h}: {fewest(h)} are needed. Score more cutoffs."
        )
    return _tested(gap, h, variance, lags, alternative)


def compare_many(
    losses_a: ArrayLike,
    losses_b: ArrayLike,
    *,
    h: int = 1,
    variance: str = "cosine",
    lags: int | None = None,
    alternative: str = "two-sided",
) -> Comparisons:
    """Compare two models on each of many series by :func:`diebold_mariano`.

    Parameters
    ----------
    losses_a, losses_b : array-like ``[cutoffs, S]``
        Losses of the two models by cutoff, in order of time, and series; a pair with NaN is left out.
    h, variance, lags, alternative
        As in :func:`diebold_mariano`.

    Raises
    ------
    DataError
        For arrays that are not two tables of one shape. A series with too few losses is no error: it gets NaN.
    """
    a, b = np.asarray(losses_a, dtype=np.float64), np.asarray(losses_b, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape:
        raise DataError(f"Expected two tables [cutoffs, series] of one shape, got {a.shape} and {b.shape}.")
    _check(h, variance, lags, alternative)
    n = (~np.isnan(a - b)).sum(axis=0)
    columns = np.full((4, a.shape[1]), np.nan)
    enough = n >= fewest(h)
    for s in np.flatnonzero(enough).tolist():
        found = diebold_mariano(a[:, s], b[:, s], h=h, variance=variance, lags=lags, alternative=alternative)
        columns[:, s] = found.difference, found.standard_error, found.statistic, found.p_value
    difference, error, statistic, p_value = columns
    return Comparisons(difference, error, statistic, p_value, holm(p_value.tolist()), n, int((~enough).sum()))


def fewest(h: int) -> int:
    """Return how many losses a test needs at an overlap of ``h``."""
    return max(FEWEST, h + 1)


def _check(h: int, variance: str, lags: int | None, alternative: str) -> None:
    if h < 1 or (lags is not None and lags < 0):
        raise ConfigError(f"h is at least 1 and lags at least 0; got h={h!r} and lags={lags!r}.")
    if variance not in VARIANCES:
        raise ConfigError(
            f"variance is 'cosine', 'acf' or 'bartlett', got {variance!r}. {nearest(variance, VARIANCES)}"
        )
    if lags is not None and variance != "bartlett":
        raise ConfigError(f"lags={lags} is for variance='bartlett'; got variance={variance!r}. Leave lags out.")
    if alternative not in ALTERNATIVES:
        raise ConfigError(
            f"alternative is 'two-sided', 'less' (the first model's loss is smaller) or 'greater', got {alternative!r}."
            f" {nearest(alternative, ALTERNATIVES)}"
        )


def _tested(gap: Floats, h: int, variance: str, lags: int | None, alternative: str) -> Comparison:
    """Test the mean of loss differences ``[n]`` without NaN."""
    from scipy import special

    n, mean, correction = len(gap), float(gap.mean()), 1.0
    if variance == "cosine":
        freedom = max(1, int(min(0.4 * n ** (2 / 3), 0.6 * n / h)))
        spread = cosine_variance(gap, freedom, overlap=h) / n
    else:
        freedom = n - 1
        correction = (n + 1 - 2 * h + h * (h - 1) / n) / n
        spread = autocovariance_sum(gap, h - 1) / n if variance == "acf" else 0.0
        if spread <= TINY * mean**2:
            default = h - 1 if variance == "acf" else max(h - 1, int(np.ceil(n ** (1 / 3))))
            used, variance = default if lags is None else lags, "bartlett"
            spread = long_run_variance(gap, min(used, n - 1)) / n
    if spread <= TINY * mean**2:
        found, chance = (float("nan"), float("nan")) if mean else (0.0, 1.0)
        return Comparison(mean, 0.0, found, chance, n, freedom, variance, alternative)
    error = float(np.sqrt(spread / correction))
    below = float(special.stdtr(freedom, mean / error)), float(special.stdtr(freedom, -mean / error))
    chance = {"two-sided": 2 * min(below), "less": below[0], "greater": below[1]}[alternative]
    return Comparison(mean, error, mean / error, chance, n, freedom, variance, alternative)


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
    """
    centred = np.asarray(values, dtype=np.float64)
    centred = centred - centred.mean()
    n = len(centred)
    return sum((1 if k == 0 else 2) * float(centred[k:] @ centred[: n - k]) for k in range(min(lags, n - 1) + 1)) / n


def long_run_variance(values: ArrayLike, lags: int) -> float:
    """Variance of ``sqrt(n)`` times the mean of an autocorrelated series, by Bartlett weights (never negative)."""
    centred = np.asarray(values, dtype=np.float64)
    centred = centred - centred.mean()
    n = len(centred)
    total = float(centred @ centred)
    for k in range(1, lags + 1):
        total += 2 * (1 - k / (lags + 1)) * float(centred[k:] @ centred[:-k])
    return max(total, 0.0) / n


def holm(p_values: Sequence[float]) -> Floats:
    """Adjust p-values of many tests so that the chance of any false rejection keeps to the level (Holm 1979).

    NaN stays NaN and does not count as a test.
    """
    p = np.asarray(p_values, dtype=np.float64)
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    stepped = p[order] * (len(order) - np.arange(len(order)))
    out[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return out


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
