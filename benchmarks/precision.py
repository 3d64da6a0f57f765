"""Do bfloat16 (``torch.autocast``) or ``torch.compile`` pay on a CPU? Time of a step, and what forecasts lose.

A step is a gradient of the loss, clipping and Adam, on one thread; the three ways take turns in one process, and the
median of what the processor spent counts. Compiling is counted in seconds of the processor, those of the C++ compiler
it starts included, so that it can be said after how many steps it has paid for itself.

    python benchmarks/precision.py [--part losses]
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from common import arguments, save
from joined import Before, apart, before

import foretide as ft
from foretide.seeding import torch_generator
from foretide.training.fused.flat import clip_gradients
from foretide.training.learner import make_optimizer, stretches
from foretide.training.means import joined_mean

SIZES = [("Attention", 128, 256), ("Attention", 512, 64), ("LSTM", 32, 64), ("Attention", 32, 64), ("LSTM", 128, 256),
         ("Attention", 128, 1024), ("LSTM", 512, 64)]  # fmt: skip
"""Network, width and batch."""
WAYS = ("float32", "bfloat16", "compiled")
ROUNDS, LONGEST = 7, 30.0
"""Turns of each way, and seconds after which no further one begins."""


def begun(kind: str, hidden: int, batch: int) -> Before:
    """A network and its windows before the first step."""
    panel = ft.synthetic.hourly(T=2_000, n_series=3, seed=1).panel
    own = {"heads": 4} if kind == "Attention" else {}
    return before(kind, panel, h=12, input_size=48, hidden=hidden, batch_size=batch, head="point", **own)


def stepped(start: Before, way: str) -> tuple[torch.nn.Module, Callable[[torch.Tensor], float]]:
    """A copy of the network, and what moves it by one batch."""
    network = copy.deepcopy(start.network).train()
    loss = torch.compile(network.loss) if way == "compiled" else network.loss
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer = make_optimizer([{"params": parameters, "lr": start.config.lr, "weight_decay": 0.0}], start.config)

    def step(chosen: torch.Tensor) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=way == "bfloat16"):
            value = loss(*start.windows[0].batch(chosen))
        optimizer.zero_grad()
        value.backward()
        clip_gradients(parameters, 1.0)
        optimizer.step()
        return float(value)

    return network, step


def orders(start: Before, batch: int) -> Iterator[torch.Tensor]:
    """Batches for ever, the same for every way."""
    generator = torch_generator(0)
    while True:
        order = torch.randperm(len(start.windows[0]), generator=generator)
        yield from (part for part in torch.split(order, batch) if len(part) == batch)


def spent() -> float:
    """Seconds of the processor, those of ended children included."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def works(step: Callable[[torch.Tensor], float], chosen: torch.Tensor) -> bool:
    """Take a step; whether this processor and this PyTorch can."""
    try:
        step(chosen)
    except RuntimeError as error:
        print(f"{type(error).__name__}: {str(error)[:160]}", flush=True)
        return False
    return True


def of_steps() -> list[dict]:
    """Milliseconds of a step by network, width and batch."""
    rows = []
    for kind, hidden, batch in SIZES:
        start = begun(kind, hidden, batch)
        steps, marks, row = {}, {way: [] for way in WAYS}, {"network": kind, "hidden": hidden, "batch": batch}
        for way in WAYS:
            torch.compiler.reset()
            _, steps[way] = stepped(start, way)
            began, wall = spent(), time.perf_counter()
            chosen = next(orders(start, batch))
            if not works(steps[way], chosen):
                del steps[way]
                continue
            if way == "compiled":
                row |= {"compile_cpu_s": spent() - began, "compile_wall_s": time.perf_counter() - wall}
            steps[way](chosen)
        batches, began = orders(start, batch), time.perf_counter()
        for turn in range(ROUNDS):
            if turn and time.perf_counter() - began > LONGEST:
                break
            chosen = next(batches)
            for way in steps:
                at = time.process_time()
                steps[way](chosen)
                marks[way].append(time.process_time() - at)
        row |= {f"{way}_ms": 1e3 * float(np.median(marks[way] or [np.nan])) for way in WAYS}
        row |= {f"{way}_gain": row["float32_ms"] / row[f"{way}_ms"] for way in WAYS[1:]}
        saved = (row["float32_ms"] - row["compiled_ms"]) / 1e3
        row["compiled_pays_after_steps"] = row["compile_cpu_s"] / saved if saved > 0 else np.inf
        rows.append(row)
        save("precision_steps", rows, torch.get_num_threads())
    return rows


def of_losses() -> list[dict]:
    """What a training of 150 steps by each way comes to: loss on validation, and how far weights and forecasts are."""
    rows = []
    for kind in ("LSTM", "Attention"):
        start = begun(kind, 64, 64)
        validation, reference = start.windows[1], None
        for way in WAYS:
            torch.compiler.reset()
            network, step = stepped(start, way)
            batches = orders(start, 64)
            if not works(step, next(batches)):
                continue
            for _ in range(149):
                step(next(batches))
            loss = joined_mean(*stretches(network, validation))
            with torch.no_grad():
                forecast = network(validation.spread(500)[0])[0].mean().double()
            reference = forecast if reference is None else reference
            rows.append({"network": kind, "way": way, "val_loss": loss, "forecasts_apart": apart(reference, forecast)})
            print(rows[-1], flush=True)
    return rows


PARTS = {"steps": of_steps, "losses": of_losses}


def main() -> None:
    """One result file a part."""
    chosen = arguments(__doc__, part={"choices": list(PARTS), "default": None})
    for part in [chosen.part] if chosen.part else PARTS:
        save(f"precision_{part}", PARTS[part](), chosen.threads)


if __name__ == "__main__":
    main()
