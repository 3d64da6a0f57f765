"""Flags that every job has: settings by name, a dry run, JSON, quiet; standard input; completion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import foretide
from typer.testing import CliRunner

from foretide.cli.app import COMMANDS, command_line
from foretide.cli.flags import FLAGS

JOBS = ("demo", "run", "backtest", "tune", "fit")
CONFIG = """\
data:
  synthetic: {args: {T: 300, n_series: 1}}
h: 4
input_size: 24
explain: false
models: [SeasonalES, Drift]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(CONFIG)
    return tmp_path


def call(*arguments: str, code: int = 0, stdin: str | None = None) -> str:
    done = CliRunner().invoke(command_line(COMMANDS), list(arguments), input=stdin, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.stdout


def rest_of(job: str) -> list[str]:
    return {"demo": ["--quick"], "fit": ["job.yaml", "--out", "m"], "tune": ["job.yaml", "-n", "3"]}.get(
        job, ["job.yaml"]
    )


@pytest.mark.parametrize("job", JOBS)
def test_every_job_has_the_flags_and_a_dry_run_makes_nothing(place: Path, job: str) -> None:
    text = CliRunner().invoke(command_line(COMMANDS), [job, "--help"], env={"COLUMNS": "80"}).output
    assert [name for name in FLAGS if f"--{'set' if name == 'settings' else name.replace('_', '-')}" not in text] == []
    assert max(len(line) for line in text.splitlines()) <= 80
    before = sorted(place.rglob("*"))
    plain = call(job, *rest_of(job), "--dry-run", "--set", "h=3")
    assert "folder: " in plain
    assert "Nothing was made" in plain
    found = json.loads(call(job, *rest_of(job), "--dry-run", "--json", "--set", "h=3"))
    assert found["job"] == ("run" if job == "demo" else job)
    assert "h=3" in plain or found["search"]["models"]
    assert str(found["folder"]) == call(job, *rest_of(job), "--dry-run", "--quiet", "--set", "h=3").strip()
    assert sorted(place.rglob("*")) == before


def test_a_dry_run_says_what_the_run_then_does(place: Path) -> None:
    found = json.loads(call("run", "job.yaml", "--dry-run", "--json", "--set", "SeasonalES.alpha=0.3"))
    done = json.loads(call("run", "job.yaml", "--json", "--set", "SeasonalES.alpha=0.3"))
    assert done["folder"] == found["folder"] == "runs/job"
    scored = {row["model"] for row in done["leaderboard"]} - {"oracle"}
    assert scored == {about["model"] for about in found["models"]}
    alpha = {about["model"]: about["settings"] for about in found["models"]}["SeasonalES"]["alpha"]
    assert alpha == 0.3
    assert found["rows"] == {"train": 210, "validation": 45, "test": 45}
    assert found["folds"]["cutoffs"] == 42
    facts = json.loads((place / "runs" / "job" / "run.json").read_text())
    assert facts["verdict"] == done["verdict"]
    again = json.loads(call("run", "job.yaml", "--dry-run", "--json"))
    assert again["folder"] == "runs/job-2"


def test_json_holds_the_verdict_the_rows_and_paths_that_exist(place: Path) -> None:
    done = json.loads(call("backtest", "job.yaml", "--json", "--out", "b"))
    assert {"job", "status", "folder", "verdict", "leaderboard", "metric", "paths"} <= set(done)
    assert (done["job"], done["status"]) == ("backtest", "finished")
    files = [v for v in done["paths"].values() if isinstance(v, str)] + list(done["paths"]["models"].values())
    assert files
    assert all((place / file).exists() for file in files)
    errors = [row[done["metric"]] for row in done["leaderboard"] if row["kind"] != "oracle"]
    assert errors == sorted(errors)
    searched = json.loads(
        call("tune", "job.yaml", "--models", "seasonal-es", "-n", "3", "--sampler", "random", "--json")
    )
    assert searched["best"]["model"] == "SeasonalES"
    assert searched["test_leaderboard"]
    assert (place / searched["paths"]["tuned"]).is_file()
    fitted = json.loads(call("fit", "job.yaml", "--out", "m", "--json"))
    assert list(fitted["paths"]["models"]) == ["SeasonalES"]


def test_quiet_prints_the_path_alone(place: Path) -> None:
    assert call("run", "job.yaml", "-q") == "runs/job\n"
    assert call("fit", "job.yaml", "--out", "m", "--quiet") == "m\n"


def test_a_configuration_comes_from_standard_input(place: Path) -> None:
    assert call("run", "-", "-q", "--set", "models=[Drift]", stdin=CONFIG) == "runs/run\n"
    (place / "x.csv").write_text("ds,y\n" + "".join(f"2024-01-{d:02},{d % 7}\n" for d in range(1, 31)))
    text = "data: {path: x.csv}\nh: 2\nmodels: [Drift]\ninput_size: 4\n"
    assert call("fit", "-", "--out", "m", "-q", stdin=text) == "m\n"
    assert (place / "m" / "models" / "Drift").is_dir()


def test_settings_reach_the_configuration_that_is_kept(place: Path) -> None:
    typed = ("h=3", "models=[Drift, {Ridge: {alias: R}}]", "R.known=off", "name=other")
    call("run", "job.yaml", "-q", *(part for text in typed for part in ("--set", text)))
    kept = (place / "runs" / "other" / "settings.yaml").read_text()
    assert "h: 3" in kept
    assert "known: 'off'" in kept or "known: off" in kept


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("foretide ru", ["run"]),
        ("foretide run --dr", ["--dry-run"]),
        ("foretide tune x --models Ridge,LAV", ["Ridge,LAVAR"]),
        ("foretide run x --set strid", ["stride="]),
        ("foretide run x --set LSTM.epo", ["LSTM.epochs="]),
        ("foretide run x --set split.val", ["split.val_until="]),
    ],
)
def test_shells_complete(tmp_path: Path, line: str, completed: list[str]) -> None:
    asked = {"_FORETIDE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = foretide(cwd=tmp_path, **asked)
    assert done.stdout.split() == completed


def test_underscores_are_hyphens_and_mistakes_one_message(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(CONFIG)
    done = foretide("tune", "job.yaml", "--n_trials", "2", "--dry_run", "--models", "seasonal-es", cwd=tmp_path)
    assert "search: 2 trials" in done.stdout
    bad = foretide("run", "job.yaml", "--set", "Drift.foo=1", "--set", "h=0", "--set", "stride=x", cwd=tmp_path, code=2)
    assert "3 problems" in bad.stderr
    for part in ("--set Drift.foo=1, models.Drift.foo", "--set h=0, h", "--set stride=x, stride"):
        assert part in bad.stderr
    assert "Traceback" not in bad.stderr


def test_no_flag_shows_a_type() -> None:
    for name in COMMANDS:
        text = CliRunner().invoke(command_line(COMMANDS), [name, "--help"], env={"COLUMNS": "80"}).output
        assert "<bool>" not in text, name


def test_json_holds_what_json_can() -> None:
    import numpy as np
    import pandas as pd

    from foretide.cli.flags import plain

    table = pd.DataFrame({"a": [1, None], "t": pd.to_datetime(["2024-01-01", None]), "s": ["x", pd.NA]})
    value: dict[Any, Any] = {
        "t": table,
        3: np.float32(0.5),
        "p": Path("a"),
        "n": float("nan"),
        "l": (np.int64(2), np.arange(2)),
    }
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == {
        "t": [{"a": 1.0, "t": "2024-01-01 00:00:00", "s": "x"}, {"a": None, "t": None, "s": None}],
        "3": 0.5, "p": "a", "n": None, "l": [2, [0, 1]],
    }  # fmt: skip
