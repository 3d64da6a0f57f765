"""Whether one model's loss is lower than another's by more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.errors import ConfigError, DataError, nearest
from foretide.evaluation.compare.variances import FEWEST, autocovariance_sum, cosine_variance, long_run_variance
from foretide.forecasters.levels import interval_level

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from foretide.typing import Floats, Ints

VARIANCES = ("cosine", "acf", "bartlett")
ALTERNATIVES = ("two-sided", "less", "greater")
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

        Parameters
        ----------
        level : float
            In percent.

        Returns
        -------
        low, high : float
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
    loss_a: ArrayLike, loss_b: ArrayLike, *, h: int = 1, variance: str = "cosine", lags: int | None = None,
    alternative: str = "two-sided",
) -> Comparison:  # fmt: skip
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

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        For fewer than :data:`FEWEST` losses, or unequal numbers of them.
    ConfigError
        For an unknown variance or alternative, ``h`` below 1, or ``lags`` without Bartlett weights.

    Examples
    --------
    >>> a, b = [1.0, 2.0, 1.0, 3.0, 2.0, 1.0, 2.0, 1.0], [2.0, 2.5, 2.0, 3.5, 3.0, 1.5, 3.0, 2.0]
    >>> result = diebold_mariano(a, b)
    >>> result.difference, result.p_value < 0.05
    (-0.8125, True)
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
    losses_a: ArrayLike, losses_b: ArrayLike, *, h: int = 1, variance: str = "cosine", lags: int | None = None,
    alternative: str = "two-sided",
) -> Comparisons:  # fmt: skip
    """Compare two models on each of many series by :func:`diebold_mariano`.

    Parameters
    ----------
    losses_a, losses_b : array-like ``[cutoffs, S]``
        Losses of the two models by cutoff, in order of time, and series; a pair with NaN is left out.
    h, variance, lags, alternative
        As in :func:`diebold_mariano`.

    Returns
    -------
    Comparisons

    Raises
    ------
    DataError
        For arrays that are not two tables of one shape. A series with too few losses is no error: it gets NaN.

    Examples
    --------
    >>> import numpy as np
    >>> a, b = np.random.default_rng(0).gamma(2.0, size=(2, 20, 3))
    >>> compare_many(a, b).n.tolist()
    [20, 20, 20]
    """
    a, b = np.asarray(losses_a, dtype=np.float64), np.asarray(losses_b, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape:
        raise DataError(f"Expected two tables [cutoffs, series] of one shape, got {a.shape} and {b.shape}.")
    _check(h, variance, lags, alternative)
    n = (~np.isnan(a - b)).sum(axis=0)
    columns = np.full((4, a.shape[1]), np.nan)
    enough = n >= fewest(h)
    for s in np.flatnonzero(enough).tolist():
        test = diebold_mariano(a[:, s], b[:, s], h=h, variance=variance, lags=lags, alternative=alternative)
        columns[:, s] = test.difference, test.standard_error, test.statistic, test.p_value
    difference, error, statistic, p_value = columns
    return Comparisons(difference, error, statistic, p_value, holm(p_value.tolist()), n, int((~enough).sum()))


def fewest(h: int) -> int:
    """Return how many losses a test needs at an overlap of ``h``.

    Parameters
    ----------
    h : int
        Steps that neighbouring forecasts share.

    Returns
    -------
    int

    Examples
    --------
    >>> fewest(1), fewest(12)
    (8, 13)
    """
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
        statistic, p_value = (float("nan"), float("nan")) if mean else (0.0, 1.0)
        return Comparison(mean, 0.0, statistic, p_value, n, freedom, variance, alternative)
    error = float(np.sqrt(spread / correction))
    below = float(special.stdtr(freedom, mean / error)), float(special.stdtr(freedom, -mean / error))
    p_value = {"two-sided": 2 * min(below), "less": below[0], "greater": below[1]}[alternative]
    return Comparison(mean, error, mean / error, p_value, n, freedom, variance, alternative)


def holm(p_values: Sequence[float]) -> Floats:
    """Adjust p-values of many tests so that the chance of any false rejection keeps to the level (Holm 1979).

    NaN stays NaN and does not count as a test.

    Parameters
    ----------
    p_values : sequence of float

    Returns
    -------
    float array of the same length

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    stepped = p[order] * (len(order) - np.arange(len(order)))
    out[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return out
