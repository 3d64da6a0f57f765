"""Ray against local processes: the same 40 folds of LAVAR by two workers, start apart, in the same run.

Then workers and machines that die: ``kill -9`` of a worker of Ray in the middle of a backtest; and a cluster of two
node processes on this machine, with a token, of which the second is killed (``kill -9``) while it has tasks. Each
backtest must end with the bits of the one in this process. A client without the token is refused.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
from common import arguments, save

import foretide as ft
from foretide.parallel import using

FOLDS, H, ROUNDS = 40, 7, 2
MODEL = {"order": 3, "latent": 4, "epochs": 8, "head_epochs": 8}
STRANGER = """
import ray, sys
try:
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level="CRITICAL")
except Exception as error:
    print(type(error).__name__)
else:
    print("came in")
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


def kill_a_worker(killed: list[int]) -> Callable[[str], None]:
    """Return what kills one worker that has a task, at the first line of progress."""

    def kill(line: str) -> None:
        for child in () if killed else psutil.Process().children(recursive=True):
            if "ray::run_there" in " ".join(child.cmdline()):
                child.kill()
                killed.append(child.pid)
                return

    return kill


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
        killed: list[int] = []
        again, after = timed(lambda: folds(data, executor="ray", progress=kill_a_worker(killed)))
    here = folds(data)
    assert killed, "no worker was killed"
    least = {name: min(took) for name, took in seconds.items()}
    return [
        {"what": "start of Ray", "seconds": start},
        {"what": f"{FOLDS} folds, processes", "seconds": least["processes"], "equal": same(here, found["processes"])},
        {
            "what": f"{FOLDS} folds, Ray", "seconds": least["ray"], "equal": same(here, found["ray"]),
            "ratio": least["ray"] / least["processes"],
        },
        {"what": "a worker killed", "seconds": again, "equal": same(here, after)},
    ]  # fmt: skip


def cluster() -> list[dict[str, Any]]:
    """Two node processes on this machine, one of which is killed."""
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    other = made.add_node(num_cpus=1)
    made.wait_for_nodes()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    command = [sys.executable, "-c", STRANGER, made.address]
    asked = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=300, check=False)
    data, said = panel(), list[str]()

    def kill(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            made.remove_node(other, allow_graceful=False)

    try:
        with using({"ray": {"address": made.address}}) as executor:
            jobs = executor.jobs
            took, found = timed(lambda: folds(data, 12, executor=None, progress=kill))
    finally:
        made.shutdown()
    return [
        {"what": f"a client without the token: {asked.stdout.strip()}", "equal": asked.stdout.strip() != "came in"},
        {"what": f"{jobs} nodes, one killed, 12 folds", "seconds": took, "equal": same(folds(data, 12), found)},
    ]


def main() -> None:
    chosen = arguments(__doc__, part={"choices": ["all", "local", "cluster"], "default": "all"})
    rows = []
    if chosen.part in ("all", "local"):
        rows += local()
    if chosen.part in ("all", "cluster"):
        rows += cluster()
    save("ray_local" if chosen.part == "all" else f"ray_local_{chosen.part}", rows, chosen.threads)
    assert all(row.get("equal", True) for row in rows)


if __name__ == "__main__":
    main()
