"""Discounted and folded sums over the rows of many series."""

from __future__ import annotations

import numpy as np

from foretide.typing import Floats

WIDE = 256
"""With so many series, a loop over rows is faster than a filter along each series."""


def discounted(values: Floats, alpha: float) -> Floats:
    """Return ``s_t = (1 - alpha) * s_{t-1} + v_t`` along the first axis."""
    if alpha == 0:
        return np.asarray(np.cumsum(values, axis=0))
    if values[:1].size >= WIDE:
        out = np.array(values, dtype=np.float64)
        for t in range(1, len(out)):
            out[t] += (1.0 - alpha) * out[t - 1]
        return out
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, alpha - 1.0], values, axis=0))


def numbers(values: Floats) -> Floats:
    """Return the values with 0 where nothing is known."""
    return values if np.isfinite(values.sum()) else np.nan_to_num(values)


def moments(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Sums of the values up to each row, times one, times their age in rows, and times its square."""
    first = np.cumsum(values, axis=0)
    second = np.cumsum(first, axis=0)
    return first, second - first, 2 * np.cumsum(second, axis=0) - 3 * second + first


def last_sums(folded: Floats, cycles: int) -> Floats:
    """Sums over the last so many cycles of a folded table, up to each."""
    total = np.zeros_like(folded)
    for k in range(min(cycles, len(folded))):
        total[k:] += folded[: len(folded) - k]
    return total


def ratio(above: Floats, below: Floats) -> Floats:
    """Return the ratio of two sums; NaN where the lower is next to nothing."""
    safe = below > 1e-12
    if safe.all():
        return np.asarray(above / below)
    return np.asarray(np.where(safe, above / np.where(safe, below, 1.0), np.nan))


def fold(values: Floats, season: int) -> Floats:
    """``[T, S]`` -> ``[cycles, season, S]``, padded with zeros at the end."""
    rows = len(values)
    cycles = -(-rows // season)
    padded = np.zeros((cycles * season, values.shape[1]))
    padded[:rows] = values
    return padded.reshape(cycles, season, values.shape[1])


def unfold(folded: Floats, rows: int) -> Floats:
    """``[cycles, season, S]`` -> ``[rows, S]``."""
    return folded.reshape(-1, folded.shape[2])[:rows]
