"""Numbers, times, time spans, frequencies and lists as words: one home for how a value reads in a sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_UNITS = {
    "h": "hour", "min": "minute", "s": "second", "D": "day", "B": "business day", "W": "week",
    "MS": "month", "ME": "month", "M": "month", "QS": "quarter", "QE": "quarter", "YS": "year", "YE": "year",
}  # fmt: skip
_SEASONS = {("h", 24): "a day", ("h", 168): "a week", ("30min", 48): "a day", ("30min", 336): "a week",
            ("D", 7): "a week", ("B", 5): "a week", ("MS", 12): "a year", ("ME", 12): "a year", ("M", 12): "a year",
            ("QS", 4): "a year", ("QE", 4): "a year", ("W", 52): "a year"}  # fmt: skip
_SECONDS = {"h": 3600.0, "m": 60.0, "min": 60.0, "s": 1.0}
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
NOTHING = "–"
"""Stands where there is no number."""


# -------------------------------------------------------------------- numbers
def number(value: float | None) -> str:
    """Return a number with four digits, a dash where there is none.

    Parameters
    ----------
    value : float or None

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.text import number
    >>> number(1234.567), number(float("nan"))
    ('1235', '–')
    """
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.4g}"


def is_whole(typed: str) -> bool:
    """Whether what was typed is a whole number of at most 18 digits, which ``int`` reads.

    Parameters
    ----------
    typed : str

    Returns
    -------
    bool

    Examples
    --------
    >>> from foretide.text import is_whole
    >>> is_whole("12"), is_whole("-1"), is_whole("²"), is_whole("9" * 5000)
    (True, False, False, False)
    """
    return re.fullmatch("[0-9]{1,18}", typed) is not None


def percent(share: float) -> str:
    """Return a share as a percentage, with a decimal below 10 %.

    Parameters
    ----------
    share : float
        1 is the whole.

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.text import percent
    >>> percent(0.034), percent(0.34)
    ('3.4 %', '34 %')
    """
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def phrase(what: str, count: int) -> str:
    """Return a count and what is counted, in the singular or the plural.

    Parameters
    ----------
    what : str
        Singular and plural, such as ``"gap is|gaps are"``; of a plural in ``s`` the singular is enough.
    count : int

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.text import phrase
    >>> phrase("gap is|gaps are", 1), phrase("trial", 3)
    ('1 gap is', '3 trials')
    """
    one, _, many = what.partition("|")
    return f"{count} {one if count == 1 else many or one + 's'}"


# -------------------------------------------------------------------- times and spans
def time_text(time: object) -> str:
    """Return a time as text, without an hour where it is midnight.

    Parameters
    ----------
    time : Timestamp, datetime or int

    Returns
    -------
    str

    Examples
    --------
    >>> from datetime import datetime
    >>> from foretide.text import time_text
    >>> time_text(datetime(2024, 1, 31)), time_text(datetime(2024, 1, 31, 6))
    ('2024-01-31', '2024-01-31 06:00:00')
    """
    return str(time).removesuffix(" 00:00:00")


def duration(seconds: float, *, rough: bool = False) -> str:
    """Return a time span in words, a dash where it is not known.

    Parameters
    ----------
    seconds : float
    rough : bool
        Whether the span is an estimate: whole seconds below 90, whole minutes from there on.

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.text import duration
    >>> duration(125), duration(125, rough=True)
    ('2 min 5 s', '2 min')
    """
    if not math.isfinite(seconds):
        return NOTHING
    minutes = round(seconds / 60)
    if rough:
        if seconds < 90:
            return f"{max(round(seconds), 1)} s"
        return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{minutes // 60} h {minutes % 60} min"


def seconds_in(text: str) -> float:
    """Read a time span that a person typed.

    Parameters
    ----------
    text : str
        ``"90"``, ``"90s"``, ``"30m"``, ``"30min"``, ``"2h"`` or ``"1h30m"``.

    Returns
    -------
    float
        Seconds; NaN for text in another form.

    Examples
    --------
    >>> from foretide.text import seconds_in
    >>> seconds_in("1h30m"), seconds_in("soon")
    (5400.0, nan)
    """
    text = text.strip()
    if re.fullmatch(r"(?:\d+(?:\.\d+)?\s*(?:h|min|m|s)\s*)+|\d+(?:\.\d+)?", text) is None:
        return math.nan
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(h|min|m|s)?", text)
    return sum(float(n) * _SECONDS[unit or "s"] for n, unit in parts)


def unit_of(freq: str | int, *, plural: bool = True) -> str:
    """Return the word for one step of a frequency.

    Parameters
    ----------
    freq : str or int
        A pandas alias, or an integer grid's step.
    plural : bool

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.text import unit_of
    >>> unit_of("h"), unit_of("D", plural=False), unit_of("30min")
    ('hours', 'day', 'steps of 30 minutes')
    """
    step = "steps" if plural else "step"
    if isinstance(freq, int):
        return step
    match = re.fullmatch(r"(\d*)([A-Za-z]+)(-.*)?", freq)
    if match is None or match[2] not in _UNITS:
        return f"{step} of {freq}"
    unit = _UNITS[match[2]]
    if match[1] not in ("", "1"):
        return f"{step} of {match[1]} {unit}s"
    return unit + "s" if plural else unit


def season_text(freq: str | int, steps: int) -> str:
    """Return the word for a season of so many steps.

    Parameters
    ----------
    freq : str or int
    steps : int

    Returns
    -------
    str
        ``"one season"`` where there is no other word.

    Examples
    --------
    >>> from foretide.text import season_text
    >>> season_text("h", 24), season_text("D", 30)
    ('a day', 'one season')
    """
    return _SEASONS.get((str(freq).partition("-")[0].partition("+")[0], steps), "one season")


# -------------------------------------------------------------------- names and lists
def joined(names: Sequence[str]) -> str:
    """Return names as a list in a sentence.

    Parameters
    ----------
    names : sequence of str
        At least one.

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.text import joined
    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def first_few(names: Sequence[str], most: int, separator: str = ", ") -> str:
    """Return the first names of a list, and how many more there are.

    Parameters
    ----------
    names : sequence of str
    most : int
        Names that are written out.
    separator : str

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.text import first_few
    >>> first_few(["a", "b", "c", "d"], 2)
    'a, b and 2 more'
    """
    more = len(names) - most
    return separator.join(names[:most]) + (f" and {more} more" if more > 0 else "")


