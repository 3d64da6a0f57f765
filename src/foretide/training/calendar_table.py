"""Calendar features by grid step, each distinct row kept once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from foretide.data.time.calendar import Calendar
from foretide.data.time.grid import Grid
from foretide.typing import Ints, Singles

CHUNK_STEPS = 65_536
BLOCK_STEPS, FEW_BLOCKS = 512, 8
"""Of so few blocks of steps the features are kept from one forecast to the next, and no two rows are compared."""


@lru_cache(maxsize=64)
def _block(calendar: Calendar, grid: Grid, number: int) -> Singles:
    """Return the features of one block of steps; not to be changed."""
    return calendar.values(grid, np.arange(number * BLOCK_STEPS, (number + 1) * BLOCK_STEPS))


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
        blocks = range(first // BLOCK_STEPS, last // BLOCK_STEPS + 1)
        if len(blocks) <= FEW_BLOCKS:
            low, size = first - blocks[0] * BLOCK_STEPS, last - first + 1
            known = np.concatenate([_block(calendar, grid, number) for number in blocks])
            return cls(first, np.arange(size, dtype=np.int32), known[low : low + size])
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
