"""Rolling-origin backtests: every model on the same folds, learning from the past of each fold only.

Every fold has a cutoff, the last observed step. Models see training steps up to ``cutoff - gap``, look back from the
cutoff, and are judged on the ``h`` steps after it. Folds that share a fit are forecast in a single vectorised pass.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from foretide.data.files import file_name
from foretide.data.windows import Windows
from foretide.errors import ConfigError, DataError, ForetideError
from foretide.evaluation.cards.align import oracle_forecast
from foretide.evaluation.cards.runs import ModelRun
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.evaluation.metrics.cost import measured
from foretide.evaluation.metrics.quantiles import DECILES
from foretide.evaluation.rolling.dates import moment
from foretide.evaluation.rolling.fold_store import BlockResult, FoldStore, digest_of_panel, key_of
from foretide.evaluation.rolling.folds import Fold, FoldOptions, Plan, make_plan
from foretide.evaluation.rolling.members import Member, call, members_of, warn_of_empty_validation, warn_of_overlap
from foretide.evaluation.score import score
from foretide.forecasters.answer import Note
from foretide.forecasters.forecast import Forecast, sentences_of
from foretide.forecasters.levels import DEFAULT_LEVELS, interval_levels, quantile_levels
from foretide.parallel import Outcome, check_jobs, stream_tasks
from foretide.text import duration, time_text

if TYPE_CHECKING:
    from foretide.data.panel import Panel

Say = Callable[[str], None]


def backtest(
    models: Any,
    panel: Panel,
    *,
    h: int | None = None,
    warm_start: bool = False,
    baselines: bool = True,
    calendar: Any = None,
    levels: float | Iterable[float] = DEFAULT_LEVELS,
    quantiles: float | Iterable[float] | None = None,
    truth: Any = None,
    folder: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    save_models: str | os.PathLike[str] | None = None,
    n_jobs: int = 1,
    progress: Say | None = None,
    **folds: Unpack[FoldOptions],
) -> Scorecard:
    """Forecast from rolling origins and put the models beside the truth and the simple baselines.

    Parameters
    ----------
    models : forecaster, or sequence of them
        Forecasters, names, ``{name: settings}``, or objects with ``h``, ``fit(panel, until)`` and ``predict(panel,
        cutoffs)``, which returns a :class:`foretide.Forecast`. They are copied; at every fit they begin anew.
    h : int, optional
        Steps forecast; that of the models by default.
    warm_start : bool
        Begin each further fit at the weights of the one before, for the models that can.
    baselines : bool
        Whether the simple baselines run unasked; ``calendar`` is handed to those that know holidays.
    levels, quantiles : float, or iterable of float
        Central levels in percent, further quantiles as fractions (0.1 to 0.9 by default).
    truth : object, optional
        Of a synthetic series, ``data.truth``: its oracle is scored too.
    folder, save_models : paths, optional
        Keeps the results of every fit: the same call resumes an interrupted backtest; ``overwrite`` drops another. Gets
        every forecaster that was asked for, as its last fit left it, for :func:`foretide.load`.
    n_jobs : int
        Fits side by side, in processes with one thread each; -1: all cores. ``progress`` gets a line for every fit.
    **folds
        ``step``, ``n_windows``, ``refit``, ``season`` …: see :class:`foretide.evaluation.rolling.folds.FoldOptions`.

    Raises
    ------
    ConfigError, DataError
        Before anything is fitted; or when a model that was asked for fails: the message names model and fold.
    """
    kept, asked = interval_levels(levels), quantile_levels(quantiles)
    plan = make_plan(panel, h if h is not None else _horizon(models), **folds)
    part = plan.part(panel, plan.blocks[0]).until(moment(panel, plan.fit_end(plan.blocks[0])))
    shared_settings = {"season": folds.get("season"), "calendar": calendar}
    members, notes = members_of(models, panel, part, h=plan.h, baselines=baselines, shared=shared_settings)
    warn_of_empty_validation(members, panel, plan)
    warn_of_overlap(members, panel, plan)
    wanted = DECILES if quantiles is None else asked
    store = _open(folder, panel, plan, kept, wanted, overwrite=overwrite)
    shared = _Shared(panel, plan, kept, wanted, asked, {m.name: m for m in members}, warm_start, save_models)
    work = _Work(shared, store, check_jobs(n_jobs), progress)
    return _card(work.run(), shared, [*notes, *work.notes], truth)


def _horizon(models: Any) -> int:
    several = models if isinstance(models, Sequence) and not isinstance(models, str) else [models]
    for model in several:
        given = getattr(model, "h", None)
        if isinstance(model, Mapping):
            given = next((dict(v or {}).get("h") for v in model.values()), None)
        if given is not None:
            return int(given)
    raise ConfigError("No model says how many steps to forecast. Give h=..., the horizon.")


def _open(
    folder: Any, panel: Panel, plan: Plan, levels: Sequence[float], quantiles: Sequence[float], *, overwrite: bool
) -> FoldStore | None:
    if folder is None:
        return None
    about = {
        "data": digest_of_panel(panel), "plan": plan.to_dict(), "levels": list(levels), "quantiles": list(quantiles)
    }  # fmt: skip
    return FoldStore(folder, about, overwrite=overwrite)


@dataclass(frozen=True)
class _Shared:
    """What every fit reads, in this process or in another."""

    panel: Panel
    plan: Plan
    levels: tuple[float, ...]
    quantiles: tuple[float, ...]
    asked: tuple[float, ...]
    members: dict[str, Member]
    warm_start: bool
    models: str | os.PathLike[str] | None

    def as_it_is(self, member: Member) -> bool:
        """Whether a member that came fitted is used as it came."""
        return member.fitted and len(self.plan.blocks) == 1

    def warms(self, member: Member) -> bool:
        """Whether a member's fits continue one another, so that they are one task."""
        return self.warm_start and member.warms


