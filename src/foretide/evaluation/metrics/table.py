"""The one table of metrics: leaderboards, scores, comparisons, searches, pages and docs follow from it.

A new metric is a :class:`~foretide.evaluation.metrics.metric.Metric` in a file of its own, and one line here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

import numpy as np

from foretide.errors import ConfigError, nearest
from foretide.evaluation.metrics.metric import Metric, Place, Sample, fraction
from foretide.evaluation.metrics.pit import fair_coverage
from foretide.evaluation.metrics.quantiles import DECILES, coverage, crps, mean_pinball, pinball, winkler, zero_accuracy
from foretide.forecasters.levels import bounds_of
from foretide.typing import Floats


def _percentage(sample: Sample) -> Floats:
    size = np.abs(sample.truth)
    size = np.where(size > sample.scale, size, np.nan)
    return np.asarray(100.0 * np.abs(sample.mean - sample.truth) / size)


def _symmetric(sample: Sample) -> Floats:
    size, error = np.abs(sample.truth) + np.abs(sample.mean), np.abs(sample.mean - sample.truth)
    return np.where(size == 0, 0.0, 200.0 * error / np.where(size == 0, 1.0, size))


def _scaled(sample: Sample) -> Floats:
    """Error in units of the scale; a scale of zero or NaN leaves the point out."""
    return np.asarray((sample.mean - sample.truth) / np.where(sample.scale > 0, sample.scale, np.nan))


def _winkler(sample: Sample) -> Floats:
    low, high = sample.interval
    return winkler(sample.truth, low, high, sample.level)


def _out_of_stock(sample: Sample) -> Floats:
    return np.where(np.isnan(sample.truth + sample.quantile), np.nan, sample.truth > sample.quantile)


_OF_COUNTS: tuple[Place, ...] = ("page of counts",)
_WIDELY: tuple[Place, ...] = ("page of counts", "notebook")

_interval = partial(Metric, quantiles=bounds_of, parameter="interval")
_stock = partial(Metric, quantiles=fraction, parameter="quantile", places=())

_TABLE = (
    Metric(
        "rmse", "root of the mean squared error",
        lambda s: (s.mean - s.truth) ** 2, root=True, loss="mse", places=("page", "notebook"),
    ),
    Metric("mae", "mean absolute error", lambda s: np.abs(s.mean - s.truth)),
    Metric(
        "mape", "mean absolute percentage error; truths near zero are left out",
        _percentage, unit="%", scale="near_zero", places=(),
    ),
    Metric(
        "smape", "symmetric mean absolute percentage error, at most 200 %: `200 abs(f - y) / (abs(f) + abs(y))`",
        _symmetric, unit="%", places=(),
    ),
    Metric(
        "mase", "mean absolute error over that of the seasonal naive forecast on the training part",
        lambda s: np.abs(_scaled(s)), unit="", scale="mae", pooled="series", places=("page", "notebook"),
    ),
    Metric(
        "rmsse", "root of the mean squared error over that of the seasonal naive forecast on the training part",
        lambda s: _scaled(s) ** 2, unit="", root=True, scale="rmse", pooled="series", places=_OF_COUNTS,
    ),
    Metric("bias", "mean of forecast minus truth", lambda s: s.mean - s.truth, better="nearest", places=("page",)),
    Metric("mse", "mean squared error", lambda s: (s.mean - s.truth) ** 2, unit="target squared", places=_WIDELY),
    Metric(
        "wql", "weighted quantile loss: mean over the quantiles 0.1 … 0.9 of `2 Σ pinball / Σ abs(y)`",
        lambda s: mean_pinball(s.truth, s.quantiles.at(DECILES), DECILES), unit="", pooled="size",
        quantiles=lambda level: DECILES, places=_WIDELY,
    ),
    Metric(
        "crps", "continuous ranked probability score: twice the integral of the pinball loss over all levels",
        lambda s: crps(s.truth, s.quantiles.values, s.quantiles.levels), quantiles=lambda level: (), shared_grid=True,
        places=_OF_COUNTS,
    ),
    _interval(
        "coverage", "share of truths inside the central {} % interval, bounds included",
        lambda s: coverage(s.truth, *s.interval), better="nearest", unit="share", each_level=True, places=_WIDELY,
    ),
    _interval(
        "fair_coverage",
        "share of randomised PITs inside the central {} % interval: coverage that whole numbers do not widen",
        lambda s: fair_coverage(s.truth, s.quantiles.values, s.quantiles.levels, s.level), better="nearest",
        unit="share", quantiles=lambda level: (), places=_OF_COUNTS,
    ),
    _interval(
        "winkler",
        "width of the central {} % interval, plus `2 / alpha` times the distance by which a truth misses it",
        _winkler, places=_OF_COUNTS,
    ),
    _interval(
        "width", "mean width of the central {} % interval",
        lambda s: s.interval[1] - s.interval[0] + 0 * s.truth, proper=False, places=(),
    ),
    Metric(
        "zero_accuracy", "share of points where truth and forecast agree on “none or some”",
        lambda s: zero_accuracy(s.truth, s.mean, s.quantiles), better="higher", unit="share", counts=True,
        places=_OF_COUNTS,
    ),
    _stock(
        "service_level", "share of steps whose demand the {} % quantile meets in full",
        lambda s: 1 - _out_of_stock(s), better="higher", unit="share",
    ),
    _stock(
        "stock_out", "share of steps whose demand exceeds the {} % quantile",
        _out_of_stock, unit="share", proper=False,
    ),
    _stock(
        "holding", "mean units left over when the {} % quantile is stocked",
        lambda s: np.maximum(s.quantile - s.truth, 0), proper=False,
    ),
    _stock(
        "shortage", "mean units missing when the {} % quantile is stocked",
        lambda s: np.maximum(s.truth - s.quantile, 0), proper=False,
    ),
    _stock(
        "fill_rate", "share of demand that stocking the {} % quantile meets",
        lambda s: np.maximum(np.minimum(s.truth, s.quantile), 0), better="higher", unit="share", pooled="size",
    ),
    _stock(
        "stock_cost", "newsvendor cost of stocking the {} % quantile, which is the pinball loss at it",
        lambda s: pinball(s.truth, s.quantile, *fraction(s.level)),
    ),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}
"""Name -> metric, in the order of tables. A family, ``coverage``, stands for its members, ``coverage_80``.

