"""Arrays in files of safetensors: byte for byte those of that package, and never in memory as a whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import foretide as ft
from foretide.data import scratch, tensors
from foretide.data.tensors import load_tensors, write_tensors
from foretide.errors import ArtifactError
from foretide.forecasters.artifact import load
from foretide.typing import Array

peer = pytest.importorskip("safetensors.numpy", reason="the environment of frames does without")
RNG = np.random.default_rng(0)
KINDS = ("f8", "f4", "i8", "i4", "u1", "?")
SETS: list[dict[str, Array]] = [
    {},
    {"b": np.zeros((0, 3)), "a": np.float64(2.5).reshape(()), "größe/\"x\\": np.arange(5)},
    {f"{kind} {k}": (RNG.random((3, k)) * 9).astype(kind) for k in (1, 2) for kind in KINDS},
    {"transposed": RNG.random((40, 30)).T, "every other": np.arange(50, dtype=np.int32)[::2],
     "B": np.zeros(3), "a": np.ones(3)},
]  # fmt: skip


@pytest.mark.parametrize("arrays", SETS)
@pytest.mark.parametrize("part", [64, 4 << 20])
def test_files_are_those_of_the_package(
    arrays: dict[str, Array], part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensors, "_PART", part)
    path = tmp_path / "a.safetensors"
    told = write_tensors(path, arrays)
    assert path.read_bytes() == peer.save(
        {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
    )
    assert told == hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_tensors(path, "of another file") is None
    found = load_tensors(path, told)
    assert found is not None
    assert found.keys() == arrays.keys()
    for name, array in peer.load_file(path).items():
        assert found[name].dtype == array.dtype
        assert found[name].flags.writeable
        np.testing.assert_array_equal(found[name], array)


def test_other_types_are_refused_when_they_are_written(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="'a' is complex128, expected one of float64, float32"):
        write_tensors(tmp_path / "a.safetensors", {"a": np.zeros(2, complex)})


def test_a_long_history_stays_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = ft.synthetic.supplies(T=300, n_sites=4).panel
    model = ft.SeasonalES(h=7, season=7).fit(panel)
    model.save(tmp_path / "model")
    whole = load(tmp_path / "model")
    monkeypatch.setattr(scratch, "IN_MEMORY", 4_000)
    again = load(tmp_path / "model")
    held = [one._fitted is not None and one._fitted.history is not None
            and scratch.mapped_file(one._fitted.history.values) is not None for one in (whole, again)]  # fmt: skip
    assert held == [False, True]
    np.testing.assert_array_equal(again.predict(panel).mean, model.predict(panel).mean)
    again.save(tmp_path / "again")
    for name in ("state.safetensors", "settings.json", "manifest.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "model" / name).read_bytes()
