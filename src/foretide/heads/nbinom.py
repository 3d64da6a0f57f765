"""The negative binomial distribution in numpy: probabilities, quantiles and samples (no torch).

Mean ``mu`` and dispersion ``theta``: the variance is ``mu + mu^2 / theta`` (NB2 of Cameron & Trivedi 1998). An infinite
dispersion is the Poisson distribution, a mean of zero puts everything on zero. With a ``zero_probability`` ``pi`` the
distribution is the zero-inflated one, whose mean is ``(1 - pi) mu``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from foretide.errors import ConfigError
from foretide.typing import Floats, Ints

POISSON = 1e30
"""A dispersion from here on is taken as this one, which is Poisson to the last bit and still a number."""
STIRLING = 1e3
"""From here on differences of log-gamma come from Stirling's series, whose terms do not cancel."""
SMALL_MEAN, STEPS, CHUNK = 100.0, 256, 65_536
"""Quantiles of smaller means are counted up from zero for at most so many steps, so many elements at a time."""
SLACK = 1e-12
"""A cumulative probability this close below a level counts as having reached it."""


def log_pmf(y: ArrayLike, mean: ArrayLike, dispersion: ArrayLike, zero_probability: ArrayLike | None = None) -> Floats:
    """Logarithm of the probability of ``y``. Arguments broadcast.

    Parameters
    ----------
    y : array
        Counts.
    mean, dispersion : arrays
    zero_probability : array, optional

    Returns
    -------
    float64 array
        -inf where ``y`` is negative or not whole.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.heads.nbinom import log_pmf
    >>> np.exp(log_pmf([0, 1], 2.0, np.inf)).round(4).tolist()
    [0.1353, 0.2707]
    """
    count, mu = np.asarray(y, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    theta = np.minimum(np.asarray(dispersion, dtype=np.float64), POISSON)
    legal = (count >= 0) & (count == np.floor(count))
    k = np.where(legal, count, 0.0)
    with np.errstate(over="ignore"):
        spread = np.log1p(mu / theta)
    out = rising(k, theta) - (theta + k) * spread + special.xlogy(k, mu) - special.gammaln(k + 1.0)
    if zero_probability is not None:
        pi = np.asarray(zero_probability, dtype=np.float64)
        with np.errstate(divide="ignore"):
            out = np.log1p(-pi) + out
            out = np.where(k == 0, np.logaddexp(np.log(pi), out), out)
    return np.asarray(np.where(legal, out, -np.inf))


def rising(k: Floats, theta: Floats) -> Floats:
    """``ln G(k + theta) - ln G(theta) - k ln theta`` without loss of digits for a large ``theta``."""
    small = np.minimum(theta, STIRLING)
    plain = special.gammaln(k + small) - special.gammaln(small) - k * np.log(small)
    large = np.maximum(theta, STIRLING)
    series = (k + large - 0.5) * np.log1p(k / large) - k - k / (12.0 * large * (k + large))
    return np.asarray(np.where(theta < STIRLING, plain, series))


def cdf(y: ArrayLike, mean: ArrayLike, dispersion: ArrayLike, zero_probability: ArrayLike | None = None) -> Floats:
    """Probability of at most ``y``. Arguments broadcast.

    Parameters
    ----------
    y : array
        Counts.
    mean, dispersion : arrays
    zero_probability : array, optional

    Returns
    -------
    float64 array

    Examples
    --------
    >>> from foretide.heads.nbinom import cdf
    >>> cdf([0, 3], 2.0, 1.0).round(4).tolist()
    [0.3333, 0.8025]
    """
    k, mu, theta = np.broadcast_arrays(
        np.floor(np.asarray(y, dtype=np.float64)),
        np.asarray(mean, dtype=np.float64),
        np.minimum(np.asarray(dispersion, dtype=np.float64), POISSON),
    )
    at = np.maximum(k, 0.0)
    near = mu < theta  # the smaller of both ratios keeps its digits; the other branch would cost as much again
    far = ~near
    out = np.empty(mu.shape)
    out[near] = special.betaincc(at[near] + 1.0, theta[near], mu[near] / (mu[near] + theta[near]))
    out[far] = special.betainc(theta[far], at[far] + 1.0, theta[far] / (mu[far] + theta[far]))
    # So far up the beta function gives way, and the two distributions differ by less than it is off.
    poisson = theta > 1e10 * np.maximum(mu, 1.0)
    if poisson.any():
        out = np.where(poisson, special.gammaincc(at + 1.0, mu), out)
    out = np.where(mu == 0, 1.0, out)
    if zero_probability is not None:
        pi = np.asarray(zero_probability, dtype=np.float64)
        out = pi + (1.0 - pi) * out
    return np.asarray(np.where(k < 0, 0.0, out))


def quantiles(
    levels: Sequence[float] | ArrayLike,
    mean: ArrayLike,
    dispersion: ArrayLike,
    zero_probability: ArrayLike | None = None,
) -> Floats:
    """Smallest whole number whose cumulative probability reaches each level.

    Parameters
    ----------
    levels : sequence of float ``[Q]``
        Between 0 and 1, in any order.
    mean, dispersion, zero_probability : arrays
        Broadcast to a common shape ``[...]``.

    Returns
    -------
    float64 array ``[..., Q]``
        Whole numbers of at least 0.

    Examples
    --------
    >>> from foretide.heads.nbinom import quantiles
    >>> quantiles((0.1, 0.5, 0.9), [0.2, 20.0], 3.0).tolist()
    [[0.0, 0.0, 1.0], [6.0, 18.0, 37.0]]
    """
    q = np.atleast_1d(np.asarray(levels, dtype=np.float64))
    if q.ndim != 1 or not ((q > 0) & (q < 1)).all():
        raise ConfigError(f"Levels of quantiles lie between 0 and 1, got {levels!r}. Try (0.1, 0.5, 0.9).")
    arrays = [np.asarray(a, dtype=np.float64) for a in (mean, dispersion)]
    arrays.append(np.asarray(0.0 if zero_probability is None else zero_probability, dtype=np.float64))
    mu, theta, pi = np.broadcast_arrays(*arrays)
    shape = mu.shape
    mu, theta, pi = mu.reshape(-1), np.minimum(theta.reshape(-1), POISSON), pi.reshape(-1)
    out = np.zeros((mu.size, q.size))
    inflated, q = zero_probability is not None, q * (1.0 - SLACK)
    for low in range(0, mu.size, CHUNK):
        at = slice(low, low + CHUNK)
        wanted = np.broadcast_to(q, out[at].shape)
        if inflated:
            # At or below pi the answer is zero, and what is left is spread over the distribution that is not inflated.
            wanted = np.clip((q - pi[at, None]) / np.maximum(1.0 - pi[at, None], 1e-300), 0.0, 1.0)
        out[at] = _quantiles(wanted, mu[at], theta[at])
    return out.reshape(*shape, q.size)


def at_levels(level: ArrayLike, mean: ArrayLike, dispersion: ArrayLike, zero_probability: ArrayLike) -> Floats:
    """Quantile of each element at a level of its own; arguments broadcast. At random levels these are draws.

    Parameters
    ----------
    level, mean, dispersion, zero_probability : arrays
        A negative zero probability makes zeros rarer than in the negative binomial distribution.

    Returns
    -------
    float64 array

    Examples
    --------
    >>> from foretide.heads.nbinom import at_levels
    >>> at_levels([0.5, 0.9], 20.0, 3.0, 0.0).tolist()
    [18.0, 37.0]
    """
    given = [np.asarray(a, dtype=np.float64) for a in (level, mean, dispersion, zero_probability)]
    q, mu, theta, pi = (a.ravel() for a in np.broadcast_arrays(*given))
    wanted = np.clip((q * (1.0 - SLACK) - pi) / np.maximum(1.0 - pi, 1e-300), 0.0, 1.0)
    found = _quantiles(wanted[:, None], mu, np.minimum(theta, POISSON))[:, 0]
    return found.reshape(np.broadcast_shapes(*(a.shape for a in given)))


def _quantiles(wanted: Floats, mu: Floats, theta: Floats) -> Floats:
    """Quantiles at levels ``[n, Q]``, one distribution a row: small means counted up from zero, others searched."""
    out = np.zeros(wanted.shape)
    small = np.flatnonzero((mu <= SMALL_MEAN) & (mu > 0))
    late = np.flatnonzero(mu > SMALL_MEAN)
    if small.size:
        out[small], left = _counted(wanted[small], mu[small], theta[small])
        late = np.concatenate([late, small[left]])
    if late.size:
        flat = [np.repeat(a[late], wanted.shape[1]) for a in (mu, theta)]
        out[late] = _searched(wanted[late].reshape(-1), *flat).reshape(len(late), -1)
    return out


def _counted(goal: Floats, mu: Floats, theta: Floats) -> tuple[Floats, Ints]:
    """Add probabilities up from zero; also return the elements that are not done after :data:`STEPS` steps."""
    out = np.zeros(goal.shape)
    live = np.arange(len(mu))
    top = goal.max(axis=1)
    with np.errstate(over="ignore"):
        p = np.exp(-theta * np.log1p(mu / theta))
    ratio, total, size = mu / (mu + theta), p.copy(), theta
    found = np.zeros(goal.shape)
    for k in range(STEPS):
        short = total < top
        n_short = int(short.sum())
        if n_short < 0.7 * len(live) or not n_short:
            out[live] = found
            live, p, ratio, total, size = live[short], p[short], ratio[short], total[short], size[short]
            goal, top, found = goal[short], top[short], found[short]
            if not n_short:
                return out, live
        found += total[:, None] < goal
        p = p * ((k + size) * ratio / (k + 1.0))
        total = total + p
    out[live] = found
    return out, live[total < top]


def _searched(goal: Floats, mu: Floats, theta: Floats) -> Floats:
    """Bracketed Newton steps on the cumulative probability, from a gamma quantile; all arrays ``[n]``."""
    sd = np.sqrt(mu) * np.sqrt(1.0 + mu / theta)
    # Beyond the sample's reach a distribution with a tiny dispersion has no end: a level of one is never reached.
    low, high = np.full(mu.shape, -1.0), np.full(mu.shape, np.inf)
    shape = 1.0 / (1.0 / theta + 1.0 / np.maximum(mu, 1e-300))  # gamma distribution with the same mean and variance
    guess = np.floor(special.gammaincinv(shape, np.minimum(goal, 1.0 - 1e-15)) * mu / shape)
    guess = np.where(np.isfinite(guess), guess, mu + 3.0 * sd)
    live = np.arange(len(mu))
    for turn in range(400):
        at = np.clip(guess[live], low[live] + 1.0, np.where(np.isinf(high[live]), 1e300, high[live] - 1.0))
        m, t, g = mu[live], theta[live], goal[live]
        below = cdf(at, m, t)
        reached = below >= g
        high[live] = np.where(reached, at, high[live])
        low[live] = np.where(reached, low[live], at)
        wide = high[live] - low[live]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = np.round(at + (g - below) / np.exp(log_pmf(at, m, t)))
            middle = np.floor(0.5 * (low[live] + high[live]))
        unbounded = np.isinf(high[live])
        newton = np.where(np.isfinite(newton), newton, np.where(unbounded, 2.0 * at + sd[live] + 1.0, middle))
        limit = np.where(unbounded, 4.0 * at + 2.0 * sd[live] + 8.0, np.inf)
        step = middle if turn % 3 == 2 else newton
        guess[live] = np.minimum(np.where(unbounded, np.maximum(newton, low[live] + 1.0), step), limit)
        live = live[(wide > np.maximum(1.0, 1e-15 * np.abs(low[live]))) & (low[live] < 1e17)]
        if not live.size:
            break
    return np.where(np.isinf(high), low, high)


def sample(
    generator: np.random.Generator,
    mean: ArrayLike,
    dispersion: ArrayLike,
    zero_probability: ArrayLike | None = None,
    n: int | None = None,
) -> Floats:
    """Draw counts: one of each distribution ``[...]``, or ``n`` of each ``[n, ...]``."""
    given = [mean, dispersion, 0.0 if zero_probability is None else zero_probability]
    mu, theta, pi = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in given))
    size = mu.shape if n is None else (n, *mu.shape)
    poisson = theta > 1e15 * np.maximum(mu, 1.0)
    rate = np.where(poisson, mu, generator.gamma(np.where(poisson, 1.0, theta), size=size) * (mu / theta))
    counts = generator.poisson(np.minimum(rate, 1e18)).astype(np.float64)
    return counts if zero_probability is None else np.where(generator.random(size) < pi, 0.0, counts)
