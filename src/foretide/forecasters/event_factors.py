"""What events multiply a series by: estimated on the past, drawn towards all series together, and those towards one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

POOLED_VARIANCE = 1.0
"""Prior variance of an event's pooled factor around one."""
ALONE_VARIANCE = 0.25
"""Variance of factors between series where fewer than :data:`FEW` can tell."""
FEW = 3
LEAST_VARIANCE = 0.01
SWEEPS = 3
SMALLEST = 1e-3


def fit_factors(
    flags: Sequence[Floats],
    y: Sequence[Floats],
    expected: Sequence[Floats],
    noise: Floats,
    prior: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Estimate factors by empirical Bayes, one event after the other, in a few sweeps over the events.

    With ``A`` what was seen on an event's days, ``B`` what was expected and ``v`` the variance over mean of a series,
    its factor is ``(A + k * pooled) / (B + k)`` with ``k = v / tau^2``; ``tau^2``, the variance between series, is the
    moment estimate of DerSimonian & Laird (1986).

    Parameters
    ----------
    flags : ``[T_i, J, D]`` per entity
    y, expected : ``[T_i, D]`` per entity
        Seen (NaN where missing) and expected on an ordinary day (NaN where unknown).
    noise : ``[N, D]``
    prior : ``[J]``, optional
        What pooled factors are drawn towards; one by default.

    Returns
    -------
    factors ``[N, J, D]``, pooled ``[J]``
    """
    n_events, n_targets = flags[0].shape[1], y[0].shape[1]
    factors = np.ones((len(flags), n_events, n_targets))
    pooled = np.ones(n_events) if prior is None else np.array(prior, dtype=np.float64)
    centre = pooled.copy()
    for _ in range(SWEEPS if n_events > 1 else 1):
        for j in range(n_events):
            seen, explained = np.zeros_like(noise), np.zeros_like(noise)
            for i in range(len(flags)):
                rows = np.flatnonzero(flags[i][:, j].any(axis=1))
                here, others = flags[i][rows], np.delete(np.arange(n_events), j)
                e = expected[i][rows] * multiplied(here[:, others], factors[i, others])
                known = ~np.isnan(y[i][rows]) & ~np.isnan(e) & (here[:, j] > 0)
                seen[i] = np.where(known, y[i][rows], 0.0).sum(axis=0)
                explained[i] = np.where(known, e, 0.0).sum(axis=0)
            factors[:, j], pooled[j] = _shrunk(seen, explained, noise, float(centre[j]))
    return factors, pooled


def multiplied(flags: Floats, factors: Floats) -> Floats:
    """Return the product of the factors ``[J, D]`` of all flags ``[T, J, D]`` that are set, ``[T, D]``."""
    return np.asarray(np.exp((flags * np.log(factors)).sum(axis=1)))


def _shrunk(seen: Floats, expected: Floats, noise: Floats, centre: float) -> tuple[Floats, float]:
    usable = (expected > 0) & (noise > 0)
    safe_noise = np.where(usable, noise, 1.0)
    weight = np.where(usable, expected / safe_noise, 0.0)
    strength = 1.0 / POOLED_VARIANCE
    pooled = (float(np.where(usable, seen / safe_noise, 0.0).sum()) + strength * centre) / (weight.sum() + strength)
    pooled = max(pooled, SMALLEST)
    between = ALONE_VARIANCE
    if usable.sum() >= FEW:
        precision = weight[usable] / pooled
        spread = float((precision * (seen[usable] / expected[usable] - pooled) ** 2).sum())
        room = precision.sum() - (precision**2).sum() / precision.sum()
        between = max(LEAST_VARIANCE, (spread - (usable.sum() - 1)) / room)
    k = safe_noise / between
    return np.where(usable, np.maximum((seen + k * pooled) / (expected + k), SMALLEST), pooled), pooled
