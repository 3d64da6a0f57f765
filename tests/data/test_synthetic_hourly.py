from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from foretide.data.synthetic import hourly
from foretide.data.synthetic import hourly as hourly_function
from foretide.data.synthetic.hourly import HourlyTruth, _activity
from foretide.errors import ConfigError, DataError

OFF = {"regime_shifts": 0.0, "heteroskedasticity": 0.0, "coupling": 0.0}


def test_components_follow_the_specification_step_by_step() -> None:
    made = hourly(T=700, n_series=4, seed=7, **OFF)
    truth = made.truth
    for s in range(4):
        factor = truth.trend_factor[s]
        assert 0.9 <= factor <= 1.1
        for t in (0, 1, 23, 168, 500, 699):
            value = {k: v[t, s] for k, v in truth.components.items()}
            trend = (0.001 * t + 0.05 * np.sin(2 * np.pi * t / (24 * 365))) * factor
            assert value["trend"] == pytest.approx(trend)
            assert value["daily"] == pytest.approx((2.0 + 0.5 * s) * np.sin(2 * np.pi * t / 24), abs=1e-9)
            assert value["weekly"] == pytest.approx((0.8 + 0.2 * s) * np.sin(2 * np.pi * t / 168), abs=1e-9)
            assert value["fortnightly"] == pytest.approx(0.3 * np.sin(2 * np.pi * t / 336), abs=1e-9)
            assert value["level"] == pytest.approx(np.linspace(1, 3, 4)[s])
            assert value["shifts"] == value["coupling"] == 0
    np.testing.assert_allclose(made.panel.values, truth.values)


def test_noise_is_autoregressive_with_the_stated_spread() -> None:
    noise = hourly(T=200_000, n_series=2, seed=1, **OFF).truth.components["noise"]
    for s, width in enumerate((0.6, 0.8)):
        e = noise[:, s] / width
        w = (e[1:] - 0.7 * e[:-1]) / 0.3
        assert w.std() == pytest.approx(0.5, rel=0.01)
        assert w.mean() == pytest.approx(0, abs=0.005)
        assert np.corrcoef(w[1:], w[:-1])[0, 1] == pytest.approx(0, abs=0.01)
    assert np.corrcoef(noise.T)[0, 1] == pytest.approx(0, abs=0.01)


def test_the_first_noise_value_is_an_innovation_alone() -> None:
    first = np.array([hourly(T=1, n_series=1, seed=s, **OFF).truth.components["noise"][0, 0] for s in range(600)])
    assert first.std() == pytest.approx(0.6 * 0.3 * 0.5, rel=0.1)  # stationary noise would be 1.4 times as wide


def test_events_are_rare_shocks_shared_by_halves() -> None:
    truth = hourly(T=200_000, n_series=3, seed=2, **OFF).truth
    events = truth.components["events"]
    assert truth.event_mask.mean() == pytest.approx(0.002, rel=0.1)
    np.testing.assert_array_equal(events > 0, np.repeat(truth.event_mask[:, None], 3, axis=1))
    np.testing.assert_array_equal(events[:, 0], events[:, 2])
    assert 0 < events[truth.event_mask].min() < 0.1
    assert 2.4 < events.max() <= 2.5
    assert events[truth.event_mask].mean() == pytest.approx(1.25, rel=0.1)


def test_same_seed_same_data_and_a_longer_series_begins_with_the_shorter() -> None:
    np.testing.assert_array_equal(hourly(T=300, seed=5).panel.values, hourly(T=300, seed=5).panel.values)
    np.testing.assert_allclose(hourly(T=900, seed=5).panel.values[:300], hourly(T=300, seed=5).panel.values)
    assert not np.allclose(hourly(T=300, seed=5).panel.values, hourly(T=300, seed=6).panel.values)


