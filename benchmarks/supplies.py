"""LAVAR and every baseline on the supplies generator, beside the exact oracle: squared error, quantile loss, coverage.

Daily, 1095 days, 48 targets, 35 covariates, horizon 14. Learning part 85 %, of which the models keep their own
validation part; test cutoffs every second day, through all weekdays. The oracle knows the latent state
at the cutoff; every model sees noisy covariates only. Point baselines get intervals from their own past errors.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from common import arguments, save

import foretide as ft
from foretide.evaluation.metrics.pit import fair_coverage
from foretide.evaluation.metrics.quantiles import weighted_quantile_loss

H, DAYS, LEARNED, STRIDE = 14, 1095, 0.85, 2
LEVELS = tuple(round(k / 100, 2) for k in range(1, 100))
DECILES = [LEVELS.index(round(k / 10, 1)) for k in range(1, 10)]


def models(seed: int) -> list:
    """LAVAR, the closed form that it begins at, and baselines with intervals."""
    points = [
        ft.CalendarES(H), ft.CalendarMean(H), ft.SeasonalES(H), ft.SeasonalMean(H), ft.SeasonalNaive(H),
        ft.WindowMean(H), ft.Persistence(H), ft.Croston(H), ft.SBA(H), ft.TSB(H),
    ]  # fmt: skip
    lavar = ft.LAVAR(H, order=7, latent=8, seed=seed)
    return [lavar, lavar.start(), *(ft.WithIntervals(m) for m in points)]


def figures(mean: np.ndarray, quantiles: np.ndarray, truth: np.ndarray, dense: np.ndarray) -> dict:
    """MSE, weighted quantile loss over the deciles, and coverage of the 80 % interval on the dense targets."""
    low, high = (quantiles[..., LEVELS.index(q)][..., dense] for q in (0.1, 0.9))
    y = truth[..., dense]
    return {
        "mse": float(np.mean((mean - truth) ** 2)),
        "wql": weighted_quantile_loss(truth, quantiles[..., DECILES], np.array(LEVELS)[DECILES]),
        "coverage80_dense": float(np.mean((y >= low) & (y <= high))),
        "fair_coverage80_dense": float(np.mean(fair_coverage(y, quantiles[:, :, dense], np.array(LEVELS), 80))),
    }


def run(seed: int) -> list[dict]:
    """All models on one draw of the generator."""
    made = ft.synthetic.supplies(T=DAYS, seed=seed)
    panel, last = made.panel, round(LEARNED * DAYS) - 1
    until = panel.grid.output_times([last])[0]
    steps = np.arange(last, DAYS - H, STRIDE)
    cutoffs = panel.grid.output_times(steps)
    rates = np.mean(panel.values[: last + 1, :48] > 0, axis=0)
    dense = np.flatnonzero(rates >= 0.7)
    rows = []
    for model in models(seed):
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(panel, until=until)
        fit_s = time.perf_counter() - started
        forecast = model.predict(panel, cutoffs, levels=(), quantiles=LEVELS)
        truth = forecast.truth()
        if not rows:
            oracle = made.truth.oracle(steps, H)
            best = figures(oracle, made.truth.oracle_quantiles(steps, H, LEVELS), truth, dense)
            rows.append({"seed": seed, "model": "oracle", **best})
        found = figures(forecast.mean, forecast.quantiles, truth, dense)
        rows.append({"seed": seed, "model": model.name, **found, "mse_ratio": found["mse"] / best["mse"],
                     "wql_ratio": found["wql"] / best["wql"], "fit_s": fit_s})  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Run all seeds and save one row per seed and model, then the means."""
    chosen = arguments(__doc__, seeds={"type": int, "nargs": "+", "default": [0, 1, 2, 3, 4]})
    rows = [row for seed in chosen.seeds for row in run(seed)]
    for name in dict.fromkeys(r["model"] for r in rows):
        mine = [r for r in rows if r["model"] == name]
        keys = [k for k in ("coverage80_dense", "fair_coverage80_dense", "mse_ratio", "wql_ratio") if k in mine[0]]
        rows.append({"seed": "mean", "model": name, **{k: float(np.mean([r[k] for r in mine])) for k in keys}})
    save("supplies", rows, chosen.threads)


if __name__ == "__main__":
    main()
