"""What a person hands in where a panel is needed: a panel, or a frame that is read into one."""

from __future__ import annotations

import warnings
from os import PathLike
from typing import TYPE_CHECKING, cast

import narwhals as nw

from foretide.data.panel import Panel
from foretide.data.reading.checks import examine
from foretide.data.reading.frames import columns_of_index, open_frame
from foretide.data.reading.problems import DataWarning, raise_errors, warn
from foretide.data.reading.surveys import build, left_open, survey_long, survey_wide
from foretide.data.tables.form import Form
from foretide.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from foretide.data.reading.problems import Problem
    from foretide.typing import Frame

USUAL = {"id": "unique_id", "time": "ds", "target": "y"}
"""Names of columns that say what they are."""
GUESSES = ("guess", "roles", "future")
"""Kinds of problems that say what was guessed."""


def as_panel(data: Panel | Frame, like: Panel | None = None) -> Panel:
    """Return a panel as it is, and a frame as a panel.

    Parameters
    ----------
    data : Panel, pandas or polars data frame
    like : Panel, optional
        One whose frame had the same columns: its names, roles, frequency, zone and options of reading hold for this
        one. Without it ``unique_id``, ``ds`` and ``y`` are what they say, and all other roles are guessed.

    Returns
    -------
    Panel

    Raises
    ------
    DataError
        For what is neither, and for a frame with problems, all of them at once.

    Warns
    -----
    DataWarning
        Says which roles were guessed, and what to type to settle them.

    Examples
    --------
    >>> import pandas as pd
    >>> from foretide.data.reading.accept import as_panel
    >>> days = pd.date_range("2024-01-01", periods=3)
    >>> as_panel(pd.DataFrame({"unique_id": "a", "ds": days, "y": [3.0, 1.0, 4.0]}))
    Panel(1 entities x 1 targets; 3 rows, every D, 2024-01-01 00:00:00 to 2024-01-03 00:00:00)
    """
    if isinstance(data, Panel):
        return data
    if isinstance(data, (str, PathLike)):
        raise DataError(
            f"Expected a Panel or a data frame, got {type(data).__name__}. Type: foretide.Panel.read(path, ...)"
        )
    return _guessed(data) if like is None else _read_like(data, like)


def _guessed(frame: Frame) -> Panel:
    """Read a frame that nothing is known of."""
    known = {str(name) for name in open_frame(columns_of_index(frame, None, (), None)).columns}
    roles = {role: name if name in known else None for role, name in USUAL.items()}
    report, panel = examine(frame, {**roles, "past": None, "future": None, "static": None})
    typed = _typed(report.roles, melt=report.melt)
    _raise_with_options(report.problems, typed)
    warn(report.problems, stacklevel=4)
    guesses = [problem for problem in report.notes if problem.kind in GUESSES]
    if guesses:
        text = " ".join(map(str, guesses))
        warnings.warn(f"{text} To settle the roles, type: {typed}", DataWarning, stacklevel=4)
    return cast("Panel", panel)


def _raise_with_options(problems: Sequence[Problem], typed: str) -> None:
    """Raise the errors of a frame, and say where options of reading go."""
    try:
        raise_errors(problems)
    except DataError as error:
        end = "\n" if "\n" in str(error) else " "
        raise DataError(f"{error}{end}Roles and options are those of ft.Panel.from_frame: {typed}") from None


def _typed(roles: Mapping[str, Sequence[str]], *, melt: bool) -> str:
    """Return the call that reads a frame with these roles, without a guess."""
    given = {role: names[0] if len(names) == 1 else list(names) for role, names in roles.items() if names}
    wide = "id" not in given and len(roles.get("target", ())) > 1
    first = {} if wide or "id" in given else {"id": None}
    last = {"melt": True} if melt else {}
    shown = ", ".join(f"{name}={value!r}" for name, value in {**first, **given, **last}.items())
    return f"ft.Panel.from_{'wide' if wide else 'frame'}(frame, {shown})"


def _read_like(frame: Frame, like: Panel) -> Panel:
    """Read a frame as that of another panel was read."""
    names = like.names
    frame = columns_of_index(frame, names.time, (names.id,), None)
    known = {str(name) for name in open_frame(frame).columns}
    options: dict[str, object] = {**names.reading, "tz": like.grid.tz}
    if "resample" not in options:
        options["freq"] = like.grid.freq
    form = Form(time_format=names.time_format)
    options |= left_open(frame, names.time, cast("str | None", options.get("time_format")), form)
    roles: dict[str, tuple[str, ...]] = {"target": like.targets, "past": like.past, "future": like.future}
    melt = bool(names.melted) and names.id not in known
    if melt:
        roles["target"] = tuple(name for name in names.melted if name in known) or names.melted
        survey = survey_wide(frame, names.time, roles, {**options, "melt": True})
        ids: tuple[str, ...] = ()
    else:
        joined = (names.id,) if names.id in known else tuple(names.id.split("/"))
        ids = () if like.ids == ("",) else joined if set(joined) <= known else (names.id,)
        roles["static"] = like.static.names
        survey = survey_long(_with_targets(frame, like, known), ids or None, names.time, roles, options)
    _raise_with_options(survey.problems, _typed({"id": ids, "time": (names.time,), **roles}, melt=melt))
    # That a column is constant, or empty, in a further table is no news.
    survey.problems = [problem for problem in survey.problems if problem.kind != "constant"]
    return build(Panel, survey)


def _with_targets(frame: Frame, like: Panel, known: set[str]) -> Frame:
    """Return a table that brings columns known ahead alone with empty targets and past columns."""
    unknown = [*like.targets, *like.past]
    if not like.future or known & set(unknown) or not known >= set(like.future):
        return frame
    return open_frame(frame).with_columns(*(nw.lit(None, nw.Float64).alias(name) for name in unknown)).to_native()