@pytest.mark.parametrize("trait", sorted(OFF))
def test_a_trait_leaves_the_other_components_alone(trait: str) -> None:
    plain = hourly(T=3000, seed=3, **OFF).truth.components
    changed = hourly(T=3000, seed=3, **{**OFF, trait: 1.0}).truth.components
    touched = {"regime_shifts": "shifts", "heteroskedasticity": "noise", "coupling": "coupling"}[trait]
    for name, values in plain.items():
        assert np.array_equal(values, changed[name]) == (name != touched), name


def test_level_shifts_happen_at_the_change_points_only() -> None:
    truth = hourly(T=20_000, seed=4, regime_shifts=2.0).truth
    shifts = truth.components["shifts"]
    moved = np.flatnonzero(np.diff(shifts[:, 0], prepend=0.0))
    np.testing.assert_array_equal(moved, truth.change_points)
    assert len(moved) == pytest.approx(20, abs=13)
    half = hourly(T=20_000, seed=4, regime_shifts=1.0).truth.components["shifts"]
    np.testing.assert_allclose(shifts, 2 * half)


def test_noise_is_wider_at_and_after_events() -> None:
    wide, plain = (hourly(T=50_000, seed=6, **{**OFF, "heteroskedasticity": a}).truth for a in (1.0, 0.0))
    g = np.zeros(50_000)
    for t in range(50_000):
        g[t] = 1.0 if plain.event_mask[t] else (0.9 * g[t - 1] if t else 0.0)
    np.testing.assert_allclose(_activity(plain.event_mask), g, atol=1e-12)
    noises = (wide.components["noise"][:, 0], plain.components["noise"][:, 0])
    innovation = [x[1:] - 0.7 * x[:-1] for x in noises]
    np.testing.assert_allclose(innovation[0], innovation[1] * (1 + 2 * g[1:]), atol=1e-9)


def test_coupling_adds_the_lagged_driver() -> None:
    made = hourly(T=500, n_series=4, seed=8, coupling=1.5)
    x, level = made.truth.values, np.linspace(1, 3, 4)
    coupling = made.truth.components["coupling"]
    for t in range(500):
        for s in range(4):
            expected = 0.75 * (x[t - 3, s + 1] - level[s + 1]) if s % 2 == 0 and t >= 3 else 0.0
            assert coupling[t, s] == pytest.approx(expected)


def simulate(truth: HourlyTruth, cutoff: int, h: int, strengths: dict[str, float], n: int, runs: int) -> np.ndarray:
    """Continue the series from a cutoff by plain simulation, one slow rule at a time -> [runs, h, n]."""
    rng = np.random.default_rng(99)
    noise = np.repeat(truth.components["noise"][cutoff][None], runs, axis=0)
    shift = np.repeat(truth.components["shifts"][cutoff][None], runs, axis=0)
    g = np.full(runs, _activity(truth.event_mask)[cutoff])
    level, past = truth.components["level"][0], truth.values
    path = np.zeros((runs, h, n))
    for k in range(h):
        t = cutoff + 1 + k
        event = rng.uniform(size=runs) < 0.002
        shock = np.where(event, rng.uniform(0, 5, runs), 0)
        g = np.where(event, 1.0, 0.9 * g)
        width = (0.6 + 0.2 * np.arange(n)) * 0.3 * 0.5 * (1 + 2 * strengths["heteroskedasticity"] * g)[:, None]
        noise = 0.7 * noise + width * rng.normal(size=(runs, n))
        change = rng.uniform(size=(runs, 1)) < 0.001
        shift = shift + strengths["regime_shifts"] * change * rng.normal(size=(runs, n))
        s = np.arange(n)
        known = (0.001 * t + 0.05 * np.sin(2 * np.pi * t / 8760)) * truth.trend_factor
        known = known + (2 + 0.5 * s) * np.sin(2 * np.pi * t / 24) + (0.8 + 0.2 * s) * np.sin(2 * np.pi * t / 168)
        path[:, k] = known + 0.3 * np.sin(2 * np.pi * t / 336) + level + noise + shift + 0.5 * shock[:, None]
        for driven in range(0, n - 1, 2):
            source = path[:, k - 3, driven + 1] if k >= 3 else past[t - 3, driven + 1]
            path[:, k, driven] += 0.5 * strengths["coupling"] * (source - level[driven + 1])
    return path


