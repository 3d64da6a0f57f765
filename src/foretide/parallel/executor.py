"""What a task is, what comes of it, and what an executor must do."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar, cast

from foretide.data.checkpoints import Place, here

S = TypeVar("S")
"""What tasks share."""
I = TypeVar("I")  # noqa: E741
"""One item."""
R = TypeVar("R")
"""What a function returns."""


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What came of one item.

    Attributes
    ----------
    index : int
        Position of the item.
    value : object
        What the function returned; None after an error.
    error : BaseException or None
        What the function raised, or a :class:`foretide.errors.WorkerDiedError`.
    attempts : int
        How often the item was begun.
    seconds : float
        Wall time of the last attempt; 0 where its worker died.
    traceback : str
        The error's traceback, as it was where the function ran.
    warnings : tuple of (category, message)
        What the function warned of.
    """

    index: int
    value: R | None = None
    error: BaseException | None = None
    attempts: int = 1
    seconds: float = 0.0
    traceback: str = ""
    warnings: tuple[tuple[type[Warning], str], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the function returned."""
        return self.error is None

    def get(self) -> R:
        """Return the value, or raise the error, with the traceback of a worker as a note.

        Returns
        -------
        R
        """
        if self.error is None:
            return cast("R", self.value)
        if self.traceback and self.error.__traceback__ is None:  # it came from another process, without its own
            self.error.add_note(f"Where the task ran:\n{self.traceback}")
        raise self.error


@dataclass(frozen=True)
class Job(Generic[S, I, R]):
    """What all tasks of one map have in common.

    Attributes
    ----------
    function : callable
        ``function(shared, item)``.
    shared : object
        Handed to every call; read only.
    threads : int or None
        Threads of BLAS, OpenMP and torch while a task runs; None leaves them as they are.
    retries : int
        How often an item is begun again after its worker died.
    chunk : int or None
        Items sent at once; None lets the executor choose.
    prepare : callable or None
        Gets an item, in this process, when its turn comes, and returns what the function gets instead.
    place : Place or None
        Where whoever asked keeps what is done so far; tasks in other processes keep it there too.
    at_once : int or None
        Items side by side at most, of an executor that has more workers; None: as many as it has.
    """

    function: Callable[[S, I], R]
    shared: S
    threads: int | None = 1
    retries: int = 2
    chunk: int | None = None
    prepare: Callable[[I], I] | None = None
    place: Place | None = field(default_factory=here)
    at_once: int | None = None

    def ready(self, item: I) -> I:
        """Return an item as the function gets it.

        Parameters
        ----------
        item : I

        Returns
        -------
        I
        """
        return item if self.prepare is None else self.prepare(item)


class Executor(ABC):
    """Carries out the tasks of a job; subclass it to run them elsewhere.

    What it starts for several maps lives from ``__enter__`` to ``__exit__``; outside, each map starts its own.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @property
    def jobs(self) -> int:
        """Tasks that it runs side by side, as far as it knows; 1 where it does not say."""
        return 1

    @contextlib.contextmanager
    def kept(self, shared: object) -> Iterator[Executor]:
        """Give an executor for several maps over one shared object, which its workers read once.

        Parameters
        ----------
        shared : object
            The ``shared`` of each of these maps.

        Yields
        ------
        Executor
        """
        with self:
            yield self

    @abstractmethod
    def run(self, job: Job[S, I, R], items: Sequence[I]) -> Iterator[Outcome[R]]:
        """Yield one outcome per item, as they come.

        Whatever was started or written for the job is gone when the iterator ends, is closed, or raises. An ordinary
        exception of the function is an outcome, not an error of the executor.

        Parameters
        ----------
        job : Job[S, I, R]
        items : sequence of I

        Yields
        ------
        Outcome[R]
        """
