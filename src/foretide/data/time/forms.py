"""The forms that times are written in: found by looking at all of them, or refused where two forms fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.time.stamps import NOWHERE
from foretide.errors import ConfigError, nearest
from foretide.typing import Bools, Floats, Ints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = pd.Series

_FIRST_SECOND, _END_SECOND = (int(np.datetime64(day, "s").astype(np.int64)) for day in ("1678-01-01", "2262-01-01"))
EPOCHS = {
    "epoch_s": ("seconds", 1), "epoch_ms": ("milliseconds", 10**3), "epoch_us": ("microseconds", 10**6),
    "epoch_ns": ("nanoseconds", 10**9),
}  # fmt: skip
"""Formats of numbers that count from 1970 in UTC: what they count, and how many of it a second has."""
_YEAR = r"(?P<y>\d{4})"
_PERIODS = {  # what they are called -> how they are written
    "quarters such as 2024Q1": (
        rf"{_YEAR}[ /-]?[qQ](?P<q>[1-4])", rf"[qQ](?P<q>[1-4])[ /-]?{_YEAR}", rf"(?P<q>[1-4])[ .]?[qQ][ /-]?{_YEAR}",
    ),
    "half-years such as 2024H1": (rf"{_YEAR}[ /-]?[hH](?P<h>[12])",),
    "months such as 2024-01": (
        rf"{_YEAR}[ /-]?[mM](?P<m>0?[1-9]|1[0-2])", rf"{_YEAR}[ /-]?(?P<m>0[1-9]|1[0-2])",
        rf"(?P<m>0?[1-9]|1[0-2])[./-]{_YEAR}",
    ),
    "weeks such as 2024-W05": (rf"{_YEAR}[ /-]?[wW](?P<w>\d\d?)(?:-?(?P<d>[1-7]))?",),
    "years such as 2024": (_YEAR,),
}  # fmt: skip
_CLOCK = re.compile(
    r"(?P<date>.*?\S)(?P<gap>T|,? +)(?P<hour>\d{1,2})(?P<mark>[:.])\d\d(?P<second>(?P=mark)\d\d)?(?P<part>\.\d+)?"
    r"(?P<half> ?[AaPp][Mm])?(?P<zone> ?(?:Z|[+-]\d\d:?\d\d))?"
)
_TRIPLE = re.compile(r"(\d{1,4})([./ -])(\d{1,2})\2(\d{4}|\d{1,2})")
_MONTH = "Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?"
_MONTH += "|Nov(?:ember)?|Dec(?:ember)?"
_DAY = "Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?"
_LOOKED_AT = 200
_COMPACT = {
    14: ("%Y%m%d%H%M%S",), 12: ("%Y%m%d%H%M",), 10: ("%Y%m%d%H",), 8: ("%Y%m%d", "%d%m%Y", "%m%d%Y"),
    6: ("%y%m%d", "%d%m%y", "%m%d%y"),
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """How some words read as times.

    Attributes
    ----------
    values : int64 array ``[W]``
        Nanoseconds since 1970, in UTC where a word has a zone; the least integer where it cannot be read.
    form : str
        A ``strptime`` format, or in words; empty for ISO 8601.
    zoned : bool
        Whether the form ends in a zone. (Words of ISO 8601 may differ in that.)
    """

    values: Ints
    form: str = ""
    zoned: bool = False

    @property
    def count(self) -> int:
        """How many words could be read."""
        return int((self.values != NOWHERE).sum())


def readings(words: Words) -> list[Reading]:
    """Return the ways to read words, all equally good; none where no form reads half of them.

    Parameters
    ----------
    words : series of str ``[W]``
        Different from each other, without blanks at the ends.

    Returns
    -------
    list of Reading
        More than one where forms read equally many words, and differently, as ``05/06/2024`` alone.
    """
    iso = in_iso(words)
    if 2 * iso.count >= len(words):
        return [iso]
    periods = in_periods(words)
    if periods is not None:
        return [periods[0]]
    found = [in_format(words, form) for form in _forms(words)]
    most = max((reading.count for reading in found), default=0)
    if not most or 2 * most < len(words):
        return [iso] if iso.count else []
    best: list[Reading] = []
    for reading in found:
        if reading.count == most and not any(np.array_equal(reading.values, other.values) for other in best):
            best.append(reading)
    # Dates with points begin with the day wherever they are written.
    pointed = [reading for reading in best if reading.form.startswith("%d.%m.%Y")]
    return pointed or best


def check_format(form: str | None) -> None:
    """Refuse a format of times that is none.

    Parameters
    ----------
    form : str or None

    Raises
    ------
    ConfigError
        Where it is none.
    """
    if form is None or form in EPOCHS:
        return
    try:
        pd.to_datetime(pd.Series(["2024"]), format=form, errors="coerce")
        why = "" if "%" in form else " it has no sign such as %Y."
    except (ValueError, TypeError) as error:
        why = f" {error}."
    if why:
        raise ConfigError(
            f"time_format={form!r}:{why} Expected a format such as '%d.%m.%Y' or '%Y-%m-%d %H:%M', or one of "
            f"{', '.join(EPOCHS)}. {nearest(form, EPOCHS)}"
        )


def in_iso(words: Words) -> Reading:
    """Read words as ISO 8601; ``UTC`` and ``GMT`` at the end are ``Z``.

    Parameters
    ----------
    words : series of str ``[W]``

    Returns
    -------
    Reading
    """
    plain = words.str.replace(r"\s*(?:UTC|GMT)$", "Z", regex=True)
    return Reading(_nanoseconds(pd.to_datetime(plain, format="ISO8601", utc=True, errors="coerce")))


def in_format(words: Words, form: str) -> Reading:
    """Read words by a ``strptime`` format; where it ends in a time of day, a date alone is its midnight.

    Parameters
    ----------
    words : series of str ``[W]``
    form : str

    Returns
    -------
    Reading
    """
    parsed = pd.to_datetime(words, format=form, utc=True, errors="coerce")
    date = re.sub(r"(?:T|,? +)%H[:.]%M.*$", "", form)
    if date != form and not (date.endswith("%z") or "%z" in form) and parsed.isna().any():
        parsed = parsed.fillna(pd.to_datetime(words.where(parsed.isna()), format=date, utc=True, errors="coerce"))
    return Reading(_nanoseconds(parsed), form, "%z" in form or "%Z" in form)


def in_epoch(numbers: Floats | Ints, form: str) -> Ints:
    """Return numbers that count from 1970 as nanoseconds.

    Parameters
    ----------
    numbers : array ``[R]``
        Finite.
    form : str
        One of :data:`EPOCHS`.

    Returns
    -------
    int array ``[R]``
        The least integer beyond what nanoseconds can count.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.time.forms import in_epoch
    >>> in_epoch(np.array([1.5]), "epoch_s").tolist()
    [1500000000]
    """
    size = 10**9 // EPOCHS[form][1]
    seconds = numbers.astype(np.float64) * (size / 10**9)
    beyond = (seconds < _FIRST_SECOND) | (seconds >= _END_SECOND)
    near = np.where(beyond, 0, numbers)
    whole = np.floor(near).astype(np.int64)
    rest = np.round((near - whole).astype(np.float64) * size).astype(np.int64)
    return np.where(beyond, NOWHERE, whole * size + rest)


def in_periods(words: Words) -> tuple[Reading, Ints] | None:
    """Return quarters, months, weeks or years.

    Parameters
    ----------
    words : series of str ``[W]``

    Returns
    -------
    Reading and int array ``[W]``, or None
        Begins, and ends in nanoseconds; None for other words.
    """
    for name, patterns in _PERIODS.items():
        for pattern in patterns:
            fits = words.str.fullmatch(pattern).to_numpy(dtype=bool)
            if 2 * fits.sum() < len(words):
                continue
            begins, ends = np.full(len(words), NOWHERE), np.full(len(words), NOWHERE)
            begins[fits], ends[fits] = _period_of(words[fits].str.extract(rf"^{pattern}$"))
            return Reading(begins, name), ends
    return None


def _period_of(parts: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return begin and end of periods given by year and quarter, half-year, month or week."""
    if "w" in parts:
        text = parts["y"] + parts["w"].str.zfill(2) + parts["d"].fillna("1")
        begin = pd.to_datetime(text, format="%G%V%u", errors="coerce")
        days = np.where(parts["d"].isna(), 7, 1)
        return _nanoseconds(begin), _nanoseconds(begin + pd.to_timedelta(days, "D"))
    months = next((n for key, n in (("q", 3), ("h", 6), ("m", 1)) if key in parts), 12)
    which = next((parts[key].astype(int) - 1 for key in ("q", "h", "m") if key in parts), 0)
    first = parts["y"].astype(int) * 12 + which * months
    return _month_starts(first), _month_starts(first + months)


