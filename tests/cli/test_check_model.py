"""``foretide check --model``: a model by name, or one out of a person's own file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from foretide.cli.app import app
from foretide.errors import ConfigError, DataError

MODELS = '''
"""A person's own models."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import foretide as ft
from beside import LEVEL
from foretide.data.windows import at_cutoffs


@dataclass
class Honest:
    h: int
    season: int = 7

    def fit(self, panel, until=None):
        return self

    def predict(self, panel, cutoffs=None):
        windows = at_cutoffs(panel, cutoffs)
        level = self.level(panel, windows) + LEVEL
        return ft.Forecast("Mine", panel, windows, np.repeat(level[:, None, :], self.h, axis=1))

    def level(self, panel, windows):
        return panel.values[windows.rows(panel), : panel.n_targets]


class Cheat(Honest):
    def level(self, panel, windows):
        return panel.values[windows.rows(panel) + 1, : panel.n_targets]


class Chance(Honest):
    def level(self, panel, windows):
        return np.random.default_rng().normal(size=(len(windows), panel.n_targets))


def factory(kind):
    return {"honest": Honest, "cheat": Cheat}[kind](5)


made = Honest(3)
number = 3
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "beside.py").write_text("LEVEL = 0.0\n")
    days = pd.date_range("2024-01-01", periods=120, freq="D")
    values = np.random.default_rng(0).normal(size=120)
    pd.DataFrame({"ds": days, "y": values}).to_csv(tmp_path / "data.csv", index=False)
    return tmp_path


def check(*arguments: str, data: str = "data.csv") -> Result:
    return CliRunner().invoke(app, ["check", data, *arguments])


def test_a_model_of_the_table(folder: Path) -> None:
    done = check("--model", "SeasonalNaive", "--set", "season=5")
    assert done.exit_code == 0, done.output
    assert "120 rows, 1 series, every D" in done.output  # the table first
    assert "SeasonalNaive: no leak found." in done.output
    # 84 of 120 steps are fitted on; the last cutoff leaves the 14 steps of the default horizon.
    assert "a fit until 2024-03-24 and forecasts from 3 cutoffs from 2024-03-25 to 2024-04-15" in done.output
    assert "Ready to use" not in done.output
    done = check("--model", "Ensemble", "--set", "models=[Persistence, {SeasonalNaive: {season: 7}}]", "--h", "20")
    assert done.exit_code == 0, done.output
    assert "from 2024-03-25 to 2024-04-09" in done.output


def test_models_of_a_file(folder: Path) -> None:
    done = check("--model", "models.py:Honest", "--set", "season=9")
    assert done.exit_code == 0, done.output
    assert "Mine: no leak found." in done.output
    done = check("--model", "models.py:Cheat", "--h", "3")
    assert done.exit_code == 1
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert "Mine leaks" in done.output
    assert "first at step 1" in done.output
    done = check("--model", "models.py:Chance")
    assert done.exit_code == 1
    assert "it is not deterministic" in done.output
    assert check("--model", f"{folder}/models.py:factory", "--set", "kind=honest").exit_code == 0
    assert check("--model", f"{folder}/models.py:factory", "--set", "kind=cheat").exit_code == 1


def test_problems_of_the_table_come_first(folder: Path) -> None:
    pd.read_csv("data.csv").drop(index=[10]).to_csv("gap.csv", index=False)
    done = check("--model", "SeasonalNaive", data="gap.csv")
    assert done.exit_code == 1
    assert "fill_gaps=True" in done.output
    assert "leak" not in done.output
    done = check("--model", "SeasonalNaive", "--fill-gaps", "--missing", "ffill", data="gap.csv")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--set", "season=7"], "Name one: --model SeasonalNaive"),
        (["--model", "SeasonalNaiv"], "Did you mean 'SeasonalNaive'.*--model my_model.py:MyModel"),
        (["--model", "SeasonalNaive", "--set", "saeson=7"], "--set saeson: .*Did you mean 'season'"),
        (["--model", "SeasonalNaive", "--set", "season"], "expected key=value, such as --set season=7"),
        (["--model", "SeasonalNaive", "--set", "season=7", "--set", "season=8"], "--set season is given twice"),
        (["--model", "SeasonalNaive", "--set", "season=[7"], "the value is not valid YAML"),
        (["--model", "nowhere.py:Honest"], "there is no file nowhere.py"),
        (["--model", "models.py"], "name the class after a colon: models.py:Honest"),
        (["--model", "models.py:Onest"], "models.py has no 'Onest'. Did you mean 'Honest'"),
        (["--model", "models.py:made"], "is no class or function"),
        (["--model", "models.py:number"], "is no class or function"),
        (["--model", "models.py:factory"], "cannot be made with {}: .*'kind'"),
        (["--model", "broken.py:Honest"], "broken.py does not run: ZeroDivisionError"),
    ],
)
def test_mistakes_are_said(folder: Path, arguments: list[str], text: str) -> None:
    (folder / "broken.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError, match=text):
        raise check(*arguments).exception or AssertionError("no error")


def test_a_short_table_says_what_to_lower(folder: Path) -> None:
    with pytest.raises(DataError, match="36 are left, and 53 are needed for 3 cutoffs and h=50"):
        raise check("--model", "SeasonalNaive", "--h", "50").exception or AssertionError("no error")


def test_as_a_process(folder: Path) -> None:
    def run(model: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "foretide", "check", "data.csv", "--model", model]
        environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    assert run("models.py:Cheat").returncode == 1
    wrong = run("models.py:Chea")
    assert wrong.returncode == 2
    assert "Did you mean 'Cheat'" in wrong.stderr
    assert "Traceback" not in wrong.stderr
