"""The protocol every forecaster follows."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np

from foretide.data.windows import Windows, at_cutoffs, slide
from foretide.errors import ConfigError, DataError, NotFittedError
from foretide.forecasters.forecast import Forecast, all_quantiles

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    from foretide.data.panel import Panel


@dataclass(frozen=True)
class Prediction:
    """What a forecaster's own ``_predict`` returns: mean ``[W, H, D]``, quantiles ``[W, H, D, Q]`` or None."""

    mean: NDArray[np.floating]
    quantiles: NDArray[np.floating] | None = None
    extras: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FitPart:
    """The part of a panel a forecaster may learn from.

    Attributes
    ----------
    panel : Panel
        Cut at ``until``: later rows do not exist in it.
    train_end : int
        Grid step of the last training step; steps after it, up to the end of ``panel``, are for validation.
    """

    panel: Panel
    train_end: int

    @property
    def train(self) -> Panel:
        """The training part alone, a view."""
        if not self._has_validation:
            return self.panel
        return self.panel.until(self.panel.grid.output_times([self.train_end])[0])

    def windows(self, panel: Panel, *, input_size: int, h: int) -> tuple[Windows, Windows]:
        """Training and validation windows of ``panel`` (this part, or some of its entities).

        Raises :class:`DataError` when no training window fits.
        """
        train = slide(panel, input_size=input_size, h=h, last_target=self.train_end)
        if not len(train):
            raise DataError(
                f"No training window fits: input_size={input_size} and h={h} need {input_size + h} "
                f"rows, the longest series has {int(self.train.observed.max())} in the training part. "
                "Lower input_size or h, or give longer series."
            )
        return train, slide(panel, input_size=input_size, h=h, first_target=self.train_end + 1)

    @property
    def _has_validation(self) -> bool:
        return self.train_end < int(self.panel.last.max())


