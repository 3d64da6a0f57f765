"""The job on counts: what runs by default, what is written, and figures computed again from the forecasts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.errors import ConfigError, MissingExtraError
from foretide.evaluation.cards.align import oracle_forecast
from foretide.forecasters.simple.baselines import SeasonalES
from foretide.forecasters.simple.default_set import default_names
from foretide.forecasters.table import FORECASTERS
from foretide.forecasters.wrappers.ensemble import Ensemble
from foretide.jobs import RunFolder
from foretide.jobs.config import load_config
from foretide.jobs.deploy import fit_model, predict_with
from foretide.jobs.prepare import prepare
from foretide.jobs.roster import roster
from foretide.jobs.threads import has_network

CONFIG: dict[str, Any] = {
    "name": "counts",
    "data": {"synthetic": {"generator": "supplies", "args": {"T": 330, "n_targets": 6, "n_covariates": 2, "seed": 1}}},
    "calendar": {"country": "DE", "subdivision": "BY"},
    "h": 7,
    "input_size": 21,
    "stride": 3,
    "models": [{"Ensemble": {"models": ["SeasonalES", {"WindowMean": {"window": 28}}], "alias": "Blend"}}],
}
UNASKED = default_names(counts=False, seasonal=True)
COUNTS = default_names(counts=True, seasonal=True)[len(UNASKED) :]


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    pytest.importorskip("statsforecast")
    return ft.run(CONFIG, output=tmp_path_factory.mktemp("runs") / "counts")


def names(**settings: Any) -> list[str]:
    return [entry.name for entry in roster(load_config({**CONFIG, **settings}), counts=True)]


def test_the_baselines_of_counts_run_by_default(counts: RunFolder) -> None:
    scores = pd.read_csv(counts.path / "metrics.csv").set_index("model")
    assert set(scores.index) == {*UNASKED, *COUNTS, "Blend", "oracle"}
    assert set(scores["kind"][[*UNASKED, *COUNTS]]) == {"baseline"}
    # All have intervals, so that all can be compared.
    assert np.isfinite(scores[["wql", "coverage_80", "coverage_95", "winkler_80"]]).all(axis=None)
    assert scores["mse"].is_monotonic_increasing
    assert (scores["ratio_to_oracle"].drop("oracle") > 1).all()
    assert (scores["wql_ratio_to_oracle"].drop("oracle") > 1).all()
    assert "every target is a count" in (counts.path / "run.log").read_text()


def test_figures_are_those_of_the_forecasts(counts: RunFolder) -> None:
    table = pd.read_parquet(counts.path / "forecasts.parquet")
    scores = pd.read_csv(counts.path / "metrics.csv").set_index("model")
    for model in ("SeasonalES", "TSB", "Persistence"):
        inside = (table["y"] >= table[f"{model}-lo-80"]) & (table["y"] <= table[f"{model}-hi-80"])
        assert scores.loc[model, "coverage_80"] == pytest.approx(inside.mean(), rel=1e-9)
        assert scores.loc[model, "mse"] == pytest.approx(((table[model] - table["y"]) ** 2).mean(), rel=1e-6)
    mean = (table["SeasonalES"] + window_mean(counts)) / 2
    np.testing.assert_allclose(table["Blend"], mean, rtol=1e-9, atol=1e-12)


def window_mean(folder: RunFolder) -> np.ndarray:
    """Forecasts of the blend's second member, in the order of the table."""
    panel, table = prepare(load_config(CONFIG)).panel, pd.read_parquet(folder.path / "forecasts.parquet")
    blend = ft.load(folder.path / "models" / "Blend")
    assert isinstance(blend, Ensemble)
    frame = blend.members[1].predict(panel, cutoffs=list(table["cutoff"].unique())).to_frame()
    return np.asarray(frame["WindowMean"])


def test_buckets_are_those_of_the_training_part(counts: RunFolder) -> None:
    prepared = prepare(load_config(CONFIG))
    train = prepared.panel.until(prepared.split.train_until)
    rates = (train.values[:, : train.n_targets] > 0).mean(axis=0)
    kinds = np.where(rates >= 0.7, "dense", np.where(rates <= 0.005, "ultra", "sparse"))
    facts = json.loads((counts.path / "run.json").read_text())
    assert facts["counts"]
    assert facts["buckets"] == {k: int((kinds == k).sum()) for k in ("dense", "sparse", "ultra") if k in kinds}
    table = pd.read_parquet(counts.path / "forecasts.parquet")
    by_bucket = pd.read_csv(counts.path / "metrics_by_bucket.csv").set_index(["model", "bucket"])
    of_series = dict(zip(train.targets, kinds, strict=True))
    squared = (table["SeasonalES"] - table["y"]) ** 2
    for kind, mean in squared.groupby(table["unique_id"].map(of_series)).mean().items():
        assert by_bucket.loc[("SeasonalES", kind), "mse"] == pytest.approx(mean, rel=1e-6)


