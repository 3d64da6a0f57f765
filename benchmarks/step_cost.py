"""Cost of a training step and of prediction: the shipped attention model beside the minimal recipe.

Width 128, 4 heads, lookback 60, horizon 10, batch 64, three channels; both in the same run, steps interleaved.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from common import arguments, save
from minimal_recipe import MinimalRecipe
from torch.nn import functional

import foretide as ft
from foretide.data.windows import slide
from foretide.training.learner import make_optimizer
from foretide.training.store import Store, WindowBatches

H, LOOKBACK, BATCH, STEPS = 10, 60, 64, 60
N_PREDICT = 10_000


def shipped(panel: ft.Panel, encoder_layers: int) -> tuple[ft.Attention, WindowBatches]:
    """An attention model at its start, and its windows."""
    model = ft.Attention(H, input_size=LOOKBACK, hidden=128, heads=4, epochs=0, encoder_layers=encoder_layers)
    model.fit(panel)
    store = Store(panel, model.preparation, input_size=LOOKBACK, h=H)
    return model, WindowBatches(store, slide(panel, input_size=LOOKBACK, h=H))


def main() -> None:
    """Time steps and predictions."""
    chosen = arguments(__doc__)
    panel = ft.synthetic.hourly(T=N_PREDICT + LOOKBACK + H - 1, seed=0).panel
    minimal = MinimalRecipe(3, H, LOOKBACK)
    minimal_optimizer = torch.optim.Adam(minimal.parameters(), lr=1e-3)
    variants = {f"attention, {n} encoder layers": shipped(panel, n) for n in (0, 1)}
    optimizers = {}
    for name, (model, _) in variants.items():
        model.network.train()
        optimizers[name] = make_optimizer(model.network.groups(1e-3, 1e-4, 0.0), model.training)
    seconds: dict[str, list[float]] = {name: [] for name in ("minimal recipe", *variants)}
    _, batches = next(iter(variants.values()))
    for step in range(STEPS):
        index = torch.arange(step * BATCH, (step + 1) * BATCH)
        inputs, labels = batches.batch(index)
        past, y = inputs.past.contiguous(), labels.y[..., 0].contiguous()
        started = time.perf_counter()
        loss = functional.mse_loss(minimal(past), y)
        minimal_optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(minimal.parameters(), 1.0)
        minimal_optimizer.step()
        seconds["minimal recipe"].append(time.perf_counter() - started)
        for name, (model, own) in variants.items():
            started = time.perf_counter()
            loss = model.network.loss(*own.batch(index))
            optimizers[name].zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.network.parameters(), 1.0)
            optimizers[name].step()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: float(np.median(s[5:])) for name, s in seconds.items()}
    rows = [{"model": name, "step_ms": 1e3 * m, "times_faster": medians["minimal recipe"] / m}
            for name, m in medians.items()]  # fmt: skip
    for row in rows[1:]:
        model, _ = variants[row["model"]]
        cutoffs = panel.grid.output_times(np.arange(LOOKBACK - 1, LOOKBACK - 1 + N_PREDICT))
        model.predict(panel, cutoffs=cutoffs[:500])
        taken = []
        for _ in range(5):
            started = time.perf_counter()
            model.predict(panel, cutoffs=cutoffs)
            taken.append(time.perf_counter() - started)
        row["windows_per_s"] = N_PREDICT / float(np.median(taken))
        row["best_windows_per_s"] = N_PREDICT / min(taken)
    save("step_cost", rows, chosen.threads)


if __name__ == "__main__":
    main()
