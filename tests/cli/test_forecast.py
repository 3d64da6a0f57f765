"""``foretide forecast`` as a person meets it: the folder, the words, standard input and output, and mistakes."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import SHELL, foretide
from typer.testing import CliRunner

import foretide as ft
from foretide.cli.app import app


@pytest.fixture
def sales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """A table in the working folder: two shops, ids that are numbers."""
    monkeypatch.chdir(tmp_path)
    days = pd.date_range("2024-01-01", periods=70)
    week = np.tile([5, 6, 5, 7, 9, 14, 12], 10)
    frame = pd.concat([pd.DataFrame({"shop": k, "day": days, "sold": 10 * k + week}) for k in (3, 1)])
    frame.to_csv("sales.csv", index=False)
    return frame


def process(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "foretide", "forecast", *arguments],
        input=stdin, env={**os.environ, **SHELL}, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_a_table_becomes_a_folder(sales: pd.DataFrame) -> None:
    done = foretide("forecast", "sales.csv", "--h", "7", "--model", "seasonal-naive", "--levels", "80")
    assert done.stderr == ""
    folder = Path("runs/sales-forecast")
    lines = done.stdout.strip().splitlines()
    assert lines[:2] == [
        "Read sales.csv as utf-8, separator ','.",
        "Roles of the columns, as guessed: time day; id shop; target sold.",
    ]
    assert lines[-4:] == [
        f"forecast: {folder}/forecast.csv", f"forecast: {folder}/forecast.parquet", f"page: {folder}/report.html",
        f"model: {folder}; new rows: foretide predict {folder} NEW.csv",
    ]  # fmt: skip
    made = pd.read_csv(folder / "forecast.csv")
    assert list(made.columns) == ["shop", "day", "sold", "sold-lo-80", "sold-hi-80"]
    assert made.shop.to_list() == [3] * 7 + [1] * 7
    assert made.day[0] == "2024-03-11"
    assert made.sold.to_list() == [*sales.sold[63:70].iloc[:7], *sales.sold[sales.shop == 1].iloc[63:]]
    assert (folder / "report.html").stat().st_size > 10_000
    again = subprocess.run(
        [sys.executable, "-m", "foretide", "predict", str(folder), "sales.csv"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert pd.read_csv(io.StringIO(again.stdout))["SeasonalNaive"].to_list() == made.sold.to_list()


def test_standard_input_and_output_make_a_filter(sales: pd.DataFrame) -> None:
    text = Path("sales.csv").read_text()
    done = process("-", "--h", "2", "--model", "drift", "--levels", "80", "--out", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    made = pd.read_csv(io.StringIO(done.stdout))
    assert made.columns.to_list() == ["shop", "day", "sold", "sold-lo-80", "sold-hi-80"]
    assert len(made) == 4
    assert "Roles of the columns, as guessed" in done.stderr
    assert not Path("runs").exists()


def run(*arguments: str) -> tuple[int, str]:
    """The command in this process: its exit code, and what it prints or raises."""
    done = CliRunner().invoke(app, ["forecast", *arguments])
    return done.exit_code, f"{done.output}\n{done.exception or ''}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.csv"], "There is no file"),
        (["sales.csv", "--model", "Rigde"], "Did you mean 'Ridge'?"),
        (["sales.csv", "--target", "sodl"], "Did you mean 'sold'?"),
        (["sales.csv", "--levels", "0.8"], "--levels 80"),
        (["sales.csv", "--h", "0"], "--h"),
        (["sales.csv", "--out", "mine"], "exists and is not a run folder"),
        (["sales.csv", "--horizon", "3"], "No such option"),
        (["one.csv"], "(--freq h)"),
        (["twice.csv"], "2 times occur more than once"),
    ],
)
def test_mistakes_are_said_and_nothing_is_written(sales: pd.DataFrame, arguments: list[str], words: str) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    Path("one.csv").write_text("day,sold\n2024-01-01,3\n")
    Path("twice.csv").write_text("day,sold\n2024-01-01,3\n2024-01-02,4\n2024-01-01,5\n2024-01-02,6\n2024-01-03,7\n")
    before = sorted(str(p) for p in Path().rglob("*"))
    code, said = run(*arguments)
    assert code != 0
    assert words in " ".join(said.split())
    assert sorted(str(p) for p in Path().rglob("*")) == before


def test_a_finished_forecast_stays_unless_it_is_to_be_replaced(sales: pd.DataFrame) -> None:
    quick = ["--model", "drift", "--levels", "80", "--out", "out"]
    assert run("sales.csv", "--h", "3", *quick)[0] == 0
    code, said = run("sales.csv", "--h", "4", *quick)
    assert code != 0
    assert "holds a finished run, which is not overwritten" in said
    assert len(pd.read_csv("out/forecast.csv")) == 6
    assert run("sales.csv", "--h", "4", "--overwrite", *quick)[0] == 0
    assert len(pd.read_csv("out/forecast.csv")) == 8


def test_ctrl_c_leaves_a_folder_that_says_so(sales: pd.DataFrame) -> None:
    ft.synthetic.hourly(T=3000, n_series=6, seed=1).to_frame().to_csv("hours.csv", index=False)
    command = [sys.executable, "-m", "foretide", "forecast", "hours.csv", "--h", "24", "--out", "out"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    status, end = Path("out/status.json"), time.monotonic() + 60
    while not (status.is_file() and "trying" in status.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    assert "interrupted; what is done so far is kept in the folder, and the same command goes on from there" in said
    assert json.loads(status.read_text())["status"] == "interrupted"


def test_settings_by_name_reach_call_table_and_model(sales: pd.DataFrame) -> None:
    done = foretide(
        "forecast", "sales.csv", "--out", "-", "--quiet", "--set", "h=3", "--set", "levels=[50]",
        "--set", "SeasonalNaive.season=7", "--set", "data.target=sold", "--model", "seasonal-naive",
    )  # fmt: skip
    assert done.stderr == ""
    made = pd.read_csv(io.StringIO(done.stdout))
    assert made.columns.to_list() == ["shop", "day", "sold", "sold-lo-50", "sold-hi-50"]
    assert len(made) == 6
    for typed, words in (
        ("Ridge.input_size=3", "The model is Auto: --model Ridge"), ("tagret=sold", "Did you mean 'target'?"),
        ("seasn=7", "Did you mean 'season'?"), ("h", "expected key=value"),
    ):  # fmt: skip
        code, said = run("sales.csv", "--set", typed)
        assert code != 0
        assert words in " ".join(said.split())


def test_a_dry_run_says_what_would_be_done(sales: pd.DataFrame) -> None:
    code, said = run("sales.csv", "--h", "7", "--model", "drift", "--dry-run")
    assert code == 0, said
    assert "data: Roles of the columns, as guessed: time day; id shop; target sold." in said
    assert "Drift(h=7)" in said
    assert "folder: runs/sales-forecast" in said
    assert not Path("runs").exists()


def test_json_and_quiet_are_for_other_programs(sales: pd.DataFrame) -> None:
    quick = ["--h", "2", "--model", "drift", "--levels", "80"]
    code, said = run("sales.csv", *quick, "--json", "--out", "one")
    assert code == 0, said
    found = json.loads(said)
    assert (found["job"], found["status"]) == ("forecast", "finished")
    assert [row["shop"] for row in found["forecast"]] == [3, 3, 1, 1]
    assert found["paths"]["page"] == "one/report.html"
    code, said = run("sales.csv", *quick, "--json", "--out", "-")
    assert json.loads(said)["forecast"] == found["forecast"]
    code, said = run("sales.csv", *quick, "--quiet", "--out", "two")
    assert said.strip() == "two"


def test_a_mistake_in_a_table_names_each_flag_once(tmp_path: Path) -> None:
    twice = tmp_path / "twice.csv"
    days = "".join(f"2024-01-{d:02},{d}\n" for d in range(1, 29))
    twice.write_text(f"day,sold\n{days}2024-01-05,99\n", encoding="utf-8")
    said = foretide("forecast", str(twice), "--h", "3", "--out", str(tmp_path / "out"), code=2).stderr
    assert said.count("(--resample D)") == 1
    assert said.count("(--aggregate sum)") == 1
