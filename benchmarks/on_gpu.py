"""Every network on a GPU: the same forecasts as on the CPU, and what a step costs there.

Each network begins at the same weights on both devices (the same seed, drawn on the CPU) and is trained for one epoch;
forecasts of both have to agree to 1e-4 of the largest one. Steps are timed for float32, for bfloat16 where layers take
it (``torch.autocast``), and compiled (``torch.compile``), so that it can be said whether either pays. With several GPUs
the same training by all of them is timed, too. On a CPU an LSTM does not come to an end of compiling (five minutes
were given), so nothing is compiled there unless ``--compile`` asks for it.

    python benchmarks/on_gpu.py                  # needs a GPU
    python benchmarks/on_gpu.py --device cpu --small     # tries the script itself

It has not been run on a GPU yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from common import arguments, save

import foretide as ft
from foretide.training import network_training
from foretide.training.store import WindowBatches

AGREES = 1e-4


class Size(NamedTuple):
    """How much there is to do."""

    h: int = 24
    lookback: int = 168
    steps: int = 40
    rows: int = 4_000


SMALL = Size(h=4, lookback=24, steps=4, rows=600)
NETWORKS: dict[str, dict] = {
    "LSTM": {"hidden": 64}, "Attention": {"hidden": 128}, "Attention, 2 encoder layers": {"encoder_layers": 2},
}  # fmt: skip
"""LAVAR computes on the CPU only."""


def made(name: str, device: str, size: Size, **more: object) -> ft.LSTM | ft.Attention:
    """A network of the table."""
    kind, own = getattr(ft, name.partition(",")[0]), NETWORKS[name]
    return kind(size.h, input_size=size.lookback, epochs=1, steps_per_epoch=size.steps, device=device, **own, **more)


def synchronised(device: str) -> None:
    """Wait until a GPU has done what it was asked for."""
    if device != "cpu":
        torch.cuda.synchronize()


def seconds_of(step: Callable[[torch.Tensor], None], batches: WindowBatches, device: str, steps: int) -> float:
    """Seconds per step, the first ones left out."""
    parts = torch.split(torch.randperm(len(batches), generator=torch.Generator().manual_seed(0)), 64)
    for chosen in parts[:5]:
        step(chosen)
    synchronised(device)
    began = time.perf_counter()
    for chosen in parts[5 : 5 + steps]:
        step(chosen)
    synchronised(device)
    return (time.perf_counter() - began) / len(parts[5 : 5 + steps])


def of_steps(name: str, panel: ft.Panel, device: str, size: Size, compiled: bool) -> dict[str, float]:
    """Milliseconds of a step in float32, bfloat16 and compiled; NaN where it cannot be done."""
    taken: list[tuple[torch.nn.Module, WindowBatches]] = []
    train = network_training.train_network

    def take(network: torch.nn.Module, batches: WindowBatches, *rest: object, **more: object) -> object:
        taken.append((network, batches))
        return train(network, batches, *rest, **more)

    network_training.train_network = take
    try:
        made(name, device, size, by_step=False).fit(panel)
    finally:
        network_training.train_network = train
    network, batches = taken[0]
    network.train()
    kind = torch.device(device).type

    def step_of(loss: Callable, narrow: bool) -> Callable[[torch.Tensor], None]:
        def step(chosen: torch.Tensor) -> None:
            with torch.autocast(kind, torch.bfloat16, enabled=narrow):
                found = loss(*batches.batch(chosen))
            found.backward()
            network.zero_grad()

        return step

    ways = {
        "float32_ms": lambda: step_of(network.loss, False),
        "bfloat16_ms": lambda: step_of(network.loss, True),
        "compiled_ms": lambda: step_of(torch.compile(network.loss), False),
    }
    found = {}
    for way, step in ways.items():
        found[way] = np.nan
        if way == "compiled_ms" and not compiled:
            continue
        try:
            found[way] = 1e3 * seconds_of(step(), batches, device, size.steps)
        except Exception as error:  # what this version cannot do is a result, too
            print(f"{name}, {way}: {type(error).__name__}: {str(error)[:200]}", flush=True)
    return found


def main() -> None:
    """One row a network; an error where a forecast differs."""
    yes = {"action": "store_true"}
    chosen = arguments(__doc__, device={"default": "cuda"}, small=yes, compile=yes)
    size = SMALL if chosen.small else Size()
    panel = ft.synthetic.hourly(T=size.rows, n_series=3, seed=1).panel
    rows, apart = [], []
    for name in NETWORKS:
        forecasts, seconds = {}, {}
        for device in ("cpu", chosen.device):
            began = time.perf_counter()
            forecasts[device] = made(name, device, size).fit(panel).predict(panel).mean
            synchronised(device)
            seconds[device] = time.perf_counter() - began
        here, there = forecasts["cpu"], forecasts[chosen.device]
        difference = float(np.abs(here - there).max() / np.abs(here).max())
        row = {
            "network": name, "device": chosen.device, "difference": difference, "cpu_s": seconds["cpu"],
            "device_s": seconds[chosen.device],
        }  # fmt: skip
        row |= of_steps(name, panel, chosen.device, size, chosen.compile or chosen.device != "cpu")
        if chosen.device == "cuda" and (n := torch.cuda.device_count()) > 1:
            began = time.perf_counter()
            made(name, chosen.device, size, devices=n).fit(panel)
            row |= {"gpus": n, "all_gpus_s": time.perf_counter() - began}
        rows.append(row)
        apart += [name] if difference > AGREES else []
    save("on_gpu" if chosen.device != "cpu" else "on_gpu_tried_on_cpu", rows, chosen.threads)
    if apart:
        raise SystemExit(f"Forecasts differ by more than {AGREES:g} between the CPU and {chosen.device}: {apart}")


if __name__ == "__main__":
    main()
