"""Tasks one after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from foretide.parallel.calls import call
from foretide.parallel.executor import Executor, I, Job, Outcome, R, S
from foretide.parallel.threads import limited


class SerialExecutor(Executor):
    """Runs tasks one after the other in this process, in the order of the items.

    The threads are held from the first task until the iterator ends.

    Parameters
    ----------
    n_jobs : int
        Changes nothing; every executor has it.
    """

    def __init__(self, n_jobs: int = 1) -> None:
        self.n_jobs = 1

    def run(self, job: Job[S, I, R], items: Sequence[I]) -> Iterator[Outcome[R]]:
        """Yield one outcome per item.

        Parameters
        ----------
        job : Job[S, I, R]
        items : sequence of I

        Yields
        ------
        Outcome[R]
        """
        with limited(job.threads):
            for index, item in enumerate(items):
                yield call(job.function, job.shared, job.ready(item), index)
