from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from foretide.heads import nbinom
from foretide.heads.dispersion import fit_of_series
from foretide.seeding import numpy_generator


def by_hand(y: np.ndarray, mu: np.ndarray) -> float:
    """Most likely dispersion of one series on a fine grid."""
    grid = np.exp(np.linspace(np.log(1e-4), np.log(1e6), 6000))
    return float(grid[np.argmax([stats.nbinom.logpmf(y, t, t / (t + mu)).sum() for t in grid])])


def fit_columns(mean: Any, y: np.ndarray, **options: Any) -> np.ndarray:
    """Dispersion of each column of ``y``, or of all of a flat one."""
    columns = y.reshape(len(y), -1)
    n = columns.shape[1]
    mean = np.broadcast_to(np.asarray(mean, dtype=np.float64), columns.shape).ravel()
    series = np.broadcast_to(np.arange(n), columns.shape).ravel()
    return fit_of_series(mean, columns.astype(np.float64).ravel(), series, n, **options)


def test_fit_dispersion_is_the_maximum_of_the_likelihood() -> None:
    rng = numpy_generator(1)
    mu = rng.uniform(0.5, 8, size=(300, 4))
    theta = np.array([0.3, 1.0, 3.0, 10.0])
    y = nbinom.sample(rng, mu, theta)
    got = fit_columns(mu, y, spread=None)
    expected = [by_hand(y[:, j], mu[:, j]) for j in range(4)]
    np.testing.assert_allclose(got, expected, rtol=4e-3)
    # Gaps and weights say the same.
    holes = np.where(rng.random(y.shape) < 0.3, np.nan, y)
    masked = fit_columns(mu, np.nan_to_num(holes), weights=np.isfinite(holes).ravel().astype(float), spread=None)
    np.testing.assert_allclose(fit_columns(mu, holes, spread=None), masked, rtol=1e-9)
    assert not np.allclose(masked, got, rtol=1e-2)


@pytest.mark.parametrize("size", [400, 40_000])
@pytest.mark.parametrize("rate", [0.02, 3.0, 60.0])
@pytest.mark.parametrize("zero", [None, 0.3, "own"])
@pytest.mark.parametrize("factor", [None, "series", "free"])
def test_gathering_elements_moves_no_fit(size: int, rate: float, zero: float | str | None, factor: str | None) -> None:
    """The most likely dispersion is that of SciPy on every element, with factors and zero probabilities."""
    rng, n = numpy_generator(6), 2
    series = rng.integers(0, n, size)
    weights = rng.uniform(0.5, 2.0, size)
    logs = {None: [0.0], "series": [0.5, -1.0], "free": rng.normal(size=7)}[factor]
    log = np.asarray(logs)[rng.integers(0, 7, size) if factor == "free" else series % len(logs)]
    pi = {None: np.zeros(size), 0.3: np.full(size, 0.3), "own": rng.choice([0.1, 0.2, 0.6], size)}[zero]
    mu = rate * np.exp(rng.normal(size=size)) * (1 + 3 * series)
    y = nbinom.sample(rng, mu, np.exp(log) * np.array([0.5, 4.0])[series], pi)
    got = fit_of_series(
        mu, y, series, n, weights=weights, zero_probability=None if zero is None else pi,
        log_factor=None if factor is None else log, pooled=1.0, spread=2.0,
    )  # fmt: skip
    for i in range(n):
        own = series == i

        def minus(x: float, own: np.ndarray = own) -> float:
            theta = np.exp(x + log[own])
            found = np.log1p(-pi[own]) + stats.nbinom.logpmf(y[own], theta, theta / (theta + mu[own]))
            with np.errstate(divide="ignore"):
                found = np.where(y[own] == 0, np.logaddexp(np.log(pi[own]), found), found)
            return float(x**2 / 8 - (weights[own] * found).sum())

        around = float(np.log(got[i]))
        best = optimize.minimize_scalar(
            minus, bounds=(around - 2, around + 2), method="bounded", options={"xatol": 1e-5}
        )
        assert around == pytest.approx(best.x, abs=1.5e-3)


def test_fit_dispersion_recovers_and_shrinks() -> None:
    rng = numpy_generator(2)
    y = nbinom.sample(rng, np.full((20_000, 2), 3.0), np.array([0.8, 5.0]))
    np.testing.assert_allclose(fit_columns(3.0, y), [0.8, 5.0], rtol=0.1)
    silent = np.concatenate([y, np.zeros((20_000, 1))], axis=1)
    mean = np.array([3.0, 3.0, 1e-9])
    together = fit_columns(mean, silent, pooled=2.0)
    assert together[2] == pytest.approx(2.0, rel=0.01)  # nothing is known of it
    short = fit_columns(3.0, y[:8], pooled=2.0)
    own = fit_columns(3.0, y[:8], spread=None)
    assert (np.abs(np.log(short / 2)) < np.abs(np.log(own / 2))).all()


def test_the_prior_is_normal_in_the_logarithm() -> None:
    y = nbinom.sample(numpy_generator(5), np.full(30, 3.0), 4.0)
    grid = np.exp(np.linspace(-3, 5, 4000))
    likelihood = np.array([stats.nbinom.logpmf(y, t, t / (t + 3)).sum() for t in grid])
    for spread in (0.3, 1.0):
        best = grid[np.argmax(likelihood - 0.5 * (np.log(grid / 0.5) / spread) ** 2)]
        assert float(fit_columns(3.0, y, spread=spread, pooled=0.5)[0]) == pytest.approx(best, rel=0.01)


def test_fit_dispersion_of_a_zero_inflated_distribution() -> None:
    rng = numpy_generator(3)
    y = nbinom.sample(rng, np.full(30_000, 4.0), 2.0, 0.4)
    assert float(fit_columns(4.0, y, zero_probability=0.4)[0]) == pytest.approx(2.0, rel=0.1)
    assert float(fit_columns(4.0, y)[0]) < 1.0


def test_poisson_data_have_a_large_dispersion() -> None:
    y = numpy_generator(4).poisson(5.0, size=(5000, 3))
    assert (fit_columns(5.0, y) > 50).all()
