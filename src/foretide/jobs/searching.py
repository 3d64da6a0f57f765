"""Search for settings: before a run fits its models, or as a job of its own that judges the winner on the test part."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretide.data.files import file_name
from foretide.errors import ConfigError, DataError, ForetideError, nearest
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.evaluation.rolling.backtest import backtest
from foretide.forecasters.table import FORECASTERS, as_typed, forecaster_class
from foretide.jobs.config import Config, load_config, write_yaml
from foretide.jobs.folder import LOG, RunFolder, free_name, read_status
from foretide.jobs.log import Log
from foretide.jobs.prepare import make_calendar, prepare, tell
from foretide.jobs.roster import roster
from foretide.jobs.saved import model_place
from foretide.jobs.search_outputs import write_search
from foretide.jobs.sections import ModelConfig, SearchConfig
from foretide.jobs.threads import network_threads

if TYPE_CHECKING:
    from foretide.jobs.prepare import Prepared
    from foretide.tuning.result import Study

RUNS = Path("runs")
SETTINGS, TUNED, JOURNAL = "settings.yaml", "tuned.yaml", "study.journal"
DEFAULT_TRIALS = 50


def label_of(model: ModelConfig) -> str:
    """Return a model's name in tables."""
    return str(model.settings.get("alias") or model.name)


def searched(config: Config) -> tuple[ModelConfig, ...]:
    """Return the models of a configuration whose settings are searched, after a check of their names."""
    usable = {label_of(model): model for model in config.models if forecaster_class(model.name).nests is None}
    wanted = config.search.models if config.search is not None else None
    for name in wanted or ():
        if name not in usable:
            raise ConfigError(f"search.models: the run has no model {name!r} to search. {nearest(name, usable)}")
    found = tuple(model for name, model in usable.items() if wanted is None or name in wanted)
    if not found:
        raise ConfigError("There is nothing to search: name a model in `models` that is not made of others.")
    return found


def search(config: Config, prepared: Prepared, log: Callable[[str], None], storage: Path) -> Study:
    """Search for settings on the training and validation part; the test part is not seen."""
    from foretide.tuning.tune import tune

    assert config.search is not None
    wanted, panel = config.search, prepared.panel
    shared: dict[str, Any] = {} if config.season is None else {"season": config.season}
    if "input_size" in config.model_fields_set:
        shared["input_size"] = config.input_size
    models = []
    for model in searched(config):
        known = forecaster_class(model.name).parameters()
        models.append({model.name: {**{k: v for k, v in shared.items() if k in known}, **model.settings}})
    return tune(
        models, prepared.known, h=config.h, n_trials=wanted.n_trials, timeout=wanted.timeout,
        storage=storage, name=config.name, n_jobs=wanted.n_jobs, n_windows=wanted.n_windows, step=wanted.step,
        sampler=wanted.sampler, pruner=wanted.pruner, seed=config.seeds[0], baselines=config.baselines,
        calendar=make_calendar(config.calendar, panel.grid.freq), refit=False, progress=log,
    )  # fmt: skip


def tuned(config: Config, study: Study) -> Config:
    """Return the configuration with the settings that were found best for each class, and no search."""
    models = []
    for model in config.models:
        label = label_of(model)
        known = {candidate.label for candidate in study.candidates}
        try:
            best = study.best_of(label) if label in known else None
        except ForetideError:
            best = None  # No trial of this class was completed: it stays as it was.
        settings = model.settings if best is None else {**model.settings, **best.settings}
        if best is not None and best.seed is not None and len(config.seeds) == 1:
            settings = {**settings, "seed": best.seed}
        models.append(ModelConfig(name=model.name, settings=settings))
    return config.model_copy(update={"models": tuple(models), "search": None})


def run_search(
    config: str | os.PathLike[str] | Mapping[str, Any] | Config,
    *,
    models: Sequence[str] | None = None,
    n_trials: int | None = None,
    timeout: str | float | None = None,
    n_jobs: int | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] | None = None,
) -> RunFolder:
    """Search for settings of the models of a configuration, and judge the winner once on the test part.

    The same call goes on with a study that was interrupted, or that now has a larger budget.

    Parameters
    ----------
    config : path, mapping or Config
        As for :func:`foretide.run`; its section ``search`` holds the budget.
    models : sequence of str, optional
        Classes to search instead of those of the configuration; the case does not matter.
    n_trials, timeout, n_jobs : optional
        Instead of those of the configuration; 50 trials where neither says anything.
    output : path, optional
        Folder; by default what the configuration says, else ``runs/<name>-tune``.
    overwrite : bool
        Begin anew where the folder holds another finished run.
    progress : callable, optional
        Gets one line of text for every trial.
    """
    checked = _with_budget(load_config(config), models, n_trials, timeout, n_jobs)
    searched(checked)
    roster(checked)
    about = _without_budget(checked)
    target = Path(output or checked.output or _own_folder(checked.name, about))
    same = _about_of(target) == about
    RunFolder.refuse(target, overwrite=overwrite or same)
    log = Log(progress)
    with log.catching_warnings():
        log("reading the data")
        prepared = prepare(checked)
        tell(prepared.panel, log)
    folder = RunFolder.create(target, overwrite=overwrite, resume=same)
    with folder.writing(), log.of(folder.path / LOG):
        folder.write_text(SETTINGS, write_yaml(checked.model_dump(mode="json", exclude={"output"})))
        _work(checked, prepared, folder, log)
    return folder


