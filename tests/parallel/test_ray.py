"""Ray behind the map: the same outcomes and bits as here, workers that die, other machines, tokens, nothing left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tasks
from cases import make_panel

import foretide as ft
from foretide.data.scratch import mapped_file
from foretide.errors import ConfigError, StorageError, WorkerDiedError
from foretide.parallel import RayExecutor, jobs_here, map_tasks, ray_worker, runs_here, stream_tasks, using
from foretide.parallel.ray_address import MODE, ask_to_join, is_loopback
from foretide.parallel.ray_worker import Sent

pytest.importorskip("ray", reason="needs the extra ray: pip install 'foretide[ray]'")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX systems")
SRC, SUPPORT = Path(ft.__file__).parent, Path(__file__).resolve().parents[1] / "support"
H = 5


@pytest.fixture(scope="module", autouse=True)
def ray_here() -> Iterator[RayExecutor]:
    """One Ray of two workers for this file, which every executor of the name joins."""
    with RayExecutor(2) as executor:
        executor.ray()
        yield executor


@pytest.fixture
def on_ray(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the functions whose tasks Ray was given."""
    ran, run = list[str](), RayExecutor._run

    def noted(executor: RayExecutor, job: Any, *rest: Any) -> Any:
        ran.append(job.function.__name__)
        return run(executor, job, *rest)

    monkeypatch.setattr(RayExecutor, "_run", noted)
    return ran


def values(outcomes: list[Any]) -> list[Any]:
    return [outcome.get() for outcome in outcomes]


