"""What a metric is: a figure of each point, how the figures are pooled, and what the result means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import nan
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from foretide.errors import ConfigError
from foretide.evaluation.metrics.quantiles import LEAST_DENSE, Quantiles
from foretide.forecasters.levels import bounds_of
from foretide.typing import Floats, Ints, Reals

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Better: TypeAlias = Literal["lower", "higher", "nearest"]
Unit: TypeAlias = Literal["target", "target squared", "%", "share", ""]
Place: TypeAlias = Literal["page", "page of counts", "notebook"]
Scale: TypeAlias = Literal["", "mae", "rmse", "near_zero"]
Pooling: TypeAlias = Literal["points", "series", "size"]


@dataclass(frozen=True, eq=False)
class Sample:
    """Truth and forecast of some points, as a metric gets them.

    Attributes
    ----------
    truth : float array ``[...]``
        NaN where a point does not count.
    mean : float array ``[...]``
        Mean forecast.
    quantiles : Quantiles
        Values ``[..., Q]``; none of them where the forecast has none.
    scale : float array that broadcasts to ``[...]``
        The field of :class:`~foretide.evaluation.metrics.scale.TrainingScale` that a metric asks for; else zero.
    level : float
        Of the metric, in percent; NaN where it has none.
    """

    truth: Floats
    mean: Floats
    quantiles: Quantiles
    scale: Floats
    level: float

    @property
    def interval(self) -> tuple[Floats, Floats]:
        """Bounds ``[...]`` of the central interval at the metric's level."""
        bounds = self.quantiles.at(bounds_of(self.level))
        return bounds[..., 0], bounds[..., 1]

    @property
    def quantile(self) -> Floats:
        """The quantile ``[...]`` at the metric's level."""
        return self.quantiles.at(fraction(self.level))[..., 0]


