from __future__ import annotations

import numpy as np
import pytest
from cases import make_panel

from foretide.data.panel import Panel
from foretide.data.windows import Windows, slide
from foretide.forecasters.lavar import latent_effects as le
from foretide.forecasters.lavar.latent_effects import MAX_LOG, LatentEffects, fit_effects
from foretide.forecasters.lavar.recipes import standard_recipes
from foretide.forecasters.lavar.seasonal_base import SeasonalBase

RECIPES = standard_recipes((7,))
H = 5


def states(rows: int, k: int, seed: int, memory: float = 0.9) -> np.ndarray:
    """Independent AR(1) latents of variance one."""
    rng = np.random.default_rng(seed)
    z = np.zeros((rows, k))
    for t in range(1, rows):
        z[t] = memory * z[t - 1] + np.sqrt(1 - memory**2) * rng.normal(size=k)
    return z


def simulated(
    weights: np.ndarray, rows: int = 900, seed: int = 0, level: float = 20.0
) -> tuple[Panel, Windows, np.ndarray, np.ndarray]:
    """Counts of entities ``[N, D, K]`` that a latent state multiplies; states ahead are those that come."""
    rng = np.random.default_rng(seed)
    n, d, k = weights.shape
    panel = make_panel([rows] * n, targets=d)
    z = np.concatenate([states(rows, k, seed + 10 * i) for i in range(n)])
    week = 1 + 0.4 * np.sin(2 * np.pi * np.arange(rows) / 7)[:, None]
    mean = np.concatenate([level * week * np.exp(z[i * rows : (i + 1) * rows] @ weights[i].T) for i in range(n)])
    panel = panel.with_values(rng.poisson(mean).astype(float))
    windows = slide(panel, input_size=30, h=H)
    ahead = z[windows.rows(panel)[:, None] + np.arange(1, H + 1)]
    return panel, windows, z, ahead


def test_planted_weights_are_recovered_from_counts() -> None:
    truth = np.array([[[0.3, 0.0], [-0.2, 0.1], [0.0, 0.0]]])
    panel, windows, z, ahead = simulated(truth)
    base = SeasonalBase.fit(panel, H, RECIPES, 7)
    better, effects = fit_effects(base, panel, windows, H, z, ahead)
    np.testing.assert_allclose(effects.weights, truth, atol=0.04)
    np.testing.assert_array_equal(effects.shared, effects.weights[0])
    y = panel.values[windows.rows(panel)[:, None] + np.arange(1, H + 1)]
    past, later = effects.past(panel, z), effects.ahead(windows.entity, ahead)
    errors = [
        ((forecast - y) ** 2).mean(axis=(0, 1))
        for forecast in (base.at(panel, windows, H), better.at(panel, windows, H, past, later))
    ]
    assert (errors[1][:2] < 0.8 * errors[0][:2]).all()
    assert errors[1][2] < 1.02 * errors[0][2]


def test_pure_noise_has_no_effect() -> None:
    panel, windows, _, _ = simulated(np.zeros((1, 4, 3)), rows=600, seed=3)
    z = states(600, 3, 99)
    ahead = z[windows.rows(panel)[:, None] + np.arange(1, H + 1)]
    _, effects = fit_effects(SeasonalBase.fit(panel, H, RECIPES, 7), panel, windows, H, z, ahead)
    assert np.abs(effects.weights).max() < 0.02


def test_weights_of_entities_lie_around_those_of_all() -> None:
    rng = np.random.default_rng(5)
    shared = np.array([[0.3], [-0.2]])
    truth = shared[None] + 0.05 * rng.normal(size=(6, 2, 1))
    panel, windows, z, ahead = simulated(truth, rows=250, seed=5)
    base = SeasonalBase.fit(panel, H, RECIPES, 7)
    _, effects = fit_effects(base, panel, windows, H, z, ahead)
    np.testing.assert_allclose(effects.shared, truth.mean(axis=0), atol=0.06)
    np.testing.assert_allclose(effects.weights, truth, atol=0.12)
    taken = effects.take(np.array([4, 1]))
    np.testing.assert_array_equal(taken.weights, effects.weights[[4, 1]])
    np.testing.assert_array_equal(taken.shared, effects.shared)


def test_a_new_entity_begins_at_the_prior() -> None:
    truth = np.array([[[0.3, -0.1]]])
    panel, windows, z, ahead = simulated(truth, rows=70, seed=6, level=3.0)
    base = SeasonalBase.fit(panel, H, RECIPES, 7)
    prior = np.array([[0.28, -0.08]])
    _, known = fit_effects(base, panel, windows, H, z, ahead, prior)
    _, alone = fit_effects(base, panel, windows, H, z, ahead)
    assert np.abs(known.weights - truth).max() < 0.1
    assert np.abs(known.weights - truth).sum() < np.abs(alone.weights - truth).sum()
    np.testing.assert_array_equal(known.shared, prior)


