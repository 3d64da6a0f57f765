"""Folders as other programs leave them: the panel is that of the frame of all rows, or an error names file and row."""

from __future__ import annotations

import decimal
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.opened.test_opening import assert_same

import foretide as ft
from foretide.data.opened import files, opening
from foretide.data.panel import Panel
from foretide.data.reading.problems import DataWarning
from foretide.errors import DataError, StorageError

Write = Callable[[Path], "pd.DataFrame | None"]
ROLES: dict[str, Any] = {"target": "y", "past": ["p"]}


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days, ids = pd.date_range("2024-01-20", periods=20), np.repeat(["s0", "s1", "s2"], 20)
    y, p = rng.standard_normal((2, 60)).round(3)
    return pd.DataFrame({"unique_id": ids, "ds": np.tile(days, 3), "y": y, "p": p})


ROWS = table()
HALVES = ROWS.iloc[:20], ROWS.iloc[20:]


def put(frame: pd.DataFrame, path: Path, **columns: pa.Array) -> pd.DataFrame:
    """Write a frame, some of its columns as they are given."""
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    for name, cells in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, cells)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path)
    return frame


def halves(first: pd.DataFrame, second: pd.DataFrame, folder: Path) -> pd.DataFrame:
    put(first, folder / "a.parquet")
    put(second, folder / "b.parquet")
    return pd.concat([first, second], ignore_index=True)


def spark(folder: Path) -> pd.DataFrame:
    for k, rows in enumerate(HALVES):
        put(rows, folder / f"part-0000{k}-c000.snappy.parquet")
        (folder / f".part-0000{k}-c000.snappy.parquet.crc").write_bytes(b"crc")
    (folder / "_SUCCESS").touch()
    for name in ("_metadata", "_common_metadata"):
        pq.write_metadata(pq.read_schema(folder / "part-00000-c000.snappy.parquet"), folder / name)
    return ROWS


def trino(folder: Path) -> pd.DataFrame:
    spark(folder)
    for path in folder.glob("part-*"):
        path.rename(path.with_name(path.name.partition(".")[0]))
    (folder / "notes").write_text("no table")
    return ROWS


def hive(column: str, values: list[Any]) -> Write:
    def write(folder: Path) -> pd.DataFrame:
        rows = ROWS.assign(**{column: np.array(values, dtype=object)[np.repeat(np.arange(3), 20)]})
        written = pa.Table.from_pandas(rows.astype({column: str}).mask(rows.isna()), preserve_index=False)
        pq.write_to_dataset(written, folder, partition_cols=[column])
        return rows.infer_objects()

    return write


def padded_months(folder: Path) -> pd.DataFrame:
    found = []
    for month, rows in ROWS.groupby(ROWS["ds"].dt.month):
        put(rows, folder / f"year=2024/month={month:02d}/süd nord.parquet")
        found.append(rows.assign(month=month))
    return pd.concat(found, ignore_index=True)


def months_shuffled(folder: Path) -> pd.DataFrame:
    rows = ROWS.sample(frac=1, random_state=0)
    return halves(rows[rows["ds"].dt.month == 1], rows[rows["ds"].dt.month == 2], folder)


def mixed_times(folder: Path) -> pd.DataFrame:
    for k, (kind, rows) in enumerate(zip((pa.date32(), pa.timestamp("ms"), pa.timestamp("ns")),
                                         (ROWS[k::3] for k in range(3)), strict=True)):  # fmt: skip
        put(rows, folder / f"{k}.parquet", ds=pa.array(rows["ds"]).cast(kind))
    return pd.concat([ROWS[k::3] for k in range(3)], ignore_index=True)


def slashes(folder: Path) -> pd.DataFrame:
    """The first file says what 03/01 means in the second."""
    rows = ROWS.assign(ds=(ROWS["ds"] - pd.Timedelta("18d")).dt.strftime("%d/%m/%Y"))
    return halves(rows[rows["ds"] >= "13"], rows[rows["ds"] < "13"], folder)


def two_forms(folder: Path) -> None:
    halves(HALVES[0].astype({"ds": str}), HALVES[1].assign(ds=HALVES[1]["ds"].dt.strftime("%d/%m/%Y")), folder)


def nulls_first(folder: Path) -> pd.DataFrame:
    rows = ROWS.assign(k=np.where(ROWS["p"] > 0, "hi", "lo"))
    rows.loc[:19, ["p", "k"]] = None
    put(rows.iloc[:20].assign(p=None), folder / "a.parquet")
    put(rows.iloc[20:], folder / "b.parquet")
    return rows


def empty_first(folder: Path) -> pd.DataFrame:
    put(pd.DataFrame(columns=list(ROWS), dtype=object), folder / "a.parquet")
    return put(ROWS[list(ROWS)[::-1]], folder / "b.parquet")


