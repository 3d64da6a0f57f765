"""Classical models over maintained libraries: ARIMA and VAR (statsmodels), any model of statsforecast."""

from __future__ import annotations

from foretide.forecasters.classical.arima import ARIMA
from foretide.forecasters.classical.stats import Stats
from foretide.forecasters.classical.var import VAR

__all__ = ["ARIMA", "VAR", "Stats"]
