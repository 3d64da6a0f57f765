"""A backtest from a configuration: folds, tables, pictures and a summary in a run folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretide.data.files import file_name, read_text
from foretide.data.windows import evenly
from foretide.evaluation.rolling.backtest import backtest
from foretide.evaluation.rolling.fold_store import ABOUT, BLOCKS
from foretide.explain.weights.stream import lens_on
from foretide.forecasters.artifact import load
from foretide.jobs.attention_outputs import with_attention, write_attention
from foretide.jobs.backtest_outputs import write_backtest
from foretide.jobs.config import Config, load_config, write_yaml
from foretide.jobs.folder import LOG, RunFolder, free_name, read_status
from foretide.jobs.job import explain_networks
from foretide.jobs.log import Log
from foretide.jobs.prepare import make_calendar, prepare, tell
from foretide.jobs.roster import roster
from foretide.jobs.saved import MODELS, saved_models
from foretide.jobs.threads import network_threads
from foretide.typing import Time

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.forecast import Forecast
    from foretide.jobs.prepare import Prepared

RUNS = Path("runs")
SETTINGS = "settings.yaml"


def run_backtest(
    config: str | os.PathLike[str] | Mapping[str, Any] | Config,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] | None = None,
) -> RunFolder:
    """Backtest the models of a configuration and leave a folder with scores, tests, pictures and a summary.

    An interrupted backtest of the same configuration is taken up where it stopped.

    Parameters
    ----------
    config : path, mapping or Config
        As for :func:`foretide.run`; its section ``backtest`` lays out the folds.
    output : path, optional
        Folder; by default what the configuration says, else ``runs/<name>-backtest``.
    overwrite : bool
        Replace a finished run in that folder.
    progress : callable, optional
        Gets one line of text for every fit, with the time left.

    Returns
    -------
    RunFolder
        ``summary.md`` in it is where to begin; ``ft.Scorecard.load(folder.path)`` reads the figures back.
    """
    checked = load_config(config)
    roster(checked)  # A wrong model or setting is found before data is read and a folder made.
    settings = write_yaml(checked.model_dump(mode="json", exclude={"output"}))
    target = Path(output or checked.output or _own_folder(checked.name, settings))
    RunFolder.refuse(target, overwrite=overwrite)
    log = Log(progress)
    with log.catching_warnings():
        log("reading the data")
        prepared = prepare(checked)
        tell(prepared.panel, log)
    same = _read(target / SETTINGS) == settings
    folder = RunFolder.create(target, overwrite=overwrite, resume=same)
    with folder.writing(), log.of(folder.path / LOG):
        folder.write_text(SETTINGS, settings)
        _work(checked, prepared, folder, log)
    return folder


def _work(config: Config, prepared: Prepared, folder: RunFolder, log: Log) -> None:
    def step(text: str) -> None:
        folder.mark(step=text)
        log(text)

    panel, folds = prepared.panel, config.backtest
    calendar = make_calendar(config.calendar, panel.grid.freq)
    asked = [entry for entry in roster(config, calendar, counts=prepared.counts, freq=panel.grid.freq) if entry.asked]
    start: Time | None = folds.start
    if start is None and folds.n_windows is None:
        start = prepared.split.val_until
    for name in (ABOUT, BLOCKS):
        folder.place(name)
    with network_threads(asked, config.threads):
        card = backtest(
            [entry.forecaster for entry in asked], panel, h=config.h, step=folds.step, n_windows=folds.n_windows,
            start=start, gap=folds.gap, train_size=folds.train_size, val_size=folds.val_size, refit=folds.refit,
            warm_start=folds.warm_start, season=config.season, baselines=config.baselines, calendar=calendar,
            levels=config.levels, quantiles=config.quantiles, truth=prepared.truth, folder=folder.path,
            save_models=folder.place(MODELS), n_jobs=folds.n_jobs, progress=step,
        )  # fmt: skip
        _write_attention(panel, config.attention_windows, folder)
        step("writing scores and pictures")
        write_backtest(card, config, folder, log)
        if config.explain:
            explain_networks(_saved(folder), prepared, folder, log)
    shutil.rmtree(folder.path / BLOCKS, ignore_errors=True)  # The scorecard holds it all.
    log(f"finished: {folder.path / 'summary.md'}")


def _saved(folder: RunFolder) -> dict[str, Any]:
    """Return each model that was asked for, as its last fit left it."""
    return {name: load(place) for name, place in saved_models(folder.path).items()}


def _write_attention(panel: Panel, most: int, folder: RunFolder) -> None:
    """Write attention of each model's last fit, over windows it has not learned from where these are enough."""
    kept: dict[str, Forecast] = {}
    about: dict[str, str] = {}
    for model in _saved(folder).values():
        if "attention" not in model.traces or not most:
            continue
        lens = lens_on(model, panel, None)
        kept[model.name] = with_attention(model, panel, lens.windows[evenly(len(lens.windows), most, newest=True)])
        about[model.name] = f"of the last fit, {lens.about}"
    write_attention(kept, folder, about)


def _own_folder(name: str, settings: str) -> Path:
    """Return the folder of an unfinished backtest of the same settings, else a free one."""
    base = RUNS / file_name(f"{name}-backtest")
    free = free_name(base)
    known = [base, *(base.with_name(f"{base.name}-{k}") for k in range(2, 1000))]
    for candidate in known[: known.index(free)] if free in known else known:
        status = read_status(candidate)
        if status is not None and status["status"] != "finished" and _read(candidate / SETTINGS) == settings:
            return candidate
    return free


def _read(path: Path) -> str | None:
    return read_text(path) if path.is_file() else None
