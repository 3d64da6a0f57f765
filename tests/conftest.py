"""Shared fixtures: where real data lies, one thread for equal bits everywhere, and no waiting for the disk."""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import os
from collections.abc import Callable, Iterator
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
def sketched() -> Iterator[Callable[..., Any]]:
    """Pictures beside a summary are drawn once for each make of picture, and the next of that make gets the same file.

    Drawing took half the time of every small run. That each view of every page can be drawn is asked by
    tests/pictures, and what is in a picture by its own tests; whoever looks at these files asks for ``true_pictures``.
    """
    import foretide.report.render.files as files

    draw, seen = files._printed, dict[Any, Any]()

    def once(panels: Any, title: str, *, wide: bool) -> Any:
        make = (wide, bool(title), len(panels) > 1, frozenset(type(mark) for panel in panels for mark in panel.marks))
        if make not in seen:
            seen[make] = draw(panels, title, wide=wide)
        return seen[make]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_printed", once)
        yield draw


@pytest.fixture(scope="session", autouse=True)
def _few_orders() -> Iterator[None]:
    """The AutoARIMA of statsforecast tries few orders where a test names none: most of a contest went into its search.

    What is asked of it is the same for any order: that it is fitted, judged, saved and blended.
    """
    import foretide.forecasters.classical.stats as stats

    own = stats._kind
    with pytest.MonkeyPatch.context() as patch:

        def kind(name: str) -> Any:
            found: Any = own(name)
            if name == "AutoARIMA":
                names = [n for n, p in inspect.signature(found).parameters.items() if p.default is not p.empty]
                orders = {"max_p": 1, "max_q": 1, "max_P": 1, "max_Q": 0}
                had = found.__init__.__defaults__
                few = tuple(orders.get(n, value) for n, value in zip(names, had, strict=True))
                patch.setattr(found.__init__, "__defaults__", few)
            return found

        patch.setattr(stats, "_kind", kind)
        yield


@pytest.fixture
def true_pictures(sketched: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures beside a summary are drawn as they are."""
    monkeypatch.setattr("foretide.report.render.files._printed", sketched)
