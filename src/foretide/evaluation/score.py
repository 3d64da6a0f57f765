"""Several forecasts against the same truth: a leaderboard, and whether a model is worth its training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.counts import buckets, count_like
from foretide.data.time.seasons import main_season
from foretide.errors import ConfigError, nearest
from foretide.evaluation.cards.align import (
    ORACLE,
    baseline_names,
    countable,
    dense_grid,
    first_cutoffs,
    named_forecasts,
    nonzero_rates,
    scale_notes,
    shared_distributions,
    shared_windows,
)
from foretide.evaluation.cards.distributions import Distributions
from foretide.evaluation.cards.groups import Groups, bucket_groups, groups_of
from foretide.evaluation.compare.verdict import verdict
from foretide.evaluation.metrics.points import METRICS, TrainingScale, grouped, metric_of, training_scale
from foretide.evaluation.metrics.quantiles import (
    bounds_of,
    distribution_metric,
    pit_from_quantiles,
    unknown_metric,
    zero_accuracy,
)
from foretide.forecasters.levels import interval_level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.forecast import Forecast

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.int64]

ZEROS = "zero_accuracy"


@dataclass(frozen=True, eq=False)
class Scores:
    """Forecasts of several models beside the truth, on the same windows and points.

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
        Whether every target is a count there: then squared error (MSE) is the main figure, else RMSE.
    unused : dict
        Model -> known-future columns that it does not use; only models that leave any.
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
    _errors: dict[tuple[str, str], Floats] = field(default_factory=dict, repr=False)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, without the oracle."""
        return tuple(name for name in self.forecasts if name != ORACLE)

    @property
    def main(self) -> str:
        """The measure that models are ranked by: ``mse`` for counts, ``rmse`` otherwise."""
        return "mse" if self.counts else "rmse"

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the measures reported: of the mean, then of distributions, then of zeros (counts)."""
        return (*METRICS, *self.distributions.metrics, *((ZEROS,) if self.counts else ()))

    # ---------------------------------------------------------------- tables
    def leaderboard(self) -> Any:
        """Return one row per model, least main error first.

        Columns: ``model``; ``kind`` (model, baseline or oracle); every metric over all points, NaN where a model has no
        quantiles for it; ``skill_vs_best_baseline`` = ``1 - error / error of the best baseline``, ``best_baseline``;
        with an oracle ``ratio_to_oracle`` of the errors, and of its quantiles ``wql_ratio_to_oracle``; ``unused``, the
        known-future columns not used, if any. The error is MSE for counts, RMSE otherwise.
        """
        table = pd.DataFrame({"model": list(self.forecasts)})
        table["kind"] = [self._kind(name) for name in self.forecasts]
        for name in self.metrics:
            table[name] = [self.value(model, name) for model in self.forecasts]
        best = self.best_baseline
        if best is not None:
            table["skill_vs_best_baseline"] = [self.skill(model) for model in self.forecasts]
            table["best_baseline"] = best
        if ORACLE in self.forecasts:
            table["ratio_to_oracle"] = table[self.main] / self.value(ORACLE, self.main)
            if self.has("wql", ORACLE):
                table["wql_ratio_to_oracle"] = table["wql"] / self.value(ORACLE, "wql")
        if self.unused:
            table["unused"] = [", ".join(self.unused.get(model, ())) for model in self.forecasts]
        return self._frame(table.sort_values(self.main, kind="stable", ignore_index=True))

    def scores(self, metric: str | None = None, by: str | Sequence[str] = ()) -> Any:
        """Return one metric: one row per group and one column per model.

        Parameters
        ----------
        metric : str, optional
            Any of :attr:`metrics`, or ``coverage_80``, ``winkler_80`` and their like for a level that is held; the
            main one by default.
        by : str or sequence of str
            One or several of ``series`` (or the name of the id column), ``entity``, ``target``, ``bucket``, ``h_step``,
            ``cutoff``, and ``hour``, ``weekday``, ``weekend``, ``day``, ``week``, ``month``, ``quarter``, ``year`` of
            the step forecast. None: one row over all points.
        """
        metric = metric or self.main
        if not len(by):
            return self._frame(pd.DataFrame({model: [self.value(model, metric)] for model in self.forecasts}))
        return self._frame(self._reduced(metric, groups_of(self, by)))

    def by_step(self, metric: str = "rmse") -> Any:
        """Return one row per horizon step (``h_step``) and one column per model."""
        return self.scores(metric, by="h_step")

    def by_series(self, metric: str = "rmse") -> Any:
        """Return one row per series (named as in forecasts) and one column per model."""
        return self.scores(metric, by="series")

    def by_bucket(self, metric: str = "mse", *, dense: float = 0.70, ultra: float = 0.005) -> Any:
        """Return one row per density bucket and one column per model.

        Columns ``bucket`` (dense, sparse, ultra; those with a series), ``n_series``, then the models. A series' bucket
        follows from its nonzero rate in the training part, by the thresholds ``dense`` and ``ultra``.
        """
        groups = bucket_groups(self, dense, ultra)
        table = self._reduced(metric, groups)
        of_series = buckets(self.rates, dense, ultra).reshape(-1)[np.unique(self.series_groups)].tolist()
        table.insert(1, "n_series", [of_series.count(name) for name in groups.keys["bucket"]])
        return self._frame(table)

    def coverage(self, level: float = 80, by: str | Sequence[str] | None = None, *, fair: bool = False) -> Any:
        """Return how often the truth lies in the central interval of each model that has one.

        Parameters
        ----------
        level : float
            In percent.
        by : str or sequence of str, optional
            As in :meth:`scores`, a row for each group with one column per model; by default one row per model with
            ``model``, ``level``, ``coverage`` and the mean ``width``.
        fair : bool
            Of the randomised PIT instead, which is ``level`` exactly where the distribution is right, for counts too;
            needs a dense grid of quantiles.
        """
        level = interval_level(level)
        name = f"{'fair_' if fair else ''}coverage_{level:g}"
        known = [model for model in self.forecasts if self.has(name, model)]
        if not known:
            if fair:
                raise ConfigError(
                    "Fair coverage needs a dense grid: predict(..., quantiles=[k / 100 for k in range(1, 100)])"
                )
            raise ConfigError(
                f"No model holds the quantiles {bounds_of(level)} of a {level:g} % interval. "
                f"Ask for them: model.predict(..., levels=({level:g},))"
            )
        if by is None:
            values = {"coverage": name, "width": f"width_{level:g}"}
            columns = {key: [self.value(model, metric) for model in known] for key, metric in values.items()}
            return self._frame(pd.DataFrame({"model": known, "level": float(level), **columns}))
        groups = groups_of(self, by)
        return self._frame(self._reduced(name, groups)[[*groups.keys.columns, *known]])

    def pit(self, model: str, seed: int = 0) -> Floats:
        """Return the randomised PIT of each point ``[N, H, D]``, from a dense grid of quantiles.

        Uniform on (0, 1) where the distribution is right; unlike coverage it is exact for counts too, whose intervals
        of whole numbers hold more than they say.
        """
        distribution = self.distributions.quantiles.get(model)
        if distribution is None:
            raise ConfigError(f"{model} has no quantiles. {nearest(model, self.distributions.quantiles)}")
        return pit_from_quantiles(
            self.distributions.truth, distribution.values, distribution.levels, np.random.default_rng(seed)
        )

    def to_frame(self) -> Any:
        """Return all figures in a long frame: ``model, scope, key, metric, value``.

        ``scope`` is ``all``, ``h_step``, ``series`` or (counts) ``bucket``; ``key`` the step, the series' name or the
        bucket (empty for all).
        """
        parts = []
        for name in self.metrics:
            for scope in ("h_step", "series", *(("bucket",) if self.counts else ())):
                table = self._reduced(name, groups_of(self, scope)).set_axis(["key", *self.forecasts], axis=1)
                long = table.melt(id_vars="key", var_name="model", value_name="value")
                parts.append(long.assign(scope=scope, key=long["key"].astype(str), metric=name))
            whole = {"model": list(self.forecasts), "value": [self.value(m, name) for m in self.forecasts]}
            parts.append(pd.DataFrame(whole).assign(scope="all", key="", metric=name))
        table = pd.concat(parts, ignore_index=True)[["model", "scope", "key", "metric", "value"]]
        return self._frame(table)

    # ---------------------------------------------------------------- single figures
    def value(self, model: str, metric: str = "rmse") -> float:
        """Return one metric of one model over all points; NaN where the model's quantiles do not give it."""
        return float(self._values(model, metric, np.zeros(self.truth.shape, dtype=np.int64), 1)[0])

    def has(self, metric: str, model: str) -> bool:
        """Whether a model was scored and has what a metric needs."""
        return model in self.forecasts and (
            metric in METRICS or metric == ZEROS or self.distributions.known(metric, model)
        )

    @cached_property
    def best_baseline(self) -> str | None:
        """The baseline with the least main error, None where there is none."""
        return min(self.baselines, key=lambda name: self.value(name, self.main), default=None)

    @cached_property
    def best_model(self) -> str | None:
        """The model with the least main error that is no baseline, None where there is none."""
        asked = [name for name in self.models if name not in self.baselines]
        return min(asked, key=lambda name: self.value(name, self.main), default=None)

    def skill(self, model: str) -> float:
        """Return ``1 - error / error of the best baseline``; NaN where there is no baseline or it has no error."""
        if self.best_baseline is None:
            return float("nan")
        least = self.value(self.best_baseline, self.main)
        return 1 - self.value(model, self.main) / least if least > 0 else float("nan")

    def verdict(self) -> str:
        """Say whether the best model beats the best baseline, and how far the oracle is."""
        return verdict(self)

    def values_of(self, model: str, metric: str, groups: Groups) -> Floats:
        """Return one metric of one model for each group; NaN for a group without points."""
        return self._values(model, metric, groups.codes, len(groups))

    def frame_of(self, metric: str, by: str | Sequence[str]) -> pd.DataFrame:
        """As :meth:`scores`, always in pandas."""
        return self._reduced(metric, groups_of(self, by))

    # ---------------------------------------------------------------- inside
    def _kind(self, name: str) -> str:
        return ORACLE if name == ORACLE else "baseline" if name in self.baselines else "model"

    def points_of(self, model: str, metric: str) -> Floats:
        """Return a metric's figure of each point ``[N, H, D]``: no root is taken; NaN where a point does not count."""
        if model not in self.forecasts:
            raise ConfigError(f"No model {model!r} was scored. {nearest(model, self.forecasts)}")
        if (model, metric) not in self._errors:
            made = self._made_points(model, metric)
            if len(self._errors) >= 4 * len(self.forecasts):
                self._errors.clear()
            self._errors[model, metric] = made
        return self._errors[model, metric]

    def _made_points(self, model: str, metric: str) -> Floats:
        if metric == ZEROS:
            return zero_accuracy(self.truth, self.forecasts[model], self.distributions.quantiles.get(model))
        if distribution_metric(metric) is not None:
            unknown = not self.distributions.known(metric, model)
            return np.full(self.truth.shape, np.nan) if unknown else self.distributions.points(metric, model)
        if metric not in METRICS:
            raise unknown_metric(metric, [*METRICS, ZEROS])
        found = metric_of(metric)
        scale = getattr(self.scale, found.scale)[self.windows.entity][:, None, :] if found.scale else None
        return found.points(self.truth, self.forecasts[model], scale)

    def _values(self, model: str, metric: str, groups: Numbers, n: int) -> Floats:
        """One figure per group, ``[n]``; NaN for a group without points."""
        points, distribution = self.points_of(model, metric), distribution_metric(metric)
        if metric in METRICS:
            return grouped(metric_of(metric), points, groups, n, self.series_groups)
        known = ~np.isnan(points)
        sizes = np.abs(self.truth[known]) if distribution is not None and distribution.by_size else None
        size = np.bincount(groups[known], weights=sizes, minlength=n)
        total = np.bincount(groups[known], weights=points[known], minlength=n)
        return np.where(size > 0, total / np.where(size > 0, size, 1), np.nan)

    @cached_property
    def series_groups(self) -> Numbers:
        """Number of each point's series, entities outer, targets inner, ``[N, H, D]``."""
        d = self.panel.n_targets
        numbers = self.windows.entity[:, None, None] * d + np.arange(d)[None, None, :]
        return np.broadcast_to(numbers, self.truth.shape)

    def _reduced(self, metric: str, groups: Groups) -> pd.DataFrame:
        columns = {model: self._values(model, metric, groups.codes, len(groups)) for model in self.forecasts}
        return pd.concat([groups.keys, pd.DataFrame(columns)], axis=1)

    def _frame(self, table: pd.DataFrame) -> Any:
        from foretide.data.reading.frames import as_backend

        return as_backend(table, self.panel.names.backend)

    def __repr__(self) -> str:
        return f"Scores({len(self.models)} models, {len(self.windows)} windows; {self.verdict()})"


