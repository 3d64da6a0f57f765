"""Measures of predictive distributions that are given by quantiles: loss, coverage, width, and where the truth fell.

Plain functions take truth ``[...]`` beside quantiles ``[..., Q]`` or the two bounds of an interval; a point whose
truth or quantile is NaN gives NaN. :func:`distribution_metric` finds a measure by its name, as tables call it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.errors import ConfigError, nearest
from foretide.forecasters.levels import bounds_of as bounds_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DECILES = tuple(round(0.1 * k, 10) for k in range(1, 10))
"""Levels of the weighted quantile loss."""
DENSE = tuple(round(0.01 * k, 10) for k in range(1, 100))
"""A grid that is dense enough for CRPS and PIT: ``predict(..., quantiles=DENSE)``."""
LEAST_DENSE = 49
"""CRPS from fewer levels is not given: from 9 it was measured 9 % too high, from 50 0.06 %."""


@dataclass(frozen=True, eq=False)
class Quantiles:
    """A predictive distribution at every point, by its quantiles.

    Attributes
    ----------
    levels : tuple of float
        Ascending, as fractions.
    values : float array ``[..., Q]``
    """

    levels: tuple[float, ...]
    values: NDArray[np.floating]

    def holds(self, levels: Sequence[float]) -> bool:
        """Whether every one of ``levels`` is among the levels."""
        return all(self._place(level) is not None for level in levels)

    def at(self, levels: Sequence[float]) -> Floats:
        """Return some of the quantiles, ``[..., len(levels)]``."""
        places = [place for level in levels if (place := self._place(level)) is not None]
        if len(places) < len(levels):
            raise ConfigError(
                f"The quantiles {tuple(levels)} are wanted and only {self.levels} are held. "
                f"Ask for them: model.predict(..., quantiles={tuple(levels)})"
            )
        return np.asarray(self.values[..., places], dtype=np.float64)

    def _place(self, level: float) -> int | None:
        return next((k for k, known in enumerate(self.levels) if abs(known - level) < 1e-9), None)


# ---------------------------------------------------------------- functions
def pinball(y: Any, quantile: Any, level: float) -> Floats:
    """Return the quantile (pinball) loss of each point: ``level (y - q)`` above, ``(1 - level)(q - y)`` below."""
    over = np.asarray(y, dtype=np.float64) - np.asarray(quantile, dtype=np.float64)
    return np.asarray(np.maximum(level * over, (level - 1) * over))


def weighted_quantile_loss(y: Any, quantiles: Any, levels: Sequence[float] = DECILES) -> float:
    """Return the mean over levels of ``2 sum(pinball) / sum(|y|)``; NaN where no demand was seen.

    As in the M5 and GluonTS ("mean weighted quantile loss", Park et al. 2022); at the median alone it is
    ``sum |y - q| / sum |y|``.
    """
    losses = _mean_pinball(np.asarray(y, dtype=np.float64), Quantiles(tuple(levels), np.asarray(quantiles)), levels)
    known = ~np.isnan(losses)
    size = float(np.abs(np.asarray(y, dtype=np.float64))[known].sum())
    return float(losses[known].sum() / size) if size > 0 else float("nan")


def crps(y: Any, quantiles: Any, levels: Sequence[float]) -> Floats:
    """Return the continuous ranked probability score of each point, from a dense grid of quantiles.

    ``CRPS = 2 * integral of the pinball loss over the levels from 0 to 1`` (Gneiting & Ranjan 2011), by the
    trapezoidal rule; the loss is 0 at the levels 0 and 1.

    Raises
    ------
    ConfigError
        For fewer than 49 levels, whose result would be too high to compare.
    """
    if len(levels) < LEAST_DENSE:
        raise ConfigError(
            f"CRPS needs at least {LEAST_DENSE} quantile levels, got {len(levels)}: from few of them it is far too "
            "high. Ask for more: model.predict(..., quantiles=[k / 100 for k in range(1, 100)])"
        )
    edges = np.concatenate([[0.0], np.asarray(levels, dtype=np.float64), [1.0]])
    weights = (edges[2:] - edges[:-2]) / 2
    y = np.asarray(y, dtype=np.float64)
    total = np.zeros(y.shape)
    values = np.asarray(quantiles)
    for k, level in enumerate(levels):
        total += 2 * weights[k] * pinball(y, values[..., k], level)
    return total


def coverage(y: Any, low: Any, high: Any) -> Floats:
    """Return 1 where the truth lies in the interval, bounds included, 0 where not."""
    y, low, high = (np.asarray(a, dtype=np.float64) for a in (y, low, high))
    return np.where(np.isnan(y + low + high), np.nan, (low <= y) & (y <= high))


def winkler(y: Any, low: Any, high: Any, level: float) -> Floats:
    """Return the Winkler (interval) score of each point, ``level`` in percent.

    Width plus ``2 / alpha`` times the distance by which the truth lies outside, ``alpha = 1 - level / 100``
    (Winkler 1972; Gneiting & Raftery 2007).
    """
    y, low, high = (np.asarray(a, dtype=np.float64) for a in (y, low, high))
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return np.asarray(high - low + 2 / (1 - level / 100) * outside)


def randomised_pit(cdf_below: Any, cdf_at: Any, rng: np.random.Generator) -> Floats:
    """Return the randomised probability integral transform of counts: uniform between ``F(y - 1)`` and ``F(y)``.

    Uniform on (0, 1) exactly when the distribution is right (Brockwell 2007; Czado, Gneiting & Held 2009).

    Parameters
    ----------
    cdf_below, cdf_at : float arrays of one shape
        Distribution function just below the truth, and at it.
    rng : numpy Generator

    Raises
    ------
    ConfigError
        When ``cdf_at`` is smaller than ``cdf_below``, or one of them is no probability.
    """
    below, at = np.asarray(cdf_below, dtype=np.float64), np.asarray(cdf_at, dtype=np.float64)
    wrong = (at < below - 1e-9) | (below < -1e-9) | (at > 1 + 1e-9)
    if below.shape != at.shape or wrong.any():
        raise ConfigError(
            "Expected probabilities F(y - 1) <= F(y) of one shape; got shapes "
            f"{below.shape} and {at.shape}, {int(np.sum(wrong))} points out of order."
        )
    return np.asarray(below + rng.random(below.shape) * (at - below))


def pit_from_quantiles(y: Any, quantiles: Any, levels: Sequence[float], rng: np.random.Generator) -> Floats:
    """Return the randomised PIT of each point from a dense grid of quantiles, for counts and for other distributions.

    The levels whose quantile lies below the truth bound ``F(y - 1)`` from below, the first one above it bounds
    ``F(y)`` from above; each is known to half a cell of the grid. A distribution without a jump at the truth is
    spread evenly over its cell.
    """
    low, high = _pit_range(y, quantiles, levels)
    return np.asarray(low + rng.random(low.shape) * (high - low))


def fair_coverage(y: Any, quantiles: Any, levels: Sequence[float], level: float) -> Floats:
    """Return for each point the chance that its randomised PIT lies in the central interval, ``level`` in percent.

    Its mean is ``level`` exactly when the distribution is right, for counts too, whose intervals of whole numbers
    otherwise cover more than they say. From a dense grid, as :func:`pit_from_quantiles`, without its randomness.
    """
    low, high = _pit_range(y, quantiles, levels)
    first, last = bounds_of(level)
    inside = np.clip(np.minimum(high, last) - np.maximum(low, first), 0, None)
    return np.asarray(inside / (high - low))


def _pit_range(y: Any, quantiles: Any, levels: Sequence[float]) -> tuple[Floats, Floats]:
    """Return :func:`jump_range` of a dense grid."""
    if len(levels) < LEAST_DENSE:
        raise ConfigError(f"PIT from quantiles needs at least {LEAST_DENSE} levels, got {len(levels)}.")
    return jump_range(y, quantiles, levels)


def jump_range(y: Any, quantiles: Any, levels: Sequence[float]) -> tuple[Floats, Floats]:
    """Return ``F(y - 1)`` and ``F(y)`` as far as the levels know them; NaN where truth or distribution is.

    Each is known to half a cell between neighbouring levels where the distribution jumps at the truth; where it does
    not, they are the ends of the truth's cell.
    """
    y, values = np.asarray(y, dtype=np.float64), np.asarray(quantiles, dtype=np.float64)
    edges = np.concatenate([[0.0], np.asarray(levels, dtype=np.float64), [1.0]])
    below, up_to = (values < y[..., None]).sum(axis=-1), (values <= y[..., None]).sum(axis=-1)
    middle = (edges[1:] + edges[:-1]) / 2
    jump = up_to > below
    low = np.where(jump, middle[below], edges[below])
    high = np.where(jump, middle[up_to], edges[up_to + 1])
    # A distribution that jumps at its very first (last) level puts the whole first (last) cell on that value.
    low, high = np.where(below == 0, 0.0, low), np.where(up_to == len(levels), 1.0, high)
    unknown = np.isnan(y) | np.isnan(values).any(axis=-1)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def says_zero(mean: Any, distribution: Quantiles | None = None) -> NDArray[np.bool_]:
    """Whether a forecast says "none": its median is below one half; without a median, its mean is."""
    if distribution is not None and distribution.holds((0.5,)):
        return np.asarray(distribution.at((0.5,))[..., 0] < 0.5)
    return np.asarray(np.asarray(mean, dtype=np.float64) < 0.5)


def zero_accuracy(y: Any, mean: Any, distribution: Quantiles | None = None) -> Floats:
    """Return 1 where truth and forecast agree on "none or some" (see :func:`says_zero`), 0 where not."""
    y = np.asarray(y, dtype=np.float64)
    unknown = np.isnan(y) | np.isnan(np.asarray(mean, dtype=np.float64))
    return np.where(unknown, np.nan, says_zero(mean, distribution) == (y == 0))


# ---------------------------------------------------------------- the table
@dataclass(frozen=True)
class DistributionMetric:
    """One measure of a predictive distribution.

    Attributes
    ----------
    name, label : str
    levels : tuple of float
        Quantile levels it needs; empty: any dense grid.
    point : callable
        ``(y, distribution)`` -> figure of each point.
    by_size : bool
        Whether the sum of figures is divided by the sum of the truths' sizes, not by their number.
    """

    name: str
    label: str
    levels: tuple[float, ...]
    point: Callable[[Floats, Quantiles], Floats]
    by_size: bool = False

    def known_of(self, distribution: Quantiles | None) -> bool:
        """Whether a distribution holds the quantiles this measure needs."""
        return distribution is not None and (
            distribution.holds(self.levels) if self.levels else len(distribution.levels) >= LEAST_DENSE
        )


def _mean_pinball(y: Floats, distribution: Quantiles, levels: Sequence[float] = DECILES) -> Floats:
    """Twice the pinball loss, mean over levels."""
    values, total = distribution.at(levels), np.zeros(y.shape)
    for k, level in enumerate(levels):
        total += 2 * pinball(y, values[..., k], level) / len(levels)
    return total


def _interval(score: Callable[[Floats, Floats, Floats], Floats], level: float) -> Callable[[Floats, Quantiles], Floats]:
    def point(y: Floats, distribution: Quantiles) -> Floats:
        bounds = distribution.at(bounds_of(level))
        return score(y, bounds[..., 0], bounds[..., 1])

    return point


def _known(y: Floats, quantile: Floats, holds: NDArray[np.bool_]) -> Floats:
    return np.where(np.isnan(y + quantile), np.nan, holds)


def _fair(level: float) -> Callable[[Floats, Quantiles], Floats]:
    return lambda y, distribution: fair_coverage(y, distribution.values, distribution.levels, level)


_FAMILIES: dict[str, tuple[str, Callable[[float], Callable[[Floats, Quantiles], Floats]]]] = {
    "coverage": ("share of truths inside the {} % interval", lambda level: _interval(coverage, level)),
    "fair_coverage": ("share of randomised PITs inside the {} % interval", _fair),
    "winkler": (
        "Winkler score of the {} % interval",
        lambda level: _interval(lambda y, a, b: winkler(y, a, b, level), level),
    ),
    "width": ("mean width of the {} % interval", lambda level: _interval(lambda y, a, b: b - a + 0 * y, level)),
}
_STOCK_FAMILIES: dict[str, tuple[str, Callable[[Floats, Floats, float], Floats]]] = {
    "service_level": ("share of steps whose demand the {} % quantile meets", lambda y, q, _: _known(y, q, y <= q)),
    "stock_out": ("share of steps whose demand exceeds the {} % quantile", lambda y, q, _: _known(y, q, y > q)),
    "holding": ("mean stock left over from the {} % quantile", lambda y, q, _: np.maximum(q - y, 0)),
    "shortage": ("mean demand above the {} % quantile", lambda y, q, _: np.maximum(y - q, 0)),
    "fill_rate": ("share of demand met from the {} % quantile", lambda y, q, _: np.maximum(np.minimum(y, q), 0)),
    "stock_cost": ("newsvendor cost of the {} % quantile per unit of shortage and holding cost", pinball),
}
"""Decisions to stock a quantile; their level is that of the quantile, in percent."""
LAW_METRICS: dict[str, DistributionMetric] = {
    metric.name: metric
    for metric in (
        DistributionMetric("wql", "weighted quantile loss at 0.1 to 0.9", DECILES, _mean_pinball, by_size=True),
        DistributionMetric(
            "crps",
            "continuous ranked probability score",
            (),
            lambda y, distribution: crps(y, distribution.values, distribution.levels),
        ),
    )
}
"""Name -> measure; beside them ``coverage_80``, ``fair_coverage_80``, ``winkler_80`` and ``width_80`` for any central
level, and ``service_level_90``, ``stock_out_90``, ``holding_90``, ``shortage_90``, ``fill_rate_90`` and
``stock_cost_90`` for any quantile."""


def distribution_metric(name: str) -> DistributionMetric | None:
    """Return a measure of distributions by its name, None where there is none of that name."""
    if name in LAW_METRICS:
        return LAW_METRICS[name]
    found = re.fullmatch(r"([a-z_]+)_(\d+(?:\.\d+)?)", name)
    if found is None or not 0 < float(found[2]) < 100:
        return None
    level = float(found[2])
    if level <= 1 and found[1] in (*_STOCK_FAMILIES, *_FAMILIES):
        raise ConfigError(f"{name}: levels of metrics are percentages above 1. Type {found[1]}_{100 * level:.10g}.")
    if found[1] in _STOCK_FAMILIES:
        return _stock_metric(name, found[1], level)
    if found[1] not in _FAMILIES:
        return None
    label, make = _FAMILIES[found[1]]
    needed = () if found[1] == "fair_coverage" else bounds_of(level)
    return DistributionMetric(name, label.format(f"{level:g}"), needed, make(level))


def _stock_metric(name: str, family: str, level: float) -> DistributionMetric:
    (label, score), quantile = _STOCK_FAMILIES[family], round(level / 100, 10)

    def point(y: Floats, distribution: Quantiles) -> Floats:
        return score(y, distribution.at((quantile,))[..., 0], quantile)

    return DistributionMetric(name, label.format(f"{level:g}"), (quantile,), point, by_size=family == "fill_rate")


def interval_metrics(levels: Sequence[float]) -> tuple[str, ...]:
    """Return the names of the measures of central intervals: coverage, Winkler score and width of each level."""
    return tuple(f"{family}_{level:g}" for family in _FAMILIES for level in levels)


def stock_metrics(levels: Sequence[float]) -> tuple[str, ...]:
    """Return the names of the measures of stocking a quantile, for each of its levels in percent: 90 -> 0.9."""
    return tuple(f"{family}_{level:g}" for family in _STOCK_FAMILIES for level in levels)


def unknown_metric(name: str, known: Sequence[str]) -> ConfigError:
    """Return the error for a name that is no measure."""
    names = [*known, *LAW_METRICS, "coverage_80", *stock_metrics((90,))]
    return ConfigError(f"There is no metric {name!r}. {nearest(name, names)}")
