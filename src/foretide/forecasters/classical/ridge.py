"""Direct ridge regression on lags, the linear baseline."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.reading.problems import DataWarning
from foretide.data.time.seasons import seasons_of
from foretide.data.windows import Windows, first_rows
from foretide.errors import ConfigError, check_choice
from foretide.forecasters.answer import Quantiles, Traces
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.choices import same_for_all
from foretide.forecasters.classical.known_effect import effect_on, left_out
from foretide.forecasters.sizes import Sizes, SpaceEntry
from foretide.models.closed_form import chunks, lagged_rows
from foretide.models.config import StartConfig
from foretide.models.series import Series
from foretide.models.start import MARGIN, Start, fit_start, window_level
from foretide.training.prepare import Preparation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.typing import Array, Ints, Json, Reals


MAX_WIDTH = 3_000
"""Lags x channels above which a map of all channels is not solved: time grows with the cube, 3,000 take seconds."""
CHOSEN = ("level", "channels", "penalty", "val_mse")


class Ridge(Forecaster):
    """One linear map from the last ``input_size`` steps to all ``h`` steps ahead, its penalty chosen on validation.

    Every series is scaled by its training part; the map is shared by all entities. The effects of known-future
    columns, shared by all entities too, are estimated beside trend and seasonal waves, taken off the window and added
    to the forecast; they are left out, and a note says so, where validation does not reward them.

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
    known : {"auto", "on", "off"}
        Whether known-future columns are used; "auto" chooses on validation.
    alias : str, optional

    Notes
    -----
    Direct multi-step least squares with an L2 penalty (Hoerl & Kennard 1970), all penalties of
    :data:`foretide.models.closed_form.PENALTIES` from one eigendecomposition. Where a gap in the lookback is filled,
    the last value is carried forward.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.Ridge(h=24, input_size=48).fit(panel).predict(panel)
    Forecast(Ridge: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    default_for = "always"
    quick: ClassVar[Mapping[str, object]] = {"input_size": 14}
    uses_validation = True
    knows_ids = True
    baseline = True
    uses_future = True

    def __init__(
        self,
        h: int,
        *,
        input_size: int = 60,
        channels: str = "all",
        level: str = "auto",
        known: str = "auto",
        alias: str | None = None,
    ) -> None:
        super().__init__(h, alias=alias)
        for name, value, choices in (
            ("channels", channels, ("all", "own", "shared", "auto")),
            ("level", level, ("auto", "last", "mean", "none")),
            ("known", known, ("auto", "on", "off")),
        ):
            check_choice(name, value, choices)
        if not isinstance(input_size, (int, np.integer)) or input_size < 1:
            raise ConfigError(f"input_size is a number of steps, at least 1; got {input_size!r}.")
        self.input_size, self.channels, self.level = int(input_size), channels, level
        self.known, self.uses_future = known, known != "off"
        self.lookback_ = self.input_size
        """Steps looked back at: ``input_size``, or fewer where the series of the last fit were too short for more."""
        self._preparation: Preparation | None = None
        self._arrays: dict[str, Reals] = {}
        self._chosen: Json = {}

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Lookback, which lags enter, and the level taken off."""
        levels = ["auto", "last", "mean", "none"]
        return {"input_size": at.lookbacks(), "channels": ["all", "own", "shared"], "level": levels}

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff: the lookback."""
        return self.lookback_

    @property
    def memory(self) -> int | None:
        """Rows up to a cutoff that a forecast depends on: the lookback."""
        return self.lookback_

    def _learnable(self, part: FitPart) -> Ints:
        self.lookback_ = part.lookback(self.name, self.input_size, self.h, least=1)
        return part.with_windows(self.lookback_, self.h)

    @property
    def needs_future(self) -> bool:
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return "known" in self._arrays

    def _fit(self, part: FitPart) -> None:
        panel = part.panel
        train, validation = part.windows(input_size=self.lookback_, h=self.h)
        preparation = Preparation.fit(part.train, None)
        values = preparation.values(panel)
        rows0 = first_rows(panel.length)
        places = (rows0[train.entity] + train.cutoff, rows0[validation.entity] + validation.cutoff)
        affordable = self._affordable(values.shape[1])
        plain = None
        if self.known != "on" or not panel.future:
            plain = self._start(
                preparation.series(panel, values, None, None, part.train_rows), places, affordable, "off", ()
            )
        start = plain
        if self.known != "off" and panel.future:
            ahead = preparation.series(panel, values, preparation.future(panel, self.h), None, part.train_rows)
            start = self._start(ahead, places, affordable, "on", seasons_of(panel.grid.freq))
            if plain is not None and not start.val_error < (1.0 - MARGIN) * plain.val_error:
                start = plain
        assert start is not None
        self._preparation = preparation
        self._arrays = {"weights": start.weights, "intercept": start.intercept}
        if len(start.season.known):
            self._arrays["known"] = start.season.known
        self._chosen = {name: value for name, value in start.chosen.items() if name in CHOSEN}

    def _start(
        self, series: Series, places: tuple[Ints, Ints], channels: str, known: str, seasons: Sequence[float]
    ) -> Start:
        """Solve for the cutoffs in ``places``: rows of training and of validation."""
        config = StartConfig(level=self.level, channels=channels, waves=0, known=known, apart=known == "on")
        return fit_start(series, *places, input_size=self.lookback_, h=self.h, seasons=seasons, config=config)

    def _affordable(self, n_channels: int) -> str:
        """The channels asked for; own lags where a map of all channels would be too wide to solve."""
        width = n_channels * self.lookback_
        if self.channels != "all" or width <= MAX_WIDTH:
            return self.channels
        warnings.warn(
            f"{self.name}: {n_channels} channels x {self.lookback_} lags make a map of {width:,} inputs, "
            f"more than {MAX_WIDTH:,}; each target reads its own lags only. Lower input_size to read all channels.",
            DataWarning,
            stacklevel=4,
        )
        return "own"

    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        preparation = self._preparation
        assert preparation is not None
        if panel.n_entities and panel.ids[0] not in preparation.ids:
            preparation = preparation.for_new(panel)
        values, known = preparation.values(panel), self._arrays.get("known")
        effect = None if known is None else effect_on(known, preparation, panel, windows, self.h)
        rows = first_rows(panel.length)[windows.entity] + windows.cutoff
        if effect is not None:
            values = np.asarray(values - effect[: len(values)], dtype=np.float32)
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
        mean = np.concatenate(parts)
        if effect is not None:
            mean = mean + effect[len(values) :].reshape(len(windows), self.h, -1)[:, :, :d]
        notes = left_out(self.name, panel, len(windows)) if known is None and self.known != "off" else ()
        return Prediction(preparation.unscale(panel, windows.entity, mean), notes=notes)

    def _choices(self, layout: Panel) -> pd.DataFrame:
        """What validation chose: lookback and penalty always, the rest where it was left open."""
        taken: dict[str, object] = {"lookback": self.lookback_, "penalty": self._chosen["penalty"]}
        taken |= {name: self._chosen[name] for name in ("level", "channels") if getattr(self, name) == "auto"}
        if self.known == "auto" and self.uses_future:
            taken["known columns"] = "yes" if self.needs_future else "no"
        return same_for_all(layout.series, taken)

    def state(self) -> dict[str, Array]:
        """Weights, intercept and scales."""
        assert self._preparation is not None
        return {**self._arrays, **self._preparation.arrays()}

    def facts(self) -> dict[str, object]:
        """Entities and what was chosen on validation."""
        assert self._preparation is not None
        return {"ids": list(self._preparation.ids), "lookback": self.lookback_, **self._chosen}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take back what :meth:`state` and :meth:`facts` gave."""
        self._preparation = Preparation.from_arrays(state, tuple(facts["ids"]), None)
        names = [name for name in ("weights", "intercept", "known") if name in state]
        self._arrays = {name: np.asarray(state[name], dtype=np.float64) for name in names}
        self._chosen, self.lookback_ = {name: facts[name] for name in CHOSEN}, int(facts["lookback"])
