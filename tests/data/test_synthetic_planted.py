from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.data.synthetic import planted_lags
from foretide.errors import ConfigError


@settings(max_examples=25)
@given(
    lags=st.lists(st.integers(1, 30), max_size=3, unique=True),
    share=st.floats(-0.3, 0.3),
    seed=st.integers(0, 1000),
)
def test_the_series_follows_its_recursion(lags: list[int], share: float, seed: int) -> None:
    truth = planted_lags(T=120, lags=lags, weights=[share] * len(lags), seed=seed).truth
    zero = planted_lags(T=120, lags=(), weights=(), seed=seed).panel.values[:, 0]  # the same shocks
    y, pad = truth.history, len(truth.history) - 120
    for t in range(120):
        expected = zero[t] + sum(w * y[pad + t - lag] for lag, w in zip(truth.lags, truth.weights, strict=True))
        assert y[pad + t] == pytest.approx(expected)


def test_least_squares_finds_the_weights() -> None:
    y = planted_lags(T=20_000, seed=1).panel.values[:, 0]
    lagged = np.stack([y[48 - k : len(y) - k] for k in (1, 23, 24, 25, 47, 48)], axis=1)
    found = np.linalg.lstsq(lagged, y[48:], rcond=None)[0]
    np.testing.assert_allclose(found, [0, 0, 0.6, 0, 0, 0.3], atol=0.03)


def test_the_oracle_is_the_recursion_of_expectations() -> None:
    made = planted_lags(T=400, lags=(1, 5), weights=(0.5, -0.4), seed=2)
    y = made.panel.values[:, 0]
    for cutoff in (20, 399):
        path = list(y[: cutoff + 1])
        for _ in range(15):
            path.append(0.5 * path[-1] - 0.4 * path[-5])
        np.testing.assert_allclose(made.truth.oracle([cutoff], 15)[0, :, 0], path[cutoff + 1 :])
    assert made.truth.oracle([0, 1, 2], 3).shape == (3, 3, 1)  # the burn-in serves the first cutoffs


def test_no_oracle_error_without_noise_and_unit_error_with_it() -> None:
    made = planted_lags(T=4000, seed=3, noise=2.0)
    cutoffs = np.arange(100, 3900)
    y = made.panel.values[cutoffs + 1, 0]
    assert (y - made.truth.oracle(cutoffs, 1)[:, 0, 0]).std() == pytest.approx(2.0, rel=0.05)
    assert np.abs(planted_lags(T=50, noise=0.0).panel.values[:, 0]).max() == 0


def test_burn_in_makes_the_start_like_the_end() -> None:
    y = np.stack([planted_lags(T=400, seed=s, n_noise=0).panel.values[:, 0] for s in range(150)])
    assert y[:, :100].std() == pytest.approx(y[:, -100:].std(), rel=0.1)


def test_columns_roles_and_seeds() -> None:
    panel = planted_lags(T=100, n_noise=2, seed=4).panel
    assert (panel.targets, panel.past) == (("y",), ("noise1", "noise2"))
    np.testing.assert_array_equal(panel.values, planted_lags(T=100, n_noise=2, seed=4).panel.values)
    np.testing.assert_array_equal(panel.values[:, 0], planted_lags(T=100, n_noise=0, seed=4).panel.values[:, 0])
    np.testing.assert_allclose(panel.values[:50, 0], planted_lags(T=50, seed=4).panel.values[:, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": (0.6, 0.4)}, "must add up to less than 1.*they give 1"),
        ({"weights": (0.6, -0.5)}, "they give 1.1"),
        ({"weights": (0.6,)}, "2 lags and 1 weights"),
        ({"lags": (24, 24)}, "named once"),
        ({"lags": (0, 24)}, "Every lag is a whole number of at least 1"),
        ({"weights": (float("nan"), 0.1)}, "less than 1"),
        ({"noise": -1.0}, "noise is a standard deviation"),
        ({"n_noise": -1}, "n_noise is a whole number"),
        ({"T": 0}, "T is a whole number"),
    ],
)
def test_wrong_settings_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        planted_lags(**arguments)  # type: ignore[arg-type]
