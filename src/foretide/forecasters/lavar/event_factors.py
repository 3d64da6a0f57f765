"""What events multiply a series by: estimated on the past, drawn towards all series together, and those towards one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foretide.typing import Bools, Floats, Ints

POOLED_VARIANCE = 0.25
"""Prior variance of an event's pooled factor around one."""
ALONE_VARIANCE = 0.25
"""Variance of factors between series where fewer than :data:`FEW` can tell."""
FEW = 3
LEAST_VARIANCE = 0.01
SWEEPS = 3
SMALLEST = 1e-3


def fit_factors(
    flags: Sequence[Bools],
    y: Sequence[Floats],
    expected: Sequence[Floats],
    noise: Floats,
    prior: Floats | None = None,
    first: Ints | None = None,
) -> tuple[Floats, Floats]:
    """Estimate factors by empirical Bayes, one event after the other, in a few sweeps over the events.

    With ``A`` what was seen on an event's days, ``B`` what was expected and ``v`` the variance over mean of a series,
    its factor is ``(A + k * pooled) / (B + k)`` with ``k = v / tau^2``; ``tau^2``, the variance between series, is a
    moment estimate as that of DerSimonian & Laird (1986) less its standard error. What all series do on one day, by
    chance, is no more than one day's word for the pooled factor: its days are weighed as in a meta-analysis.

    Parameters
    ----------
    flags : ``[T_i, J, D]`` per entity
    y, expected : ``[T_i, D]`` per entity
        Seen (NaN where missing) and expected on an ordinary day (NaN where unknown).
    noise : ``[N, D]``
    prior : ``[J]``, optional
        What pooled factors are drawn towards; one by default.
    first : ``[N]``, optional
        Grid step of each entity's first row; all the same by default.

    Returns
    -------
    factors ``[N, J, D]``, pooled ``[J]``
    """
    n_events = flags[0].shape[1]
    begin = np.zeros(len(flags), dtype=np.int64) if first is None else first
    marked, entity, step, logs, values = _event_days(flags, y, expected, begin)
    common = _common_variance(flags, y, expected, noise, begin)
    factors = np.ones((len(flags), n_events, y[0].shape[1]))
    pooled = np.ones(n_events) if prior is None else np.array(prior, dtype=np.float64)
    centre = pooled.copy()
    for _ in range(SWEEPS if n_events > 1 else 1):
        for j, (rows, own) in enumerate(marked):
            owner, former = entity[rows], np.log(factors[:, j])
            e = values[1][rows] * np.exp(logs[rows] - own * former[owner])
            known = own & ~np.isnan(values[0][rows]) & ~np.isnan(e)
            seen, explained = np.where(known, values[0][rows], 0.0), np.where(known, e, 0.0)
            pooled[j] = _pooled(step[rows], seen, explained, noise[owner], common, float(centre[j]))
            total, below = np.zeros_like(noise), np.zeros_like(noise)
            np.add.at(total, owner, seen)
            np.add.at(below, owner, explained)
            factors[:, j] = _shrunk(total, below, noise, float(pooled[j]))
            logs[rows] += own * (np.log(factors[:, j]) - former)[owner]
    return factors, pooled


def _event_days(
    flags: Sequence[Bools], y: Sequence[Floats], expected: Sequence[Floats], first: Ints
) -> tuple[list[tuple[Ints, Bools]], Ints, Ints, Floats, tuple[Floats, Floats]]:
    """Rows of all entities on which an event is set, one after the other, ``E`` of them.

    Returns
    -------
    list of (rows, flags ``[rows, D]``) of each event, entity and grid step of each row ``[E]``, logarithm of the
    factors of all its events ``[E, D]``, zero so far, and what was seen and expected ``[E, D]``.
    """
    at = [np.flatnonzero(own.any(axis=(1, 2))) for own in flags]
    here = np.concatenate([own[rows] > 0 for own, rows in zip(flags, at, strict=True)])
    entity = np.repeat(np.arange(len(at)), [len(rows) for rows in at])
    step = np.concatenate([rows + begin for rows, begin in zip(at, first, strict=True)])
    marked = []
    for j in range(here.shape[1]):
        rows = np.flatnonzero(here[:, j].any(axis=1))
        marked.append((rows, here[rows, j]))
    seen, usual = (np.concatenate([v[rows] for v, rows in zip(of, at, strict=True)]) for of in (y, expected))
    return marked, entity, step, np.zeros_like(seen), (seen, usual)


