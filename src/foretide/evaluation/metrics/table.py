"""The one table of metrics: leaderboards, scores, comparisons, searches, pages and docs follow from it.

A new metric is a :class:`~foretide.evaluation.metrics.metric.Metric` in a file of its own, and one line here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from foretide.errors import ConfigError, nearest
from foretide.evaluation.metrics.metric import Metric, Place, Sample, fraction, of_interval, of_mean, of_quantile
from foretide.evaluation.metrics.pit import fair_coverage
from foretide.evaluation.metrics.quantiles import (
    DECILES,
    Quantiles,
    coverage,
    crps,
    mean_pinball,
    pinball,
    winkler,
    zero_accuracy,
)
from foretide.forecasters.levels import bounds_of
from foretide.typing import Bools, Floats


def _percentage(sample: Sample, level: float) -> Floats:
    size = np.abs(sample.truth)
    left_out = ~(size > sample.scale)
    return np.where(left_out, np.nan, 100.0 * np.abs(sample.mean - sample.truth) / np.where(left_out, 1.0, size))


def _symmetric(truth: Floats, mean: Floats) -> Floats:
    size, error = np.abs(truth) + np.abs(mean), np.abs(mean - truth)
    return np.where(size == 0, 0.0, 200.0 * error / np.where(size == 0, 1.0, size))


def _scaled(sample: Sample) -> Floats:
    """Error in units of the scale; a scale of zero or NaN leaves the point out."""
    scale = np.asarray(sample.scale)
    return np.asarray((sample.mean - sample.truth) / np.where(scale > 0, scale, np.nan))


def _wql(sample: Sample, level: float) -> Floats:
    return mean_pinball(sample.truth, np.stack(sample.at(DECILES), axis=-1), DECILES)


def _grid(sample: Sample) -> Quantiles:
    assert sample.quantiles is not None
    return sample.quantiles


def _crps(sample: Sample, level: float) -> Floats:
    return crps(sample.truth, _grid(sample).values, _grid(sample).levels)


def _fair(sample: Sample, level: float) -> Floats:
    return fair_coverage(sample.truth, _grid(sample).values, _grid(sample).levels, level)


def _where_known(truth: Floats, quantile: Floats, holds: Bools) -> Floats:
    return np.where(np.isnan(truth + quantile), np.nan, holds)


_OF_COUNTS: tuple[Place, ...] = ("page of counts",)
_WIDELY: tuple[Place, ...] = ("page of counts", "notebook")

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "rmse", "root of the mean squared error", of_mean(lambda y, f: (f - y) ** 2), root=True,
            loss="mse", places=("page", "notebook"),
        ),
        Metric("mae", "mean absolute error", of_mean(lambda y, f: np.abs(f - y))),
        Metric(
            "mape", "mean absolute percentage error; truths near zero are left out", _percentage, unit="%",
            scale="near_zero", places=(),
        ),
        Metric(
            "smape", "symmetric mean absolute percentage error, at most 200 %: `200 abs(f - y) / (abs(f) + abs(y))`",
            of_mean(_symmetric), unit="%", places=(),
        ),
        Metric(
            "mase", "mean absolute error over that of the seasonal naive forecast on the training part",
            lambda sample, level: np.abs(_scaled(sample)), unit="", scale="mae", pooled="series",
            places=("page", "notebook"),
        ),
        Metric(
            "rmsse", "root of the mean squared error over that of the seasonal naive forecast on the training part",
            lambda sample, level: _scaled(sample) ** 2, unit="", root=True, scale="rmse", pooled="series",
            places=_OF_COUNTS,
        ),
        Metric("bias", "mean of forecast minus truth", of_mean(lambda y, f: f - y), better="nearest", places=("page",)),
        Metric(
            "mse", "mean squared error", of_mean(lambda y, f: (f - y) ** 2), unit="target squared", places=_WIDELY
        ),
        Metric(
            "wql", "weighted quantile loss: mean over the quantiles 0.1 … 0.9 of `2 Σ pinball / Σ abs(y)`", _wql,
            unit="", pooled="size", quantiles=lambda level: DECILES, places=_WIDELY,
        ),
        Metric(
            "crps", "continuous ranked probability score: twice the integral of the pinball loss over all levels",
            _crps, quantiles=lambda level: (), shared_grid=True, places=_OF_COUNTS,
        ),
        Metric(
            "coverage", "share of truths inside the central {} % interval, bounds included",
            of_interval(lambda y, low, high, level: coverage(y, low, high)), better="nearest", unit="share",
            quantiles=bounds_of, parameter="interval", each_level=True, places=_WIDELY,
        ),
        Metric(
            "fair_coverage",
            "share of randomised PITs inside the central {} % interval: coverage that whole numbers do not widen",
            _fair, better="nearest", unit="share", quantiles=lambda level: (), parameter="interval", places=_OF_COUNTS,
        ),
        Metric(
            "winkler",
            "width of the central {0} % interval, plus `2 / alpha` times the distance by which a truth misses it",
            of_interval(winkler), quantiles=bounds_of, parameter="interval", places=_OF_COUNTS,
        ),
        Metric(
            "width", "mean width of the central {} % interval",
            of_interval(lambda y, low, high, level: high - low + 0 * y), proper=False, quantiles=bounds_of,
            parameter="interval", places=(),
        ),
        Metric(
            "zero_accuracy", "share of points where truth and forecast agree on “none or some”",
            lambda sample, level: zero_accuracy(sample.truth, sample.mean, sample.quantiles), better="higher",
            unit="share", counts=True, places=_OF_COUNTS,
        ),
        Metric(
            "service_level", "share of steps whose demand the {} % quantile meets in full",
            of_quantile(lambda y, q, level: _where_known(y, q, y <= q)), better="higher", unit="share",
            quantiles=fraction, parameter="quantile", places=(),
        ),
        Metric(
            "stock_out", "share of steps whose demand exceeds the {} % quantile",
            of_quantile(lambda y, q, level: _where_known(y, q, y > q)), unit="share", proper=False,
            quantiles=fraction, parameter="quantile", places=(),
        ),
        Metric(
            "holding", "mean units left over when the {} % quantile is stocked",
            of_quantile(lambda y, q, level: np.maximum(q - y, 0)), proper=False, quantiles=fraction,
            parameter="quantile", places=(),
        ),
        Metric(
            "shortage", "mean units missing when the {} % quantile is stocked",
            of_quantile(lambda y, q, level: np.maximum(y - q, 0)), proper=False, quantiles=fraction,
            parameter="quantile", places=(),
        ),
        Metric(
            "fill_rate", "share of demand that stocking the {} % quantile meets",
            of_quantile(lambda y, q, level: np.maximum(np.minimum(y, q), 0)), better="higher", unit="share",
            pooled="size", quantiles=fraction, parameter="quantile", places=(),
        ),
        Metric(
            "stock_cost", "newsvendor cost of stocking the {} % quantile, which is the pinball loss at it",
            of_quantile(pinball), quantiles=fraction, parameter="quantile", places=(),
        ),
    )
}  # fmt: skip
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