def test_multipliers_by_hand() -> None:
    rng = np.random.default_rng(7)
    effects = LatentEffects(rng.normal(size=(2, 3, 4)), np.zeros((3, 4)))
    panel = make_panel((5, 8), targets=3)
    z = rng.normal(size=(13, 4))
    past = effects.past(panel, z)
    entity = np.repeat([0, 1], [5, 8])
    ahead = effects.ahead(entity, np.stack([z, 2 * z], axis=1))
    for r in range(13):
        for d in range(3):
            log = sum(effects.weights[entity[r], d, k] * z[r, k] for k in range(4))
            assert past[r, d] == pytest.approx(np.exp(np.clip(log, -MAX_LOG, MAX_LOG)))
            assert ahead[r, 1, d] == pytest.approx(np.exp(np.clip(2 * log, -MAX_LOG, MAX_LOG)))
    assert past.max() == pytest.approx(np.exp(MAX_LOG))


def test_normal_equations_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(8)
    z, memory = rng.normal(size=(20, 3, 2)), rng.normal(size=(20, 4, 2))
    mu, y = rng.uniform(1, 5, (20, 3, 4)), rng.poisson(3.0, (20, 3, 4)).astype(float)
    y[rng.random(y.shape) < 0.2] = np.nan
    y[:, :, 2] = np.nan
    mu[:, :, 3] = 0.0
    gram, slope = le._normal_equations(z, memory, mu, y)
    for d in range(4):
        seen = [(w, s) for w in range(20) for s in range(3) if not np.isnan(y[w, s, d])]
        total = sum(mu[w, s, d] for w, s in seen)
        if total == 0:
            assert not gram[d].any()
            assert not slope[d].any()
            continue
        noise = sum((y[w, s, d] - mu[w, s, d]) ** 2 for w, s in seen) / total
        expected, right = np.zeros((2, 2)), np.zeros(2)
        for w, s in seen:
            x = z[w, s] - memory[w, d]
            expected += mu[w, s, d] * np.outer(x, x) / (noise * 3 * le.PERSISTENCE)
            right += x * (y[w, s, d] - mu[w, s, d]) / (noise * 3 * le.PERSISTENCE)
        np.testing.assert_allclose(gram[d], expected, rtol=1e-9)
        np.testing.assert_allclose(slope[d], right, rtol=1e-9, atol=1e-9)


def test_memory_is_the_mean_state_over_a_level_s_past() -> None:
    rng = np.random.default_rng(9)
    panel = make_panel((40, 60), targets=3, missing=0.2)
    base = SeasonalBase.fit(panel, 3, standard_recipes((7,), ("level", "mean", "profile")), 7)
    picks = base.picks.copy()
    kinds = [("profile", 0.1), ("level", 0.3), ("mean", 4.0)]
    for d, (kind, alpha) in enumerate(kinds):
        picks[1, d, 0] = next(k for k, r in enumerate(base.recipes) if (r.kind, r.alpha) == (kind, alpha))
    chosen = SeasonalBase(**{**vars(base), "picks": picks})
    z, past = rng.normal(size=(100, 2)), rng.uniform(0.5, 2.0, (100, 3))
    found = le._memory(chosen, panel, 1, z, past)
    y = panel.rows(1)
    for t in (0, 13, 59):
        for d, alpha in enumerate((0.1, 0.3 / 7)):
            keep = (1 - alpha) ** np.arange(t, -1, -1) * past[40 : 41 + t, d] * ~np.isnan(y[: t + 1, d])
            expected = (keep[:, None] * z[40 : 41 + t]).sum(axis=0) / max(keep.sum(), 1e-12)
            np.testing.assert_allclose(found[t, d], expected, rtol=1e-9)
    assert not found[:, 2].any()


def test_two_levels_of_a_normal_model() -> None:
    """Around a centre, the variance is estimated: the posterior means beat both no pooling and full pooling."""
    rng = np.random.default_rng(10)
    truth = 0.5 + 0.1 * rng.normal(size=(300, 1))
    gram = rng.uniform(20, 200, (300, 1, 1))
    slope = gram[:, :, 0] * truth + np.sqrt(gram[:, :, 0]) * rng.normal(size=(300, 1))
    found = le._empirical_bayes(gram, slope, np.full((300, 1), 0.5))
    expected = (slope + 0.5 / 0.01) / (gram[:, :, 0] + 1 / 0.01)  # the posterior with the true variance
    np.testing.assert_allclose(found, expected, atol=0.03)
    error = [float(np.square(f - truth).mean()) for f in (found, slope / gram[:, :, 0], np.full((300, 1), 0.5))]
    assert error[0] < 0.9 * min(error[1:])


