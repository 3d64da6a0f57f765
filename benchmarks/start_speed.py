"""CPU seconds of what is solved in closed form: a network's start, Ridge and Linear, on long and on many series."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from common import arguments, save

import foretide as ft

STEPS, SERIES, H = 17_000, 14, 24
MANY, SHORT, AHEAD = 414, 700, 48


def hourly(steps: int, series: int, seed: int) -> pd.DataFrame:
    """Series with a day, a week, and a year of their own strength, noise that lasts and a level that drifts."""
    rng, t = np.random.default_rng(seed), np.arange(steps)[:, None]
    day = sum(
        rng.normal(size=series) * np.sin(2 * np.pi * k * t / 24 + rng.uniform(0, 6, series)) / k for k in (1, 2, 3, 4)
    )
    week = np.sin(2 * np.pi * t / 168 + rng.uniform(0, 6, series)) * (1 + 0.5 * day)
    noise = np.zeros((steps, series))
    for i in range(1, steps):
        noise[i] = 0.9 * noise[i - 1] + 0.3 * rng.normal(size=series)
    drift = np.cumsum(0.02 * rng.normal(size=(steps, series)), axis=0)
    frame = pd.DataFrame(day + week + noise + drift, columns=[f"x{i}" for i in range(series)])
    return frame.assign(ds=pd.date_range("2020-01-01", periods=steps, freq="h"))


def main() -> None:
    """Fit each model on a wide table, on the same as a long one, and on many short series."""
    chosen = arguments(__doc__)
    long = hourly(STEPS, SERIES, 0)
    tables = {
        f"wide, {SERIES} x {STEPS:,}": (ft.Panel.from_wide(long, time="ds", target=list(long.columns[:-1])), H),
        f"long, {SERIES} x {STEPS:,}": (ft.Panel.from_frame(long.melt("ds", var_name="unique_id", value_name="y")), H),
        f"long, {MANY} x {SHORT}": (
            ft.Panel.from_frame(hourly(SHORT, MANY, 1).melt("ds", var_name="unique_id", value_name="y")), AHEAD,
        ),
    }  # fmt: skip
    ft.Attention(H, epochs=0).fit(ft.synthetic.hourly(T=300).panel)  # what is loaded on first use is no part of it
    rows = []
    for name, (panel, h) in tables.items():
        for model in (ft.Attention(h, epochs=0), ft.Ridge(h), ft.Linear(h)):
            started = time.process_time()
            model.fit(panel, intervals=False)
            rows.append({"table": name, "model": model.name, "cpu_s": time.process_time() - started})
            print(rows[-1], flush=True)
    save("start_speed", rows, chosen.threads)


if __name__ == "__main__":
    main()
