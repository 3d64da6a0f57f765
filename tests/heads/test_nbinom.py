from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foretide.errors import ConfigError
from foretide.heads import nbinom
from foretide.seeding import numpy_generator

GRID = np.array([1e-8, 1e-4, 1e-2, 1.0, 30.0, 1e4, 1e8])
COUNTS = np.array([0.0, 1, 10, 1e3, 1e6])
M, T, Y = np.meshgrid(GRID, GRID, COUNTS, indexing="ij")
# SciPy is given p = theta / (theta + mu), which keeps no digits of mu where that is much smaller.
SCIPY_KNOWS = (M / T > 1e-6) & (M / T < 1e15)


def test_log_pmf_is_scipys() -> None:
    ours, theirs = nbinom.log_pmf(Y, M, T), stats.nbinom.logpmf(Y, T, T / (T + M))
    assert SCIPY_KNOWS.mean() > 0.6
    np.testing.assert_allclose(ours[SCIPY_KNOWS], theirs[SCIPY_KNOWS], rtol=1e-6)
    assert np.isfinite(ours).all()


def test_log_pmf_where_scipy_loses_digits_is_poissons() -> None:
    mu = np.array([1e-8, 1e-4, 1.0, 1e3])[:, None]
    np.testing.assert_allclose(nbinom.log_pmf(COUNTS[:4], mu, 1e15), stats.poisson.logpmf(COUNTS[:4], mu), rtol=1e-6)
    np.testing.assert_allclose(nbinom.log_pmf(COUNTS, mu, np.inf), stats.poisson.logpmf(COUNTS, mu), rtol=1e-9)
    np.testing.assert_array_equal(nbinom.log_pmf([0, 1], 0.0, 2.0), [0.0, -np.inf])
    np.testing.assert_array_equal(nbinom.log_pmf([-1, 0.5], 3.0, 2.0), [-np.inf, -np.inf])


def test_both_ways_to_take_log_gamma_agree_where_they_meet() -> None:
    k = np.array([0.0, 1, 7, 1e3, 1e6])
    below, above = (nbinom.rising(k, np.full(5, nbinom.STIRLING * f)) for f in (1 - 1e-13, 1))
    np.testing.assert_allclose(below, above, rtol=1e-9, atol=1e-9)


def test_cdf_is_scipys() -> None:
    ours, theirs = nbinom.cdf(Y, M, T), stats.nbinom.cdf(Y, T, T / (T + M))
    np.testing.assert_allclose(ours, theirs, atol=1e-8)
    mu = np.array([1e-4, 1.0, 1e3])[:, None]
    np.testing.assert_allclose(nbinom.cdf(COUNTS, mu, np.inf), stats.poisson.cdf(COUNTS, mu), atol=1e-12)
    np.testing.assert_array_equal(nbinom.cdf([-1, -0.5, 0, 2.9], 0.0, 1.0), [0, 0, 1, 1])
    assert nbinom.cdf(2.9, 3.0, 1.0) == nbinom.cdf(2, 3.0, 1.0)


def test_zero_inflated_is_a_mixture() -> None:
    k, pi = np.arange(30), 0.35
    plain = stats.nbinom.pmf(k, 1.7, 1.7 / (1.7 + 4))
    mixed = (1 - pi) * plain + pi * (k == 0)
    np.testing.assert_allclose(np.exp(nbinom.log_pmf(k, 4.0, 1.7, pi)), mixed, rtol=1e-9)
    np.testing.assert_allclose(nbinom.cdf(k, 4.0, 1.7, pi), np.cumsum(mixed), rtol=1e-9)
    got = nbinom.quantiles([0.2, 0.35, 0.36, 0.9, 0.999], 4.0, 1.7, pi)
    assert got.tolist() == [
        float(np.argmax(np.cumsum(np.append(mixed, 1)) >= q)) for q in (0.2, 0.35, 0.36, 0.9, 0.999)
    ]


