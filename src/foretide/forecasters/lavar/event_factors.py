"""What events multiply a series by: estimated on the past, drawn towards all series together, and those towards one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foretide.typing import Bools, Floats, Ints

POOLED_VARIANCE = 1.0
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
    n_events = flags[0].shape[1]
    marked, entity, logs, values = _event_days(flags, y, expected)
    factors = np.ones((len(flags), n_events, y[0].shape[1]))
    pooled = np.ones(n_events) if prior is None else np.array(prior, dtype=np.float64)
    centre = pooled.copy()
    for _ in range(SWEEPS if n_events > 1 else 1):
        for j, (rows, own) in enumerate(marked):
            owner, former = entity[rows], np.log(factors[:, j])
            e = values[1][rows] * np.exp(logs[rows] - own * former[owner])
            known = own & ~np.isnan(values[0][rows]) & ~np.isnan(e)
            seen, explained = np.zeros_like(noise), np.zeros_like(noise)
            np.add.at(seen, owner, np.where(known, values[0][rows], 0.0))
            np.add.at(explained, owner, np.where(known, e, 0.0))
            factors[:, j], pooled[j] = _shrunk(seen, explained, noise, float(centre[j]))
            logs[rows] += own * (np.log(factors[:, j]) - former)[owner]
    return factors, pooled


def _event_days(
    flags: Sequence[Bools], y: Sequence[Floats], expected: Sequence[Floats]
) -> tuple[list[tuple[Ints, Bools]], Ints, Floats, tuple[Floats, Floats]]:
    """Rows of all entities on which an event is set, one after the other, ``E`` of them.

    Returns
    -------
    list of (rows, flags ``[rows, D]``) of each event, entity of each row ``[E]``, logarithm of the factors of all its
    events ``[E, D]``, zero so far, and what was seen and expected ``[E, D]``.
    """
    at = [np.flatnonzero(own.any(axis=(1, 2))) for own in flags]
    here = np.concatenate([own[rows] > 0 for own, rows in zip(flags, at, strict=True)])
    entity = np.repeat(np.arange(len(at)), [len(rows) for rows in at])
    marked = []
    for j in range(here.shape[1]):
        rows = np.flatnonzero(here[:, j].any(axis=1))
        marked.append((rows, here[rows, j]))
    seen, usual = (np.concatenate([v[rows] for v, rows in zip(of, at, strict=True)]) for of in (y, expected))
    return marked, entity, np.zeros_like(seen), (seen, usual)


def multiplied(flags: Bools, factors: Floats) -> Floats:
    """Return the product of the factors ``[N, J, D]`` of all flags ``[T, J, D]`` that are set, ``[T, N, D]``."""
    out = np.ones((len(flags), len(factors), factors.shape[2]))
    rows = np.flatnonzero(flags.any(axis=(1, 2)))
    if len(rows):
        out[rows] = np.exp(np.einsum("tjd,njd->tnd", flags[rows].astype(np.float64), np.log(factors), optimize=True))
    return out


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
