"""Sums and figures of a whole array of attention weights, the slow twin of going over it batch by batch."""

from __future__ import annotations

import numpy as np

from foretide.explain.weights.figures import AttentionFigures
from foretide.explain.weights.profiles import entropy_of
from foretide.explain.weights.stream import Sums
from foretide.typing import Reals


def sums_of(weights: Reals) -> Sums:
    """Take the sums of an array ``[N, M, H, L]``."""
    n, _, _, lookback = weights.shape
    entropy = np.mean([entropy_of(w) for w in weights], axis=0)
    top = np.stack([w.argmax(axis=-1) for w in weights])
    top1 = np.stack([(top == lag).sum(axis=0) for lag in range(lookback)], axis=-1)
    return Sums(n, weights.mean(axis=0, dtype=np.float64), entropy, top1.astype(np.int64))


def figures_of(weights: Reals, *, freq: str | int, seasons: tuple[int, ...] = ()) -> AttentionFigures:
    """Make the figures of an array ``[N, M, H, L]``, oldest lag first, each row summing to one."""
    assert np.allclose(weights.sum(axis=-1), 1.0, atol=1e-3)
    reach = weights.shape[2] + weights.shape[3] - 1
    return AttentionFigures(sums_of(weights), freq, tuple(s for s in sorted(seasons) if 1 < s <= reach))
