"""How often ``ft.monitor`` raises the alarm: where nothing has changed, and where something has.

Five series of a day's season with noise that neighbours and series share (or counts, or heavy tails), one column that
persists; a model is fitted on 600 hours and watched over the 120 that follow. Shares of draws with an alarm of any
test, of one of the forecasts, and of one of the columns.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from common import arguments, save

import foretide as ft
from foretide.typing import Floats

SERIES, FIT, NEW, DAY = 5, 600, 120, 24
KINDS = ("plain", "persistent", "heavy tails", "counts")
CHANGES = ("none", "level", "one series", "variance", "column scaled", "column stuck")
MODELS: dict[str, Callable[[], ft.Forecaster]] = {
    "SeasonalES": lambda: ft.SeasonalES(h=DAY, season=DAY),
    "SeasonalNaive": lambda: ft.SeasonalNaive(h=DAY, season=DAY),
    "Ridge": lambda: ft.Ridge(h=DAY, input_size=2 * DAY),
    "Boosting": lambda: ft.Boosting(h=DAY),
    "LSTM": lambda: ft.LSTM(h=DAY, input_size=2 * DAY, hidden=8, epochs=3, head="student_t", seed=1),
}


def draw(kind: str, seed: int, change: str) -> pd.DataFrame:
    """Return a long table in which something changes after the first rows; levels by two standard deviations."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    steps, phi = FIT + NEW, 0.9 if kind == "persistent" else 0.5
    noise = 0.7 * rng.standard_normal(steps) + 0.7 * (
        rng.standard_t(4, (SERIES, steps)) / np.sqrt(2)
        if kind == "heavy tails"
        else rng.standard_normal((SERIES, steps))
    )
    away: Floats = np.zeros((SERIES, steps))
    x = np.zeros(steps)
    for t in range(1, steps):
        away[:, t] = phi * away[:, t - 1] + noise[:, t]
        x[t] = 0.8 * x[t - 1] + rng.standard_normal()
    new, spread = np.arange(steps) >= FIT, away.std()
    away[:, new] *= np.sqrt(2) if change == "variance" and kind != "counts" else 1
    away[:, new] += 2 * spread if change == "level" else 0
    away[2, new] += 3 * spread if change == "one series" else 0
    x = np.where(new, {"column scaled": 10 * x, "column stuck": np.full(steps, x[FIT])}.get(change, x), x)
    season = np.sin(2 * np.pi * np.arange(steps) / DAY + np.arange(SERIES)[:, None])
    y = 10 + 3 * season + away
    if kind == "counts":
        rate = np.exp(1 + 0.5 * season + 0.25 * away / spread)
        y = rng.poisson(rate)
        if change == "variance":  # twice that of Poisson, around the same mean
            y[:, new] = rng.poisson(rng.gamma(rate, 1.0))[:, new]
    times = pd.date_range("2024-01-01", periods=steps, freq="h")
    return pd.DataFrame({
        "unique_id": np.repeat([f"s{k}" for k in range(SERIES)], steps), "ds": np.tile(times, SERIES),
        "y": y.ravel().astype(float), "x": np.tile(x, SERIES),
    })  # fmt: skip


def row(kind: str, name: str, draws: int) -> list[dict[str, object]]:
    """Watch one model on draws of one kind, with every change."""
    alarms = {change: np.zeros(3) for change in CHANGES}
    seconds = 0.0
    for seed in range(draws):
        model = None
        for change in CHANGES:
            panel = ft.Panel.from_frame(draw(kind, seed, change), id="unique_id", time="ds", target="y", past=["x"])
            if model is None:
                model = MODELS[name]().fit(panel.head(np.full(SERIES, FIT)))
            began = time.process_time()
            found = ft.monitor(model, panel).alarms
            seconds += time.process_time() - began
            forecasts = [check for check in found if check.kind == "forecast"]
            alarms[change] += [bool(found), bool(forecasts), len(found) > len(forecasts)]
    return [
        {"kind": kind, "model": name, "change": change, "draws": draws, "alarms": count[0] / draws,
         "of_forecasts": count[1] / draws, "of_columns": count[2] / draws,
         "seconds_each": seconds / draws / len(CHANGES)}
        for change, count in alarms.items()
    ]  # fmt: skip


if __name__ == "__main__":
    chosen = arguments(
        __doc__,
        draws={"type": int, "default": 40},
        models={"default": ",".join(MODELS)},
        kinds={"default": ",".join(KINDS)},
    )
    warnings.simplefilter("ignore")
    rows = []
    for kind in chosen.kinds.split(","):
        for name in chosen.models.split(","):
            rows += row(kind, name, chosen.draws)
            print(
                *(f"{r['kind']:12} {r['model']:14} {r['change']:14} {r['alarms']:.2f}" for r in rows[-len(CHANGES) :]),
                sep="\n",
            )
    save("monitoring", rows, chosen.threads)
