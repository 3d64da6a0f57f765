from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from cases import make_panel

from foretide.data.panel import Panel
from foretide.data.time.closures import TELLING, Closures
from foretide.data.windows import Windows

ROWS = 210


def table(marked: np.ndarray, share: float = 1.0, column: float = 1.0, targets: int = 2) -> Panel:
    """Counts, zero on marked rows, on others with this probability not."""
    rng = np.random.default_rng(0)
    panel = make_panel((ROWS,), targets=targets, future=1)
    values = panel.values.copy()
    busy = rng.random((ROWS, targets)) < share
    values[:, :targets] = np.where(marked[:, None], 0.0, 3.0 * busy)
    values[:, targets] = np.where(marked, column, 0.0)
    return panel.with_values(values)


def rows(*which: int) -> np.ndarray:
    return np.isin(np.arange(ROWS), which)


def test_zeros_under_a_flag_must_be_more_than_chance() -> None:
    assert Closures.learn(table(rows(3, 20, 40, 60, 80, 101, 120))).levels == (("f0", 1.0),)
    assert Closures.learn(table(rows(3, 20, 40))).levels == ()  # three rows, five are asked for
    assert Closures.learn(table(rows(*range(50, 60)))).levels == ()  # one stretch
    assert Closures.learn(table(rows(*range(3, 200, 13)), share=0.02)).levels == ()  # zeros are the rule
    assert Closures.learn(table(rows(*range(3, 200, 2)), share=0.2)).levels == (("f0", 1.0),)
    assert TELLING == 5.0


def test_one_value_under_the_flag_says_it_is_none() -> None:
    panel = table(rows(3, 20, 40, 60, 80, 101, 120))
    values = panel.values.copy()
    values[60, 1] = 1.0
    assert Closures.learn(panel.with_values(values)) == Closures()
    values[60, :2] = np.nan  # not observed says nothing
    assert Closures.learn(panel.with_values(values)).levels == (("f0", 1.0),)
    values[[3, 20, 40], :2] = np.nan
    assert Closures.learn(panel.with_values(values)).levels == ()


def test_a_flag_on_days_that_are_always_quiet_tells_nothing() -> None:
    """An advertisement on Sundays, where Sundays are closed, closes no Monday."""
    sundays = np.arange(ROWS) % 7 == 6
    panel = table(sundays)
    values = panel.values.copy()
    values[:, 2] = np.arange(ROWS) % 14 == 6
    assert Closures.learn(panel.with_values(values)).levels == ()
    values[:, 2] = sundays
    assert Closures.learn(panel.with_values(values)).levels == ()


def test_what_lies_ahead_is_looked_up_and_silence_is_open() -> None:
    panel = table(rows(3, 20, 40, 60, 80, 101, 120, 150))
    closures = Closures.learn(panel.head(np.array([140])))
    windows = Windows(np.array([0, 0]), np.array([146, ROWS - 3]))
    closed = closures.at(panel, windows, 5)
    np.testing.assert_array_equal(closed, [[False, False, False, True, False], [False] * 5])
    values = panel.values.copy()
    values[150, 2] = np.nan
    assert not closures.at(panel.with_values(values), windows, 5).any()
    assert Closures().at(panel, windows, 5).shape == (2, 5)


def test_shops_that_begin_later_are_looked_up_by_their_own_rows() -> None:
    panel = make_panel((60, 60), future=1, first=(0, 10))
    values = panel.values.copy()
    marked = np.tile(np.arange(60) % 9 == 4, 2)
    values[:, 0] = np.where(marked, 0.0, 2.0)
    values[:, 1] = marked
    panel = panel.with_values(values)
    closures = Closures.learn(panel)
    assert closures.levels == (("f0", 1.0),)
    closed = closures.at(panel, Windows(np.array([1]), np.array([11])), 3)
    np.testing.assert_array_equal(closed, [[False, True, False]])


@pytest.mark.parametrize("closures", [Closures((("a", 1.0), ("b", -1.0))), Closures((), ("DE", "BY")), Closures()])
def test_they_come_back_from_json(closures: Closures) -> None:
    assert Closures.from_dict(json.loads(json.dumps(closures.to_dict()))) == closures


def test_integer_time_has_no_holidays() -> None:
    panel = make_panel((60,))
    grid = replace(panel.grid, start=0, freq=1)
    assert Closures.learn(replace(panel, grid=grid), "DE") == Closures()
