"""The minimal attention recipe of the specification (section 5), the thing to beat in speed and error.

The mean of the encoded lookback is the first decoder state; each horizon step's context vector is the next step's
query; keys and values are projected anew at every step. Its queries do not know which step they serve.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class MultiHead(nn.Module):
    """Scaled dot-product attention, ``softmax(Q K^T / sqrt(d/M)) V``."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads, self.q, self.k, self.v, self.o = heads, *(nn.Linear(d, d) for _ in range(4))

    def forward(self, query: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Query ``[B, n, d]``, memory ``[B, L, d]`` -> context ``[B, n, d]``, weights ``[B, M, n, L]``."""
        b, n, d = query.shape

        def split(x: Tensor) -> Tensor:
            return x.view(b, -1, self.heads, d // self.heads).transpose(1, 2)

        q, k, v = split(self.q(query)), split(self.k(memory)), split(self.v(memory))
        weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(d // self.heads), dim=-1)
        return self.o((weights @ v).transpose(1, 2).reshape(b, n, d)), weights


class MinimalRecipe(nn.Module):
    """Lookback ``[B, L, F]`` -> forecast ``[B, H]``."""

    def __init__(self, features: int, h: int, lookback: int, d: int = 128, heads: int = 4) -> None:
        super().__init__()
        self.h = h
        self.embed, self.position = nn.Linear(features, d), nn.Parameter(torch.zeros(lookback, d))
        self.encoder, self.decoder, self.out = MultiHead(d, heads), MultiHead(d, heads), nn.Linear(d, 1)

    def forward(self, past: Tensor) -> Tensor:
        """One context vector after the other."""
        tokens = self.embed(past) + self.position
        encoded, _ = self.encoder(tokens, tokens)
        state = encoded.mean(dim=1, keepdim=True)
        steps = []
        for _ in range(self.h):
            state, _ = self.decoder(state, encoded)
            steps.append(self.out(state)[:, 0, 0])
        return torch.stack(steps, dim=1)
