"""A search as a job of its own, and before a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.errors import ConfigError
from foretide.jobs.config import load_config, read_yaml
from foretide.jobs.searching import run_search, searched

pytest.importorskip("optuna")
PLAIN = {"regime_shifts": 0, "heteroskedasticity": 0, "coupling": 0}
CONFIG: dict[str, Any] = {
    "name": "hours", "h": 4,
    "data": {"synthetic": {"args": {"T": 420, "n_series": 2, "seed": 3, **PLAIN}}},
    "models": [{"SeasonalMean": {"season": 24}}, {"LSTM": {"epochs": 1, "hidden": 8}}],
    "search": {"n_trials": 8, "n_windows": 6},
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_search(CONFIG, output=tmp_path_factory.mktemp("search") / "hours").path


def test_the_folder_of_a_search(finished: Path) -> None:
    files = {p.name for p in finished.iterdir()}
    assert {
        "summary.md", "settings.yaml", "tuned.yaml", "study.journal", "study.json", "trials.csv", "leaderboard.csv",
        "metrics.csv", "scorecard.parquet", "history.png", "run.json", "models",
    } <= files  # fmt: skip
    trials = pd.read_csv(finished / "trials.csv")
    assert len(trials) == 8
    assert set(trials["model"]) == {"SeasonalMean", "LSTM"}
    facts = json.loads((finished / "run.json").read_text())
    best = trials.loc[trials["value"].idxmin()]
    assert facts["best"]["model"] == best["model"]
    assert facts["test_verdict"].startswith("On the test part, which no trial has seen: ")
    text = (finished / "summary.md").read_text()
    assert facts["test_verdict"] in text
    assert "6 inner folds, cutoffs from" in text


def test_the_winner_is_judged_beside_its_defaults_on_the_test_part(finished: Path) -> None:
    facts = json.loads((finished / "run.json").read_text())
    card = ft.Scorecard.load(finished)
    panel = ft.synthetic.hourly(T=420, n_series=2, seed=3, **PLAIN).panel
    until = ft.split(panel, h=4).val_until
    assert card.plan.folds[0].time == pd.Timestamp(until)
    assert facts["best"]["model"] in card.models
    assert "oracle" in card.forecasts
    (folder,) = (finished / "models").iterdir()
    model = ft.load(folder)
    assert model.fitted_until == str(until)
    cutoffs = [fold.time for fold in card.plan.folds]
    twin = model.predict(panel, cutoffs).mean
    np.testing.assert_allclose(card.forecasts[model.name], twin, rtol=1e-5)


def test_a_winner_that_is_a_baseline_itself_is_held_against_the_others(tmp_path: Path) -> None:
    config = {**CONFIG, "models": [{"SeasonalMean": {"season": 24}}], "search": {"n_trials": 2, "n_windows": 4}}
    folder = run_search(config, output=tmp_path / "one").path
    said = json.loads((folder / "run.json").read_text())["test_verdict"]
    card = ft.Scorecard.load(folder)
    errors = card.leaderboard().set_index("model")["rmse"]
    others = {name: errors[name] for name in card.baselines if name != "SeasonalMean"}
    best = min(others, key=lambda name: others[name])
    way = "below" if errors["SeasonalMean"] < others[best] else "above"
    share = abs(1 - errors["SeasonalMean"] / others[best])
    assert said.startswith("On the test part, which no trial has seen: SeasonalMean, which counts as a simple baseline")
    assert said.endswith(f"{share:.1%} {way} that of the best other one, {best} ({others[best]:.4g}).")


def test_the_settings_found_run_without_a_search(finished: Path, tmp_path: Path) -> None:
    found = load_config(finished / "tuned.yaml")
    assert found.search is None
    best = json.loads((finished / "run.json").read_text())["best"]
    chosen = next(m for m in found.models if m.name == best["model"])
    assert best["settings"].items() <= chosen.settings.items()
    folder = ft.run(found, output=tmp_path / "run")
    assert folder.status == "finished"


def test_a_larger_budget_goes_on_and_other_settings_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quick = {**CONFIG, "models": [{"SeasonalMean": {"season": 24}}]}
    first = run_search(quick, n_trials=2).path
    assert first == Path("runs/hours-tune")
    before = pd.read_csv(first / "trials.csv")
    assert run_search(quick, n_trials=4).path == first
    after = pd.read_csv(first / "trials.csv")
    assert (len(before), len(after)) == (2, 4)
    pd.testing.assert_frame_equal(
        after[: len(before)][["number", "value", "seconds"]], before[["number", "value", "seconds"]]
    )
    assert run_search({**quick, "h": 5}, n_trials=2).path == Path("runs/hours-tune-2")


def test_a_run_searches_first_and_says_so(tmp_path: Path) -> None:
    folder = ft.run(
        {**CONFIG, "search": {"n_trials": 6, "n_windows": 6, "models": ["SeasonalMean"]}}, output=tmp_path / "r"
    ).path
    facts = json.loads((folder / "run.json").read_text())
    cycles = facts["search"]["best"]["settings"]["cycles"]
    assert facts["models"]["SeasonalMean"]["settings"]["cycles"] == cycles
    assert facts["models"]["LSTM"]["settings"]["hidden"] == 8
    text = (folder / "summary.md").read_text()
    assert "Before the models were fitted their settings were searched" in text
    assert facts["search"]["verdict"] in text
    assert (folder / "search" / "trials.csv").is_file()
    assert read_yaml((folder / "settings.yaml").read_text())["search"]["n_trials"] == 6
    # The settings repeat the run, search included, and so do those that were found.
    again = ft.run(folder / "settings.yaml", output=tmp_path / "again").path
    short = ft.run(folder / "tuned.yaml", output=tmp_path / "short").path
    for other in (again, short):
        boards = [pd.read_csv(place / "metrics.csv") for place in (other, folder)]
        spent = ["fit_seconds", "predict_seconds", "peak_mib"]
        pd.testing.assert_frame_equal(*(board.drop(columns=spent) for board in boards))


def test_nothing_after_the_validation_part_is_seen(tmp_path: Path) -> None:
    panel = ft.synthetic.hourly(T=420, n_series=2, seed=3, **PLAIN).panel
    frame = panel.to_frame()
    frame.to_csv(tmp_path / "clean.csv", index=False)
    until = pd.Timestamp(ft.split(panel, h=4).val_until)
    frame.loc[frame["ds"] > until, ["x1", "x2"]] = 1e6
    frame.to_csv(tmp_path / "poisoned.csv", index=False)
    found = []
    for name in ("clean", "poisoned"):
        data = {"path": str(tmp_path / f"{name}.csv"), "target": "x1", "past": "rest"}
        folder = run_search({**CONFIG, "data": data, "models": ["SeasonalMean"]}, output=tmp_path / name).path
        trials = pd.read_csv(folder / "trials.csv").drop(columns="seconds")
        found.append((trials, json.loads((folder / "run.json").read_text())["best"]))
    pd.testing.assert_frame_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_what_cannot_be_searched() -> None:
    with pytest.raises(
        ConfigError, match=r"search\.models: the run has no model 'Lstm' to search\. Did you mean 'LSTM'"
    ):
        searched(load_config({**CONFIG, "search": {"n_trials": 2, "models": ["Lstm"]}}))
    with pytest.raises(ConfigError, match="There is nothing to search"):
        searched(load_config({**CONFIG, "models": [{"WithIntervals": {"model": "SeasonalES"}}]}))
    with pytest.raises(ConfigError, match="search: give `n_trials: 30`"):
        load_config({**CONFIG, "search": {"sampler": "random"}})
    with pytest.raises(ConfigError, match="There is no forecaster 'lstn'. Did you mean 'LSTM'"):
        run_search(CONFIG, models=["lstn"])
