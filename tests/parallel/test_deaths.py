"""Workers and parents that die: retried, reported, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import tasks
from loky import cpu_count

from foretide.errors import WorkerDiedError
from foretide.parallel import Outcome, map_tasks
from foretide.parallel.processes import ProcessExecutor
from foretide.parallel.sharing import IN_MEMORY, PREFIX

SUPPORT = Path(__file__).resolve().parents[1] / "support"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX systems")


def tries(folder: Path, item: int) -> int:
    return len(list(folder.glob(f"{item}-*")))


@pytest.mark.parametrize(("how", "code"), [("exit", r"EXIT\(7\)"), ("kill", r"SIGKILL\(-9\)")])
def test_an_item_that_kills_its_worker_is_retried_and_reported(how: str, code: str, tmp_path: Path) -> None:
    shared = {"folder": str(tmp_path), "how": how, "seconds": 0.05}
    found = map_tasks(tasks.dies, range(8), shared=shared, n_jobs=2, retries=2)
    assert [outcome.value for outcome in found] == [0, 1, 2, None, 4, 5, 6, 7]
    assert tries(tmp_path, 3) == found[3].attempts == 3
    with pytest.raises(WorkerDiedError, match=rf"The worker of item 3 \(3\) died 3 times \({code}\)"):
        found[3].get()
    # What ran beside it went on and was not begun again.
    assert [tries(tmp_path, i) for i in (0, 1, 2, 4, 5, 6, 7)] == [1] * 7
    assert {outcome.attempts for outcome in found if outcome.index != 3} == {1}


def test_a_worker_that_dies_once_is_forgiven(tmp_path: Path) -> None:
    found = map_tasks(tasks.dies, range(5), shared={"folder": str(tmp_path), "times": 1}, n_jobs=2, chunk=1)
    assert [outcome.get() for outcome in found] == list(range(5))
    assert [outcome.attempts for outcome in found] == [1, 1, 1, 2, 1]


def test_no_retries(tmp_path: Path) -> None:
    found = map_tasks(tasks.dies, range(5), shared={"folder": str(tmp_path)}, n_jobs=2, retries=0)
    assert isinstance(found[3].error, WorkerDiedError)
    assert tries(tmp_path, 3) == 1


def test_of_a_chunk_only_the_guilty_item_is_reported(tmp_path: Path) -> None:
    found = map_tasks(tasks.dies, range(6), shared={"folder": str(tmp_path)}, n_jobs=2, retries=1, chunk=6)
    assert [outcome.ok for outcome in found] == [True, True, True, False, True, True]
    assert tries(tmp_path, 3) == found[3].attempts == 3  # in the chunk, which counts against nobody, then twice alone
    assert [outcome.attempts for outcome in found] == [2, 2, 2, 3, 2, 2]


def test_kill_9_of_a_worker_from_outside() -> None:
    killed: list[int] = []

    def kill_one(done: int, total: int, outcome: Outcome) -> None:
        if not killed:
            killed.append(outcome.value)
            os.kill(outcome.value, signal.SIGKILL)

    found = map_tasks(tasks.sleeps, [0.05] * 12, n_jobs=2, chunk=1, progress=kill_one)
    pids = [outcome.get() for outcome in found]
    assert len(killed) == 1
    assert pids.count(killed[0]) == 1  # what it had done before stays, nothing after it
    assert len(set(pids)) in (2, 3)  # the other one may be through before a new one has started
    assert sum(outcome.attempts for outcome in found) in (12, 13)


def test_workers_that_cannot_start_stop_the_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(WorkerDiedError, match="A worker died 2 times while it started"):
        map_tasks(tasks.square, [1.0], n_jobs=2, retries=1)


# -------------------------------------------------------------------- the parent
SCRIPT = """
import sys
sys.path.insert(0, {support!r})
import numpy as np
import tasks
from foretide.parallel import map_tasks

{before}
shared = {{"array": np.ones(100_000), "folder": {folder!r}}}
map_tasks(tasks.waits, [60.0] * 4, shared=shared, n_jobs=2, chunk=1)
"""


def started(tmp_path: Path, before: str = "") -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A process in the middle of a map, and its workers."""
    marks = tmp_path / "marks"
    marks.mkdir()
    script = tmp_path / "script.py"  # no `if __name__ == "__main__"`: workers do not run it again
    script.write_text(SCRIPT.format(support=str(SUPPORT), folder=str(marks), before=before))
    parent = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE, text=True, start_new_session=True)
    until(lambda: len(list(marks.iterdir())) == 2)
    return parent, [psutil.Process(int(mark.name)) for mark in marks.iterdir()]


def until(fact: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def files_of(pid: int) -> list[Path]:
    places = {Path(tempfile.gettempdir()), IN_MEMORY}
    return [path for place in places if place.is_dir() for path in place.glob(f"{PREFIX}{pid}-*")]


@pytest.mark.parametrize("whole_group", [False, True], ids=["parent", "terminal"])
def test_ctrl_c_leaves_no_process_and_no_file(whole_group: bool, tmp_path: Path) -> None:
    parent, workers = started(tmp_path)
    children = psutil.Process(parent.pid).children(recursive=True)
    assert {worker.pid for worker in workers} <= {child.pid for child in children}
    assert files_of(parent.pid)
    (os.killpg if whole_group else os.kill)(parent.pid, signal.SIGINT)  # a terminal sends it to all of them
    _, shown = parent.communicate(timeout=30)
    assert "KeyboardInterrupt" in shown.splitlines()
    assert shown.count("Traceback") == 1
    assert all(gone(worker) for worker in workers)
    until(lambda: all(gone(child) for child in children))
    assert files_of(parent.pid) == []


def test_sigterm_turned_into_ctrl_c(tmp_path: Path) -> None:
    parent, workers = started(tmp_path, "import signal; signal.signal(signal.SIGTERM, signal.default_int_handler)")
    parent.terminate()
    parent.communicate(timeout=30)
    assert all(gone(worker) for worker in workers)
    assert files_of(parent.pid) == []


def test_workers_of_a_killed_parent_end_by_themselves(tmp_path: Path) -> None:
    parent, workers = started(tmp_path)
    parent.kill()
    parent.communicate(timeout=30)
    until(lambda: all(gone(worker) for worker in workers), 5.0)
    until(lambda: files_of(parent.pid) == [], 5.0)


def test_from_the_command_line() -> None:
    code = (
        "from foretide.parallel import map_tasks\n"
        "def twice(shared, item): return 2 * item\n"
        "print([o.get() for o in map_tasks(twice, [1, 2, 3], n_jobs=2)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[2, 4, 6]\n"
    assert done.stderr == ""


def test_all_cores() -> None:
    assert ProcessExecutor(-1).n_jobs == cpu_count()
