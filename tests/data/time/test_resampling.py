"""Resampling agrees with pandas: labels, and one aggregation a column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foretide.data.panel import Panel
from foretide.data.reading.checks import inspect
from foretide.data.time.grid import Grid
from foretide.errors import ConfigError, DataError

pytestmark = pytest.mark.frames
BERLIN = "Europe/Berlin"
RULES = [
    "ME", "MS", "QE", "QS-FEB", "YE", "YE-JUN", "YS", "W", "W-MON", "W-THU", "2W-WED", "B", "BME", "BQE-DEC", "SMS",
    "SME", "D", "2D", "10D", "2MS",
]  # fmt: skip


def table(start: str = "2023-11-09", n: int = 460, freq: str = "D", zone: str | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = []
    for name, days in (("a", n), ("b", n - 31)):
        ds = pd.date_range(start, periods=days, freq=freq).tz_localize(
            zone, nonexistent="shift_forward", ambiguous="NaT"
        )
        parts.append(pd.DataFrame({
            "unique_id": name, "ds": ds, "y": rng.normal(size=days), "price": rng.uniform(size=days),
            "stock": rng.integers(0, 9, days).astype(float),
        }))  # fmt: skip
    frame = pd.concat(parts, ignore_index=True).dropna(subset="ds")
    frame.loc[frame.index % 7 == 3, "stock"] = np.nan
    return frame


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("zone", [None, BERLIN, "Asia/Kolkata", "America/Santiago"])
def test_labels_and_values_are_those_of_pandas(rule: str, zone: str | None) -> None:
    frame = table(zone=zone)
    choice = {"y": "sum", "price": "mean", "stock": "last"}
    panel = Panel.from_frame(
        frame, past=["price", "stock"], resample=rule, aggregate=choice, missing="mask", fill_gaps=True
    )
    wall = frame.assign(ds=frame["ds"].dt.tz_localize(None))
    for i, name in enumerate(panel.ids):
        groups = wall[wall["unique_id"] == name].set_index("ds").resample(rule)
        twin = groups.agg({"y": lambda v: v.sum(min_count=1), "price": "mean", "stock": "last"})
        np.testing.assert_allclose(panel.rows(i), twin)
        assert list(panel.grid.local_times(panel.first[i] + np.arange(len(twin))).normalize()) == list(twin.index)
    assert panel.grid.tz == zone


@pytest.mark.parametrize("rule", ["15min", "1h", "90min", "6h", "12h"])
@pytest.mark.parametrize("zone", [None, BERLIN, "Asia/Kolkata"])
def test_parts_of_a_day_are_those_of_pandas(rule: str, zone: str | None) -> None:
    times = pd.date_range("2024-03-28 03:00", periods=5000, freq="3min", tz=zone)
    frame = pd.DataFrame({"ds": times, "y": np.random.default_rng(0).normal(size=5000)})
    panel = Panel.from_frame(frame, id=None, resample=rule, aggregate="max")
    twin = frame.set_index("ds")["y"].resample(rule).max()
    np.testing.assert_allclose(panel.values[:, 0], twin)
    assert (panel.grid.output_times(range(len(twin))) == twin.index).all()


def test_the_case_of_february_and_march() -> None:
    days = pd.date_range("2024-02-01", "2024-03-31")
    frame = pd.DataFrame({"ds": days, "y": np.where(days.month == 2, 2.0, 3.0)})
    panel = Panel.from_frame(frame, id=None, resample="ME")
    assert list(zip(map(str, panel.grid.times([0, 1]).date), panel.values[:, 0], strict=True)) == [
        ("2024-02-29", 2.0), ("2024-03-31", 3.0),
    ]  # fmt: skip
    assert Panel.from_frame(frame, id=None, resample="ME", aggregate="sum").values[:, 0].tolist() == [58, 93]


def test_months_that_begin_on_the_fifteenth() -> None:
    days = pd.date_range("2024-01-15", "2024-04-14")
    frame = pd.DataFrame({"ds": days, "y": 1.0 + 0 * days.day})
    panel = Panel.from_frame(frame, id=None, resample="MS+14D", aggregate="sum", missing="mask")
    assert panel.values[:, 0].tolist() == [31, 29, 31]
    assert panel.grid == Grid(pd.Timestamp("2024-01-15"), "MS+14D")


def test_aggregations_by_column_as_text_and_for_all() -> None:
    frame = table()
    wanted = {"y": "sum", "stock": "max"}
    by_dict = Panel.from_frame(frame, past=["price", "stock"], resample="W", aggregate=wanted)
    by_text = Panel.from_frame(frame, past=["price", "stock"], resample="W", aggregate="y=sum, stock=max")
    np.testing.assert_array_equal(by_dict.values, by_text.values)
    means = Panel.from_frame(frame, past=["price", "stock"], resample="W")
    np.testing.assert_allclose(by_dict.values[:, 1], means.values[:, 1])
    least = Panel.from_frame(frame, past=["price", "stock"], resample="W", aggregate="min")
    assert (least.values <= means.values + 1e-12).all()


@pytest.mark.parametrize("choice", ["mean", "sum", "last", "max", "min"])
def test_a_step_of_missing_cells_is_missing(choice: str) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=60), "y": np.arange(60.0)})
    frame.loc[31:, "y"] = np.nan
    frame.loc[3, "y"] = np.nan
    panel = Panel.from_frame(frame, id=None, resample="MS", aggregate=choice, missing="mask")
    assert not np.isnan(panel.values[0, 0])
    assert np.isnan(panel.values[1, 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resample": "D", "aggregate": "median"}, "aggregate='median': expected one of mean, sum, last, max, min"),
        ({"resample": "D", "aggregate": {"y": "summ"}}, "aggregate='summ': .*Did you mean 'sum'"),
        ({"resample": "D", "aggregate": "y=summ"}, "aggregate='summ': .*Did you mean 'sum'"),
        ({"aggregate": "sum"}, "aggregate says how rows become longer steps, and needs their length: resample='D'"),
    ],
)
def test_wrong_aggregations_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Panel.from_frame(table(), **options)


def test_columns_that_are_not_there_are_named() -> None:
    with pytest.raises(DataError, match="aggregate names 'yy', which is no column of the panel. Did you mean 'y'"):
        Panel.from_frame(table(), resample="W", aggregate="yy=sum")


@pytest.mark.parametrize(
    ("start", "freq", "n", "rule", "incomplete"),
    [
        ("2024-02-01", "D", 60, "ME", 0), ("2024-02-10", "D", 51, "ME", 1), ("2024-02-10", "D", 40, "ME", 2),
        ("2024-02-01", "B", 42, "ME", 0), ("2024-01-01", "h", 24 * 14, "W", 0),
        ("2024-01-01 05:00", "h", 24 * 14, "D", 2),
        ("2024-01-01", "MS", 12, "YE", 0), ("2024-01-31", "ME", 11, "YE", 1), ("2024-01-01", "D", 91, "QE", 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("zone", [None, BERLIN])
def test_incomplete_steps_at_the_ends_are_noted(
    start: str, freq: str, n: int, rule: str, incomplete: int, zone: str | None
) -> None:
    frame = pd.DataFrame({"ds": pd.date_range(start, periods=n, freq=freq, tz=zone), "y": np.arange(float(n))})
    report = inspect(frame, time="ds", target="y", resample=rule)
    assert sum("is incomplete: the series" in note.message for note in report.notes) == incomplete


def test_every_series_has_ends_of_its_own() -> None:
    starts = {"a": "2024-02-01", "b": "2024-02-10", "c": "2024-03-01"}
    parts = [pd.DataFrame({"unique_id": k, "ds": pd.date_range(v, "2024-04-30"), "y": 1.0}) for k, v in starts.items()]
    frame = pd.concat(parts)
    notes = [note for note in inspect(frame, resample="ME", aggregate="sum").notes if note.kind == "resample"]
    assert [note.entity for note in notes] == ["b"]
    assert "Series 'b': 1 first step of ME is incomplete: the series begins inside it, first at 2024-02-10" in str(
        notes[0]
    )


def test_steps_far_too_short_are_refused_with_a_longer_one() -> None:
    frame = pd.DataFrame({"ds": pd.date_range("1990-01-01", periods=400, freq="W"), "y": np.arange(400.0)})
    with pytest.raises(
        DataError, match="resample='s' makes 241315201 steps of 400 rows. Type a longer step, such as resample='W'"
    ):
        Panel.from_frame(frame, id=None, resample="1s")
    assert Panel.from_frame(frame, id=None, resample="W").length.tolist() == [400]


def test_the_configuration_and_check_take_it(tmp_path: Path) -> None:
    pytest.importorskip("ruamel.yaml")
    from typer.testing import CliRunner

    from foretide.cli import app
    from foretide.jobs.config import load_config, read_yaml
    from foretide.jobs.prepare import read_panel

    frame = table()
    frame.to_csv(tmp_path / "days.csv", index=False)
    done = CliRunner().invoke(app.app, [
        "check", str(tmp_path / "days.csv"), "--target", "y", "--past", "price", "--resample", "W", "--aggregate",
        "y=sum,price=max",
    ])  # fmt: skip
    assert done.exit_code == 0, done.output
    section = read_yaml(done.output[done.output.index("data:") :])
    panel = read_panel(load_config(section).data)
    twin = Panel.from_frame(frame, past=["price"], resample="W", aggregate={"y": "sum", "price": "max"})
    np.testing.assert_allclose(panel.values, twin.values)


def test_filling_forward_stops_at_the_last_observation() -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=30), "y": np.arange(30.0), "x": np.arange(30.0)})
    frame.loc[25:, ["y", "x"]] = np.nan
    frame.loc[[4, 5], ["y", "x"]] = np.nan
    for roles in ({}, {"past": ["x"]}, {"target": ["y", "x"]}):
        panel = Panel.from_frame(frame, id=None, missing="ffill", **roles)
        assert panel.observed.tolist() == [25]
        assert panel.values[4:6].tolist() == [[3.0] * panel.values.shape[1]] * 2
        assert np.isnan(panel.values[25:]).all()
    frame.loc[20:, "x"] = np.nan
    panel = Panel.from_frame(frame, id=None, missing="ffill", target=["y", "x"])
    assert np.isnan(panel.values[20:25, 1]).all()  # each series has an end of its own
    panel = Panel.from_frame(frame, id=None, missing="ffill", past=["x"])
    assert panel.values[20:25, 1].tolist() == [19.0] * 5
