"""Whether one model's loss is lower than another's by more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

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
        Of the difference, robust to autocorrelation.
    statistic, p_value : float
        Two-sided.
    n : int
        Losses compared.
    freedom : int
        Degrees of freedom of Student's t that the statistic is held against.
    """

    difference: float
    standard_error: float
    statistic: float
    p_value: float
    n: int
    freedom: int


def diebold_mariano(
    loss_a: Any, loss_b: Any, *, h: int = 1, variance: str = "cosine", lags: int | None = None
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
    variance : {"cosine", "bartlett"}
        ``"cosine"``: equal weights on the first ``0.4 n^(2/3)`` cosine transforms (at most ``0.6 n / h``), Student's t
        with as many degrees of freedom (Lazarus, Lewis, Stock & Watson 2018), which holds the level on few losses.
        ``"bartlett"``: Newey & West (1987) with the correction of Harvey, Leybourne & Newbold (1997), as in other
        libraries, which rejects too often: 8 % instead of 5 % at 60 independent losses.
    lags : int, optional
        Of the Bartlett weights; ``max(h - 1, ceil(n ** (1 / 3)))`` by default.

    Raises
    ------
    DataError
        For fewer than :data:`FEWEST` losses, or unequal numbers of them.
    """
    from scipy import stats

    a, b = np.asarray(loss_a, dtype=np.float64), np.asarray(loss_b, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise DataError(f"Expected two lists of losses of equal length, got shapes {a.shape} and {b.shape}.")
    if h < 1 or (lags is not None and lags < 0):
        raise ConfigError(f"h is at least 1 and lags at least 0; got h={h!r} and lags={lags!r}.")
    if variance not in ("cosine", "bartlett"):
        raise ConfigError(f"variance is 'cosine' or 'bartlett', got {variance!r}.")
    gap = (a - b)[~np.isnan(a - b)]
    n = len(gap)
    if n < max(FEWEST, h + 1):
        raise DataError(
            f"{n} losses are too few for a test at h={h}: {max(FEWEST, h + 1)} are needed. Score more cutoffs."
        )
    mean, correction = float(gap.mean()), 1.0
    if variance == "cosine":
        freedom = max(1, int(min(0.4 * n ** (2 / 3), 0.6 * n / h)))
        spread = cosine_variance(gap, freedom) / n
    else:
        freedom = n - 1
        used = max(h - 1, int(np.ceil(n ** (1 / 3)))) if lags is None else lags
        spread = long_run_variance(gap, min(used, n - 1)) / n
        correction = float(np.sqrt(max(n + 1 - 2 * h + h * (h - 1) / n, 0.0) / n))
    if spread <= TINY * mean**2 or spread == 0:
        return Comparison(mean, 0.0, float("nan") if mean else 0.0, float("nan") if mean else 1.0, n, freedom)
    statistic = float(correction * mean / np.sqrt(spread))
    p_value = float(2 * stats.t.sf(abs(statistic), freedom))
    return Comparison(mean, float(np.sqrt(spread)), statistic, p_value, n, freedom)


def cosine_variance(values: Any, terms: int) -> float:
    """Variance of ``sqrt(n)`` times the mean of an autocorrelated series, from its slowest cosine transforms."""
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    waves = np.cos(np.pi * np.outer(np.arange(1, terms + 1), np.arange(n) + 0.5) / n)
    return float(np.mean((np.sqrt(2 / n) * waves @ x) ** 2))


def long_run_variance(values: Any, lags: int) -> float:
    """Variance of ``sqrt(n)`` times the mean of an autocorrelated series, by Bartlett weights (never negative)."""
    centred = np.asarray(values, dtype=np.float64) - np.mean(values)
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
    values: Any, rng: np.random.Generator, *, block: int | None = None, level: float = 95, n_draws: int = 2000
) -> tuple[float, float]:
    """Interval of the mean of an autocorrelated series by the moving-block bootstrap (Künsch 1989).

    Parameters
    ----------
    values : array-like ``[n]``
        In order of time, e.g. loss differences by cutoff.
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
    if not 1 <= size <= n or not 0 < level < 100 or n_draws < 1:
        raise ConfigError(f"block lies in 1 .. {n}, level in 0 .. 100; got block={block!r}, level={level!r}.")
    sums = np.concatenate([[0.0], np.cumsum(x)])
    whole, rest = divmod(n, size)
    starts = rng.integers(0, n - size + 1, size=(n_draws, whole))
    total = (sums[starts + size] - sums[starts]).sum(axis=1)
    if rest:
        last = rng.integers(0, n - rest + 1, size=n_draws)
        total += sums[last + rest] - sums[last]
    low, high = np.quantile(total / n, [0.5 - level / 200, 0.5 + level / 200])
    return float(low), float(high)
