"""The dispersion of negative binomial distributions by maximum likelihood, many series at once (no torch)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from foretide.heads.nbinom import rising
from foretide.typing import Floats, Ints

DISPERSIONS = (1e-4, 1e6)
"""Bounds of a fitted dispersion."""
UNKNOWN = 10.0
"""Dispersion where not one count above zero was seen, so that nothing is known of it: a little wider than Poisson."""
BIN, SMALLEST_BIN, MOST_BINS = 0.02, 1e-6, 16
"""To fit a dispersion, means whose logarithms differ by less are taken together, and so are all that are smaller; not
where that would take more than so many bins for each element."""


def fit_of_series(
    mean: Floats,
    y: Floats,
    series: Ints,
    n: int,
    *,
    weights: Floats | None = None,
    zero_probability: Floats | float | None = None,
    log_factor: Floats | None = None,
    spread: float | None = 1.0,
    pooled: float | None = None,
) -> Floats:
    """Dispersion of each series by maximum likelihood, drawn towards the one of all series together.

    Parameters
    ----------
    mean, y : arrays ``[E]``
        Forecast means and observed counts of all elements; a ``y`` of NaN was not observed.
    series, n : int array ``[E]``, int
        Which of ``n`` series an element belongs to.
    weights : array ``[E]``, optional
        Weight of each element in the likelihood.
    zero_probability : array ``[E]`` or float, optional
        Of a zero-inflated distribution with ``mean`` as the mean of its other part.
    log_factor : array ``[E]``, optional
        Logarithm of a known factor on each element's dispersion.
    spread : float or None
        Standard deviation of ``ln theta`` among series that is thought plausible beforehand: the log-likelihood is
        lowered by ``(ln theta - ln pooled)^2 / (2 spread^2)``. None: no drawing together.
    pooled : float, optional
        Where to draw towards; the maximum likelihood of all series together by default.

    Returns
    -------
    float64 array ``[n]``
        Inside :data:`DISPERSIONS`. A series without information gets the pooled value.
    """
    w = np.ones(len(y)) if weights is None else weights
    pi = None if zero_probability is None else np.broadcast_to(zero_probability, y.shape)
    known = np.isfinite(y) & (w > 0) & (mean > 0)
    if not (y[known] > 0).any():
        without = UNKNOWN if known.any() else 1.0
        return np.full(n, without if pooled is None else float(np.clip(pooled, *DISPERSIONS)))
    likelihood = _Likelihood(
        y[known], mean[known], w[known], series[known],
        None if pi is None else pi[known], None if log_factor is None else log_factor[known],
    )  # fmt: skip
    low, high = np.log(DISPERSIONS)
    grid = np.linspace(low, high, 15)
    values = np.stack([likelihood(np.full(n, x)) for x in grid])
    if pooled is None and spread is not None:
        summed = values.sum(axis=1, keepdims=True)
        centre = float(_search(lambda x: likelihood(np.repeat(x, n)).sum(keepdims=True), grid, summed)[0])
    else:
        centre = float(np.log(np.clip(1.0 if pooled is None else pooled, *DISPERSIONS)))

    def lowered(likelihoods: Floats, x: Floats) -> Floats:
        return likelihoods if spread is None else likelihoods - (x - centre) ** 2 / (2.0 * spread**2)

    return np.asarray(np.exp(_search(lambda x: lowered(likelihood(x), x), grid, lowered(values, grid[:, None]))))


class _Likelihood:
    """Log-likelihood of each series, parts that do not depend on the dispersion left out.

    Elements are gathered first: a term of the mean is the same for all means in a narrow bin, and a term of the count
    for all equal counts. The likelihood is asked for a hundred times, so the sums are taken once.
    """

    def __init__(
        self, counts: Floats, mu: Floats, weights: Floats, series: Ints, pi: Floats | None, factor: Floats | None
    ) -> None:
        # Elements of a group share series, factor and zero probability.
        self.owner, self.factor, self.pi, group = _groups(series, factor, pi)
        n, some = len(self.owner), counts > 0
        falling = some if pi is not None else slice(None)
        self.falls = _binned(group[falling], n, mu[falling], weights[falling])
        self.rises = _binned(group[some], n, mu[some], (weights * counts)[some])
        self.table = _tabled(group[some], n, counts[some], weights[some])
        self.zeros = None if pi is None else _binned(group[~some], n, mu[~some], weights[~some])

    def __call__(self, log_dispersion: Floats) -> Floats:
        """``[S]`` log dispersions -> ``[S]`` log-likelihoods."""
        thetas = np.exp(log_dispersion[self.owner] + self.factor)
        group, mu, weight = self.falls
        theta = thetas[group]
        out = _sums(group, -weight * theta * np.log1p(mu / theta), len(thetas))
        group, mu, weight = self.rises
        out -= _sums(group, weight * np.log1p(mu / thetas[group]), len(thetas))
        group, counts, weight = self.table
        out += _sums(group, weight * rising(counts, thetas[group]), len(thetas))
        if self.zeros is not None:
            group, mu, weight = self.zeros
            theta, pi = thetas[group], self.pi[group]
            with np.errstate(divide="ignore"):
                at_zero = np.logaddexp(np.log(pi), np.log1p(-pi) - theta * np.log1p(mu / theta))
            out += _sums(group, weight * at_zero, len(thetas))
        return _sums(self.owner, out, len(log_dispersion))


def _groups(series: Ints, factor: Floats | None, pi: Floats | None) -> tuple[Ints, Floats, Floats, Ints]:
    """Series, log factor and zero probability of each group, and the group of each element."""
    n = int(series.max(initial=-1)) + 1
    given = [np.zeros(len(series)) if a is None else a for a in (factor, pi)]
    firsts = []
    for values in given:
        first = np.zeros(n)
        first[series] = values
        firsts.append(first)
    if all(np.array_equal(first[series], values) for first, values in zip(firsts, given, strict=True)):
        return np.arange(n), firsts[0], firsts[1], series
    key = series.astype(np.int64)
    for values in given:
        kinds, rank = np.unique(values, return_inverse=True)
        key = key * len(kinds) + rank.reshape(-1)
    _, where, group = np.unique(key, return_index=True, return_inverse=True)
    return series[where], given[0][where], given[1][where], group.reshape(-1).astype(np.int64)


def _binned(group: Ints, n: int, mu: Floats, weight: Floats) -> tuple[Ints, Floats, Floats]:
    """Group, mean and sum of weights of all elements of a group whose means are within :data:`BIN` of each other.

    A bin stands at its weighted mean, so that what is linear in the mean stays as it is.
    """
    if not len(mu):
        return group, mu, weight
    place = np.floor(np.log(np.maximum(mu, SMALLEST_BIN)) / BIN).astype(np.int64)
    place -= place.min()
    width = int(place.max()) + 1
    if n * width > MOST_BINS * len(mu):
        return group, mu, weight
    cell = group * width + place
    total = _sums(cell, weight, n * width)
    filled = np.flatnonzero(total > 0).astype(np.int64)
    mean = _sums(cell, weight * mu, n * width)[filled] / total[filled]
    return _owner(filled, width), mean, np.asarray(total[filled])


def _tabled(group: Ints, n: int, counts: Floats, weight: Floats) -> tuple[Ints, Floats, Floats]:
    """Group, count and sum of weights of all elements of a group with the same count."""
    width = int(min(counts.max(initial=0.0), 1e9)) + 1
    if n * width > MOST_BINS * len(counts) or not np.array_equal(counts, np.floor(counts)):
        return group, counts, weight
    cell = group * width + counts.astype(np.int64)
    total = _sums(cell, weight, n * width)
    filled = np.flatnonzero(total > 0).astype(np.int64)
    return _owner(filled, width), np.asarray(filled % width, dtype=np.float64), np.asarray(total[filled])


def _sums(where: Ints, values: Floats, n: int) -> Floats:
    """Sum of the values of each place ``[n]``; float also where there are none."""
    return np.asarray(np.bincount(where, values, n), dtype=np.float64)


def _owner(cells: Ints, width: int) -> Ints:
    return np.asarray(cells // width, dtype=np.int64)


def _search(objective: Callable[[Floats], Floats], grid: Floats, values: Floats) -> Floats:
    """Maximise ``objective`` ``[n] -> [n]`` in each coordinate, whose ``values`` ``[G, n]`` on a grid are known."""
    best = np.argmax(values, axis=0)
    a, b = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, len(grid) - 1)]
    golden = 0.5 * (np.sqrt(5.0) - 1.0)
    c, d = b - golden * (b - a), a + golden * (b - a)
    at_c, at_d = objective(c), objective(d)
    for _ in range(18):
        left = at_c > at_d
        a, b = np.where(left, a, c), np.where(left, d, b)
        kept, at_kept = np.where(left, c, d), np.where(left, at_c, at_d)
        fresh = np.where(left, b - golden * (b - a), a + golden * (b - a))
        at_fresh = objective(fresh)
        c, d = np.where(left, fresh, kept), np.where(left, kept, fresh)
        at_c, at_d = np.where(left, at_fresh, at_kept), np.where(left, at_kept, at_fresh)
    return np.asarray(0.5 * (a + b))