@pytest.mark.parametrize("steps", [nbinom.STEPS, 3])
def test_quantiles_are_scipys(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # With three steps nearly everything goes through the search.
    monkeypatch.setattr(nbinom, "STEPS", steps)
    monkeypatch.setattr(nbinom, "CHUNK", 1000)
    rng = np.random.default_rng(0)
    mu, theta = 10.0 ** rng.uniform(-3, 5, 1500), 10.0 ** rng.uniform(-2, 4, 1500)
    levels = [0.9, 0.0251, 0.101, 0.501, 0.9751, 0.99]
    theirs = stats.nbinom.ppf(levels, theta[:, None], (theta / (theta + mu))[:, None])
    np.testing.assert_array_equal(nbinom.quantiles(levels, mu, theta), theirs)


def test_quantiles_at_extremes() -> None:
    m, t = M[..., 0], T[..., 0]
    levels = np.array([0.001, 0.1, 0.5, 0.975])
    got = nbinom.quantiles(levels, m, t)
    assert got.shape == (*m.shape, 4)
    assert np.isfinite(got).all()
    assert (got == np.floor(got)).all()
    assert (nbinom.cdf(got, m[..., None], t[..., None]) >= levels * (1 - 1e-9)).all()
    before = nbinom.cdf(got - 1, m[..., None], t[..., None])
    assert (before < levels).all()
    assert nbinom.quantiles([0.5, 0.999], 0.0, 3.0).tolist() == [0, 0]
    mu = np.array([0.3, 7.0, 4000.0])
    np.testing.assert_array_equal(nbinom.quantiles([0.1, 0.9], mu, np.inf), stats.poisson.ppf([0.1, 0.9], mu[:, None]))
    assert nbinom.quantiles([0.5], np.zeros((2, 0)), 1.0).shape == (2, 0, 1)


@settings(max_examples=60)
@given(
    st.floats(-6, 5), st.floats(-3, 6), st.floats(0, 0.95), st.floats(0.001, 0.999), st.integers(0, 500)
)  # fmt: skip
def test_quantile_and_cdf_belong_together(mu: float, theta: float, pi: float, level: float, k: int) -> None:
    distribution = (10.0**mu, 10.0**theta, pi)
    found = float(nbinom.quantiles([level], *distribution)[..., 0])
    assert nbinom.cdf(found, *distribution) >= level * (1 - 1e-11)
    assert found == 0 or nbinom.cdf(found - 1, *distribution) < level
    reached = float(nbinom.cdf(k, *distribution))
    if 0 < reached < 1:
        assert nbinom.quantiles([reached], *distribution)[..., 0] <= k


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, np.nan])
def test_levels_are_fractions(level: float) -> None:
    with pytest.raises(ConfigError, match=r"between 0 and 1, got .* Try \(0\.1, 0\.5, 0\.9\)"):
        nbinom.quantiles([0.5, level], 1.0, 1.0)


def test_samples_have_the_distribution() -> None:
    mu, theta, pi = np.array([0.4, 6.0, 150.0]), np.array([0.5, 3.0, np.inf]), np.array([0.0, 0.3, 0.1])
    drawn = nbinom.sample(numpy_generator(0), mu, theta, pi, n=40_000)
    assert drawn.shape == (40_000, 3)
    for j in range(3):
        for k in (0, int(mu[j]), int(2 * mu[j])):
            expected = nbinom.cdf(k, mu[j], theta[j], pi[j])
            assert np.mean(drawn[:, j] <= k) == pytest.approx(float(expected), abs=0.01)
    assert nbinom.sample(numpy_generator(0), mu, theta).shape == (3,)
    assert np.isfinite(nbinom.sample(numpy_generator(0), M[..., 0], T[..., 0])).all()
    assert nbinom.sample(numpy_generator(0), 0.0, 1.0, n=5).tolist() == [0] * 5


def test_needs_no_torch() -> None:
    code = "import sys, foretide.heads.nbinom; print('torch' in sys.modules, 'scipy.stats' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
