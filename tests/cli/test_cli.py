"""The command line as a person meets it: its output, its exit code, its files; as a process where that matters."""

from __future__ import annotations

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

import foretide as ft


def process(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "foretide", *arguments],
        cwd=cwd, env={**os.environ, **SHELL}, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done


def config(folder: Path, **changes: object) -> Path:
    made = {
        "data": {"synthetic": {"args": {"T": 400}}}, "h": 4, "input_size": 24, "models": ["SeasonalES"], **changes,
    }  # fmt: skip
    path = folder / "job.yaml"
    path.write_text(json.dumps(made))
    return path


def test_help_lists_the_commands(tmp_path: Path) -> None:
    text = foretide("--help", cwd=tmp_path).stdout
    for command in ("demo", "run", "backtest", "tune", "explain", "check", "fit", "predict", "generate"):
        assert command in text
    assert process("--version", cwd=tmp_path).stdout.strip() == ft.__version__


def test_generate_then_check_then_run(tmp_path: Path) -> None:
    foretide("generate", "hourly", "--out", "x.csv", "-T", "400", "--seed", "3", cwd=tmp_path)
    made = pd.read_csv(tmp_path / "x.csv", parse_dates=["ds"])
    twin = ft.synthetic.hourly(T=400, seed=3).panel
    np.testing.assert_allclose(made[["x1", "x2", "x3"]], twin.values)
    text = foretide("check", "x.csv", "--target", "x1", cwd=tmp_path).stdout
    assert "400 rows, 1 series, every h" in text
    assert "24, 168" in text
    # What check prints is a configuration that runs.
    section = text.partition("(foretide run):\n")[2]
    (tmp_path / "c.yaml").write_text(section + "h: 4\ninput_size: 24\nmodels: []\n")
    out = process("run", "c.yaml", "--out", "runs/c", cwd=tmp_path)
    assert out.stderr == ""
    assert out.stdout.strip().splitlines()[-1] == "report: runs/c/summary.md"
    assert "best of the baselines" in out.stdout


def test_planted_lags_and_parquet(tmp_path: Path) -> None:
    foretide(
        "generate", "planted-lags", "--out", "p.parquet", "-T", "300", "--lags", "5", "--weights", "0.7", cwd=tmp_path
    )
    made = pd.read_parquet(tmp_path / "p.parquet")
    np.testing.assert_allclose(
        made["y"], ft.synthetic.planted_lags(T=300, lags=(5,), weights=(0.7,)).panel.values[:, 0]
    )
    told = foretide("generate", "planted-lookup", "--out", "l.csv", "-T", "90", "--seed", "3", cwd=tmp_path).stdout
    assert "--time ds --target y --future recall --past rest" in told
    found, expected = pd.read_csv(tmp_path / "l.csv"), ft.synthetic.planted_lookup(T=90, seed=3).panel
    np.testing.assert_allclose(found[["y", "marker", "recall"]], expected.values)
    bad = foretide("generate", "planted-lags", "--out", "p.csv", "--lags", "5,x", cwd=tmp_path, code=2)
    assert "expected numbers with commas" in bad.stderr
    bad = foretide("generate", "hourly", "--out", "p.xls", cwd=tmp_path, code=2)
    assert ".csv or .parquet" in bad.stderr


def test_check_finds_mistakes_and_says_what_to_type(tmp_path: Path) -> None:
    foretide("generate", "hourly", "--out", "x.csv", "-T", "100", cwd=tmp_path)
    gap = pd.read_csv(tmp_path / "x.csv").drop(index=[10, 11])
    gap.to_csv(tmp_path / "gap.csv", index=False)
    text = foretide("check", "gap.csv", cwd=tmp_path, code=1).stdout
    assert "2 steps of h are missing" in text
    assert "first at 2019-01-01 10:00:00" in text
    assert "fill_gaps=True" in text
    assert "Ready to use" in foretide("check", "gap.csv", "--fill-gaps", "--missing", "mask", cwd=tmp_path).stdout
    text = foretide("check", "x.csv", "--target", "X1", cwd=tmp_path, code=1).stdout
    assert "Did you mean 'x1'" in text
    assert "There is no file" in foretide("check", "no.csv", cwd=tmp_path, code=2).stderr


