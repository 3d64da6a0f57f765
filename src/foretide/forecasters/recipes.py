"""Recipes for a seasonal level that moves: ratios of discounted sums, one recursion each, all series at once.

A forecast of step ``k`` from row ``t`` is ``level[t] * profile[same season position, at or before t] * growth * events``.
Level and profile are ratios of sums with weights ``(1 - alpha)^age``: what was seen over what the other parts explain
(the discounted gamma-Poisson model of Harvey & Fernandes 1989, without its prior). So an event day that explains little
also counts little, and zeros need no care. Every table is causal: row ``t`` depends on rows ``0 .. t``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.forecasters.history import last_seen, season_last

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PROFILE_VARIANCE = 0.1
"""Prior variance of a series' seasonal factors around those of all series."""
MAX_LOG_GROWTH = 0.7
"""A forecast grows or shrinks by at most a factor of two against its level."""


@dataclass(frozen=True)
class Recipe:
    """One way to a level.

    Attributes
    ----------
    kind : {"last", "season", "level", "mean", "profile"}
        Last value; same season's last value; same season's smoothed level; same season's mean over the last cycles;
        a level over all steps times a seasonal profile.
    season : int
        Steps of one season.
    alpha : float
        Discount per step (``profile``) or per cycle (``level``); cycles averaged over (``mean``).
    profile_alpha : float
        Discount of the profile per cycle.
    trend : float
        Share of the growth over the last cycle that goes on.
    """

    kind: str
    season: int = 1
    alpha: float = 0.0
    profile_alpha: float = 0.0
    trend: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able facts."""
        return asdict(self)

    @property
    def knows_events(self) -> bool:
        """Whether event factors apply: a last value is repeated as it is."""
        return self.kind not in ("last", "season")


@dataclass(frozen=True, eq=False)
class Tables:
    """What a recipe makes of a block of series, ``[T, S]`` each.

    Attributes
    ----------
    level : float array
        Of all steps up to the row; 1 where the profile holds everything.
    profile : float array
        Of the row's own season position.
    growth : float array
        Log growth per step, already damped.
    lag : float
        Steps by which the level is behind.
    """

    level: Floats
    profile: Floats
    growth: Floats
    lag: float
    season: int

    def ahead(self, rows: NDArray[np.int64], columns: NDArray[np.int64], h: int) -> Floats:
        """Forecast ``h`` steps from rows ``[n]`` for the columns ``[n, D]`` beside them, without events: ``[n, h, D]``."""
        steps = np.arange(h)
        same = rows[:, None] - self.season + 1 + steps[None, :] % self.season
        profile = self.profile[same.clip(0)[:, :, None], columns[:, None, :]]
        profile = np.where((same >= 0)[:, :, None], profile, np.nan)
        found = self.level[rows[:, None], columns][:, None, :] * profile
        if not self.growth.any():
            return np.asarray(found)
        log = self.growth[rows[:, None], columns][:, None, :] * (steps + 1 + self.lag)[None, :, None]
        return np.asarray(found * np.exp(np.clip(log, -MAX_LOG_GROWTH, MAX_LOG_GROWTH)))


def discounted(values: Floats, alpha: float) -> Floats:
    """Return ``s_t = (1 - alpha) * s_{t-1} + v_t`` along the first axis."""
    if alpha == 0:
        return np.asarray(np.cumsum(values, axis=0))
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, alpha - 1.0], values, axis=0))


def make_tables(y: Floats, events: Floats, recipe: Recipe, pooled: Floats, noise: Floats) -> Tables:
    """Follow a recipe over a block of series.

    Parameters
    ----------
    y : ``[T, S]``
        Observed values, NaN where missing.
    events : ``[T, S]``
        Event factors, 1 on ordinary days.
    pooled : ``[season]``
        Seasonal factors of all series together, by the row's position ``t % season``.
    noise : ``[S]``
        Variance over mean of each series; a noisy series leans more on the pooled factors.
    """
    ones = np.ones_like(y)
    nothing = np.zeros((1, 1))
    if recipe.kind == "last":
        return Tables(ones, last_seen(y), nothing, 0.0, 1)
    if recipe.kind == "season":
        return Tables(ones, season_last(y, recipe.season), nothing, 0.0, recipe.season)
    seen = ~np.isnan(y)
    value, weight = np.where(seen, y, 0.0), np.where(seen, events, 0.0)
    if recipe.kind in ("level", "mean"):
        return Tables(ones, _by_position(value, weight, recipe), nothing, 0.0, recipe.season)
    season = recipe.season
    profile = np.ones_like(y)
    if season > 1:
        rough = _ratio(
            discounted(value, 1 / (4 * season)), discounted(weight * _wrap(pooled, len(y)), 1 / (4 * season))
        )
        prior = noise / PROFILE_VARIANCE
        above, below = (
            _unfold(discounted(_fold(part, season), recipe.profile_alpha), len(y))
            for part in (value, weight * np.nan_to_num(rough))
        )
        profile = (above + prior * _wrap(pooled, len(y))) / np.maximum(below + prior, 1e-300)
    # The profile of a row holds its own value, which would damp the level's answer to it: take the one a cycle before.
    before = np.concatenate([profile[:season], profile[:-season]]) if len(y) > season else profile
    level = _ratio(discounted(value, recipe.alpha), discounted(weight * before, recipe.alpha))
    growth, lag = nothing, 0.0
    if recipe.trend:
        growth = recipe.trend * _growth(level, season if season > 1 else max(2, round(1 / max(recipe.alpha, 1e-3))))
        lag = (1 - recipe.alpha) / max(recipe.alpha, 0.05)
    return Tables(level, profile, growth, lag, season)


def _by_position(value: Floats, weight: Floats, recipe: Recipe) -> Floats:
    above, below = _fold(value, recipe.season), _fold(weight, recipe.season)
    if recipe.kind == "level":
        above, below = discounted(above, recipe.alpha), discounted(below, recipe.alpha)
    else:
        cycles = int(recipe.alpha)
        above, below = (_last_sums(part, cycles) for part in (above, below))
    return _unfold(_ratio(above, below), len(value))


def _last_sums(folded: Floats, cycles: int) -> Floats:
    total = np.zeros_like(folded)
    for k in range(min(cycles, len(folded))):
        total[k:] += folded[: len(folded) - k]
    return total


def _growth(level: Floats, span: int) -> Floats:
    """Log growth per step over the last ``span`` steps; 0 where the level was not known then or is next to nothing."""
    known = np.nan_to_num(level)
    floor = 0.05 * np.maximum.accumulate(known, axis=0) + 1e-12
    logs = np.log(known + floor)
    out = np.zeros_like(level)
    out[2 * span :] = (logs[2 * span :] - logs[span:-span]) / span
    return out


def _ratio(above: Floats, below: Floats) -> Floats:
    safe = below > 1e-12
    return np.asarray(np.where(safe, above / np.where(safe, below, 1.0), np.nan))


def _fold(values: Floats, season: int) -> Floats:
    """``[T, S]`` -> ``[cycles, season, S]``, padded with zeros at the end."""
    rows = len(values)
    cycles = -(-rows // season)
    padded = np.zeros((cycles * season, values.shape[1]))
    padded[:rows] = values
    return padded.reshape(cycles, season, values.shape[1])


def _unfold(folded: Floats, rows: int) -> Floats:
    return folded.reshape(-1, folded.shape[2])[:rows]


def _wrap(pooled: Floats, rows: int) -> Floats:
    return np.asarray(np.resize(pooled, rows)[:, None])
