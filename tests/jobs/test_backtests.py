"""A backtest from a configuration: its folder, resuming, and what cannot work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
import foretide.evaluation.rolling.work as backtest_module
from foretide.errors import ConfigError
from foretide.jobs.config import Config, read_yaml
from foretide.jobs.explaining import explain_run
from foretide.jobs.judging import run_backtest

PLAIN = {"regime_shifts": 0, "heteroskedasticity": 0, "coupling": 0}
CONFIG: dict[str, Any] = {
    "name": "hours", "h": 5, "input_size": 24,
    "data": {"synthetic": {"args": {"T": 500, "n_series": 2, "seed": 3, **PLAIN}}},
    "models": [{"LSTM": {"epochs": 1, "hidden": 8, "head": "gaussian"}}, {"SeasonalMean": {"cycles": 3}}],
    "backtest": {"n_windows": 12, "refit": 6},
}  # fmt: skip
SUPPLIES: dict[str, Any] = {
    "name": "items", "h": 7, "input_size": 28,
    "data": {"synthetic": {"generator": "supplies", "args": {"T": 300, "n_targets": 6, "n_covariates": 3, "seed": 1}}},
    "calendar": {"country": "DE"}, "backtest": {"n_windows": 9},
    "models": [{"WithIntervals": {"model": "SeasonalES", "alias": "mine"}}],
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_backtest(CONFIG, output=tmp_path_factory.mktemp("bt") / "hours").path


def test_the_folder_holds_everything(finished: Path) -> None:
    files = {p.name for p in finished.iterdir()}
    assert {
        "summary.md", "settings.yaml", "status.json", "run.json", "run.log", "scorecard.parquet", "scorecard.json",
        "metrics.csv", "folds.csv", "fold_summary.csv", "metrics_by_step.csv", "metrics_by_series.csv",
        "skill_by_series.csv", "comparisons.csv", "calibration.csv", "error_by_step.png", "folds.png",
        "calibration.png",
    } <= files  # fmt: skip
    assert "folds" not in files
    assert json.loads((finished / "status.json").read_text())["status"] == "finished"
    card = ft.Scorecard.load(finished)
    assert len(card.plan.folds) == 12
    assert {"LSTM", "SeasonalMean", "Ridge", "SeasonalNaive", "oracle"} <= set(card.forecasts)
    board = pd.read_csv(finished / "metrics.csv")
    np.testing.assert_allclose(board["rmse"], card.leaderboard()["rmse"], rtol=1e-9)
    assert len(pd.read_csv(finished / "folds.csv")) == 12
    compared = pd.read_csv(finished / "comparisons.csv").set_index("model")
    assert compared["p_value"]["LSTM"] == pytest.approx(card.compare("LSTM", str(card.best_baseline)).p_value)
    assert (compared["p_holm"] >= compared["p_value"]).all()


def test_the_models_of_the_last_fit_are_kept(finished: Path) -> None:
    card = ft.Scorecard.load(finished)
    # Those that were asked for, and the start of the network.
    assert {p.name for p in (finished / "models").iterdir()} == {"LSTM", "LSTM-start", "SeasonalMean"}
    panel = ft.synthetic.hourly(**CONFIG["data"]["synthetic"]["args"]).panel
    last = card.plan.blocks[-1]
    for name in ("LSTM", "LSTM-start", "SeasonalMean"):
        model = ft.load(finished / "models" / name)
        assert model.fitted_step(panel) == card.plan.fit_end(last)
        again = model.predict(panel, cutoffs=[fold.time for fold in last])
        own = np.isin(card.windows.steps(card.panel), [fold.cutoff for fold in last])
        np.testing.assert_allclose(again.mean, card.forecasts[name][own], rtol=1e-5)


@pytest.mark.parametrize(("folds", "own"), [({"n_windows": 12, "refit": False}, True), ({"n_windows": 2}, False)])
def test_attention_is_kept_of_windows_the_last_fit_has_not_seen(
    folds: dict[str, Any], own: bool, tmp_path: Path
) -> None:
    config = {
        **CONFIG, "models": [{"Attention": {"epochs": 1, "hidden": 8, "heads": 2}}], "attention_windows": 7,
        "baselines": False, "backtest": folds,
    }  # fmt: skip
    folder = run_backtest(config, output=tmp_path / "kept").path
    about = json.loads((folder / "attention.json").read_text())["models"]["Attention"]
    card = ft.Scorecard.load(folder)
    after = card.panel.grid.output_times([card.plan.fit_end(card.plan.blocks[-1])])[0]
    assert about["shape"] == [7, 2, 5, 24]
    # Two folds leave fewer than 30 windows after the fit: the whole panel then, and the page says so.
    assert all(pd.Timestamp(w["cutoff"]) >= after for w in about["windows"]) is own
    told = (folder / "explain.md").read_text()
    which = "after what the model was fitted on" if own else "of the whole panel, those it learned from among them"
    assert f"windows {which}: 2 heads" in told
    again = explain_run(folder, with_inputs=False)  # by hand, the same
    assert again.read_text() == told
    assert about["about"] == f"of the last fit, {which}"


def test_explaining_can_be_left_out(tmp_path: Path) -> None:
    config = {
        **CONFIG, "models": [{"Attention": {"epochs": 0, "hidden": 8, "heads": 2}}], "baselines": False,
        "backtest": {"n_windows": 2}, "explain": False,
    }  # fmt: skip
    assert not (run_backtest(config, output=tmp_path / "one").path / "explain.md").exists()
    assert not (ft.run(config, output=tmp_path / "two").path / "explain.md").exists()


def test_the_summary_speaks_of_folds_and_chance(finished: Path) -> None:
    text = (finished / "summary.md").read_text()
    card = ft.Scorecard.load(finished)
    assert f"**{card.verdict()}**" in text
    assert "12 folds of 5 hours, cutoffs every 5 hours from" in text
    assert "2 fits per model, on expanding past" in text
    assert "RMSE by fold, original units." in text
    assert "the best baseline, on 12 cutoffs: is a difference more than chance?" in text
    assert "series won" not in text  # there is one series


def test_counts(tmp_path: Path) -> None:
    pytest.importorskip("statsforecast")
    folder = run_backtest(SUPPLIES, output=tmp_path / "items").path
    files = {p.name for p in folder.iterdir()}
    assert {"stock.csv", "ranks.csv", "skill_by_series.csv"} <= files
    card = ft.Scorecard.load(folder)
    assert card.main == "mse"
    assert {"CalendarES", "TSB", "mine", "oracle"} <= set(card.distributions.quantiles)
    assert "series won" in (folder / "summary.md").read_text()
    assert {"service_level", "fill_rate", "cost"} <= set(pd.read_csv(folder / "stock.csv").columns)


def test_an_interrupted_one_resumes_in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made, calls = backtest_module._fit_and_forecast, []

    def stops(shared: Any, member: Any, *others: Any) -> Any:
        calls.append(member.name)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return made(shared, member, *others)

    monkeypatch.setattr(backtest_module, "_fit_and_forecast", stops)
    with pytest.raises(KeyboardInterrupt):
        run_backtest(CONFIG)
    folder = tmp_path / "runs" / "hours-backtest"
    assert json.loads((folder / "status.json").read_text())["status"] == "interrupted"
    assert len(list((folder / "checkpoints" / "folds").glob("*.safetensors"))) == 9
    assert run_backtest(CONFIG).path == Path("runs/hours-backtest")
    assert "resumed: 9 of 18 fits" in (folder / "run.log").read_text()
    assert "resumed" not in (folder / "summary.md").read_text()  # what is found there is what it would have been
    assert not (folder / "checkpoints").exists()
    assert len(calls) == 10 + 9
    assert run_backtest(CONFIG).path == Path("runs/hours-backtest-2")


def test_other_settings_begin_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(backtest_module, "_fit_and_forecast", stops)
        with pytest.raises(KeyboardInterrupt):
            run_backtest(CONFIG, output=tmp_path / "b")
    folder = run_backtest({**CONFIG, "backtest": {"n_windows": 8}}, output=tmp_path / "b").path
    assert len(ft.Scorecard.load(folder).plan.folds) == 8


def test_without_folds_the_test_part_is_covered(tmp_path: Path) -> None:
    folder = run_backtest({**CONFIG, "backtest": {}, "models": []}, output=tmp_path / "b").path
    card = ft.Scorecard.load(folder)
    panel = ft.synthetic.hourly(T=500, n_series=2, seed=3, **PLAIN).panel
    parts = ft.split(panel, fractions=(0.7, 0.15, 0.15), h=5)
    assert card.plan.folds[0].time == pd.Timestamp(parts.val_until)
    assert card.plan.folds[-1].cutoff > 499 - 5 - card.plan.step
    assert "is the best of the baselines" in card.verdict()


def test_a_wrong_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"backtest\.n_window: no such key\. Did you mean 'n_windows'"):
        run_backtest({**CONFIG, "backtest": {"n_window": 3}}, output=tmp_path / "b")
    with pytest.raises(ConfigError, match=r"n_windows=400 cutoffs 5 steps apart do not fit"):
        run_backtest({**CONFIG, "backtest": {"n_windows": 400}}, output=tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_refit_is_a_switch_or_a_number() -> None:
    made = {
        text: Config(data={"synthetic": {}}, backtest=read_yaml(f"refit: {text}")) for text in ("true", "false", "3")
    }
    assert [made[t].backtest.refit for t in ("true", "false", "3")] == [True, False, 3]
    assert made["true"].backtest.refit is True
