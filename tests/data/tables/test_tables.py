"""Tables from files: what is found by looking, what is refused, and with which words."""

from __future__ import annotations

import bz2
import decimal
import gzip
import io
import lzma
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.data.panel import Panel
from foretide.data.reading.checks import inspect
from foretide.data.tables.form import Form
from foretide.data.tables.reader import read_table
from foretide.errors import ConfigError, DataError

pytestmark = pytest.mark.frames
NAN = float("nan")


def lines(values: Sequence[str], sep: str = ",", header: str = "ds,y", quoted: bool = False) -> str:
    """A table of days and values."""
    cells = [f'"{v}"' if quoted else v for v in values]
    rows = [f"2024-01-{k + 1:02d}{sep}{cell}" for k, cell in enumerate(cells)]
    return "\n".join([header.replace(",", sep), *rows]) + "\n"


def written(folder: Path, content: str | bytes, name: str = "x.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_line(panel: Panel) -> str:
    assert panel.origin is not None
    return panel.origin.text()


# ------------------------------------------------------------------------- numbers
# separator, values, numbers, marks found
NUMBERS: dict[str, tuple[str, list[str], list[float], tuple[str | None, str | None]]] = {
    "decimal comma": (";", ["1,5", "2,25", "3"], [1.5, 2.25, 3], (",", None)),
    "German": (";", ["1.022,50", "999,5", "7"], [1022.5, 999.5, 7], (",", ".")),
    "American, quoted": (",", ["2,200", "1,100", "3,000"], [2200, 1100, 3000], (".", ",")),
    "American with cents": (";", ["2,200.50", "100", "3,000"], [2200.5, 100, 3000], (".", ",")),
    "two groups": ("\t", ["1.234.567", "1.000", "3.001"], [1234567, 1000, 3001], (",", ".")),
    "a leading zero is no group": (";", ["2.200", "0.101", "3.001"], [2.2, 0.101, 3.001], (".", None)),
    "four digits are no group": (";", ["2,200", "1234,101", "3,001"], [2.2, 1234.101, 3.001], (",", None)),
    "numbers below a thousand": (";", ["2.200", "950", "3.001"], [2200, 950, 3001], (",", ".")),
    "spaces": (";", ["1 234,5", "999,5", "12 001"], [1234.5, 999.5, 12001], (",", " ")),
    "fixed spaces": (";", ["1\u00a0234,5", "1\u202f001", "7"], [1234.5, 1001, 7], (",", " ")),
    "apostrophes": (";", ["1'234.50", "1’000.00", "9.00"], [1234.5, 1000, 9], (".", "'")),
    "lakh": (",", ["12,34,567.50", "1,000.00", "9.00"], [1234567.5, 1000, 9], (".", ",")),
    "points in a tab-separated file": ("\t", ["2.200", "1.101", "3.001"], [2.2, 1.101, 3.001], (".", None)),
    "signs and exponents": (",", ["−1.5", "+2e3", "-2E-2"], [-1.5, 2000, -0.02], (".", None)),
    "digits beyond integers": (",", ["9" * 30, "1", "2"], [1e30, 1, 2], (None, None)),
    "quoted": (",", ["1.5", "2", "3"], [1.5, 2, 3], (".", None)),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(NUMBERS))
def test_marks_are_found(case: str, tmp_path: Path) -> None:
    sep, values, expected, marks = NUMBERS[case]
    path = written(tmp_path, lines(values, sep, quoted=True))
    panel = Panel.read(path)
    assert panel.values[:, 0].tolist() == expected
    assert panel.origin is not None
    assert panel.origin.form == Form("utf-8", sep, *marks)
    # What was found, given, reads the same.
    again = Panel.read(path, sep=sep, decimal=marks[0], thousands=marks[1], encoding="utf-8")
    np.testing.assert_array_equal(again.values, panel.values)


@pytest.mark.parametrize(("sep", "mark"), [(";", ","), (";", "."), ("\t", ","), ("|", ",")])
def test_two_readings_are_refused_and_each_can_be_typed(sep: str, mark: str, tmp_path: Path) -> None:
    path = written(tmp_path, lines([f"2{mark}200", f"1{mark}101"], sep))
    with pytest.raises(DataError, match=rf"'2\{mark}200' in line 2 can be read as 2200 or as 2\.200\. Type thousands="):
        Panel.read(path)
    assert Panel.read(path, thousands=mark).values[:, 0].tolist() == [2200, 1101]
    assert Panel.read(path, decimal=mark).values[:, 0].tolist() == [2.2, 1.101]
    # Another table of the kind, or another column of this one, settles it.
    kin = Form(decimal=mark, thousands="." if mark == "," else ",")
    assert Panel.read(path, likely=kin).values[:, 0].tolist() == [2.2, 1.101]
    both = lines([f"2{mark}200{sep}1{mark}5", f"1{mark}101{sep}3"], sep, "ds,y,x")
    assert Panel.read(written(tmp_path, both), past=["x"]).values[:, 0].tolist() == [2.2, 1.101]
    # A column that nobody asks for stops nobody.
    assert Panel.read(path.with_name("x.csv"), target="x").values[:, 0].tolist() == [1.5, 3]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1.5", "1,5", "2.5"], r"Column 'y': 1 value is no number, the first is '1,5' in line 3; others .* '1\.5'"),
        (["1,234.5", "1.234,5", "7"], r"the first is '1\.234,5' in line 3"),
        (["1", "2", "3a"], "the first is '3a' in line 4"),
        (["€ 1,5", "€ 2", "3 €"], r"3 values carry a sign or a unit, the first is '€ 1,5' in line 2"),
        (["1 %", "2 %", "3 %"], "carry a sign or a unit"),
        (["(5)", "(6)", "(7)"], "carry a sign or a unit"),
        (["1", "1e999", "2"], r"'1e999' in line 3 is larger than a number can be"),
        (["1", "1e29984191646", "2"], "'1e29984191646' in line 3 is larger"),
        (["1", "-1e12345678901", "2"], "'-1e12345678901' in line 3 is larger"),
        (["1", "inf", "2"], "1 infinite value, first at 2024-01-02"),
    ],
)  # fmt: skip
def test_numbers_that_are_none(values: list[str], message: str, tmp_path: Path) -> None:
    path = written(tmp_path, lines(values, quoted=True))
    with pytest.raises(DataError, match=message):
        Panel.read(path)
    report = inspect(path, target="y", time="ds")
    assert not report.ok
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=3), "y": values})
    message = re.sub(r"in line (\d)", lambda found: f"in row {int(found[1]) - 2}", message)
    with pytest.raises(DataError, match=message):
        Panel.from_frame(frame, id=None)
    with pytest.raises(DataError, match=message):
        Panel.from_frame(pl.from_pandas(frame), id=None)


