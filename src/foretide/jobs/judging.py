"""A run and a backtest: models are fitted, forecast, are scored and saved; a run is a backtest with one block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from foretide.errors import ConfigError, DataError
from foretide.evaluation.rolling.backtest import judge
from foretide.evaluation.rolling.folds import make_plan, plan_of_split
from foretide.evaluation.rolling.members import Member, members_of
from foretide.forecasters.artifact import load
from foretide.jobs.ahead import winner_ahead
from foretide.jobs.attention import keep_attention
from foretide.jobs.config import load_config
from foretide.jobs.job import Deed, Job, Place, Progress, Source, working
from foretide.jobs.outputs import write_outputs
from foretide.jobs.reporting import write
from foretide.jobs.roster import check_ablations, roster
from foretide.jobs.saved import MODELS, saved_models
from foretide.jobs.searching import search_first
from foretide.jobs.threads import network_threads, networks_in

if TYPE_CHECKING:
    from foretide.evaluation.rolling.plan import Plan
    from foretide.forecasters.base import Forecaster
    from foretide.jobs.config import Config
    from foretide.jobs.folder import RunFolder
    from foretide.jobs.prepare import Prepared
    from foretide.tuning.result import Study
    from foretide.typing import Json


def _run_plan(config: Config, data: Prepared) -> Plan:
    return plan_of_split(data.panel, data.split, config.h, step=config.stride, season=config.season)


def _backtest_plan(config: Config, data: Prepared) -> Plan:
    folds = config.backtest
    layout: Json = folds.model_dump(exclude={"warm_start", "n_jobs"})
    if folds.start is None and folds.n_windows is None:
        layout["start"] = data.split.val_until
    return make_plan(data.panel, config.h, **layout, season=config.season)


RUN = Deed("run", plan=_run_plan, searches=True)
BACKTEST = Deed("backtest", suffix="-backtest", plan=_backtest_plan)


def run(
    config: Source,
    *,
    output: Place | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> RunFolder:
    """Run end to end, from a table to scored forecasts.

    Every model is fitted on the training and validation part and forecasts every window whose targets lie in the
    test part. An interrupted run of the same configuration goes on where it stopped.

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
        ``.path`` is the folder; its ``summary.md`` is where to begin, and ``ft.Scorecard.load(folder.path)`` reads the
        figures back.

    Raises
    ------
    ConfigError, DataError
        Before anything is written, where configuration or data cannot work; later the folder says ``failed`` otherwise.
    StorageError
        For a full disk, a folder without permission, a path too long; the message says what is kept.

    Examples
    --------
    >>> import tempfile
    >>> import foretide as ft
    >>> data = {"synthetic": {"args": {"T": 200}}}
    >>> config = {"data": data, "h": 4, "models": ["SeasonalNaive"], "baselines": False}
    >>> folder = ft.run(config, output=tempfile.mkdtemp() + "/one")
    >>> folder.status, list(ft.Scorecard.load(folder.path).models)
    ('finished', ['SeasonalNaive'])
    """
    checked = load_config(config)
    with working(RUN, checked, output, overwrite=overwrite, progress=progress) as job:
        job, study = search_first(job) if checked.search is not None else (job, None)
        config, data = job.config, job.prepared
        if data.counts:
            job.log("every target is a count: intermittent baselines run too, and point baselines get intervals")
        members = run_members(config, data, say=job.log)
        # Of counts more quantiles are forecast than anybody asked for, to score them by.
        quantiles = config.quantiles if config.quantiles is not None or data.counts else ()
        _judge(job, members, quantiles=quantiles, study=study)
    return job.folder


def run_backtest(
    config: Source,
    *,
    output: Place | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> RunFolder:
    """Backtest the models of a configuration and leave a folder with scores, tests, pictures and a summary.

    An interrupted backtest of the same configuration is resumed where it stopped.

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
    with working(BACKTEST, load_config(config), output, overwrite=overwrite, progress=progress) as job:
        checked, plan, folds = job.config, job.plan, job.config.backtest
        assert plan is not None
        members, notes = backtest_members(checked, job.prepared, plan)
        _judge(
            job, members, quantiles=checked.quantiles, notes=notes, warm_start=folds.warm_start,
            n_jobs=folds.n_jobs,
        )  # fmt: skip
    return job.folder


def run_members(config: Config, data: Prepared, say: Progress | None = None) -> list[Member]:
    """Return the forecasters of a run, baselines first.

    Parameters
    ----------
    config : Config
    data : Prepared
    say : callable, optional
        Gets a line for every baseline that cannot run.

    Returns
    -------
    list of Member
    """
    return roster(config, data.calendar, counts=data.counts, freq=data.panel.grid.freq, say=say)


def backtest_members(config: Config, data: Prepared, plan: Plan) -> tuple[list[Member], list[str]]:
    """Return the forecasters of a backtest, and notes on the baselines that are left out.

    Parameters
    ----------
    config : Config
    data : Prepared
    plan : Plan

    Returns
    -------
    list of Member, list of str
    """
    asked = [member.forecaster for member in run_members(config, data) if member.asked]
    members, notes = members_of(
        asked, data.panel, plan.known(data.panel), h=config.h, baselines=config.baselines,
        shared={"season": config.season, "calendar": data.calendar},
    )  # fmt: skip
    return list(members), list(notes)


def _judge(
    job: Job,
    members: Sequence[Member],
    *,
    quantiles: Sequence[float] | None,
    notes: Sequence[str] = (),
    warm_start: bool = False,
    n_jobs: int = 1,
    study: Study | None = None,
) -> None:
    """Fit, forecast, score and save by a plan, and write what came of it."""
    config, data, folder, plan = job.config, job.prepared, job.folder, job.plan
    assert plan is not None
    check_ablations(config, [member.name for member in members])
    with network_threads([member.forecaster for member in members], config.threads):
        card = judge(
            members, data.panel, plan, levels=config.levels, quantiles=quantiles, truth=data.truth, notes=notes,
            starts=config.starts, warm_start=warm_start, folder=job.checkpoints, overwrite=True,
            save_models=folder.place(MODELS), n_jobs=n_jobs, progress=job.step,
        )  # fmt: skip
        saved = saved_models(folder.path)
        models = {run.name: load(saved[run.name]) for run in card.runs if run.name in saved}
        trained = {run.name: models[run.name] for run in card.runs if run.name in models and not run.start_of}
        job.step("writing scores, forecasts, attention and pictures")
        keep_attention(trained, data.panel, plan, config.attention_windows, folder)
        write_outputs(job, card, study, winner_ahead(job, card, models))
        if config.explain:
            _explain(job, trained)
        write(folder, card)


def _explain(job: Job, models: Mapping[str, Forecaster]) -> None:
    """Say what attention and latent state of the networks say; nothing where there is none.

    What cannot be explained, such as too few windows, is logged: it takes no forecast away.
    """
    networks = networks_in(models, explained=True)
    if not networks:
        return
    from foretide.jobs.explaining import keep_explanations

    job.step(f"explaining {', '.join(networks)}")
    try:
        keep_explanations(job.folder, networks, job.prepared, with_inputs=False)
    except (DataError, ConfigError) as error:
        job.log(f"not explained: {error}")
