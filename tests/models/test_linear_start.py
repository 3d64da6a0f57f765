from __future__ import annotations

import numpy as np
import pytest
import torch

from foretide.models.config import LatentConfig
from foretide.models.latent import LatentModel
from foretide.models.linear_start import start_linear
from foretide.seeding import seeded_init


def _rows(n: int = 300, channels: int = 9, states: int = 3, seed: int = 0) -> torch.Tensor:
    """Covariates that are a linear image of a slowly moving state, and a little noise."""
    rng = np.random.default_rng(seed)
    z = np.zeros((n, states))
    for t in range(1, n):
        z[t] = 0.8 * z[t - 1] + rng.normal(size=states)
    x = z @ rng.normal(size=(states, channels)) + 0.1 * rng.normal(size=(n, channels)) + 0.3
    return torch.from_numpy(x.astype(np.float32))


def _model(channels: int, **settings: object) -> LatentModel:
    with seeded_init(0):
        return LatentModel(channels, 4, LatentConfig(zero_epsilon=0.0, **settings))  # type: ignore[arg-type]


def _components(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviations and components by the eigenvectors of the covariance."""
    values, vectors = np.linalg.eigh(np.cov(x.T))
    return x.mean(axis=0), np.sqrt(values[::-1][:k]), vectors[:, ::-1][:, :k].T


@pytest.mark.parametrize("widths", [((32, 16), (16, 32)), ((6,), (6,)), ((20, 20, 20), ())])
def test_encoder_and_decoder_begin_at_principal_components(
    widths: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    x = _rows()
    model = _model(9, latent=3, order=2, encoder=widths[0], decoder=widths[1])
    start_linear(model, x, [(0, len(x))])
    mean, sd, components = _components(x.double().numpy(), 3)
    scores = (x.double().numpy() - mean) @ components.T / sd
    with torch.no_grad():
        z = model.encode(x)
        back = model.decode(z).numpy()
    np.testing.assert_allclose(np.abs(z.numpy()), np.abs(scores), atol=2e-4)
    np.testing.assert_allclose(back, (scores * sd) @ components + mean, atol=2e-4)


def test_dynamics_begin_at_the_ridge_var_of_the_scores() -> None:
    x = _rows()
    model = _model(9, latent=3, order=2)
    segments = [(0, 140), (150, 300)]
    start_linear(model, x, segments)
    with torch.no_grad():
        z = model.encode(x).double().numpy()
    lagged, now = [], []
    for low, high in segments:
        for t in range(low + 2, high):
            lagged.append(np.concatenate([z[t - 1], z[t - 2], [1.0]]))
            now.append(z[t])
    design, target = np.array(lagged), np.array(now)
    gram = design.T @ design
    gram[np.arange(6), np.arange(6)] += 1e-3 * np.mean(np.diag(gram)[:6])
    solved = np.linalg.solve(gram, design.T @ target)
    a, c = model.dynamics.coefficients()  # type: ignore[operator]
    np.testing.assert_allclose(a[0].detach().numpy(), solved[:3].T, atol=1e-4)
    np.testing.assert_allclose(a[1].detach().numpy(), solved[3:6].T, atol=1e-4)
    np.testing.assert_allclose(c.detach().numpy(), solved[6], atol=1e-4)


def test_the_start_has_far_less_loss_than_a_random_one_and_learns_on() -> None:
    x = _rows()
    model, random = _model(9, latent=3, order=2), _model(9, latent=3, order=2)
    start_linear(model, x, [(0, len(x))])
    with torch.no_grad():
        assert float(model.stage1_losses(x).recon) < 0.1 * float(random.stage1_losses(x).recon)
    model.stage1_loss(x).backward()
    first = model.autoencoder.encoder.layers[-1].weight.grad
    assert first is not None
    assert (first[:, 6:].abs().sum(dim=1) > 0).all()


def test_components_that_do_not_fit_or_do_not_exist_stay_random() -> None:
    x = _rows()
    narrow = _model(9, latent=8, order=2, encoder=(32, 6), decoder=(6, 32))
    before = narrow.autoencoder.encoder.layers[-1].weight.detach().clone()
    start_linear(narrow, x, [(0, len(x))])
    after = narrow.autoencoder.encoder.layers[-1].weight.detach()
    assert torch.equal(before[3:], after[3:])
    assert not torch.equal(before[:3], after[:3])
    constant = _model(2, latent=2, order=2)
    kept = constant.autoencoder.encoder.layers[0].weight.detach().clone()
    start_linear(constant, torch.ones(50, 2), [(0, 50)])
    assert torch.equal(kept, constant.autoencoder.encoder.layers[0].weight)


@pytest.mark.parametrize("settings", [{"stable": True}, {"dynamics": "gru"}])
def test_other_dynamics_keep_their_own_start(settings: dict[str, object]) -> None:
    model = _model(9, latent=3, order=2, **settings)
    before = {k: v.clone() for k, v in model.dynamics.state_dict().items()}
    start_linear(model, _rows(), [(0, 300)])
    assert all(torch.equal(v, model.dynamics.state_dict()[k]) for k, v in before.items())
