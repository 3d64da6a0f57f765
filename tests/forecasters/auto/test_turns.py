"""What a candidate's turn came to, kept for a fit that goes on after it was stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foretide.data import checkpoints
from foretide.forecasters.auto.judge import Trial
from foretide.forecasters.auto.turns import Attempt, _packed, _unpacked


@pytest.mark.parametrize("judged", [True, False])
def test_an_attempt_comes_back_from_its_file(judged: bool, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    trial = Trial(generator.normal(size=(3, 2, 1)), generator.normal(size=(3, 2, 1, 5))) if judged else None
    made = Attempt(trial, 1.5, "" if judged else "no time was left")
    checkpoints.write(tmp_path / "turn", _packed(made))
    kept = checkpoints.read(tmp_path / "turn")
    assert kept is not None
    back = _unpacked(kept)
    assert (back.seconds, back.left_out) == (made.seconds, made.left_out)
    assert (back.trial is None) == (trial is None)
    if trial is not None:
        assert back.trial is not None
        np.testing.assert_array_equal(back.trial.mean, trial.mean)
        np.testing.assert_array_equal(back.trial.quantiles, trial.quantiles)
