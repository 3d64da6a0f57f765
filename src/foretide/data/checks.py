"""What is in a frame: roles guessed, frequency, seasons, and every problem at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pandas as pd

from foretide.data.frames import codes_of, columns_of_index, is_number, join_ids, open_frame, strings
from foretide.data.problems import DataWarning, Problem, Report, raise_errors
from foretide.data.roles import Options, Roles
from foretide.data.survey import survey
from foretide.data.tables.reader import read_table
from foretide.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DataWarning", "Problem", "Report", "guess_roles", "inspect", "raise_errors"]

_IDS = ("unique_id", "id", "series", "series_id", "item_id", "item", "entity", "sensor", "store", "sku", "key", "name")
_TIMES = ("ds", "date", "time", "datetime", "date_time", "timestamp", "day", "month", "period", "index", "t")
_TARGETS = ("y", "target", "value", "ot", "demand", "sales", "load", "users", "quantity", "count", "price", "volume")
_AHEAD = (
    "holiday",
    "is_holiday",
    "workingday",
    "working_day",
    "weekday",
    "weekend",
    "dayofweek",
    "hour",
    "day",
    "month",
    "quarter",
    "year",
    "promo",
    "promotion",
    "event",
    "school_holiday",
)
_LOOKED_AT = 200


def inspect(
    data: Any,
    *,
    id: str | Sequence[str] | None = None,
    time: str | None = None,
    target: str | Sequence[str] | None = None,
    past: str | Sequence[str] | None = None,
    future: str | Sequence[str] | None = None,
    static: str | Sequence[str] = (),
    **options: Any,
) -> Report:
    """Look at a frame or file and return what is in it and what is wrong, without raising for problems of the data.

    Parameters
    ----------
    data : pandas or polars data frame, or path of a CSV or Parquet file
    id, time, target, past, future : optional
        Roles; those not given are guessed, and a note says so.
    static : str or sequence of str
    **options
        As in :func:`foretide.data.reading.from_frame`, and for files as in :func:`foretide.data.reading.read`.

    Returns
    -------
    Report
    """
    checked, read, doubts = Options(**options), None, {}
    ids = _names(id) or ("unique_id",)
    if isinstance(data, (str, PathLike)):
        file = read_table(data, text=ids if time is None else (*ids, time), given=checked.form)
        data, read, doubts = file.frame, file.text(checked.time_format), file.doubts
        checked = replace(checked, sep=file.form.sep)
    data = columns_of_index(data, time, ids, None)
    data, one = join_ids(data, ids) if len(ids) > 1 else (data, ids[0] if id else None)
    table = open_frame(data)
    static = _names(static) or ()
    given = {"target": _names(target), "past": _names(past), "future": _names(future)}
    roles, notes = guess_roles(table, id=one, time=time, static=static, **given)
    found = survey(data, roles, checked)
    named = {name for _, name in roles.named()}
    found.problems += notes + [problem for name, problem in doubts.items() if name not in named]
    return replace(found.report(), read=read)


def guess_roles(
    table: nw.DataFrame[Any],
    *,
    id: str | None,
    time: str | None,
    target: tuple[str, ...] | None,
    past: tuple[str, ...] | None,
    future: tuple[str, ...] | None,
    static: tuple[str, ...],
) -> tuple[Roles, list[Problem]]:
    """Return the roles of all columns, guessing those that are None, with notes on what was guessed or left out."""
    columns = [str(c) for c in table.columns]
    taken = {c for c in (id, time, *(target or ()), *(past or ()), *(future or ()), *static) if c is not None}
    notes: list[Problem] = []
    if time is None:
        time = _guess_time(table, [c for c in columns if c not in taken])
        taken.add(time)
        notes.append(_guessed("time", time))
    if id is None:
        id = _guess_id(table, time, [c for c in columns if c not in taken])
        if id is not None:
            taken.add(id)
            notes.append(_guessed("id", id))
    free = [c for c in columns if c not in taken]
    numeric = [c for c in free if is_number(table[c])]
    if target is None:
        target = _guess_target(numeric)
        notes += [_guessed("target", *target)] if target else []
        numeric = [c for c in numeric if c not in target]
    if future is None:
        future = tuple(c for c in numeric if c.lower() in _AHEAD)
        notes += [_guessed("future", *future)] if future else []
        numeric = [c for c in numeric if c not in future]
    if past is None:
        past = tuple(numeric)
        notes += [_guessed("past", *past)] if past else []
    for name in free:
        if name not in (*target, *past, *future):
            text = f"Column {name!r} has no role{'' if is_number(table[name]) else ' (it holds no numbers)'}."
            notes.append(Problem("roles", text, "It is left out.", column=name, severity="note"))
    return Roles(id, time, target, past, future, static), notes


def _names(given: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(given)


def _guessed(role: str, *names: str) -> Problem:
    return Problem("guess", f"Guessed {role}: {', '.join(names)}.", column=names[0], severity="note")


def _guess_time(table: nw.DataFrame[Any], free: list[str]) -> str:
    """Return the column most likely to hold times: by type, then by readable text, then by name."""
    for name in free:
        if table[name].dtype in (nw.Datetime, nw.Date) or isinstance(table[name].dtype, nw.Datetime):
            return name
    for name in free:
        if not is_number(table[name]) and _reads_as_time(table[name].head(_LOOKED_AT)):
            return name
    by_name = _first_named(_TIMES, free)
    if by_name is None:
        raise DataError(f"No column looks like a time among {', '.join(map(str, table.columns))}. Type: time='...'")
    return by_name


def _reads_as_time(series: nw.Series[Any]) -> bool:
    text = strings(series).dropna().astype(str)
    parsed = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    return len(text) > 0 and bool(parsed.notna().mean() > 0.5)


def _guess_id(table: nw.DataFrame[Any], time: str, free: list[str]) -> str | None:
    """Return a column that tells rows of the same time apart; None when times do not repeat."""
    by_name = _first_named(_IDS, free)
    if time not in table.columns:
        return by_name
    times, _ = codes_of(table[time])
    if len(np.unique(times)) == len(times):
        return by_name if by_name == "unique_id" else None
    candidates = [c for c in (by_name, *(c for c in free if not is_number(table[c]))) if c is not None]
    for name in dict.fromkeys(candidates):
        if _tells_apart(codes_of(table[name])[0], times):
            return name
    return by_name


def _tells_apart(codes: NDArray[np.int64], times: NDArray[np.int64]) -> bool:
    pairs = codes * (times.max() + 1) + times
    return len(np.unique(pairs)) == len(pairs)


def _guess_target(numeric: list[str]) -> tuple[str, ...]:
    named = _first_named(_TARGETS, numeric)
    if named is not None:
        return (named,)
    ordinary = [c for c in numeric if c.lower() not in _AHEAD]
    return (ordinary[-1],) if ordinary else tuple(numeric[-1:])


def _first_named(known: Sequence[str], free: list[str]) -> str | None:
    lowered = {c.lower(): c for c in reversed(free)}
    return next((lowered[name] for name in known if name in lowered), None)
