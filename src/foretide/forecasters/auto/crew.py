"""Who judges candidates and fits them: this process, or several once that pays."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from foretide.errors import StorageError, WorkerDiedError
from foretide.forecasters.auto.judge import Judge
from foretide.forecasters.table import registered
from foretide.forecasters.wrappers.wrapper import fit_member
from foretide.parallel import Executor, kept_workers, stream_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster
    from foretide.parallel import Outcome
    from foretide.typing import Time

Shared: TypeAlias = "tuple[Judge | None, Panel]"
"""What candidates are judged by, and the part that those chosen are fitted on."""
I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

MOST_JOBS = 4
"""Processes at most, unless it is said otherwise: each has its own libraries, and their memory."""
BIG, AFTER = 5_000, 1.0
"""Values, and seconds of judging, from which on processes pay: they take seconds to load their libraries."""
NO_WORKERS = (OSError, StorageError, WorkerDiedError)
"""What says that processes cannot be started here."""


class Crew:
    """Runs the tasks of one fit, in this process at first.

    Parameters
    ----------
    judge : Judge or None
    panel : Panel
        The part that is fitted on.
    jobs : int
        Processes, once that pays.
    """

    def __init__(self, judge: Judge | None, panel: Panel, jobs: int) -> None:
        self.shared: Shared = (judge, panel)
        self.jobs = jobs
        self.workers: Executor | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def pays(self, seconds: float, waiting: int) -> bool:
        """Whether those that wait had better be judged side by side.

        Parameters
        ----------
        seconds : float
            That judging has taken so far.
        waiting : int
            Candidates that can be sent elsewhere.

        Returns
        -------
        bool
        """
        panel = self.shared[1]
        big = int(panel.observed.sum()) * panel.n_targets >= BIG
        return self.jobs > 1 and waiting > 1 and big and seconds >= AFTER

    def stream(
        self,
        function: Callable[[Shared, I], R],
        items: Sequence[I],
        *,
        beside: bool,
        prepare: Callable[[I], I] | None = None,
    ) -> Generator[Outcome[R], None, None]:
        """Yield the outcomes as they come.

        Parameters
        ----------
        function : callable
        items : sequence
        beside : bool
            Whether in several processes, started now if they are not there.
        prepare : callable, optional
            As for :func:`foretide.parallel.map_tasks`.

        Yields
        ------
        Outcome
        """
        if beside and self.workers is None:
            self.workers = self._stack.enter_context(kept_workers(self.shared, self.jobs))
        return stream_tasks(
            function, items, shared=self.shared, executor=self.workers if beside else "serial", n_jobs=self.jobs,
            retries=0, chunk=1, prepare=prepare,
        )  # fmt: skip

    def alone(self) -> None:
        """Do the rest in this process."""
        self.jobs, self.workers = 1, None
        self._stack.close()


def refit(shared: Shared, item: tuple[Forecaster, Time | None]) -> Forecaster:
    """Fit a chosen candidate, given with its ``train_until``, on everything.

    Parameters
    ----------
    shared : (Judge or None, Panel)
    item : (Forecaster, time or None)

    Returns
    -------
    Forecaster
        Itself, fitted.
    """
    return fit_member(shared[1], item)


def can_travel(model: Forecaster) -> bool:
    """Whether another process is sure to know the classes of a forecaster and of those inside it.

    Parameters
    ----------
    model : Forecaster

    Returns
    -------
    bool

    Examples
    --------
    >>> import foretide as ft
    >>> can_travel(ft.WithIntervals(ft.Ridge(h=7)))
    True
    """
    return registered(type(model)) is not None and all(can_travel(part) for part in model.parts)
