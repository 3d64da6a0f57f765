"""One model fitted on everything, and forecasts from models that lie in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.counts import count_like
from foretide.data.tables.source import STDIN
from foretide.errors import ArtifactError, ConfigError, nearest
from foretide.forecasters.artifact import load
from foretide.forecasters.base import Forecaster
from foretide.forecasters.levels import DEFAULT_LEVELS
from foretide.jobs.config import Config, kept_config, load_config, with_reading
from foretide.jobs.job import Deed, Place, Progress, Source, working
from foretide.jobs.prepare import prepare_panel, read_panel
from foretide.jobs.roster import roster
from foretide.jobs.saved import chosen_model, saved_models
from foretide.jobs.store import MODELS, SETTINGS

if TYPE_CHECKING:
    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.evaluation.rolling.members import Member
    from foretide.jobs.folder import RunFolder
    from foretide.jobs.prepare import Prepared
    from foretide.typing import Time

FIT = Deed("fit", parts=False)


def fit_model(
    config: Source,
    folder: Place,
    *,
    model: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> RunFolder:
    """Fit one model of a configuration on all observed data; models that need validation keep the end for it.

    Parameters
    ----------
    config : path, mapping or Config
    folder : path
        Gets ``settings.yaml`` and ``models/<Name>``; :func:`predict_with` reads it.
    model : str, optional
        Name of the model; the first of ``models`` by default.
    overwrite : bool
        Replace what was fitted there before.
    progress : callable, optional
        Gets one line of text for every step.

    Returns
    -------
    RunFolder
    """
    checked = load_config(config)
    _checked_name(checked, model)
    with working(FIT, checked, folder, overwrite=overwrite, progress=progress) as job:
        entry = chosen_entry(job.config, job.prepared, model)
        for name, place in saved_models(job.folder.path).items():
            if name != entry.name:  # of the same command for another model, killed between its model and its end
                shutil.rmtree(place)
        job.step(f"fitting {entry.name}")
        forecaster = entry.forecaster
        assert isinstance(forecaster, Forecaster)
        forecaster.fit(job.prepared.panel).save(job.folder.place(*MODELS.places(model=entry.name)))
    return job.folder


def _checked_name(config: Config, model: str | None) -> str:
    """Return the name of the model to fit: the one wanted, or the first that was asked for."""
    entries = {entry.name: entry for entry in roster(config, counts=True)}
    name = model or (next((n for n, e in entries.items() if e.asked), None) or next(iter(entries)))
    if name not in entries:
        raise ConfigError(f"The configuration has no model {name!r}. {nearest(name, entries)}")
    return name


def chosen_entry(config: Config, data: Prepared, model: str | None) -> Member:
    """Return the model of a configuration that is fitted on its own.

    Parameters
    ----------
    config : Config
    data : Prepared
    model : str, optional
        Its name; the first that was asked for by default.

    Returns
    -------
    Member

    Raises
    ------
    ConfigError
        Where the configuration has none of this name, or the data suggest no season for it.
    """
    name, freq = _checked_name(config, model), data.panel.grid.freq
    # Asked for by name, a baseline of counts is fitted whatever the data are; only its intervals need counts.
    counts = bool(count_like(data.panel).all()) or all(entry.name != name for entry in roster(config))
    made = {entry.name: entry for entry in roster(config, data.calendar, counts=counts, freq=freq)}
    if name not in made:
        raise ConfigError(f"{name} needs a season, which steps of {freq!r} do not suggest. Give season: in the file.")
    return made[name]


def predict_with(
    folder: Place,
    data: Place | None = None,
    *,
    model: str | None = None,
    cutoffs: Sequence[Time] | None = None,
    levels: float | Iterable[float] = DEFAULT_LEVELS,
    quantiles: float | Iterable[float] = (),
    notes: bool = False,
    reading: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Forecast with a model that :func:`fit_model` or :func:`foretide.run` left in a folder.

    Parameters
    ----------
    folder : path
    data : path, optional
        A table of the same columns as the one the model was fitted on; that one by default. It may be written in
        another form, which is found by looking. ``-`` is standard input.
    model : str, optional
        Needed where the folder holds several.
    cutoffs, levels, quantiles
        As in ``Forecaster.predict``.
    notes : bool
        Add a column ``note`` that says of each row what there is to know of it.
    reading : mapping, optional
        Options of reading this table, such as ``{"decimal": ","}``, where looking leaves a choice.
    progress : callable, optional
        Gets the line that says how the table was read, and a sentence for every kind of note.

    Returns
    -------
    DataFrame
        As ``Forecast.to_frame``: id, time, ``cutoff``, the model's columns.
    """
    path = Path(folder)
    config = settings_of(path)
    forecaster = load(chosen_model(path, model)[1])
    if data is not None:
        panel = table_for(forecaster, config, data, reading)
    else:
        panel = table_fitted_on(with_reading(config, reading) if reading else config, path)
    if progress is not None and panel.origin is not None:
        progress(panel.origin.text())
    times = None if cutoffs is None else [_time(panel.grid.is_integer, cutoff) for cutoff in cutoffs]
    forecast = forecaster.predict(panel, cutoffs=times, levels=levels, quantiles=quantiles)
    if progress is not None:
        for sentence in forecast.summary():
            progress(sentence)
    return forecast.pandas(notes=notes)


def settings_of(folder: Path) -> Config:
    """Return the configuration that a folder of `fit`, `run` or `forecast` was made by.

    Parameters
    ----------
    folder : path

    Returns
    -------
    Config

    Raises
    ------
    ArtifactError
        For a folder without one.
    """
    settings = folder / SETTINGS.file
    if not settings.is_file():
        raise ArtifactError(
            f"{folder} holds no settings.yaml. Expected a folder made by `foretide fit` or `foretide run`."
        )
    return kept_config(settings)


def table_for(model: Forecaster, config: Config, data: Place, reading: Mapping[str, object] | None = None) -> Panel:
    """Read another table of the columns that a model of a folder was fitted on.

    Parameters
    ----------
    model : Forecaster
        Fitted.
    config : Config
        Of its folder.
    data : path
        ``-`` is standard input.
    reading : mapping, optional
        As in :func:`predict_with`.

    Returns
    -------
    Panel
    """
    # A short table does not show its frequency; the model knows it.
    known = {} if config.data.freq is not None or config.data.resample else {"freq": model.freq}
    return read_panel(config.data, str(data), {**known, **(reading or {})})


def table_fitted_on(config: Config, folder: Path) -> Panel:
    """Read the table that a folder was made of, if it lies on the disk.

    Parameters
    ----------
    config : Config
    folder : path

    Returns
    -------
    Panel

    Raises
    ------
    ConfigError, DataError
        Where it has no name, or cannot be read any more.
    """
    if config.data.path == STDIN:
        raise ConfigError(
            f"{folder} was made of a frame or of standard input, which is no file that could be read again. "
            f"Name one: foretide predict {folder} TABLE.csv"
        )
    return prepare_panel(load_config(config))[0]


def _time(integer: bool, cutoff: Time) -> Time:
    """A command line gives times as text; integer grids need numbers."""
    if not integer or isinstance(cutoff, (int, np.integer)):
        return cutoff
    try:
        return int(str(cutoff))
    except ValueError:
        raise ConfigError(f"This table counts time in integers; expected such a cutoff, got {cutoff!r}.") from None
