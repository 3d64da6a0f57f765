"""A bank of exponential smoothing filters with fixed parameters: every series at once, every origin in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from foretide.typing import Bools, Floats

# level, trend, damping, season (0: none), share of the line through the whole past
_MEMBERS = (
    (0.05, 0.0, 1.0, 0.05, 0.0), (0.2, 0.0, 1.0, 0.05, 0.0), (0.5, 0.0, 1.0, 0.05, 0.0), (0.9, 0.0, 1.0, 0.05, 0.0),
    (0.05, 0.0, 1.0, 0.3, 0.0), (0.2, 0.0, 1.0, 0.3, 0.0), (0.5, 0.0, 1.0, 0.3, 0.0), (0.9, 0.0, 1.0, 0.3, 0.0),
    (0.02, 0.0, 1.0, 0.0, 0.0), (0.2, 0.0, 1.0, 0.0, 0.0), (0.9, 0.0, 1.0, 0.0, 0.0),
    (0.05, 0.0, 1.0, 0.9, 0.0), (0.5, 0.0, 1.0, 0.7, 0.0),
    (0.2, 0.1, 0.9, 0.05, 0.0), (0.5, 0.2, 0.9, 0.05, 0.0), (0.9, 0.3, 0.9, 0.05, 0.0),
    (0.2, 0.1, 0.9, 0.3, 0.0), (0.5, 0.2, 0.9, 0.3, 0.0),
    (0.1, 0.03, 0.98, 0.1, 0.0), (0.5, 0.05, 0.98, 0.1, 0.0), (0.9, 0.1, 0.98, 0.1, 0.0), (0.9, 0.5, 0.98, 0.1, 0.0),
    (0.2, 0.0, 1.0, 0.1, 0.5), (0.5, 0.0, 1.0, 0.1, 0.5), (0.9, 0.0, 1.0, 0.1, 0.5), (0.9, 0.0, 1.0, 0.1, 1.0),
)  # fmt: skip
_LOG = (1, 2, 3, 5, 6, 8, 11, 13, 14, 15, 17, 18, 19, 20, 22, 23, 24, 25)
_TABLE = np.array([*_MEMBERS, *(_MEMBERS[i] for i in _LOG)])
LOGS = np.arange(len(_TABLE)) >= len(_MEMBERS)
"""Which filters run on logarithms, ``[K]``: their seasons and trends are factors."""
SIZE = len(_TABLE)
_ALPHA, _BETA, _PHI, _GAMMA, _LINE = _TABLE.T
_FARTHEST = 3.0
"""Logarithms are forecast at most so far beyond the values seen."""


@dataclass(frozen=True)
class Filtered:
    """States of all filters after every row of some windows.

    Attributes
    ----------
    values : float array ``[T, B]``
        The windows, right aligned, NaN where nothing is known.
    level, trend : float array ``[T, B, K]``
    seasonal : float array ``[m + T, B, K]``
        Season term of each row after it was seen, those before the first row in front.
    line : float array ``[T, B, 2]``
        Slope of the line through everything seen, of values and of logarithms.
    bounds : float array ``[2, B]``
        Least and greatest logarithm forecast; infinite where no logarithm is taken.
    """

    values: Floats
    level: Floats
    trend: Floats
    seasonal: Floats
    line: Floats
    bounds: Floats

    @property
    def season(self) -> int:
        """Steps of a season."""
        return len(self.seasonal) - len(self.values)

    def ahead(self, k: int, rows: slice) -> Floats:
        """Forecast ``k`` steps ahead from some rows: ``[rows, B, K]``."""
        m = self.season
        first = m + k - m * -(-k // m)
        drift = np.where(_PHI < 1, _PHI * (1 - _PHI**k) / np.where(_PHI < 1, 1 - _PHI, 1.0), float(k))
        at = np.arange(len(self.values))[rows]
        found = self.level[rows] + drift * self.trend[rows] + self.seasonal[at + first]
        found += (k * _LINE) * self.line[rows][..., LOGS.astype(int)]
        low, high = self.bounds[:, :, None]
        found[..., LOGS] = np.exp(np.clip(found[..., LOGS], low, high))
        return found

    def errors(self, k: int) -> Floats:
        """Errors ``k`` steps ahead of every row that has them ``[T - k, B, K]``, NaN where the truth is unknown."""
        return self.values[k:, :, None] - self.ahead(k, slice(0, len(self.values) - k))


def filtered(values: Floats, season: int) -> Filtered:
    """Run the bank over windows.

    The first states come from a pass over the reversed window, so that short series start well.

    Parameters
    ----------
    values : float array ``[T, B]``
        Windows of mean size 1, right aligned; NaN for what is missing.
    season : int
        Steps of one season, at least 1.

    Returns
    -------
    Filtered
        Non-positive windows have no logarithms: the filters there see ones, and must not be asked.
    """
    known = ~np.isnan(values)
    positive = np.where(known, values, 1.0).min(axis=0) > 0
    logs = np.log(np.where(known & positive, values, 1.0))
    low, high = logs.min(axis=0), logs.max(axis=0)
    reach = np.minimum(_FARTHEST, 1.5 * (high - low) + 0.1)
    both = np.stack([np.where(known, values, 0.0), logs], axis=-1)
    lines = _lines(both, known)
    profile = _profile(both, known, season, lines[-1])
    back = _pass(both[::-1], known[::-1], season, profile[::-1], None)
    states = (back[0][-1], -back[1][-1])
    level, trend, seasonal = _pass(both, known, season, profile, states)
    return Filtered(values, level, trend, seasonal, lines, np.stack([low - reach, high + reach]))


def _profile(both: Floats, known: Bools, season: int, line: Floats) -> Floats:
    """Mean deviation of each season position from the moving mean of one season ``[m, B, 2]``, the row before first.

    Where two seasons are not known, from the line through everything; nothing before one whole season.
    """
    length, n = known.shape
    if season == 1 or length < season:
        return np.zeros((season, n, 2))
    w = known[:, :, None].astype(np.float64)
    half = season // 2
    shares = np.full(2 * half + 1, 1.0)
    if season % 2 == 0:
        shares[[0, -1]] = 0.5
    total, weight = np.zeros_like(both), np.zeros_like(w)
    for lag, share in enumerate(shares):
        into, out = (
            slice(max(0, half - lag), length - max(0, lag - half)),
            slice(max(0, lag - half), length - max(0, half - lag)),
        )
        total[into] += share * (w * both)[out]
        weight[into] += share * w[out]
    inside = w * (weight > 0.85 * season)
    trusted = inside.sum(axis=0) >= season
    t = np.arange(length, dtype=np.float64)[:, None, None] - length
    count = w.sum(axis=0)
    middle = (w * both).sum(axis=0) / np.maximum(count, 1) + line * (t - (w * t).sum(axis=0) / np.maximum(count, 1))
    trend = np.where(trusted, total / np.maximum(weight, 1e-9), middle)
    use = np.where(trusted, inside, w * (count >= season))
    lead = -length % season
    folded = [
        np.concatenate([np.zeros((lead, *x.shape[1:])), x]).reshape(-1, season, *x.shape[1:]).sum(axis=0)
        for x in (use * (both - trend), np.broadcast_to(use, both.shape))
    ]
    found = folded[0] / np.maximum(folded[1], 1)
    return np.asarray(found - found.mean(axis=0))


def _pass(
    both: Floats, known: Bools, season: int, profile: Floats, states: tuple[Floats, Floats] | None
) -> tuple[Floats, ...]:
    """Filter ``[T, B, 2]`` once: level and trend ``[T, B, K]``, season terms ``[m + T, B, K]``.

    Without first states all begin at nothing, and shares are those of a running mean until enough is seen.
    ``profile`` are the first season terms, of the season that ends where the reversed or the straight window does.
    """
    (length, n), kind = known.shape, LOGS.astype(int)
    level, trend = np.empty((2, length, n, SIZE))
    seasonal = np.empty((season + length, n, SIZE))
    lead = 0 if states is None else -length % season
    seasonal[:season] = np.roll(profile, -lead, axis=0)[..., kind] * (_GAMMA > 0)
    now, slope = np.zeros((2, n, SIZE)) if states is None else states
    shares = np.broadcast_to(_ALPHA, (n, SIZE))
    first, seen = known.argmax(axis=0), known.cumsum(axis=0)
    last = length - 1 - known[::-1].argmax(axis=0) if states is None else np.full(n, length)
    begun, ended = int(first.max()), int(last.min())
    for t in range(length):
        if states is None and t < 1 / _ALPHA.min():
            shares = np.maximum(_ALPHA, 1.0 / np.maximum(seen[t][:, None], 1.0))
        step = slope * _PHI
        alive, kept = 1.0, step
        if not begun < t <= ended:
            alive = ((first < t) & (t <= last))[:, None]
            step *= alive
            kept = np.where(alive, step, slope)
        step = now + step
        gap = both[t][:, kind]
        gap -= step
        gap -= seasonal[t]
        gap *= known[t][:, None]
        change = shares * gap
        now = np.add(step, change, out=level[t])
        slope = np.add(kept, _BETA * change * alive, out=trend[t])
        gap -= change
        gap *= _GAMMA
        np.add(seasonal[t], gap, out=seasonal[t + season])
    return level, trend, seasonal


def _lines(both: Floats, known: Bools) -> Floats:
    """Slope of the line through everything seen so far, ``[T, B, 2]``; nothing before three values."""
    t = np.arange(len(known), dtype=np.float64)[:, None, None] - len(known)
    w = known[:, :, None].astype(np.float64)
    n, st, stt, sy, sty = (np.cumsum(w * x, axis=0) for x in (1.0, t, t * t, both, t * both))
    spread = n * stt - st * st
    enough = (n >= 3) & (spread > 1e-9)
    return np.where(enough, (n * sty - st * sy) / np.where(enough, spread, 1.0), 0.0)
