from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cases import make_panel

from foretide.data.panel import Panel
from foretide.data.time.calendar import Calendar
from foretide.data.time.grid import Grid
from foretide.data.windows import Windows, slide
from foretide.errors import DataError
from foretide.forecasters.classical import side_by_side
from foretide.forecasters.lavar.recipes import Block, Recipe, standard_recipes
from foretide.forecasters.lavar.seasonal_base import SeasonalBase

RECIPES = standard_recipes((7,))


def panel_of(*series: np.ndarray, first: tuple[int, ...] | None = None, flags: list[int] | None = None) -> Panel:
    """Return entities of their targets ``[T, D]`` each, with a flag column that is set at grid steps ``flags``."""
    parts = [np.asarray(s, dtype=float).reshape(len(s), -1) for s in series]
    base = make_panel([len(p) for p in parts], targets=parts[0].shape[1], future=0 if flags is None else 1, first=first)
    values = np.concatenate(parts)
    if flags is not None:
        begins = base.first if first is None else first
        steps = np.concatenate([b + np.arange(len(p)) for b, p in zip(begins, parts, strict=True)])
        values = np.column_stack([values, np.isin(steps, flags)])
    return base.with_values(values)


def all_windows(panel: Panel, h: int, low: int = 0) -> Windows:
    cutoff = [np.arange(low, int(n) - h) for n in panel.length]
    return Windows(np.repeat(np.arange(panel.n_entities), [len(c) for c in cutoff]), np.concatenate(cutoff))


def weekly(rows: int, level: float = 20.0, first: int = 0) -> np.ndarray:
    shape = np.array([1.2, 1.0, 0.9, 1.1, 1.4, 0.9, 0.5])
    return level * shape[(first + np.arange(rows)) % 7]


# -------------------------------------------------------------------- learning
def test_pooled_profile_is_aligned_by_grid_step_and_weighs_by_the_root() -> None:
    a, b = weekly(80, 30.0, 3), np.where(np.arange(70) % 7 == 5, 0.0, 10.0)
    a[11] = np.nan
    panel = panel_of(a, b, first=(3, 12))
    fitted = SeasonalBase.fit(panel, 3, RECIPES, 7)
    above, below = np.zeros(7), np.zeros(7)
    for y, first in ((a, 3), (b, 12)):
        for t, value in enumerate(y):
            if not np.isnan(value):
                mean = np.nanmean(y)
                above[(first + t) % 7] += value / mean * np.sqrt(mean)
                below[(first + t) % 7] += np.sqrt(mean)
    np.testing.assert_allclose(fitted.pooled[7], above / below, rtol=1e-12)
    block = fitted._block(panel, np.array([1]), np.ones((70, 1)))
    np.testing.assert_allclose(block.pooled[7], [(above / below)[(12 + t) % 7] for t in range(7)])


def test_ragged_series_without_noise_are_forecast_exactly() -> None:
    panel = panel_of(weekly(90, 30.0, 3), weekly(60, 4.0, 12), weekly(90, 11.0, 3), first=(3, 12, 3))
    fitted = SeasonalBase.fit(panel, 5, RECIPES, 7)
    windows = all_windows(panel, 9, low=20)
    truth = panel.values[windows.rows(panel)[:, None] + np.arange(1, 10)]
    np.testing.assert_allclose(fitted.at(panel, windows, 9), truth, rtol=1e-4)


def test_noise_is_the_squared_error_over_what_was_expected() -> None:
    rng = np.random.default_rng(0)
    y = rng.poisson(20.0, (400, 2)) * np.array([1.0, 5.0])
    panel = panel_of(y, flags=[50, 100, 151])
    y[[50, 100, 151]] = 0
    fitted = SeasonalBase.fit(panel, 3, RECIPES, 7)
    # Poisson counts have variance over mean 1, five times them 5; a moving level adds a little.
    np.testing.assert_allclose(fitted.noise, [[1.0, 5.0]], rtol=0.25)
    quiet = panel.values[:, :2].copy()
    quiet[fitted.events.flags(panel, 0, 0, 400).any(axis=1)] = np.nan
    block = Block(quiet, np.ones_like(quiet), fitted.pooled, np.ones(2))
    expected = block.tables(Recipe("profile", 7, 0.02)).ahead(np.arange(399), 1)[:, 0]
    seen = ~np.isnan(quiet[1:]) & ~np.isnan(expected)
    by_hand = [
        sum((quiet[1:][s, d] - expected[s, d]) ** 2 for s in np.flatnonzero(seen[:, d]))
        / sum(expected[s, d] for s in np.flatnonzero(seen[:, d]))
        for d in range(2)
    ]
    np.testing.assert_allclose(fitted.noise[0], by_hand, rtol=1e-9)


