"""Generators of series whose truth is known."""

from foretide.data.synthetic.base import Synthetic
from foretide.data.synthetic.hourly import HourlyTruth, hourly
from foretide.data.synthetic.lookups import LookupTruth, planted_lookup
from foretide.data.synthetic.planted import PlantedTruth, planted_lags
from foretide.data.synthetic.supplies import supplies
from foretide.data.synthetic.supplies_truth import SuppliesTruth

__all__ = [
    "HourlyTruth", "LookupTruth", "PlantedTruth", "SuppliesTruth", "Synthetic", "hourly", "planted_lags",
    "planted_lookup", "supplies",
]  # fmt: skip
