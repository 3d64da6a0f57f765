"""What the models of a run folder say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import foretide as ft
from foretide.errors import ArtifactError, ConfigError
from foretide.pipeline.explaining import explain_run

CONFIG: dict[str, Any] = {
    "name": "lags", "h": 6, "input_size": 56, "baselines": False,
    "data": {
        "synthetic": {"generator": "planted_lags", "args": {"T": 900, "lags": [24, 48], "weights": [0.6, 0.3]}}
    },
    "models": [{"Attention": {"epochs": 1, "hidden": 16, "heads": 2}}, "SeasonalES"],
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ft.run(CONFIG, output=tmp_path_factory.mktemp("explain") / "lags").path


def test_words_tables_and_picture(run: Path) -> None:
    said: list[str] = []
    page = explain_run(run, progress=said.append)
    text = page.read_text()
    assert said == ["Attention: attention", "Attention: inputs"]
    assert "24 and 48 hours before the forecast step" in text
    assert "The attention is faithful" in text
    assert "### Inputs" in text
    assert "SeasonalES" not in text
    assert "![Attention of Attention](explain/Attention-attention.png)" in text
    assert (run / "explain" / "Attention-attention.png").stat().st_size > 10_000
    table = pd.read_csv(run / "explain" / "Attention-lags_by_distance.csv")
    top = table.sort_values("weight", ascending=False)["distance"].head(2)
    assert set(top) == {24, 48}


def test_the_latent_state_of_a_lavar(tmp_path: Path) -> None:
    config = {
        "name": "items", "h": 7, "input_size": 21, "baselines": False,
        "data": {
            "synthetic": {"generator": "supplies", "args": {"T": 300, "n_targets": 5, "n_covariates": 4, "seed": 1}}
        },
        "models": [{"LAVAR": {"order": 3, "latent": 2, "epochs": 2, "head_epochs": 1}}],
    }  # fmt: skip
    folder = ft.run(config, output=tmp_path / "items").path
    text = explain_run(folder, with_inputs=False).read_text()
    assert "### Latent state" in text
    assert "### Inputs" not in text
    assert (folder / "explain" / "LAVAR-modes.csv").is_file()


def test_the_command(run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "foretide", "explain", str(run), "--no-inputs"],
        capture_output=True, text=True, timeout=200, check=True,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    assert lines[-1] == f"report: {run / 'explain.md'}"
    assert "The attention is faithful" in done.stdout
    assert "![" not in done.stdout


def test_folders_that_hold_nothing_to_explain(tmp_path: Path, run: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no models"):
        explain_run(tmp_path)
    with pytest.raises(ConfigError, match="holds no model 'Atention'. Did you mean 'Attention'"):
        explain_run(run, model="Atention")
    with pytest.raises(ConfigError, match="None of SeasonalES is a network"):
        explain_run(run, model="SeasonalES")