def _month_starts(number: pd.Series) -> Ints:
    text = (number // 12).astype(str).str.zfill(4) + (number % 12 + 1).astype(str).str.zfill(2)
    return _nanoseconds(pd.to_datetime(text, format="%Y%m", errors="coerce"))


def _nanoseconds(parsed: pd.Series) -> Ints:
    """Return parsed times as nanoseconds; those beyond what nanoseconds can count cannot be read."""
    naive = parsed.dt.tz_localize(None).to_numpy()
    return to_nanoseconds(naive)[0]


def to_nanoseconds(stamps: NDArray[np.datetime64]) -> tuple[Ints, Bools]:
    """Return stamps of any unit as nanoseconds, and which of them lie beyond what nanoseconds can count.

    Parameters
    ----------
    stamps : datetime64 array ``[R]``

    Returns
    -------
    values : int array ``[R]``
    beyond : bool array ``[R]``
    """
    low, high = (np.datetime64(day).astype(stamps.dtype) for day in ("1678-01-01", "2262-01-01"))
    beyond = ~np.isnat(stamps) & ((stamps < low) | (stamps >= high))
    kept = np.where(beyond, np.datetime64("NaT"), stamps).astype("datetime64[ns]")
    return kept.view(np.int64), beyond


def looks_like_epoch(values: Ints) -> str | None:
    """Return the format of whole numbers that all lie between the years 1990 and 2100 when counted from 1970.

    Parameters
    ----------
    values : int array

    Returns
    -------
    str or None

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.time.forms import looks_like_epoch
    >>> print(looks_like_epoch(np.array([1_700_000_000])))
    epoch_s
    """
    for form, (_, size) in EPOCHS.items():
        if len(values) and values.min() >= 631_152_000 * size and values.max() < 4_102_444_800 * size:
            return form
    return None


def looks_like_digits(values: Ints) -> tuple[str, str] | None:
    """Return what whole numbers such as 20240131 are, and their format.

    Parameters
    ----------
    values : int array

    Returns
    -------
    (str, str) or None

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.time.forms import looks_like_digits
    >>> looks_like_digits(np.array([20240131]))
    ('dates', '%Y%m%d')
    """
    if not len(values) or values.min() < 190001 or len({len(str(v)) for v in (values.min(), values.max())}) > 1:
        return None
    kinds = {6: ("months", "%Y%m"), 8: ("dates", "%Y%m%d"), 10: ("hours", "%Y%m%d%H"), 12: ("times", "%Y%m%d%H%M"),
             14: ("times", "%Y%m%d%H%M%S")}  # fmt: skip
    kind = kinds.get(len(str(values.min())))
    if kind is None:
        return None
    rest = values
    for size, low, high in ((8, 0, 59), (6, 0, 59), (4, 0, 23), (2, 1, 31), (0, 1, 12)):
        if len(str(values.min())) >= 6 + size:
            if not ((rest % 100 >= low) & (rest % 100 <= high)).all():
                return None
            rest = rest // 100
    return kind if rest.min() >= 1900 and rest.max() <= 2100 else None


def name_of_epoch(form: str) -> str:
    """Return what numbers of a format count.

    Parameters
    ----------
    form : str

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.data.time.forms import name_of_epoch
    >>> print(name_of_epoch("epoch_s"))
    seconds since 1970
    """
    return f"{EPOCHS[form][0]} since 1970"


# ------------------------------------------------------------------------- strptime formats
def _forms(words: Words) -> list[str]:
    """Return formats that the words may have, as the first one with a time of day suggests, or the first."""
    clock = next((found for word in words.head(_LOOKED_AT) if (found := _CLOCK.fullmatch(str(word)))), None)
    first = str(words.iloc[0])
    date, behind = first, ""
    if clock:
        date = clock["date"]
        mark = clock["mark"]
        behind = f"{clock['gap']}{'%I' if clock['half'] else '%H'}{mark}%M{f'{mark}%S' if clock['second'] else ''}"
        behind += ".%f" if clock["part"] else ""
        behind += f"{' ' if clock['half'].startswith(' ') else ''}%p" if clock["half"] else ""
        behind += f"{' ' if clock['zone'].startswith(' ') else ''}%z" if clock["zone"] else ""
    return [form + behind for form in _date_forms(date, words)]


def _date_forms(date: str, words: Words) -> Sequence[str]:
    if re.fullmatch(r"\d{4}年\d{1,2}月(?:\d{1,2}日)?", date):
        return ("%Y年%m月%d日",) if date.endswith("日") else ("%Y年%m月",)
    if date.isdigit():
        return _COMPACT.get(len(date), ())
    triple = _TRIPLE.fullmatch(date)
    if triple:
        if len(triple[1]) == 4:
            orders = ["Ymd", "Ydm"]
        elif len(triple[4]) == 4:
            orders = ["dmY", "mdY"]
        else:
            orders = ["dmy", "mdy", "ymd"]
        return [triple[2].join(f"%{part}" for part in order) for order in orders]
    return _named_forms(date, words)


def _named_forms(date: str, words: Words) -> list[str]:
    """Return formats of dates with the name of a month."""
    full = any(len(found) > 3 for found in words.head(60).str.extract(rf"\b({_MONTH})\b", flags=re.I)[0].dropna())
    form, months = re.subn(rf"\b(?:{_MONTH})\b", "%B" if full else "%b", date, flags=re.I)
    if months != 1:
        return []
    form = re.sub(rf"\b({_DAY})\b", lambda found: "%a" if len(found[1]) == 3 else "%A", form, flags=re.I)
    form, years = re.subn(r"\b\d{4}\b", "%Y", form)
    numbers = len(re.findall(r"\b\d{1,2}\b", form))
    parts = {(1, 0): [""], (1, 1): ["d"], (0, 1): ["y"], (0, 2): ["dy", "yd"]}.get((years, numbers), [])
    forms = []
    for order in parts:
        letters = iter(order)
        forms.append(re.sub(r"\b\d{1,2}\b", lambda _, letters=letters: f"%{next(letters)}", form))  # type: ignore[misc]
    return forms