@dataclass(frozen=True)
class _Task:
    """Fits of one member: that of one block, or of all where each continues the one before."""

    name: str
    blocks: tuple[int, ...]


def run_task(shared: _Shared, task: _Task) -> list[BlockResult]:
    """Fit a member and forecast, block by block."""
    member, former, results = shared.members[task.name], None, []
    for number in task.blocks:
        block = shared.plan.blocks[number]
        try:
            result, model = _fit_and_forecast(shared, member, block, former)
        except (DataError, ConfigError) as error:
            if not member.asked:
                raise
            where = f"{member.name}, fold {block[0].index} (cutoff {time_text(block[0].time)})"
            raise type(error)(f"{where}: {error}") from error
        former = model if shared.warms(member) else None
        results.append(result)
        if shared.models is not None and member.asked and number == len(shared.plan.blocks) - 1:
            _save(model, Path(shared.models) / file_name(member.name))
    return results


def _save(model: Any, folder: Path) -> None:
    """Save a forecaster; what is none of ours and has no ``save`` cannot be."""
    if callable(getattr(model, "save", None)):
        model.save(folder)


def _fit_and_forecast(shared: _Shared, member: Member, block: Sequence[Fold], former: Any) -> tuple[BlockResult, Any]:
    panel, plan, as_it_is = shared.panel, shared.plan, shared.as_it_is(member)
    model = member.forecaster if as_it_is else former if former is not None else member.fresh()
    with measured() as fit:
        if not as_it_is:
            end = plan.train_end(block)
            options: dict[str, Any] = {"warm_start": True} if former is not None else {}
            if end is not None:
                options["train_until"] = moment(panel, end)
            call(model.fit, plan.part(panel, block), until=moment(panel, plan.fit_end(block)), **options)
    with measured() as predict:
        forecast: Forecast = call(
            model.predict, panel, cutoffs=[f.time for f in block], levels=shared.levels, quantiles=shared.quantiles
        )
    known = np.flatnonzero(~np.isnan(forecast.truth(panel)).all(axis=(1, 2)))
    if not len(known):
        raise DataError(f"No truth is known for any window of these folds; {member.name} cannot be judged there.")
    kept = forecast.take(known)
    result = BlockResult(
        kept.windows.entity, kept.windows.cutoff, kept.mean, kept.quantiles, tuple(kept.levels),
        tuple(kept.quantile_levels), fit, predict, tuple(getattr(kept, "notes", ())),
    )  # fmt: skip
    return result, model


