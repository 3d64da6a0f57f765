"""Linear maps of lags that all series share: several lookbacks averaged, small deviations of single series."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.time.calendar import Calendar
from foretide.data.time.seasons import main_season, seasons_of
from foretide.data.windows import Windows, first_rows, slide
from foretide.errors import check_choice
from foretide.forecasters.answer import Quantiles, Traces
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.choices import same_for_all
from foretide.forecasters.classical.known_effect import effect_on, left_out
from foretide.forecasters.classical.linear_search import USUAL_PENALTY, Recipe, Search, blocks_of, lookbacks
from foretide.forecasters.networks.neural import covered_calendar
from foretide.forecasters.sizes import Sizes, SpaceEntry, checked_lookback
from foretide.models.config import StartConfig
from foretide.models.known_basis import KnownBasis
from foretide.models.pooled_map import Frame, PooledMap, Store
from foretide.models.start import MARGIN, fit_start
from foretide.training.prepare import Preparation
from foretide.training.saved import arrays_of, prefixed, restored, under
from foretide.training.widened import widened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.typing import Array, Floats, Ints, Json, Reals


class Linear(Forecaster):
    """The mean of a few linear maps from each series' own lags to all ``h`` steps ahead, shared by all series.

    Lookbacks, what is taken off a window (its last value, or the mean of its last season) and penalties are chosen by
    cross-validation over blocks of time, the validation part among them; maps within 5 % of the best are averaged, and
    solved again on all rows. Windows with large errors weigh less, and each series adds a small map of its own, shrunk
    towards none, where that helps.

    Parameters
    ----------
    h : int
        Steps to forecast.
    input_size : int, optional
        Steps looked back at; by default 1, 2, 4, 8 ... seasons are tried, as far as there is room.
    own : bool
        Whether single series may differ from the shared map.
    known : {"auto", "on", "off"}
        Whether known-future columns are used; "auto" chooses on validation.
    alias : str, optional

    Notes
    -----
    Direct multi-step least squares with an L2 penalty, as in :class:`Ridge`; measured beside networks by Zeng et al.
    (2023), *Are transformers effective for time series forecasting?* A deviation reads the leading principal directions
    of the lags only. Errors are root mean squares of windows, in units of each series and in those of all, by their
    geometric mean. A robust map has the least sum of them (iteratively reweighted least squares).

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.Linear(h=24).fit(panel).predict(panel)
    Forecast(Linear: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    quick: ClassVar[Mapping[str, object]] = {"input_size": 14}
    uses_validation = True
    knows_ids = True
    baseline = True
    uses_future = True

    def __init__(
        self, h: int, *, input_size: int | None = None, own: bool = True, known: str = "auto", alias: str | None = None
    ) -> None:
        super().__init__(h, alias=alias)
        check_choice("known", known, ("auto", "on", "off"))
        self.input_size, self.own = checked_lookback(input_size), own
        self.known, self.uses_future = known, known != "off"
        self.sizes_: list[int] = [self.input_size or 1]
        """Lookbacks of the maps; those that may be tried before the first fit."""
        self._preparation: Preparation | None = None
        self._maps: list[PooledMap] = []
        self._recipe = Recipe(())
        self._effect: Reals | None = None
        self._basis: KnownBasis | None = None
        self._season = 1

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Whether single series differ, and known columns enter."""
        return {"own": [True, False], "known": ["auto", "off"]}

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff: the shortest lookback; a longer one is filled up with the level."""
        return min(self.sizes_)

    @property
    def memory(self) -> int | None:
        """Rows up to a cutoff that a forecast depends on: the longest lookback, and what known columns average."""
        spans = () if self._preparation is None else self._preparation.trails
        return max(self.sizes_) + max((int(span) - 1 for span in spans), default=0)

    @property
    def needs_future(self) -> bool:
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return self._effect is not None

    def _learnable(self, part: FitPart) -> Ints:
        if self.input_size is None:
            self.sizes_ = lookbacks(seasons_of(part.panel.grid.freq), part.room(self.h))
        else:
            self.sizes_ = [part.lookback(self.name, self.input_size, self.h, least=1)]
        return part.with_windows(self.min_history, self.h)

    # ---------------------------------------------------------------- fit
    def _fit(self, part: FitPart) -> None:
        panel, d = part.panel, part.panel.n_targets
        windows = part.windows(input_size=self.min_history, h=self.h)
        preparation = Preparation.fit(part.train, None)
        self._preparation, self._season = preparation, int(main_season(part.train))
        values, row0 = preparation.values(panel), first_rows(panel.length)
        size = preparation.scale[:, :d].T.reshape(-1)
        train_rows = np.tile(np.repeat(part.train_rows, panel.length), d)

        def rows_of(lookback: int) -> Ints:
            found = slide(panel, input_size=lookback, h=self.h)
            own = row0[found.entity] + found.cutoff
            return np.concatenate([own + k * len(values) for k in range(d)])

        def search(effect: Floats | None) -> Search:
            left = values if effect is None else values - effect[: len(values)]
            store = Store.of(left[:, :d], panel.length, self._season)
            blocks = blocks_of(store.begin, train_rows, self.h, part.room(self.h))
            return Search(store, rows_of, blocks, size, self.h, self.min_history, max(self.sizes_))

        self._effect, self._basis, judge = None, None, search(None)
        if self.known != "off" and panel.future:
            judge = self._with_known(part, windows, values, judge, search)
        self._recipe = Recipe(((Frame(self.min_history, "last"), USUAL_PENALTY),))
        if judge.folds:
            self._recipe = judge.chosen(self.sizes_, self.own)
        self._maps = judge.solved(self._recipe)
        self.sizes_ = [one.frame.lookback for one in self._maps]

    def _with_known(
        self, part: FitPart, windows: tuple[Windows, Windows], values: Reals, plain: Search,
        search: Callable[[Floats | None], Search],
    ) -> Search:  # fmt: skip
        """Estimate the effects of the known-future columns; return the search without them unless they help."""
        preparation, panel = self._preparation, part.panel
        assert preparation is not None
        train, validation = (first_rows(panel.length)[one.entity] + one.cutoff for one in windows)
        config = StartConfig(level="last", channels="shared", waves=0, known="on", apart=True)
        series = preparation.series(panel, values, preparation.future(panel, self.h), None, part.train_rows)
        seasons = seasons_of(panel.grid.freq)
        wide = widened(replace(preparation, calendar=covered_calendar(part.train)), series, panel, self.h, seasons)
        start = fit_start(
            series, train, validation, input_size=self.min_history, h=self.h, seasons=seasons, config=config,
            wide=None if wide is None else wide[1],
        )  # fmt: skip
        self._effect, self._basis = start.season.known, start.basis
        if wide is not None and start.basis is not None:
            preparation = wide[0]
        helped = search(effect_on(self._effect, preparation, panel, windows[0][:0], self.h, self._basis))
        if self.known == "auto" and plain.folds:
            frame = Frame(self.sizes_[min(1, len(self.sizes_) - 1)], "last")
            if not helped.tried(frame).score < (1.0 - MARGIN) * plain.tried(frame).score:
                self._effect = self._basis = None
        if self._basis is not None:
            self._preparation = preparation
        return plain if self._effect is None else helped

    # ---------------------------------------------------------------- predict
    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        preparation, d = self._preparation, panel.n_targets
        assert preparation is not None
        new = bool(panel.n_entities) and panel.ids[0] not in preparation.ids
        n_fitted = len(preparation.ids)
        where = np.zeros(panel.n_entities, dtype=np.int64) if new else preparation.positions(panel)
        if new:
            preparation = preparation.for_new(panel)
        values, effect = preparation.values(panel), None
        if self._effect is not None:
            effect = effect_on(self._effect, preparation, panel, windows, self.h, self._basis)
        left = values if effect is None else values - effect[: len(values)]
        store = Store.of(left[:, :d], panel.length, self._season)
        rows = first_rows(panel.length)[windows.entity] + windows.cutoff
        mean = np.empty((len(windows), self.h, d))
        for k in range(d):
            series = None if new else where[windows.entity] + k * n_fitted
            made = [one.forecast(store, rows + k * len(values), series) for one in self._maps]
            mean[:, :, k] = np.mean(made, axis=0)
        if effect is not None:
            mean += effect[len(values) :].reshape(len(windows), self.h, -1)[:, :, :d]
        notes = left_out(self.name, panel, len(windows)) if self._effect is None and self.known != "off" else ()
        return Prediction(preparation.unscale(panel, windows.entity, mean), notes=notes)

    def _choices(self, layout: Panel) -> pd.DataFrame:
        """What validation chose: lookbacks, what is taken off, penalties, deviations, known columns."""
        frames = [one.frame for one in self._maps]
        deviation = self._recipe.deviation
        taken: dict[str, object] = {
            "lookback": ", ".join(str(frame.lookback) for frame in frames),
            "level": ", ".join(frame.level for frame in frames),
            "penalty": ", ".join(f"{penalty:g}" for _, penalty in self._recipe.members),
            "own": "no" if deviation is None else f"penalty {deviation:g}",
        }
        taken["robust"] = f"share {self._recipe.robust:g}" if self._recipe.robust else "no"
        if self.known == "auto" and layout.future:
            taken["known columns"] = "yes" if self.needs_future else "no"
        return same_for_all(layout.series, taken)

    # ---------------------------------------------------------------- saving
    def state(self) -> dict[str, Array]:
        """Maps, known effects and scales."""
        assert self._preparation is not None
        maps = [prefixed(f"map{k}.", arrays_of(one)) for k, one in enumerate(self._maps)]
        state = self._preparation.arrays() | ({} if self._effect is None else {"known": self._effect})
        for one in maps:
            state |= one
        return state

    def facts(self) -> dict[str, object]:
        """Entities, season, and what was chosen on validation."""
        assert self._preparation is not None
        members = [[*frame, penalty] for frame, penalty in self._recipe.members]
        chosen = {"members": members, "deviation": self._recipe.deviation, "score": self._recipe.score,
                  "robust": self._recipe.robust}  # fmt: skip
        calendar = self._preparation.calendar
        known = {
            "basis": None if self._basis is None else self._basis.to_dict(),
            "calendar": None if calendar is None else calendar.to_dict(),
        }
        return {"ids": list(self._preparation.ids), "season": self._season, **chosen, **known}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take back what :meth:`state` and :meth:`facts` gave."""
        calendar = None if facts["calendar"] is None else Calendar.from_dict(facts["calendar"])
        self._preparation = Preparation.from_arrays(state, tuple(facts["ids"]), calendar)
        self._basis = None if facts["basis"] is None else KnownBasis.from_dict(facts["basis"])
        members = tuple((Frame(int(one[0]), one[1]), float(one[2])) for one in facts["members"])
        self._recipe = Recipe(members, facts["deviation"], facts["score"], facts.get("robust", 0.0))
        frames = [frame for frame, _ in members]
        self._maps = [restored(PooledMap, under(f"map{k}.", state), {"frame": one}) for k, one in enumerate(frames)]
        self._effect = np.asarray(state["known"]) if "known" in state else None
        self._season, self.sizes_ = int(facts["season"]), [frame.lookback for frame in frames]
