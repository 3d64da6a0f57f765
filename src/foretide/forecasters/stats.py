"""Any model of statsforecast as a forecaster."""

from __future__ import annotations

import importlib
import inspect
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.seasons import main_season
from foretide.errors import ConfigError, nearest
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.baselines import check_count
from foretide.forecasters.history import by_entity, last_seen, targets_until
from foretide.forecasters.laws import missing, naive_law, normal_quantiles, say_replaced

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows

    Floats = NDArray[np.float64]

_NO_MODELS = frozenset({"SklearnModel", "NaNModel", "ConformalSeasonalPool"})
_NO_LAW = frozenset(
    {
        "ADIDA", "AutoMFLES", "CrostonClassic", "CrostonOptimized", "CrostonSBA", "IMAPA", "MFLES",
        "SeasonalExponentialSmoothing", "SeasonalExponentialSmoothingOptimized", "SeasonalWindowAverage", "TSB",
        "WindowAverage",
    }
)  # fmt: skip
_NO_FORWARD = frozenset({"AutoCES"})
"""Rolled past the training part, ``AutoCES.forward`` of statsforecast 2.1.1 with a partial or full season ran away on
four of six synthetic monthly series (errors of 10^2 to 10^6 where 2 is usual); without a season it was fine."""
EXPLODED = 100.0
"""Intervals are not believed where a bound lies so many times the largest value of the series away from the mean:
multiplicative errors of AutoETS gave bounds of 1e28 on two of 336 series of prescriptions."""
_WIDE = f"a bound of their own lay more than {EXPLODED:g} times the largest value of the series away from the mean"
_DEFAULTS: dict[str, dict[str, Any]] = {"TSB": {"alpha_d": 0.2, "alpha_p": 0.2}}


