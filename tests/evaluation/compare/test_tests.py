from __future__ import annotations

import numpy as np
import pytest

from foretide.errors import ConfigError, DataError
from foretide.evaluation.compare.tests import compare_many, diebold_mariano, holm
from foretide.evaluation.compare.variances import (
    autocovariance_sum,
    block_bootstrap,
    cosine_variance,
    long_run_variance,
)


@pytest.mark.parametrize("h", [1, 4, 14])
@pytest.mark.parametrize("lags", [None, 0, 5])
def test_equal_to_statsmodels(h: int, lags: int | None) -> None:
    stattools = pytest.importorskip("statsmodels.tsa.stattools")
    rng = np.random.default_rng(h)
    a, b = rng.gamma(2.0, 1.0, 90), rng.gamma(2.0, 1.1, 90)
    found = diebold_mariano(a, b, h=h, lags=lags, variance="bartlett")
    twin = stattools.diebold_mariano_test(
        np.ones(90), a, b, lags=lags, criterion=lambda y, f: np.asarray(f), harvey_adj=True, horizon=h
    )
    assert found.statistic == pytest.approx(float(twin.statistic), rel=1e-9)
    assert found.p_value == pytest.approx(float(twin.pvalue), rel=1e-9)
    assert found.difference == pytest.approx(float((a - b).mean()))


@pytest.mark.parametrize("h", [1, 4, 12])
@pytest.mark.parametrize("n", [20, 90])
def test_acf_is_equal_to_the_package_dieboldmariano(h: int, n: int) -> None:
    twin = pytest.importorskip("dieboldmariano")
    rng = np.random.default_rng(h + n)
    a, b = np.convolve(rng.gamma(2.0, 1.0, n + 12), np.ones(h))[12 : n + 12], rng.gamma(2.0, 1.2 * h, n)
    if autocovariance_sum(a - b, h - 1) <= 0:  # There the package gives up, and says to take Bartlett weights.
        options, used = {"variance_estimator": "bartlett"}, "bartlett"
    else:
        options, used = {}, "acf"
    losses = {"loss": lambda _, p: p, "h": h, **options}
    statistic, p_value = twin.dm_test(np.zeros(n), a, b, **losses)
    found = diebold_mariano(a, b, h=h, variance="acf")
    assert found.statistic == pytest.approx(statistic, rel=1e-9)
    assert found.p_value == pytest.approx(p_value, rel=1e-6)
    assert (found.variance, found.freedom) == (used, n - 1)
    less = diebold_mariano(a, b, h=h, variance="acf", alternative="less")
    assert less.p_value == pytest.approx(twin.dm_test(np.zeros(n), a, b, one_sided=True, **losses)[1], rel=1e-6)


def test_acf_of_a_slow_loop_and_where_it_is_not_positive() -> None:
    """The formula of Harvey, Leybourne & Newbold (1997), equations 5, 6 and 9."""
    d, h = np.random.default_rng(8).normal(0.3, 1.0, 25), 3
    n, mean = 25, sum(d) / 25
    gamma = [sum((d[t] - mean) * (d[t - k] - mean) for t in range(k, n)) / n for k in range(h)]
    variance = (gamma[0] + 2 * (gamma[1] + gamma[2])) / n
    expected = mean / variance**0.5 * ((n + 1 - 2 * h + h * (h - 1) / n) / n) ** 0.5
    found = diebold_mariano(d, np.zeros(n), h=h, variance="acf")
    assert found.statistic == pytest.approx(expected)
    assert found.statistic == pytest.approx(found.difference / found.standard_error)
    up_and_down = np.tile([1.0, -1.0], 10) + 0.1
    assert autocovariance_sum(up_and_down, 1) < 0
    fallen_back = diebold_mariano(up_and_down, np.zeros(20), h=2, variance="acf")
    assert fallen_back.variance == "bartlett"
    assert fallen_back == diebold_mariano(up_and_down, np.zeros(20), h=2, variance="bartlett", lags=1)


