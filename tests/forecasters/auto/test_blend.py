"""Shares of a blend, and intervals that cover what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nbinom, norm, poisson

from foretide.forecasters.auto.blend import (
    LIMITS,
    asked_for,
    factors_of,
    levels_of,
    near,
    relevelled,
    shares_of,
    stretched,
    trust,
)
from foretide.forecasters.auto.judge import CHECKED, QUANTILES, Trial, wql
from foretide.typing import Floats

RNG = np.random.default_rng(0)


def tiled(quantiles: Floats, windows: int) -> Floats:
    return np.tile(quantiles, (windows, 1, 1, 1))


def test_few_series_keep_candidates_that_many_leave_out() -> None:
    scores = [0.10, 0.14, 0.20]
    assert np.count_nonzero(shares_of(scores, 1)) == 2
    assert np.count_nonzero(shares_of(scores, 500)) == 1
    assert near(10**6) == pytest.approx(1.2, abs=1e-3)


def test_the_better_one_counts_more_and_all_together_count_one() -> None:
    shares = shares_of([0.10, 0.105, np.inf], 500)
    assert shares[0] > shares[1] > 0.25
    assert shares[2] == 0
    assert shares.sum() == pytest.approx(1)


def test_the_less_evidence_the_more_alike_are_the_shares() -> None:
    ratios = [np.divide(*shares_of([0.10, 0.105], evidence)) for evidence in (1, 10, 100, 10_000)]
    assert (np.diff(ratios) > 0).all()
    assert ratios[0] < 1.3
    assert ratios[-1] > 1.8


def test_simple_baselines_only_count_where_nothing_else_is_clearly_better() -> None:
    scores = [0.108, 0.100, 0.104]
    assert shares_of(scores, 10_000)[0] > 0
    assert shares_of(scores, 10_000, [True, False, False])[0] == 0
    assert shares_of([0.100, 0.101, 0.104], 10_000, [True, False, False])[0] > 0
    assert (shares_of(scores, 10_000, [True, True, True]) > 0).all()
    assert shares_of([0.1, np.inf], 10_000, [True, False]).tolist() == [1, 0]


def test_what_was_trained_on_other_series_counts_twice() -> None:
    assert shares_of([0.1, 0.1], 100, [False, False], [True, False]).tolist() == pytest.approx([2 / 3, 1 / 3])
    assert shares_of([0.2, 0.1], 10_000, [False, False], [True, False]).tolist() == [0, 1]


def test_one_origin_says_less_than_three() -> None:
    assert trust(10**6, 1) == pytest.approx(0.5, abs=1e-3)
    assert trust(10**6, 3) == pytest.approx(0.75, abs=1e-3)
    assert trust(30, 1) == pytest.approx(0.25)


def test_too_narrow_intervals_are_stretched_and_too_wide_ones_drawn_in() -> None:
    truth = RNG.normal(size=(4000, 1, 1))
    narrow, wide = (tiled(norm.ppf(QUANTILES, scale=scale), 4000) for scale in (0.7, 1.4))
    factors = factors_of(narrow, truth, origins=1000)
    np.testing.assert_allclose(factors, 1 / 0.7, rtol=0.08)
    np.testing.assert_allclose(factors_of(wide, truth, origins=1000), 1 / 1.4, rtol=0.08)
    after = stretched(narrow, QUANTILES, factors)
    low, high = after[..., QUANTILES.index(0.1)], after[..., QUANTILES.index(0.9)]
    assert ((low <= truth) & (truth <= high)).mean() == pytest.approx(0.8, abs=0.02)
    assert factors_of(narrow / 100, truth, origins=1000).max() == LIMITS[1]


@pytest.mark.parametrize("spread", [0.6, 3.0])
def test_counts_are_taken_at_levels_that_cover_what_they_say(spread: float) -> None:
    """Drawn from a negative binomial, forecast as a Poisson or as one that is wider than the truth."""
    truth = nbinom.rvs(1.2, 1.2 / (1.2 + 2.0), size=(6000, 1, 1), random_state=1)
    made = poisson(2.0) if spread < 1 else nbinom(0.4, 0.4 / (0.4 + 2.0))
    quantiles = tiled(made.ppf(QUANTILES), 6000)
    levels = levels_of(quantiles, truth, origins=1000)
    used = asked_for((0.1, 0.5, 0.9), levels)
    # What lies between the two quantiles by the forecast's own probabilities, with a part of each step.
    below, upto = made.cdf(truth - 1), made.cdf(truth)
    inside = np.clip(np.minimum(upto, used[2]) - np.maximum(below, used[0]), 0, None) / np.maximum(upto - below, 1e-12)
    assert inside.mean() == pytest.approx(0.8, abs=0.03)
    before = np.clip(np.minimum(upto, 0.9) - np.maximum(below, 0.1), 0, None) / np.maximum(upto - below, 1e-12)
    assert abs(before.mean() - 0.8) > 0.04


def test_right_counts_are_left_as_they_are() -> None:
    truth = RNG.poisson(0.4, size=(6000, 1, 1))
    levels = levels_of(tiled(poisson.ppf(QUANTILES, 0.4), 6000), truth, origins=3)
    np.testing.assert_allclose(levels, CHECKED, atol=4)


def test_other_levels_are_interpolated_and_whole_for_counts() -> None:
    assert relevelled(np.arange(13.0), QUANTILES).tolist() == list(range(13))
    assert relevelled(np.arange(13.0), (0.15,)).tolist() == [2.0]
    assert relevelled(np.arange(13.0) / 2, (0.15,)) == pytest.approx(0.75)
    assert asked_for((0.05, 0.3), np.array(CHECKED)) == (0.05, 0.3)


def test_the_loss_is_that_of_a_slow_loop() -> None:
    truth = RNG.normal(5, 1, size=(6, 3, 2))
    truth[0, 1, 0] = np.nan
    trial = Trial(truth, np.sort(RNG.normal(5, 1, size=(6, 3, 2, len(QUANTILES))), axis=-1))
    losses = []
    for target in range(2):
        total, size = 0.0, 0.0
        for window, step in np.ndindex(6, 3):
            y = truth[window, step, target]
            if np.isnan(y):
                continue
            size += abs(y)
            for level in np.arange(1, 10) / 10:
                q = trial.quantiles[window, step, target, QUANTILES.index(round(float(level), 1))]
                total += 2 * max(level * (y - q), (level - 1) * (y - q)) / 9
        losses.append(total / size)
    assert wql(trial.quantiles, truth) == pytest.approx(np.mean(losses))