class Stats(Forecaster):
    """A model of statsforecast, by name, one per series.

    Settings are chosen and parameters estimated once per series on the training part. At each cutoff they are kept
    and rolled forward through the new observations by the model's own ``forward``; a model without
    one (Croston, TSB, simple smoothing, TBATS ...) is estimated anew at each cutoff on the data up to it. A
    missing value is replaced by the last one observed. Intervals are the model's own; a model that has none
    (Croston, TSB, window averages ...) gives none.

    The seasonal naive with its intervals takes the place of a forecast that fails, is not finite, belongs to a
    series unknown at fit, or runs out of time; intervals that run away (:data:`EXPLODED`) get its spread around the
    model's mean. A warning says how many and why.

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
        Further arguments of the model.
    budget : float or None
        Seconds a series may take at fit, and again in one ``predict``. What a model does in a single compiled call
        cannot be interrupted, and outside the main thread time is only looked at between calls. None: no limit.
    alias : str, optional
        Name in frames and tables; the model's name by default.
    """

    knows_ids = True
    accepts_new_ids = False
    baseline = True

    def __init__(
        self,
        model: str,
        h: int,
        season: int | None = None,
        *,
        params: dict[str, Any] | None = None,
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
        self.has_law = model not in _NO_LAW  # depends on the model here
        self._rolls = model not in _NO_FORWARD and hasattr(self._build(), "forward")
        self._train: dict[str, Floats] = {}
        self._models: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """Name in frames and tables."""
        return self.alias or self.model

    def _build(self) -> Any:
        """Return a fresh model of statsforecast."""
        kind = _kind(self.model)
        known = inspect.signature(kind.__init__).parameters
        given = {**_DEFAULTS.get(self.model, {}), **(self.params or {})}
        unknown = [name for name in given if name not in known]
        if unknown:
            raise ConfigError(f"{self.model} has no setting {unknown[0]!r}. {nearest(unknown[0], list(known)[1:])}")
        if "season_length" in known and "season_length" not in given:
            given["season_length"] = self.season_
        absent = [n for n, p in known.items() if p.default is p.empty and n not in (*given, "self", "kwargs")]
        if absent:
            raise ConfigError(
                f"{self.model} needs the setting {absent[0]!r}. "
                f"Type: Stats({self.model!r}, h={self.h}, params={{{absent[0]!r}: ...}})"
            )
        try:
            return kind(**given)
        except ImportError as error:
            raise missing("scikit-learn", self.model) from error

    # ---------------------------------------------------------------- fitting
    def _fit(self, part: FitPart) -> None:
        train = part.train
        self.season_ = int(main_season(train, self.season))
        self._train, self._models = {}, {}
        replaced: dict[str, list[str]] = {}
        for entity in range(train.n_entities):
            filled = last_seen(targets_until(train, entity, int(train.length[entity]) - 1))
            for d in range(train.n_targets):
                key, series = _key(train.ids[entity], train.targets[d]), filled[:, d]
                series = series[~np.isnan(series)]
                try:
                    with _limit(self.budget):
                        self._models[key] = self._learn(series)
                    self._train[key] = series
                except _OutOfTime:
                    replaced.setdefault(self._slow, []).append(train.series_name(entity, d))
                except Exception as error:  # statsforecast raises bare Exception for series it cannot take
                    replaced.setdefault(f"it failed ({error})", []).append(train.series_name(entity, d))
        say_replaced(self.name, replaced, "the seasonal naive")

    def _learn(self, series: Floats) -> Any:
        model = self._build()
        if not self._rolls:
            return model
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(series)

    @property
    def _slow(self) -> str:
        return f"its time budget of {self.budget} s per series ran out (raise it: Stats(..., budget=...))"

    # ---------------------------------------------------------------- predicting
    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        mean = np.full((len(windows), self.h, panel.n_targets), np.nan)
        found = np.full((*mean.shape, len(quantiles)), np.nan)
        replaced: dict[str, list[str]] = {}
        wide: list[str] = []
        for entity, chosen in by_entity(windows):
            cutoffs = windows.cutoff[chosen]
            history = targets_until(panel, entity, int(cutoffs.max()))
            filled = last_seen(history)
            for d in range(panel.n_targets):
                key, name = _key(panel.ids[entity], panel.targets[d]), panel.series_name(entity, d)
                if key in self._train and key not in self._models:  # loaded: it kept its time when it was fitted
                    self._models[key] = self._learn(self._train[key])
                started = time.monotonic()
                for window, cutoff in zip(chosen, cutoffs, strict=True):
                    series = filled[: cutoff + 1, d]
                    series = series[~np.isnan(series)]
                    reason = self._one(key, series, quantiles, started, mean[window, :, d], found[window, :, d])
                    if reason == _WIDE:
                        wide.append(name)
                        law = naive_law(history[:, [d]], np.array([cutoff]), self.h, self.season_)
                        found[window, :, d] = normal_quantiles(mean[window, :, d], law[1][0, :, 0], quantiles)
                    elif reason and len(series):
                        replaced.setdefault(reason, []).append(name)
                        law = naive_law(history[:, [d]], np.array([cutoff]), self.h, self.season_)
                        mean[window, :, d] = law[0][0, :, 0]
                        found[window, :, d] = normal_quantiles(law[0][0, :, 0], law[1][0, :, 0], quantiles)
        say_replaced(self.name, replaced, "the seasonal naive")
        say_replaced(self.name, {_WIDE: wide} if wide else {}, "the intervals of the seasonal naive")
        return Prediction(mean, found if quantiles else None)

    def _one(
        self, key: str, series: Floats, quantiles: tuple[float, ...], started: float, mean: Floats, found: Floats
    ) -> str | None:
        """Write one forecast into ``mean`` ``[H]`` and ``found`` ``[H, Q]``; a reason where there is none."""
        if not len(series):
            return "nothing is observed"
        if key not in self._train:
            return "no model could be estimated for them at fit"
        left = None if self.budget is None else self.budget - (time.monotonic() - started)
        if left is not None and left <= 0:
            return self._slow
        levels = {q: round(100 * abs(1 - 2 * q), 8) for q in quantiles}
        try:
            with _limit(left), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model, level = self._models[key], sorted(set(levels.values())) or None
                if self._rolls:
                    answer = model.forward(y=series, h=self.h, level=level)
                else:  # `forecast` has no intervals where `predict` of the same model has them
                    answer = self._build().fit(series).predict(h=self.h, level=level)
        except _OutOfTime:
            return self._slow
        except Exception as error:  # statsforecast raises bare Exception for series it cannot take
            return f"it failed ({error})"
        mean[:] = answer["mean"]
        for j, q in enumerate(quantiles):
            found[:, j] = answer[f"{'lo' if q < 0.5 else 'hi'}-{levels[q]}"]
        if not (np.isfinite(mean).all() and np.isfinite(found).all()):
            return "its forecast was not finite"
        reach = EXPLODED * max(float(np.abs(series).max()), float(np.abs(mean).max()))
        return _WIDE if quantiles and np.abs(found - mean[:, None]).max() > reach > 0 else None

    # ---------------------------------------------------------------- saving
    def state(self) -> dict[str, NDArray[Any]]:
        """The training series, one after the other, and their lengths."""
        series = list(self._train.values())
        return {
            "train": np.concatenate([np.zeros(0), *series]),
            "lengths": np.array([len(s) for s in series], dtype=np.int64),
        }

    def facts(self) -> dict[str, Any]:
        """The season and the names of the series that have a model."""
        return {"season": self.season_, "series": list(self._train)}

    def restore(self, state: dict[str, NDArray[Any]], facts: dict[str, Any]) -> None:
        """Take the training series back; models are estimated when first needed."""
        self.season_ = facts["season"]
        parts = np.split(state["train"], np.cumsum(state["lengths"]))
        self._train = dict(zip(facts["series"], parts[:-1], strict=True))
        self._models = {}


class _OutOfTime(BaseException):
    """Not an Exception, so that a library's own ``except Exception`` cannot swallow it."""


@contextmanager
def _limit(seconds: float | None) -> Iterator[None]:
    """Interrupt the body after some seconds, where the platform and the thread allow it."""
    usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if seconds is None or not usable:
        yield
        return

    def stop(*_: Any) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    # Fires again every 50 ms: a bare `except:` in the body may swallow the first.
    pending = signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)
    began = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if pending[0]:
            signal.setitimer(signal.ITIMER_REAL, max(pending[0] - (time.monotonic() - began), 1e-3), pending[1])


def _kind(name: str) -> Any:
    try:
        models = importlib.import_module("statsforecast.models")
    except ImportError as error:
        raise missing("statsforecast", f"Stats({name!r})") from error
    known = [n for n in models.__all__ if n not in _NO_MODELS]
    if name not in known:
        raise ConfigError(f"statsforecast has no model {name!r}. {nearest(name, known)}")
    return getattr(models, name)


def _key(entity: str, target: str) -> str:
    return f"{entity}\n{target}"
