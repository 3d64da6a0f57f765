"""Which sign separates the cells of a text: the one that gives most lines equally many, then most cells."""

from __future__ import annotations

import pytest

from foretide.data.tables.text import _separator

LINE = "a;b,1,2,3"


@pytest.mark.parametrize(
    ("sample", "likely", "expected"),
    [
        ([LINE] * 29 + ["a;b"], None, ","),  # one line in thirty is no reason against more cells
        ([LINE] * 24 + ["a;b"] * 6, None, ";"),  # one in five is
        ([LINE] * 30, None, ","),
        (["a;b,1", "c;d,2"], ";", ";"),  # equally good: the likely one
        (["a;b,1", "c;d,2"], ",", ","),
        (["a\tb c", "d\te f"], None, "\t"),
        (["a b c", "d e f"], None, " "),
        (["a b c", "d e"], None, ","),  # a space separates everywhere or nowhere
        (["one", "two"], None, ","),
    ],
)
def test_the_separator(sample: list[str], likely: str | None, expected: str) -> None:
    assert _separator(sample, likely) == expected
