from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

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


def edited(folder: Path, **files: bytes) -> Path:
    """Put other content into files of a saved forecaster, with their checksums."""
    listed = json.loads((folder / "manifest.json").read_text())
    for name, content in files.items():
        file = f"{name}.json" if name == "settings" else f"{name}.safetensors"
        (folder / file).write_bytes(content)
        listed["files"][file] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(listed))
    return folder


def described(folder: Path) -> Any:
    return json.loads((folder / "settings.json").read_text())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"h": 3', '"h": 3, "h": 4', "the key 'h' comes twice"),
        ('"h": 3', '"h": NaN', "NaN is no number of JSON"),
        ('"h": 3', '"h": 1e999', "1e999 is too large a number"),
        ('"h": 3', f'"h": 1{"0" * 5000}', "a whole number of 5,001 digits"),
        ('"h": 3', f'"h": {"[" * 5000}{"]" * 5000}', "nested too deeply, expected at most 60 levels"),
        ('"h": 3', f'"h": {"[" * 70}{"]" * 70}', "nested too deeply, expected at most 60 levels"),
        ('"h": 3', '"h": 1000000', "h is the number of steps to forecast, at most 100,000; got 1,000,000"),
        ('"h": 3', '"h": 1000000000000', "h is 1,000,000,000,000, expected at most 10,000,000"),
        ('"h": 3', '"h": 3, "hidden": 8', "unexpected keyword argument 'hidden'"),
        ('"season": 7', '"season": 7.5', "holds what no saved forecaster does"),
        ('"past": []', '"past": 3', r"past of Fitted is tuple\[str, ...\], got 3"),
        ('"alias": null', '"alias": "\\ud800"', "surrogates not allowed"),
        ('"alias": null', '"alias": 3', "alias is the name of the model in tables, a text; got 3"),
        ('"forecaster": "SeasonalNaive"', '"forecaster": "Drift"', "describes another forecaster than"),
        ('"panel": {', '"panel": {"surplus": 1,', "panel.surplus is of no use to this forecaster"),
    ],
)
def test_edited_settings_are_refused_in_one_line(saved: Path, old: str, new: str, message: str) -> None:
    text = (saved / "settings.json").read_text()
    assert old in text
    edited(saved, settings=text.replace(old, new, 1).encode())
    with pytest.raises(ArtifactError, match=message) as caught:
        artifact.load(saved)
    assert str(saved) in str(caught.value)
    assert "\n" not in str(caught.value)


def state_of(folder: Path) -> dict[str, Any]:
    return load_file(folder / "state.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a | {"history/intervals/floor": a["history/intervals/floor"] * np.nan}, "expected numbers within"),
        (lambda a: a | {"history/values": a["history/values"] + np.inf}, "expected numbers within"),
        (lambda a: a | {"history/values": a["history/values"].astype(np.float32)[:-1]}, "rows that it remembers"),
        (lambda a: a | {"history/row0": a["history/row0"] + 1}, "rows that it remembers"),
        (
            lambda a: a | {"history/length": a["history/length"].astype(np.float64)},
            "length of Panel is Ints, got an arr",
        ),
        (lambda a: a | {"surplus": np.zeros(2)}, "an array 'surplus', of which this forecaster has no use"),
        (lambda a: {}, "missing 5 required positional arguments"),
    ],
)
def test_edited_arrays_are_refused_in_one_line(saved: Path, change: Any, message: str) -> None:
    edited(saved, state=to_bytes(change(state_of(saved))))
    with pytest.raises(ArtifactError, match=message) as caught:
        artifact.load(saved)
    assert str(saved) in str(caught.value)


def test_a_weights_file_of_another_network_is_refused(tmp_path: Path) -> None:
    panel = make_panel((60,))
    settings: dict[str, Any] = {"h": 3, "input_size": 14, "epochs": 1}
    ft.LSTM(hidden=8, **settings).fit(panel).save(tmp_path / "small")
    ft.LSTM(hidden=12, **settings).fit(panel).save(tmp_path / "large")
    edited(tmp_path / "small", state=(tmp_path / "large" / "state.safetensors").read_bytes())
    with pytest.raises(ArtifactError, match="size mismatch"):
        artifact.load(tmp_path / "small")


def test_sizes_are_looked_at_before_memory_is_taken(saved: Path) -> None:
    content = (saved / "state.safetensors").read_bytes()
    with (saved / "state.safetensors").open("r+b") as file:
        file.truncate(10**12)
    with pytest.raises(ArtifactError, match=r"has 1,000,000,000,000 bytes, expected at most"):
        artifact.load(saved)
    for size in (2**40, 2**63):
        edited(saved, state=size.to_bytes(8, "little") + content[8:])
        with pytest.raises(ArtifactError, match="its header of .* bytes is not in it"):
            artifact.load(saved)


def test_what_is_no_file_is_not_waited_for(saved: Path) -> None:
    for name in ("manifest.json", "settings.json", "state.safetensors"):
        content = (saved / name).read_bytes()
        (saved / name).unlink()
        os.mkfifo(saved / name)
        with pytest.raises(ArtifactError, match=f"{name} is no file"):
            artifact.load(saved)
        (saved / name).unlink()
        (saved / name).write_bytes(content)
    assert artifact.load(saved).h == 3


