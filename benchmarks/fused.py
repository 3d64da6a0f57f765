"""What the hand-written gradients buy: one step by them and by autograd, interleaved in the same run.

Sizes of a usual LAVAR: 35 covariates, latent 8, order 7, horizon 14, batches of 64 windows; targets as in
``lavar_speed.py``. The plain side is what autograd does with the losses of the models and heads themselves, with
PyTorch's own clipping and Adam where the step holds those. A kernel below 1.5 times goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from common import arguments, save

import foretide as ft
from foretide.heads.base import HeadShape
from foretide.models.config import LatentConfig
from foretide.models.latent import LatentModel
from foretide.seeding import seeded_init, torch_generator
from foretide.training.fused.flat import Flat, FlatAdam, clip_gradients
from foretide.training.fused.heads import HeadSteps
from foretide.training.fused.latent import Stage1Gradient
from foretide.training.head_bank import HeadBank, HeadData

C, H, K, P, BATCH, WINDOWS, FEATURES = 35, 14, 8, 7, 64, 1000, 24
Step = Callable[[], object]
DELTA = {"name": "delta", "cumulative": False, "on": "level"}
ZINB, NB = {"name": "zinb", "link": "log"}, {"name": "nb", "link": "log"}
BANKS = {
    "squared error, 40 targets": {"dense": (DELTA, 10), "sparse": (DELTA, 30)},
    "zero-inflated negative binomial, 8 targets": {"ultra": (ZINB, 8)},
    "negative binomial, 30 targets": {"sparse": (NB, 30)},
    "all heads of a LAVAR, 48 targets": {"dense": (DELTA, 10), "sparse": (DELTA, 30), "ultra": (ZINB, 8)},
}


def stage_one() -> dict[str, tuple[Step, Step]]:
    """Gradient of stage 1, clipping and Adam, and both together."""
    x = torch.randn(BATCH + P + H, C, generator=torch_generator(0))

    def model() -> LatentModel:
        with seeded_init(0):
            return LatentModel(C, H, LatentConfig(latent=K, order=P))

    plain, ours = model(), model()
    ready = plain.autoencoder.without_zeros(x)
    parameters = list(plain.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    flat = Flat(ours.parameters())
    gradient, adam = Stage1Gradient(ours, flat), FlatAdam(flat, 1e-3)

    def plain_gradient() -> None:
        for parameter in parameters:
            parameter.grad = None
        plain.stage1_loss(x, [BATCH], ready).backward()

    def plain_move() -> None:
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    def move() -> None:
        flat.clip(1.0)
        adam.step()

    return {
        "stage 1: gradient": (plain_gradient, lambda: gradient([x], [ready], [BATCH])),
        "clipping and Adam as one tensor": (plain_move, move),
        "stage 1: whole step": (
            lambda: (plain_gradient(), plain_move()), lambda: (gradient([x], [ready], [BATCH]), move()),
        ),
    }  # fmt: skip


def stage_two(heads: dict[str, tuple[dict[str, object], int]]) -> tuple[Step, Step]:
    """Gradient of all heads of a bank."""
    rng = np.random.default_rng(0)
    n = sum(count for _, count in heads.values())
    ends = np.cumsum([count for _, count in heads.values()])
    columns = {b: list(range(end - count, end)) for (b, (_, count)), end in zip(heads.items(), ends, strict=True)}
    base = np.broadcast_to(np.where(np.arange(n) % 2, 0.05, 5.0), (WINDOWS, H, n))
    arrays = (rng.normal(size=(WINDOWS, H, FEATURES)), base, base, rng.poisson(base))
    tensors = (torch.from_numpy(np.array(a, dtype=np.float32)) for a in arrays)
    data = HeadData(*tensors, None, torch.zeros(WINDOWS, dtype=torch.int64))
    parts = {bucket: data.columns(where) for bucket, where in columns.items()}
    banks = []
    for _ in range(2):
        specs = {bucket: spec for bucket, (spec, _) in heads.items()}
        bank = HeadBank(specs, columns, HeadShape(FEATURES, n, H), torch.ones(1, n))
        for bucket, part in parts.items():
            bank.begin(bucket, part)
        banks.append(bank)
    steps, flat = HeadSteps(banks[0], parts), Flat(banks[1].parameters())
    chosen = torch.randperm(WINDOWS, generator=torch_generator(0))[:BATCH]

    def plain() -> None:
        flat.backward(torch.stack([banks[1].loss(b, part, chosen) for b, part in parts.items()]).sum())

    return plain, lambda: steps(chosen)


def clipping() -> tuple[Step, Step]:
    """Clipping the gradients of an attention network."""
    panel = ft.synthetic.hourly(T=400, seed=0).panel
    parameters = list(ft.Attention(10, input_size=60, epochs=0).fit(panel).network.parameters())
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=torch_generator(0))
    return lambda: torch.nn.utils.clip_grad_norm_(parameters, 1.0), lambda: clip_gradients(parameters, 1.0)


def main() -> None:
    """Interleave both sides of every kernel and compare medians."""
    chosen = arguments(__doc__, steps={"type": int, "default": 300})
    pairs = {
        **stage_one(),
        **{f"stage 2: {name}": stage_two(heads) for name, heads in BANKS.items()},
        "clipping an attention network": clipping(),
    }
    rows = []
    for name, both in pairs.items():
        taken: list[list[float]] = [[], []]
        for _ in range(chosen.steps + 5):
            for own, step in zip(taken, both, strict=True):
                started = time.perf_counter()
                step()
                own.append(time.perf_counter() - started)
        plain, fused = (1e6 * float(np.median(own[5:])) for own in taken)
        rows.append({"kernel": name, "plain_us": plain, "fused_us": fused, "times_faster": plain / fused})
    save("fused", rows, chosen.threads)


if __name__ == "__main__":
    main()
