"""What a study costs beside the training of its trials, and what a second process brings.

Overhead: the whole call of ``ft.tune`` against the time inside fits and forecasts, in the same run, with what the
study does at every epoch counted to the study; medians of the repetitions. Beside it, CPU time of the study against
that of the same trials trained without one. Processes: LSTM trials of equal length, one process against two with one
thread each; starting them is included.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, save

import foretide as ft
from foretide.tuning import search
from foretide.tuning.objective import Task

H = 10


class Stopwatch:
    """Adds up the time inside a function, at the outermost call."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with the watch around it."""

        def timed(*args: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                self.seconds += time.perf_counter() - started

        return timed


def overhead(name: str, panel: ft.Panel, trials: int, pruner: str | None, folder: Path) -> dict:
    """One study, and its trials again without one."""
    inside, looks = Stopwatch(), Stopwatch()
    evaluate, watching = Task.evaluate, search.watching
    Task.evaluate = inside.around(evaluate)
    search.watching = lambda look: watching(looks.around(look))
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        study = ft.tune(name, panel, h=H, n_trials=trials, storage=folder / f"{time.time_ns()}.journal",
                        baselines=False, refit=False, pruner=pruner)  # fmt: skip
    finally:
        Task.evaluate, search.watching = evaluate, watching
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    bare = time.process_time()
    (candidate,) = study.candidates
    for row in study.rows:
        if row.state == "complete":
            study.task.evaluate(candidate.make(row.settings, row.seed))
    bare = time.process_time() - bare
    training = inside.seconds - looks.seconds
    whole = (study.trials["state"] == "complete").all()
    return {
        "trials": trials, "training_s": training, "study_s": wall - training,
        "overhead_pct": 100 * (wall - training) / training, "ms_per_trial": 1000 * (wall - training) / trials,
        "cpu_ratio": cpu / bare if whole else float("nan"),
    }  # fmt: skip


def processes(panel: ft.Panel, trials: int, n_jobs: int, folder: Path) -> float:
    """Seconds of a study of equal LSTM trials."""
    model = ft.LSTM(H, input_size=96, hidden=64, epochs=6, patience=6)
    started = time.perf_counter()
    study = ft.tune(
        model, panel, n_trials=trials, space={"lr": (1e-4, 1e-2, "log")}, n_jobs=n_jobs, sampler="random", pruner=None,
        storage=folder / f"{time.time_ns()}.journal", baselines=False, refit=False,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    assert len(study.trials) == trials
    return seconds


def main() -> None:
    """Measure both."""
    chosen = arguments(
        __doc__, trials={"type": int, "default": 12}, repeats={"type": int, "default": 3},
        parallel={"type": int, "default": 40},
    )  # fmt: skip
    panel = ft.synthetic.hourly(T=1700, n_series=3, seed=200).panel
    ft.LSTM(H, epochs=1).fit(panel)  # what is imported and set up once
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, pruner in (("LSTM", None), ("LSTM", "median"), ("Attention", None)):
            found = [overhead(kind, panel, chosen.trials, pruner, folder) for _ in range(chosen.repeats)]
            medians = {key: float(np.median([f[key] for f in found])) for key in found[0]}
            rows.append({"what": f"overhead, {kind}, pruner {pruner}", **medians})
            print(rows[-1], flush=True)
        pairs = [[processes(panel, chosen.parallel, n, folder) for n in (1, 2)] for _ in range(chosen.repeats)]
        one, two = np.median(pairs, axis=0)
        rows.append(
            {
                "what": "two processes, LSTM", "trials": chosen.parallel, "one_s": one, "two_s": two,
                "speedup": float(np.median([a / b for a, b in pairs])), "seconds_per_trial": one / chosen.parallel,
            }
        )  # fmt: skip
    save("tuning_overhead", rows, chosen.threads)


if __name__ == "__main__":
    main()
