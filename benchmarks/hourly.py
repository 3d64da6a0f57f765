"""Test RMSE over the exact oracle on the plain hourly generator, and fit times.

Three traits off, T 2000, three channels, target x1, horizon 10, 70/15/15; every setting is chosen on validation.
"""

from __future__ import annotations

import time

import numpy as np
from common import arguments, rmse, save

import foretide as ft
from foretide.data.splits import split

H, LOOKBACK = 10, 168


def models(seed: int) -> list:
    """Models to compare, with the closed form that both networks begin at; the networks' seed is the generator's."""
    return [
        ft.Attention(H, input_size=LOOKBACK, seed=seed),
        ft.Attention(H, input_size=LOOKBACK).start(),
        ft.LSTM(H, input_size=LOOKBACK, seed=seed),
        ft.Ridge(H, input_size=LOOKBACK),
        ft.Ridge(H, input_size=60, alias="Ridge60"),
        ft.SeasonalNaive(H),
        ft.SeasonalES(H),
        ft.Persistence(H),
    ]


def main() -> None:
    """Run all seeds and save one row per seed and model, then the means."""
    chosen = arguments(__doc__, seeds={"type": int, "nargs": "+", "default": [42, 43, 44, 45, 46]})
    rows = []
    for seed in chosen.seeds:
        made = ft.synthetic.hourly(T=2000, seed=seed, regime_shifts=0.0, heteroskedasticity=0.0, coupling=0.0)
        panel, parts = made.panel, split(made.panel)
        train_until, until = panel.grid.output_times([parts.train_end, parts.val_end])
        steps = np.arange(parts.val_end, int(panel.last[0]) - H + 1)
        floor = None
        for model in models(seed):
            started = time.perf_counter()
            model.fit(panel, until=until, train_until=train_until)
            seconds = time.perf_counter() - started
            forecast = model.predict(panel, cutoffs=panel.grid.output_times(steps))
            truth = forecast.truth()
            floor = floor or rmse(truth - made.truth.oracle(steps, H))
            error = rmse(truth - forecast.mean)
            rows.append({"seed": seed, "model": model.name, "rmse": error, "oracle_rmse": floor,
                         "ratio": error / floor, "fit_s": seconds})  # fmt: skip
            print(rows[-1], flush=True)
    for name in dict.fromkeys(r["model"] for r in rows):
        mine = [r for r in rows if r["model"] == name]
        rows.append({"seed": "mean", "model": name, "ratio": float(np.mean([r["ratio"] for r in mine])),
                     "fit_s": float(np.median([r["fit_s"] for r in mine]))})  # fmt: skip
    save("hourly", rows, chosen.threads)


if __name__ == "__main__":
    main()
