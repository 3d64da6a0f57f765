"""Seconds of LAVAR's default fit on many short sparse series: 2,674 spare parts, 39 months, horizon 12, one thread.

Demand comes in 20 to 40 % of the months, its size is negative binomial around a level that drifts. ``fit`` is the
default call, ``first fit`` the one that also loads PyTorch's operations; ``predict`` asks for points and quantiles.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
from common import arguments, save

import foretide as ft

SERIES, MONTHS, H = 2674, 39, 12
LEVELS = tuple(round(k / 10, 1) for k in range(1, 10))


def frame(seed: int) -> pd.DataFrame:
    """Monthly counts in the long layout."""
    rng = np.random.default_rng(seed)
    shape = (SERIES, MONTHS)
    level = np.exp(rng.normal(0.5, 0.8, (SERIES, 1)) + 0.2 * np.cumsum(rng.normal(0, 0.15, shape), axis=1))
    comes = rng.random(shape) < rng.uniform(0.2, 0.4, (SERIES, 1))
    y = np.where(comes, 1 + rng.negative_binomial(1.5, 1.5 / (1.5 + level)), 0)
    ds = pd.date_range("2021-01-01", periods=MONTHS, freq="MS")
    ids = np.repeat([f"part{i:04d}" for i in range(SERIES)], MONTHS)
    return pd.DataFrame({"unique_id": ids, "ds": np.tile(ds, SERIES), "y": y.ravel().astype(float)})


def main() -> None:
    """Fit and forecast on several draws."""
    chosen = arguments(__doc__, seeds={"type": int, "nargs": "+", "default": [0, 1, 2]})
    rows = []
    for seed in (chosen.seeds[0], *chosen.seeds):
        panel = ft.Panel.from_frame(frame(seed), freq="MS")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fewer lags than asked for
            model, wall, cpu = ft.LAVAR(h=H), time.perf_counter(), time.process_time()
            model.fit(panel)
        fitted, cpu = time.perf_counter() - wall, time.process_time() - cpu
        wall = time.perf_counter()
        model.predict(panel, levels=(), quantiles=LEVELS)
        gates = model.gates()
        rows.append({
            "fit": "first fit" if not rows else "fit", "draw": seed, "zeros": float((panel.values == 0).mean()),
            "fit_s": fitted, "fit_cpu_s": cpu, "predict_s": time.perf_counter() - wall,
            "kept": " ".join(gates.part[gates.kept]), "dropped_s": gates.seconds[~gates.kept].sum(),
        })  # fmt: skip
    save("lavar_parts", rows, chosen.threads)


if __name__ == "__main__":
    main()