- MAPE leaves out truths of at most ``near_zero`` (``NEAR_ZERO`` times the series' mean absolute training value;
  0 where no scale is given); how many is said by :attr:`Scorecard.notes`.
- sMAPE is 0 where truth and forecast are both 0.
- MASE and RMSSE divide each error by the seasonal naive's mean absolute, or root mean squared, error one season ahead
  within the training part (Hyndman & Koehler 2006; Makridakis et al. 2022). Over several series the mean of the series'
  values is taken, as in the M competitions; else one series with a tiny scale would rule RMSSE.
"""


def metric_of(name: str) -> Metric:
    """Return a metric by its name.

    Parameters
    ----------
    name : str
        A key of :data:`METRICS`; of a family, with its level in percent: ``coverage_80``, ``stock_cost_97.5``.

    Returns
    -------
    Metric

    Raises
    ------
    ConfigError
        For an unknown name, with the nearest one; for a level as a fraction.

    Examples
    --------
    >>> metric_of("winkler_95").level, metric_of("rmse").better
    (95.0, 'lower')
    """
    metric = find_metric(name)
    if metric is None:
        raise ConfigError(f"There is no metric {name!r}. {nearest(name, [example(m) for m in METRICS.values()])}")
    return metric


def find_metric(name: str) -> Metric | None:
    """Return a metric by its name, as :func:`metric_of`.

    Parameters
    ----------
    name : str

    Returns
    -------
    Metric or None
        None for a name that is no metric.

    Raises
    ------
    ConfigError
        For a level as a fraction.

    Examples
    --------
    >>> find_metric("model") is None
    True
    """
    metric = METRICS.get(name)
    if metric is not None:
        return None if metric.parameter else metric
    family, _, number = name.rpartition("_")
    metric = METRICS.get(family)
    if (
        metric is None
        or not metric.parameter
        or not re.fullmatch(r"\d+(\.\d+)?", number)
        or not 0 < float(number) < 100
    ):
        return None
    level = float(number)
    if level <= 1:
        raise ConfigError(f"{name}: levels of metrics are percentages above 1. Type {family}_{100 * level:.10g}.")
    return metric.at(level)


def example(metric: Metric) -> str:
    """Return a name that can be typed.

    Parameters
    ----------
    metric : Metric

    Returns
    -------
    str
        Of a family, that of a member: ``coverage_80``, ``stock_cost_90``.

    Examples
    --------
    >>> example(METRICS["coverage"]), example(METRICS["mae"])
    ('coverage_80', 'mae')
    """
    return metric.at({"interval": 80, "quantile": 90}[metric.parameter]).name if metric.parameter else metric.name


def shown_metrics(columns: Iterable[str], place: Place, main: str) -> list[str]:
    """Return which metrics of a leaderboard are shown in some place.

    Parameters
    ----------
    columns : iterable of str
        Of the leaderboard; those that are no metric are passed over.
    place : {"page", "page of counts", "notebook"}
    main : str
        Metric that models are ranked by, which comes first.

    Returns
    -------
    list of str

    Examples
    --------
    >>> shown_metrics(["model", "rmse", "mse", "mae", "mape", "skill_vs_best_baseline"], "page of counts", "mse")
    ['mse', 'mae']
    """
    metrics = [metric for column in columns if (metric := find_metric(column)) is not None and place in metric.places]
    least: dict[str, float] = {}
    for metric in metrics:
        least[metric.family] = min(metric.level, least.get(metric.family, metric.level))
    names = [
        metric.name
        for metric in metrics
        if not metric.family or (metric.each_level and place != "notebook") or metric.level == least[metric.family]
    ]
    return sorted(names, key=lambda name: name != main)
