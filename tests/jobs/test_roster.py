"""Which models a run has."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.errors import ConfigError
from foretide.forecasters.simple.default_set import default_names
from foretide.jobs.config import load_config
from foretide.jobs.roster import roster

UNASKED = default_names(counts=False, seasonal=True)
DATA = {"synthetic": {"generator": "hourly"}}


def names(**settings: Any) -> list[str]:
    return [entry.name for entry in roster(load_config({"data": DATA, **settings}))]


def test_baselines_run_by_default_and_once() -> None:
    assert names(models=["LSTM"]) == [*UNASKED, "LSTM"]
    found = names(models=[{"SeasonalNaive": {"season": 24}}, "ARIMA"])
    assert sorted(found) == sorted([*UNASKED, "ARIMA"])
    assert names(models=["LSTM"], baselines=False) == ["LSTM"]


def test_shared_settings_reach_the_models_that_have_them() -> None:
    config = load_config({"data": DATA, "h": 7, "input_size": 48, "season": 168, "seeds": [3], "models": ["LSTM"]})
    made = {entry.name: entry.forecaster.settings() for entry in roster(config)}
    assert {about["h"] for about in made.values()} == {7}
    assert made["LSTM"]["input_size"] == made["Ridge"]["input_size"] == 48
    assert made["LSTM"]["seed"] == 3
    assert made["SeasonalNaive"]["season"] == 168


def test_several_seeds_make_several_networks() -> None:
    found = names(models=["LSTM", "ARIMA"], seeds=[0, 1], baselines=False)
    assert found == ["LSTM-seed0", "LSTM-seed1", "ARIMA"]


def test_skill_is_measured_against_everything_that_is_no_network() -> None:
    config = load_config({"data": DATA, "models": ["LSTM", "ARIMA"]})
    assert [e.name for e in roster(config) if not e.baseline] == ["LSTM"]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["Atention"], "Did you mean 'Attention'"),
        ([{"LSTM": {"hiden": 3}}], "hiden.*Did you mean 'hidden'"),
        ([{"ARIMA": {"ordr": [1, 0, 0]}}], "models.ARIMA.ordr: no such setting. Did you mean 'order'"),
        (["LSTM", "LSTM"], "Two models are called 'LSTM'"),
        ([{"LSTM": {"h": 3}}], "share one horizon"),
        (
            [{"Conformal": {"model": {"Drift": "x"}}}],
            r"models.Conformal.model: expected {Drift: {setting: value}}, got 'x'",
        ),
        (
            [{"Ensemble": {"models": [{"Drift": 3}]}}],
            r"models.Ensemble.models: expected {Drift: {setting: value}}, got 3",
        ),
    ],
)
def test_wrong_models_get_a_way_out(models: list[Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        names(models=models)


def test_the_same_model_twice_with_an_alias() -> None:
    found = names(models=["ARIMA", {"ARIMA": {"alias": "AR1", "order": [1, 0, 0]}}], baselines=False)
    assert found == ["ARIMA", "AR1"]
