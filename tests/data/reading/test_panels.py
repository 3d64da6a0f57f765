from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.data.panel import Panel
from foretide.data.reading.frames import as_backend
from foretide.data.time.grid import Grid
from foretide.errors import ConfigError, DataError

pytestmark = pytest.mark.frames

Make = Callable[[pd.DataFrame], Any]


@pytest.fixture(params=["pandas", "polars"])
def make(request: pytest.FixtureRequest) -> Make:
    """Turn a pandas frame into one of each kind."""
    return (lambda frame: frame) if request.param == "pandas" else pl.from_pandas


def long(sizes: dict[str, int], freq: str = "h", seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = [
        pd.DataFrame({
            "unique_id": name, "ds": pd.date_range("2024-02-27", periods=n, freq=freq), "y": rng.normal(size=n),
            "p": rng.integers(0, 9, n), "f": rng.uniform(size=n) > 0.5, "area": n,
            "kind": "old" if name < "b" else "new",
        })
        for name, n in sizes.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def as_pandas(frame: Any) -> pd.DataFrame:
    return frame if isinstance(frame, pd.DataFrame) else frame.to_pandas()


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_long_frame_with_all_roles(make: Make, shuffled: bool) -> None:
    frame = long({"b": 50, "a": 30, "c": 44})
    given_ = frame.sample(frac=1, random_state=1).reset_index(drop=True) if shuffled else frame
    panel = Panel.from_frame(make(given_), past=["p"], future=["f"], static=["kind", "area"])
    assert set(panel.ids) == {"a", "b", "c"}
    assert panel.ids == tuple(pd.unique(given_["unique_id"]))
    assert (panel.targets, panel.past, panel.future) == (("y",), ("p",), ("f",))
    assert (panel.grid.freq, panel.grid.start, panel.values.dtype) == ("h", pd.Timestamp("2024-02-27"), np.float64)
    for i, name in enumerate(panel.ids):
        twin = frame[frame["unique_id"] == name].sort_values("ds")
        np.testing.assert_array_equal(panel.rows(i), twin[["y", "p", "f"]].to_numpy(dtype=float))
        assert panel.static.values[i, 1] == len(twin)
        assert panel.static.categories["kind"][int(panel.static.values[i, 0])] == twin["kind"].iloc[0]


def test_there_and_back(make: Make) -> None:
    frame = long({"b": 20, "a": 30})
    panel = Panel.from_frame(make(frame), past=["p"], future=["f"], static=["area", "kind"])
    back = panel.to_frame()
    assert type(back) is type(make(frame))
    expected = frame.astype({"p": float, "f": float, "area": float})
    pd.testing.assert_frame_equal(as_pandas(back), expected, check_dtype=False)


def test_the_frame_is_left_alone(make: Make) -> None:
    frame = make(long({"b": 20, "a": 30}))
    before = as_pandas(frame).copy()
    panel = Panel.from_frame(frame, past=["p"])
    panel.values[:] = -1
    pd.testing.assert_frame_equal(as_pandas(frame), before)


def test_a_wide_frame(make: Make) -> None:
    frame = long({"a": 30}).drop(columns=["unique_id", "kind"]).assign(area=np.arange(30) % 7)
    panel = Panel.from_wide(make(frame), target="y", past="rest", future=["f"])
    assert (panel.ids, panel.targets, panel.past, panel.future) == (("",), ("y",), ("p", "area"), ("f",))
    assert panel.columns == ("y", "p", "area", "f")
    assert panel.series == ("y",)
    back = panel.to_frame()
    assert list(back.columns) == ["ds", "y", "p", "area", "f"]
    several = Panel.from_wide(make(frame), target=["y", "p"])
    assert (several.targets, several.past, several.series) == (("y", "p"), (), ("y", "p"))


def test_the_rest_of_a_long_frame(make: Make) -> None:
    frame = make(long({"a": 30, "b": 20}).assign(area=np.arange(50) % 7).drop(columns="kind"))
    panel = Panel.from_frame(frame, past="rest", future=["f"])
    assert (panel.ids, panel.targets, panel.past, panel.future) == (("a", "b"), ("y",), ("p", "area"), ("f",))
    assert panel.to_frame().equals(Panel.from_frame(frame, past=["p", "area"], future=["f"]).to_frame())


def test_a_column_may_be_called_rest(make: Make) -> None:
    frame = make(long({"a": 30}).rename(columns={"p": "rest"}))
    assert Panel.from_frame(frame, past="rest").past == ("rest",)


def test_float32_stays_float32_only_when_all_columns_are(make: Make) -> None:
    frame = long({"a": 30}).astype({"y": "float32"})
    assert Panel.from_frame(make(frame)).values.dtype == np.float32
    assert Panel.from_frame(make(frame), past=["p"]).values.dtype == np.float64
    assert Panel.from_frame(make(frame.astype({"p": "float32"})), past=["p"]).values.dtype == np.float32


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Int64", [1, np.nan, 3]), ("Float64", [1.5, np.nan, 3]), ("boolean", [1, np.nan, 0]),
        ("float64", [1, np.nan, 2]),
    ],
)  # fmt: skip
def test_null_and_nan_are_the_same(make: Make, kind: str, expected: list[float]) -> None:
    cells = [None if np.isnan(v) else (bool(v) if kind == "boolean" else v) for v in expected]
    column = pd.array(cells, dtype=kind) if kind != "float64" else np.array(expected)
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=3), "y": column})
    np.testing.assert_array_equal(Panel.from_frame(make(frame), id=None, missing="mask").values[:, 0], expected)


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_pandas_extension_types(backend: Any) -> None:
    frame = long({"b": 20, "a": 30})
    plain = Panel.from_frame(frame, past=["p"], future=["f"], static=["kind"])
    extended = Panel.from_frame(frame.convert_dtypes(dtype_backend=backend), past=["p"], future=["f"], static=["kind"])
    np.testing.assert_array_equal(plain.values, extended.values)
    assert (plain.grid, plain.ids, plain.static.categories) == (extended.grid, extended.ids, extended.static.categories)