def until(fact: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


def workers() -> list[psutil.Process]:
    """The processes of Ray that tasks run in."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "ray::run_there" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


# -------------------------------------------------------------------- the map
@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_outcomes_in_the_order_of_the_items(chunk: int | None) -> None:
    found = map_tasks(tasks.square, (float(i) for i in range(30)), executor="ray", n_jobs=2, chunk=chunk)
    assert [outcome.index for outcome in found] == list(range(30))
    assert values(found) == [i * i for i in range(30)]
    assert {(outcome.attempts, outcome.ok) for outcome in found} == {(1, True)}


def test_errors_are_those_of_the_tasks() -> None:
    for there, here in zip(
        *(map_tasks(tasks.fails_on_odd, range(4), executor=name, n_jobs=2, chunk=2) for name in ("ray", "processes")),
        strict=True,
    ):
        assert there.value == here.value
        assert (type(there.error), str(there.error)) == (type(here.error), str(here.error))
        assert there.traceback == here.traceback
    (left,) = map_tasks(tasks.leaves, [0], executor="ray")
    assert isinstance(left.error, SystemExit)
    (found,) = map_tasks(tasks.stubborn, [0], executor="ray")
    assert str(found.error) == "StubbornError: this and that"
    many = map_tasks(tasks.unreadable, range(5), executor="ray", chunk=5)
    assert [outcome.value for outcome in many] == [0, 1, None, 3, 4]
    assert "generator" in str(many[2].error)
    sent = map_tasks(tasks.square, [1.0, (n for n in range(3)), 3.0], executor="ray", n_jobs=2)
    assert [outcome.value for outcome in sent] == [1.0, None, 9.0]


def test_a_function_that_workers_cannot_import_stops_the_map() -> None:
    module = types.ModuleType("only_here")
    exec("def same(shared, item):\n    return item", module.__dict__)
    sys.modules["only_here"] = module
    try:
        with pytest.raises(ModuleNotFoundError, match="only_here"):
            map_tasks(module.same, [1, 2], executor="ray")
    finally:
        del sys.modules["only_here"]


def test_what_is_shared_is_one_copy_and_read_only() -> None:
    array = np.arange(12_500_000.0)  # 100 MB
    shared = {"array": array, "cut": array[::1000], "words": np.array(["a", None], dtype=object)}
    found = values(map_tasks(tasks.own_memory, [0.1] * 4, shared=shared, executor="ray", n_jobs=2, chunk=1))
    assert {total for _, total, _ in found} == {array.sum()}
    assert max(own for *_, own in found) < 100e6  # of one worker alone
    refused = values(map_tasks(tasks.writes, ["array", "cut"], shared=shared, executor="ray"))
    assert refused == ["assignment destination is read-only"] * 2
    np.testing.assert_array_equal(values(map_tasks(_cut, [0], shared=shared, executor="ray"))[0], array[::1000])


def _cut(shared: Any, item: int) -> Any:
    found = shared["cut"].copy()
    found[:0] = 0
    return found


def test_results_can_be_written_to() -> None:
    (found,) = values(map_tasks(_cut, [0], shared={"cut": np.arange(300_000.0)}, executor="ray"))
    found[0] = 5.0


def test_threads_warnings_turns_and_nesting() -> None:
    with pytest.warns() as caught:
        map_tasks(tasks.warns, range(4), executor="ray", n_jobs=2)
    assert str(caught[0].message) == "rather short (4 times)"
    done: list[int] = []
    found = map_tasks(
        tasks.square, [0.0] * 6, executor="ray", n_jobs=2, chunk=1,
        prepare=lambda item: item + len(done), progress=lambda *_: done.append(1),
    )  # fmt: skip
    roots = [outcome.get() ** 0.5 for outcome in found]
    assert roots == sorted(roots)
    assert roots[-1] >= 3
    for own, inner in values(map_tasks(tasks.nested, [0, 1], executor="ray", n_jobs=2)):
        assert inner == [own, own]
    here = values(map_tasks(tasks.seeded, range(6)))
    np.testing.assert_array_equal(values(map_tasks(tasks.seeded, range(6), executor="ray", n_jobs=2)), here)


def test_workers_that_are_kept_hold_the_threads_of_each_map() -> None:
    shared = {"array": np.arange(3.0)}
    with RayExecutor(1).kept(shared) as kept:
        found = [
            values(map_tasks(_threads, [0], shared=shared, executor=kept, threads=threads))[0] for threads in (1, 2, 1)
        ]
    assert found == [1, 2, 1]


def _threads(shared: Any, item: int) -> int:
    from threadpoolctl import threadpool_info

    return max(one["num_threads"] for one in threadpool_info())


def test_the_executor_around_a_call() -> None:
    assert runs_here(1)
    with using({"ray": {"n_jobs": 2}}):
        assert not runs_here(1)
        assert [jobs_here(n) for n in (-1, 1, 2, 9)] == [2, 2, 2, 2]
        assert len(set(values(map_tasks(tasks.sleeps, [0.3] * 4, chunk=1)))) == 2
        with using("serial"):
            assert values(map_tasks(tasks.pid, [0], n_jobs=2)) == [os.getpid()]
        with using("serial", unless_set=True):
            assert not runs_here(1)
    assert runs_here(1)


# -------------------------------------------------------------------- everything that goes through the map
def _forecasts(card: ft.Scorecard) -> Any:
    return {name: np.asarray(card.forecasts[name]) for name in card.models}


def _backtest(panel: ft.Panel, folder: Path, executor: Any) -> Any:
    card = ft.backtest(
        [ft.SeasonalES(H), ft.Ridge(H, input_size=14)], panel, n_windows=3, refit=True, baselines=False,
        executor=executor, save_models=folder / "models",
    )  # fmt: skip
    mean = ft.load(folder / "models" / "Ridge").predict(panel).mean
    return {**_forecasts(card), "saved": mean}


def _ensemble(panel: ft.Panel, folder: Path, executor: Any) -> Any:
    with using(executor):
        model = ft.Ensemble([ft.SeasonalES(H), ft.Ridge(H, input_size=14)]).fit(panel)
    return {"mean": model.predict(panel).mean}


def _each(panel: ft.Panel, folder: Path, executor: Any) -> Any:
    model = ft.fit_each(ft.SeasonalES(H), panel, executor=executor)
    return {"mean": model.predict(panel).mean}


def _tune(panel: ft.Panel, folder: Path, executor: Any) -> Any:
    study = ft.tune(
        "SeasonalES", panel, h=H, space={"alpha": [0.1, 0.3, 0.5]}, n_trials=3, sampler="random", n_windows=2,
        storage=folder / "study.journal", executor=executor, refit=False,
    )  # fmt: skip
    rows = sorted((str(row.settings), row.value) for row in study.rows)
    return {"settings": np.array([name for name, _ in rows]), "values": np.array([value for _, value in rows])}


def _auto(panel: ft.Panel, folder: Path, executor: Any) -> Any:
    found = ft.forecast(
        panel, H, model={"Auto": {"candidates": ["SeasonalNaive", "Drift", "SeasonalES"]}}, season=7, time_limit=None,
        executor=executor,
    )  # fmt: skip
    return {"mean": found.forecast.mean, "trials": np.array([t.mean for t in found.model.trials_.values()])}


USERS = {
    "evaluation/rolling/work.py": (_backtest, "run_task"),
    "forecasters/wrappers/ensemble.py": (_ensemble, "fit_member"),
    "forecasters/wrappers/per_entity.py": (_each, "_fit_one"),
    "tuning/tune.py": (_tune, "work_beside"),
    "forecasters/auto/crew.py": (_auto, "apply"),
    "forecasters/auto/turns.py": (_auto, "apply"),
}
"""Who calls the map -> what uses it, and the function whose tasks then run on Ray."""


HERE_ALONE = {"training/ranks.py": 'executor="processes"'}
"""Who calls the map on this machine whatever is around it, as its tasks wait for each other -> how."""


def test_every_user_of_the_map_is_listed() -> None:
    call = re.compile(r"\b(map_tasks|stream_tasks|kept_workers)\(")
    files = {str(path.relative_to(SRC)): path.read_text(encoding="utf-8") for path in SRC.rglob("*.py")}
    users = {name for name, text in files.items() if call.search(text) and not name.startswith("parallel/")}
    assert users == {*USERS, *HERE_ALONE}
    assert all(how in files[name] for name, how in HERE_ALONE.items())


@pytest.mark.parametrize(
    ("use", "function"), dict.fromkeys(USERS.values()), ids=lambda value: getattr(value, "__name__", "")
)
def test_the_same_bits_as_in_this_process(
    use: Any, function: str, on_ray: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foretide.forecasters.auto.crew.BIG", 0)
    monkeypatch.setattr("foretide.forecasters.auto.crew.AFTER", 0.0)
    monkeypatch.chdir(tmp_path)  # names of files begin here, wherever the workers were started
    panel = make_panel((150, 140, 130))
    here = use(panel, Path("here"), None)
    assert on_ray == []
    there = use(panel, Path("there"), {"ray": {"n_jobs": 2}})
    assert function in on_ray
    assert here.keys() == there.keys()
    for name, array in here.items():
        np.testing.assert_array_equal(array, there[name], err_msg=name)


CONFIG: dict[str, Any] = {
    "data": {"synthetic": {"args": {"T": 200}}}, "h": 4, "models": ["SeasonalNaive", "Drift"], "baselines": False,
    "explain": False,
}  # fmt: skip


def test_configurations_and_commands(on_ray: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from foretide.cli.flags import Flags
    from foretide.jobs import run_backtest

    monkeypatch.setattr("foretide.jobs.reporting.write_beside", lambda pictures, place: {})  # slow, and not asked here

    there = run_backtest({**CONFIG, "executor": {"ray": {"n_jobs": 2}}}, output=tmp_path / "there")
    assert on_ray == ["run_task"]
    with Flags(executor="serial").place():  # as a command does
        here = run_backtest({**CONFIG, "executor": "ray"}, output=tmp_path / "here")
    assert on_ray == ["run_task"]
    texts = [(folder.path / "settings.yaml").read_text() for folder in (there, here)]
    assert texts[0] == texts[1]
    cards = [_forecasts(ft.Scorecard.load(folder.path)) for folder in (there, here)]
    for name, array in cards[0].items():
        np.testing.assert_array_equal(array, cards[1][name])
    with pytest.raises(ConfigError, match=r"Type: --executor ray --address 10.0.0.5:6379"):
        Flags(executor="serial", address="10.0.0.5:6379").place()
    with pytest.raises(ConfigError, match="executor.*has no option 'adress'. Did you mean 'address'"):
        run_backtest({**CONFIG, "executor": {"ray": {"adress": "a"}}}, output=tmp_path / "wrong")


# -------------------------------------------------------------------- other machines
@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers take this for another machine than the one that asked."""
    monkeypatch.setattr("foretide.parallel.ray_executor.here", lambda: "elsewhere")


@pytest.mark.usefixtures("far")
def test_models_saved_on_another_machine_come_back(tmp_path: Path) -> None:
    panel = make_panel((150, 140))
    there = _backtest(panel, tmp_path, "ray")
    np.testing.assert_array_equal(there["saved"], ft.load(tmp_path / "models" / "Ridge").predict(panel).mean)
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["Ridge", "SeasonalES"]


@pytest.mark.usefixtures("far")
def test_another_machine_sees_the_study(tmp_path: Path) -> None:
    _tune(make_panel((150,)), tmp_path, "ray")


def test_workers_have_the_same_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        monkeypatch.context() as patch,
        pytest.raises(ConfigError, match=r"'only_here'.*Type there: pip install 'fore"),
    ):
        patch.setitem(sys.modules, "only_here", types.ModuleType("only_here"))
        patch.setattr("foretide.parallel.ray_executor.Sent", type("Sent", (Sent,), {"__module__": "only_here"}))
        patch.setattr("only_here.Sent", sys.modules["foretide.parallel.ray_executor"].Sent, raising=False)
        map_tasks(tasks.square, [1.0], executor="ray")
    monkeypatch.setattr("foretide.parallel.ray_executor.versions", lambda: {"numpy": "0.1"})
    with pytest.raises(ConfigError, match=r"numpy .* \(not 0.1\).*Install the same versions"):
        map_tasks(tasks.square, [1.0], executor="ray")