def test_check_says_what_keeps_a_column_from_being_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, lines(["2,200;1", "2,300;2"], ";", "day,sales,promo"))
    report = inspect(path)
    assert any("can be read as 2200 or as 2.200" in str(p) for p in report.errors)
    assert inspect(path, thousands=",").ok


FORMS = st.sampled_from([(",", None), (",", "."), (".", ","), (".", None), (",", " "), (".", "'")])


@settings(max_examples=60)
@given(
    values=st.lists(st.decimals(-10**8, 10**8, places=2), min_size=1, max_size=30), form=FORMS,
    sep=st.sampled_from([";", "\t", "|"]),
)  # fmt: skip
def test_numbers_with_two_decimals_are_read_in_any_form(
    values: list[decimal.Decimal], form: tuple[str, str | None], sep: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    point, group = form
    signs = {",": group or "", ".": point}
    cells = ["".join(signs.get(c, c) for c in f"{v:,.2f}") for v in values]
    path = written(tmp_path_factory.mktemp("t"), lines(cells, sep))
    read = read_table(path).frame["y"].to_numpy(dtype=float)
    np.testing.assert_array_equal(read, [float(v) for v in values])


def test_missing_values_and_what_stays_text(tmp_path: Path) -> None:
    text = "unique_id,ds,y,note\n" + "".join(
        f"{name},2024-01-{k:02d},{y},NA\n"
        for name in ("NA", "null", "007", " 7 ", "1e5")
        for k, y in enumerate("1-3", 1)
    )
    panel = Panel.read(written(tmp_path, text), missing="mask", static="note")
    assert panel.ids == ("NA", "null", "007", "7", "1e5")
    np.testing.assert_array_equal(panel.rows(0)[:, 0], [1, NAN, 3])
    assert panel.static.categories["note"] == ("NA",)
    frame = read_table(written(tmp_path, "ds,y,code,flag\n2024-01-01,1,007,True\n2024-01-02,2,010,false\n")).frame
    assert frame["code"].tolist() == ["007", "010"]
    assert frame["flag"].tolist() == [True, False]
    months = read_table(written(tmp_path, "month;y\n" + "".join(f"{m:02d}.2024;2.{m}00\n" for m in range(1, 5))))
    assert months.frame["month"].iloc[0] == "01.2024"
    assert "y" in months.doubts  # a month is no evidence of a decimal point


# ------------------------------------------------------------------------- text
@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"),
        ("utf-32", "utf-32"), ("latin-1", "latin-1"), ("cp1252", "latin-1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, said: str, ending: str, tmp_path: Path) -> None:
    text = "Ort;Tag;Umsätze\n" + "".join(f"Köln;2024-01-0{k};{k},5\n" for k in range(1, 8))
    path = written(tmp_path, text.replace("\n", ending).encode(encoding))
    panel = Panel.read(path, id="Ort", time="Tag", target="Umsätze")
    assert (panel.ids, panel.values[:2, 0].tolist()) == (("Köln",), [1.5, 2.5])
    assert read_line(panel) == f"Read x.csv as {said}, separator ';', decimal ','."


def test_signs_of_windows(tmp_path: Path) -> None:
    path = written(tmp_path, lines(["1", "2"], header="ds,y").replace("ds,y", "Preis €,y").encode("cp1252"))
    assert read_line(Panel.read(path, time="Preis €")) == "Read x.csv as cp1252, separator ','."


@pytest.mark.parametrize("encoding", ["cp1251", "shift_jis", "gb18030", "cp1253"])
def test_another_alphabet_must_be_named(encoding: str, tmp_path: Path) -> None:
    word = {"cp1251": "Москва", "cp1253": "Αθήνα", "gb18030": "北京市"}.get(encoding, "東京")
    text = "Ort,ds,y\n" + "".join(f"{word},2024-01-0{k},{k}\n" for k in range(1, 8))
    path = written(tmp_path, text.encode(encoding))
    with pytest.raises(DataError, match=f"its encoding must be named. Type encoding=.*'{encoding}'"):
        Panel.read(path, id="Ort")
    assert Panel.read(path, id="Ort", encoding=encoding).ids == (word,)


@pytest.mark.parametrize("sep", [",", ";", "\t", "|", " "])
def test_separators_remarks_and_titles(sep: str, tmp_path: Path) -> None:
    table = lines(["1", "2", "3"], sep)
    above = {
        "nothing": "", "remarks": "# made by a program\n\n# in units\n", "blank lines": "\n\n", "sep": f"sep={sep}\n",
        "titles": "Station_Berlin\n\nSales\n",
    }  # fmt: skip
    if sep == " ":
        del above["titles"]  # a space in a title is no separator
    for name, text in above.items():
        panel = Panel.read(written(tmp_path, text + table + "# the end\n\n"))
        assert panel.values[:, 0].tolist() == [1, 2, 3], name
        assert panel.origin is not None
        assert panel.origin.form.sep == sep
    if sep != " ":
        assert "3 lines above the header" in read_line(Panel.read(written(tmp_path, above["titles"] + table)))
    header, rows = table.split("\n", 1)
    assert Panel.read(written(tmp_path, f"# {header}\n{rows}")).values[:, 0].tolist() == [1, 2, 3]
    assert Panel.read(written(tmp_path, table), sep={"\t": "tab", " ": "space"}.get(sep, sep)).length.tolist() == [3]


def test_a_row_that_begins_with_a_hash_is_a_row(tmp_path: Path) -> None:
    text = "unique_id,ds,y\n" + "".join(f"#7,2024-01-0{k},{k}\n" for k in range(1, 5))
    assert Panel.read(written(tmp_path, text)).ids == ("#7",)


def test_quoted_cells_hold_anything(tmp_path: Path) -> None:
    text = 'unique_id,ds,y\n"a, ""b""\nc",2024-01-01,1\n"a, ""b""\nc",2024-01-02,"2"\n'
    assert Panel.read(written(tmp_path, text)).ids == ('a, "b"\nc',)


def test_the_index_that_pandas_writes_is_left_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=3), "y": [1.0, 2, 3]})
    frame.to_csv(tmp_path / "x.csv")
    panel = Panel.read(tmp_path / "x.csv", past="rest")
    assert panel.columns == ("y",)
    assert "Left out: the first column, which has no name and counts the rows" in read_line(panel)


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "too many cells": ("ds,y\n2024-01-01,1\n2024-01-02,2,9\n", "x.csv, line 3: 3 cells where the header has 2"),
    "too few cells": ("ds,y\n2024-01-01,1\n\n# remark\n2024-01-02\n", "x.csv, line 5: 1 cell where the header has 2"),
    "open quote": ('ds,y\n2024-01-01,"1\n2024-01-02,2\n', "x.csv, line 2: a quotation mark is not closed"),
    "open quote at the end": ('ds,y\n2024-01-01,1\n2024-01-02,"2', "line 3: a quotation mark is not closed"),
    "two open quotes": (
        'ds,y,e\n2024-01-01,1,"a\n2024-01-02,2,"b\n2024-01-03,3,c\n', "line 2: a quotation mark is not closed",
    ),
    "twice": ("ds,y,y\n2024-01-01,1,2\n", "x.csv: column names occur twice: y"),
    "no header": ("2024-01-01,1\n2024-01-02,2\n", r"no header: line 1 is '2024-01-01,1'.*such as ds,y\."),
    "header only": ("ds,y\n", "x.csv has a header and nothing below it"),
    "empty": ("", "x.csv is empty: expected a header line"),
    "blank": ("\n \n\n", "x.csv is empty"),
    "NUL": ("ds,y\n2024-01-01,1\n2024-01-02,\0002\n", "line 3 holds the control character"),
    "noise": (np.random.default_rng(0).bytes(3000), "x.csv is no text table, or is damaged: byte"),
    "one bad byte": (b"Ort,y\n" + "Köln,1\n".encode() * 9 + b"K\xffln,2\n", "UTF-8 but for byte 0xff in line 11"),
    "a workbook": (b"\xd0\xcf\x11\xe0" + b"\0" * 99, "x.csv is an Excel workbook"),
    "wide": ("ds," + ",".join(f"c{k}" for k in range(10_001)) + "\n", "x.csv has 10002 columns; at most 10000"),
    "a huge cell": ("ds,y\n2024-01-01," + "9" * 2_000_000 + "x\n", "Column 'y' holds text: 1 values"),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_broken_tables_get_one_sentence(case: str, tmp_path: Path) -> None:
    content, message = BROKEN[case]
    with pytest.raises(DataError, match=message):
        Panel.read(written(tmp_path, content))


