"""Classical models: ridge regression, ARIMA, VAR and those of statsforecast."""
