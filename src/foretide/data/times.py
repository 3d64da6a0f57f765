"""Times of a frame: parsed, put into one zone, and onto a regular grid."""

from __future__ import annotations

import re
import warnings
import zoneinfo
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pandas as pd

from foretide.data.frames import strings
from foretide.data.problems import Problem, phrase
from foretide.errors import ConfigError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ZONE = r"\d:\d\d.*(?:[zZ]|[+-]\d\d(?::?\d\d)?)$"
_OFFSET = re.compile(r"[+-]\d\d:?\d\d$")


@dataclass(frozen=True)
class Times:
    """Parsed times of all rows.

    Attributes
    ----------
    values : int64 array ``[R]``
        Nanoseconds since 1970, in UTC when ``aware``; or integer times.
    bad : bool array ``[R]``
        Rows without a usable time.
    integer, aware : bool
    tz : str or None
        Zone the times came in.
    problems : list of Problem
    """

    values: NDArray[np.int64]
    bad: NDArray[np.bool_]
    integer: bool = False
    aware: bool = False
    tz: str | None = None
    problems: list[Problem] = field(default_factory=list)


def check_zone(tz: str | None) -> None:
    """Raise a ConfigError that names the nearest zone when a zone is not known."""
    if tz is None or tz == "UTC":
        return
    try:
        pd.Timestamp(0, tz="UTC").tz_convert(tz)
    except (KeyError, ValueError, OSError) as error:
        known = sorted(zoneinfo.available_timezones())
        hint = nearest(tz, known)
        hint = hint if hint.startswith("Did") else "Name one such as 'Europe/Berlin' or 'UTC'."
        raise ConfigError(f"{tz!r} is not a known time zone. {hint}") from error


def parse_times(series: nw.Series[Any], time_format: str | None = None) -> Times:
    """Return the times of a column of datetimes, dates, text or integers."""
    name = str(series.name)
    dtype = series.dtype
    if dtype.is_integer() and time_format is None:
        return _integers(series, name)
    if dtype.is_float():
        return _whole_floats(series, name)
    column = strings(series)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        zone = str(column.dt.tz)
        return _missing(_nanoseconds(column.dt.tz_convert("UTC").dt.tz_localize(None)), name, aware=True, tz=zone)
    if pd.api.types.is_datetime64_dtype(column.dtype):
        return _missing(_nanoseconds(column), name)
    return _text(column, name, time_format)


def _nanoseconds(column: pd.Series[Any]) -> NDArray[np.int64]:
    return np.asarray(column.to_numpy().astype("datetime64[ns]")).view(np.int64)


def _missing(values: NDArray[np.int64], name: str, *, aware: bool = False, tz: str | None = None) -> Times:
    bad = values == np.iinfo(np.int64).min
    return Times(values, bad, aware=aware, tz=tz, problems=_no_time(bad, name))


def _no_time(bad: NDArray[np.bool_], name: str) -> list[Problem]:
    if not bad.any():
        return []
    row, n = int(np.argmax(bad)), int(bad.sum())
    return [
        Problem(
            "time",
            f"Column {name!r}: {phrase('row has|rows have', n)} no time, the first is row {row}.",
            "Fill it in, or drop them.",
            column=name,
            count=n,
        )
    ]


def _integers(series: nw.Series[Any], name: str) -> Times:
    bad = np.asarray(series.is_null().to_numpy(), dtype=bool)
    values = np.asarray(series.fill_null(0).to_numpy()).astype(np.int64)
    problems = _no_time(bad, name)
    if len(values) and _looks_like_dates(values):
        problems.append(
            Problem(
                "time",
                f"Column {name!r}: whole numbers that look like dates, such as {int(values[0])}.",
                "Type: time_format='%Y%m%d'.",
                column=name,
            )
        )
    return Times(values, bad, integer=True, problems=problems)


def _looks_like_dates(values: NDArray[np.int64]) -> bool:
    if values.min() < 19000101 or values.max() > 21001231:
        return False
    month, day = values // 100 % 100, values % 100
    return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())


def _whole_floats(series: nw.Series[Any], name: str) -> Times:
    values = np.asarray(series.cast(nw.Float64).fill_null(float("nan")).to_numpy())
    bad = ~np.isfinite(values)
    whole = np.where(bad, 0, values)
    problems = _no_time(bad, name)
    if (whole != np.round(whole)).any():
        row = int(np.argmax(whole != np.round(whole)))
        problems.append(
            Problem(
                "time",
                f"Column {name!r}: times are fractions, such as {whole[row]:g} in row {row}.",
                "Give datetimes, or count the steps in whole numbers.",
                column=name,
            )
        )
    return Times(whole.astype(np.int64), bad, integer=True, problems=problems)


