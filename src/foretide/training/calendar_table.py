"""Calendar features by grid step, each distinct row kept once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretide.data.time.calendar import Calendar
from foretide.data.time.grid import Grid
from foretide.typing import Ints, Singles

CHUNK_STEPS = 65_536


@dataclass(frozen=True, eq=False)
class CalendarTable:
    """A dictionary-coded calendar: a long hourly grid has a few thousand distinct rows, all entities share them.

    Attributes
    ----------
    first : int
        Grid step of the first code.
    codes : int32 array ``[S]``
        Row of ``rows`` that each step has.
    rows : float32 array ``[U, K]``
    """

    first: int
    codes: NDArray[np.int32]
    rows: Singles

    @classmethod
    def build(cls, calendar: Calendar, grid: Grid, first: int, last: int) -> CalendarTable:
        """Code the features of the steps ``first .. last``, both included."""
        seen: dict[bytes, int] = {}
        rows: list[Singles] = []
        codes = np.empty(last - first + 1, dtype=np.int32)
        for low in range(first, last + 1, CHUNK_STEPS):
            steps = np.arange(low, min(low + CHUNK_STEPS, last + 1))
            found, where = np.unique(calendar.values(grid, steps), axis=0, return_inverse=True)
            number = np.empty(len(found), dtype=np.int32)
            for k, row in enumerate(found):
                number[k] = seen.setdefault(row.tobytes(), len(seen))
                if number[k] == len(rows):
                    rows.append(row)
            codes[low - first : low - first + len(steps)] = number[where.ravel()]
        return cls(first, codes, np.stack(rows))

    def at(self, steps: Ints) -> Singles:
        """Features of grid steps ``[n]``, ``[n, K]``."""
        return np.asarray(self.rows[self.codes[steps - self.first]])
