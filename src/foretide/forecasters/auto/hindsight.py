"""What a blend learns from how its errors go together, without forecasting the past by members that are slow."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.windows import places, truth_of
from foretide.forecasters.auto.blend import relevelled
from foretide.forecasters.auto.judge import one_by_one
from foretide.forecasters.base import Forecaster
from foretide.forecasters.intervals.distribution import Errors
from foretide.forecasters.intervals.past import PastForecasts
from foretide.forecasters.paths.errors import LEVELS

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.auto.auto import Auto
    from foretide.forecasters.forecast import Forecast


def quick(member: Forecaster) -> bool:
    """Whether a forecaster forecasts many origins in little time.

    Parameters
    ----------
    member : Forecaster

    Returns
    -------
    bool

    Examples
    --------
    >>> import foretide as ft
    >>> quick(ft.SeasonalES(h=7)), quick(ft.Pretrained(h=7)), quick(ft.WithIntervals(ft.Stats("Theta", h=7)))
    (True, False, False)
    """
    return not one_by_one(member) and member.past_origins >= Forecaster.past_origins


def quick_part(model: Auto) -> Auto | None:
    """Return a fitted blend of the quick members alone; None where there is none.

    Parameters
    ----------
    model : Auto
        Fitted.

    Returns
    -------
    Auto or None
    """
    kept = [k for k, member in enumerate(model.members) if quick(member)]
    if not kept:
        return None
    part = copy(model)
    part.members = [model.members[k] for k in kept]
    part.shares_ = model.shares_[kept] / model.shares_[kept].sum()
    return part


def held_back(trial: Forecast, panel: Panel) -> PastForecasts:
    """Return what was forecast from held-back origins as past forecasts of the series of a panel.

    Parameters
    ----------
    trial : Forecast
        With the quantiles that candidates are judged by.
    panel : Panel
        The part that was fitted on.

    Returns
    -------
    PastForecasts
    """
    assert trial.quantiles is not None
    windows, mean = trial.windows, np.asarray(trial.mean, dtype=np.float64)
    truth = truth_of(trial.panel, windows, trial.h)
    entity = places(trial.panel.ids, panel.ids)[windows.entity]
    step = windows.steps(trial.panel)
    quantiles = relevelled(np.asarray(trial.quantiles, dtype=np.float64), LEVELS)
    distinct, last = np.unique(step), int((trial.panel.first + trial.panel.observed - 1).max())
    stride = int(np.diff(distinct).min()) if len(distinct) > 1 else 1
    return PastForecasts(Errors(mean, truth, entity, step), quantiles, trial.panel, last, stride)
