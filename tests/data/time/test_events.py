from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cases import make_panel
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.data.panel import Panel
from foretide.data.time.calendar import Calendar
from foretide.data.time.events import REACH, Events, beside, closed_weekdays
from foretide.data.time.grid import Grid
from foretide.errors import DataError

SUNDAY, SATURDAY = 6, 5


def with_flag(panel: Panel, rows: list[int], column: str = "f0") -> Panel:
    values = panel.values.copy()
    values[:, panel.index(column)] = 0.0
    values[rows, panel.index(column)] = 1.0
    return panel.with_values(values)


def on_grid(panel: Panel, start: object, freq: str | int, tz: str | None = None) -> Panel:
    return replace(panel, grid=Grid(pd.Timestamp(start) if isinstance(start, str) else start, freq, tz))


def slow_beside(day: int, events: set[int], direction: int, closed: set[int]) -> bool:
    """Walk over closed days, up to four, until an event or an open day is met."""

    def is_open(other: int) -> bool:
        return (dt.date(1970, 1, 1) + dt.timedelta(days=other)).weekday() not in closed

    if day in events or not is_open(day):
        return False
    for k in range(1, 5):
        if day + direction * k in events:
            return True
        if is_open(day + direction * k):
            return False
    return False


@settings(max_examples=60)
@given(
    events=st.sets(st.integers(0, 40), max_size=12),
    closed=st.sets(st.integers(0, 6), max_size=3),
    direction=st.sampled_from([-1, 1]),
    low=st.integers(0, 20),
)
def test_beside_walks_over_closed_days(events: set[int], closed: set[int], direction: int, low: int) -> None:
    days = np.repeat(np.arange(low, 35), 2)
    found = beside(days, np.array(sorted(events), dtype=np.int64), direction, tuple(closed))
    assert found.tolist() == [slow_beside(int(day), events, direction, closed) for day in days]
    assert REACH == 4
    assert beside(days[:0], np.array([3]), direction, ()).shape == (0,)


def test_neighbours_of_a_holiday_on_saturday_where_sundays_are_closed() -> None:
    panel = with_flag(make_panel((28,), future=1), [5])  # 2023-01-02 is a Monday, row 5 a Saturday
    events = Events(("f0",), closed=((SUNDAY,),))
    assert events.names == ("f0", "f0_after", "f0_before")
    flags = events.flags(panel, 0, 0, 28)[:, :, 0]
    assert [np.flatnonzero(flags[:, j]).tolist() for j in range(3)] == [[5], [7], [4]]
    flags = replace(events, closed=((),)).flags(panel, 0, 0, 28)[:, :, 0]
    assert [np.flatnonzero(flags[:, j]).tolist() for j in range(3)] == [[5], [6], [4]]


def test_a_run_of_events_has_one_day_after_and_one_before() -> None:
    panel = with_flag(make_panel((28,), future=1), [11, 12])  # Friday and Saturday
    flags = Events(("f0",), closed=((SUNDAY,),)).flags(panel, 0, 0, 28)[:, :, 0]
    assert np.flatnonzero(flags[:, 1]).tolist() == [14]
    assert np.flatnonzero(flags[:, 2]).tolist() == [10]


def test_each_target_has_its_own_open_days() -> None:
    panel = with_flag(make_panel((28,), targets=2, future=1), [5])
    flags = Events(("f0",), closed=((SUNDAY,), ())).flags(panel, 0, 0, 28)
    assert flags.shape == (28, 3, 2)
    assert [np.flatnonzero(flags[:, 1, d]).tolist() for d in range(2)] == [[7], [6]]


def test_part_of_the_rows_is_that_part_of_all_flags() -> None:
    panel = with_flag(make_panel((130,), future=1), [5, 12, 13, 33, 90])
    events = Events(("f0",), "DE", closed=((SUNDAY,),))
    whole = events.flags(panel, 0, 0, 130)
    assert whole[:, 3].any()
    assert whole[:, 4].any()
    for low, high in ((0, 7), (6, 8), (13, 96), (94, 130), (7, 7)):
        np.testing.assert_array_equal(events.flags(panel, 0, low, high), whole[low:high])


def test_hours_belong_to_their_local_day() -> None:
    hours = make_panel((24 * 10,), future=1)
    # 2023-04-30 22:00 UTC is the first hour of 1 May, a holiday, in Berlin.
    panel = on_grid(hours, "2023-04-28 00:00", "h", "Europe/Berlin")
    events = Events((), "DE", closed=((SUNDAY,),))
    flags = events.flags(panel, 0, 0, 240)[:, :, 0]
    local = pd.DatetimeIndex(panel.grid.output_times(np.arange(240))).strftime("%m-%d")
    assert set(local[flags[:, 0] > 0]) == {"05-01"}
    assert flags[:, 0].sum() == 24
    assert set(local[flags[:, 1] > 0]) == {"05-02"}
    assert flags[:, 1].sum() == 24
    assert set(local[flags[:, 2] > 0]) == {"04-29"}
    assert flags[:, 2].sum() == 24


