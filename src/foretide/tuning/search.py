"""The loop of a search: who is next, claim, train, score, write down."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.data.checkpoints import forget_inside, inside
from foretide.data.digests import digest
from foretide.data.files import file_name
from foretide.errors import ConfigError, DataError, MissingExtraError, StorageError, nearest
from foretide.parallel.outbox import is_far
from foretide.seeding import numpy_generator
from foretide.text import duration
from foretide.tuning.candidates import Candidate
from foretide.tuning.ledger import COMPLETE, FAILED, INTERRUPTED, PRUNED, WITHDRAWN, Ledger, Row
from foretide.tuning.objective import Task
from foretide.tuning.pruning import PRUNERS, Curve, PrunedError, judge_of
from foretide.tuning.space import Settings, distributions_of, grid, key_of, settings_of
from foretide.tuning.storage import Place, get_optuna, quiet

if TYPE_CHECKING:
    import numpy as np

Say = Callable[[str], None]
SAMPLERS = ("tpe", "random")
TRIES = 20
"""Draws before the settings not tried yet are listed instead."""
MOST_LISTED = 20_000
HOPELESS = 3
"""Failures without a success after which a class leaves a search of several."""


@dataclass(frozen=True, eq=False)
class Search:
    """All that a process needs to work on a study.

    Attributes
    ----------
    task : Task
    candidates : tuple of Candidate
    place : Place
    name : str
        Of the study.
    n_trials : int or None
        Trials in all, of all processes and sessions.
    most : mapping
        Trials of each class, where they were given by class.
    deadline : float or None
        In seconds of ``time.time()``: no trial starts after it.
    sampler, pruner, seed
        As in :func:`foretide.tune`.
    """

    task: Task
    candidates: tuple[Candidate, ...]
    place: Place
    name: str
    n_trials: int | None
    most: Mapping[str, int]
    deadline: float | None
    sampler: str
    pruner: str | None
    seed: int

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(candidate.label for candidate in self.candidates)


def work(search: Search, ledger: Ledger, after_trial: Callable[[], None] | None = None) -> None:
    """Run trials until all are done, the time is up, or no settings are left.

    Raises
    ------
    ConfigError, DataError, MissingExtraError
        When the defaults of the only class cannot be fitted: then nothing can.
    KeyboardInterrupt
        After the running trial was marked as interrupted; the study resumes.
    """
    try:
        while search.deadline is None or time.time() < search.deadline:
            ledger.reap()
            rows = ledger.rows()
            full = search.n_trials is not None and sum(row.counts for row in rows) >= search.n_trials
            candidate = None if full else _next(search, rows)
            if candidate is None:
                return
            row = _claim(search, ledger, candidate, rows)
            if row is not None:
                _run(search, ledger, candidate, row)
                if after_trial is not None:
                    after_trial()
    except BaseException:  # Ctrl-C may come anywhere, between a claim and its run too
        ledger.release()
        raise


def _next(search: Search, rows: Sequence[Row]) -> Candidate | None:
    """Return the class with the least time so far (where time is the budget), or the fewest trials."""
    several = len(search.candidates) > 1
    trials = {c.label: [row for row in rows if row.label == c.label and row.counts] for c in search.candidates}
    left = [
        c for c in search.candidates
        if len(trials[c.label]) < search.most.get(c.label, math.inf)
        and not (c.is_exhausted(rows) or (several and _is_hopeless(c, rows)))
    ]  # fmt: skip

    def spent(candidate: Candidate) -> tuple[float, float]:
        mine = trials[candidate.label]
        return (sum(row.seconds for row in mine) if search.deadline is not None else len(mine)), len(mine)

    return min(left, key=spent, default=None)


def _is_hopeless(candidate: Candidate, rows: Sequence[Row]) -> bool:
    mine = [row for row in rows if row.label == candidate.label and row.finished]
    return len(mine) >= HOPELESS and all(row.state == FAILED for row in mine)


def _claim(search: Search, ledger: Ledger, candidate: Candidate, rows: Sequence[Row]) -> Row | None:
    """Claim a trial for this process; None where another was quicker."""
    offer = propose(candidate, rows, ledger, sampler=search.sampler, seed=search.seed)
    if offer is None:
        return None
    seed = offer.seed if offer.seed is not None else _seed(search, candidate, offer.position)
    trial = ledger.claim(candidate.label, offer.settings, candidate.space, position=offer.position, seed=seed)
    rows = [row for row in ledger.rows() if row.counts or row.id == trial]
    mine = next(row for row in rows if row.id == trial)
    before = [row for row in rows if row.id < trial]
    same = [row for row in before if row.label == mine.label]
    surplus = search.n_trials is not None and len(before) >= search.n_trials
    surplus = surplus or len(same) >= search.most.get(candidate.label, math.inf)
    if surplus or any(row.key == mine.key for row in same):
        ledger.finish(trial, WITHDRAWN, error="another process was quicker")
        return None
    if offer.seed is None and len(same) != offer.position:
        seed = _seed(search, candidate, len(same))
        ledger.reseed(trial, len(same), seed)
        mine = next(row for row in ledger.rows() if row.id == trial)
    return mine


def _seed(search: Search, candidate: Candidate, position: int) -> int | None:
    """The seed of a trial: that of the study for the first of a class, and one more for each further one."""
    return search.seed + position if candidate.seeded else None


# -------------------------------------------------------------------- what is tried next
@dataclass(frozen=True)
class Proposal:
    """Settings to try.

    Attributes
    ----------
    settings : dict
    position : int
        How many trials of the class came before.
    seed : int or None
        That of the trial whose place it takes, where there was one.
    """

    settings: Settings
    position: int
    seed: int | None = None


def check_names(sampler: str, pruner: str | None) -> None:
    """Refuse names that are unknown, and those that need Optuna where it is missing."""
    if sampler not in SAMPLERS:
        raise ConfigError(f"There is no sampler {sampler!r}. {nearest(sampler, SAMPLERS)}")
    if pruner is not None and pruner not in PRUNERS:
        raise ConfigError(f"There is no pruner {pruner!r}. {nearest(pruner, PRUNERS)} Or None: no trial is cut short.")
    if sampler == "random" and pruner != "hyperband":
        return
    try:
        get_optuna()
    except MissingExtraError as error:
        error.msg = f"{error}. Or do without: sampler='random' (--sampler random), pruner='median'."
        raise


def propose(candidate: Candidate, rows: Sequence[Row], ledger: Ledger, *, sampler: str, seed: int) -> Proposal | None:
    """Return settings that no trial of the class has tried; None where none are left.

    The sampler is made anew for every trial, from the seed, the class and the trial's place, so that a search that was
    interrupted and goes on proposes what it would have proposed anyway.
    """
    own = [row for row in rows if row.label == candidate.label]
    tried = {row.key for row in own if row.counts}
    for row in own:
        if row.state == INTERRUPTED and row.key not in tried:
            return Proposal(row.settings, row.position, row.seed)
    position = sum(row.counts for row in own)
    if key_of(candidate.start) not in tried:
        return Proposal(dict(candidate.start), position)
    if candidate.is_exhausted(rows):
        return None
    draws = numpy_generator(seed, zlib.crc32(candidate.label.encode()), position)
    draw = _at_random(candidate, draws) if sampler == "random" else _by_optuna(candidate, ledger, sampler, draws)
    for _ in range(TRIES):
        settings = draw()
        if key_of(settings) not in tried:
            return Proposal(settings, position)
    if grid(candidate.space) > MOST_LISTED:
        return Proposal(settings, position)
    left = [s for s in settings_of(candidate.space) if key_of(s) not in tried]
    return Proposal(left[int(draws.integers(len(left)))], position) if left else None


def _at_random(candidate: Candidate, draws: np.random.Generator) -> Callable[[], Settings]:
    return lambda: {name: entry.draw(draws) for name, entry in candidate.space.items()}


def _by_optuna(
    candidate: Candidate, ledger: Ledger, sampler: str, draws: np.random.Generator
) -> Callable[[], Settings]:
    assert sampler == "tpe"
    # Trials of other processes that still run count as bad, so that two do not try the same corner.
    made = get_optuna().samplers.TPESampler(seed=int(draws.integers(2**31)), multivariate=True, constant_liar=True)
    study = ledger.mirror(candidate.label, candidate.space, sampler=made, sampled=True)

    def draw() -> Settings:
        held = study.ask(distributions_of(candidate.space)).params
        return {
            name: entry.decode(held[name]) if name in held else next(entry.values())
            for name, entry in candidate.space.items()
        }

    return draw


# -------------------------------------------------------------------- one trial
def _run(search: Search, ledger: Ledger, candidate: Candidate, row: Row) -> None:
    is_default = row.key == key_of(candidate.start)
    curve = Curve()
    try:
        forecaster = candidate.make(row.settings, row.seed)
        epochs = int(getattr(getattr(forecaster, "training", None), "epochs", 0))
        judge = judge_of(search.pruner, ledger, candidate, row.id, epochs)
        with curve.watched(judge, may_stop=not is_default), inside(_place(row)):
            value = search.task.evaluate(forecaster)
        if math.isfinite(value):
            ledger.finish(row.id, COMPLETE, value, epochs=curve.epochs, rungs=curve.rungs)
        else:
            ledger.finish(row.id, FAILED, error=f"The error of its forecasts is {value}.")
    except PrunedError:
        ledger.finish(row.id, PRUNED, epochs=curve.epochs, rungs=curve.rungs)
    except Exception as error:  # whatever a model raises is its trial's affair, not the study's
        message = f"{type(error).__name__}: {error}"
        hopeless = is_default and len(search.candidates) == 1
        if hopeless and isinstance(error, (ConfigError, DataError, MissingExtraError)):
            ledger.finish(row.id, WITHDRAWN, error=message)
            raise
        ledger.finish(row.id, FAILED, error=message)
    forget_inside(_place(row))


def _place(row: Row) -> str:
    """Where a trial keeps what it has done: the same when it is run again after its process died."""
    return file_name(f"trial-{row.label}-{digest(row.key, row.seed)}")


class Reporter:
    """Says a line for every trial that has ended since the last look, whoever ran it.

    Parameters
    ----------
    search : Search
    ledger : Ledger
    say : callable
    n_jobs : int
        Processes at work.
    """

    def __init__(self, search: Search, ledger: Ledger, say: Say, n_jobs: int) -> None:
        self.search, self.ledger, self.say, self.n_jobs = search, ledger, say, n_jobs
        self._lock = threading.Lock()
        rows = ledger.rows()
        self._seen = {row.id for row in rows if row.finished}
        if self._seen:
            lost = sum(row.state == INTERRUPTED for row in rows)
            more = f", {lost} interrupted ones run again" if lost else ""
            say(f"{search.name}: {len(self._seen)} finished trials found{more}")

    def look(self) -> None:
        """Look now."""
        with self._lock:
            done = [row for row in self.ledger.rows() if row.finished]
            for row in [row for row in done if row.id not in self._seen]:
                self._seen.add(row.id)
                self.say(self._line(row, [r for r in done if r.id in self._seen]))

    def _line(self, row: Row, now: Sequence[Row]) -> str:
        of = f" of {self.search.n_trials}" if self.search.n_trials is not None else ""
        best = min((r.value for r in now if r.value is not None), default=None)
        value = f"{self.search.task.metric} {row.value:.4g}" if row.value is not None else row.state
        best_text = "" if best is None else f", best {best:.4g}"
        return f"trial {len(now)}{of}, {row.label}: {value}{best_text}{self._left(now)}"

    def _left(self, done: Sequence[Row]) -> str:
        times = []
        if self.search.n_trials is not None:
            typical = sum(row.seconds for row in done) / len(done)
            times.append(max(self.search.n_trials - len(done), 0) * typical / self.n_jobs)
        if self.search.deadline is not None:
            times.append(max(self.search.deadline - time.time(), 0.0))
        return f", about {duration(min(times), rough=True)} left" if times and min(times) > 0 else ""


@contextlib.contextmanager
def looking(reporter: Reporter | None, every: float = 0.5) -> Iterator[None]:
    """Let a reporter look from time to time while other processes work."""
    if reporter is None:
        yield
        return
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(every):
            reporter.look()

    thread = threading.Thread(target=run, name="foretide-study", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        reporter.look()


def work_beside(search: Search, number: int) -> None:
    """Work on a study as one of several processes; ``number`` tells them apart and decides nothing."""
    if is_far() and not search.place.is_database and not Path(search.place.where).is_file():
        raise StorageError(
            f"The machine {socket.gethostname()} does not see the study at {search.place.where}. Give storage=... in a "
            "folder that all machines of the cluster share, or the URL of a database."
        )
    with quiet():
        work(search, Ledger(search.place.open(), search.name, search.labels))
