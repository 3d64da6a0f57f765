"""Configurations: everything wrong is found at once and the nearest key is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foretide.errors import ConfigError
from foretide.jobs.config import Config, load_config, read_yaml, write_yaml

DATA = {"synthetic": {"generator": "hourly"}}


def test_yaml_reads_what_people_mean() -> None:
    read = read_yaml("lr: 1e-3\nflag: no\nat: 12:30\nday: 2017-01-01\non: true\n")
    assert read["lr"] == 0.001
    assert isinstance(read["lr"], float)
    assert read["flag"] == "no"
    assert read["at"] == "12:30"
    assert read["on"] is True


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: 1\na: 2\n", "duplicate key"), ("a: [1\n", "not valid YAML"), ("a: !!python/none x", "YAML")],
)
def test_bad_yaml_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_yaml(text)


def test_every_wrong_key_is_named_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"data": {"synthetic": {"generatr": "hourly"}, "tme": "ds"}, "modles": [], "h": 0})
    text = str(caught.value)
    assert "4 problems" in text
    assert "data.synthetic.generatr: no such key. Did you mean 'generator'?" in text
    assert "data.tme: no such key. Did you mean 'time'?" in text
    assert "modles: no such key. Did you mean 'models'?" in text
    assert "h: Input should be greater than or equal to 1 (got 0)" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {}}, "exactly one of `path`"),
        ({"data": {"path": "x.csv", "synthetic": {}}}, "exactly one of `path`"),
        ({"split": {"fractions": [0.5, 0.2, 0.2]}}, "sum to one"),
        ({"split": {"train_until": "2020-01-01"}}, "both `train_until` and `val_until`"),
        ({"calendar": {"subdivision": "VIC"}}, "needs a `country`"),
        ({"models": "Attention"}, "expected a list such as"),
        ({"models": [], "baselines": False}, "nothing to run"),
        ({"levels": ["many"]}, r"levels: A level is a percentage.*Type levels: \[80, 95\]"),
        ({"seeds": []}, "seeds"),
    ],
)
def test_values_that_cannot_work(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config({"data": DATA, **change})


def test_models_are_written_in_three_ways() -> None:
    forms: list[Any] = [
        ["LSTM", {"Attention": {"hidden": 32}}],
        {"LSTM": None, "Attention": {"hidden": 32}},
        [{"name": "LSTM"}, {"name": "Attention", "settings": {"hidden": 32}}],
    ]
    configs = [load_config({"data": DATA, "models": form}) for form in forms]
    assert configs[0] == configs[1] == configs[2]


def test_a_configuration_survives_writing_and_reading() -> None:
    config = load_config(
        {"data": DATA, "models": ["LSTM", {"Attention": {"lr": 1e-3}}], "split": {"fractions": [0.6, 0.2, 0.2]}}
    )
    assert load_config(read_yaml(write_yaml(config.model_dump(mode="json")))) == config


def test_dates_stay_text() -> None:
    config = load_config(
        {"data": DATA, "split": read_yaml("train_until: 2019-02-01\nval_until: 2019-03-01 12:00:00\n")}
    )
    assert config.split.train_until == "2019-02-01"
    assert config.split.val_until == "2019-03-01 12:00:00"


def test_a_configuration_is_frozen() -> None:
    config = load_config({"data": DATA})
    with pytest.raises(ValueError, match="frozen"):
        config.h = 3  # type: ignore[misc]
    assert isinstance(config, Config)


def test_data_is_found_beside_above_here_and_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORETIDE_DATA", raising=False)
    project, elsewhere = tmp_path / "project", tmp_path / "data"
    (project / "examples").mkdir(parents=True)
    elsewhere.mkdir()
    file = project / "examples" / "c.yaml"
    file.write_text("data: {path: ../data/t.csv, target: y}\n")
    with pytest.raises(ConfigError, match=r"(?s)No data file '../data/t.csv'. Looked for.*FORETIDE_DATA"):
        load_config(file)
    nobody = {"data": {"path": "~nobody-of-this-name/t.csv", "target": "y"}}
    with pytest.raises(ConfigError, match=r"(?s)No data file '~nobody-of-this-name/t.csv'. Looked for"):
        load_config(nobody)
    (elsewhere / "t.csv").write_text("ds,y\n")
    assert load_config(file).data.path == str((elsewhere / "t.csv").resolve())
    assert load_config(file).name == "c"
    (elsewhere / "t.csv").rename(tmp_path / "t.csv")
    monkeypatch.setenv("FORETIDE_DATA", str(tmp_path))
    assert load_config(file).data.path == str((tmp_path / "t.csv").resolve())


def test_a_missing_configuration_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No configuration at"):
        load_config(tmp_path / "no.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="to hold keys and values"):
        load_config(tmp_path / "list.yaml")
