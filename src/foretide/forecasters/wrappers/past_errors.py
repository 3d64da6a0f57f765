"""Wrappers that learn from the errors that a forecaster made on steps it had not learned from."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.time.seasons import telling
from foretide.data.windows import Windows, places, slide, truth_of
from foretide.errors import DataError
from foretide.forecasters.base import Forecaster, Prediction
from foretide.forecasters.wrappers.error_distribution import Errors
from foretide.forecasters.wrappers.wrapper import Single

if TYPE_CHECKING:
    from collections.abc import Mapping

    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Floats, Ints


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
    model: Forecaster, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces = ()
) -> Prediction:
    """Forecast; where a distribution does not hold a quantile, its outermost one stands in, for errors to correct."""
    limits = model.quantile_range
    if limits is None or not quantiles:
        return model._answer(panel, windows, quantiles, traces)
    asked, place = np.unique(np.clip(quantiles, *limits), return_inverse=True)
    made = model._answer(panel, windows, tuple(float(q) for q in asked), traces)
    return made if made.quantiles is None else replace(made, quantiles=made.quantiles[..., place])


class ResidualWrapper(Single):
    """A wrapper that bears the name of its model and learns from the residuals of its past forecasts.

    Parameters
    ----------
    model : Forecaster, str or {name: settings}
        The model; a forecaster is copied and not fitted itself.
    h : int, optional
        Steps forecast; by default that of the model.
    alias : str, optional
        Name in frames and tables; the model's by default.
    """

    adds_intervals = True

    @property
    def step_axis(self) -> Mapping[str, int]:
        """Where the steps of the traces of the forecaster inside are."""
        return self.inner.step_axis

    @property
    def traces(self) -> tuple[str, ...]:
        """Names of the traces ``predict`` can return."""
        return self.inner.traces

    # ---------------------------------------------------------------- learning
    def _past_forecasts(self, panel: Panel, season: int, quantiles: Quantiles = ()) -> PastForecasts:
        """Forecast the end of every series from inside it, by a model that knows only what lies before."""
        rows = panel.observed
        kept_back = np.maximum(np.round(KEPT_BACK * rows), np.minimum(2 * self.h, rows // 2)).astype(np.int64)
        kept_back = np.maximum(kept_back, self.h)
        telling_ones = np.isin(np.arange(panel.n_entities), telling(panel, season))
        known = panel.head(np.where(telling_ones, rows - kept_back, 0))
        members = self._fit_early(known)
        early = None if members is None else members[0]
        windows = inside = None
        if early is not None:
            where = places(known.ids, panel.ids)
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

    def _origins(self, panel: Panel, history: int, first_target: Ints, season: int) -> Windows:
        windows = slide(panel, input_size=history, h=self.h, first_target=first_target)
        if not len(windows):
            return windows
        steps = windows.steps(panel)
        longest = int(np.bincount(windows.entity).max())
        stride = max(1, -(-longest // ORIGINS))
        while gcd(stride, season) > 1:  # or some season positions would never be an origin
            stride += 1
        return windows[(int(steps.max()) - steps) % stride == 0]
