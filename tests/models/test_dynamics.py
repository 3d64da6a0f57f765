from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from foretide.errors import ConfigError
from foretide.models.config import LATENT_DYNAMICS
from foretide.models.dynamics import DYNAMICS, VAR, GRUDynamics, roll_by_steps
from foretide.seeding import seeded_init, torch_generator


def noisy(name: str = "var", latent: int = 3, order: int = 4, **options: Any) -> Any:
    """Dynamics in float64, away from their start."""
    with seeded_init(0):
        made = DYNAMICS[name](latent, order, **options).double()
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def window(n: int = 5, order: int = 4, latent: int = 3) -> Tensor:
    return torch.randn(n, order, latent, generator=torch_generator(1), dtype=torch.float64)


KINDS: list[tuple[str, dict[str, Any]]] = [("var", {}), ("var", {"stable": True}), ("gru", {"hidden": 5})]


def test_only_the_oldest_lag() -> None:
    # z_t = 2 z_{t-p}: the next states are twice the window, in its order. A reversed lag axis gives anything else.
    var = VAR(2, 3)
    a = torch.zeros(3, 2, 2)
    a[2] = 2 * torch.eye(2)
    var.set_coefficients(a, torch.zeros(2))
    z = torch.tensor([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])
    torch.testing.assert_close(var.step(z), torch.tensor([[2.0, 20.0]]))
    torch.testing.assert_close(var.rollout(z, 3), 2 * z)
    torch.testing.assert_close(var.rollout(z, 4)[:, 3], 4 * z[:, 0])


def test_only_the_newest_lag_and_the_constant() -> None:
    var = VAR(2, 3)
    a = torch.zeros(3, 2, 2)
    a[0] = torch.tensor([[0.0, 1.0], [0.5, 0.0]])  # A_1 multiplies from the left
    var.set_coefficients(a, torch.tensor([100.0, 0.0]))
    z = torch.tensor([[[9.0, 9.0], [9.0, 9.0], [4.0, 6.0]]])
    expected = torch.tensor([[[106.0, 2.0], [102.0, 53.0]]])
    torch.testing.assert_close(var.rollout(z, 2), expected)


def test_step_by_hand() -> None:
    var, z = noisy(), window()
    a, c = var.coefficients()
    assert a.shape == (4, 3, 3)
    for row in range(5):
        expected = c.detach().numpy().copy()
        for lag in range(1, 5):
            expected += a[lag - 1].detach().numpy() @ z[row, 4 - lag].numpy()
        np.testing.assert_allclose(var.step(z)[row].detach(), expected, rtol=1e-12)


@pytest.mark.parametrize(("name", "options"), KINDS)
@pytest.mark.parametrize("h", [1, 2, 3, 4, 5, 8, 14, 17])
def test_rollout_is_repeated_steps(name: str, options: dict[str, Any], h: int) -> None:
    made, z = noisy(name, **options), window()
    ahead = made.rollout(z, h)
    assert ahead.shape == (5, h, 3)
    torch.testing.assert_close(ahead, roll_by_steps(made, z, h))
    torch.testing.assert_close(ahead[:, 0], made.step(z))  # not one step early, not one late


@pytest.mark.parametrize("options", [{}, {"stable": True}])
def test_a_var_looks_at_the_last_p_states_alone(options: dict[str, Any]) -> None:
    var, z = noisy(**options), window(order=6)
    torch.testing.assert_close(var.step(z), var.step(z[:, 2:]))
    torch.testing.assert_close(var.rollout(z, 3), var.rollout(z[:, 2:], 3))
    assert not torch.allclose(var.step(z), var.step(z[:, :4]))


def test_powers_are_the_companions_powers() -> None:
    var = noisy()
    phi, offset = var.powers(6)
    companion = var.companion().numpy()
    # The companion's state is stacked newest first, the powers' oldest first.
    flip = np.kron(np.eye(4)[::-1], np.eye(3))
    raised, carried = np.eye(12), np.zeros(12)
    for step in range(6):
        raised = companion @ raised
        carried = companion @ carried + np.concatenate([var.bias.detach().numpy(), np.zeros(9)])
        block = slice(3 * step, 3 * step + 3)
        np.testing.assert_allclose(phi[block].detach(), raised[:3] @ flip, atol=1e-12)
        np.testing.assert_allclose(offset[block].detach(), carried[:3], atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"stable": True}])