class Forecaster(ABC):
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

    has_law: bool = False
    """Whether intervals come with the mean."""
    uses_validation: ClassVar[bool] = False
    """Whether ``fit`` keeps the end of its part aside to choose settings or to stop early."""
    can_warm_start: ClassVar[bool] = False
    """Whether ``fit(..., warm_start=True)`` can begin at what an earlier fit learned."""

    def __init__(self, h: int, *, alias: str | None = None) -> None:
        if not isinstance(h, (int, np.integer)) or isinstance(h, bool) or h < 1:
            raise ConfigError(f"h is the number of steps to forecast, a whole number of at least 1; got {h!r}.")
        self.h = int(h)
        self.alias = alias
        self._fitted: _Fitted | None = None
        self._former: dict[str, NDArray[Any]] = {}

    # ---------------------------------------------------------------- what a person calls
    @final
    def fit(self, panel: Panel, until: Any = None, *, train_until: Any = None, warm_start: bool = False) -> Self:
        """Learn from the steps up to ``until`` and nothing later.

        Parameters
        ----------
        panel : Panel
        until : time, optional
            Last step that may be seen; the end of the panel by default.
        train_until : time, optional
            Last training step; the steps after it up to ``until`` serve for validation.
            By default the last 15 % of the part are for validation where the model needs any.
        warm_start : bool
            Begin training at the weights of the last fit; without, every fit begins anew.
        """
        if warm_start and not self.can_warm_start:
            raise ConfigError(f"{self.name} cannot begin at what an earlier fit learned. Leave warm_start out.")
        part = panel if until is None else panel.until(until)
        if not panel.targets:
            raise DataError("The panel has no target column. Name one: Panel.from_frame(..., target='y').")
        if not (part.observed > 0).any():
            raise DataError("No target value is observed in the part to fit on. Check `until` and the target column.")
        self._former = self.state() if warm_start and self._fitted is not None else {}
        self._fitted = None
        self._fit(FitPart(part, self._train_end(part, train_until)))
        self._former = {}
        last = str(part.grid.times([int((part.first + part.observed - 1).max())])[0])
        self._fitted = _Fitted(panel.targets, panel.past, panel.future, panel.grid.freq, panel.ids, last)
        return self

    def fresh(self) -> Self:
        """Return an unfitted forecaster with the same settings."""
        return type(self)(**self.settings())

    @final
    def predict(
        self,
        panel: Panel,
        cutoffs: Sequence[Any] | None = None,
        levels: Sequence[float] = (80, 95),
        *,
        quantiles: Sequence[float] = (),
        **traces: bool,
    ) -> Forecast:
        """Forecast ``h`` steps from many origins in one pass.

        Parameters
        ----------
        panel : Panel
            May hold values after a cutoff; they are not looked at, known-future columns excepted.
        cutoffs : sequence of times, optional
            Times of the last observed step; None: the end of every series. A series that does not cover a
            cutoff is left out of it.
        levels : sequence of float
            Central interval levels in percent. A model without a predictive law returns no intervals.
        quantiles : sequence of float
            Further quantiles to return, as fractions, e.g. ``(0.1, 0.5, 0.9)``.
        **traces : bool
            What else to return in ``Forecast.extras``, e.g. ``attention=True``.
        """
        if self._fitted is None:
            raise NotFittedError(f"{self.name} is not fitted. Type: model.fit(panel, until=...)")
        self._fitted.check(panel, self.name)
        windows = at_cutoffs(panel, cutoffs, min_history=self.min_history)
        levels = tuple(levels) if self.has_law else ()
        wanted_quantiles = all_quantiles(levels, quantiles if self.has_law else ())
        unknown = set(traces) - set(self.traces)
        if unknown:
            raise ConfigError(f"{self.name} has no trace {sorted(unknown)[0]!r}; it can return {list(self.traces)}.")
        wanted = tuple(name for name, on in traces.items() if on)
        got = self._predict(panel, windows, wanted_quantiles, wanted)
        return Forecast(self.name, panel, windows, got.mean, levels, wanted_quantiles, got.quantiles, got.extras)

    @final
    def save(self, folder: str | PathLike[str]) -> None:
        """Write settings (JSON) and what was learned (safetensors) to a folder; :func:`foretide.load` reads it."""
        from foretide.forecasters.artifact import save

        save(self, folder)

    # ---------------------------------------------------------------- what a subclass gives
    @abstractmethod
    def _fit(self, part: FitPart) -> None:
        """Learn from ``part``."""

    @abstractmethod
    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        """Forecast from ``windows``; only rows up to each cutoff and known-future columns may be read."""

    def state(self) -> dict[str, NDArray[Any]]:
        """What was learned, as arrays by name."""
        return {}

    def facts(self) -> dict[str, Any]:
        """What was learned and is no array, as JSON."""
        return {}

    def restore(self, state: dict[str, NDArray[Any]], facts: dict[str, Any]) -> None:  # noqa: B027
        """Take back what :meth:`state` and :meth:`facts` gave; nothing to do for a model that keeps nothing."""

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff."""
        return 1

    @property
    def traces(self) -> tuple[str, ...]:
        """Names of the traces ``predict`` can return."""
        return ()

    # ---------------------------------------------------------------- shared
    @property
    def name(self) -> str:
        """Name in frames and tables."""
        return self.alias or type(self).__name__

    @property
    def is_fitted(self) -> bool:
        """Whether ``predict`` can be called."""
        return self._fitted is not None

    @property
    def fitted_until(self) -> str | None:
        """Time of the last step that ``fit`` saw (UTC where the panel has a zone); None where that is not known."""
        return None if self._fitted is None else self._fitted.until

    def fitted_step(self, panel: Panel) -> int | None:
        """Step of :attr:`fitted_until` on the grid of a panel; None where it is not known."""
        until: Any = self.fitted_until
        if until is None:
            return None
        # Said in UTC where the panel has a zone, as the grid's start is.
        grid = replace(panel.grid, tz=None)
        return grid.step_at_or_before(int(until) if grid.is_integer else until)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, by name."""
        names = [p for p in inspect.signature(type(self).__init__).parameters if p not in ("self", "options")]
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in self.settings().items() if v is not None)
        return f"{type(self).__name__}({shown})"

    def _train_end(self, part: Panel, train_until: Any) -> int:
        last = int((part.first + part.observed - 1).max())
        if train_until is not None:
            step = part.grid.step_at_or_before(train_until)
            if step > last:
                raise ConfigError(f"train_until={train_until!s} lies after the last step that may be seen (`until`).")
            return step
        if not self.uses_validation:
            return last
        first = int(part.first.min())
        return last - max(self.h, round(0.15 * (last - first + 1)))


@dataclass(frozen=True)
class _Fitted:
    """What the panel looked like at fit time; a panel to predict must look the same."""

    targets: tuple[str, ...]
    past: tuple[str, ...]
    future: tuple[str, ...]
    freq: str | int
    ids: tuple[str, ...]
    until: str | None = None

    def check(self, panel: Panel, name: str) -> None:
        for role in ("targets", "past", "future"):
            expected, got = getattr(self, role), getattr(panel, role)
            if expected != got:
                raise DataError(
                    f"{name} was fitted with {role} columns {list(expected)}, this panel has {list(got)}. "
                    "Give the same columns in the same roles."
                )
        if panel.grid.freq != self.freq:
            raise DataError(f"{name} was fitted on steps of {self.freq!r}, this panel has {panel.grid.freq!r}.")


def class_slug(cls: type) -> str:
    """``SeasonalNaive`` -> ``seasonal-naive``; known abbreviations stay whole."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
