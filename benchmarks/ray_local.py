"""Ray against local processes: the same 40 folds of LAVAR by two workers, start apart, in the same run.

Then what dies. ``--part workers``: ``kill -9`` of a worker, of a worker twice, and of both at once, at ten moments of a
backtest. ``--part cluster``: two node processes on this machine, with a token, of which the second is killed while it
has tasks, at five moments. Each backtest must end with the bits of the one in this process. A client without the token
is refused, within seconds.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import psutil
from common import arguments, save

import foretide as ft
from foretide.parallel import using

FOLDS, H, ROUNDS = 40, 7, 2
MODEL = {"order": 3, "latent": 4, "epochs": 8, "head_epochs": 8}
KILLS = (1, 1, 1, 2, 1, 2, 1, 1, 2, 1)
"""Workers killed at once, of each backtest."""
KILL_FOLDS, NODE_FOLDS, NODES = 16, 12, 5
STRANGER = """
import sys, time
from foretide.errors import ConfigError
from foretide.parallel import map_tasks
began = time.perf_counter()
try:
    map_tasks(dict.get, ["a"], shared={}, executor={"ray": {"address": sys.argv[1], "insecure": True}})
except ConfigError as error:
    print(type(error.__cause__).__name__, time.perf_counter() - began)
else:
    print("came_in", time.perf_counter() - began)
"""


def panel() -> ft.Panel:
    """400 days of five counts that slow waves drive, and six covariates."""
    from lavar_speed import frame

    table = frame().iloc[:400]
    kept = ["ds", *(f"y{j}" for j in range(5)), *(f"x{j}" for j in range(6))]
    return ft.Panel.from_frame(table[kept].assign(unique_id="store"), time="ds", target=[f"y{j}" for j in range(5)])


def folds(data: ft.Panel, n: int = FOLDS, **options: Any) -> dict[str, np.ndarray]:
    """Backtest LAVAR, fitted anew at every fold."""
    card = ft.backtest(
        ft.LAVAR(h=H, **MODEL), data, n_windows=n, step=3, refit=True, baselines=False, starts=False, **options
    )
    return {name: np.asarray(card.forecasts[name]) for name in card.models}


def timed(work: Callable[[], dict[str, np.ndarray]]) -> tuple[float, dict[str, np.ndarray]]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k], equal_nan=True) for k in one)


def at_work(within: psutil.Process) -> list[psutil.Process]:
    """The workers below a process that have a task."""
    found = []
    for child in within.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "ray::run_there" in " ".join(child.cmdline()):
                found.append(child)
    return found


class Killer:
    """Kills once, after so many lines of progress and a moment more, when a worker has a task.

    Parameters
    ----------
    after : int
        Lines of progress.
    pause : float
        Seconds more, so that it hits other moments of a task.
    kill : callable
        Returns how many workers with a task it has killed.
    """

    def __init__(self, after: int, pause: float, kill: Callable[[], int]) -> None:
        self.after, self.pause, self.kill, self.killed, self.lines = after, pause, kill, 0, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._work)

    def __call__(self, line: str) -> None:
        self.lines += 1

    def _work(self) -> None:
        while not self.killed and not self.ended.wait(0.01):
            if self.lines >= self.after:
                self.ended.wait(self.pause)
                self.killed = 0 if self.ended.is_set() else self.kill()

    def __enter__(self) -> Killer:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()


def kill_workers(n: int) -> int:
    """Kill so many workers at once; none where fewer have a task."""
    found = at_work(psutil.Process())[:n]
    for one in found if len(found) == n else ():
        one.kill()
    return len(found) // n * n


def local() -> list[dict[str, Any]]:
    """Ray on this machine against processes."""
    data, seconds = panel(), {"processes": list[float](), "ray": list[float]()}
    with using({"ray": {"n_jobs": 2}}) as executor:
        start, _ = timed(lambda: {"": np.array(executor.ray().is_initialized())})
        found = {}
        for _ in range(ROUNDS):
            for name in seconds:
                took, found[name] = timed(lambda name=name: folds(data, n_jobs=2, executor=name))
                seconds[name].append(took)
                print(f"{name}: {took:.1f} s", flush=True)
    here = folds(data)
    least = {name: min(took) for name, took in seconds.items()}
    return [
        {"what": "start of Ray", "seconds": start},
        {"what": f"{FOLDS} folds, processes", "seconds": least["processes"], "equal": same(here, found["processes"])},
        {
            "what": f"{FOLDS} folds, Ray", "seconds": least["ray"], "equal": same(here, found["ray"]),
            "ratio": least["ray"] / least["processes"],
        },
    ]  # fmt: skip


def workers() -> list[dict[str, Any]]:
    """Kill workers at ten moments, from the first tasks to the last."""
    data, rows = panel(), []
    here = folds(data, KILL_FOLDS)
    with using({"ray": {"n_jobs": 2}}) as executor:
        executor.ray()
        folds(data, 2)  # the first workers start
        for i, n in enumerate(KILLS):
            after = i * (KILL_FOLDS - 4) // (len(KILLS) - 1)
            with Killer(after, 0.03 * i, partial(kill_workers, n)) as killer:
                took, found = timed(lambda killer=killer: folds(data, KILL_FOLDS, progress=killer))
            assert killer.killed == n, "nobody was killed"
            what = f"{n} of 2 workers killed after {after} of {KILL_FOLDS} folds"
            rows.append({"what": what, "seconds": took, "equal": same(here, found)})
            print(rows[-1], flush=True)
    return rows


def cluster() -> list[dict[str, Any]]:
    """Two node processes on this machine, of which the second is killed; a client without the token."""
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    from ray.cluster_utils import Cluster

    data = panel()
    here = folds(data, NODE_FOLDS)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    command = [sys.executable, "-c", STRANGER, made.address]
    asked = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=60, check=True)
    answer, seconds = asked.stdout.split()
    rows: list[dict[str, Any]] = [
        {"what": f"a client without the token: {answer}", "seconds": float(seconds), "equal": answer != "came_in"}
    ]
    try:
        for i in range(NODES):
            other = made.add_node(num_cpus=1)
            made.wait_for_nodes()
            raylet = psutil.Process(other.all_processes["raylet"][0].process.pid)

            def kill(other: Any = other, raylet: psutil.Process = raylet) -> int:
                busy = len(at_work(raylet))
                if busy:
                    made.remove_node(other, allow_graceful=False)
                return busy

            after = i * (NODE_FOLDS - 4) // (NODES - 1)
            with using({"ray": {"address": made.address}}) as executor, Killer(after, 0.05 * i, kill) as killer:
                jobs = executor.jobs
                took, found = timed(lambda killer=killer: folds(data, NODE_FOLDS, progress=killer))
            assert killer.killed, "no node was killed"
            what = f"1 of {jobs} nodes killed after {after} of {NODE_FOLDS} folds"
            rows.append({"what": what, "seconds": took, "equal": same(here, found)})
            print(rows[-1], flush=True)
    finally:
        made.shutdown()
    return rows


def main() -> None:
    parts = {"local": local, "workers": workers, "cluster": cluster}
    chosen = arguments(__doc__, part={"choices": ["all", *parts], "default": "all"})
    rows = [row for name, part in parts.items() if chosen.part in ("all", name) for row in part()]
    save("ray_local" if chosen.part == "all" else f"ray_local_{chosen.part}", rows, chosen.threads)
    assert all(row.get("equal", True) for row in rows)


if __name__ == "__main__":
    main()
