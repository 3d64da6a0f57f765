"""Messages name the lines of a file, as an editor counts them, and the labels of a frame."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foretide import Panel
from foretide.data.reading.checks import inspect, look_through
from foretide.errors import DataError

DAYS = [f"2024-01-{k:02d}" for k in range(1, 21)]
ROLES = dict.fromkeys(("id", "time", "target", "past", "future", "static"))


def table(bad: str = "", header: str = "unique_id,ds,y", row: int = 6, sep: str = ",", end: str = "") -> list[str]:
    """Return the lines of a table with one bad cell."""
    cells = [bad if bad and k == row else f"{k % 7 + 1}{end}" for k in range(len(DAYS))]
    return [header, *(sep.join(("a", day, cell)) for day, cell in zip(DAYS, cells, strict=True))]


def _with(lines: list[str], at: int, *more: str) -> list[str]:
    return [*lines[:at], *more, *lines[at:]]


SOUND = table("oops")
NOTED = [f"{line},{'note' if k == 0 else 'x'}" for k, line in enumerate(SOUND)]
TWO_LINES = [line.replace("x", '"two\nlines"') if k in (2, 4) else line for k, line in enumerate(NOTED)]
BLANK_INSIDE = [line.replace("x", '"a ""b""\n\nc"') if k == 2 else line for k, line in enumerate(NOTED)]
FILES = {
    "plain": SOUND,
    "blank lines": _with(_with(SOUND, 3, "", ""), 1, ""),
    "remarks": _with(_with(SOUND, 4, "# checked until here"), 0, "# from the till"),
    "titles above": ["Sales of 2024", "by day", *SOUND],
    "a row of units": _with(table("1e999"), 1, "-,-,kg"),
    "empty rows": _with(SOUND, 3, ",,", ",,"),
    "line feeds in cells": TWO_LINES,
    "line feeds and blank lines": _with(BLANK_INSIDE, 2, ""),
    "a line feed in the header": [SOUND[0] + ',"what it\nis"', *NOTED[1:]],
    "tabs": [line.replace(",", "\t") for line in SOUND],
    "German": table("oops", "unique_id;ds;y", sep=";", end=",5"),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_line_is_the_one_of_the_file(kind: str, tmp_path: Path) -> None:
    text = "\n".join(FILES[kind]) + "\n"
    bad = next(k for k, line in enumerate(text.splitlines(), start=1) if "oops" in line or "1e999" in line)
    for end in ("\n", "\r\n", "\r"):
        path = tmp_path / "table.csv"
        path.write_bytes(text.replace("\n", end).encode())
        for way in (lambda path=path: Panel.read(path), lambda path=path: _raised(path)):
            with pytest.raises(DataError, match=rf"in line {bad}[; ]"):
                way()


def _raised(path: Path) -> None:
    errors = look_through(path, ROLES, {}).report.errors
    raise DataError("; ".join(map(str, errors)))


def test_a_row_without_a_time_or_an_identifier(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    for row, said in {
        "a,soon,1": r"the first is 'soon' in line 12\. Correct it, or leave out what is no row of a time: line 12\.$",
        "a,,1": r"the first is line 12\. Fill it in, or leave them out: delete these lines\.$",
        ",2024-01-10,1": "the first is line 12. Name the series they belong to, or drop them.$",
        "a,2300-01-10,1": r"the first is 2300-01-10 in line 12\.",
    }.items():
        lines = _with(table(), 4, "")
        lines[11] = row
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
        with pytest.raises(DataError, match=said):  # and the gap that such a row leaves is no second problem
            Panel.read(path)


def test_a_wide_file_and_one_with_a_row_per_series(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    rows = [f"{'soon' if k == 5 else day},{k + 1},{k + 2}" for k, day in enumerate(DAYS)]
    path.write_text("\n".join(["ds,tea,milk", "", *rows]), encoding="utf-8")
    for report in (inspect(path), inspect(path, time="ds", target=["tea", "milk"], melt=True)):
        assert [str(p) for p in report.errors] == [
            "Column 'ds': 1 of 20 times do not have the form 2024-01-31 06:00; the first is 'soon' in line 8. "
            "Correct it, or leave out what is no row of a time: line 8."
        ]
    rows[5] = rows[5].replace("soon,6", "2024-01-06,six")
    path.write_text("\n".join(["ds,tea,milk", *rows]), encoding="utf-8")
    (error,) = inspect(path, time="ds", target=["tea", "milk"], melt=True).errors
    assert "Column 'tea': 1 value is no number, the first is 'six' in line 7" in str(error)
    lines = [
        "shop," + ",".join(f"V{k}" for k in range(1, 13)),
        *(f"{s}," + ",".join(map(str, range(12))) for s in ("a", "b")),
    ]
    lines.insert(2, "," + ",".join(map(str, range(12))))
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match="12 rows have no identifier, the first is line 3"):
        Panel.read(path, id="shop")


def test_parquet_counts_the_rows_of_the_data(tmp_path: Path) -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": DAYS, "y": range(20)}).astype({"y": object})
    frame.loc[4, "ds"] = "soon"
    frame["y"] = frame["y"].astype(str)
    frame.to_parquet(tmp_path / "table.parquet")
    with pytest.raises(DataError, match=r"'soon' in row 5 of the data\. .* no row of a time: row 5 of the data"):
        Panel.read(tmp_path / "table.parquet")


INDEXES: dict[str, tuple[Any, str, str]] = {
    "none": (range(20), "row 6", r"frame\.drop\(index=\[6\]\)"),
    "counted from elsewhere": (range(40, 60), "row 46", r"frame\.drop\(index=frame\.index\[\[6\]\]\)"),
    "text": ([f"r{k}" for k in range(20)], "row 'r6'", r"frame\.drop\(index=frame\.index\[\[6\]\]\)"),
    "twice the same": (
        [*range(10), *range(10)], r"row 6 \(position 6\)", r"frame\.reset_index\(drop=True\)\.drop\(index=\[6\]\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", INDEXES)
def test_a_frame_keeps_its_labels(kind: str) -> None:
    index, name, typed = INDEXES[kind]
    frame = pd.DataFrame({"unique_id": "a", "ds": DAYS, "y": np.arange(20.0)}, index=index)
    late = frame.assign(ds=["soon" if k == 6 else day for k, day in enumerate(DAYS)])
    with pytest.raises(DataError, match=rf"'soon' in {name}\. .*{typed}") as caught:
        Panel.from_frame(late)
    expression = str(caught.value).rsplit("frame = ", 1)[1].rstrip(".")
    assert "soon" not in set(eval(expression, {"frame": late})["ds"])
    words = frame.assign(y=["five" if k == 6 else str(k) for k in range(20)])
    for report in (inspect(words, id="unique_id", time="ds", target="y"), inspect(words)):
        assert next(p.message for p in report.errors).startswith(
            "Column 'y': 1 value is no number, the first is 'five' in "
        )
        assert len(report.errors) == 1  # and not that no column could be the target


def test_a_polars_frame_is_told_what_polars_understands() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        {"unique_id": "a", "ds": ["soon" if k == 6 else day for k, day in enumerate(DAYS)], "y": range(20)}
    )
    with pytest.raises(DataError, match="'soon' in row 6") as caught:
        Panel.from_frame(frame)
    expression = str(caught.value).rsplit("frame = ", 1)[1].rstrip(".")
    assert Panel.from_frame(
        eval(expression, {"frame": frame, "pl": pl}), fill_gaps=True, missing="mask"
    ).length.tolist() == [20]


def test_a_repeated_row_does_not_shift_the_others(tmp_path: Path) -> None:
    lines = _with(table(), 5, table()[4])
    lines[12] = lines[12].replace("2024", "year")
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    (error,) = look_through(path, ROLES, {}, tolerant=True).report.errors
    assert "in line 13" in str(error)


def test_what_follows_from_a_bad_cell_is_not_said_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("\n".join(SOUND), encoding="utf-8")
    report = inspect(path)
    assert [(p.kind, p.column) for p in report.errors] == [("text", "y")]
    assert "left out" not in report.to_text()
    lines = [line for k, line in enumerate(table("oops", row=3)) if k != 15]  # a gap of its own stays a problem
    lines[8] = "a,soon,1"
    path.write_text("\n".join(lines), encoding="utf-8")
    errors = inspect(path, id="unique_id", time="ds", target="y").errors
    assert sorted(p.kind for p in errors) == ["gap", "text", "time"]
    assert "2 steps of D are missing" in str(next(p for p in errors if p.kind == "gap"))
