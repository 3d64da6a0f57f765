"""Attention inside and outside event windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import foretide as ft
from foretide.errors import ConfigError, DataError
from foretide.explain.weights.profiles import by_distance, entropy_of
from foretide.explain.weights.regimes import RegimeSplit, _compared, simultaneous

H, L = 4, 16


@pytest.fixture(scope="module")
def made() -> tuple[ft.Attention, ft.Panel]:
    panel = ft.synthetic.planted_lags(T=400, lags=(6, 12), weights=(0.6, 0.3), seed=0, n_noise=0).panel
    model = ft.Attention(H, input_size=L, hidden=8, heads=2, epochs=1).fit(
        panel, until=panel.grid.output_times([199])[0]
    )
    assert model.network is not None
    with torch.no_grad():
        query = model.network.backbone.query.weight  # type: ignore[union-attr]
        query.copy_(torch.randn(query.shape, generator=torch.Generator().manual_seed(0)) * 0.3)  # type: ignore[operator, arg-type]
    return model, panel


def test_figures_inside_and_outside_against_the_full_array(made: tuple[ft.Attention, ft.Panel]) -> None:
    summary = ft.explain.attention(*made, keep_weights=True)
    inside = np.arange(summary.shape[0]) % 40 < 12
    found = summary.by_regime(inside)
    table = found.table.set_index("figure")
    for side, chosen in (("inside", inside), ("outside", ~inside)):
        weights = summary.weights[chosen].astype(np.float64)
        assert table.loc["entropy", side] == pytest.approx(entropy_of(weights).mean(), rel=1e-5)
        lags = np.arange(L - 1, -1, -1)
        assert table.loc["mean lag", side] == pytest.approx((weights * lags).sum(axis=-1).mean(), rel=1e-5)
        assert found.profiles[side].to_numpy() == pytest.approx(by_distance(weights)[1:], abs=1e-6)
        far = int(summary.top_lags(1, by="distance")["distance"].iloc[0])
        assert table.loc[f"weight at distance {far}", side] == pytest.approx(by_distance(weights)[far], abs=1e-6)
    shares = table.loc[[f"share of {kind} lags" for kind in ("recent", "seasonal", "other")]]
    assert shares[["inside", "outside"]].sum().to_numpy() == pytest.approx(1, abs=1e-5)
    # The frequency's season, 24 hours, is out of this lookback's reach: no lag is seasonal.
    table = table.drop(index="share of seasonal lags")
    assert (table["low"] < table["difference"]).all()
    assert (table["difference"] < table["high"]).all()


def test_the_interval_of_independent_values_is_welchs() -> None:
    rng = np.random.default_rng(0)
    inside = rng.random(4000) < 0.3
    x = rng.normal(size=4000) + 0.5 * inside
    found = _compared("x", x, inside, np.arange(4000), 1)
    welch = stats.ttest_ind(x[inside], x[~inside], equal_var=False).confidence_interval(0.95)
    assert found["difference"] == pytest.approx(x[inside].mean() - x[~inside].mean())
    assert found["high"] - found["low"] == pytest.approx(welch.high - welch.low, rel=0.25)


def test_autocorrelated_figures_keep_the_level() -> None:
    """Runs of an AR(1) whose mean does not differ: the interval leaves out zero about one time in twenty."""
    rng, wrong, naive = np.random.default_rng(1), 0, 0
    for _ in range(200):
        shocks, x = rng.normal(size=600), np.zeros(600)
        for t in range(1, 600):
            x[t] = 0.9 * x[t - 1] + shocks[t]
        inside = (np.arange(600) // 50) % 3 == 0
        found = _compared("x", x, inside, np.arange(600), 20)
        wrong += not found["low"] < 0 < found["high"]
        naive += stats.ttest_ind(x[inside], x[~inside], equal_var=False).pvalue < 0.05
    assert wrong <= 24  # 12 %; at 5 % more come one time in 10,000
    assert naive > 60


def test_intervals_are_corrected_for_their_number(made: tuple[ft.Attention, ft.Panel]) -> None:
    summary = ft.explain.attention(*made)
    inside = np.arange(summary.shape[0]) % 40 < 12
    found = summary.by_regime(inside)
    assert len(found.table) == 8  # entropy, three shares, mean lag, three distances
    assert found.level == simultaneous(8) == pytest.approx(99.375)
    assert "95 % intervals, corrected for 8 figures: each has a level of 99.38 %" in found.text()
    # Anew, by hand: each interval is that of a single figure at the stricter level, wider than at 95 %.
    kept = ft.explain.attention(*made, keep_weights=True)
    lags = (kept.weights.astype(np.float64) * np.arange(L - 1, -1, -1)).sum(axis=-1).mean(axis=(1, 2))
    steps = summary.windows.steps(made[1])
    row = found.table.set_index("figure").loc["mean lag"]
    strict, single = (_compared("mean lag", lags, inside, steps, L, level) for level in (99.375, 95.0))
    assert (row["low"], row["high"]) == pytest.approx((strict["low"], strict["high"]), rel=1e-3, abs=1e-5)
    assert strict["low"] < single["low"] < single["high"] < strict["high"]


def test_eight_figures_together_keep_the_level() -> None:
    """Eight AR(1) figures whose means do not differ: one of them seems to about one time in twenty at most."""
    rng, wrong, uncorrected = np.random.default_rng(2), 0, 0
    inside = (np.arange(600) // 50) % 3 == 0
    for _ in range(100):
        x = np.zeros((600, 8))
        shocks = rng.normal(size=x.shape)
        for t in range(1, 600):
            x[t] = 0.7 * x[t - 1] + shocks[t]
        for level in (simultaneous(8), 95.0):
            found = [_compared("x", x[:, j], inside, np.arange(600), 20, level) for j in range(8)]
            any_out = not all(f["low"] < 0 < f["high"] for f in found)
            if level == 95.0:
                uncorrected += any_out
            else:
                wrong += any_out
    assert wrong <= 12  # 12 %; at 5 % more come one time in 500
    assert uncorrected >= 25  # as 1 - 0.95 ** 8 = 34 % says


def test_the_text_counts_what_differs() -> None:
    table = pd.DataFrame({
        "figure": ["entropy", "mean lag"], "inside": [2.0, 5.0], "outside": [1.0, 5.1], "difference": [1.0, -0.1],
        "low": [0.5, -0.4], "high": [1.5, 0.2],
    })  # fmt: skip
    split = RegimeSplit(table, pd.DataFrame(), np.array([True, False, False]), "as given", simultaneous(2))
    assert split.text() == (
        "Inside event windows (as given; 1 of 3 windows): entropy 2 instead of 1 (difference +1, interval +0.5 to "
        "+1.5). 1 of 2 figures differs by more than chance (95 % intervals, corrected for 2 figures: each has a level "
        "of 97.5 %)."
    )


def test_events_of_a_truth_against_a_slow_loop() -> None:
    data = ft.synthetic.hourly(T=700, seed=3)
    model = ft.Attention(H, input_size=L, hidden=8, heads=2, epochs=1).fit(
        data.panel, until=data.panel.grid.output_times([400])[0]
    )
    summary = ft.explain.attention(model, data.panel, data.panel.grid.output_times(np.arange(20, 690)))
    found = summary.by_regime(data.truth, reach=6)
    events = set(np.flatnonzero(data.truth.event_mask).tolist())
    expected = [any(c - k in events for k in range(6)) for c in range(20, 690)]
    assert found.inside.tolist() == expected
    assert "an event of the truth in the 6 steps up to the cutoff" in found.text()


def test_events_found_from_errors_follow_a_planted_shock(made: tuple[ft.Attention, ft.Panel]) -> None:
    model, panel = made
    values = panel.values.copy()
    values[300] += 30.0
    summary = ft.explain.attention(model, panel.with_values(values), panel.grid.output_times(np.arange(290, 306)))
    found = summary.by_regime("events", reach=3)
    assert found.inside.tolist() == [300 <= c <= 302 for c in range(290, 306)]
    assert "a forecast error beyond 4 standard deviations" in found.about


def test_a_target_that_is_never_observed_has_no_events() -> None:
    panel = ft.synthetic.hourly(T=400, seed=0, target=("x1", "x2")).panel
    model = ft.Attention(H, input_size=L, hidden=8, heads=2, epochs=1).fit(
        panel, until=panel.grid.output_times([250])[0]
    )
    values = panel.values.copy()
    values[260:, 1] = np.nan
    values[300, 0] += 100.0
    found = ft.explain.attention(
        model, panel.with_values(values), panel.grid.output_times(np.arange(270, 390))
    ).by_regime(reach=2)
    assert found.inside[30:32].all()


def test_weights_that_never_change_do_not_differ() -> None:
    panel = ft.synthetic.planted_lags(T=300, lags=(6,), weights=(0.6,), seed=0, n_noise=0).panel
    model = ft.Attention(H, input_size=L, hidden=8, heads=2, epochs=1).fit(panel)
    assert model.network is not None
    with torch.no_grad():
        model.network.backbone.query.weight.zero_()  # type: ignore[union-attr, operator]
        model.network.backbone.query.bias.zero_()  # type: ignore[union-attr, operator]
    summary = ft.explain.attention(model, panel)
    found = summary.by_regime(np.arange(summary.shape[0]) % 40 < 12)
    assert found.differing.empty
    assert "no figure of the attention differs by more than chance" in found.text()
    assert summary.between_windows < 1e-5
    assert "The weights hardly change from window to window" in summary.text(test=False)


def test_wrong_masks_say_what_to_type(made: tuple[ft.Attention, ft.Panel]) -> None:
    summary = ft.explain.attention(*made)
    n = summary.shape[0]
    with pytest.raises(DataError, match=f"one entry for each of the {n} windows"):
        summary.by_regime(np.ones(3, dtype=bool))
    with pytest.raises(DataError, match="every window is inside"):
        summary.by_regime(np.ones(n, dtype=bool))
    with pytest.raises(DataError, match="no window is inside"):
        summary.by_regime(np.zeros(n, dtype=bool))
    with pytest.raises(ConfigError, match="reach is a number of steps, at least 1; got 0"):
        summary.by_regime(reach=0)
    few = ft.explain.attention(*made, made[1].grid.output_times([300, 301, 302]))
    assert "too few cutoffs to tell" in few.by_regime(np.array([True, False, False])).text()
