"""CSV that a spreadsheet opens runs nothing, and what foretide reads back is what it wrote."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from foretide.data import exports
from foretide.data.exports import csv_text, guarded, guarded_frame, unguarded_names
from foretide.data.tables.reader import read_table

FORMULAS = ("=1+1", "+cmd|'/C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1")
PLAIN = ("shop 1", "-5", "+5.5", "-1e-3", "3=4", "", "a@b")


def test_formulas_are_guarded_and_numbers_stay() -> None:
    assert [guarded(text) for text in FORMULAS] == ["'" + text for text in FORMULAS]
    assert [guarded(text) for text in PLAIN] == list(PLAIN)
    assert [guarded(value) for value in (-5, -2.5, None, True)] == [-5, -2.5, None, True]


def test_the_mark_comes_off_again() -> None:
    names = ["=x", "'=x", "''=x", "shop", "'quoted'", "-5"]
    assert unguarded_names([str(guarded(name)) for name in names]) == names
    assert unguarded_names(["'=x", "=x"]) == ["'=x", "=x"]


@pytest.mark.parametrize("kind", ["object", "string", "category"])
def test_every_kind_of_text(kind: str) -> None:
    frame = pd.DataFrame({"@id": pd.Series(["=a", None, "b"], dtype=kind), "y": [-1.0, 2.0, 3.0]})
    assert guarded_frame(frame).iloc[:, 0].tolist()[0] == "'=a"
    assert csv_text(frame) == "'@id,y\n'=a,-1.0\n,2.0\nb,3.0\n"


def test_a_table_is_read_back_as_it_was(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"id": ["=a", "=a", "+b", "+b"], "ds": ["2024-01-01", "2024-01-02"] * 2, "@y": [1.0, -2, 3, 4]}
    )
    (tmp_path / "table.csv").write_text(csv_text(frame))
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv", text=["id"]).frame, frame)


CONFIG = """
data: {path: sales.csv, id: shop, time: day, target: "=sold"}
h: 7
models: [SeasonalNaive]
baselines: false
"""


def test_what_commands_write_is_guarded(tmp_path: Path) -> None:
    from tests.support.command_line import foretide

    from foretide.jobs import store

    days = pd.date_range("2024-01-01", periods=60).strftime("%Y-%m-%d")
    evil = "=HYPERLINK(A1)"
    rows = [f"{name},{day},{k % 7 + offset}" for offset, name in enumerate((evil, "@b")) for k, day in enumerate(days)]
    (tmp_path / "sales.csv").write_text("\n".join(["shop,day,=sold", *rows]) + "\n")
    (tmp_path / "fit.yaml").write_text(CONFIG)
    foretide("fit", "fit.yaml", "--out", "folder", cwd=tmp_path)
    foretide("predict", "folder", "sales.csv", "--out", "next.csv", cwd=tmp_path)
    printed = foretide("predict", "folder", "sales.csv", cwd=tmp_path).stdout
    store.EXPORT.save(pd.DataFrame({"model": [evil], "mae": [1.0]}), tmp_path / "export.csv")
    for text in (printed, *((tmp_path / name).read_text() for name in ("next.csv", "export.csv"))):
        assert evil in text
        assert not re.search(r"(^|,)\"?[=+@\t]", text, re.MULTILINE), text
    assert set(read_table(tmp_path / "next.csv", text=["shop"]).frame["shop"]) == {evil, "@b"}


def test_no_csv_is_written_by_another_way() -> None:
    package = Path(exports.__file__).parents[1]
    writers = {file.relative_to(package).as_posix() for file in package.rglob("*.py") if "to_csv(" in file.read_text()}
    assert writers == {"data/exports.py", "jobs/store.py"}
    assert "guarded_frame(table).to_csv(" in (package / "jobs" / "store.py").read_text()
