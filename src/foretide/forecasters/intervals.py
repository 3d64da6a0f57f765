"""Intervals for any point forecaster, learned from its own past errors."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from math import gcd
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from foretide.data.counts import are_counts
from foretide.data.seasons import main_season
from foretide.data.windows import Windows, slide, truth_of
from foretide.errors import ConfigError, DataError, nearest
from foretide.forecasters.base import FitPart, Forecaster, Prediction, _Fitted
from foretide.forecasters.ensemble import Member, _fresh
from foretide.forecasters.error_law import LAWS, ErrorLaw, Errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel

    Floats = NDArray[np.float64]

ORIGINS = 60
"""Past forecasts are made from at most this many origins."""
KEPT_BACK = 0.3
"""Share of the steps, at the end, whose errors are looked at; the model that makes them knows the steps before."""


class WithIntervals(Forecaster):
    """A point forecaster with intervals whose width is learned from its own past errors.

    At ``fit`` the model is fitted twice: on the steps before the last 30 % of the part, so that its forecasts there,
    from up to 60 origins that pass through all season positions, show errors it did not learn from; and then on the
    whole part for the forecasts to come. What the errors say about a series and a part of the horizon is drawn
    towards what they say about all.

    Laws:

    - ``"negative_binomial"``, for counts: the mean is the point forecast, the dispersion is found by maximum
      likelihood. Where the model forecasts nothing at all, the mean is what was observed when it last did so.
    - ``"normal"``: the standard deviation is that of the errors.
    - ``"empirical"``: quantiles of the errors, added to the point forecast; whole and not negative for counts.
    - ``"auto"``: the model's own law where it has one; otherwise negative binomial for targets that are counts, normal
      for the others.

    The point forecast is that of the model, unchanged, and so is its name.

    Parameters
    ----------
    model : Forecaster, str or {name: settings}
        The model; a forecaster is copied and not fitted itself.
    law : {"auto", "negative_binomial", "normal", "empirical"}
    h : int, optional
        Steps forecast; by default that of the model.
    alias : str, optional
        Name in frames and tables; the model's by default.
    """

    has_law = True

    def __init__(
        self,
        model: Member,
        law: Literal["auto", "negative_binomial", "normal", "empirical"] = "auto",
        *,
        h: int | None = None,
        alias: str | None = None,
    ) -> None:
        if law not in ("auto", *LAWS):
            raise ConfigError(f"There is no law {law!r}. {nearest(law, ('auto', *LAWS))}")
        if not isinstance(model, Forecaster) and h is None:
            given = next(iter(model.values()), None) if isinstance(model, Mapping) else None
            if not isinstance(given, Mapping) or "h" not in given:
                raise ConfigError(f"The model has no horizon. Type: WithIntervals({model!r}, h=14)")
        self.inner = _fresh(model, h)
        if h is not None and self.inner.h != h:
            raise ConfigError(f"The model forecasts {self.inner.h} steps, but h={h!r}. Leave h out.")
        super().__init__(self.inner.h, alias=alias)
        self.law = law
        self.uses_validation = self.inner.uses_validation  # type: ignore[misc]  # depends on the model
        self.errors_: ErrorLaw | None = None
        """What the errors said; None before fit, and for a model that keeps its own law."""

    @property
    def model(self) -> dict[str, dict[str, Any]]:
        """The model as ``{name: settings}``."""
        return {type(self.inner).__name__: self.inner.settings()}

    @property
    def name(self) -> str:
        """Name in frames and tables."""
        return self.alias or self.inner.name

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff."""
        return self.inner.min_history

    @property
    def traces(self) -> tuple[str, ...]:
        """Names of the traces ``predict`` can return."""
        return self.inner.traces

    @property
    def keeps_law(self) -> bool:
        """Whether the model's own law is passed through."""
        return self.law == "auto" and self.inner.has_law

    # ---------------------------------------------------------------- learning
    def _fit(self, part: FitPart) -> None:
        until = part.panel.grid.output_times([part.train_end])[0] if self.uses_validation else None
        self.errors_ = None
        kinds = None if self.keeps_law else self._kinds(part.panel)
        fresh = _fresh(self.inner, self.h)
        self.inner = fresh.fit(part.panel, train_until=until)
        if kinds is not None:
            season = int(main_season(part.train))
            errors = self._past_errors(part.panel, season)
            self.errors_ = ErrorLaw.fit(errors, kinds, part.panel.ids, self.h, season)

    def _kinds(self, panel: Panel) -> tuple[str, ...]:
        """Return the law of each target."""
        counts = are_counts(panel)
        if self.law == "negative_binomial" and not counts.all():
            wrong = panel.targets[int(np.argmin(counts))]
            raise DataError(
                f"A negative binomial law needs counts, whole numbers of at least 0; target {wrong!r} has other "
                "values. Take law='normal', or 'auto' to choose by target."
            )
        if self.law == "empirical":
            return tuple("empirical_counts" if count else "empirical" for count in counts)
        if self.law != "auto":
            return (self.law,) * panel.n_targets
        return tuple("negative_binomial" if count else "normal" for count in counts)

    def _past_errors(self, panel: Panel, season: int) -> Errors:
        """Forecast the end of the part from inside it, by a model that knows only what lies before."""
        first, last = int(panel.first.min()), int((panel.first + panel.observed - 1).max())
        steps = last - first + 1
        kept_back = max(round(KEPT_BACK * steps), min(2 * self.h, steps // 2), self.h)
        split = last - kept_back
        early = self._early(panel, split)
        if early is None:
            warnings.warn(
                f"{self.name}: the series are too short to keep {kept_back} steps back. The intervals come from errors "
                "on steps the model was fitted on, and may be too narrow. Give longer series, or lower h.",
                UserWarning,
                stacklevel=5,
            )
            early, known, split = self.inner, panel, first
        else:
            known = panel.take(np.flatnonzero(panel.first <= split))
        windows = self._origins(known, split, season)
        if not len(windows):
            raise DataError(
                f"No past forecast can be compared with the truth: {self.min_history} rows up to an origin and "
                f"h={self.h} after it are needed, the longest series has {int(panel.observed.max())}. Lower h, or "
                "give longer series."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what there is to say was said when the whole part was fitted
            mean = np.asarray(early._predict(known, windows, (), ()).mean, dtype=np.float64)
        truth = truth_of(known, windows, self.h)
        place = np.array([panel.ids.index(name) for name in known.ids], dtype=np.int64)
        return Errors(mean, truth, place[windows.entity], windows.steps(known))

    def _early(self, panel: Panel, split: int) -> Forecaster | None:
        """Return the model fitted up to a step; None where there is too little for that."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _fresh(self.inner, self.h).fit(panel, until=panel.grid.output_times([split])[0])
        except DataError:
            return None

    def _origins(self, panel: Panel, split: int, season: int) -> Windows:
        windows = slide(panel, input_size=self.min_history, h=self.h, first_target=split + 1)
        if not len(windows):
            return windows
        steps = windows.steps(panel)
        stride = max(1, -(-int(steps.max() - steps.min() + 1) // ORIGINS))
        while gcd(stride, season) > 1:  # or some season positions would never be an origin
            stride += 1
        return windows[(int(steps.max()) - steps) % stride == 0]

    # ---------------------------------------------------------------- forecasting
    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        if self.errors_ is None:
            return self.inner._predict(panel, windows, quantiles, traces)
        got = self.inner._predict(panel, windows, (), traces)
        if not quantiles:
            return got
        names = [panel.ids[i] for i in windows.entity]
        found = self.errors_.quantiles(np.asarray(got.mean, dtype=np.float64), names, windows.steps(panel), quantiles)
        return Prediction(got.mean, found, got.extras)

    # ---------------------------------------------------------------- keeping
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments; the model as ``{name: settings}``."""
        return {"model": self.model, "law": self.law, "h": self.h, "alias": self.alias}

    def state(self) -> dict[str, NDArray[Any]]:
        """The model's arrays, and what the errors said."""
        own = self.errors_.arrays() if self.errors_ is not None else {}
        return {**{f"model/{k}": a for k, a in self.inner.state().items()}, **{f"law/{k}": a for k, a in own.items()}}

    def facts(self) -> dict[str, Any]:
        """The model's facts, the panel it was fitted on, and the laws of the targets."""
        assert self.inner._fitted is not None
        law = self.errors_.facts() if self.errors_ is not None else None
        return {"model": self.inner.facts(), "fitted": asdict(self.inner._fitted), "law": law}

    def restore(self, state: dict[str, NDArray[Any]], facts: dict[str, Any]) -> None:
        """Rebuild from :meth:`state` and :meth:`facts`."""
        parts: dict[str, dict[str, NDArray[Any]]] = {"model": {}, "law": {}}
        for key, array in state.items():
            which, _, name = key.partition("/")
            parts[which][name] = array
        self.inner.restore(parts["model"], facts["model"])
        self.inner._fitted = _Fitted(**facts["fitted"])
        self.errors_ = ErrorLaw.restore(parts["law"], facts["law"]) if facts["law"] is not None else None
