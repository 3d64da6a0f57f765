"""Times of a frame: parsed from whatever they are written in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np
import pandas as pd

from foretide.data.reading.frames import strings
from foretide.data.reading.problems import Problem, in_column
from foretide.data.reading.rows import rows
from foretide.data.tables.numerals import plain_numbers
from foretide.data.time import forms
from foretide.data.time.stamps import DAY, NOWHERE
from foretide.data.time.zones import offset_name, read_zone, zone_name, zone_of_offsets
from foretide.text import time_text
from foretide.typing import Array, Bools, Floats, Ints

if TYPE_CHECKING:
    from foretide.data.reading.frames import ColumnView


_ZONE = re.compile(r"\d:\d\d.*(?:[zZ]|UTC|GMT|[+-]\d\d(?::?\d\d)?)$")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?$")
_MIDNIGHT = re.compile(r"(?<=\d)([T ] *)24([:.]00(?:[:.]00)?(?!\d))")
"""24:00 is the midnight at the end of a day."""
_WITHOUT = "leave time_format out: the others are read without."
_EXCEL = (32874, 54789)
"""Days from 1899-12-30 to 1990 and to 2050, as spreadsheets count."""
_ANOTHER = (
    "Correct it, or name another column: time='...'. Other forms are read with time_format='%d.%m.%Y %H:%M', and where "
    "none fits and the rows are in order, count the steps: frame[{0!r}] = pd.factorize(frame[{0!r}])[0]."
)
_COUNT_THEM = "Leave these rows out, or count the steps: frame[{0!r}] = frame[{0!r}].rank(method='dense').astype(int)."


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
        Those of severity "note" say in which form text was read.
    form : str or None
        The ``strptime`` format of text, as given or found; None for ISO 8601 and for what is no text.
    """

    values: Ints
    bad: Bools
    integer: bool = False
    aware: bool = False
    tz: str | None = None
    problems: list[Problem] = field(default_factory=list)
    form: str | None = None


def parse_times(series: ColumnView, time_format: str | None = None) -> Times:
    """Return the times of a column of datetimes, dates, text or integers.

    Parameters
    ----------
    series : narwhals series ``[R]``
    time_format : str, optional
        A ``strptime`` format, or ``epoch_s``, ``epoch_ms``, ``epoch_us``, ``epoch_ns`` for numbers that count from
        1970 in UTC. Without one, ISO 8601 and other forms that all rows agree on are read.

    Returns
    -------
    Times

    Examples
    --------
    >>> import narwhals as nw
    >>> import pandas as pd
    >>> from foretide.data.time.times import parse_times
    >>> column = nw.from_native(pd.Series(["31.01.2024", "01.02.2024"], name="ds"), series_only=True)
    >>> print(parse_times(column).form)
    %d.%m.%Y
    """
    name, dtype = str(series.name), series.dtype
    if time_format in forms.EPOCHS and not isinstance(dtype, (nw.Datetime, nw.Date, nw.Duration)):
        return _epoch(series, name, str(time_format))
    if dtype.is_integer() and time_format is None:
        return _counted(*_whole_numbers(series), name)
    if dtype.is_float():
        return _floats(series, name, time_format)
    column = strings(series)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = _from_periods(column)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        zone = column.dt.tz
        return _instants(column if zone is None else column.dt.tz_convert(None), name, zone and zone_name(zone))
    shared = _shared_zone(column)
    if shared is not None:
        return _instants(pd.to_datetime(column, utc=True).dt.tz_convert(None), name, shared)
    return _text(column, name, time_format)


def _from_periods(column: pd.Series) -> pd.Series:
    """Return the begins of periods; as text where nanoseconds cannot count them."""
    try:
        begins: pd.Series = column.dt.to_timestamp()
    except pd.errors.OutOfBoundsDatetime:
        begins = column.dt.asfreq("D", how="start").dt.strftime("%Y-%m-%d")
    return begins


