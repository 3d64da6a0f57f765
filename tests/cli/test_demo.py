"""The demo takes the settings of the plain recipe by their names there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from foretide.cli.app import COMMANDS, command_line
from foretide.cli.demo import RECIPE, Kind, recipe_config
from foretide.errors import ConfigError
from foretide.jobs.config import load_config

NAMES = {
    "T": 300, "n-series": 2, "input-len": 24, "horizon": 5, "batch": 32, "epochs": 1, "optuna-trials": 2,
    "lstm-trials": 1, "att-trials": 2, "seed": 7,
}  # fmt: skip


def call(*arguments: str) -> Any:
    done = CliRunner().invoke(command_line(COMMANDS), ["demo", *arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("mark", ["-", "_"])
def test_every_name_of_the_recipe_is_a_flag(mark: str, tmp_path: Path) -> None:
    typed = [part for name, value in NAMES.items() for part in (f"--{name.replace('-', mark)}", str(value))]
    place = str(tmp_path / "out")
    found = call(*typed, f"--output{mark}dir", place, "--device", "cpu", "--dry-run")
    assert found["folder"] == place
    assert sum(found["rows"].values()) == 300
    assert found["folds"]["h"] == 5
    assert found["search"]["n_trials"] == {"LSTM": 1, "Attention": 2}
    assert found["search"]["sampler"] == "tpe"
    by_name = {about["model"]: about["settings"] for about in found["models"]}
    for network in ("Attention", "LSTM"):
        own = by_name[network]
        assert (own["input_size"], own["batch_size"], own["epochs"], own["device"]) == (24, 32, 1, "cpu")
    assert not Path(place).exists()
    own = {name.replace("-", "_") for name in NAMES} - {"seed"}
    assert own | {"device"} == set(RECIPE)


def test_trials_decide_on_a_search() -> None:
    def search(**recipe: int) -> Any:
        return recipe_config(Kind.HOURLY, recipe, quick=True, seed=1).get("search")

    assert search() is None
    assert search(lstm_trials=0, att_trials=0, optuna_trials=0) is None
    assert search(lstm_trials=3) == {"n_trials": {"LSTM": 3}, "sampler": "random"}
    assert search(att_trials=1) == {"n_trials": {"Attention": 2}, "sampler": "random"}
    assert search(att_trials=3, lstm_trials=1, optuna_trials=4) == {
        "n_trials": {"LSTM": 1, "Attention": 4}, "sampler": "tpe"
    }  # fmt: skip


def test_supplies_take_what_they_have() -> None:
    recipe = {"T": 300, "n_series": 4, "epochs": 2, "batch": 16, "horizon": 7, "input_len": 14}
    config = load_config(recipe_config(Kind.SUPPLIES, recipe, quick=True, seed=1))
    assert config.data.synthetic is not None
    assert {"T": 300, "n_targets": 4, "seed": 1}.items() <= config.data.synthetic.args.items()
    assert {"epochs": 2, "head_epochs": 2, "batch_size": 16}.items() <= config.models[0].settings.items()
    assert (config.h, config.input_size) == (7, 14)
    with pytest.raises(ConfigError, match="--lstm-trials is for `foretide demo hourly`"):
        recipe_config(Kind.SUPPLIES, {"lstm_trials": 2}, quick=True, seed=1)


def finished(done: Any, folder: Path) -> Any:
    assert done["status"] == "finished"
    assert json.loads((folder / "run.json").read_text())["verdict"] == done["verdict"]
    return done


def test_a_small_demo_of_supplies_runs(tmp_path: Path) -> None:
    small = ["--T", "240", "--n-series", "6", "--horizon", "3", "--epochs", "1", "--set", "explain=false"]
    done = finished(call("supplies", *small, "--out", str(tmp_path)), tmp_path)
    assert "weighted quantile loss" in done["verdict"]
    scores = pd.read_csv(tmp_path / "metrics.csv").set_index("model")
    assert {"LAVAR", "CalendarES", "Croston", "SBA", "TSB", "SeasonalES", "oracle"} <= set(scores.index)
    assert np.isfinite(scores[["wql", "coverage_80"]]).all(axis=None)
    assert (scores["ratio_to_oracle"].drop("oracle") > 1).all()
    assert (tmp_path / "buckets-LAVAR.csv").is_file()


def test_the_demo_needs_its_own_extra_only(tmp_path: Path) -> None:
    """`make demo` installs ``.[demo]``: no other extra, and no development tool; a small one runs after its search."""
    root = Path(__file__).resolve().parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    assert "-e '.[demo]'" in (root / "Makefile").read_text(encoding="utf-8")

    def modules(*names: str) -> set[str]:
        lines = [line for name in names for line in extras[name] if not line.startswith("foretide")]
        return {re.split(r"[<>=\[]", line)[0].replace("-", "_") for line in lines}

    hidden = modules("baselines", "polars", "explain", "docs", "dev") - modules("demo", "tune")
    assert {"statsforecast", "captum", "polars", "pytest"} <= hidden
    assert "statsmodels" not in hidden
    code = (
        f"import sys\nfor name in {sorted(hidden)!r}: sys.modules[name] = None\n"
        "sys.argv[0] = 'foretide'\nfrom foretide.cli import main\nmain()\n"
    )
    typed = ["demo", "--T", "150", "--input-len", "12", "--epochs", "1", "--lstm-trials", "1", "--att-trials", "2"]
    done = subprocess.run(
        [sys.executable, "-c", code, *typed, "--json", "--out", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = finished(json.loads(done.stdout), tmp_path / "out")
    assert {row["model"] for row in found["leaderboard"]} >= {"Attention", "LSTM", "ARIMA", "oracle"}
    assert {"Attention", "LSTM"} <= set(found["paths"]["models"])
    trials = json.loads((tmp_path / "out" / "search" / "tables" / "trials.json").read_text())
    assert sorted(trials["columns"]["model"]) == ["Attention", "Attention", "LSTM"]
