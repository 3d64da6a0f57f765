"""Who is let into the blend beside those that are near the best."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import foretide as ft
from foretide.forecasters.auto.contest import Entry, Held, is_pretrained, settled
from foretide.forecasters.auto.judge import QUANTILES, Judge, Trial
from foretide.typing import Floats

H, SPREAD = 24, 1.0
Z = norm.ppf(QUANTILES)


def held(*errors: float, alike: float, seed: int = 0) -> Held:
    """Judge candidates whose errors have so large standard deviations and such a correlation with the first one's."""
    times = pd.date_range("2024-01-01", periods=1200, freq="h")
    frame = pd.DataFrame({"time": times, "y": np.random.default_rng(1).normal(100, 1, 1200)})
    judge = Judge.of(ft.Panel.from_frame(frame, id=None, time="time", target="y"), H, 24)
    assert judge is not None
    rng = np.random.default_rng(seed)
    first: Floats = rng.normal(size=judge.truth.shape)
    trials = []
    for k, size in enumerate(errors):
        own = first if k == 0 else alike * first + np.sqrt(1 - alike**2) * rng.normal(size=first.shape)
        mean = judge.truth + size * own
        trials.append(Trial(mean, mean[..., None] + size * Z))
    entries = [Entry(f"m{k}", wql=judge.score(trial.quantiles)) for k, trial in enumerate(trials)]
    return settled(judge, entries, trials, smooth=True)


@pytest.mark.parametrize("seed", range(3))
def test_a_far_candidate_that_errs_elsewhere_is_let_in(seed: int) -> None:
    weights = [entry.weight for entry in held(1.0, 1.6, alike=0.0, seed=seed).result.entries]
    assert weights[1] in (pytest.approx(0.2), pytest.approx(0.3))
    assert sum(weights) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(3))
def test_one_that_errs_where_the_best_does_stays_out(seed: int) -> None:
    assert [entry.weight for entry in held(1.0, 1.6, alike=0.9, seed=seed).result.entries] == [1, 0]


def test_one_that_is_twice_as_bad_stays_out_whatever_its_errors() -> None:
    assert [entry.weight for entry in held(1.0, 2.5, alike=-0.5).result.entries] == [1, 0]


def test_wrappers_are_pretrained_where_all_inside_is() -> None:
    small, ridge = ft.Pretrained(h=3), ft.Ridge(h=3)
    assert is_pretrained(small)
    assert is_pretrained(ft.Conformal(small))
    assert not is_pretrained(ridge)
    assert not is_pretrained(ft.Ensemble([small, ridge], h=3))
