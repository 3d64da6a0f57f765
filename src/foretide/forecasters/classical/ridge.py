"""Direct ridge regression on lags, the linear baseline."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.reading.problems import DataWarning
from foretide.data.time.seasons import seasons_of
from foretide.data.windows import Windows, first_rows
from foretide.errors import check_choice
from foretide.forecasters.answer import Quantiles, Traces
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.choices import same_for_all
from foretide.forecasters.classical.known_effect import effect_on, left_out
from foretide.forecasters.sizes import USUAL_LOOKBACK, Sizes, SpaceEntry, checked_lookback
from foretide.models.closed_form import chunks, lagged_rows
from foretide.models.config import StartConfig
from foretide.models.start import MARGIN, Start, fit_start, window_level
from foretide.training.prepare import Preparation

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    input_size : int, optional
        Steps looked back at; by default 60 or two seasons, whichever is better on validation, at most half the room.
    channels : {"auto", "all", "own", "shared"}
        A map per target of the lags of all targets and past columns ("all"; own ones, with a warning, where lags x
        channels exceed 3,000); of its own lags; one map of their own lags for all targets; "auto": whichever is better
        on validation, all of them only up to 1,200 lags x channels.
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
        input_size: int | None = None,
        channels: str = "auto",
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
        self.input_size, self.channels, self.level = checked_lookback(input_size), channels, level
        self.known, self.uses_future = known, known != "off"
        self.lookback_ = self.input_size or USUAL_LOOKBACK
        """Steps looked back at: ``input_size``, or fewer where the series of the last fit were too short for more."""
        self._sizes = [self.lookback_]
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
        if self.input_size is None:
            most = max(1, part.room(self.h) // 2)
            wanted = (USUAL_LOOKBACK, *(2 * season for season in seasons_of(part.panel.grid.freq)[:1]))
            self._sizes = sorted({min(size, most) for size in wanted})
        else:
            self._sizes = [part.lookback(self.name, self.input_size, self.h, least=1)]
        self.lookback_ = self._sizes[0]
        return part.with_windows(self.lookback_, self.h)

    @property
    def needs_future(self) -> bool:
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return "known" in self._arrays

    def _fit(self, part: FitPart) -> None:
        preparation = Preparation.fit(part.train, None)
        values, best = preparation.values(part.panel), None
        judged = part.windows(input_size=self._sizes[-1], h=self.h)[1]
        for size in reversed(self._sizes):
            train, _ = part.windows(input_size=size, h=self.h)
            found = self._at(part, preparation, values, (train, judged), size)
            if best is None or found.val_error < (1.0 - MARGIN) * best.val_error:
                best, self.lookback_ = found, size
        assert best is not None
        self._preparation = preparation
        self._arrays = {"weights": best.weights, "intercept": best.intercept}
        if len(best.season.known):
            self._arrays["known"] = best.season.known
        self._chosen = {name: value for name, value in best.chosen.items() if name in CHOSEN}

    def _at(
        self, part: FitPart, preparation: Preparation, values: Reals, windows: tuple[Windows, Windows], size: int
    ) -> Start:
        """Solve at one lookback: without known-future columns, and with them where they help."""
        panel, rows0 = part.panel, first_rows(part.panel.length)
        places = (rows0[windows[0].entity] + windows[0].cutoff, rows0[windows[1].entity] + windows[1].cutoff)
        channels = self._affordable(values.shape[1], size)

        def start(known: str) -> Start:
            future = preparation.future(panel, self.h) if known == "on" else None
            seasons = seasons_of(panel.grid.freq) if known == "on" else ()
            series = preparation.series(panel, values, future, None, part.train_rows)
            config = StartConfig(level=self.level, channels=channels, waves=0, known=known, apart=known == "on")
            return fit_start(series, *places, input_size=size, h=self.h, seasons=seasons, config=config)

        plain = start("off") if self.known != "on" or not panel.future else None
        if self.known == "off" or not panel.future:
            assert plain is not None
            return plain
        helped = start("on")
        return helped if plain is None or helped.val_error < (1.0 - MARGIN) * plain.val_error else plain

    def _affordable(self, n_channels: int, size: int) -> str:
        """The channels asked for; own lags where a map of all channels would be too wide to solve."""
        width = n_channels * size
        if self.channels != "all" or width <= MAX_WIDTH:
            return self.channels
        warnings.warn(
            f"{self.name}: {n_channels} channels x {size} lags make a map of {width:,} inputs, "
            f"more than {MAX_WIDTH:,}; each target reads its own lags only. Lower input_size to read all channels.",
            DataWarning,
            stacklevel=5,
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
