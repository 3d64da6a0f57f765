"""Values that followed similar windows of all series: a distribution without a formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from foretide.forecasters.simple.analogue_states import States
    from foretide.typing import Floats, Ints, Reals

    Quantiles = tuple[float, ...]

UNIT = 5.0
"""What follows windows of counts at lower levels is taken as it is, not in units of their level: a piece is a piece."""
HIGH = 20.0
"""Above this level, counts are alike whatever their level is."""
LOW = 0.2
"""A step for which a window expects less than this share of its level is closed: it says nothing of open ones."""
SHARE = 0.1
"""The unit of values that are no counts is at least this share of the series' mean."""
SOFT = 0.05
"""Added to levels before their logarithm is taken."""
HALF_WAY, ALL_THE_WAY = 0.5, 1.0
"""So far the mean of the values that followed is drawn towards the forecast that they are taken around."""
MOST_DRAWN = 3.0
"""Values are multiplied by no more than this when they are drawn towards it."""
PART, FEWEST = 4, 20
"""At most every fourth window of a pool is similar, but these are so many at least. On few series (four of antibiotics,
two of PBS) the fourth part has 15 and 7 % less quantile loss than 200 of a few hundred."""
MOST_VALUES = 8_000_000
"""Values that followed are looked at so many at a time."""
# What a difference by a factor e, or of one, weighs in the distance between windows.
WEIGHTS = {"level": 1.0, "size": 0.5, "spread": 0.3, "trend": 1.0, "usual": 0.5, "rate": 2.0, "silence": 0.3}
LONGEST = 50.0
"""Longer silences are alike."""
# Whole numbers of the same mean: the golden ratio spreads what is added before values are cut.
GOLDEN = 0.6180339887498949


class Place(NamedTuple):
    """Where windows stand among others.

    Attributes
    ----------
    at : float array ``[n, F]``
        Windows that are alike are near.
    unit : float array ``[n]``
        What the values that follow are measured in.
    profile : float array ``[n, H]``
        Forecast of each step over the mean of all.
    """

    at: Floats
    unit: Floats
    profile: Floats


def place(centre: Floats, states: States, whole: bool) -> Place:
    """Return where windows stand.

    Parameters
    ----------
    centre : float array ``[n, H]``
        Their forecasts, not negative.
    states : States
        Flat, ``[n]``.
    whole : bool
        Whether values are counts.

    Returns
    -------
    Place
    """
    level = centre.mean(axis=1)
    if whole:
        measure, soft = level, np.full_like(level, SOFT)
        size = np.where(states.rate > 0, level / np.maximum(states.rate, 1e-9), 1.0)
        found = {
            "level": np.log(np.minimum(level, HIGH) + SOFT),
            "size": np.log(np.minimum(size, 2.5 * HIGH) + 4 * SOFT),
            "spread": states.spread / (level + 4 * SOFT),
        }
    else:
        measure = np.maximum(level, SHARE * states.usual)
        soft = SOFT * measure
        safe = np.where(measure > 0, measure, 1.0)
        found = {
            "size": _log_ratio(states.size, level, soft),
            "spread": np.clip(np.log(SOFT + states.spread / safe), -3.0, 3.0),
        }
    found |= {
        "trend": _log_ratio(states.level, level, soft),
        "usual": _log_ratio(states.usual, level, soft),
        "rate": states.rate,
        "silence": np.log1p(np.minimum(states.silence, LONGEST)),
    }
    unit = np.maximum(measure, UNIT) if whole else measure
    profile = centre / np.where(level > 0, level, 1.0)[:, None]
    at = np.stack([WEIGHTS[name] * values for name, values in found.items()], axis=1)
    return Place(at, unit, profile)


def _log_ratio(above: Floats, below: Floats, soft: Floats) -> Floats:
    down = below + soft
    known = down > 0
    return np.asarray(np.where(known, np.log(np.where(known, (above + soft) / np.where(known, down, 1.0), 1.0)), 0.0))


