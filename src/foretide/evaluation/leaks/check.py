"""Whether a forecaster depends on the future: poison what lies after a time, and its forecasts must stay the same."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.reading.accept import as_panel
from foretide.errors import ConfigError, DataError, nearest
from foretide.evaluation.leaks.model import Maker, fitted, forecast_of, maker_of, twin
from foretide.evaluation.leaks.outside import watched
from foretide.evaluation.leaks.poison import POISONS, poisoned
from foretide.evaluation.leaks.report import ROUNDING, Finding, LeakReport, difference
from foretide.evaluation.model import Model
from foretide.forecasters.forecast import Forecast
from foretide.text import time_text

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Frame, Ints, Time, Times

__all__ = ["Finding", "LeakReport", "check_leaks"]

FIT_SHARE = 0.7
"""Share of the steps that is fitted on where ``until`` is not given."""
N_CUTOFFS = 3
N_ORIGINS = 12
"""Origins between ``until`` and the last cutoff that a fit is asked to forecast from: what it learned may show at some
times only, such as holidays."""
JOINT = ("huge", "shuffled")
"""Poisons for several cutoffs in one pass: the later ones look at it, as they may, and could refuse missing rows."""


def check_leaks(
    model: Model | Maker, panel: Panel | Frame, *, until: Time | None = None, cutoffs: Times | None = None,
    poisons: Sequence[str] = tuple(POISONS), tolerance: float = 0.0,
) -> LeakReport:  # fmt: skip
    """Find out whether any forecaster, one's own included, uses values it cannot have when it forecasts.

    1. Control: two fits on the same data must forecast the same; otherwise nothing can be said.
    2. Fit: fitted until a time on clean data, and on data that are poisoned after it, it must forecast the same, from
       the cutoffs and from origins between them.
    3. Predict: the forecast from a cutoff must stay the same when everything after the cutoff is poisoned.
    4. Joint: with several cutoffs in one pass, those of the earlier ones must stay the same when everything after them
       is poisoned, though the later ones may use it.
    5. Order: one after the other in random order, the cutoffs must give what they give all at once.
    6. Memory, with ``"truncated"``: what was asked before any later value was shown to the code must be answered the
       same afterwards. Files that are written and names that change outside the model are said.

    A model that fails on poisoned data has looked at them: that is a finding. One poison is not enough: a mean does
    not notice a shuffle, and code that skips missing values does not notice NaN.

    Parameters
    ----------
    model : Forecaster, or any object with ``fit(panel, until=...)`` and ``predict(panel, cutoffs)``
        ``predict`` returns a :class:`~foretide.Forecast`. The object stays as it is: fresh ones are made from its
        ``settings()``, or by ``copy.deepcopy``. Or a class or function without arguments that returns a fresh one.
    panel : Panel, pandas or polars data frame
    until : time, optional
        Last step to fit on; by default the earliest of ``cutoffs``, or about 70 % of the steps.
    cutoffs : sequence of times, optional
        Forecast origins; by default three after ``until`` that leave the truth of all ``h`` steps.
    poisons : sequence of {"nan", "huge", "shuffled", "truncated"}
        See :func:`~foretide.evaluation.leaks.poison.poisoned`.
    tolerance : float
        Largest change that counts as rounding, as a share of the largest forecast of the same series; at least 0.0001
        where numbers lie elsewhere in memory: in tables cut off, and where more or fewer cutoffs are asked at once.

    Returns
    -------
    LeakReport

    Raises
    ------
    ConfigError, DataError
        When the model cannot be made anew or does not answer with a forecast; when nothing lies after a cutoff.

    Examples
    --------
    >>> import foretide as ft
    >>> ft.check_leaks(ft.Persistence(h=3), ft.synthetic.hourly(T=100, n_series=1, seed=1).panel).ok
    True
    """
    panel = as_panel(panel)
    _check_options(poisons, tolerance)
    make = maker_of(model)
    check = _Check(make, _plan(make, panel, until, cutoffs), tuple(poisons), float(tolerance))
    return check.report()


def _check_options(poisons: Sequence[str], tolerance: float) -> None:
    if isinstance(poisons, str) or not len(poisons):
        raise ConfigError(f"poisons is a list of at least one of {', '.join(POISONS)}; got {poisons!r}.")
    for poison in poisons:
        if poison not in POISONS:
            raise ConfigError(f"There is no poison {poison!r}. {nearest(poison, POISONS)}")
    if not tolerance >= 0:
        raise ConfigError(f"tolerance is a share of at least 0, such as 1e-6; got {tolerance!r}.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide warnings: the first fit and forecast said what there is to say, and about poison nobody needs to know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# -------------------------------------------------------------------- times
@dataclass(frozen=True)
class _Plan:
    """Panel, the time fitted until, and the cutoffs, oldest first."""

    panel: Panel
    until: Time
    cutoffs: tuple[Time, ...]
    ahead: int

    def without(self, after: Time, poison: str) -> Panel:
        """Return the panel with what lies after a time poisoned; what is known ahead stays for one horizon."""
        return poisoned(self.panel, after, poison, ahead=self.ahead)

    @property
    def origins(self) -> list[Time]:
        """All times to forecast from after a fit: its end, the cutoffs, and some between them."""
        steps = self.panel.grid.steps_of([self.until, *self.cutoffs])
        between = np.linspace(steps[0], max(steps), N_ORIGINS).astype(np.int64)
        return list(self.panel.grid.output_times(np.unique([*steps, *between])))


def _plan(make: Maker, panel: Panel, until: Time | None, cutoffs: Times | None) -> _Plan:
    grid, last_rows = panel.grid, panel.first + panel.observed - 1
    start, end = int(panel.first.min()), int(last_rows.max())
    steps = None if cutoffs is None else np.unique(grid.steps_of(list(cutoffs)))
    if steps is not None and not len(steps):
        raise DataError("cutoffs is empty: expected at least one time, or None for three after `until`.")
    if until is not None:
        fit_end = grid.step_at_or_before(until)
    else:
        fit_end = start + int(FIT_SHARE * (end - start + 1)) - 1 if steps is None else int(steps[0])
    # Series that start later were never fitted; there is nothing to ask about them.
    known = np.flatnonzero((panel.first <= fit_end) & (panel.observed > 0))
    time, low, high = grid.output_times([fit_end, start, end])
    if not len(known) or fit_end >= end:
        raise DataError(
            f"A fit until {time} has nothing to learn from, or leaves nothing after it to poison. Choose until=... "
            f"from {low} on and before {high}."
        )
    part = panel.take(known)
    last = int(last_rows[known].max())
    h = _steps_ahead(make, part, fit_end) if steps is None or part.future else 1
    if steps is None:
        steps = _default_cutoffs(h, part, fit_end, last)
    late = steps[steps >= last]
    if len(late):
        raise DataError(
            f"Nothing is observed after the cutoff {grid.output_times(late[:1])[0]}, so there is nothing to poison. "
            f"Choose cutoffs before {grid.output_times([last])[0]}."
        )
    return _Plan(part, time, tuple(grid.output_times(steps)), h)


def _steps_ahead(make: Maker, panel: Panel, fit_end: int) -> int:
    """Return how many steps a model forecasts; where it does not say, a forecast shows it, without later values."""
    model = make()
    h = getattr(model, "h", None)
    if not isinstance(h, (int, np.integer)):
        time = panel.grid.output_times([fit_end])[0]
        known = poisoned(panel, time, "nan")
        h = forecast_of(fitted(model, known, time), known, [time]).h
    return int(h)


def _default_cutoffs(h: int, panel: Panel, fit_end: int, last: int) -> Ints:
    """Return three steps after the end of the fit: the first, the middle and the last one with all its truth."""
    low, high = fit_end + 1, last - h
    if high - low + 1 < N_CUTOFFS:
        raise DataError(
            f"The panel is too short to check for leaks: after {FIT_SHARE:.0%} of the steps to fit on, "
            f"{last - fit_end} are left, and {h + N_CUTOFFS} are needed for {N_CUTOFFS} cutoffs and h={h} "
            "steps after each. Give longer series, lower h, or choose until=... and cutoffs=[...] yourself."
        )
    return np.unique(np.linspace(low, high, N_CUTOFFS).astype(np.int64))


# -------------------------------------------------------------------- what is checked
@dataclass(frozen=True)
class _Question:
    """A forecast that must stay the same when all values after a time are poisoned; without a model, of a fit anew."""

    stage: str
    after: Time
    clean: Forecast
    cutoffs: Sequence[Time]
    model: Model | None = None


@dataclass(frozen=True)
class _Early:
    """A model that was fitted, and asked, before any later value was shown to its code.

    Attributes
    ----------
    answers : tuple of Forecast
        One for each cutoff, oldest first, up to the first that failed.
    error : Exception, optional
        What the fit failed with.
    """

    model: Model
    answers: tuple[Forecast, ...] = ()
    error: Exception | None = None

    @classmethod
    def of(cls, make: Maker, plan: _Plan) -> _Early:
        """Fit on a table that ends, and forecast from every cutoff on one that ends there."""
        model, answers = make(), []
        with _quiet():
            try:
                model = fitted(model, plan.without(plan.until, "truncated"), plan.until)
            except Exception as error:  # the question on the fit says so
                return cls(model, (), error)
            for cutoff in plan.cutoffs:
                try:
                    answers.append(forecast_of(model, plan.without(cutoff, "truncated"), [cutoff]))
                except Exception:  # the question on the forecast says so
                    break
        return cls(model, tuple(answers))

    def fitted(self) -> Model:
        """Return the model, or fail as it did."""
        if self.error is not None:
            raise self.error
        return self.model


@dataclass(frozen=True)
class _Check:
    """The stages of one check."""

    make: Maker
    plan: _Plan
    poisons: tuple[str, ...]
    tolerance: float

    def report(self) -> LeakReport:
        """Compare two fits on the same data first; where these agree, ask every question with every poison."""
        plan, one, other = self.plan, self.make(), self.make()
        if one is other:
            raise ConfigError("The function that makes the model returned the same object twice. Return a fresh one.")
        notes: list[str] = []
        with watched(one) as outside:
            early = _Early.of(self.make, plan) if "truncated" in self.poisons else None
            model = fitted(one, plan.panel, plan.until)
            clean = forecast_of(model, plan.panel, plan.origins)
            with _quiet():
                again = forecast_of(fitted(other, plan.panel, plan.until), plan.panel, plan.origins)
                findings = [difference(clean, again, self.tolerance, "control", "")]
                if not findings[0]:
                    findings += self._findings(model, clean, early, notes)
        real = tuple(finding for finding in findings if finding is not None)
        said = (*notes, *outside.notes())
        return LeakReport(clean.model, plan.until, plan.cutoffs, self.poisons, self.tolerance, real, said)

    def _findings(self, model: Model, clean: Forecast, early: _Early | None, notes: list[str]) -> list[Finding | None]:
        findings: list[Finding | None] = []
        for question in self._questions(model, clean, notes):
            poisons = [p for p in self.poisons if question.stage != "joint" or p in JOINT]
            findings += [self._answer(question, poison, early, notes) for poison in poisons]
        if not any(findings):  # else it is known where to look first
            findings += self._in_order(model, clean)
        if not any(findings) and early is not None:
            findings += self._remembered(model, early)
        return findings

    def _in_order(self, model: Model, clean: Forecast) -> list[Finding | None]:
        """Ask one model for one cutoff after the other; what it keeps from call to call, it keeps."""
        one, cutoffs = twin(model, self.plan.panel), (self.plan.until, *self.plan.cutoffs)
        found = []
        for k in (len(cutoffs) - 1, *np.random.default_rng(0).permutation(len(cutoffs) - 1)):  # the latest first
            part = _at(clean, self.plan.panel.grid.step_of(cutoffs[k]))
            answer = forecast_of(one, self.plan.panel, [cutoffs[k]], again=True)
            found.append(difference(part, answer, max(self.tolerance, ROUNDING), "order", "", cutoffs[k]))
        return found

    def _remembered(self, model: Model, early: _Early) -> list[Finding | None]:
        """Compare what was answered first, when nothing of the future was shown, with what is answered now."""
        found = []
        for cutoff, before in zip(self.plan.cutoffs, early.answers, strict=False):
            known = self.plan.without(cutoff, "truncated")
            for made, table in ((model, self.plan.panel), (early.model, known)):
                now = forecast_of(made, table, [cutoff])
                found.append(difference(before, now, max(self.tolerance, ROUNDING), "memory", "", cutoff))
        return found

    def _questions(self, model: Model, clean: Forecast, notes: list[str]) -> Iterator[_Question]:
        panel, cutoffs = self.plan.panel, self.plan.cutoffs
        yield _Question("fit", self.plan.until, clean, self.plan.origins)
        for cutoff in cutoffs:
            yield _Question("predict", cutoff, forecast_of(model, panel, [cutoff]), [cutoff], model)
        if len(cutoffs) < 2 or not set(self.poisons) & set(JOINT):
            notes.append(f"Several cutoffs in one pass: not checked; it takes two cutoffs and one of {JOINT}.")
            return
        together = forecast_of(model, panel, cutoffs)
        for cutoff in cutoffs[:-1]:
            yield _Question("joint", cutoff, _up_to(together, panel.grid.step_of(cutoff)), cutoffs, model)

    def _answer(self, question: _Question, poison: str, early: _Early | None, notes: list[str]) -> Finding | None:
        stage, after, panel = question.stage, question.after, self.plan.panel
        data = self.plan.without(after, poison)
        finding: Finding | None
        try:
            if question.model is None:
                kept = early.fitted() if poison == "truncated" and early is not None else None
                answer = forecast_of(kept or fitted(self.make(), data, after), panel, question.cutoffs)
            else:
                answer = forecast_of(question.model, data, question.cutoffs)
            answer = _up_to(answer, panel.grid.step_of(after)) if stage == "joint" else answer
            tolerance = max(self.tolerance, ROUNDING) if poison == "truncated" else self.tolerance
            finding = difference(question.clean, answer, tolerance, stage, poison, after)
        except Exception as error:  # whatever it is, a model that fails on poison has looked at it
            finding = Finding(stage, poison, after, error=f"{type(error).__name__}: {error}")
        if stage != "joint" or finding is None or finding.error is None:
            return finding
        notes.append(
            f"Several cutoffs in one pass, {POISONS[poison]} after {time_text(after)}: not judged, because later "
            f"cutoffs may look at these values and the model failed on them ({finding.error})."
        )
        return None


def _up_to(forecast: Forecast, step: int) -> Forecast:
    """Return the forecasts whose cutoff is not after a grid step."""
    return forecast.take(np.flatnonzero(forecast.cutoff_steps <= step))


def _at(forecast: Forecast, step: int) -> Forecast:
    """Return the forecasts from one grid step."""
    return forecast.take(np.flatnonzero(forecast.cutoff_steps == step))