@dataclass
class _Work:
    """The fits of a backtest, through the one map; block by block, so that the time left is soon known."""

    shared: _Shared
    store: FoldStore | None
    n_jobs: int
    progress: Say | None
    notes: list[str] = field(default_factory=list)
    found: dict[str, dict[int, BlockResult]] = field(default_factory=dict)

    def run(self) -> dict[str, tuple[Member, list[BlockResult]]]:
        """Return the results of every member that could be fitted in all blocks."""
        members = self.shared.members
        self.found = {name: {} for name in members}
        cold = [m.name for m in members.values() if m.asked and not m.warms]
        if self.shared.warm_start and cold:
            self.notes.append(f"warm_start: {', '.join(cold)} cannot, and begin anew at every fit")
        todo = [task for task in self._tasks() if not self._read(task)]
        read = sum(len(results) for results in self.found.values())
        if read:
            assert self.store is not None
            total = read + sum(len(task.blocks) for task in todo)
            self._say(f"resumed: {read} of {total} fits were read from {self.store.folder}")
            self.notes.append(f"resumed: {read} of {total} fits were read from {self.store.folder}")
        # At one job threads stay as they are; side by side each worker has one, or they would fight for the cores.
        stream = stream_tasks(
            run_task, todo, shared=self.shared, n_jobs=self.n_jobs, threads=None if self.n_jobs == 1 else 1
        )
        with contextlib.closing(stream) as outcomes:
            for done, outcome in enumerate(outcomes, start=1):
                self._take(todo[outcome.index], outcome)
                self._say(self._left(todo, done, todo[outcome.index]))
        if not self.found:
            raise ForetideError("No model could be fitted. " + " ".join(self.notes))
        return {name: (members[name], [results[k] for k in sorted(results)]) for name, results in self.found.items()}

    def _tasks(self) -> list[_Task]:
        blocks, members = range(len(self.shared.plan.blocks)), self.shared.members.values()
        warm = [_Task(m.name, tuple(blocks)) for m in members if self.shared.warms(m)]
        return [*warm, *(_Task(m.name, (k,)) for k in blocks for m in members if not self.shared.warms(m))]

    def _key(self, task: _Task) -> str | None:
        """Return the file name of a task's result; None where it is not kept: weights that continue are not."""
        member = self.shared.members[task.name]
        if self.store is None or self.shared.warms(member):
            return None
        block = self.shared.plan.blocks[task.blocks[0]]
        folds = {"cutoffs": [f.cutoff for f in block], "fit_end": self.shared.plan.fit_end(block)}
        return key_of(member.name, {**member.described(as_it_is=self.shared.as_it_is(member)), **folds})

    def _read(self, task: _Task) -> bool:
        """Take a result from the store where it is there."""
        key = self._key(task)
        result = self.store.load(key) if key is not None and self.store is not None else None
        if result is not None:
            self.found[task.name][task.blocks[0]] = result
        return result is not None

    def _take(self, task: _Task, outcome: Outcome) -> None:
        """Keep what came of a task; a baseline nobody asked for that cannot be fitted is left out with a note."""
        member = self.shared.members[task.name]
        if isinstance(outcome.error, (DataError, ConfigError)) and not member.asked:
            if self.found.pop(task.name, None) is not None:
                self.notes.append(f"{task.name} left out: {outcome.error}")
            return
        results: list[BlockResult] = outcome.get()
        key = self._key(task)
        if key is not None and self.store is not None:
            self.store.save(key, results[0])
        if task.name in self.found:
            self.found[task.name].update(zip(task.blocks, results, strict=True))

    def _left(self, todo: Sequence[_Task], done: int, last: _Task) -> str:
        """Say how far the work is, and how long what is left will take once every member has been fitted."""
        typical = {
            name: float(np.median([r.fit.seconds + r.predict.seconds for r in results.values()]))
            for name, results in self.found.items()
            if results
        }
        left = [task for task in todo[done:] if task.name in self.found]
        block = self.shared.plan.blocks[last.blocks[-1]]
        text = f"{done} of {len(todo)} fits, last {last.name} (cutoff {time_text(block[0].time)})"
        if not left or any(task.name not in typical for task in left):
            return text
        seconds = sum(typical[task.name] * len(task.blocks) for task in left) / max(self.n_jobs, 1)
        return f"{text}, about {duration(seconds, rough=True)} left"

    def _say(self, text: str) -> None:
        if self.progress is not None:
            self.progress(text)


