"""One training step, and a forecast, of an LSTM by the way its decoder goes, in the same run on the same batches.

100 daily series with a weekly season and noise, lookback 56, 14 days ahead, batches of 64, one thread; loss, gradient,
clipping and Adam. ``shipped``: where the head's mean is linear in the features and there is one layer, the feedback is
part of the recurrent weights, and the decoder is one call; cell by cell elsewhere. ``cells``: cell by cell everywhere.
``whole``: PyTorch's whole LSTM once a step, which is what was done before, but for forecasts of up to 32 windows: they
went by cells.

Milliseconds of processor time, medians of rounds in which all ways take turns; ``ratio``: ``whole`` over ``shipped``
in the same round, the median.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import numpy as np
import pandas as pd
import torch
from common import arguments, save

import foretide as ft
from foretide.data.windows import slide
from foretide.forecasters.networks.neural import NeuralForecaster
from foretide.training.fused.flat import clip_gradients
from foretide.training.learner import make_optimizer
from foretide.training.store import Store, WindowBatches

N, T, H, LOOKBACK, BATCH = 100, 400, 14, 56, 64
STEPS, ROUNDS = 3, 7
SETTINGS: dict[str, dict] = {
    "32 wide": {}, "64 wide": {"hidden": 64}, "128 wide": {"hidden": 128}, "2 layers": {"layers": 2},
    "3 targets": {}, "known and static columns": {}, "gaussian": {"head": "gaussian"},
    "quantile": {"head": "quantile"}, "nb": {"head": "nb"}, "nb, mean first": {"head": "nb"},
}  # fmt: skip
WAYS = ("shipped", "cells", "whole")


def panel_of(case: str) -> ft.Panel:
    """Counts around 20 to 50, so that every head can have them."""
    rng = np.random.default_rng(0)
    level, swing = rng.uniform(20, 50, (N, 1)), rng.uniform(0, 10, (N, 1))
    y = rng.poisson(level + swing * np.sin(2 * np.pi * np.arange(T) / 7)).ravel()
    frame = pd.DataFrame({
        "unique_id": np.repeat([f"s{i:03d}" for i in range(N)], T),
        "ds": np.tile(pd.date_range("2022-01-01", periods=T), N), "y": y, "z": y[::-1].copy(), "w": np.roll(y, 5),
    })  # fmt: skip
    if case == "3 targets":
        return ft.Panel.from_frame(frame, target=["y", "z", "w"])
    frame = frame.drop(columns=["z", "w"])
    if case == "known and static columns":
        frame["price"], frame["size"] = rng.normal(size=len(frame)), np.repeat(level.ravel(), T)
        return ft.Panel.from_frame(frame, future=["price"], static=["size"])
    return ft.Panel.from_frame(frame)


@contextmanager
def going(network: torch.nn.Module, way: str) -> Iterator[None]:
    """Let the decoder go a way."""
    with ExitStack() as stack:
        if way != "shipped":
            stack.enter_context(mock.patch.object(network.head, "linear_mean", return_value=None))
        if way == "whole":
            stack.enter_context(mock.patch("torch.compiler.is_exporting", return_value=True))
        yield


def works(
    model: NeuralForecaster, panel: ft.Panel, case: str
) -> tuple[dict[str, Callable[[], object]], torch.nn.Module]:
    """What is timed, training steps and forecasts of some windows, and the network that does it."""
    batches = WindowBatches(
        Store(panel, model.preparation, input_size=LOOKBACK, h=H), slide(panel, input_size=LOOKBACK, h=H)
    )
    network = model.network.points() if case.endswith("mean first") else model.network
    optimizer = make_optimizer(network.groups(1e-3, 1e-4, 0.0), model.training)
    order = torch.randperm(len(batches), generator=torch.Generator().manual_seed(0))

    def steps() -> None:
        network.train()
        for index in torch.split(order[: STEPS * BATCH], BATCH):
            loss = network.loss(*batches.batch(index))
            optimizer.zero_grad()
            loss.backward()
            clip_gradients(optimizer.parameters, 1.0)
            optimizer.step()

    def forecast(n: int) -> Callable[[], object]:
        inputs = batches.inputs(order[:n])

        def run() -> None:
            network.eval()
            with torch.inference_mode():
                for _ in range(STEPS):
                    network(inputs)

        return run

    return {"step": steps, "1 window": forecast(1), "1024 windows": forecast(1024)}, network


def main() -> None:
    """Time all ways in turn."""
    chosen = arguments(__doc__)
    rows = []
    for case, settings in SETTINGS.items():
        panel = panel_of(case)
        model = ft.LSTM(H, **{"input_size": LOOKBACK, "hidden": 32, "epochs": 0, "by_step": False, **settings})
        timed, network = works(model.fit(panel), panel, case)
        for work, call in timed.items():
            spent: dict[str, list[float]] = {way: [] for way in WAYS}
            for _ in range(ROUNDS + 1):
                for way in WAYS:
                    with going(network, way):
                        begun = time.process_time()
                        call()
                        spent[way].append(1e3 * (time.process_time() - begun) / STEPS)
            found = {way: np.array(values[1:]) for way, values in spent.items()}
            medians = {f"{way}_ms": float(np.median(values)) for way, values in found.items()}
            ratio = float(np.median(found["whole"] / found["shipped"]))
            rows.append({"setting": case, "work": work, **medians, "ratio": ratio})
    save("lstm_step", rows, chosen.threads)


if __name__ == "__main__":
    main()
