from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foretide.forecasters.lavar.recipes import (
    LINE_COST,
    MAX_LOG_GROWTH,
    PROFILE_VARIANCE,
    SEASON_COST,
    SLOPELESS,
    Block,
    Recipe,
    standard_recipes,
    tables_held,
)
from foretide.forecasters.lavar.sums import discounted
from foretide.forecasters.simple import history as hist

series = arrays(
    np.float64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=st.one_of(st.just(0.0), st.floats(0.1, 9))
)


def block_of(y: np.ndarray, events: np.ndarray | None = None, pooled: Mapping[int, np.ndarray] | None = None) -> Block:
    usual = {s: np.ones(s) for s in range(1, 40)} | dict(pooled or {})
    return Block(y, np.ones_like(y) if events is None else events, usual, np.full(y.shape[1], 1e-9))


def with_gaps(shape: tuple[int, int], share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values with gaps, and event factors."""
    rng = np.random.default_rng(seed)
    y = rng.gamma(2.0, 5.0, shape)
    y[rng.random(shape) < share] = np.nan
    return y, np.where(rng.random(shape) < 0.2, rng.uniform(0.2, 2.0, shape), 1.0)


def weighted(y: np.ndarray, weight: np.ndarray, rows: np.ndarray, alpha: float) -> float:
    """What was seen over what was explained in some rows, newest last, by discounts of their age in rows given."""
    above = below = 0.0
    for age, t in enumerate(rows[::-1]):
        if not np.isnan(y[t]):
            above += (1 - alpha) ** age * y[t]
            below += (1 - alpha) ** age * weight[t]
    return above / below if below > 0 else np.nan


@settings(max_examples=30)
@given(values=series, alpha=st.sampled_from([0.0, 0.01, 0.3, 1.0]))
def test_discounted_is_the_sum_by_hand(values: np.ndarray, alpha: float) -> None:
    found = discounted(values, alpha)
    for t in range(len(values)):
        by_hand = sum((1 - alpha) ** k * values[t - k] for k in range(t + 1))
        np.testing.assert_allclose(found[t], by_hand, rtol=1e-9, atol=1e-12)


@settings(max_examples=30)
@given(values=series, season=st.integers(1, 8), alpha=st.sampled_from([0.05, 0.3, 0.9]))
def test_season_level_without_events_and_gaps_is_that_of_the_history(
    values: np.ndarray, season: int, alpha: float
) -> None:
    found = block_of(values).tables(Recipe("level", season, alpha)).profile
    np.testing.assert_allclose(found, hist.season_level(values, season, alpha), rtol=1e-9, atol=1e-12)


def test_season_level_with_events_and_gaps_by_hand() -> None:
    y, events = with_gaps((33, 3), 0.3)
    found = block_of(y, events).tables(Recipe("level", 5, 0.3)).profile
    for t in range(33):
        rows = np.arange(t % 5, t + 1, 5)
        expected = [weighted(y[:, d], events[:, d], rows, 0.3) for d in range(3)]
        np.testing.assert_allclose(found[t], expected, rtol=1e-9)


def test_season_mean_is_over_the_last_cycles() -> None:
    y, events = with_gaps((40, 3), 0.1, seed=1)
    found = block_of(y, events).tables(Recipe("mean", 4, 3)).profile
    for t in range(40):
        rows = np.arange(t % 4, t + 1, 4)[-3:]
        expected = np.array([weighted(y[:, d], events[:, d], rows, 0.0) for d in range(3)])
        known = ~np.isnan(expected)
        np.testing.assert_allclose(found[t][known], expected[known], rtol=1e-9)


def test_plain_recipes_are_those_of_the_history() -> None:
    y, _ = with_gaps((30, 2), 0.4, seed=2)
    np.testing.assert_array_equal(block_of(y).tables(Recipe("last")).profile, hist.last_seen(y))
    np.testing.assert_array_equal(block_of(y).tables(Recipe("season", 7)).profile, hist.season_last(y, 7))
    rows = np.array([3, 17, 29])
    expected = hist.at_rows(hist.season_last(y, 7), hist.ahead_rows(rows, 9, 7))
    np.testing.assert_array_equal(block_of(y).tables(Recipe("season", 7)).ahead(rows, 9), expected)
    assert [Recipe(k).knows_events for k in ("last", "season", "level", "mean", "profile")] == [False] * 2 + [True] * 3


@pytest.mark.parametrize("profile_alpha", [0.0, 0.2])
@pytest.mark.parametrize("noise", [1e-9, 3.0])
def test_profile_recipe_by_hand(profile_alpha: float, noise: float) -> None:
    season, alpha, rows = 4, 0.1, 30
    y, events = with_gaps((rows, 1), 0.2, seed=3)
    pooled = np.array([0.5, 1.5, 1.2, 0.8])
    block = Block(y, events, {season: pooled}, np.array([noise]))
    tables = block.tables(Recipe("profile", season, alpha, profile_alpha))
    v, w = np.nan_to_num(y[:, 0]), np.where(np.isnan(y[:, 0]), 0.0, events[:, 0])
    usual = np.array([pooled[t % season] for t in range(rows)])
    rough, profile, level = np.zeros(rows), np.zeros(rows), np.full(rows, np.nan)
    for t in range(rows):
        keep = (1 - 1 / (4 * season)) ** np.arange(t, -1, -1)
        below = (keep * w[: t + 1] * usual[: t + 1]).sum()
        rough[t] = (keep * v[: t + 1]).sum() / below if below else 0.0
    for t in range(rows):
        same = np.arange(t % season, t + 1, season)
        keep = (1 - profile_alpha) ** np.arange(len(same))[::-1]
        prior = noise / PROFILE_VARIANCE
        profile[t] = ((keep * v[same]).sum() + prior * usual[t]) / ((keep * w[same] * rough[same]).sum() + prior)
    for t in range(rows):
        keep = (1 - alpha) ** np.arange(t, -1, -1)
        before = np.array([profile[s - season] if s >= season else profile[s] for s in range(t + 1)])
        below = (keep * w[: t + 1] * before).sum()
        level[t] = (keep * v[: t + 1]).sum() / below if below else np.nan
    np.testing.assert_allclose(tables.profile[:, 0], profile, rtol=1e-9)
    assert tables.level is not None
    np.testing.assert_allclose(tables.level[:, 0], level, rtol=1e-9)
    ahead = tables.ahead(np.array([20]), 6)[0, :, 0]
    np.testing.assert_allclose(ahead, level[20] * profile[[17, 18, 19, 20, 17, 18]], rtol=1e-9)


@pytest.mark.parametrize("recipe", [Recipe("profile", 7, 0.05), Recipe("profile", 7, 0.3, 0.1)])
def test_level_times_profile_times_events_is_recovered_exactly(recipe: Recipe) -> None:
    rng = np.random.default_rng(4)
    shape = rng.uniform(0.3, 2.0, (7, 2))
    shape /= shape.mean(axis=0)
    events = np.where(rng.random((140, 2)) < 0.1, 0.4, 1.0)
    truth = np.array([30.0, 5.0]) * shape[np.arange(140) % 7]
    y = truth * events
    y[rng.random((140, 2)) < 0.1] = np.nan
    pooled = {7: shape.mean(axis=1)}
    found = block_of(y, events, pooled).tables(recipe).ahead(np.arange(100, 126), 14)
    # The level of a first, rough pass moves a little with the season, so the profile is right up to some percent.
    ahead = np.arange(100, 126)[:, None] + np.arange(1, 15)
    np.testing.assert_allclose(found, truth[ahead], rtol=0.05)
    # Where all series share the profile, nothing is rough.
    same = np.array([30.0, 5.0]) * shape[np.arange(140) % 7, :1]
    y = np.where(np.isnan(y), np.nan, same * events)
    found = block_of(y, events, {7: shape[:, 0]}).tables(recipe).ahead(np.arange(100, 126), 14)
    np.testing.assert_allclose(found, same[ahead], rtol=1e-7)


def test_growth_goes_on_as_far_as_it_is_believed_and_no_further() -> None:
    rate = 0.004
    y = 20 * np.exp(rate * np.arange(400))[:, None]
    rows = np.array([350])
    truth = 20 * np.exp(rate * (350 + np.arange(1, 15)))
    flat = block_of(y).tables(Recipe("profile", 7, 0.1)).ahead(rows, 14)[0, :, 0]
    steep = block_of(y).tables(Recipe("profile", 7, 0.1, 0.1, 1.0)).ahead(rows, 14)[0, :, 0]
    half = block_of(y).tables(Recipe("profile", 7, 0.1, 0.1, 0.5))
    assert np.abs(steep / truth - 1).max() < 0.02 < np.abs(flat / truth - 1).max()
    assert half.growth is not None
    assert half.growth[350, 0] == pytest.approx(0.5 * rate, rel=0.06)  # the floor of small levels dampens a little
    assert half.lag == pytest.approx(9.0)
    sudden = np.where(np.arange(60) < 40, 0.01, 1000.0)[:, None]
    tables = block_of(sudden).tables(Recipe("profile", 5, 0.3, 0.0, 0.8))
    assert tables.growth_ahead(np.array([44]), 50).max() == pytest.approx(np.exp(MAX_LOG_GROWTH))
    assert tables.growth_ahead(np.array([5]), 50).tolist() == np.ones((1, 50, 1)).tolist()


def test_a_line_is_that_of_least_squares_and_goes_on_by_half() -> None:
    y, events = with_gaps((70, 3), 0.1, seed=8)
    y += np.linspace(0, 40, 70)[:, None]
    tables = block_of(y, events).tables(Recipe("profile", 1, 0.3, 0.0, 0.5, True))
    assert tables.growth is not None
    assert tables.level is not None
    for t in (5, 30, 69):
        for s in range(3):
            seen = np.flatnonzero(~np.isnan(y[: t + 1, s]))
            weight, age = events[seen, s], t - seen.astype(float)
            middle = np.average(age, weights=weight)
            spread = (weight * (age - middle) ** 2).sum() + weight.mean() * SLOPELESS**3 / 12
            slope = -(y[seen, s] * (age - middle)).sum() / spread  # y / weight is the value, weighed by weight
            assert tables.growth[t, s] == pytest.approx(0.5 * slope / tables.level[t, s], rel=1e-9)
    ahead = tables.ahead(np.array([69]), 60)[0]
    steps = np.arange(1, 61)[:, None] + 0.7 / 0.3
    factor = np.clip(1 + tables.growth[69] * steps, np.exp(-MAX_LOG_GROWTH), np.exp(MAX_LOG_GROWTH))
    np.testing.assert_allclose(ahead, tables.level[69] * factor)


def test_a_season_costs_less_the_more_rows_there_are_and_a_line_always_the_same() -> None:
    spans = np.array([0.5, 1.0, 50.0])
    assert Recipe("profile", 7, 0.1).cost(spans).tolist() == [SEASON_COST, SEASON_COST, SEASON_COST / 50]
    assert Recipe("profile", 1, 0.1).cost(spans).tolist() == [0.0] * 3
    assert Recipe("profile", 1, 0.1, 0.0, 0.5, True).cost(spans).tolist() == [LINE_COST] * 3


def test_a_level_lasts_through_any_gap() -> None:
    y = np.full((200, 1), np.nan)
    y[:7, 0] = np.arange(1, 8)
    for recipe in (Recipe("level", 7, 0.7), Recipe("level", 7, 1.0), Recipe("mean", 7, 2)):
        np.testing.assert_allclose(block_of(y).tables(recipe).ahead(np.array([199]), 7)[0, :, 0], [5, 6, 7, 1, 2, 3, 4])
    found = block_of(y).tables(Recipe("profile", 1, 0.9)).ahead(np.array([199]), 2)
    np.testing.assert_allclose(found, block_of(y).tables(Recipe("profile", 1, 0.9)).ahead(np.array([6]), 2))


def test_nothing_seen_is_unknown_and_zeros_are_zero() -> None:
    y = np.column_stack([np.full(30, np.nan), np.zeros(30), np.r_[np.full(20, np.nan), np.ones(10)]])
    for recipe in standard_recipes((7,)):
        found = block_of(y).tables(recipe).ahead(np.array([13, 29]), 7)
        assert np.isnan(found[:, :, 0]).all()
        np.testing.assert_allclose(found[:, :, 1], 0.0)
        assert np.isnan(found[0, :, 2]).all()
        np.testing.assert_allclose(found[1, :, 2], 1.0, rtol=1e-5)
    early = block_of(y).tables(Recipe("level", 7, 0.3)).ahead(np.array([2]), 7)[0, :, 1]
    np.testing.assert_array_equal(np.isnan(early), [True] * 4 + [False] * 3)


def test_values_below_zero_do_no_harm() -> None:
    y = np.linspace(5.0, -20.0, 80)[:, None]
    for recipe in standard_recipes((7,)):
        assert np.isfinite(block_of(y).tables(recipe).ahead(np.array([79]), 7)).all()
        wild = np.random.default_rng(9).normal(size=(80, 20)) * 1e6
        assert np.abs(block_of(wild).tables(recipe).ahead(np.array([30, 79]), 7)).max() < 1e18
        assert (block_of(-np.abs(wild)).tables(recipe).profile >= 0).all() or recipe.kind != "profile"


def test_columns_of_an_entity_are_those_of_the_whole() -> None:
    y, events = with_gaps((60, 6), 0.2, seed=5)
    block = block_of(y, events, {7: np.linspace(0.5, 1.5, 7)})
    rows, entity = np.array([20, 41, 58, 3]), np.array([2, 0, 1, 1])
    for recipe in standard_recipes((7,)):
        tables = block.tables(recipe)
        whole = tables.ahead(rows, 9).reshape(4, 9, 3, 2)
        np.testing.assert_array_equal(tables.ahead(rows, 9, entity, 2), whole[np.arange(4), :, entity])
        alone = block.take(np.array([1, 4])).tables(recipe).ahead(rows, 9)
        np.testing.assert_allclose(alone, tables.ahead(rows, 9)[:, :, [1, 4]], rtol=1e-12)


def test_sharing_between_recipes_changes_nothing() -> None:
    y, events = with_gaps((60, 2), 0.2, seed=6)
    together = block_of(y, events)
    for recipe in standard_recipes((4, 7)):
        shared, alone = together.tables(recipe), block_of(y, events).tables(recipe)
        np.testing.assert_array_equal(shared.ahead(np.arange(60), 9), alone.ahead(np.arange(60), 9))


@pytest.mark.parametrize("season", [1, 7, 24])
def test_rows_depend_on_earlier_rows_only(season: int) -> None:
    y, events = with_gaps((70, 2), 0.2, seed=7)
    pooled = {season: np.linspace(0.5, 1.5, season)}
    for recipe in standard_recipes((season,)):
        whole = block_of(y, events, pooled).tables(recipe).ahead(np.arange(50), 30)
        for cut in (1, 5, 26, 50):
            part = block_of(y[:cut], events[:cut], pooled).tables(recipe).ahead(np.arange(cut), 30)
            np.testing.assert_allclose(part, whole[:cut], rtol=1e-12, err_msg=str((recipe, cut)))


def test_an_empty_history_has_tables() -> None:
    assert block_of(np.zeros((0, 2))).tables(Recipe("profile", 7, 0.02)).ahead(np.arange(0), 3).shape == (0, 3, 2)


def test_ewm_of_pandas_agrees() -> None:
    y, _ = with_gaps((50, 1), 0.0, seed=8)
    expected = pd.Series(y[:, 0]).ewm(alpha=0.2, adjust=True).mean()
    level = block_of(y).tables(Recipe("profile", 1, 0.2)).level
    assert level is not None
    np.testing.assert_allclose(level[:, 0], expected, rtol=1e-9)


def test_tables_that_are_held_are_those_of_a_block_of_its_own() -> None:
    y, events = with_gaps((60, 6), 0.1)
    columns, rows = np.array([1, 4]), np.arange(20, 40)
    for recipe in standard_recipes((7,)):
        alone = block_of(y[:50], events[:50]).take(columns).tables(recipe).ahead(rows, 5)
        with tables_held():
            whole = block_of(y, events).hold()
            newer = block_of(y[:50], events[:50]).held()
            assert newer is whole
            np.testing.assert_allclose(newer.tables(recipe, columns).ahead(rows, 5), alone, rtol=1e-9)
            assert newer.tables(recipe, columns) is newer.tables(recipe, columns)
            whole.tables(recipe)
            np.testing.assert_allclose(newer.tables(recipe, columns).ahead(rows, 5), alone, rtol=1e-9)


def test_a_block_of_other_values_or_outside_is_not_answered_by_a_held_one() -> None:
    y, events = with_gaps((30, 2), 0.0)
    other = block_of(y * 2, events)
    with tables_held():
        block_of(y, events).hold()
        assert other.held() is other
        assert block_of(y, events * 2).held() is not other
        assert block_of(np.vstack([y, y]), np.vstack([events, events])).held().y.shape == (60, 2)
    assert other.held() is other
    assert not other._tables
