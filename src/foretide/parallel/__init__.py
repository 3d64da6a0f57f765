"""One map for folds, entities, seeds and trials: in this process, on the cores of this machine, or elsewhere.

What it promises: every item has an outcome; results are the same to the bit whatever the executor and the number of
jobs; what all tasks share is not copied to each worker; a worker that dies ends neither the map nor another task;
Ctrl-C leaves no process and no file behind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

from foretide.errors import ConfigError
from foretide.parallel.calls import tell
from foretide.parallel.chosen import (
    EXECUTORS,
    Where,
    around,
    check_jobs,
    executor_for,
    executor_of,
    is_integer,
    jobs_here,
    runs_here,
    using,
)
from foretide.parallel.executor import Executor, I, Job, Outcome, R, S
from foretide.parallel.processes import ProcessExecutor
from foretide.parallel.ray_executor import RayExecutor
from foretide.parallel.serial import SerialExecutor
from foretide.parallel.worker import in_worker

__all__ = [
    "EXECUTORS", "Executor", "Job", "Outcome", "ProcessExecutor", "RayExecutor", "SerialExecutor", "Where", "around",
    "check_jobs", "executor_of", "in_worker", "jobs_here", "kept_workers", "map_tasks", "runs_here", "stream_tasks",
    "using",
]  # fmt: skip


def map_tasks(
    function: Callable[[S, I], R],
    items: Iterable[I],
    *,
    shared: S = None,  # type: ignore[assignment]
    n_jobs: int = 1,
    executor: Where | None = None,
    threads: int | None = 1,
    retries: int = 2,
    chunk: int | None = None,
    prepare: Callable[[I], I] | None = None,
    progress: Callable[[int, int, Outcome[R]], None] | None = None,
) -> list[Outcome[R]]:
    """Run ``function(shared, item)`` for every item, and return the outcomes in the order of the items.

    Parameters
    ----------
    function : callable
        Of the shared object and one item. An exception that it raises is kept as the item's outcome. Its warnings are
        shown at the end, each message once with its count.
    items : iterable
        Small things: numbers, names, settings.
    shared : object
        What all calls read: a panel, or a dict, tuple or dataclass with panels and settings. Workers map its arrays
        from one file instead of copying them, and cannot write to them.
    n_jobs : int
        Tasks side by side; -1: one per core. Inside a worker everything runs one after the other.
    executor : "serial", "processes", "ray", {name: options} or Executor, optional
        By default the one of :func:`using` around this, all of it at one job; else serial at one, or processes.
    threads : int or None
        Threads of numpy, BLAS and torch in each task, serial or not, so that bits do not depend on the executor; None:
        what is set now in serial runs, the libraries' own choice in workers.
    retries : int
        How often an item is begun again when its worker died; then its outcome holds a
        :class:`foretide.errors.WorkerDiedError`. Other tasks go on meanwhile.
    chunk : int, optional
        Items sent to a worker at once. By default few enough for 32 rounds per worker, at most 100.
    prepare : callable, optional
        Gets each item, in this process, when its turn comes, and returns what the function gets instead.
    progress : callable, optional
        ``progress(done, total, outcome)``, called in this process after every item: the place to save a result.

    Returns
    -------
    list[Outcome[R]]

    Raises
    ------
    ConfigError
        For settings that cannot work.
    WorkerDiedError
        When workers cannot even start. What the function or the shared object raises when a worker reads it, such as
        a ModuleNotFoundError, is raised too.
    """
    stream = stream_tasks(
        function, items, shared=shared, n_jobs=n_jobs, executor=executor, threads=threads, retries=retries,
        chunk=chunk, prepare=prepare, progress=progress,
    )  # fmt: skip
    with contextlib.closing(stream):
        return sorted(stream, key=lambda outcome: outcome.index)


def stream_tasks(
    function: Callable[[S, I], R],
    items: Iterable[I],
    *,
    shared: S = None,  # type: ignore[assignment]
    n_jobs: int = 1,
    executor: Where | None = None,
    threads: int | None = 1,
    retries: int = 2,
    chunk: int | None = None,
    prepare: Callable[[I], I] | None = None,
    progress: Callable[[int, int, Outcome[R]], None] | None = None,
) -> Generator[Outcome[R], None, None]:
    """As :func:`map_tasks`, but yield the outcomes as they come, so that none need be kept.

    Close it when the loop may end early, or workers go on until it is collected::

        with contextlib.closing(stream_tasks(function, items, n_jobs=2)) as outcomes:
            for outcome in outcomes: ...

    Parameters
    ----------
    function : callable
    items : sequence of I
    shared : S, optional
    n_jobs : int
    executor : str, {name: options} or Executor, optional
    threads : int or None
    retries : int
    chunk : int, optional
    prepare : callable, optional
    progress : callable, optional
        Gets one line of text for every step.

    Yields
    ------
    Outcome[R]
    """
    for what, value, least in (("threads", threads, 1), ("retries", retries, 0), ("chunk", chunk, 1)):
        if value is not None and (not is_integer(value) or value < least):
            raise ConfigError(f"{what} is a whole number of at least {least}, got {value!r}.")
    jobs = check_jobs(n_jobs)
    job = Job(function, shared, threads, retries, chunk, prepare, at_once=jobs if jobs > 1 else None)
    return _outcomes(executor_for(executor, jobs), job, list(items), progress)


@contextlib.contextmanager
def kept_workers(shared: object, n_jobs: int = -1) -> Iterator[Executor]:
    """Give an executor for several maps over one shared object, whose workers start and load libraries once.

    Parameters
    ----------
    shared : object
        The ``shared`` of each of these maps.
    n_jobs : int
        Processes; -1: one per core. Inside :func:`using` that executor decides.

    Yields
    ------
    Executor
        Inside a worker one that runs everything in this process.

    Examples
    --------
    >>> table = {"a": 1, "b": 3}
    >>> with kept_workers(table, n_jobs=1) as workers:
    ...     found = [map_tasks(dict.get, keys, shared=table, executor=workers) for keys in (["a"], ["b", "c"])]
    >>> [[outcome.get() for outcome in one] for one in found]
    [[1], [3, None]]
    """
    with executor_for(around() or "processes", n_jobs).kept(shared) as executor:
        yield executor


def _outcomes(
    executor: Executor,
    job: Job[S, I, R],
    items: Sequence[I],
    progress: Callable[[int, int, Outcome[R]], None] | None,
) -> Generator[Outcome[R], None, None]:
    told: dict[int, tuple[tuple[type[Warning], str], ...]] = {}
    if items:
        stream = executor.run(job, items)
        try:
            for done, outcome in enumerate(stream, start=1):
                if outcome.warnings:
                    told[outcome.index] = outcome.warnings
                if progress is not None:
                    progress(done, len(items), outcome)
                yield outcome
        finally:
            if isinstance(stream, Generator):
                stream.close()
    tell((one for index in sorted(told) for one in told[index]), stacklevel=3)
