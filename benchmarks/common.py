"""Shared by the benchmarks: threads, real data, result files with versions."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import resource
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch

RESULTS = Path(__file__).parent / "results"
LOOK_EVERY, LOOK_AROUND = 0.02, 0.2
"""Seconds between two looks at the memory of this process, and at which others it has started."""


def arguments(description: str | None, **extra: dict) -> argparse.Namespace:
    """Parse ``--threads`` and whatever a benchmark adds, and set the threads."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=1)
    for name, options in extra.items():
        parser.add_argument(f"--{name}", **options)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    return chosen


def real_data() -> Path:
    """Folder of the real data sets: ``FORETIDE_DATA``, or ``../shared/data`` beside the project."""
    return Path(os.environ.get("FORETIDE_DATA") or Path(__file__).parents[2] / "shared" / "data")


def save(name: str, rows: Sequence[dict], threads: int, *, show: bool = True) -> pd.DataFrame:
    """Write ``results/<name>.csv`` with the versions and thread count in every row, and print it."""
    frame = pd.DataFrame(rows)
    frame["threads"] = threads
    for package in ("foretide", "torch", "numpy"):
        frame[package] = version(package)
    frame["python"] = platform.python_version()
    RESULTS.mkdir(exist_ok=True)
    frame.to_csv(RESULTS / f"{name}.csv", index=False, float_format="%.5g")
    if show:
        print(frame.drop(columns=["torch", "numpy", "python", "foretide"]).to_string(index=False), flush=True)
    return frame


@dataclass
class Used:
    """What a piece of work took.

    Attributes
    ----------
    cpu_s, seconds : float
        Of the processors, ended workers included, and on the clock.
    own_mib, worker_mib : float
        Most resident memory of this process since it began, and of the largest that it started.
    anonymous_mib : float
        Most of this process during the block, pages of mapped files left out: those are the system's, which takes them
        back when it needs room.
    """

    cpu_s: float = 0.0
    seconds: float = 0.0
    own_mib: float = 0.0
    worker_mib: float = 0.0
    anonymous_mib: float = 0.0

    @property
    def peak_mib(self) -> float:
        """Of this process and the largest that it started."""
        return self.own_mib + self.worker_mib


@contextmanager
def used() -> Iterator[Used]:
    """Measure the block, processes that it starts included.

    Memory is the kernel's own peak, looked at all the time: a process begins with that of its parent in what
    ``getrusage`` says, even after ``exec``, and :func:`foretide.evaluation.metrics.cost.measured` sets the other back.
    """
    found, over = Used(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(found, over), daemon=True)
    began, clock = os.times(), time.perf_counter()
    watcher.start()
    try:
        yield found
    finally:
        found.seconds, found.cpu_s = time.perf_counter() - clock, sum(os.times()[:4]) - sum(began[:4])
        over.set()
        watcher.join()


def _watch(found: Used, over: threading.Event) -> None:
    if not Path("/proc/self/status").exists():
        over.wait()
        unit = 2**20 if sys.platform == "darwin" else 2**10
        whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
        found.own_mib, found.worker_mib = (resource.getrusage(who).ru_maxrss / unit for who in whose)
        return
    import psutil  # the environment of peers does without

    this, others, looked = psutil.Process(), [], -LOOK_AROUND
    while True:
        last = over.wait(LOOK_EVERY)
        found.own_mib = max(found.own_mib, of_process("VmHWM") / 2**20)
        found.anonymous_mib = max(found.anonymous_mib, of_process("RssAnon") / 2**20)
        if time.monotonic() - looked >= LOOK_AROUND:
            others, looked = this.children(recursive=True), time.monotonic()
        for other in others:
            with contextlib.suppress(psutil.Error, OSError, StopIteration):
                if other.cmdline() != this.cmdline():  # else it is this one still, on its way to another program
                    found.worker_mib = max(found.worker_mib, of_process("VmHWM", other.pid) / 2**20)
        if last:
            return


def of_process(name: str, pid: int | str = "self") -> int:
    """A line of ``/proc/<pid>/status``, such as VmHWM, the most resident memory, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(f"{name}:"))


def rmse(error: np.ndarray) -> float:
    """Root mean squared error over everything."""
    return float(np.sqrt(np.nanmean(np.square(error))))
