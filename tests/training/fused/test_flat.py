from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from foretide.seeding import seeded_init, torch_generator
from foretide.training.fused.flat import Flat, FlatAdam, clip_gradients


def network() -> nn.Sequential:
    with seeded_init(0):
        return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))


@pytest.mark.parametrize("clip", [None, 0.05, 100.0])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_equal_to_separate_parameters(clip: float | None, weight_decay: float) -> None:
    ours, twin, x = network(), network(), torch.randn(8, 3, generator=torch_generator(0))
    flat = Flat(ours.parameters())
    optimizer = FlatAdam(flat, 0.01, weight_decay)
    kind = torch.optim.AdamW if weight_decay else torch.optim.Adam
    plain = kind(twin.parameters(), lr=0.01, weight_decay=weight_decay)
    for _ in range(50):
        flat.backward(ours(x).square().mean())
        if clip is not None:
            flat.clip(clip)
        optimizer.step()
        plain.zero_grad()
        twin(x).square().mean().backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(twin.parameters(), clip)
        plain.step()
    for a, b in zip(ours.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_release_ends_sharing() -> None:
    net = network()
    flat = Flat(net.parameters())
    assert net[0].weight.untyped_storage().data_ptr() == net[2].bias.untyped_storage().data_ptr()
    flat.release()
    pointers = {p.untyped_storage().data_ptr() for p in net.parameters()}
    assert len(pointers) == 4
    assert all(p.grad is None for p in net.parameters())


def test_no_compiler_is_loaded() -> None:
    program = (
        "import sys, torch\n"
        "from foretide.models.config import LatentConfig\n"
        "from foretide.models.latent import LatentModel\n"
        "from foretide.training.latent import Stretch, train_latent\n"
        "from foretide.training.config import Stage\n"
        "made = LatentModel(3, 2, LatentConfig(order=2))\n"
        "stage = Stage('stage 1', epochs=1)\n"
        "train_latent(made, torch.randn(40, 3), [Stretch(2, 30)], [], stage, generator=torch.Generator())\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("most", [0.1, 1.0, 1e6])
def test_same_gradients_as_pytorch(most: float) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(3, 4), (4,), (2, 3, 5)]
    ours = [torch.zeros(s, requires_grad=True) for s in shapes]
    theirs = [torch.zeros(s, requires_grad=True) for s in shapes]
    for a, b in zip(ours, theirs, strict=True):
        a.grad = torch.randn(a.shape, generator=generator)
        b.grad = a.grad.clone()
    clip_gradients([*ours, torch.zeros(2, requires_grad=True)], most)
    torch.nn.utils.clip_grad_norm_(theirs, most)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-6, atol=1e-8)
