"""Frequencies are found, and times placed, on the clock that they are regular on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from foretide.data.panel import Panel
from foretide.data.time.frequency import offset_of, read_freq
from foretide.data.time.seasons import seasons_of
from foretide.errors import ConfigError, DataError
from foretide.forecasters.simple.baselines import Persistence

pytestmark = pytest.mark.frames
BERLIN = "Europe/Berlin"


def panel_of(times: Any, **options: Any) -> Any:
    return Panel.from_frame(pd.DataFrame({"ds": times, "y": np.arange(len(times)) * 1.0}), id=None, **options)


def date_range(start: str, n: int, freq: str) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=n, freq=offset_of(freq))


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ("SMS-15", "SMS-15"), ("SMS-10", "SMS-10"), ("SME-15", "SME-15"), ("BMS", "BMS"), ("BME", "BME"),
        ("BQE-OCT", "BQE-OCT"), ("BYE-JUN", "BYE-JUN"), ("YE-JUN", "YE-JUN"), ("YS-APR", "YS-APR"),
        ("QS-FEB", "QS-FEB"), ("QE-NOV", "QE-NOV"), ("WOM-3FRI", "WOM-3FRI"), ("LWOM-FRI", "LWOM-FRI"),
        ("W-THU", "W-THU"), ("2W-FRI", "2W-FRI"), ("28D", "4W-WED"), ("3LWOM-SAT", "3LWOM-SAT"), ("14D", "2W-WED"),
        ("2QS", "2QS-JAN"),
    ],
)  # fmt: skip
def test_calendar_frequencies_are_found(made: str, found: str) -> None:
    every = date_range("2020-01-01", 34, made)
    for zone in (None, BERLIN):
        panel = panel_of(every[:30].tz_localize(zone))
        assert panel.grid.freq == found
        assert (panel.grid.output_times(range(34)) == every.tz_localize(zone)).all()
        assert panel.grid.steps_of(every.tz_localize(zone)).tolist() == list(range(34))


@pytest.mark.parametrize(
    ("base", "days", "found"), [("MS", 14, "MS+14D"), ("QS", 14, "QS-JAN+14D"), ("YS-APR", 5, "YS-APR+5D")]
)
def test_months_may_begin_on_any_day(base: str, days: int, found: str) -> None:
    every = date_range("2015-01-01", 13, base) + pd.Timedelta(days, "D")
    panel = panel_of(every[:10])
    assert panel.grid.freq == found == read_freq(found)
    assert (panel.grid.times(range(13)) == every).all()
    assert panel.grid.step_at_or_before(every[4] + pd.Timedelta("1D")) == 4
    assert panel.grid.step_at_or_before(every[4] - pd.Timedelta("1D")) == 3
    assert seasons_of(found) == seasons_of(base)
    assert panel_of(every, freq=found).grid == panel.grid
    pieces = panel_of(every.delete([3]), fill_gaps=True, missing="mask")
    assert np.flatnonzero(np.isnan(pieces.values[:, 0])).tolist() == [3]


def test_days_that_not_every_month_has_are_named_with_a_way_out() -> None:
    ends = [pd.Timestamp(2024, month, 29 if month == 2 else 30) for month in range(1, 12)]
    with pytest.raises(DataError, match="resample='MS'"):
        panel_of(ends)
    assert panel_of(ends, resample="MS").values[:, 0].tolist() == list(range(11))
    assert panel_of(ends, resample="ME").grid.times([1])[0] == pd.Timestamp("2024-02-29")


def test_own_holidays_are_gaps_that_can_be_filled() -> None:
    holidays = pd.to_datetime(["2024-05-01", "2024-05-09", "2024-05-20"])
    days = pd.date_range("2024-04-01", periods=60, freq=pd.offsets.CustomBusinessDay(holidays=list(holidays)))
    with pytest.raises(DataError, match="3 steps of B are missing, first at 2024-05-01.*fill_gaps=True"):
        panel_of(days)
    panel = panel_of(days, fill_gaps=True)
    empty = panel.grid.times(np.flatnonzero(np.isnan(panel.values[:, 0])))
    assert (panel.grid.freq, list(empty)) == ("B", list(holidays))
    with pytest.raises(ConfigError, match="Type freq='B' and fill_gaps=True"):
        panel_of(days, freq=pd.offsets.CustomBusinessDay(holidays=list(holidays)))
    assert panel_of(days, freq="B", fill_gaps=True).grid == panel.grid
    assert panel_of(pd.date_range("2024-01-01", periods=20, freq="B"), freq="C").grid.freq == "B"
    hours = pd.date_range("2024-01-01 09:00", periods=40, freq="bh")
    with pytest.raises(ConfigError, match="type freq='h' and fill_gaps=True"):
        panel_of(hours, freq="bh")
    assert panel_of(hours, freq="h", fill_gaps=True).length[0] > 40


@pytest.mark.parametrize("freq", [pd.DateOffset(months=1), "MS+40D", "D+3D", "ME+2D", "W+1D"])
def test_frequencies_that_cannot_be_kept_are_refused(freq: Any) -> None:
    with pytest.raises(ConfigError, match=r"is not a frequency such as|as in 'MS\+14D' for the 15th"):
        read_freq(freq)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("15T", "15min"),
        ("2H", "2h"),
        ("M", "ME"),
        ("Q-NOV", "QE-NOV"),
        ("2AS-APR", "2YS-APR"),
        ("BM", "BME"),
        ("A", "YE-DEC"),
    ],
)
def test_codes_of_earlier_pandas_are_understood(old: str, new: str) -> None:
    assert read_freq(old) == new


@pytest.mark.parametrize("freq", ["10000000D", "-1D", "0D", "", "MS+", "D5"])
def test_what_is_no_frequency(freq: str) -> None:
    with pytest.raises(ConfigError, match="is not a frequency such as"):
        read_freq(freq)


# -------------------------------------------------------------------------- the clock on the wall
@pytest.mark.parametrize(
    ("start", "n", "freq"),
    [
        ("2024-01-01", 4, "MS"), ("2024-03-25", 14, "D"), ("2024-03-03", 9, "W-SUN"), ("2024-03-20", 20, "B"),
        ("2023-12-31", 8, "QE-DEC"), ("2024-03-25", 40, "6h"), ("2024-10-20", 30, "12h"), ("2024-10-01", 5, "ME"),
        ("2024-03-29 06:00", 30, "8h"), ("2023-02-28", 6, "2ME"), ("2024-02-28", 30, "2D"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("zone", [BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "+05:30"])
def test_steps_on_the_clock_on_the_wall(start: str, n: int, freq: str, zone: str) -> None:
    every = pd.date_range(start, periods=n + 3, freq=freq).tz_localize(zone)
    panel = panel_of(every[:n])
    assert panel.grid.tz == zone
    assert panel.grid.wall or freq == "8h"  # not from midnight on, so in UTC where both would do
    assert (panel.grid.output_times(range(n + 3)) == every).all()
    assert (panel.grid.local_times(range(n + 3)) == every.tz_localize(None)).all()
    assert panel.grid.steps_of(every).tolist() == list(range(n + 3))
    assert panel.grid.steps_of(every.tz_localize(None)).tolist() == list(range(n + 3))
    assert panel.grid.step_of(every[2].tz_convert("Asia/Tokyo")) == 2
    frame = Persistence(h=3).fit(panel, until=every[n - 2]).predict(panel).to_frame()
    assert list(frame["ds"]) == list(every[n:])
    assert list(panel.to_frame()["ds"]) == list(every[:n])
    filled = panel_of(every[:n].delete([n // 2]), fill_gaps=True, freq=freq)
    assert list(filled.to_frame()["ds"]) == list(every[:n])


@pytest.mark.parametrize("freq", ["h", "30min", "6h", "12h"])
@pytest.mark.parametrize("start", ["2024-03-28", "2024-10-25"])
def test_steps_that_are_equal_in_utc_stay_in_utc(freq: str, start: str) -> None:
    every = pd.date_range(start, periods=103, freq=freq, tz=BERLIN)
    panel = panel_of(every[:100])
    assert not panel.grid.wall
    assert (panel.grid.output_times(range(103)) == every).all()


def test_midnight_that_a_clock_skips() -> None:
    zone = "America/Santiago"  # 8 September 2024 begins at 01:00
    days = pd.date_range("2024-09-01", periods=14)
    real = days.tz_localize(zone, nonexistent="shift_forward")
    for panel in (panel_of(days, tz=zone), panel_of(real)):
        assert (panel.grid.freq, panel.grid.start) == ("D", pd.Timestamp("2024-09-01"))
        assert (panel.grid.output_times(range(14)) == real).all()
        assert panel.grid.steps_of(real).tolist() == list(range(14))
        assert panel.grid.step_of(real[7]) == panel.grid.step_of("2024-09-08") == 7


def test_rows_off_the_grid_are_named_whether_gaps_are_filled_or_not() -> None:
    times = list(pd.date_range("2024-01-01", periods=6))
    times[3] += pd.Timedelta("12h")
    for options in ({}, {"fill_gaps": True}, {"fill_gaps": True, "freq": "D"}):
        with pytest.raises(
            DataError, match="1 time does not lie on steps of D, first at 2024-01-04 12:00.*resample='D'"
        ):
            panel_of(times, **options)
    assert panel_of(times, resample="D").values[:, 0].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("freq", "h"), [("D", 120), ("h", 3000), ("MS", 20), ("YE", 2), ("W", 19), ("B", 90)])
def test_a_forecast_beyond_what_nanoseconds_count_is_refused(freq: str, h: int) -> None:
    times = pd.date_range(end="2261-12-31", periods=9, freq=freq)
    panel = panel_of(times)
    forecast = Persistence(h=h).fit(panel).predict(panel)
    with pytest.raises(DataError, match=r"beyond the years 1678 to 2261, which nanoseconds can count\. Lower h"):
        forecast.to_frame()