def _shared_zone(column: pd.Series) -> str | None:
    """Return the zone of datetime objects that all have the same one."""
    if pd.api.types.infer_dtype(column, skipna=True) != "datetime":
        return None
    zones = {time.tzinfo for time in column.dropna()}
    names = {None if zone is None else zone_name(zone) for zone in zones}
    return names.pop() if len(names) == 1 else None


def _instants(column: pd.Series, name: str, tz: str | None) -> Times:
    values, beyond = forms.to_nanoseconds(column.to_numpy())
    bad = values == NOWHERE
    problems = _no_time(bad & ~beyond, name) + _beyond(beyond, column, name)
    return Times(values, bad, aware=tz is not None, tz=tz, problems=problems)


def _no_time(bad: Bools, name: str) -> list[Problem]:
    fix = f"Fill it in, or leave them out: {rows().without_missing(name)}."
    return in_column("time", name, bad, "row has no time|rows have no time", fix)


def _beyond(beyond: Bools, column: pd.Series | Array, name: str) -> list[Problem]:
    what = "time lies beyond the years 1678 to 2261|times lie beyond the years 1678 to 2261"
    return in_column("time", name, beyond, what, _COUNT_THEM.format(name), show=lambda row: time_text(column[row]))


# ---------------------------------------------------------------------------------- numbers
def _whole_numbers(series: ColumnView) -> tuple[Ints, Bools]:
    """Return a column of integers, and which of them are missing."""
    bad = np.asarray(series.is_null().to_numpy(), dtype=bool)
    return np.asarray(series.fill_null(0).to_numpy()).astype(np.int64), bad


def looks_counted(series: ColumnView) -> bool:
    """Whether whole numbers look like dates written in digits, or like time since 1970.

    Parameters
    ----------
    series : narwhals series of integers

    Returns
    -------
    bool
    """
    values = np.asarray(series.drop_nulls().to_numpy()).astype(np.int64)
    return forms.looks_like_digits(values) is not None or forms.looks_like_epoch(values) is not None


def _look(values: Ints, name: str) -> list[Problem]:
    """Return what is to be said of whole numbers that look like dates."""
    digits, epoch = forms.looks_like_digits(values), forms.looks_like_epoch(values)
    if digits or epoch:
        text, form = f"that look like {digits[0]}, such as {int(values[0])}" if digits else "", digits and digits[1]
        if epoch and not digits:
            when = pd.Timestamp(int(forms.in_epoch(values[:1], epoch)[0]))
            text, form = f"that look like {forms.name_of_epoch(epoch)}, such as {int(values[0])} ({when})", epoch
        return [Problem("time", f"Column {name!r}: whole numbers {text}.", f"Type: time_format={form!r}.", column=name)]
    if len(values) < 2:
        return []
    low, high = values.min(), values.max()
    if low >= 1800 and high <= 2150:
        fix = "As years with a calendar: time_format='%Y'."
    elif low >= _EXCEL[0] and high <= _EXCEL[1]:
        when = pd.Timestamp("1899-12-30") + pd.Timedelta(days=int(values[0]))
        fix = f"If a spreadsheet counted days, this one is {when.date()}; type: frame[{name!r}] = "
        fix += f"pd.to_datetime(frame[{name!r}], unit='D', origin='1899-12-30')."
    else:
        return []
    text = f"Column {name!r}: whole numbers such as {int(values[0])} are counted as they are."
    return [Problem("time", text, fix, column=name, severity="note")]


def _floats(series: ColumnView, name: str, time_format: str | None) -> Times:
    """Read whole numbers among floats, as they become beside missing ones."""
    values = np.asarray(series.cast(nw.Float64).fill_null(float("nan")).to_numpy())
    bad = ~np.isfinite(values)
    numbers = np.where(bad, 0, values)
    fractions = numbers != np.round(numbers)
    whole = np.where(np.abs(numbers) < 2.0**62, numbers, 0).astype(np.int64)
    if fractions.any() and not forms.looks_like_epoch(whole[~bad]):
        row = int(np.argmax(fractions))
        text = f"Column {name!r}: times are fractions, such as {numbers[row]:g} in {rows().name(row)}."
        fix = "Give datetimes, or count the steps in whole numbers."
        problems = [*_no_time(bad, name), Problem("time", text, fix, column=name)]
        return Times(whole, bad, integer=True, problems=problems)
    if time_format is not None:
        return _text(pd.Series(whole).astype(str).astype(object).where(~bad), name, time_format)
    return _counted(whole, bad, name)


