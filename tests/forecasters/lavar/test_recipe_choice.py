from __future__ import annotations

import numpy as np
import pytest

from foretide.forecasters.lavar.recipe_choice import (
    ALIKE,
    EARLIEST,
    MAX_ORIGINS,
    NEWEST,
    TEMPERATURE,
    best,
    judge,
    origins,
    scores,
)
from foretide.forecasters.lavar.recipes import Block, Recipe, standard_recipes


def noisy_block(rows: int = 90, gaps: float = 0.15, seed: int = 0) -> Block:
    rng = np.random.default_rng(seed)
    y = rng.gamma(3.0, 4.0, (rows, 3)) * (1 + 0.5 * np.sin(2 * np.pi * np.arange(rows) / 7))[:, None]
    y[rng.random((rows, 3)) < gaps] = np.nan
    y[:40, 2] = np.nan
    events = np.where(rng.random((rows, 3)) < 0.1, 0.5, 1.0)
    return Block(y, events, {1: np.ones(1), 7: np.linspace(0.7, 1.3, 7)}, np.array([0.5, 1.0, 2.0]))


def test_errors_are_those_of_a_loop_over_shared_origins() -> None:
    block, h = noisy_block(), 9
    recipes = standard_recipes((7,))
    found = judge(block, recipes, h)
    rows = len(block.y)
    expected = np.zeros((len(recipes), 3))
    ahead = [block.tables(r).ahead(np.arange(rows), h) for r in recipes]
    late = dict(zip(origins(rows, 7).tolist(), np.linspace(EARLIEST, NEWEST, len(origins(rows, 7))), strict=True))
    for t in origins(rows, 7).tolist():
        for s in range(3):
            if any(np.isnan(a[t, :, s]).any() for a in ahead):
                continue
            for k, recipe in enumerate(recipes):
                for step in range(h):
                    row = t + 1 + step
                    if row < rows and not np.isnan(block.y[row, s]):
                        event = block.events[row, s] if recipe.knows_events else 1.0
                        expected[k, s] += late[t] * (ahead[k][t, step, s] * event - block.y[row, s]) ** 2
    assert (expected > 0).all()
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_an_order_of_recipes_changes_no_error() -> None:
    block, recipes = noisy_block(seed=1), standard_recipes((7,))
    back = judge(noisy_block(seed=1), recipes[::-1], 5)[::-1]
    np.testing.assert_allclose(judge(block, recipes, 5), back, rtol=1e-12)


@pytest.mark.parametrize(("rows", "season"), [(1, 7), (2, 1), (15, 7), (90, 7), (5000, 7), (5000, 168), (20_000, 24)])
def test_origins_pass_through_all_positions(rows: int, season: int) -> None:
    found = origins(rows, season)
    assert 1 <= len(found) <= MAX_ORIGINS + 1
    assert found[0] >= 0
    assert rows < 3 or found[-1] <= rows - 2
    if rows > 4 * season:
        assert len(set(found % season)) == season
        assert found[0] >= 2 * season
        assert found[-1] >= rows - 2 - (found[1] - found[0])


def test_weights_fall_with_the_error() -> None:
    logs = np.array([[np.log(4.0)], [0.0], [TEMPERATURE], [np.log(9.0)]])
    picks, weights = best(logs, 3)
    assert picks.tolist() == [[1, 2, 0]]
    np.testing.assert_allclose(weights[0, 1] / weights[0, 0], np.exp(-1))
    assert weights.sum() == pytest.approx(1.0)
    assert weights[0, 2] < 1e-9
    assert best(logs, 9)[0].shape == (1, 4)
    weights = best(logs, 3, ALIKE)[1]
    np.testing.assert_allclose(weights[0, 1] / weights[0, 0], np.exp(-TEMPERATURE / ALIKE))


def test_a_recipe_without_error_takes_all_and_ties_share() -> None:
    errors = np.array([[[0.0, 1e12, 3.0]], [[1e12, 0.0, 3.0]]])
    picks, weights = best(scores(errors, np.full((1, 3), 1e9)), 2)
    assert picks[0].tolist() == [[0, 1], [1, 0], [0, 1]]
    np.testing.assert_allclose(weights[0], [[1, 0], [1, 0], [0.5, 0.5]], atol=1e-12)


def test_a_series_that_says_little_takes_what_is_best_for_all() -> None:
    """Nine series prefer the second recipe; the tenth prefers the first by chance, the eleventh is silent."""
    errors = np.stack([np.r_[np.full(9, 2.0), 1.0, 0.0], np.r_[np.full(9, 1.0), 1.2, 0.0]])[:, :, None]

    def choice(horizons: float) -> list[int]:
        return [int(k) for k in best(scores(errors, np.full((11, 1), horizons)), 1)[0][:, 0, 0]]

    assert choice(1.0) == [1] * 11
    assert choice(1000.0) == [1] * 9 + [0, 1]


def test_scores_do_not_depend_on_the_unit_of_a_series() -> None:
    errors = np.random.default_rng(0).gamma(2.0, 1.0, (4, 6, 2))
    horizons = np.full((6, 2), 20.0)
    found = scores(errors * np.geomspace(1e-6, 1e6, 12).reshape(6, 2), horizons)
    np.testing.assert_allclose(found, scores(errors, horizons))
    assert np.isfinite(scores(np.full((2, 1, 1), np.inf), np.ones((1, 1)))).all()


def test_nothing_to_judge_by() -> None:
    nothing = Block(np.zeros((0, 2)), np.zeros((0, 2)), {}, np.ones(2))
    assert judge(nothing, [Recipe("last"), Recipe("level", 7, 0.1)], 3).tolist() == [[0, 0], [0, 0]]
    single = Block(np.ones((1, 2)), np.ones((1, 2)), {}, np.ones(2))
    assert judge(single, [Recipe("last"), Recipe("level", 7, 0.1)], 3).tolist() == [[0, 0], [0, 0]]


def test_before_its_level_is_known_a_profile_is_not_judged() -> None:
    block, recipes = noisy_block(), [Recipe("profile", 7, 0.1), Recipe("profile", 7, 0.3)]
    rows = np.array([t for t in origins(90, 7) if t >= 40])
    ahead = rows[:, None] + np.arange(1, 4)
    truth = np.where(ahead < 90, block.y[ahead.clip(max=89), 2], np.nan)
    for recipe, found in zip(recipes, judge(block, recipes, 3)[:, 2], strict=True):
        forecast = block.tables(recipe).ahead(rows, 3)[:, :, 2] * block.events[ahead.clip(max=89), 2]
        late = np.linspace(EARLIEST, NEWEST, len(origins(90, 7)))[-len(rows) :, None]
        assert found == pytest.approx(np.nansum(late * (forecast - truth) ** 2))


def test_two_cycles_come_before_the_first_origin() -> None:
    assert origins(40, 7)[0] == 14
    assert origins(400, 7)[0] == 100
