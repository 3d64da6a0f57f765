"""Real hourly data, a day ahead: networks beside ridge and the simple baselines; does a self-attention encoder pay?

Bike rentals (weather past; holiday and working day known ahead) and Victoria's electricity demand (hourly means;
temperature past, holiday known ahead), 70/15/15, lookback 168, horizon 24, every seventh test cutoff.
"""

from __future__ import annotations

import time

import numpy as np
from common import arguments, real_data, rmse, save

import foretide as ft

H, LOOKBACK, STRIDE = 24, 168, 7


def panels() -> dict[str, ft.Panel]:
    """The two panels."""
    folder = real_data()
    bikes = ft.Panel.read(
        folder / "bike_sharing.csv", time="date_time", target="users", past=["temp", "hum"],
        future=["holiday", "workingday"],
    )  # fmt: skip
    demand = ft.Panel.read(
        folder / "vic_electricity.csv", time="Time", target="Demand", past=["Temperature"], future=["Holiday"],
        resample="1h", tz="Australia/Melbourne",
    )  # fmt: skip
    return {"bike_sharing": bikes, "vic_electricity": demand}


def main() -> None:
    """Fit and score everything on both."""
    chosen = arguments(__doc__, seeds={"type": int, "nargs": "+", "default": [0]})
    rows = []
    for name, panel in panels().items():
        parts = ft.split(panel)
        models = [ft.SeasonalNaive(H), ft.SeasonalNaive(H, season=168, alias="SeasonalNaive168"), ft.SeasonalES(H),
                  ft.Ridge(H, input_size=LOOKBACK)]  # fmt: skip
        for s in chosen.seeds:
            models.append(ft.Attention(H, input_size=LOOKBACK, seed=s, alias=f"Attention (seed {s})"))
            models.append(ft.Attention(H, input_size=LOOKBACK, seed=s, encoder_layers=1,
                                       alias=f"Attention, 1 encoder layer (seed {s})"))  # fmt: skip
            models.append(ft.LSTM(H, input_size=LOOKBACK, seed=s, alias=f"LSTM (seed {s})"))
        last = int(panel.last[0])
        cutoffs = panel.grid.output_times(np.arange(parts.val_end, last - H + 1, STRIDE))
        for model in models:
            started = time.perf_counter()
            model.fit(panel, until=parts.val_until, train_until=parts.train_until)
            seconds = time.perf_counter() - started
            forecast = model.predict(panel, cutoffs=cutoffs)
            error = forecast.truth() - forecast.mean
            history = getattr(model, "history", [])
            rows.append({
                "data": name, "model": model.name, "rmse": rmse(error), "mae": float(np.nanmean(np.abs(error))),
                "best_val_loss": min((e["val_loss"] for e in history), default=float("nan")),
                "start_val_loss": history[0]["val_loss"] if history else float("nan"), "fit_s": seconds,
            })  # fmt: skip
            print(rows[-1], flush=True)
    save("real", rows, chosen.threads)


if __name__ == "__main__":
    main()
