"""Models in a row, each beside the one before it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.errors import ConfigError

NAMES = ["Persistence", "SeasonalNaive", "SeasonalES"]


@cache
def card() -> ft.Scorecard:
    panel = ft.synthetic.hourly(T=400, n_series=1, seed=1).panel
    models = [ft.Persistence(h=4), ft.SeasonalNaive(h=4), ft.SeasonalES(h=4)]
    return ft.backtest(models, panel, n_windows=30, step=5, season=24, baselines=False)


def test_each_row_is_the_gain_on_the_row_before() -> None:
    table = card().ablation(NAMES)
    frame = card().to_frame()
    error = [float(np.sqrt(np.mean((frame["y"] - frame[name]) ** 2))) for name in NAMES]
    assert table["model"].tolist() == NAMES
    np.testing.assert_allclose(table["rmse"], error)
    np.testing.assert_allclose(table["gain"][1:], [1 - error[1] / error[0], 1 - error[2] / error[1]])
    np.testing.assert_allclose(table["gain_in_all"], [0, 1 - error[1] / error[0], 1 - error[2] / error[0]])
    assert np.isnan(table["gain"][0])
    assert np.isnan(table["p_value"][0])
    assert table["p_value"][1] == card().compare("SeasonalNaive", "Persistence").p_value
    seconds = {run.name: run.fit_seconds for run in card().runs}
    assert table["fit_seconds"].tolist() == [seconds[name] for name in NAMES]


def test_another_metric_and_another_order() -> None:
    there, back = card().ablation(NAMES[:2], "mae"), card().ablation(NAMES[1::-1], "mae")
    assert there["mae"].tolist() == back["mae"].tolist()[::-1]
    assert there["gain"][1] > 0 > back["gain"][1]


@pytest.mark.parametrize("names", [["Persistence"], [], ["Persistence", "SeasonalNaive", "Persistence"]])
def test_fewer_than_two_or_one_named_twice(names: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"two or more, each once; got .* Type e\.g\. card\.ablation"):
        card().ablation(names)


def test_an_unknown_model() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'SeasonalES'"):
        card().ablation(["Persistence", "SeasonalE"])


def test_a_configuration_with_ablations_leaves_a_table_and_a_section(tmp_path: Path) -> None:
    config = {
        "data": {"synthetic": {"args": {"T": 300, "n_series": 1}}}, "h": 4, "models": ["SeasonalES"],
        "ablations": {"baselines": NAMES, "two": ["Drift", "Persistence"]},
    }  # fmt: skip
    folder = ft.run(config, output=tmp_path / "run").path
    table = pd.read_csv(folder / "ablations.csv")
    assert table["ablation"].tolist() == ["baselines"] * 3 + ["two"] * 2
    expected = ft.Scorecard.load(folder).ablation(NAMES)
    np.testing.assert_allclose(table["rmse"][:3], expected["rmse"])
    text = (folder / "summary.md").read_text()
    assert "## What each change adds" in text
    assert "baselines: from Persistence to SeasonalES the RMSE goes from " in text
    assert f"{expected['gain'][1]:+.1%}" in text
    assert '<section id="ablations"' in (folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("ablations", "message"),
    [({"a": ["SeasonalES", "Persistense"]}, "ablations.a: no model of this run is 'Persistense'. Did you mean 'Pers"),
     ({"a": ["SeasonalES"]}, "ablations.a")],
)  # fmt: skip
def test_a_wrong_ablation_is_refused_before_anything_runs(
    ablations: dict[str, list[str]], message: str, tmp_path: Path
) -> None:
    config = {
        "data": {"synthetic": {"args": {"T": 300}}}, "h": 4, "models": ["SeasonalES"], "ablations": ablations,
    }  # fmt: skip
    with pytest.raises(ConfigError, match=message):
        ft.run(config, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_baseline_that_does_not_run_on_these_data_is_named_before_anything_is_fitted(tmp_path: Path) -> None:
    config = {
        "data": {"synthetic": {"args": {"T": 300}}}, "h": 4, "models": ["SeasonalES"],
        "ablations": {"a": ["SeasonalES", "Croston"]},
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"no model of this run is 'Croston'"):
        ft.run(config, output=tmp_path / "run")
    assert not (tmp_path / "run" / "models").exists()
