"""Seconds and memory of a piece of work."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


@dataclass
class Cost:
    """What a piece of work took.

    Attributes
    ----------
    seconds : float
        Wall clock.
    peak_mib : float
        How far the memory of the process rose above what it was at the start, in MiB; NaN where the system does not
        tell. Memory that was freed and kept by the allocator before can be used again without being seen here.
    """

    seconds: float = 0.0
    peak_mib: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the block; the figures are there when it ends, whether or not it raises.

    Yields
    ------
    Cost

    Examples
    --------
    >>> with measured() as cost:
    ...     total = sum(range(1000))
    >>> cost.seconds > 0
    True
    """
    cost = Cost()
    before = _start_memory()
    start = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - start
        cost.peak_mib = max(_peak() - before, 0.0)


def _start_memory() -> float:
    """Return the memory in use, in MiB, and have the peak counted from here where the system can (Linux)."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
        return _status("VmRSS")
    except OSError:
        return _peak()


def _peak() -> float:
    """Return the most memory used, in MiB."""
    try:
        return _status("VmHWM")
    except OSError:
        try:
            import resource
        except ImportError:  # Windows
            return float("nan")
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _status(name: str) -> float:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise OSError(f"{_STATUS} has no {name}")
