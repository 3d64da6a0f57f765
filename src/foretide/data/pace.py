"""How much work is worth a file, so that a short job loses little, and a long one does not write for ever."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

LEAST = 0.05
"""Seconds of work below which a file is never worth while."""
SHARE = 0.02
"""Of the time that the job has taken: so much work may be lost."""
ENOUGH = 0.5
"""Seconds of work that are always worth a file, as many small pieces may make up a large one."""
EVERY = 30.0
"""Most seconds between two files of work that comes bit by bit, unless they take long to write."""
COST = 25.0
"""Work goes on for so many times what a file takes to write, so that keeping it stays cheap."""


@dataclass(eq=False)
class Pace:
    """How much work is worth a file.

    Attributes
    ----------
    began : float
        When the job began, in seconds of ``time.time()``: other processes work for it too.
    cost : float
        Seconds that the last file took to write.
    """

    began: float = field(default_factory=time.time)
    cost: float = 0.0
    trouble: str = ""
    """Why something could not be kept, the first time."""

    @property
    def whole(self) -> float:
        """Seconds of work whose result is worth a file."""
        return max(LEAST, min(ENOUGH, max(self._share, COST * self.cost)))

    def part(self, cost: float) -> float:
        """Return seconds from one file of work that comes bit by bit to the next.

        Parameters
        ----------
        cost : float
            Seconds that its last file took to write.

        Returns
        -------
        float
        """
        return max(LEAST, min(EVERY, self._share), COST * cost)

    @property
    def _share(self) -> float:
        return SHARE * (time.time() - self.began)
