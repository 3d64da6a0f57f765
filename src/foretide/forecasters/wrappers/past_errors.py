"""Wrappers that learn from the errors that a forecaster made on steps it had not learned from."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from foretide.errors import DataError
from foretide.forecasters.intervals.past import PastForecasts, past_forecasts
from foretide.forecasters.wrappers.wrapper import Single, fit_member

if TYPE_CHECKING:
    from collections.abc import Mapping

    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Quantiles
    from foretide.forecasters.base import Forecaster
    from foretide.typing import Ints


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

        def early(rows: Ints) -> tuple[Forecaster, Ints]:
            return fit_member(panel.head(rows), (self.inner.fresh(), None)), rows

        past = past_forecasts(self.inner, panel, season, early, quantiles)
        inside, beyond = (past, "") if isinstance(past, str) else (past.inside, past.beyond)
        for why, what in (
            (inside, "come from errors on steps the model was fitted on, and may be too narrow"),
            (beyond, "of later steps are as wide as the last ones known"),
        ):
            if why:
                text = f"{self.name}: {why}. The intervals {what}. Give longer series, or lower h."
                warnings.warn(text, UserWarning, stacklevel=4)
        if isinstance(past, str):
            raise DataError(
                f"No past forecast can be compared with the truth: {self.inner.min_history} rows up to an origin and "
                f"h={self.h} after it are needed, the longest series has {int(panel.observed.max())}. Lower h, or "
                "give longer series."
            )
        return past
