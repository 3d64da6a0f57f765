"""Whether a forecaster depends on the future: poison what lies after a time, and its forecasts must stay the same."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.errors import ConfigError, DataError, nearest
from foretide.evaluation.leaks.poison import POISONS, poisoned
from foretide.evaluation.leaks.report import Finding, LeakReport, difference
from foretide.forecasters.base import Forecaster
from foretide.forecasters.forecast import Forecast
from foretide.text import time_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel

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
    model: Any,
    panel: Panel,
    *,
    until: Any = None,
    cutoffs: Sequence[Any] | None = None,
    poisons: Sequence[str] = ("nan", "huge", "shuffled"),
    tolerance: float = 0.0,
) -> LeakReport:
    """Find out whether any forecaster, one's own included, uses values it cannot have when it forecasts.

    1. Control: two fits on the same data must forecast the same; otherwise nothing can be said.
    2. Fit: fitted until a time on clean data, and on data that are poisoned after it, it must forecast the same, from
       the cutoffs and from origins between them.
    3. Predict: the forecast from a cutoff must stay the same when everything after the cutoff is poisoned.
    4. Joint: with several cutoffs in one pass, those of the earlier ones must stay the same when everything after them
       is poisoned, though the later ones may use it.

    A model that fails on poisoned data has looked at them: that is a finding. One poison is not enough: a mean does
    not notice a shuffle, and code that skips missing values does not notice NaN.

    Parameters
    ----------
    model : Forecaster, or any object with ``fit(panel, until=...)`` and ``predict(panel, cutoffs)``
        ``predict`` returns a :class:`~foretide.Forecast`. The object stays as it is: fresh ones are made from its
        ``settings()``, or by ``copy.deepcopy`` where it has none. Or a class or function without arguments that
        returns a fresh one.
    panel : Panel
    until : time, optional
        Last step to fit on; by default the earliest of ``cutoffs``, or about 70 % of the steps.
    cutoffs : sequence of times, optional
        Forecast origins; by default three after ``until`` that leave the truth of all ``h`` steps.
    poisons : sequence of {"nan", "huge", "shuffled", "truncated"}
        See :func:`~foretide.evaluation.leaks.poison.poisoned`.
    tolerance : float
        Largest change that counts as rounding, as a share of the largest forecast of the same series. 0: equal to the
        bit.

    Returns
    -------
    LeakReport

    Raises
    ------
    DataError
        When the panel is too short, or nothing lies after ``until`` or a cutoff.
    ConfigError
        When the model cannot be made anew, or does not answer with a forecast.
    """
    _check_options(panel, poisons, tolerance)
    make = _maker(model)
    plan = _plan(make, panel, until, cutoffs)
    check = _Check(make, plan, tuple(poisons), float(tolerance))
    name, found = check.control()
    if not found:
        with _quiet():
            found = [*check.fit(), *check.predict(), *check.joint()]
    return LeakReport(name, plan.until, plan.cutoffs, tuple(poisons), float(tolerance), tuple(found), check.notes)


def _check_options(panel: Panel, poisons: Sequence[str], tolerance: float) -> None:
    if isinstance(poisons, str) or not len(poisons):
        raise ConfigError(f"poisons is a list of at least one of {', '.join(POISONS)}; got {poisons!r}.")
    for poison in poisons:
        if poison not in POISONS:
            raise ConfigError(f"There is no poison {poison!r}. {nearest(poison, POISONS)}")
    if "truncated" in poisons and panel.future:
        raise ConfigError(
            "The poison 'truncated' cuts rows off, and known-future columns would go with them. Take 'nan' instead."
        )
    if not tolerance >= 0:
        raise ConfigError(f"tolerance is a share of at least 0, such as 1e-6; got {tolerance!r}.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide warnings: the first fit and forecast said what there is to say, and about poison nobody needs to know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# -------------------------------------------------------------------- fresh models
def _maker(model: Any) -> Callable[[], Any]:
    """Return a function that makes a fresh, unfitted model."""
    if isinstance(model, type) or not _is_model(model):
        if not callable(model):
            raise ConfigError(
                f"A model has fit(panel, until=...) and predict(panel, cutoffs), or is a class or function without "
                f"arguments that returns one; got {model!r}."
            )
        return lambda: _called(model)
    if isinstance(model, Forecaster) or callable(getattr(model, "settings", None)):
        return lambda: _rebuilt(model)
    return lambda: _copied(model)


def _is_model(model: Any) -> bool:
    return callable(getattr(model, "fit", None)) and callable(getattr(model, "predict", None))


def _called(factory: Callable[[], Any]) -> Any:
    name = getattr(factory, "__name__", repr(factory))
    try:
        made = factory()
    except TypeError as error:
        raise ConfigError(f"{name}() cannot be made without arguments ({error}). Type: lambda: {name}(...)") from error
    if isinstance(made, type) or not _is_model(made):
        raise ConfigError(f"{name}() returns {made!r}, which has no fit(panel, until=...) and predict(panel, cutoffs).")
    return made


def _rebuilt(model: Any) -> Any:
    name = type(model).__name__
    try:
        return type(model)(**copy.deepcopy(model.settings()))
    except (TypeError, AttributeError) as error:
        raise ConfigError(
            f"A fresh {name} cannot be made from its settings ({error}). Keep every argument of the constructor as an "
            f"attribute of the same name, or give a function that makes one: check_leaks(lambda: {name}(...), panel)"
        ) from error


def _copied(model: Any) -> Any:
    name = type(model).__name__
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise ConfigError(
            f"{name} cannot be copied ({error}). Give a function that makes one: "
            f"check_leaks(lambda: {name}(...), panel)"
        ) from error


def _fitted(model: Any, panel: Panel, until: Any) -> Any:
    got = model.fit(panel, until=until)
    return got if _is_model(got) else model


def _forecast(model: Any, panel: Panel, cutoffs: Sequence[Any]) -> Forecast:
    """Predict by a copy, so that nothing a model keeps from one forecast serves it in the next one."""
    # The panel a model may have kept is large and is only read: it is shared, not copied.
    shared: dict[int, Any] = {id(panel): panel, id(panel.values): panel.values}
    try:
        twin = copy.deepcopy(model, shared)
    except Exception:  # what cannot be copied (a handle, a lock) is used as it is
        twin = model
    got = twin.predict(panel, list(cutoffs))
    if not isinstance(got, Forecast):
        raise ConfigError(
            f"{type(model).__name__}.predict returned {type(got).__name__}, expected a foretide.Forecast. "
            "Type: return ft.Forecast(name, panel, windows, mean)  # mean: [windows, steps, targets]"
        )
    return got


# -------------------------------------------------------------------- what is checked
@dataclass(frozen=True)
class _Plan:
    """Panel, the time fitted until, and the cutoffs, oldest first."""

    panel: Panel
    until: Any
    cutoffs: tuple[Any, ...]

    @property
    def origins(self) -> list[Any]:
        """All times to forecast from after a fit: its end, the cutoffs, and some between them."""
        grid = self.panel.grid
        steps = grid.steps_of([self.until, *self.cutoffs])
        between = np.linspace(steps[0], max(steps), N_ORIGINS).astype(np.int64)
        return list(grid.output_times(np.unique([*steps, *between])))


def _plan(make: Callable[[], Any], panel: Panel, until: Any, cutoffs: Sequence[Any] | None) -> _Plan:
    grid, seen = panel.grid, panel.first + panel.observed - 1
    start, end = int(panel.first.min()), int(seen.max())
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
    last = int(seen[known].max())
    if steps is None:
        steps = _default_cutoffs(make, part, fit_end, last)
    late = steps[steps >= last]
    if len(late):
        raise DataError(
            f"Nothing is observed after the cutoff {grid.output_times(late[:1])[0]}, so there is nothing to poison. "
            f"Choose cutoffs before {grid.output_times([last])[0]}."
        )
    return _Plan(part, time, tuple(grid.output_times(steps)))


def _default_cutoffs(make: Callable[[], Any], panel: Panel, fit_end: int, last: int) -> NDArray[np.int64]:
    """Return three steps after the end of the fit: the first, the middle and the last one with all its truth."""
    model = make()
    h = getattr(model, "h", None)
    if not isinstance(h, (int, np.integer)):
        time = panel.grid.output_times([fit_end])[0]
        h = _forecast(_fitted(model, panel, time), panel, [time]).h
    low, high = fit_end + 1, last - int(h)
    if high - low + 1 < N_CUTOFFS:
        raise DataError(
            f"The panel is too short to check for leaks: after {FIT_SHARE:.0%} of the steps to fit on, "
            f"{last - fit_end} are left, and {int(h) + N_CUTOFFS} are needed for {N_CUTOFFS} cutoffs and h={int(h)} "
            "steps after each. Give longer series, lower h, or choose until=... and cutoffs=[...] yourself."
        )
    return np.unique(np.linspace(low, high, N_CUTOFFS).astype(np.int64))


@dataclass
class _Check:
    """The stages of one check; ``control`` comes first and keeps the model fitted on clean data."""

    make: Callable[[], Any]
    plan: _Plan
    poisons: tuple[str, ...]
    tolerance: float
    notes: tuple[str, ...] = ()
    model: Any = None
    clean: Any = None

    def control(self) -> tuple[str, list[Finding]]:
        """Fit twice on the same data; return the model's name and what differs."""
        panel, until = self.plan.panel, self.plan.until
        one, other = self.make(), self.make()
        if one is other:
            raise ConfigError("The function that makes the model returned the same object twice. Return a fresh one.")
        self.model = _fitted(one, panel, until)
        self.clean = _forecast(self.model, panel, self.plan.origins)
        with _quiet():
            again = _forecast(_fitted(other, panel, until), panel, self.plan.origins)
        found = difference(self.clean, again, self.tolerance, "control", "")
        return self.clean.model, [found] if found else []

    def fit(self) -> list[Finding]:
        """Fit on data poisoned after ``until``; forecast on clean data, from all origins."""
        panel, until = self.plan.panel, self.plan.until

        def forecast(poison: str) -> Forecast:
            model = _fitted(self.make(), poisoned(panel, until, poison), until)
            return _forecast(model, panel, self.plan.origins)

        return [f for p in self.poisons if (f := self._compared(self.clean, forecast, p, "fit", until))]

    def predict(self) -> list[Finding]:
        """Forecast from each cutoff on data poisoned after it."""
        panel, found = self.plan.panel, []
        for cutoff in self.plan.cutoffs:
            clean = _forecast(self.model, panel, [cutoff])

            def forecast(poison: str, at: Any = cutoff) -> Forecast:
                return _forecast(self.model, poisoned(panel, at, poison), [at])

            found += [self._compared(clean, forecast, p, "predict", cutoff) for p in self.poisons]
        return [f for f in found if f is not None]

    def joint(self) -> list[Finding]:
        """Forecast from all cutoffs in one pass on data poisoned after the earlier ones."""
        panel, cutoffs = self.plan.panel, self.plan.cutoffs
        usable = [poison for poison in self.poisons if poison in JOINT]
        if len(cutoffs) < 2 or not usable:
            self.notes += (f"Several cutoffs in one pass: not checked; it takes two cutoffs and one of {JOINT}.",)
            return []
        clean, found = _forecast(self.model, panel, cutoffs), []
        for k, cutoff in enumerate(cutoffs[:-1]):
            step = panel.grid.step_of(cutoff)
            for poison in usable:

                def forecast(poison: str, at: Any = cutoff, upto: int = step) -> Forecast:
                    return _up_to(_forecast(self.model, poisoned(panel, at, poison), cutoffs), upto)

                got = self._compared(_up_to(clean, step), forecast, poison, "joint", cutoffs[k])
                if got is not None and got.error is not None:
                    self.notes += (
                        f"Several cutoffs in one pass, {POISONS[poison]} after {time_text(cutoff)}: not judged, "
                        f"because later cutoffs may look at these values and the model failed on them ({got.error}).",
                    )
                elif got is not None:
                    found.append(got)
        return found

    def _compared(
        self, clean: Forecast, forecast: Callable[[str], Forecast], poison: str, stage: str, cutoff: Any
    ) -> Finding | None:
        try:
            got = forecast(poison)
        except Exception as error:  # whatever it is, a model that fails on poison has looked at it
            return Finding(stage, poison, cutoff, error=f"{type(error).__name__}: {error}")
        return difference(clean, got, self.tolerance, stage, poison, cutoff)


def _up_to(forecast: Forecast, step: int) -> Forecast:
    """Return the forecasts whose cutoff is not after a grid step."""
    kept = forecast.cutoff_steps <= step
    quantiles = None if forecast.quantiles is None else forecast.quantiles[kept]
    return Forecast(
        forecast.model, forecast.panel, forecast.windows[kept], forecast.mean[kept], forecast.levels,
        forecast.quantile_levels, quantiles,
    )  # fmt: skip
