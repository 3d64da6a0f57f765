"""Every option of reading a table is a keyword, a key of a configuration and a flag of the commands that read one."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest
from command_line import foretide
from typer.testing import CliRunner

from foretide.cli.app import app
from foretide.data.reading.options import Options
from foretide.jobs.config import load_config
from foretide.jobs.sections import READING, DataConfig

WEEKS = "Filiale;Tag;Umsätze\n" + "".join(
    f"Köln;{day:%d.%m.%Y};1.0{k % 7:02d},50\n" for k, day in enumerate(pd.date_range("2024-01-01", "2024-04-30"))
)
NEXT = "Filiale;Tag;Umsätze\n" + "".join(f"Köln;{k:02d}.05.2024;1.00{k % 7}\n" for k in range(1, 10))


def run(*arguments: object, code: int = 0, text: bytes | None = None) -> str:
    done = CliRunner().invoke(app, [str(a) for a in arguments], input=text)
    said = done.output + (str(done.exception) if done.exception is not None else "")
    assert done.exit_code == code, said
    return said


def configuration(folder: Path, **data: object) -> Path:
    (folder / "de.csv").write_bytes(WEEKS.encode("latin-1"))
    made = {
        "data": {"path": "de.csv", "id": "Filiale", "time": "Tag", "target": "Umsätze", **data}, "h": 7,
        "input_size": 14, "models": ["SeasonalES"],
    }  # fmt: skip
    (folder / "c.yaml").write_text(json.dumps(made), encoding="utf-8")
    return folder / "c.yaml"


def test_every_option_is_everywhere() -> None:
    assert set(READING) <= set(DataConfig.model_fields)
    assert set(READING) == {f.name for f in fields(Options)} - {"input_size", "h"}
    for command in ("check", "run", "backtest", "tune", "fit", "predict"):
        text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
        for option in READING:
            assert f"--{option.replace('_', '-')}" in text, (command, option)


def test_a_model_fitted_on_one_form_forecasts_from_the_next_table(tmp_path: Path) -> None:
    run("fit", configuration(tmp_path), "--out", tmp_path / "m")
    settings = (tmp_path / "m" / "settings.yaml").read_text(encoding="utf-8")
    for line in ("decimal: ','", "sep: ;", "encoding: latin-1", "time_format: '%d.%m.%Y'"):
        assert line in settings
    whole = run("predict", tmp_path / "m")
    assert "Read de.csv as latin-1, separator ';', decimal ',', thousands '.', dates '%d.%m.%Y'." in whole
    # The next table has ambiguous days and numbers; and one written quite differently.
    (tmp_path / "next.csv").write_bytes(NEXT.encode("latin-1"))
    assert "dates '%d.%m.%Y'" in run("predict", tmp_path / "m", tmp_path / "next.csv")
    plain = "Filiale,Tag,Umsätze\n" + "".join(f"Köln,2024-05-{k:02d},{1000 + k % 7}\n" for k in range(1, 10))
    (tmp_path / "plain.csv").write_text(plain, encoding="utf-8")
    told = run("predict", tmp_path / "m", tmp_path / "plain.csv")
    assert "Read plain.csv as utf-8, separator ','." in told
    rows = [line for line in told.splitlines() if line.startswith("Köln,")]
    assert [line for line in run("predict", tmp_path / "m", tmp_path / "next.csv").splitlines() if line in rows] == rows
    piped = run("predict", tmp_path / "m", "-", text=plain.encode())
    assert [line for line in piped.splitlines() if line in rows] == rows
    assert "decimal='x'" in run("predict", tmp_path / "m", tmp_path / "next.csv", "--decimal", "x", code=1)


def test_flags_win_over_the_configuration(tmp_path: Path) -> None:
    path = configuration(tmp_path, sep=",")
    assert "leave sep out" in run("fit", path, "--out", tmp_path / "m", code=1)
    run("fit", path, "--out", tmp_path / "m", "--sep", ";")
    assert "decimal='x'" in run("fit", path, "--out", tmp_path / "n", "--sep", ";", "--decimal", "x", code=1)
    assert load_config(path).data.sep == ","
    (tmp_path / "s.yaml").write_text('{"data": {"synthetic": {}}}')
    assert "this configuration makes its data" in run(
        "fit", tmp_path / "s.yaml", "-o", tmp_path / "o", "--sep", ";", code=1
    )


def test_check_says_how_it_read_and_prints_what_it_was_told(tmp_path: Path) -> None:
    configuration(tmp_path)
    text = run("check", tmp_path / "de.csv")
    assert text.startswith("Read de.csv as latin-1, separator ';', decimal ',', thousands '.', dates '%d.%m.%Y'.")
    assert "thousands: ." in run("check", tmp_path / "de.csv", "--thousands", ".")
    assert "Read standard input as utf-8, separator ';'" in run("check", "-", text=WEEKS.encode())


def test_standard_input_is_no_table_of_a_run(tmp_path: Path) -> None:
    assert "standard input does not allow" in run(
        "fit", configuration(tmp_path, path="-"), "-o", tmp_path / "m", code=1
    )


@pytest.mark.parametrize("content", [b"ds,y\n2024-01-01,1e29984191646\n", b"\x1f\x8bno", b"PAR1", b"\x00\x01\xff"])
def test_no_input_kills_the_process(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    assert "Traceback" not in foretide("check", "x.csv", cwd=tmp_path, code=(1, 2)).stderr
