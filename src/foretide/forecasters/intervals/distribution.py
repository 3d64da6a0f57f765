"""Predictive distributions around point forecasts, estimated from past forecasts and what came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.counts import are_counts, count_like
from foretide.data.windows import places
from foretide.forecasters.gaussian import normal_quantiles

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Bools, Floats, Ints

DISTRIBUTIONS = ("negative_binomial", "normal", "empirical")
WHOLE = {"normal": "normal_counts", "empirical": "empirical_counts"}
"""What a distribution is called of counts, whose quantiles are whole numbers of at least zero."""
GROUPS = 4
"""The horizon is cut into at most this many parts of about equal length."""
POSITIONS = 14
"""What follows a forecast of zero is told apart by season position up to this season."""
WORTH = 5.0
"""What is known of all series (or of the whole horizon) counts as this many errors of one (or of one part)."""
SERIES_SPREAD, GROUP_SPREAD = 1.0, 0.4
"""Standard deviations, thought plausible beforehand, of the logarithm of the dispersion."""
LIKELIHOOD_ELEMENTS = 150_000
"""The dispersion is estimated on about this many errors, evenly spaced origins."""
UNDER, ERRORS = 0.7, 3.0
"""No negative binomial fits a series whose squared errors are at most this part of the mean, and so many standard
errors of that part, were they Poisson, below one; half of the series are enough."""
GRID = np.concatenate([[0.001, 0.0025], np.arange(1, 200) / 200, [0.9975, 0.999]])
"""Levels at which empirical quantiles are kept; in between they are interpolated."""


@dataclass(frozen=True, eq=False)
class Errors:
    """Past forecasts beside what came.

    Attributes
    ----------
    mean, truth : float arrays ``[W, H, D]``
        NaN where there is none.
    entity : int array ``[W]``
        Position among the entities of the part.
    step : int array ``[W]``
        Grid step of each origin.
    """

    mean: Floats
    truth: Floats
    entity: Ints
    step: Ints

    def take(self, windows: Ints) -> Errors:
        """Return those of some windows, by their positions."""
        return Errors(self.mean[windows], self.truth[windows], self.entity[windows], self.step[windows])


@dataclass(frozen=True, eq=False)
class ErrorDistribution:
    """What past errors say about every series ``[N, D]`` and part of the horizon ``G``.

    The last row of each array, ``[N]``, stands for entities that were not known at fit.

    Attributes
    ----------
    kinds : tuple of str
        The distribution of each target, one of ``DISTRIBUTIONS`` or of ``WHOLE``.
    ids : tuple of str
        Entities, ``N``.
    group : int array ``[H]``
        Part of the horizon of each step.
    period : int
        Steps after which the positions of ``floor`` repeat.
    dispersion : float array ``[N + 1, D, G]``
        Of the negative binomial distribution.
    floor : float array ``[N + 1, D, period]``
        Mean count at a season position when zero was forecast for it.
    sd : float array ``[N + 1, D, G]``
        Of the errors, NaN for a series without any; for unknown entities relative to the mean absolute forecast.
    errors : float array ``[N + 1, D, G, 203]``
        Quantiles of the errors at the levels of ``GRID``, the last row as for ``sd``; empty without that distribution.
    """

    axes: ClassVar[Mapping[str, str]] = {
        "ids": "N", "kinds": "D", "group": "H", "sd": "N+1 D G", "dispersion": "N+1 D G", "floor": "N+1 D P",
    }  # fmt: skip

    kinds: tuple[str, ...]
    ids: tuple[str, ...]
    group: Ints
    period: int
    dispersion: Floats
    floor: Floats
    sd: Floats
    errors: Floats

    # ---------------------------------------------------------------- learning
    @classmethod
    def fit(cls, past: Errors, kinds: tuple[str, ...], ids: tuple[str, ...], h: int, season: int) -> ErrorDistribution:
        """Estimate the distributions of the targets."""
        group = np.arange(h) * min(GROUPS, h) // h
        period = season if 1 < season <= POSITIONS else 1
        n, d, g = len(ids), len(kinds), int(group[-1]) + 1
        floor = np.zeros((n + 1, d, period))
        dispersion = np.ones((n + 1, d, g))
        columns = np.array([kind == "negative_binomial" for kind in kinds])
        if columns.any():
            floor[:, columns] = _floors(_columns(past, columns), n, period)
            mean = _raised(past.mean, floor[past.entity], past.step, period)
            dispersion[:, columns] = _dispersions(mean[..., columns], past.truth[..., columns], past.entity, n, group)
        sd = _deviations(past, n, group)
        errors = (
            _error_quantiles(past, n, group, sd) if kinds[0].startswith("empirical") else np.zeros((0, d, g, len(GRID)))
        )
        return cls(kinds, ids, group, period, dispersion, floor, sd, errors)

    # ---------------------------------------------------------------- forecasting
    def quantiles(self, mean: Floats, names: Sequence[str], step: Ints, levels: tuple[float, ...]) -> Floats:
        """Return quantiles ``[W, H, D, Q]`` around point forecasts ``[W, H, D]`` of named entities from grid steps."""
        rows = places(names, self.ids)
        rows[rows < 0] = len(self.ids)
        known = ~np.isnan(mean)
        unit = np.where(known, np.abs(mean), 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)  # [W, D]
        if len(set(self.kinds)) == 1:
            return self._of_kind(self.kinds[0], np.full(len(self.kinds), True), mean, rows, step, unit, levels)
        found = np.empty((*mean.shape, len(levels)))
        for kind in dict.fromkeys(self.kinds):
            own = np.array([k == kind for k in self.kinds])
            found[..., own, :] = self._of_kind(kind, own, mean, rows, step, unit, levels)
        return found

    def _of_kind(
        self, kind: str, own: Bools, mean: Floats, rows: Ints, step: Ints, unit: Floats, levels: tuple[float, ...]
    ) -> Floats:
        """Quantiles of the targets of one kind, ``own`` ``[D]``; NaN where the mean is."""
        at = mean if own.all() else mean[..., own]
        if kind == "negative_binomial":
            return np.where(np.isnan(at)[..., None], np.nan, self._counts(mean, rows, step, own, levels))
        if kind.startswith("normal"):
            made = normal_quantiles(at, self._at(self.sd, rows, unit)[..., own], levels)
        else:
            made = self._empirical(at, rows, own, unit, levels)
        return np.maximum(np.round(made, out=made), 0.0, out=made) if kind in WHOLE.values() else made

    def for_new(self, ids: tuple[str, ...], unit: Floats, own: Floats) -> ErrorDistribution:
        """Return the distribution of entities that were not known at fit, for the distributions that have a formula.

        ``unit`` ``[N, D]`` and ``own`` ``[N', D]`` are sizes of known and new series: errors grow with them.
        """
        relative = np.moveaxis(self.sd[:-1] / unit[:, :, None], 0, -1)
        usual = np.array([[_median(values) for values in part] for part in relative])
        sd = np.concatenate([own[:, :, None] * usual, self.sd[-1:]])
        dispersion, floor = (np.repeat(table[-1:], len(ids) + 1, axis=0) for table in (self.dispersion, self.floor))
        return replace(self, ids=ids, sd=sd, dispersion=dispersion, floor=floor)

    def _at(self, table: Floats, rows: Ints, unit: Floats | None = None) -> Floats:
        """``[N + 1, D, G]`` -> ``[W, H, D]``; with units ``[W, D]``, times them where a series is not known."""
        found = table[rows]
        if unit is not None:
            strange = (rows == len(self.ids))[:, None, None] | np.isnan(found)
            found = np.where(strange, table[-1] * unit[:, :, None], found)
        return np.asarray(np.moveaxis(found[:, :, self.group], 1, 2))

    def _counts(self, mean: Floats, rows: Ints, step: Ints, own: Bools, levels: Sequence[float]) -> Floats:
        from foretide.heads.nbinom import quantiles

        raised = np.nan_to_num(_raised(mean, self.floor[rows], step, self.period)[..., own])
        return quantiles(levels, raised, self._at(self.dispersion, rows)[..., own])

    def _empirical(self, mean: Floats, rows: Ints, own: Bools, unit: Floats, levels: Sequence[float]) -> Floats:
        out = np.moveaxis(np.empty((len(levels), *mean.shape)), 0, -1)
        for j, level in enumerate(levels):
            high = int(np.clip(np.searchsorted(GRID, level), 1, len(GRID) - 1))
            share = np.clip((level - GRID[high - 1]) / (GRID[high] - GRID[high - 1]), 0, 1)
            at_level = (1 - share) * self.errors[..., high - 1] + share * self.errors[..., high]
            out[..., j] = mean + self._at(at_level, rows, unit)[..., own]
        return out


def kinds_of(panel: Panel) -> tuple[str, ...]:
    """Return the distribution that suits the errors of each target.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    tuple of str
        Negative binomial for targets that are treated as counts (:func:`foretide.data.counts.count_like`), normal for
        the others, whole where they are whole numbers of at least zero.

    Examples
    --------
    >>> import foretide as ft
    >>> kinds_of(ft.synthetic.hourly(T=60, n_series=1).panel), kinds_of(ft.synthetic.supplies(T=60, n_targets=2).panel)
    (('normal',), ('negative_binomial', 'negative_binomial'))
    """
    sorts = zip(count_like(panel), are_counts(panel), strict=True)
    return tuple("negative_binomial" if small else WHOLE["normal"] if whole else "normal" for small, whole in sorts)


def suited(kinds: tuple[str, ...], past: Errors) -> tuple[str, ...]:
    """Return a normal distribution of whole numbers where errors are smaller than those of any count model.

    The variance of a negative binomial distribution is its mean at least. Counts can vary less, as 20 pieces a day
    give or take two do; their intervals would be twice as wide as they must be.

    Parameters
    ----------
    kinds : tuple of str
        The distribution of each target, as of :func:`kinds_of`.
    past : Errors

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> import numpy as np
    >>> mean, errors = np.full((99, 1, 1), 20.0), np.resize([-2.0, 0.0, 1.0, 1.0], (99, 1, 1))
    >>> suited(("negative_binomial",), Errors(mean, mean + errors, np.zeros(99, dtype=int), np.arange(99)))
    ('normal_counts',)
    """
    found = []
    for d, kind in enumerate(kinds):
        mean, gap = past.mean[..., d], past.truth[..., d] - past.mean[..., d]
        if kind == "negative_binomial":
            known = np.isfinite(gap) & (mean > 0)
            squares, least, count = (
                np.bincount(past.entity, np.where(known, values, 0.0).sum(axis=1)) for values in (gap**2, mean, known)
            )
            some = least > 0
            squares, least, count = squares[some], least[some], count[some]
            doubt = ERRORS * np.sqrt((2 + count / least) / _truths(past, known)[some])
            kind = (
                WHOLE["normal"]
                if len(least) and np.mean(squares < np.minimum(UNDER, 1 - doubt) * least) >= 0.5
                else kind
            )
        found.append(kind)
    return tuple(found)


def _truths(past: Errors, known: Bools) -> Ints:
    """Return how many different steps of each entity are compared with a forecast, ``[N]``; windows share them."""
    at = past.step[:, None] + np.arange(known.shape[1])
    width = int(at.max(initial=0)) + 1
    return np.bincount(
        np.unique((past.entity[:, None] * width + at)[known]) // width, minlength=int(past.entity.max()) + 1
    )


def _median(values: Floats) -> float:
    """Median of what is known; 0 where nothing is."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0


def _columns(past: Errors, chosen: Bools) -> Errors:
    return Errors(past.mean[..., chosen], past.truth[..., chosen], past.entity, past.step)


def _raised(mean: Floats, floor: Floats, step: Ints, period: int) -> Floats:
    """Return means ``[W, H, D]``: at least the floor ``[W, D, period]`` of the step's season position."""
    position = (step[:, None] + np.arange(1, mean.shape[1] + 1)) % period
    least = np.take_along_axis(np.swapaxes(floor, 1, 2), position[:, :, None], axis=1)
    return np.where(mean <= 0, least, mean)


def _floors(past: Errors, n: int, period: int) -> Floats:
    """Return the mean of what came where zero was forecast, ``[N + 1, D, period]``."""
    nothing = (past.mean <= 0) & ~np.isnan(past.truth)
    h, d = past.mean.shape[1:]
    position = (past.step[:, None] + np.arange(1, h + 1)) % period
    cell = (past.entity[:, None, None] * d + np.arange(d)) * period + position[:, :, None]
    size = n * d * period
    total = np.bincount(cell[nothing], past.truth[nothing], size).reshape(n, d, period)
    count = np.bincount(cell[nothing], minlength=size).reshape(n, d, period)
    together = total.sum(axis=0, keepdims=True) / np.maximum(count.sum(axis=0, keepdims=True), 1)
    # Where no zero was forecast yet, one says no more than that something usual comes.
    usual = np.nan_to_num(np.nansum(past.truth, axis=(0, 1)) / np.maximum((~np.isnan(past.truth)).sum(axis=(0, 1)), 1))
    together = np.where(count.sum(axis=(0, 2), keepdims=True) > 0, together, usual[:, None])
    return np.concatenate([np.where(count > 0, total / np.maximum(count, 1), together), together])


def _dispersions(mean: Floats, truth: Floats, entity: Ints, n: int, group: Ints) -> Floats:
    """Return dispersions ``[N + 1, D, G]``: a series' drawn to that of all, a part's drawn to the series'."""
    from foretide.heads.dispersion import fit_of_series

    thin = max(1, mean.size // LIKELIHOOD_ELEMENTS)
    mean, truth, entity = mean[::thin], truth[::thin], entity[::thin]
    d, g = mean.shape[2], int(group[-1]) + 1
    series = np.broadcast_to(entity[:, None, None] * d + np.arange(d), mean.shape)
    part = series * g + group[:, None]
    flat = (mean.ravel(), truth.ravel())
    together = float(fit_of_series(*flat, np.zeros(mean.size, dtype=np.int64), 1, spread=None)[0])
    own = fit_of_series(*flat, series.ravel(), n * d, spread=SERIES_SPREAD, pooled=together)
    factor = fit_of_series(
        *flat, part.ravel(), n * d * g, log_factor=np.log(own)[series.ravel()], spread=GROUP_SPREAD, pooled=1.0
    )
    known = (own[:, None] * factor.reshape(n * d, g)).reshape(n, d, g)
    return np.concatenate([known, np.full((1, d, g), together)])


def _deviations(past: Errors, n: int, group: Ints) -> Floats:
    """Return root mean squared errors ``[N + 1, D, G]``, drawn together."""
    d, g = past.mean.shape[2], int(group[-1]) + 1
    squares = (past.truth - past.mean) ** 2
    total, count = np.zeros((n, d, g)), np.zeros((n, d, g))
    size, points = np.zeros((n, d)), np.zeros((n, d))
    for k in range(g):
        part = squares[:, group == k]
        seen = ~np.isnan(part)
        np.add.at(total[..., k], past.entity, np.where(seen, part, 0.0).sum(axis=1))
        np.add.at(count[..., k], past.entity, seen.sum(axis=1))
    known = ~np.isnan(past.mean)
    np.add.at(size, past.entity, np.where(known, np.abs(past.mean), 0.0).sum(axis=1))
    np.add.at(points, past.entity, known.sum(axis=1))
    variance = total.sum(axis=2) / np.maximum(count.sum(axis=2), 1)
    scale = np.where(variance > 0, variance, 1.0)[..., None]
    seen = count.sum(axis=(0, 1))
    shape = (total / scale).sum(axis=(0, 1)) / np.maximum(seen, 1)  # of the horizon, all series
    shape = shape[
        np.maximum.accumulate(np.where(seen > 0, np.arange(g), 0))
    ]  # a part without errors is as the last with
    drawn = (total + WORTH * variance[..., None] * shape) / (count + WORTH)
    level = size / np.maximum(points, 1)
    level = np.where(level > 0, level, np.nan)
    usable = (count.sum(axis=2) > 0) & ~np.isnan(level)
    relative = np.median((np.sqrt(drawn) / level[..., None])[usable], axis=0) if usable.any() else np.ones(g)
    # A series that was silent, and forecast to be, has shown no error it could make when it wakes up.
    drawn[(count.sum(axis=2) == 0) | ((variance == 0) & np.isnan(level))] = np.nan
    return np.concatenate([np.sqrt(drawn), np.broadcast_to(relative, (1, d, g))])


def _error_quantiles(past: Errors, n: int, group: Ints, sd: Floats) -> Floats:
    """Return quantiles of the errors ``[N + 1, D, G, 203]``; the last row from errors in units of their deviations."""
    d, g = past.mean.shape[2], int(group[-1]) + 1
    out = np.full((n + 1, d, g, len(GRID)), np.nan)
    gap = past.truth - past.mean
    for k in range(g):
        part = gap[:, group == k]
        if k and np.isnan(part).all():
            out[:, :, k] = out[:, :, k - 1]
            continue
        for i in range(n):
            own = part[past.entity == i].reshape(-1, d)
            for c in range(d):
                seen = own[~np.isnan(own[:, c]), c]
                if len(seen):
                    out[i, c, k] = np.quantile(seen, GRID)
        with np.errstate(divide="ignore", invalid="ignore"):
            units = part / sd[past.entity][:, None, :, k]
        seen = units[np.isfinite(units)]
        out[n, :, k] = (np.quantile(seen, GRID) if len(seen) else 0.0) * sd[n, :, k, None]
    return out
