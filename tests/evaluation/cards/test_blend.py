"""Blends of backtested forecasts: weights from earlier folds only, against a loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from foretide.errors import ConfigError, DataError
from foretide.evaluation.cards.blend import blend_by_fold
from foretide.forecasters.wrappers.ensemble import blend_quantiles


def case(seed: int, m: int = 3) -> tuple[Any, Any, Any, Any]:
    """Three models of two series from irregular cutoffs in no order, with holes."""
    rng = np.random.default_rng(seed)
    step = rng.permutation(np.repeat(np.cumsum(rng.integers(1, 4, size=12)), 2))
    truth = rng.normal(size=(24, 3, 2))
    means = truth + rng.normal(size=(m, 24, 3, 2)) * np.array([0.6, 1.0, 1.4])[:m, None, None, None]
    truth[rng.random(truth.shape) < 0.1] = np.nan
    means[1][rng.random(truth.shape) < 0.05] = np.nan
    unit = np.array([1.0, 3.0])
    return means, truth, step, unit


def best(errors: Any) -> Any:
    """Shares of least squared error, found by another method."""
    m = len(errors)
    found = minimize(
        lambda w: np.mean((w @ errors) ** 2), np.full(m, 1 / m), bounds=[(0, 1)] * m, method="SLSQP",
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, options={"ftol": 1e-15, "maxiter": 500},
    )  # fmt: skip
    return found.x


def test_weights_equal_those_of_a_loop_over_cutoffs() -> None:
    means, truth, step, unit = case(0)
    mean, weights = blend_by_fold(means, truth, step, unit, how="weights", fewest=8)
    assert weights is not None
    learned = 0
    for n in range(len(step)):
        errors = []
        for i in range(len(step)):
            for k in range(3):
                for d in range(2):
                    one = (means[:, i, k, d] - truth[i, k, d]) / unit[d]
                    if step[i] + k + 1 <= step[n] and not np.isnan(one).any():
                        errors.append(one)
        expected = best(np.array(errors).T) if len(errors) >= 8 else np.full(3, 1 / 3)
        learned += len(errors) >= 8
        np.testing.assert_allclose(weights[n], expected, atol=2e-4)
        np.testing.assert_allclose(mean[n], np.tensordot(weights[n], means[:, n], axes=1), rtol=1e-12)
    assert 5 < learned < len(step)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert weights[step == step.max()][0][0] > 0.5  # the best model


def test_what_comes_later_changes_no_weight() -> None:
    means, truth, step, unit = case(1)
    _, clean = blend_by_fold(means, truth, step, unit, how="weights", fewest=8)
    for cutoff in (9, 14):
        later = truth.copy()
        later[step[:, None] + np.arange(1, 4) > cutoff] = 1e9
        _, found = blend_by_fold(means, later, step, unit, how="weights", fewest=8)
        np.testing.assert_array_equal(found[step <= cutoff], clean[step <= cutoff])  # type: ignore[index]
        assert not np.array_equal(found, clean)  # type: ignore[arg-type]


def test_units_keep_a_loud_series_from_choosing() -> None:
    means, truth, step, _ = case(2)
    loud = np.array([1.0, 1000.0])
    _, plain = blend_by_fold(means, truth, step, np.ones(2), how="weights", fewest=8)
    _, scaled = blend_by_fold(means * loud, truth * loud, step, loud, how="weights", fewest=8)
    np.testing.assert_allclose(scaled, plain, atol=1e-6)  # type: ignore[arg-type]
    _, left_out = blend_by_fold(means, truth, step, np.array([1.0, np.nan]), how="weights", fewest=8)
    _, alone = blend_by_fold(means[..., :1], truth[..., :1], step, np.ones(1), how="weights", fewest=8)
    np.testing.assert_array_equal(left_out, alone)  # type: ignore[arg-type]


def test_mean_and_median() -> None:
    means, truth, step, unit = case(3)
    mean, weights = blend_by_fold(means, truth, step, unit)
    np.testing.assert_allclose(mean, means.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(weights, np.full((24, 3), 1 / 3))  # type: ignore[arg-type]
    median, none = blend_by_fold(means, truth, step, unit, how="median")
    np.testing.assert_array_equal(median, np.sort(means, axis=0)[1] + 0 * means.sum(axis=0))
    assert none is None


def test_models_without_an_error_and_few_points_are_weighted_equally() -> None:
    truth = np.arange(6.0).reshape(6, 1, 1)
    both = np.stack([truth, truth])
    _, weights = blend_by_fold(both, truth, np.arange(6), 1.0, how="weights", fewest=2)
    np.testing.assert_array_equal(weights, 0.5)  # type: ignore[arg-type]
    worse = np.stack([truth, truth + 1])
    _, weights = blend_by_fold(worse, truth, np.arange(6), 1.0, how="weights", fewest=3)
    assert weights is not None
    np.testing.assert_allclose(weights[:, 0], [0.5, 0.5, 0.5, 1, 1, 1], atol=1e-9)


def test_quantiles_level_by_level() -> None:
    rng = np.random.default_rng(4)
    distributions = np.sort(rng.normal(size=(3, 5, 2, 1, 4)), axis=-1)
    weights = rng.dirichlet(np.ones(3), size=5)
    found = blend_quantiles(distributions, weights)
    for n in range(5):
        np.testing.assert_allclose(found[n], sum(weights[n, m] * distributions[m, n] for m in range(3)), rtol=1e-12)
    equal = np.full((5, 3), 1 / 3)
    np.testing.assert_allclose(blend_quantiles(distributions, equal), distributions.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(blend_quantiles(distributions, None), np.sort(distributions, axis=0)[1])
    assert (np.diff(found, axis=-1) >= 0).all()


def test_quantiles_of_counts_stay_whole_and_missing_ones_missing() -> None:
    distributions = np.array([[0.0, 1.0, 4.0], [1.0, 3.0, 6.0]]).reshape(2, 1, 1, 1, 3)
    assert blend_quantiles(distributions, np.array([[0.25, 0.75]])).ravel().tolist() == [1.0, 2.0, 6.0]
    both = np.concatenate([distributions, np.full_like(distributions, np.nan)], axis=1)
    found = blend_quantiles(both, np.full((2, 2), 0.5))
    assert found[0].ravel().tolist() == [0.0, 2.0, 5.0]
    assert np.isnan(found[1]).all()
    assert np.isnan(blend_quantiles(both, None)[1]).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda m, t, s, u: blend_by_fold(m, t, s, u, how="weight"), ConfigError, "Did you mean 'weights'"),
        (lambda m, t, s, u: blend_by_fold(m[0], t, s, u), DataError, r"Expected means \[M, N, H, D\]"),
        (lambda m, t, s, u: blend_by_fold(m, t, s, 0.0, how="weights"), DataError, "Units of errors are above zero"),
        (lambda m, t, s, u: blend_by_fold(m, t, s, u, how="weights", fewest=0), ConfigError, "fewest is a number"),
    ],
)
def test_wrong_settings_are_named(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make(*case(0))
