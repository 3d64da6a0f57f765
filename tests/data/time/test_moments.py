"""Cutoffs and other single times are taken only where they mean one thing."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foretide.data.panel import Panel
from foretide.data.splits import split_at
from foretide.data.time.grid import Grid
from foretide.errors import DataError
from foretide.forecasters.simple.baselines import Persistence

DAILY = Grid(pd.Timestamp("2024-01-01"), "D")


def daily() -> Panel:
    return Panel.from_frame(
        pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=366), "y": np.arange(366.0)}), id=None
    )


def stamp(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


@pytest.mark.parametrize(
    "time",
    [
        "2024-06-05", " 2024-06-05 ", "2024-6-5", "2024/06/05", "2024.06.05", "20240605", "2024-06-05 00:00",
        "2024-06-05T00:00:00", "2024-06-05 00:00:00.000", pd.Timestamp("2024-06-05"), dt.date(2024, 6, 5),
        dt.datetime(2024, 6, 5), np.datetime64("2024-06-05"), np.datetime64("2024-06-05", "s"),
        pd.Period("2024-06-05", "D"),
    ],
)  # fmt: skip
def test_forms_that_mean_one_thing(time: Any) -> None:
    assert DAILY.normalise(time) == stamp("2024-06-05")
    assert DAILY.steps_of([time]).tolist() == [156]


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ("05/06/2024", "may be '2024-06-05' or '2024-05-06'. Type the one that is meant"),
        ("05.06.2024", "got '05.06.2024'. Type '2024-06-05'."), ("5-6-2024", "may be '2024-06-05' or '2024-05-06'"),
        ("13/06/2024", "Type '2024-06-13'"), ("06/13/2024", "Type '2024-06-13'"),
        ("13.06.24", "may be '2024-06-13' or"),
        ("June 13, 2024", "Type '2024-06-13'"), ("13 Jun 2024 10:00", "Type '2024-06-13 10:00:00'"),
        ("01-02-03", "may be '2003-02-01' or '2003-01-02' or '2001-02-03'"), ("tomorrow", "got 'tomorrow'"),
        ("2024-13-01", "got '2024-13-01'"), ("", "got ''"), (None, "missing time"), (pd.NaT, "missing time"),
        (float("nan"), "missing time"), (20240613, "whole number 20240613. Type '2024-06-13'"),
        (1718236800, "in s it is '2024-06-13 00:00:00'; type that"),
        (1718236800000, "in ms it is '2024-06-13 00:00:00'"),
        (7, "the whole number 7. This panel's times are dates"),
        (np.int64(7), "the whole number 7"), (True, "got True"),
        (2.5, "got 2.5"), ("2270-01-01", "beyond the years 1678 to 2261"), (dt.date(1500, 1, 1), "beyond the years"),
        (np.datetime64("2270-01-01"), "beyond the years"), (pd.Period("2270-01", "M"), "beyond the years"),
    ],
)  # fmt: skip
def test_all_others_are_refused_with_what_to_type(time: Any, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        DAILY.normalise(time)
    if " may be " in message or "ype '" in message or "it is '" in message:
        for typed in re.findall(r"'(\d{4}-\d\d-\d\d[^']*)'", str(caught.value).partition("got")[2]):
            assert isinstance(DAILY.normalise(typed), pd.Timestamp)


def test_every_door_refuses_them() -> None:
    panel = daily()
    for deed in (
        lambda: Persistence(h=2).fit(panel, until="05/06/2024"),
        lambda: Persistence(h=2).fit(panel).predict(panel, cutoffs=["05/06/2024"]),
        lambda: split_at(panel, train_until="05/06/2024"),
        lambda: panel.until("05/06/2024"),
        lambda: panel.since("05/06/2024"),
    ):
        with pytest.raises(DataError, match="may be '2024-06-05' or '2024-05-06'"):
            deed()
    assert panel.until("2024-06-05").length.tolist() == [157]


def test_the_command_refuses_them(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from foretide.cli import app
    from foretide.jobs import fit_model

    daily().to_frame().to_csv(tmp_path / "days.csv", index=False)
    data = {"path": str(tmp_path / "days.csv"), "time": "ds", "target": "y"}
    fit_model({"data": data, "h": 2, "models": ["Persistence"]}, tmp_path / "model")
    for cutoff, message in (("13/06/2024", "Type '2024-06-13'"), ("2024-06-13", "")):
        done = CliRunner().invoke(app.app, ["predict", str(tmp_path / "model"), "--cutoff", cutoff])
        assert (done.exit_code == 0) == (message == "")
        assert message in str(done.exception or done.output)


@pytest.mark.parametrize(
    ("freq", "start", "time", "step"),
    [
        ("ME", "2024-01-31", "2024-06", 5), ("MS", "2024-01-01", "2024-06", 5), ("MS", "2024-01-01", "202406", 5),
        ("MS+14D", "2024-01-15", "2024-06", 5), ("QE-DEC", "2024-03-31", "2024Q2", 1),
        ("QS-JAN", "2024-01-01", "2024-Q2", 1),
        ("QE-NOV", "2024-02-29", "2024-05", 1), ("W-SUN", "2024-01-07", "2024-W02", 1),
        ("W-MON", "2024-01-01", "2024-W02", 1),
        ("YE-JUN", "2020-06-30", "2024", 4), ("D", "2024-01-01", "2024-02", 31), ("h", "2024-01-01", "2024-02", 744),
        ("ME", "2024-01-31", pd.Period("2024-06", "M"), 5), ("D", "2024-01-01", pd.Period("2024-02", "M"), 31),
    ],
)  # fmt: skip
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_a_period_is_its_one_step_or_its_first_moment(
    freq: str, start: str, time: Any, step: int, zone: str | None
) -> None:
    begin = pd.Timestamp(start)
    wall = zone == "Europe/Berlin" and freq != "h"
    if zone is not None and not wall:
        begin = begin.tz_localize(zone).tz_convert("UTC").tz_localize(None)
    grid = Grid(begin, freq, zone, wall)
    assert grid.step_at_or_before(time) == grid.step_of(time) == step


def test_times_that_a_clock_change_makes_unclear_say_what_to_type() -> None:
    grid = Grid(pd.Timestamp("2024-03-30 23:00"), "h", "Europe/Berlin")
    for time, ways in (("2024-03-31 02:30", 1), ("2024-10-27 02:00", 2)):
        with pytest.raises(DataError, match=f"{time}.* does not exist or comes twice in Europe/Berlin") as caught:
            grid.normalise(time)
        typed = re.findall(r"'([^']*)'", str(caught.value).partition("type")[2])
        assert len({grid.step_of(way) for way in typed}) == ways
    with pytest.raises(DataError, match="Type the time without a zone: 2024-06-05 00:00:00"):
        DAILY.normalise("2024-06-05T00:00Z")


def test_step_and_nearest_time_are_shown_with_the_zone() -> None:
    grid = Grid(pd.Timestamp("2024-01-01"), "MS", "Europe/Berlin", wall=True)
    with pytest.raises(
        DataError, match=r"every MS from 2024-01-01 00:00:00\+01:00.*before it is 2024-06-01 00:00:00\+02:00"
    ):
        grid.step_of("2024-06-15")