def test_an_error_is_one_message_and_debug_shows_where(tmp_path: Path) -> None:
    path = config(tmp_path, modles=[])
    done = process("run", str(path), cwd=tmp_path, code=2)
    assert "Did you mean 'models'" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in foretide("run", str(path), "--debug", cwd=tmp_path, code=1).stderr


def test_a_finished_run_is_kept(tmp_path: Path) -> None:
    path = config(tmp_path, baselines=False)
    foretide("run", str(path), cwd=tmp_path)
    done = foretide("run", str(path), "--out", "runs/job", cwd=tmp_path, code=2)
    assert "--overwrite" in done.stderr
    foretide("run", str(path), "--out", "runs/job", "--overwrite", cwd=tmp_path)
    foretide("run", str(path), cwd=tmp_path)
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["job", "job-2"]


def test_backtest_ends_with_a_leaderboard_and_the_path_of_the_report(tmp_path: Path) -> None:
    path = config(tmp_path, models=["Ridge"], backtest={"n_windows": 9, "refit": 4})
    done = foretide("backtest", str(path), cwd=tmp_path)
    assert done.stdout.strip().splitlines()[-1] == "report: runs/job-backtest/summary.md"
    assert "best of the baselines" in done.stdout
    assert "SeasonalNaive" in done.stdout
    board = pd.read_csv(tmp_path / "runs" / "job-backtest" / "metrics.csv").set_index("model")
    assert board["fits"].drop("oracle").eq(3).all()
    bad = config(tmp_path, backtest={"start": "2030-01-01"})
    assert "start=2030-01-01 is the first cutoff" in foretide("backtest", str(bad), cwd=tmp_path, code=2).stderr


