from __future__ import annotations

import subprocess
import sys
import time

import pytest

from foretide.evaluation.metrics import cost as module
from foretide.evaluation.metrics.cost import measured


def in_a_fresh_process(code: str) -> list[float]:
    """Run code that prints numbers where no other test has left memory to give back."""
    head = "import time\nimport numpy as np\nfrom foretide.evaluation.metrics.cost import measured\n"
    done = subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=True, timeout=120)
    return [float(number) for number in done.stdout.split()]


def test_seconds_and_memory_of_a_block() -> None:
    seconds, peak, first = in_a_fresh_process(
        "with measured() as cost:\n    ones = np.ones(40 * 2**20 // 8)\n    time.sleep(0.05)\n"
        "print(cost.seconds, cost.peak_mib, ones[0])"
    )
    assert seconds >= 0.05
    assert 35 < peak < 120
    assert first == 1


def test_memory_given_back_before_the_end_counts_too() -> None:
    high, low = in_a_fresh_process(
        "with measured() as cost:\n    np.ones(60 * 2**20 // 8).sum()\nprint(cost.peak_mib)\n"
        "with measured() as cost:\n    pass\nprint(cost.peak_mib)"
    )
    assert high > 50
    assert low < 20


def test_measured_when_the_block_raises() -> None:
    with pytest.raises(RuntimeError, match="no"), measured() as cost:
        time.sleep(0.01)
        raise RuntimeError("no")
    assert cost.seconds >= 0.01


def test_without_proc_the_growth_of_the_peak_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "_STATUS", tmp_path / "none")
    monkeypatch.setattr(module, "_CLEAR", tmp_path / "no" / "where")
    with measured() as cost:
        pass
    assert 0 <= cost.peak_mib < 50
