"""Covariates of one step to a latent state and back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from foretide.errors import ConfigError


class MLP(nn.Module):
    """Linear maps with ReLU between them.

    Parameters
    ----------
    sizes : sequence of int
        Widths from the input to the output, at least two.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(sizes)])

    @property
    def linears(self) -> list[nn.Linear]:
        """Its linear maps, from the input to the output."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def forward(self, x: Tensor) -> Tensor:
        """``[..., first size] -> [..., last size]``."""
        for number, layer in enumerate(self.layers):
            x = layer(functional.relu(x) if number else x)
        return x


class Autoencoder(nn.Module):
    """Deterministic encoder and decoder; every time step is encoded on its own.

    Parameters
    ----------
    channels : int
        Covariates per step, ``C``.
    latent : int
        Size of the state, ``K``.
    encoder, decoder : sequence of int
        Hidden widths, from the input to the output.
    zero_epsilon : float
        Replaces exact zeros before encoding; 0: they stay.
    """

    def __init__(
        self,
        channels: int,
        latent: int,
        encoder: Sequence[int] = (32, 16),
        decoder: Sequence[int] = (16, 32),
        zero_epsilon: float = 1e-6,
    ) -> None:
        super().__init__()
        if channels < 1:
            raise ConfigError(f"An encoder needs at least one covariate, got channels={channels}.")
        self.zero_epsilon = zero_epsilon
        self.encoder = MLP((channels, *encoder, latent))
        self.decoder = MLP((latent, *decoder, channels))

    def encode(self, x: Tensor) -> Tensor:
        """Covariates ``[..., C]`` -> states ``[..., K]``."""
        states: Tensor = self.encoder(self.without_zeros(x))
        return states

    def without_zeros(self, x: Tensor) -> Tensor:
        """Exact zeros replaced, as the encoder's network gets them."""
        return torch.where(x == 0, self.zero_epsilon, x) if self.zero_epsilon else x

    def decode(self, z: Tensor) -> Tensor:
        """States ``[..., K]`` -> covariates ``[..., C]``."""
        x: Tensor = self.decoder(z)
        return x
