"""What takes too long is ended by seconds of computing, and never within an import."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from foretide.forecasters.classical.time_limit import PATIENCE, OutOfTime, Watch, limit


def computing(seconds: float) -> None:
    """Compute, and do not wait."""
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


def test_computing_is_ended() -> None:
    began = time.thread_time()
    with pytest.raises(OutOfTime), limit(0.1):
        computing(5)
    assert time.thread_time() - began < 2


def test_waiting_counts_as_a_part_of_it() -> None:
    with limit(0.5):
        time.sleep(0.6)
    with pytest.raises(OutOfTime), limit(0.02):
        time.sleep(0.02 * PATIENCE + 5)
    with pytest.raises(OutOfTime), limit(0.05, wall=True):
        time.sleep(5)


def test_a_watch_counts_what_its_thread_computes() -> None:
    busy, wall = Watch(), Watch(wall=True)
    time.sleep(0.2)
    assert busy.seconds() < 0.2 <= wall.seconds()
    computing(0.1)
    assert busy.seconds() >= 0.1


def test_an_import_is_not_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_module.py").write_text("import time\nends = time.thread_time() + 0.3\n"
                                             "while time.thread_time() < ends: pass\nwhole = True\n")  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OutOfTime), limit(0.05):
        import slow_module

        computing(5)
    assert sys.modules["slow_module"].whole
    assert slow_module.whole
    del sys.modules["slow_module"]
