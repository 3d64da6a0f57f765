"""What the models of a run folder say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import foretide

import foretide as ft
from foretide.data.files import file_name
from foretide.errors import ArtifactError, ConfigError
from foretide.explain.weights import summary as attention_summary
from foretide.explain.weights.faithfulness import Faithfulness, faithfulness_of
from foretide.forecasters.artifact import load
from foretide.jobs.config import Config, read_yaml
from foretide.jobs.explaining import explain_run, keep_explanations
from foretide.jobs.folder import RunFolder
from foretide.jobs.prepare import Prepared, prepare
from foretide.jobs.store import EXPLAINED_TABLE

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


def test_words_tables_and_pictures(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    tested: list[Any] = []

    def once(*args: Any, **options: Any) -> Faithfulness:
        tested.append(faithfulness_of(*args, **options))
        return tested[-1]

    monkeypatch.setattr(attention_summary, "faithfulness_of", once)
    page = explain_run(run, progress=said.append)
    text = page.read_text()
    assert len(tested) == 1  # it takes as long as 80 forecasts
    assert said == ["Attention: attention", "Attention: inputs"]
    assert "24 and 48 hours before the forecast step" in text
    assert "The attention is faithful" in text
    assert "## Attention: Inputs" in text
    assert "SeasonalES" not in text
    for name in ("belief", "inputs"):
        assert f"](explain/Attention-{name}.png)" in text
        assert f"Also as [svg](explain/Attention-{name}.svg)." in text
        assert (run / "explain" / f"Attention-{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "</svg>" in (run / "explain" / f"Attention-{name}.svg").read_text(encoding="utf-8")
    _tables_of_belief(run / "explain", tested[0])
    table = pd.read_csv(run / "explain" / "Attention-lags_by_distance.csv")
    top = table.sort_values("weight", ascending=False)["distance"].head(2)
    assert set(top) == {24, 48}
    inputs = pd.read_csv(run / "explain" / "Attention-inputs.csv")
    assert inputs["metric"].eq("mse").all()
    assert inputs["increase"].to_numpy() == pytest.approx(inputs["relative"] * inputs["loss"], rel=1e-4)


def _tables_of_belief(folder: Path, found: Faithfulness) -> None:
    one = pd.read_csv(folder / "Attention-faithfulness.csv").iloc[0]
    for name in ("error", "attended", "difference", "p_masking", "p_moving", "k", "lookback", "n_windows", "n_cutoffs"):
        assert one[name] == pytest.approx(getattr(found, name), rel=1e-5), name
    assert one["verdict"] == found.verdict == "faithful"
    assert (one["low"], one["high"]) == pytest.approx(found.interval, rel=1e-5)
    draws = pd.read_csv(folder / "Attention-faithfulness_draws.csv")
    assert draws["random"].to_numpy() == pytest.approx(found.random, rel=1e-5)
    assert draws["moved"].to_numpy() == pytest.approx(found.moved, rel=1e-5)
    assert one["random"] == pytest.approx(draws["random"].mean(), rel=1e-5)
    steps = pd.read_csv(folder / "Attention-faithfulness_by_step.csv")
    assert steps["h_step"].tolist() == [1, 2, 3, 4, 5, 6]
    for name, errors in zip(("error", "attended", "random"), found.by_step, strict=True):
        assert steps[name].to_numpy() == pytest.approx(errors, rel=1e-5)


def test_events_are_compared_or_it_is_said_why_not(run: Path) -> None:
    told = json.loads((run / "explain/explain.json").read_text(encoding="utf-8"))
    found = next(part for part in told if part["subject"] == "Attention")
    assert "was not compared with the rest. Two regimes are needed: no window is inside" in found["sentences"][-1]
    assert "regimes" not in found["tables"]
    model, panel = load(run / "models" / "Attention"), _prepared(run).panel
    values = panel.values.copy()
    values[850] += 30.0
    cutoffs = panel.grid.output_times(np.arange(800, 890))
    summary: Any = ft.explain.attention(model, panel.with_values(values), cutoffs)  # type: ignore[arg-type]
    sentences, tables = summary.findings(), summary.tables()
    # The shock itself, and a day later, when it is copied.
    assert summary.by_regime().inside.tolist() == [850 <= c <= 855 or 874 <= c <= 879 for c in range(800, 890)]
    assert "; 12 of 90 windows)" in sentences[-1]
    figures = tables["regimes"]
    assert figures["n_inside"].eq(12).all()
    assert figures["n_outside"].eq(78).all()
    assert figures["level"].iloc[0] == pytest.approx(100 - 5 / len(figures))
    sure = figures.loc[figures["more_than_chance"], "figure"].tolist()
    assert sure == summary.by_regime().differing["figure"].tolist()
    assert tables["regime_profiles"].columns.tolist() == ["distance", "inside", "outside"]


def _prepared(run: Path) -> Prepared:
    return prepare(Config.model_validate(read_yaml((run / "settings.yaml").read_text(encoding="utf-8"))))


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
    assert "## LAVAR: Latent dynamics" in text
    assert "LAVAR: Inputs" not in text
    for name in ("modes", "impulse_responses", "variance_decomposition", "target_effects", "loadings", "path"):
        assert (folder / "explain" / f"LAVAR-{name}.csv").is_file()
    assert "![LAVAR: Latent dynamics](explain/LAVAR-latent.png)" in text
    path = pd.read_csv(folder / "explain" / "LAVAR-path.csv")
    assert len(path) == 300  # all of it; only the page thins it
    model, prepared = load(folder / "models" / "LAVAR"), _prepared(folder)
    until = model.fitted_step(prepared.panel)
    assert until is not None
    assert path["fitted"].tolist() == [True] * (until + 1) + [False] * (299 - until)
    about = pd.read_csv(folder / "explain" / "LAVAR-latent_about.csv").iloc[0]
    assert (about["shocks"], about["order"], about["level"], about["targets"]) == ("cholesky", "z1, z2", 95, 5)

    # Fitted models say the same without a folder to load them from.
    other = RunFolder(tmp_path / "other")
    said: list[str] = []
    keep_explanations(other, {"Mine & Co": model}, prepared, with_inputs=False, progress=said.append)
    assert said == ["LAVAR: latent state"]
    (told,) = json.loads((other.path / "explain" / "explain.json").read_text(encoding="utf-8"))
    assert told["model"] == "Mine & Co"
    for name in told["tables"]:
        file = f"explain/{file_name('Mine & Co')}-{name}.csv"
        assert (other.path / file).read_bytes() == (folder / "explain" / f"LAVAR-{name}.csv").read_bytes()


def test_names_in_tables_stay_text(tmp_path: Path) -> None:
    made = pd.DataFrame({"group": ["NA", "01", "nan"], "p_holm": [np.nan, 0.5, np.inf], "kind": ["past", "", "lags"]})
    folder = RunFolder(tmp_path)
    folder.keep(EXPLAINED_TABLE, made, model="A", table="inputs")
    pd.testing.assert_frame_equal(folder.read(EXPLAINED_TABLE, model="A", table="inputs"), made)


def test_the_command(run: Path) -> None:
    done = foretide("explain", str(run), "--no-inputs")
    lines = done.stdout.strip().splitlines()
    assert lines[-1] == f"report: {run / 'explain.md'}"
    assert "The attention is faithful" in done.stdout
    assert "![" not in done.stdout


def test_networks_inside_wrappers_and_ensembles_and_what_was_found_before(tmp_path: Path) -> None:
    small = {"Attention": {"epochs": 0, "hidden": 8, "heads": 2}}
    config = {
        **CONFIG, "h": 3, "input_size": 30, "explain": False,
        "data": {"synthetic": {"generator": "planted_lags", "args": {"T": 400, "lags": [24], "weights": [0.6]}}},
        "models": [
            {"Conformal": {"model": small, "alias": "C"}}, {"Ensemble": {"models": [small, "Ridge"], "alias": "E"}},
        ],
    }  # fmt: skip
    folder = ft.run(config, output=tmp_path / "wrapped").path

    def found() -> list[tuple[str, str]]:
        told = json.loads((folder / "explain" / "explain.json").read_text())
        return [(part["model"], part["subject"]) for part in told]

    explain_run(folder, model="E", with_inputs=False)
    assert found() == [("E: Attention", "Attention")]
    explain_run(folder, model="C")
    assert found() == [("E: Attention", "Attention"), ("C", "Attention"), ("C", "Inputs")]
    text = explain_run(folder, model="C", with_inputs=False).read_text()  # inputs stay, nothing stands there twice
    assert found() == [("E: Attention", "Attention"), ("C", "Attention"), ("C", "Inputs")]
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## How to read it", "## E: Attention: What attention says", "## C: What attention says", "## C: Inputs",
    ]  # fmt: skip


def test_folders_that_hold_nothing_to_explain(tmp_path: Path, run: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no models"):
        explain_run(tmp_path)
    with pytest.raises(ConfigError, match="holds no model 'Atention'. Did you mean 'Attention'"):
        explain_run(run, model="Atention")
    with pytest.raises(ConfigError, match="None of SeasonalES is a network"):
        explain_run(run, model="SeasonalES")
