"""What is in a frame: roles guessed, frequency, seasons, and every problem at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Unpack

from foretide.data.panel import Panel
from foretide.data.reading.frames import columns_of_index, join_ids, names_tuple, open_frame
from foretide.data.reading.guess import Guess, guess_roles
from foretide.data.reading.options import FileOptions, Options
from foretide.data.reading.problems import DataWarning, Problem, Report, raise_errors
from foretide.data.reading.rows import rows, rows_called, rows_of
from foretide.data.reading.survey import Survey, survey_of
from foretide.data.reading.surveys import panel_of
from foretide.data.reading.upright import stand_up
from foretide.data.tables.reader import Table, read_table
from foretide.text import phrase
from foretide.typing import Frame

__all__ = ["DataWarning", "Problem", "Report", "examine", "inspect", "raise_errors"]


def inspect(
    data: Frame | str | PathLike[str],
    *,
    id: str | Sequence[str] | None = None,
    time: str | None = None,
    target: str | Sequence[str] | None = None,
    past: str | Sequence[str] | None = None,
    future: str | Sequence[str] | None = None,
    static: str | Sequence[str] | None = None,
    **options: Unpack[FileOptions],
) -> Report:
    """Look at a frame or file and return what is in it and what is wrong, without raising for problems of the data.

    Parameters
    ----------
    data : pandas or polars data frame, or path of a CSV or Parquet file
    id, time, target, past, future, static : str or sequence of str, optional
        Roles; those not given are guessed, and a note says so. An empty one is given.
    **options
        As in :meth:`foretide.Panel.from_frame`, and for files as in :meth:`foretide.Panel.read`.

    Returns
    -------
    Report

    Examples
    --------
    >>> from foretide.data.reading.checks import inspect
    >>> import pandas as pd
    >>> report = inspect(pd.DataFrame({"day": ["2024-01-01", "2024-01-02", "2024-01-04"], "sold": [3, 1, 4]}))
    >>> report.freq, report.problems[0].message
    ('D', '1 step of D is missing, first at 2024-01-03 00:00:00.')
    """
    roles = {"id": id, "time": time, "target": target, "past": past, "future": future, "static": static}
    return examine(data, roles, **options)[0]


def examine(
    data: Frame | str | PathLike[str], roles: Mapping[str, str | Sequence[str] | None], **options: Unpack[FileOptions]
) -> tuple[Report, Panel | None]:
    """Return what :func:`inspect` does, and the panel where there is no error.

    Parameters
    ----------
    data, roles, options
        As for :func:`inspect`; roles by name.

    Returns
    -------
    report : Report
    panel : Panel or None
    """
    found = look_through(data, roles, options)
    return found.report, found.panel


@dataclass(frozen=True, eq=False)
class Examined:
    """A table that was looked through.

    Attributes
    ----------
    report : Report
    panel : Panel or None
        Where there is no error.
    frame : pandas or polars data frame
        The table with the index as columns, a row per series and step, identifiers as they are written.
    ids : tuple of str
        Columns that name the entity together.
    from_text : bool
        Whether it was read from a text file, in which all cells are text.
    """

    report: Report
    panel: Panel | None
    frame: Frame
    ids: tuple[str, ...]
    from_text: bool


def look_through(
    data: Frame | str | PathLike[str], roles: Mapping[str, str | Sequence[str] | None], options: FileOptions,
    *, tolerant: bool = False,
) -> Examined:  # fmt: skip
    """Read a table of any shape, guess the roles that are not given, and list what is wrong.

    Parameters
    ----------
    data, roles, options
        As for :func:`inspect`; roles by name.
    tolerant : bool
        Whether rows that are alike in every column with a role count once, and series without an observed target are
        read; both are errors otherwise.

    Returns
    -------
    Examined
    """
    checked, file = Options(**options).checked(), None
    named = {role: None if columns is None else names_tuple(columns) for role, columns in roles.items()}
    (time,) = named.pop("time", None) or (None,)
    ids = named["id"] or ("unique_id",)
    if isinstance(data, (str, PathLike)):
        file = read_table(data, text=ids if time is None else (*ids, time), preset=checked.form)
        data, checked = file.frame, replace(checked, sep=file.origin.form.sep)
    frame = columns_of_index(data, time, ids, None)
    with rows_called(rows_of(frame) if file is None else file.rows):
        return _looked_through(frame, file, {**named, "time": (time,) if time else None}, checked, tolerant)


def _looked_through(
    frame: Frame, file: Table | None, named: dict[str, tuple[str, ...] | None], checked: Options, tolerant: bool
) -> Examined:
    """Do what :func:`look_through` does with a frame whose index is columns."""
    (time,), ids = named.pop("time") or (None,), named["id"] or ("unique_id",)
    target = (named["target"] or ("y",))[0]
    frame, steps, own = stand_up(frame, time or "ds", target)
    guess = guess_roles(open_frame(frame), named, time, melt=checked.melt, form=checked.form)
    if file is not None:  # as Panel.read does: names and times keep their text
        frame = columns_of_index(file.with_text((*guess.ids, guess.roles.time)).frame, time, ids, None)
        frame, _, own = stand_up(frame, guess.roles.time, target)
    joined, one = join_ids(frame, guess.ids)
    named_once, reading = replace(guess.roles, id=one), replace(checked, melt=guess.melt)
    with rows_called(own):
        survey = survey_of(joined, named_once, reading)
        if tolerant:
            survey = _tolerated(survey, joined)
    survey.problems += guess.notes
    if steps:
        text = f"Every row is a series: columns {steps[0]!r} to {steps[-1]!r} are its steps, named {guess.roles.time!r}"
        survey.problems.append(Problem("guess", f"{text} and {target!r} here.", severity="note"))
    origin = None if file is None else file.origin.with_times(survey.time_format)
    doubts = guess.doubts if file is None else file.doubts
    _add_doubts(survey, guess, doubts, always=file is not None, is_given=named["target"] is not None)
    report = survey.report()
    shown = {**report.roles, **({"id": guess.ids} if guess.ids else {})}
    report = replace(report, roles=shown, read=None if origin is None else origin.text())
    panel = panel_of(Panel, survey, origin) if report.ok else None
    return Examined(report, panel, frame, guess.ids, file is not None and bool(file.cells))


def _add_doubts(survey: Survey, guess: Guess, doubts: Mapping[str, Problem], *, always: bool, is_given: bool) -> None:
    """Add why columns without a role, which look like numbers, cannot be read; instead of what follows from it."""
    targets = guess.roles.target
    used = {*guess.ids, *(name for _, name in guess.roles.named())}
    unused = {name: problem for name, problem in doubts.items() if name not in used}
    if not unused or is_given or not (always or not targets):
        survey.problems += [replace(problem, severity="note") for problem in unused.values() if always]
        return
    survey.problems = [
        problem for problem in survey.problems
        if problem.kind != "target" and not (problem.kind == "roles" and problem.column in unused)
    ]  # fmt: skip
    survey.problems += [_beside(problem, targets) for problem in unused.values()]


def _tolerated(survey: Survey, frame: Frame) -> Survey:
    """Return a survey with series without a target as a note, and without rows that only say the same twice."""
    if any(problem.kind == "duplicate" for problem in survey.problems):
        named = survey.named or survey.roles
        table, place = open_frame(frame), "\0row"
        once = table.with_row_index(place).unique(
            subset=[name for _, name in named.named()], keep="first", maintain_order=True
        )
        with rows_called(rows().taken(once[place].to_numpy().__getitem__)):
            again = survey_of(once.drop(place).to_native(), named, survey.options)
        if all(problem.kind != "duplicate" for problem in again.problems):
            text = f"{phrase('row', survey.rows - len(once))} said the same again: each counts once."
            again.problems.append(Problem("duplicate", text, severity="note"))
            survey = again
    survey.problems = [
        replace(problem, fix="It is left out.", severity="note") if problem.kind == "unobserved" else problem
        for problem in survey.problems
    ]
    return survey


def _beside(problem: Problem, targets: tuple[str, ...]) -> Problem:
    """Return a problem of a column that might be the target that is meant, beside what was taken for it."""
    if not targets:
        return problem
    named = targets[0] if len(targets) == 1 else list(targets)
    return replace(problem, fix=f"{problem.fix} Or do without it: target={named!r}.")
