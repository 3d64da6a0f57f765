"""Error measures over forecasts, aware of missing truth.

A measure is a table entry: an error for each point, and how the mean of them is finished. So each can be reduced
over everything, by horizon step, by series, or by any other grouping, with one definition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.errors import ConfigError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel

    Floats = NDArray[np.float64]

NEAR_ZERO = 1e-3
"""MAPE leaves out points below this share of the series' mean absolute training value."""


@dataclass(frozen=True)
class Metric:
    """One error measure.

    Calling it takes truth and forecast ``[N, H, D]`` (or any equal shapes) and returns the measure over all
    points, or over ``axis`` as in NumPy. A point whose truth or forecast is NaN is left out; NaN where
    no point is left.

    Attributes
    ----------
    name, label : str
        Name in tables; what it is, in a few words.
    point : callable
        ``(y, yhat, scale)`` -> error of each point.
    root : bool
        Whether the square root of the mean is taken.
    scale : str
        Which field of :class:`TrainingScale` it is measured against; empty where none is needed.
    per_series : bool
        Whether several series are summed up by the mean of their values, not over their points together.
    """

    name: str
    label: str
    point: Callable[[Floats, Floats, Any], Floats]
    root: bool = False
    scale: str = ""
    per_series: bool = False

    def points(self, y: Any, yhat: Any, scale: Any = None) -> Floats:
        """Return the error of each point, NaN where it is left out.

        Raises
        ------
        ConfigError
            When shapes differ, or a scaled measure gets no scale.
        """
        y, yhat = np.asarray(y, dtype=np.float64), np.asarray(yhat, dtype=np.float64)
        if y.shape != yhat.shape:
            raise ConfigError(f"{self.name}: truth has shape {y.shape}, forecast {yhat.shape}; they must be equal.")
        if scale is None and self.scale not in ("", "near_zero"):
            raise ConfigError(
                f"{self.name} is measured against the training part's seasonal-naive error. "
                f"Give scale=..., which broadcasts to {y.shape}; see training_scale()."
            )
        scale = 0.0 if scale is None else np.asarray(scale, dtype=np.float64)
        return np.asarray(self.point(y, yhat, scale))

    def __call__(self, y: Any, yhat: Any, scale: Any = None, axis: int | tuple[int, ...] | None = None) -> Any:
        """Return the measure over all points (float), or over ``axis`` (array)."""
        errors = self.points(y, yhat, scale)
        known = ~np.isnan(errors)
        count = known.sum(axis=axis)
        total = np.where(known, errors, 0.0).sum(axis=axis)
        mean = self.finish(total, count)
        return mean if axis is not None else float(mean)

    def finish(self, total: Any, count: Any) -> Floats:
        """Return the measure from the sum of point errors and their number."""
        mean = np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)
        return np.asarray(np.sqrt(mean) if self.root else mean)


def _mape_point(y: Floats, yhat: Floats, near_zero: Any) -> Floats:
    size = np.abs(y)
    left_out = ~(size > near_zero)
    return np.where(left_out, np.nan, 100.0 * np.abs(yhat - y) / np.where(left_out, 1.0, size))


def _smape_point(y: Floats, yhat: Floats, _: Any) -> Floats:
    size, error = np.abs(y) + np.abs(yhat), np.abs(yhat - y)
    return np.where(size == 0, 0.0, 200.0 * error / np.where(size == 0, 1.0, size))


def _scaled(y: Floats, yhat: Floats, scale: Any) -> Floats:
    """Error in units of the scale; a scale of zero or NaN leaves the point out."""
    usable = np.where(np.asarray(scale) > 0, scale, np.nan)
    return np.asarray((yhat - y) / usable)


def _mase_point(y: Floats, yhat: Floats, scale: Any) -> Floats:
    return np.abs(_scaled(y, yhat, scale))


def _rmsse_point(y: Floats, yhat: Floats, scale: Any) -> Floats:
    return _scaled(y, yhat, scale) ** 2


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("rmse", "root mean squared error", lambda y, f, _: (f - y) ** 2, root=True),
        Metric("mae", "mean absolute error", lambda y, f, _: np.abs(f - y)),
        Metric("mape", "mean absolute percentage error, %, truths near zero left out", _mape_point, scale="near_zero"),
        Metric("smape", "symmetric mean absolute percentage error, 0 to 200 %", _smape_point),
        Metric("mase", "mean absolute scaled error", _mase_point, scale="mae", per_series=True),
        Metric("rmsse", "root mean squared scaled error", _rmsse_point, root=True, scale="rmse", per_series=True),
        Metric("bias", "mean of forecast minus truth", lambda y, f, _: f - y),
        Metric("mse", "mean squared error", lambda y, f, _: (f - y) ** 2),
    )
}
"""Name -> measure.

- MAPE leaves out truths of at most ``near_zero`` (``NEAR_ZERO`` times the series' mean absolute training value;
  0 where no scale is given); how many is said by :class:`foretide.evaluation.score.Scores`.
- sMAPE is ``200 |f - y| / (|f| + |y|)``, 0 where both are 0.
- MASE and RMSSE divide each error by the seasonal naive's mean absolute, or root mean squared, error one season ahead
  within the training part (Hyndman & Koehler 2006; Makridakis et al. 2022). Over several series the mean of the series'
  values is taken, as in the M competitions; else one series with a tiny scale would rule RMSSE.
"""