# ------------------------------------------------------------------------- files
def test_packed_files(tmp_path: Path) -> None:
    data = lines(["1", "2", "3"]).encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as into:
        into.writestr("folder/table.csv", data)
    packed = {
        "x.csv.gz": gzip.compress(data), "x.gz": gzip.compress(data), "x.tsv.bz2": bz2.compress(data),
        "x.csv.xz": lzma.compress(data), "x.zip": archive.getvalue(), "x.csv.zip": archive.getvalue(),
        "really-gz.csv": gzip.compress(data),
    }  # fmt: skip
    for name, content in packed.items():
        path = written(tmp_path, content, name)
        assert Panel.read(path).values[:, 0].tolist() == [1, 2, 3], name
        with pytest.raises(DataError, match="is damaged|no text table|is not packed"):
            Panel.read(written(tmp_path, content[:-12], name))
    with pytest.raises(DataError, match=r"x\.csv\.gz is not packed"):
        Panel.read(written(tmp_path, data, "x.csv.gz"))
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as into:
        into.writestr("a.csv", data)
        into.writestr("b.csv", data)
    with pytest.raises(DataError, match=r"two\.zip holds 2 files"):
        Panel.read(tmp_path / "two.zip")


def test_parquet_with_an_index_and_damage(tmp_path: Path) -> None:
    frame = pd.DataFrame({
        "unique_id": ["a", "a", "b", "b"], "ds": [*pd.date_range("2024-01-01", periods=2)] * 2, "y": [1.0, 2, 3, 4],
    })  # fmt: skip
    whole = Panel.from_frame(frame)
    for index in ("ds", "unique_id", ["unique_id", "ds"]):
        frame.set_index(index).to_parquet(tmp_path / "x.parquet")
        np.testing.assert_array_equal(Panel.read(tmp_path / "x.parquet").values, whole.values)
    frame.set_index(["unique_id", "ds"]).rename_axis([None, None]).to_parquet(tmp_path / "x.parquet")
    assert Panel.read(tmp_path / "x.parquet").ids == ("a", "b")
    data = (tmp_path / "x.parquet").read_bytes()
    for broken in (data[:-30], data[: len(data) // 2], data[:4] + b"\0" * 40 + data[44:], b"PAR1"):
        with pytest.raises(DataError, match=r"x\.parquet is no sound Parquet file .* Copy or write it anew"):
            Panel.read(written(tmp_path, broken, "x.parquet"))


def test_what_is_no_file(tmp_path: Path) -> None:
    written(tmp_path, "ds,y\n", "sales.csv")
    for path, message in {
        tmp_path: "is a folder. Name one file in it",
        tmp_path / "sales.tsv": "There is no file .*Did you mean 'sales.csv'",
        tmp_path / ("x" * 300 + ".csv"): "cannot be read",
        "a\0b.csv": "cannot be read: embedded null",
        "/dev/null": "is no ordinary file",
    }.items():
        with pytest.raises(DataError, match=message):
            Panel.read(path)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Piped:
        buffer = io.BytesIO(gzip.compress(lines(["1,5", "2,5"], ";").encode()))

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", Piped())
    panel = Panel.read("-")
    assert panel.values[:, 0].tolist() == [1.5, 2.5]
    assert read_line(panel) == "Read standard input as utf-8, separator ';', decimal ','."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sep": ";;"}, "sep=';;': expected one sign"), ({"sep": ""}, "sep='': expected one sign"),
        ({"sep": "a"}, "sep='a'"), ({"decimal": "x"}, r"decimal='x': expected '\.' or ','"),
        ({"thousands": "x"}, "thousands='x': expected"), ({"encoding": "utf-9"}, "encoding='utf-9' is not known"),
        ({"encoding": "rot13"}, "is no encoding of text files"), ({"encoding": "a\0"}, "is not known"),
        ({"decimal": ",", "thousands": ","}, "decimal and thousands are both ','"),
        ({"time_format": "%Q"}, "time_format='%Q': .* Expected a format such as"),
    ],
)  # fmt: skip
def test_wrong_options(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = written(tmp_path, lines(["1", "2"]))
    with pytest.raises(ConfigError, match=message):
        Panel.read(path, **options)
    with pytest.raises(ConfigError, match=message):
        inspect(path, **options)


def test_an_option_that_does_not_fit_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, lines(["1.5", "2.5"], ";"))
    message = r"Column 'y': '1\.5' in line 2 is no number with decimal ','\. Leave these options"
    with pytest.raises(DataError, match=message):
        Panel.read(path, decimal=",")
    with pytest.raises(DataError, match="A column is named 'ds;y': leave sep out"):
        Panel.read(path, sep=",")
    with pytest.raises(DataError, match=r"x\.csv cannot be read as utf-16: .*Leave encoding out"):
        Panel.read(path, encoding="utf-16")


