"""What an epoch of an LSTM (32 wide) over many series costs, and how large it should be.

``--part cost``: processor microseconds of a step for each of its windows, by the size of a batch, on a panel of 10,000
series x 200 days; and what that makes of every window of 100,000 series. ``--part whole --series 1000``: one epoch over
every window, start, validation and forecasts with intervals included. ``--part worth``: generated panels of 1,000
series whose steps no linear map foresees (a threshold, campaigns that work by weekday); epochs of so many windows,
stopped as by default: mean squared error of what comes after the fitted part ÷ that of the closed-form start.
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
import torch
from common import RESULTS, arguments, save, used

import foretide as ft
from foretide.training.learner import NetworkLearner

H, DAYS = growth.H, growth.DAYS
BATCHES = (64, 256, 1024, 4096)
EPOCHS, MOST = ((64, 100), (256, 100), (256, 400), (1024, 100)), 12
"""Windows of a step, and steps of an epoch: the first is the default; and so many epochs at most."""


def of_many(series: int) -> ft.Panel:
    """The panel of growth.py."""
    with tempfile.TemporaryDirectory() as folder:
        return ft.Panel.read(growth.write(Path(folder), "series", series, "parquet"))


def cost(series: int = 10_000, windows: int = 8_192) -> Iterator[dict]:
    """Steps of a network that is about to be trained."""
    panel, found = of_many(series), []

    before = NetworkLearner.batches

    def watched(learner: NetworkLearner) -> list[torch.Tensor]:
        found.append(learner)
        return list(before(learner))[:1]

    NetworkLearner.batches = watched
    try:
        ft.LSTM(H, hidden=32, epochs=1, by_step=False).fit(panel)
    finally:
        NetworkLearner.batches = before
    learner = found[0]
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


def whole(series: int, batch: int = 256) -> Iterator[dict]:
    """One epoch over every window."""
    panel = of_many(series)
    with used() as taken:
        model = ft.LSTM(H, hidden=32, epochs=1, batch_size=batch, steps_per_epoch=None).fit(panel)
        model.predict(panel, levels=(80, 95))
    yield {
        "part": "whole", "series": series, "batch": batch, "cpu_s": taken.cpu_s, "seconds": taken.seconds,
        "peak_mib": taken.peak_mib,
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
        __doc__, part={"choices": ("cost", "whole", "worth"), "default": "cost"},
        series={"type": int, "default": None},
    )  # fmt: skip
    parts = {"cost": cost, "whole": whole, "worth": worth}
    file, rows = RESULTS / "epochs.csv", []
    given = {} if chosen.series is None else {"series": chosen.series}
    for row in parts[chosen.part](**given):
        rows.append(row)
        print(row, flush=True)
        before = pd.read_csv(file).to_dict("records") if file.is_file() else []
        kept = [one for one in before if (one["part"], one["series"]) != (row["part"], row["series"])]
        save("epochs", kept + rows, chosen.threads, show=False)


if __name__ == "__main__":
    main()