def test_what_fails_in_a_forecast_of_a_loaded_model_is_its_files_fault(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, model = make_panel((30,)), artifact.load(saved)

    def fail(*_: Any) -> Any:
        raise IndexError("index 7 is out of bounds")

    monkeypatch.setattr(SeasonalNaive, "_predict", fail)
    with pytest.raises(ArtifactError, match=f"{saved} holds what no saved forecaster does.*index 7 is out of bounds"):
        model.predict(panel)
    with pytest.raises(ArtifactError, match="index 7 is out of bounds"):
        artifact.load(saved)
    model._loaded = None
    with pytest.raises(IndexError):
        model.predict(panel)


def test_a_key_tells_whose_a_forecaster_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORETIDE_KEY", raising=False)
    model, folder = Persistence(2).fit(make_panel((30,))), tmp_path / "model"
    model.save(folder)
    with pytest.raises(ArtifactError, match="is not signed, and a key was given"):
        ft.load(folder, key="mine")
    model.save(folder, key="mine")
    assert ft.load(folder, key=b"mine").h == ft.load(folder).h == 2
    with pytest.raises(ArtifactError, match="was not made with this key"):
        ft.load(folder, key="other")
    text = (folder / "settings.json").read_bytes()
    edited(folder, settings=text.replace(b'"alias": null', b'"alias": "better"'))
    assert ft.load(folder).name == "better"
    with pytest.raises(ArtifactError, match="was not made with this key, or the forecaster was changed"):
        ft.load(folder, key="mine")
    monkeypatch.setenv("FORETIDE_KEY", "of the environment")
    with pytest.raises(ArtifactError, match="was not made with this key"):
        ft.load(folder)
    model.save(folder)
    assert ft.load(folder, key="of the environment").h == 2
    with pytest.raises(ConfigError, match="key is a text or bytes that only you know"):
        model.save(folder, key="")
    monkeypatch.delenv("FORETIDE_KEY")
    model.save(folder)
    assert not (folder / "manifest.hmac").exists()


def test_a_network_is_loaded_where_it_can_compute(tmp_path: Path) -> None:
    panel = make_panel((60,))
    inner: dict[str, Any] = {"LSTM": {"input_size": 14, "hidden": 4, "epochs": 1, "device": "cpu"}}
    ft.Ensemble([inner, "Persistence"], h=3).fit(panel).save(tmp_path / "model")
    text = (tmp_path / "model" / "settings.json").read_text()
    edited(tmp_path / "model", settings=text.replace('"device": "cpu"', '"device": "cuda:99"').encode())
    model = ft.load(tmp_path / "model")
    assert model.parts[0].settings()["device"] == "auto"
    assert np.isfinite(model.predict(panel).mean).all()
    assert ft.load(tmp_path / "model", device="cpu").parts[0].settings()["device"] == "cpu"
    with pytest.raises(ConfigError, match=r"device='cuda:99' is not there"):
        ft.load(tmp_path / "model", device="cuda:99")
    with pytest.raises(ConfigError, match=r"device='gpu' is not known\. Type 'auto', 'cpu' or 'cuda'"):
        ft.load(tmp_path / "model", device="gpu")


@pytest.mark.parametrize("name", ["SeasonalNaive", "Ridge", "LSTM"])
def test_a_table_with_zone_text_and_statics_is_remembered(tmp_path: Path, name: str) -> None:
    times = pd.date_range("2024-03-20", periods=300, freq="h", tz="Europe/Berlin")
    parts = [
        pd.DataFrame({
            "unique_id": f"s{k}", "ds": times, "y": np.arange(300) % 24 + k, "w": ["dry", "rain", "snow"] * 100,
            "x": np.arange(300) % 5, "kind": ["big", "small", "big"][k], "size": k * 1.5,
        })
        for k in range(3)
    ]  # fmt: skip
    panel = ft.Panel.from_frame(pd.concat(parts), past="x", future="w", static=["kind", "size"])
    cutoffs = list(panel.grid.output_times([280]))
    kind = forecaster_class(name)
    model = kind(**{"h": 4, **kind.quick}).fit(panel, until=cutoffs[0])
    model.save(tmp_path / "model")
    loaded = artifact.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(panel, cutoffs).mean, model.predict(panel, cutoffs).mean)


def test_a_class_that_is_unknown_here_is_named_with_the_nearest(saved: Path) -> None:
    text = (saved / "settings.json").read_text().replace('"SeasonalNaive"', '"SeasonalNaiv"', 1)
    (saved / "settings.json").write_text(text)
    found = json.loads((saved / "manifest.json").read_text())
    found["files"]["settings.json"] = hashlib.sha256(text.encode()).hexdigest()
    (saved / "manifest.json").write_text(json.dumps({**found, "forecaster": "SeasonalNaiv"}))
    with pytest.raises(ArtifactError, match=r"holds a forecaster 'SeasonalNaiv', unknown here\. Did you mean"):
        artifact.load(saved)


def test_files_of_earlier_days_that_hold_seconds_are_loaded(tmp_path: Path) -> None:
    panel = make_panel((120,))
    model = ft.LSTM(h=4, input_size=12, epochs=1, hidden=4).fit(panel)
    model.save(tmp_path / "model")
    described = json.loads((tmp_path / "model" / "settings.json").read_text())
    assert described["facts"]["history"]
    for row in described["facts"]["history"]:
        row["seconds"] = 0.25
    text = json.dumps(described)
    (tmp_path / "model" / "settings.json").write_text(text)
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    manifest["files"]["settings.json"] = hashlib.sha256(text.encode()).hexdigest()
    (tmp_path / "model" / "manifest.json").write_text(json.dumps(manifest))
    loaded = ft.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(panel).mean, model.predict(panel).mean)
