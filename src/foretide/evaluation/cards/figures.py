"""Forecasts of several models beside the truth, and any metric of them by any grouping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.counts import buckets
from foretide.data.reading.frames import as_backend
from foretide.errors import ConfigError, nearest
from foretide.evaluation.cards.align import ORACLE
from foretide.evaluation.cards.distributions import Distributions
from foretide.evaluation.cards.groups import Groups, bucket_groups, groups_of
from foretide.evaluation.cards.large import windows_at_once
from foretide.evaluation.metrics.quantiles import Quantiles
from foretide.evaluation.metrics.scale import TrainingScale
from foretide.evaluation.metrics.table import METRICS, metric_of

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.typing import Floats, Frame, Ints


HELD = 256 * 2**20
"""Bytes of figures of single points that are kept for the next question."""


@dataclass(frozen=True, eq=False)
class Figures:
    """What a scorecard is computed from, and its single figures.

    A point counts when its truth is observed and every model has a forecast for it, so that all models are judged on
    the same points; what was left out is counted in :attr:`notes`.

    Attributes
    ----------
    panel : Panel
    windows : Windows
        The origins all models share, ``N`` of them.
    truth : float array ``[N, H, D]``
        NaN where a point does not count.
    forecasts : dict
        Model -> mean forecasts ``[N, H, D]``; the oracle, where there is one, under ``"oracle"``.
    baselines : tuple of str
        Models that skill is measured against.
    scale : TrainingScale
    notes : tuple of str
        What was left out, in sentences.
    distributions : Distributions
        Quantiles of the models that have them, and what they are judged by.
    rates : float array ``[entities, D]``
        Nonzero rate of each series in the training part.
    counts : bool
        Whether every target is a count there: then squared error (MSE) is the main metric, else RMSE.
    unused : dict
        Model -> known-future columns that it does not use; only models that leave any.
    starts : dict
        Network -> the model that is its closed-form start.
    """

    panel: Panel
    windows: Windows
    truth: Floats
    forecasts: dict[str, Floats]
    baselines: tuple[str, ...]
    scale: TrainingScale
    notes: tuple[str, ...]
    distributions: Distributions
    rates: Floats
    counts: bool = False
    unused: dict[str, tuple[str, ...]] = field(default_factory=dict)
    starts: dict[str, str] = field(default_factory=dict)
    _points: dict[tuple[str, str], Floats] = field(init=False, default_factory=dict, repr=False)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, without the oracle."""
        return tuple(name for name in self.forecasts if name != ORACLE)

    @property
    def main(self) -> str:
        """The metric that models are ranked by: ``mse`` for counts, ``rmse`` otherwise."""
        return "mse" if self.counts else "rmse"

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics of the leaderboard: those that at least one model can be judged by."""
        levels = {"": (), "interval": self.distributions.levels, "quantile": ()}
        every = [
            member
            for metric in METRICS.values()
            if self.counts or not metric.counts
            for member in ([metric.at(level) for level in levels[metric.parameter]] if metric.parameter else [metric])
        ]
        return tuple(m.name for m in every if any(self.distributions.suffice(model, m) for model in self.forecasts))

    # ---------------------------------------------------------------- single figures
    def value(self, model: str, metric: str = "rmse") -> float:
        """Return one metric of one model over all points.

        Parameters
        ----------
        model : str
        metric : str
            As in :meth:`scores`.

        Returns
        -------
        float
            NaN where the model's quantiles do not give it.

        Raises
        ------
        ConfigError
            For an unknown model or metric.

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.value("SeasonalNaive", "mae") > 0
        True
        """
        return float(self.values_of(model, metric, groups_of(self, ()))[0])

    def values_of(self, model: str, metric: str, groups: Groups) -> Floats:
        """Return one metric of one model for each group.

        Parameters
        ----------
        model, metric : str
        groups : Groups
            ``G`` of them.

        Returns
        -------
        float array ``[G]``
            NaN for a group without points.
        """
        points = self.points_of(model, metric)
        return metric_of(metric).reduce(points, self.truth, groups.codes, len(groups), self.series_groups)

    def points_of(self, model: str, metric: str) -> Floats:
        """Return a metric's figure of each point.

        Parameters
        ----------
        model, metric : str

        Returns
        -------
        float array ``[N, H, D]``
            No root is taken; NaN where a point does not count.

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.points_of("SeasonalNaive", "mae").shape
        (8, 4, 1)
        """
        self.known(model)
        if (model, metric) not in self._points:
            points = self._made_points(model, metric)
            held = min(4 * len(self.forecasts), max(1, HELD // max(1, points.nbytes)))
            if len(self._points) >= held:
                self._points.clear()
            self._points[model, metric] = points
        return self._points[model, metric]

    def _made_points(self, model: str, name: str) -> Floats:
        metric = metric_of(name)
        if not self.distributions.suffice(model, metric):
            return np.full(self.truth.shape, np.nan)
        truth = self.truth if metric.quantiles is None else self.distributions.truth
        scale = getattr(self.scale, metric.scale) if metric.scale else None
        points = np.empty(truth.shape)
        for some in windows_at_once(truth.shape):
            unit = None if scale is None else scale[self.windows.entity[some]][:, None, :]
            own = self.distributions.judged(model, metric, some)
            points[some] = metric.points(truth[some], self.forecasts[model][some], unit, own)
        return points

    def has(self, metric: str, model: str) -> bool:
        """Whether a model was scored and has what a metric needs.

        Parameters
        ----------
        metric, model : str

        Returns
        -------
        bool

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> plan = {"n_windows": 8, "step": 5, "season": 24, "baselines": False}
        >>> card = ft.backtest(models, data.panel, levels=(), quantiles=(), **plan)
        >>> card.has("mae", "SeasonalNaive"), card.has("wql", "SeasonalNaive")
        (True, False)
        """
        return model in self.forecasts and self.distributions.suffice(model, metric_of(metric))

    def known(self, *models: str) -> None:
        """Check that models were scored.

        Parameters
        ----------
        *models : str

        Raises
        ------
        ConfigError
            With the nearest name of one that was not.
        """
        for model in models:
            if model not in self.forecasts:
                raise ConfigError(f"No model {model!r} was scored. {nearest(model, self.forecasts)}")

    def distribution(self, model: str) -> Quantiles:
        """Return the quantiles of a model.

        Parameters
        ----------
        model : str

        Returns
        -------
        Quantiles
            Values ``[N, H, D, Q]``.

        Raises
        ------
        ConfigError
            For a model that has none.
        """
        if model not in self.distributions.quantiles:
            raise ConfigError(f"{model} has no quantiles. {nearest(model, self.distributions.quantiles)}")
        return self.distributions.quantiles[model]

    # ---------------------------------------------------------------- the best, and skill
    def best_of(self, models: Iterable[str], metric: str) -> str | None:
        """Return the model with the least of a metric.

        Parameters
        ----------
        models : iterable of str
        metric : str

        Returns
        -------
        str or None
            None where no model has a figure.
        """
        values = {name: self.value(name, metric) for name in models if self.has(metric, name)}
        known = [name for name, value in values.items() if np.isfinite(value)]
        return min(known, key=values.__getitem__, default=None)

    @cached_property
    def best_baseline(self) -> str | None:
        """The baseline with the least main error, None where there is none."""
        return self.best_of(self.baselines, self.main)

    @cached_property
    def best_model(self) -> str | None:
        """The model with the least main error that is no baseline, maybe a start; None where there is none."""
        return self.best_of([name for name in self.models if name not in self.baselines], self.main)

    def skill(self, model: str) -> float:
        """Return the share of the best baseline's main error that a model saves.

        Parameters
        ----------
        model : str

        Returns
        -------
        float
            ``1 - error / error of the best baseline``; NaN where there is no baseline or it has no error.

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.skill(card.best_baseline)
        0.0
        """
        if self.best_baseline is None:
            return float("nan")
        least = self.value(self.best_baseline, self.main)
        return 1 - self.value(model, self.main) / least if least > 0 else float("nan")

    # ---------------------------------------------------------------- tables
    @cached_property
    def series_groups(self) -> Ints:
        """Number of each point's series, entities outer, targets inner, ``[N, H, D]``."""
        d = self.panel.n_targets
        numbers = self.windows.entity[:, None, None] * d + np.arange(d)[None, None, :]
        return np.broadcast_to(numbers, self.truth.shape)

    def frame_of(self, metric: str, by: str | Sequence[str] | Groups) -> pd.DataFrame:
        """Return one metric: one row per group and one column per model, always in pandas.

        Parameters
        ----------
        metric : str
        by : str, sequence of str, or Groups
            As in :meth:`scores`.

        Returns
        -------
        pandas.DataFrame

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.frame_of("mae", "h_step").columns.tolist()
        ['h_step', 'SeasonalMean', 'SeasonalNaive']
        """
        groups = by if isinstance(by, Groups) else groups_of(self, by)
        columns = {model: self.values_of(model, metric, groups) for model in self.forecasts}
        return pd.concat([groups.keys, pd.DataFrame(columns)], axis=1)

    def scores(self, metric: str | None = None, by: str | Sequence[str] = ()) -> Frame:
        """Return one metric: one row per group and one column per model.

        Parameters
        ----------
        metric : str, optional
            A name of :data:`foretide.evaluation.metrics.table.METRICS`, or ``coverage_80``, ``winkler_80`` and their
            like for a level that is held; the main one by default.
        by : str or sequence of str
            One or several of ``series`` (or the name of the id column), ``entity``, ``target``, ``bucket``, ``h_step``,
            ``cutoff``, and ``hour``, ``weekday``, ``weekend``, ``day``, ``week``, ``month``, ``quarter``, ``year`` of
            the step forecast. Nothing: one row over all points.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.scores("mae", by=["series", "h_step"]).shape
        (4, 4)
        """
        return self.frame(self.frame_of(metric or self.main, by))

    def by_step(self, metric: str = "rmse") -> Frame:
        """Return one row per horizon step (``h_step``) and one column per model.

        Parameters
        ----------
        metric : str
            As in :meth:`scores`.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.by_step("mae")["h_step"].tolist()
        [1, 2, 3, 4]
        """
        return self.scores(metric, by="h_step")

    def by_series(self, metric: str = "rmse") -> Frame:
        """Return one row per series (named as in forecasts) and one column per model.

        Parameters
        ----------
        metric : str
            As in :meth:`scores`.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> len(card.by_series("mae"))
        1
        """
        return self.scores(metric, by="series")

    def by_bucket(self, metric: str = "mse", *, dense: float = 0.70, ultra: float = 0.005) -> Frame:
        """Return one row per density bucket and one column per model.

        Parameters
        ----------
        metric : str
            As in :meth:`scores`.
        dense, ultra : float
            Nonzero rates in the training part from which a series is dense, and up to which it is ultra-sparse.

        Returns
        -------
        DataFrame
            ``bucket`` (dense, sparse, ultra; those with a series), ``n_series``, then the models.

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.by_bucket("mae")[["bucket", "n_series"]].values.tolist()
        [['dense', 1]]
        """
        groups = bucket_groups(self, dense, ultra)
        table = self.frame_of(metric, groups)
        of_series = buckets(self.rates, dense, ultra).reshape(-1)[np.unique(self.series_groups)].tolist()
        table.insert(1, "n_series", [of_series.count(name) for name in groups.keys["bucket"]])
        return self.frame(table)

    def folds(self, metric: str | None = None) -> Frame:
        """Return one row per fold (``cutoff``) and one column per model.

        Parameters
        ----------
        metric : str, optional
            As in :meth:`scores`.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> len(card.folds("mae"))
        8
        """
        return self.scores(metric, by="cutoff")

    def frame(self, table: pd.DataFrame) -> Frame:
        """Return a table of the kind the panel was made from.

        Parameters
        ----------
        table : pandas.DataFrame

        Returns
        -------
        pandas.DataFrame or polars.DataFrame
        """
        out: Frame = as_backend(table, self.panel.names.backend)
        return out

    @staticmethod
    def pandas(table: Frame) -> pd.DataFrame:
        """Return a table in pandas, whatever kind the panel was made from.

        Parameters
        ----------
        table : pandas.DataFrame or polars.DataFrame

        Returns
        -------
        pandas.DataFrame
        """
        return table if isinstance(table, pd.DataFrame) else table.to_pandas()
