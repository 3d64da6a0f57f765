"""Any regressor of scikit-learn as a forecaster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.time.calendar import Calendar
from foretide.data.windows import Windows, evenly, slide, truth_of
from foretide.errors import ArtifactError, ConfigError, DataError, check_choice
from foretide.forecasters.adapters.contexts import carried_forward, contexts_of, known_contexts, level_and_scale
from foretide.forecasters.adapters.estimators import Estimator, Regressor, described_as, regressor_of, seeded
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.networks.neural import covered_calendar
from foretide.forecasters.simple.baselines import check_count
from foretide.forecasters.simple.calendar_es import CalendarSpec, calendar_of
from foretide.forecasters.sizes import Sizes, SpaceEntry

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Floats, Ints, Json

MOST_ROWS = 50_000
"""Windows x targets that a regressor learns from at most, evenly spread."""


class Sklearn(Forecaster):
    """A regressor of scikit-learn on the lags of a series, pooled over all series and targets.

    A row is one window of one series: its last ``input_size`` values, less their mean and divided by their standard
    deviation; calendar features of the step that is forecast; and the known-future columns there and on the
    ``input_size`` steps before. Since every window brings its own scale, series of any size share one regressor, and
    new series are forecast like known ones.

    Intervals are those of past errors. Saving keeps settings and the rows that were learned from; the regressor, which
    is never pickled, is fitted on them again, with the same result, at the first prediction after loading. An estimator
    of another package with the same methods works, too, but cannot be saved.

    Parameters
    ----------
    h : int
        Steps to forecast.
    model : estimator, str or {name: settings}
        A regressor, or what stands for it in a file: ``"LinearRegression"``, ``{"Ridge": {"alpha": 2.0}}``.
    input_size : int
        Steps looked back at.
    strategy : {"recursive", "direct"}
        One regressor for the next step, which is fed its own forecasts; or one for each of the ``h`` steps, which then
        reads the past columns, too.
    calendar : Calendar, dict, "auto" or None
        Calendar features of the step that is forecast; "auto" takes those of the frequency whose cycle the longest
        series holds twice.
    seed : int
        For parts of the estimator that draw at random and have no ``random_state`` of their own.
    alias : str, optional
        Name in frames and tables; that of the estimator's class by default.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> if __import__("importlib").util.find_spec("sklearn"):
    ...     model = ft.adapters.Sklearn(h=24, model={"Ridge": {"alpha": 1.0}}, input_size=24)
    ...     assert model.fit(panel).predict(panel).mean.shape == (1, 24, 1)
    """

    needs = "sklearn"
    quick: ClassVar[Mapping[str, object]] = {"model": "LinearRegression", "input_size": 14}
    uses_future = True

    def __init__(
        self,
        h: int,
        model: Estimator,
        *,
        input_size: int = 48,
        strategy: str = "recursive",
        calendar: CalendarSpec | str = "auto",
        seed: int = 0,
        alias: str | None = None,
    ) -> None:
        super().__init__(h, alias=alias)
        check_choice("strategy", strategy, ("recursive", "direct"))
        lookback = check_count("input_size", input_size)
        if lookback is None:
            raise ConfigError("input_size is the number of steps looked back at; got None. Type: input_size=48")
        self.input_size, self.strategy, self.seed = lookback, strategy, seed
        self.calendar = calendar if calendar == "auto" else calendar_of(calendar)
        self._estimator = regressor_of(model)
        self.model: object = described_as(self._estimator)
        self.lookback_ = lookback
        """Steps looked back at: ``input_size``, or fewer where the series of the last fit were too short for more."""
        self._calendar: Calendar | None = None
        self._kept: dict[str, Array] = {}
        """Rows learned from, as float32, and location and scale of the known-future columns."""
        self._models: list[Regressor] = []

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Lookback and strategy."""
        return {"input_size": at.lookbacks(), "strategy": ["recursive", "direct"]}

    @property
    def name(self) -> str:
        """Name in frames and tables."""
        return self.alias or type(self._estimator).__name__

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff: the lookback."""
        return self.lookback_

    @property
    def memory(self) -> int | None:
        """Rows up to a cutoff that a forecast depends on: the lookback."""
        return self.lookback_

    @property
    def needs_future(self) -> bool:
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return bool(len(self._kept.get("known_scale", ())))

    @property
    def _direct(self) -> bool:
        return self.strategy == "direct"

    def _learnable(self, part: FitPart) -> Ints:
        self.lookback_ = part.lookback(self.name, self.input_size, self.h, least=1)
        return part.with_windows(self.lookback_, self.h)

    # ---------------------------------------------------------------- fitting
    def _fit(self, part: FitPart) -> None:
        panel, steps = part.train, self.h if self._direct else 1
        self._calendar = covered_calendar(panel) if isinstance(self.calendar, str) else self.calendar
        windows = slide(panel, input_size=self.lookback_, h=steps)
        windows = windows[evenly(len(windows), max(1, MOST_ROWS // panel.n_targets))]
        known = panel.values[:, panel.n_targets + len(panel.past) :].astype(np.float64)
        location, scale = level_and_scale(known.T)
        self._kept = {"known_location": np.nan_to_num(location[:, 0]), "known_scale": scale[:, 0]}
        lags, level, spread = self._lags(panel, windows)
        truth = np.swapaxes(truth_of(panel, windows, steps), 1, 2)  # [W, D, steps]
        y = ((truth - level) / spread).reshape(-1, steps)
        extras = np.repeat(self._extras(panel, windows, steps), panel.n_targets, axis=0)
        whole = np.isfinite(lags).all(axis=1) & np.isfinite(y).any(axis=1)
        if not np.isfinite(y[whole]).any(axis=0).all():
            raise DataError(f"{self.name} has no training window of {self.lookback_ + steps} observed steps.")
        rows = {"lags": lags[whole], "extras": extras[whole], "y": y[whole]}
        self._kept |= {name: np.asarray(value, dtype=np.float32) for name, value in rows.items()}
        self._models = self._learn()

    def _learn(self) -> list[Regressor]:
        """Fit one regressor per step on the rows that are kept; the same rows give the same regressors."""
        lags, extras, y = (self._kept[name].astype(np.float64) for name in ("lags", "extras", "y"))
        models = []
        for k in range(y.shape[1]):
            seen = np.isfinite(y[:, k])
            fresh = seeded(regressor_of(self._estimator), self.seed)
            models.append(fresh.fit(np.concatenate([lags, extras[:, k]], axis=1)[seen], y[seen, k]))
        return models

    def _lags(self, panel: Panel, windows: Windows) -> tuple[Floats, Floats, Floats]:
        """Scaled lags ``[W D, P]``, and level and scale of each target ``[W, D, 1]``."""
        values = carried_forward(contexts_of(panel, windows, self.lookback_, past=self._direct))
        level, spread = level_and_scale(values)
        scaled, d = (values - level) / spread, panel.n_targets
        own = scaled[:, :d].reshape(-1, self.lookback_)
        past = np.nan_to_num(scaled[:, d:]).reshape(len(windows), -1)
        return np.concatenate([own, np.repeat(past, d, axis=0)], axis=1), level[:, :d], spread[:, :d]

    def _extras(self, panel: Panel, windows: Windows, steps: int) -> Floats:
        """Calendar of the steps ahead, known-future columns there and on the lookback before, ``[W, steps, E]``."""
        parts = []
        if self._calendar is not None:
            at = windows.steps(panel)[:, None] + np.arange(1, steps + 1)
            first = int(at.min(initial=0))
            table = self._calendar.values(panel.grid, np.arange(first, int(at.max(initial=0)) + 1))
            parts.append(table[at - first])
        if panel.future:
            location, scale = (np.asarray(self._kept[f"known_{n}"], np.float64)[:, None] for n in ("location", "scale"))
            known = np.nan_to_num((known_contexts(panel, windows, self.lookback_, steps) - location) / scale)
            reach = np.lib.stride_tricks.sliding_window_view(known, self.lookback_ + 1, axis=2)  # [W, F, steps, L + 1]
            parts.append(np.swapaxes(reach, 1, 2).reshape(len(windows), steps, -1))
        return np.concatenate(parts, axis=2) if parts else np.zeros((len(windows), steps, 0))

    # ---------------------------------------------------------------- predicting
    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        self._models = self._models or self._learn()
        lags, level, spread = self._lags(panel, windows)
        extras = np.repeat(self._extras(panel, windows, self.h), panel.n_targets, axis=0)
        whole = np.isfinite(lags).all(axis=1)
        scaled = np.full((len(lags), self.h), np.nan)
        if whole.any():
            scaled[whole] = self._steps(lags[whole], extras[whole])
        mean = scaled.reshape(*level.shape[:2], self.h) * spread + level
        return Prediction(np.swapaxes(mean, 1, 2))

    def _steps(self, lags: Floats, extras: Floats) -> Floats:
        """Forecast scaled values from scaled lags ``[n, P]``, ``[n, H]``; NaN from where one is not finite.

        A window that has moved on into its own forecasts is scaled anew: rows were learned from so.
        """
        out = np.full((len(lags), self.h), np.nan)
        for k in range(self.h):
            going = np.flatnonzero(np.isfinite(lags).all(axis=1))
            if not len(going):
                break
            level, spread = (0.0, 1.0) if self._direct else level_and_scale(lags[going])
            rows = np.concatenate([(lags[going] - level) / spread, extras[going, k]], axis=1)
            made = np.asarray(self._models[k if self._direct else 0].predict(rows)).reshape(-1, 1)
            out[going, k] = (made * spread + level)[:, 0]
            if not self._direct:
                lags = np.concatenate([lags[:, 1:], out[:, [k]]], axis=1)
        return out

    # ---------------------------------------------------------------- saving
    def state(self) -> dict[str, Array]:
        """The rows that were learned from.

        Raises
        ------
        ArtifactError
            For an estimator that no file can name.
        """
        if not isinstance(self.model, Mapping):
            kind, package = type(self._estimator).__name__, type(self._estimator).__module__.partition(".")[0]
            raise ArtifactError(
                f"{kind} of {package} is no estimator of scikit-learn, so it cannot be "
                "saved without pickle. Take one of scikit-learn, or fit anew in each process."
            )
        return dict(self._kept)

    def facts(self) -> dict[str, object]:
        """Lookback and calendar."""
        return {"lookback": self.lookback_, "calendar": self._calendar.to_dict() if self._calendar else None}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take back what :meth:`state` and :meth:`facts` gave."""
        self._kept, self.lookback_, self._models = dict(state), int(facts["lookback"]), []
        self._calendar = Calendar.from_dict(facts["calendar"]) if facts["calendar"] else None
