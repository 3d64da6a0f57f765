from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from foretide.models.dynamics import VAR
from foretide.models.stationary import SHRINK, persistent_start, stationary_coefficients
from foretide.seeding import torch_generator


def radius(a: Tensor) -> float:
    """Largest root, from a companion matrix built here."""
    p, k, _ = a.shape
    matrix = np.eye(p * k, k=-k)
    matrix[:k] = np.concatenate(list(a.detach().double().numpy()), axis=1)
    return float(np.abs(np.linalg.eigvals(matrix)).max())


@pytest.mark.parametrize("size", [0.1, 1.0, 3.0, 10.0, 100.0, 1e6])
@pytest.mark.parametrize(("order", "latent"), [(1, 1), (1, 4), (2, 3), (7, 8)])
def test_stable_for_any_parameters(order: int, latent: int, size: float) -> None:
    generator = torch_generator(order * latent)
    for trial in range(12):
        free = torch.randn(order, latent, latent, generator=generator)
        if trial % 3 == 1:
            free = torch.linalg.qr(free)[0]
        elif trial % 3 == 2:  # signs on the diagonal alone: equal roots, the worst case for rounding
            free = torch.eye(latent) * torch.randn(order, 1, latent, generator=generator).sign()
        assert radius(stationary_coefficients(size * free)) < 1.0


def test_gradients_are_finite_at_any_size() -> None:
    for size in (0.0, 1e-8, 1.0, 1e6):
        free = (size * torch.randn(7, 8, 8, generator=torch_generator(0))).requires_grad_()
        stationary_coefficients(free).square().sum().backward()
        assert free.grad is not None
        assert bool(torch.isfinite(free.grad).all())


def test_gradient() -> None:
    free = torch.randn(3, 2, 2, dtype=torch.float64, generator=torch_generator(1), requires_grad=True)
    assert torch.autograd.gradcheck(stationary_coefficients, (free,))


def test_univariate_twin_durbin_levinson() -> None:
    # With one series the partial autocorrelations are f / sqrt(1 + f^2) and the recursion is Durbin and Levinson's.
    free = torch.tensor([0.8, -0.4, 0.3])
    bound = np.array([20.0, 5.0, 5.0])
    f = free.numpy() * bound / np.sqrt(bound**2 + free.numpy() ** 2)
    phi: list[float] = []
    for r in f / np.sqrt(1 + f**2):
        phi = [a - r * b for a, b in zip(phi, phi[::-1], strict=True)] + [r]
    expected = np.array(phi) * SHRINK ** np.arange(1, 4)
    np.testing.assert_allclose(stationary_coefficients(free[:, None, None])[:, 0, 0], expected, rtol=1e-6)


def test_the_covariance_of_the_process_is_the_identity() -> None:
    # Twin: the stationary covariance of the companion form, by the Lyapunov equation, with the innovation covariance
    # that makes it so. With white marginal covariance the lag-1 autocovariance is the first partial autocorrelation.
    free = 0.5 * torch.randn(2, 3, 3, generator=torch_generator(2), dtype=torch.float64)
    a = stationary_coefficients(free).numpy() / SHRINK ** np.arange(1, 3)[:, None, None]
    one = stationary_coefficients(free[:1]).numpy()[0] / SHRINK  # Gamma_1 = Phi_{1,1} when Gamma_0 = I
    gamma2 = a[0] @ one + a[1]
    toeplitz = np.block([[np.eye(3), one], [one.T, np.eye(3)]])
    # Yule-Walker: [A_1 A_2] [[G0, G1], [G1', G0]] = [G1, G2]
    np.testing.assert_allclose(np.concatenate(list(a), axis=1) @ toeplitz, np.concatenate([one, gamma2], 1), atol=1e-10)
    innovation = np.eye(3) - a[0] @ one.T - a[1] @ gamma2.T
    assert np.linalg.eigvalsh((innovation + innovation.T) / 2).min() > 0


@pytest.mark.parametrize("persistence", [0.5, 0.97, 0.99])
def test_persistent_start(persistence: float) -> None:
    a = stationary_coefficients(persistent_start(3, 2, persistence))
    torch.testing.assert_close(a[0], persistence * torch.eye(2, dtype=a.dtype))
    torch.testing.assert_close(a[1:], torch.zeros_like(a[1:]))


def test_every_stationary_univariate_order_two_is_reached() -> None:
    # A cycle of a week with modulus 0.95: 2 r cos(w), -r^2.
    wanted = torch.tensor([2 * 0.95 * np.cos(2 * np.pi / 7), -(0.95**2)])
    free = torch.zeros(2, 1, 1, requires_grad=True)
    search = torch.optim.LBFGS([free], max_iter=200, line_search_fn="strong_wolfe")

    def distance() -> Tensor:
        search.zero_grad()
        loss = (stationary_coefficients(free)[:, 0, 0] - wanted).square().sum()
        loss.backward()
        return loss

    search.step(distance)
    torch.testing.assert_close(stationary_coefficients(free)[:, 0, 0], wanted.double(), atol=1e-3, rtol=0)


def test_a_long_rollout_of_a_stable_var_stays_bounded_in_float32() -> None:
    var = VAR(8, 7, stable=True)
    with torch.no_grad():
        var.free.copy_(100 * torch.randn(7, 8, 8, generator=torch_generator(3)))
    ahead = var.rollout(torch.randn(1, 7, 8, generator=torch_generator(4)), 20_000)
    assert ahead.dtype == torch.float32
    assert float(ahead[:, -1].detach().abs().max()) < 1e-2