def test_planted_events_are_found_and_forecast() -> None:
    rng = np.random.default_rng(1)
    flags = sorted(rng.choice(np.arange(10, 480), 30, replace=False).tolist())
    y = np.stack([weekly(500, 40.0), weekly(500, 25.0)], axis=1)
    panel = panel_of(y, flags=flags)
    probe = SeasonalBase.fit(panel, 7, RECIPES, 7)
    events = probe.events.flags(panel, 0, 0, 500)
    y = y * np.prod(np.where(events > 0, np.array([0.3, 1.5, 1.0])[None, :, None], 1.0), axis=1)
    panel = panel_of(y, flags=flags)
    fitted = SeasonalBase.fit(panel, 7, RECIPES, 7)
    np.testing.assert_allclose(fitted.factors[0, :2], np.array([[0.3] * 2, [1.5] * 2]), rtol=0.05)
    np.testing.assert_allclose(fitted.factors[0, 2], 1.0, rtol=0.05)
    windows = all_windows(panel, 7, low=300)
    truth = y[windows.cutoff[:, None] + np.arange(1, 8)]
    assert np.abs(fitted.at(panel, windows, 7) - truth).mean() < 0.02 * truth.mean()
    without = replace(fitted, factors=np.ones_like(fitted.factors)).at(panel, windows, 7)
    assert np.abs(without - truth).mean() > 0.05 * truth.mean()


def test_a_prior_gives_profile_and_factors_to_a_short_series() -> None:
    flags = list(range(9, 400, 23))
    rng = np.random.default_rng(2)
    shape = np.where(np.isin(np.arange(400), flags), 0.4, 1.0) * weekly(400, 30.0)
    teacher_panel = panel_of(*(rng.poisson(shape * f).astype(float) for f in (1.0, 0.7, 1.6)), flags=flags)
    teacher = SeasonalBase.fit(teacher_panel, 7, RECIPES, 7)
    # Another grid: it begins at what was step 3.
    young = panel_of(rng.poisson(shape[3:24]).astype(float), flags=[6])
    young = replace(young, grid=Grid(pd.Timestamp("2023-01-05"), "D"))
    fitted = SeasonalBase.fit(young, 7, RECIPES, 7, prior=teacher)
    np.testing.assert_allclose(fitted.pooled[7], np.roll(teacher.pooled[7], -3))
    assert fitted.events == teacher.events
    assert abs(fitted.factors[0, 0, 0] - 0.4) < 0.1
    alone = SeasonalBase.fit(young, 7, RECIPES, 7)
    assert abs(alone.factors[0, 0, 0] - 0.4) > abs(fitted.factors[0, 0, 0] - 0.4) if alone.events.names else True


@pytest.mark.parametrize(("start", "freq", "later"), [("2023-01-02", "D", "2023-01-12"), (5, 2, 25)])
def test_a_panel_may_begin_elsewhere_on_the_grid(start: object, freq: str | int, later: object) -> None:
    rng = np.random.default_rng(3)
    y = rng.poisson(weekly(120, 6.0)).astype(float)
    panel = replace(panel_of(y), grid=Grid(pd.Timestamp(start) if isinstance(start, str) else start, freq))
    fitted = SeasonalBase.fit(panel, 7, [Recipe("profile", 7, 0.02, 0.0)], 7)
    rest = replace(panel_of(y[10:]), grid=Grid(pd.Timestamp(later) if isinstance(later, str) else later, freq))
    cut = replace(panel, row0=panel.row0 + 10, length=panel.length - 10, first=panel.first + 10)
    windows = all_windows(rest, 7)
    np.testing.assert_allclose(fitted.at(rest, windows, 7), fitted.at(cut, windows, 7), rtol=1e-12)
    restored = SeasonalBase.restore(fitted.arrays(), json.loads(json.dumps(fitted.facts())))
    np.testing.assert_array_equal(restored.at(rest, windows, 7), fitted.at(rest, windows, 7))