def own_types(folder: Path) -> pd.DataFrame:
    rows = ROWS.assign(p=(ROWS["p"] > 0).astype("boolean"))
    rows.loc[3, "p"] = pd.NA
    ids = pa.array(rows["unique_id"]).cast(pa.large_string()).dictionary_encode()
    put(rows, folder / "a.parquet", unique_id=ids, y=pa.array([decimal.Decimal(str(y)) for y in rows["y"]]))
    return rows


@pytest.mark.parametrize(("write", "roles"), [
    (spark, {}), (trino, {}), (slashes, {}), (months_shuffled, {}), (mixed_times, {}), (empty_first, {}),
    (own_types, {"missing": "mask"}), (nulls_first, {"past": ["p", "k"], "missing": "mask"}),
    (padded_months, {"past": ["month", "p"]}),
    (hive("z", [1, 2, 30]), {"static": ["z"]}), (hive("z", [1.5, 2.0, 3.25]), {"static": ["z"]}),
    (hive("z", [1.0, 2.0, np.nan]), {"static": ["z"], "missing": "mask"}),
    (hive("z", ["a", "b", "c/d"]), {"static": ["z"]}),
    (hive("z", ["007", "1", "2"]), {"id": ["z", "unique_id"]}), (hive("unique_id", ["007", "1", "2"]), {}),
])  # fmt: skip
def test_the_panel_is_that_of_all_rows(write: Write, roles: dict[str, Any], tmp_path: Path) -> None:
    rows = write(tmp_path / "rows with spaces, Größe")
    panel = ft.Panel.open(tmp_path / "rows with spaces, Größe", cache=tmp_path / "cache", **{**ROLES, **roles})
    assert_same(panel, Panel.from_frame(rows, **{**ROLES, **roles}))


@pytest.mark.parametrize("typed", [
    "a[1]/*/*.parquet", "a[1]/unique_id=*", "a[1]/**/*.parquet", "a[1]", "a[[]1]/unique_id=s[0-2]",
])  # fmt: skip
def test_patterns_match_files_and_folders(typed: str, tmp_path: Path) -> None:
    for name, rows in ROWS.groupby("unique_id"):
        put(rows.drop(columns="unique_id"), tmp_path / f"a[1]/unique_id={name}/rows.parquet")
    panel = ft.Panel.open(f"{tmp_path}/{typed}", cache=tmp_path / "cache", **ROLES)
    assert_same(panel, Panel.from_frame(ROWS, **ROLES))
    one = ft.Panel.open(tmp_path / "a[1]/unique_id=s1", cache=tmp_path / "cache", **ROLES)
    assert one.ids == ("s1",)


def lacking(folder: Path) -> None:
    halves(HALVES[0], HALVES[1].drop(columns="p"), folder)


def without_bytes(folder: Path) -> None:
    halves(*HALVES, folder)
    (folder / "b.parquet").write_bytes(b"")


def at_two_depths(folder: Path) -> None:
    put(HALVES[0], folder / "r=1/a.parquet")
    put(HALVES[1], folder / "b.parquet")


def overlapping(folder: Path) -> None:
    halves(ROWS.iloc[:25], ROWS.iloc[22:], folder)


def spoilt(column: str, cell: object, row: int = 30) -> Write:
    def write(folder: Path) -> None:
        rows = ROWS.assign(ds=ROWS["ds"].astype(str)) if column == "ds" else ROWS.copy()
        rows.loc[row, column] = cell
        halves(rows.iloc[:20], rows.iloc[20:], folder)

    return write


def of_two_kinds(column: str, change: Callable[[pd.Series], pd.Series]) -> Write:
    return lambda folder: halves(HALVES[0], HALVES[1].assign(**{column: change(HALVES[1][column])}), folder)


@pytest.mark.parametrize(("write", "message"), [
    (lacking, r"^b\.parquet has no column 'p' \(past\), other files do\. Known: ds, unique_id, y\.$"),
    (overlapping, r"first at 2024-01-22 00:00:00: row 23 of a.parquet and row 1 of b.parquet. Keep one row per time"),
    (spoilt("ds", None), "1 row has no time, the first is row 11 of b.parquet. Fill it in, or leave them out: delete"),
    (spoilt("ds", "never"), "the first is 'never' in row 11 of b.parquet"),
    (spoilt("ds", "2024-01-30 07:00"), "The first in the files is row 11 of b.parquet. Name another frequency"),
    (spoilt("unique_id", None), "1 row has no identifier, the first is row 11 of b.parquet"),
    (of_two_kinds("p", lambda p: p.astype(str)), r"'p' \(past\) is double in a.parquet, .*string in b.parquet"),
    (of_two_kinds("ds", lambda ds: ds.dt.tz_localize("UTC")), "without a zone at first, and times of UTC from row 1 o"),
    (of_two_kinds("ds", lambda ds: ds.dt.day), "without a zone at first, and integers from row 1 of b.parquet on"),
    (two_forms, "seems to be written as .* from row 1 of b.parquet on. Name the form: time_format="),
    (without_bytes, "b.parquet is no sound Parquet file"),
    (at_two_depths, "Let folders name the same columns everywhere"),
    (lambda folder: (folder.mkdir(), ROWS.to_csv(folder / "a.csv"))[1], r"It holds a\.csv\. CSV files are read whole"),
])  # fmt: skip
def test_errors_name_file_and_row(write: Write, message: str, tmp_path: Path) -> None:
    write(tmp_path / "rows")
    with pytest.raises(DataError, match=message):
        ft.Panel.open(tmp_path / "rows", cache=tmp_path / "cache", **ROLES)


