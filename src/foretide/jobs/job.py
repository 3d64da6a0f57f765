"""The main job: data, parts, models, forecasts, scores, and a folder that holds them all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretide.data.files import file_name
from foretide.data.windows import evenly
from foretide.errors import ConfigError, DataError, ForetideError
from foretide.evaluation.metrics.quantiles import DECILES
from foretide.jobs.attention_outputs import with_attention
from foretide.jobs.config import Config, load_config, write_yaml
from foretide.jobs.folder import LOG, RunFolder
from foretide.jobs.log import Log
from foretide.jobs.outputs import write_outputs, write_scores
from foretide.jobs.prepare import Prepared, make_calendar, prepare, tell, with_form
from foretide.jobs.results import Result
from foretide.jobs.roster import Entry, roster
from foretide.jobs.saved import model_place
from foretide.jobs.threads import network_threads, networks_in

if TYPE_CHECKING:
    from foretide.data.windows import Windows
    from foretide.forecasters.base import Forecaster
    from foretide.tuning.result import Study

RUNS = Path("runs")
SEARCH = "search"
"""Folder of a search within a run's."""


def run(
    config: str | os.PathLike[str] | Mapping[str, Any] | Config,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] | None = None,
) -> RunFolder:
    """Run the whole way from a table to scored forecasts.

    Every model is fitted on the training and validation part and forecasts every window whose targets lie in the
    test part; all models forecast the same windows.

    Parameters
    ----------
    config : path, mapping or Config
        See :class:`foretide.jobs.config.Config`; YAML or a dictionary.
    output : path, optional
        Folder of the run; by default what the configuration says, else a free name under ``runs``.
    overwrite : bool
        Replace a finished run in that folder. It is kept aside until the new one has finished.
    progress : callable, optional
        Gets one line of text for every step of the job.

    Returns
    -------
    RunFolder
        ``.path`` is the folder; its ``summary.md`` is where to begin.

    Raises
    ------
    ConfigError, DataError
        Before anything is written, where configuration or data cannot work; later the folder says ``failed`` otherwise.
    StorageError
        For a full disk, a folder without permission, a path too long; the message says what is kept.
    """
    checked = load_config(config)
    roster(checked)  # A wrong model or setting is found before data is read and a folder made.
    if checked.search is not None:
        from foretide.jobs.searching import searched

        searched(checked)
    target = output or checked.output
    if target is not None:
        RunFolder.refuse(target, overwrite=overwrite)
    log = Log(progress)
    with log.catching_warnings():
        log("reading the data")
        prepared = prepare(checked)  # Wrong data leave no folder, and a finished run in it where it is.
        tell(prepared.panel, log)
    if target is None:
        folder = RunFolder.create_free(RUNS / file_name(checked.name))
    else:
        folder = RunFolder.create(target, overwrite=overwrite)
    with folder.writing(), log.of(folder.path / LOG):
        _work(checked, prepared, folder, log)
    return folder


def _work(config: Config, prepared: Prepared, folder: RunFolder, log: Log) -> None:
    kept = with_form(config, prepared.panel)
    folder.write_text("settings.yaml", write_yaml(kept.model_dump(mode="json", exclude={"output"})))
    config, study = _searched(config, prepared, folder, log)
    freq = prepared.panel.grid.freq
    if prepared.counts:
        log("every target is a count: intermittent baselines run too, and point baselines get intervals")
    entries = roster(config, make_calendar(config.calendar, freq), counts=prepared.counts, freq=freq, say=log)
    with network_threads(entries, config.threads):
        _fit_and_score(entries, config, prepared, folder, log, study)
    log(f"finished: {folder.path / 'summary.md'}")


def explain_networks(models: Mapping[str, Forecaster], prepared: Prepared, folder: RunFolder, log: Log) -> None:
    """Say what attention and latent state of the networks among some fitted models say; nothing where there is none.

    What cannot be explained, such as too few windows, is logged: it takes no forecast away.
    """
    networks = networks_in(models, explained=True)
    if not networks:
        return
    from foretide.jobs.explaining import explain_models

    _step(folder, log, f"explaining {', '.join(networks)}")
    try:
        explain_models(folder, networks, prepared, with_inputs=False)
    except (DataError, ConfigError) as error:
        log(f"not explained: {error}")


