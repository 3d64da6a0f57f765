"""Shared fixtures: where real data lies, one thread for equal bits everywhere, and no waiting for the disk."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Read when torch and numpy are first imported. On a busy machine, threads that wait for each other cost a factor of 20.
os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("busy", deadline=None)  # a busy machine is no failure
settings.load_profile("busy")
os.fsync = lambda fd: None  # type: ignore[assignment]  # hundreds of waits for the disk; no test cuts the power

MANY_TESTS = 1_000
MOST_PICTURES = 400
ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_finish(session: pytest.Session) -> None:
    """Spare the garbage collector all tests and PyTorch, which it would walk through again and again."""
    if len(session.items) > MANY_TESTS:
        with contextlib.suppress(ImportError):
            importlib.import_module("torch")
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 10, 10)


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


@pytest.fixture(scope="session", autouse=True)
def drawn() -> Iterator[dict[Any, bytes]]:
    """A picture that is equal in all it shows to one that this process has drawn is written from what was drawn then.

    Most of a small run's time goes into drawing, and many tests run the same configuration. Who looks at the drawing
    itself clears what is kept.
    """
    import foretide.report.render.files as files

    draw, ink, seen = files.draw, files._print, dict[tuple[bytes, str], bytes]()

    def told(*panels: Any, **options: Any) -> Any:
        figure = draw(*panels, **options)
        figure.told = blake2b(pickle.dumps((panels, sorted(options.items())))).digest()  # type: ignore[attr-defined]
        return figure

    def once(figure: Any, kind: str) -> bytes:
        about = (figure.told, kind) if hasattr(figure, "told") else None
        if about is None:
            return ink(figure, kind)
        if about not in seen:
            seen[about] = ink(figure, kind)
            if len(seen) > MOST_PICTURES:
                del seen[next(iter(seen))]
        return seen[about]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "draw", told)
        patch.setattr(files, "_print", once)
        yield seen