def _counted(values: Ints, bad: Bools, name: str) -> Times:
    look = _look(values[~bad], name)
    unread = any(problem.severity == "error" for problem in look)  # gaps between such numbers would mean nothing
    return Times(values, bad | unread, integer=True, problems=_no_time(bad, name) + look)


def _epoch(series: ColumnView, name: str, form: str) -> Times:
    counted: Ints | Floats
    if series.dtype.is_integer():
        counted, bad = _whole_numbers(series)
    else:
        column = strings(series)
        parsed = plain_numbers(column)
        bad = ~np.isfinite(parsed)
        text = bad & column.notna().to_numpy() & (column.astype(str).str.strip() != "").to_numpy()
        if text.any():
            nowhere = np.full(len(bad), NOWHERE)
            return Times(nowhere, text | True, aware=True, tz="UTC", problems=_not_read(column, text, name, form))
        counted = np.where(bad, 0.0, parsed)
    values = forms.in_epoch(counted, form)
    beyond = ~bad & (values == NOWHERE)
    problems = _no_time(bad, name) + _beyond(beyond, counted, name)
    return Times(np.where(bad, NOWHERE, values), bad | beyond, aware=True, tz="UTC", problems=problems)


# ------------------------------------------------------------------------------------- text
def _text(column: pd.Series, name: str, time_format: str | None) -> Times:
    codes, words = _words(column)
    empty = codes < 0
    if not len(words):
        return Times(np.full(len(codes), NOWHERE), empty, problems=_no_time(empty, name))
    far = _far_years(words, time_format)
    late_midnight = np.array([_MIDNIGHT.search(word) is not None for word in words], dtype=bool)
    if late_midnight.any():
        words = words.str.replace(_MIDNIGHT, r"\g<1>00\g<2>", regex=True)
    ways = forms.readings(words) if time_format is None else [forms.in_format(words, time_format)]
    reading = ways[0] if len(ways) == 1 else forms.Reading(np.full(len(words), NOWHERE))
    reading = replace(reading, values=reading.values + np.where(late_midnight & (reading.values != NOWHERE), DAY, 0))
    values = np.append(reading.values, NOWHERE)[codes]
    bad = values == NOWHERE
    if time_format is not None and 2 * reading.count < len(words):
        ways = forms.readings(words)  # what to type instead
    problems = _no_time(empty, name)
    late = bad & np.append(far, False)[codes] & (len(ways) < 2)
    problems += _beyond(late, column, name)
    problems += _not_read(column, bad & ~empty & ~late, name, time_format or reading.form, ways, words)
    if reading.form and time_format is None:
        problems.append(Problem("time", f"Column {name!r}: read as {reading.form}.", column=name, severity="note"))
    zoned = np.full(len(words), reading.zoned)
    if not reading.form:
        zoned = words.str.contains(_ZONE, regex=True).to_numpy(dtype=bool)
    with_zone = np.append(zoned, False)[codes]
    form = time_format or (reading.form if reading.form.startswith("%") else None)
    if not with_zone[~bad].any():
        return Times(values, bad, problems=problems, form=form)
    what = "time has no time zone|times have no time zone"
    fix = "Write every time with its zone (such as 2024-01-31T06:00:00Z), or none."
    but = " while the others have one;"
    problems += in_column(
        "zone", name, ~bad & ~with_zone, what, fix, show=lambda row: repr(str(column[row]).strip()), but=but
    )
    tz, notes = _zone_of(words[zoned & (reading.values != NOWHERE)], reading, name)
    return Times(values, bad, aware=True, tz=tz, problems=problems + notes, form=form)


