"""Problems of the data: what is wrong, where first, how often, and the fix."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from foretide.data.reading.rows import rows
from foretide.errors import DataError
from foretide.text import phrase
from foretide.typing import Array, Bools, Ints

Moment: TypeAlias = pd.Timestamp | int
"""A time as the user knows it."""
Severity = Literal["error", "warning", "note"]
_SERIES_NAMED = 3
_PROBLEMS_NAMED = 40
_LABELS_NAMED = 6


class DataWarning(UserWarning):
    """The data can be used, and are probably not what was meant."""


@dataclass(frozen=True)
class Problem:
    """One finding about the data.

    Attributes
    ----------
    kind : str
        A short name: ``missing``, ``infinite``, ``duplicate``, ``gap``, ``irregular``,
        ``text`` (of numbers that cannot be read), ``words``, ``short`` ….
    message : str
        What was found, complete with its place.
    fix : str
        What to type or to do.
    entity, column : str or None
        Where; None when it concerns all.
    time : Timestamp, int or None
        First offending time, as the user knows it.
    count : int
        How many cells, rows or steps in this place.
    severity : {"error", "warning", "note"}
    """

    kind: str
    message: str
    fix: str = ""
    entity: str | None = None
    column: str | None = None
    time: Moment | None = None
    count: int = 1
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.message} {self.fix}".rstrip()


class ProblemsError(DataError):
    """The data cannot be used as they are, for these reasons.

    Attributes
    ----------
    problems : tuple of Problem
        Of severity "error".
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


@dataclass(frozen=True)
class ColumnFacts:
    """What is in one column: its role, missing cells, smallest, mean and largest value; of text, its labels."""

    name: str
    role: str
    missing: int
    low: float = np.nan
    mean: float = np.nan
    high: float = np.nan
    labels: tuple[str, ...] = ()

    def __str__(self) -> str:
        held = f"{self.low:g} to {self.high:g}, mean {self.mean:g}"
        if self.labels:
            held = f"text, {phrase('category|categories', len(self.labels))}: {', '.join(self.labels[:_LABELS_NAMED])}"
            held += ", …" if len(self.labels) > _LABELS_NAMED else ""
        return f"{self.name} ({self.role}): {held}, {self.missing} missing"


@dataclass(frozen=True)
class Report:
    """What a frame holds and what is wrong with it.

    Attributes
    ----------
    rows, entities : int
    roles : dict of str to tuple of str
        ``id``, ``time``, ``target``, ``past``, ``future``, ``static``.
    freq : str, int or None
        None where none could be found.
    tz : str or None
    start, end : Timestamp, int or None
    seasons : tuple of int
        What the frequency suggests, in steps.
    columns : tuple of ColumnFacts
    problems : tuple of Problem
        Errors first, then warnings, then notes.
    melt : bool
        Whether every target column is a series of its own.
    read : str or None
        How a file was read, in one line.
    """

    rows: int
    entities: int
    roles: dict[str, tuple[str, ...]]
    freq: str | int | None = None
    tz: str | None = None
    start: Moment | None = None
    end: Moment | None = None
    seasons: tuple[int, ...] = ()
    columns: tuple[ColumnFacts, ...] = ()
    problems: tuple[Problem, ...] = field(default=())
    melt: bool = False
    read: str | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Problems that keep the data from being used."""
        return tuple(p for p in self.problems if p.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Problems that do not."""
        return tuple(p for p in self.problems if p.severity == "warning")

    @property
    def notes(self) -> tuple[Problem, ...]:
        """What was put right or is worth knowing."""
        return tuple(p for p in self.problems if p.severity == "note")

    @property
    def ok(self) -> bool:
        """Whether the data can be used as they are."""
        return not self.errors

    def to_text(self) -> str:
        """Return the report as plain text of a few lines.

        Returns
        -------
        str
        """
        first = f"{self.rows} rows, {self.entities} series, every {self.freq or '?'}, {self.start} to {self.end}"
        lines = [self.read] if self.read else []
        lines.append(first + (f" ({self.tz})" if self.tz else ""))
        lines += [f"{role}: {', '.join(names)}" for role, names in self.roles.items() if names]
        if self.seasons:
            lines.append(f"seasons to expect: {', '.join(map(str, self.seasons))} steps")
        lines += [f"  {column}" for column in self.columns]
        if not self.problems:
            lines.append("No problem found.")
        lines += [f"{p.severity}: {p}" for p in self.problems]
        return "\n".join(lines)


def raise_errors(problems: Sequence[Problem]) -> None:
    """Raise one DataError that lists every problem of severity error.

    Parameters
    ----------
    problems : sequence of Problem
    """
    errors = [p for p in problems if p.severity == "error"]
    if not errors:
        return
    if len(errors) == 1:
        raise ProblemsError(str(errors[0]), errors)
    lines = [f"  {k}. {p}" for k, p in enumerate(errors[:_PROBLEMS_NAMED], start=1)]
    if len(errors) > _PROBLEMS_NAMED:
        lines.append(f"  ... and {len(errors) - _PROBLEMS_NAMED} more of these kinds.")
    raise ProblemsError(f"{len(errors)} problems in the data:\n" + "\n".join(lines), errors)


