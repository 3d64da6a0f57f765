"""Sentences follow the figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foretide.explain.weights.profiles import by_distance
from foretide.explain.wording import start_words


def test_by_distance_against_a_slow_loop() -> None:
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(7), size=(3, 2, 4))
    found = by_distance(weights)
    for distance in range(1, 11):
        cells = [
            weights[n, m, step - 1, 7 - 1 - (distance - step)]
            for n in range(3) for m in range(2) for step in range(1, 5) if 0 <= distance - step < 7
        ]  # fmt: skip
        assert found[distance] == pytest.approx(np.mean(cells))


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"waves": 3, "known": False, "level": "last"}, "taking off 3 seasonal waves and the last value (given back"),
        (
            {"waves": 1, "known": True, "level": "mean"},
            "1 seasonal wave, what known-future columns explain and",
        ),
        ({"waves": 0, "known": False, "level": "mean"}, "taking off the window's mean (given back to the forecast)."),
    ],
)
def test_the_start_is_said(chosen: dict[str, Any], expected: str) -> None:
    assert expected in start_words(chosen)


def test_a_start_that_takes_nothing_off_needs_no_words() -> None:
    assert start_words({"waves": 0, "known": False, "level": "none"}) == ""
