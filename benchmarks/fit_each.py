"""One model per entity: 10,000 entities of 200 daily steps, seasonal smoothing, in this process and on two cores.

Peak memory, sampled four times a second: the sum of proportional set sizes (PSS; pages in common count once) of this
process and all below it, imports and data included. ``map_*`` rows: what the map itself costs, medians of five.
"""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from common import arguments, save

import foretide as ft
from foretide.data.time.grid import Grid
from foretide.parallel import map_tasks

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))  # tasks that workers can import
N, T, H = 10_000, 200, 7


def series(n: int) -> ft.Panel:
    """Return ``n`` daily series with a weekly season and noise."""
    rng = np.random.default_rng(0)
    level, swing = rng.uniform(5, 50, size=(n, 1)), rng.uniform(0, 5, size=(n, 1))
    values = level + swing * np.sin(2 * np.pi * np.arange(T) / 7) + rng.normal(size=(n, T))
    ids = tuple(f"entity{i:05d}" for i in range(n))
    return ft.Panel(
        Grid(pd.Timestamp("2024-01-01"), "D"), ids, values.reshape(-1, 1), np.arange(n) * T, np.full(n, T),
        np.zeros(n, dtype=np.int64), ("y",),
    )  # fmt: skip


def measured(work: Callable[[], object]) -> tuple[object, float, float]:
    """Return what came, seconds, and the peak of memory in MiB."""
    peak, over = 0, threading.Event()

    def sample() -> None:
        nonlocal peak
        me = psutil.Process()
        while not over.wait(0.25):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:  # it ended meanwhile
                    continue
            peak = max(peak, total)

    thread = threading.Thread(target=sample)
    thread.start()
    started = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - started
    over.set()
    thread.join()
    return found, seconds, peak / 2**20


def median(work: Callable[[], object]) -> float:
    """Return the median seconds of five runs."""
    spent = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


def main() -> None:
    """Fit, forecast, and measure the map."""
    import tasks

    chosen = arguments(__doc__, entities={"type": int, "default": N})
    panel, rows, means = series(chosen.entities), [], []
    load = os.getloadavg()[0]  # above zero, others had the cores too
    for n_jobs in (2, 1):
        made, seconds, peak = measured(lambda n_jobs=n_jobs: ft.fit_each(ft.SeasonalES(H), panel, n_jobs=n_jobs))
        assert isinstance(made, ft.PerEntity)
        assert (made.table["status"] == "fitted").all()
        forecast, predict_s, _ = measured(lambda made=made: made.predict(panel))
        means.append(forecast.mean)
        what = f"fit_each, {chosen.entities} x {T}"
        rows.append({"what": what, "n_jobs": n_jobs, "seconds": seconds, "predict_s": predict_s, "peak_mib": peak})
    assert np.array_equal(*means), "the bits depend on the number of jobs"
    for what, items, n_jobs in (
        ("map_1000_trivial", 1000, 2), ("map_1000_trivial", 1000, 1), ("map_start_of_2_workers", 2, 2),
    ):  # fmt: skip
        seconds = median(lambda i=items, n=n_jobs: map_tasks(tasks.square, range(i), n_jobs=n))
        rows.append({"what": what, "n_jobs": n_jobs, "seconds": seconds})
    save("fit_each", [{**row, "load_before": load} for row in rows], chosen.threads)


if __name__ == "__main__":
    main()