@pytest.mark.usefixtures("far")
def test_an_opened_table_is_sent_where_its_file_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ft.synthetic.hourly(T=300, n_series=2, seed=1).panel.to_frame().to_parquet(tmp_path / "table.parquet")
    panel = ft.Panel.open(tmp_path / "table.parquet", time="ds", target="x1", cache=tmp_path / "cache")
    named = values(map_tasks(tasks.mapped_from, [0], shared=panel, executor="ray"))
    assert named == [(str(mapped_file(panel.values)), float(panel.values.sum()))]
    monkeypatch.setattr("foretide.data.scratch._mark", lambda path: (0, 0))  # workers see another file there
    sent = values(map_tasks(tasks.mapped_from, range(4), shared=panel, executor="ray", n_jobs=2, chunk=1))
    assert set(sent) == {("", named[0][1])}
    monkeypatch.setattr("foretide.parallel.ray_executor.here", ray_worker.here)
    with pytest.raises(StorageError, match="not the file that was opened.*Open the table again"):
        map_tasks(tasks.mapped_from, [0], shared=panel, executor="ray")


# -------------------------------------------------------------------- who may come in
def test_it_listens_on_this_machine_alone_and_asks_for_a_token(ray_here: RayExecutor) -> None:
    from ray._private.authentication.authentication_utils import is_token_auth_enabled

    assert is_token_auth_enabled()
    assert is_loopback(ray_here.ray().get_runtime_context().gcs_address)
    heard = {
        one.laddr.ip.removeprefix("::ffff:")
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]
        for one in process.net_connections(kind="inet")
        if one.status == psutil.CONN_LISTEN
    }
    assert heard == {"127.0.0.1"}
    assert not {name for name in os.environ if "AUTH" in name and name.startswith("RAY")} - {MODE}


