"""Synthetic series for :mod:`pretrain`: nothing in them comes from a data set.

A draw is a block ``[T, n]`` of series of one length and one season: a path of roughly unit spread by one of five
processes, then put on a scale, as a sum or as factors, whole or not, with level shifts, outliers and gaps.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Rng = np.random.Generator
Paths = np.ndarray

SEASONS = {1: 0.24, 4: 0.16, 12: 0.28, 7: 0.18, 24: 0.06, 52: 0.03, 5: 0.02, 6: 0.01, 48: 0.02}
"""Steps of a season, and how often."""
LENGTHS = {
    1: (5, 120),
    4: (8, 160),
    5: (15, 400),
    6: (10, 200),
    7: (14, 500),
    12: (13, 360),
    24: (48, 500),
    48: (96, 500),
    52: (56, 400),
}
AHEAD = {1: 16, 4: 16, 5: 30, 6: 18, 7: 64, 12: 36, 24: 120, 48: 120, 52: 60}
"""Steps ahead at most."""


def pick(rng: Rng, n: int, shares: Mapping[int, float]) -> np.ndarray:
    """Draw keys as often as their shares say."""
    keys = np.array(list(shares))
    weight = np.array(list(shares.values()), dtype=float)
    return rng.choice(keys, n, p=weight / weight.sum())


def log_uniform(rng: Rng, low: float, high: float, size: int | None = None) -> np.ndarray:
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def some(rng: Rng, n: int, share: float) -> np.ndarray:
    return rng.random(n) < share


def unit(z: Paths) -> Paths:
    z = z - z.mean(axis=0)
    return z / np.maximum(z.std(axis=0), 1e-9)


def profile(rng: Rng, n: int, m: int) -> np.ndarray:
    """Season terms ``[m, n]`` of unit spread: waves, single steps, or any."""
    if m == 1:
        return np.zeros((1, n))
    t = np.arange(m)[:, None, None] / m
    order = np.arange(1, max(m // 2, 1) + 1)
    decay = order[None, :] ** -rng.uniform(0, 3, (n, 1))
    waves = (
        rng.normal(0, 1, (n, len(order))) * decay * np.cos(2 * np.pi * (t * order + rng.random((n, len(order)))))
    ).sum(axis=2)
    steps = rng.normal(0, 1, (m, n)) * (rng.random((m, n)) < log_uniform(rng, 1.5 / m, 1, n))
    loose = rng.standard_t(4, (m, n))
    which = rng.choice(3, n, p=[0.55, 0.25, 0.2])
    return unit(np.where(which == 0, waves, np.where(which == 1, steps, loose)))


def seasonal(rng: Rng, n: int, T: int, m: int) -> Paths:
    """A season that stays, grows, breathes, or is replaced by another one bit by bit."""
    if m == 1:
        return np.zeros((T, n))
    t = np.arange(T)
    first, second = profile(rng, n, m)[t % m], profile(rng, n, m)[t % m]
    share = np.clip((t[:, None] / T - rng.uniform(-0.2, 0.8, n)) / rng.uniform(0.1, 1.0, n), 0, 1) * some(rng, n, 0.2)
    size = np.exp(np.cumsum(rng.normal(0, 1, (T, n)), axis=0) * (0.3 / np.sqrt(T)) * some(rng, n, 0.4))
    return ((1 - share) * first + share * second) * size


def noise(rng: Rng, n: int, T: int) -> Paths:
    """Unit noise: normal or heavy-tailed, dependent or not, of constant or moving size."""
    e = np.where(some(rng, n, 0.3), rng.standard_t(4, (T, n)) / np.sqrt(2), rng.normal(0, 1, (T, n)))
    calm = np.exp(np.cumsum(rng.normal(0, 1, (T, n)), axis=0) * (0.8 / np.sqrt(T)) * some(rng, n, 0.3))
    e *= calm
    phi = np.where(some(rng, n, 0.5), rng.uniform(-0.4, 0.95, n), 0.0)
    x, out = np.zeros(n), np.empty((T, n))
    for t in range(T):
        x = phi * x + e[t]
        out[t] = x
    return out * np.sqrt(1 - phi**2)


def trend(rng: Rng, n: int, T: int) -> Paths:
    """Lines, broken lines, damped lines, random walks and smooth curves of total change about 1."""
    t = np.arange(T)[:, None] / T
    sign = rng.choice([-1.0, 1.0, 1.0], n)
    line = sign * t
    breaks, bends = rng.random((5, n)), rng.normal(0, 1.8, (5, n)) * (rng.random((5, n)) < 0.5)
    broken = line + (bends[:, None] * np.maximum(t[None] - breaks[:, None], 0)).sum(axis=0)
    rate = log_uniform(rng, 1, 10, n)
    damped = sign * (1 - np.exp(-rate * t))
    late = sign * (np.exp(rate * 0.4 * t) - 1) / (np.exp(rate * 0.4) - 1)
    walk = np.cumsum(rng.normal(0, 1, (T, n)), axis=0) / np.sqrt(T)
    drifting = walk * rng.uniform(0.3, 1.5, n) + line
    smooth = np.cumsum(np.cumsum(rng.normal(0, 1, (T, n)), axis=0), axis=0) / T**1.5
    turning = np.zeros((T, n))
    slope, hold = np.zeros(n), rng.uniform(0.8, 0.99, n)
    for i in range(T):
        slope = hold * slope + rng.normal(0, 1, n) * (1 - hold)
        turning[i] = slope
    turning = np.cumsum(turning, axis=0) / np.sqrt(T)
    shares = [0.12, 0.12, 0.20, 0.08, 0.05, 0.13, 0.12, 0.06, 0.12]
    which = rng.choice(9, n, p=shares)
    every = [0 * line, line, broken, damped, late, walk, drifting, smooth, turning]
    return np.choose(which, [np.broadcast_to(x, (T, n)) for x in every])


def structural(rng: Rng, n: int, T: int, m: int) -> Paths:
    """Trend + season + noise + jumps, in any proportion."""
    z = trend(rng, n, T) * log_uniform(rng, 0.3, 12, n)
    z += seasonal(rng, n, T, m) * log_uniform(rng, 0.1, 6, n) * some(rng, n, 0.85)
    z += noise(rng, n, T) * np.where(some(rng, n, 0.15), 0.05, rng.uniform(0.1, 1.2, n))
    jumps = np.cumsum((rng.random((T, n)) < rng.uniform(0, 3, n) / T) * rng.normal(0, 3, (T, n)), axis=0)
    return z + jumps * some(rng, n, 0.25)


def smoothed(rng: Rng, n: int, T: int, m: int) -> Paths:
    """Exponential smoothing processes: level, damped trend and season driven by one error."""
    alpha, phi = rng.beta(1, 1, n), np.where(some(rng, n, 0.5), rng.uniform(0.8, 1.0, n), 1.0)
    beta = alpha * rng.beta(1, 6, n) * some(rng, n, 0.6)
    gamma = (1 - alpha) * rng.beta(1, 6, n) * some(rng, n, 0.6)
    e = rng.normal(0, 1, (T, n))
    level, slope = np.zeros(n), rng.normal(0, 1, n) * log_uniform(rng, 0.01, 1, n) * some(rng, n, 0.6) / np.sqrt(T)
    s = profile(rng, n, m) * log_uniform(rng, 0.3, 8, n) * (m > 1) * some(rng, n, 0.85)
    out = np.empty((T, n))
    for t in range(T):
        slope = phi * slope
        out[t] = level + slope + s[t % m] + e[t]
        level = level + slope + alpha * e[t]
        slope = slope + beta * e[t]
        s[t % m] += gamma * e[t]
    return out


def autoregressive(rng: Rng, n: int, T: int, m: int) -> Paths:
    """Autoregressions with a season that moves, integrated or not."""
    p1, p2 = rng.uniform(-0.5, 0.98, n), rng.uniform(-0.7, 0.5, n)
    p2 = np.where(some(rng, n, 0.5), 0.0, p2)
    f1, f2, theta = p1 * (1 - p2), p2, np.where(some(rng, n, 0.5), rng.uniform(-0.8, 0.6, n), 0.0)
    far = np.where(some(rng, n, 0.4), 1.0, rng.uniform(0.3, 0.98, n)) * (m > 1)
    e, w = rng.normal(0, 1, (T, n)), rng.normal(0, 1, (T, n)) * log_uniform(rng, 0.02, 0.7, n)
    x = np.zeros((T + 2, n))
    s = np.zeros((T + m, n))
    s[:m] = profile(rng, n, m) * log_uniform(rng, 0.3, 6, n) * (m > 1)
    for t in range(T):
        x[t + 2] = f1 * x[t + 1] + f2 * x[t] + e[t] + theta * e[t - 1]
        s[t + m] = far * s[t] + w[t]
    x, s = x[2:], s[m:] * (m > 1)
    once, twice = np.cumsum(x, axis=0), np.cumsum(np.cumsum(x, axis=0), axis=0)
    drift = np.arange(T)[:, None] * rng.normal(0, 0.3, n) * some(rng, n, 0.4)
    which = rng.choice(3, n, p=[0.45, 0.5, 0.05])
    return np.choose(which, [x / np.maximum(x.std(axis=0), 1e-9), once + drift, twice / 3]) + s * some(rng, n, 0.8)


def kernels(rng: Rng, n: int, T: int, m: int) -> Paths:
    """Sums and products of draws from Gaussian processes, by random waves."""
    t = np.arange(T)[:, None, None]

    def draw() -> Paths:
        size = np.where(some(rng, n, 0.5), log_uniform(rng, 2, T, n), log_uniform(rng, T / 8, 2 * T, n))
        rough = np.where(some(rng, n, 0.3), rng.standard_t(2, (24, n)), rng.normal(0, 1, (24, n))).T / size[:, None]
        curve = (rng.normal(0, 1, (n, 24)) * np.cos(t * rough + rng.random((n, 24)) * 2 * np.pi)).sum(axis=2) / np.sqrt(
            12
        )
        odd = profile(rng, n, max(2, int(log_uniform(rng, 3, 60))))
        other = odd[np.arange(T) % len(odd)]
        line = (t[:, :, 0] / T - 0.5) * rng.normal(0, 3, n)
        wave = seasonal(rng, n, T, m) if m > 1 else curve
        which = rng.choice(4, n, p=[0.4, 0.35, 0.05, 0.2])
        return np.choose(which, [curve, wave, other, np.broadcast_to(line, (T, n))])

    z = draw()
    for _ in range(rng.integers(1, 4)):
        new = draw()
        z = np.where(some(rng, n, 0.3), z * new, z + new)
    return unit(z) + rng.normal(0, 1, (T, n)) * log_uniform(rng, 0.01, 1.0, n)


PROCESSES = {structural: 0.36, smoothed: 0.24, autoregressive: 0.22, kernels: 0.18}


def path(rng: Rng, n: int, T: int, m: int) -> Paths:
    counts = rng.multinomial(n, list(PROCESSES.values()))
    parts = [make(rng, int(k), T, m) for make, k in zip(PROCESSES, counts, strict=True) if k]
    return np.concatenate(parts, axis=1)[:, rng.permutation(n)]


def scaled(rng: Rng, z: Paths) -> Paths:
    """Put paths of any size on a scale: added to a level, as factors, or around zero."""
    n = z.shape[1]
    z = unit(z)
    way = rng.choice(4, n, p=[0.38, 0.42, 0.1, 0.1])
    add = z * log_uniform(rng, 0.02, 0.6, n)
    positive = 1 + add
    low = positive.min(axis=0)
    positive = np.where(low < 0.02, positive - low + rng.uniform(0.02, 0.5, n), positive)
    factor = np.exp(z * log_uniform(rng, 0.03, 0.9, n))
    free = z + rng.normal(0, 1, n)
    floor = np.maximum(z + rng.uniform(-0.5, 1.5, n), 0)
    return np.choose(way, [positive, factor, free, floor])


def counts(rng: Rng, n: int, T: int, m: int) -> Paths:
    """Counts and sparse demand: Poisson or more dispersed, with silent stretches, or sizes that are not whole."""
    z = unit(path(rng, n, T, m))
    rate = np.exp(z * log_uniform(rng, 0.05, 1.0, n)) * log_uniform(rng, 0.05, 20, n)
    shape = log_uniform(rng, 0.3, 10, n)
    mixed = np.where(some(rng, n, 0.5), rate, rate * rng.gamma(shape, 1 / shape, (T, n)))
    y = rng.poisson(np.minimum(mixed, 1e5)).astype(float)
    stay = rng.uniform(0.5, 0.98, n)
    on, state = np.empty((T, n)), some(rng, n, 0.7)
    for t in range(T):
        state = np.where(rng.random(n) < stay, state, some(rng, n, 0.5))
        on[t] = state
    y *= np.where(some(rng, n, 0.25), on, 1.0)
    pack = np.where(some(rng, n, 0.2), rng.integers(2, 12, n), 1)
    sizes = np.exp(rng.normal(0, 1, (T, n)) * rng.uniform(0, 0.6, n))
    return y * np.where(some(rng, n, 0.25), sizes, 1.0) * pack


def series(rng: Rng, n: int, T: int, m: int) -> Paths:
    """Draw ``[T, n]`` series; NaN in gaps."""
    k = int(rng.binomial(n, 0.18))
    y = scaled(rng, path(rng, n - k, T, m))
    spread = np.abs(np.diff(y, axis=0)).mean(axis=0)
    hits = (rng.random(y.shape) < rng.uniform(0, 0.03, n - k)) * some(rng, n - k, 0.2)
    jolts = hits * rng.standard_t(3, y.shape) * 4 * spread
    y = np.where(y.min(axis=0) >= 0, np.maximum(y + jolts, 0.1 * y), y + jolts)
    size = log_uniform(rng, 3, 3000, n - k)
    y = np.where(some(rng, n - k, 0.2), np.round(y * size), y)
    y = np.concatenate([y, counts(rng, k, T, m)], axis=1) if k else y
    gaps = (rng.random(y.shape) < rng.uniform(0, 0.1, n)) * some(rng, n, 0.08)
    return np.where(gaps, np.nan, y)
