"""Forecasters that released versions saved are loaded for ever, and forecast what they forecast then."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import foretide as ft
from foretide.forecasters.artifact import manifest
from foretide.forecasters.gaussian import installed
from foretide.forecasters.table import FORECASTERS

HERE = Path(__file__).parent
VERSIONS = sorted(path.parent.name for path in HERE.glob("*/expected.json"))
CASES = [(version, path.name) for version in VERSIONS for path in sorted((HERE / version).iterdir()) if path.is_dir()]
TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}
"""Of figures between 5 and 40: other processors and versions of NumPy, PyTorch and statsmodels round otherwise."""


@cache
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_artifacts", HERE / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def panel(version: str) -> ft.Panel:
    return make().read(HERE / version / "table.csv")  # type: ignore[no-any-return]  # of a script


@cache
def expected(version: str) -> dict[str, dict[str, Any]]:
    return json.loads((HERE / version / "expected.json").read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize(("version", "case"), CASES)
def test_what_a_version_saved_forecasts_as_it_did(version: str, case: str) -> None:
    folder = HERE / version / case
    missing = [name for name in manifest(folder)["versions"] if name != "python" and not installed(_imported(name))]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    got = make().figures(ft.load(folder, device="cpu"), panel(version))
    assert got.keys() == expected(version)[case].keys()
    for name, values in got.items():
        np.testing.assert_allclose(values, expected(version)[case][name], err_msg=name, **TOLERANCE)


def test_nothing_is_lost() -> None:
    assert VERSIONS[0] == "0.1"
    for version in VERSIONS:
        assert sorted(expected(version)) == [case for own, case in CASES if own == version]
    newest = {manifest(HERE / VERSIONS[-1] / case)["forecaster"] for case in expected(VERSIONS[-1])}
    assert set(FORECASTERS) <= newest  # a new forecaster: model.save of it into the folder of its version


def _imported(package: str) -> str:
    return {"scikit-learn": "sklearn"}.get(package, package)
