"""How values read in a sentence."""

from __future__ import annotations

import math
from datetime import datetime

import pytest

from foretide import text
from foretide.data.windows import evenly


@pytest.mark.parametrize(
    ("freq", "many", "one"),
    [
        ("h", "hours", "hour"),
        ("30min", "steps of 30 minutes", "step of 30 minutes"),
        ("D", "days", "day"),
        ("W-SUN", "weeks", "week"),
        ("MS", "months", "month"),
        (1, "steps", "step"),
        ("cbd", "steps of cbd", "step of cbd"),
    ],
)
def test_units(freq: str | int, many: str, one: str) -> None:
    assert text.unit_of(freq) == many
    assert text.unit_of(freq, plural=False) == one


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (59.96, "1 min 0 s"), (3599.7, "1 h 0 min"), (7530, "2 h 6 min"), (math.nan, "–")],
)
def test_duration(seconds: float, words: str) -> None:
    assert text.duration(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (45.3, "45 s"), (200, "3 min"), (7500, "2 h 05 min")])
def test_rough_duration(seconds: float, words: str) -> None:
    assert text.duration(seconds, rough=True) == words


@pytest.mark.parametrize(
    ("typed", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("30min", 1800), (" 1h30m ", 5400), ("1.5 h", 5400)]
)
def test_spans_that_are_typed(typed: str, seconds: float) -> None:
    assert text.seconds_in(typed) == seconds


@pytest.mark.parametrize("typed", ["", "soon", "5 days", "1h 30x", "-3s"])
def test_what_is_no_span(typed: str) -> None:
    assert math.isnan(text.seconds_in(typed))


@pytest.mark.parametrize(("name", "short"), [("a b", "a b"), ("abc" * 9, "abcabcabcabc…bcabcabcabc"), ("a\n b", "a b")])
def test_long_names_lose_their_middle(name: str, short: str) -> None:
    assert text.shortened(name, 24) == short
    assert len(short) <= 24


def test_long_texts_lose_their_end() -> None:
    assert text.clipped("x" * 90, 80, " ...") == "x" * 76 + " ..."
    assert text.clipped("a\n  b", 3) == "a b"


def test_lists() -> None:
    assert text.joined(["a"]) == "a"
    assert text.joined(["a", "b"]) == "a and b"
    assert text.first_few(["a", "b"], 2) == "a, b"
    assert text.first_few(["a", "b", "c"], 2) == "a, b and 1 more"


def test_numbers() -> None:
    assert [text.number(v) for v in (None, math.inf, 0.00012345)] == ["–", "–", "0.0001234"]
    assert [text.phrase("entity|entities", n) for n in (0, 1, 2)] == ["0 entities", "1 entity", "2 entities"]
    assert text.percent(0.0999) == "10.0 %"


def test_times() -> None:
    assert text.time_text(datetime(2024, 1, 31)) == "2024-01-31"
    assert text.time_text(7) == "7"
    assert text.season_text("W-SUN", 52) == "a year"


@pytest.mark.parametrize(("n", "most"), [(0, 3), (1, 1), (7, 7), (7, 3), (100, 1), (1001, 10)])
def test_even_positions(n: int, most: int) -> None:
    for found in (evenly(n, most), evenly(n, most, newest=True), evenly(n, most, down=True)):
        assert len(found) == min(n, most)
        assert ((found >= 0) & (found < max(n, 1))).all()
        assert len(set(found[1:] - found[:-1])) <= 2
    assert not n or evenly(n, most, newest=True)[-1] == n - 1
