"""What an epoch of an LSTM (32 wide) over many series costs, and how large it should be.

``--part cost``: processor microseconds of a step for each of its windows, by the size of a batch, on a panel of 10,000
series x 200 days; and what that makes of every window of 100,000 series. ``--part ways``: the same, and seconds on the
clock, for one process of one thread, two processes (``devices=2``), and one process of two threads: the quickest of
three epochs of 64 steps, validation included, divided by their windows. ``--part whole --series 1000``: one epoch over
every window, start, validation and forecasts with intervals included, by two processes with ``--devices 2``.
``--part worth``: generated panels of 1,000 series whose steps no linear map foresees (a threshold, campaigns that work
by weekday); epochs of so many windows, stopped as by default: mean squared error of what comes after the fitted part ÷
that of the closed-form start.

On a busy machine the clock says nothing of ``ways``: what two idle cores take is then the processors' time, halved.
Rows of other parts and sizes are left as they are.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import growth
import numpy as np
import pandas as pd
import psutil
import torch
from common import RESULTS, arguments, save, used

import foretide as ft
from foretide.training.learner import NetworkLearner
from foretide.training.watch import Epoch, watching

H, DAYS = growth.H, growth.DAYS
BATCHES = (64, 128, 256, 512, 1024, 2048, 4096)
WAYS = {"one thread": (1, 1), "two processes": (2, 2), "two threads": (2, 1)}
"""Threads in all, and processes."""
EPOCHS, MOST = ((64, 100), (256, 100), (256, 400), (1024, 100)), 12
"""Windows of a step, and steps of an epoch: the first is the default; and so many epochs at most."""


def of_many(series: int) -> ft.Panel:
    """The panel of growth.py."""
    with tempfile.TemporaryDirectory() as folder:
        return ft.Panel.read(growth.write(Path(folder), "series", series, "parquet"))


def about_to_train(panel: ft.Panel) -> NetworkLearner:
    """What trains the network, before its first step but one."""
    found: list[NetworkLearner] = []
    before = NetworkLearner.batches

    def watched(learner: NetworkLearner) -> list[torch.Tensor]:
        found.append(learner)
        return list(before(learner))[:1]

    NetworkLearner.batches = watched
    try:
        ft.LSTM(H, hidden=32, epochs=1, by_step=False).fit(panel)
    finally:
        NetworkLearner.batches = before
    return found[0]


def cost(series: int = 10_000, windows: int = 8_192) -> Iterator[dict]:
    """Steps of a network that is about to be trained."""
    learner = about_to_train(of_many(series))
    learner.network.train()
    order = torch.randint(0, len(learner.windows), (windows,), generator=torch.Generator().manual_seed(0))
    for batch in BATCHES:
        steps = torch.split(order, batch)
        learner.step(steps[0])
        began, clock = time.process_time(), time.perf_counter()
        for step in steps:
            learner.step(step)
        each = (time.process_time() - began) / windows
        yield {
            "part": "cost", "series": series, "batch": batch, "cpu_us_a_window": 1e6 * each,
            "us_a_window": 1e6 * (time.perf_counter() - clock) / windows,
            "cpu_minutes_of_1e5_series": each * len(learner.windows) * 1e5 / series / 60,
        }  # fmt: skip


def ways(series: int = 10_000, batch: int = 512, steps: int = 64, epochs: int = 3) -> Iterator[dict]:
    """Epochs of some steps, the quickest of each kind."""
    panel = of_many(series)
    windows, this = len(about_to_train(panel).windows), psutil.Process()
    for way, (threads, devices) in WAYS.items():
        torch.set_num_threads(threads)
        seen: list[tuple[float, float]] = []

        def look(_: Epoch, seen: list[tuple[float, float]] = seen) -> None:
            spent = (one.cpu_times() for one in (this, *this.children(recursive=True)))
            seen.append((sum(one.user + one.system for one in spent), time.perf_counter()))

        with watching(look):
            ft.LSTM(
                H, hidden=32, epochs=epochs, patience=None, by_step=False, batch_size=batch, steps_per_epoch=steps,
                devices=devices,
            ).fit(panel)  # fmt: skip
        cpu, clock = (np.diff(seen, axis=0).min(axis=0) / (steps * batch)).tolist()
        yield {
            "part": "ways", "series": series, "batch": batch, "way": way, "cpu_us_a_window": 1e6 * cpu,
            "us_a_window": 1e6 * clock, "cpu_minutes_of_1e5_series": cpu * windows * 1e5 / series / 60,
            "minutes_of_1e5_series": clock * windows * 1e5 / series / 60,
        }  # fmt: skip


def whole(series: int, batch: int = 256, devices: int = 1) -> Iterator[dict]:
    """One epoch over every window."""
    panel = of_many(series)
    with used() as taken:
        model = ft.LSTM(H, hidden=32, epochs=1, batch_size=batch * devices, steps_per_epoch=None, devices=devices).fit(
            panel
        )
        model.predict(panel, levels=(80, 95))
    yield {
        "part": "whole", "series": series, "batch": batch, "devices": devices, "cpu_s": taken.cpu_s,
        "seconds": taken.seconds, "peak_mib": taken.peak_mib,
    }  # fmt: skip


def nonlinear(series: int, seed: int) -> ft.Panel:
    """Days whose next step depends on which side of a threshold the last one was, and on campaigns by weekday."""
    rng = np.random.default_rng(seed)
    n = DAYS + 2 * H
    campaign = rng.random((series, n)) < 0.15
    weekday = np.arange(n) % 7
    x = np.zeros((series, n))
    for t in range(1, n):
        last = x[:, t - 1]
        x[:, t] = np.where(last > 0, -0.7 * last + 0.5, 0.9 * last + 0.4) + 0.4 * rng.normal(size=series)
        x[:, t] += campaign[:, t] * (1.5 if weekday[t] >= 5 else -0.5)
    frame = pd.DataFrame({
        "unique_id": np.repeat([f"s{k:04d}" for k in range(series)], n),
        "ds": np.tile(pd.date_range("2001-01-01", periods=n), series),
        "y": (10 + 3 * x * rng.uniform(0.5, 2, (series, 1))).ravel(), "campaign": campaign.ravel().astype(float),
    })  # fmt: skip
    return ft.Panel.from_frame(frame, future=["campaign"])


def worth(series: int = 1_000) -> Iterator[dict]:
    """Errors after the part that was fitted, beside those of the start."""
    for seed in (0, 1):
        panel = nonlinear(series, seed)
        cutoffs = panel.grid.output_times(np.arange(DAYS - 1, DAYS - 1 + H))

        def error(model: ft.LSTM, panel: ft.Panel = panel, cutoffs: np.ndarray = cutoffs) -> float:
            forecast = model.fit(panel, until=cutoffs[0]).predict(panel, cutoffs=cutoffs, levels=())
            return float(np.nanmean((forecast.mean - forecast.truth()) ** 2))

        start = error(ft.LSTM(H, hidden=32, epochs=0))
        for batch, steps in EPOCHS:
            model = ft.LSTM(H, hidden=32, epochs=MOST, batch_size=batch, steps_per_epoch=steps)
            with used() as taken:
                own = error(model)
            yield {
                "part": "worth", "series": series, "seed": seed, "batch": batch, "steps": steps, "cpu_s": taken.cpu_s,
                "epochs": len(model.history) - 1, "mse_to_start": own / start,
            }  # fmt: skip


def main() -> None:
    """Measure a part."""
    chosen = arguments(
        __doc__, part={"choices": ("cost", "ways", "whole", "worth"), "default": "cost"},
        series={"type": int, "default": None}, batch={"type": int, "default": None},
        devices={"type": int, "default": None},
    )  # fmt: skip
    parts = {"cost": cost, "ways": ways, "whole": whole, "worth": worth}
    file, rows = RESULTS / "epochs.csv", []
    given = {name: value for name in ("series", "batch", "devices") if (value := getattr(chosen, name)) is not None}
    for row in parts[chosen.part](**given):
        rows.append(row)
        print(row, flush=True)
        before = pd.read_csv(file).to_dict("records") if file.is_file() else []
        again = {"part", "series", *({"batch", "devices"} & given.keys())} & row.keys()
        kept = [one for one in before if any(one.get(name) != row[name] for name in again)]
        save("epochs", kept + rows, chosen.threads, show=False)


if __name__ == "__main__":
    main()