def test_series_without_values_and_entities_without_windows() -> None:
    panel, _, z, _ = simulated(np.array([[[0.3], [0.2]], [[0.3], [0.2]]]), rows=200, seed=11)
    values = panel.values.copy()
    values[:, 1] = np.nan
    panel = panel.with_values(values)
    windows = slide(panel, input_size=30, h=H)
    windows = windows[np.flatnonzero(windows.entity == 0)]
    ahead = z[windows.rows(panel)[:, None] + np.arange(1, H + 1)]
    base = SeasonalBase.fit(panel, H, RECIPES, 7)
    _, effects = fit_effects(base, panel, windows, H, z, ahead)
    assert np.isfinite(effects.weights).all()
    np.testing.assert_allclose(effects.weights[:, 1], 0.0, atol=1e-12)
    np.testing.assert_allclose(effects.weights[1], effects.shared, atol=1e-12)


def test_series_below_zero() -> None:
    panel, windows, z, ahead = simulated(np.array([[[0.3], [0.0]]]), rows=500, seed=12)
    moved = panel.with_values(panel.values - 40.0)
    base, effects = fit_effects(SeasonalBase.fit(moved, H, RECIPES, 7), moved, windows, H, z, ahead)
    assert np.isfinite(effects.weights).all()
    assert effects.weights[0, 0, 0] > 0.02 > abs(effects.weights[0, 1, 0])
    assert (base.shift > 0).all()


def test_the_rounds_suffice() -> None:
    panel, windows, z, ahead = simulated(np.array([[[0.7], [-0.6]]]), rows=700, seed=13)
    base = SeasonalBase.fit(panel, H, RECIPES, 7)
    weights = [fit_effects(base, panel, windows, H, z, ahead)[1].weights]
    for rounds in (1, 12):
        weights.append(fit_effects(base, panel, windows, H, z, ahead, rounds=rounds)[1].weights)
    found, once, settled = weights
    # The first round needs no forecast that is known already, and later ones go on from it.
    plain = base.at(panel, windows, H, learning=True)
    early = fit_effects(base, panel, windows, H, z, ahead, plain=plain, rounds=1)
    np.testing.assert_allclose(early[1].weights, once)
    late = fit_effects(early[0], panel, windows, H, z, ahead, begun=early[1], rounds=le.ROUNDS - 1)[1]
    np.testing.assert_allclose(late.weights, found)
    assert np.abs(found - settled).max() < 0.01
    assert np.abs(once - settled).max() > 0.02


def test_many_windows_are_thinned_evenly_never_in_step_with_a_week() -> None:
    assert le._stride(slide(make_panel((300,)), input_size=7, h=7)) == 1
    long = slide(make_panel((2900,)), input_size=7, h=7)
    assert le._stride(long) == 8
    assert le._stride(slide(make_panel((1000, 1000)), input_size=7, h=7)) == 3


def test_a_state_in_doubt_is_expected_to_multiply_by_more() -> None:
    """The mean of the exponential, against many draws of the state."""
    rng = np.random.default_rng(11)
    root = 0.4 * rng.normal(size=(3, 2, 2))
    doubt = root @ root.transpose(0, 2, 1)
    effects = LatentEffects(rng.normal(size=(1, 2, 2)) * 0.5, np.zeros((2, 2)), doubt=doubt)
    expected = 0.3 * rng.normal(size=(1, 3, 2))
    found = effects.ahead(np.array([0]), expected)
    draws = expected[0] + np.einsum("hkl,nhl->nhk", root, rng.normal(size=(200_000, 3, 2)))
    by_draws = np.exp(draws @ effects.weights[0].T).mean(axis=0)
    np.testing.assert_allclose(found[0], by_draws, rtol=0.01)
    np.testing.assert_allclose(effects.for_new(make_panel((5,), targets=2)).doubt, doubt)


def test_the_doubt_is_what_states_were_beside_those_expected() -> None:
    panel = make_panel((40,))
    rng = np.random.default_rng(12)
    z = rng.normal(size=(40, 2))
    windows = slide(panel, input_size=5, h=H)
    ahead = rng.normal(size=(len(windows), H, 2))
    _, effects = fit_effects(SeasonalBase.fit(panel, H, RECIPES, 7), panel, windows, H, z, ahead, rounds=1)
    by_hand = np.zeros((H, 2, 2))
    for w, cutoff in enumerate(windows.cutoff):
        for k in range(H):
            error = z[cutoff + 1 + k] - ahead[w, k]
            by_hand[k] += np.outer(error, error) / len(windows)
    np.testing.assert_allclose(effects.doubt, by_hand)


def test_the_doubt_of_one_window_is_its_own_and_of_none_is_nothing() -> None:
    panel = make_panel((40,))
    rng = np.random.default_rng(13)
    z, every = rng.normal(size=(40, 2)), slide(panel, input_size=5, h=H)
    ahead = rng.normal(size=(1, H, 2))
    error = z[every.cutoff[3] + 1 + np.arange(H)] - ahead[0]
    np.testing.assert_allclose(le._doubt(panel, every[3:4], z, ahead), error[:, :, None] * error[:, None, :])
    assert (le._doubt(panel, every[:0], z, ahead[:0]) == np.zeros((H, 2, 2))).all()