def test_business_days_know_that_weekends_are_closed() -> None:
    panel = with_flag(on_grid(make_panel((60,), future=1), "2023-01-02", "B"), [4, 30])  # row 4 is a Friday
    events = Events.find(panel)
    assert events.closed == ((SATURDAY, SUNDAY),)
    flags = events.flags(panel, 0, 0, 60)[:, :, 0]
    assert np.flatnonzero(flags[:, 1]).tolist() == [5, 31]
    assert np.flatnonzero(flags[:, 2]).tolist() == [3, 29]


@pytest.mark.parametrize(
    ("start", "freq"), [(0, 1), ("2023-01-01", "MS"), ("2023-01-01", "W-SUN"), ("2023-01-01", "2D")]
)
def test_steps_longer_than_a_day_have_no_neighbours_and_no_country(start: object, freq: str | int) -> None:
    panel = with_flag(on_grid(make_panel((40,), future=1), start, freq), [5, 20])
    events = Events.find(panel, Calendar(("yearday",), "DE"))
    assert events == Events(("f0",), None, False, ((),))
    assert events.names == ("f0",)
    assert np.flatnonzero(events.flags(panel, 0, 0, 40)[:, 0, 0]).tolist() == [5, 20]


def test_public_holidays_reach_beyond_the_panel() -> None:
    panel = make_panel((30,))
    events = Events.find(panel, Calendar((), ("DE", "BY")))
    assert events.names == ("public_holiday", "public_holiday_after", "public_holiday_before")
    flags = events.flags(panel, 0, 28, 110)[:, :, 0]
    times = pd.DatetimeIndex(panel.grid.times(np.arange(28, 110)))
    assert list(times[flags[:, 0] > 0].strftime("%m-%d")) == ["04-07", "04-10"]
    assert list(times[flags[:, 1] > 0].strftime("%m-%d")) == ["04-08", "04-11"]
    assert list(times[flags[:, 2] > 0].strftime("%m-%d")) == ["04-06", "04-09"]


def test_rare_columns_of_zeros_and_ones_mark_events() -> None:
    panel = make_panel((50, 50), future=5)
    values = panel.values.copy()
    values[:, 1:] = 0.0
    values[[3, 60], 1] = 1.0  # rare
    values[::4, 2] = 1.0  # a quarter of the rows
    values[7, 3] = 0.5  # no flag
    values[9, 5], values[10, 5] = 1.0, np.nan
    panel = panel.with_values(values)  # column 4 is never set
    assert Events.find(panel).columns == ("f0", "f4")


def test_what_is_a_neighbour_already_has_none() -> None:
    assert Events(("Day_Before_x", "after_y")).names == ("Day_Before_x", "after_y")
    assert Events(("off", "off_after")).names == ("off", "off_before", "off_after")
    assert Events(("off",), neighbours=False).names == ("off",)
    assert Events().names == ()
    assert Events().flags(make_panel((5,)), 0, 0, 5).shape == (5, 0, 1)


def test_a_column_may_be_called_as_the_country_s_flag() -> None:
    base = make_panel((30,), future=1)
    panel = with_flag(replace(base, future=("public_holiday",)), [11], "public_holiday")
    events = Events(("public_holiday",), "DE", closed=((),))
    assert len(set(events.names)) == 6
    flags = events.flags(panel, 0, 0, 30)[:, :, 0]
    assert np.flatnonzero(flags[:, 0]).tolist() == [11]
    assert flags[:, 3].sum() == 0  # Epiphany is no holiday of the whole country, and 1 January came before


def test_missing_ahead_is_an_error_and_missing_before_is_an_ordinary_day() -> None:
    panel = with_flag(make_panel((20, 20), future=1), [3])
    values = panel.values.copy()
    values[[25, 38], 1] = np.nan
    panel, events = panel.with_values(values), Events(("f0",), closed=((),))
    with pytest.raises(DataError, match=r"Known-future column 'f0' of 'shop1' has no value at 2023-01-07 00:00:00"):
        events.flags(panel, 1, 0, 20)
    with pytest.raises(DataError, match=r"2023-01-20 .*Add rows with its values .* or give the column the role 'past'"):
        events.flags(panel, 1, 0, 20, needed=15)
    with pytest.raises(DataError, match=r"no value at 2023-01-22"):
        events.flags(panel, 0, 10, 25)
    assert not events.flags(panel, 1, 0, 20, needed=19).any()


