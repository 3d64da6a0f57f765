"""Rolling-origin backtests: every model on the same folds, learning from the past of each fold only.

Every fold has a cutoff, the last observed step. Models see training steps up to ``cutoff - gap``, look back from the
cutoff, and are judged on the ``h`` steps after it. Folds that share a fit are forecast in a single vectorised pass.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar, Unpack

import numpy as np

from foretide.data import scratch
from foretide.data.checkpoints import kept_until_done
from foretide.data.digests import digest_of_panel
from foretide.data.reading.accept import as_panel
from foretide.data.windows import Windows
from foretide.errors import ConfigError
from foretide.evaluation.cards.account import Account
from foretide.evaluation.cards.align import oracle_forecast
from foretide.evaluation.cards.large import room
from foretide.evaluation.cards.runs import ModelRun
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.evaluation.metrics.quantiles import DECILES
from foretide.evaluation.rolling.fold_store import BlockResult, FoldStore
from foretide.evaluation.rolling.folds import FoldOptions, make_plan
from foretide.evaluation.rolling.members import (
    Member,
    ModelOrName,
    members_of,
    warn_of_empty_validation,
    warn_of_overlap,
)
from foretide.evaluation.rolling.plan import Plan
from foretide.evaluation.rolling.starts import with_starts
from foretide.evaluation.rolling.work import Place, Say, Shared, Work
from foretide.evaluation.score import score
from foretide.forecasters.answer import Note
from foretide.forecasters.fitting import installed_versions
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.levels import DEFAULT_LEVELS, interval_levels, quantile_levels
from foretide.forecasters.sentences import sentences_of
from foretide.parallel import Where, check_jobs, runs_here, using

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.data.synthetic.base import Truth
    from foretide.data.time.calendar import Calendar
    from foretide.typing import Frame, Ints

Number = TypeVar("Number", bound=np.generic)


def backtest(
    models: ModelOrName | Sequence[ModelOrName], panel: Panel | Frame, *, h: int | None = None,
    warm_start: bool = False, baselines: bool = True, starts: bool | Collection[str] = True,
    calendar: Calendar | None = None, levels: float | Iterable[float] = DEFAULT_LEVELS,
    quantiles: float | Iterable[float] | None = None, truth: Truth | None = None, folder: Place | None = None,
    overwrite: bool = False, save_models: Place | None = None, n_jobs: int = 1, progress: Say | None = None,
    executor: Where | None = None, **folds: Unpack[FoldOptions],
) -> Scorecard:  # fmt: skip
    """Forecast from rolling origins and put the models beside the truth and the simple baselines.

    Parameters
    ----------
    models : forecaster, or sequence of them
        Forecasters, names, ``{name: settings}``, or objects with ``h``, ``fit(panel, until)`` and ``predict(panel,
        cutoffs)``, which returns a :class:`foretide.Forecast`. They are copied; at every fit they begin anew.
    panel : Panel, pandas or polars data frame
    h : int, optional
        Steps forecast; that of the models by default.
    warm_start : bool
        Begin each further fit at the weights of the one before, for the models that can.
    baselines, starts : bool
        Whether simple baselines (with ``calendar``, for holidays) and the networks' closed-form starts run by default.
    levels, quantiles : float, or iterable of float
        Central levels in percent, further quantiles as fractions (0.1 to 0.9 by default).
    truth : object, optional
        Of a synthetic series, ``data.truth``: its oracle is scored too.
    folder, save_models : paths, optional
        Keeps every fit's results, how far the one at hand is, the scorecard and its page: the same call goes on, and
        ``overwrite`` drops another. The other gets each forecaster that was asked for, as its last fit left it.
    n_jobs, executor : int, and str or {name: options}, optional
        Fits side by side, one thread each, in processes or on "ray" (:func:`foretide.parallel.using`); -1: all cores.
    **folds
        ``step``, ``n_windows``, ``refit``, ``season`` …: see :class:`foretide.evaluation.rolling.folds.FoldOptions`.

    Returns
    -------
    Scorecard

    Raises
    ------
    ConfigError, DataError
        Before anything is fitted; or when a model that was asked for fails: the message names model and fold.

    Examples
    --------
    >>> import foretide as ft
    >>> card = ft.backtest("Drift", ft.synthetic.hourly(T=300).panel, h=6, n_windows=4, step=7, baselines=False)
    >>> card.models, len(card.plan.folds)
    (('Drift',), 4)
    """
    several = _several(models)
    panel = as_panel(panel, next(filter(None, (getattr(model, "layout", None) for model in several)), None))
    plan = make_plan(panel, h if h is not None else _horizon(several), **folds)
    shared = {"season": folds.get("season"), "calendar": calendar}
    members, notes = members_of(several, panel, plan.known(panel), h=plan.h, baselines=baselines, shared=shared)
    return judge(
        members, panel, plan, levels=levels, quantiles=quantiles, truth=truth, starts=starts, warm_start=warm_start,
        folder=folder, overwrite=overwrite, save_models=save_models, n_jobs=n_jobs, progress=progress, notes=notes,
        keep_card=True, executor=executor,
    )  # fmt: skip


def judge(
    members: Sequence[Member],
    panel: Panel,
    plan: Plan,
    *,
    levels: float | Iterable[float] = DEFAULT_LEVELS,
    quantiles: float | Iterable[float] | None = None,
    truth: Truth | None = None,
    starts: bool | Collection[str] = True,
    warm_start: bool = False,
    folder: Place | None = None,
    overwrite: bool = False,
    save_models: Place | None = None,
    n_jobs: int = 1,
    progress: Say | None = None,
    executor: Where | None = None,
    notes: Sequence[str] = (),
    keep_card: bool = False,
) -> Scorecard:
    """Fit forecasters by a plan, forecast, and put them beside the truth: the one road of backtests and runs.

    Parameters
    ----------
    members : sequence of Member
    panel : Panel
    plan : Plan
        Of :func:`foretide.evaluation.rolling.folds.make_plan`, or ``plan_of_split`` for a run.
    notes : sequence of str
        What is known before.
    keep_card : bool
        Whether the folder gets scorecard and page, and notes say what was read from it; a job sees to that itself.
    starts : bool or collection of str
        Whether the closed-form starts of the networks are judged too, or of which.
    levels, quantiles, truth, warm_start, folder, overwrite, save_models, n_jobs, progress, executor
        As for :func:`backtest`; a run saves every model.

    Returns
    -------
    Scorecard

    Raises
    ------
    ConfigError, DataError, ForetideError
        As :func:`backtest`; where no model could be fitted.
    """
    kept, asked, members = interval_levels(levels), quantile_levels(quantiles), with_starts(members, plan, starts)
    warn_of_empty_validation(members, panel, plan)
    warn_of_overlap(members, panel, plan)
    wanted = DECILES if quantiles is None else asked
    store = None if folder is None else _store(folder, panel, plan, (kept, wanted), overwrite=overwrite)
    jobs = check_jobs(n_jobs)
    keeps = (folder, (installed_versions(), digest_of_panel(panel))) if folder is not None and keep_card else (None, ())
    with using(executor, jobs), kept_until_done(keeps[0], "fits", keeps[1]):
        say = progress if runs_here(jobs) and plan.split is not None else None
        shared = Shared(panel, plan, kept, wanted, asked, {m.name: m for m in members}, warm_start, save_models, say)
        work = Work(shared, store, jobs, progress)
        found = work.run()
    said = [*notes, *(work.resumed if keep_card else ()), *work.notes]
    card = _card(found, shared, said, truth)
    return _kept(card, folder) if keep_card and folder is not None else card


def _kept(card: Scorecard, folder: Place) -> Scorecard:
    card.save(folder)
    return card


def _store(
    folder: Place, panel: Panel, plan: Plan, asked: tuple[tuple[float, ...], tuple[float, ...]], *, overwrite: bool
) -> FoldStore:
    """Return the store of results that depend on the same data, folds, levels and versions."""
    about = {
        "data": digest_of_panel(panel), "plan": plan.to_dict(), "levels": asked[0], "quantiles": asked[1],
        "versions": installed_versions(),
    }  # fmt: skip
    return FoldStore(folder, about, overwrite=overwrite)


def _several(models: ModelOrName | Sequence[ModelOrName]) -> Sequence[ModelOrName]:
    return models if isinstance(models, Sequence) and not isinstance(models, str) else [models]


def _horizon(models: Sequence[ModelOrName]) -> int:
    for model in models:
        given = getattr(model, "h", None)
        if isinstance(model, Mapping):
            given = next((dict(v or {}).get("h") for v in model.values()), None)
        if given is not None:
            return int(given)
    raise ConfigError("No model says how many steps to forecast. Give h=..., the horizon.")


def _card(
    found: dict[str, tuple[Member, list[BlockResult]]], shared: Shared, notes: Sequence[str], truth: Truth | None
) -> Scorecard:
    """Put the blocks of every model together and score them."""
    panel, plan = shared.panel, shared.plan
    runs = [_run_of(name, member, results) for name, (member, results) in found.items()]
    forecasts = [_joined(name, shared, results) for name, (_, results) in found.items()]
    oracle = oracle_forecast(truth, panel, forecasts[0].windows, plan.h, shared.levels, shared.quantiles)
    said = [*notes, *_parts_of(plan), *_untested(panel, forecasts), *sentences_of(forecasts)]
    said += _means_only(forecasts, shared)
    starts = {network: run.name for run in runs for network in run.start_of if network in found}
    return score(
        forecasts, panel, train=plan.known(panel), season=plan.season, oracle=oracle, plan=plan, runs=runs, notes=said,
        starts=starts,
    )  # fmt: skip


def _joined(name: str, shared: Shared, results: list[BlockResult]) -> Forecast:
    """Put the blocks of a model together, by series and cutoff as a card has them; the list is empty afterwards."""
    windows = Windows(*(np.concatenate([getattr(r, key) for r in results]) for key in ("entity", "cutoff")))
    order = np.lexsort((windows.cutoff, windows.entity))
    place = np.argsort(order)
    whole = all(r.quantiles is not None for r in results)
    levels, notes = (results[0].levels, results[0].quantile_levels) if whole else ((), ()), _notes_of(results, place)
    mean = _laid_out([r.mean for r in results], place)
    quantiles: list[NDArray[np.floating]] = []
    while results:  # each goes as soon as it has its place: of many series all of them take much room
        result = results.pop(0)
        if whole and result.quantiles is not None:
            quantiles.append(result.quantiles)
    return Forecast(
        name, shared.panel, windows[order], mean, *levels, _laid_out(quantiles, place) if whole else None, notes=notes,
        quantile_columns=shared.asked if whole else (), baseline=shared.members[name].baseline,
    )  # fmt: skip


def _laid_out(parts: list[NDArray[Number]], place: Ints) -> NDArray[Number]:
    """Put the rows of arrays into their places; the list is empty afterwards."""
    kept = scratch.mapped_file(parts[0])
    if len(parts) == 1 and np.array_equal(place, np.arange(len(place))) and not (kept and kept.name):
        return parts.pop()  # a file with a name goes when the work is done
    out = room((len(place), *parts[0].shape[1:]), np.result_type(*parts))
    begin = 0
    while parts:
        part = parts.pop(0)
        out[place[begin : begin + len(part)]] = part
        begin += len(part)
    return out


def _notes_of(results: Sequence[BlockResult], place: Ints) -> tuple[Note, ...]:
    """The notes of all blocks, those of one text as one."""
    places: dict[tuple[str, str, tuple[str, ...]], list[Ints]] = {}
    begin = 0
    for result in results:
        for note in result.notes:
            places.setdefault((note.kind, note.text, note.columns), []).append(place[note.windows + begin])
        begin += len(result.entity)
    return tuple(Note(kind, text, np.concatenate(at), columns) for (kind, text, columns), at in places.items())


def _parts_of(plan: Plan) -> list[str]:
    """Say so where every series of a run has a test part of its own."""
    if plan.split is None or plan.split.own is None:
        return []
    _, share, least = plan.split.own
    return [
        f"Series end at different times: each is tested on its own last {share:.0%}, at least {least} steps, and "
        "models are fitted on what lies before."
    ]


def _untested(panel: Panel, forecasts: Sequence[Forecast]) -> list[str]:
    """Say so where some series have no window in any fold."""
    tested = set(np.concatenate([f.windows.entity for f in forecasts]).tolist())
    names = [panel.ids[i] for i in range(panel.n_entities) if i not in tested]
    if not names:
        return []
    shown = ", ".join(map(repr, names[:3])) + (" ..." if len(names) > 3 else "")
    return [f"{len(names)} of {panel.n_entities} series have no values in the folds and are not judged ({shown})."]


def _means_only(forecasts: Sequence[Forecast], shared: Shared) -> list[str]:
    """Say which models have no intervals, where some were asked for."""
    names = [f.model for f in forecasts if f.quantiles is None] if shared.levels or shared.quantiles else []
    return [f"{', '.join(names)}: means only, no intervals, and no score that needs them."] if names else []


def _run_of(name: str, member: Member, results: Sequence[BlockResult]) -> ModelRun:
    settings = member.settings
    return ModelRun(
        name, type(member.forecaster).__name__, member.baseline, member.asked, settings, settings.get("seed"),
        len(results), sum(r.fit.seconds for r in results), sum(r.predict.seconds for r in results),
        max(max(r.fit.peak_mib, r.predict.peak_mib) for r in results),
        Account() if member.start_of else results[-1].account,  # what there is to say stands beside its network
        member.start_of,
    )  # fmt: skip