# -------------------------------------------------------------------- forecasting
def test_at_is_the_weighted_mean_of_the_recipes() -> None:
    rng = np.random.default_rng(4)
    series = [rng.gamma(3.0, 4.0, (n, 2)) * weekly(n)[:, None] for n in (90, 90, 70)]
    panel = panel_of(*series, first=(0, 0, 5), flags=[4, 30, 44, 61, 80])
    fitted = SeasonalBase.fit(panel.until(panel.grid.times([60])[0]), 5, RECIPES, 7)
    windows = all_windows(panel, 6, low=15)
    windows = windows[np.random.default_rng(0).permutation(len(windows))]
    found = fitted.at(panel, windows, 6)
    for w in range(0, len(windows), 17):
        i, t = int(windows.entity[w]), int(windows.cutoff[w])
        y = series[i][: t + 1]
        factors = fitted._event_factors(panel, np.array([i]), t + 7)
        pooled = {s: np.roll(v, -int(panel.first[i]) % s) for s, v in fitted.pooled.items()}
        for d in range(2):
            expected = np.zeros(6)
            for pick, weight in zip(fitted.picks[i, d], fitted.weights[i, d], strict=True):
                recipe = fitted.recipes[pick]
                block = Block(y[:, [d]], factors[: t + 1, [d]], pooled, fitted.noise[i, [d]])
                ahead = block.tables(recipe).ahead(np.array([t]), 6)[0, :, 0]
                expected += weight * ahead * (factors[t + 1 :, d] if recipe.knows_events else 1.0)
            np.testing.assert_allclose(found[w, :, d], expected, rtol=1e-9)


def test_past_and_ahead_effects_multiply_like_events() -> None:
    rng = np.random.default_rng(5)
    y = rng.gamma(30.0, 1.0, (200, 1)) * weekly(200)[:, None]
    effect = np.exp(0.5 * np.sin(np.arange(200) / 9))[:, None]
    plain = SeasonalBase.fit(panel_of(y), 5, [Recipe("level", 7, 0.2)], 7)
    panel = panel_of(y * effect)
    windows = all_windows(panel, 5, low=50)
    ahead = effect[windows.cutoff[:, None] + np.arange(1, 6)]
    found = plain.at(panel, windows, 5, effect, ahead)
    one = plain.at(panel_of(y), windows, 5)
    # A day that is multiplied weighs more in the level; the ratio is the same where the noise is small.
    np.testing.assert_allclose(found / ahead, one, rtol=0.1)
    assert np.abs(plain.at(panel, windows, 5) / ahead / one - 1).max() > 0.5


def test_recipes_are_chosen_for_the_series() -> None:
    rng = np.random.default_rng(6)
    walk = 50 + np.cumsum(rng.normal(size=600))
    steady = rng.poisson(weekly(600)).astype(float)
    fitted = SeasonalBase.fit(panel_of(np.column_stack([walk, steady])), 3, RECIPES, 7)
    chosen = [RECIPES[int(fitted.picks[0, d, 0])] for d in range(2)]
    assert chosen[0].kind == "last" or chosen[0].alpha == 0.3
    assert chosen[1].kind == "profile"
    assert chosen[1].alpha <= 0.03
    np.testing.assert_allclose(fitted.weights.sum(axis=2), 1.0)
    known = np.exp(np.where(np.arange(600) < 300, 0.0, 1.0))[:, None] * np.ones(2)
    other = SeasonalBase.fit(panel_of(np.column_stack([walk, steady]) * known), 3, RECIPES, 7)
    again = other.chosen(panel_of(np.column_stack([walk, steady]) * known), 3, past=known)
    assert RECIPES[int(again.picks[0, 1, 0])].kind == "profile"
    np.testing.assert_allclose(again.weights.sum(axis=2), 1.0)


def test_blocks_of_many_series_choose_as_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    panel = panel_of(*(rng.gamma(2.0, 5.0, (80, 2)) for _ in range(5)))
    whole = SeasonalBase.fit(panel, 4, RECIPES, 7)
    monkeypatch.setattr(side_by_side, "SIDE_BY_SIDE", 16)
    split = SeasonalBase.fit(panel, 4, RECIPES, 7)
    np.testing.assert_array_equal(whole.picks, split.picks)
    np.testing.assert_allclose(whole.weights, split.weights, rtol=1e-9)


def test_forecasts_depend_on_earlier_rows_only() -> None:
    rng = np.random.default_rng(8)
    y = rng.gamma(2.0, 5.0, (120, 2)) - 3.0
    panel = panel_of(y, flags=[20, 47, 90])
    fitted = SeasonalBase.fit(panel.until(panel.grid.times([80])[0]), 5, RECIPES, 7)
    windows = all_windows(panel, 5)
    whole = fitted.at(panel, windows, 5)
    for cut in (1, 30, 77):
        values = panel.values.copy()
        values[cut + 1 :, :2] = 1e6 * rng.normal(size=(119 - cut, 2))
        early = windows.cutoff <= cut
        np.testing.assert_allclose(fitted.at(panel.with_values(values), windows, 5)[early], whole[early], rtol=1e-9)


