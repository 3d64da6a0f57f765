"""A frame where a panel is needed: how it is read the first time, and the next."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from foretide.data.panel import Panel
from foretide.data.reading.accept import as_panel
from foretide.data.reading.problems import DataWarning
from foretide.errors import DataError

DAYS = pd.date_range("2024-01-01", periods=80)
PLAIN = pd.DataFrame({"ds": DAYS, "y": np.random.default_rng(0).normal(size=80) + 10})


def test_a_panel_is_taken_as_it_is() -> None:
    panel = Panel.from_frame(PLAIN, id=None)
    assert as_panel(panel) is panel
    assert as_panel(panel, panel) is panel


@pytest.mark.parametrize(
    "frame", [PLAIN, PLAIN.set_index("ds"), PLAIN.assign(unique_id="a").set_index(["unique_id", "ds"])]
)
def test_times_and_ids_may_stand_in_the_index(frame: pd.DataFrame) -> None:
    np.testing.assert_array_equal(as_panel(frame).values[:, 0], PLAIN["y"])
    like = as_panel(frame)
    np.testing.assert_array_equal(as_panel(frame.tail(1), like).values[:, 0], PLAIN["y"].tail(1))


def test_what_is_guessed_is_said_with_what_to_type() -> None:
    frame = pd.DataFrame({"date": DAYS, "OT": PLAIN["y"], "temp": PLAIN["y"] ** 2})
    with pytest.warns(DataWarning, match=r"Guessed target: OT.*id=None, time='date', target='OT', past='temp'\)$"):
        panel = as_panel(frame)
    assert (panel.targets, panel.past) == (("OT",), ("temp",))


def test_a_table_of_rows_that_are_series() -> None:
    frame = pd.DataFrame([["a", *range(12)], ["b", *range(5, 17)]], columns=["item", *(f"V{k}" for k in range(1, 13))])
    with pytest.warns(DataWarning, match="Every row is a series"):
        panel = as_panel(frame)
    assert as_panel(frame.tail(1), panel).ids == ("b",)


def test_the_next_frame_is_brought_onto_the_steps_of_the_first() -> None:
    hours = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=72, freq="h"), "y": np.arange(72.0)})
    first = Panel.from_frame(hours, id=None, resample="D", aggregate="sum")
    np.testing.assert_array_equal(as_panel(hours, first).values, first.values)


def test_dates_that_leave_a_choice_are_read_as_those_of_the_first_frame() -> None:
    written: Any = PLAIN.assign(ds=DAYS.strftime("%d.%m.%Y"))
    first = as_panel(written)
    assert str(as_panel(PLAIN.tail(1).assign(ds="05.04.2024"), first).grid.start) == "2024-04-05 00:00:00"


def test_problems_come_with_the_call_that_takes_options() -> None:
    with pytest.raises(
        DataError, match=r"fill_gaps=True.*ft\.Panel\.from_frame\(frame, id=None, time='ds', target='y'\)"
    ):
        as_panel(PLAIN.drop(index=30))
    first = Panel.from_frame(PLAIN.drop(index=30), id=None, fill_gaps=True)
    assert as_panel(PLAIN.drop(index=40), first).length.tolist() == [80]


@pytest.mark.parametrize("frame", [PLAIN.rename(columns={"y": "coffee"}), PLAIN[["ds"]], PLAIN])
def test_a_later_table_with_none_of_the_columns_that_were_series(frame: pd.DataFrame) -> None:
    like = Panel.from_wide(PLAIN.assign(tea=PLAIN["y"]), target=["y", "tea"], melt=True)
    if "y" in frame:
        assert as_panel(frame, like).ids == ("y",)
        return
    with pytest.raises(DataError, match=r"'y'.*'tea'|tea"):
        as_panel(frame, like)


def test_what_is_left_out_is_said_too() -> None:
    frame = PLAIN.assign(remark=[f"note {k} of {7 * k}" for k in range(80)])
    with pytest.warns(DataWarning, match=r"Column 'remark' holds free text.*It is left out\. To settle the roles"):
        panel = as_panel(frame)
    assert panel.columns == ("y",)


def test_a_melted_frame_says_how_to_melt_it_again() -> None:
    values = np.random.default_rng(0).normal(size=(80, 3)) + 10
    frame = pd.DataFrame({"ds": DAYS, "north_y": values[:, 0], "south_y": values[:, 1], "west_y": values[:, 2]})
    with pytest.warns(DataWarning, match=r"type: ft\.Panel\.from_wide\(frame, .*melt=True\)$"):
        panel = as_panel(frame)
    assert panel.ids == ("north_y", "south_y", "west_y")
