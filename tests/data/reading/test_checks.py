from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from foretide.data.panel import Panel
from foretide.data.reading.checks import DataWarning, inspect
from foretide.errors import ConfigError, DataError

pytestmark = pytest.mark.frames


def good(n: int = 48) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame({
            "unique_id": name, "ds": pd.date_range("2024-01-01", periods=n, freq="h"),
            "y": rng.normal(size=n), "x": rng.normal(size=n), "w": rng.normal(size=n),
        })
        for name in ("a", "b")
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def put(column: str, rows: int | list[int], value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        if isinstance(value, str):
            frame[column] = frame[column].astype(str)
        frame.loc[rows, column] = value
        return frame

    return change


def drop(*rows: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.drop(index=list(rows))


def as_text(column: str, **changes: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        text = frame[column].astype(str)
        for row, value in changes.items():
            text[int(row[1:])] = value
        return frame.assign(**{column: text})

    return change


def moved(row: int, minutes: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda f: f.assign(ds=f["ds"] + pd.to_timedelta(np.where(f.index == row, minutes, 0), "min"))


# name -> change of a good frame, options, what the message says
BAD: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], dict[str, Any], str]] = {
    "duplicate": (
        lambda f: pd.concat([f, f.iloc[[50, 51]]]), {},
        r"Series 'b': 2 times occur more than once, first at 2024-01-01 02:00:00\. Keep one row per time",
    ),
    "gap": (
        drop(10, 11, 20), {}, r"Series 'a': 3 steps of h are missing, first at 2024-01-01 10:00:00\. .*fill_gaps=True",
    ),
    "irregular": (
        moved(60, 7), {}, r"Series 'b': 1 time does not lie on steps of h, first at 2024-01-01 12:07:00.*resample='h'",
    ),
    "no-step": (
        lambda f: f.assign(ds=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.tile(np.arange(48) ** 2, 2), "min")), {},
        r"Series 'a': the steps have no regular length; .*resample='1h', or name the frequency",
    ),
    "one-row": (lambda f: f.iloc[[0]], {}, r"No series has two times.*Type it: freq='h'"),
    "nan": (
        put("y", [3, 4], np.nan), {},
        r"Series 'a', column 'y': 2 missing values, first at 2024-01-01 03:00:00\. .*missing=\"mask\".*\"ffill\"",
    ),
    "infinite": (put("x", 50, -np.inf), {}, r"Series 'b', column 'x': 1 infinite value, first at 2024-01-01 02:00"),
    "unobserved": (put("y", list(range(48)), np.nan), {"missing": "mask"}, r"Series 'a'.*without any observed target"),
    "text": (
        as_text("x", _7="broken"), {},
        r"Column 'x': 1 value is no number, the first is 'broken' in row 7; others are such as '-?[\d.]+'\. Write",
    ),
    "two-readings": (
        lambda f: f.assign(y=[f"{1 + abs(v):.3f}".replace(".", ",") for v in f["y"]]), {},
        r"Column 'y': '1,\d+' in row 0 can be read as 1\d+ or as 1\.\d+\. Type thousands=',' for 1\d+, or decimal=','",
    ),
    "labels": (
        lambda f: f.assign(y="red"), {}, r"Column 'y' holds text: 96 values .*'red' in row 0.*A target holds numbers",
    ),
    "free-text": (
        lambda f: f.assign(x=[f"remark {k}" for k in range(96)]), {},
        r"Column 'x': 96 different texts in 96 rows are no categories\. Leave the column out, or shorten",
    ),
    "dates-as-values": (lambda f: f.assign(x=f["ds"]), {}, r"Column 'x' holds dates, not numbers"),
    "unknown": (lambda f: f, {"past": ["xx"]}, r"There is no column 'xx' \(past\)\. Did you mean 'x'\?"),
    "unknown-time": (lambda f: f, {"time": "date"}, r"There is no column 'date' \(time\)\."),
    "unknown-id": (lambda f: f, {"id": "unique_ids"}, r"no column 'unique_ids' \(id\)\. Did you mean 'unique_id'"),
    "two-roles": (lambda f: f, {"future": ["x"]}, r"Column 'x' is named as past and as future\. Give every column one"),
    "twice": (lambda f: f, {"past": ["x", "x"]}, r"Column 'x' is named twice as past"),
    "no-target": (lambda f: f, {"target": []}, r"No target column is named\. Type: target='...'"),
    "empty": (lambda f: f.iloc[:0], {}, r"The frame has no rows"),
    "short": (
        lambda f: f.iloc[:60], {"input_size": 20, "h": 5},
        r"Series 'b', column 'y': 12 observed rows from .*one window needs 25 \(input_size=20 \+ h=5\)\.",
    ),
    "unparsable": (
        as_text("ds", _3="yesterday"), {},
        r"Column 'ds': 1 of 96 times do not have the form 2024-01-31 06:00; the first is 'yesterday' in row 3\.",
    ),
    "other-format": (
        lambda f: f.assign(ds=f["ds"].dt.strftime("%d/%m/%Y %H:%M")), {},
        r"the first is '01/01/2024 00:00' in row 0\. .*time_format='%d/%m/%Y %H:%M'",
    ),
    "no-time": (
        lambda f: f.assign(ds=f["ds"].where(f.index != 5)), {}, r"Column 'ds': 1 row has no time, the first is row 5",
    ),
    "mixed-zones": (
        as_text("ds", _5="2024-01-01T05:00:00Z"), {},
        r"95 times have no time zone while the others have one; .*in row 0",
    ),
    "skipped-hour": (
        lambda f: f.assign(ds=f["ds"] + pd.Timedelta(days=90)), {"tz": "Europe/Berlin"},
        r"2 times do not exist in Europe/Berlin \(clock change\); the first is 2024-03-31 02:00:00",
    ),
    "date-numbers": (
        lambda f: f.iloc[:9].assign(ds=np.arange(20240101, 20240110)), {}, r"look like dates.*time_format='%Y%m%d'",
    ),
    "fractions": (
        lambda f: f.iloc[:9].assign(ds=np.arange(9) + 0.5), {}, r"times are fractions, such as 0.5 in row 0",
    ),
    "no-id": (
        lambda f: f.assign(unique_id=f["unique_id"].where(f.index != 4)), {},
        r"1 row has no identifier, the first is row 4",
    ),
    "integer-freq": (lambda f: f, {"freq": 1}, r"Time is given in dates, freq=1 does not fit"),
    "static-changes": (
        lambda f: f.assign(s=np.arange(96) // 40), {"static": ["s"]},
        r"Series 'a', column 's': 8 rows differ from the first one, first at 2024-01-02 16:00:00\.",
    ),
    "static-missing": (
        lambda f: f.assign(s=np.where(f["unique_id"] == "a", np.nan, 1.0)), {"static": ["s"]},
        r"Series 'a', column 's': 1 missing static value",
    ),
    "long-gap": (
        lambda f: f.assign(ds=f["ds"] + pd.to_timedelta(np.where(f.index == 95, 30_000, 0), "D")), {"fill_gaps": True},
        r"Series 'b': 1 long gap.*a time may be wrong",
    ),
}  # fmt: skip


@pytest.mark.parametrize("backend", ["pandas", "polars"])
@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_input_gets_a_clear_error(name: str, backend: str) -> None:
    change, options, message = BAD[name]
    frame = change(good()).reset_index(drop=True)
    given = pl.from_pandas(frame) if backend == "polars" else frame
    with pytest.raises(DataError, match=message):
        Panel.from_frame(given, **{"past": ["x"], **options})


@pytest.mark.parametrize(
    ("name", "count"),
    [("labels", 96), ("text", 1), ("infinite", 1), ("duplicate", 2), ("free-text", 96), ("unparsable", 1)],
)
def test_a_problem_says_how_much_it_is_about(name: str, count: int) -> None:
    change, options, message = BAD[name]
    report = inspect(change(good()).reset_index(drop=True), **{"target": "y", "past": ["x"], **options})
    assert [problem.count for problem in report.errors if re.search(message, str(problem))] == [count]


def test_the_good_frame_is_good() -> None:
    assert Panel.from_frame(good(), past=["x", "w"]).length.tolist() == [48, 48]


def test_everything_is_found_at_once() -> None:
    frame = good()
    frame.loc[3, "y"], frame.loc[60, "x"] = np.nan, np.inf
    frame = as_text("w", _9="red")(pd.concat([frame.drop(index=[70]), frame.iloc[[5]]], ignore_index=True))
    with pytest.raises(DataError) as caught:
        Panel.from_frame(frame, past=["x", "w", "v"], input_size=50, h=10)
    text = str(caught.value)
    assert text.startswith("7 problems in the data:\n  1. ")
    kinds = ("no column 'v'", "no number", "infinite", "occurs more", "is missing", "1 missing value,", "50 + h")
    for found in kinds:
        assert len(re.findall(re.escape(found), text)) == 1, found


def test_many_bad_series_are_summed_up() -> None:
    parts = [good(10).query("unique_id == 'a'").assign(unique_id=f"s{i}") for i in range(20)]
    frame = pd.concat(parts, ignore_index=True)
    frame.loc[frame.index % 10 < 2, "y"] = np.nan
    with pytest.raises(DataError, match=r"(?s)^3 problems.*'s0'.*'s1'.*'s2'.*17 more series have .*; 40 in all"):
        Panel.from_frame(frame)


def test_constant_columns_warn() -> None:
    with pytest.warns(DataWarning, match="Column 'x': always 2, so nothing can be learned"):
        Panel.from_frame(good().assign(x=2.0), past=["x"])
    with pytest.warns(DataWarning, match="Column 'x': no value at all"):
        Panel.from_frame(good().assign(x=np.nan), past=["x"], missing="mask")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = inspect(good().assign(x=np.where(good()["unique_id"] == "a", 1.0, good()["x"])))
        Panel.from_frame(good().iloc[:1], freq="h")
    assert [p.entity for p in report.notes if p.kind == "constant"] == ["a"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing": "drop"}, "missing='drop': expected one of error, mask, ffill"),
        ({"freq": "hourly"}, "freq='hourly' is not a frequency such as 'h'"),
        ({"freq": 0}, "freq counts integer time and is at least 1"),
        ({"tz": "Europe/Berlim"}, "not a known time zone. Did you mean 'Europe/Berlin'"),
        ({"tz": "Mars"}, "'Mars' is not a known time zone"),
        ({"resample": "D", "freq": "h"}, "resample='D' makes steps of 'D', freq='h' says otherwise"),
        ({"resample": 3}, "resample=3: expected a frequency such as '1h'"),
        ({"fil_gaps": True}, "no option 'fil_gaps' for reading a frame. Did you mean 'fill_gaps'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Panel.from_frame(good(), **options)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "Expected a pandas or polars data frame, got list"),
        (pl.DataFrame({"y": [1]}).lazy(), "got LazyFrame. Collect it first: frame.collect"),
        ("file.csv", "got the path 'file.csv'. Type: Panel.read"),
        (pd.Series([1.0]), "got a pandas Series. Type: series.rename"),
        (pd.DataFrame(np.ones((2, 2)), columns=["y", "y"]), "Column names occur twice: y"),
        (good().set_index("ds").rename_axis("when"), "The times stand in the index; type: time='when'"),
    ],
)
def test_what_is_no_usable_frame(value: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Panel.from_wide(value, target="y")


def test_inspect_guesses_roles_and_raises_nothing() -> None:
    frame = good().rename(columns={"unique_id": "shop", "ds": "when", "w": "holiday"}).assign(colour="red")
    frame.loc[[3, 4, 70], "y"] = np.nan
    report = inspect(pl.from_pandas(frame))
    assert report.roles == {
        "id": ("shop",), "time": ("when",), "target": ("y",), "past": ("x", "holiday"),
    }  # fmt: skip
    assert (report.rows, report.entities, report.freq, report.seasons) == (96, 2, "h", (24, 168))
    assert (report.start, report.end) == (pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02 23:00"))
    assert not report.ok
    first = report.errors[0]
    assert (first.kind, first.entity, first.column, first.time, first.count) == (
        "missing", "a", "y", pd.Timestamp("2024-01-01 03:00"), 2,
    )  # fmt: skip
    facts = {c.name: c for c in report.columns}
    assert (facts["y"].role, facts["y"].missing) == ("target", 3)
    assert facts["x"].mean == pytest.approx(frame["x"].mean())
    text = report.to_text()
    assert "96 rows, 2 series, every h" in text
    assert "note: Column 'colour' holds one value only. It is left out." in text
    assert inspect(good(), past=(), future=()).ok


def test_unsorted_rows_are_sorted_and_noted() -> None:
    frame = good().sample(frac=1, random_state=0)
    report = inspect(frame)
    assert report.ok
    assert [p.kind for p in report.notes if p.severity == "note" and p.kind == "unsorted"]
    by_time = good().sort_values("ds")  # entities interleaved, each in order
    assert not [p for p in inspect(by_time).notes if p.kind == "unsorted"]


def test_real_tables(real_data: Path) -> None:
    reports = {p.name: inspect(p) for p in sorted(real_data.glob("*.csv")) + sorted(real_data.glob("*.parquet"))}
    assert all(r.ok for r in reports.values()), [str(p) for r in reports.values() for p in r.errors]
    facts = {name: (r.rows, r.entities, r.freq, r.roles["target"]) for name, r in reports.items()}
    assert facts["ETTh1.csv"] == (17420, 1, "h", ("OT",))
    assert facts["vic_electricity.csv"] == (52608, 1, "30min", ("Demand",))
    assert facts["bike_sharing.csv"] == (17544, 1, "h", ("users",))
    assert facts["intermittent_demand.csv"] == (17544, 1, "h", ("users",))
    assert facts["pbs_long.parquet"] == (68544, 336, "MS", ("y",))


def test_half_hours_of_victoria_become_hours(real_data: Path) -> None:
    from foretide.data.panel import Panel
    from foretide.data.time.calendar import Calendar

    path = real_data / "vic_electricity.csv"
    panel = Panel.read(
        path, time="Time", target="Demand", past=["Temperature"], future=["Holiday"], resample="1h",
        tz="Australia/Melbourne",
    )  # fmt: skip
    raw = pd.read_csv(path)
    twin = raw.set_index(pd.to_datetime(raw["Time"]))[["Demand", "Temperature"]].resample("h").mean()
    np.testing.assert_allclose(panel.values[:, :2], twin)
    assert str(panel.grid.output_times([0])[0]) == "2012-01-01 00:00:00+11:00"
    flags = Calendar(features=(), country=("AU", "VIC")).values(panel.grid, np.arange(panel.length[0]))
    assert (flags[:, 0] == panel.values[:, 2]).mean() > 0.99  # the file's own holiday flag, by local day