def test_whole_numbers_and_others_are_no_names_alike(tmp_path: Path) -> None:
    halves(HALVES[0].assign(unique_id=7), HALVES[1].assign(unique_id=7.0), tmp_path / "rows")
    with pytest.raises(DataError, match=r"'unique_id' \(id\) is int64 in a.parquet, double in b.parquet. Write it al"):
        ft.Panel.open(tmp_path / "rows", cache=tmp_path / "cache", **ROLES)


@pytest.mark.parametrize(("typed", "message"), [
    ("s3://bucket/sales/*.parquet", "is an address, and tables are read from disks. Copy what lies there"),
    ("file:///data/sales", "Type the path in it, without file://"),
    ("{}/sale", "There is no file or folder .* Did you mean 'sales'"),
    ("{}/nowhere/sales", "There is no folder '.*nowhere'"),
    ("{}/sales/*.pq", "No Parquet file has a name like"),
])  # fmt: skip
def test_paths_without_files(typed: str, message: str, tmp_path: Path) -> None:
    put(ROWS, tmp_path / "sales/a.parquet")
    with pytest.raises(DataError, match=message):
        ft.Panel.open(typed.format(tmp_path), cache=tmp_path / "cache", **ROLES)
    if "://" in typed:
        with pytest.raises(DataError, match=message):
            ft.Panel.read(typed, target="y")


def test_the_rest_are_columns_of_all_files(tmp_path: Path) -> None:
    halves(HALVES[0], HALVES[1].assign(new=1.0), tmp_path / "rows")
    with pytest.warns(DataWarning, match=r"Not all files have new \(a\.parquet lacks 'new'\): left out of past='rest'"):
        panel = ft.Panel.open(tmp_path / "rows", cache=tmp_path / "cache", target="y", past="rest")
    assert panel.past == ("p",)


def test_content_that_changes_under_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "rows/a.parquet"
    rows = pa.Table.from_pandas(ROWS, preserve_index=False)
    plain: dict[str, Any] = {"compression": "none", "use_dictionary": False}
    path.parent.mkdir()
    pq.write_table(rows, path, **plain)
    ft.Panel.open(path, cache=tmp_path / "cache", **ROLES)
    before, changed = path.stat(), ROWS.assign(y=-ROWS["y"])
    pq.write_table(pa.Table.from_pandas(changed, preserve_index=False), path, **plain)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert_same(ft.Panel.open(path, cache=tmp_path / "cache", **ROLES), Panel.from_frame(changed, **ROLES))


def test_files_that_change_while_they_are_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(ROWS, tmp_path / "rows/a.parquet")
    sealed = opening.seal

    def seal(*given: Any) -> None:
        sealed(*given)
        put(ROWS, tmp_path / "rows/b.parquet")

    monkeypatch.setattr(opening, "seal", seal)
    with pytest.raises(DataError, match="changed while they were read. Open them again"):
        ft.Panel.open(tmp_path / "rows", cache=tmp_path / "cache", **ROLES)
    assert not list((tmp_path / "cache").rglob("values.bin"))


def test_two_that_open_a_table_at_once_read_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(ROWS, tmp_path / "rows/a.parquet")
    made, batches = [], files.Files.batches
    monkeypatch.setattr(
        files.Files, "batches", lambda self, *given, **more: made.append(1) or batches(self, *given, **more)
    )
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(
            lambda _: ft.Panel.open(tmp_path / "rows", cache=tmp_path / "cache", **ROLES), range(2)
        )
    assert_same(first, second)
    assert len(made) == 2  # the two looks at one unit


def test_a_cache_that_cannot_be_made_says_what_to_name(tmp_path: Path) -> None:
    put(ROWS, tmp_path / "rows/a.parquet")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"Name another folder: cache=\.\.\., or FORETIDE_CACHE"):
        ft.Panel.open(tmp_path / "rows", cache=tmp_path / "file", **ROLES)