def test_the_summary_of_counts(counts: RunFolder) -> None:
    text = (counts.path / "summary.md").read_text()
    assert "Blend does not beat the best simple baseline" in text or "Blend beats the best simple baseline" in text
    assert "In weighted quantile loss" in text
    assert "## By density" in text
    assert "| model | kind | mse | mae | rmsse | wql |" in text
    assert "](intervals.png)" in text
    assert (counts.path / "intervals.png").read_bytes().startswith(b"\x89PNG")
    assert "Truths inside the 80 % interval: dense item" in text


def test_saved_models_forecast_the_same(counts: RunFolder) -> None:
    panel, table = prepare(load_config(CONFIG)).panel, pd.read_parquet(counts.path / "forecasts.parquet")
    cutoffs = list(table["cutoff"].unique())
    for name in ("TSB", "Blend"):
        again = ft.load(counts.path / "models" / name).predict(panel, cutoffs=cutoffs).to_frame()
        np.testing.assert_array_equal(again[name], table[name])


def test_other_data_run_as_before() -> None:
    config = load_config({**CONFIG, "models": ["SeasonalES"]})
    plain = [entry.name for entry in roster(config)]
    assert sorted(plain) == sorted(UNASKED)
    assert {type(e.forecaster).__name__ for e in roster(config)} == set(UNASKED)


def test_asked_baselines_are_not_doubled() -> None:
    found = names(models=["TSB", {"Croston": {"alias": "C"}}])
    assert found.count("TSB") == 1
    assert "Croston" not in found
    assert "C" in found


def test_without_a_season_there_is_no_calendar_baseline() -> None:
    config = load_config({**CONFIG, "calendar": {}})
    found = [entry.name for entry in roster(config, counts=True, freq=1)]
    assert "CalendarES" not in found
    assert "Croston" in found


def test_a_missing_package_leaves_out_baselines_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast", None)
    said: list[str] = []
    config = load_config(CONFIG)
    found = [entry.name for entry in roster(config, counts=True, say=said.append)]
    assert "Croston" not in found
    assert "SeasonalES" in found
    assert any("Croston left out: Croston needs the package 'statsforecast'" in line for line in said)
    with pytest.raises(MissingExtraError, match="statsforecast"):
        roster(load_config({**CONFIG, "models": ["TSB"]}), counts=True)


def test_members_get_the_settings_all_models_share() -> None:
    config = load_config({**CONFIG, "models": [{"Ensemble": {"models": ["Ridge", {"LSTM": {"hidden": 8}}]}}]})
    blend = roster(config)[-1].forecaster
    assert isinstance(blend, Ensemble)
    assert blend.h == 7
    assert [m.settings()["input_size"] for m in blend.members] == [21, 21]
    assert has_network(blend)
    assert not has_network(Ensemble([SeasonalES(3)]))
    wrapped = roster(load_config({**CONFIG, "models": [{"WithIntervals": {"model": "Drift", "alias": "D"}}]}))[-1]
    assert wrapped.name == "D"
    assert wrapped.baseline
    assert wrapped.forecaster.h == 7


