"""Tables whose rows are series are stood up; times in several columns are refused with words that work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from foretide.data.panel import Panel
from foretide.data.reading.checks import examine
from foretide.errors import DataError

FREE: dict[str, Any] = dict.fromkeys(("id", "time", "target", "past", "future", "static"))
DAYS = pd.date_range("2024-01-01", periods=40)
HEADERS = {
    "numbered": ([f"V{k}" for k in range(1, 41)], 1),
    "days of M5": ([f"d_{k}" for k in range(1, 41)], 1),
    "bare numbers": ([str(k) for k in range(1, 41)], 1),
    "dates": ([f"{d:%Y-%m-%d}" for d in DAYS], pd.Timestamp("2024-01-01")),
    "American dates": ([f"{d.month}/{d.day}/{d:%y}" for d in DAYS], pd.Timestamp("2024-01-01")),
    "months": ([f"{d:%m/%Y}" for d in pd.date_range("2020-01-01", periods=40, freq="MS")], pd.Timestamp("2020-01-01")),
    "quarters": ([f"{d.year}Q{d.quarter}" for d in pd.date_range("2010-01-01", periods=40, freq="QS")],
                 pd.Timestamp("2010-01-01")),
}  # fmt: skip


def rows_of_series(header: list[str]) -> pd.DataFrame:
    values = np.arange(120.0).reshape(3, 40)
    values[1, 30:] = np.nan  # ends early
    values[2, :5] = np.nan  # begins late
    names = pd.DataFrame({"item": ["007", "b", "c"], "town": ["x", "x", "y"]})
    return pd.concat([names, pd.DataFrame(values, columns=header)], axis=1)


@pytest.mark.parametrize("name", HEADERS)
def test_rows_become_series(name: str, tmp_path: Path) -> None:
    header, start = HEADERS[name]
    table = rows_of_series(header)
    table.to_csv(tmp_path / "t.csv", index=False)
    report, seen = examine(tmp_path / "t.csv", FREE)
    assert report.roles["id"] == ("item",)
    assert any("Every row is a series" in p.message for p in report.notes)
    read = Panel.read(tmp_path / "t.csv", id="item")
    framed = [Panel.from_frame(frame, id="item") for frame in (table, pl.from_pandas(table))]
    assert seen is not None
    for panel in (seen, read, *framed):
        assert panel.ids == ("007", "b", "c")
        assert panel.length.tolist() == [40, 30, 35]
        assert panel.rows(1)[:, 0].tolist() == [float(k) for k in range(40, 70)]
        assert panel.grid.start == start


def test_other_tables_stay_as_they_are(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Date": DAYS.astype(str), **{f"HE{k}": np.arange(40.0) % 5 + k for k in range(1, 13)}})
    frame.to_csv(tmp_path / "hours.csv", index=False)
    report, _ = examine(tmp_path / "hours.csv", FREE)
    assert report.entities == 12
    assert report.melt
    few = pd.DataFrame({"id": range(30), "x1": 1.0, "x2": 2.0, "x3": 3.0})
    few.to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(DataError, match=r"No column looks like a time among id, x1, x2, x3\. Type: time='\.\.\.'"):
        examine(tmp_path / "few.csv", FREE)


HOURS = pd.date_range("2024-01-01", periods=24 * 20, freq="h")
SPREAD = {
    "clock": pd.DataFrame({"date": HOURS.strftime("%d.%m.%Y"), "time": HOURS.strftime("%H:%M"), "y": range(480)}),
    "clock that ends at 24": pd.DataFrame({
        "date": HOURS.strftime("%Y-%m-%d"), "time": [f"{h + 1:02d}:00" for h in HOURS.hour], "y": range(480),
    }),
    "hour": pd.DataFrame({"date": HOURS.strftime("%Y-%m-%d"), "hour": HOURS.hour, "y": range(480)}),
    "year to hour": pd.DataFrame({
        "year": HOURS.year, "month": HOURS.month, "day": HOURS.day, "hour": HOURS.hour, "y": range(480),
    }),
    "year, month": pd.DataFrame({
        "year": np.repeat(range(2000, 2040), 12), "month": [*range(1, 13)] * 40, "y": range(480),
    }),
    "year, quarter": pd.DataFrame({
        "year": np.repeat(range(1900, 2020), 4), "quarter": [1, 2, 3, 4] * 120, "y": range(480),
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", SPREAD)
def test_times_in_several_columns_are_refused_with_words_that_work(name: str, tmp_path: Path) -> None:
    SPREAD[name].to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="Make one of them: frame") as caught:
        examine(tmp_path / "t.csv", FREE)
    statement = str(caught.value).partition("Make one of them: ")[2].partition("; then")[0].partition(". Or, for")[0]
    frame = pd.read_csv(tmp_path / "t.csv")
    exec(statement.removesuffix("."), {"frame": frame, "pd": pd})
    time = "ds" if "ds" in frame else "date"
    panel = Panel.from_frame(frame, id=None, time=time)
    assert panel.length.tolist() == [480]
    assert panel.rows(0)[:, 0].tolist() == [float(k) for k in range(480)]


def test_series_of_a_time_of_day_are_read_when_named(tmp_path: Path) -> None:
    SPREAD["clock"].to_csv(tmp_path / "t.csv", index=False)
    report, _ = examine(tmp_path / "t.csv", {**FREE, "id": "time"})
    assert report.entities == 24
    assert report.freq == "D"
