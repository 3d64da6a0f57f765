"""The protocol every forecaster follows."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Never, Self, final

import numpy as np

from foretide.data.reading.accept import as_panel
from foretide.data.windows import Windows, at_cutoffs
from foretide.errors import FOREIGN, ConfigError, DataError, NotFittedError
from foretide.forecasters.answer import Note, Prediction, Quantiles, Traces, answer, cut, in_order, reordered, shut
from foretide.forecasters.asked import FIT, PREDICT, steps_asked, table_of
from foretide.forecasters.exports import Exports
from foretide.forecasters.fitted import Fitted, View, within_reach
from foretide.forecasters.fitting import fit_once
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.gaussian import LARGEST, TOO_LARGE, require
from foretide.forecasters.levels import DEFAULT_LEVELS, all_quantiles, levels_held
from foretide.forecasters.part import FitPart, held_back, kept_history, part_of
from foretide.forecasters.paths.source import Source

if TYPE_CHECKING:
    import os

    from foretide.data.panel import Panel
    from foretide.forecasters.intervals.past import PastForecasts
    from foretide.typing import Array, Bools, Frame, Ints, Time, Times


__all__ = ["FitPart", "Forecaster", "Prediction", "held_back"]


MOST_STEPS = 100_000
"""Longest horizon: a table of forecasts of more is a mistake, and takes memory before anyone sees that."""


class Forecaster(Exports):
    """Anything that fits on a panel and predicts from cutoffs.

    ``fit`` and ``predict`` are final: they cut away the future, check the input and wrap the answer.
    A subclass gives ``_fit`` and ``_predict``, keeps its parameters under their own names and what it
    learned in ``state`` (arrays) and ``facts`` (JSON).

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    alias : str, optional
        Name of the model in frames and tables; the class name by default.
    """

    def __init__(self, h: int, *, alias: str | None = None) -> None:
        if not isinstance(h, (int, np.integer)) or isinstance(h, bool) or h < 1:
            raise ConfigError(f"h is the number of steps to forecast, a whole number of at least 1; got {h!r}.")
        if h > MOST_STEPS:
            raise ConfigError(f"h is the number of steps to forecast, at most {MOST_STEPS:,}; got {h:,}.")
        if alias is not None and not isinstance(alias, str):
            raise ConfigError(f"alias is the name of the model in tables, a text; got {alias!r}.")
        self.h = int(h)
        if self.needs is not None:
            require(self.needs, type(self).__name__)
        self.alias = alias
        self._options: dict[str, object] = {}
        self._fitted: Fitted | None = None
        self._former: dict[str, Array] = {}

    # ---------------------------------------------------------------- what a person calls
    @final
    def fit(
        self, panel: Panel | Frame | None = None, until: Time | None = None, *, train_until: Time | None = None,
        warm_start: bool = False, intervals: bool = True, checkpoint: str | os.PathLike[str] | None = None,
        **other: Never,
    ) -> Self:  # fmt: skip
        """Learn from the steps up to ``until`` and nothing later.

        Parameters
        ----------
        panel : Panel, pandas or polars data frame
            Of a frame, ``unique_id``, ``ds`` and ``y`` are what they say; a warning says how other roles are guessed.
        until : time, optional
            Last step that may be seen; the end of the panel by default.
        train_until : time, optional
            Last training step; the steps after it up to ``until`` serve for validation. By default the last 15 %
            of each series, at least ``h`` steps, are for validation where the model needs any.
        warm_start : bool
            Begin training at the weights of the last fit; without, every fit begins anew.
        intervals : bool
            Whether a model without a predictive distribution of its own gets that of its past errors, those of a
            network on the validation part, those of others by a further fit. Without, ``predict`` gives means only.
        checkpoint : path, optional
            Folder in which what is done is kept until the fit has ended, so that the same fit goes on where a killed
            process stopped, and ends the same. It is removed then; what else lies there is left alone.

        Returns
        -------
        Forecaster
            Itself.

        Raises
        ------
        DataError, ConfigError
            Where nothing can be learned from the panel, and what to do about it.
        StorageError
            Where nothing can be written to ``checkpoint``.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> ft.SeasonalNaive(h=24, season=24).fit(panel, until=panel.grid.output_times([200])[0]).is_fitted
        True
        """
        panel = as_panel(table_of("fit", panel, other, FIT))
        if warm_start and not self.can_warm_start:
            raise ConfigError(f"{self.name} cannot begin at what an earlier fit learned. Leave warm_start out.")
        part = panel if until is None else panel.until(until)
        if not panel.targets:
            raise DataError("The panel has no target column. Name one: Panel.from_frame(..., target='y').")
        part, _ = within_reach(part)
        part = part.take(np.flatnonzero(part.observed > 0))
        if not part.n_entities:
            raise DataError("No target value is observed in the part to fit on. Check `until` and the target column.")
        self._former = self.state() if warm_start and self._fitted is not None else {}
        self._fitted = None
        fitted, seen, learned = self._described(panel, part, train_until)
        fit_once(self, fitted, seen, learned, intervals=intervals, checkpoint=checkpoint)
        self._former = {}
        return self

    def _described(self, panel: Panel, part: Panel, train_until: Time | None) -> tuple[Fitted, FitPart, FitPart]:
        """Return what the table looks like, the part of it as the model sees that, and what is learned from."""
        fitted = Fitted.begin(panel, part)
        seen = part_of(fitted, part, train_until, self.h, self.uses_validation)
        kept = self._learnable(seen)
        learned = seen.take(kept)
        if learned is not seen:  # categories of a series that is not learned from are not learned either
            fitted = Fitted.begin(panel, part.take([part.entity(name) for name in learned.panel.ids]))
            seen = part_of(fitted, part, train_until, self.h, self.uses_validation)
            learned = seen.take(kept)
        return fitted, seen, learned

    def _learnable(self, part: FitPart) -> Ints:
        """Return the entities (positions) to learn from; the others are forecast as series unseen at fit are."""
        return np.arange(part.panel.n_entities)

    @final
    def predict(
        self, panel: Panel | Frame | None = None, cutoffs: Times | Windows | None = None,
        levels: float | Iterable[float] = DEFAULT_LEVELS, *, h: int | None = None,
        quantiles: float | Iterable[float] = (), **traces: bool,
    ) -> Forecast:  # fmt: skip
        """Forecast ``h`` steps from many origins in one pass.

        Parameters
        ----------
        panel : Panel, pandas or polars data frame
            May hold values after a cutoff; they are not looked at, known-future columns excepted. A frame is read as
            the one that was fitted on.
        cutoffs : sequence of times, optional
            Times of the last observed step; None: the end of every series. A series that does not cover a
            cutoff is left out of it. A series that is too short for the model, or new to a model of single series,
            is forecast by a simple stand-in; ``Forecast.notes`` says so.
        levels : float, or iterable of float
            Central interval levels in percent; 80 and 95 by default, as far as the distribution holds them; ``()`` for
            means alone.
        h : int, optional
            Return the first so many of the steps that the model forecasts; all by default.
        quantiles : float, or iterable of float
            Further quantiles to return, as fractions, e.g. ``(0.1, 0.5, 0.9)``; columns ``<Model>-ql0.1`` of the
            frame. A quantile or level asked for that the distribution does not hold (beyond the outermost levels of a
            quantile head) is NaN, and a warning says so.
        **traces : bool
            What else to return in ``Forecast.extras``, e.g. ``attention=True``.

        Returns
        -------
        Forecast

        Raises
        ------
        NotFittedError, DataError, ConfigError
            Before ``fit``; for a table of other columns or steps; for a trace that the model has not.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> ft.SeasonalNaive(h=24, season=24).fit(panel).predict(panel, levels=80)
        Forecast(SeasonalNaive: 1 origins x 24 steps x 1 targets, levels [80.0])
        """
        strange = {name: on for name, on in traces.items() if name not in self.traces}
        table = table_of("predict", panel, {n: on for n, on in strange.items() if n in FOREIGN}, PREDICT)
        panel, steps = self._read(table), steps_asked(self.name, self.h, h)
        windows = self.origins(panel, cutoffs)
        kept, asked = levels_held(
            self.name, self.quantile_range, levels, quantiles, means_only=not self.answers_levels, trained=self.neural
        )
        wanted_quantiles = all_quantiles(kept, asked)
        if strange:
            raise ConfigError(f"{self.name} has no trace {sorted(strange)[0]!r}; it can return {list(self.traces)}.")
        got, view = self._seen(panel, windows, wanted_quantiles, tuple(t for t, on in traces.items() if on), steps)
        notes = (*got.notes, *self._general_notes(panel, view, bool(wanted_quantiles)))
        return Forecast(
            self.name, panel, windows, got.mean, kept, wanted_quantiles, got.quantiles, got.extras, notes, asked,
            self.baseline, Source.of(self),
        )  # fmt: skip

    def _read(self, data: Panel | Frame) -> Panel:
        """Return a panel as it is, and read a frame as the one that was fitted on."""
        if self._fitted is None:
            raise NotFittedError(f"{self.name} is not fitted. Type: model.fit(panel, until=...)")
        return as_panel(data, self._fitted.layout)

    def remember(self, panel: Panel | Frame) -> Self:
        """Keep the rows of a later table as the past of tables to come, which may then begin right after them.

        Nothing is learned from them.

        Parameters
        ----------
        panel : Panel, pandas or polars data frame
            Of the same columns and steps.

        Returns
        -------
        Forecaster
            Itself.
        """
        panel = self._read(panel)
        view = self.view(panel, Windows(np.arange(panel.n_entities), panel.observed - 1))
        assert self._fitted is not None
        self._fitted = replace(self._fitted, history=kept_history(view.panel, self.memory))
        return self

    def view(self, panel: Panel, windows: Windows) -> View:
        """Return a panel and its windows as the fitted model sees them: columns, categories, grid and wall clock.

        For those who look inside; ``predict`` does it by itself. Raises :class:`DataError` for another kind of table.

        Parameters
        ----------
        panel : Panel
        windows : Windows
            Origins in the panel.

        Returns
        -------
        View
        """
        if self._fitted is None:
            raise NotFittedError(f"{self.name} is not fitted. Type: model.fit(panel, until=...)")
        self._fitted.check(panel, self.name)
        return self._fitted.view(panel, windows, self.h, memory=self.memory)

    def origins(self, panel: Panel, cutoffs: Times | Windows | None = None) -> Windows:
        """Return the windows that ``predict`` forecasts from; for those who look inside.

        Parameters
        ----------
        panel : Panel
        cutoffs : sequence of times, optional
            As in :meth:`predict`.

        Returns
        -------
        Windows
            Ordered by series, then time.
        """
        if self._fitted is None:
            raise NotFittedError(f"{self.name} is not fitted. Type: model.fit(panel, until=...)")
        self._fitted.check(panel, self.name)
        if cutoffs is not None or (panel.observed > 0).all():
            return at_cutoffs(panel, cutoffs)
        # A table that brings known-future rows alone continues the series that was fitted on.
        follows = self._fitted.follows(panel)
        chosen = (panel.observed > 0) | follows
        if not chosen.all():
            self._fitted.say_without(panel, chosen, self.name)
        places = np.flatnonzero(chosen)
        return Windows(places, panel.observed[places] - 1)

    def _seen(
        self, panel: Panel, windows: Windows, quantiles: Quantiles = (), traces: Traces = (), steps: int | None = None
    ) -> tuple[Prediction, View]:
        """Forecast every window of any table, in the table's own steps, the first ``steps`` of them."""
        with self._as_loaded():
            view = self.view(panel, windows)
            ahead = None if view.ahead is None else view.ahead[:, :steps]
            needed = steps if ahead is None else int(ahead.max(initial=0)) + 1
            got = self._answer(view.panel, view.windows, quantiles, traces, needed)
            if ahead is not None:
                got = cut(reordered(got, ahead), steps, self.step_axis)
            return in_order(got, view.panel.targets, panel.targets, self.traces_by_target), view

    def _answer(
        self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces, steps: int | None = None
    ) -> Prediction:
        """Forecast every window of a panel that is seen as at fit; a stand-in answers where the model cannot."""
        fitted = self._fitted
        assert fitted is not None
        assert fitted.stand_in is not None
        got = answer(self, fitted.stand_in, frozenset(fitted.ids), panel, windows, quantiles, traces, steps)
        return shut(got, fitted.closures.at(panel, windows, got.mean.shape[1]))

    def _points(self, targets: tuple[str, ...]) -> Bools:
        """Which targets have no predictive distribution of the model's own, ``[D]``."""
        return np.full(len(targets), not self.has_distribution)

    def _early(self, part: FitPart, rows: Ints) -> tuple[Forecaster, Ints]:
        """Return a fitted forecaster that knows the first ``rows`` ``[N]`` of the part alone, or others; and those."""
        if self.spares_validation:
            return self, part.train_rows
        return self.fresh().fit(part.panel.head(rows), intervals=False), rows

    def _hindsight(self, part: FitPart) -> Forecaster | PastForecasts:
        """Return what it learns from how errors go together: itself, what is quicker and errs alike, or forecasts."""
        return self

    def _woken(self, panel: Panel, windows: Windows) -> Bools:
        """Whether what was learned of a window's series says nothing of it, ``[W]``: it is forecast as a new one is."""
        return np.zeros(len(windows), dtype=bool)

    def _general_notes(self, panel: Panel, view: View, with_quantiles: bool) -> list[Note]:
        """Note unknown categories, values too large to compute with, columns not used, and intervals to doubt."""
        everywhere = np.arange(len(view.windows))
        notes = [
            Note("category", f"{column}: {', '.join(map(repr, new))} was not there at fit, taken as none", everywhere)
            for column, new in view.strange.items()
        ]
        if view.large is not None and view.large.any():
            notes.append(Note("large", f"values beyond {LARGEST:g} are {TOO_LARGE}", np.flatnonzero(view.large)))
        assert self._fitted is not None
        if (apart := self._fitted.apart(view, self.memory)).any():
            text = "the table begins later than one step after the fit; what lies between is not known"
            notes.append(Note("gap", text, np.flatnonzero(apart)))
        past = self._fitted.intervals
        if past is not None and past.note and with_quantiles:
            notes.append(Note("intervals", past.note, everywhere))
        closing = self._fitted.closures.columns(view.panel)
        if unused := tuple(c for c in self._unused(view.panel, panel.future) if c not in closing):
            notes.append(Note("unused", f"{self.name} does not use {', '.join(unused)}", everywhere, unused))
        return notes

    def _unused(self, panel: Panel, future: tuple[str, ...]) -> tuple[str, ...]:
        """Return the known-future columns, by their names before text became indicators, that do not enter."""
        if not self.uses_future:
            return future
        parts = [part for part in self.parts if part.uses_future]
        return tuple(c for c in future if parts and all(c in part._unused(panel, future) for part in parts))

    # ---------------------------------------------------------------- what a subclass gives
    @abstractmethod
    def _fit(self, part: FitPart) -> None:
        """Learn from ``part``."""

    @abstractmethod
    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        """Forecast from ``windows``; only rows up to each cutoff and known-future columns may be read."""

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff."""
        return 1

    @property
    def memory(self) -> int | None:
        """Rows up to a cutoff that a forecast depends on; None: all there are."""
        return None

    @property
    def quantile_range(self) -> tuple[float, float] | None:
        """Outermost quantiles that the distribution holds; None where it holds all."""
        return None

    @property
    def parts(self) -> tuple[Forecaster, ...]:
        """The forecasters inside; none of one that is not made of others."""
        return ()

    @property
    def needs_future(self) -> bool:
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return False

    @property
    def traces(self) -> tuple[str, ...]:
        """Names of the traces ``predict`` can return."""
        return ()

    # ---------------------------------------------------------------- shared
    @property
    def answers_levels(self) -> bool:
        """Whether ``predict`` gives intervals; after ``fit(..., intervals=False)`` only of an own distribution."""
        return self.has_distribution or self._fitted is None or self._fitted.intervals is not None

    @property
    def layout(self) -> Panel | None:
        """A panel without rows of what was fitted on: names, roles, grid. None before fit."""
        return None if self._fitted is None else self._fitted.layout

    @property
    def is_fitted(self) -> bool:
        """Whether ``predict`` can be called."""
        return self._fitted is not None

    @property
    def freq(self) -> str | int | None:
        """Frequency that was fitted on; None before fit."""
        return None if self._fitted is None else self._fitted.freq

    @property
    def fitted_until(self) -> str | None:
        """Time of the last step that ``fit`` saw (UTC where the panel has a zone); None where that is not known."""
        return None if self._fitted is None else self._fitted.until

    def fitted_step(self, panel: Panel) -> int | None:
        """Step of :attr:`fitted_until` on the grid of a panel; None where it is not known.

        Parameters
        ----------
        panel : Panel

        Returns
        -------
        int or None

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> ft.Drift(h=24).fit(panel).fitted_step(panel)
        239
        """
        until = self.fitted_until
        if until is None:
            return None
        # Said in UTC where the panel has a zone, as the grid's start is.
        grid = replace(panel.grid, tz=None)
        return grid.step_at_or_before(int(until) if grid.is_integer else until)


def class_slug(cls: type) -> str:
    """``SeasonalNaive`` -> ``seasonal-naive``; known abbreviations stay whole."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