@pytest.mark.parametrize("strengths", [OFF, dict.fromkeys(OFF, 1.0), {**OFF, "coupling": 2.0}])
def test_the_oracle_is_the_mean_of_simulated_continuations(strengths: dict[str, float]) -> None:
    names = ["x1", "x2", "x3", "x4"]
    truth = hourly(T=600, n_series=4, seed=11, target=names, **strengths).truth
    after_event = int(np.flatnonzero(truth.event_mask)[0]) if truth.event_mask.any() else 300
    for cutoff in (after_event, 599):
        runs = simulate(truth, cutoff, 12, strengths, 4, 20_000)
        oracle = truth.oracle([cutoff], 12)[0]
        error = np.abs(runs.mean(axis=0) - oracle)
        assert (error < 5 * runs.std(axis=0) / np.sqrt(len(runs)) + 1e-9).all()


def test_the_oracle_beats_the_last_day_and_is_unbiased() -> None:
    truth = hourly(T=6000, seed=42, **OFF).truth
    cutoffs = np.arange(200, 5980)
    y = truth.values[cutoffs[:, None] + np.arange(1, 11), 0]
    residual = y - truth.oracle(cutoffs, 10)[..., 0]
    naive = y - truth.values[cutoffs[:, None] + np.arange(1, 11) - 24, 0]
    assert np.sqrt((residual**2).mean()) < 0.4 * np.sqrt((naive**2).mean())
    assert abs(residual.mean()) < 0.01
    assert np.sqrt((residual[:, 0] ** 2).mean()) < np.sqrt((residual[:, 9] ** 2).mean())  # it knows the noise


def test_cutoffs_are_steps_or_times() -> None:
    made = hourly(T=100)
    by_step = made.truth.oracle([30, 99], 5)
    np.testing.assert_array_equal(by_step, made.truth.oracle(["2019-01-02 06:00", "2019-01-05 03:00"], 5))
    np.testing.assert_array_equal(by_step, made.truth.oracle(made.panel.grid.times([30, 99]), 5))
    np.testing.assert_array_equal(by_step[:1], made.truth.oracle(30, 5))
    np.testing.assert_array_equal(by_step[:1], made.truth.oracle(pd.Timestamp("2019-01-02 06:00"), 5))
    assert made.truth.oracle([], 5).shape == (0, 5, 1)
    with pytest.raises(ConfigError, match="Cutoffs lie within the 100 generated steps"):
        made.truth.oracle([100], 5)
    with pytest.raises(DataError, match="not on the panel's time grid"):
        made.truth.oracle(["2019-01-02 06:30"], 5)
    with pytest.raises(ConfigError, match="h is a whole number of at least 1"):
        made.truth.oracle([5], 0)


def test_roles_and_frame() -> None:
    made = hourly(T=50, target=["x3", "x1"])
    assert (made.panel.targets, made.panel.past) == (("x3", "x1"), ("x2",))
    frame = made.to_frame()
    assert list(frame.columns) == ["ds", "x3", "x1", "x2"]
    np.testing.assert_array_equal(frame["x3"], made.truth.values[:, 2])
    assert made.truth.oracle([10], 4).shape == (1, 4, 2)
    np.testing.assert_array_equal(
        made.truth.oracle([10], 4)[..., 1], hourly(T=50, target="x1").truth.oracle([10], 4)[..., 0]
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"T": 0}, "T is a whole number of at least 1"),
        ({"n_series": 1.5}, "n_series is a whole number"),
        ({"seed": -1}, "seed is a whole number of at least 0"),
        ({"coupling": -1.0}, "coupling is a strength of at least 0"),
        ({"regime_shifts": float("nan")}, "regime_shifts is a strength"),
        ({"target": "x9"}, "target names one or more channels out of x1, x2, x3; got 'x9'"),
        ({"target": []}, "target names one or more"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        hourly_function(**settings)  # type: ignore[arg-type]
