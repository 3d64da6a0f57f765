"""Conformal correction of quantiles: what past errors were is added to what is forecast now.

The score of a forecast is ``(y - own) / unit``, with its sign, for each level apart. The corrected quantile of level
``tau`` is ``own + unit * S``, where ``S`` is an empirical quantile of the ``n`` scores of the same group whose target
time is not after the cutoff: the ``ceil((n + 1) tau)``-th smallest for levels of at least one half, the
``floor((n + 1) tau)``-th smallest below. For exchangeable scores a bound then leaves out at most what its level says,
on each side (Romano, Patterson & Candès 2019, theorem 2). A rank below 1 or above ``n`` asks for an infinite bound;
the outermost score is taken instead, so that bounds are finite, and no coverage is promised there.

``"adaptive"`` moves the level that is used, for each group and level apart (Gibbs & Candès 2021): whenever truths of a
target time become known, by ``rate * (tau - share of them within the bound)``. Feedback on ``k`` steps ahead thus
reaches cutoffs ``k`` steps later and no sooner. Levels stay between 0 and 1: as bounds are finite, they would run away
otherwise. A value that equals a lower bound is inside the interval, as one that equals an upper bound is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from foretide.data.windows import Windows, first_rows
from foretide.errors import ConfigError, DataError, nearest
from foretide.forecasters.simple.history import SLEEP

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from foretide.data.panel import Panel
    from foretide.typing import Bools, Floats, Ints


METHODS = ("split", "adaptive")
FEWEST = 20
"""Fewer past scores than this say nothing about a group."""
ROUNDING = 1e-9
"""A rank this close to a whole number is that number: ``0.1 * 30`` is not quite 3 in binary."""
NEVER = np.iinfo(np.int64).max


def rolling_conformal(
    truth: Floats,
    own: Floats,
    levels: Sequence[float],
    step: Ints,
    group: Ints,
    unit: Floats,
    *,
    method: Literal["split", "adaptive"] = "split",
    counts: bool | Bools = False,
    window: int | None = None,
    rate: float = 0.05,
    fewest: int = FEWEST,
    learns: Bools | None = None,
) -> Floats:
    """Correct the quantiles of every cutoff by the errors that were known at that cutoff.

    Parameters
    ----------
    truth : ``[N, H, D]``
        NaN where it is not known (yet); what lies after a cutoff is never used for it.
    own : ``[N, H, D, Q]``
        The forecaster's quantiles at ``levels``, ascending fractions; of a point forecaster its forecast at each.
    step : int array ``[N]``
        Grid step of each cutoff; many forecasts may share one.
    group, unit : arrays that broadcast to ``[N, H, D]``
        Forecasts with the same (integer) group are pooled; units make errors of different series comparable, are
        above zero, and leave a forecast out where they are NaN.
    counts : bool or bool array ``[D]``
        Targets whose bounds are whole and not negative, by :func:`whole_bounds`.
    window : int, optional
        Learn, of each step ahead, from the last ``window`` cutoffs whose truth is known; from all by default.
    rate : float
        Step size of ``"adaptive"``.
    fewest : int
        Quantiles of a group with fewer past scores are NaN.
    learns : bool array ``[N]``, optional
        Forecasts to learn from; all by default. The others are only corrected.

    Returns
    -------
    ``[N, H, D, Q]``, ascending along the levels.

    Raises
    ------
    ConfigError, DataError
        For settings out of range, and for arrays that do not fit together or units of zero or less.
    """
    check_settings(method, window, rate, fewest)
    taus = _checked_levels(levels)
    truth, own, step, unit = _checked_arrays(truth, own, step, unit, len(taus))
    codes = np.unique(np.broadcast_to(group, truth.shape), return_inverse=True)[1].reshape(truth.shape)
    cutoffs, at = np.unique(step, return_inverse=True)
    pool = _Pool.of(truth, own, step, at, codes, unit, window, learns)
    found = _shifts(pool, cutoffs, taus, rate if method == "adaptive" else 0.0, fewest)
    corrected = np.sort(own + unit[..., None] * found[at.reshape(-1, 1, 1), codes], axis=-1)
    whole = np.broadcast_to(np.asarray(counts, dtype=bool), truth.shape[2:])
    if whole.any():
        corrected[:, :, whole] = whole_bounds(corrected[:, :, whole], taus)
    return corrected


@dataclass(frozen=True, eq=False)
class _Pool:
    """The cells learned from, ``S`` of them, in order of the time at which their truth is known.

    Attributes
    ----------
    scores : ``[S, Q]``
    group, cutoff : int arrays ``[S]``
        Group, and position among the cutoffs.
    arrives, leaves : int arrays ``[S]``
        First grid step at which a cell is learned from, and the first at which it is not any more.
    groups : int
        Number of groups.
    orders : list of int arrays ``[S]``
        For each level, the cells by group and then score; one array for levels with the same scores.
    """

    scores: Floats
    group: Ints
    cutoff: Ints
    arrives: Ints
    leaves: Ints
    groups: int
    orders: list[Ints]

    @classmethod
    def of(
        cls,
        truth: Floats,
        own: Floats,
        step: Ints,
        at: Ints,
        codes: Ints,
        unit: Floats,
        window: int | None,
        learns: Bools | None,
    ) -> _Pool:
        known = np.isfinite(truth) & np.isfinite(own).all(axis=-1) & np.isfinite(unit)
        if learns is not None:
            known &= np.asarray(learns, dtype=bool)[:, None, None]
        n, k, d = np.nonzero(known)
        arrives = step[n] + k + 1
        first = np.argsort(arrives, kind="stable")
        n, k, d, arrives = n[first], k[first], d[first], arrives[first]
        leaves = np.full(len(n), NEVER)
        if window is not None:
            taught = np.unique(step if learns is None else step[np.asarray(learns, dtype=bool)])
            later = np.searchsorted(taught, step[n]) + window
            inside = later < len(taught)
            leaves[inside] = taught[later[inside]] + k[inside] + 1
        scores = (truth[n, k, d, None] - own[n, k, d]) / unit[n, k, d, None]
        group = codes[n, k, d]
        orders: list[Ints] = []
        for q in range(scores.shape[1]):
            same = next((p for p in range(q) if np.array_equal(scores[:, p], scores[:, q])), None)
            orders.append(orders[same] if same is not None else np.lexsort((scores[:, q], group)))
        return cls(scores, group, at.reshape(-1)[n], arrives, leaves, int(codes.max(initial=-1)) + 1, orders)

    def alive(self, time: int) -> Bools:
        """Whether a cell is learned from at a grid step, ``[S]``."""
        return np.asarray((self.arrives <= time) & (time < self.leaves))


def _shifts(pool: _Pool, cutoffs: Ints, taus: Floats, rate: float, fewest: int) -> Floats:
    """Return what is added at each cutoff, in units, ``[C, G, Q]``; a rate above zero moves the levels."""
    out = np.full((len(cutoffs), pool.groups, len(taus)), np.nan)
    used = np.tile(taus, (pool.groups, 1))
    times = np.union1d(cutoffs, pool.arrives) if rate else cutoffs
    for time in times:
        if rate:
            low, high = np.searchsorted(pool.arrives, [time, time + 1])
            used = _moved(used, taus, rate, pool, slice(int(low), int(high)), out)
        place = int(np.searchsorted(cutoffs, time))
        if place < len(cutoffs) and cutoffs[place] == time:
            out[place] = _at_ranks(pool, pool.alive(int(time)), used, taus, fewest)
    return out


def _at_ranks(pool: _Pool, alive: Bools, used: Floats, taus: Floats, fewest: int) -> Floats:
    """Return the finite-sample quantiles of the scores alive in each group, ``[G, Q]``."""
    n = np.bincount(pool.group[alive], minlength=pool.groups)
    enough = n >= fewest
    out = np.full(used.shape, np.nan)
    if not enough.any():
        return out
    before = first_rows(n)
    exact = (n[:, None] + 1) * used
    rank = np.where(taus < 0.5, np.floor(exact + ROUNDING), np.ceil(exact - ROUNDING))
    index = before[:, None] + np.clip(rank, 1, np.maximum(n, 1)[:, None]).astype(np.int64) - 1
    kept: dict[int, Ints] = {}
    for q in range(len(taus)):
        order = pool.orders[q]
        if id(order) not in kept:
            kept[id(order)] = order[alive[order]]
        out[enough, q] = pool.scores[kept[id(order)][index[enough, q]], q]
    return out


def _moved(used: Floats, taus: Floats, rate: float, pool: _Pool, cells: slice, shifts: Floats) -> Floats:
    """Return the levels ``[G, Q]`` after the truth of some cells has become known."""
    group = pool.group[cells]
    bound = shifts[pool.cutoff[cells], group]  # as it was when these forecasts were made
    said = ~np.isnan(bound).any(axis=1)
    if not said.any():
        return used
    group, bound, scores = group[said], bound[said], pool.scores[cells][said]
    n = np.bincount(group, minlength=pool.groups)
    # An interval holds its bounds: below a lower one lies what is smaller, above an upper one what is larger.
    within = np.where(taus < 0.5, scores < bound, scores <= bound)
    inside = np.stack([np.bincount(group, within[:, q], pool.groups) for q in range(len(taus))], axis=1)
    share = inside / np.maximum(n, 1)[:, None]
    return np.where(n[:, None] > 0, np.clip(used + rate * (taus - share), 0.0, 1.0), used)


def whole_bounds(bounds: Floats, levels: Sequence[float] | Floats) -> Floats:
    """Return whole numbers of at least zero that hold the same whole numbers as real bounds ``[..., Q]``.

    Bounds ascend along the levels. Lower ones (levels below one half) are rounded up, the others down; where that
    crosses them, because no whole number lies between, those in the gap go to the nearest whole number.
    """
    q = np.maximum(bounds, 0.0)
    lower = np.asarray(levels) < 0.5
    below = np.floor(q)
    out = np.where(lower, np.ceil(q), below)
    if lower.any() and not lower.all():
        last = int(lower.sum()) - 1
        gap = below[..., last, None]
        empty = (out[..., last] > out[..., last + 1])[..., None]
        out = np.where(empty & (q > gap) & (q < gap + 1), np.floor(q + 0.5), out)
    return np.asarray(out)


def check_settings(method: object, window: object, rate: object, fewest: int = FEWEST) -> None:
    """Raise a :class:`ConfigError` for a setting of :func:`rolling_conformal` that cannot work."""
    if method not in METHODS:
        raise ConfigError(f"There is no conformal method {method!r}. {nearest(method, METHODS)}")
    if window is not None and (isinstance(window, bool) or not isinstance(window, (int, np.integer)) or window < 1):
        raise ConfigError(f"window is a number of cutoffs, at least 1, or None for all; got {window!r}.")
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.floating)) or not 0 < rate <= 1:
        raise ConfigError(f"rate is a step size above 0 and at most 1, got {rate!r}. Try rate=0.05.")
    if fewest < 1:
        raise ConfigError(f"fewest is a number of scores, at least 1; got {fewest!r}.")


def _checked_levels(levels: Sequence[float]) -> Floats:
    taus = np.asarray(levels, dtype=np.float64)
    if taus.ndim != 1 or not len(taus) or (taus <= 0).any() or (taus >= 1).any() or (np.diff(taus) <= 0).any():
        raise ConfigError(f"levels are ascending fractions between 0 and 1, got {list(levels)}. Try (0.1, 0.5, 0.9).")
    return taus


def _checked_arrays(
    truth: ArrayLike, own: ArrayLike, step: ArrayLike, unit: ArrayLike, q: int
) -> tuple[Floats, Floats, Ints, Floats]:
    truth, own, step = np.asarray(truth, dtype=float), np.asarray(own, dtype=float), np.asarray(step, dtype=np.int64)
    if truth.ndim != 3 or own.shape != (*truth.shape, q) or step.shape != truth.shape[:1]:
        raise DataError(
            f"Expected truth [N, H, D], own [N, H, D, {q}], step [N]; got {truth.shape}, {own.shape} and {step.shape}."
        )
    unit = np.broadcast_to(np.asarray(unit, dtype=np.float64), truth.shape)
    if (unit <= 0).any():
        raise DataError(f"Units of scores are above zero, got {float(np.nanmin(unit)):g}.")
    return truth, own, step, unit


def units(panel: Panel, windows: Windows, season: int) -> Floats:
    """Return what errors of a series are divided by, from its rows up to each cutoff, ``[W, D]``.

    The mean absolute seasonal difference; where that is not known or zero, the mean absolute difference of one step.
    Zero for a series that has not moved over many steps; of fewer, the mean absolute value, then 1.
    """
    d = panel.n_targets
    out = np.ones((len(windows), d))
    for i in np.unique(windows.entity):
        mine = windows.entity == i
        y = panel.rows(int(i))[: int(windows.cutoff[mine].max()) + 1, :d].astype(np.float64)
        found = np.full((int(mine.sum()), d), np.nan)
        moves = np.zeros(found.shape, dtype=np.int64)
        for lag in (season, 1, 0):
            before = np.vstack([np.full((min(lag, len(y)), d), np.nan), y[: max(len(y) - lag, 0)]]) if lag else 0.0
            size = np.abs(y - before)
            known = ~np.isnan(size)
            total, n = np.where(known, size, 0.0).cumsum(axis=0), known.cumsum(axis=0)
            mean = (total / np.maximum(n, 1))[windows.cutoff[mine]]
            found = np.where(np.isnan(found) & (mean > 0), mean, found)
            moves += n[windows.cutoff[mine]] if lag else 0
            found = np.where(np.isnan(found) & (moves >= SLEEP) & (lag == 1), 0.0, found)
        out[mine] = np.where(np.isnan(found), 1.0, found)
    return out


def units_of_all(known: Panel, ends: Windows, panel: Panel, where: Ints, season: int) -> Floats:
    """Return the units of what a model knew, ``[N, D]``; of all rows for those that did not move before.

    ``where`` is the place among ``known`` of each entity of the panel, -1 for those that are not there.
    """
    found = units(known, ends, season)
    still = np.flatnonzero((found == 0).any(axis=1))
    if len(still):
        entity = np.array([int(np.flatnonzero(where == i)[0]) for i in still], dtype=np.int64)
        later = units(panel, Windows(entity, panel.observed[entity] - 1), season)
        found[still] = np.where(found[still] == 0, later, found[still])
    return found
