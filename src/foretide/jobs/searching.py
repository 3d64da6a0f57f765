"""Search for settings: before a run fits its models, or as a job of its own that judges the winner on the test part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.errors import ConfigError, DataError, ForetideError, nearest
from foretide.evaluation.rolling.backtest import backtest
from foretide.forecasters.table import EVERY, as_typed, forecaster_class
from foretide.jobs import store
from foretide.jobs.config import Config, load_config
from foretide.jobs.folder import RunFolder
from foretide.jobs.job import Deed, Job, Place, Progress, Source, plain, working
from foretide.jobs.reporting import write
from foretide.jobs.roster import label_of, roster, searched
from foretide.jobs.sections import ModelConfig, SearchConfig
from foretide.jobs.threads import network_threads
from foretide.tuning.candidates import candidates_of
from foretide.tuning.ledger import without_lost
from foretide.tuning.objective import inner_plan, setting_of
from foretide.tuning.trials import FIXED

if TYPE_CHECKING:
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.evaluation.rolling.plan import Plan
    from foretide.jobs.prepare import Prepared
    from foretide.tuning.candidates import Candidate
    from foretide.tuning.result import Study
    from foretide.typing import Json

(JOURNAL,), SEARCH = store.JOURNAL.places(), "search/"
DEFAULT_TRIALS = 50


def search(config: Config, prepared: Prepared, log: Callable[[str], None], storage: Path) -> Study:
    """Search for settings on the training and validation part; the test part is not seen.

    Parameters
    ----------
    config : Config
    prepared : Prepared
    log : callable
    storage : path

    Returns
    -------
    Study
    """
    from foretide.tuning.tune import tune

    assert config.search is not None
    budget: Json = config.search.model_dump(exclude={"models"})
    study = tune(
        _models_of(config), prepared.known, h=config.h, storage=storage, name=config.name, seed=config.seeds[0],
        baselines=config.baselines, calendar=prepared.calendar, refit=False, progress=log, **budget,
    )  # fmt: skip
    return replace(study, rows=without_lost(study.rows))  # the folder is that of a search that was never interrupted


def candidates_in(config: Config, prepared: Prepared) -> tuple[Plan, tuple[Candidate, ...]]:
    """Return the inner folds of a search, and what it chooses from, without a search.

    Parameters
    ----------
    config : Config
    prepared : Prepared

    Returns
    -------
    Plan, tuple of Candidate
    """
    assert config.search is not None
    part = prepared.known
    plan = inner_plan(part, config.h, n_windows=config.search.n_windows, step=config.search.step)
    candidates = candidates_of(
        _models_of(config), h=config.h, space=None, fixed=None, calendar=prepared.calendar,
        setting=setting_of(part, plan),
    )  # fmt: skip
    return plan, candidates


def _models_of(config: Config) -> list[Mapping[str, Json]]:
    """Return the models of a search with what is fixed in each of them."""
    shared: Json = {} if config.season is None else {"season": config.season}
    if "input_size" in config.model_fields_set:
        shared["input_size"] = config.input_size
    models: list[Mapping[str, Json]] = []
    for model in searched(config):
        known = forecaster_class(model.name).parameters()
        models.append({model.name: {**{k: v for k, v in shared.items() if k in known}, **model.settings}})
    return models


def tuned(config: Config, study: Study) -> Config:
    """Return the configuration with the settings that were found best for each class, and no search.

    Parameters
    ----------
    config : Config
    study : Study

    Returns
    -------
    Config
    """
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


def search_first(job: Job) -> tuple[Job, Study]:
    """Search for settings before a run fits its models; return the job with the settings found, and the study.

    Parameters
    ----------
    job : Job

    Returns
    -------
    tuple[Job, Study]
    """
    config, folder = job.config, job.folder
    folder.place(SEARCH)
    with network_threads([entry.forecaster for entry in roster(config)], config.threads):
        study = search(config, job.prepared, job.step, folder.path / SEARCH / JOURNAL)
    job.log(study.verdict())
    own = RunFolder(folder.path / SEARCH)
    keep_study(study, own, seconds=float(study.trials["seconds"].sum()))
    write(own)
    return job.tuned(tuned(config, study)), study


def run_search(
    config: Source,
    *,
    models: Sequence[str] | None = None,
    n_trials: int | None = None,
    timeout: str | float | None = None,
    n_jobs: int | None = None,
    sampler: str | None = None,
    output: Place | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> RunFolder:
    """Search for settings of the models of a configuration, and judge the winner once on the test part.

    The same call continues a study that was interrupted, or that now has a larger budget.

    Parameters
    ----------
    config : path, mapping or Config
        As for :func:`foretide.run`; its section ``search`` holds the budget.
    models : sequence of str, optional
        Classes to search instead of those of the configuration; the case does not matter.
    n_trials, timeout, n_jobs : optional
        Instead of those of the configuration; 50 trials where neither says anything.
    sampler : {"tpe", "random"}, optional
        Instead of that of the configuration; ``random`` needs no Optuna.
    output : path, optional
        Folder; by default what the configuration says, else ``runs/<name>-tune``.
    overwrite : bool
        Begin anew where the folder holds another finished run.
    progress : callable, optional
        Gets one line of text for every trial.

    Returns
    -------
    RunFolder
        ``summary.md`` in it is where to begin; ``tuned.yaml`` holds the settings found.
    """
    checked = with_budget(load_config(config), models, n_trials, timeout, n_jobs, sampler)
    with working(TUNE, checked, output, overwrite=overwrite, progress=progress) as job:
        data, folder = job.prepared, job.folder
        for name in (JOURNAL, f"{JOURNAL}.lock"):
            folder.place(name)  # known as its own before it is there
        entries = [e for e in roster(checked, counts=data.counts, freq=data.panel.grid.freq) if e.asked]
        with network_threads([entry.forecaster for entry in entries], checked.threads):
            study = search(checked, data, job.step, folder.place(JOURNAL))
            job.step("refitting the best model and judging it on the test part")
            study.best_model.remember(data.panel).save(folder.place(*store.MODELS.places(model=study.best.model)))
            card = judge(checked, data, study, job.log)
        job.tuned(tuned(checked, study))
        _write(job, study, card)
    return job.folder


def _write(job: Job, study: Study, card: Scorecard | None) -> None:
    folder, seconds = job.folder, job.log.seconds
    if card is not None:
        folder.keep(store.CARD, card)
        folder.keep(store.METRICS, card.pandas(card.leaderboard()))
    test = "" if card is None else f"On the test part, which no trial has seen: {_judged(card, study.unfitted().name)}"
    keep_study(study, folder, seconds=seconds, test=test, counts=None if card is None else bool(card.counts))
    write(folder, card)


def keep_study(
    study: Study, folder: RunFolder, *, seconds: float, test: str = "", counts: bool | None = None
) -> None:  # fmt: skip
    """Write trials, winner, leaderboard and facts of a study to a folder.

    Parameters
    ----------
    study : Study
    folder : RunFolder
    seconds : float
    test : str
    counts : bool, optional
    """
    # A column of a table may have one type only; a setting is kept as it was tried, or None where a model has none.
    names = study.trials.columns[len(FIXED) :]
    typed = {n: pd.Series([row.settings.get(n) for row in study.rows], dtype=object) for n in names}
    folder.keep(store.TRIALS, study.trials.assign(**typed))
    for item in (store.TRIALS_TABLE, store.STUDY):  # known as its own before they are there
        folder.place(item.file)
    study.save(folder.path)
    folder.keep(store.LEADERBOARD, study.leaderboard())
    folder.keep(
        store.FACTS,
        {
            "kind": "search", "verdict": study.verdict(), "test_verdict": test, "metric": study.metric,
            "best": vars(study.best), "settings": study.settings, "counts": counts, "baselines": study.baselines,
            "importances": study.all_importances(), "notes": list(study.notes), "seconds": round(seconds, 2),
        },
    )  # fmt: skip


def judge(config: Config, prepared: Prepared, study: Study, say: Callable[[str], None]) -> Scorecard | None:
    """Score the winner beside its class's defaults and the baselines on the test part, which no trial has seen.

    Parameters
    ----------
    config : Config
    prepared : Prepared
    study : Study
    say : callable
        Gets one line of text.

    Returns
    -------
    Scorecard or None
    """
    winner = study.unfitted()
    default = study.default_of(study.best.model)
    models = [winner]
    if default.settings() != winner.settings():
        models.append(default.fresh(alias=f"{winner.name} (defaults)"))
    try:
        return backtest(
            models, prepared.panel, start=prepared.split.val_until, season=config.season, baselines=config.baselines,
            starts=[winner.name] if config.starts else False, calendar=prepared.calendar, levels=config.levels,
            quantiles=config.quantiles, truth=prepared.truth,
        )  # fmt: skip
    except (ConfigError, DataError) as error:
        say(f"not judged on the test part: {error}")
        return None


def _judged(card: Scorecard, winner: str) -> str:
    """Return the verdict on the test part; of a winner that is a baseline itself, beside the best of the others."""
    if winner not in card.baselines:
        return card.verdict()
    errors = card.pandas(card.leaderboard()).set_index("model")[card.main]
    others = errors[[name for name in card.baselines if name != winner]].dropna()
    if not len(others) or not np.isfinite(errors[winner]):
        return card.verdict()
    best, least, own = str(others.idxmin()), float(others.min()), float(errors[winner])
    saved = 1 - own / least if least > 0 else -np.inf if own > 0 else 0.0
    side = "below" if saved > 0 else "above"
    far = "as large as" if own == least else f"{abs(saved):.1%} {side}" if np.isfinite(saved) else side
    return (
        f"{winner}, which counts as a simple baseline itself, has an {card.main.upper()} of {own:.4g}, "
        f"{far} that of the best other one, {best} ({least:.4g})."
    )


# ---------------------------------------------------------------- budgets
def with_budget(
    config: Config,
    models: Sequence[str] | None = None,
    n_trials: int | None = None,
    timeout: str | float | None = None,
    n_jobs: int | None = None,
    sampler: str | None = None,
) -> Config:
    """Return a configuration with what a search was asked for beside it.

    Parameters
    ----------
    config : Config
    models, n_trials, timeout, n_jobs, sampler
        As for :func:`run_search`.

    Returns
    -------
    Config
    """
    given = {
        k: v
        for k, v in (("n_trials", n_trials), ("timeout", timeout), ("n_jobs", n_jobs), ("sampler", sampler))
        if v is not None
    }
    known = {} if config.search is None else config.search.model_dump()
    if n_trials is not None or timeout is not None:
        known.update(n_trials=None, timeout=None)
    budget = {"n_trials": DEFAULT_TRIALS} if not {"n_trials", "timeout"} & given.keys() and not known else {}
    update: Json = {"search": SearchConfig(**{**known, **budget, **given})}
    if models:
        own = {model.name: model for model in config.models}
        update["models"] = tuple(own.get(name, ModelConfig(name=name)) for name in map(_class_name, models))
        update["search"] = update["search"].model_copy(update={"models": None})
    return config.model_copy(update=update)


def _class_name(name: str) -> str:
    """``lstm`` -> ``LSTM``: in commands the case does not matter."""
    found = as_typed(name)
    if found not in EVERY:
        raise ConfigError(f"There is no forecaster {name!r}. {nearest(name, EVERY)}")
    return found


def _without_budget(config: Config) -> Json:
    """Return what a study is about: a larger budget continues the same study."""
    about = plain(config)
    about["search"] = {k: v for k, v in (about["search"] or {}).items() if k not in ("n_trials", "timeout", "n_jobs")}
    return about


TUNE = Deed("tune", suffix="-tune", same=_without_budget, goes_on=True, searches=True)
