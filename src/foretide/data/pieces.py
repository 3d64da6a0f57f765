"""The rows of a panel piece by piece, so that no step needs all of them in memory at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Ints, Reals

PIECE_ROWS = 65_536
"""Most rows of a piece of one series; sums over longer series are sums of sums over so many rows."""
PIECE_BYTES = 8 * 2**20
"""A piece of several series is about this large."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Some rows of a panel, counted without holes: those of its first series, then those of the next.

    Attributes
    ----------
    low, high : int
        Of the series ``low .. high - 1``: all rows of several, or some of one.
    start, stop : int
        The rows ``start .. stop - 1``.
    starts : int array ``[high - low]``
        First row of each series, counted from ``start``; 0 for a piece in the middle of one.
    begins : bool
        Whether its first row is the first one of a series.
    """

    low: int
    high: int
    start: int
    stop: int
    starts: Ints
    begins: bool

    @property
    def entity(self) -> Ints:
        """Position of the series of each row, ``[stop - start]``."""
        return np.repeat(np.arange(self.low, self.high), np.diff(np.append(self.starts, self.stop - self.start)))


def pieces(length: Ints, row_bytes: int = 8, most: int | None = None) -> Iterator[Piece]:
    """Yield the rows of series in order: several short ones together, a long one in pieces of equal size.

    Parameters
    ----------
    length : int array ``[N]``
        Rows of each series.
    row_bytes : int
        Size of one row.
    most : int, optional
        Rows of a piece of a long series; by default :data:`PIECE_ROWS`, fewer where rows are wide.

    Yields
    ------
    Piece

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.pieces import pieces
    >>> [(piece.low, piece.high, piece.start, piece.stop) for piece in pieces(np.array([2, 3, 9]), most=5)]
    [(0, 2, 0, 5), (2, 3, 5, 10), (2, 3, 10, 14)]
    """
    together = max(1, PIECE_BYTES // max(row_bytes, 1))
    rows = min(PIECE_ROWS, together) if most is None else most
    ends, long = np.cumsum(length), np.append(np.flatnonzero(length > rows), len(length))
    low = 0
    while low < len(length):
        start, end = int(ends[low] - length[low]), int(ends[low])
        if end - start > rows:
            for first in range(start, end, rows):
                yield Piece(low, low + 1, first, min(first + rows, end), np.zeros(1, np.int64), first == start)
            low += 1
            continue
        fit = int(np.searchsorted(ends, max(start + together, end), side="right"))
        high = min(fit, int(long[np.searchsorted(long, low)]))
        yield Piece(low, high, start, int(ends[high - 1]), ends[low:high] - length[low:high] - start, True)
        low = high


def rows_at(panel: Panel, start: int, stop: int) -> slice | Ints:
    """Return where the rows ``start .. stop - 1`` of a panel, counted without holes, lie in its values.

    Parameters
    ----------
    panel : Panel
    start, stop : int

    Returns
    -------
    slice or int array
        A slice where they lie one after the other.
    """
    ends = np.cumsum(panel.length)
    low, high = (int(np.searchsorted(ends, row, side="right")) for row in (start, stop - 1))
    moved = panel.row0[low : high + 1] - (ends - panel.length)[low : high + 1]
    if (moved == moved[0]).all():
        return slice(start + int(moved[0]), stop + int(moved[0]))
    rows = np.diff(np.concatenate([[start], ends[low:high], [stop]]))
    return np.repeat(moved, rows) + np.arange(start, stop)


def rows_of(panel: Panel, start: int, stop: int, columns: slice | list[int] = slice(None)) -> Reals:
    """Return the values of the rows ``start .. stop - 1`` of a panel, counted without holes.

    Parameters
    ----------
    panel : Panel
    start, stop : int
    columns : slice or list of int
        All by default.

    Returns
    -------
    float array ``[stop - start, C]``
        A view where that is possible.

    Examples
    --------
    >>> import foretide as ft
    >>> from foretide.data.pieces import rows_of
    >>> panel = ft.synthetic.supplies(T=30, n_sites=3).panel.take([2, 0])
    >>> bool((rows_of(panel, 30, 60) == panel.rows(1)).all())
    True
    """
    at = rows_at(panel, start, stop)
    if isinstance(columns, slice):
        return np.asarray(panel.values[:, columns][at])
    return np.asarray(panel.values[at][:, columns] if isinstance(at, slice) else panel.values[at[:, None], columns])
