"""What one forecaster did in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.files import file_name as file_name
from foretide.errors import DataError

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.forecast import Forecast
    from foretide.jobs.roster import Entry


@dataclass(frozen=True)
class Result:
    """One forecaster after the test.

    Attributes
    ----------
    entry : Entry
        The forecaster, fitted.
    forecast : Forecast
        Of the test windows, the same for all models.
    attention : Forecast or None
        Of a part of the test windows, with the weights in ``extras``.
    fit_seconds, predict_seconds : float
    """

    entry: Entry
    forecast: Forecast
    attention: Forecast | None
    fit_seconds: float
    predict_seconds: float


def select(forecast: Forecast, windows: Windows) -> Forecast:
    """Return the part of a forecast that belongs to ``windows``, in their order.

    ``predict`` forecasts every series that covers a cutoff; with series of different lengths these are more than the
    windows whose targets are known.
    """
    have, want = forecast.windows, windows
    width = int(max(have.cutoff.max(initial=0), want.cutoff.max(initial=0))) + 1
    keys, wanted = have.entity * width + have.cutoff, want.entity * width + want.cutoff
    order = np.argsort(keys)
    at = order[np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)]
    if not np.array_equal(keys[at], wanted):
        raise DataError(f"{forecast.model} did not forecast every test window; it needs more history than it said.")
    return forecast.take(at)


def cutoff_times(panel: Panel, windows: Windows) -> list[Any]:
    """Times of the origins of ``windows``, each once."""
    return list(panel.grid.output_times(np.unique(windows.steps(panel))))
