from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from foretide.training import heap

PROGRAM = """
import contextlib, resource, sys
from foretide.training.heap import kept_heap
import torch

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        some = [torch.zeros(10_000_000) for _ in range(3)]
        del some
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

outside = faults()
with kept_heap():
    faults()
    inside = faults()
print(outside, inside)
"""


@pytest.mark.skipif(heap._glibc() is None, reason="needs glibc")
def test_steps_do_not_wait_for_empty_pages() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    outside, inside = map(int, done.stdout.split())
    assert outside > 1_000  # 10 times 120 MB in pages of 4 KiB, or fewer and larger ones
    assert inside < outside / 10


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    heap._glibc.cache_clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda *_: pytest.fail("looked for a library"))
    with heap.kept_heap():
        pass
    monkeypatch.undo()
    heap._glibc.cache_clear()
