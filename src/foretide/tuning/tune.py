"""``ft.tune``: search for settings, scored by inner rolling folds that end before the test part."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

from foretide.data.digests import digest_of_panel
from foretide.data.files import storing
from foretide.data.reading.accept import as_panel
from foretide.errors import ConfigError, nearest
from foretide.forecasters.artifact import to_json
from foretide.forecasters.base import class_slug
from foretide.forecasters.fitting import installed_versions
from foretide.parallel import Where, check_jobs, jobs_here, map_tasks, runs_here, using
from foretide.text import seconds_in
from foretide.tuning.candidates import Candidate, Models, candidates_of, horizon_of
from foretide.tuning.ledger import COMPLETE, WITHDRAWN, Ledger
from foretide.tuning.objective import Task, inner_plan, make_task, setting_of
from foretide.tuning.result import Study
from foretide.tuning.search import Reporter, Search, check_names, looking, work, work_beside
from foretide.tuning.storage import Place, quiet

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.time.calendar import Calendar
    from foretide.typing import Frame, Json, Time

DEFAULT_TRIALS = 50


class TuneOptions(TypedDict, total=False):
    """Options of :func:`tune`: where a study lives, who works on it, and how trials are chosen and scored.

    Attributes
    ----------
    storage : path, database URL or "memory"
        A journal in the folder ``studies`` by default.
    name : str
        Of the study; by default made of the classes and, in the folder ``studies``, of what the study is about.
    n_jobs : int
        Processes that work on the study, with one thread each; -1: one per core.
    executor : str or {name: options}
        Where they run, such as ``"ray"``: see :func:`foretide.parallel.using`.
    n_windows, step : int
        Inner folds: how many, and steps between their cutoffs; by default as many as fit into the last 40 % of the
        training part (100 at most), the least number of steps of at least ``h`` apart that rotates through the season.
    metric : str
        An error of the mean, or of the distribution (``wql``, ``crps``, ``winkler_80``); RMSE, for counts MSE, by
        default.
    sampler : {"tpe", "random"}
        ``"tpe"`` is Optuna's, which has to be installed; ``"random"`` needs nothing.
    pruner : {"median", "hyperband"} or None
        Stops networks whose validation error by epoch falls behind that of earlier trials of their class.
    seed : int
        Decides what is tried, and the models' own seeds: ``seed`` for the first trial of a class, then one more each.
    baselines : bool
        Whether the simple baselines are scored beside the trials.
    calendar : Calendar
        Handed to the models and baselines that know holidays.
    refit : bool
        Whether the best model is refitted at once; else when it is first asked for.
    progress : callable
        Gets a line of text for every trial that ends.
    """

    storage: str | os.PathLike[str] | None
    name: str | None
    n_jobs: int
    executor: Where | None
    n_windows: int | None
    step: int | None
    metric: str | None
    sampler: str
    pruner: str | None
    seed: int
    baselines: bool
    calendar: Calendar | None
    refit: bool
    progress: Callable[[str], None] | None


_DEFAULTS: TuneOptions = {
    "storage": None, "name": None, "n_jobs": 1, "executor": None, "n_windows": None, "step": None, "metric": None,
    "sampler": "tpe", "pruner": "median", "seed": 0,
    "baselines": True, "calendar": None, "refit": True, "progress": None,
}  # fmt: skip


def tune(
    models: Models, panel: Panel | Frame, *, h: int | None = None, n_trials: int | Mapping[str, int] | None = None,
    timeout: float | str | None = None, space: Mapping[str, object] | None = None,
    fixed: Mapping[str, object] | None = None, until: Time | None = None, **options: Unpack[TuneOptions],
) -> Study:  # fmt: skip
    """Search for settings of one or several model classes on the training part.

    Every trial is fitted once, before the first inner cutoff, and scored by its forecasts from all of them, on the same
    windows as the simple baselines. The defaults are the first trial of each class. The study survives Ctrl-C and
    kill -9: the same call goes on, and several processes may work on one study.

    Parameters
    ----------
    models : class, name, forecaster, or a sequence of them
        Of an unfitted forecaster, the settings that differ from its class's defaults are fixed.
    panel : Panel, pandas or polars data frame
    h : int, optional
        Steps forecast; that of the forecasters given by default.
    n_trials : int, or mapping of str to int, optional
        Finished trials in all, of all sessions and processes; 50 without a ``timeout``. The classes take turns. Or of
        each class: ``{"LSTM": 3, "Attention": 5}``.
    timeout : float or str, optional
        Seconds, or "30m", "2h": no trial of this call starts later; the class with the least time is next.
    space, fixed : mapping, optional
        ``{setting: [options] or (low, high) or (low, high, "log")}``, which replaces the default space, and settings of
        every trial; either of them by class too: ``{"LSTM": {...}}``.
    until : time, optional
        End of the training part; the end of the panel by default.
    **options
        As in :class:`TuneOptions`.

    Returns
    -------
    Study

    Raises
    ------
    ConfigError, DataError, StorageError
        For what cannot work or be written; before anything is fitted where that can be known.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.planted_lags(T=160, lags=(7,), weights=(0.8,), seed=1).panel
    >>> ft.tune("SeasonalES", panel, h=2, n_trials=3, storage="memory", baselines=False).best.model
    'SeasonalES'
    """
    chosen, panel = _options(options), as_panel(panel)
    part = panel if until is None else panel.until(until)
    h = horizon_of(models) if h is None else int(h)
    search, about = _search(models, part, h, chosen, space, fixed, n_trials, timeout)
    with using(chosen["executor"], chosen["n_jobs"]):
        study = _carried_out(search, about, part, chosen)
    if chosen["refit"] and any(row.state == COMPLETE for row in study.rows):
        _ = study.best_model
    return study


def seconds_of(timeout: float | str | None) -> float | None:
    """Read a time span: seconds, or a text such as "90s", "30m", "2h" or "1h30m"."""
    if timeout is None:
        return None
    seconds = seconds_in(timeout) if isinstance(timeout, str) else float(timeout)
    if isinstance(timeout, bool) or not seconds > 0:
        raise ConfigError(f"timeout is a time span above 0: seconds, or a text such as '30m' or '2h'; got {timeout!r}.")
    return seconds


def _options(options: TuneOptions) -> TuneOptions:
    for name in options:
        if name not in _DEFAULTS:
            known = ("h", "n_trials", "timeout", "space", *_DEFAULTS)
            raise ConfigError(f"tune has no option {name!r}. {nearest(name, known)}")
    chosen: TuneOptions = {**_DEFAULTS, **options}
    check_names(chosen["sampler"], chosen["pruner"])
    return chosen


def _search(
    models: Models, part: Panel, h: int, options: TuneOptions, space: Mapping[str, object] | None,
    fixed: Mapping[str, object] | None, n_trials: int | Mapping[str, int] | None, timeout: float | str | None,
) -> tuple[Search, Json]:  # fmt: skip
    seconds = seconds_of(timeout)
    if n_trials is None and seconds is None:
        n_trials = DEFAULT_TRIALS
    plan = inner_plan(part, h, n_windows=options["n_windows"], step=options["step"])
    candidates = candidates_of(
        models, h=h, space=space, fixed=fixed, calendar=options["calendar"], setting=setting_of(part, plan)
    )  # fmt: skip
    total, most = _trials(n_trials, [candidate.label for candidate in candidates])
    histories = sorted(set().union(*(candidate.histories() for candidate in candidates)))
    task = make_task(part, plan, histories, options["metric"])
    about = _about(task, candidates, options)
    digest = hashlib.sha256(json.dumps(to_json(about), sort_keys=True).encode()).hexdigest()[:8]
    known_as = "-".join(class_slug(candidate.kind) for candidate in candidates[:4])
    named = options["name"] or (f"{known_as}-{digest}" if options["storage"] is None else known_as)
    search = Search(
        task, candidates, Place.of(options["storage"], named), named, total, most,
        None if seconds is None else time.time() + seconds, options["sampler"], options["pruner"], options["seed"],
    )  # fmt: skip
    return search, about


def _trials(n_trials: int | Mapping[str, int] | None, labels: Sequence[str]) -> tuple[int | None, dict[str, int]]:
    """Return how many trials there are in all, and of each class where that was given."""
    most = dict(n_trials) if isinstance(n_trials, Mapping) else {}
    for name in most:
        if name not in labels:
            raise ConfigError(f"n_trials: {name!r} is not searched. {nearest(name, labels)}")
    if most and (silent := [label for label in labels if label not in most]):
        raise ConfigError(f"n_trials says nothing of {silent[0]}. Type n_trials={dict.fromkeys(labels, 5)!r}")
    for count in most.values() if isinstance(n_trials, Mapping) else [n_trials]:
        if count is not None and (isinstance(count, bool) or int(count) != count or count < 1):
            raise ConfigError(f"n_trials is how many trials finish in all, at least 1; got {n_trials!r}.")
    return (sum(most.values()) if isinstance(n_trials, Mapping) else n_trials), most


def _about(task: Task, candidates: tuple[Candidate, ...], options: TuneOptions) -> Json:
    """Return what the figures of a study depend on, in words that an error can name."""
    return {
        "data": digest_of_panel(task.panel),
        "versions": installed_versions(),
        "folds": {**task.plan.to_dict(), "windows": len(task.windows)},
        "metric": task.metric,
        **{f"model {candidate.label}": candidate.to_dict() for candidate in candidates},
        **{name: options[name] for name in ("sampler", "pruner", "seed")},
    }


def _baselines(
    search: Search, ledger: Ledger, options: TuneOptions
) -> tuple[tuple[str, ...], dict[str, float]]:  # fmt: skip
    """Return notes and figures of the simple baselines, made once per study."""
    if not options["baselines"]:
        return (), {}
    scored = ledger.baselines(lambda: search.task.baselines(options["calendar"], search.labels))
    return tuple(scored["notes"]), {name: float(entry["value"]) for name, entry in scored["figures"].items()}


def _carried_out(search: Search, about: Json, part: Panel, options: TuneOptions) -> Study:
    """Run trials until they are done, and return all there are."""
    if search.place.in_memory and not runs_here(check_jobs(options["n_jobs"])):
        raise ConfigError("A study in memory is seen by one process only. Give storage=... for n_jobs > 1.")
    with quiet(), storing(search.place.where, "Trials that have ended are kept.", deed="keep the study in"):
        ledger = Ledger(search.place.open(), search.name, search.labels)
        ledger.agree(about)
        notes, baselines = _baselines(search, ledger, options)
        _carry_out(search, ledger, options["n_jobs"], options["progress"])
        rows = tuple(row for row in ledger.rows() if row.state != WITHDRAWN)
    return Study(
        search.name, search.place.where, search.task.metric, baselines, notes, about, search.task, part,
        search.candidates, rows,
    )  # fmt: skip


def _carry_out(search: Search, ledger: Ledger, n_jobs: int, say: Callable[[str], None] | None) -> None:
    jobs = jobs_here(n_jobs)
    ledger.reap()
    reporter = None if say is None else Reporter(search, ledger, say, jobs)
    if not runs_here(n_jobs):
        try:
            with looking(reporter):
                for outcome in map_tasks(work_beside, range(jobs), shared=search, n_jobs=jobs, threads=1, chunk=1):
                    outcome.get()
        finally:
            ledger.reap()
    # What is left when a worker died, and all of it where there is one process only.
    work(search, ledger, None if reporter is None else reporter.look)
