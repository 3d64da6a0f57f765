"""Tasks on the cores of this machine, each in a process that loky looks after."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, cast

from foretide.errors import WorkerDiedError
from foretide.parallel.executor import Executor, I, Job, Outcome, R, S
from foretide.parallel.line import Line, Task
from foretide.parallel.serial import SerialExecutor
from foretide.parallel.sharing import written_job
from foretide.parallel.threads import cores, environment
from foretide.parallel.worker import begin, in_worker, load, run_chunk

if TYPE_CHECKING:
    from concurrent.futures import Future

    from loky import ProcessPoolExecutor

Work: TypeAlias = "Future[int] | Future[list[Outcome[object]]]"
"""A worker's start, which gives its process id, or a task."""
# loky restarts workers that seem to leak; pages of mapped files and a first import of torch look like a leak to it.
NO_RESTART = {"LOKY_MAX_MEMORY_LEAK_SIZE": str(10**15)}


class ProcessExecutor(Executor):
    """Runs tasks in worker processes of this machine.

    Every worker has a pool of its own, of one process. So a worker that dies takes no other task with it, and it is
    known which one killed it.

    Parameters
    ----------
    n_jobs : int
        Processes; -1: one per core.
    """

    def __init__(self, n_jobs: int = -1) -> None:
        self.n_jobs = n_jobs if n_jobs > 0 else cores()

    def run(self, job: Job[S, I, R], items: Sequence[I]) -> Iterator[Outcome[R]]:
        """Yield one outcome per item, as they come; inside a worker, one after the other in this process.

        Parameters
        ----------
        job : Job[S, I, R]
        items : sequence of I

        Yields
        ------
        Outcome[R]
        """
        if in_worker():
            yield from SerialExecutor().run(job, items)
            return
        n_jobs = min(self.n_jobs, job.at_once or self.n_jobs)
        line = Line(job, items, n_jobs)
        with written_job(job.function, job.shared) as folder:
            crew = _Crew(folder, line, min(n_jobs, len(line.waiting)))
            try:
                yield from crew.work()
            finally:
                crew.kill()

    @property
    def jobs(self) -> int:
        """Processes."""
        return self.n_jobs

    @contextlib.contextmanager
    def kept(self, shared: object) -> Iterator[Executor]:
        """Give an executor for several maps over one shared object, whose workers start and load libraries once.

        Parameters
        ----------
        shared : object

        Yields
        ------
        Executor
        """
        with written_job(apply, shared) as folder:
            kept = _Kept(folder, shared, self.n_jobs)
            try:
                yield kept
            finally:
                kept.close()


class _Kept(ProcessExecutor):
    """Workers that stay between the maps over one shared object, and keep what they have loaded."""

    def __init__(self, folder: Path, shared: object, n_jobs: int) -> None:
        super().__init__(n_jobs)
        self.folder, self.shared = folder, shared
        self.crew: _Crew[Any, Any, Any] | None = None

    def run(self, job: Job[S, I, R], items: Sequence[I]) -> Iterator[Outcome[R]]:
        """Yield one outcome per item, as they come; where that ends early, the workers are ended too."""
        assert job.shared is self.shared, "these workers have read another object"
        line = Line(paired(job), items, self.n_jobs)
        crew, self.crew = self.crew or _Crew(self.folder, line, self.n_jobs), None
        crew.line = line
        try:
            yield from crew.work()
            self.crew = crew
        finally:
            if self.crew is None:
                crew.kill()

    def close(self) -> None:
        """End the workers."""
        if self.crew is not None:
            self.crew.kill()
            self.crew = None


def apply(shared: S, item: tuple[Callable[[S, I], R], I]) -> R:
    """Call a function that came with its item.

    Parameters
    ----------
    shared : S
    item : (callable, I)

    Returns
    -------
    R
    """
    function, own = item
    return function(shared, own)


def paired(job: Job[S, I, R]) -> Job[Any, Any, Any]:
    """Return the same job for workers that know what is shared: each item brings the function.

    Parameters
    ----------
    job : Job[S, I, R]

    Returns
    -------
    Job
    """
    return replace(cast("Job[Any, Any, Any]", job), function=apply, prepare=lambda i: (job.function, job.ready(i)))


