"""Guardrails: each kind of intervention by hand, counted point by point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foretide.data.panel import Panel
from foretide.data.time.grid import Grid
from foretide.data.windows import Windows
from foretide.forecasters.lavar.guardrails import KINDS, Guard

H, D, T = 3, 2, 8


def panel(values: Any) -> Panel:
    """Series on an integer grid, entities of ``T`` rows one after the other."""
    values = np.asarray(values, dtype=np.float64)
    n, d = len(values) // T, values.shape[1]
    one = np.ones(n, dtype=np.int64)
    ids, targets = tuple(f"e{i}" for i in range(n)), tuple(f"y{i}" for i in range(d))
    return Panel(Grid(0, 1), ids, values, T * np.arange(n, dtype=np.int64), T * one, 0 * one, targets)


SERIES = np.array([[4, 0], [1, 0], [0, 0], [7, 2], [0, 0], [5, 0], [0, 0], [0, 0]], dtype=np.float64)


def windows(*cutoffs: tuple[int, int]) -> Windows:
    entity, cutoff = zip(*cutoffs, strict=True)
    return Windows(np.array(entity, dtype=np.int64), np.array(cutoff, dtype=np.int64))


def free(d: int = D, n: int = 1, **changes: Any) -> Guard:
    return Guard(np.full((n, d), np.inf), np.zeros((n, d), dtype=bool), **changes)


def mean(*rows: Any) -> Any:
    return np.array(rows, dtype=np.float64)[None]


def counted(**found: int) -> dict[str, int]:
    return {**dict.fromkeys(KINDS, 0), **found}


HERE = np.zeros(1, dtype=np.int64)


def test_what_is_right_stays_as_it_is() -> None:
    given = mean([1.5, -2.0], [0.0, 3.0], [2.0, 1e9])
    quantiles = np.stack([given - 1, given + 1], axis=-1)
    found, distribution, counts = free().apply(panel(SERIES), windows((0, 7)), HERE, given, quantiles)
    np.testing.assert_array_equal(found, given)
    np.testing.assert_array_equal(distribution, quantiles)
    assert counts == counted()


def test_not_finite_becomes_the_last_value_seen() -> None:
    values = SERIES.copy()
    values[4:, 0] = np.nan
    values[:, 1] = np.nan
    values[7, 1] = 3.0
    given = mean([np.nan, 1.0], [np.inf, -np.inf], [2.0, np.nan])
    distribution = np.stack([given, given], axis=-1)
    found, quantiles, counts = free().apply(panel(values), windows((0, 6)), HERE, given, distribution)
    np.testing.assert_array_equal(found, mean([7.0, 1.0], [7.0, 0.0], [2.0, 0.0]))
    assert quantiles is not None
    assert np.isfinite(quantiles).all()
    assert counts == counted(non_finite=4)
    later, _, _ = free().apply(panel(values), windows((0, 7)), HERE, mean([np.nan, np.nan], [1, 1], [1, 1]), None)
    np.testing.assert_array_equal(later[0, 0], [7.0, 3.0])


def test_the_arguments_stay_as_they_are() -> None:
    given = mean([np.nan, -1.0], [9.0, 9.0], [0.5, 0.5])
    distribution = np.stack([given, given], axis=-1)
    copies = given.copy(), distribution.copy()
    guard = Guard(np.ones((1, D)), np.ones((1, D), dtype=bool), gate=1, whole=True)
    guard.apply(panel(SERIES), windows((0, 7)), HERE, given, distribution)
    np.testing.assert_array_equal(given, copies[0])
    np.testing.assert_array_equal(distribution, copies[1])


def test_a_series_never_below_zero_is_not_forecast_below_zero() -> None:
    guard = Guard(np.full((1, D), np.inf), np.array([[True, False]]))
    given = mean([-1.0, -1.0], [2.0, -3.0], [-0.1, 0.0])
    distribution = np.stack([given - 1, given + 3], axis=-1)
    found, quantiles, counts = guard.apply(panel(SERIES), windows((0, 7)), HERE, given, distribution)
    np.testing.assert_array_equal(found, mean([0.0, -1.0], [2.0, -3.0], [0.0, 0.0]))
    assert quantiles is not None
    np.testing.assert_array_equal(quantiles[..., 0, :], np.maximum(distribution[..., 0, :], 0))
    np.testing.assert_array_equal(quantiles[..., 1, :], distribution[..., 1, :])
    assert counts == counted(below_zero=2)


def test_the_bound_is_a_quantile_of_what_is_not_zero() -> None:
    values = np.concatenate([SERIES, [[-1.0, 1.0]] * T])
    guard = Guard.fit(panel(values), 0.5, 2.0, None, False)
    np.testing.assert_array_equal(guard.upper, [[2 * np.median([4, 1, 7, 5]), 4.0], [np.inf, 2.0]])
    np.testing.assert_array_equal(guard.nonnegative, [[True, True], [False, True]])
    given = np.array([[[9.0, 4.0]] * H, [[99.0, 2.5]] * H])
    where = np.array([0, 1])
    found, _, counts = guard.apply(panel(values), windows((0, 7), (1, 7)), where, given, None)
    np.testing.assert_array_equal(found, [[[9.0, 4.0]] * H, [[99.0, 2.0]] * H])
    assert counts == counted(bounded=H)
    assert np.isinf(Guard.fit(panel(values), 0.5, 0.0, None, False).upper).all()


def test_a_series_never_seen_above_zero_has_no_bound() -> None:
    values = np.zeros((T, D))
    values[:, 1] = np.nan
    values[0, 1] = 0.0
    assert np.isinf(Guard.fit(panel(values), 0.999, 3.0, None, False).upper).all()


def test_bounds_go_by_the_fitted_entity() -> None:
    guard = Guard(np.array([[1.0], [100.0]]), np.ones((2, 1), dtype=bool))
    one = panel(SERIES[:, :1])
    given = np.full((1, H, 1), 50.0)
    assert guard.apply(one, windows((0, 7)), np.array([1]), given, None)[2] == counted()
    assert guard.apply(one, windows((0, 7)), np.array([0]), given, None)[2] == counted(bounded=H)
    signs = Guard(np.full((2, 1), np.inf), np.array([[True], [False]]))
    for entity, below in ((0, H), (1, 0)):
        distribution = -given[..., None]
        found, quantiles, counts = signs.apply(one, windows((0, 7)), np.array([entity]), -given, distribution)
        assert counts == counted(below_zero=below)
        assert quantiles is not None
        np.testing.assert_array_equal(quantiles[..., 0], found)


@pytest.mark.parametrize(
    ("gate", "cutoff", "gated"), [(2, 7, [0, 1]), (3, 7, [1]), (3, 6, [1]), (4, 7, [1]), (5, 7, [])]
)
def test_a_silent_series_is_gated(gate: int, cutoff: int, gated: list[int]) -> None:
    """The first target was silent for 2 steps at row 7, the second for 4."""
    given = mean([1.0, 2.0], [3.0, 4.0], [0.0, 5.0])
    distribution = np.stack([given, given + 1], axis=-1)
    found, quantiles, counts = free(gate=gate).apply(panel(SERIES), windows((0, cutoff)), HERE, given, distribution)
    expected = given.copy()
    expected[..., gated] = 0.0
    np.testing.assert_array_equal(found, expected)
    assert counts == counted(gated=int((given[..., gated] != 0).sum()))
    assert quantiles is not None
    assert (quantiles[..., gated, :] == 0).all()


def test_silence_counts_missing_values_and_series_without_any() -> None:
    values = np.full((T, D), np.nan)
    values[2, 0] = 1.0
    values[7, 1] = 0.0
    given = np.ones((1, H, D))
    found, _, counts = free(gate=5).apply(panel(values), windows((0, 7)), HERE, given, None)
    assert (found == 0).all()
    assert counts == counted(gated=2 * H)


def test_whole_numbers() -> None:
    given = mean([1.4, 2.6], [3.0, 0.2], [0.0, 5.0])
    found, _, counts = free(whole=True).apply(panel(SERIES), windows((0, 7)), HERE, given, None)
    np.testing.assert_array_equal(found, mean([1, 3], [3, 0], [0, 5]))
    assert counts == counted(rounded=3)


def test_only_rows_up_to_each_cutoff_count() -> None:
    given = np.full((2, H, D), np.nan)
    both, _, _ = free().apply(panel(SERIES), windows((0, 3), (0, 5)), np.zeros(2, dtype=np.int64), given, None)
    np.testing.assert_array_equal(both[:, 0], [[7, 2], [5, 0]])
    poisoned = SERIES.copy()
    poisoned[6:] = 1e9
    other, _, _ = free().apply(panel(poisoned), windows((0, 3), (0, 5)), np.zeros(2, dtype=np.int64), given, None)
    np.testing.assert_array_equal(both, other)