def test_candidates_of_auto_are_built_and_need_not_be_named() -> None:
    config = load_config({**CONFIG, "models": [{"Auto": {"candidates": ["Drift", {"LSTM": {"hidden": 8}}]}}]})
    auto = roster(config)[-1].forecaster
    assert auto.h == 7
    assert [type(part).__name__ for part in auto.parts] == ["Drift", "LSTM"]
    assert auto.parts[1].settings()["input_size"] == 21
    usual = roster(load_config({**CONFIG, "models": ["Auto", {"Auto": {"time_limit": 5, "alias": "Quick"}}]}))[-2:]
    assert [entry.name for entry in usual] == ["Auto", "Quick"]
    assert usual[1].forecaster.settings() == {
        "h": 7, "candidates": None, "time_limit": 5.0, "n_jobs": None, "season": None, "seed": 0, "alias": "Quick",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"Ensemble": {"models": ["Rigde"]}}, "Did you mean 'Ridge'"),
        ({"Ensemble": {"models": "Ridge", "weight": None}}, "weight: no such setting. Did you mean 'weights'"),
        ({"Ensemble": {"models": [3]}}, "models.Ensemble.models: expected a list such as"),
        ({"WithIntervals": {}}, "models.WithIntervals.model: expected a model such as ARIMA"),
        ({"Ensemble": {"models": [{"Ridge": {"input": 3}}]}}, "models.Ridge.input: no such setting"),
    ],
)
def test_wrong_members(model: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        names(models=[model])


def test_quantiles_can_be_chosen(tmp_path: Path) -> None:
    dense = [k / 100 for k in range(1, 100)]
    config = {**CONFIG, "models": [], "quantiles": dense, "stride": 20, "name": "dense"}
    scores = pd.read_csv(ft.run(config, output=tmp_path / "run").path / "metrics.csv").set_index("model")
    assert np.isfinite(scores["crps"]).all()
    assert (scores["crps"].drop("oracle") > scores["crps"]["oracle"]).all()


def test_the_oracle_of_several_sites_goes_with_its_windows() -> None:
    args = {**CONFIG["data"]["synthetic"]["args"], "n_sites": 2}
    config = load_config({**CONFIG, "data": {"synthetic": {"generator": "supplies", "args": args}}})
    prepared = prepare(config)
    windows = prepared.split.windows(prepared.panel, "test", input_size=21, h=7, stride=5)
    made = oracle_forecast(prepared.truth, prepared.panel, windows, 7, (80,), (0.5,))
    assert made is not None
    assert made.quantile_levels == (0.1, 0.5, 0.9)
    for site in range(2):
        own = windows.entity == site
        expected = prepared.truth.oracle(windows.steps(prepared.panel)[own], 7, site=site)
        np.testing.assert_allclose(made.mean[own], expected)
    error = made.mean - made.truth()
    assert abs(error.mean()) < 0.3 * np.abs(error).mean()


class Told(SeasonalES):
    """A model that says what its buckets and interventions are."""

    baseline = False

    interventions: ClassVar = {"upper_bound": 3, "not_finite": 0}
    history: ClassVar = {"stage 1": [{"epoch": 1, "loss": 0.5}], "stage 2": [{"epoch": 1, "loss": 0.25}]}

    def bucket_table(self) -> pd.DataFrame:
        return pd.DataFrame({"target": [f"item{i:02d}" for i in range(70)], "nonzero_rate": 0.5, "head": "delta"})


def test_buckets_and_interventions_of_a_model_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORECASTERS, "Told", f"{__name__}:Told")
    models = [{"Told": {"alias": "mine"}}, {"Ensemble": {"models": ["Told"], "alias": "Blend"}}]
    folder = ft.run({**CONFIG, "models": models, "baselines": False, "stride": 20}, output=tmp_path / "run")
    kept = json.loads((folder.path / "interventions.json").read_text())
    assert kept == {"mine": Told.interventions, "Blend-0-Told": Told.interventions}
    assert len(pd.read_csv(folder.path / "buckets-mine.csv")) == 70
    assert len(pd.read_csv(folder.path / "buckets-Blend-0-Told.csv")) == 70
    history = pd.read_csv(folder.path / "history.csv")
    assert history.to_dict("list") == {
        "model": ["mine"] * 2, "stage": ["stage 1", "stage 2"], "epoch": [1, 1], "loss": [0.5, 0.25],
    }  # fmt: skip
    runs = {run.name: run for run in ft.Scorecard.load(folder.path).runs}
    assert runs["mine"].account["epochs"][1] == {"stage": "stage 2", "epoch": 1, "loss": 0.25}
    text = (folder.path / "summary.md").read_text()
    assert "mine's forecasts changed after the model, by reason: upper bound 3, not finite 0." in text
    assert "Buckets of mine." in text
    assert "The first 60 of 70; the page shows more." in text


def test_fit_and_predict_with_a_baseline_of_counts(tmp_path: Path) -> None:
    pytest.importorskip("statsforecast")
    fit_model(CONFIG, tmp_path / "model", model="TSB")
    table = predict_with(tmp_path / "model", levels=(80,))
    assert {"TSB", "TSB-lo-80", "TSB-hi-80"} <= set(table.columns)
    assert (table["TSB-lo-80"] <= table["TSB-hi-80"]).all()


def test_the_table_names_forecasters_that_exist() -> None:
    assert {*UNASKED, *COUNTS[1:]} <= set(FORECASTERS)