@dataclass(eq=False)
class _Slot:
    """A pool of one worker."""

    folder: Path
    threads: int | None
    pool: ProcessPoolExecutor | None = None
    pid: int | None = None
    false_starts: int = 0

    def start(self) -> Future[int]:
        """Start a new worker; returns the future of its being ready."""
        from loky import ProcessPoolExecutor

        self.close()
        self.pool = ProcessPoolExecutor(
            1, initializer=begin, initargs=(str(self.folder), os.getpid()),
            env={**environment(self.threads), **NO_RESTART},
        )  # fmt: skip
        with _interrupts_later():
            ready: Future[int] = self.pool.submit(load, str(self.folder))
        return ready

    def close(self) -> None:
        """End the worker at once: an orderly end takes a second where torch is loaded."""
        if self.pool is not None:
            self.pool.shutdown(wait=True, kill_workers=True)
        self.pool = self.pid = None


@dataclass(eq=False)
class _Crew(Generic[S, I, R]):
    """The workers of one map, and what waits for them."""

    folder: Path
    line: Line[S, I, R]
    size: int
    slots: list[_Slot] = field(default_factory=list)
    idle: list[_Slot] = field(default_factory=list)
    arrived: queue.SimpleQueue[tuple[_Slot, Task | None, Work]] = field(default_factory=queue.SimpleQueue)
    """A worker, what it worked on (None: on its start) and the future."""

    def work(self) -> Iterator[Outcome[R]]:
        """Hand out the tasks and yield what comes."""
        if not self.slots:
            self.slots = [_Slot(self.folder, self.line.job.threads) for _ in range(self.size)]
            self.idle = list(self.slots)
        while self.line.left:
            self._feed()
            slot, task, future = self.arrived.get()
            error = future.exception()
            if task is None:
                self._started(slot, future, error)
                continue
            if error is not None and _is_broken(error):
                slot.close()
            self.idle.append(slot)
            came = self._outcomes(task, future, error)
            self._feed()  # so that the worker is busy while the caller looks at what came
            yield from came

    def kill(self) -> None:
        """End all workers at once; they have nothing left to do, or nobody to do it for."""
        for slot in self.slots:
            if slot.pool is not None and slot.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(slot.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        for slot in self.slots:
            slot.close()

    def _feed(self) -> None:
        """Give every idle worker a task, and start those that there are not (any more)."""
        from concurrent.futures.process import BrokenProcessPool

        for slot in self.idle[: len(self.line.waiting)]:
            self.idle.remove(slot)
            if slot.pool is None:
                self._listen(slot, None, slot.start())
                continue
            task = self.line.waiting.popleft()
            try:
                future = slot.pool.submit(run_chunk, task.indices, self.line.ready(task), self.line.job.place)
            except BrokenProcessPool:  # it died while it had nothing to do, which is no task's fault
                self.line.waiting.appendleft(task)
                self._listen(slot, None, slot.start())
            else:
                self._listen(slot, task, future)

    def _started(self, slot: _Slot, future: Work, error: BaseException | None) -> None:
        if error is None:
            slot.pid, slot.false_starts = cast("int", future.result()), 0
        elif not _is_death(error):
            raise error  # function or shared object cannot be read in a worker: no task can run
        else:
            slot.false_starts += 1
            slot.close()
            if slot.false_starts > self.line.job.retries:
                raise WorkerDiedError(f"A worker died {slot.false_starts} times while it started{_code(error)}.")
        self.idle.append(slot)

    def _listen(self, slot: _Slot, task: Task | None, future: Work) -> None:
        future.add_done_callback(lambda done: self.arrived.put((slot, task, done)))

    def _outcomes(self, task: Task, future: Work, error: BaseException | None) -> list[Outcome[R]]:
        """Return what came of a task, or put it back."""
        if error is None:
            return self.line.came(task, cast("list[Outcome[R]]", future.result()))
        if _is_death(error):
            return self.line.failed(task, None, code=_code(error))
        return self.line.failed(task, error, "" if error.__cause__ is None else str(error.__cause__))


@contextlib.contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back; a process that is started inside never sees it, not even before it has set its handlers."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # started by the first process otherwise, and lets Ctrl-C through again
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _is_broken(error: BaseException) -> bool:
    """Whether the worker is gone."""
    from concurrent.futures.process import BrokenProcessPool

    return isinstance(error, BrokenProcessPool)


def _is_death(error: BaseException) -> bool:
    """Whether the worker died, and was not ended because something could not be read."""
    from loky.process_executor import TerminatedWorkerError

    return isinstance(error, TerminatedWorkerError)


def _code(error: BaseException) -> str:
    found = re.search(r"\{(.+)\}", str(error))
    return f" ({found[1]})" if found else ""