def clipped(text: object, longest: int, mark: str = "…") -> str:
    """Return text on one line; a long one loses its end.

    Parameters
    ----------
    text : object
        Its ``str``.
    longest : int
        Letters of the result, at most.
    mark : str
        Ends a text that was cut.

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.text import clipped
    >>> clipped("a long name", 8)
    'a long …'
    """
    line = " ".join(str(text).split())
    return line if len(line) <= longest else line[: longest - len(mark)] + mark


def shortened(name: object, longest: int = 24, tail: int | None = None) -> str:
    """Return a name for an axis or a legend; a long one loses its middle.

    Parameters
    ----------
    name : object
        Its ``str``, on one line.
    longest : int
        Letters of the result, at most.
    tail : int, optional
        Letters kept of the end; nearly half of all by default.

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.text import shortened
    >>> shortened("precipitation_northern_station", 15)
    'precipit…tation'
    """
    line = " ".join(str(name).split())
    tail = longest // 2 - 1 if tail is None else tail
    return line if len(line) <= longest else f"{line[: longest - tail - 1]}…{line[-tail:]}"


def visible(text: object) -> str:
    r"""Return text in which nothing is hidden: what would steer a terminal, or turn the direction of writing, is spelt.

    Line feeds and tabs stay.

    Parameters
    ----------
    text : object
        Its ``str``.

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.text import visible
    >>> visible("shop\x1b[2J 1\u202e")
    'shop\\x1b[2J 1\\u202e'
    """
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(text))