def _work(config: Config, prepared: Prepared, folder: RunFolder, log: Log) -> None:
    def step(text: str) -> None:
        folder.mark(step=text)
        log(text)

    entries = [entry for entry in roster(config, counts=prepared.counts, freq=prepared.panel.grid.freq) if entry.asked]
    with network_threads(entries, config.threads):
        study = search(config, prepared, step, folder.place(JOURNAL))
        folder.place(f"{JOURNAL}.lock")
        step("refitting the best model and judging it on the test part")
        study.best_model.remember(prepared.panel).save(folder.place(model_place(study.best.model)))
        card = judge(config, prepared, study, log)
    folder.write_text(TUNED, write_yaml(tuned(config, study).model_dump(mode="json", exclude={"output", "search"})))
    write_search(study, card, config, folder, log)
    log(f"finished: {folder.path / 'summary.md'}")


def judge(config: Config, prepared: Prepared, study: Study, say: Callable[[str], None]) -> Scorecard | None:
    """Score the winner beside its class's defaults and the baselines on the test part, which no trial has seen."""
    winner = study.unfitted()
    default = study.default_of(study.best.model)
    models = [winner]
    if default.settings() != winner.settings():
        models.append(default.fresh(alias=f"{winner.name} (defaults)"))
    try:
        return backtest(
            models, prepared.panel, start=prepared.split.val_until, season=config.season, baselines=config.baselines,
            calendar=make_calendar(config.calendar, prepared.panel.grid.freq), levels=config.levels,
            quantiles=config.quantiles, truth=prepared.truth,
        )  # fmt: skip
    except (ConfigError, DataError) as error:
        say(f"not judged on the test part: {error}")
        return None


# ---------------------------------------------------------------- folders and budgets
def _with_budget(
    config: Config, models: Sequence[str] | None, n_trials: int | None, timeout: str | float | None, n_jobs: int | None
) -> Config:
    given = {k: v for k, v in (("n_trials", n_trials), ("timeout", timeout), ("n_jobs", n_jobs)) if v is not None}
    known = {} if config.search is None else config.search.model_dump()
    if n_trials is not None or timeout is not None:
        known.update(n_trials=None, timeout=None)
    budget = {"n_trials": DEFAULT_TRIALS} if not {"n_trials", "timeout"} & given.keys() and not known else {}
    update: dict[str, Any] = {"search": SearchConfig(**{**known, **budget, **given})}
    if models:
        own = {model.name: model for model in config.models}
        update["models"] = tuple(own.get(name, ModelConfig(name=name)) for name in map(_class_name, models))
        update["search"] = update["search"].model_copy(update={"models": None})
    return config.model_copy(update=update)


def _class_name(name: str) -> str:
    """``lstm`` -> ``LSTM``: in commands the case does not matter."""
    found = as_typed(name)
    if found not in FORECASTERS:
        raise ConfigError(f"There is no forecaster {name!r}. {nearest(name, FORECASTERS)}")
    return found


def _without_budget(config: Config) -> str:
    """Return what a study is about, as text: a larger budget goes on with the same study."""
    plain = config.model_dump(mode="json", exclude={"output"})
    plain["search"] = {k: v for k, v in plain["search"].items() if k not in ("n_trials", "timeout", "n_jobs")}
    return write_yaml(plain)


def _about_of(folder: Path) -> str | None:
    path = folder / SETTINGS
    if not path.is_file() or not (folder / JOURNAL).is_file():
        return None
    found = load_config(path)
    return None if found.search is None else _without_budget(found)


def _own_folder(name: str, about: str) -> Path:
    """Return the folder of a study of the same kind, else a free one."""
    base = RUNS / file_name(f"{name}-tune")
    candidate, k = base, 1
    while read_status(candidate) is not None:
        if _about_of(candidate) == about:
            return candidate
        k += 1
        candidate = base.with_name(f"{base.name}-{k}")
    return free_name(base)
