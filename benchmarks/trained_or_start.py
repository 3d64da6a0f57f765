"""Trained networks beside their own closed-form start: bikes and Victoria, a day ahead, rolling origins, five seeds.

The protocol of ``real.py`` (70/15/15, lookback 168, horizon 24, every seventh test cutoff), Victoria once more with
temperature known ahead. ``p`` is that of the Diebold-Mariano test of squared errors by cutoff, one-sided for a gain,
its variance over as many neighbouring cutoffs as one horizon covers.
"""

from __future__ import annotations

import time

import numpy as np
from common import arguments, real_data, rmse, save
from real import LOOKBACK, STRIDE, H, panels
from scipy import stats

import foretide as ft


def with_temperature() -> ft.Panel:
    """Victoria's demand with temperature known ahead."""
    return ft.Panel.read(
        real_data() / "vic_electricity.csv", time="Time", target="Demand", future=["Holiday", "Temperature"],
        resample="1h", tz="Australia/Melbourne",
    )  # fmt: skip


def p_value(gain: np.ndarray, lags: int) -> float:
    """Chance of as large a mean gain without a true one, from gains by cutoff ``[W]``."""
    left = gain - gain.mean()
    weights = 1 - np.arange(1, lags + 1) / (lags + 1)
    variance = left @ left + 2 * sum(w * (left[k:] @ left[:-k]) for k, w in enumerate(weights, start=1))
    return float(stats.t.sf(gain.sum() / max(variance, 1e-300) ** 0.5, len(gain) - 1))


def main() -> None:
    """Fit the start once and every seed, and score them on the test part."""
    names = ["bike_sharing", "vic_electricity", "vic_temperature"]
    chosen = arguments(
        __doc__, seeds={"type": int, "nargs": "+", "default": [0, 1, 2, 3, 4]},
        data={"nargs": "+", "default": names}, models={"nargs": "+", "default": ["Attention", "LSTM"]},
    )  # fmt: skip
    rows = []
    for name, panel in {**panels(), "vic_temperature": with_temperature()}.items():
        if name not in chosen.data:
            continue
        parts = ft.split(panel)
        cutoffs = panel.grid.output_times(np.arange(parts.val_end, int(panel.last[0]) - H + 1, STRIDE))
        start, errors = None, {}
        for kind in chosen.models:
            makers = [getattr(ft, kind)(H, input_size=LOOKBACK, seed=s, alias=f"{kind} ({s})") for s in chosen.seeds]
            for model in ([] if start is not None else [makers[0].start()]) + makers:
                began = time.process_time()
                model.fit(panel, until=parts.val_until, train_until=parts.train_until)
                seconds = time.process_time() - began
                forecast = model.predict(panel, cutoffs=cutoffs, levels=())
                error = errors[model.name] = forecast.truth() - forecast.mean
                start = error if start is None else start
                row = {"data": name, "model": model.name, "rmse": rmse(error), "to_start": rmse(error) / rmse(start)}
                gain = np.nanmean(np.square(start) - np.square(error), axis=(1, 2))
                row["p"] = p_value(gain, H // STRIDE + 1) if error is not start else float("nan")
                rows.append({**row, "best_epoch": model.best_epoch, "cpu_s": seconds})
                print(rows[-1], flush=True)
            mine = [r for r in rows if r["data"] == name and r["model"].startswith(f"{kind} (")
                    and "start" not in r["model"]]  # fmt: skip
            made = [errors[r["model"]] for r in mine]
            gain = np.mean([np.nanmean(np.square(start) - np.square(e), axis=(1, 2)) for e in made], axis=0)
            means = {key: float(np.mean([r[key] for r in mine])) for key in ("rmse", "to_start", "cpu_s")}
            rows.append({"data": name, "model": f"{kind}, mean of seeds", **means, "p": p_value(gain, H // STRIDE + 1)})
            together = np.mean(made, axis=0)
            gain = np.nanmean(np.square(start) - np.square(together), axis=(1, 2))
            rows.append({"data": name, "model": f"{kind}, seeds together", "rmse": rmse(together),
                         "to_start": rmse(together) / rmse(start), "p": p_value(gain, H // STRIDE + 1)})  # fmt: skip
            print(*rows[-2:], sep="\n", flush=True)
    save("trained_or_start", rows, chosen.threads)


if __name__ == "__main__":
    main()
