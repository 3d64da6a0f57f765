"""Shared fixtures: where real data lies, and one thread for equal bits everywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Read when torch and numpy are first imported. On a busy machine, threads that wait for each other cost a factor of 20.
os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("busy", deadline=None)  # a busy machine is no failure
settings.load_profile("busy")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real tables; tests that need it are left out with a reason where it is absent."""
    folder = Path(os.environ.get("FORETIDE_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set FORETIDE_DATA to a folder that holds ETTh1.csv and its neighbours")
    return folder
