"""What stands around a forecaster and learns from the errors that it made on steps it had not learned from."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from foretide.data.time.seasons import telling
from foretide.data.windows import Windows, slide, truth_of
from foretide.errors import ConfigError, DataError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.fitted import Fitted
from foretide.forecasters.wrappers.ensemble import Member, unfitted
from foretide.forecasters.wrappers.error_distribution import Errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel

    Floats = NDArray[np.float64]

ORIGINS = 60
"""Past forecasts are made from at most this many origins."""
KEPT_BACK = 0.3
"""Share of the steps, at the end, whose errors are looked at; the model that makes them knows the steps before."""


@dataclass(frozen=True, eq=False)
class PastForecasts:
    """Forecasts from inside the part that was fitted on.

    Attributes
    ----------
    errors : Errors
        Means beside what came.
    quantiles : float array ``[W, H, D, Q]`` or None
        The model's own, at the levels asked for.
    known : Panel
        What the model that made them had learned from.
    last : int
        Grid step of the last observed target of the part.
    stride : int
        Steps between neighbouring origins.
    """

    errors: Errors
    quantiles: Floats | None
    known: Panel
    last: int
    stride: int


def predict_within(
    model: Forecaster, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...] = ()
) -> Prediction:
    """Forecast; where a distribution does not hold a quantile, its outermost one stands in, for errors to correct."""
    limits = model.quantile_range
    if limits is None or not quantiles:
        return model._answer(panel, windows, quantiles, traces)
    asked, place = np.unique(np.clip(quantiles, *limits), return_inverse=True)
    made = model._answer(panel, windows, tuple(float(q) for q in asked), traces)
    return made if made.quantiles is None else replace(made, quantiles=made.quantiles[..., place])


class Around(Forecaster):
    """A forecaster that stands around another one, bears its name and learns from its past errors.

    Parameters
    ----------
    model : Forecaster, str or {name: settings}
        The model; a forecaster is copied and not fitted itself.
    h : int, optional
        Steps forecast; by default that of the model.
    alias : str, optional
        Name in frames and tables; the model's by default.
    """

    has_distribution = True
    nests = "model"

    def __init__(self, model: Member, h: int | None, *, alias: str | None) -> None:
        if not isinstance(model, Forecaster) and h is None:
            given = next(iter(model.values()), None) if isinstance(model, Mapping) else None
            if not isinstance(given, Mapping) or "h" not in given:
                raise ConfigError(f"The model has no horizon. Type: {type(self).__name__}({model!r}, h=14)")
        self.inner = unfitted(model, h)
        if h is not None and self.inner.h != h:
            raise ConfigError(f"The model forecasts {self.inner.h} steps, but h={h!r}. Leave h out.")
        super().__init__(self.inner.h, alias=alias)
        self.uses_validation = self.inner.uses_validation  # type: ignore[misc]  # depends on the model
        self.uses_future = self.inner.uses_future
        self.baseline, self.neural = self.inner.baseline, self.inner.neural

    @property
    def model(self) -> dict[str, dict[str, Any]]:
        """The model as ``{name: settings}``."""
        return {type(self.inner).__name__: self.inner.settings()}

    @property
    def parts(self) -> tuple[Forecaster, ...]:
        """The model."""
        return (self.inner,)

    def fresh(self) -> Self:
        """Return an unfitted forecaster with the same settings."""
        return type(self)(**{**self.settings(), "model": self.inner})

    @property
    def name(self) -> str:
        """Name in frames and tables."""
        return self.alias or self.inner.name

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff."""
        return self.inner.min_history

    @property
    def memory(self) -> int | None:
        """Rows up to a cutoff that a forecast depends on."""
        return self.inner.memory

    @property
    def traces(self) -> tuple[str, ...]:
        """Names of the traces ``predict`` can return."""
        return self.inner.traces

    # ---------------------------------------------------------------- learning
    def _fit_model(self, part: FitPart) -> None:
        self.inner = unfitted(self.inner, self.h).fit(part.panel, train_until=part.train_until)

    def _past_forecasts(self, panel: Panel, season: int, quantiles: tuple[float, ...] = ()) -> PastForecasts:
        """Forecast the end of every series from inside it, by a model that knows only what lies before."""
        rows = panel.observed
        kept_back = np.maximum(np.round(KEPT_BACK * rows), np.minimum(2 * self.h, rows // 2)).astype(np.int64)
        kept_back = np.maximum(kept_back, self.h)
        telling_ones = np.isin(np.arange(panel.n_entities), telling(panel, season))
        known = panel.head(np.where(telling_ones, rows - kept_back, 0))
        early = self._early(known) if known.n_entities else None
        windows = inside = None
        if early is not None:
            place = {name: i for i, name in enumerate(panel.ids)}
            where = np.array([place[name] for name in known.ids], dtype=np.int64)
            inside = panel.take(where)
            windows = self._origins(inside, early.min_history, inside.first + known.length, season)
        if early is None or inside is None or windows is None or not len(windows):
            warnings.warn(
                f"{self.name}: the series are too short to keep {int(kept_back.max())} steps back. The intervals come "
                "from errors on steps the model was fitted on, and may be too narrow. Give longer series, or lower h.",
                UserWarning,
                stacklevel=4,
            )
            early, inside, known, where = self.inner, panel, panel, np.arange(panel.n_entities)
            windows = self._origins(panel, early.min_history, panel.first + 1, season)
        if not len(windows):
            raise DataError(
                f"No past forecast can be compared with the truth: {early.min_history} rows up to an origin and "
                f"h={self.h} after it are needed, the longest series has {int(rows.max())}. Lower h, or "
                "give longer series."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what there is to say was said when the whole part was fitted
            made = predict_within(early, inside, windows, quantiles)
        at = windows.steps(inside)
        mean = np.asarray(made.mean, dtype=np.float64)
        errors = Errors(mean, truth_of(inside, windows, self.h), where[windows.entity], at)
        own = None if made.quantiles is None else np.asarray(made.quantiles, dtype=np.float64)
        distinct, last = np.unique(at), int((panel.first + rows - 1).max())
        return PastForecasts(errors, own, known, last, int(np.diff(distinct).min()) if len(distinct) > 1 else 1)

    def _early(self, known: Panel) -> Forecaster | None:
        """Return the model fitted on a shorter part; None where there is too little for that."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return unfitted(self.inner, self.h).fit(known)
        except DataError:
            return None

    def _origins(self, panel: Panel, history: int, first_target: NDArray[np.int64], season: int) -> Windows:
        windows = slide(panel, input_size=history, h=self.h, first_target=first_target)
        if not len(windows):
            return windows
        steps = windows.steps(panel)
        longest = int(np.bincount(windows.entity).max())
        stride = max(1, -(-longest // ORIGINS))
        while gcd(stride, season) > 1:  # or some season positions would never be an origin
            stride += 1
        return windows[(int(steps.max()) - steps) % stride == 0]

    # ---------------------------------------------------------------- keeping
    def _model_state(self) -> dict[str, NDArray[Any]]:
        return {f"model/{k}": a for k, a in self.inner.state().items()}

    def _model_facts(self) -> dict[str, Any]:
        assert self.inner._fitted is not None
        return {"model": self.inner.facts(), "fitted": self.inner._fitted.without_history().facts()}

    def _restore_model(
        self, state: dict[str, NDArray[Any]], facts: dict[str, Any], own: str
    ) -> dict[str, NDArray[Any]]:
        """Rebuild the model, and return the arrays under the other name."""
        parts: dict[str, dict[str, NDArray[Any]]] = {"model": {}, own: {}}
        for key, array in state.items():
            which, _, name = key.partition("/")
            parts[which][name] = array
        self.inner.restore(parts["model"], facts["model"])
        self.inner._fitted = Fitted.restore(facts["fitted"], {})
        return parts[own]
