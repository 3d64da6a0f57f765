"""Results as Parquet: the frame comes back, and so do the long lists of a JSON file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from foretide.data.parquet import with_long_lists, without_long_lists, write_parquet


def test_a_frame_comes_back_and_only_numbers_that_repeat_have_a_dictionary(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=400)
    frame = pd.DataFrame({
        "unique_id": np.repeat(["a", "b"], 200), "ds": pd.date_range("2024-01-01", periods=400, tz="UTC"),
        "counts": np.tile([0.0, 1.0, np.nan, 2.0], 100), "noise": noise,
    })  # fmt: skip
    write_parquet(frame, tmp_path / "x.parquet", {"more": b"text"})
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "x.parquet"), frame)
    assert pq.read_schema(tmp_path / "x.parquet").metadata[b"more"] == b"text"
    group = pq.ParquetFile(tmp_path / "x.parquet").metadata.row_group(0)
    coded = {group.column(k).path_in_schema: group.column(k).has_dictionary_page for k in range(4)}
    assert (coded["unique_id"], coded["counts"], coded["noise"]) == (True, True, False)


@pytest.mark.parametrize("rows", [0, 1, 7, 8])
def test_a_frame_that_is_written_in_parts_comes_back(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foretide.data.parquet.AT_ONCE", 4)
    frame = pd.DataFrame({
        "text": [None, None, None, None, "a", "b", "c", "d"], "whole": range(8), "flag": [True, False] * 4,
        "ds": pd.date_range("2024-01-01", periods=8, freq="h", tz="Europe/Paris"), "y": np.arange(8.0),
        "kind": pd.Categorical(list("aabbabab")),
    }).head(rows)  # fmt: skip
    write_parquet(frame, tmp_path / "x.parquet")
    frame.to_parquet(tmp_path / "usual.parquet", index=False)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "x.parquet"), pd.read_parquet(tmp_path / "usual.parquet"))


def test_long_lists_come_back_with_their_types() -> None:
    about = {
        "ids": tuple(f"s{k}" for k in range(5)), "sizes": [1, 2, 3, 4], "shares": [0.5, float("nan"), 1.0, -1.0],
        "flags": {"own": [True, False, True, False]}, "short": ["a", "b"], "mixed": [1, "x", None, 2.0],
        "table": np.arange(6.0).reshape(3, 2), "nested": [["a"] * 4, []], "none": None,
    }  # fmt: skip
    short, lists = without_long_lists(about, least=4)
    assert {k: short[k] for k in ("short", "mixed", "none")} == {k: about[k] for k in ("short", "mixed", "none")}
    assert "s3" not in json.dumps(short)
    back = with_long_lists(short, lists)
    np.testing.assert_array_equal(back.pop("table"), about.pop("table"))
    assert repr(back) == repr(about)
    assert [type(v) for v in back["sizes"] + back["flags"]["own"]] == [int] * 4 + [bool] * 4


@pytest.mark.parametrize("value", [{"a": [1, 2]}, [], "text", ("x",) * 3])
def test_what_is_short_stays_as_it_is(value: object) -> None:
    assert without_long_lists(value, least=4) == (value, b"")
    assert with_long_lists(value, b"") is value


def test_parts_that_are_made_one_by_one_are_one_file(tmp_path: Path) -> None:
    whole = pd.DataFrame({"id": list("aabbc"), "y": [1.0, np.nan, 3.0, 4.0, 5.0], "n": range(5)})
    write_parquet((whole.iloc[low : low + 2] for low in (0, 2, 4)), tmp_path / "parts.parquet", {"what": b"known"})
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "parts.parquet"), whole)
    found = pq.read_schema(tmp_path / "parts.parquet")
    assert found.metadata[b"what"] == b"known"
