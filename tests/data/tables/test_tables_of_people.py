"""Tables as people have them: titles, units and empty rows, odd midnights, repeated times, clocks put back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foretide.data.panel import Panel
from foretide.data.reading.checks import inspect
from foretide.errors import ConfigError, DataError

DAYS = pd.date_range("2024-01-01", periods=60)
HOURS = pd.date_range("2024-01-01", periods=24 * 14, freq="h")
ROWS = "".join(f"{d:%Y-%m-%d},{k * 7 % 11},{k / 4:.2f}\n" for k, d in enumerate(DAYS))


def read(tmp_path: Path, text: str | bytes, **given: Any) -> Any:
    (tmp_path / "t.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return inspect(tmp_path / "t.csv", **given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"Sales 2024,,\nmade: 01.04.2024,,\n,,\ndate,sales,price\n{ROWS}", "3 lines above the header"),
        (f"date,sales,price\n[d],[pieces],[EUR]\n{ROWS}", "the row below the header, which holds no values"),
        (f"date,sales,price\n,m3/h,°C\n{ROWS}", "the row below the header, which holds no values"),
        (f"date,sales,price\n{ROWS}" + ",,\n" * 30, "30 empty rows"),
    ],
)
def test_what_is_no_row_is_left_out_and_said(tmp_path: Path, text: str, said: str) -> None:
    report = read(tmp_path, text)
    assert report.ok
    assert report.rows == 60
    assert report.roles["target"] == ("sales",)
    assert f"Left out: {said}." in str(report.read)


def test_a_first_row_that_holds_something_stays(tmp_path: Path) -> None:
    report = read(tmp_path, "date,sales,price\n2024-01-01,closed,closed\n" + ROWS.partition("\n")[2])
    assert report.rows == 60
    assert not report.ok
    assert (
        read(tmp_path, f"name,ds,y\n{''.join(f'a,{d:%Y-%m-%d},{k}' + chr(10) for k, d in enumerate(DAYS))}").rows == 60
    )


@pytest.mark.parametrize(
    "times",
    [
        [f"{(t - pd.Timedelta('1h')):%Y-%m-%d} {(t - pd.Timedelta('1h')).hour + 1:02d}:00" for t in HOURS],
        [f"{t:%d.%m.%Y}" if t.hour == 0 else f"{t:%d.%m.%Y %H:%M}" for t in HOURS],
        [f"{t:%d.%m.%Y %H.%M}" for t in HOURS],
        [f"{t.year}年{t.month}月{t.day}日 {t:%H:%M}" for t in HOURS],
    ],
    ids=["24:00", "no time at midnight", "points", "Chinese"],
)
def test_midnights_and_marks(times: list[str]) -> None:
    panel = Panel.from_frame(pd.DataFrame({"ds": times, "y": np.arange(336.0)}), id=None)
    assert panel.grid.start == HOURS[0]
    assert panel.grid.freq == "h"
    assert panel.rows(0)[:, 0].tolist() == [float(k) for k in range(336)]


def test_scientific_numbers_have_one_decimal_mark(tmp_path: Path) -> None:
    report = read(tmp_path, "date;y\n" + "".join(f"{d:%Y-%m-%d};{f'1,{k:03d}E+03'}\n" for k, d in enumerate(DAYS, 100)))
    assert report.ok
    assert report.columns[0].low == 1100.0


def test_repeated_times_are_added_up_as_the_message_says() -> None:
    frame = pd.DataFrame({"shop": "a", "item": "x", "day": np.repeat(DAYS, 2), "y": np.arange(120) // 2 % 7})
    with pytest.raises(DataError, match=r"drop_duplicates\(\['shop', 'item', 'day'\]\), or add them up: ") as caught:
        Panel.from_frame(frame, id=["shop", "item"], time="day")
    typed = dict(re.findall(r"(\w+)='(\w+)'", str(caught.value)))
    panel = Panel.from_frame(frame, id=["shop", "item"], time="day", **typed)
    assert panel.rows(0)[:, 0].tolist() == [2.0 * (k % 7) for k in range(60)]


@pytest.mark.parametrize("begin", ["2024-03-29", "2024-10-25"])
def test_a_clock_change_is_recognised_and_the_zone_named(begin: str) -> None:
    times = pd.date_range(begin, periods=96 * 5, freq="15min", tz="Europe/Berlin")
    frame = pd.DataFrame({"ds": times.tz_localize(None), "y": np.arange(480.0)})
    with pytest.raises(DataError, match=r"The clock was put (back|forward) then; type: tz='Europe/Berlin'"):
        Panel.from_frame(frame, id=None)
    panel = Panel.from_frame(frame, id=None, tz="Europe/Berlin")
    assert (panel.grid.output_times(np.arange(480)) == times).all()


@pytest.mark.parametrize("sign", ["{:.1f}%", "${:,.2f}", "{:.2f} kg"])
def test_numbers_with_signs_say_how_to_take_them_off(tmp_path: Path, sign: str) -> None:
    values = np.arange(60) * 31.5 + 1000
    frame = pd.DataFrame({"date": DAYS.astype(str), "y": [sign.format(v) for v in values]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    problem = next(p for p in inspect(tmp_path / "t.csv").errors if p.column == "y")
    exec(problem.fix.partition("Or type: ")[2].removesuffix("."), {"frame": frame})
    assert np.allclose(frame["y"], values)


def test_a_doubtful_column_beside_a_named_target_is_a_note(tmp_path: Path) -> None:
    text = "date,sales,margin\n" + "".join(f"{d:%Y-%m-%d},{k},{k}.5%\n" for k, d in enumerate(DAYS))
    report = read(tmp_path, text)
    assert "Or do without it: target='sales'." in report.errors[0].fix
    assert read(tmp_path, text, target="sales").ok


def test_chinese_text_of_old_is_not_taken_for_western(tmp_path: Path) -> None:
    text = "日期,店铺,销量\n" + "".join(f"{d.year}年{d.month}月{d.day}日,北京,{k}\n" for k, d in enumerate(DAYS))
    with pytest.raises(DataError, match="no western alphabet"):
        read(tmp_path, text.encode("gbk"))
    assert read(tmp_path, text.encode("gbk"), encoding="gb18030").freq == "D"


def test_counted_days_are_times_whatever_they_are_called(tmp_path: Path) -> None:
    report = read(tmp_path, "d,y\n" + "".join(f"{d:%Y%m%d},{k}\n" for k, d in enumerate(DAYS)))
    assert report.roles["time"] == ("d",)
    assert "time_format='%Y%m%d'" in report.errors[0].fix
    report = read(tmp_path, "day,y\n" + "".join(f"{45292 + k},{k}\n" for k in range(60)))
    assert any("2024-01-01; type: frame['day'] = pd.to_datetime" in p.fix for p in report.notes)


def test_of_a_bar_of_prices_the_last_one_is_forecast() -> None:
    frame = pd.DataFrame(
        {"Date": DAYS, **{n: np.arange(60.0) + k for k, n in enumerate(("Price", "Open", "High", "Low"))}}
    )
    report = inspect(frame)
    assert report.roles["target"] == ("Price",)


def test_the_frequency_named_instead_of_business_days_holds_their_days() -> None:
    for week, alias in (("Sun Mon Tue Wed Thu", "D"), ("Mon Tue Wed Thu", "B")):
        days = pd.offsets.CustomBusinessDay(weekmask=week)
        frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=60, freq=days), "y": np.arange(60.0)})
        with pytest.raises(ConfigError, match=f"Type freq='{alias}' and fill_gaps=True"):
            Panel.from_frame(frame, id=None, freq=days)
        assert Panel.from_frame(frame, id=None, freq=alias, fill_gaps=True).grid.freq == alias


def test_an_integer_time_beyond_all_grids_is_refused() -> None:
    panel = Panel.from_frame(pd.DataFrame({"ds": range(30), "y": np.arange(30.0)}), id=None)
    with pytest.raises(DataError, match="expected an integer time, got 100000000000000000000"):
        panel.until(10**20)
