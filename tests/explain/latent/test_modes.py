"""Eigenvalues, impulse responses and variance shares against statsmodels and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from foretide.errors import ConfigError
from foretide.explain.latent.modes import (
    companion_of,
    eigenvalues_of,
    impact_of,
    mode_table,
    state_responses,
    variance_shares,
)

K, P, H = 3, 2, 9
RNG = np.random.default_rng(0)
A = 0.3 * RNG.standard_normal((P, K, K))
ROOT = RNG.standard_normal((K, K))
SIGMA = ROOT @ ROOT.T


def test_eigenvalues_are_the_roots_of_the_process() -> None:
    found = eigenvalues_of(companion_of(A))
    np.testing.assert_allclose(np.sort(np.abs(found)), np.sort(1 / np.abs(_roots())))
    assert (np.diff(np.abs(found)) <= 1e-9).all()


def _roots() -> np.ndarray:
    """Roots of det(I - A_1 x - A_2 x^2), by evaluating the determinant at many points."""
    degree = K * P
    points = np.exp(2j * np.pi * np.arange(degree + 1) / (degree + 1))
    values = [np.linalg.det(np.eye(K) - sum(A[i] * x ** (i + 1) for i in range(P))) for x in points]
    return np.roots(np.linalg.solve(np.vander(points, degree + 1), np.array(values)))


def test_a_known_wave_a_decay_and_an_explosion() -> None:
    r, angle = 0.9, 2 * np.pi / 7
    wave = r * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    whole = np.zeros((5, 5))
    whole[:2, :2] = wave
    whole[2, 2], whole[3, 3], whole[4, 4] = 1.02, 0.5, -0.25
    table = mode_table(eigenvalues_of(whole))
    np.testing.assert_allclose(table["modulus"], [1.02, 0.9, 0.9, 0.5, 0.25])
    np.testing.assert_allclose(table["period"], [np.inf, 7, 7, np.inf, 2])
    np.testing.assert_allclose(table["half_life"], [np.inf, *[np.log(0.5) / np.log(m) for m in (0.9, 0.9, 0.5, 0.25)]])
    assert table["explosive"].tolist() == [True, False, False, False, False]
    assert table["imag"].tolist()[1] > 0 > table["imag"].tolist()[2]


def test_a_state_without_memory() -> None:
    table = mode_table(eigenvalues_of(np.zeros((2, 2))))
    assert table["half_life"].tolist() == [0.0, 0.0]
    assert np.isinf(table["period"]).all()


def test_orthogonal_responses_are_those_of_statsmodels() -> None:
    process = pytest.importorskip("statsmodels.tsa.vector_ar.var_model").VARProcess(A, None, SIGMA)
    ours = state_responses(companion_of(A), impact_of(SIGMA), H)
    np.testing.assert_allclose(ours, process.orth_ma_rep(H - 1), atol=1e-10)


def test_the_order_of_the_shocks() -> None:
    order = [2, 0, 1]
    found = impact_of(SIGMA, order=order)
    permuted = np.linalg.cholesky(SIGMA[np.ix_(order, order)])
    np.testing.assert_allclose(found[np.ix_(order, order)], permuted)
    np.testing.assert_allclose(found @ found.T, SIGMA)
    assert found[2, 0] == found[2, 1] == 0.0  # the first in the order moves with its own shock alone


def test_generalised_responses_are_expectations_given_one_error() -> None:
    found = impact_of(SIGMA, "generalised")
    draws = np.random.default_rng(1).multivariate_normal(np.zeros(K), SIGMA, size=200_000)
    for j in range(K):
        # The regression of all errors on error j, times its standard deviation.
        slope = draws.T @ draws[:, j] / (draws[:, j] @ draws[:, j])
        np.testing.assert_allclose(found[:, j], slope * draws[:, j].std(), atol=0.03)


def test_joint_responses_do_not_depend_on_the_order_nor_on_the_basis() -> None:
    plain = state_responses(companion_of(A), impact_of(SIGMA), H)
    other = state_responses(companion_of(A), impact_of(SIGMA, order=[1, 2, 0]), H)
    np.testing.assert_allclose((plain**2).sum(axis=2), (other**2).sum(axis=2))
    mixed = np.random.default_rng(2).standard_normal((K, K))
    back = np.linalg.inv(mixed)
    in_basis = state_responses(companion_of(mixed @ A @ back), impact_of(mixed @ SIGMA @ mixed.T), H)
    np.testing.assert_allclose(((back @ in_basis) ** 2).sum(axis=2), (plain**2).sum(axis=2))
    # Single shocks do depend on both.
    assert not np.allclose(np.abs(back @ in_basis), np.abs(plain))


def test_variance_shares_are_those_of_statsmodels() -> None:
    var = pytest.importorskip("statsmodels.tsa.api").VAR
    rng, y = np.random.default_rng(3), np.zeros((300, K))
    for t in range(P, len(y)):
        y[t] = sum(A[i] @ y[t - 1 - i] for i in range(P)) + ROOT @ rng.standard_normal(K)
    fitted = var(y).fit(P)
    ours = variance_shares(state_responses(companion_of(fitted.coefs), impact_of(fitted.sigma_u), H))
    np.testing.assert_allclose(np.moveaxis(ours, 1, 0), fitted.fevd(H).decomp, atol=1e-10)
    np.testing.assert_allclose(ours.sum(axis=2), 1.0)


def test_a_latent_without_an_error_has_no_shock() -> None:
    singular = np.diag([1.0, 0.0, 4.0])
    np.testing.assert_allclose(impact_of(singular), np.diag([1.0, 0.0, 2.0]))
    np.testing.assert_allclose(impact_of(singular, "generalised"), np.diag([1.0, 0.0, 2.0]))
    assert np.isnan(variance_shares(np.zeros((2, 1, 3)))).all()


def test_wrong_settings() -> None:
    with pytest.raises(ConfigError, match="'cholesky' or 'generalised', got 'choleski'. Did you mean 'cholesky'"):
        impact_of(SIGMA, "choleski")
    with pytest.raises(ConfigError, match="names each of the 3 latents once, from 0 to 2"):
        impact_of(SIGMA, order=[0, 1, 1])
    with pytest.raises(ConfigError, match="Generalised shocks have no order"):
        impact_of(SIGMA, "generalised", [0, 1, 2])
