"""What is in a table in files: roles guessed from some of its rows, every problem; and files like those of a fit."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.opened.files import find_files
from foretide.data.opened.opening import REFUSED, open_quietly
from foretide.data.panel import Panel
from foretide.data.pieces import pieces, rows_of
from foretide.data.reading.frames import names_tuple, open_frame
from foretide.data.reading.guess import Guess, guess_roles
from foretide.data.reading.problems import ColumnFacts, Problem, ProblemsError, Report
from foretide.data.time.seasons import seasons_of
from foretide.errors import DataError

if TYPE_CHECKING:
    from foretide.data.opened.files import Files

ROLES = ("time", "target", "past", "future", "static")


def guess_in_files(
    path: str | os.PathLike[str], roles: Mapping[str, str | Sequence[str] | None]
) -> tuple[Files, Guess]:  # fmt: skip
    """Return the files of a table and the roles of its columns; those that are None are guessed from sixteen places.

    Parameters
    ----------
    path : path
        As for :meth:`foretide.Panel.open`.
    roles : mapping
        ``id, time, target, past, future, static`` -> column, columns or None.

    Returns
    -------
    Files, Guess

    Raises
    ------
    DataError
        Where there are no such files, or they seem to hold a column per series.
    """
    named = {role: None if columns is None else names_tuple(columns) for role, columns in roles.items()}
    (time,) = named.pop("time", None) or (None,)
    files = find_files(path)
    guess = guess_roles(open_frame(files.sample()), {"id": None, **named}, time, melt=False)
    if guess.melt:
        raise DataError(
            f"{path} seems to hold a column per series: {', '.join(guess.roles.target[:3])} …. Files that are opened "
            "have a row per series and time. Name the target: target='...'."
        )
    return files, guess


def examine_files(
    path: str | os.PathLike[str], roles: Mapping[str, str | Sequence[str] | None], options: Mapping[str, object]
) -> tuple[Report, Panel | None]:
    """Return what :func:`foretide.data.reading.checks.examine` does, of a table that is opened.

    Parameters
    ----------
    path, roles
        As for :func:`guess_in_files`.
    options : mapping
        As for :meth:`foretide.Panel.open`.

    Returns
    -------
    report : Report
        Its columns have no facts where there is an error.
    panel : Panel or None
        Where there is no error.
    """
    files, guess = guess_in_files(path, roles)
    named = {"id": guess.ids, **{role: names_tuple(getattr(guess.roles, role)) for role in ROLES}}
    shown = {role: names for role, names in named.items() if names}
    known = {role: getattr(guess.roles, role) for role in ROLES}
    try:
        panel, problems = open_quietly(Panel, path, guess.ids or None, known, None, options)
    except DataError as error:
        errors = error.problems if isinstance(error, ProblemsError) else (Problem("table", str(error)),)
        return Report(files.rows, 0, shown, problems=(*errors, *guess.notes)), None
    start, end = panel.grid.output_times([panel.first.min(), panel.last.max()])
    read = None if panel.origin is None else panel.origin.text()
    warned = [Problem("constant", text, severity="warning") for text in problems]
    return Report(
        files.rows, panel.n_entities, shown, panel.grid.freq, panel.grid.tz, start, end, seasons_of(panel.grid.freq),
        column_facts(panel), (*warned, *guess.notes), read=read,
    ), panel  # fmt: skip


def column_facts(panel: Panel) -> tuple[ColumnFacts, ...]:
    """Return what is in every column of a panel, piece by piece.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    tuple of ColumnFacts

    Examples
    --------
    >>> import foretide as ft
    >>> from foretide.data.opened.looking import column_facts
    >>> print(column_facts(ft.synthetic.hourly(T=48, n_series=1).panel)[0].missing)
    0
    """
    c = len(panel.columns)
    count, total = np.zeros(c, np.int64), np.zeros(c)
    low, high = np.full(c, np.nan), np.full(c, np.nan)
    for piece in pieces(panel.length, 8 * c):
        values = rows_of(panel, piece.start, piece.stop)
        count += np.count_nonzero(~np.isnan(values), axis=0)
        total += np.nansum(values, axis=0, dtype=np.float64)
        low, high = np.fmin(low, np.fmin.reduce(values)), np.fmax(high, np.fmax.reduce(values))
    named = (("target", panel.targets), ("past", panel.past), ("future", panel.future))
    roles = {name: role for role, names in named for name in names}
    rows, found = int(panel.length.sum()), []
    for k, name in enumerate(panel.columns):
        missing = rows - int(count[k])
        if name in panel.categories or not count[k]:
            found.append(ColumnFacts(name, roles[name], missing, labels=panel.categories.get(name, ())))
        else:
            mean = float(total[k] / count[k])
            found.append(ColumnFacts(name, roles[name], missing, float(low[k]), mean, float(high[k])))
    return tuple(found)


def open_like(path: str | os.PathLike[str], like: Panel, options: Mapping[str, object]) -> Panel:
    """Open files of the columns that another panel was made of: its names, roles and frequency hold.

    Parameters
    ----------
    path : path
        As for :meth:`foretide.Panel.open`.
    like : Panel
    options : mapping
        Of reading; they go before those of the other panel.

    Returns
    -------
    Panel

    Raises
    ------
    DataError
        As in :meth:`foretide.Panel.open`.
    """
    names, known = like.names, find_files(path).columns
    ids = None if like.ids == ("",) else names.id if names.id in known else names.id.split("/")
    roles = {
        "time": names.time, "target": like.targets, "past": like.past, "future": like.future,
        "static": like.static.names if ids else (),
    }  # fmt: skip
    form = {} if names.time_format is None else {"time_format": names.time_format}
    reading = {name: value for name, value in names.reading.items() if name not in REFUSED}
    return open_quietly(Panel, path, ids, roles, None, {"freq": like.grid.freq, **form, **reading, **options})[0]
