"""Training by several processes: the weights of one, what it costs, and what is left when a process is killed.

- ``weights``: every head under LSTM and Attention, with and without the closed-form start, by 1 process and by 2 and 3,
  a fifth of the values missing. Beside it two controls of one process: each batch in reverse order, which only adds up
  in another order, and 2 processes in float64, where a fault would stay and rounding does not.
- ``growing``: how such differences grow over 960 steps.
- ``time``: a fit by 1 and by 2 processes, start apart, and a step, by width and batch.
- ``killed``: process 1 is killed in the middle; seconds until the error, and whether ``fit(checkpoint=)`` goes on to
  the weights of a training that nothing disturbed.

The first two let the processes be threads that meet over sockets, as in the tests; the others start processes.

    python benchmarks/joined.py [--part weights]
"""

from __future__ import annotations

import copy
import itertools
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from common import arguments, save

import foretide as ft
from foretide.errors import WorkerDiedError
from foretide.heads.table import HEADS
from foretide.seeding import torch_generator
from foretide.training import followers, joined, learner, loop, network_training, ranks
from foretide.training.config import TrainingConfig

H, LOOKBACK, EPOCHS, CPU = 6, 24, 2, torch.device("cpu")
AGREES = 1e-6
NETWORKS = {"LSTM": {"hidden": 16}, "Attention": {"hidden": 16, "heads": 2}}
SIZES = [("LSTM", 32, 64), ("Attention", 32, 64), ("LSTM", 128, 256), ("Attention", 128, 256)]
"""Network, width and batch."""


class Before(NamedTuple):
    """What a training begins with."""

    network: torch.nn.Module
    windows: tuple
    config: TrainingConfig
    groups: list[dict]


class StopError(Exception):
    """Ends a fit where training would begin."""


def table(counts: bool) -> ft.Panel:
    """Three series with holes."""
    panel, rng = ft.synthetic.hourly(T=400, n_series=3, seed=1).panel, np.random.default_rng(1)
    values = panel.values.copy()
    if counts:
        values = np.maximum(0, np.rint(3 * (values - values.mean()) / values.std()))
    values[rng.random(values.shape) < 0.2] = np.nan
    return panel.with_values(values)


def before(kind: str, panel: ft.Panel, **settings: object) -> Before:
    """Everything of a fit up to its training."""
    taken: list[Before] = []

    def take(network: torch.nn.Module, windows: tuple, config: TrainingConfig, groups: list, *_: object) -> None:
        taken.append(Before(network, windows, config, groups))
        raise StopError

    with replaced(network_training, "joined_learner", take), suppress(StopError):
        model(kind, **settings).fit(panel)
    return taken[0]


def model(kind: str, **settings: object) -> ft.LSTM | ft.Attention:
    """A network that trains to its last epoch."""
    own = {"by_step": False, "patience": None, "fit_mean_first": False, "device": "cpu", "lr": 3e-3}
    sizes = {"h": H, "input_size": LOOKBACK, "epochs": EPOCHS, **NETWORKS[kind]}
    return getattr(ft, kind)(**{**sizes, **own, **settings})


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """Put something else in the place of a name for a while."""
    former = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, former)


