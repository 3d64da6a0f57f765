from __future__ import annotations

import numpy as np
import pytest
import torch

from foretide.errors import ConfigError
from foretide.models.autoencoder import Autoencoder
from foretide.seeding import seeded_init, torch_generator


def made(zero_epsilon: float = 1e-6) -> Autoencoder:
    with seeded_init(0):
        return Autoencoder(5, 2, (7, 4), (3, 6), zero_epsilon)


def test_twin_in_numpy() -> None:
    model, x = made(), torch.randn(4, 3, 5, generator=torch_generator(0))

    def through(values: np.ndarray, layers: torch.nn.ModuleList) -> np.ndarray:
        for number, layer in enumerate(layers):
            values = values @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
            if number < len(layers) - 1:
                values = np.maximum(values, 0)
        return values

    z = model.encode(x)
    np.testing.assert_allclose(z.detach(), through(x.numpy(), model.encoder.layers), atol=1e-5)
    np.testing.assert_allclose(model.decode(z).detach(), through(z.detach().numpy(), model.decoder.layers), atol=1e-5)
    assert z.shape == (4, 3, 2)
    assert [layer.out_features for layer in model.encoder.layers] == [7, 4, 2]
    assert [layer.out_features for layer in model.decoder.layers] == [3, 6, 5]


def test_every_step_on_its_own() -> None:
    model, x = made(), torch.randn(6, 5, generator=torch_generator(1))
    torch.testing.assert_close(model.encode(x)[2], model.encode(x[2:3])[0])


def test_exact_zeros() -> None:
    x = torch.tensor([[0.0, 1.0, -2.0, 0.0, 3.0]])
    model, kept = made(0.5), made(0.0)
    filled = torch.tensor([[0.5, 1.0, -2.0, 0.5, 3.0]])
    assert torch.equal(model.encode(x), kept.encode(filled))
    assert torch.equal(model.encode(filled), kept.encode(filled))
    assert not torch.equal(kept.encode(x), kept.encode(filled))
    assert torch.equal(x, torch.tensor([[0.0, 1.0, -2.0, 0.0, 3.0]]))
    assert made().zero_epsilon == 1e-6


def test_no_covariates() -> None:
    with pytest.raises(ConfigError, match="at least one covariate, got channels=0"):
        Autoencoder(0, 2)
