"""What is in a frame: roles guessed, frequency, seasons, and every problem at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from foretide.data.frames import join_ids, open_frame, read_table
from foretide.data.guess import guess_roles
from foretide.data.panel import Panel
from foretide.data.problems import DataWarning, Problem, Report, raise_errors
from foretide.data.reading import panel_of
from foretide.data.roles import Options
from foretide.data.survey import survey

__all__ = ["DataWarning", "Problem", "Report", "examine", "inspect", "raise_errors"]


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
    report, _ = examine(
        data, id=id, time=time, target=target, past=past, future=future, static=static, sep=sep, decimal=decimal,
        **options,
    )  # fmt: skip
    return report


def examine(
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
) -> tuple[Report, Panel | None]:
    """Return what :func:`inspect` does, and the panel where there is no error."""
    ids = _names(id)
    if isinstance(data, (str, PathLike)):
        data = read_table(Path(data), text=ids or ("unique_id",), sep=sep, decimal=decimal)
    given = {"target": _names(target), "past": _names(past), "future": _names(future), "static": _names(static)}
    chosen = Options(**options)
    guess = guess_roles(open_frame(data), id=ids, time=time, melt=chosen.melt, time_format=chosen.time_format, **given)
    one_id = guess.ids[0] if guess.ids else None
    if len(guess.ids) > 1:
        data, one_id = join_ids(data, guess.ids)
    found = survey(data, replace(guess.roles, id=one_id), replace(chosen, melt=guess.melt))
    found.problems += guess.notes
    report = found.report()
    if guess.ids:
        report = replace(report, roles={**report.roles, "id": guess.ids})
    return report, panel_of(found) if report.ok else None


def _names(given: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(given)