STRANGER = """
import sys
from foretide.parallel import RayExecutor
from foretide.errors import ConfigError
for address, told in (("10.0.0.5:6379", "RAY_AUTH_MODE=token"), ("ray://head:10001", "`ray job submit`")):
    try:
        RayExecutor(address=address)
    except ConfigError as error:
        assert told in str(error), error
        assert address in str(error)
        assert "ray" not in sys.modules
    else:
        raise AssertionError(address)
RayExecutor(address="10.0.0.5:6379", insecure=True)
from foretide.parallel import map_tasks
for address, told in (("127.0.0.1:1", "No Ray cluster answers at 127.0.0.1:1"), ("head", "is host:port")):
    try:
        map_tasks(print, [1], executor={"ray": {"address": address, "insecure": True}})
    except ConfigError as error:
        assert told in str(error), error
        assert "ray" not in sys.modules
    else:
        raise AssertionError(address)
import os, time
from foretide.parallel.ray_worker import Sent
from foretide.parallel.ray_address import MODE, TOKEN
from foretide.parallel.ray_cluster import _read_mode_anew
began = time.monotonic()
for token, told in ((None, "this process has none. Type `export RAY_AUTH_MODE=token"), ("", "has none. Type"),
                    ("0" * 32, "has another one. Compare RAY_AUTH_TOKEN")):
    if token is not None:
        os.environ |= {MODE: "token", TOKEN: token}
        _read_mode_anew()
    try:
        map_tasks(print, [1], executor={"ray": {"address": sys.argv[1]}})
    except ConfigError as error:
        assert told in str(error), error
    else:
        raise AssertionError(told)
assert time.monotonic() - began < 30, "Ray was asked for minutes"
"""


