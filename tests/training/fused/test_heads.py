"""Written-out gradients of stage 2 equal those of autograd on the heads' own losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from foretide.heads.base import HeadShape
from foretide.seeding import seeded_init
from foretide.training.fused.heads import CountStep, HeadSteps, SquaredStep
from foretide.training.head_bank import HeadBank, HeadData

W, H, F = 40, 5, 3
LEVEL = {"name": "delta", "on": "level", "cumulative": False, "weights": [3.0, 1.0, 1.0, 0.5, 0.1]}
ZINB, NB = {"name": "zinb", "link": "log"}, {"name": "nb", "link": "log"}
COLUMNS = {"dense": [3, 0], "sparse": [1], "ultra": [4, 2]}


def data(rates: tuple[float, ...] = (2.0, 5.0, 0.3, 20.0, 0.05), seed: int = 0, missing: float = 0.0) -> HeadData:
    rng = np.random.default_rng(seed)
    features, noise = rng.normal(size=(W, H, F)), rng.gamma(2.0, 0.5, size=(W, H, len(rates)))
    base = np.broadcast_to(np.array(rates), noise.shape)
    y = rng.poisson(base * noise)
    observed = torch.from_numpy(rng.random(y.shape) >= missing) if missing else None
    tensors = (torch.from_numpy(np.array(a, dtype=np.float32)) for a in (features, base, np.maximum(base, 0.1), y))
    return HeadData(*tensors, observed, torch.zeros(W, dtype=torch.int64))


def bank(heads: dict[str, Any], unit: float = 1.0) -> HeadBank:
    with seeded_init(0):
        return HeadBank(heads, COLUMNS, HeadShape(F, 5, H), torch.full((1, 5), unit))


def compare(heads: dict[str, Any], given: HeadData, spread: float = 0.5, kinds: tuple[type, ...] = ()) -> None:
    """At parameters away from the start: loss and gradient of some windows, ours against autograd."""
    made = bank(heads)
    parts = {bucket: given.columns(columns) for bucket, columns in COLUMNS.items()}
    for bucket, part in parts.items():
        made.begin(bucket, part)
    with torch.no_grad():
        for p in made.heads.parameters():
            p.add_(spread * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    chosen = torch.tensor([3, 39, 0, 17, 17, 8])
    loss = torch.stack([made.loss(bucket, part, chosen) for bucket, part in parts.items()]).sum()
    names = [name for name, _ in made.heads.named_parameters()]
    expected = torch.autograd.grad(loss, list(made.heads.parameters()))
    steps = HeadSteps(made, parts)
    assert {type(step) for step in steps.steps} == set(kinds)
    for turn in range(2):  # twice: nothing of the first may be left
        found = steps(chosen)
        torch.testing.assert_close(found, loss.detach(), rtol=2e-6, atol=1e-6)
        for name, parameter, gradient in zip(names, made.heads.parameters(), expected, strict=True):
            assert parameter.grad is not None
            torch.testing.assert_close(
                parameter.grad, gradient, rtol=2e-5, atol=2e-6 * max(1.0, float(gradient.abs().max())),
                msg=lambda text, name=name, turn=turn: f"{name}, turn {turn}: {text}",
            )  # fmt: skip
    steps.flat.release()


@pytest.mark.parametrize("spread", [0.0, 0.5, 4.0])
@pytest.mark.parametrize("ultra", ["zinb", "nb"])
def test_written_out_equals_autograd(ultra: str, spread: float) -> None:
    """Four times the spread puts logits, means and dispersions beyond their bounds, where gradients are zero."""
    heads = {"dense": LEVEL, "sparse": "point", "ultra": {"name": ultra, "link": "log"}}
    compare(heads, data(), spread, (SquaredStep, CountStep))


@pytest.mark.parametrize("ultra", [ZINB, NB])
def test_extreme_counts(ultra: dict[str, str]) -> None:
    """Nothing but zeros, large counts, and hardly any mean."""
    heads = {"dense": ultra, "sparse": ultra, "ultra": ultra}
    compare(heads, data((1e-6, 3e-3, 0.02, 1e-8, 1e-3)), 0.5, (CountStep,))
    compare(heads, data((1e4, 3e3, 200.0, 3e5, 50.0)), 0.05, (CountStep,))


@pytest.mark.parametrize(("log_theta", "spread"), [(17.0, 0.1), (-9.0, 0.1)])
@pytest.mark.parametrize("head", [ZINB, NB])
def test_extreme_dispersions(head: dict[str, str], log_theta: float, spread: float) -> None:
    made, given = bank(dict.fromkeys(COLUMNS, head)), data()
    parts = {bucket: given.columns(columns) for bucket, columns in COLUMNS.items()}
    with torch.no_grad():
        for name, p in made.heads.named_parameters():
            p.normal_(0.0, spread, generator=torch.Generator().manual_seed(1))
            if "dispersion.series" in name:
                p.add_(log_theta)
    chosen = torch.arange(W)
    loss = torch.stack([made.loss(bucket, part, chosen) for bucket, part in parts.items()]).sum()
    expected = torch.autograd.grad(loss, list(made.heads.parameters()))
    steps = HeadSteps(made, parts)
    torch.testing.assert_close(steps(chosen), loss.detach(), rtol=2e-6, atol=1e-6)
    for parameter, gradient in zip(made.heads.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("heads", "missing"),
    [
        (dict.fromkeys(COLUMNS, "gaussian"), 0.0),
        ({"dense": "delta", "sparse": "absolute", "ultra": "poisson"}, 0.0),
        ({"dense": "zinb", "sparse": "nb", "ultra": {"nb": [1], "point": [0]}}, 0.0),
        ({"dense": LEVEL, "sparse": NB, "ultra": ZINB}, 0.3),
    ],
)
def test_what_is_not_written_out_is_recorded(heads: dict[str, Any], missing: float) -> None:
    compare(heads, data(missing=missing))


def test_written_out_and_recorded_side_by_side() -> None:
    compare({"dense": LEVEL, "sparse": "gaussian", "ultra": ZINB}, data(), 0.5, (SquaredStep, CountStep))