def warn(problems: Sequence[Problem], stacklevel: int = 3) -> None:
    """Issue one DataWarning that lists every problem of severity warning.

    Parameters
    ----------
    problems : sequence of Problem
    stacklevel : int
        As for :func:`warnings.warn`, from the caller.
    """
    found = [str(p) for p in problems if p.severity == "warning"]
    if found:
        warnings.warn("\n".join(found), DataWarning, stacklevel=stacklevel + 1)


@dataclass(frozen=True)
class Place:
    """Entity and time of every row, to say where a problem lies.

    Attributes
    ----------
    ids : tuple of str
    codes : int array ``[R]``
        Position of each row's entity in ``ids``.
    times : int64 array ``[R]``
        Nanoseconds since 1970 (UTC where a ``tz`` is set), or integer times.
    integer : bool
    tz : str or None
    """

    ids: tuple[str, ...]
    codes: Ints
    times: Ints
    integer: bool = False
    tz: str | None = None

    def time(self, row: int) -> Moment:
        """Return a row's time as the user knows it.

        Parameters
        ----------
        row : int

        Returns
        -------
        Timestamp or int
        """
        return show(int(self.times[row]), self.integer, self.tz)

    def take(self, rows: Ints | Bools) -> Place:
        """Return the place of some rows.

        Parameters
        ----------
        rows : bool array ``[R]`` or int array

        Returns
        -------
        Place
        """
        return Place(self.ids, self.codes[rows], self.times[rows], self.integer, self.tz)


def show(time: int, integer: bool, tz: str | None) -> Moment:
    """Return a time as the user knows it.

    Parameters
    ----------
    time : int
        An integer time, or nanoseconds since 1970.
    integer : bool
    tz : str or None

    Returns
    -------
    Timestamp or int
    """
    if integer:
        return int(time)
    stamp = pd.Timestamp(int(time))
    return stamp if tz is None else stamp.tz_localize("UTC").tz_convert(tz)


def located(
    kind: str,
    rows: Array,
    place: Place,
    what: str,
    fix: str,
    *,
    column: str | None = None,
    severity: Severity = "error",
    weights: Ints | None = None,
) -> list[Problem]:
    """Return one problem per offending entity, at most three; the last one tells how many more there are.

    Parameters
    ----------
    kind : str
    rows : bool array ``[R]`` or int array
        The offending rows, in order of entity and time.
    place : Place
        Of all rows.
    what : str
        What they are, singular and plural: ``"missing value|missing values"``.
    fix : str
        What to do.
    column : str, optional
    severity : {"error", "warning", "note"}
    weights : int array, optional
        How much each offending row counts.

    Returns
    -------
    list of Problem
    """
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows
    if not len(rows):
        return []
    entities, starts = np.unique(place.codes[rows], return_index=True)
    counts = np.add.reduceat(np.ones(len(rows), np.int64) if weights is None else weights, starts)
    others, problems = len(entities) - _SERIES_NAMED, []
    for k, (entity, start) in enumerate(zip(entities[:_SERIES_NAMED], starts, strict=False)):
        time, name, count = place.time(int(rows[start])), place.ids[entity], int(counts[k])
        message = sentence(f"{where(name, column)}{phrase(what, count)}, first at {time}.")
        if k == _SERIES_NAMED - 1 and others > 0:
            message += f" ({others} more series have this problem too; {int(counts.sum())} in all.)"
        problems.append(Problem(kind, message, fix, name or None, column, time, count, severity))
    return problems


def in_column(
    kind: str, name: str, wrong: Bools, what: str, fix: str = "", *, show: Callable[[int], str] | None = None,
    but: str = ",",
) -> list[Problem]:  # fmt: skip
    """Return one problem for the wrong rows of a column, none where none is wrong.

    Parameters
    ----------
    kind, name : str
        Of the problem, and of the column.
    wrong : bool array ``[R]``
    what : str
        What they are, singular and plural: ``"row has no time|rows have no time"``.
    fix : str
        What to do.
    show : callable, optional
        What stands in a row, in words.
    but : str
        Stands between what they are and the first of them.

    Returns
    -------
    list of Problem

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.reading.problems import in_column
    >>> str(in_column("time", "ds", np.array([False, True]), "row has no time|rows have no time")[0])
    "Column 'ds': 1 row has no time, the first is row 1."
    """
    if not wrong.any():
        return []
    row, n = int(np.argmax(wrong)), int(wrong.sum())
    called = rows().name(row)
    first = called if show is None else f"{show(row)} in {called}"
    return [Problem(kind, f"Column {name!r}: {phrase(what, n)}{but} the first is {first}.", fix, column=name, count=n)]


def where(entity: str, column: str | None) -> str:
    """Return where a problem lies, with the parts that are known.

    Parameters
    ----------
    entity : str
        Empty where it is not known.
    column : str or None

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.data.reading.problems import where
    >>> where("a", "y"), where("", None)
    ("Series 'a', column 'y': ", '')
    """
    parts = [f"series {entity!r}"] if entity else []
    parts += [f"column {column!r}"] if column else []
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}: " if text else ""


def sentence(text: str) -> str:
    """Return the text with a capital letter in front.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return text[:1].upper() + text[1:]