# -------------------------------------------------------------------- odd series
def test_series_below_zero_are_shifted() -> None:
    y = np.column_stack([weekly(200) - 30.0, weekly(200), np.full(200, -5.0)])
    fitted = SeasonalBase.fit(panel_of(y), 5, RECIPES, 7)
    low, high = (weekly(200) - 30).min(), (weekly(200) - 30).max()
    np.testing.assert_allclose(fitted.shift, [[high - 2 * low, 0.0, 5.0]])
    windows = all_windows(panel_of(y), 5, low=60)
    truth = y[windows.cutoff[:, None] + np.arange(1, 6)]
    np.testing.assert_allclose(fitted.at(panel_of(y), windows, 5), truth, rtol=1e-3, atol=1e-3)
    unseen = panel_of(np.full((40, 3), np.nan))
    np.testing.assert_array_equal(fitted.at(unseen, all_windows(unseen, 5), 5), 0.0)


def test_series_that_are_never_seen_or_all_zero() -> None:
    gone = np.full(100, np.nan)
    y = np.column_stack([gone, np.zeros(100), weekly(100)])
    panel = panel_of(y, np.full((100, 3), np.nan), np.zeros((100, 3)), flags=[20, 51])
    fitted = SeasonalBase.fit(panel, 5, RECIPES, 7)
    found = fitted.at(panel, all_windows(panel, 5), 5).reshape(3, -1, 5, 3)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[0, :, :, :2], 0.0)
    np.testing.assert_array_equal(found[1:], 0.0)
    # A series that begins after the training part has no choice of its own, but a forecast.
    late = np.column_stack([weekly(100), np.zeros(100), weekly(100)])
    panel = panel_of(late, late, late, flags=[20, 51])
    windows = all_windows(panel, 5, low=60)
    truth = panel.values[windows.rows(panel)[:, None] + np.arange(1, 6)][..., :3]
    error = np.abs(fitted.at(panel, windows, 5) - truth)
    assert error.mean() < 0.35 * truth.mean()


@pytest.mark.parametrize("rows", [1, 2, 5, 9])
def test_short_series_have_a_forecast(rows: int) -> None:
    y = np.arange(3.0, 3.0 + rows)
    panel = panel_of(y, y * 2)
    fitted = SeasonalBase.fit(panel, 5, RECIPES, 7)
    found = fitted.at(panel, Windows(np.array([0, 1]), np.array([rows - 1, 0])), 5)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert found.max() < 60
    np.testing.assert_allclose(found[1], 6.0, rtol=0.8)


def test_before_a_season_is_known_the_average_speaks() -> None:
    y = weekly(100)
    fitted = SeasonalBase.fit(panel_of(y), 5, [Recipe("season", 7)], 7)
    found = fitted.at(panel_of(y), Windows(np.array([0]), np.array([2])), 7)[0, :, 0]
    np.testing.assert_allclose(found, [y[:3].mean()] * 4 + list(y[:3]))


# -------------------------------------------------------------------- the rest
def test_unknown_entities_are_named() -> None:
    fitted = SeasonalBase.fit(panel_of(weekly(50), weekly(50)), 3, RECIPES, 7)
    other = replace(panel_of(weekly(50), weekly(50)), ids=("shop0", "shop11"))
    with pytest.raises(DataError, match=r"Entity 'shop11' has no rows in the training part .* Did you mean 'shop1'\?"):
        fitted.positions(other)
    assert fitted.positions(replace(other, ids=("shop1", "shop0"))).tolist() == [1, 0]


def test_holidays_are_known_beyond_the_panel_and_columns_are_not() -> None:
    panel = panel_of(weekly(500))
    fitted = SeasonalBase.fit(panel, 7, RECIPES, 7, calendar=Calendar((), "DE"))
    assert fitted.at(panel, Windows(np.array([0]), np.array([499])), 7).shape == (1, 7, 1)
    panel = panel_of(weekly(100), flags=[5, 40])
    fitted = SeasonalBase.fit(panel, 7, RECIPES, 7)
    with pytest.raises(DataError, match=r"Known-future column 'f0' of 'y0' has no value at 2023-04-12"):
        fitted.at(panel, Windows(np.array([0]), np.array([99])), 7)
    holes = panel.values.copy()
    holes[30, 1] = np.nan
    past_gap = panel.with_values(holes)
    windows = Windows(np.array([0]), np.array([80]))
    np.testing.assert_allclose(
        SeasonalBase.fit(past_gap, 7, RECIPES, 7).at(past_gap, windows, 7), fitted.at(panel, windows, 7), rtol=1e-9
    )
    with pytest.raises(DataError, match="no value at 2023-02-01"):
        fitted.at(past_gap, Windows(np.array([0]), np.array([28])), 7)


