"""The main job, end to end; figures are computed again from the forecasts it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.errors import ConfigError
from foretide.jobs import RunFolder
from foretide.jobs.config import load_config, read_yaml
from foretide.jobs.prepare import prepare

PLAIN = {"regime_shifts": 0, "heteroskedasticity": 0, "coupling": 0}
SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"synthetic": {"generator": "hourly", "args": {"T": 500, "seed": 1, **PLAIN}}},
    "h": 4,
    "input_size": 24,
    "models": [{"Attention": {"hidden": 16, "heads": 2, "epochs": 1}}, "ARIMA"],
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return ft.run(SMALL, output=tmp_path_factory.mktemp("runs") / "small")


def table(folder: RunFolder) -> pd.DataFrame:
    return pd.read_parquet(folder.path / "forecasts.parquet")


def test_the_folder_holds_everything(small: RunFolder) -> None:
    found = {p.name for p in small.path.iterdir()}
    assert found == {
        "forecast.csv", "forecast.parquet", "future.png", "future.svg",
        "attention-Attention.png", "attention-Attention.svg", "error_by_step.png", "error_by_step.svg", "folds.png",
        "folds.svg", "report.html", "calibration.png", "calibration.svg", "attention.json", "attention.safetensors",
        "audit_columns.csv", "audit_series.csv", "before.parquet", "calibration.csv", "comparisons.csv", "explain",
        "explain.md", "fold_summary.csv", "folds.csv", "forecast.png", "forecast.svg", "forecasts.parquet",
        "history.csv", "metrics.csv", "metrics_by_series.csv", "metrics_by_step.csv", "models", "run.json", "run.log",
        "scorecard.json", "scorecard.parquet", "settings.yaml", "skill_by_series.csv", "status.json", "summary.md",
        "tables",
    }  # fmt: skip
    assert small.status == "finished"
    names = {
        "Persistence",
        "SeasonalNaive",
        "WindowMean",
        "SeasonalMean",
        "SeasonalES",
        "Drift",
        "Ridge",
        "Attention",
        "Attention-start",
        "ARIMA",
    }
    assert {p.name for p in (small.path / "models").iterdir()} == names
    assert {p.suffix for p in small.path.rglob("*") if p.is_file()} <= {
        ".html", ".png", ".svg", ".json", ".safetensors", ".parquet", ".csv", ".log", ".yaml", ".md",
    }  # fmt: skip


def test_scores_are_those_of_the_forecasts(small: RunFolder) -> None:
    forecasts = table(small)
    scores = pd.read_csv(small.path / "metrics.csv").set_index("model")
    for model in ("Attention", "ARIMA", "Persistence", "Ridge"):
        error = forecasts[model] - forecasts["y"]
        assert scores.loc[model, "rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)
        assert scores.loc[model, "mae"] == pytest.approx(error.abs().mean(), rel=1e-6)
    steps = pd.read_csv(small.path / "metrics_by_step.csv").set_index(["model", "h_step"])
    squared = (forecasts["Attention"] - forecasts["y"]) ** 2
    twin = squared.groupby(forecasts["h_step"]).mean() ** 0.5
    np.testing.assert_allclose(steps.loc["Attention", "rmse"], twin, rtol=1e-6)
    series = pd.read_csv(small.path / "metrics_by_series.csv")
    assert set(series["unique_id"]) == {"x1"}


def test_the_oracle_of_plain_data_is_best(small: RunFolder) -> None:
    scores = pd.read_csv(small.path / "metrics.csv").set_index("model")
    assert (scores["ratio_to_oracle"].drop("oracle") > 1).all()


def test_forecasts_lie_in_the_test_part_on_the_same_windows(small: RunFolder) -> None:
    forecasts, panel = table(small), prepare(load_config(SMALL)).panel
    times = panel.grid.times(np.arange(500))
    # 70 % + 15 % of 500 steps are 425: the first target is step 425, the last 499.
    assert forecasts["ds"].min() == times[425]
    assert forecasts["ds"].max() == times[499]
    assert forecasts["cutoff"].nunique() == 75 - 4 + 1
    assert len(forecasts) == 72 * 4
    truth = pd.Series(panel.values[:, 0], index=times)
    np.testing.assert_allclose(forecasts["y"], truth[forecasts["ds"]])
    np.testing.assert_allclose(forecasts["Persistence"], truth[forecasts["cutoff"]])
    lead = (forecasts["ds"] - forecasts["cutoff"]) / pd.Timedelta("1h")
    np.testing.assert_array_equal(lead, forecasts["h_step"])
    assert not forecasts.isna().any().any()


def test_attention_is_described_and_sums_to_one(small: RunFolder) -> None:
    from safetensors.numpy import load_file

    about = json.loads((small.path / "attention.json").read_text())
    weights = load_file(small.path / about["file"])["Attention"]
    assert list(weights.shape) == about["models"]["Attention"]["shape"] == [72, 2, 4, 24]
    assert list(about["axes"]) == ["window", "head", "horizon_step", "lag"]
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    assert len(about["models"]["Attention"]["windows"]) == 72
    assert about["models"]["Attention"]["windows"][-1]["cutoff"] == str(table(small)["cutoff"].max())


def test_saved_models_forecast_the_same(small: RunFolder) -> None:
    panel, forecasts = prepare(load_config(SMALL)).panel, table(small)
    cutoffs = list(forecasts["cutoff"].unique())
    for name in ("Attention", "SeasonalES"):
        again = ft.load(small.path / "models" / name).predict(panel, cutoffs=cutoffs).to_frame()
        np.testing.assert_array_equal(again[name], forecasts[name])


def test_settings_repeat_the_run(small: RunFolder, tmp_path: Path) -> None:
    again = ft.run(small.path / "settings.yaml", output=tmp_path / "again")
    boards = [pd.read_csv(folder.path / "metrics.csv") for folder in (again, small)]
    spent = ["fit_seconds", "predict_seconds", "peak_mib"]
    pd.testing.assert_frame_equal(*(board.drop(columns=spent) for board in boards))
    pd.testing.assert_frame_equal(table(again), table(small))
    assert read_yaml((again.path / "settings.yaml").read_text()) == read_yaml(
        (small.path / "settings.yaml").read_text()
    )


def test_the_summary_names_what_matters(small: RunFolder) -> None:
    text = (small.path / "summary.md").read_text()
    scores = pd.read_csv(small.path / "metrics.csv")
    for name in scores["model"]:
        assert f"| {name}" in text
    assert f"{scores.set_index('model').loc['Attention', 'rmse']:.4g}" in text
    for picture in ("forecast.png", "attention-Attention.png"):
        assert f"]({picture})" in text
        assert (small.path / picture).read_bytes().startswith(b"\x89PNG")


def test_the_log_and_the_facts(small: RunFolder) -> None:
    log = (small.path / "run.log").read_text()
    assert "fitted Attention in" in log
    facts = json.loads((small.path / "run.json").read_text())
    assert facts["windows"] == 72
    assert facts["models"]["Persistence"]["baseline"]
    assert {"python", "numpy", "torch"} <= set(facts["about"]["versions"])
    assert facts["threads"]["torch"] >= 1


def test_history_has_a_line_per_epoch(small: RunFolder) -> None:
    history = pd.read_csv(small.path / "history.csv")
    assert set(history["model"]) == {"Attention"}
    assert {"epoch", "train_loss", "val_loss"} <= set(history.columns)


def ragged(path: Path) -> Path:
    """Three entities: one ends early, one starts late."""
    rng, frames = np.random.default_rng(0), []
    for name, first, last in (("a", 0, 200), ("b", 0, 190), ("c", 120, 200)):
        days = pd.date_range("2023-01-01", periods=200, freq="D")[first:last]
        frames.append(pd.DataFrame({"shop": name, "day": days, "sold": 10 + rng.normal(size=len(days))}))
    pd.concat(frames).to_csv(path, index=False)
    return path


LONG: dict[str, Any] = {"h": 7, "input_size": 14, "models": [], "season": 7}


def test_series_of_different_lengths_share_windows_with_known_truth(tmp_path: Path) -> None:
    data = {"path": str(ragged(tmp_path / "shops.csv")), "id": "shop", "time": "day", "target": "sold"}
    folder = ft.run({**LONG, "data": data}, output=tmp_path / "run")
    forecasts = table(folder)
    assert not forecasts.isna().any().any()
    assert list(forecasts.columns[:5]) == ["shop", "day", "cutoff", "h_step", "y"]
    assert forecasts.groupby("shop")["day"].max().astype(str).to_dict() == {
        "a": "2023-07-19", "b": "2023-07-09", "c": "2023-07-19",
    }  # fmt: skip
    assert set(pd.read_csv(folder.path / "metrics_by_series.csv")["shop"]) == {"a", "b", "c"}
    assert "is the best of the baselines" in (folder.path / "summary.md").read_text()


def test_first_and_last_limit_the_rows(tmp_path: Path) -> None:
    data = {"path": str(ragged(tmp_path / "shops.csv")), "id": "shop", "time": "day", "target": "sold"}
    limits = {"first": "2023-02-01", "last": "2023-06-30"}
    panel = prepare(load_config({**LONG, "data": {**data, **limits}})).panel
    frame = panel.to_frame()
    whole = pd.read_csv(tmp_path / "shops.csv", parse_dates=["day"])
    twin = whole[whole["day"].between("2023-02-01", "2023-06-30")].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame, twin, check_dtype=False)
    with pytest.raises(ft.errors.DataError, match="No series has a value from 2024-01-01 on"):
        prepare(load_config({**LONG, "data": {**data, "first": "2024-01-01"}}))


def test_a_stride_thins_the_windows_from_the_newest(tmp_path: Path) -> None:
    folder = ft.run({**SMALL, "models": [], "stride": 10}, output=tmp_path / "run")
    cutoffs = np.sort(table(folder)["cutoff"].unique())
    assert (np.diff(cutoffs) == np.timedelta64(10, "h")).all()
    assert table(folder)["ds"].max() == pd.Timestamp("2019-01-01") + pd.Timedelta("499h")


def test_ctrl_c_leaves_a_folder_that_says_so(tmp_path: Path) -> None:
    def stop(text: str) -> None:
        if text == "fitting SeasonalES":
            raise KeyboardInterrupt("stop")

    with pytest.raises(KeyboardInterrupt, match="stop"):
        ft.run(SMALL, output=tmp_path / "run", progress=stop)
    folder = RunFolder(tmp_path / "run")
    assert folder.status == "interrupted"
    assert "stopped: KeyboardInterrupt" in (folder.path / "run.log").read_text()
    assert ft.load(folder.path / "models" / "SeasonalNaive").is_fitted
    assert not list(folder.path.rglob("*.part*"))
    assert ft.run({**SMALL, "models": []}, output=tmp_path / "run").status == "finished"


def test_nothing_is_written_for_a_wrong_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'Attention'"):
        ft.run({**SMALL, "models": ["Atention"]}, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_test_part_too_short_says_what_to_change(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="horizon is h=800"):
        ft.run({**SMALL, "h": 800, "models": []}, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_error_of_a_model_leaves_a_folder_that_says_failed(tmp_path: Path) -> None:
    with pytest.raises(ft.errors.DataError, match="the head 'nb' is for counts"):
        ft.run({**SMALL, "models": [{"LSTM": {"head": "nb"}}]}, output=tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    assert folder.status == "failed"
    assert "stopped: DataError" in (folder.path / "run.log").read_text()


def test_wrong_data_do_not_move_a_finished_run(tmp_path: Path) -> None:
    data = {"path": str(ragged(tmp_path / "shops.csv")), "id": "shop", "time": "day", "target": "sold"}
    ft.run({**LONG, "data": data}, output=tmp_path / "run")
    with pytest.raises(ft.errors.DataError, match="Did you mean 'sold'"):
        ft.run({**LONG, "data": {**data, "target": "solt"}}, output=tmp_path / "run", overwrite=True)
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["run"]
    assert RunFolder(tmp_path / "run").status == "finished"


def test_a_baseline_nobody_asked_for_may_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ft.errors.DataError("No training window fits")

    monkeypatch.setattr(ft.Ridge, "_fit", refuse)
    config = {**SMALL, "models": ["Persistence"]}
    folder = ft.run(config, output=tmp_path / "run")
    assert "Ridge left out: No training window fits" in (folder.path / "run.log").read_text()
    assert "Ridge" not in table(folder).columns
    with pytest.raises(ft.errors.DataError, match="No training window fits"):
        ft.run({**config, "models": ["Ridge"]}, output=tmp_path / "asked")


# ---------------------------------------------------------------- a backtest with one block
def test_a_run_is_a_backtest_with_one_block(small: RunFolder) -> None:
    card = ft.Scorecard.load(small.path)
    prepared = prepare(load_config(SMALL))
    assert card.plan is not None
    assert card.plan.split == prepared.split
    assert [len(block) for block in card.plan.blocks] == [72]
    board = card.pandas(card.leaderboard()).set_index("model")
    kept = pd.read_csv(small.path / "metrics.csv").set_index("model")
    for metric in ("rmse", "mae", "mase", "skill_vs_best_baseline", "p_vs_best_baseline"):
        np.testing.assert_allclose(board[metric], kept[metric], rtol=1e-9)
    # One MASE: by the backtest that forecasts from the same cutoffs, and by hand.
    season = card.plan.season
    twin = ft.backtest(
        ft.SeasonalNaive(h=4), prepared.panel, start=prepared.split.val_until, step=1, baselines=False
    )  # fmt: skip
    known = prepared.panel.values[:425, 0]
    scale = np.abs(known[season:] - known[:-season]).mean()
    forecasts = table(small)
    error = (forecasts["SeasonalNaive"] - forecasts["y"]).abs().mean()
    assert card.value("SeasonalNaive", "mase") == pytest.approx(error / scale, rel=1e-6)
    for metric in ("mase", "rmsse", "mape", "rmse"):
        assert twin.value("SeasonalNaive", metric) == pytest.approx(card.value("SeasonalNaive", metric), rel=1e-9)


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []

    def stop(text: str) -> None:
        said.append(text)
        if text == "fitting SeasonalES":
            raise KeyboardInterrupt

    config = {**SMALL, "models": ["ARIMA"]}
    with pytest.raises(KeyboardInterrupt):
        ft.run(config, progress=stop)
    done = [text for text in said if text.startswith("fitted")]
    again: list[str] = []
    folder = ft.run(config, progress=again.append)
    assert folder.path == Path("runs/small")
    assert any(text.startswith(f"resumed: {len(done)} of 8 fits were read from") for text in again)
    assert "fitting SeasonalNaive" not in again
    fresh = ft.run(config)
    assert fresh.path == Path("runs/small-2")
    pd.testing.assert_frame_equal(table(folder), table(fresh))
    assert not (folder.path / "folds").exists()
    assert {p.name for p in (folder.path / "models").iterdir()} == {p.name for p in (fresh.path / "models").iterdir()}


def test_an_interrupted_run_of_changed_data_begins_anew(tmp_path: Path) -> None:
    path = ragged(tmp_path / "shops.csv")
    config = {**LONG, "data": {"path": str(path), "id": "shop", "time": "day", "target": "sold"}}

    def stop(text: str) -> None:
        if text == "fitting Drift":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ft.run(config, output=tmp_path / "run", progress=stop)
    frame = pd.read_csv(path)
    frame.assign(sold=frame["sold"] + 1).to_csv(path, index=False)
    said: list[str] = []
    folder = ft.run(config, output=tmp_path / "run", progress=said.append)
    assert folder.status == "finished"
    assert not any("resumed" in text for text in said)
