"""Settings given beside a configuration: where each of them goes, and what is said where it goes nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foretide.errors import ConfigError
from foretide.jobs.config import load_config

DATA: dict[str, Any] = {"synthetic": {"args": {"T": 200}}}
TWO: list[Any] = ["LSTM", {"LSTM": {"alias": "small", "hidden": 8}}, {"Ensemble": {"models": ["Ridge", "LSTM"]}}]


def models(*typed: str, given: Any = TWO) -> list[Any]:
    dumped = load_config({"data": DATA, "models": given}, typed).model_dump(mode="json")["models"]
    assert isinstance(dumped, list)
    return dumped


@pytest.mark.parametrize(
    ("typed", "changed"),
    [
        ("LSTM.epochs=3", {0: {"LSTM": {"epochs": 3}}, 1: {"LSTM": {"alias": "small", "hidden": 8, "epochs": 3}}}),
        ("lstm.lr=1e-3", {0: {"LSTM": {"lr": 0.001}}, 1: {"LSTM": {"alias": "small", "hidden": 8, "lr": 0.001}}}),
        ("small.hidden=4", {1: {"LSTM": {"alias": "small", "hidden": 4}}}),
        ("models.0.LSTM.epochs=3", {0: {"LSTM": {"epochs": 3}}}),
        ("models.0.epochs=3", {0: {"LSTM": {"epochs": 3}}}),
        ("models.small.epochs=3", {1: {"LSTM": {"alias": "small", "hidden": 8, "epochs": 3}}}),
        ("Ensemble.models.1.LSTM.epochs=3", {2: {"Ensemble": {"models": ["Ridge", {"LSTM": {"epochs": 3}}]}}}),
        ("Ensemble.models.0=Drift", {2: {"Ensemble": {"models": ["Drift", "LSTM"]}}}),
    ],
)
def test_a_setting_reaches_its_model(typed: str, changed: dict[int, Any]) -> None:
    assert models(typed) == [changed.get(k, entry) for k, entry in enumerate(TWO)]


def test_every_part_of_a_configuration_can_be_set() -> None:
    config = load_config(
        {"data": DATA, "h": 9, "seeds": [1, 2]},
        ["h=7", "data.synthetic.args.T=300", "search.n_trials=3", "split.fractions=[0.6, 0.2, 0.2]", "seeds.0=4",
         "models=[Drift, {LSTM: {hidden: 8}}]", "LSTM.epochs=2", "name=other"],
    )  # fmt: skip
    assert (config.h, config.seeds, config.name) == (7, (4, 2), "other")
    assert config.data.synthetic is not None
    assert config.data.synthetic.args == {"T": 300}
    assert config.search is not None
    assert config.search.n_trials == 3
    assert config.split.fractions == (0.6, 0.2, 0.2)
    assert [model.settings for model in config.models] == [{}, {"hidden": 8, "epochs": 2}]


def test_models_written_in_any_way_can_be_set() -> None:
    for form in (["LSTM"], {"LSTM": None}, [{"name": "LSTM"}], [{"name": "LSTM", "settings": {}}]):
        assert models("LSTM.epochs=3", given=form) == [{"LSTM": {"epochs": 3}}]
    dumped = load_config({"data": DATA}, ["Attention.epochs=3"]).models
    assert [(model.name, model.settings) for model in dumped] == [("Attention", {"epochs": 3})]


def test_the_source_is_not_changed() -> None:
    source = {"data": DATA, "models": [{"LSTM": {"hidden": 8}}]}
    load_config(source, ["LSTM.hidden=4", "data.synthetic.args.T=100"])
    assert source == {"data": {"synthetic": {"args": {"T": 200}}}, "models": [{"LSTM": {"hidden": 8}}]}
    checked = load_config(source)
    assert load_config(checked, ["h=3"]).h == 3
    assert load_config(checked, ["h=3"]).models == checked.models
    assert load_config(checked) is checked


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("h", "--set h: expected key=value, such as --set season=7"),
        ("=3", "expected key=value"),
        ("h=[1", "not valid YAML"),
        ("modles=[]", r"no such key, and no such model. Did you mean 'models'\?"),
        ("Ridge.alpha=3", r"no model Ridge. Add it: --set 'models=\[LSTM, LSTM, Ensemble, Ridge\]'"),
        ("LSTM=3", "LSTM is a model. Type one of its settings: --set LSTM.epochs=3"),
        ("models.7.epochs=3", "no models.7.*The first one is models.0"),
        ("models.².epochs=3", "expected key=value"),
        ("models." + "9" * 5000 + "=3", "expected key=value"),
        ("h.deep=3", "h is 9, which has nothing inside that could be set"),
        ("seeds.x=3", "seeds is a list of 1; type seeds.0"),
        ("quantiles.0=0.5", r"quantiles has no entries yet. Type all of them: --set 'quantiles=\[...\]'"),
        ("LSTM.epoch=3", r"--set LSTM.epoch=3, models.LSTM.epoch: no such setting. Did you mean 'epochs'\?"),
        ("h=-1", "--set h=-1, h: Input should be greater than or equal to 1"),
    ],
)
def test_a_setting_that_goes_nowhere_says_what_to_type(typed: str, message: str) -> None:
    from foretide.jobs.checking import checked_data

    with pytest.raises(ConfigError, match=message):
        checked_data(load_config({"data": DATA, "models": TWO, "h": 9, "seeds": [0]}, [typed]), lambda data: data.split)


@pytest.mark.parametrize("settings", [3, [1], ["epochs"], "epochs", True])
def test_settings_that_are_none_are_refused_beside_typed_ones(settings: object) -> None:
    with pytest.raises(ConfigError, match="Input should be a valid dictionary"):
        load_config({"data": {"synthetic": {}}, "models": [{"LSTM": settings}, {"Drift": settings}]}, ["Drift.x=1"])


@pytest.mark.parametrize("source", [3, None, ["a.yaml"], 1.5])
def test_what_is_no_configuration_is_refused(source: Any) -> None:
    with pytest.raises(ConfigError, match="Expected a YAML file or a dictionary of keys and values, got"):
        load_config(source)


def test_all_settings_that_go_nowhere_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"data": DATA}, ["foo=1", "LSTM.epochs=3"])
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["--set foo=1", "--set LSTM.epochs=3"]
    with pytest.raises(ConfigError, match="--set h is given twice"):
        load_config({"data": DATA}, ["h=1", "h=2"])


def test_a_changed_configuration_keeps_its_folder(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("ds,y\n2024-01-01,1\n")
    (tmp_path / "job.yaml").write_text("data: {path: other.csv}\n")
    config = load_config(tmp_path / "job.yaml", ["data.path=t.csv"])
    assert config.data.path == str((tmp_path / "t.csv").resolve())
    assert config.name == "job"
