"""Every case gives the numbers and the words that were recorded by ``python tests/golden/record.py``."""

from __future__ import annotations

from pathlib import Path

import pytest
from comparing import ELSEWHERE, SAME, changed_words, closed_form, differences, in_short, machine, recorded
from exceptions import CHANGED, listed
from golden_cases import CASES, make, missing_data

SHOWN = 40
"""Lines of a message."""


@pytest.mark.parametrize("name", CASES)
def test_a_case_gives_what_was_recorded(name: str, tmp_path: Path) -> None:
    reason = missing_data(name)
    if reason:
        pytest.skip(reason)
    numbers, words = make(name, tmp_path)
    old = recorded(f"{name}.numbers")
    if machine() != recorded("machine"):
        wrong = [
            line
            for line in differences(closed_form(old), closed_form(numbers), ELSEWHERE, name)
            if not listed(line, CHANGED)
        ]
        assert not wrong, "\n".join(wrong[:SHOWN])
        pytest.skip("values that hang on trained networks are compared on the machine that recorded them alone")
    wrong = [line for line in differences(old, numbers, SAME, name) if not listed(line, CHANGED)]
    old_words = recorded(f"{name}.words")
    said = [line for line in changed_words(old_words, words) if not listed(f"{name} > {line}", CHANGED)]
    counts = f"{name}: {len(wrong)} numbers and {len(said)} lines of words differ"
    assert not wrong + said, "\n".join([counts, *in_short(wrong, old_words)[:SHOWN], *said[:SHOWN]])


def test_differences_are_seen() -> None:
    old = {"a": [1.0, 2.0], "b": {"c": "x"}, "d": 1}
    assert not list(differences(old, {"a": [1.0 + 1e-10, 2.0], "b": {"c": "x"}, "d": 1}, SAME))
    new = {"a": [1.0, 2.00001], "b": {"c": "y"}, "e": 2}
    assert list(differences(old, new, SAME)) == [
        "a[1]: 2.0 is now 2.00001",
        "b > c: x is now y",
        "d: is missing",
        "e: is new",
    ]
    assert list(changed_words({"page": ["one", "two"]}, {"page": ["one", "2"]})) == ["page: -two", "page: +2"]


def test_tables_pictures_and_traces_have_no_order() -> None:
    old = {"pictures": [[{"name": "a", "y": [1.0]}, {"name": "b", "y": [2.0]}], [{"name": "c", "y": [3.0]}]]}
    assert not list(differences(old, {"pictures": [old["pictures"][1], old["pictures"][0][::-1]]}, SAME))
    swapped = {"pictures": [[{"name": "a", "y": [2.0]}, {"name": "b", "y": [1.0]}], [{"name": "c", "y": [3.0]}]]}
    assert list(differences(old, swapped, SAME)) == [
        "pictures[0][0] > y[0]: 1.0 is now 2.0",
        "pictures[0][1] > y[0]: 2.0 is now 1.0",
    ]
    assert list(differences(old, {"pictures": old["pictures"][1:]}, SAME)) == ["pictures[0]: is missing"]


def test_a_message_names_each_picture_once() -> None:
    lines = ["demo > page pictures[1][0] > y[2]: 1 is now 2", "demo > page pictures[1][3] > y[2]: 1 is now 3"]
    words = {"page pictures": ["0 choice : One: a", "a caption", "1 choice : Two: b"]}
    assert in_short([*lines, "demo > scores > LSTM > mae: 1 is now 2"], words) == [
        "demo > page pictures[1] (1 choice : Two: b): 2, such as [0] > y[2]: 1 is now 2",
        "demo > scores: 1, such as > LSTM > mae: 1 is now 2",
    ]
