"""The folder of a forecast: what comes next as files, the page, and the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.audit import column_audit, series_audit
from foretide.data.counts import count_like
from foretide.evaluation.cards.runs import surroundings
from foretide.forecasters.levels import bounds_of, interval_columns
from foretide.jobs import store
from foretide.jobs.job import Deed, working
from foretide.jobs.outputs import LEAST, MOST
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
class Future:
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
    future: Future, config: Config, output: Place, *, overwrite: bool = False, progress: Progress | None = None
) -> RunFolder:
    """Write the folder of a forecast that was made.

    Parameters
    ----------
    future : Future
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
    prepared = Prepared(future.forecast.panel, config)
    with working(FORECAST, config, output, overwrite=overwrite, progress=progress, prepared=prepared) as job:
        keep_forecast(job, future)
    return job.folder


def keep_forecast(job: Job, future: Future) -> None:
    """Write what a folder keeps of a forecast, and the page.

    Parameters
    ----------
    job : Job
    future : Future
    """
    job.step("writing the forecast, the model and the page")
    folder, panel = job.folder, future.forecast.panel
    folder.keep(store.FORECAST, future.table)
    folder.keep(store.FUTURE, ahead_table(future.forecast))
    folder.keep(store.RECENT, recent_table(future.forecast))
    folder.keep(store.LEADERBOARD, future.board)
    folder.keep(store.AUDIT_COLUMNS, column_audit(panel))
    folder.keep(store.AUDIT_SERIES, series_audit(panel, job.config.season))
    if future.card is not None:
        folder.keep(store.CARD, future.card)
    future.model.save(folder.place(*store.MODELS.places(model=future.model.name)))
    folder.keep(store.FACTS, facts_of_forecast(job, future))
    write(folder, future.card)


def facts_of_forecast(job: Job, future: Future) -> Json:
    """Return what ``run.json`` holds of a forecast.

    Parameters
    ----------
    job : Job
    future : Future

    Returns
    -------
    dict
    """
    forecast, panel = future.forecast, future.forecast.panel
    return {
        "kind": job.deed.name, "verdict": future.verdict, "notes": list(future.notes), "h": forecast.h,
        "model": forecast.model, "levels": list(forecast.levels), "counts": bool(count_like(panel).all()),
        "series": len(np.unique(forecast.windows.entity)) * panel.n_targets,
        "data": {
            "entities": panel.n_entities, "rows": int(panel.length.sum()), "freq": panel.grid.freq, "tz": panel.grid.tz,
            "targets": panel.targets, "past": panel.past, "future": panel.future,
            "missing_cells": int(np.isnan(panel.values).sum()), "panel": repr(panel),
        },
        "settings": {future.model.name: future.model.settings()},
        "seconds": round(job.log.seconds, 2), "about": surroundings(),
    }  # fmt: skip


def ahead_table(forecast: Forecast) -> pd.DataFrame:
    """Return a forecast as pictures take it, one row per series and step.

    Parameters
    ----------
    forecast : Forecast

    Returns
    -------
    DataFrame
        ``series, time, mean``, and ``lo-80, hi-80`` … for its levels.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, n_series=1, seed=1).panel
    >>> ahead_table(ft.Drift(h=2).fit(panel).predict(panel, levels=()))[["series", "time"]].values.tolist()[0]
    ['x1', Timestamp('2019-01-11 00:00:00')]
    """
    panel, (_, h, d) = forecast.panel, forecast.mean.shape
    series = np.array(panel.series, dtype=object).reshape(panel.n_entities, d)[forecast.windows.entity]
    steps = forecast.cutoff_steps[:, None, None] + np.zeros((1, d, 1), np.int64) + np.arange(1, h + 1)
    cells = {"series": np.repeat(series.reshape(-1), h), "time": panel.grid.output_times(steps)}
    values = {"mean": forecast.mean}
    for level in forecast.levels:
        values |= {
            name.lstrip("-"): forecast.quantile(bound)
            for name, bound in zip(interval_columns("", level), bounds_of(level), strict=True)
        }
    return pd.DataFrame({**cells, **{name: np.swapaxes(own, 1, 2).reshape(-1) for name, own in values.items()}})


def recent_table(forecast: Forecast) -> pd.DataFrame:
    """Return the last observed steps of every series that is forecast, for pictures.

    Parameters
    ----------
    forecast : Forecast

    Returns
    -------
    DataFrame
        ``series, time, y``, four horizons of each, at least 24 and at most 240 steps.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, n_series=1, seed=1).panel
    >>> len(recent_table(ft.Drift(h=24).fit(panel).predict(panel)))
    96
    """
    panel, kept = forecast.panel, min(max(4 * forecast.h, LEAST), MOST)
    parts = []
    for entity, cutoff in zip(forecast.windows.entity.tolist(), forecast.windows.cutoff.tolist(), strict=True):
        first = max(0, cutoff + 1 - kept)
        times = panel.grid.output_times(panel.first[entity] + np.arange(first, cutoff + 1))
        values = panel.rows(entity)[first : cutoff + 1]
        parts += [
            pd.DataFrame({"series": panel.series_name(entity, d), "time": times, "y": values[:, d]})
            for d in range(panel.n_targets)
        ]
    return pd.concat(parts, ignore_index=True)
