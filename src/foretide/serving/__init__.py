"""Forecasts over HTTP: models in memory, requests batched together, limits on all that comes in; and a client."""
