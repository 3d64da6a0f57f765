"""The examples on counts: on a slice of the real tables, and with the models they name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.jobs.config import load_config, read_yaml
from foretide.jobs.prepare import prepare_panel
from foretide.jobs.roster import roster

EXAMPLES = {"pbs": "pbs_long.parquet", "bikes": "bike_sharing.csv"}


def sliced(name: str, folder: Path, target: Path) -> None:
    """Write a few series, or a few weeks, of a real table."""
    file = EXAMPLES[name]
    if not (folder / file).is_file():
        pytest.skip(f"no {file} in {folder}")
    if name == "pbs":
        table = pd.read_parquet(folder / file)
        table[table["unique_id"].isin(table["unique_id"].unique()[::40])].to_parquet(target / file)
    else:
        pd.read_csv(folder / file).iloc[-1200:].to_csv(target / file, index=False)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run_on_a_slice(
    name: str, root: Path, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sliced(name, real_data, tmp_path)
    monkeypatch.setenv("FORETIDE_DATA", str(tmp_path))
    raw: dict[str, Any] = read_yaml((root / "examples" / f"{name}.yaml").read_text())
    raw["data"]["path"] = EXAMPLES[name]
    raw.update(name=name, stride=12, explain=False, models=[{"Attention": {"hidden": 16, "epochs": 1, "head": "nb"}}])
    if name == "bikes":
        raw.update(split={})
    (tmp_path / f"{name}.yaml").write_text(json.dumps(raw, default=str))
    folder = ft.run(tmp_path / f"{name}.yaml", output=tmp_path / "run").path
    scores = pd.read_csv(folder / "metrics.csv").set_index("model")
    # Bikes are whole numbers, and too many for the intervals and baselines of counts.
    counts = name != "bikes"
    assert {"Attention", "SeasonalES"} | ({"Croston", "TSB"} if counts else set()) <= set(scores.index)
    judged = scores[["mse", "wql", "coverage_80"]] if counts else scores.loc[["Attention"], ["rmse", "coverage_80"]]
    assert np.isfinite(judged).all(axis=None)
    if name == "pbs":
        forecasts = pd.read_parquet(folder / "forecasts.parquet")
        # The last 24 months are the test part.
        assert forecasts["ds"].min() > pd.Timestamp("2006-06-01")
        assert forecasts["ds"].max() == pd.Timestamp("2008-06-01")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_models_of_the_examples_can_be_made(
    name: str, root: Path, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sliced(name, real_data, tmp_path)
    monkeypatch.setenv("FORETIDE_DATA", str(tmp_path))
    raw: dict[str, Any] = read_yaml((root / "examples" / f"{name}.yaml").read_text())
    raw["data"]["path"] = EXAMPLES[name]
    config = load_config(raw)
    made = {entry.name for entry in roster(config, counts=True) if entry.asked}
    assert {"LAVAR", "Attention"} <= made
    panel = prepare_panel(config)[0]
    assert panel.grid.freq == config.data.freq