def test_identifiers_of_any_type(make: Make) -> None:
    frame = long({"b": 20, "a": 30})
    for ids, expected in (({"b": 7, "a": 3}, ("7", "3")), ({"b": "007", "a": "x y"}, ("007", "x y"))):
        assert Panel.from_frame(make(frame.assign(unique_id=frame["unique_id"].map(ids)))).ids == expected
    assert Panel.from_frame(make(frame.astype({"unique_id": "category"}))).ids == ("b", "a")


TIMES: dict[str, Callable[[pd.DatetimeIndex], Any]] = {
    "ns": lambda d: d.astype("datetime64[ns]"),
    "us": lambda d: d.astype("datetime64[us]"),
    "s": lambda d: d.astype("datetime64[s]"),
    "text": lambda d: d.strftime("%Y-%m-%d %H:%M:%S"),
    "iso": lambda d: d.strftime("%Y-%m-%dT%H:%M"),
    "objects": lambda d: pd.Series([t.to_pydatetime() for t in d], dtype=object),
}


@pytest.mark.parametrize("kind", sorted(TIMES))
def test_times_of_any_kind(make: Make, kind: str) -> None:
    days = pd.date_range("2024-02-27", periods=60, freq="h")
    panel = Panel.from_frame(make(pd.DataFrame({"ds": TIMES[kind](days), "y": np.arange(60.0)})), id=None)
    assert panel.grid.freq == "h"
    assert panel.grid.times(range(60)).equals(days.as_unit("ns"))


