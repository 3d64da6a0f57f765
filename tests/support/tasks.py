"""Tasks for the tests of the map: every worker imports this file, so it imports nothing slow."""

from __future__ import annotations

import os
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np


def square(shared: Any, item: float) -> float:
    return item * item


def plus(shared: Any, item: float) -> float:
    return float(shared["array"].sum() + item)


def fails_on_odd(shared: Any, item: int) -> int:
    if item % 2:
        raise ValueError(f"{item} is odd")
    return item


class StubbornError(Exception):
    """Cannot be read elsewhere: its constructor wants two arguments and hands on one."""

    def __init__(self, a: str, b: str) -> None:
        super().__init__(f"{a} and {b}")


def stubborn(shared: Any, item: int) -> None:
    raise StubbornError("this", "that")


def unreadable(shared: Any, item: int) -> Any:
    return (n for n in range(item)) if item == 2 else item


def leaves(shared: Any, item: int) -> None:
    raise SystemExit(3)


def dies(shared: Any, item: int) -> int:
    """Die on item 3: always, or as often as ``shared["times"]`` says; counts tries of every item in files."""
    folder = Path(shared["folder"])
    tries = len(list(folder.glob(f"{item}-*")))
    (folder / f"{item}-{tries}").touch()
    if item == 3 and tries < shared.get("times", 10**9):
        if shared.get("how") == "exit":
            os._exit(7)
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(shared.get("seconds", 0.0))
    return item


def pid(shared: Any, item: Any) -> int:
    return os.getpid()


def sleeps(shared: Any, item: float) -> int:
    time.sleep(item)
    return os.getpid()


def waits(shared: Any, item: float) -> None:
    """Leave a mark named after this process, and sleep."""
    (Path(shared["folder"]) / str(os.getpid())).touch()
    time.sleep(item)


def writes(shared: Any, item: str) -> str:
    """Try to write to a shared array."""
    try:
        shared[item][0] = 1.0
    except ValueError as error:
        return str(error)
    return "written"


def threads_here(shared: Any, item: int) -> tuple[int, int]:
    import torch
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    return torch.get_num_threads(), max(one["num_threads"] for one in threadpool_info())


def warns(shared: Any, item: int) -> int:
    warnings.warn("rather short", UserWarning, stacklevel=1)
    warnings.warn("old", DeprecationWarning, stacklevel=1)
    if item > 1:
        warnings.warn(f"number {item}", RuntimeWarning, stacklevel=1)
    return item


def nested(shared: Any, item: int) -> tuple[int, list[int]]:
    from foretide.parallel import map_tasks

    return os.getpid(), [outcome.get() for outcome in map_tasks(pid, [1, 2], n_jobs=2)]


def own_memory(shared: Any, item: int) -> tuple[int, float, int]:
    """Process, sum of the shared array, and bytes of memory that no file stands behind.

    Pages of a mapped file do not count: one that only this process has looked at so far is shared all the same.
    """
    import psutil

    total = float(shared["array"].sum())
    return os.getpid(), total, sum(part.anonymous for part in psutil.Process().memory_maps())


def seeded(shared: Any, item: int) -> Any:
    """A matrix product whose bits depend on the threads of BLAS, after some uneven waiting."""
    rng = np.random.default_rng(item)
    time.sleep(0.002 * (item % 3))
    a = rng.normal(size=(300, 300))
    return np.linalg.solve(a @ a.T + np.eye(300), a).sum(axis=0)


def looked_at(shared: Any, item: int) -> Any:
    """Every shared array as it is here, and whether it lies in columns."""
    return {n: (a, a.flags.f_contiguous and not a.flags.c_contiguous) for n, a in shared.items()}


def writes_to_panel(panel: Any, item: int) -> None:
    panel.values[0, 0] = 5.0


def mapped_from(panel: Any, item: int) -> tuple[str, float]:
    """The file that a panel's values are mapped from, and their sum."""
    from foretide.data.scratch import mapped_file

    return str(mapped_file(panel.values) or ""), float(panel.values.sum())


def interrupts(shared: Any, item: int) -> None:
    raise KeyboardInterrupt
