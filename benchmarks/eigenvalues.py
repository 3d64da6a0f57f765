"""Does LAVAR's stage 1 find the eigenvalues of the true latent VAR? Supplies generator, T 4000, ten seeds.

The leading pair of moduli of the learned companion matrix against the true one's. Variants say what stands between the
two: more latents than there are, covariates without noise, the closed-form start alone, a shorter series, and (no
network at all) least squares on the true latent path.
"""

from __future__ import annotations

import numpy as np
from common import arguments, save

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.synthetic.supplies_truth import SuppliesTruth
from foretide.explain.latent.modes import companion_of, eigenvalues_of
from foretide.forecasters.base import FitPart
from foretide.forecasters.lavar.latent_state import LatentState
from foretide.models.config import LatentConfig
from foretide.seeding import seeded_init, torch_generator
from foretide.training.config import Stage
from foretide.training.prepare import Preparation

ORDER, H = 7, 14
WITHIN = 0.05
VARIANTS: dict[str, dict] = {
    "as many latents as there are (4)": {},
    "8 latents, the default": {"latent": 8},
    "16 latents": {"latent": 16},
    "no training: components and ridge": {"epochs": 0},
    "covariates without noise": {"noise": False},
    "stable VAR": {"stable": True},
    "one-step loss only": {"multi_step": False},
    "order 14": {"order": 14},
    "order 2": {"order": 2},
    "1095 days": {"T": 1095},
}


def leading(companion: np.ndarray) -> np.ndarray:
    """Moduli of the two largest eigenvalues."""
    return np.abs(eigenvalues_of(companion))[:2]


def least_squares(path: np.ndarray, p: int) -> np.ndarray:
    """Companion matrix of a VAR fitted to a latent path ``[T, K]``."""
    n, k = path.shape
    lagged = np.concatenate([path[p - 1 - i : n - 1 - i] for i in range(p)] + [np.ones((n - p, 1))], axis=1)
    solved = np.linalg.lstsq(lagged, path[p:], rcond=None)[0][:-1]
    return companion_of(solved.reshape(p, k, k).transpose(0, 2, 1))


def without_noise(panel: Panel, truth: SuppliesTruth) -> Panel:
    """Return the panel with covariates that are the exact image of the latent path."""
    z, by, d = truth.latent[0], truth.covariates, panel.n_targets
    values = panel.values.copy()
    clean = np.tanh(z @ by["inner"] + by["bias"]) @ by["outer"] + z @ by["linear"]
    values[:, d : d + len(panel.past)] = clean
    return panel.with_values(values)


def learned(panel: Panel, seed: int, *, latent: int = 4, order: int = ORDER, epochs: int = 100, **config: bool) -> dict:
    """Fit stage 1 as LAVAR does and return the leading moduli."""
    last = int(panel.last[0])
    part = FitPart(panel, last - round(0.15 * (last + 1)))
    preparation = Preparation.fit(part.train, None)
    windows = part.windows(panel, input_size=order + 1, h=H)
    settings = LatentConfig(latent=latent, order=order, **config)
    stage = Stage("stage 1", epochs=epochs, steps=100)
    with seeded_init(seed):
        state, history = LatentState.fit(
            panel, preparation, windows, H, settings, "past", stage, torch_generator(seed)
        )  # fmt: skip
    moduli = leading(state.model.dynamics.companion().double().numpy())
    return {"first": moduli[0], "second": moduli[1], "best_epoch": history.best_epoch}


def main() -> None:
    """Run all variants over all seeds; the last rows say how often both moduli are within 0.05."""
    chosen = arguments(__doc__, seeds={"type": int, "nargs": "+", "default": list(range(10))})
    rows = []
    for seed in chosen.seeds:
        for name, given in VARIANTS.items():
            options = dict(given)
            made = ft.synthetic.supplies(T=options.pop("T", 4000), n_targets=4, seed=seed)
            panel = made.panel if options.pop("noise", True) else without_noise(made.panel, made.truth)
            rows.append({"variant": name, "seed": seed, **learned(panel, seed, **options)})
        # The same part of the path that the encoder is trained on.
        path = made.truth.latent[0]
        long = ft.synthetic.supplies(T=4000, n_targets=4, seed=seed).truth.latent[0]
        for name, own in (("true path, 4000 days", long), ("true path, 1095 days", path)):
            first, second = leading(least_squares(own[: round(0.85 * len(own))], ORDER))
            rows.append({"variant": name, "seed": seed, "first": first, "second": second})
        true = leading(made.truth.companion)
        for row in rows:
            if row["seed"] == seed:
                gap = np.abs(np.array([row["first"], row["second"]]) - true)
                row |= {"true_first": true[0], "true_second": true[1], "gap": gap.max(), "within": gap.max() <= WITHIN}
        print(f"seed {seed} done", flush=True)
    for name in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == name and row["seed"] != "all"]
        rows.append({
            "variant": name, "seed": "all", "gap": float(np.mean([r["gap"] for r in own])),
            "within": sum(r["within"] for r in own),
            **{k: float(np.mean([r[k] for r in own])) for k in ("first", "second", "true_first", "true_second")},
        })  # fmt: skip
    save("eigenvalues", rows, chosen.threads)


if __name__ == "__main__":
    main()
