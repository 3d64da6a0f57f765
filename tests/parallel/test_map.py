"""The map: outcomes, equal bits, shared arrays, threads, warnings, nesting."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import types
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import psutil
import pytest
import tasks
from cases import make_panel

from foretide.errors import ConfigError
from foretide.parallel import EXECUTORS, Executor, Job, Outcome, kept_workers, map_tasks, stream_tasks
from foretide.parallel.sharing import IN_MEMORY, PREFIX

LOCAL = [name for name in EXECUTORS if name != "ray"]  # test_ray.py has the rest: it takes seconds to start
each_executor = pytest.mark.parametrize("executor", LOCAL)


def values(outcomes: list[Outcome]) -> list[Any]:
    return [outcome.get() for outcome in outcomes]


def leftovers() -> list[str]:
    places = {tempfile.gettempdir(), *([str(IN_MEMORY)] if IN_MEMORY.is_dir() else [])}
    return [name for place in places for name in os.listdir(place) if name.startswith(f"{PREFIX}{os.getpid()}-")]


@each_executor
@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_outcomes_in_the_order_of_the_items(executor: str, chunk: int | None) -> None:
    found = map_tasks(tasks.square, (float(i) for i in range(50)), executor=executor, n_jobs=2, chunk=chunk)
    assert [outcome.index for outcome in found] == list(range(50))
    assert values(found) == [i * i for i in range(50)]
    assert {(outcome.attempts, outcome.ok) for outcome in found} == {(1, True)}


def test_who_runs_it() -> None:
    here = os.getpid()
    assert set(values(map_tasks(tasks.pid, range(3)))) == {here}
    assert set(values(map_tasks(tasks.pid, range(3), n_jobs=2, executor="serial"))) == {here}
    alone = set(values(map_tasks(tasks.pid, range(3), executor="processes")))
    assert len(alone) == 1
    assert here not in alone
    both = values(map_tasks(tasks.sleeps, [0.5] * 6, n_jobs=2))
    assert len(set(both)) == 2
    assert here not in both
    left = [" ".join(child.cmdline()) for child in psutil.Process().children()]
    assert not any("LokyProcess" in line for line in left)


def test_nothing_to_do() -> None:
    assert map_tasks(tasks.square, [], n_jobs=2) == []


def test_progress_in_this_process() -> None:
    seen: list[tuple[int, int, int]] = []
    map_tasks(tasks.square, [1.0, 2.0, 3.0], n_jobs=2, progress=lambda d, n, o: seen.append((d, n, o.index)))
    assert [(done, total) for done, total, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert sorted(index for *_, index in seen) == [0, 1, 2]


@each_executor
def test_an_exception_is_an_outcome(executor: str) -> None:
    found = map_tasks(tasks.fails_on_odd, range(4), executor=executor, n_jobs=2, chunk=2)
    assert [outcome.value for outcome in found] == [0, None, 2, None]
    assert found[1].attempts == 1
    assert "in fails_on_odd" in found[1].traceback
    assert 'raise ValueError(f"{item} is odd")' in found[1].traceback
    with pytest.raises(ValueError, match="3 is odd") as caught:
        found[3].get()
    if executor == "processes":
        assert "in fails_on_odd" in caught.value.__notes__[0]
    else:
        assert caught.traceback[-1].name == "fails_on_odd"


@each_executor
def test_leaving_is_an_outcome_too(executor: str) -> None:
    (found,) = map_tasks(tasks.leaves, [0], executor=executor, n_jobs=2)
    assert isinstance(found.error, SystemExit)
    assert found.error.code == 3


def test_errors_and_results_that_cannot_travel() -> None:
    (found,) = map_tasks(tasks.stubborn, [0], n_jobs=2)
    assert isinstance(found.error, RuntimeError)
    assert str(found.error) == "StubbornError: this and that"
    assert "in stubborn" in found.traceback
    many = map_tasks(tasks.unreadable, range(5), n_jobs=2, chunk=5)
    assert [outcome.value for outcome in many] == [0, 1, None, 3, 4]
    assert "generator" in str(many[2].error)
    sent = map_tasks(tasks.square, [1.0, (n for n in range(3)), 3.0], n_jobs=2)
    assert [outcome.value for outcome in sent] == [1.0, None, 9.0]
    assert "pickle" in str(sent[1].error)


def test_a_function_that_workers_cannot_import_stops_the_map() -> None:
    module = types.ModuleType("only_here")
    exec("def same(shared, item):\n    return item", module.__dict__)
    sys.modules["only_here"] = module
    try:
        with pytest.raises(ModuleNotFoundError, match="only_here"):
            map_tasks(module.same, [1, 2], n_jobs=2)
    finally:
        del sys.modules["only_here"]
    assert leftovers() == []


def test_a_local_function_travels_whole() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def plus_one(shared, item):\n    return item + 1", namespace)
    assert values(map_tasks(namespace["plus_one"], [1, 2], n_jobs=2)) == [2, 3]


# -------------------------------------------------------------------- equal bits
def test_results_do_not_depend_on_the_number_of_jobs() -> None:
    once = values(map_tasks(tasks.seeded, range(12)))
    for options in ({"n_jobs": 2}, {"n_jobs": 3, "chunk": 1}, {"n_jobs": 2, "chunk": 5}):
        np.testing.assert_array_equal(values(map_tasks(tasks.seeded, range(12), **options)), once)  # type: ignore[arg-type]


# -------------------------------------------------------------------- what is shared
def test_arrays_arrive_as_they_were_and_read_only() -> None:
    rng = np.random.default_rng(0)
    large = rng.normal(size=(400, 300))
    shared = {
        "large": large, "fortran": np.asfortranarray(large), "cut": large[::3, 5:100], "small": np.arange(3.0),
        "empty": np.zeros((0, 2)), "words": np.array(["a", None], dtype=object), "whole": np.array(5),
        "dates": np.array(["2024-01-01"], dtype="datetime64[ns]"),
    }  # fmt: skip
    (found,) = map_tasks(tasks.looked_at, [0], shared=shared, n_jobs=2)
    for name, (array, fortran) in found.get().items():
        np.testing.assert_array_equal(array, shared[name])
        assert array.dtype == shared[name].dtype
        assert fortran == (shared[name].flags.f_contiguous and not shared[name].flags.c_contiguous)
    refused = values(map_tasks(tasks.writes, ["large", "small"], shared=shared, n_jobs=2))
    assert refused == ["assignment destination is read-only"] * 2
    assert large.flags.writeable
    assert leftovers() == []


def test_a_panel_is_read_only_in_the_workers() -> None:
    panel = make_panel((120, 110), past=1)
    (found,) = map_tasks(tasks.writes_to_panel, [0], shared=panel, n_jobs=2)
    with pytest.raises(ValueError, match="read-only"):
        found.get()


def test_a_large_array_is_not_copied_to_the_workers() -> None:
    array = np.ones(25_000_000)  # 200 MB
    found = values(map_tasks(tasks.own_memory, [0.1] * 4, shared={"array": array}, n_jobs=2, chunk=1))
    assert {total for _, total, _ in found} == {25e6}
    assert os.getpid() not in {pid for pid, *_ in found}
    # What belongs to one worker alone: Python, numpy, no part of the 200 MB.
    assert max(own for *_, own in found) < 100e6
    assert leftovers() == []


# -------------------------------------------------------------------- threads, warnings, nesting
def test_threads_are_held_and_given_back() -> None:
    import torch
    from threadpoolctl import threadpool_info

    def now() -> tuple[int, list[int], str | None]:
        return (
            torch.get_num_threads(),
            [one["num_threads"] for one in threadpool_info()],
            os.environ.get("MKL_NUM_THREADS"),
        )

    before = now()
    for threads in (1, 2):
        for executor in LOCAL:
            assert values(map_tasks(tasks.threads_here, [0], executor=executor, threads=threads)) == [
                (threads, threads)
            ]
        with pytest.raises(KeyboardInterrupt):
            map_tasks(tasks.interrupts, [0], threads=threads)
        assert now() == before
    assert values(map_tasks(tasks.threads_here, [0], threads=None)) == [(before[0], max(before[1]))]


@each_executor
def test_warnings_are_shown_once_with_their_count(executor: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = map_tasks(tasks.warns, range(10), executor=executor, n_jobs=2)
    assert values(found) == list(range(10))
    assert found[0].warnings == ((UserWarning, "rather short"),)
    told = [(one.category, str(one.message)) for one in caught]
    assert told[0] == (UserWarning, "rather short (10 times)")
    assert told[1:6] == [(RuntimeWarning, f"number {i}") for i in range(2, 7)]
    assert told[6:] == [(RuntimeWarning, "3 more of 3 other messages like it, such as: number 7")]


def test_workers_are_kept_between_maps() -> None:
    shared = {"array": np.arange(3.0)}
    with kept_workers(shared, 2) as workers:
        first, second = (
            set(values(map_tasks(tasks.sleeps, [0.2] * 4, shared=shared, executor=workers, chunk=1))) for _ in range(2)
        )
        assert first == second
        assert len(first) == 2
        stream = stream_tasks(tasks.sleeps, [0.2] * 4, shared=shared, executor=workers, chunk=1)
        next(stream)
        stream.close()  # what is still at work is ended, and another map begins anew
        third = set(values(map_tasks(tasks.sleeps, [0.2] * 4, shared=shared, executor=workers, chunk=1)))
        assert not third & first
    assert not any(psutil.pid_exists(pid) for pid in third)
    assert leftovers() == []


@each_executor
def test_items_are_prepared_when_their_turn_comes(executor: str) -> None:
    done: list[int] = []
    found = map_tasks(
        tasks.square, [0.0] * 6, executor=executor, n_jobs=2, chunk=1,
        prepare=lambda item: item + len(done), progress=lambda *_: done.append(1),
    )  # fmt: skip
    roots = [outcome.get() ** 0.5 for outcome in found]
    assert roots == sorted(roots)
    assert roots[0] == 0
    assert roots[-1] >= 3


def test_inside_a_worker_everything_is_serial() -> None:
    for own, inner in values(map_tasks(tasks.nested, [0, 1], n_jobs=2)):
        assert inner == [own, own]


# -------------------------------------------------------------------- executors
class Backwards(Executor):
    """What a cluster would be: takes the job and the items, yields outcomes in its own order."""

    closed = False

    def run(self, job: Job, items: Sequence[Any]) -> Iterator[Outcome]:
        try:
            for index in reversed(range(len(items))):
                yield Outcome(index, job.function(job.shared, items[index]))
        finally:
            self.closed = True


def test_an_executor_of_ones_own() -> None:
    executor = Backwards()
    came: list[int] = []
    found = map_tasks(tasks.square, [1.0, 2.0], executor=executor, progress=lambda d, n, o: came.append(o.index))
    assert values(found) == [1.0, 4.0]
    assert came == [1, 0]
    assert executor.closed


def test_a_closed_stream_ends_its_executor() -> None:
    executor = Backwards()
    with contextlib.closing(stream_tasks(tasks.square, [1.0, 2.0], executor=executor)) as stream:
        assert next(stream).value == 4.0
        assert not executor.closed
    assert executor.closed
    with contextlib.closing(stream_tasks(tasks.sleeps, [0.0, 60.0, 60.0], n_jobs=2, chunk=1)) as stream:
        worker = psutil.Process(next(stream).value)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert leftovers() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_jobs": 0}, "n_jobs is how many tasks run side by side, at least 1, or -1 for all cores; got 0"),
        ({"n_jobs": -2}, "got -2"),
        ({"n_jobs": 1.5}, "got 1.5"),
        ({"n_jobs": True}, "got True"),
        ({"executor": "proceses"}, "no executor 'proceses'. Did you mean 'processes'"),
        ({"threads": 0}, "threads is a whole number of at least 1, got 0"),
        ({"retries": -1}, "retries is a whole number of at least 0, got -1"),
        ({"chunk": 0}, "chunk is a whole number of at least 1, got 0"),
    ],
)
def test_wrong_settings(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        map_tasks(tasks.square, [1.0], **options)
