"""Gradient-boosted trees, one forest for all series, targets and steps ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.counts import count_like
from foretide.data.time.ahead import check_known, known_rows
from foretide.data.time.calendar import Calendar
from foretide.data.time.seasons import seasons_of
from foretide.data.windows import Windows, evenly, slide, truth_of
from foretide.errors import ConfigError, DataError
from foretide.forecasters.answer import Note
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.boosting.features import Reading, Rows, detailed
from foretide.forecasters.boosting.trees import Growth, alike, answered, as_text, from_text, grown, loss_of
from foretide.forecasters.choices import same_for_all
from foretide.forecasters.classical.regressors import SHOWN
from foretide.forecasters.intervals.distribution import GRID
from foretide.forecasters.networks.neural import covered_calendar
from foretide.forecasters.simple.baselines import check_count, check_share
from foretide.forecasters.simple.calendar_es import CalendarSpec, calendar_of
from foretide.forecasters.simple.history import by_entity
from foretide.forecasters.sizes import Sizes, SpaceEntry
from foretide.models.start import MARGIN
from foretide.seeding import numpy_generator
from foretide.text import first_few

if TYPE_CHECKING:
    import pandas as pd
    from lightgbm import Booster

    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Bools, Floats, Ints, Json, Singles

STEPS = 6
"""Of each window so many steps are learned from, other ones of the next."""
HELD = 5
"""Where no series spares rows for validation, every fifth series, or the newest fifth of the windows, is held back."""
CYCLES_NEEDED = 3
"""A season is read where a typical series holds it so many times."""
SHORTEST = 12
"""Steps looked back at, at least."""
SPREAD_TREES, SPREAD_LEAVES, SPREAD_SHARE = 60, 15, 20
"""Trees that say how large an error is to be expected: how many, of how many leaves, each of a 20th of the errors."""
NARROWEST = 1e-3
"""An expected error is at least this share of the mean one."""


class Boosting(Forecaster):
    """Gradient-boosted trees on lags, calendar and columns, one forest for all series, targets and steps ahead.

    Every window is taken in its own units: the mean of its last season is taken off, and what is left is divided by its
    spread. Trees read the newest values, the values at the same position of earlier seasons, means and spreads of the
    window, the step ahead, the calendar of that step, known-future columns at the step, beside it, in means up to it
    and against earlier seasons, past columns, and static ones.

    Some forests learn what follows as it is, others the difference to the same position of the last season; those that
    do about as well as the best on the steps kept back for validation are averaged, and grown again on all steps with
    as many trees. Known-future columns are left out, and a note says so, where validation does not reward them. From
    the errors there another small forest learns how large an error is to be expected, and with
    which quantiles: these are the intervals. Targets that are treated as counts get the intervals of past forecasts.

    Parameters
    ----------
    h : int
        Steps forecast.
    input_size : int, optional
        Steps looked back at; twice the longest season by default, four times the shortest one at least.
    season : int, optional
        Steps of the one season; by default those that the frequency suggests and a typical series holds three times.
    calendar : Calendar, "auto" or None
        "auto": features of the frequency whose cycle the training part holds twice.
    trees, leaves : int
        Most trees of a forest, and leaves of a tree.
    lr : float
        Share of each tree's answer that is taken.
    rows : int
        Rows of training, a row a window, step and target; more are thinned out.
    seed : int
    alias : str, optional

    Notes
    -----
    Friedman (2001), *Greedy function approximation: a gradient boosting machine*; Ke et al. (2017), *LightGBM*.
    Errors count by their squares up to one unit of the window and by their size beyond (Huber); those of counts by
    their squares, whose mean is not their median. One thread, so that equal data give equal trees.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, n_series=1, seed=1).panel
    >>> ft.Boosting(h=24, trees=20).fit(panel).predict(panel)
    Forecast(Boosting: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    needs = "lightgbm"
    quick: ClassVar[Mapping[str, object]] = {"trees": 30, "lr": 0.1, "rows": 3000}
    has_distribution = True
    uses_validation = True
    uses_future = True
    past_origins = 20

    def __init__(
        self,
        h: int,
        *,
        input_size: int | None = None,
        season: int | None = None,
        calendar: CalendarSpec | str = "auto",
        trees: int = 800,
        leaves: int = 31,
        lr: float = 0.05,
        rows: int = 120_000,
        seed: int = 0,
        alias: str | None = None,
    ) -> None:
        super().__init__(h, alias=alias)
        self.input_size, self.season = check_count("input_size", input_size), check_count("season", season)
        if isinstance(calendar, str) and calendar != "auto":
            raise ConfigError(f"calendar is 'auto', None or a foretide Calendar, got {calendar!r}.")
        self.calendar = calendar if isinstance(calendar, str) else calendar_of(calendar)
        self.trees, self.rows = check_count("trees", trees) or 1, check_count("rows", rows) or 1
        if isinstance(leaves, bool) or not isinstance(leaves, (int, np.integer)) or leaves < 2:
            raise ConfigError(f"leaves is a whole number of at least 2, got {leaves!r}.")
        self.leaves, self.lr, self.seed = int(leaves), check_share("lr", lr) or 1.0, seed
        self.reading_: Reading | None = None
        self.least_ = 1
        self.bases_: tuple[int, ...] = ()
        self.grown_: tuple[int, ...] = ()
        self.forests_: tuple[Booster, ...] = ()
        self.spread_: Booster | None = None
        self.usual_ = 1.0
        self.errors_: Floats = np.zeros(0)
        self.counts_: Bools = np.zeros(0, dtype=bool)
        self.future_ = False

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Lookback, leaves and rate."""
        return {"input_size": at.lookbacks(), "leaves": [8, 15, 31, 63], "lr": (0.02, 0.15, "log")}

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff: a season and one, or fewer where no series holds that."""
        return self.least_

    @property
    def memory(self) -> int | None:
        """Rows up to a cutoff that a forecast depends on: the lookback."""
        return None if self.reading_ is None else self.reading_.lookback

    @property
    def needs_future(self) -> bool:
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return self.future_

    def _points(self, targets: tuple[str, ...]) -> Bools:
        return self.counts_ if len(self.counts_) == len(targets) else np.zeros(len(targets), dtype=bool)

    # ---------------------------------------------------------------- learning
    def _learnable(self, part: FitPart) -> Ints:
        # What is shared by all must not hang on series that are too short to give a window.
        return part.with_windows(int(self.season or min(seasons_of(part.panel.grid.freq), default=1)) + 1, self.h)

    def _fit(self, part: FitPart) -> None:
        panel, train = part.panel, part.train
        self.reading_, self.future_ = self._read_of(train), bool(panel.future)
        self.counts_ = np.asarray(count_like(train))
        longest = int(part.rows.max())
        self.least_ = max(1, min(self.reading_.lookback, min(self.reading_.seasons, default=1) + 1, longest - self.h))
        windows, held = part.windows(input_size=self.least_, h=self.h)
        if not len(held):
            windows, held = _apart(windows)
        x, truth, bases, ahead = self._table(panel, windows, self.rows, 0)
        if not len(truth):
            raise DataError(f"{self.name} learns from windows with an observed value ahead, and there is none.")
        held_x, held_truth, held_bases, _ = self._table(panel, held, self.rows // 3, 1)
        growth = self._growth()

        def tried(k: int, x: Singles, held_x: Singles) -> tuple[Booster, int, Floats]:
            """Grow a forest on one of the bases; it, its trees, and its answers to the held-back rows."""
            model, number = grown(x, truth - bases[:, k], growth, k, (held_x, held_truth - held_bases[:, k]))
            return model, number, answered(model, held_x, number) + held_bases[:, k]

        first = tried(0, x, held_x)
        if self.future_ and len(held_truth):
            bare_x, held_bare_x = (np.delete(table, ahead, axis=1) for table in (x, held_x))
            bare = tried(0, bare_x, held_bare_x)
            if loss_of(first[2] - held_truth) >= (1 - MARGIN) * loss_of(bare[2] - held_truth):
                self.reading_, self.future_ = replace(self.reading_, reads_future=False), False
                first, x, held_x = bare, bare_x, held_bare_x
        forests = [first, *(tried(k, x, held_x) for k in range(1, bases.shape[1]))]
        losses = [loss_of(made - held_truth) for _, _, made in forests]
        chosen = alike(losses)
        self.bases_ = tuple(int(k) for k in chosen)
        self.grown_ = tuple(forests[k][1] for k in chosen)
        self._learn_spread(held_x, held_truth - np.mean([forests[k][2] for k in chosen], axis=0), truth)
        self.forests_ = tuple(forests[k][0] for k in chosen)
        if len(held_truth):
            x, truth, bases, _ = self._table(panel, slide(panel, input_size=self.least_, h=self.h), self.rows, 2)
            again = zip(self.bases_, self.grown_, strict=True)
            self.forests_ = tuple(grown(x, truth - bases[:, k], growth, k, None, n)[0] for k, n in again)

    def _growth(self) -> Growth:
        objective = "regression" if self.counts_.any() else "huber"
        return Growth(objective, self.trees, self.leaves, self.lr, self.seed)

    def _read_of(self, train: Panel) -> Reading:
        typical = float(np.median(train.observed))
        seasons = (self.season,) if self.season else seasons_of(train.grid.freq)
        seasons = tuple(s for s in seasons if s > 1 and typical >= CYCLES_NEEDED * s)
        usual = max(2 * max(seasons, default=1), 4 * min(seasons, default=1), SHORTEST)
        lookback = self.input_size or min(usual, int(train.observed.max()))
        calendar = covered_calendar(train) if self.calendar == "auto" else self.calendar
        assert not isinstance(calendar, str)
        cells = np.concatenate([train.rows(i)[:, : train.n_targets] for i in range(train.n_entities)]).astype(
            np.float64
        )
        known = ~np.isnan(cells)
        mean = np.where(known, cells, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        units = np.sqrt(np.where(known, (cells - mean) ** 2, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
        d, p = train.n_targets, len(train.past)
        return Reading(
            self.h, lookback, tuple(s for s in seasons if s <= lookback), calendar, np.where(units > 0, units, 1.0),
            detailed(train, d + p, len(train.future)), detailed(train, d, p),
        )  # fmt: skip

    def _table(self, panel: Panel, windows: Windows, most: int, stream: int) -> tuple[Singles, Floats, Floats, slice]:
        """Return rows ``[n, C]`` of windows and some of their steps, what came, bases ``[n, B]``; the known columns."""
        reading = self.reading_
        assert reading is not None
        some = min(STEPS, self.h)
        windows = windows[evenly(len(windows), max(1, most // (some * panel.n_targets)))]
        chance = numpy_generator(self.seed, stream).random((len(windows), self.h))
        steps = 1 + np.argsort(chance, axis=1)[:, :some]
        found: list[tuple[Singles, Floats, Floats]] = []
        size = reading.chunks(panel, windows)
        for low in range(0, max(1, len(windows)), size):
            part, own = windows[low : low + size], steps[low : low + size]
            which, step = np.repeat(np.arange(len(part)), some), own.ravel()
            rows = reading.rows(panel, part, which, step)
            truth = (truth_of(panel, part, self.h)[which, step - 1] - rows.level) / rows.unit
            seen = np.isfinite(truth)
            found.append((rows.x[seen], truth[seen], rows.bases[seen]))
        x, truth, bases = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return x, truth, bases, rows.ahead

    def _learn_spread(self, x: Singles, error: Floats, truth: Floats) -> None:
        """Learn how large an error is to be expected, and its quantiles in units of that."""
        size = np.abs(error)
        self.spread_, self.usual_ = None, float(size.mean()) if len(size) else 0.0
        if self.usual_ > 0:
            fewest = max(20, len(size) // SPREAD_SHARE)
            growth = Growth("regression", SPREAD_TREES, SPREAD_LEAVES, self.lr, self.seed, fewest)
            self.spread_, _ = grown(x, np.minimum(size, 10 * self.usual_), growth, 9, None, SPREAD_TREES)
            self.errors_ = np.sign(GRID - 0.5) * np.quantile(np.abs(error) / self._expected(x), np.abs(2 * GRID - 1))
        else:
            self.usual_ = float(np.abs(truth).mean()) or 1.0
            self.errors_ = np.sign(GRID - 0.5) * np.quantile(np.abs(truth) / self.usual_, np.abs(2 * GRID - 1))

    def _expected(self, x: Singles) -> Floats:
        """Size of the error to be expected, ``[n]``."""
        if self.spread_ is None:
            return np.full(len(x), self.usual_)
        return np.maximum(answered(self.spread_, x), NARROWEST * self.usual_)

    # ---------------------------------------------------------------- forecasting
    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        reading, h, d = self.reading_, self.h, panel.n_targets
        assert reading is not None
        if self.future_:
            for entity, chosen in by_entity(windows):
                table = known_rows(panel, entity, h)
                check_known(panel, entity, table, windows.cutoff[chosen], h, range(len(panel.future)))
        mean = np.empty((len(windows), h, d))
        bounds = np.empty((*mean.shape, len(quantiles))) if quantiles else None
        size = max(1, reading.chunks(panel, windows) // h)
        at_levels = np.interp(quantiles, GRID, self.errors_)
        for low in range(0, len(windows), size):
            part = windows[low : low + size]
            which, step = np.repeat(np.arange(len(part)), h), np.tile(np.arange(1, h + 1), len(part))
            rows = reading.rows(panel, part, which, step)
            flat = rows.x.reshape(-1, rows.x.shape[-1])
            centre = self._centre(flat, rows)
            mean[low : low + size] = (rows.level + rows.unit * centre).reshape(len(part), h, d)
            if bounds is not None:
                around = centre[..., None] + self._expected(flat).reshape(-1, d, 1) * at_levels
                made = rows.level[..., None] + rows.unit[..., None] * around
                whole = np.round(np.maximum(made, 0.0))  # inside a wrapper; else counts have intervals of past errors
                bounds[low : low + size] = np.where(self.counts_[:, None], whole, made).reshape(len(part), h, d, -1)
        return Prediction(mean, bounds, notes=self._left_out(panel, len(windows)))

    def _left_out(self, panel: Panel, n: int) -> tuple[Note, ...]:
        if self.future_ or not panel.future:
            return ()
        why = f"{self.name} leaves out {first_few(panel.future, SHOWN)}: on validation it is no better with them"
        return (Note("left-out", why, np.arange(n), panel.future),)

    def _centre(self, flat: Singles, rows: Rows) -> Floats:
        """Mean of the forests' answers in units of the windows, ``[P, D]``."""
        own = zip(self.forests_, self.grown_, self.bases_, strict=True)
        shape = rows.level.shape
        return np.asarray(
            np.mean([answered(f, flat, n).reshape(shape) + rows.bases[..., k] for f, n, k in own], axis=0)
        )

    def _choices(self, layout: Panel) -> pd.DataFrame:
        """Seasons, lookback, and the trees of each forest by what it is added to."""
        reading = self.reading_
        assert reading is not None
        bases = ["level", *(f"last {s}" for s in reading.seasons)]
        forests = {f"trees on {bases[k]}": n for k, n in zip(self.bases_, self.grown_, strict=True)}
        known = {"known columns": "yes" if reading.reads_future else "no"} if layout.future else {}
        return same_for_all(layout.series, {"lookback": reading.lookback, **known, **forests})

    # ---------------------------------------------------------------- saving
    def state(self) -> dict[str, Array]:
        """Forests as text, units and quantiles of errors."""
        reading = self.reading_
        assert reading is not None
        forests = {f"forest.{k}": as_text(model) for k, model in enumerate(self.forests_)}
        spread = {} if self.spread_ is None else {"spread": as_text(self.spread_)}
        return {
            **forests, **spread, "errors": self.errors_, "units": reading.units, "known": reading.known,
            "past": reading.past, "counts": self.counts_.astype(np.uint8),
        }  # fmt: skip

    def facts(self) -> dict[str, object]:
        """What is read, and how many trees answer."""
        reading = self.reading_
        assert reading is not None
        calendar = None if reading.calendar is None else reading.calendar.to_dict()
        return {
            "lookback": reading.lookback, "seasons": reading.seasons, "calendar": calendar, "least": self.least_,
            "bases": self.bases_, "grown": self.grown_, "usual": self.usual_, "future": self.future_,
        }  # fmt: skip

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take back what :meth:`state` and :meth:`facts` gave."""
        calendar = None if facts["calendar"] is None else Calendar.from_dict(facts["calendar"])
        self.reading_ = Reading(
            self.h, int(facts["lookback"]), tuple(facts["seasons"]), calendar,
            np.asarray(state["units"]), np.asarray(state["known"]), np.asarray(state["past"]), bool(facts["future"]),
        )  # fmt: skip
        self.bases_, self.grown_ = tuple(facts["bases"]), tuple(facts["grown"])
        self.forests_ = tuple(from_text(state[f"forest.{k}"]) for k in range(len(self.bases_)))
        self.spread_ = from_text(state["spread"]) if "spread" in state else None
        self.errors_, self.counts_ = np.asarray(state["errors"]), np.asarray(state["counts"]).astype(bool)
        self.least_, self.usual_, self.future_ = int(facts["least"]), float(facts["usual"]), bool(facts["future"])


def _apart(windows: Windows) -> tuple[Windows, Windows]:
    """Return windows to learn from and others to judge by: every fifth series, or of few series the newest windows."""
    series = np.unique(windows.entity)
    if len(series) >= 2 * HELD:
        held = np.isin(windows.entity, series[HELD - 1 :: HELD])
    else:
        counts: Ints = np.bincount(windows.entity)[windows.entity]
        first = np.searchsorted(windows.entity, windows.entity)
        held = np.arange(len(windows)) - first >= counts - counts // HELD
    return windows[~held], windows[held]