@pytest.mark.parametrize("variance", ["cosine", "acf", "bartlett"])
def test_one_sided_tests_and_the_interval(variance: str) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(9)
    a, b = rng.gamma(2.0, 1.0, 60), rng.gamma(2.0, 1.2, 60)
    both = diebold_mariano(a, b, variance=variance, h=2)
    less = diebold_mariano(a, b, variance=variance, h=2, alternative="less")
    greater = diebold_mariano(a, b, variance=variance, h=2, alternative="greater")
    assert both.difference < 0
    assert less.p_value == pytest.approx(stats.t.cdf(both.statistic, both.freedom))
    assert greater.p_value == pytest.approx(stats.t.sf(both.statistic, both.freedom))
    assert both.p_value == pytest.approx(2 * stats.t.sf(abs(both.statistic), both.freedom))
    # The interval at the level of the p-value just touches zero.
    low, high = both.interval(100 * (1 - both.p_value))
    assert high == pytest.approx(0, abs=1e-9)
    assert (low + high) / 2 == pytest.approx(both.difference)
    assert both.interval(95) == pytest.approx(
        stats.t.interval(0.95, both.freedom, both.difference, both.standard_error)
    )


def test_many_series_are_compared_one_by_one() -> None:
    rng = np.random.default_rng(10)
    a, b = rng.gamma(2.0, 1.0, (50, 6)), rng.gamma(2.0, 1.3, (50, 6))
    a[:46, 2], b[7, 4] = np.nan, np.nan
    found = compare_many(a, b, h=3, alternative="less")
    for s in (0, 1, 3, 4, 5):
        one = diebold_mariano(a[:, s], b[:, s], h=3, alternative="less")
        assert (found.difference[s], found.statistic[s], found.p_value[s]) == (
            one.difference,
            one.statistic,
            one.p_value,
        )
        assert (found.standard_error[s], found.n[s]) == (one.standard_error, one.n)
    assert found.n.tolist() == [50, 50, 4, 50, 49, 50]
    assert found.n_too_few == 1
    assert np.isnan([found.difference[2], found.p_value[2], found.p_holm[2]]).all()
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    known = ~np.isnan(found.p_value)
    np.testing.assert_allclose(found.p_holm[known], multitest.multipletests(found.p_value[known], method="holm")[1])
    with pytest.raises(DataError, match=r"two tables \[cutoffs, series\] of one shape, got \(50, 6\) and \(50,\)"):
        compare_many(a, b[:, 0])


def test_the_order_of_the_models_turns_the_sign() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.gamma(2.0, 1.0, 60), rng.gamma(2.0, 1.5, 60)
    one, other = diebold_mariano(a, b), diebold_mariano(b, a)
    assert one.difference < 0 < other.difference
    assert one.statistic == -other.statistic
    assert one.p_value == other.p_value < 0.05


def test_equal_losses_and_gaps() -> None:
    x = np.arange(20.0)
    same = diebold_mariano(x, x)
    assert (same.difference, same.p_value) == (0.0, 1.0)
    rng = np.random.default_rng(2)
    a, b = rng.random(40), rng.random(40)
    holes = a.copy()
    holes[[3, 17]] = np.nan
    assert diebold_mariano(holes, b) == diebold_mariano(np.delete(a, [3, 17]), np.delete(b, [3, 17]))


def test_a_constant_difference_has_no_test() -> None:
    found = diebold_mariano(np.full(20, 2.0), np.full(20, 1.0))
    assert found.difference == 1.0
    assert np.isnan(found.p_value)


@pytest.mark.parametrize(("n", "memory"), [(20, 1), (60, 1), (13, 12), (100, 4), (200, 14)])
def test_it_rejects_about_as_often_as_it_says(n: int, memory: int) -> None:
    rng = np.random.default_rng(n)
    rejected = 0
    for _ in range(2000):
        noise = rng.normal(size=n + memory)
        gap = np.convolve(noise, np.ones(memory), mode="valid")[:n]  # losses of overlapping forecasts
        rejected += diebold_mariano(gap, np.zeros(n), h=memory).p_value < 0.05
    assert 0.035 < rejected / 2000 < 0.065


