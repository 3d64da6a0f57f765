"""One model fitted on everything, and forecasts from models that lie in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.counts import count_like
from foretide.data.files import read_text
from foretide.errors import ArtifactError, ConfigError, nearest
from foretide.forecasters.artifact import load
from foretide.forecasters.levels import DEFAULT_LEVELS
from foretide.jobs.config import Config, load_config, read_yaml, with_reading, write_yaml
from foretide.jobs.folder import LOG, RunFolder
from foretide.jobs.log import Log
from foretide.jobs.prepare import make_calendar, prepare_panel, read_another, tell, with_form
from foretide.jobs.roster import roster
from foretide.jobs.saved import chosen_model, model_place

if TYPE_CHECKING:
    import pandas as pd


def fit_model(
    config: str | os.PathLike[str] | Mapping[str, Any] | Config,
    folder: str | os.PathLike[str],
    *,
    model: str | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] | None = None,
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
    """
    checked = load_config(config)
    entries = {entry.name: entry for entry in roster(checked, counts=True)}
    name = model or (next((n for n, e in entries.items() if e.asked), None) or next(iter(entries)))
    if name not in entries:
        raise ConfigError(f"The configuration has no model {name!r}. {nearest(name, entries)}")
    RunFolder.refuse(folder, overwrite=overwrite)
    log = Log(progress)
    with log.catching_warnings():
        log("reading the data")
        panel = prepare_panel(checked)[0]
        tell(panel, log)
    target = RunFolder.create(folder, overwrite=overwrite)
    with target.writing(), log.of(target.path / LOG):
        freq = panel.grid.freq
        # Asked for by name, a baseline of counts is fitted whatever the data are; only its intervals need counts.
        counts = bool(count_like(panel).all()) or name not in {entry.name for entry in roster(checked)}
        made = {e.name: e for e in roster(checked, make_calendar(checked.calendar, freq), counts=counts, freq=freq)}
        if name not in made:
            raise ConfigError(
                f"{name} needs a season, which steps of {freq!r} do not suggest. Give season: in the file."
            )
        log(f"fitting {name}")
        forecaster = made[name].forecaster.fit(panel)
        forecaster.save(target.place(model_place(name)))
        kept = with_form(checked, panel)
        target.write_text("settings.yaml", write_yaml(kept.model_dump(mode="json", exclude={"output"})))
    return target


def predict_with(
    folder: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    *,
    model: str | None = None,
    cutoffs: Sequence[Any] | None = None,
    levels: float | Iterable[float] = DEFAULT_LEVELS,
    quantiles: float | Iterable[float] = (),
    notes: bool = False,
    reading: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] | None = None,
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
    settings = path / "settings.yaml"
    if not settings.is_file():
        raise ArtifactError(
            f"{path} holds no settings.yaml. Expected a folder made by `foretide fit` or `foretide run`."
        )
    place = chosen_model(path, model)[1]
    raw = read_yaml(read_text(settings))
    config = Config.model_validate(raw)
    forecaster = load(place)
    if data is not None:
        # A short table does not show its frequency; the model knows it.
        known = {} if config.data.freq is not None or config.data.resample else {"freq": forecaster.freq}
        panel = read_another(config.data, str(data), {**known, **(reading or {})})
    else:
        panel = prepare_panel(load_config(with_reading(config, reading) if reading else config))[0]
    if progress is not None and panel.origin is not None:
        progress(panel.origin.text())
    times = None if cutoffs is None else [_time(panel.grid.is_integer, cutoff) for cutoff in cutoffs]
    forecast = forecaster.predict(panel, cutoffs=times, levels=levels, quantiles=quantiles)
    if progress is not None:
        for sentence in forecast.summary():
            progress(sentence)
    return forecast.pandas(notes=notes)


def _time(integer: bool, cutoff: Any) -> Any:
    """A command line gives times as text; integer grids need numbers."""
    if not integer or isinstance(cutoff, (int, np.integer)):
        return cutoff
    try:
        return int(cutoff)
    except ValueError:
        raise ConfigError(f"This table counts time in integers; expected such a cutoff, got {cutoff!r}.") from None