@pytest.mark.parametrize("h", [1, 2, 3, 5, 8, 14])
def test_gradient_of_the_powers(h: int, options: dict[str, Any]) -> None:
    """A rollout by powers has the gradient of a rollout by steps."""
    var, z = noisy(**options), window()
    pull = torch.randn(5, h, 3, generator=torch_generator(2), dtype=torch.float64)
    by_powers, by_steps = (
        torch.autograd.grad((ahead * pull).sum(), list(var.parameters()))
        for ahead in (var.rollout(z, h), roll_by_steps(var, z, h))
    )
    for a, b in zip(by_powers, by_steps, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("order", [1, 3])
def test_spectral_radius(order: int) -> None:
    var, a = VAR(2, order), torch.zeros(order, 2, 2)
    a[-1] = torch.tensor([[0.0, -0.5], [0.5, 0.0]])  # eigenvalues 0.5i, -0.5i
    var.set_coefficients(a, torch.zeros(2))
    assert var.spectral_radius() == pytest.approx(0.5 ** (1 / order))


@pytest.mark.parametrize(("name", "options", "tolerance"), [
    ("var", {}, 0.1), ("var", {"stable": True}, 0.3), ("gru", {}, 0.1),
])  # fmt: skip
def test_begins_near_persistence(name: str, options: dict[str, Any], tolerance: float) -> None:
    with seeded_init(3):
        made = DYNAMICS[name](8, 7, **options)
    z = torch.randn(64, 7, 8, generator=torch_generator(0))
    assert float((made.step(z).detach() - z[:, -1]).square().mean().sqrt()) < tolerance
    if name == "var":
        a, c = made.coefficients()
        assert float((a[0].detach() - torch.eye(8)).abs().max()) < 0.05
        assert float(a[1:].detach().abs().max()) < 0.05
        assert float(c.detach().abs().max()) == 0.0


def test_gru_reads_the_whole_window_and_its_own_answers() -> None:
    gru, z = noisy("gru"), window()
    other = z.clone()
    other[:, 0] += 1
    assert not torch.allclose(gru.step(z), gru.step(other))
    cell = torch.nn.GRUCell(3, 32).double()
    cell.load_state_dict({n.removesuffix("_l0"): v for n, v in gru.gru.state_dict().items()})
    state, now, ahead = torch.zeros(5, 32, dtype=torch.float64), z[:, 0], []
    for step in range(4 + 3 - 1):
        state = cell(now, state)
        answer = now + gru.out(state)
        now = z[:, step + 1] if step < 3 else answer
        ahead.append(answer)
    torch.testing.assert_close(gru.rollout(z, 3), torch.stack(ahead[-3:], dim=1))


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_every_parameter_learns(name: str, options: dict[str, Any]) -> None:
    made = noisy(name, **options)
    made.rollout(window(), 3).square().sum().backward()
    for parameter in made.parameters():
        assert float(parameter.grad.abs().max()) > 0


def test_table_and_names_agree() -> None:
    assert tuple(DYNAMICS) == LATENT_DYNAMICS


def test_bad_settings() -> None:
    for name in DYNAMICS:
        with pytest.raises(ConfigError, match=r"at least 1, got latent=0 and order=2\. Try latent=8"):
            DYNAMICS[name](0, 2)
    with pytest.raises(ConfigError, match="hidden=0 cannot work"):
        GRUDynamics(2, 2, hidden=0)
    with pytest.raises(ConfigError, match="stable=False"):
        VAR(2, 2, stable=True).set_coefficients(torch.zeros(2, 2, 2), torch.zeros(2))
    with pytest.raises(ConfigError, match=r"Expected A \(2, 3, 3\)"):
        VAR(3, 2).set_coefficients(torch.zeros(3, 2, 2), torch.zeros(3))
