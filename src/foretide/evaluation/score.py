"""Several forecasts against the same truth: a leaderboard, and whether a model is worth its training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.seasons import main_season
from foretide.data.windows import Windows
from foretide.errors import ConfigError, DataError, nearest
from foretide.evaluation.metrics import METRICS, TrainingScale, grouped, metric_of, training_scale
from foretide.forecasters.baselines import BASELINES
from foretide.forecasters.forecast import Forecast

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel

    Floats = NDArray[np.float64]

ORACLE = "oracle"


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
    """

    panel: Panel
    windows: Windows
    truth: Floats
    forecasts: dict[str, Floats]
    baselines: tuple[str, ...]
    scale: TrainingScale
    notes: tuple[str, ...] = ()
    _errors: dict[tuple[str, str], Floats] = field(default_factory=dict, repr=False)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, without the oracle."""
        return tuple(name for name in self.forecasts if name != ORACLE)

    # ---------------------------------------------------------------- tables
    def leaderboard(self) -> Any:
        """Return one row per model, best RMSE first.

        Columns: ``model``; ``kind`` (model, baseline or oracle); every metric over all points;
        ``skill_vs_best_baseline`` = ``1 - rmse / rmse of the best baseline`` and ``best_baseline``;
        ``ratio_to_oracle`` = ``rmse / rmse of the oracle`` where there is one.
        """
        table = pd.DataFrame({"model": list(self.forecasts)})
        table["kind"] = [self._kind(name) for name in self.forecasts]
        for name in METRICS:
            table[name] = [self.value(model, name) for model in self.forecasts]
        best = self.best_baseline
        if best is not None:
            table["skill_vs_best_baseline"] = [self.skill(model) for model in self.forecasts]
            table["best_baseline"] = best
        if ORACLE in self.forecasts:
            table["ratio_to_oracle"] = table["rmse"] / self.value(ORACLE, "rmse")
        return self._frame(table.sort_values("rmse", kind="stable", ignore_index=True))

    def by_step(self, metric: str = "rmse") -> Any:
        """Return one row per horizon step (``h_step``, from 1) and one column per model."""
        return self._frame(self._step_table(metric, "h_step"))

    def by_series(self, metric: str = "rmse") -> Any:
        """Return one row per series (named as in forecasts) and one column per model."""
        return self._frame(self._series_table(metric, self.panel.names.id))

    def to_frame(self) -> Any:
        """Return all figures in a long frame: ``model, scope, key, metric, value``.

        ``scope`` is ``all``, ``h_step`` or ``series``; ``key`` the step or the series' name (empty for all).
        """
        parts = []
        for name in METRICS:
            for scope, table in (("h_step", self._step_table(name)), ("series", self._series_table(name))):
                long = table.melt(id_vars="key", var_name="model", value_name="value")
                parts.append(long.assign(scope=scope, key=long["key"].astype(str), metric=name))
            whole = {"model": list(self.forecasts), "value": [self.value(m, name) for m in self.forecasts]}
            parts.append(pd.DataFrame(whole).assign(scope="all", key="", metric=name))
        table = pd.concat(parts, ignore_index=True)[["model", "scope", "key", "metric", "value"]]
        return self._frame(table)

    # ---------------------------------------------------------------- single figures
    def value(self, model: str, metric: str = "rmse") -> float:
        """Return one metric of one model over all points."""
        errors = self._points(model, metric)
        groups = np.zeros(errors.shape, dtype=np.int64)
        return float(grouped(metric_of(metric), errors, groups, 1, self._series_groups)[0])

    @cached_property
    def best_baseline(self) -> str | None:
        """The baseline with the least RMSE, None where there is none."""
        return min(self.baselines, key=lambda name: self.value(name, "rmse"), default=None)

    @cached_property
    def best_model(self) -> str | None:
        """The model with the least RMSE that is no baseline, None where there is none."""
        asked = [name for name in self.models if name not in self.baselines]
        return min(asked, key=lambda name: self.value(name, "rmse"), default=None)

    def skill(self, model: str) -> float:
        """Return ``1 - rmse / rmse of the best baseline``; NaN where there is no baseline or it has no error."""
        if self.best_baseline is None:
            return float("nan")
        least = self.value(self.best_baseline, "rmse")
        return 1 - self.value(model, "rmse") / least if least > 0 else float("nan")

    def verdict(self) -> str:
        """Say in a sentence whether the best model beats the best baseline, and how far the oracle is."""
        model, baseline = self.best_model, self.best_baseline
        if model is None and baseline is None:
            return "Nothing was scored."
        if baseline is None:
            said = f"{model} has the least RMSE; no baseline was scored beside it."
        elif model is None:
            said = f"{baseline} is the best of the baselines (RMSE {self.value(baseline, 'rmse'):.4g})."
        else:
            skill = self.skill(model)
            if not np.isfinite(skill):
                said = f"The best simple baseline ({baseline}) makes no error; {model} cannot beat it."
            elif skill > 0:
                said = f"{model} beats the best simple baseline ({baseline}) by {_percent(skill)} in RMSE."
            else:
                behind = f"it is {_percent(-skill)} worse in RMSE" if skill < 0 else "their RMSE is equal"
                said = f"{model} does not beat the best simple baseline ({baseline}): {behind}."
        if ORACLE in self.forecasts and self.value(ORACLE, "rmse") > 0:
            ratio = self.value(model or baseline or "", "rmse") / self.value(ORACLE, "rmse")
            said += f" Its RMSE is {ratio:.3g} times the oracle's."
        return said

    # ---------------------------------------------------------------- inside
    def _kind(self, name: str) -> str:
        return ORACLE if name == ORACLE else "baseline" if name in self.baselines else "model"

    def _points(self, model: str, metric: str) -> Floats:
        """Point errors of one model, ``[N, H, D]``; kept, since every table asks for them."""
        if model not in self.forecasts:
            raise ConfigError(f"No model {model!r} was scored. {nearest(model, self.forecasts)}")
        if (model, metric) not in self._errors:
            found = metric_of(metric)
            scale = getattr(self.scale, found.scale)[self.windows.entity][:, None, :] if found.scale else None
            if len(self._errors) >= 4 * len(self.forecasts):
                self._errors.clear()
            self._errors[model, metric] = found.points(self.truth, self.forecasts[model], scale)
        return self._errors[model, metric]

    @cached_property
    def _series_groups(self) -> NDArray[np.int64]:
        d = self.panel.n_targets
        numbers = self.windows.entity[:, None, None] * d + np.arange(d)[None, None, :]
        return np.broadcast_to(numbers, self.truth.shape)

    def _table(self, key: str, keys: Any, metric: str, groups: NDArray[np.int64]) -> pd.DataFrame:
        columns = {
            model: grouped(metric_of(metric), self._points(model, metric), groups, len(keys), self._series_groups)
            for model in self.forecasts
        }
        return pd.DataFrame({key: keys, **columns})

    def _step_table(self, metric: str, key: str = "key") -> pd.DataFrame:
        steps = np.arange(self.truth.shape[1])
        return self._table(key, steps + 1, metric, np.broadcast_to(steps[None, :, None], self.truth.shape))

    def _series_table(self, metric: str, key: str = "key") -> pd.DataFrame:
        return self._table(key, list(self.panel.series), metric, self._series_groups)

    def _frame(self, table: pd.DataFrame) -> Any:
        from foretide.data.reading import as_backend

        return as_backend(table, self.panel.names.backend)

    def __repr__(self) -> str:
        return f"Scores({len(self.models)} models, {len(self.windows)} windows; {self.verdict()})"


def score(
    forecasts: Sequence[Forecast],
    panel: Panel | None = None,
    *,
    train_until: Any = None,
    season: int | None = None,
    oracle: Forecast | NDArray[np.floating] | None = None,
    baselines: Sequence[str] | None = None,
) -> Scores:
    """Score forecasts of several models against the truth.

    Windows that not every model forecast are left out, and counted in ``Scores.notes``; so are points
    without an observed truth or with a NaN forecast.

    Parameters
    ----------
    forecasts : sequence of Forecast
        One per model, of the same series and horizon.
    panel : Panel, optional
        Holds the truth; the first forecast's panel by default.
    train_until : time, optional
        Last training step: MASE, RMSSE and MAPE take their scale from the steps up to it. The first cutoff scored by
        default.
    season : int, optional
        Season of the MASE and RMSSE scale; found on the training part by default.
    oracle : Forecast or float array ``[N, H, D]``, optional
        The best forecast possible; an array goes with the windows of the first forecast.
    baselines : sequence of str, optional
        Names of the models that skill is measured against; by default those named as in ``BASELINES``, and Ridge.

    Raises
    ------
    ConfigError
        For no forecasts, two of one name, or unequal horizons.
    DataError
        When the models share no window, or no point is left.
    """
    named = _named(list(forecasts), oracle)
    panel = panel or next(iter(named.values())).panel
    windows, chosen, notes = _shared_windows(named, panel)
    means = {name: np.asarray(f.mean, dtype=np.float64)[chosen[name]] for name, f in named.items()}
    truth, more = _countable(panel, windows, means)
    if train_until is None:
        train_until = panel.grid.output_times([int(windows.steps(panel).min())])[0]
    train = panel.until(train_until)
    scale = training_scale(panel, train, main_season(train, season))
    notes += more + _scale_notes(scale, panel, truth, windows)
    return Scores(panel, windows, truth, means, _baselines(baselines, list(named)), scale, tuple(notes))


def _named(forecasts: list[Forecast], oracle: Forecast | NDArray[np.floating] | None) -> dict[str, Forecast]:
    """Return the forecasts by model, the oracle last, after a check that they can be compared."""
    if not forecasts:
        raise ConfigError("There is no forecast to score. Give at least one: score([model.predict(panel, cutoffs)])")
    named, first = {forecast.model: forecast for forecast in forecasts}, forecasts[0]
    if len(named) < len(forecasts) or ORACLE in named:
        raise ConfigError(f"Every model needs a name of its own, not 'oracle'; got {[f.model for f in forecasts]}.")
    if oracle is not None:
        named[ORACLE] = oracle if isinstance(oracle, Forecast) else _as_forecast(oracle, first)
    for name, forecast in named.items():
        if forecast.mean.shape[1:] != first.mean.shape[1:]:
            raise ConfigError(
                f"{name} forecasts {forecast.mean.shape[1]} steps of {forecast.mean.shape[2]} targets, "
                f"{first.model} {first.mean.shape[1]} of {first.mean.shape[2]}; they must agree."
            )
    return named


def _start_of(panel: Panel) -> Any:
    """Return the time of step 0 as the user knows it."""
    return panel.grid.output_times([0])[0]


def _as_forecast(oracle: Any, like: Forecast) -> Forecast:
    mean = np.asarray(oracle, dtype=np.float64)
    if mean.shape != like.mean.shape:
        raise ConfigError(f"The oracle has shape {mean.shape}; {like.model} has {like.mean.shape}. They must agree.")
    return Forecast(ORACLE, like.panel, like.windows, mean)


def _baselines(given: Sequence[str] | None, names: list[str]) -> tuple[str, ...]:
    if given is None:
        return tuple(name for name in names if name in BASELINES or name == "Ridge")
    for name in given:
        if name not in names or name == ORACLE:
            raise ConfigError(f"The baseline {name!r} was not among the forecasts. {nearest(name, names)}")
    return tuple(given)


def _shared_windows(
    named: dict[str, Forecast], panel: Panel
) -> tuple[Windows, dict[str, NDArray[np.int64]], list[str]]:
    """Return the windows all forecasts have, where they stand in each, and what was left out."""
    keys = {name: _keys(forecast, panel) for name, forecast in named.items()}
    shared = None
    for own in keys.values():
        shared = own if shared is None else np.intersect1d(shared, own)
    if shared is None or not len(shared):
        raise DataError(
            f"The models {list(named)} share no window (series and cutoff). Predict all of them at the same cutoffs."
        )
    shared = np.unique(shared)
    chosen, notes = {}, []
    for name, own in keys.items():
        order = np.argsort(own, kind="stable")
        chosen[name] = order[np.searchsorted(own[order], shared)]
        if len(own) > len(shared):
            less = len(own) - len(shared)
            notes.append(f"{less} of {len(own)} windows of {name} left out: not every model forecast them.")
    entity, step = np.divmod(shared, _FAR)
    return Windows(entity, step - _FAR // 2 - panel.first[entity]), chosen, notes


_FAR = np.int64(2**40)


def _keys(forecast: Forecast, panel: Panel) -> NDArray[np.int64]:
    """One number for each (entity, cutoff) in the terms of ``panel``, ``[N]``."""
    theirs = forecast.panel
    if theirs.targets != panel.targets or theirs.grid.freq != panel.grid.freq:
        raise DataError(
            f"{forecast.model} forecast {list(theirs.targets)} every {theirs.grid.freq}; "
            f"the panel has {list(panel.targets)} every {panel.grid.freq}. Score it on the panel it belongs to."
        )
    where = np.array([panel.entity(name) for name in theirs.ids], dtype=np.int64)
    shift = 0
    if theirs.grid.start != panel.grid.start:
        shift = panel.grid.step_of(_start_of(theirs))
    return np.asarray(where[forecast.windows.entity] * _FAR + forecast.cutoff_steps + shift + _FAR // 2)


def _countable(panel: Panel, windows: Windows, means: dict[str, Floats]) -> tuple[Floats, list[str]]:
    """Return the truth, NaN where a point does not count for all models, and what was left out."""
    shape = next(iter(means.values())).shape
    truth = np.array(Forecast("", panel, windows, np.zeros(shape)).truth())
    observed, notes = ~np.isnan(truth), []
    if not observed.all():
        notes.append(f"{int((~observed).sum())} of {truth.size} points left out: their truth is not observed.")
    for name, mean in means.items():
        empty = int((np.isnan(mean) & observed).sum())
        if empty:
            notes.append(f"{empty} of {int(observed.sum())} observed points left out: {name} has no forecast there.")
            truth[np.isnan(mean)] = np.nan
    if np.isnan(truth).all():
        raise DataError("No point is left to score. " + " ".join(notes))
    return truth, notes


def _scale_notes(scale: TrainingScale, panel: Panel, truth: Floats, windows: Windows) -> list[str]:
    notes = []
    scored = {panel.series_name(int(i), d) for i in np.unique(windows.entity) for d in range(panel.n_targets)}
    for reason, names in scale.dropped.items():
        hit = [name for name in names if name in scored]
        if hit:
            notes.append(f"{len(hit)} of {len(scored)} series left out of MASE and RMSSE ({_some(hit)}): {reason}.")
    counted = ~np.isnan(truth)
    small = counted & ~(np.abs(np.where(counted, truth, 1.0)) > scale.near_zero[windows.entity][:, None, :])
    if small.any():
        notes.append(f"{int(small.sum())} of {int(counted.sum())} points left out of MAPE: their truth is near zero.")
    return notes


def _some(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"
