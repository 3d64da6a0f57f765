from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import make_panel
from hypothesis import given, settings
from hypothesis import strategies as st

import foretide as ft
from foretide.errors import ArtifactError, ConfigError
from foretide.forecasters import artifact
from foretide.forecasters.classical.arima import ARIMA
from foretide.forecasters.simple.baselines import Persistence, SeasonalNaive
from foretide.forecasters.table import FORECASTERS, as_typed, forecaster_class


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    SeasonalNaive(3, 7).fit(make_panel((30,))).save(tmp_path / "model")
    return tmp_path / "model"


leaves = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(allow_nan=False), st.text(max_size=3))
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple), st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(value=values)
def test_settings_come_back_as_they_were(value: Any) -> None:
    text = json.dumps(artifact.to_json(value), allow_nan=False)
    back = artifact.from_json(json.loads(text))
    assert back == value
    assert repr(back) == repr(value)


def test_not_a_number_comes_back() -> None:
    assert np.isnan(artifact.from_json(artifact.to_json(float("nan"))))
    assert artifact.to_json(np.int64(3)) == 3
    assert artifact.to_json(np.array([1.5, 2.5])) == [1.5, 2.5]


@pytest.mark.parametrize("value", [object(), {1: 2}, b"bytes"])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ArtifactError, match="cannot be written as JSON"):
        artifact.to_json(value)


def test_manifest_lists_files_and_versions(saved: Path) -> None:
    found = artifact.manifest(saved)
    assert found["forecaster"] == "SeasonalNaive"
    assert {"foretide", "numpy", "python"} <= found["versions"].keys()
    for name, digest in found["files"].items():
        assert hashlib.sha256((saved / name).read_bytes()).hexdigest() == digest
    assert sorted(found["files"]) == ["settings.json", "state.safetensors"]


def test_saving_again_replaces(saved: Path) -> None:
    Persistence(2).fit(make_panel((30,))).save(saved)
    assert isinstance(artifact.load(saved), Persistence)
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    Persistence(2).fit(make_panel((30,))).save(tmp_path / "model")
    assert artifact.load(tmp_path / "model").h == 2


@pytest.mark.parametrize("foreign", ["notes.txt", "manifest.json"])
def test_other_folders_are_left_alone(tmp_path: Path, foreign: str) -> None:
    (tmp_path / foreign).write_text("{}")
    with pytest.raises(ArtifactError, match=r"is left alone\. Choose another folder"):
        Persistence(2).fit(make_panel((30,))).save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [foreign]


def test_a_model_folder_with_something_else_in_it_is_left_alone(saved: Path) -> None:
    (saved / "thesis.txt").write_text("years of work")
    with pytest.raises(ArtifactError, match="is left alone"):
        Persistence(2).fit(make_panel((30,))).save(saved)
    assert (saved / "thesis.txt").read_text() == "years of work"


def test_an_interrupted_save_leaves_the_old_model(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", stop)
    with pytest.raises(KeyboardInterrupt):
        Persistence(2).fit(make_panel((30,))).save(saved)
    assert isinstance(artifact.load(saved), SeasonalNaive)
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_a_failed_rename_leaves_the_old_model(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def fail_once(self: Path, target: Path) -> Path:
        if Path(target) == saved and self.name != "old":
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(OSError, match="disk full"):
        Persistence(2).fit(make_panel((30,))).save(saved)
    assert isinstance(artifact.load(saved), SeasonalNaive)
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="There is no folder"):
        artifact.load(tmp_path / "nowhere")


def test_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"is not a saved forecaster: it holds no manifest\.json"):
        artifact.load(tmp_path)


def test_a_lacking_file(saved: Path) -> None:
    (saved / "state.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"lacks its file state\.safetensors"):
        artifact.load(saved)


@pytest.mark.parametrize("name", ["settings.json", "state.safetensors"])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_one_bit_that_was_changed_since_is_seen(saved: Path, name: str, place: str) -> None:
    content = bytearray((saved / name).read_bytes())
    content[{"first": 0, "middle": len(content) // 2, "last": -1}[place]] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{name} was changed since it was saved \(SHA-256 differs\)"):
        artifact.load(saved)


def test_weights_of_another_fit_are_seen(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    SeasonalNaive(2, season=7).fit(make_panel((40,))).save(other)
    (saved / "state.safetensors").write_bytes((other / "state.safetensors").read_bytes())
    with pytest.raises(ArtifactError, match=r"state\.safetensors was changed since it was saved"):
        artifact.load(saved)


def test_an_unreadable_manifest(saved: Path) -> None:
    (saved / "manifest.json").write_text("{")
    with pytest.raises(ArtifactError, match="cannot be read"):
        artifact.load(saved)


def test_a_later_format(saved: Path) -> None:
    path = saved / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(ArtifactError, match="was written in format 99; this foretide reads up to 2"):
        artifact.load(saved)


def test_a_class_of_ones_own_is_refused(tmp_path: Path) -> None:
    class Persistance(Persistence):
        pass

    with pytest.raises(ArtifactError, match=r"'Persistance' cannot be saved\. Did you mean 'Persistence'"):
        Persistance(2).fit(make_panel((30,))).save(tmp_path / "model")


def test_unknown_name() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'SeasonalNaive'"):
        forecaster_class("SeasonalNaiv")


def test_names_of_the_table_are_those_of_the_classes() -> None:
    for name in FORECASTERS:
        assert forecaster_class(name).__name__ == name
        assert getattr(ft, name) is forecaster_class(name)
    assert as_typed("seasonal-naive") == "SeasonalNaive"
    assert as_typed("nothing") == "nothing"


def test_tuples_of_settings_come_back(tmp_path: Path) -> None:
    ARIMA(3, (1, 0, 0)).fit(make_panel((60,))).save(tmp_path / "model")
    assert artifact.load(tmp_path / "model").settings()["order"] == (1, 0, 0)