def _searched(config: Config, prepared: Prepared, folder: RunFolder, log: Log) -> tuple[Config, Study | None]:
    """Search for settings first where the configuration says so; the settings found are kept beside the others."""
    if config.search is None:
        return config, None
    from foretide.jobs.searching import JOURNAL, TUNED, search, tuned

    folder.place(SEARCH)
    with network_threads(roster(config), config.threads):
        study = search(config, prepared, lambda text: _step(folder, log, text), folder.path / SEARCH / JOURNAL)
    log(study.verdict())
    found = tuned(config, study)
    folder.write_text(TUNED, write_yaml(found.model_dump(mode="json", exclude={"output", "search"})))
    return found, study


def _fit_and_score(
    entries: Sequence[Entry], config: Config, prepared: Prepared, folder: RunFolder, log: Log, study: Study | None
) -> None:
    fitted = _fit_all(entries, prepared, folder, log)
    windows = prepared.test_windows(input_size=1, h=config.h, stride=config.stride)
    log(f"{len(windows)} test windows")
    results = [_predict(entry, seconds, prepared, windows, config, folder, log) for entry, seconds in fitted]
    _step(folder, log, "scoring")
    scores = write_scores(results, prepared, config, folder, quantiles(config, prepared))
    _step(folder, log, "writing forecasts, attention and pictures")
    write_outputs(results, scores, prepared, config, folder, log, study)
    if config.explain:
        explain_networks({entry.name: entry.forecaster for entry, _ in fitted}, prepared, folder, log)


def _step(folder: RunFolder, log: Log, text: str) -> None:
    folder.mark(step=text)
    log(text)


def _fit_all(entries: Sequence[Entry], prepared: Prepared, folder: RunFolder, log: Log) -> list[tuple[Entry, float]]:
    """Fit every model and save it at once, so that a later error loses nothing."""
    fitted = []
    for entry in entries:
        _step(folder, log, f"fitting {entry.name}")
        start = time.perf_counter()
        try:
            entry.forecaster.fit(prepared.known, train_until=prepared.train_until)
        except (DataError, ConfigError) as error:
            # A baseline nobody asked for may not suit the data (too short for its season); the run goes on without it.
            if entry.asked:
                raise
            log(f"left out {entry.name}: {error}")
            continue
        seconds = time.perf_counter() - start
        # Next week's table adjoins the end of this one, not that of the part to learn from.
        entry.forecaster.remember(prepared.panel).save(folder.place(model_place(entry.name)))
        log(f"fitted {entry.name} in {seconds:.2f} s", show=False)
        fitted.append((entry, seconds))
    if not fitted:
        raise ForetideError("No model could be fitted; run.log in the run folder says why.")
    return fitted


def _predict(
    entry: Entry, fit_seconds: float, prepared: Prepared, windows: Windows, config: Config, folder: RunFolder, log: Log
) -> Result:
    _step(folder, log, f"forecasting with {entry.name}")
    panel, model = prepared.panel, entry.forecaster
    start = time.perf_counter()
    forecast = model.predict(panel, cutoffs=windows, levels=config.levels, quantiles=quantiles(config, prepared))
    seconds = time.perf_counter() - start
    log(f"forecast {len(windows)} windows with {entry.name} in {seconds:.2f} s", show=False)
    attention = None
    if "attention" in model.traces and config.attention_windows:
        attention = with_attention(model, panel, windows[evenly(len(windows), config.attention_windows, newest=True)])
    return Result(entry, forecast, attention, fit_seconds, seconds)


def quantiles(config: Config, prepared: Prepared) -> tuple[float, ...]:
    """Quantiles forecast beside those of the levels: those asked for, else what the loss of counts needs."""
    return config.quantiles if config.quantiles is not None else DECILES if prepared.counts else ()
