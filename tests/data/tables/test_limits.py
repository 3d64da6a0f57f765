"""Small files that stand for enormous tables are refused before they fill the memory; ordinary ones are read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from foretide.data.tables import limits as module
from foretide.data.tables.limits import VARIABLE, current, limits, size_in
from foretide.data.tables.reader import read_table
from foretide.errors import ConfigError, DataError

ROWS = b"ds,y\n" + b"2024-01-01,0\n" * 100_000


def zipped(content: bytes) -> bytes:
    """The content as the only file of an archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table.csv", content)
    return out.getvalue()


PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zip": zipped}


@pytest.mark.parametrize("ending", PACKERS)
def test_a_packed_bomb(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / f"table.csv{ending}"
    file.write_bytes(PACKERS[ending](ROWS))
    assert len(ROWS) > 100 * file.stat().st_size
    monkeypatch.setattr(module, "ALWAYS", 10_000)
    monkeypatch.setattr(module, "RATIO", 10)
    with pytest.raises(DataError, match=f"times its own size, once unpacked.*{VARIABLE}=16GB"):
        read_table(file)
    monkeypatch.setenv(VARIABLE, "1GB")  # who names a size takes the file at its word
    assert len(read_table(file).frame) == 100_000
    monkeypatch.setenv(VARIABLE, "1MB")
    with pytest.raises(DataError, match=r"holds more than 0.001 GB"):
        read_table(file)


def written(table: pa.Table, file: Path) -> Path:
    """The table as a Parquet file with dictionaries."""
    pa.parquet.write_table(table, file, compression="zstd", use_dictionary=True)
    return file


def test_a_parquet_of_few_bytes_and_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(pa.table({"y": pa.array(np.zeros(1_000_000))}), tmp_path / "rows.parquet")
    assert file.stat().st_size < 20_000
    with monkeypatch.context() as patch:  # what it holds is known before a column is read
        patch.setattr(pa.parquet, "read_table", None)
        with limits(bytes=4_000_000), pytest.raises(DataError, match="holds more than 0.004 GB"):
            read_table(file)
        with limits(rows=999_999), pytest.raises(DataError, match="has 1000000 rows; at most 999999 are read"):
            read_table(file)
    assert len(read_table(file).frame) == 1_000_000


@pytest.mark.parametrize("kind", ["string", "category"])
def test_a_parquet_of_one_long_text(kind: str, tmp_path: Path) -> None:
    codes = pa.array(np.zeros(5000, dtype=np.int32))
    column = pa.DictionaryArray.from_arrays(codes, pa.array(["x" * 10_000]))
    column = column.cast(pa.string()) if kind == "string" else column
    file = tmp_path / "text.parquet"
    with pa.parquet.ParquetWriter(file, pa.schema([("id", column.type)])) as out:
        for _ in range(4):  # each part is small enough to be written out here
            out.write_table(pa.table({"id": column}))
    assert file.stat().st_size < 100_000
    del column
    before = pa.total_allocated_bytes()
    with limits(bytes=150_000_000), pytest.raises(DataError, match="holds more than 0.15 GB"):
        read_table(file)
    assert pa.total_allocated_bytes() - before < 10_000_000


def test_ordinary_parquet_is_read_as_it_was(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["a", None, "b"] * 40, "y": range(120), "when": pd.date_range("2024", periods=120)})
    frame.to_parquet(tmp_path / "table.parquet")
    expected = pd.read_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.parquet").frame, expected)
    frame.assign(id=frame["id"].astype("category")).to_parquet(tmp_path / "category.parquet")
    read = read_table(tmp_path / "category.parquet").frame["id"]
    assert read.astype(object).where(frame["id"].notna(), None).tolist() == frame["id"].tolist()


def test_rows_and_columns_of_text(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(ROWS[:1000])
    with limits(rows=10), pytest.raises(DataError, match="rows; at most 10 are read"):
        read_table(tmp_path / "table.csv")
    with limits(columns=1), pytest.raises(DataError, match="has 2 columns; at most 1 are read"):
        read_table(tmp_path / "table.csv")


def test_limits_end_with_their_block() -> None:
    with limits(bytes=5):
        assert current().bytes == 5
        assert current().unpacked(10**9) == 5
    assert current().bytes > 10**6


def test_sizes() -> None:
    assert [size_in(text) for text in ("8GB", "8 GiB", "500m", "17")] == [8 * 10**9, 8 * 10**9, 5 * 10**8, 17]
    for text in ("", "-1", "lots", "0", "1e9"):
        with pytest.raises(ConfigError, match="is no size. Expected bytes, such as 8GB"):
            size_in(text)


def test_zstd_is_named(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(40))
    with pytest.raises(DataError, match="is packed by zstd"):
        read_table(tmp_path / "table.csv")
