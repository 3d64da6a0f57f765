"""Measures of distributions against scoringrules, SciPy and slow loops; properties of the PIT."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foretide.errors import ConfigError
from foretide.evaluation.metrics.pit import fair_coverage, pit_from_quantiles, randomised_pit
from foretide.evaluation.metrics.quantiles import (
    DECILES,
    DENSE,
    Quantiles,
    coverage,
    crps,
    pinball,
    says_zero,
    weighted_quantile_loss,
    winkler,
    zero_accuracy,
)
from foretide.evaluation.metrics.table import metric_of

RNG = np.random.default_rng(0)
Y = RNG.negative_binomial(2, 0.3, size=(50, 4)).astype(float)


def nb_quantiles(levels: Any, shape: tuple[int, ...] = ()) -> np.ndarray:
    return np.broadcast_to(stats.nbinom.ppf(np.asarray(levels), 2, 0.3), (*shape, len(levels)))


@settings(max_examples=200)
@given(st.floats(-100, 100), st.floats(-100, 100), st.floats(0.01, 0.99))
def test_pinball_is_the_asymmetric_loss(y: float, q: float, level: float) -> None:
    expected = level * (y - q) if y >= q else (1 - level) * (q - y)
    assert float(pinball(y, q, level)) == pytest.approx(expected, abs=1e-12)
    scoringrules = pytest.importorskip("scoringrules")
    assert float(pinball(y, q, level)) == pytest.approx(float(scoringrules.quantile_score(y, q, level)), abs=1e-10)


def test_pinball_is_least_at_the_true_quantile() -> None:
    sample = RNG.normal(size=100_000)
    around = {shift: pinball(sample, stats.norm.ppf(0.8) + shift, 0.8).mean() for shift in (-0.1, 0.0, 0.1)}
    assert min(around, key=around.__getitem__) == 0.0


def test_weighted_quantile_loss_by_a_slow_loop() -> None:
    quantiles = nb_quantiles(DECILES, Y.shape) + RNG.normal(size=(*Y.shape, 9))
    y = Y.copy()
    y[3, 2] = np.nan
    per_level = []
    for k, level in enumerate(DECILES):
        total = size = 0.0
        for i, j in itertools.product(*map(range, y.shape)):
            if np.isnan(y[i, j]):
                continue
            over = y[i, j] - quantiles[i, j, k]
            total += level * over if over > 0 else (level - 1) * over
            size += abs(y[i, j])
        per_level.append(2 * total / size)
    assert weighted_quantile_loss(y, quantiles) == pytest.approx(np.mean(per_level), rel=1e-12)
    # At the median alone it is the weighted absolute error.
    median = quantiles[..., 4:5]
    wape = np.nansum(np.abs(y - median[..., 0])) / np.nansum(np.abs(y))
    assert weighted_quantile_loss(y, median, (0.5,)) == pytest.approx(wape, rel=1e-12)
    assert np.isnan(weighted_quantile_loss(np.zeros(3), np.zeros((3, 9))))


@pytest.mark.parametrize("y", [-2.0, -0.3, 0.0, 1.7])
def test_crps_of_a_normal_law_from_a_dense_grid(y: float) -> None:
    z = stats.norm
    exact = y * (2 * z.cdf(y) - 1) + 2 * z.pdf(y) - 1 / np.sqrt(np.pi)
    assert float(crps(y, z.ppf(DENSE), DENSE)) == pytest.approx(exact, rel=5e-3)
    fine = tuple(np.arange(1, 1000) / 1000)
    assert float(crps(y, z.ppf(fine), fine)) == pytest.approx(exact, rel=3e-4)


@pytest.mark.parametrize("y", [0.0, 2.0, 15.0])
def test_crps_of_counts_by_the_sum_over_the_distribution_function(y: float) -> None:
    k = np.arange(0, 500)
    exact = np.sum((stats.nbinom.cdf(k, 2, 0.3) - (k >= y)) ** 2)
    assert float(crps(y, nb_quantiles(DENSE), DENSE)) == pytest.approx(exact, rel=0.01)
    scoringrules = pytest.importorskip("scoringrules")
    assert exact == pytest.approx(float(scoringrules.crps_negbinom(y, 2, 0.3)), rel=1e-6)


def test_crps_on_an_uneven_grid_and_the_mean_over_truths() -> None:
    levels = tuple(sorted({*DENSE, 0.025, 0.975, 0.001, 0.999}))
    sample = stats.nbinom.rvs(2, 0.3, size=4000, random_state=1).astype(float)
    got = crps(sample, nb_quantiles(levels, sample.shape), levels).mean()
    k = np.arange(0, 300)
    exact = np.mean(((stats.nbinom.cdf(k, 2, 0.3) - (k >= sample[:, None])) ** 2).sum(axis=1))
    assert got == pytest.approx(exact, rel=2e-3)


def test_crps_from_few_levels_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"at least 49 quantile levels, got 9.*quantiles=\[k / 100"):
        crps(1.0, np.zeros(9), DECILES)
    with pytest.raises(ConfigError, match="PIT from quantiles needs at least 49 levels, got 9"):
        pit_from_quantiles(np.ones(1), np.zeros((1, 9)), DECILES, np.random.default_rng(0))


@settings(max_examples=200)
@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0, 50), st.sampled_from([50.0, 80.0, 95.0]))
def test_winkler_and_coverage(y: float, low: float, width: float, level: float) -> None:
    high, alpha = low + width, 1 - level / 100
    expected = high - low
    if y < low:
        expected += 2 / alpha * (low - y)
    elif y > high:
        expected += 2 / alpha * (y - high)
    assert float(winkler(y, low, high, level)) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    # The interval score is the two bounds' quantile losses, times 2 / alpha (Bracher et al. 2021).
    both = pinball(y, low, alpha / 2) + pinball(y, high, 1 - alpha / 2)
    assert float(winkler(y, low, high, level)) == pytest.approx(2 / alpha * float(both), rel=1e-9, abs=1e-9)
    assert float(coverage(y, low, high)) == (low <= y <= high)
    scoringrules = pytest.importorskip("scoringrules")
    assert expected == pytest.approx(float(scoringrules.interval_score(y, low, high, alpha)), rel=1e-9, abs=1e-9)


def test_bounds_count_as_inside_and_nan_stays() -> None:
    found = coverage([0.0, 3.0, 3.1, np.nan, 1.0], [0.0, 0, 0, 0, np.nan], [3.0, 3, 3, 3, 3])
    np.testing.assert_array_equal(found, [1, 1, 0, np.nan, np.nan])


def kolmogorov(pit: np.ndarray) -> float:
    return float(stats.kstest(pit, "uniform").pvalue)


def test_the_pit_of_the_right_law_is_uniform_and_of_a_wrong_one_is_not() -> None:
    sample = stats.nbinom.rvs(2, 0.3, size=5000, random_state=2)
    rng = np.random.default_rng(3)
    right = randomised_pit(stats.nbinom.cdf(sample - 1, 2, 0.3), stats.nbinom.cdf(sample, 2, 0.3), rng)
    assert kolmogorov(right) > 0.01
    # A Poisson distribution of the same mean is too narrow.
    mean = 2 * 0.7 / 0.3
    wrong = randomised_pit(stats.poisson.cdf(sample - 1, mean), stats.poisson.cdf(sample, mean), rng)
    assert kolmogorov(wrong) < 1e-6
    # Without the randomness the same distribution would not be uniform either.
    assert kolmogorov(stats.nbinom.cdf(sample, 2, 0.3)) < 1e-6


def test_pit_bounds_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"F\(y - 1\) <= F\(y\).*1 points out of order"):
        randomised_pit([0.5, 0.1], [0.4, 0.2], np.random.default_rng(0))


@pytest.mark.parametrize(
    "distribution", [stats.nbinom(2, 0.3), stats.poisson(0.2), stats.norm(1, 2), stats.nbinom(50, 0.05)]
)
def test_the_pit_from_a_dense_grid_is_uniform(distribution: Any) -> None:
    sample = distribution.rvs(size=6000, random_state=4).astype(float)
    quantiles = np.broadcast_to(distribution.ppf(DENSE), (*sample.shape, len(DENSE)))
    pit = pit_from_quantiles(sample, quantiles, DENSE, np.random.default_rng(5))
    assert pit.min() >= 0
    assert pit.max() <= 1
    counts = np.histogram(pit, bins=10, range=(0, 1))[0]
    # Half a cell of the grid at each jump allows a few percent of a bin.
    np.testing.assert_allclose(counts / len(pit), 0.1, atol=0.017)
    shifted = pit_from_quantiles(sample, quantiles + 3 * distribution.std(), DENSE, np.random.default_rng(5))
    assert abs(shifted.mean() - 0.5) > 0.2


def test_pit_leaves_out_what_is_not_known() -> None:
    values = np.broadcast_to(np.arange(99.0), (3, 99)).copy()
    values[1, 4] = np.nan
    pit = pit_from_quantiles([5.0, 5.0, np.nan], values, DENSE, np.random.default_rng(0))
    assert np.isnan(pit).tolist() == [False, True, True]
    assert 0.05 < pit[0] < 0.07


def test_zero_accuracy_uses_the_median_and_else_the_mean() -> None:
    y, mean = np.array([0.0, 0, 3, 2, np.nan]), np.array([0.6, 0.2, 0.4, 1.0, 0.0])
    np.testing.assert_array_equal(zero_accuracy(y, mean), [0, 1, 0, 1, np.nan])
    distribution = Quantiles((0.1, 0.5), np.array([[0.0, 0], [0, 1], [0, 2], [0, 1], [0, 0]]))
    assert says_zero(mean, distribution).tolist() == [True, False, False, False, True]
    np.testing.assert_array_equal(zero_accuracy(y, mean, distribution), [1, 0, 1, 1, np.nan])
    without = Quantiles((0.1, 0.9), distribution.values)
    np.testing.assert_array_equal(zero_accuracy(y, mean, without), zero_accuracy(y, mean))


def test_metrics_by_name() -> None:
    distribution = Quantiles((0.1, 0.5, 0.9), np.array([[0.0, 1, 4], [2, 3, 9]]))
    y = np.array([5.0, 2.0])
    values = {}
    for name in ("coverage_80", "winkler_80", "width_80"):
        assert metric_of(name).judges(distribution)
        values[name] = metric_of(name).points(y, y, quantiles=distribution).tolist()
    assert values == {"coverage_80": [0.0, 1.0], "winkler_80": [pytest.approx(14.0), 7.0], "width_80": [4.0, 7.0]}
    assert metric_of("winkler_80")(y, y, quantiles=distribution) == pytest.approx(10.5)
    fair = metric_of("fair_coverage_80")  # Needs a dense grid.
    assert not fair.judges(distribution)
    assert fair.judges(Quantiles(DENSE, np.zeros((2, 99))))
    assert not metric_of("wql").judges(distribution)
    assert not metric_of("wql").judges(None)
    with pytest.raises(ConfigError, match=r"quantiles \(0\.2,\) are wanted and only \(0\.1, 0\.5, 0\.9\) are held"):
        distribution.at((0.2,))


@pytest.mark.parametrize(
    "distribution", [stats.nbinom(2, 0.3), stats.poisson(0.05), stats.poisson(1.5), stats.norm(1, 2)]
)
@pytest.mark.parametrize("level", [50.0, 80.0])
def test_fair_coverage_is_the_level_for_the_right_distribution(distribution: Any, level: float) -> None:
    sample = distribution.rvs(size=20_000, random_state=6).astype(float)
    quantiles = np.broadcast_to(distribution.ppf(DENSE), (*sample.shape, len(DENSE)))
    fair = fair_coverage(sample, quantiles, DENSE, level)
    assert fair.mean() == pytest.approx(level / 100, abs=0.012)
    rng = np.random.default_rng(7)
    pit = pit_from_quantiles(sample, quantiles, DENSE, rng)
    drawn = np.mean(np.abs(pit - 0.5) <= level / 200)
    assert fair.mean() == pytest.approx(drawn, abs=0.012)
    narrow = np.broadcast_to(
        distribution.median() + 0.3 * (distribution.ppf(DENSE) - distribution.median()), quantiles.shape
    )
    if distribution.std() > 1:
        assert fair_coverage(sample, narrow, DENSE, level).mean() < 0.75 * level / 100
