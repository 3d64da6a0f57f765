"""What waits for workers, whoever they are, and what becomes of a task that failed or lost its worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic

from foretide.errors import WorkerDiedError
from foretide.parallel.executor import I, Job, Outcome, R, S
from foretide.text import clipped

CHUNKS_PER_WORKER, LONGEST_CHUNK = 32, 100
MACHINES_LOST = 20
"""How often a task is begun again because its machine is gone, which is no task's fault."""


@dataclass(frozen=True)
class Task:
    """Items that travel together.

    Attributes
    ----------
    indices : list of int
    attempts : int
        How often they were begun before.
    deaths : int
        How often a worker died on this one item alone.
    """

    indices: list[int]
    attempts: int = 0
    deaths: int = 0


class Line(Generic[S, I, R]):
    """The tasks of one map that wait, and how many items have no outcome yet.

    Parameters
    ----------
    job : Job[S, I, R]
    items : sequence of I
    n_jobs : int
        Workers there are.
    """

    def __init__(self, job: Job[S, I, R], items: Sequence[I], n_jobs: int) -> None:
        self.job, self.items, self.left = job, items, len(items)
        n = len(items)
        size = job.chunk or min(max(n // (n_jobs * CHUNKS_PER_WORKER), 1), LONGEST_CHUNK)
        self.waiting = deque(Task(list(range(low, min(low + size, n)))) for low in range(0, n, size))

    def ready(self, task: Task) -> list[I]:
        """Return the items of a task as the function gets them.

        Parameters
        ----------
        task : Task

        Returns
        -------
        list
        """
        return [self.job.ready(self.items[i]) for i in task.indices]

    def came(self, task: Task, outcomes: Sequence[Outcome[R]]) -> list[Outcome[R]]:
        """Return what a worker gave back.

        Parameters
        ----------
        task : Task
        outcomes : sequence of Outcome

        Returns
        -------
        list of Outcome
        """
        self.left -= len(outcomes)
        return [replace(outcome, attempts=task.attempts + 1) for outcome in outcomes]

    def lost(self, task: Task) -> list[Outcome[R]]:
        """Put a task back whose machine is gone; after too many, return that it died.

        Parameters
        ----------
        task : Task

        Returns
        -------
        list of Outcome
        """
        if self.job.retries and task.attempts < MACHINES_LOST:
            self.waiting.appendleft(replace(task, attempts=task.attempts + 1))
            return []
        return self.failed(task, None)

    def failed(self, task: Task, error: BaseException | None, traceback: str = "", code: str = "") -> list[Outcome[R]]:
        """Put a task back, or return what came of it.

        Parameters
        ----------
        task : Task
        error : BaseException or None
            Why it could not be sent, or what came of it not be read; None where its worker died.
        traceback : str
            Of the error, as it was where the task ran.
        code : str
            How the worker ended, in brackets.

        Returns
        -------
        list of Outcome
        """
        attempts, deaths = task.attempts + 1, task.deaths + (error is None)
        if len(task.indices) > 1:  # one of them is to blame: each alone will tell
            self.waiting.extendleft([Task([i], attempts) for i in reversed(task.indices)])
            return []
        if error is None and deaths <= self.job.retries:
            self.waiting.appendleft(Task(task.indices, attempts, deaths))
            return []
        self.left -= 1
        index = task.indices[0]
        if error is not None:
            return [Outcome(index, error=error, attempts=attempts, traceback=traceback)]
        text = (
            f"The worker of item {index} ({clipped(repr(self.items[index]), 80, ' ...')}) died {deaths} "
            f"times{code}. It may have needed more memory than there is: give a lower n_jobs, or smaller tasks."
        )
        return [Outcome(index, error=WorkerDiedError(text), attempts=attempts)]
