"""The examples on counts can be made with the models they name; tests/golden runs them on a slice of their tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

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
