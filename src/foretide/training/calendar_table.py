"""Calendar features by grid step, each distinct row kept once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from foretide.data.time.calendar import Calendar
from foretide.data.time.frequency import fixed_step
from foretide.data.time.grid import Grid
from foretide.data.time.stamps import DAY
from foretide.typing import Ints, Singles

CHUNK_STEPS = 65_536
MOST_CODED = 200_000
"""Steps whose rows are coded; of more the columns are kept in blocks."""
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
    def build(cls, calendar: Calendar, grid: Grid, first: int, last: int) -> CalendarTable | CalendarBlocks:
        """Code the features of the steps ``first .. last``, both included."""
        blocks = range(first // BLOCK_STEPS, last // BLOCK_STEPS + 1)
        if len(blocks) <= FEW_BLOCKS:
            low, size = first - blocks[0] * BLOCK_STEPS, last - first + 1
            known = np.concatenate([_block(calendar, grid, number) for number in blocks])
            return cls(first, np.arange(size, dtype=np.int32), known[low : low + size])
        if last - first >= MOST_CODED:
            return CalendarBlocks.build(calendar, grid, first, last)
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


@dataclass(frozen=True, eq=False)
class CalendarBlocks:
    """The same of many steps: each column in blocks, of a day where that is a number of steps, kept once.

    Ten million minutes have as many distinct rows, but a few hundred distinct days in each column.

    Attributes
    ----------
    first : int
        Grid step of the first row.
    size : int
        Steps of a block.
    starts : int32 array ``[S / size, K]``
        Where in ``values`` each block of each column begins.
    values : float32 array
    """

    first: int
    size: int
    starts: NDArray[np.int32]
    values: Singles

    @classmethod
    def build(cls, calendar: Calendar, grid: Grid, first: int, last: int) -> CalendarBlocks:
        """Keep the features of the steps ``first .. last``, both included."""
        step = fixed_step(str(grid.freq)) or DAY
        size = DAY // step if step < DAY and DAY % step == 0 else BLOCK_STEPS
        n, at_once = -(-(last + 1 - first) // size), max(1, CHUNK_STEPS // size)
        starts = np.empty((n, len(calendar.names(grid))), dtype=np.int32)
        places: dict[bytes, int] = {}
        for low in range(0, n, at_once):
            high = min(low + at_once, n)
            found = calendar.values(grid, np.arange(first + low * size, first + high * size))
            blocks = np.ascontiguousarray(found.reshape(high - low, size, -1).swapaxes(1, 2))
            for place in np.ndindex(blocks.shape[:2]):
                starts[low + place[0], place[1]] = places.setdefault(blocks[place].tobytes(), len(places) * size)
        return cls(first, size, starts, np.frombuffer(b"".join(places), dtype=np.float32))

    def at(self, steps: Ints) -> Singles:
        """Features of grid steps ``[n]``, ``[n, K]``."""
        block, within = np.divmod(steps - self.first, self.size)
        return np.asarray(self.values[self.starts[block] + within[:, None]])
