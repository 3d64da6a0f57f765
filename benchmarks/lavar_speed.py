"""Seconds of a LAVAR fit against the plain per-window recipe (``plain_lavar.py``), both in the same run.

1095 days, 35 covariates, 48 targets, order 7, horizon 14, latent 8, encoder (32, 16). The plain recipe trains 100 + 100
epochs of batch 64 on all rows, no early stop. ``stage 1`` is the same training here; ``whole fit`` is the default call,
``LAVAR(h=14).fit(panel)``, which holds 15 % of the rows back and is allowed as many epochs, but takes only those that
its gates let through: the row says how many it took, and how much of the time went into parts that were dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from common import arguments, save
from plain_lavar import PlainDelta, PlainLatent, PlainZINB, WindowSet, plain_stage1, plain_stage2
from torch import Tensor

import foretide as ft
from foretide.forecasters.lavar.lavar import LAVAR
from foretide.models.config import LatentConfig
from foretide.models.latent import LatentModel
from foretide.seeding import seeded_init, torch_generator
from foretide.training.config import Stage
from foretide.training.latent import Stretch, train_latent

DAYS, COVARIATES, TARGETS, P, H, K, BATCH = 1095, 35, 48, 7, 14, 8, 64
DENSE, SPARSE = range(10), range(10, 40)
ULTRA = range(40, TARGETS)


def frame(seed: int = 0) -> pd.DataFrame:
    """Covariates driven by a few slow waves, and counts: 10 dense targets, 30 sparse, 8 ultra-sparse."""
    rng = np.random.default_rng(seed)
    t = np.arange(DAYS)[:, None]
    waves = np.sin(2 * np.pi * t / np.array([7.0, 30.0, 91.0, 365.0]) + rng.uniform(0, 6, 4))
    x = np.tanh(waves @ rng.normal(size=(4, COVARIATES))) + 0.3 * rng.normal(size=(DAYS, COVARIATES))
    rate = np.concatenate([rng.uniform(5, 50, 10), rng.uniform(0.05, 0.8, 30), rng.uniform(0.001, 0.004, 8)])
    y = rng.poisson(rate * np.exp(0.3 * waves @ rng.normal(size=(4, TARGETS))))
    columns = {f"y{j}": y[:, j].astype(float) for j in range(TARGETS)}
    columns |= {f"x{j}": x[:, j] for j in range(COVARIATES)}
    return pd.DataFrame({"ds": pd.date_range("2021-01-01", periods=DAYS), **columns})


def stage1_plain(x: Tensor, y: Tensor, epochs: int) -> PlainLatent:
    with seeded_init(0):
        model = PlainLatent(COVARIATES, K, P, H)
        plain_stage1(model, WindowSet(x, y, P, H), epochs, BATCH)
    return model


def stage2_plain(model: PlainLatent, x: Tensor, y: Tensor, epochs: int) -> None:
    with seeded_init(1):
        heads = [PlainDelta(K, DENSE), PlainDelta(K, SPARSE), PlainZINB(K, ULTRA)]
        plain_stage2(model, heads, WindowSet(x, y, P, H), epochs, BATCH)


def stage1_ours(x: Tensor, epochs: int) -> None:
    with seeded_init(0):
        model = LatentModel(COVARIATES, H, LatentConfig(latent=K, order=P))
    stage = Stage("stage 1", epochs=epochs, batch_size=BATCH, patience=None)
    train_latent(model, x, [Stretch(P, DAYS - P - H)], [], stage, generator=torch_generator(0))


def whole_ours(panel: ft.Panel) -> LAVAR:
    """The default fit, with all that LAVAR does besides: base, latent effects, distribution, guardrails, refit."""
    model = LAVAR(h=H)
    model.fit(panel)
    return model


def seconds(run: Callable[[], object]) -> tuple[float, object]:
    started = time.perf_counter()
    result = run()
    return time.perf_counter() - started, result


def main() -> None:
    """Interleave both and compare by the median of the ratios."""
    chosen = arguments(
        __doc__, epochs={"type": int, "default": 100}, repeats={"type": int, "default": 3},
    )  # fmt: skip
    table = frame()
    x = torch.tensor(table.filter(like="x").to_numpy(), dtype=torch.float32)
    x = (x - x.mean(0)) / x.std(0)
    y = torch.tensor(table.filter(like="y").to_numpy(), dtype=torch.float32)
    panel = ft.Panel.from_wide(table, time="ds", target=[f"y{j}" for j in range(TARGETS)], past="rest")
    steps = chosen.epochs * -(-(DAYS - P - H) // BATCH)
    whole_ours(panel)
    taken: dict[str, list[tuple[float, float]]] = {"stage 1": [], "whole fit": []}
    dropped: list[float] = []
    for _ in range(chosen.repeats):
        ours, _none = seconds(lambda: stage1_ours(x, chosen.epochs))
        plain, model = seconds(lambda: stage1_plain(x, y, chosen.epochs))
        assert isinstance(model, PlainLatent)
        taken["stage 1"].append((plain, ours))
        heads, _none = seconds(lambda model=model: stage2_plain(model, x, y, chosen.epochs))
        whole, model = seconds(lambda: whole_ours(panel))
        assert isinstance(model, LAVAR)
        gates = model.gates()
        dropped.append(gates.seconds[~gates.kept].sum() / whole)
        taken["whole fit"].append((plain + heads, whole))
    rows = []
    for part, pairs in taken.items():
        plain_s, ours_s = np.array(pairs).T
        rows.append({
            "part": part, "epochs": chosen.epochs, "repeats": chosen.repeats, "plain_s": np.median(plain_s),
            "ours_s": np.median(ours_s), "plain_ms_per_step": 1e3 * np.median(plain_s) / steps,
            "times_faster": np.median(plain_s / ours_s),
            "worst_ratio": np.min(plain_s / ours_s),
        })  # fmt: skip
    rows[-1] |= {
        "kept": " ".join(gates.part[gates.kept]), "head_epochs": int(gates.epochs.max()),
        "dropped_share": np.median(dropped),
    }  # fmt: skip
    save("lavar_speed", rows, chosen.threads)


if __name__ == "__main__":
    main()