def multiplied(flags: Bools, factors: Floats) -> Floats:
    """Return the product of the factors ``[N, J, D]`` of all flags ``[T, J, D]`` that are set, ``[T, N, D]``."""
    out = np.ones((len(flags), len(factors), factors.shape[2]))
    rows = np.flatnonzero(flags.any(axis=(1, 2)))
    if len(rows):
        out[rows] = np.exp(np.einsum("tjd,njd->tnd", flags[rows].astype(np.float64), np.log(factors), optimize=True))
    return out


def _by_step(step: Ints, seen: Floats, expected: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Sums over the series of what was seen and expected at each grid step, in units of their noise, ``[S]``."""
    _, place = np.unique(step, return_inverse=True)
    usable = (expected > 0) & (noise > 0)
    safe = np.where(usable, noise, 1.0)
    above, below = (np.where(usable, part / safe, 0.0).sum(axis=1) for part in (seen, expected))
    n = int(place.max(initial=-1)) + 1
    return np.bincount(place, above, n).astype(np.float64), np.bincount(place, below, n).astype(np.float64)


def _common_variance(
    flags: Sequence[Bools], y: Sequence[Floats], expected: Sequence[Floats], noise: Floats, first: Ints
) -> float:
    """Variance of what multiplies all series on an ordinary day, beyond their own noise: a moment estimate."""
    length = int(max(begin + len(own) for begin, own in zip(first, y, strict=True)) - first.min())
    above, below = np.zeros(length), np.zeros(length)
    for i, own in enumerate(y):
        known = ~np.isnan(own) & ~np.isnan(expected[i]) & ~flags[i].any(axis=1) & (expected[i] > 0) & (noise[i] > 0)
        safe = np.where(known, noise[i], 1.0)
        rows = slice(int(first[i] - first.min()), int(first[i] - first.min()) + len(own))
        above[rows] += np.where(known, own / safe, 0.0).sum(axis=1)
        below[rows] += np.where(known, expected[i] / safe, 0.0).sum(axis=1)
    known_days = below > 0
    error = (above[known_days] - below[known_days]) ** 2 / below[known_days] - 1.0
    return max(0.0, float(error.sum() / below[known_days].sum())) if known_days.any() else 0.0


def _pooled(step: Ints, seen: Floats, expected: Floats, noise: Floats, common: float, centre: float) -> float:
    """The factor of all series together: a weighted mean over the event's days, drawn to its centre."""
    above, below = _by_step(step, seen, expected, noise)
    days = below > 0
    ratio = above[days] / below[days]
    found = centre
    for _ in range(2):  # what is common to a day's series grows with the factor
        weight = 1.0 / (1.0 / below[days] + common * found**2)
        found = (float((weight * ratio).sum()) + centre / POOLED_VARIANCE) / (float(weight.sum()) + 1 / POOLED_VARIANCE)
    return max(found, SMALLEST)


def _shrunk(seen: Floats, expected: Floats, noise: Floats, pooled: float) -> Floats:
    usable = (expected > 0) & (noise > 0)
    k = np.where(usable, noise, 1.0) / _between(seen, expected, noise, usable, pooled)
    return np.where(usable, np.maximum((seen + k * pooled) / (expected + k), SMALLEST), pooled)


def _between(seen: Floats, expected: Floats, noise: Floats, usable: Bools, pooled: float) -> float:
    """Variance of factors between series, less its standard error.

    The square of a small count says little, and that loudly: with a mean of ``m`` units of noise its variance is
    ``2 + 1 / m``, so it gets a weight of ``m / (1 + m)``.
    """
    if usable.sum() < FEW:
        return ALONE_VARIANCE
    units = expected[usable] * pooled / noise[usable]
    precision = units / pooled**2
    weight = units / (1 + units)
    excess = precision * (seen[usable] / expected[usable] - pooled) ** 2 - 1
    room = float((weight * precision).sum())
    error = float(np.sqrt((weight**2 * (2 + 1 / units)).sum())) / room
    return max(LEAST_VARIANCE, float((weight * excess).sum()) / room - error)
