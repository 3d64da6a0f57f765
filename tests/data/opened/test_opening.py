from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.data.opened import files, fill
from foretide.data.panel import Panel
from foretide.data.reading.problems import DataWarning
from foretide.data.scratch import mapped_file
from foretide.errors import ConfigError, DataError

ROLES: dict[str, Any] = {"target": "y", "past": ["p", "w"], "static": ["size", "kind"]}


def table(freq: str = "h", tz: str | None = None, n: int = 4, rows: int = 60) -> pd.DataFrame:
    rng, parts = np.random.default_rng(0), []
    for i in range(n):
        ds = pd.date_range("2024-03-01", periods=rows + 3 * i, freq=freq, tz=tz)
        parts.append(pd.DataFrame({
            "unique_id": f"s{i}", "ds": ds, "y": rng.standard_normal(len(ds)), "p": rng.standard_normal(len(ds)),
            "w": rng.choice(["sun", "rain", None], len(ds)), "size": float(i), "kind": "ab"[i % 2],
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def write(frame: pd.DataFrame, folder: Path, n: int = 3) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for k, some in enumerate(np.array_split(np.arange(len(frame)), n)):
        frame.iloc[some].to_parquet(folder / f"part-{k}.parquet", row_group_size=50, index=False)
    return folder


def open_(folder: Path, **options: Any) -> Panel:
    return ft.Panel.open(folder, cache=folder.parent / "cache", **{**ROLES, **options})


def assert_same(one: Panel, other: Panel) -> None:
    assert (one.grid, one.ids, one.values.dtype) == (other.grid, other.ids, other.values.dtype)
    np.testing.assert_array_equal(one.values, other.values)
    for name in ("row0", "length", "first"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.targets, one.past, one.future, one.names) == (other.targets, other.past, other.future, other.names)
    assert (one.categories, one.static.categories) == (other.categories, other.static.categories)
    np.testing.assert_array_equal(one.static.values, other.static.values)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is too large for the memory, and has to be sorted on the disk."""
    monkeypatch.setattr(fill, "SORTED_FROM", 0)
    monkeypatch.setattr(fill, "BUCKET_BYTES", 2_000)
    monkeypatch.setattr(files, "UNIT_BYTES", 2_000)


@pytest.mark.parametrize(("freq", "tz"), [("h", None), ("D", "Europe/Berlin"), ("MS", None), ("15min", "UTC")])
@pytest.mark.parametrize("order", ["series", "time", "random"])
def test_rows_in_any_order_make_the_panel_of_the_frame(freq: str, tz: str | None, order: str, tmp_path: Path) -> None:
    rows = table(freq, tz, n=3, rows=30)
    rows = rows.sort_values("ds", kind="stable") if order == "time" else rows
    rows = rows.sample(frac=1, random_state=1) if order == "random" else rows
    folder, expected = write(rows, tmp_path / "rows"), Panel.from_frame(rows.reset_index(drop=True), **ROLES)
    for _ in range(2):  # made, and found
        panel = open_(folder)
        assert_same(panel, expected)
        assert mapped_file(panel.values) is not None
        assert not panel.values.flags.writeable


def test_folders_name_columns(tmp_path: Path) -> None:
    rows = table()
    for name, part in rows.groupby("unique_id"):
        for month, some in part.groupby(part["ds"].dt.day):
            folder = tmp_path / f"rows/unique_id={name}/day={month}"
            folder.mkdir(parents=True)
            some.drop(columns="unique_id").to_parquet(folder / "part.parquet")
    (tmp_path / "rows/_temporary").mkdir()
    (tmp_path / "rows/_temporary/half.parquet").write_bytes(b"PAR1")
    panel = open_(tmp_path / "rows", past=["p", "w", "day"])
    assert panel.ids == ("s0", "s1", "s2", "s3")
    rows["day"] = rows["ds"].dt.day
    assert_same(panel, Panel.from_frame(rows, **{**ROLES, "past": ["p", "w", "day"]}))
    pattern = ft.Panel.open(str(tmp_path / "rows/unique_id=s[12]/*/*.parquet"), cache=tmp_path, target="y")
    assert pattern.n_entities == 1 or pattern.ids == ("s1", "s2")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("stop", [2, 6, 7, 9])
def test_a_killed_process_loses_nothing(stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table().sort_values("ds", kind="stable").reset_index(drop=True)
    folder, done, read = write(rows, tmp_path / "rows"), [0], [0]

    def counted(own: Callable[..., Any], count: list[int], most: int) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            found = own(*given)  # the work is done, and nobody has noted that
            count[0] += 1
            if count[0] == most:
                raise KeyboardInterrupt
            return found

        return call

    with monkeypatch.context() as patch:
        for name in ("_spill", "_gather"):
            patch.setattr(fill.Filling, name, counted(getattr(fill.Filling, name), done, stop))
        with pytest.raises(KeyboardInterrupt):
            open_(folder)
    monkeypatch.setattr(files.Files, "batches", counted(files.Files.batches, read, -1))
    assert_same(open_(folder), Panel.from_frame(rows, **ROLES))
    assert read[0] == max(0, 7 - stop)  # of six parts
    left = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert left == {"in-use.lock", "values.bin", "whole.json"}


@pytest.mark.usefixtures("small")
def test_rows_that_got_lost_on_the_disk_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table().sort_values("ds", kind="stable").reset_index(drop=True)
    folder = write(rows, tmp_path / "rows")

    def gather(self: fill.Filling, bucket: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fill.Filling, "_gather", gather)
        with pytest.raises(KeyboardInterrupt):
            open_(folder)
    os.truncate(next((tmp_path / "cache").rglob("rows-00001.bin")), 40)
    assert_same(open_(folder), Panel.from_frame(rows, **ROLES))


@pytest.mark.parametrize("damage", ["one byte", "cut", "half a note", "no note"])
def test_a_damaged_copy_is_made_anew(damage: str, tmp_path: Path) -> None:
    folder, expected = write(table(), tmp_path / "rows"), Panel.from_frame(table(), **ROLES)
    open_(folder)
    values, note = (next((tmp_path / "cache").rglob(name)) for name in ("values.bin", "whole.json"))
    content = bytearray(values.read_bytes())
    if damage == "one byte":
        content[77] ^= 255
        values.write_bytes(content)
    elif damage == "cut":
        os.truncate(values, 100)
    elif damage == "half a note":
        note.write_text(note.read_text()[:100])
    else:
        note.unlink()
    assert_same(open_(folder), expected)


def test_changed_files_are_read_anew(tmp_path: Path) -> None:
    rows = table()
    folder = write(rows, tmp_path / "rows")
    former = open_(folder)
    before = former.values.copy()
    rows.loc[3, "y"] = 99.0
    write(rows, folder)
    assert_same(open_(folder), Panel.from_frame(rows, **ROLES))
    np.testing.assert_array_equal(former.values, before)  # what is mapped stays as it was
    assert len(list((tmp_path / "cache").rglob("values.bin"))) == 1
    with pytest.raises(ft.errors.StorageError, match="Open the table again"):
        pickle.loads(pickle.dumps(former))


def test_another_process_maps_the_same_file(tmp_path: Path) -> None:
    panel = open_(write(table(n=8, rows=200), tmp_path / "rows"))
    part = panel.take([2, 1]).head(np.array([5, 7]))
    assert len(pickle.dumps(panel)) < panel.values.nbytes / 8
    for one in (panel, part):
        again = pickle.loads(pickle.dumps(one))
        assert mapped_file(again.values) == mapped_file(panel.values)
        assert_same(again, one)


def faulty(kind: str) -> pd.DataFrame:
    rows = table()
    if kind == "gap":
        return rows.drop([10, 11, 200])
    if kind == "missing":
        rows.loc[[7, 8, 200], "y"] = np.nan
        rows.loc[9, "p"] = np.inf
    if kind == "unobserved":
        rows.loc[rows["unique_id"] == "s2", "y"] = np.nan
    if kind == "constant":
        rows["p"] = 1.0
    return rows


def outcome(read: Callable[[], Panel]) -> Any:
    try:
        return read()
    except DataError as error:
        return str(error)


@pytest.mark.parametrize(("kind", "options"), [
    ("gap", {}), ("gap", {"fill_gaps": True}), ("missing", {}), ("missing", {"missing": "mask"}),
    ("missing", {"missing": "ffill"}), ("unobserved", {"missing": "mask"}), ("constant", {}),
    ("", {"input_size": 50, "h": 14}),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore::foretide.data.reading.problems.DataWarning")
def test_faults_are_those_of_the_frame(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    rows = faulty(kind)
    folder = write(rows, tmp_path / "rows")
    found = [outcome(lambda: Panel.from_frame(rows, **ROLES, **options)), outcome(lambda: open_(folder, **options))]
    if isinstance(found[0], str):
        assert found[0] == found[1]
        assert not list((tmp_path / "cache").rglob("values.bin"))
    else:
        assert_same(found[1], found[0])


def test_constant_columns_are_warned_of_each_time(tmp_path: Path) -> None:
    folder = write(faulty("constant"), tmp_path / "rows")
    for _ in range(2):
        with pytest.warns(DataWarning, match="always 1"):
            open_(folder)


@pytest.mark.parametrize(("change", "message"), [
    (lambda rows: pd.concat([rows, rows.iloc[[5, 6]]]), "'s0': 2 times occur more than once, first at 2024-03-01 "
     "05:00:00: row 6 of part-0.parquet and row 259 of part-0.parquet. Keep one row"),
    (lambda rows: rows.assign(ds=rows["ds"].mask(rows.index == 20, rows["ds"] + pd.Timedelta("7min"))), "does not lie"),
    (lambda rows: rows.assign(size=rows["size"].mask(rows.index == 4, 9.0)), "static column 'size': it changes"),
    (lambda rows: rows.assign(y=rows["y"].astype(str)), r"'y' \(target\) holds text"),
    (lambda rows: rows.assign(p=rows["p"].astype(str)), "'p' holds numbers written as text"),
    (lambda rows: rows.assign(ds=rows["ds"].mask(rows.index == 4)), "1 row has no time"),
    (lambda rows: rows.assign(unique_id=rows["unique_id"].mask(rows.index == 4)), "1 row has no identifier"),
    (lambda rows: rows.drop(columns="p"), r"There is no column 'p' \(past\)"),
    (lambda rows: rows.iloc[:0], "no rows"),
])  # fmt: skip
def test_what_is_refused(change: Callable[[pd.DataFrame], pd.DataFrame], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        open_(write(change(table()), tmp_path / "rows", n=1))


def test_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no Parquet file in .* It is empty. CSV files are read whole"):
        open_(tmp_path)
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="a.parquet is no sound Parquet file"):
        open_(tmp_path / "rows")
    with pytest.raises(ConfigError, match="leave resample out, or use Panel.read"):
        open_(tmp_path / "rows", resample="D")
