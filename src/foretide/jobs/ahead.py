"""What comes next: the forecast from the end of the table, kept for people and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from foretide.errors import ConfigError, DataError
from foretide.evaluation.cards.align import ORACLE
from foretide.jobs.outputs import before
from foretide.jobs.store import FORECAST, FUTURE, RECENT
from foretide.text import time_text

if TYPE_CHECKING:
    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.forecast import Forecast
    from foretide.jobs.folder import RunFolder
    from foretide.jobs.job import Job
    from foretide.typing import Json


def keep_future(folder: RunFolder, forecast: Forecast, frame: pd.DataFrame | None = None) -> Json:
    """Keep a forecast from the end of the table, and the steps before it.

    Parameters
    ----------
    folder : RunFolder
    forecast : Forecast
        One window of each series.
    frame : DataFrame, optional
        The numbers for people; by default those of :meth:`Forecast.pandas`.

    Returns
    -------
    dict
        For ``run.json``, under ``future``: ``model, levels, notes``.
    """
    panel = forecast.panel
    folder.keep(FORECAST, forecast.pandas() if frame is None else frame)
    folder.keep(FUTURE, future_table(forecast))
    cutoffs = panel.observed - 1
    cutoffs[forecast.windows.entity] = forecast.windows.cutoff
    known = before(panel, cutoffs, forecast.h).set_axis(["series", "time", "y"], axis=1)
    folder.keep(RECENT, known)
    return {"model": forecast.model, "levels": list(forecast.levels), "notes": forecast.summary()}


def future_table(forecast: Forecast) -> pd.DataFrame:
    """Return a forecast by series: ``series, time, mean, lo-80, hi-80 …``.

    Parameters
    ----------
    forecast : Forecast

    Returns
    -------
    DataFrame
        A row per series and step.
    """
    frame, model = forecast.pandas(), forecast.model
    bounds = [c for c in frame.columns if c.startswith((f"{model}-lo-", f"{model}-hi-"))]
    table = frame[[*frame.columns[:2], model, *bounds]]
    return table.set_axis(["series", "time", "mean", *(c.removeprefix(f"{model}-") for c in bounds)], axis=1)


def winner_ahead(job: Job, card: Scorecard, models: Mapping[str, Forecaster]) -> Json | None:
    """Let the model with the least error forecast from the end of the table, and keep what it says.

    Parameters
    ----------
    job : Job
    card : Scorecard
    models : mapping
        Name -> forecaster, as its last fit left it; of a backtest, those that were asked for and their starts.

    Returns
    -------
    dict or None
        As :func:`keep_future`; only ``notes``, which say why, where it cannot forecast there, such as without values
        that are known ahead; None where the winner is not at hand.
    """
    ranked = [str(name) for name in card.pandas(card.leaderboard())["model"] if name != ORACLE]
    winner = models.get(ranked[0]) if ranked else None
    if winner is None:
        return None
    panel: Panel = job.prepared.panel
    try:
        forecast = winner.predict(panel, levels=job.config.levels)
    except (DataError, ConfigError) as error:
        why = f"{ranked[0]} cannot forecast from the end of the table. {error}"
        job.log(why)
        return {"notes": [why]}
    return {**keep_future(job.folder, forecast.renamed(ranked[0])), "fitted_until": _fitted_until(card)}


def _fitted_until(card: Scorecard) -> str:
    """Return the last step that the last fit saw."""
    plan = card.plan
    if plan is None:
        return ""
    if plan.split is not None:
        return "" if plan.split.own else time_text(card.panel.grid.output_times([plan.split.val_end])[0])
    return time_text(plan.blocks[-1][0].time)