def _card(
    found: dict[str, tuple[Member, list[BlockResult]]], shared: _Shared, notes: Sequence[str], truth: Any
) -> Scorecard:
    """Put the blocks of every model together and score them."""
    panel, plan = shared.panel, shared.plan
    forecasts = [_joined(name, shared, results) for name, (_, results) in found.items()]
    oracle = oracle_forecast(truth, panel, forecasts[0].windows, plan.h, shared.levels, shared.quantiles)
    runs = [_run_of(name, member, results) for name, (member, results) in found.items()]
    return score(
        forecasts, panel, train_until=moment(panel, plan.fit_end(plan.blocks[0])), season=plan.season, oracle=oracle,
        plan=plan, runs=runs, notes=[*notes, *_untested(panel, forecasts), *sentences_of(forecasts)],
    )  # fmt: skip


def _joined(name: str, shared: _Shared, results: Sequence[BlockResult]) -> Forecast:
    windows = Windows(np.concatenate([r.entity for r in results]), np.concatenate([r.cutoff for r in results]))
    distributions = [r.quantiles for r in results if r.quantiles is not None]
    quantiles = np.concatenate(distributions) if len(distributions) == len(results) else None
    levels = (results[0].levels, results[0].quantile_levels) if quantiles is not None else ((), ())
    mean = np.concatenate([r.mean for r in results])
    asked = shared.asked if quantiles is not None else ()
    baseline = shared.members[name].baseline
    return Forecast(
        name, shared.panel, windows, mean, *levels, quantiles, notes=_notes_of(results), quantile_columns=asked,
        baseline=baseline,
    )  # fmt: skip


def _notes_of(results: Sequence[BlockResult]) -> tuple[Note, ...]:
    """The notes of all blocks, those of one text as one."""
    places: dict[tuple[str, str, tuple[str, ...]], list[Any]] = {}
    begin = 0
    for result in results:
        for note in result.notes:
            places.setdefault((note.kind, note.text, note.columns), []).append(note.windows + begin)
        begin += len(result.entity)
    return tuple(Note(kind, text, np.concatenate(at), columns) for (kind, text, columns), at in places.items())


def _untested(panel: Panel, forecasts: Sequence[Forecast]) -> list[str]:
    """Say so where some series have no window in any fold."""
    tested = set(np.concatenate([f.windows.entity for f in forecasts]).tolist())
    names = [panel.ids[i] for i in range(panel.n_entities) if i not in tested]
    if not names:
        return []
    shown = ", ".join(map(repr, names[:3])) + (" ..." if len(names) > 3 else "")
    return [f"{len(names)} of {panel.n_entities} series have no values in the folds and are not judged ({shown})."]


def _run_of(name: str, member: Member, results: Sequence[BlockResult]) -> ModelRun:
    settings = member.settings
    return ModelRun(
        name, type(member.forecaster).__name__, member.baseline, member.asked, settings, settings.get("seed"),
        len(results), sum(r.fit.seconds for r in results), sum(r.predict.seconds for r in results),
        max(max(r.fit.peak_mib, r.predict.peak_mib) for r in results),
    )  # fmt: skip
