"""The seconds that a fit has, and how many of them are left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from foretide.forecasters.classical.time_limit import PATIENCE

if TYPE_CHECKING:
    from foretide.forecasters.auto.turns import Attempt
    from foretide.parallel import Outcome


class Budget:
    """Seconds of computing, in this thread and by those that work for it, or of the clock on the wall.

    A machine that does other work too needs longer on the wall; by default the candidates then have as much computing
    as ever, so that it changes no forecast, until four times the seconds have passed.

    Parameters
    ----------
    seconds : float
    wall : bool
        Whether somebody waits for the clock on the wall.
    spent : float
        Seconds that are gone already.

    Examples
    --------
    >>> from foretide.forecasters.auto.budget import Budget
    >>> 59 < Budget(60.0).left() <= 60
    True
    """

    def __init__(self, seconds: float, *, wall: bool = False, spent: float = 0.0) -> None:
        self.seconds, self.wall = seconds - spent, wall
        self._began, self._busy = time.perf_counter(), time.thread_time()

    def left(self) -> float:
        """Return the seconds that are left; below zero once it is too late."""
        passed = time.perf_counter() - self._began
        return self.seconds - (passed if self.wall else max(time.thread_time() - self._busy, passed / PATIENCE))

    def charge(self, outcome: Outcome[Attempt], jobs: int, *, beside: bool) -> None:
        """Count what an attempt took elsewhere or, where it was taken up again, in an earlier process.

        Parameters
        ----------
        outcome : Outcome
        jobs : int
            Processes that work side by side.
        beside : bool
            Whether it was one of them.
        """
        if outcome.value is None:
            return
        here = 0.0 if beside and not self.wall else outcome.seconds
        self.seconds -= max(outcome.value.seconds - here, 0.0) / (jobs if beside else 1)
