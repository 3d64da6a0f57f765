"""Generators of series whose truth is known."""

from foretide.data.synthetic.base import Synthetic
from foretide.data.synthetic.hourly import HourlyTruth, hourly
from foretide.data.synthetic.planted import PlantedTruth, planted_lags

__all__ = ["HourlyTruth", "PlantedTruth", "Synthetic", "hourly", "planted_lags"]