# ---------------------------------------------------------------- the same weights?
def trained(
    start: Before, size: int, *, backwards: bool = False, double: bool = False, watch: Callable | None = None
) -> torch.Tensor:  # fmt: skip
    """All weights after the last step, by one process or by several threads."""
    start = doubled(start) if double else start

    def made(kind: type, *more: object) -> learner.NetworkLearner:
        network = copy.deepcopy(start.network)
        names = {id(p): name for name, p in start.network.named_parameters()}
        own = dict(network.named_parameters())
        groups = [{**group, "params": [own[names[id(p)]] for p in group["params"]]} for group in start.groups]
        return kind(network, start.windows, start.config, groups, torch_generator(3), *more)

    if size == 1:
        leader = made(Backwards if backwards else learner.NetworkLearner)
        loop.train(leader, start.config, on_epoch=watch and (lambda row: watch(leader)))
        return joined_weights(leader)
    leaders: list[learner.NetworkLearner] = []
    with tempfile.TemporaryDirectory() as folder:
        rest = (size, Path(folder), made, leaders, start.config, watch)
        threads = [threading.Thread(target=take_part, args=(rank, *rest)) for rank in range(size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return joined_weights(leaders[0])


def take_part(
    rank: int, size: int, folder: Path, made: Callable, leaders: list, config: TrainingConfig, watch: Callable | None
) -> None:  # fmt: skip
    """What one of several threads does."""
    store = torch.distributed.FileStore(str(folder / "store"), size)
    one = made(joined.JoinedLearner, ranks.Ranks(rank, size, store, CPU, local=True))
    if rank:
        one.follow()
        return
    with one.leading():
        loop.train(one, config, on_epoch=watch and (lambda row: watch(one)))
        one.ended(loop.History())
    leaders.append(one)


class Backwards(learner.NetworkLearner):
    """Adds up in another order."""

    def gradient(self, batch: torch.Tensor) -> torch.Tensor:
        """Of the same windows, the last one first."""
        return super().gradient(batch.flip(0))


def doubled(start: Before) -> Before:
    """The same in float64."""
    network, windows = copy.deepcopy(start.network).double(), copy.deepcopy(start.windows)
    names = {id(p): name for name, p in start.network.named_parameters()}
    own = dict(network.named_parameters())
    for one in windows:
        for owner in (one.store, one) if one is not None else ():
            wide = {
                n: v.double() for n, v in vars(owner).items() if isinstance(v, torch.Tensor) and v.is_floating_point()
            }
            vars(owner).update(wide)
        if one is not None:
            one._view()
            one._rows = None if one._rows is None else one._rows.double()
    groups = [{**group, "params": [own[names[id(p)]] for p in group["params"]]} for group in start.groups]
    return Before(network, windows, start.config, groups)


def joined_weights(one: learner.NetworkLearner) -> torch.Tensor:
    """Last weights, without the average of them, which is back where it was best."""
    return torch.cat([parameter.detach().double().flatten() for parameter in one.live])


def apart(here: torch.Tensor, there: torch.Tensor) -> float:
    """Largest difference of a weight, as a part of the largest weight."""
    return float((here - there).abs().max() / here.abs().max())


def of_weights() -> list[dict]:
    """One row a network, head and start."""
    rows = []
    for kind, head, closed in itertools.product(NETWORKS, HEADS, (True, False)):
        counts = HEADS[head].cls.counts
        start = before(kind, table(counts), head=head, closed_form=closed, batch_size=50)
        one, steps = trained(start, 1), EPOCHS * -(-len(start.windows[0]) // 50)
        wide = trained(start, 1, double=True)
        rows.append({
            "network": kind, "head": head, "closed_form": closed, "steps": steps,
            "moved": apart(one, torch.cat([p.detach().double().flatten() for p in start.network.parameters()])),
            "two": apart(one, trained(start, 2)), "three": apart(one, trained(start, 3)),
            "backwards": apart(one, trained(start, 1, backwards=True)),
            "two_float64": apart(wide, trained(start, 2, double=True)),
        })  # fmt: skip
        save("joined_weights", rows, torch.get_num_threads(), show=False)
        print(rows[-1], flush=True)
    return rows


def of_growing() -> list[dict]:
    """How differences grow over many steps."""
    rows = []
    for kind, head in itertools.product(NETWORKS, ("point", "gaussian", "quantile")):
        start = before(kind, table(False), head=head, closed_form=False, batch_size=64, epochs=60, steps_per_epoch=16)
        found: dict[str, list[torch.Tensor]] = {}
        ways = {"one": (1, {}), "two": (2, {}), "backwards": (1, {"backwards": True}),
                "one_64": (1, {"double": True}), "two_64": (2, {"double": True})}  # fmt: skip
        for way, (size, more) in ways.items():
            seen = found[way] = []
            trained(start, size, **more, watch=lambda one, seen=seen: seen.append(joined_weights(one)))
        for epoch in (1, 5, 10, 20, 40, 60):
            rows.append({
                "network": kind, "head": head, "steps": 16 * epoch,
                "two": apart(found["one"][epoch], found["two"][epoch]),
                "backwards": apart(found["one"][epoch], found["backwards"][epoch]),
                "two_float64": apart(found["one_64"][epoch], found["two_64"][epoch]),
            })  # fmt: skip
            print(rows[-1], flush=True)
    return rows


# ---------------------------------------------------------------- what it costs
def of_time() -> list[dict]:
    """Seconds of a fit and of its parts, and of a step, by one process (of one and of two threads) and by two.

    Steps are of the wall clock, and of the processor in the process that leads; the ways take turns, and the quickest
    of three turns counts.
    """
    rows, panel = [], ft.synthetic.hourly(T=3_000, n_series=4, seed=1).panel
    for kind, hidden, batch in SIZES:
        found: dict[str, list[dict[str, float]]] = {}
        for _ in range(3):
            for way, threads, devices in (("one", 1, 1), ("one_2_threads", 2, 1), ("two", 2, 2)):
                torch.set_num_threads(threads)
                found.setdefault(way, []).append(one_fit(kind, panel, hidden, batch, devices))
        torch.set_num_threads(1)
        row: dict[str, object] = {"network": kind, "hidden": hidden, "batch": batch}
        for way, turns in found.items():
            row |= {f"{way}_{name}": min(turn[name] for turn in turns) for name in ("step_ms", "step_cpu_ms", "fit_s")}
        row |= {"started_s": min(turn["waited_s"] for turn in found["two"]), "weights": turns[0]["weights"]}
        row["gain"] = row["one_step_ms"] / row["two_step_ms"]
        rows.append(row)
        save("joined_time", rows, torch.get_num_threads())
    return rows


def one_fit(kind: str, panel: ft.Panel, hidden: int, batch: int, devices: int) -> dict[str, float]:
    """Of one fit: its seconds, those until the others had begun, and milliseconds of a step."""
    steps, seen = 12, {"waited_s": 0.0}
    meet, train = followers.Followers._meet, network_training.train

    def timed_meet(own: followers.Followers, store: object) -> None:
        began = time.perf_counter()
        meet(own, store)
        seen["waited_s"] = time.perf_counter() - began

    def timed_train(one: learner.NetworkLearner, config: TrainingConfig, **more: object) -> loop.History:
        seen["weights"] = sum(p.numel() for p in one.moved)
        one.validation = None
        step, marks = one.step, []

        def marked(chosen: torch.Tensor) -> torch.Tensor:
            marks.append((time.perf_counter(), time.process_time()))
            return step(chosen)

        one.step = marked
        history = train(one, config, **more)
        wall, cpu = np.diff(np.array(marks[2:]), axis=0).T  # the first steps warm up
        seen["step_ms"], seen["step_cpu_ms"] = 1e3 * float(np.median(wall)), 1e3 * float(np.median(cpu))
        return history

    with replaced(followers.Followers, "_meet", timed_meet), replaced(network_training, "train", timed_train):
        began = time.perf_counter()
        own = {"hidden": hidden, "batch_size": batch, "epochs": 1, "steps_per_epoch": steps, "heads": 4}
        model(kind, **{name: v for name, v in own.items() if name != "heads" or kind == "Attention"},
              devices=devices).fit(panel)  # fmt: skip
        seen["fit_s"] = time.perf_counter() - began
    return seen


# ---------------------------------------------------------------- what is left
def of_killed() -> list[dict]:
    """Kill process 1 in the middle of an epoch; go on by two processes, and by one."""
    rows, panel = [], table(False)
    for kind in NETWORKS:
        settings = {"epochs": 40, "batch_size": 50, "devices": 2, "closed_form": False}
        whole = model(kind, **settings).fit(panel)
        for devices in (2, 1):
            with tempfile.TemporaryDirectory() as folder:
                lost, seconds, epoch = killed(kind, panel, settings, Path(folder))
                files = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
                began = time.perf_counter()
                again = model(kind, **{**settings, "devices": devices}).fit(panel, checkpoint=folder)
            rows.append({
                "network": kind, "killed_in_epoch": epoch, "until_error_s": seconds, "kept_bytes": files,
                "goes_on_by": devices, "goes_on_s": time.perf_counter() - began, "error": str(lost)[:80],
                "apart": apart(weights_of(whole), weights_of(again)),
                "epochs": len(again.history) - 1, "best_epoch": again.best_epoch,
            })  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def killed(kind: str, panel: ft.Panel, settings: dict, folder: Path) -> tuple[WorkerDiedError, float, int]:
    """The error of a training that loses a process, the seconds until it came, and the epoch."""
    at, batches = {}, joined.JoinedLearner.batches

    def stabbed(one: joined.JoinedLearner) -> Sequence[torch.Tensor]:
        found = batches(one)
        if one.leads and one.epoch == 25:
            at["pid"], at["epoch"] = pids(), one.epoch

            def kill() -> None:
                os.kill(at["pid"], signal.SIGKILL)
                at["time"] = time.perf_counter()

            step, left = one.step, [len(found) // 2]

            def counted(chosen: torch.Tensor) -> torch.Tensor:
                left[0] -= 1
                if not left[0]:
                    kill()
                return step(chosen)

            one.step = counted
        return found

    begun: list[followers.Followers] = []

    def pids() -> int:
        return int((begun[-1].folder / "process-1").read_text())

    def remembered(*own: int) -> followers.Followers:
        begun.append(followers.Followers(*own))
        return begun[-1]

    with replaced(joined.JoinedLearner, "batches", stabbed), replaced(joined, "Followers", remembered):
        try:
            model(kind, **settings).fit(panel, checkpoint=folder)
        except WorkerDiedError as error:
            return error, time.perf_counter() - at["time"], at["epoch"]
    raise SystemExit("Nobody noticed that a process was killed.")


def weights_of(fitted: ft.LSTM | ft.Attention) -> torch.Tensor:
    """All weights of a fitted network."""
    return torch.cat([p.detach().double().flatten() for p in fitted.network.parameters()])


PARTS = {"weights": of_weights, "growing": of_growing, "time": of_time, "killed": of_killed}


def main() -> None:
    """One result file a part."""
    chosen = arguments(__doc__, part={"choices": list(PARTS), "default": None})
    for part in [chosen.part] if chosen.part else PARTS:
        save(f"joined_{part}", PARTS[part](), chosen.threads)


if __name__ == "__main__":
    main()
