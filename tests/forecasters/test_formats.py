from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from foretide.errors import ArtifactError
from foretide.forecasters import artifact, formats

SAVED = Path(__file__).parents[1] / "artifacts" / "0.1" / "Ridge"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The committed Ridge as if classes and arrays had been called otherwise when it was written."""
    folder = shutil.copytree(SAVED, tmp_path / "old")
    settings, listed = (json.loads((folder / name).read_text()) for name in ("settings.json", "manifest.json"))
    (folder / "settings.json").write_text(json.dumps({**settings, "forecaster": "Linear2"}))
    arrays = load_file(folder / "state.safetensors")
    arrays["offset"] = -arrays.pop("intercept")
    save_file(arrays, folder / "state.safetensors")
    listed["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in listed["files"]}
    (folder / "manifest.json").write_text(json.dumps({**listed, "forecaster": "Linear2"}))
    return folder


def today(monkeypatch: pytest.MonkeyPatch, number: int, **converters: Any) -> None:
    monkeypatch.setattr(formats, "FORMAT", number)
    monkeypatch.setattr(artifact, "FORMAT", number)
    monkeypatch.setattr(formats, "CONVERTERS", {int(name.removeprefix("of_")): f for name, f in converters.items()})


def with_the_class(described: dict[str, Any], arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    assert described["format"] == 2
    return {**described, "forecaster": "Ridge"}, arrays


def with_the_array(described: dict[str, Any], arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    assert described["format"] == 3
    return described, {**{k: v for k, v in arrays.items() if k != "offset"}, "intercept": -arrays["offset"]}


def test_older_formats_are_converted_one_after_the_other(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = artifact.load(SAVED)
    with pytest.raises(ArtifactError, match=r"old holds a forecaster 'Linear2', unknown here"):
        artifact.load(old)
    today(monkeypatch, 4, of_2=with_the_class, of_3=with_the_array)
    found = artifact.load(old)
    assert repr(found) == repr(expected)
    for name, array in expected.state().items():
        np.testing.assert_array_equal(found.state()[name], array)
    found.save(old)
    assert artifact.manifest(old)["format"] == 4
    assert artifact.load(old).facts() == expected.facts()


def test_what_a_converter_returns_is_checked_as_files_of_today(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    today(monkeypatch, 3, of_2=with_the_class)
    with pytest.raises(ArtifactError, match=r"old.*an array 'offset'"):
        artifact.load(old)
    today(monkeypatch, 3, of_2=lambda described, arrays: (described, {"x": arrays["none"]}))
    with pytest.raises(ArtifactError, match=r"old.settings\.json holds what no saved forecaster does \(KeyError"):
        artifact.load(old)


def test_a_format_from_which_no_way_leads_here_is_refused(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    today(monkeypatch, 4, of_3=with_the_array)
    with pytest.raises(ArtifactError, match=r"format 2, from which no way leads to format 4\. Fit again"):
        artifact.load(old)
    listed = json.loads((old / "manifest.json").read_text())
    for number, said in ((1, "before forecasters kept the origin"), (0, "no way leads"), (-(10**18), "no way leads")):
        (old / "manifest.json").write_text(json.dumps({**listed, "format": number}))
        with pytest.raises(ArtifactError, match=rf"old was written in format {number}, .*{said}"):
            artifact.load(old)
