"""Watching a model at work: new rows beside what it knew, as a verdict, a page and files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from foretide.data.exports import write_csv
from foretide.data.files import write_text
from foretide.data.opened.looking import open_like
from foretide.data.panel import Panel
from foretide.data.reading.accept import as_panel
from foretide.data.reading.rows import rows_called
from foretide.data.tables.reader import read_table
from foretide.data.tables.source import holds_files
from foretide.errors import ArtifactError, ConfigError, ForetideError
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.evaluation.monitor.report import MonitorReport
from foretide.evaluation.monitor.watch import ALPHA, watch
from foretide.forecasters.artifact import MANIFEST, load
from foretide.forecasters.base import Forecaster
from foretide.jobs.deploy import settings_of, table_fitted_on, table_for
from foretide.jobs.folder import RunFolder
from foretide.jobs.saved import chosen_model
from foretide.jobs.store import CARD, SETTINGS
from foretide.jobs.tables import TOLERANT
from foretide.report.monitor import report_of_monitor
from foretide.report.render.page import page

if TYPE_CHECKING:
    from foretide.typing import Frame

Place: TypeAlias = "str | os.PathLike[str]"
PAGE, FACTS, TABLE = "monitor.html", "monitor.json", "monitor.csv"


def monitor(
    model: Forecaster | Place, data: Panel | Frame | Place, *, name: str | None = None,
    history: Panel | Frame | Place | None = None, against: Scorecard | Place | None = None, alpha: float = ALPHA,
    seed: int = 0, reading: Mapping[str, object] | None = None,
) -> MonitorReport:  # fmt: skip
    """Ask of new rows whether a model still forecasts as it states, and whether the data are what they were.

    - **Forecasts** from origins inside the new rows, one horizon apart, beside what came: size and side of the errors,
      coverage of the stated intervals, each series. The null distribution is drawn from the model's own joint paths,
      so dependence between steps and series counts. Shown beside a simple seasonal forecast of the same rows.
    - **Columns** of every role: each new stretch beside those before it at the same place in the season.
    - **The table**: columns that are missing or stuck, series that are silent or new, categories not there at fit.

    Parameters
    ----------
    model : Forecaster or path
        Fitted; or a folder that a model was saved in, or of a run.
    data : Panel, data frame or path
        With rows after the fit; earlier ones may be there too.
    name : str, optional
        Of the model, where the folder holds several.
    history : Panel, data frame or path, optional
        The table that was fitted on. By default what the model remembers of it, the earlier rows of ``data``, and the
        table that a run folder names, if it is still there.
    against : Scorecard or path, optional
        A backtest of the model (a folder of ``run``, ``backtest`` or ``Scorecard.save``) to compare errors with.
    alpha : float
        Probability of an alarm of any test where nothing has changed, at most; ``seed`` is that of the draws.
    reading : mapping, optional
        Options of reading the tables, such as ``{"decimal": ","}``.

    Returns
    -------
    MonitorReport
        ``verdict`` (``fine``, ``changed`` or ``unknown``: too few new rows), ``checks``, ``to_text()`` …

    Raises
    ------
    ConfigError, DataError, ArtifactError
        For a model that is not fitted; for a table of other columns, or without new rows; for a folder without either.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=480, n_series=1, seed=1, regime_shifts=0).panel
    >>> model = ft.SeasonalNaive(h=24, season=24).fit(panel, until="2019-01-14 23:00")
    >>> report = ft.monitor(model, panel)
    >>> report.steps, report.figures["mae"] > 0
    (144, True)
    """
    run = None
    if not isinstance(model, Forecaster):
        model, run = _loaded(Path(model), name)
    if not model.is_fitted:
        raise ConfigError(f"{model.name} is not fitted, so there is nothing to watch. Type: model.fit(panel)")
    panel = _panel(model, data, run, reading)
    past = None if history is None else _panel(model, history, run, reading)
    if past is None and run is not None and model.memory is not None:
        past = _fitted_table(run)
    return watch(model, panel, history=past, card=_card(against), alpha=alpha, seed=seed)


def write_monitor(report: MonitorReport, folder: Place) -> Path:
    """Write what was found: a page, JSON, and the checks as CSV.

    Parameters
    ----------
    report : MonitorReport
    folder : path
        Made where it is missing; files of the same names are replaced.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    StorageError
        Where a file cannot be written.
    """
    place = Path(folder)
    write_text(place / FACTS, json.dumps(report.to_dict(), indent=2, ensure_ascii=False, default=str) + "\n")
    write_csv(report.to_frame(), place / TABLE)
    return write_text(place / PAGE, page(report_of_monitor(report)))


def _loaded(folder: Path, name: str | None) -> tuple[Forecaster, Path | None]:
    """Return a saved model, and the run folder that it lies in."""
    if (folder / MANIFEST).is_file():
        return load(folder), None
    if not (folder / SETTINGS.file).is_file():
        raise ArtifactError(
            f"{folder} holds no saved model. Expected a folder that model.save, `foretide fit`, `foretide run` or "
            "`foretide forecast` made."
        )
    return load(chosen_model(folder, name)[1]), folder


def _panel(
    model: Forecaster, data: Panel | Frame | Place, run: Path | None, reading: Mapping[str, object] | None
) -> Panel:
    if not isinstance(data, (str, os.PathLike)):
        return _read(model, data)
    if run is not None:
        return table_for(model, settings_of(run), data, {**TOLERANT, **(reading or {})})
    if reading:
        raise ConfigError(
            "How a table is read can be said for a model in a run folder. Read it: ft.Panel.read(path, ...)"
        )
    layout = model.layout
    assert layout is not None
    if holds_files(data):
        return open_like(data, layout, TOLERANT)
    names = [layout.names.id, layout.names.time]
    table = read_table(data, text=names)
    with rows_called(table.rows):
        return _read(model, table.with_text(names).frame)


def _read(model: Forecaster, data: Panel | Frame) -> Panel:
    """Read a frame as that of the fit; what is missing in it is a finding, no error."""
    layout = model.layout
    assert layout is not None
    names = replace(layout.names, reading={**layout.names.reading, **TOLERANT})
    return as_panel(data, replace(layout, names=names))


def _fitted_table(run: Path) -> Panel | None:
    """Return the table that a run folder was made of, if it can be read again."""
    try:
        return table_fitted_on(settings_of(run), run)
    except (ForetideError, OSError):
        return None


def _card(against: Scorecard | Place | None) -> Scorecard | None:
    if against is None or isinstance(against, Scorecard):
        return against
    run = RunFolder(Path(against))
    return run.need(CARD)
