"""A few seconds of the fuzzer; ten minutes of it are run by hand, see its first lines."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).with_name("readers.py")


@pytest.fixture(scope="module")
def readers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readers", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["readers"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_damage_ends_in_a_panel_or_one_error() -> None:
    command = [sys.executable, str(SCRIPT), "--seconds", "120", "--most", "250", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("250 inputs")


def test_a_death_and_a_strange_error_are_seen(
    readers: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in = tmp_path / "script.py"
    stand_in.write_text(
        "import json, os, sys\nprint('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    if int(line) == 2: os.abort()\n"
        "    kind = 'exception' if int(line) == 3 else 'read'\n"
        "    print(json.dumps({'is': kind, 'what': 'KeyError', 'where': 'x', 'seconds': 0.1}), flush=True)\n"
    )
    monkeypatch.setattr(readers, "__file__", str(stand_in))
    outcome = readers.watch(0, 60, 5)
    assert (outcome.inputs, outcome.read, len(outcome.exceptions), len(outcome.deaths)) == (5, 3, 1, 1)
    assert outcome.deaths[0].startswith("seed 0, number 2")
    assert not outcome.ok
