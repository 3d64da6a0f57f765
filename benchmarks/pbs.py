"""Monthly prescriptions (PBS, 336 series): LAVAR and Attention with a count head beside baselines with intervals.

Test part: the last 24 months, horizon 12, all 13 cutoffs. The models see the months before and keep their own
validation part of them. AutoETS comes with its own intervals, which explode for two series, and with intervals from its
past errors.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from common import arguments, real_data, save

import foretide as ft
from foretide.evaluation.metrics.quantiles import weighted_quantile_loss

H, TEST = 12, 24
LEVELS = tuple(round(k / 10, 1) for k in range(1, 10))


def models(seed: int) -> list:
    """Models that depend on a seed."""
    return [ft.LAVAR(H, seed=seed), ft.Attention(H, input_size=24, hidden=32, head="nb", seed=seed)]


def baselines() -> list:
    """Baselines, point forecasts with intervals from their own past errors."""
    points = [ft.SeasonalNaive(H), ft.SeasonalES(H), ft.CalendarES(H), ft.TSB(H), ft.Ridge(H, input_size=24)]
    ets = ft.WithIntervals(ft.Stats("AutoETS", H), distribution="negative_binomial", alias="AutoETS-NB")
    return [*(ft.WithIntervals(m) for m in points), ft.Stats("AutoETS", H), ets]


def main() -> None:
    """Fit every model and save one row per model and seed."""
    chosen = arguments(__doc__, seeds={"type": int, "nargs": "+", "default": [0, 1, 2]})
    panel = ft.Panel.read(str(real_data() / "pbs_long.parquet"), id="unique_id", time="ds", target="y")
    last = int(panel.last.max())
    until = panel.grid.output_times([last - TEST])[0]
    cutoffs = panel.grid.output_times(np.arange(last - TEST, last - H + 1))
    rows = []
    for seed, model in [(s, m) for s in chosen.seeds for m in models(s)] + [("", m) for m in baselines()]:
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(panel, until=until)
            fit_s = time.perf_counter() - started
            forecast = model.predict(panel, cutoffs, levels=(), quantiles=LEVELS)
        y, q = forecast.truth(), forecast.quantiles
        error = np.abs(y - forecast.mean)
        rows.append({
            "model": model.name, "seed": seed, "wql": weighted_quantile_loss(y, q, LEVELS),
            "wape": float(error.sum() / y.sum()), "rmse": float(np.sqrt(np.mean(error**2))),
            "coverage80": float(np.mean((y >= q[..., 0]) & (y <= q[..., -1]))), "fit_s": fit_s,
        })  # fmt: skip
        print(rows[-1], flush=True)
    save("pbs", rows, chosen.threads)


if __name__ == "__main__":
    main()