def test_the_found_form_settles_the_next_table(tmp_path: Path) -> None:
    """A week that could be read two ways is read as the table the model was fitted on."""
    first = written(tmp_path, "Tag;Umsatz\n" + "".join(f"{k:02d}.01.2024;1.0{k:02d},5\n" for k in range(1, 29)))
    panel = Panel.read(first, time="Tag", target="Umsatz")
    assert panel.origin is not None
    assert panel.origin.form == Form("utf-8", ";", ",", ".", "%d.%m.%Y")
    week = written(tmp_path, "Tag;Umsatz\n" + "".join(f"0{k}.02.2024;1.00{k}\n" for k in range(1, 8)), "week.csv")
    with pytest.raises(DataError, match=r"(?s)can be read as 1001 or as 1\.001"):
        Panel.read(week, time="Tag", target="Umsatz")
    again = Panel.read(week, time="Tag", target="Umsatz", likely=panel.origin.form)
    assert again.values[:2, 0].tolist() == [1001, 1002]
    assert str(again.grid.start) == "2024-02-01 00:00:00"
    # What leaves no doubt is read by itself.
    plain = written(tmp_path, "Tag,Umsatz\n2024-02-01,1.5\n2024-02-02,2.25\n", "plain.csv")
    other = Panel.read(plain, time="Tag", target="Umsatz", likely=panel.origin.form)
    assert other.values[:, 0].tolist() == [1.5, 2.25]


