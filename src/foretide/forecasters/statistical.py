"""Classical models over maintained libraries: ARIMA and VAR (statsmodels), any model of statsforecast."""

from __future__ import annotations

from foretide.forecasters.arima import ARIMA
from foretide.forecasters.stats import Stats
from foretide.forecasters.var import VAR

__all__ = ["ARIMA", "VAR", "Stats"]