def metric_of(name: str) -> Metric:
    """Return a measure by its name; a :class:`ConfigError` names the nearest one otherwise."""
    if name not in METRICS:
        raise ConfigError(f"There is no metric {name!r}. {nearest(name, METRICS)}")
    return METRICS[name]


@dataclass(frozen=True, eq=False)
class TrainingScale:
    """What scaled measures divide by, from the training part.

    Attributes
    ----------
    season : int
        Steps of the seasonal naive forecast.
    mae, rmse : float arrays ``[N, D]``
        Its mean absolute and root mean squared error within the training part; NaN where it cannot be used.
    near_zero : float array ``[N, D]``
        Truths of at most this size are left out of MAPE.
    dropped : dict
        Reason -> names of the series without a scale.
    """

    season: int
    mae: Floats
    rmse: Floats
    near_zero: Floats
    dropped: dict[str, tuple[str, ...]]


def training_scale(panel: Panel, train: Panel, season: int) -> TrainingScale:
    """Measure the seasonal naive within the training part.

    Parameters
    ----------
    panel : Panel
        The panel scored; its entities give the order of the rows.
    train : Panel
        Its training part; entities are matched by name.
    season : int
        Steps of one season.
    """
    shape = (panel.n_entities, panel.n_targets)
    mae, rmse, near_zero = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape)
    where = {name: i for i, name in enumerate(train.ids)}
    dropped: dict[str, list[str]] = {}
    for i, name in enumerate(panel.ids):
        rows = train.rows(where[name])[:, : train.n_targets] if name in where else np.zeros((0, panel.n_targets))
        values = np.asarray(rows, dtype=np.float64)
        for d in range(panel.n_targets):
            series = values[:, d]
            steps = np.abs(series[season:] - series[:-season])
            steps, seen = steps[~np.isnan(steps)], np.abs(series[~np.isnan(series)])
            near_zero[i, d] = NEAR_ZERO * seen.mean() if len(seen) else 0.0
            if not len(steps):
                reason = f"no two observed training values lie {season} steps apart"
            elif steps.max() <= 1e-12 * max(seen.max(), 1e-300):
                reason = f"the training part repeats itself exactly every {season} steps"
            else:
                mae[i, d], rmse[i, d] = steps.mean(), np.sqrt((steps**2).mean())
                continue
            dropped.setdefault(reason, []).append(panel.series_name(i, d))
    return TrainingScale(season, mae, rmse, near_zero, {k: tuple(v) for k, v in dropped.items()})


def grouped(
    metric: Metric, errors: Floats, groups: NDArray[np.int64], n_groups: int, series: NDArray[np.int64]
) -> Floats:
    """Reduce point errors by group.

    Parameters
    ----------
    metric : Metric
    errors : float array
        As :meth:`Metric.points` gives them.
    groups, series : int arrays of the same shape
        Number of each point's group, and of its series.
    n_groups : int

    Returns
    -------
    float array ``[n_groups]``
        NaN for a group without points.
    """
    known = ~np.isnan(errors)
    errors, groups = errors[known], groups[known]
    if not metric.per_series:
        return metric.finish(_sums(errors, groups, n_groups), _sums(None, groups, n_groups))
    series = series[known]
    n_series = int(series.max()) + 1 if len(series) else 1
    cells, n_cells = groups * n_series + series, n_groups * n_series
    values = metric.finish(_sums(errors, cells, n_cells), _sums(None, cells, n_cells)).reshape(n_groups, n_series)
    count = (~np.isnan(values)).sum(axis=1)
    return np.where(count > 0, np.nansum(values, axis=1) / np.where(count > 0, count, 1), np.nan)


def _sums(weights: Floats | None, groups: NDArray[np.int64], n_groups: int) -> NDArray[Any]:
    return np.bincount(groups, weights=weights, minlength=n_groups)
