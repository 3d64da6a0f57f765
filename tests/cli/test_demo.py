"""The demo takes the settings of the plain recipe by their names there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


@pytest.mark.parametrize(
    "typed",
    [
        ["--T", "150", "--lstm-trials", "1", "--att-trials", "2", "--input-len", "12"],
        ["supplies", "--T", "200", "--n-series", "3", "--horizon", "3"],
    ],
)
def test_a_small_demo_runs(typed: list[str], tmp_path: Path) -> None:
    done = call(*typed, "--epochs", "1", "--set", "explain=false", "--out", str(tmp_path / "out"))
    assert done["status"] == "finished"
    assert {"Attention", "LSTM"} <= set(done["paths"]["models"]) or "LAVAR" in done["paths"]["models"]
    searched = json.loads((tmp_path / "out" / "run.json").read_text())
    assert searched["verdict"] == done["verdict"]
    if "--lstm-trials" in typed:
        trials = json.loads((tmp_path / "out" / "search" / "tables" / "trials.json").read_text())
        assert sorted(trials["columns"]["model"]) == ["Attention", "Attention", "LSTM"]
