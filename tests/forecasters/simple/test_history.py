from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import foretide as ft
from foretide.data.windows import Windows
from foretide.forecasters.simple import history as hist

series = arrays(
    np.float64, st.tuples(st.integers(1, 30), st.integers(1, 2)), elements=st.one_of(st.just(np.nan), st.floats(-9, 9))
)


def by_position(values: np.ndarray, season: int, function: object) -> np.ndarray:
    """Apply a pandas method to every season position of every column."""
    out = np.full_like(values, np.nan)
    for d in range(values.shape[1]):
        for position in range(min(season, len(values))):
            out[position::season, d] = function(pd.Series(values[position::season, d]))  # type: ignore[operator]
    return out


@settings(max_examples=40)
@given(values=series)
def test_last_seen_is_the_forward_fill_of_pandas(values: np.ndarray) -> None:
    np.testing.assert_array_equal(hist.last_seen(values), pd.DataFrame(values).ffill().to_numpy())


@settings(max_examples=40)
@given(values=series, season=st.integers(1, 8))
def test_season_last_is_the_forward_fill_of_each_position(values: np.ndarray, season: int) -> None:
    expected = by_position(values, season, lambda s: s.ffill())
    np.testing.assert_array_equal(hist.season_last(values, season), expected)


@settings(max_examples=40)
@given(values=series, season=st.integers(1, 8), alpha=st.sampled_from([0.05, 0.3, 0.9, 1.0]))
def test_season_level_is_the_weighted_mean_of_pandas(values: np.ndarray, season: int, alpha: float) -> None:
    expected = by_position(values, season, lambda s: s.ewm(alpha=alpha, adjust=True, ignore_na=True).mean())
    np.testing.assert_allclose(hist.season_level(values, season, alpha), expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=30)
@given(values=series, season=st.integers(1, 8), cut=st.integers(1, 30))
def test_rows_depend_on_earlier_rows_only(values: np.ndarray, season: int, cut: int) -> None:
    part = values[:cut]
    for function in (
        hist.last_seen,
        hist.last_seen_row,
        lambda v: hist.season_last(v, season),
        lambda v: hist.season_level(v, season, 0.3),
    ):
        np.testing.assert_array_equal(function(values)[:cut], function(part))


def test_ahead_rows_repeat_the_last_cycle() -> None:
    rows = hist.ahead_rows(np.array([9, 2]), 5, 3)
    assert rows.tolist() == [[7, 8, 9, 7, 8], [0, 1, 2, 0, 1]]


def test_at_rows_has_no_value_before_the_history() -> None:
    found = hist.at_rows(np.array([[1.0], [2.0]]), np.array([-1, 0, 1]))
    np.testing.assert_array_equal(found[:, 0], [np.nan, 1.0, 2.0])


def test_first_known_fills_cell_by_cell() -> None:
    found = hist.first_known(np.array([1.0, np.nan, np.nan]), np.array([5.0, 6.0, np.nan]), 0.0)
    assert found.tolist() == [1.0, 6.0, 0.0]


@pytest.mark.parametrize("entities", [[2, 0, 2, 0, 1], [0], []])
def test_by_entity_finds_every_window_once(entities: list[int]) -> None:
    windows = Windows(np.array(entities, dtype=np.int64), np.arange(len(entities)))
    found = dict(hist.by_entity(windows))
    assert sorted(found) == sorted(set(entities))
    for entity, chosen in found.items():
        assert chosen.tolist() == [i for i, e in enumerate(entities) if e == entity]


def test_alike_entities_come_together_and_every_window_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    cutoffs = {0: [5, 9], 1: [9, 5], 2: [5, 9], 3: [4], 4: [4], 5: [9, 5], 6: [5, 9]}
    pairs = rng.permutation([(e, c) for e, own in cutoffs.items() for c in own])
    windows = Windows(pairs[:, 0], pairs[:, 1])
    panel = ft.synthetic.supplies(T=12, n_sites=7, n_targets=2).panel
    for cells, fewest in ((hist.CELLS, 1), (40, 3)):
        monkeypatch.setattr(hist, "CELLS", cells)
        groups = list(hist.alike(panel, windows))
        assert len(groups) >= fewest
        assert sorted(i for _, chosen, _ in groups for i in chosen.ravel().tolist()) == list(range(len(windows)))
        for entities, chosen, own in groups:
            np.testing.assert_array_equal(windows.cutoff[chosen], np.broadcast_to(own, chosen.shape))
            np.testing.assert_array_equal(windows.entity[chosen], np.repeat(entities[:, None], len(own), axis=1))
    assert list(hist.alike(panel, windows[:0])) == []
