"""Gradient clipping equals PyTorch's own."""

from __future__ import annotations

import pytest
import torch

from foretide.training.loop import clip_gradients


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
