from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.data.time.grid import Grid
from foretide.errors import DataError

FREQS = ["h", "30min", "10s", "D", "2D", "B", "W-WED", "MS", "ME", "QS-JAN", "YS-JAN", "2MS"]


@pytest.mark.frames
@settings(max_examples=80)
@given(freq=st.sampled_from(FREQS), step=st.integers(-60, 200), start=st.integers(0, 500))
def test_times_agree_with_date_range_and_steps_come_back(freq: str, step: int, start: int) -> None:
    origin = pd.date_range(pd.Timestamp("2020-01-01") + pd.Timedelta(start, "D"), periods=1, freq=freq)[0]
    grid = Grid(origin, freq)
    twin = (
        pd.date_range(origin, periods=step + 1, freq=freq)
        if step >= 0
        else pd.date_range(end=origin, periods=1 - step, freq=freq)
    )
    time = twin[-1] if step >= 0 else twin[0]
    assert grid.times([step])[0] == time
    assert grid.step_of(time) == step
    assert grid.step_at_or_before(time) == step
    assert grid.step_at_or_before(time - pd.Timedelta(1, "s")) == step - 1
    assert grid.step_at_or_before(time + pd.Timedelta(1, "s")) == step


@pytest.mark.frames
def test_many_steps_in_any_order() -> None:
    for freq in FREQS:
        origin = pd.date_range("2020-01-01", periods=1, freq=freq)[0]
        grid, steps = Grid(origin, freq), np.array([5, -3, 0, 40, 5])
        one_by_one = [grid.times([s])[0] for s in steps]
        assert list(grid.times(steps)) == one_by_one
        assert len(grid.times([])) == 0


def test_integer_grid() -> None:
    grid = Grid(10, 5)
    assert list(grid.times([0, 2, -1])) == [10, 20, 5]
    assert (grid.step_of(25), grid.step_at_or_before(24), grid.step_at_or_before(9)) == (3, 2, -1)
    with pytest.raises(DataError, match=r"25.* is not on|26 is not on the panel's time grid"):
        grid.step_of(26)
    with pytest.raises(DataError, match="counts time in integers"):
        grid.step_of("2024-01-01")


@pytest.mark.frames
def test_zones() -> None:
    grid = Grid(pd.Timestamp("2024-03-30 23:00"), "h", tz="Europe/Berlin")
    assert [t.hour for t in grid.local_times(range(4))] == [0, 1, 3, 4]
    assert grid.output_times([2])[0] == pd.Timestamp("2024-03-31 03:00", tz="Europe/Berlin")
    for time in ("2024-03-31 03:00", "2024-03-31T01:00Z", pd.Timestamp("2024-03-31 10:00", tz="Asia/Tokyo")):
        assert grid.step_of(time) == 2
    with pytest.raises(DataError, match=r"have no time zone, but .* has one"):
        Grid(pd.Timestamp("2024-01-01"), "h").step_of("2024-01-01T00:00Z")


def test_times_off_the_grid() -> None:
    grid = Grid(pd.Timestamp("2024-01-01"), "h")
    with pytest.raises(DataError, match=r"2024-01-01 02:30 is not on .*before it is 2024-01-01 02:00:00"):
        grid.step_of("2024-01-01 02:30")
    with pytest.raises(DataError, match="Expected a time such as"):
        grid.step_of("noon")
    with pytest.raises(DataError, match="missing time"):
        grid.step_of(pd.NaT)