def test_dates_and_written_formats(make: Make) -> None:
    days = [dt.date(2024, 2, 27) + dt.timedelta(days=k) for k in range(9)]
    dates = pd.DataFrame({"ds": pd.Series(days, dtype=object), "y": np.arange(9.0)})
    assert Panel.from_frame(make(dates), id=None).grid.start == pd.Timestamp("2024-02-27")
    german = dates.assign(ds=[d.strftime("%d.%m.%Y") for d in days])
    panel = Panel.from_frame(make(german), id=None, time_format="%d.%m.%Y")
    assert (panel.grid.start, panel.grid.freq) == (pd.Timestamp("2024-02-27"), "D")
    number = dates.assign(ds=[int(d.strftime("%Y%m%d")) for d in days])
    assert Panel.from_frame(make(number), id=None, time_format="%Y%m%d").grid == panel.grid


@pytest.mark.parametrize(
    ("freq", "found", "n"),
    [
        ("30min", "30min", 50), ("h", "h", 50), ("D", "D", 50), ("B", "B", 20), ("W-WED", "W-WED", 9), ("MS", "MS", 30),
        ("ME", "ME", 30), ("QS-FEB", "QS-FEB", 9), ("QE-DEC", "QE-DEC", 9), ("YS", "YS-JAN", 9), ("2h", "2h", 9),
        ("3D", "3D", 9), ("2MS", "2MS", 9), ("10s", "10s", 9),
    ],
)  # fmt: skip
def test_the_frequency_is_found(make: Make, freq: str, found: str, n: int) -> None:
    days = pd.date_range("2023-01-01", periods=n, freq=freq)
    frame = pd.DataFrame({"ds": days, "y": np.arange(float(n))})
    panel = Panel.from_frame(make(frame), id=None)
    assert panel.grid.freq == found
    assert panel.grid.times(range(n)).equals(days.as_unit("ns"))
    pieces = frame.drop(index=[n // 2])
    filled = Panel.from_frame(make(pieces), id=None, fill_gaps=True, missing="mask")
    assert np.flatnonzero(np.isnan(filled.values[:, 0])).tolist() == [n // 2]


def test_integer_time(make: Make) -> None:
    frame = pd.DataFrame({"ds": np.arange(100, 160, 3), "y": np.arange(20.0)})
    panel = Panel.from_frame(make(frame), id=None)
    assert (panel.grid.start, panel.grid.freq, panel.grid.is_integer) == (100, 3, True)
    assert panel.to_frame()["ds"].to_list() == frame["ds"].to_list()
    filled = Panel.from_frame(make(frame.drop(index=[4, 5])), id=None, fill_gaps=True)
    assert np.flatnonzero(np.isnan(filled.values[:, 0])).tolist() == [4, 5]


@settings(max_examples=40)
@given(data=st.data())
def test_filling_gaps_agrees_with_a_pandas_reindex(data: st.DataObject) -> None:
    keep = [data.draw(st.lists(st.integers(0, 40), min_size=2, max_size=30, unique=True)) for _ in range(3)]
    full = long({"a": 41, "b": 41, "c": 41})
    parts = [full[full["unique_id"] == n].iloc[sorted(k)] for n, k in zip("abc", keep, strict=True)]
    missing = data.draw(st.sampled_from(["mask", "ffill"]))
    panel = Panel.from_frame(pd.concat(parts), freq="h", past=["p"], fill_gaps=True, missing=missing)
    for i, part in enumerate(parts):
        hours = pd.date_range(part["ds"].min(), part["ds"].max(), freq="h")
        twin = part.set_index("ds")[["y", "p"]].reindex(hours)
        np.testing.assert_array_equal(panel.rows(i), twin.ffill() if missing == "ffill" else twin)
        assert panel.grid.times([panel.first[i]])[0] == hours[0]


def test_missing_policies(make: Make) -> None:
    frame = long({"a": 6, "b": 6})
    frame["p"] = frame["p"].astype(float)
    frame.loc[[1, 2, 6], "y"] = np.nan
    frame.loc[4, "p"] = np.inf
    masked = Panel.from_frame(make(frame), past=["p"], missing="mask")
    twin = frame.replace(np.inf, np.nan)
    np.testing.assert_array_equal(masked.values, twin[["y", "p"]])
    filled = Panel.from_frame(make(frame), past=["p"], missing="ffill")
    np.testing.assert_array_equal(filled.values, twin.groupby("unique_id")[["y", "p"]].ffill())
    assert np.isnan(filled.values[6, 0])  # nothing to fill a leading value from, least of all another series


def test_rows_known_ahead_are_legal(make: Make) -> None:
    frame = long({"a": 30, "b": 24})
    frame["p"] = frame["p"].astype(float)
    ahead = frame.groupby("unique_id").cumcount() >= 20
    frame.loc[ahead, ["y", "p"]] = np.nan
    panel = Panel.from_frame(make(frame), past=["p"], future=["f"])
    assert panel.observed.tolist() == [20, 20]
    assert panel.length.tolist() == [30, 24]
    filled = Panel.from_frame(make(frame), past=["p"], future=["f"], missing="ffill")
    assert np.isnan(filled.rows(0)[20:, :2]).all()  # the future is not made up
    with pytest.raises(DataError, match="column 'y': 10 missing values, first at 2024-02-27 20:00:00"):
        Panel.from_frame(make(frame), past=["p"])


@pytest.mark.parametrize(
    ("rule", "freq"), [("1h", "30min"), ("D", "h"), ("MS", "D"), ("W-MON", "D"), ("90min", "30min")]
)
def test_resampling_agrees_with_pandas(make: Make, rule: str, freq: str) -> None:
    frame = long({"a": 400, "b": 333}, freq)
    frame.loc[5:8, "y"] = np.nan
    panel = Panel.from_frame(make(frame), past=["p"], resample=rule, missing="mask")
    for i, name in enumerate(panel.ids):
        part = frame[frame["unique_id"] == name].set_index("ds")[["y", "p"]]
        twin = part.resample(rule).mean()
        np.testing.assert_allclose(panel.rows(i), twin.to_numpy())
        assert panel.grid.times([panel.first[i]])[0] == twin.index[0]


def test_zones(make: Make) -> None:
    hours = pd.date_range("2024-03-30 20:00", periods=40, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"ds": hours, "y": np.arange(40.0)})
    panel = Panel.from_frame(make(frame), id=None)
    assert (panel.grid.tz, panel.grid.freq) == ("Europe/Berlin", "h")
    assert panel.grid.start == pd.Timestamp("2024-03-30 19:00")
    assert (panel.grid.output_times(range(40)) == hours).all()
    moved = Panel.from_frame(make(frame), id=None, tz="Asia/Tokyo")
    assert moved.grid.tz == "Asia/Tokyo"
    assert moved.grid.start == panel.grid.start
    as_text = frame.assign(ds=[t.isoformat() for t in hours])  # offsets +01:00 and +02:00
    assert Panel.from_frame(make(as_text), id=None).grid.tz == "UTC"
    one_offset = frame.assign(ds=[t.tz_convert("Etc/GMT-10").isoformat() for t in hours])
    assert Panel.from_frame(make(one_offset), id=None).grid.tz == "+10:00"


@pytest.mark.parametrize("start", ["2024-03-30 20:00", "2024-10-26 20:00"])
def test_wall_clock_times_through_a_clock_change(make: Make, start: str) -> None:
    hours = pd.date_range(start, periods=40, freq="h", tz="Europe/Berlin")
    parts = [pd.DataFrame({"unique_id": n, "ds": hours.tz_localize(None), "y": np.arange(40.0)}) for n in "ab"]
    panel = Panel.from_frame(make(pd.concat(parts)), tz="Europe/Berlin")
    assert panel.values[:, 0].tolist() == [*range(40), *range(40)]  # of the hour shown twice, the first is earlier
    assert (panel.grid.output_times(range(40)) == hours).all()


def test_days_in_a_zone_are_dates(make: Make) -> None:
    days = pd.date_range("2024-03-20", periods=30, tz="Europe/Berlin")
    panel = Panel.from_frame(make(pd.DataFrame({"ds": days, "y": np.arange(30.0)})), id=None)
    assert panel.grid == Grid(pd.Timestamp("2024-03-20"), "D", "Europe/Berlin", wall=True)
    assert (panel.grid.output_times(range(30)) == days).all()
    hours = pd.date_range("2024-03-20", periods=23 + 20 * 24, freq="h", tz="Europe/Berlin")
    means = Panel.from_frame(make(pd.DataFrame({"ds": hours, "y": np.arange(len(hours)) % 7.0})), id=None, resample="D")
    twin = pd.Series(np.arange(len(hours)) % 7.0, index=hours.tz_localize(None)).resample("D").mean()
    np.testing.assert_allclose(means.values[:, 0], twin)


def test_files(make: Make, tmp_path: Path) -> None:
    frame = long({"007": 20, "01": 30})
    frame.to_csv(tmp_path / "long.csv", index=False)
    frame.to_parquet(tmp_path / "long.parquet")
    wide = frame[frame["unique_id"] == "007"].drop(columns="unique_id").rename(columns={"ds": "date"})
    wide.to_csv(tmp_path / "wide.CSV", index=False, sep=";", decimal=",")
    for name in ("long.csv", "long.parquet"):
        panel = Panel.read(tmp_path / name, past=["p"], future=["f"], static="kind")
        assert panel.ids == ("007", "01")
        np.testing.assert_allclose(panel.values, frame[["y", "p", "f"]].to_numpy(dtype=float))
    panel = Panel.read(
        tmp_path / "wide.CSV", time="date", target="y", past=["p"], sep=";", decimal=",", backend="polars"
    )
    assert (panel.ids, panel.length.tolist()) == (("",), [20])
    assert isinstance(panel.to_frame(), pl.DataFrame)
    renamed = frame.rename(columns={"unique_id": "shop"})
    renamed.to_csv(tmp_path / "shops.csv", index=False)
    assert Panel.read(tmp_path / "shops.csv", id="shop").ids == ("007", "01")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("a;b\n1;2\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    (tmp_path / "table.xlsx").write_bytes(b"")
    for name, message in {
        "slaes.csv": "There is no file .*slaes.csv'. Did you mean 'sales.csv'",
        "sales.csv": "There is no column 'ds' .time.. Known: a, b",
        "empty.csv": "empty.csv is empty",
        "broken.parquet": "broken.parquet is no sound Parquet file",
        "table.xlsx": "file ending in .csv, .tsv, .* got 'table.xlsx'",
        "none/x.csv": "There is no folder .*none'",
    }.items():
        with pytest.raises(DataError, match=message):
            Panel.read(tmp_path / name, target="b")


def test_polars_output_has_null_not_nan() -> None:
    frame = as_backend(pd.DataFrame({"a": [1.0, np.nan]}), "polars")
    assert frame["a"].null_count() == 1
    with pytest.raises(ConfigError, match=r"backend is 'pandas' or 'polars', got 'polar'. Did you mean 'polars'"):
        as_backend(pd.DataFrame(), "polar")


@pytest.mark.timing
def test_a_million_rows_take_a_second_or_two() -> None:
    n = 1_000_000
    frame = pd.DataFrame({"ds": pd.date_range("1990-01-01", periods=n, freq="min")})
    frame = frame.assign(**{f"x{k}": np.random.default_rng(k).normal(size=n) for k in range(8)})
    begin = dt.datetime.now()
    panel = Panel.from_wide(frame, target="x0", past="rest")
    assert (dt.datetime.now() - begin).total_seconds() < 5
    assert panel.values.nbytes == n * 8 * 8