def test_everything_learned_comes_back() -> None:
    panel = panel_of(weekly(90) - 8, weekly(90, 9.0), flags=[5, 40])
    fitted = SeasonalBase.fit(panel, 7, RECIPES, 7)
    restored = SeasonalBase.restore(fitted.arrays(), json.loads(json.dumps(fitted.facts())))
    windows = slide(panel, input_size=1, h=7)
    np.testing.assert_array_equal(restored.at(panel, windows, 7), fitted.at(panel, windows, 7))
    assert restored.recipes == fitted.recipes
    assert restored.start == fitted.start


def test_standard_recipes() -> None:
    found = standard_recipes((7, 30))
    assert len(set(found)) == len(found)
    assert {r.season for r in found} == {1, 7, 30}
    assert {r.kind for r in standard_recipes((), None)} == {"last", "level", "profile"}
    assert {r.kind for r in standard_recipes((7,), ("mean",))} == {"mean"}
    assert any(r.season == 1 and r.kind == "profile" for r in standard_recipes((7,)))
    assert {r.kind for r in standard_recipes((7,), ("level",))} == {"level"}
    assert standard_recipes((), ("season",)) == (Recipe("last"),)


def test_a_last_value_knows_no_events() -> None:
    y = weekly(300, 30.0)
    flags = list(range(9, 300, 23))
    y[flags] *= 0.2
    panel = panel_of(y, flags=flags)
    fitted = SeasonalBase.fit(panel, 3, [Recipe("last")], 7)
    assert fitted.factors[0, 0, 0] < 0.4
    windows = all_windows(panel, 3)
    np.testing.assert_array_equal(fitted.at(panel, windows, 3)[:, :, 0], np.repeat(y[windows.cutoff][:, None], 3, 1))


def test_factors_of_a_target_are_drawn_to_those_of_the_same_target() -> None:
    rng = np.random.default_rng(9)
    panel = panel_of(rng.poisson(9.0, (200, 2)).astype(float), flags=list(range(9, 200, 23)))
    teacher = SeasonalBase.fit(panel, 3, RECIPES, 7)

    def taught(first: float, second: float) -> np.ndarray:
        factors = np.broadcast_to([first, second], teacher.factors.shape)
        return SeasonalBase.fit(panel, 3, RECIPES, 7, prior=replace(teacher, factors=factors)).factors

    # All targets together say the same in both cases.
    ratio = np.broadcast_to(np.sqrt([0.5, 2.0]), teacher.factors.shape)
    np.testing.assert_allclose(taught(0.2, 0.8) / taught(0.4, 0.4), ratio)


def test_events_ahead_of_every_window_must_be_known() -> None:
    panel = panel_of(weekly(100), flags=[5, 40])
    fitted = SeasonalBase.fit(panel, 7, RECIPES, 7)
    values = panel.values.copy()
    values[30, 1] = np.nan
    with pytest.raises(DataError, match="no value at 2023-02-01"):
        fitted.at(panel.with_values(values), Windows(np.array([0, 0]), np.array([60, 28])), 7)


@pytest.mark.parametrize("seed", [8101, 8102])
def test_short_sparse_series_are_forecast_without_bias(seed: int) -> None:
    """On 39 months of chance alone seasons and trends, which fit the few demands there are, must not be taken."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(0.5, 1.0, 600)
    panel = make_panel((39,) * 600).with_values(rng.poisson(rates[:, None], (600, 39)).reshape(-1, 1) * 1.0)
    base = SeasonalBase.fit(panel, 12, standard_recipes((12,)), 12)
    mean = base.at(panel, Windows(np.arange(600), np.full(600, 38)), 12)[:, :, 0].mean(axis=1)
    assert 0.94 < mean.sum() / rates.sum() < 1.06
    own = panel.values[:, 0].reshape(600, 39).mean(axis=1)
    assert ((mean - rates) ** 2).mean() < 2.5 * ((own - rates) ** 2).mean()
