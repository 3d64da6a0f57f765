"""The examples of the plain recipes, in small: every row is fitted, and the run ends in the table of gains."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import foretide as ft
from foretide.cli.app import app
from foretide.data.exports import unguarded_names
from foretide.jobs.config import load_config, read_settings, write_yaml
from foretide.jobs.roster import roster

SEQUENCE: dict[str, Any] = {"hidden": 8, "epochs": 1}
SMALL: dict[str, dict[str, Any]] = {
    "PlainLSTM": SEQUENCE, "LSTM": SEQUENCE, "PlainAttention": {**SEQUENCE, "heads": 2},
    "Attention": {**SEQUENCE, "heads": 2}, "PlainLAVAR": {"epochs": 2, "head_epochs": 2, "latent": 2},
    "LAVAR": {"epochs": 2, "head_epochs": 2, "latent": 2},
}  # fmt: skip
ARGS = {"plain_sequence": {"T": 520}, "plain_lavar": {"T": 220, "n_targets": 5, "n_covariates": 3}}


def small(name: str, root: Path) -> dict[str, Any]:
    """Return an example with small networks on less data."""
    raw = read_settings((root / "examples" / f"{name}.yaml").read_text(encoding="utf-8"))
    raw["data"]["synthetic"]["args"].update(ARGS[name])
    raw["models"] = [{kind: {**settings, **SMALL[kind]}} for entry in raw["models"] for kind, settings in entry.items()]
    return {"name": name, "baselines": False, "attention_windows": 5, **raw}


@pytest.mark.parametrize("name", ARGS)
def test_a_run_ends_in_the_table(name: str, root: Path, tmp_path: Path) -> None:
    raw = small(name, root)
    (tmp_path / "small.yaml").write_text(write_yaml(raw), encoding="utf-8")
    done = CliRunner().invoke(app, ["run", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "run" / "ablations.csv")
    metric = "mse" if name == "plain_lavar" else "rmse"
    for title, models in raw["ablations"].items():
        assert f"{title}, each row beside the one before it:" in done.output
        rows = table[table["ablation"] == title].reset_index(drop=True)
        assert unguarded_names(rows["model"]) == models
        assert np.isfinite(rows[metric]).all()
        np.testing.assert_allclose(rows["gain"][1:], 1 - rows[metric][1:] / rows[metric].to_numpy()[:-1], rtol=1e-4)
        for model in models:
            assert model in done.output


@pytest.mark.parametrize("name", ARGS)
def test_each_row_switches_one_more_on(name: str, root: Path) -> None:
    """Every model of the run is a row, and each keeps what the row before had, or begins anew as another class."""
    config = load_config(root / "examples" / f"{name}.yaml")
    made = {member.name: member.forecaster for member in roster(config) if member.asked}
    assert {model for models in config.ablations.values() for model in models} == set(made)
    written = {str(model.settings["alias"]): model for model in config.models}
    for models in config.ablations.values():
        assert type(made[models[0]]).__name__.startswith("Plain")
        assert not type(made[models[-1]]).__name__.startswith("Plain")
        for before, after in pairwise(models):
            first, second = written[before], written[after]
            kept = {k: v for k, v in first.settings.items() if k not in ("alias", "calendar")}
            if first.name == second.name and first.name.startswith("Plain"):
                assert kept.items() <= second.settings.items()
                assert len(second.settings) > len(first.settings)


def test_with_everything_on_the_plain_lavar_is_the_shipped_one(root: Path) -> None:
    """The table explains the whole way: what is left after its last step is nothing."""
    raw = small("plain_lavar", root)
    ours, last = raw["models"][-1]["LAVAR"], raw["models"][-2]["PlainLAVAR"]
    calendar = last["calendar"]
    shipped = {"refit": True, "bound_factor": 3.0, "steps_per_epoch": 100}
    panel = ft.synthetic.supplies(**raw["data"]["synthetic"]["args"]).panel
    first = ft.PlainLAVAR(14, **{**last, **shipped, "heads": tuple(last["heads"])}).fit(panel)
    second = ft.LAVAR(14, **{**ours, "calendar": calendar}).fit(panel)
    cutoffs = panel.grid.output_times([150, 180])
    np.testing.assert_array_equal(first.predict(panel, cutoffs).mean, second.predict(panel, cutoffs).mean)
