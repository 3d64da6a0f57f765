"""Does attention find planted lags? Lags 24 and 48, weights 0.6 and 0.3, ten seeds.

A seed counts when, at every horizon step, the two largest attention masses by distance to the forecast step (mean over
windows and heads) are at 24 and 48.
"""

from __future__ import annotations

import numpy as np
from common import arguments, rmse, save

import foretide as ft
from foretide.data.splits import split

LAGS, WEIGHTS = (24, 48), (0.6, 0.3)


def mass_by_distance(weights: np.ndarray) -> np.ndarray:
    """Attention ``[N, M, H, L]`` -> mean mass ``[H, L + H]`` at each distance between lag and forecast step."""
    mean = weights.mean(axis=(0, 1))
    h, size = mean.shape
    out = np.zeros((h, size + h))
    for step in range(h):
        out[step, step + 1 : step + 1 + size] = mean[step, ::-1]
    return out


def main() -> None:
    """Run all seeds at two shapes."""
    chosen = arguments(__doc__, seeds={"type": int, "nargs": "+", "default": list(range(10))})
    rows = []
    for lookback, h in ((60, 10), (72, 24)):
        for seed in chosen.seeds:
            made = ft.synthetic.planted_lags(T=2000, lags=LAGS, weights=WEIGHTS, seed=seed)
            panel, parts = made.panel, split(made.panel)
            times = panel.grid.output_times([parts.train_end, parts.val_end])
            model = ft.Attention(h, input_size=lookback, seed=seed).fit(panel, until=times[1], train_until=times[0])
            cutoffs = panel.grid.output_times(np.arange(parts.val_end, int(panel.last[0]) - h + 1))
            forecast = model.predict(panel, cutoffs=cutoffs, attention=True)
            mass = mass_by_distance(forecast.extras["attention"])
            top = np.argsort(-mass, axis=1)[:, :2]
            truth = forecast.truth()
            floor = rmse(truth - made.truth.oracle(forecast.cutoff_steps, h))
            rows.append({
                "lookback": lookback, "h": h, "seed": seed,
                "found_at_every_step": all(set(t) == set(LAGS) for t in top),
                "mass_24": mass[:, 24].mean(), "mass_48": mass[:, 48].mean(),
                "next_largest": np.delete(mass, LAGS, axis=1).max(),
                "rmse_over_oracle": rmse(truth - forecast.mean) / floor,
                "best_epoch": model.best_epoch,
            })  # fmt: skip
            print(rows[-1], flush=True)
    save("planted", rows, chosen.threads)


if __name__ == "__main__":
    main()
