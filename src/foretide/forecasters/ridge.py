"""Direct ridge regression on lags, the linear baseline."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.problems import DataWarning
from foretide.data.windows import Windows
from foretide.errors import ConfigError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.models.closed_form import chunks, lagged_rows
from foretide.models.start import Series, StartConfig, fit_start, window_level
from foretide.training.prepare import Preparation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel


MAX_WIDTH = 3_000
"""Lags x channels above which a map of all channels is not solved: time grows with the cube, 3,000 take seconds."""
CHOSEN = ("level", "channels", "penalty", "val_mse")


class Ridge(Forecaster):
    """One linear map from the last ``input_size`` steps to all ``h`` steps ahead, its penalty chosen on validation.

    Every series is scaled by its training part; the map is shared by all entities.

    Parameters
    ----------
    h : int
        Steps to forecast.
    input_size : int
        Steps looked back at.
    channels : {"all", "own", "shared", "auto"}
        A map per target of the lags of all targets and past columns (own ones, with a warning, where lags x channels
        exceed 3,000); of its own lags; one map of their own lags for
        all targets; or whichever is best on validation.
    level : {"auto", "last", "mean", "none"}
        What is taken off each window and added back to its forecast; "auto" chooses on validation.
    alias : str, optional

    Notes
    -----
    Direct multi-step least squares with an L2 penalty (Hoerl & Kennard 1970), all penalties of
    :data:`foretide.models.closed_form.PENALTIES` from one eigendecomposition. Where a gap in the lookback is filled,
    the last value is carried forward.
    """

    uses_validation = True
    knows_ids = True
    baseline = True

    def __init__(
        self, h: int, *, input_size: int = 60, channels: str = "all", level: str = "auto", alias: str | None = None
    ) -> None:
        super().__init__(h, alias=alias)
        for name, value, known in (
            ("channels", channels, ("all", "own", "shared", "auto")),
            ("level", level, ("auto", "last", "mean", "none")),
        ):
            if value not in known:
                raise ConfigError(f"{name} is one of {', '.join(map(repr, known))}; got {value!r}.")
        if not isinstance(input_size, (int, np.integer)) or input_size < 1:
            raise ConfigError(f"input_size is a number of steps, at least 1; got {input_size!r}.")
        self.input_size, self.channels, self.level = int(input_size), channels, level
        self.lookback_ = self.input_size
        """Steps looked back at: ``input_size``, or fewer where the series of the last fit were too short for more."""
        self._preparation: Preparation | None = None
        self._arrays: dict[str, NDArray[Any]] = {}
        self._chosen: dict[str, Any] = {}

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff: the lookback."""
        return self.lookback_

    @property
    def memory(self) -> int | None:
        """Rows up to a cutoff that a forecast depends on: the lookback."""
        return self.lookback_

    def _fit(self, part: FitPart) -> None:
        panel = part.panel
        self.lookback_ = part.lookback(self.name, self.input_size, self.h, least=1)
        train, validation = part.windows(input_size=self.lookback_, h=self.h)
        preparation = Preparation.fit(part.train, None)
        values = preparation.values(panel)
        series = preparation.series(panel, values, None, None, part.train_rows)
        start = fit_start(
            series, series.row0[train.entity] + train.cutoff, series.row0[validation.entity] + validation.cutoff,
            input_size=self.lookback_, h=self.h, seasons=(),
            config=StartConfig(level=self.level, channels=self._affordable(series), waves=0, known="off"),
        )  # fmt: skip
        self._preparation = preparation
        self._arrays = {"weights": start.weights, "intercept": start.intercept}
        self._chosen = {name: start.chosen[name] for name in CHOSEN}

    def _affordable(self, series: Series) -> str:
        """The channels asked for; own lags where a map of all channels would be too wide to solve."""
        width = series.values.shape[1] * self.lookback_
        if self.channels != "all" or width <= MAX_WIDTH:
            return self.channels
        warnings.warn(
            f"{self.name}: {series.values.shape[1]} channels x {self.lookback_} lags make a map of {width:,} inputs, "
            f"more than {MAX_WIDTH:,}; each target reads its own lags only. Lower input_size to read all channels.",
            DataWarning,
            stacklevel=4,
        )
        return "own"

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        preparation = self._preparation
        assert preparation is not None
        if panel.n_entities and panel.ids[0] not in preparation.ids:
            preparation = preparation.for_new(panel)
        values = preparation.values(panel)
        rows = np.concatenate([[0], np.cumsum(panel.length)[:-1]])[windows.entity] + windows.cutoff
        d, weights = panel.n_targets, self._arrays["weights"]
        parts = []
        for part in chunks(rows, values.shape[1] * self.lookback_):
            x = lagged_rows(values, part, self.lookback_).astype(np.float64)
            level = window_level(x, self._chosen["level"])
            x = x - level[:, :, None]
            if self._chosen["channels"] != "all":
                mapped = np.swapaxes(np.matmul(x[:, :d, None], weights)[:, :, 0], 1, 2)
            else:
                flat = x.reshape(len(x), -1) @ weights.reshape(x.shape[1] * x.shape[2], -1)
                mapped = flat.reshape(len(x), d, self.h).swapaxes(1, 2)
            parts.append(mapped + self._arrays["intercept"].T + level[:, None, :d])
        return Prediction(preparation.unscale(panel, windows.entity, np.concatenate(parts)))

    def state(self) -> dict[str, NDArray[Any]]:
        """Weights, intercept and scales."""
        assert self._preparation is not None
        return {**self._arrays, **self._preparation.arrays()}

    def facts(self) -> dict[str, Any]:
        """Entities and what was chosen on validation."""
        assert self._preparation is not None
        return {"ids": list(self._preparation.ids), "lookback": self.lookback_, **self._chosen}

    def restore(self, state: dict[str, NDArray[Any]], facts: dict[str, Any]) -> None:
        """Take back what :meth:`state` and :meth:`facts` gave."""
        self._preparation = Preparation.from_arrays(state, tuple(facts["ids"]), None)
        self._arrays = {name: state[name] for name in ("weights", "intercept")}
        self._chosen, self.lookback_ = {name: facts[name] for name in CHOSEN}, int(facts["lookback"])
