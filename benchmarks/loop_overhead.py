"""Overhead of the training loop over a bare PyTorch loop on pre-built tensors.

Of a linear network 180 -> 10, and of LSTM and Attention as they are fitted (lookback 60, 10 steps, batches of 64).
The bare loop: shuffled index, forward, loss, backward, Adam step; nothing else. It comes with PyTorch's
default Adam and with the fused one that foretide uses. foretide's loop also gathers each batch from the panel's
store, clips gradients, averages weights, keeps losses and looks for non-finite ones.
"""

from __future__ import annotations

import contextlib
import copy
import time
from dataclasses import fields, replace

import numpy as np
import torch
from common import arguments, save
from torch import Tensor, nn

import foretide as ft
from foretide.data.windows import slide
from foretide.models.inputs import Inputs, Labels
from foretide.seeding import torch_generator
from foretide.training import network_training
from foretide.training.config import TrainingConfig
from foretide.training.means import reduce
from foretide.training.network_training import train_network
from foretide.training.prepare import Preparation
from foretide.training.store import Store, WindowBatches

H, LOOKBACK, BATCH, EPOCHS, REPEATS = 10, 60, 64, 5, 7
STEPS = 60
"""Of LSTM and Attention in one repeat."""


class Linear(nn.Module):
    """Three channels of 60 lags to 10 steps."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(3 * LOOKBACK, H)

    def loss(self, inputs: Inputs, labels: Labels) -> Tensor:
        """Mean squared error."""
        forecast = self.map(inputs.past.transpose(1, 2).flatten(1))[..., None]
        return reduce(nn.functional.mse_loss(forecast, labels.y, reduction="none"), labels.observed)


def bare(x: Tensor, y: Tensor, fused: bool) -> float:
    """Seconds per step of the bare loop."""
    net = nn.Linear(3 * LOOKBACK, H)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True) if fused else torch.optim.Adam(
        net.parameters(), lr=1e-3)  # fmt: skip
    steps, started = 0, time.perf_counter()
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for low in range(0, len(x), BATCH):
            index = order[low : low + BATCH]
            loss = nn.functional.mse_loss(net(x[index]), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps += 1
    return (time.perf_counter() - started) / steps


def ours(batches: WindowBatches, config: TrainingConfig) -> float:
    """Seconds per step of foretide's loop."""
    net = Linear()
    started = time.perf_counter()
    train_network(net, batches, None, config, generator=torch_generator(0))
    return (time.perf_counter() - started) / (EPOCHS * -(-len(batches) // BATCH))


def of_networks(model: ft.LSTM | ft.Attention) -> dict[str, float]:
    """Seconds per step of a network as it comes to the training, by loop."""
    taken: list[tuple] = []

    def take(network: nn.Module, train: WindowBatches, *_: object, groups: list, **__: object) -> None:
        taken.append((network, train, groups))
        raise InterruptedError

    former, network_training.train_network = network_training.train_network, take
    with contextlib.suppress(InterruptedError):
        model.fit(ft.synthetic.hourly(T=10_000, seed=0).panel)
    network_training.train_network = former
    network, batches, groups = taken[0]
    names = {id(p): name for name, p in network.named_parameters()}
    config = TrainingConfig(epochs=1, batch_size=BATCH, steps_per_epoch=STEPS)
    inputs, labels = batches.batch(torch.arange(len(batches)))

    def parts(of: nn.Module) -> list[dict]:
        own = dict(of.named_parameters())
        return [{**group, "params": [own[names[id(p)]] for p in group["params"]]} for group in groups]

    def bare_loop() -> None:
        net = copy.deepcopy(network).train()
        optimizer = torch.optim.Adam(parts(net), fused=True)
        for index in torch.split(torch.randperm(len(batches)), BATCH)[:STEPS]:
            own = [
                replace(one, **{name: value[index] for name, value in tensors(one).items()}) for one in (inputs, labels)
            ]
            loss = net.loss(*own)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def our_loop(own: TrainingConfig) -> None:
        net = copy.deepcopy(network)
        train_network(net, batches, None, own, groups=parts(net), generator=torch_generator(0))

    loops = {
        "bare, fused Adam": bare_loop,
        "foretide, as shipped": lambda: our_loop(config),
        "foretide, without clipping and averaging": lambda: our_loop(replace(config, clip=None, ema=0.0)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(REPEATS):
        for name, loop in loops.items():
            began = time.process_time()
            loop()
            seconds[name].append((time.process_time() - began) / STEPS)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def tensors(batch: Inputs | Labels) -> dict[str, Tensor]:
    """What of a batch belongs to windows."""
    return {f.name: value for f in fields(batch) if isinstance(value := getattr(batch, f.name), Tensor)}


def main() -> None:
    """Interleave the loops and compare medians."""
    chosen = arguments(__doc__)
    panel = ft.synthetic.hourly(T=10_000, seed=0).panel
    store = Store(panel, Preparation.fit(panel, None), input_size=LOOKBACK, h=H)
    batches = WindowBatches(store, slide(panel, input_size=LOOKBACK, h=H))
    inputs, labels = batches.batch(torch.arange(len(batches)))
    x, y = inputs.past.transpose(1, 2).flatten(1).contiguous(), labels.y[..., 0].contiguous()
    full = TrainingConfig(epochs=EPOCHS, batch_size=BATCH, steps_per_epoch=None)
    plain = TrainingConfig(epochs=EPOCHS, batch_size=BATCH, steps_per_epoch=None, clip=None, ema=0.0)
    loops = {
        "bare, default Adam": lambda: bare(x, y, fused=False),
        "bare, fused Adam": lambda: bare(x, y, fused=True),
        "foretide, as shipped": lambda: ours(batches, full),
        "foretide, without clipping and averaging": lambda: ours(batches, plain),
    }
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(REPEATS):
        for name, loop in loops.items():
            seconds[name].append(loop())
    base, fused = (np.array(seconds[n]) for n in ("bare, default Adam", "bare, fused Adam"))
    rows = [
        {"network": "linear", "loop": name, "step_us": 1e6 * float(np.median(s)),
         "over_bare": float(np.median(np.array(s) / base)), "over_bare_fused": float(np.median(np.array(s) / fused))}
        for name, s in seconds.items()
    ]  # fmt: skip
    for model in (
        ft.LSTM(H, input_size=LOOKBACK, hidden=64, by_step=False), ft.Attention(H, input_size=LOOKBACK, by_step=False),
    ):  # fmt: skip
        found, called = of_networks(model), f"{model.name}, hidden={model.hidden}"
        least = found["bare, fused Adam"]
        rows += [
            {"network": called, "loop": name, "step_us": 1e6 * s, "over_bare_fused": s / least}
            for name, s in found.items()
        ]
    save("loop_overhead", rows, chosen.threads)


if __name__ == "__main__":
    main()
