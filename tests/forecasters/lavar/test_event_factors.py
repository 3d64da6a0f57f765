from __future__ import annotations

import numpy as np
import pytest

from foretide.forecasters.lavar.event_factors import ALONE_VARIANCE, POOLED_VARIANCE, SMALLEST, fit_factors, multiplied


def test_multiplied_is_the_product_of_what_is_set() -> None:
    rng = np.random.default_rng(0)
    flags = (rng.random((30, 3, 2)) < 0.3).astype(float)
    factors = rng.uniform(0.2, 3.0, (3, 2))
    expected = np.ones((30, 2))
    for t in range(30):
        for j in range(3):
            for d in range(2):
                if flags[t, j, d]:
                    expected[t, d] *= factors[j, d]
    np.testing.assert_allclose(multiplied(flags, factors[None])[:, 0], expected, rtol=1e-12)
    np.testing.assert_array_equal(multiplied(flags[:, :0], factors[None, :0]), np.ones((30, 1, 2)))


def planted(noise: float, seed: int = 0, n: int = 2, d: int = 4) -> tuple[list[np.ndarray], ...]:
    """Two events that meet on some days, with factors of each series."""
    rng = np.random.default_rng(seed)
    truth = np.stack([rng.uniform(0.2, 0.5, (n, d)), rng.uniform(1.4, 2.0, (n, d))], axis=1)
    flags = [np.repeat((rng.random((800, 2, 1)) < 0.15).astype(float), d, axis=2) for _ in range(n)]
    level = [rng.uniform(20, 40, (800, d)) for _ in range(n)]
    y = [e * multiplied(f, t[None])[:, 0] for e, f, t in zip(level, flags, truth, strict=True)]
    y = [np.maximum(v + noise * rng.normal(size=v.shape), 0) for v in y]
    return flags, y, level, list(truth)


def test_factors_are_recovered_even_where_events_meet() -> None:
    flags, y, level, truth = planted(0.0)
    factors, pooled = fit_factors(flags, y, level, np.full((2, 4), 1e-6))
    np.testing.assert_allclose(factors, np.stack(truth), rtol=0.02)
    np.testing.assert_allclose(pooled, np.stack(truth).mean(axis=(0, 2)), rtol=0.1)
    # One sweep takes the events as if each came alone.
    alone = sum(v[f[:, 0, 0] > 0].sum() / e[f[:, 0, 0] > 0].sum() for v, f, e in zip(y, flags, level, strict=True)) / 2
    assert abs(alone - np.stack(truth)[:, 0].mean()) > 0.02


def test_a_single_series_by_hand() -> None:
    flags = np.zeros((6, 1, 1))
    flags[[1, 2, 4, 5]] = 1.0
    y = np.array([[9.0], [2.0], [11.0], [10.0], [np.nan], [4.0]])
    expected = np.array([[10.0], [8.0], [np.nan], [10.0], [9.0], [12.0]])
    v = 2.0
    factors, pooled = fit_factors([flags], [y], [expected], np.array([[v]]))
    seen, explained = 6.0, 20.0
    by_hand = (seen / v + 1 / POOLED_VARIANCE) / (explained / v + 1 / POOLED_VARIANCE)
    assert pooled[0] == pytest.approx(by_hand)
    k = v / ALONE_VARIANCE
    assert factors[0, 0, 0] == pytest.approx((seen + k * by_hand) / (explained + k))
    _, drawn = fit_factors([flags], [y], [expected], np.array([[v]]), prior=np.array([3.0]))
    strength = 1 / POOLED_VARIANCE
    assert drawn[0] == pytest.approx((seen / v + 3.0 * strength) / (explained / v + strength))


def test_noisy_factors_lean_on_the_pooled_one_and_this_on_one() -> None:
    flags, y, level, truth = planted(6.0, seed=1)
    clear, pooled = fit_factors(flags, y, level, np.full((2, 4), 0.5))
    vague, pooled_vague = fit_factors(flags, y, level, np.full((2, 4), 500.0))
    blind, pooled_blind = fit_factors(flags, y, level, np.full((2, 4), 1e7))
    spread = [np.abs(f - p[None, :, None]).max() for f, p in ((clear, pooled), (vague, pooled_vague))]
    assert spread[1] < 0.3 * spread[0]
    np.testing.assert_allclose(clear, np.stack(truth), atol=0.12)
    np.testing.assert_allclose(blind, 1.0, atol=0.01)
    np.testing.assert_allclose(pooled_blind, 1.0, atol=0.01)


def test_between_series_variance_is_the_moment_estimate() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(1.0, 0.2, 400)
    expected = np.full((1, 400), 50.0)
    y = (truth * 50 + rng.normal(size=400) * np.sqrt(2.0 * 50))[None]  # variance over mean 2
    factors, pooled = fit_factors([np.ones((1, 1, 400))], [y], [expected], np.full((1, 400), 2.0))
    # Posterior mean: weight tau^2 / (tau^2 + v / B), with tau = 0.2.
    weight = 0.04 / (0.04 + 2.0 / 50)
    slope = np.polyfit(y[0] / 50 - pooled[0], factors[0, 0] - pooled[0], 1)[0]
    assert slope == pytest.approx(weight, abs=0.1)


