from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cases import make_panel

import foretide as ft
from foretide.data.panel import Panel
from foretide.errors import ConfigError, DataError
from foretide.tuning import ledger as ledgers
from foretide.tuning.ledger import Ledger
from foretide.tuning.owner import is_alive, this_process
from foretide.tuning.result import Study
from foretide.tuning.storage import Place, quiet
from foretide.tuning.tune import tune

H = 7
SPACE = {"alpha": (0.01, 0.9, "log")}


@pytest.fixture(scope="module")
def panel() -> Panel:
    return make_panel((200,))


@pytest.fixture(params=["journal", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "s.journal") if request.param == "journal" else f"sqlite:///{tmp_path / 's.db'}"


def search(panel: Panel, storage: str, **options: Any) -> Study:
    given: dict[str, Any] = {"h": H, "n_trials": 4, "space": SPACE, "baselines": False, "name": "s", **options}
    return tune(given.pop("models", ft.SeasonalES), panel, storage=storage, **given)


def opened(storage: str) -> Ledger:
    with quiet():
        return Ledger(Place.of(storage, "s").open(), "s", ["SeasonalES"])


def claimed(storage: str, owner: dict[str, Any], monkeypatch: pytest.MonkeyPatch, alpha: float = 0.5) -> int:
    with monkeypatch.context() as patched:
        patched.setattr(ledgers, "this_process", lambda: owner)
        return opened(storage).claim("SeasonalES", {"alpha": alpha}, {}, position=2, seed=None)


def dead() -> dict[str, Any]:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    return {**this_process(), "pid": gone.pid, "began": "boot:1"}


# ---------------------------------------------------------------- resuming and refusing
def test_the_same_call_goes_on(panel: Panel, storage: str) -> None:
    first = search(panel, storage, n_trials=3)
    assert len(search(panel, storage, n_trials=3).rows) == 3
    more = search(panel, storage, n_trials=5)
    assert [row.key for row in more.rows[:3]] == [row.key for row in first.rows]
    assert [row.value for row in more.rows[:3]] == [row.value for row in first.rows]
    memory = search(panel, "memory", n_trials=5)
    assert [(row.key, row.value) for row in memory.rows] == [(row.key, row.value) for row in more.rows]


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        ({"seed": 1}, "seed"), ({"space": {"alpha": (0.1, 0.9)}}, "model SeasonalES"), ({"n_windows": 2}, "folds"),
        ({"metric": "mae"}, "metric"), ({"fixed": {"season": 7}}, "model SeasonalES"), ({"h": 5}, "folds"),
    ],
)  # fmt: skip
def test_another_study_of_that_name_is_refused(
    panel: Panel, storage: str, options: dict[str, Any], differs: str
) -> None:
    search(panel, storage, n_trials=1)
    with pytest.raises(ConfigError, match=f"it differs in .*{differs}"):
        search(panel, storage, **options)
    other = search(panel, storage, name="other", n_trials=1, **options)
    assert len(other.rows) == 1


def test_other_data_are_refused(panel: Panel, storage: str) -> None:
    search(panel, storage, n_trials=1)
    with pytest.raises(ConfigError, match="it differs in data"):
        search(make_panel((200,), seed=1), storage)


