"""Figures of mean attention weights ``[M, H, L]``, oldest lag first along ``L`` (numpy only)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foretide.typing import Bools, Floats, Ints, Reals


def distances(h: int, lookback: int) -> Ints:
    """Distance from each horizon step back to each lag, lag + step, ``[H, L]``; the oldest lag comes first."""
    lags = np.arange(lookback - 1, -1, -1)
    return lags[None, :] + np.arange(1, h + 1)[:, None]


def mass_by_distance(mean: Reals) -> Floats:
    """Mean weight by distance to the forecast step.

    Parameters
    ----------
    mean : float array ``[..., H, L]``

    Returns
    -------
    float array ``[..., L + H]``
        Entry ``k`` is the mean over the horizon steps that can look back ``k`` steps; entry 0 is never reached.
    """
    h, lookback = mean.shape[-2:]
    mass, reached = np.zeros((*mean.shape[:-2], lookback + h)), np.zeros(lookback + h)
    for step in range(1, h + 1):
        mass[..., step : step + lookback] += mean[..., step - 1, ::-1]
        reached[step : step + lookback] += 1
    return mass / np.maximum(reached, 1)


def by_distance(weights: Reals) -> Floats:
    """Return the mean attention of ``[N, M, H, L]`` by distance, ``[L + H]``; see :func:`mass_by_distance`."""
    return mass_by_distance(weights.mean(axis=(0, 1), dtype=np.float64))


def entropy_of(weights: Reals) -> Floats:
    """Entropy in nats over the last axis, each row summing to one; ``log L`` is its limit, reached by even weights."""
    w = np.asarray(weights, dtype=np.float64)
    return np.asarray(-(w * np.log(np.where(w > 0, w, 1.0))).sum(axis=-1))


def divergence(profiles: Reals) -> Floats:
    """Jensen–Shannon divergence in bits between rows ``[M, L]`` that sum to one, ``[M, M]``; 0 equal, 1 disjoint."""
    p = np.asarray(profiles, dtype=np.float64)
    between = entropy_of((p[:, None] + p[None, :]) / 2) - (entropy_of(p)[:, None] + entropy_of(p)[None, :]) / 2
    return np.asarray(np.maximum(between, 0.0) / np.log(2))


def kinds(h: int, lookback: int, seasons: Sequence[int]) -> dict[str, Bools]:
    """Which cells ``[H, L]`` are ``seasonal``, ``recent`` and ``other``; every cell is exactly one of them.

    Seasonal: a whole number of seasons before the forecast step. Recent: among the newest quarter of the shortest
    season (a tenth of the lookback where there is no season, at least one lag), and not seasonal.
    """
    far = distances(h, lookback)
    seasonal = np.zeros((h, lookback), dtype=bool)
    for season in seasons:
        seasonal |= far % season == 0
    recent = np.broadcast_to(np.arange(lookback - 1, -1, -1) < n_recent(lookback, seasons), seasonal.shape) & ~seasonal
    return {"recent": recent, "seasonal": seasonal, "other": ~recent & ~seasonal}


def n_recent(lookback: int, seasons: Sequence[int]) -> int:
    """How many of the newest lags are called recent."""
    return max(1, min(seasons) // 4 if seasons else lookback // 10)
