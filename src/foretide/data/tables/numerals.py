"""Numbers written as text: which mark is the decimal one, judged by all values of a column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from foretide.data.reading.problems import Problem
from foretide.data.reading.rows import rows
from foretide.data.tables.form import Form
from foretide.text import phrase
from foretide.typing import Array, Bools, Floats

MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null", "NAN", "none", "#VALUE!", "#DIV/0!", "#NV", "-", "--", "–", "—", "?",
    ".", "..",
)  # fmt: skip
"""Text that stands for no value in a column of numbers."""
Pair = tuple[str, str | None]
"""Decimal and thousands mark."""
_FEW = 200
_GROUPED = {None: "", ",": ",", ".": r"\.", " ": "[ \u00a0\u2009\u202f]", "'": "['’]"}
_PAIRS = tuple((d, t) for d in (".", ",") for t in (None, ",", ".", " ", "'") if d != t)
_SPACED = "[ \u00a0\u2009\u202f'’]"
_SIGN = r"[+\-−]?"
_ENDLESS = r"(?i:inf(?:inity)?)"
_MONEY = r"(?:[€$£¥₹%‰]|EUR|USD|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|AUD|CAD|kr|zł|Kč|R\$)"
_UNIT = r"[A-Za-zµΩ°]{1,4}[²³23]?(?:/[A-Za-z]{1,4}[²³23]?)?"
_SIGNED = rf"^\(?\s*{_SIGN}{_MONEY}?\s*{_SIGN}\d(?:[\d.,'’]|{_GROUPED[' ']}){{0,30}}\s*(?:{_MONEY}|{_UNIT})?\s*-?\)?$"


@cache
def _pattern(decimal: str, thousands: str | None) -> str:
    mark = _GROUPED[thousands]
    whole = r"\d+" if not mark else rf"(?:\d+|[1-9]\d{{0,2}}(?:{mark}\d{{3}})+)"
    if thousands == ",":  # lakh and crore: 12,34,567
        whole = rf"(?:{whole}|[1-9]\d?(?:,\d{{2}})+,\d{{3}})"
    point = _GROUPED[decimal]
    part = rf"(?:{point}\d*)?|{point}\d+"  # nobody groups the digits in front of an exponent
    return rf"^{_SIGN}(?:(?:{whole}{part})|(?:\d+{part})[eE][+\-]?\d+|{_ENDLESS})$"


@dataclass(frozen=True)
class Column:
    """The text of one column, and the ways its values can be read.

    Attributes
    ----------
    name : str
    text : string array
        Trimmed; null where a value is missing.
    pairs : tuple of (decimal, thousands)
        Under each of these every value is a number.
    plain : bool
        No value has a point or comma.
    """

    name: str
    text: pa.Array
    pairs: tuple[Pair, ...] = ()
    plain: bool = False

    @property
    def evidence(self) -> Pair | None:
        """Decimal and thousands mark where the values leave no choice, None otherwise."""
        return None if self.plain or len({d for d, _ in self.pairs}) != 1 else self.pairs[0]


def look(name: str, text: pa.Array, preset: Form) -> Column:
    """Return a column with every reading that makes numbers of all its values.

    Parameters
    ----------
    name : str
    text : string array ``[R]``
    preset : Form
        What is known of how it is written.

    Returns
    -------
    Column
    """
    text = pc.utf8_trim_whitespace(text)
    text = pc.if_else(pc.is_in(text, value_set=pa.array(MISSING)), pa.scalar(None, pa.string()), text)
    known = pc.drop_null(text)
    if len(known) and not any_match(known.slice(0, 50), rf"\d|^{_SIGN}{_ENDLESS}$"):
        return Column(name, text)
    pairs = _allowed(known, preset)
    plain = pairs[:1] == [(".", None)] and (".", ",") not in pairs and not _has(known, ".")
    return Column(name, text, tuple(p for p in pairs if all_match(known, _pattern(*p))), plain)


def _allowed(known: pa.Array, preset: Form) -> list[Pair]:
    """Return the readings that the marks in a column and what was given leave; the simplest first."""
    here = {mark for mark in (".", ",") if _has(known, mark)}
    if any_match(known, _SPACED):
        here |= {mark for mark in (" ", "'") if any_match(known, _GROUPED[mark])}
    if not here & {".", ","}:
        return [(".", t) for t in (None, " ", "'") if t is None or (t in here and preset.thousands in (None, t))]
    return [
        (d, t) for d, t in _PAIRS
        if (d in here or t in (".", ",")) and (t is None or t in here)
        and preset.decimal in (None, d) and d != preset.thousands and (t is None or preset.thousands in (None, t))
    ]  # fmt: skip


def settle(columns: Sequence[Column], likely: Form, sep: str | None) -> dict[str, Pair]:
    """Return the decimal and thousands mark of each column that can be read; undecided ones are absent.

    A column whose values leave no choice is read by itself. Others follow those, as far as they agree; then a table of
    the same kind; then the habits of writers (:func:`_by_habit`).

    Parameters
    ----------
    columns : sequence of Column
    likely : Form
        Of a table of the same kind.
    sep : str or None
        Between the cells of the file.

    Returns
    -------
    dict of str to (decimal, thousands)
    """
    own = {c.name: found for c in columns if (found := c.evidence)}
    shared = {decimal for decimal, _ in own.values()}
    chosen: dict[str, Pair] = {}
    for column in columns:
        if not column.pairs:
            continue
        if column.name in own or column.plain:
            chosen[column.name] = column.pairs[0]
            continue
        decimal = next(iter(shared)) if len(shared) == 1 else likely.decimal or _by_habit(column.text, sep)
        if decimal is not None:
            chosen[column.name] = next(pair for pair in column.pairs if pair[0] == decimal)
    return chosen


def _by_habit(text: pa.Array, sep: str | None) -> str | None:
    """Return the decimal mark of values such as ``2,200``: all groups of three, with one mark in all of them.

    In files with commas between the cells, a comma in a number is a thousands mark: who writes decimal commas writes
    another separator. A point is a decimal mark but in files with semicolons, which come from where it is none. A
    number without a mark beside ``2,200``, which ends in zero, makes it a thousands mark: ``2,2`` would do otherwise.
    """
    known = pc.drop_null(text)
    comma, point = any_match(known, ","), any_match(known, r"\.")
    if comma and point:  # 1,234 beside 1.234
        return None
    if sep == "," or (point and sep != ";"):
        return "."
    mark, other = (",", ".") if comma else (".", ",")
    grouped = any_match(known, rf"{_GROUPED[mark]}\d\d0$") and any_match(known, r"^[+\-−]?\d{1,3}$")
    return other if grouped else None


def convert(column: Column, pair: Pair) -> tuple[Array | None, Problem | None]:
    """Return the values, int64 where all are whole and none is missing; or why a float cannot hold one.

    Parameters
    ----------
    column : Column
    pair : (decimal, thousands)

    Returns
    -------
    values : array ``[R]`` or None
    problem : Problem or None
    """
    decimal, thousands = pair
    text = column.text
    if thousands is not None:
        text = pc.replace_substring_regex(text, _GROUPED[thousands], "")
    if decimal == ",":
        text = pc.replace_substring(text, ",", ".")
    if _has(text, "−"):
        text = pc.replace_substring(text, "−", "-")
    if len(text) and not text.null_count and not _has(text, "."):
        try:
            return np.asarray(text.cast(pa.int64()).to_numpy(zero_copy_only=False)), None
        except pa.ArrowInvalid:  # an exponent, or more digits than an integer has
            decimal = "."
    values = np.array(text.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    too_large = np.isinf(values)
    if too_large.any() and (too_large := too_large & ~_fit(text, _ENDLESS)).any():
        row = int(np.argmax(too_large))
        place = f"Column {column.name!r}: {_short(column.text[row])} in {rows().name(row)}"
        said = f"{place} is larger than a number can be (1.8e308)."
        return None, Problem("text", said, "Correct it.", column=column.name, count=int(too_large.sum()))
    return values, None


def doubt(column: Column, preset: Form) -> Problem | None:
    """Return why a column that looks like numbers cannot be read; None for text, and for what can.

    Parameters
    ----------
    column : Column
    preset : Form

    Returns
    -------
    Problem or None
    """
    known = pc.drop_null(column.text)
    if not len(known):
        return None
    if column.pairs:
        return _two_readings(column)
    fits = {pair: _fit(known, _pattern(*pair)) for pair in _PAIRS}
    any_way = np.logical_or.reduce(list(fits.values()))
    if max(any_way.mean(), _fit(known, _SIGNED).mean()) < 0.5:
        return None
    allowed = [pair for pair in _allowed(known, preset) if fits[pair].any()] or list(fits)
    good = fits[max(allowed, key=lambda p: float(fits[p].mean()))]
    first = int(np.argmin(good))
    row = int(np.flatnonzero(~np.asarray(pc.is_null(column.text)))[first])
    value, n = _short(known[first]), int((~good).sum())
    if any_way.mean() < 0.5:
        text = (
            f"{phrase('value carries|values carry', n)} a sign or a unit, the first is {value} in {rows().name(row)}."
        )
        fix = f"Write the number alone, and its unit into the header.{_strip(column.name, known)}"
    elif good.all():
        marks = Form(decimal=preset.decimal, thousands=preset.thousands).text()
        text = f"{value} in {rows().name(row)} is no number with {marks}."
        fix = "Leave these options out to have the marks found, or name the marks in the file."
    else:
        other = _short(known[int(np.argmax(good))])
        text = f"{phrase('value is no number|values are no numbers', n)}, the first is {value} in {rows().name(row)}; "
        text += f"others are such as {other}."
        fix = "Write all its numbers in one form, and leave a cell empty where there is none."
    return Problem("text", f"Column {column.name!r}: {text}", fix, column=column.name, count=n)


def _strip(name: str, known: pa.Array) -> str:
    """Return what to type to take signs and units off the numbers of a column; nothing where that leaves a doubt."""
    odd = r"(?:\d{1,2}|\d{4,})"
    for mark, other, more in ((".", ",", ""), (",", ".", ".str.replace(',', '.')")):
        text = pc.replace_substring_regex(known, rf"[^0-9{mark}+-]", "")
        if _has(text, mark) and not any_match(text, rf"{_GROUPED[mark]}{odd}$"):
            continue
        if all_match(text, _pattern(mark, None)) and not any_match(known, rf"{_GROUPED[other]}{odd}(?:\D|$)"):
            digits = f"frame[{name!r}].str.replace(r'[^0-9{mark}+-]', '', regex=True)"
            return f" Or type: frame[{name!r}] = {digits}{more}.astype(float)."
    return ""


def plain_numbers(cells: Iterable[object]) -> Floats:
    """Return text as numbers, NaN where it is none.

    For ``pandas.to_numeric``, which ends the process on an exponent of eleven digits.

    Parameters
    ----------
    cells : iterable ``[R]``

    Returns
    -------
    float array ``[R]``

    Examples
    --------
    >>> from foretide.data.tables.numerals import plain_numbers
    >>> plain_numbers(["1.5", "a"]).tolist()
    [1.5, nan]
    """
    text = pa.array([None if cell is None else str(cell).strip() for cell in cells], pa.string())
    fits = pc.match_substring_regex(text, _pattern(".", None))
    text = pc.if_else(fits, pc.replace_substring(text, "−", "-"), pa.scalar(None, pa.string()))
    return np.array(text.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _two_readings(column: Column) -> Problem:
    """``2,200`` is 2200 or 2.2: say both, and what to type for each."""
    marked = _fit(column.text, "[.,]")
    row = int(np.argmax(marked))
    value = column.text[row].as_py()
    mark = next(c for c in value if c in ".,")
    bare = value.replace(" ", "").replace("'", "")
    whole, part = bare.replace(mark, ""), bare.replace(mark, ".")
    said = f"Column {column.name!r}: {value!r} in {rows().name(row)} can be read as {whole} or as {part}."
    fix = f"Type thousands={mark!r} for {whole}, or decimal={mark!r} for {part}; --thousands or --decimal in a command."
    return Problem("text", said, fix, column=column.name, count=int(marked.sum()))


def _has(values: pa.Array, mark: str) -> bool:
    return bool(pc.any(pc.match_substring(values, mark)).as_py())


def any_match(values: pa.Array, pattern: str) -> bool:
    """Whether a pattern is found in any value.

    Parameters
    ----------
    values : string array
    pattern : str

    Returns
    -------
    bool
    """
    return bool(pc.any(pc.match_substring_regex(values, pattern)).as_py())


def all_match(values: pa.Array, pattern: str) -> bool:
    """Whether a pattern is found in all values that are not missing.

    Parameters
    ----------
    values : string array
    pattern : str

    Returns
    -------
    bool
    """
    if len(values) > _FEW and not all_match(values.slice(0, _FEW), pattern):
        return False
    return pc.all(pc.match_substring_regex(values, pattern)).as_py() is not False


def _fit(values: pa.Array, pattern: str) -> Bools:
    """Return where a pattern is found; nowhere in missing values."""
    found = pc.match_substring_regex(values, pattern).fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def _short(value: pa.Scalar) -> str:
    text = value.as_py()
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