def test_too_few_or_unequal_losses() -> None:
    with pytest.raises(DataError, match="5 losses are too few"):
        diebold_mariano(np.ones(5), np.ones(5))
    with pytest.raises(DataError, match="equal length"):
        diebold_mariano(np.ones(9), np.ones(10))
    with pytest.raises(ConfigError, match="variance is 'cosine', 'acf' or 'bartlett', got 'hac'"):
        diebold_mariano(np.ones(9), np.ones(9), variance="hac")
    with pytest.raises(ConfigError, match="h is at least 1"):
        diebold_mariano(np.ones(9), np.ones(9), h=0)
    with pytest.raises(ConfigError, match="lags=3 is for variance='bartlett'; got variance='cosine'"):
        diebold_mariano(np.ones(9), np.ones(9), lags=3)
    with pytest.raises(ConfigError, match="'less'.*got 'smaller'"):
        diebold_mariano(np.ones(9), np.ones(9), alternative="smaller")
    with pytest.raises(ConfigError, match="level is in percent, between 0 and 100; got 120"):
        diebold_mariano(np.arange(9.0), np.ones(9)).interval(120)


def test_long_run_variance_of_a_loop() -> None:
    x = np.random.default_rng(3).normal(size=30)
    centred, expected = x - x.mean(), 0.0
    for i in range(30):
        for j in range(30):
            if abs(i - j) <= 4:
                expected += (1 - abs(i - j) / 5) * centred[i] * centred[j] / 30
    assert long_run_variance(x, 4) == pytest.approx(expected)


def test_cosine_variance_of_a_loop() -> None:
    x = np.random.default_rng(6).normal(size=25) + 3.0
    terms = [sum(x[t] * np.cos(np.pi * j * (t + 0.5) / 25) for t in range(25)) * np.sqrt(2 / 25) for j in (1, 2, 3)]
    assert cosine_variance(x, 3) == pytest.approx(np.mean(np.square(terms)))


@pytest.mark.parametrize(("n", "h", "terms"), [(20, 12, 1), (40, 12, 2), (100, 4, 8)])
def test_cosine_variance_of_overlapping_losses_is_unbiased(n: int, h: int, terms: int) -> None:
    """Sums over ``h`` steps of white noise: ``n`` times the variance of their mean, and the mean of the estimates."""
    covariance = [[max(0, h - abs(i - j)) for j in range(n)] for i in range(n)]
    rng = np.random.default_rng(11)
    draws = rng.multivariate_normal(np.zeros(n), covariance, size=6000, method="eigh")
    mean = np.mean([cosine_variance(x, terms, overlap=h) for x in draws])
    assert mean == pytest.approx(np.sum(covariance) / n, rel=0.05)
    assert np.mean([cosine_variance(x, terms) for x in draws]) < 0.97 * mean


def test_holm_against_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    rng = np.random.default_rng(4)
    p = rng.random(25) ** 3
    np.testing.assert_allclose(holm(p), multitest.multipletests(p, method="holm")[1])
    np.testing.assert_allclose(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])


def test_block_bootstrap_finds_the_spread_of_the_mean() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=400)
    low, high = block_bootstrap(x, np.random.default_rng(0), block=1, level=95, n_draws=20_000)
    assert high - low == pytest.approx(2 * 1.96 * x.std() / 20, rel=0.03)
    assert (low + high) / 2 == pytest.approx(x.mean(), abs=0.005)
    slow = np.repeat(rng.normal(size=80), 5)
    wide = np.diff(block_bootstrap(slow, np.random.default_rng(0), block=20))[0]
    narrow = np.diff(block_bootstrap(slow, np.random.default_rng(0), block=1))[0]
    assert wide > 1.7 * narrow
    assert block_bootstrap(x, np.random.default_rng(1)) == block_bootstrap(x, np.random.default_rng(1))


def test_block_bootstrap_refuses_what_cannot_work() -> None:
    with pytest.raises(DataError, match="3 values are too few"):
        block_bootstrap([1, 2, 3], np.random.default_rng(0))
    with pytest.raises(ConfigError, match=r"block lies in 1 \.\. 10"):
        block_bootstrap(np.arange(10.0), np.random.default_rng(0), block=11)