def test_settings_come_back_from_json() -> None:
    for events in (Events(("a",), ("DE", "BY"), True, ((6,), ())), Events(country="FR"), Events()):
        assert Events.from_dict(json.loads(json.dumps(events.to_dict()))) == events


def test_closed_weekdays_are_those_without_business() -> None:
    panel = make_panel((70, 70), targets=3, first=(0, 4))
    values = panel.values.copy()
    step = np.concatenate([np.arange(70), np.arange(4, 74)])
    values[step % 7 == SUNDAY, 0] = 0.1
    values[step % 7 == SATURDAY, 1] = 0.0
    values[:, 2] = 0.0  # too rare to tell: as most others; of two equally frequent answers either
    values[13, 2] = 1.0
    found = closed_weekdays(panel.with_values(values))
    assert found[:2] == ((SUNDAY,), (SATURDAY,))
    assert found[2] in found[:2]
    assert closed_weekdays(panel.with_values(np.zeros_like(values))) == ((), (), ())
    # Sundays without rows are closed as well, but a week alone tells nothing.
    values[step % 7 == SUNDAY, 0] = np.nan
    assert closed_weekdays(panel.with_values(values))[0] == (SUNDAY,)
    assert closed_weekdays(make_panel((5,))) == ((),)


def test_a_few_hours_know_of_events_days_before() -> None:
    panel = on_grid(make_panel((24 * 21,), future=1), "2023-01-02 00:00", "h")
    panel = with_flag(panel, list(range(24 * 5, 24 * 6)))  # the first Saturday
    events = Events(("f0",), closed=((SUNDAY,),))
    monday = events.flags(panel, 0, 24 * 7 + 20, 24 * 7 + 22)
    np.testing.assert_array_equal(monday[:, :, 0], [[0, 1, 0]] * 2)


def test_a_target_around_zero_is_open() -> None:
    panel = make_panel((70,), targets=1)
    swings = 20.0 * (-1.0) ** np.arange(70)[:, None]
    swings[np.arange(70) % 7 == SATURDAY] = 0.0
    assert closed_weekdays(panel.with_values(swings - 1.0 * (swings != 0))) == ((SATURDAY,),)


def test_a_column_of_few_numbers_marks_kinds_of_events() -> None:
    panel = make_panel((60,), future=3)
    values = panel.values.copy()
    values[:, 1:] = [0.0, 1.0, 0.0]
    values[[8, 40], 1], values[[20, 50], 1] = 1.0, -1.0
    values[[12, 33], 2] = 0.0  # open but for two days
    values[:, 3] = np.arange(60) % 3  # none is usual
    panel = panel.with_values(values)
    events = Events.find(panel)
    assert events.columns == ("f0", "f1")
    assert events.names == ("f0", "f0_after", "f0_before", "f0=-1", "f0=1", "f1=0", "f1=0_after", "f1=0_before")
    flags = events.flags(panel, 0, 0, 60)[:, :, 0]
    assert [np.flatnonzero(flags[:, j]).tolist() for j in (0, 3, 4, 5)] == [
        [8, 20, 40, 50],
        [20, 50],
        [8, 40],
        [12, 33],
    ]
    assert np.flatnonzero(flags[:, 1]).tolist() == [9, 21, 41, 51]
    assert Events.from_dict(json.loads(json.dumps(events.to_dict()))) == events


def test_columns_that_are_neighbours_have_none() -> None:
    base = make_panel((200,), future=3)
    days = np.array([20, 51, 83, 114, 146, 177])
    for names in (("x1", "x2", "x3"), ("x3", "x2", "x1")):
        panel = replace(base, future=names)
        for name, shift in (("x1", 0), ("x2", -1), ("x3", 1)):
            panel = with_flag(panel, (days + shift).tolist(), name)
        events = Events.find(panel)
        assert set(events.plain) == {"x2", "x3"}
        assert set(events.names) == {"x1", "x1_after", "x1_before", "x2", "x3"}


def test_a_flag_on_the_holidays_of_the_country_is_said_once() -> None:
    panel = make_panel((400,), future=1)
    rows = np.arange(400)
    flagged = Calendar((), "DE").values(panel.grid, rows)[:, 0] > 0
    events = Events.find(with_flag(panel, np.flatnonzero(flagged).tolist()), Calendar((), "DE"))
    assert events.plain == ("public_holiday",)
    own = Events.find(with_flag(panel, [40, 100, 170, 260]), Calendar((), "DE"))
    assert own.plain == ()
