"""Stage 1 shared by ten synthetic sites, heads for an eleventh with eight weeks of history, against LAVAR on it alone.

Sites share the map from latent state to covariates, loadings and calendar; levels and latent paths are their own. The
eleventh site is scored over the 20 weeks after its eight, cutoffs every third day, beside the exact oracle.
"""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
from common import arguments, save

import foretide as ft
from foretide.evaluation.metrics.quantiles import weighted_quantile_loss

H, DAYS, WEEKS, TEST_WEEKS, STRIDE = 14, 900, 8, 20, 3
LEVELS = tuple(round(k / 10, 1) for k in range(1, 10))


def shortened(panel: ft.Panel, entity: int, first: int) -> ft.Panel:
    """One entity from a row on."""
    one = panel.take([entity])
    return dataclasses.replace(one, row0=one.row0 + first, first=one.first + first, length=one.length - first)


def run(seed: int) -> list[dict]:
    """All ways to forecast the eleventh site on one draw."""
    made = ft.synthetic.supplies(T=DAYS, n_sites=11, n_targets=24, seed=seed)
    panel = made.panel
    start = DAYS - 7 * (WEEKS + TEST_WEEKS)
    last = start + 7 * WEEKS - 1
    until = panel.grid.output_times([last])[0]
    new, known = shortened(panel, 10, start), panel.take(range(10))
    steps = np.arange(last, DAYS - H, STRIDE)
    cutoffs = panel.grid.output_times(steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shared = ft.LAVAR(H, seed=seed).fit(known, until=until)
        ways = {
            "heads on shared stage 1": shared.fit_heads(new, until=until),
            "alone": ft.LAVAR(H, seed=seed).fit(new, until=until),
            "CalendarES alone": ft.WithIntervals(ft.CalendarES(H)).fit(new, until=until),
            "SeasonalES alone": ft.WithIntervals(ft.SeasonalES(H)).fit(new, until=until),
        }
    rows = []
    oracle = made.truth.oracle(steps, H, np.full(len(steps), 10))
    for name, model in ways.items():
        forecast = model.predict(new, cutoffs, levels=(), quantiles=LEVELS)
        y = forecast.truth()
        ratio = float(np.mean((forecast.mean - y) ** 2) / np.mean((oracle - y) ** 2))
        wql = weighted_quantile_loss(y, forecast.quantiles, LEVELS)
        rows.append({"seed": seed, "way": name, "mse_ratio": ratio, "wql": wql})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Run all seeds and save one row per seed and way, then the means."""
    chosen = arguments(__doc__, seeds={"type": int, "nargs": "+", "default": [0, 1, 2, 3, 4]})
    rows = [row for seed in chosen.seeds for row in run(seed)]
    for name in dict.fromkeys(r["way"] for r in rows):
        mine = [r for r in rows if r["way"] == name]
        rows.append(
            {"seed": "mean", "way": name, **{k: float(np.mean([r[k] for r in mine])) for k in ("mse_ratio", "wql")}}
        )
    save("sites", rows, chosen.threads)


if __name__ == "__main__":
    main()