def test_events_never_seen_and_series_never_seen() -> None:
    flags = np.zeros((10, 2, 2))
    flags[3, 0] = 1.0
    y = np.column_stack([np.full(10, 5.0), np.full(10, np.nan)])
    factors, pooled = fit_factors([flags], [y], [np.full((10, 2), 10.0)], np.full((1, 2), 1e-3))
    assert factors[0, 0, 0] == pytest.approx(0.5, abs=1e-3)
    assert factors[0, 0, 1] == pooled[0]
    np.testing.assert_array_equal(factors[0, 1], 1.0)
    np.testing.assert_array_equal(
        fit_factors([flags], [y], [np.full((10, 2), 10.0)], np.full((1, 2), 1e-3), np.array([1.0, 0.7]))[0][0, 1], 0.7
    )


def test_a_closed_day_keeps_a_factor_above_zero() -> None:
    y = np.full((50, 1), 0.0)
    factors, pooled = fit_factors([np.ones((50, 1, 1))], [y], [np.full((50, 1), 1e5)], np.full((1, 1), 1e-6))
    assert factors[0, 0, 0] == pooled[0] == SMALLEST


def test_events_that_never_meet_are_as_if_each_were_alone() -> None:
    rng = np.random.default_rng(4)
    flags = np.zeros((60, 2, 3))
    flags[3::10, 0], flags[7::10, 1, :2] = 1.0, 1.0  # the second never for the last series
    y, expected = rng.gamma(2.0, 5.0, (60, 3)), rng.uniform(8, 12, (60, 3))
    noise, prior = np.full((1, 3), 8.0), np.array([0.5, 2.0])
    factors, pooled = fit_factors([flags], [y], [expected], noise, prior)
    for j in range(2):
        own, own_pooled = fit_factors([flags[:, [j]]], [y], [expected], noise, prior[[j]])
        np.testing.assert_allclose(factors[:, j], own[:, 0], rtol=1e-12)
        assert pooled[j] == pytest.approx(own_pooled[0])
    assert factors[0, 1, 2] == pooled[1]
    np.testing.assert_array_equal(prior, [0.5, 2.0])


def test_a_day_that_was_bad_for_all_series_is_one_day() -> None:
    """What all series do by chance on an event's only day is no effect of it."""
    rng = np.random.default_rng(5)
    flags = np.zeros((400, 1, 60), dtype=bool)
    flags[200] = True
    expected = np.full((400, 60), 20.0)
    found = []
    for common in (0.0, 0.4):
        mood = 1 + common * rng.normal(size=(400, 1))
        y = expected * mood + rng.normal(size=(400, 60)) * np.sqrt(20.0)
        y[200] = 0.5 * expected[200]
        found.append(fit_factors([flags], [y], [expected], np.ones((1, 60)))[1][0])
    assert found[0] == pytest.approx(0.5, abs=0.02)
    # f = (0.5 w + 4) / (w + 4) with w = 1 / (0.16 f^2): 0.6, with what is estimated in the place of 0.16.
    assert found[1] == pytest.approx(0.61, abs=0.03)


def test_rare_events_of_sparse_series_stay_with_the_pooled_factor() -> None:
    """A few sales where next to none were expected say nothing of how much series differ."""
    rng = np.random.default_rng(6)
    level = np.geomspace(0.003, 3.0, 150)
    flags = np.zeros((1000, 1, 150), dtype=bool)
    flags[[100, 465, 830]] = True
    expected = np.repeat(level[None], 1000, axis=0)
    y = rng.poisson(expected * np.where(flags[:, 0], 0.7, 1.0)).astype(float)
    y[465, :3] = 4.0
    factors, pooled = fit_factors([flags], [y], [expected], np.full((1, 150), 1.2))
    assert pooled[0] == pytest.approx(0.75, abs=0.1)
    assert factors.max() < 2 * pooled[0]
    assert factors.min() > 0.5 * pooled[0]


def test_entities_are_pooled_by_day_not_by_row() -> None:
    rng = np.random.default_rng(7)
    mood = 1 + 0.4 * rng.normal(size=300)
    both = [mood, mood[50:]]
    y = [np.repeat(m[:, None], 40, axis=1) * 20.0 + rng.normal(size=(len(m), 40)) for m in both]
    expected = [np.full_like(own, 20.0) for own in y]
    flags = [np.zeros((len(own), 1, 40), dtype=bool) for own in y]
    flags[0][120], flags[1][70] = True, True
    noise, first = np.full((2, 40), 0.05), np.array([0, 50])
    together = fit_factors(flags, y, expected, noise, first=first)[1][0]
    apart = fit_factors(flags, y, expected, noise, first=np.array([0, 5000]))[1][0]
    assert abs(apart - 1) > abs(together - 1) > 0  # one day, or two that agree