def _words(column: pd.Series) -> tuple[Ints, pd.Series]:
    """Return the distinct texts of a column without blanks around them, and which each row has; -1 for none.

    A long table says the same times for each series: what is done to texts is done once to each of them.
    """
    if pd.api.types.infer_dtype(column, skipna=True) != "string":
        column = column.astype(str).where(column.notna())
    codes, found = pd.factorize(column)
    text = pd.Series(found, dtype=object).str.strip()
    inner, words = pd.factorize(text.where(text != ""))
    return np.append(inner, -1)[codes], pd.Series(words, dtype=object)


def _far_years(text: pd.Series, time_format: str | None) -> Bools:
    """Which words begin with a year that nanoseconds cannot count."""
    if time_format is not None and not time_format.startswith("%Y"):
        return np.zeros(len(text), dtype=bool)
    years = text.str.extract(r"^([0-9]{4})(?:-|/|\.|[0-9]{4}\b)")[0].astype(float)
    return np.asarray((years < 1678) | (years > 2261))


def _zone_of(words: pd.Series, reading: forms.Reading, name: str) -> tuple[str, list[Problem]]:
    """Return the one offset that all times share, or UTC with a note that names a zone of these offsets."""
    parts = words.str.extract(_OFFSET)
    sign = np.where(parts[0] == "-", -1, 1)
    minutes = (parts[1].fillna("0").astype(int) * 60 + parts[2].fillna("0").astype(int)).to_numpy() * sign
    shown = [offset_name(m) for m in dict.fromkeys(minutes.tolist())]
    if len(shown) == 1:
        return str(read_zone(shown[0])), []
    zone = zone_of_offsets(reading.values[words.index], minutes * np.int64(60_000_000_000))
    text = f"Column {name!r}: the times have several offsets ({', '.join(shown[:3])}) and are kept in UTC."
    fix = f"Name the zone: tz={zone!r}." if zone else "Name the zone, such as tz='Europe/Berlin'."
    return "UTC", [Problem("zone", text, fix, column=name, severity="note")]


def _not_read(
    column: pd.Series,
    bad: Bools,
    name: str,
    form: str | None,
    ways: list[forms.Reading] | None = None,
    words: pd.Series | None = None,
) -> list[Problem]:
    """Say what cannot be read, and the format to type: each of them where several fit."""
    if not bad.any():
        return []
    row, n = int(np.argmax(bad)), int(bad.sum())
    expected = f"the form {form!r}" if form else "the form 2024-01-31 06:00"
    text = f"Column {name!r}: {n} of {len(bad)} times do not have {expected}; the first is {str(column[row])!r} "
    text += f"in {rows().name(row)}."
    if ways and words is not None and len(ways) > 1:
        unlike = int(np.argmax(ways[0].values != ways[1].values))
        stamps = [(w.form, w.values[unlike]) for w in ways if w.values[unlike] != NOWHERE]
        readings = [f"{pd.Timestamp(int(stamp)).date()} with time_format={given!r}" for given, stamp in stamps]
        fix = f"{words[unlike]!r} is {', or '.join(readings)}: type the one that is meant."
    else:
        fix = _instead(column[bad], form, ways)
        if not fix and 2 * n < len(bad):
            fix = f"Correct {'it' if n == 1 else 'them'}, or leave out what is no row of a time: "
            fix += f"{rows().without(np.flatnonzero(bad).tolist())}."
        fix = fix or _ANOTHER.format(name)
    return [Problem("time", text, fix, column=name, count=n)]


def _instead(words: pd.Series, form: str | None, ways: list[forms.Reading] | None) -> str:
    """Return what to do about words that have another form than ``form``, empty where none is known."""
    other = ways[0].form if ways else form
    if other != form:
        typed = f"type its format: time_format={other!r}."
        return f"Correct it, or {typed if '%' in (other or '') else _WITHOUT}"
    numbers = plain_numbers(words)
    whole = np.where(np.abs(numbers) < 2.0**62, numbers, 0)  # NaN and what no integer holds are no times
    epoch = forms.looks_like_epoch(whole.astype(np.int64))
    if epoch:
        return f"They look like {forms.name_of_epoch(epoch)}; type: time_format={epoch!r}."
    return "Correct it, or leave time_format out." if form in forms.EPOCHS else ""
