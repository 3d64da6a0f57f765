"""The fits of a backtest: one after the other or side by side, kept as they come, read back where they were kept."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.checkpoints import forget_inside, here, inside, spared
from foretide.data.files import file_name
from foretide.errors import ConfigError, DataError, ForetideError
from foretide.evaluation.cards import large
from foretide.evaluation.cards.account import account_of
from foretide.evaluation.metrics.cost import measured
from foretide.evaluation.model import Model
from foretide.evaluation.rolling.fold_store import BlockResult, FoldStore, key_of
from foretide.evaluation.rolling.members import Member, call
from foretide.evaluation.rolling.plan import Fold, Plan
from foretide.forecasters.base import Forecaster
from foretide.parallel import Outcome, jobs_here, runs_here, stream_tasks
from foretide.parallel.outbox import outbox
from foretide.text import duration, time_text

if TYPE_CHECKING:
    from foretide.data.panel import Panel

Say = Callable[[str], None]
Place = str | os.PathLike[str]


@dataclass(frozen=True)
class Shared:
    """What every fit reads, in this process or in another."""

    panel: Panel
    plan: Plan
    levels: tuple[float, ...]
    quantiles: tuple[float, ...]
    asked: tuple[float, ...]
    members: dict[str, Member]
    warm_start: bool
    models: Place | None
    say: Say | None = None
    """Gets a line before every fit of a run, where fits are made in this process."""

    def as_it_is(self, member: Member) -> bool:
        """Whether a member that came fitted is used as it came.

        Parameters
        ----------
        member : Member

        Returns
        -------
        bool
        """
        return member.fitted and len(self.plan.blocks) == 1

    def warms(self, member: Member) -> bool:
        """Whether a member's fits continue one another, so that they are one task.

        Parameters
        ----------
        member : Member

        Returns
        -------
        bool
        """
        return self.warm_start and member.warms


@dataclass(frozen=True)
class Task:
    """Fits of one member: that of one block, or of all where each continues the one before."""

    name: str
    blocks: tuple[int, ...]

    @property
    def place(self) -> str:
        """Where what is done so far is kept."""
        return file_name(f"fold-{self.blocks[0]}-{self.name}")


def run_task(shared: Shared, task: Task) -> list[BlockResult]:
    """Fit a member and forecast, block by block.

    Parameters
    ----------
    shared : Shared
    task : Task

    Returns
    -------
    list of BlockResult
    """
    member, former, results = shared.members[task.name], None, []
    if shared.say is not None:
        shared.say(f"fitting {task.name}")
    for number in task.blocks:
        block = shared.plan.blocks[number]
        try:
            with inside(task.place):
                result, model = _fit_and_forecast(shared, member, block, former)
        except (DataError, ConfigError) as error:
            if not member.asked:
                raise
            fold = f", fold {block[0].index} (cutoff {time_text(block[0].time)})" if shared.plan.split is None else ""
            raise type(error)(f"{member.name}{fold}: {error}") from error
        former = model if shared.warms(member) else None
        results.append(result)
    return results


def _fit_and_forecast(
    shared: Shared, member: Member, block: Sequence[Fold], former: Model | None
) -> tuple[BlockResult, Model]:
    panel, plan, as_it_is = shared.panel, shared.plan, shared.as_it_is(member)
    model = member.forecaster if as_it_is else former if former is not None else member.fresh()
    with measured() as fit:
        if not as_it_is:
            warm = {"warm_start": True} if former is not None else {}
            means = {} if shared.levels or shared.quantiles else {"intervals": False}
            call(model.fit, plan.part(panel, block), **plan.fit_options(panel, block), **warm, **means)
    if block == plan.blocks[-1]:
        _save(model, member, shared)
    with measured() as predict:
        forecast = call(
            model.predict, panel, cutoffs=plan.origins(panel, block), levels=shared.levels, quantiles=shared.quantiles
        )
    known = np.flatnonzero(~np.isnan(forecast.truth(panel)).all(axis=(1, 2)))
    if not len(known):
        raise DataError(f"No truth is known for any window of these folds; {member.name} cannot be judged there.")
    kept = forecast.take(known)
    result = BlockResult(
        kept.windows.entity, kept.windows.cutoff, kept.mean, kept.quantiles, tuple(kept.levels),
        tuple(kept.quantile_levels), fit, predict, tuple(getattr(kept, "notes", ())), account_of(model),
    )  # fmt: skip
    return result, model


def _save(model: Model, member: Member, shared: Shared) -> None:
    """Save a forecaster at once, so that a later error loses nothing; what has no ``save`` cannot be."""
    run = shared.plan.split is not None
    if shared.models is None or not (member.asked or member.start_of or run):
        return
    if run and isinstance(model, Forecaster):
        model.remember(shared.panel)  # next week's table adjoins the end of this one, not that of what was learned
    save = getattr(model, "save", None)
    if callable(save):
        with outbox(Path(shared.models) / file_name(member.name)) as place:
            save(place)


@dataclass
class Work:
    """The fits of a backtest, through the one map; block by block, so that the time left is soon known."""

    shared: Shared
    store: FoldStore | None
    n_jobs: int
    progress: Say | None
    notes: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    """What was read from the store, in a sentence."""
    found: dict[str, dict[int, BlockResult]] = field(default_factory=dict)

    def run(self) -> dict[str, tuple[Member, list[BlockResult]]]:
        """Return the results of every member that could be fitted in all blocks.

        Returns
        -------
        dict
        """
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
            self.resumed.append(f"resumed: {read} of {total} fits were read from {self.store.folder}")
            self._say(self.resumed[0])
        # A single fit has nobody to wait for: a process of its own would only start, and send its forecasts back.
        jobs = max(1, min(jobs_here(self.n_jobs), len(todo)))
        # In this process threads stay as they are; side by side each worker has one, or they would fight for the cores.
        threads = None if runs_here(jobs) else 1
        stream = stream_tasks(run_task, todo, shared=self.shared, n_jobs=jobs, threads=threads)
        with contextlib.closing(stream) as outcomes:
            for done, outcome in enumerate(outcomes, start=1):
                self._take(todo[outcome.index], outcome)
                self._say(self._left(todo, done, todo[outcome.index]))
        if not self.found:
            raise ForetideError("No model could be fitted. " + " ".join(self.notes))
        found, self.found = self.found, {}  # who puts the results together lets go of them one by one
        return {name: (members[name], [results[k] for k in sorted(results)]) for name, results in found.items()}

    def _tasks(self) -> list[Task]:
        blocks, members = range(len(self.shared.plan.blocks)), self.shared.members.values()
        warm = [Task(m.name, tuple(blocks)) for m in members if self.shared.warms(m)]
        return [*warm, *(Task(m.name, (k,)) for k in blocks for m in members if not self.shared.warms(m))]

    def _key(self, task: Task) -> str | None:
        """Return the file name of a task's result; None where it is not kept: weights that continue are not."""
        member = self.shared.members[task.name]
        if self.store is None or self.shared.warms(member):
            return None
        block = self.shared.plan.blocks[task.blocks[0]]
        folds = {"cutoffs": [f.cutoff for f in block], "fit_end": self.shared.plan.fit_end(block)}
        return key_of(member.name, {**member.described(as_it_is=self.shared.as_it_is(member)), **folds})

    def _read(self, task: Task) -> bool:
        """Take a result from the store where it is there."""
        key = self._key(task)
        result = self.store.load(key) if key is not None and self.store is not None else None
        if result is not None:
            self.found[task.name][task.blocks[0]] = result
        return result is not None

    def _take(self, task: Task, outcome: Outcome[list[BlockResult]]) -> None:
        """Keep what came of a task; a baseline nobody asked for that cannot be fitted is left out with a note."""
        member = self.shared.members[task.name]
        if isinstance(outcome.error, (DataError, ConfigError)) and not member.asked:
            if self.found.pop(task.name, None) is not None:
                self.notes.append(f"{task.name} left out: {outcome.error}")
                self._say(self.notes[-1])
            return
        results = outcome.get()
        key = self._key(task)
        if key is not None and self.store is not None:
            with spared(here()):
                self.store.save(key, results[0])
                if _is_large(results[0]):  # as it lies there, not in memory too
                    results = [self.store.load(key) or results[0]]
                forget_inside(task.place)
        if task.name in self.found:
            self.found[task.name].update(zip(task.blocks, map(_put_away, results), strict=True))

    def _left(self, todo: Sequence[Task], done: int, last: Task) -> str:
        """Say how far the work is, and how long what is left will take once every member has been fitted."""
        typical = {
            name: float(np.median([r.fit.seconds + r.predict.seconds for r in results.values()]))
            for name, results in self.found.items()
            if results
        }
        if self.shared.plan.split is not None and last.name in self.found:
            (result,) = self.found[last.name].values()
            spent = f"fitted {last.name} in {result.fit.seconds:.2f} s"
            return f"{spent}, forecast {len(result.entity)} windows in {result.predict.seconds:.2f} s"
        left = [task for task in todo[done:] if task.name in self.found]
        block = self.shared.plan.blocks[last.blocks[-1]]
        text = f"{done} of {len(todo)} fits, last {last.name} (cutoff {time_text(block[0].time)})"
        if not left or any(task.name not in typical for task in left):
            return text
        seconds = sum(typical[task.name] * len(task.blocks) for task in left) / jobs_here(self.n_jobs)
        return f"{text}, about {duration(seconds, rough=True)} left"

    def _say(self, text: str) -> None:
        if self.progress is not None:
            self.progress(text)


def _put_away(result: BlockResult) -> BlockResult:
    """Lay the quantiles of many windows into a file where none has them: all models' may exceed the memory."""
    if result.quantiles is None or not _is_large(result):
        return result
    return replace(result, quantiles=large.put_away(result.quantiles))


def _is_large(result: BlockResult) -> bool:
    return result.quantiles is not None and result.quantiles.nbytes > large.IN_MEMORY
