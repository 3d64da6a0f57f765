"""Which executor carries out a map: the one that was named, the one opened around it, or by the number of jobs."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from multiprocessing import current_process
from numbers import Integral
from typing import TypeAlias, TypeGuard

from foretide.errors import ConfigError, nearest
from foretide.parallel.executor import Executor
from foretide.parallel.processes import ProcessExecutor
from foretide.parallel.ray_executor import RayExecutor
from foretide.parallel.serial import SerialExecutor
from foretide.parallel.threads import cores
from foretide.parallel.worker import in_worker

Where: TypeAlias = "str | Mapping[str, Mapping[str, object] | None] | Executor"
"""An executor: its name, ``{name: options}``, or one that was made."""

EXECUTORS: dict[str, Callable[..., Executor]] = {
    "serial": SerialExecutor,
    "processes": ProcessExecutor,
    "ray": RayExecutor,
}
"""Name -> what makes an executor of the number of jobs and its own options."""

_AROUND: ContextVar[Executor | None] = ContextVar("executor_around", default=None)


def executor_of(where: Where, n_jobs: int = -1) -> Executor:
    """Make an executor; nothing is started yet.

    Parameters
    ----------
    where : str, {name: options} or Executor
        ``"ray"``, or ``{"ray": {"address": "10.0.0.5:6379", "n_jobs": 40}}``.
    n_jobs : int
        Tasks side by side, unless the options say so; -1: as many as it can.

    Returns
    -------
    Executor

    Raises
    ------
    ConfigError
        For an unknown name or option.
    MissingExtraError
        Where its package is not installed.

    Examples
    --------
    >>> executor_of({"processes": {"n_jobs": 3}}).jobs
    3
    """
    if isinstance(where, Executor):
        return where
    named = {where: None} if isinstance(where, str) else where
    if not isinstance(named, Mapping) or len(named) != 1:
        raise ConfigError(
            f"executor is a name ({', '.join(EXECUTORS)}), {{name: options}}, or an Executor; got {where!r}."
        )
    ((name, options),) = named.items()
    if name not in EXECUTORS:
        raise ConfigError(f"There is no executor {name!r}. {nearest(name, EXECUTORS)}")
    if options is not None and not isinstance(options, Mapping):
        raise ConfigError(f"The options of the executor {name!r} are keys and values, got {options!r}.")
    given = {"n_jobs": n_jobs, **(options or {})}
    known = list(inspect.signature(EXECUTORS[name]).parameters)
    for key in given:
        if key not in known:
            raise ConfigError(f"The executor {name!r} has no option {key!r}. {nearest(key, known)}")
    check_jobs(given["n_jobs"])
    return EXECUTORS[name](**given)


@contextlib.contextmanager
def using(where: Where | None, n_jobs: int = 1, *, unless_set: bool = False) -> Iterator[Executor | None]:
    """Let all maps inside run on an executor: backtests, ensembles, searches, fits of each entity, candidates of Auto.

    What it starts, such as a local Ray, starts with the first map and ends with the block.

    Parameters
    ----------
    where : str, {name: options}, Executor or None
        As for :func:`executor_of`; None changes nothing.
    n_jobs : int
        Tasks side by side, if more than one; else as many as the executor can. A map's own ``n_jobs`` counts inside
        where it is more than one.
    unless_set : bool
        Leave what is set around this block already.

    Yields
    ------
    Executor or None
        What maps inside run on; None where their number of jobs decides.

    Raises
    ------
    ConfigError, MissingExtraError
        As :func:`executor_of`.

    Examples
    --------
    >>> from foretide.parallel import map_tasks
    >>> with using("serial"):
    ...     [outcome.get() for outcome in map_tasks(dict.get, ["a"], shared={"a": 1}, n_jobs=2)]
    [1]
    """
    if where is None or in_worker() or (unless_set and around() is not None):
        yield around()
        return
    with executor_of(where, n_jobs if n_jobs > 1 else -1) as made:
        token = _AROUND.set(made)
        try:
            yield made
        finally:
            _AROUND.reset(token)


def around() -> Executor | None:
    """Return the executor that was opened around this call by :func:`using`.

    Returns
    -------
    Executor or None
    """
    return _AROUND.get()


def executor_for(where: Where | None, n_jobs: int) -> Executor:
    """Return what carries out a map.

    Parameters
    ----------
    where : str, {name: options}, Executor or None
    n_jobs : int

    Returns
    -------
    Executor
    """
    if in_worker():
        return SerialExecutor()
    if where is None:
        where = around() or ("serial" if n_jobs == 1 else "processes")
    return executor_of(where, n_jobs)


def runs_here(n_jobs: int) -> bool:
    """Whether a map of so many jobs runs in this process, one task after the other.

    Parameters
    ----------
    n_jobs : int

    Returns
    -------
    bool

    Examples
    --------
    >>> runs_here(1), runs_here(2)
    (True, False)
    """
    return isinstance(executor_for(None, n_jobs), SerialExecutor)


def check_jobs(n_jobs: object) -> int:
    """Return a number of jobs; a :class:`ConfigError` says what it must be otherwise.

    Parameters
    ----------
    n_jobs : int

    Returns
    -------
    int
    """
    if not is_integer(n_jobs) or (n_jobs < 1 and n_jobs != -1):
        raise ConfigError(
            f"n_jobs is how many tasks run side by side, at least 1, or -1 for all cores; got {n_jobs!r}."
        )
    return int(n_jobs)


def jobs_here(n_jobs: int = -1) -> int:
    """Return how many tasks can run side by side for a number of jobs.

    Parameters
    ----------
    n_jobs : int
        -1: one per core.

    Returns
    -------
    int
        1 in a worker, and in a process that may not start others. Inside :func:`using`, as many as that executor
        runs, or ``n_jobs`` where that is more than one and less.
    """
    if in_worker():
        return 1
    if (executor := around()) is not None:
        return min(executor.jobs, n_jobs) if n_jobs > 1 else executor.jobs
    if current_process().daemon:
        return 1
    return n_jobs if n_jobs > 0 else cores()


def is_integer(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number of Python or numpy, and no boolean.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool
    """
    return isinstance(value, Integral) and not isinstance(value, bool)
