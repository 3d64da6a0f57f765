from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from foretide.errors import ConfigError
from foretide.models.config import LatentConfig
from foretide.models.dynamics import roll_by_steps
from foretide.models.latent import LatentModel
from foretide.seeding import seeded_init, torch_generator

C, H, P, K = 5, 6, 4, 3


def model(**changes: Any) -> LatentModel:
    config = LatentConfig(**{"latent": K, "order": P, "encoder": (8, 4), "decoder": (4, 8), **changes})
    with seeded_init(0):
        made = LatentModel(C, H, config).double()
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    return made


def covariates(n: int, seed: int = 0) -> Tensor:
    x = torch.randn(n, C, generator=torch_generator(seed), dtype=torch.float64)
    x[::3, 1] = 0.0
    return x


def plain_loss(made: LatentModel, x: Tensor, cutoffs: list[int]) -> Tensor:
    """The loss of spec section 2, window after window, every window's steps encoded anew, rolled out step by step."""
    recon, dynamics, multi = [], [], []
    for t in cutoffs:
        z = made.encode(x[t - P : t + H + 1])  # z[P] is the state at the cutoff
        recon.append((made.decode(z[P]) - x[t]).square())
        dynamics.append((made.dynamics.step(z[None, :P])[0] - z[P]).square())
        ahead = roll_by_steps(made.dynamics, z[None, 1 : P + 1], H)[0]
        multi.append((ahead - z[P + 1 :]).square())
    config = made.config
    loss = config.recon_weight * torch.stack(recon).mean() + config.dynamics_weight * torch.stack(dynamics).mean()
    return loss + config.dynamics_weight * torch.stack(multi).mean() if config.multi_step else loss


def gradients(made: LatentModel, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(made.parameters())))


SETTINGS: list[dict[str, Any]] = [
    {}, {"stable": True}, {"dynamics": "gru"}, {"multi_step": False}, {"multi_step": False, "dynamics": "gru"},
    {"recon_weight": 0.3, "dynamics_weight": 2.0}, {"zero_epsilon": 0.0}, {"zero_epsilon": 0.1},
]  # fmt: skip


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
@pytest.mark.parametrize("m", [1, 36])
def test_loss_and_gradients_equal_the_plain_computation(changes: dict[str, Any], m: int) -> None:
    made, x = model(**changes), covariates(m + P + H)
    ours, plain = made.stage1_loss(x), plain_loss(made, x, list(range(P, P + m)))
    torch.testing.assert_close(ours, plain, rtol=1e-9, atol=0)
    for a, b in zip(gradients(made, ours), gradients(made, plain), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("changes", SETTINGS[:3], ids=str)
def test_in_float32_to_one_in_a_hundred_thousand(changes: dict[str, Any]) -> None:
    made, x = model(**changes).float(), covariates(34 + P + H).float()
    ours, plain = made.stage1_loss(x), plain_loss(made, x, list(range(P, P + 34)))
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=0)
    for a, b in zip(gradients(made, ours), gradients(made, plain), strict=True):
        assert float((a - b).norm() / b.norm()) < 1e-5


@pytest.mark.parametrize("changes", [*SETTINGS[:4]], ids=str)
@pytest.mark.parametrize("counts", [[3, 1, 5], [1, 1], [12, 2]])
def test_several_stretches(changes: dict[str, Any], counts: list[int]) -> None:
    made, cutoffs, start = model(**changes), [], 0
    x = covariates(sum(counts) + len(counts) * (P + H))
    for m in counts:
        cutoffs += list(range(start + P, start + P + m))
        start += m + P + H
    ours, plain = made.stage1_loss(x, counts), plain_loss(made, x, cutoffs)
    torch.testing.assert_close(ours, plain, rtol=1e-9, atol=0)
    for a, b in zip(gradients(made, ours), gradients(made, plain), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-12)


def test_rows_made_ready_beforehand() -> None:
    made, x = model(zero_epsilon=0.1), covariates(20)
    ready = made.autoencoder.without_zeros(x)
    assert torch.equal(made.stage1_loss(x, ready=ready), made.stage1_loss(x))
    assert not torch.equal(made.stage1_loss(ready), made.stage1_loss(x))  # x itself is what is reconstructed


def test_every_row_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, seen = model(), []
    inner = made.autoencoder.encoder.forward
    monkeypatch.setattr(made.autoencoder.encoder, "forward", lambda x: (seen.append(len(x)), inner(x))[1])
    made.stage1_loss(covariates(64 + P + H))
    assert seen == [64 + P + H]


def test_a_state_that_moves_as_told_costs_nothing() -> None:
    # Latent = the first covariates, moving by a VAR: one-step and multi-step errors vanish only if both start right.
    made = model()
    a, c = 0.3 * torch.randn(P, K, K, generator=torch_generator(3), dtype=torch.float64) / P, torch.ones(K).double()
    made.dynamics.set_coefficients(a, c)
    z = torch.randn(1, P, K, generator=torch_generator(4), dtype=torch.float64)
    path = torch.cat([z, roll_by_steps(made.dynamics, z, 30)], dim=1)[0]
    made.encode = lambda x: path  # type: ignore[method-assign]
    losses = made.stage1_losses(torch.zeros(34, C, dtype=torch.float64))
    assert float(losses.dynamics.detach()) < 1e-25
    assert losses.multi is not None
    assert float(losses.multi.detach()) < 1e-25


def test_rollout_of_the_horizon() -> None:
    made, z = model(), torch.randn(2, P, K, dtype=torch.float64, generator=torch_generator(0))
    assert made.rollout(z).shape == (2, H, K)
    torch.testing.assert_close(made.rollout(z, 3), made.rollout(z)[:, :3])
    assert made.surplus == P + H


@pytest.mark.parametrize(("n", "counts"), [(P + H, None), (30, [3, 4]), (30, []), (30, [30])])
def test_wrong_stretches(n: int, counts: list[int] | None) -> None:
    with pytest.raises(ConfigError, match=rf"m cutoffs has m \+ order \+ h = m \+ {P + H} rows; got {n} rows"):
        model().stage1_loss(covariates(n), counts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dynamics": "vr"}, "dynamics is one of 'var', 'gru'; got 'vr'. Did you mean 'var'"),
        ({"dynamics": "gru", "stable": True}, "Only a VAR can be kept stable"),
        ({"latent": 0}, "latent=0 cannot work. Try the default, latent=8"),
        ({"order": 0}, "order=0 cannot work. Try the default, order=7"),
        ({"encoder": (0,)}, r"encoder=\(0,\) cannot work"),
        ({"recon_weight": -1.0}, "recon_weight=-1.0 cannot work"),
        ({"recon_weight": 0.0, "dynamics_weight": 0.0}, "nothing to learn"),
    ],
)
def test_bad_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LatentConfig(**changes)


def test_bad_horizon() -> None:
    with pytest.raises(ConfigError, match="h=0 cannot work"):
        LatentModel(3, 0, LatentConfig())