def score(
    forecasts: Sequence[Forecast],
    panel: Panel | None = None,
    *,
    train_until: Any = None,
    train: Panel | None = None,
    season: int | None = None,
    oracle: Forecast | NDArray[np.floating] | None = None,
    baselines: Sequence[str] | None = None,
) -> Scores:
    """Score forecasts of several models against the truth.

    Windows that not every model forecast are left out, and counted in ``Scores.notes``; so are points
    without an observed truth or with a NaN forecast. Measures of distributions use the points where every distribution
    is whole.

    Parameters
    ----------
    forecasts : sequence of Forecast
        One per model, of the same series and horizon.
    panel : Panel, optional
        Holds the truth; the first forecast's panel by default.
    train_until : time, optional
        Last training step: MASE, RMSSE and MAPE take their scale from the steps up to it, and density buckets their
        nonzero rates. The first cutoff of each series that is scored by default.
    train : Panel, optional
        The training part itself, where it ends at a time of its own for every series.
    season : int, optional
        Season of the MASE and RMSSE scale; found on the training part by default.
    oracle : Forecast or float array ``[N, H, D]``, optional
        The best forecast possible, with quantiles where they are known; an array goes with the windows of the first
        forecast.
    baselines : sequence of str, optional
        Names of the models that skill is measured against; by default those whose forecasts come
        from a baseline (:attr:`foretide.Forecast.baseline`), whatever it is called.

    Raises
    ------
    ConfigError
        For no forecasts, two of one name, or unequal horizons.
    DataError
        When the models share no window, or no point is left.
    """
    named = named_forecasts(list(forecasts), oracle)
    panel = panel or next(iter(named.values())).panel
    windows, chosen, notes = shared_windows(named, panel)
    means = {name: np.asarray(f.mean, dtype=np.float64)[chosen[name]] for name, f in named.items()}
    truth, more = countable(panel, windows, means)
    distributions, distribution_truth, of_distributions = shared_distributions(named, chosen, truth)
    grid, of_grid = dense_grid(distributions)
    held = Distributions(distribution_truth, distributions, *_asked([named[name] for name in distributions], grid))
    if train is None:
        train = panel.head(first_cutoffs(panel, windows) + 1) if train_until is None else panel.until(train_until)
    scale = training_scale(panel, train, main_season(train, season))
    notes += more + of_distributions + of_grid + scale_notes(scale, panel, truth, windows)
    return Scores(
        panel, windows, truth, means, baseline_names(baselines, named), scale, tuple(notes), held,
        nonzero_rates(panel, train), bool(count_like(train).all()),
        {name: f.unused for name, f in named.items() if f.unused},
    )  # fmt: skip


def _asked(forecasts: Sequence[Forecast], grid: tuple[float, ...]) -> tuple[tuple[float, ...], ...]:
    """Levels, the grid, and the quantiles that were asked for, over all forecasts with a distribution."""
    levels = {level for forecast in forecasts for level in forecast.levels}
    return tuple(sorted(levels)), grid, tuple(sorted({q for f in forecasts for q in f.quantile_columns}))
