from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from foretide.seeding import seeded_init, torch_generator
from foretide.training.fused.adam import FusedAdam


def network() -> nn.Sequential:
    with seeded_init(0):
        return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2), nn.Linear(2, 2))


def groups(net: nn.Sequential, decay: float) -> list[dict[str, Any]]:
    """The last layer is in no group and gets no gradient."""
    return [
        {"params": list(net[0].parameters()), "lr": 0.01, "weight_decay": decay},
        {"params": list(net[2].parameters()), "lr": 0.03, "weight_decay": 0.0},
    ]


def trained(optimizer: Any, net: nn.Sequential, first: int = 0, last: int = 20) -> None:
    for k in range(first, last):
        x = torch.randn(8, 3, generator=torch_generator(k))
        optimizer.zero_grad()
        out = net[0](x) if k % 5 == 4 else net[:3](x)  # now and then some parameters have no gradient
        out.square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("decoupled", [False, True])
def test_the_bits_of_pytorch(decay: float, decoupled: bool) -> None:
    ours, twin = network(), network()
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    trained(FusedAdam(groups(ours, decay), decoupled=decoupled), ours)
    trained(kind(groups(twin, decay), fused=True), twin)
    for a, b in zip(ours.parameters(), twin.parameters(), strict=True):
        assert torch.equal(a, b)


def test_moments_go_on_elsewhere_and_are_those_of_pytorch() -> None:
    whole, half, twin = network(), network(), network()
    trained(FusedAdam(groups(whole, 0.1), decoupled=True), whole)
    optimizer = FusedAdam(groups(half, 0.1), decoupled=True)
    trained(optimizer, half, 0, 10)
    theirs = torch.optim.AdamW(groups(twin, 0.1), fused=True)
    trained(theirs, twin, 0, 10)
    kept, other = optimizer.state_dict()["state"], theirs.state_dict()["state"]
    assert kept.keys() == other.keys()
    assert all(torch.equal(kept[k][name], other[k][name]) for k in kept for name in other[k])
    again = FusedAdam(groups(half, 0.1), decoupled=True)
    again.load_state_dict({"state": kept})
    trained(again, half, 10, 20)
    for a, b in zip(half.parameters(), whole.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_network_is_trained_without_the_compiler() -> None:
    program = (
        "import sys, foretide as ft\n"
        "panel = ft.synthetic.hourly(T=200, n_series=1, seed=1).panel\n"
        "ft.LSTM(h=2, input_size=8, hidden=4, epochs=1, device='cpu').fit(panel).predict(panel)\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