@dataclass(frozen=True)
class Metric:
    """One metric, or a family of them with a level each (``coverage`` -> ``coverage_80``).

    Calling it takes truth and forecast ``[N, H, D]`` (or any equal shapes) and returns the metric over all points. A
    point whose truth or forecast is NaN is left out; NaN where no point is left.

    Attributes
    ----------
    name : str
    meaning : str
        What it is, in a sentence; ``{}`` stands for the level.
    point : callable
        :class:`Sample` -> figure of each point ``[...]``; NaN leaves a point out.
    better : {"lower", "higher", "nearest"}
        Which values are good; ``"nearest"`` to :attr:`goal`.
    unit : {"target", "target squared", "%", "share", ""}
        ``"share"``: from 0 to 1, shown in percent.
    proper : bool
        Whether the best forecast has the least of it, so that a search may make it small.
    root : bool
        Whether the square root of the mean is taken.
    loss : str
        Metric that comparisons test instead, a mean over points: ``mse`` for RMSE; empty: this one.
    pooled : {"points", "series", "size"}
        Mean over the points; mean of the series' values; or sum over the sum of the truths' sizes.
    scale : {"", "mae", "rmse", "near_zero"}
        Which field of :class:`~foretide.evaluation.metrics.scale.TrainingScale` it needs.
    quantiles : callable, optional
        Level -> quantiles it needs of a forecast, as fractions; none of them: any dense grid. None: the mean will do.
    shared_grid : bool
        Whether models are judged on the levels that their dense grids share.
    parameter : {"", "interval", "quantile"}
        What the level of a family is: of a central interval or of a quantile, in percent.
    counts : bool
        Whether it is for counts alone.
    places : tuple of str
        Where it is shown by default, beside the leaderboard: pages, pages of counts, notebooks.
    each_level : bool
        Whether pages show it at each level, or at the least alone.
    level, family : float, str
        Of a member of a family; else NaN and empty.

    Examples
    --------
    >>> from foretide.evaluation.metrics.table import METRICS
    >>> METRICS["mae"]([1.0, 2.0], [1.0, 4.0])
    1.0
    >>> METRICS["coverage"].at(80).name, METRICS["coverage"].at(80).goal
    ('coverage_80', 0.8)
    """

    name: str
    meaning: str
    point: Callable[[Sample], Floats]
    better: Better = "lower"
    unit: Unit = "target"
    proper: bool = True
    root: bool = False
    loss: str = ""
    pooled: Pooling = "points"
    scale: Scale = ""
    quantiles: Callable[[float], tuple[float, ...]] | None = None
    shared_grid: bool = False
    parameter: Literal["", "interval", "quantile"] = ""
    counts: bool = False
    places: tuple[Place, ...] = ("page", "page of counts", "notebook")
    each_level: bool = False
    level: float = nan
    family: str = ""

    @property
    def goal(self) -> float:
        """The value that is right where :attr:`better` is ``"nearest"``: the level, or zero without one."""
        return self.level / 100 if self.parameter else 0.0

    @property
    def searchable(self) -> bool:
        """Whether a search may make it small."""
        return self.better == "lower" and self.proper

    def at(self, level: float) -> Metric:
        """Return the member of a family.

        Parameters
        ----------
        level : float
            In percent.

        Returns
        -------
        Metric
        """
        meaning = self.meaning.format(f"{level:g}")
        return replace(self, name=f"{self.name}_{level:g}", meaning=meaning, level=level, family=self.name)

    def judges(self, quantiles: Quantiles | None) -> bool:
        """Whether a forecast has the quantiles that the metric needs.

        Parameters
        ----------
        quantiles : Quantiles or None
            Of the forecast.

        Returns
        -------
        bool
        """
        if self.quantiles is None:
            return True
        if quantiles is None:
            return False
        needed = self.quantiles(self.level)
        return quantiles.holds(needed) if needed else len(quantiles.levels) >= LEAST_DENSE

    # ---------------------------------------------------------------- figures
    def points(
        self, y: ArrayLike, yhat: ArrayLike, scale: ArrayLike | None = None, quantiles: Quantiles | None = None
    ) -> Floats:
        """Return the figure of each point.

        Parameters
        ----------
        y, yhat : array-like ``[...]``
            Truth and mean forecast.
        scale : array-like that broadcasts to ``[...]``, optional
            For a metric with :attr:`scale`.
        quantiles : Quantiles, optional
            For a metric with :attr:`quantiles`.

        Returns
        -------
        float array ``[...]``
            NaN where a point is left out.

        Raises
        ------
        ConfigError
            When shapes differ, or a scaled metric gets no scale.
        """
        truth, mean = np.asarray(y, dtype=np.float64), np.asarray(yhat, dtype=np.float64)
        if truth.shape != mean.shape:
            raise ConfigError(f"{self.name}: truth has shape {truth.shape}, forecast {mean.shape}; they must be equal.")
        if scale is None and self.scale not in ("", "near_zero"):
            raise ConfigError(
                f"{self.name} is measured against the training part's seasonal-naive error. "
                f"Give scale=..., which broadcasts to {truth.shape}; see training_scale()."
            )
        unit = np.asarray(0.0 if scale is None else scale, dtype=np.float64)
        own = Quantiles((), truth[..., None][..., :0]) if quantiles is None else quantiles
        return np.asarray(self.point(Sample(truth, mean, own, unit, self.level)))

    def __call__(
        self, y: ArrayLike, yhat: ArrayLike, scale: ArrayLike | None = None, quantiles: Quantiles | None = None
    ) -> float:
        """Return the metric over all points; parameters as of :meth:`points`."""
        figures = self.points(y, yhat, scale, quantiles)
        one = np.zeros(figures.shape, dtype=np.int64)
        return float(self.reduce(figures, np.asarray(y, dtype=np.float64), one, 1, one)[0])

    def reduce(self, figures: Floats, truth: Reals, codes: Ints, n: int, series: Ints) -> Floats:
        """Pool the figures of points by group.

        Parameters
        ----------
        figures, truth : float arrays of one shape
            As :meth:`points` gives them, and what was observed.
        codes, series : int arrays of the same shape
            Number of each point's group, and of its series.
        n : int
            Groups.

        Returns
        -------
        float array ``[n]``
            NaN for a group without points.
        """
        known = ~np.isnan(figures)
        figures, codes = figures[known], codes[known]
        if self.pooled != "series":
            sizes = np.abs(truth[known]) if self.pooled == "size" else None
            return self._finished(np.bincount(codes, figures, n), np.bincount(codes, sizes, n))
        series = series[known]
        n_series = int(series.max()) + 1 if len(series) else 1
        cells = codes * n_series + series
        numbers = np.arange(n * n_series) if n * n_series <= 4 * len(cells) else np.unique(cells)
        if len(numbers) < n * n_series:  # by series there are as many groups as series: a whole table is quadratic
            cells = np.searchsorted(numbers, cells)
        size = np.bincount(cells)
        there = np.flatnonzero(size)
        values = self._finished(np.bincount(cells, figures)[there], size[there])
        groups, starts = np.unique(numbers[there] // n_series, return_index=True)
        pooled = np.full(n, np.nan)
        if len(groups):
            pooled[groups] = np.add.reduceat(values, starts) / np.diff(starts, append=len(values))
        return pooled

    def _finished(self, total: Floats | Ints, size: Floats | Ints) -> Floats:
        mean = np.where(size > 0, total / np.where(size > 0, size, 1), np.nan)
        return np.asarray(np.sqrt(mean) if self.root else mean)


def fraction(level: float) -> tuple[float]:
    """Return a level in percent as a fraction.

    Parameters
    ----------
    level : float
        In percent.

    Returns
    -------
    tuple of one float

    Examples
    --------
    >>> fraction(90)
    (0.9,)
    """
    return (round(level / 100, 10),)
