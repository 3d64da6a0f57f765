"""ETTh1, horizon 96, all seven columns: the usual protocol of the data's README (MSE and MAE on scaled values)."""

from __future__ import annotations

import time

import numpy as np
from common import arguments, real_data, save

import foretide as ft

H, LOOKBACK = 96, 512
TRAIN, VAL, TEST = 8640, 2880, 2880


def main() -> None:
    """Fit ridge, the mean of linear maps, Auto and attention, score every test window."""
    chosen = arguments(__doc__, seeds={"type": int, "nargs": "*", "default": [0]})
    columns = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
    panel = ft.Panel.read(real_data() / "ETTh1.csv", time="date", target=columns)
    times = panel.grid.output_times([TRAIN - 1, TRAIN + VAL - 1])
    cutoffs = panel.grid.output_times(np.arange(TRAIN + VAL - 1, TRAIN + VAL + TEST - H))
    train = panel.until(times[0]).rows(0)
    scale = train.std(axis=0)
    candidates = [ft.Ridge(H, input_size=LOOKBACK, channels="shared", level="last")]
    candidates += [ft.Linear(H), ft.Auto(H)]
    candidates += [ft.Attention(H, input_size=LOOKBACK, seed=s, alias=f"Attention (seed {s})") for s in chosen.seeds]
    candidates.append(ft.SeasonalNaive(H))
    rows = []
    for model in candidates:
        started = time.perf_counter()
        parts = {} if isinstance(model, ft.Auto) else {"train_until": times[0]}
        model.fit(panel, until=times[1], **parts)
        seconds = time.perf_counter() - started
        forecast = model.predict(panel, cutoffs=cutoffs, levels=())
        error = (forecast.truth() - forecast.mean) / scale
        rows.append({"model": model.name, "mse": float(np.mean(error**2)), "mae": float(np.mean(np.abs(error))),
                     "windows": len(forecast), "fit_s": seconds})  # fmt: skip
        print(rows[-1], getattr(model, "best_epoch", ""), flush=True)
    save("etth1", rows, chosen.threads)


if __name__ == "__main__":
    main()
