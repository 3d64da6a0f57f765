from __future__ import annotations

import time

import numpy as np
import pytest

from foretide.evaluation.metrics import cost as module
from foretide.evaluation.metrics.cost import measured


def test_seconds_and_memory_of_a_block() -> None:
    with measured() as cost:
        kept = np.ones(40 * 2**20 // 8)
        time.sleep(0.05)
    assert cost.seconds >= 0.05
    assert 35 < cost.peak_mib < 120
    assert kept[0] == 1


def test_memory_given_back_before_the_end_counts_too() -> None:
    with measured() as cost:
        np.ones(60 * 2**20 // 8).sum()
    assert cost.peak_mib > 50
    with measured() as cost:
        pass
    assert cost.peak_mib < 20


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
