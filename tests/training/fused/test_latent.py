from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from foretide.models.config import LatentConfig
from foretide.models.latent import LatentModel
from foretide.seeding import seeded_init, torch_generator
from foretide.training.fused.flat import Flat
from foretide.training.fused.latent import Stage1Gradient, Stage1Step, written_out

C = 5


def model(h: int = 6, double: bool = True, **changes: Any) -> LatentModel:
    with seeded_init(0):
        made = LatentModel(C, h, LatentConfig(**{"latent": 3, "order": 4, "encoder": (8, 4), **changes}))
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    return made.double() if double else made


def covariates(n: int, seed: int = 0) -> Tensor:
    x = torch.randn(n, C, generator=torch_generator(seed), dtype=torch.float64)
    x[::3, 1] = 0.0
    return x


def by_autograd(made: LatentModel, flat: Flat, x: Tensor, counts: list[int] | None = None) -> tuple[Tensor, Tensor]:
    loss = made.stage1_loss(x, counts)
    flat.backward(loss)
    return loss.detach(), flat.gradient.clone()


@pytest.mark.parametrize("h", [1, 2, 3, 6, 14])
@pytest.mark.parametrize(
    "changes",
    [
        {}, {"order": 1}, {"multi_step": False}, {"recon_weight": 0.3, "dynamics_weight": 2.0}, {"latent": 1},
        {"encoder": (), "decoder": ()}, {"encoder": (7,), "decoder": (3, 4, 5)}, {"zero_epsilon": 0.1},
        {"recon_weight": 0.0}, {"dynamics_weight": 0.0}, {"order": 9},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("m", [1, 2, 37])
def test_equal_to_autograd(changes: dict[str, Any], h: int, m: int) -> None:
    made = model(h, **changes)
    flat = Flat(made.parameters())
    step = Stage1Step(made, m)
    for seed in range(2):  # what the first call leaves in the memory must not reach the second
        x = covariates(m + made.surplus, seed)
        loss, gradient = by_autograd(made, flat, x)
        flat.gradient.fill_(float("nan"))
        ours = step(x, made.autoencoder.without_zeros(x))
        torch.testing.assert_close(ours, loss, rtol=1e-12, atol=0)
        torch.testing.assert_close(flat.gradient, gradient, rtol=1e-9, atol=1e-13)


def test_in_float32_at_the_usual_size() -> None:
    made = model(14, double=False, latent=8, order=7, encoder=(32, 16), decoder=(16, 32))
    flat = Flat(made.parameters())
    x = covariates(64 + 21).float()
    loss, gradient = by_autograd(made, flat, x)
    ours = Stage1Step(made, 64)(x, made.autoencoder.without_zeros(x))
    torch.testing.assert_close(ours, loss, rtol=1e-5, atol=0)
    assert float((flat.gradient - gradient).norm() / gradient.norm()) < 1e-5


def test_it_follows_the_weights() -> None:
    made, x = model(), covariates(30)
    flat = Flat(made.parameters())
    step = Stage1Step(made, 20)
    before = step(x, x)
    with torch.no_grad():
        flat.whole.add_(0.01)
    after, gradient = by_autograd(made, flat, x)
    made_again = step(x, made.autoencoder.without_zeros(x))
    torch.testing.assert_close(made_again, after, rtol=1e-12, atol=0)
    torch.testing.assert_close(flat.gradient, gradient, rtol=1e-9, atol=1e-13)
    assert float(before) != float(after)


@pytest.mark.parametrize("changes", [{}, {"stable": True}, {"dynamics": "gru"}], ids=str)
@pytest.mark.parametrize("counts", [[9], [9, 1], [3, 8, 2], [1, 2, 3, 4]], ids=str)
def test_batches_of_several_stretches(changes: dict[str, Any], counts: list[int]) -> None:
    made = model(**changes)
    flat = Flat(made.parameters())
    rows = [covariates(m + made.surplus, seed) for seed, m in enumerate(counts)]
    loss, gradient = by_autograd(made, flat, torch.cat(rows), counts)
    ours = Stage1Gradient(made, flat)
    assert ours.known is (changes == {})
    for _ in range(2):
        flat.gradient.fill_(7.0)
        got = ours(rows, [made.autoencoder.without_zeros(r) for r in rows], counts)
        torch.testing.assert_close(got, loss, rtol=1e-12, atol=0)
        torch.testing.assert_close(flat.gradient, gradient, rtol=1e-9, atol=1e-13)
    assert not got.requires_grad
    assert len(ours.steps) == (len(set(counts)) if changes == {} and len(counts) < 4 else 0)


def test_no_room_means_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stage1Gradient, "MOST_VALUES", 600)
    made = model()
    flat = Flat(made.parameters())
    ours = Stage1Gradient(made, flat)
    for m in (5, 20, 5):
        x = covariates(m + made.surplus)
        loss, gradient = by_autograd(made, flat, x)
        torch.testing.assert_close(ours([x], [made.autoencoder.without_zeros(x)], [m]), loss)
        torch.testing.assert_close(flat.gradient, gradient)
    assert list(ours.steps) == [5]


def test_only_what_is_known_is_written_out() -> None:
    made = model()
    assert written_out(made, list(made.parameters()))
    assert not written_out(made, list(made.dynamics.parameters()))
    for changes in ({"stable": True}, {"dynamics": "gru"}):
        other = model(**changes)
        assert not written_out(other, list(other.parameters()))
