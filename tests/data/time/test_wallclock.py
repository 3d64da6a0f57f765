"""A panel on the wall clock: hours that come twice, hours that the clock leaves out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from foretide.data.panel import Panel
from foretide.data.time.wallclock import on_wall_clock, wall_grid


def panel(day: str, values: np.ndarray) -> Panel:
    times = pd.date_range(day, periods=len(values), freq="h", tz="Europe/Berlin")
    return Panel.from_frame(pd.DataFrame({"ds": times, "y": values}), id=None, missing="mask")


@pytest.mark.parametrize(
    ("values", "between"),
    [
        (np.arange(8.0) ** 2 + 0.25, (1.25 + 4.25) / 2),
        (np.array([0.0, 1, 4, 9, 16, 25, 36, 49]), 2.0),  # 2.5 is rounded: counts stay counts
        (np.array([0.0, 1.0, 4.5, 9, 16, 25, 36, 49]), 2.75),
        (np.array([0.0, np.nan, 4, 9, 16, 25, 36, 49]), np.nan),
    ],
)
def test_an_hour_left_out_is_the_mean_of_its_two_neighbours(values: np.ndarray, between: float) -> None:
    given = panel("2024-03-31", values)  # after 01:00 comes 03:00
    moved, rows = on_wall_clock(given, wall_grid(given.grid))
    np.testing.assert_array_equal(moved.values[:, 0], [*values[:2], between, *values[2:]])
    assert rows[0].tolist() == [0, 1, 3, 4, 5, 6, 7, 8]
    assert moved.length.tolist() == [9]


def test_of_an_hour_that_comes_twice_the_first_value_is_kept() -> None:
    values = np.arange(8.0) + 0.5
    given = panel("2024-10-27", values)  # 02:00 comes twice
    moved, rows = on_wall_clock(given, wall_grid(given.grid))
    assert rows[0].tolist() == [0, 1, 2, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(moved.values[:, 0], [0.5, 1.5, 2.5, 4.5, 5.5, 6.5, 7.5])


def test_without_a_change_of_the_clock_nothing_is_copied() -> None:
    given = panel("2024-06-01", np.arange(8.0))
    moved, rows = on_wall_clock(given, wall_grid(given.grid))
    assert moved.values is given.values
    assert rows[0].tolist() == list(range(8))
