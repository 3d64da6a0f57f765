"""What is in a frame: roles guessed, frequency, seasons, and every problem at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from foretide.data.frames import open_frame, read_table
from foretide.data.guess import guess_roles
from foretide.data.problems import DataWarning, Problem, Report, raise_errors
from foretide.data.roles import Options
from foretide.data.survey import survey

__all__ = ["DataWarning", "Problem", "Report", "guess_roles", "inspect", "raise_errors"]


def inspect(
    data: Any,
    *,
    id: str | Sequence[str] | None = None,
    time: str | None = None,
    target: str | Sequence[str] | None = None,
    past: str | Sequence[str] | None = None,
    future: str | Sequence[str] | None = None,
    static: str | Sequence[str] | None = None,
    sep: str = ",",
    decimal: str = ".",
    **options: Any,
) -> Report:
    """Look at a frame or file and return what is in it and what is wrong, without raising for problems of the data.

    Parameters
    ----------
    data : pandas or polars data frame, or path of a CSV or Parquet file
    id, time, target, past, future, static : str or sequence of str, optional
        Roles; those not given are guessed, and a note says so. An empty one is given.
    sep, decimal : str
        Of a CSV file.
    **options
        As in :func:`foretide.data.reading.from_frame`.

    Returns
    -------
    Report
    """
    ids = _names(id)
    if isinstance(data, (str, PathLike)):
        data = read_table(Path(data), text=ids or ("unique_id",), sep=sep, decimal=decimal)
    table = open_frame(data)
    given = {"target": _names(target), "past": _names(past), "future": _names(future), "static": _names(static)}
    chosen = Options(**options)
    guess = guess_roles(table, id=ids, time=time, melt=chosen.melt, time_format=chosen.time_format, **given)
    found = survey(data, guess.roles, replace(chosen, melt=guess.melt))
    found.problems += guess.notes
    return found.report()


def _names(given: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(given)
