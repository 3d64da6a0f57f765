from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from foretide.seeding import numpy_generator, seeded_init, torch_generator


def test_numpy_streams() -> None:
    draws = {key: numpy_generator(*key).random(4).tolist() for key in [(1,), (2,), (1, 0), (1, 1), (1, 1, 0)]}
    assert draws[1,] == numpy_generator(1).random(4).tolist()
    distinct = {tuple(v) for v in draws.values()}
    assert len(distinct) == len(draws)


def test_torch_generator() -> None:
    first, again, other = (torch.randn(4, generator=torch_generator(s)) for s in (1, 1, 2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, other)


def test_generators_leave_the_global_state_alone() -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    torch.randn(3, generator=torch_generator(0))
    numpy_generator(0).random(3)
    assert torch.equal(before, torch.get_rng_state())
    assert np.random.get_state()[1].tolist() == numpy_before


def test_seeded_init() -> None:
    before = torch.get_rng_state()
    layers = []
    for seed in (3, 3, 4):
        with seeded_init(seed):
            layers.append(nn.Linear(3, 2).weight.detach().clone())
    assert torch.equal(layers[0], layers[1])
    assert not torch.equal(layers[0], layers[2])
    assert torch.equal(before, torch.get_rng_state())


def test_seeded_init_puts_the_state_back_after_an_error() -> None:
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="broken"), seeded_init(1):
        torch.rand(2)
        raise ValueError("broken")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_dropout_on_a_gpu_follows_the_seed_too() -> None:
    drop, x = nn.Dropout(0.5), torch.ones(64, device="cuda")
    before = torch.cuda.get_rng_state()
    draws = []
    for seed in (3, 3, 4):
        with seeded_init(seed):
            draws.append(drop(x))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(before, torch.cuda.get_rng_state())
