"""How often do the significance tests reject two equal models? Nominal 5 %; overlaps 1, 4, 12; 20 to 400 cutoffs.

A loss difference is the sum over ``h`` neighbouring steps of noise with mean zero, as where forecasts of ``h`` steps
start one step apart. The noise: ``normal``; ``heavy``, the difference of two squared normal errors; ``ar``, AR(1) with
coefficient 0.5; ``skewed``, one squared normal error less its mean, where one model alone errs widely. The bootstrap
rejects where its 95 % interval leaves out zero; its blocks are at least ``h`` long.
"""

from __future__ import annotations

import time

import numpy as np
from common import arguments, save

from foretide.evaluation.compare.tests import VARIANCES, compare_many
from foretide.evaluation.compare.variances import block_bootstrap

SIZES, OVERLAPS, LAWS = (20, 40, 60, 100, 200, 400), (1, 4, 12), ("normal", "heavy", "ar", "skewed")
WARM_UP = 50
"""Steps after which AR(1) has forgotten its start."""


def differences(distribution: str, n: int, h: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Loss differences of two equal models, ``[n, draws]``."""
    shape = (n + h - 1 + WARM_UP, draws)
    noise = rng.chisquare(1, shape) if distribution in ("heavy", "skewed") else rng.normal(size=shape)
    if distribution == "heavy":
        noise -= rng.chisquare(1, shape)
    elif distribution == "skewed":
        noise -= 1
    elif distribution == "ar":
        for t in range(1, len(noise)):
            noise[t] += 0.5 * noise[t - 1]
    sums = np.cumsum(noise[WARM_UP - 1 :], axis=0)
    return sums[h:] - sums[:-h]


def main() -> None:
    """Measure every test on every cell."""
    chosen = arguments(
        __doc__,
        draws={"type": int, "default": 4000},
        bootstraps={"type": int, "default": 1000},
        seed={"type": int, "default": 0},
    )
    rows, rng, start = [], np.random.default_rng(chosen.seed), time.perf_counter()
    for distribution in LAWS:
        for h in OVERLAPS:
            for n in SIZES:
                gaps = differences(distribution, n, h, chosen.draws, rng)
                row = {"losses": distribution, "h": h, "n": n}
                for variance in VARIANCES:
                    found = compare_many(gaps, np.zeros_like(gaps), h=h, variance=variance)
                    row[variance] = 100 * np.mean(found.p_value < 0.05)
                block, outside = max(h, int(np.ceil(n ** (1 / 3)))), 0
                for k in range(chosen.bootstraps):
                    low, high = block_bootstrap(gaps[:, k], rng, block=block, n_draws=500)
                    outside += not low <= 0 <= high
                rows.append({**row, "bootstrap": 100 * outside / chosen.bootstraps, "draws": chosen.draws})
        print(distribution, f"{time.perf_counter() - start:.0f} s", flush=True)
    frame = save("significance", rows, chosen.threads)
    tests = [*VARIANCES, "bootstrap"]
    print(frame.groupby("losses")[tests].agg(["min", "max"]).to_string())


if __name__ == "__main__":
    main()
