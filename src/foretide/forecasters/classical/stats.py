"""Any model of statsforecast as a forecaster."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.time.ahead import check_known, known_rows
from foretide.data.time.seasons import main_season
from foretide.errors import ConfigError, nearest
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.choices import joined_choices, of_each, same_for_all
from foretide.forecasters.classical.complex_smoothing import with_intervals_of_its_own
from foretide.forecasters.classical.regressors import Regressors, left_out_notes
from foretide.forecasters.classical.stats_series import FittedSeries, Model, Series, structure_of
from foretide.forecasters.classical.time_limit import OutOfTime as _OutOfTime
from foretide.forecasters.classical.time_limit import Watch
from foretide.forecasters.classical.time_limit import limit as _limit
from foretide.forecasters.gaussian import (
    EXPLODED,
    missing,
    naive_distribution,
    normal_quantiles,
    runs_away,
    say_replaced,
    too_large,
)
from foretide.forecasters.replaced import Replaced
from foretide.forecasters.simple.baselines import check_count
from foretide.forecasters.simple.history import SLEEP, by_entity, last_seen, targets_until, wakes

if TYPE_CHECKING:
    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Floats, Ints, Json


_NO_MODELS = frozenset({"SklearnModel", "NaNModel", "ConformalSeasonalPool"})
_SLOW_ORIGINS = 8
"""Past forecasts of a model that is estimated anew at every origin are made from at most so many."""
_NO_DISTRIBUTION = frozenset(
    {
        "ADIDA", "AutoMFLES", "CrostonClassic", "CrostonOptimized", "CrostonSBA", "IMAPA", "MFLES",
        "SeasonalExponentialSmoothing", "SeasonalExponentialSmoothingOptimized", "SeasonalWindowAverage", "TSB",
        "WindowAverage",
    }
)  # fmt: skip
_NOTHING_TO_ESTIMATE = frozenset({"ConstantModel", "ZeroModel"})
LEAST = 3
"""On fewer values nothing is estimated: TBATS on the one value 4 forecast 18, GARCH -0.1."""
_TAKES_REGRESSORS = frozenset({"AutoMFLES"})
"""Its class does not say that it takes regressors; it does."""
_NO_FORWARD = frozenset({"AutoCES"})
"""``AutoCES.forward`` of statsforecast 2.1.1 with a partial or full season ran away past the training part on four of
six synthetic monthly series (errors of 10^2 to 10^6 where 2 is usual)."""
_OWN_INTERVALS = "AutoCES"
_WIDE = f"a bound of their own lay more than {EXPLODED:g} times the range of the history beyond it"
"""Multiplicative errors of AutoETS gave bounds of 1e28 on two of 336 series of prescriptions."""
_DISORDER = "their own were not finite or not in order"
_AWAY = f"its own forecast lay more than {EXPLODED:g} times the range of the history beyond it"
_FAILED_WITH = "its estimation failed with them ({})"
_DEFAULTS: dict[str, dict[str, float]] = {"TSB": {"alpha_d": 0.2, "alpha_p": 0.2}}


class Stats(Forecaster):
    """A model of statsforecast, by name, one per series.

    Settings are chosen and parameters estimated once per series on the training part, from where the series wakes if
    it begins with ten or more equal values. At each cutoff they are kept and rolled forward through the new
    observations by the model's own ``forward``, from the season position that the fit began at, in any table; a model
    without one (Croston, TSB, simple smoothing, TBATS ...) is estimated anew at each cutoff on the data up to it.
    A missing value is replaced by the last one observed. Intervals are the model's own; a model that has none
    (Croston, TSB, window averages ...) gives none.

    Models that take regressors (ARIMA, AutoARIMA, AutoRegressive, MFLES, MSTL around one of them) get the known-future
    columns; those that a series' training part cannot tell apart are left out, and notes say so.

    The seasonal naive with its intervals takes the place of a forecast that fails, is not finite, runs away (more than
    100 ranges of the history beyond it), belongs to a series unknown at fit, or runs out of time; intervals
    that run away get its spread around the model's mean. A warning says how many and why, notes say which.

    Saving keeps settings and training series; the models are estimated again, with the same result, at the first
    prediction after loading.

    Parameters
    ----------
    model : str
        Name of the model: ``"AutoARIMA"``, ``"AutoETS"``, ``"AutoTheta"``, ``"MSTL"``, ``"CrostonOptimized"`` ….
    h : int
        Steps forecast from each cutoff.
    season : int, optional
        Steps of one season; found from the frequency and the training part by default.
    params : dict, optional
        Further arguments of the model. The ``trend_forecaster`` of MSTL is a name, or ``{name: settings}``.
    budget : float or None
        Seconds of computing a series may take at fit, and again in one ``predict``; four times as many may pass, where
        the machine does other work. What a model does in a single compiled call cannot be interrupted, and outside the
        main thread time is only looked at between calls. None: no limit.
    alias : str, optional
        Name in frames and tables; the model's name by default.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.Stats("Theta", h=24, season=24).fit(panel).predict(panel)
    Forecast(Theta: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    quick: ClassVar[Mapping[str, object]] = {"model": "AutoETS"}
    knows_ids = True
    accepts_new_ids = False
    one_by_one = True
    baseline = True

    def __init__(
        self,
        model: str,
        h: int,
        season: int | None = None,
        *,
        params: Mapping[str, object] | None = None,
        budget: float | None = 30.0,
        alias: str | None = None,
    ) -> None:
        super().__init__(h, alias=alias)
        self.model = model
        self.season = check_count("season", season)
        self.params = dict(params) if params else None
        if budget is not None and not budget > 0:
            raise ConfigError(f"budget is a number of seconds above 0, or None for no limit; got {budget!r}.")
        self.budget = budget
        self.season_ = season or 1
        self.has_distribution = model not in _NO_DISTRIBUTION  # depends on the model here
        built = self._build()
        takes = getattr(getattr(built, "trend_forecaster", built), "uses_exog", False)
        self.uses_future = bool(takes) or model in _TAKES_REGRESSORS
        self._rolls = model not in _NO_FORWARD and hasattr(built, "forward")
        self.past_origins = type(self).past_origins if self._rolls else _SLOW_ORIGINS
        self._train: dict[str, FittedSeries] = {}
        self._models: dict[str, Model] = {}
        self._failed: dict[str, str] = {}
        """Series name -> why no model could be estimated."""

    @property
    def name(self) -> str:
        """Name in frames and tables."""
        return self.alias or self.model

    def _build(self) -> Model:
        """Return a fresh model of statsforecast."""
        return _built(self.model, {**_DEFAULTS.get(self.model, {}), **(self.params or {})}, self.season_, self.h)

    # ---------------------------------------------------------------- fitting
    @property
    def needs_future(self) -> bool:
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return any(kept.regressors is not None and len(kept.regressors.columns) for kept in self._train.values())

    def _fit(self, part: FitPart) -> None:
        train = part.train
        self.season_ = int(main_season(train, self.season))
        self._train, self._models, self._failed = {}, {}, {}
        replaced: dict[str, list[str]] = {}
        for entity in range(train.n_entities):
            filled = last_seen(targets_until(train, entity, int(train.length[entity]) - 1))
            table = known_rows(train, entity, 0)
            for d in range(train.n_targets):
                key, start = _key(train.ids[entity], train.targets[d]), int(np.isnan(filled[:, d]).sum())
                start += self._awake(filled[start:, d])
                kept = self._kept(filled[start:, d], table[start:], int(train.first[entity]) + start)
                try:
                    reason = self._unfit(kept.series.y)
                    if not reason:
                        with _limit(self.budget):
                            self._train[key], self._models[key] = self._estimated(kept)
                        continue
                except _OutOfTime:
                    reason = self._slow
                except Exception as error:  # statsforecast raises bare Exception for series it cannot take
                    reason = f"it failed ({error})"
                self._failed[key] = reason
                replaced.setdefault(reason, []).append(train.series_name(entity, d))
        say_replaced(self.name, replaced, "the seasonal naive")

    def _unfit(self, y: Floats) -> str | None:
        """Say why no model can be estimated on a series ``[n]``; None where one can."""
        few = len(y) < LEAST and self.model not in _NOTHING_TO_ESTIMATE
        return f"fewer than {LEAST} values are observed" if few else too_large(y)

    def _awake(self, y: Floats) -> int:
        """Return the row from which on a model that is rolled learns: that where a series wakes, if enough follow."""
        row = wakes(y) if self._rolls else 0
        return row if len(y) - row >= max(2 * self._period + LEAST, SLEEP) else 0

    def _kept(self, y: Floats, table: Floats, first: int) -> FittedSeries:
        if not (self.uses_future and table.shape[1]):
            return FittedSeries(Series(y, np.zeros((len(y), 0))), first)
        regressors = Regressors.choose(table, y)
        return FittedSeries(Series(y, regressors.of(table)), first, regressors)

    def _estimated(self, train: FittedSeries) -> tuple[FittedSeries, Model]:
        """Estimate a model with the regressors; without them where that fails."""
        if not train.series.x.shape[1]:
            return train, self._learn(train.series)
        try:
            return train, self._learn(train.series)
        except Exception as error:  # statsforecast raises bare Exception for regressors it cannot take
            plain = train.without(_FAILED_WITH.format(error))
            return plain, self._learn(plain.series)

    def _learn(self, series: Series) -> Model:
        model = self._build()
        if not self._rolls:
            return model
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return series.fit(model)

    @property
    def _period(self) -> int:
        """Steps after which the model's season positions come again."""
        given = (self.params or {}).get("season_length", self.season_)
        return int(np.asarray(given).max())

    @property
    def _slow(self) -> str:
        return f"its time budget of {self.budget} s per series ran out (raise it: Stats(..., budget=...))"

    # ---------------------------------------------------------------- predicting
    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        mean = np.full((len(windows), self.h, panel.n_targets), np.nan)
        found = np.full((*mean.shape, len(quantiles)), np.nan)
        replaced = Replaced(self.name, "the seasonal naive")
        wide = Replaced(self.name, "the seasonal naive", "intervals of")
        used: list[tuple[Regressors, Ints, int]] = []
        for entity, chosen in by_entity(windows):
            cutoffs = windows.cutoff[chosen]
            history = targets_until(panel, entity, int(cutoffs.max()))
            table = known_rows(panel, entity, self.h)
            for d in range(panel.n_targets):
                key, name = _key(panel.ids[entity], panel.targets[d]), panel.series_name(entity, d)
                train = self._train.get(key)
                if train is not None:
                    self._model(key)
                x = None
                if train is not None and train.regressors is not None:
                    used.append((train.regressors, chosen, d))
                    check_known(panel, entity, table, cutoffs, self.h, train.regressors.columns.tolist())
                    x = train.regressors.of(table)
                watch, filled = Watch(), last_seen(history[:, [d]])[:, 0]
                for window, cutoff in zip(chosen, cutoffs, strict=True):
                    series = self._series(train, filled[: cutoff + 1], x, int(panel.first[entity]))
                    reason = self._one(key, series, quantiles, watch, mean[window, :, d], found[window, :, d])
                    if not reason or not len(series.y):
                        continue
                    distribution = naive_distribution(history[:, [d]], np.array([cutoff]), self.h, self.season_)
                    if reason not in (_WIDE, _DISORDER):
                        mean[window, :, d] = distribution[0][0, :, 0]
                    found[window, :, d] = normal_quantiles(mean[window, :, d], distribution[1][0, :, 0], quantiles)
                    (wide if reason in (_WIDE, _DISORDER) else replaced).add(reason, name, window)
        notes = (*replaced.notes(), *wide.notes(), *left_out_notes(self.name, panel, used))
        return Prediction(mean, found if quantiles else None, notes=notes)

    def _series(self, train: FittedSeries | None, filled: Floats, x: Floats | None, first: int) -> Series:
        """Return what a model reads up to a cutoff, the end of ``filled`` ``[T]``; its first row is at step ``first``.

        A model that is rolled began at fit at some season position and counts from there. Rows before that fit are
        left out; where a table begins elsewhere, its first season is put before it as far as the position asks for.
        """
        start = int(np.isnan(filled).sum())
        rows = np.arange(start, len(filled))
        if train is not None and self._rolls and len(rows):
            late = first + start - train.first
            if 0 < -late < len(rows):
                rows = rows[-late:]
            elif late:
                period = self._period
                before = np.arange(period - late % period, period) if late % period else rows[:0]
                rows = np.concatenate([np.minimum(start + before, len(filled) - 1), rows])
        if x is None:
            return Series(filled[rows], np.zeros((len(rows), 0)))
        return Series(filled[rows], x[rows], x[len(filled) : len(filled) + self.h])

    def _one(
        self, key: str, series: Series, quantiles: tuple[float, ...], watch: Watch, mean: Floats, found: Floats
    ) -> str | None:
        """Write one forecast into ``mean`` ``[H]`` and ``found`` ``[H, Q]``; a reason where there is none."""
        if not len(series.y):
            return "nothing is observed"
        if key not in self._train:
            why = f" ({self._failed[key]})" if key in self._failed else ""
            return f"no model could be estimated for them at fit{why}"
        left = None if self.budget is None else self.budget - watch.seconds()
        if left is not None and left <= 0:
            return self._slow
        if reason := self._unfit(series.y):
            return reason
        levels = {q: round(100 * abs(1 - 2 * q), 8) for q in quantiles}
        try:
            with _limit(left), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = self._forward(self._models[key], series, sorted(set(levels.values())) or None)
        except _OutOfTime:
            return self._slow
        except Exception as error:  # statsforecast raises bare Exception for series it cannot take
            return f"it failed ({error})"
        mean[:] = answer["mean"]
        for j, q in enumerate(quantiles):
            found[:, j] = answer[f"{'lo' if q < 0.5 else 'hi'}-{levels[q]}"]
        if not np.isfinite(mean).all():
            return "its forecast was not finite"
        end = np.array([len(series.y) - 1])
        if runs_away(mean[None], series.y, end)[0]:
            return _AWAY
        if not np.isfinite(found).all() or (np.diff(found, axis=1) < 0).any():
            return _DISORDER
        return _WIDE if quantiles and runs_away(found.reshape(1, -1), series.y, end)[0] else None

    def _forward(self, model: Model, series: Series, level: list[float] | None) -> Mapping[str, Floats]:
        known = series.x.shape[1] and series.ahead is not None
        if self._rolls:
            more = {"X": series.x, "X_future": series.ahead} if known else {}
            return model.forward(y=series.y, h=self.h, level=level, **more)
        # `forecast` has no intervals where `predict` of the same model has them
        model = series.fit(self._build())
        if self.model == _OWN_INTERVALS and level:
            return with_intervals_of_its_own(model.predict(h=self.h), model.model_, level)
        return model.predict(h=self.h, level=level, **({"X": series.ahead} if known else {}))

    def _choices(self, layout: Panel) -> pd.DataFrame:
        """What the models turned out to be, where they say so, and the season."""
        keys = [_key(name, target) for name in layout.ids for target in layout.targets]
        season = {"season": self.season_} if self.season is None else {}
        made = [self._model(key) if key in self._train else None for key in keys]
        return joined_choices(
            [same_for_all(layout.series, season), of_each(layout.series, "model", list(map(structure_of, made)))]
        )

    def _model(self, key: str) -> Model:
        """Return a series' model, estimated again after loading."""
        if key not in self._models:  # it kept its time when it was fitted
            self._models[key] = self._learn(self._train[key].series)
        return self._models[key]

    # ---------------------------------------------------------------- saving
    def state(self) -> dict[str, Array]:
        """The training series and their regressors, one after the other, their lengths and first steps."""
        kept = list(self._train.values())
        known = [k.series.x.reshape(-1) for k in kept if k.series.x.size]
        return {
            "train": np.concatenate([np.zeros(0), *(k.series.y for k in kept)]),
            "lengths": np.array([len(k.series.y) for k in kept], dtype=np.int64),
            "first": np.array([k.first for k in kept], dtype=np.int64),
            **({"known": np.concatenate(known)} if known else {}),
        }

    def facts(self) -> dict[str, object]:
        """The season, the names of the series that have a model, their regressors, and what failed."""
        regressors = [k.regressors and k.regressors.to_dict() for k in self._train.values()]
        return {"season": self.season_, "series": list(self._train), "known": regressors, "failed": self._failed}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take the training series back; models are estimated when first needed."""
        self.season_, self._failed = facts["season"], dict(facts["failed"])
        self._train, self._models = {}, {}
        train, known = (np.asarray(state.get(name, ()), dtype=np.float64) for name in ("train", "known"))
        parts = np.split(train, np.cumsum(state["lengths"]))
        for i, name in enumerate(facts["series"]):
            regressors = facts["known"][i] and Regressors.from_dict(facts["known"][i])
            size = len(parts[i]) * len(regressors.columns) if regressors else 0
            x, known = known[:size].reshape(len(parts[i]), -1) if size else np.zeros((len(parts[i]), 0)), known[size:]
            self._train[name] = FittedSeries(Series(parts[i], x), int(state["first"][i]), regressors)


def _built(name: str, given: Mapping[str, object], season: int, h: int) -> Model:
    """Return a model of statsforecast with settings ``given``, and the season where it takes one."""
    kind = _kind(name)
    known = inspect.signature(kind.__init__).parameters
    unknown = [key for key in given if key not in known]
    if unknown:
        raise ConfigError(f"{name} has no setting {unknown[0]!r}. {nearest(unknown[0], list(known)[1:])}")
    settings = dict(given)
    if "season_length" in known:
        settings.setdefault("season_length", season)
    if isinstance(inner := settings.get("trend_forecaster"), (str, Mapping)):
        which, own = (inner, {}) if isinstance(inner, str) else next(iter(inner.items()))
        settings["trend_forecaster"] = _built(which, own, 1, h)
    absent = [n for n, p in known.items() if p.default is p.empty and n not in (*settings, "self", "kwargs")]
    if absent:
        raise ConfigError(
            f"{name} needs the setting {absent[0]!r}. Type: Stats({name!r}, h={h}, params={{{absent[0]!r}: ...}})"
        )
    try:
        return kind(**settings)
    except ImportError as error:
        raise missing("scikit-learn", name) from error


def _kind(name: str) -> Callable[..., Model]:
    try:
        models = importlib.import_module("statsforecast.models")
    except ImportError as error:
        raise missing("statsforecast", f"Stats({name!r})") from error
    known = [n for n in models.__all__ if n not in _NO_MODELS]
    if name not in known:
        raise ConfigError(f"statsforecast has no model {name!r}. {nearest(name, known)}")
    kind: Callable[..., Model] = getattr(models, name)
    return kind


def _key(entity: str, target: str) -> str:
    return f"{entity}\n{target}"
