"""The folder of a forecast: what comes next as files, the page, and the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.audit import column_audit, series_audit
from foretide.data.counts import count_like
from foretide.evaluation.cards.runs import surroundings
from foretide.jobs import store
from foretide.jobs.ahead import keep_future
from foretide.jobs.job import Deed, working
from foretide.jobs.outputs import data_facts, facts_of_card
from foretide.jobs.prepare import Prepared
from foretide.jobs.reporting import write

if TYPE_CHECKING:
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.forecast import Forecast
    from foretide.jobs.config import Config
    from foretide.jobs.folder import RunFolder
    from foretide.jobs.job import Job, Place, Progress
    from foretide.typing import Json

FORECAST = Deed("forecast", suffix="-forecast", parts=False)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a folder keeps of a forecast.

    Attributes
    ----------
    forecast : Forecast
    model : Forecaster
        Fitted.
    table : DataFrame
        The forecast in the columns of the table it was made from.
    board : DataFrame
        How the candidates did.
    verdict : str
    notes : tuple of str
    card : Scorecard or None
        How they did on the part held back.
    """

    forecast: Forecast
    model: Forecaster
    table: pd.DataFrame
    board: pd.DataFrame
    verdict: str
    notes: tuple[str, ...]
    card: Scorecard | None


def write_forecast(
    outcome: Outcome, config: Config, output: Place, *, overwrite: bool = False, progress: Progress | None = None
) -> RunFolder:
    """Write the folder of a forecast that was made.

    Parameters
    ----------
    outcome : Outcome
    config : Config
    output : path
    overwrite : bool
        Replace a finished forecast there.
    progress : callable, optional
        Gets one line of text for every step.

    Returns
    -------
    RunFolder
    """
    prepared = Prepared(outcome.forecast.panel, config)
    with working(FORECAST, config, output, overwrite=overwrite, progress=progress, prepared=prepared) as job:
        keep_forecast(job, outcome)
    return job.folder


def keep_forecast(job: Job, outcome: Outcome) -> None:
    """Write what a folder keeps of a forecast, and the page.

    Parameters
    ----------
    job : Job
    outcome : Outcome
    """
    job.step("writing the forecast, the model and the page")
    folder, panel = job.folder, outcome.forecast.panel
    ahead = keep_future(folder, outcome.forecast, outcome.table)
    if len(outcome.board):
        folder.keep(store.LEADERBOARD, outcome.board)
    folder.keep(store.AUDIT_COLUMNS, column_audit(panel))
    folder.keep(store.AUDIT_SERIES, series_audit(panel, job.config.season))
    if outcome.card is not None:
        folder.keep(store.CARD, outcome.card)
    outcome.model.save(folder.place(*store.MODELS.places(model=outcome.model.name)))
    folder.keep(store.FACTS, {**facts_of_forecast(job, outcome), "future": ahead})
    write(folder, outcome.card)


def facts_of_forecast(job: Job, outcome: Outcome) -> Json:
    """Return what ``run.json`` holds of a forecast.

    Parameters
    ----------
    job : Job
    outcome : Outcome

    Returns
    -------
    dict
    """
    forecast, panel = outcome.forecast, outcome.forecast.panel
    judged = {} if outcome.card is None else facts_of_card(outcome.card)
    return {
        **judged, "kind": job.deed.name, "verdict": outcome.verdict, "notes": list(outcome.notes), "h": forecast.h,
        "counts": bool(count_like(panel).all()) if outcome.card is None else outcome.card.counts,
        "series": len(np.unique(forecast.windows.entity)) * panel.n_targets, "data": data_facts(panel),
        "settings": {outcome.model.name: outcome.model.settings()}, "seconds": round(job.log.seconds, 2),
        "about": surroundings(),
    }  # fmt: skip
