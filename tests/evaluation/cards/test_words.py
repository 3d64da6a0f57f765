"""Sentences on errors follow the figures."""

from __future__ import annotations

import numpy as np
import pytest

from foretide.evaluation.cards.words import error_words


@pytest.mark.parametrize(
    ("errors", "word"),
    [
        ([1.0, 2.0], "grows: 1 one hour ahead, 2 at step 2"),
        ([2.0, 1.0], "falls"),
        ([1.0, 1.0], "stays"),
        ([3.0], "is 3"),
    ],
)
def test_errors(errors: list[float], word: str) -> None:
    assert word in error_words("A", np.array(errors), "h")
