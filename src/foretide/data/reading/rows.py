"""What the rows of a table are called in messages: lines of a file, labels of a frame, or their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from foretide.typing import Frame, Ints

_NAMED = 5


@dataclass(frozen=True, eq=False)
class Rows:
    """What the rows of a table are called.

    Attributes
    ----------
    name : callable
        Place of a row, from 0 -> ``row 3``.
    without : callable
        Places of some rows -> what to type, or to delete.
    without_missing : callable
        Name of a column -> what to do with the rows that have no value in it.
    """

    name: Callable[[int], str]
    without: Callable[[Sequence[int]], str]
    without_missing: Callable[[str], str]

    def taken(self, at: Callable[[int], int]) -> Rows:
        """Return what rows of this table are called in one that holds them in another order, or several times.

        Parameters
        ----------
        at : callable
            Place of a row there -> its place in this table.

        Returns
        -------
        Rows
        """
        return Rows(
            lambda row: self.name(int(at(row))),
            lambda some: self.without(list(dict.fromkeys(int(at(row)) for row in some))),
            self.without_missing,
        )


def lines(numbers: range | Ints) -> Rows:
    """Return the rows of a text file by its lines, as an editor or a spreadsheet counts them.

    Parameters
    ----------
    numbers : range or int array ``[R]``
        The line that each row begins in, from 1; that of the header counts.

    Returns
    -------
    Rows

    Examples
    --------
    >>> from foretide.data.reading.rows import lines
    >>> lines(range(2, 9)).name(3)
    'line 5'
    """
    return Rows(
        lambda row: f"line {int(numbers[row])}",
        lambda some: f"line{'s' * (len(some) > 1)} {_few([int(numbers[row]) for row in some[: _NAMED + 1]])}",
        lambda _: "delete these lines",
    )


def counted(first: int = 0, place: str = "the data") -> Rows:
    """Return the rows of a file without lines, such as Parquet, counted from 1.

    Parameters
    ----------
    first : int
        Position in the file of the first row at hand.
    place : str
        Name of the file.

    Returns
    -------
    Rows

    Examples
    --------
    >>> from foretide.data.reading.rows import counted
    >>> counted().name(3), counted(100, "march.parquet").name(3)
    ('row 4 of the data', 'row 104 of march.parquet')
    """
    first += 1
    return Rows(
        lambda row: f"row {first + row} of {place}",
        lambda some: f"row{'s' * (len(some) > 1)} {_few([first + row for row in some])} of {place}",
        lambda _: "delete these rows",
    )


def _few(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:_NAMED])) + ", …" * (len(numbers) > _NAMED)


def rows_of(frame: Frame) -> Rows:
    """Return what the rows of a frame are called: as in the file that is being read, or by its own labels.

    Parameters
    ----------
    frame : pandas or polars data frame

    Returns
    -------
    Rows

    Examples
    --------
    >>> import pandas as pd
    >>> from foretide.data.reading.rows import rows_of
    >>> rows_of(pd.DataFrame({"y": [1.0, 2.0]}, index=["a", "b"])).name(1)
    "row 'b'"
    """
    known = _current.get()
    if known is not None:
        return known
    if isinstance(frame, pd.DataFrame):
        return _labelled(frame.index)
    return _PANDAS if type(frame).__module__.split(".")[0] != "polars" else _POLARS


def _labelled(index: pd.Index) -> Rows:
    if isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1:
        return _PANDAS
    if not index.is_unique:
        return Rows(
            lambda row: f"row {_shown(index[row])} (position {row})",
            lambda some: f"frame = frame.reset_index(drop=True).drop(index={_list(some)})",
            _PANDAS.without_missing,
        )
    return Rows(
        lambda row: f"row {_shown(index[row])}",
        lambda some: f"frame = frame.drop(index=frame.index[{_list(some)}])",
        _PANDAS.without_missing,
    )


def _shown(label: object) -> str:
    return repr(label) if isinstance(label, str) else str(label)


def _list(some: Sequence[int]) -> str:
    return str([int(row) for row in some]) if len(some) <= _NAMED else "..."


_PANDAS = Rows(
    lambda row: f"row {row}",
    lambda some: f"frame = frame.drop(index={_list(some)})",
    lambda column: f"frame = frame.dropna(subset=[{column!r}])",
)
_POLARS = Rows(
    _PANDAS.name,
    lambda some: f"frame = frame.filter(~pl.int_range(pl.len()).is_in({_list(some)}))",
    lambda column: f"frame = frame.drop_nulls([{column!r}])",
)
_current: ContextVar[Rows | None] = ContextVar("rows", default=None)


def rows() -> Rows:
    """Return what the rows are called of the table that is being read.

    Returns
    -------
    Rows
    """
    return _current.get() or _PANDAS


@contextmanager
def rows_called(names: Rows) -> Iterator[None]:
    """Let rows have these names inside.

    Parameters
    ----------
    names : Rows

    Yields
    ------
    None

    Examples
    --------
    >>> from foretide.data.reading.rows import lines, rows, rows_called
    >>> with rows_called(lines(range(2, 9))):
    ...     rows().name(0)
    'line 2'
    """
    token = _current.set(names)
    try:
        yield
    finally:
        _current.reset(token)