def test_clusters_are_refused_without_their_token_and_that_at_once(ray_here: RayExecutor, tmp_path: Path) -> None:
    """First those that others reach, before Ray is imported; then by one that wants another token."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    stranger = {**clean, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "HOME": str(tmp_path)}
    address = ray_here.ray().get_runtime_context().gcs_address
    subprocess.run([sys.executable, "-c", STRANGER, address], check=True, timeout=120, env=stranger)
    RayExecutor(address="10.0.0.5:6379")  # this process has a token
    with pytest.raises(ConfigError, match="uses a Ray that it has started. End that before"):
        map_tasks(tasks.square, [1.0], executor={"ray": {"address": "127.0.0.1:1"}})


def test_a_cluster_without_a_node_on_this_machine_is_refused(
    ray_here: RayExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = ray_here.ray()
    monkeypatch.setattr("ray._private.ray_constants.ENABLE_RAY_CLUSTER", False)  # it listens on the loopback address
    address = ray.get_runtime_context().gcs_address
    ask_to_join(ray, address)
    monkeypatch.setattr("ray._private.services.find_node_ids", lambda: {"of another cluster"})
    with pytest.raises(ConfigError, match=f"No node of the Ray cluster at {address} .* Type `ray start --address="):
        ask_to_join(ray, address)


# -------------------------------------------------------------------- workers that die, streams that are closed
def test_an_item_that_kills_its_worker_is_retried_and_reported(tmp_path: Path) -> None:
    shared = {"folder": str(tmp_path), "seconds": 0.05}
    found = map_tasks(tasks.dies, range(6), shared=shared, executor="ray", n_jobs=2, retries=1, chunk=1)
    assert [outcome.value for outcome in found] == [0, 1, 2, None, 4, 5]
    assert found[3].attempts == len(list(tmp_path.glob("3-*"))) == 2
    with pytest.raises(WorkerDiedError, match=r"The worker of item 3 \(3\) died 2 times"):
        found[3].get()
    assert {outcome.attempts for outcome in found if outcome.index != 3} == {1}


def test_kill_9_of_a_worker_during_a_backtest(capfd: pytest.CaptureFixture[str]) -> None:
    panel = make_panel((150, 140))
    models: list[Any] = [ft.SeasonalES(H), ft.Ridge(H, input_size=14)]
    options: dict[str, Any] = {"n_windows": 4, "step": 3, "refit": True, "baselines": False}
    killed: list[int] = []

    def kill(line: str) -> None:
        if not killed and (found := workers()):
            killed.append(found[0].pid)
            found[0].kill()

    card = ft.backtest(models, panel, **options, executor={"ray": {"n_jobs": 2}}, progress=kill)
    assert len(killed) == 1
    assert capfd.readouterr() == ("", "")
    here = _forecasts(ft.backtest(models, panel, **options))
    for name, array in _forecasts(card).items():
        np.testing.assert_array_equal(array, here[name])


def test_a_closed_stream_ends_its_tasks() -> None:
    stream = stream_tasks(tasks.sleeps, [0.0, 60.0, 60.0], executor="ray", n_jobs=2, chunk=1)
    next(stream)
    until(lambda: len(workers()) == 2)
    stream.close()
    until(lambda: not workers())


# -------------------------------------------------------------------- nothing is left
SCRIPT = """
import sys
sys.path.insert(0, {support!r})
import tasks
from foretide.parallel import map_tasks
map_tasks(tasks.waits, [60.0] * 4, shared={{"folder": {folder!r}}}, executor="ray", n_jobs=2, chunk=1)
"""


def test_ctrl_c_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    code = SCRIPT.format(support=str(SUPPORT), folder=str(marks))
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    until(lambda: len(list(marks.iterdir())) == 2, 120)
    children = psutil.Process(parent.pid).children(recursive=True)
    assert len(children) > 4
    os.killpg(parent.pid, signal.SIGINT)  # a terminal sends it to all of them
    out, shown = parent.communicate(timeout=60)
    assert out == ""
    assert shown.rstrip().endswith("KeyboardInterrupt")
    assert shown.count("Traceback") == 1
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
    assert [path.name for path in tmp_path.iterdir()] == ["marks"]