def test_by_default_a_journal_named_after_what_it_is_about(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for options in ({}, {}, {"seed": 2}):
        tune(ft.SeasonalES, panel, h=H, n_trials=2, baselines=False, **options)  # type: ignore[arg-type]
    found = sorted(p.name for p in (tmp_path / "studies").iterdir() if p.suffix == ".journal")
    assert len(found) == 2
    assert all(name.startswith("seasonal-es-") for name in found)


def test_what_is_no_study_is_refused(panel: Panel, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    for content in ("a,b\n1,2\n", '{"x": 1}\n', "no line end"):
        path.write_text(content)
        with pytest.raises(ConfigError, match="holds no study"):
            search(panel, str(path))
        assert path.read_text() == content
    with pytest.raises(ConfigError, match="cannot be opened"):
        search(panel, f"sqlite:///{tmp_path}/no/such/folder/s.db")


def test_half_a_line_at_the_end_is_dropped(panel: Panel, tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    first = search(panel, str(path), n_trials=3)
    with path.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"x","stu')
    again = search(panel, str(path), n_trials=5)
    assert [row.key for row in again.rows[:3]] == [row.key for row in first.rows]
    assert len(again.rows) == 5


# ---------------------------------------------------------------- whose trial it is
def test_a_trial_of_a_dead_process_runs_again(
    panel: Panel, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    search(panel, storage, n_trials=2)
    claimed(storage, dead(), monkeypatch)
    lines: list[str] = []
    study = search(panel, storage, n_trials=4, progress=lines.append)
    assert list(study.trials["state"]) == ["complete", "complete", "interrupted", "complete", "complete"]
    assert study.rows[3].settings == study.rows[2].settings == {"alpha": 0.5}
    assert study.rows[3].position == study.rows[2].position
    assert study.trials["error"][2] == "interrupted: its process is gone"
    assert "1 interrupted ones run again" in lines[0]


def test_a_trial_of_a_live_process_is_left_alone_and_counts(
    panel: Panel, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(panel, storage, n_trials=2)
    claimed(storage, this_process(), monkeypatch)
    study = search(panel, storage, n_trials=4)
    assert list(study.trials["state"]) == ["complete", "complete", "running", "complete"]
    assert study.rows[3].settings != {"alpha": 0.5}


def test_ctrl_c_between_a_claim_and_its_run(panel: Panel, storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = Ledger.claim

    def stop(self: Ledger, *args: Any, **options: Any) -> int:
        claim(self, *args, **options)
        raise KeyboardInterrupt

    search(panel, storage, n_trials=2)
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "claim", stop)
        with pytest.raises(KeyboardInterrupt):
            search(panel, storage, n_trials=4)
    study = search(panel, storage, n_trials=4)
    assert list(study.trials["state"]) == ["complete", "complete", "interrupted", "complete", "complete"]


def test_a_trial_of_another_host_counts_as_dead_after_a_while(
    panel: Panel, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(panel, storage, n_trials=2)
    claimed(storage, {"host": "elsewhere", "pid": 1, "began": "x"}, monkeypatch)
    assert opened(storage).reap() == []
    monkeypatch.setattr(ledgers, "SILENT_HOURS", 0.0)
    time.sleep(0.1)
    monkeypatch.setattr(ledgers, "PATIENCE", 0.0)
    assert [row.settings for row in opened(storage).reap()] == [{"alpha": 0.5}]
    assert opened(storage).reap() == []


def test_a_finished_trial_cannot_be_ended_again(panel: Panel, storage: str) -> None:
    ledger = opened(storage)
    trial = ledger.claim("SeasonalES", {"alpha": 0.5}, {}, position=0, seed=4)
    assert ledger.finish(trial, ledgers.COMPLETE, 1.5)
    assert not opened(storage).finish(trial, ledgers.INTERRUPTED, error="late")
    (row,) = opened(storage).rows()
    assert (row.state, row.value, row.seed, row.error) == ("complete", 1.5, 4, "")


def test_processes_are_told_apart() -> None:
    assert is_alive(this_process())
    assert is_alive({**this_process(), "began": "boot:1"}) is False  # the same number, another process
    assert is_alive({**this_process(), "host": "elsewhere"}) is None
    assert is_alive(dead()) is False
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    time.sleep(0.5)
    owner = {**this_process(), "pid": child.pid, "began": "x"}
    assert is_alive(owner) is False  # ended, and not collected yet
    child.wait()


# ---------------------------------------------------------------- several processes
def test_two_workers_share_a_study(panel: Panel, storage: str) -> None:
    lines: list[str] = []
    study = search(panel, storage, models=["SeasonalES", "Ridge"], space=None, n_trials=11, n_jobs=2,
                   progress=lines.append)  # fmt: skip
    assert list(study.trials["state"]) == ["complete"] * 11
    assert len({(row.label, row.key) for row in study.rows}) == 11
    assert len(lines) == 11
    owners = {row.owner["pid"] for row in study.rows}
    assert os.getpid() not in owners
    assert study.best_model.is_fitted


def test_an_error_of_the_defaults_comes_out_of_a_worker(panel: Panel, tmp_path: Path) -> None:
    fixed = {"head": "nb", "input_size": 14, "epochs": 1}
    with pytest.raises(DataError, match="the head 'nb' is for counts"):
        search(panel, str(tmp_path / "s"), models="LSTM", space={}, fixed=fixed, n_jobs=2)


SCRIPT = """
import sys, time
import foretide as ft
from foretide.data.windows import Windows
from cases import make_panel

class Slow(ft.SeasonalES):
    def _fit(self, part):
        time.sleep(0.05)
        super()._fit(part)

Slow.__name__ = "SeasonalES"
print("ready", flush=True)
study = ft.tune(Slow, make_panel((200,)), h=7, n_trials=int(sys.argv[2]), space={"alpha": (0.01, 0.9, "log")},
                storage=sys.argv[1], name="s", baselines=False)
print(len(study.rows), flush=True)
"""


def started(path: Path, n: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "support")}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path), str(n)], stdout=subprocess.PIPE, text=True, env=environment
    )  # fmt: skip


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_search_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    path = tmp_path / "s.journal"
    process = started(path, 1000)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (path.exists() and path.read_text().count('"op_code":6') >= 6):
        time.sleep(0.02)
    process.send_signal(how)
    process.communicate(timeout=30)
    before = {row.id: row for row in opened(str(path)).rows() if row.finished}
    assert len(before) >= 6
    done = started(path, len(before) + 5).communicate(timeout=60)[0]
    after = {row.id: row for row in opened(str(path)).rows()}
    assert sum(row.counts for row in after.values()) == len(before) + 5, done
    assert all(after[number].value == row.value for number, row in before.items())
    keys = [row.key for row in after.values() if row.counts]
    assert len(set(keys)) == len(keys)
    assert sum(row.state == "interrupted" for row in after.values()) <= 1


def test_two_processes_that_know_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    both = [started(path, 16) for _ in range(2)]
    for process in both:
        process.communicate(timeout=60)
        assert process.returncode == 0
    rows = [row for row in opened(str(path)).rows() if row.counts]
    assert [row.state for row in rows] == ["complete"] * 16
    assert len({row.key for row in rows}) == 16
    assert len({row.owner["pid"] for row in rows}) == 2
