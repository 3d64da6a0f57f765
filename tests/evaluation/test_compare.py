from __future__ import annotations

import numpy as np
import pytest

from foretide.errors import ConfigError, DataError
from foretide.evaluation.compare import block_bootstrap, cosine_variance, diebold_mariano, holm, long_run_variance


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


@pytest.mark.parametrize(("n", "memory"), [(40, 1), (60, 1), (100, 4), (200, 14)])
def test_it_rejects_about_as_often_as_it_says(n: int, memory: int) -> None:
    rng = np.random.default_rng(n)
    rejected = 0
    for _ in range(2000):
        noise = rng.normal(size=n + memory)
        gap = np.convolve(noise, np.ones(memory), mode="valid")[:n]  # losses of overlapping forecasts
        rejected += diebold_mariano(gap, np.zeros(n), h=memory).p_value < 0.05
    assert 0.03 < rejected / 2000 < 0.07


def test_too_few_or_unequal_losses() -> None:
    with pytest.raises(DataError, match="5 losses are too few"):
        diebold_mariano(np.ones(5), np.ones(5))
    with pytest.raises(DataError, match="equal length"):
        diebold_mariano(np.ones(9), np.ones(10))
    with pytest.raises(ConfigError, match="variance is 'cosine' or 'bartlett', got 'hac'"):
        diebold_mariano(np.ones(9), np.ones(9), variance="hac")
    with pytest.raises(ConfigError, match="h is at least 1"):
        diebold_mariano(np.ones(9), np.ones(9), h=0)


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