def _text(column: pd.Series[Any], name: str, time_format: str | None) -> Times:
    empty = np.asarray(column.isna())
    text = column.astype(str).str.strip()
    parsed = pd.to_datetime(text, format=time_format or "ISO8601", utc=True, errors="coerce")
    values = _nanoseconds(parsed.dt.tz_localize(None))
    bad = values == np.iinfo(np.int64).min
    problems = _no_time(empty, name) + _unparsable(column, bad & ~empty, name, time_format)
    aware, tz = False, None
    usable = ~bad
    if time_format is not None:
        zoned = np.full(len(bad), "%z" in time_format or "%Z" in time_format)
    else:
        zoned = np.asarray(text.str.contains(_ZONE, regex=True, na=False), dtype=bool)
    if usable.any() and zoned[usable].any():
        aware, tz = True, _zone_of(text[usable & zoned])
        if not zoned[usable].all():
            without = usable & ~zoned
            row = int(np.argmax(without))
            problems.append(
                Problem(
                    "zone",
                    f"Column {name!r}: {phrase('time has|times have', int(without.sum()))} no time zone while the "
                    f"others have one; the first is {text[row]!r} in row {row}.",
                    "Write every time with its zone (such as 2024-01-31T06:00:00Z), or none.",
                    column=name,
                    count=int(without.sum()),
                )
            )
    return Times(values, bad, aware=aware, tz=tz, problems=problems)


def _zone_of(text: pd.Series[Any]) -> str:
    """Return the one offset that all times share, or UTC."""
    first = str(text.iloc[0])
    found = _OFFSET.search(first)
    if not found or not bool(text.str.endswith(found.group()).all()):
        return "UTC"
    offset = found.group() if ":" in found.group() else f"{found.group()[:3]}:{found.group()[3:]}"
    return "UTC" if offset[1:] == "00:00" else offset


def _unparsable(column: pd.Series[Any], bad: NDArray[np.bool_], name: str, given: str | None) -> list[Problem]:
    if not bad.any():
        return []
    row, n = int(np.argmax(bad)), int(bad.sum())
    value = column[row]
    guess = None
    with warnings.catch_warnings():  # pandas warns when a date reads day first; naming the format settles it
        warnings.simplefilter("ignore")
        for day_first in (True, False):
            guess = guess or pd.tseries.api.guess_datetime_format(str(value), dayfirst=day_first)
    expected = f"the format {given!r}" if given else "the form 2024-01-31 06:00"
    fix = (
        f"Correct it, or type its format: time_format={guess!r} (check day and month)."
        if guess
        else ("Correct it, or name another column: time='...'. Other forms are read with time_format='%d.%m.%Y %H:%M'.")
    )
    return [
        Problem(
            "time",
            f"Column {name!r}: {n} of {len(bad)} times do not have {expected}; the first is {str(value)!r} "
            f"in row {row}.",
            fix,
            column=name,
            count=n,
        )
    ]


def localise(
    values: NDArray[np.int64], codes: NDArray[np.int64], tz: str
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return wall-clock times of a zone in UTC, and which of them do not exist there.

    In the hour that a clock shows twice, an entity's first time is the earlier one.
    """
    first = ~pd.DataFrame({"code": codes, "time": values}).duplicated().to_numpy()
    index = pd.DatetimeIndex(values.view("datetime64[ns]"))
    moved = index.tz_localize(tz, ambiguous=first, nonexistent="NaT").tz_convert("UTC").tz_localize(None)
    utc = np.asarray(moved.to_numpy().astype("datetime64[ns]")).view(np.int64)
    return utc, utc == np.iinfo(np.int64).min


def to_wall(values: NDArray[np.int64], tz: str) -> NDArray[np.int64]:
    """Return UTC nanoseconds as nanoseconds on a wall clock of the zone."""
    index = pd.DatetimeIndex(values.view("datetime64[ns]")).tz_localize("UTC").tz_convert(tz).tz_localize(None)
    return np.asarray(index.to_numpy().astype("datetime64[ns]")).view(np.int64)