def test_tune_ends_with_both_leaderboards(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    path = config(tmp_path, models=["Ridge"])
    done = foretide("tune", str(path), "--models", "seasonales,ridge", "-n", "5", cwd=tmp_path)
    lines = done.stdout.strip().splitlines()
    assert lines[-2:] == ["settings found: runs/job-tune/tuned.yaml", "report: runs/job-tune/summary.md"]
    assert "is best of 5 completed trials" in lines[0]
    assert "On the test part, which no trial has seen:" in done.stdout
    trials = pd.read_csv(tmp_path / "runs" / "job-tune" / "trials.csv")
    assert set(trials["model"]) == {"SeasonalES", "Ridge"}
    # The same command with a larger budget goes on with the study.
    foretide("tune", str(path), "--models", "seasonales,ridge", "-n", "7", cwd=tmp_path)
    assert len(pd.read_csv(tmp_path / "runs" / "job-tune" / "trials.csv")) == 7
    bad = foretide("tune", str(path), "--timeout", "soon", cwd=tmp_path, code=2)
    assert "timeout is a time span above 0" in bad.stderr


def test_fit_and_predict(tmp_path: Path) -> None:
    foretide("generate", "hourly", "--out", "x.csv", "-T", "400", cwd=tmp_path)
    whole = pd.read_csv(tmp_path / "x.csv", parse_dates=["ds"])
    whole.iloc[:350].to_csv(tmp_path / "old.csv", index=False)
    path = config(
        tmp_path, data={"path": "old.csv", "target": "x1", "past": "rest"}, models=[{"SeasonalNaive": {"season": 24}}]
    )
    foretide("fit", str(path), "--out", "model", cwd=tmp_path)
    foretide("predict", "model", "--out", "f.csv", cwd=tmp_path)
    table = pd.read_csv(tmp_path / "f.csv", parse_dates=["ds", "cutoff"])
    np.testing.assert_allclose(table["SeasonalNaive"], whole["x1"].iloc[326:330])
    assert (table["ds"] == whole["ds"].iloc[350:354].to_numpy()).all()
    # Newer data, and origins of one's own.
    foretide("predict", "model", "x.csv", "--out", "g.parquet", "--cutoff", str(whole["ds"][359]), cwd=tmp_path)
    table = pd.read_parquet(tmp_path / "g.parquet")
    np.testing.assert_allclose(table["SeasonalNaive"], whole["x1"].iloc[336:340])
    printed = foretide("predict", "model", cwd=tmp_path).stdout
    assert printed.startswith("unique_id,ds,cutoff,SeasonalNaive")
    assert "Did you mean" in foretide("predict", "model", "--model", "SeasonalNaiv", cwd=tmp_path, code=2).stderr
    assert "no settings.yaml" in foretide("predict", ".", cwd=tmp_path, code=2).stderr


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_it_is_unfinished(tmp_path: Path, ending: signal.Signals) -> None:
    path = config(
        tmp_path, data={"synthetic": {"args": {"T": 2000}}}, baselines=False,
        models=["SeasonalES", {"LSTM": {"epochs": 4000, "patience": 4000}}],
    )  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "foretide", "run", str(path), "--out", "out"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    log = tmp_path / "out" / "run.log"
    for _ in range(600):
        if log.exists() and "fitting LSTM" in log.read_text():
            break
        time.sleep(0.1)
    process.send_signal(ending)
    _, said = process.communicate(timeout=60)
    # Where the signal meets an extension's start-up, Python ends by SIGINT itself, which a shell shows as 130 too.
    assert process.returncode in (128 + ending, -signal.SIGINT)
    assert "the same command goes on" in said
    assert json.loads((tmp_path / "out" / "status.json").read_text())["status"] == "interrupted"
    assert not list((tmp_path / "out").rglob("*.part*"))


@pytest.mark.timing
def test_the_quick_demo_takes_a_minute_at_most(tmp_path: Path) -> None:
    start = time.perf_counter()
    done = process("demo", "--quick", cwd=tmp_path)
    assert time.perf_counter() - start < 60
    assert done.stdout.strip().splitlines()[-1] == "report: runs/demo/summary.md"
    scores = pd.read_csv(tmp_path / "runs" / "demo" / "metrics.csv").set_index("model")
    assert {"Attention", "LSTM", "ARIMA", "Ridge", "oracle"} <= set(scores.index)


def test_supplies_are_written_and_checked(tmp_path: Path) -> None:
    size = ["-T", "120", "--n-targets", "4", "--n-covariates", "2", "--seed", "3"]
    done = foretide("generate", "supplies", "--out", "s.csv", *size, cwd=tmp_path)
    twin = ft.synthetic.supplies(T=120, n_targets=4, n_covariates=2, seed=3).panel
    made = pd.read_csv(tmp_path / "s.csv")
    np.testing.assert_allclose(made[[*twin.targets, *twin.past, *twin.future]], twin.values)
    hint = done.stdout.strip().splitlines()[-1].removeprefix("look at it: foretide ")
    assert "--future holiday" in hint
    assert "120 rows" in foretide(*hint.split(), cwd=tmp_path).stdout
    foretide("generate", "supplies", "--out", "two.parquet", *size, "--n-sites", "2", cwd=tmp_path)
    assert set(pd.read_parquet(tmp_path / "two.parquet")["unique_id"]) == {"site1", "site2"}


def test_the_demos_ask_for_what_exists(tmp_path: Path) -> None:
    from foretide.cli.demo import CONFIGS, Kind
    from foretide.jobs.config import load_config

    for kind in Kind:
        for quick in (False, True):
            checked = load_config(CONFIGS[kind](quick=quick, seed=1))
            assert checked.data.synthetic is not None
            assert checked.data.synthetic.generator == kind.value
    assert "other" in foretide("demo", "other", cwd=tmp_path, code=2).stderr