# ------------------------------------------------------------------------- identifiers, index, types
def pieces(make: Any = lambda frame: frame) -> Any:
    rows = [(s, i, f"2024-01-0{k}", 10.0 * k) for s in ("n", "s") for i in ("01", "x") for k in (1, 2, 3)]
    return make(pd.DataFrame(rows, columns=["store", "item", "ds", "y"]))


@pytest.mark.parametrize("make", [lambda f: f, pl.from_pandas], ids=["pandas", "polars"])
def test_several_columns_name_the_entity(make: Any, tmp_path: Path) -> None:
    frame = pieces(make)
    panel = Panel.from_frame(frame, id=["store", "item"])
    assert panel.ids == ("n/01", "n/x", "s/01", "s/x")
    assert "store/item" in panel.to_frame().columns
    pieces().to_csv(tmp_path / "x.csv", index=False)
    assert Panel.read(tmp_path / "x.csv", id=["store", "item"]).ids == panel.ids
    assert inspect(frame, id=["store", "item"]).entities == 4
    twin = pd.DataFrame({"store": ["a/b", "a"], "item": ["c", "b/c"], "ds": "2024-01-01", "y": 1.0})
    with pytest.raises(DataError, match="'a/b/c'"):
        Panel.from_frame(make(twin), id=["store", "item"], freq="D")


