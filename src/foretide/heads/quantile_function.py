"""A distribution known by some of its quantiles: linear between them, with exponential tails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.typing import Floats


def quantile_weights(levels: Sequence[float], wanted: Floats) -> Floats:
    """Weights of the values at ``levels`` whose sum is the quantile at each of ``wanted``, ``[..., Q]``."""
    q = np.asarray(levels, dtype=np.float64)
    last = len(q) - 1
    high = np.clip(np.searchsorted(q, wanted), 1, last)
    share = (wanted - q[high - 1]) / (q[high] - q[high - 1])
    left = np.log(wanted / q[0]) / np.log(q[1] / q[0])
    right = 1.0 - np.log((1.0 - wanted) / (1.0 - q[-1])) / np.log((1.0 - q[-2]) / (1.0 - q[-1]))
    share = np.where(wanted < q[0], left, np.where(wanted > q[-1], right, share))
    out = np.zeros((*wanted.shape, len(q)))
    np.put_along_axis(out, (high - 1)[..., None], (1.0 - share)[..., None], axis=-1)
    np.put_along_axis(out, high[..., None], share[..., None], axis=-1)
    return out


def mean_weights(levels: Sequence[float]) -> Floats:
    """Weights of the values at ``levels`` whose sum is the integral of the quantile function from 0 to 1."""
    q = np.asarray(levels, dtype=np.float64)
    out = np.zeros(len(q))
    width = np.diff(q)
    out[:-1] += 0.5 * width
    out[1:] += 0.5 * width
    for tail, first, second, end, near in (
        (q[0], 0, 1, q[0], q[1]),
        (1.0 - q[-1], -1, -2, 1.0 - q[-1], 1.0 - q[-2]),
    ):
        # The integral of the logarithm over the tail is minus its mass.
        steep = tail / np.log(near / end)
        out[first] += tail + steep
        out[second] -= steep
    return out