@dataclass(frozen=True, eq=False)
class Pool:
    """Windows of all series, and what followed each.

    Attributes
    ----------
    whole : bool
        Whether values are counts.
    at : float array ``[n, F]``
    unit : float array ``[n]``
    profile, later : float arrays ``[n, H]``
        See :class:`Place`; and the values that followed, NaN where missing.
    """

    whole: bool
    at: Reals
    unit: Reals
    profile: Reals
    later: Reals

    @classmethod
    def of(cls, centre: Floats, states: States, later: Floats, whole: bool) -> Pool:
        """Keep windows, in single precision, that have something to follow and a unit to measure it in."""
        found = place(centre, states, whole)
        usable = (found.unit > 0) & ~np.isnan(later).all(axis=1)
        if not usable.any():
            usable[:] = True
        kept = (one[usable].astype(np.float32) for one in (*found, later))
        return cls(whole, *kept)

    def values(self, centre: Floats, states: States, k: int) -> Floats:
        """Return what followed the ``k`` most similar windows, as it would follow these.

        Parameters
        ----------
        centre : float array ``[n, H]``
        states : States
            Flat, ``[n]``.
        k : int

        Returns
        -------
        float array ``[n, H, k]``
            Fewer than ``k`` of a small pool. NaN where nothing is known, or a closed step answers to an open one.
        """
        from scipy.spatial import cKDTree

        here, h = place(centre, states, self.whole), centre.shape[1]
        k = min(k, max(FEWEST, len(self.at) // PART), len(self.at))
        # Places in single precision on both sides, as they are saved.
        nearest = cKDTree(self.at.astype(np.float64)).query(
            here.at.astype(np.float32).astype(np.float64), k=[*range(1, k + 1)]
        )[1]
        scale = here.unit[:, None] / np.where(self.unit > 0, self.unit, 1.0)[nearest]
        found = np.empty((len(centre), h, k))
        # Values of one step side by side: they are looked up at random.
        profile, later = (np.ascontiguousarray(table.T) for table in (self.profile, self.later))
        for s in range(h):
            there, own = profile[s][nearest], here.profile[:, s, None]
            closed = np.where(own < LOW, 1.0, np.nan)
            found[:, s] = later[s][nearest] * scale * np.where(there < LOW, closed, own / np.maximum(there, LOW))
        return _completed(found, centre)

    def drawn(self, centre: Floats, states: States, k: int, way: float = HALF_WAY) -> tuple[Floats, Floats]:
        """Return the values of :meth:`values`, drawn part of the way towards the centre, and their mean ``[n, H]``."""
        values = self.values(centre, states, k)
        mean = _mean(values)
        aim = ((1 - way) * mean + way * centre) / np.where(mean > 0, mean, 1.0)
        factor = np.where(mean > 0, np.clip(aim, 1 / MOST_DRAWN, MOST_DRAWN), 1.0)
        values = values * factor[..., None]
        if self.whole:
            values = np.floor(values + (np.arange(1, values.shape[-1] + 1) * GOLDEN) % 1)
        return values, mean * factor


def mixture(
    pools: Sequence[Pool], centres: Sequence[Floats], states: States, k: int, quantiles: Quantiles,
    way: float = HALF_WAY,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Return mean ``[n, H]`` and quantiles ``[n, H, Q]`` of pools that say equally much.

    Parameters
    ----------
    pools : sequence of Pool
    centres : sequence of float arrays ``[n, H]``
        Of each pool.
    states : States
        Flat, ``[n]``.
    k : int
        Windows of each pool.
    quantiles : tuple of float
    way : float
        How far values are drawn towards their centre, from 0 to 1.
    """
    n, h = centres[0].shape
    mean, bounds = np.empty((n, h)), np.empty((n, h, len(quantiles)))
    most = max(1, MOST_VALUES // (h * k * len(pools)))
    for low in range(0, n, most):
        part = np.arange(low, min(n, low + most))
        some = states.take(part)
        drawn = [pool.drawn(centre[part], some, k, way) for pool, centre in zip(pools, centres, strict=True)]
        mean[part] = np.mean([own for _, own in drawn], axis=0)
        if quantiles:
            values = np.concatenate([values for values, _ in drawn], axis=-1)
            bounds[part] = quantiles_of(values, quantiles, pools[0].whole)
    return mean, bounds


def quantiles_of(values: Floats, quantiles: Quantiles, whole: bool) -> Floats:
    """Return quantiles over the last axis, missing values left out: of counts a value, else between two of them."""
    ordered = np.sort(values, axis=-1)  # NaN last
    count = np.maximum((~np.isnan(ordered)).sum(axis=-1), 1)
    found = []
    for q in quantiles:
        where = np.clip(np.ceil(q * count - 1e-9) - 1 if whole else q * count - 0.5, 0, count - 1)
        below = np.floor(where).astype(np.int64)
        low, high = (_picked(ordered, at) for at in (below, np.minimum(below + 1, count - 1)))
        found.append(low + (where - below) * (high - low))
    return np.stack(found, axis=-1)


def _picked(ordered: Floats, at: Ints) -> Floats:
    return np.asarray(np.take_along_axis(ordered, at[..., None], axis=-1)[..., 0])


def _mean(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0.0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1))


def _completed(values: Floats, centre: Floats) -> Floats:
    """Give a step that no window knows the values of the step before, in units of the centre; the first the centre."""
    unknown = np.asarray(np.isnan(values).all(axis=-1))
    for s in np.flatnonzero(unknown.any(axis=0)):
        where = unknown[:, s]
        if s == 0:
            values[where, 0] = centre[where, :1]
            continue
        past = centre[where, s - 1]
        values[where, s] = (
            values[where, s - 1] * np.where(past > 0, centre[where, s] / np.where(past > 0, past, 1), 1)[:, None]
        )
    return values