def test_spaces_around_identifiers_are_no_part_of_them() -> None:
    frame = pd.DataFrame(
        {"unique_id": ["a ", " a", "a"], "ds": pd.date_range("2024-01-01", periods=3), "y": [1.0, 2, 3]}
    )
    assert Panel.from_frame(frame).ids == ("a",)
    with pytest.raises(DataError, match="1 row has no identifier, the first is row 1"):
        Panel.from_frame(frame.assign(unique_id=["a", " ", "a"]))


def test_times_and_ids_in_the_index() -> None:
    frame = (
        pieces()
        .query("store == 'n'")
        .assign(ds=lambda f: pd.to_datetime(f["ds"]))
        .rename(columns={"item": "unique_id"})
    )
    whole = Panel.from_frame(frame)
    levels = ["unique_id", "ds"]
    for indexed in (
        frame.set_index(levels), frame.set_index(levels[::-1]), frame.set_index(levels).rename_axis([None, None]),
        frame.set_index(levels[::-1]).rename_axis([None, None]), frame.set_index("ds").rename_axis(None),
        frame.set_index("unique_id"),
    ):  # fmt: skip
        panel = Panel.from_frame(indexed)
        assert panel.ids == whole.ids
        np.testing.assert_array_equal(panel.values, whole.values)
        assert inspect(indexed, target="y").entities == 2
    one = frame[frame["unique_id"] == "x"].set_index("ds")[["y"]]
    assert Panel.from_wide(one.rename_axis(None), target="y").length.tolist() == [3]
    assert Panel.from_wide(one.to_period("D"), target="y").grid.freq == "D"
    with pytest.raises(DataError, match="The times stand in the index; type: time='when'"):
        Panel.from_wide(one.rename_axis("when"), target="y")
    assert Panel.from_wide(one.rename_axis("when"), target="y", time="when").length.tolist() == [3]


@pytest.mark.parametrize(
    "column",
    [
        [decimal.Decimal("1.5"), decimal.Decimal(2), decimal.Decimal(3)], ["1.5", "2", "3"],
        [1.5, "2", decimal.Decimal(3)],
        pd.array([1.5, 2, 3], dtype=pd.ArrowDtype(pa.decimal128(8, 2))), pd.Categorical([1.5, 2, 3]),
        pd.array(["1.5", "2", "3"], dtype="string[pyarrow]"), ["1,5", "2", "3"], pd.array([1.5, 2, 3], dtype="Float64"),
    ],
)  # fmt: skip
def test_numbers_of_any_type(column: Any) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=3), "y": column})
    assert Panel.from_frame(frame, id=None).values[:, 0].tolist() == [1.5, 2, 3]


@pytest.mark.parametrize("cell", [10**400, -(10**6000), decimal.Decimal("1e999")], ids=["400", "6000", "decimal"])
def test_numbers_beyond_a_float(cell: Any) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=3), "y": pd.Series([1, cell, 2], dtype=object)})
    with pytest.raises(DataError, match="in row 1 is larger than a number can be"):
        Panel.from_frame(frame, id=None)


@pytest.mark.parametrize("cell", [[1], {"a": 1}, b"1", 1 + 2j, object()])
def test_cells_that_are_no_numbers(cell: Any) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=3), "y": pd.Series([cell] * 3, dtype=object)})
    with pytest.raises(DataError, match="Column 'y' holds text: 3 values are no numbers"):
        Panel.from_frame(frame, id=None)
