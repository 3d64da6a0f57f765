"""What a fitted forecaster's past forecasts say of how its errors hang together."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.time.seasons import main_season
from foretide.data.windows import evenly
from foretide.errors import ForetideError
from foretide.forecasters.intervals.learned import Intervals
from foretide.forecasters.intervals.past import PastForecasts, past_forecasts
from foretide.forecasters.part import kept_history
from foretide.forecasters.paths.dependence import Dependence
from foretide.forecasters.paths.errors import LEVELS, past_errors, to_horizon, without_season
from foretide.forecasters.paths.late import LateDependence

if TYPE_CHECKING:
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.part import FitPart
    from foretide.typing import Ints

ELEMENTS = 50_000
"""So many past points, windows times steps times targets, are enough."""
ORIGINS = 8
"""Of many series those are left out with which there would be fewer origins."""


def learn_from_errors(model: Forecaster, part: FitPart) -> tuple[Intervals | None, Dependence | LateDependence]:
    """Return what a fitted forecaster's past errors say: of its intervals, and of how they hang together.

    Of a model with its own distribution the last 30 % of the part are forecast, or the validation part where it has
    one. It is not fitted again, for that would cost as much as the fit, and what counts here is not how large errors
    are but how they go together.

    Parameters
    ----------
    model : Forecaster
    part : FitPart
        What it was fitted on.

    Returns
    -------
    Intervals or None
        None for a model that has a distribution of its own for every target.
    Dependence or LateDependence
        The latter where past errors say it, and are kept until it is asked for.
    """
    if not model._points(part.panel.targets).any():
        return None, _dependence(model, part, None, None)
    intervals, past = Intervals.learn(model, part)
    return intervals, _dependence(model, part, intervals, past)


def _dependence(
    model: Forecaster, part: FitPart, intervals: Intervals | None, past: PastForecasts | None
) -> Dependence | LateDependence:
    ids, d, h, season = part.panel.ids, part.panel.n_targets, model.h, int(main_season(part.train))
    if intervals is not None:
        if intervals.errors is None or past is None:
            return Dependence.none(ids, h, d)
        some = _thinned(past.errors.entity, past.errors.step, past.errors.mean[0].size)
        return LateDependence(past.errors.take(some), intervals.errors, h, season)
    # It forecasts by itself, and may be fitted again: what it says is learned at once.
    part = replace(part, panel=kept_history(part.panel, None))
    source = model._hindsight(part)
    maker = None if isinstance(source, PastForecasts) else source
    chosen = np.arange(len(ids)) if maker is None else evenly(len(ids), max(1, ELEMENTS // (h * d * ORIGINS)))
    made = source if isinstance(source, PastForecasts) else _forecasts(source, part.take(chosen))
    if made is None or made.quantiles is None or not len(made.errors.step):
        return Dependence.none(ids, h, d)
    found = past_errors(
        to_horizon(made.quantiles, h), to_horizon(made.errors.truth, h), chosen[made.errors.entity], made.errors.step
    )
    return Dependence.fit(without_season(found, season), ids)


def _forecasts(model: Forecaster, part: FitPart) -> PastForecasts | None:
    """Forecasts of a model with its own distribution from inside the part; None where there are none."""
    season = int(main_season(part.train))

    def early(rows: Ints) -> tuple[Forecaster, Ints]:
        own = part.train_rows
        return model, own if model.uses_validation and (own < part.panel.observed).any() else rows

    most = max(ORIGINS // 2, ELEMENTS // (model.h * part.panel.n_targets))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = past_forecasts(model, part.panel, season, early, LEVELS, most=most)
    except ForetideError:  # then nothing is known of how its errors hang together
        return None
    return None if isinstance(found, str) else found


def _thinned(entity: Ints, step: Ints, size: int) -> Ints:
    """Return the windows of fewer origins, evenly spaced, and of fewer series where these are many."""
    most, inside = max(1, ELEMENTS // size), np.arange(len(step))
    if len(inside) > most:
        origins, at = np.unique(step, return_inverse=True)
        kept = evenly(len(origins), max(ORIGINS, most * len(origins) // len(step)), newest=True)
        inside = np.flatnonzero(np.isin(at, kept))
    if len(inside) > most:
        series = np.unique(entity[inside])
        kept = series[evenly(len(series), max(1, most * len(series) // len(inside)))]
        inside = inside[np.isin(entity[inside], kept)]
    return inside
