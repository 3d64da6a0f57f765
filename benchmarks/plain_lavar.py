"""The plain LAVAR recipe, as published code of this kind does it: the thing to beat in speed.

A Dataset of windows, a DataLoader, every window's ``p + 1 + H`` steps encoded anew, a Python loop over the horizon for
the rollout. Stage 2 trains three heads, each in its own loop over its own DataLoader, and encodes and rolls the frozen
latent state out again in every step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset


class WindowSet(Dataset):
    """``x_{t-p} .. x_{t+H}`` and ``y_t .. y_{t+H}`` of every cutoff that has them."""

    def __init__(self, x: Tensor, y: Tensor, p: int, h: int) -> None:
        self.x, self.y, self.p, self.h = x, y, p, h

    def __len__(self) -> int:
        return len(self.x) - self.p - self.h

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        t = i + self.p
        return self.x[i : t + self.h + 1], self.y[t : t + self.h + 1]


def mlp(*sizes: int) -> nn.Sequential:
    """Linear maps with ReLU between them."""
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class PlainLatent(nn.Module):
    """Encoder, decoder and VAR."""

    def __init__(self, channels: int, k: int, p: int, h: int) -> None:
        super().__init__()
        self.p, self.h = p, h
        self.encoder, self.decoder = mlp(channels, 32, 16, k), mlp(k, 16, 32, channels)
        lags = 0.01 * torch.randn(p, k, k)
        lags[0] += torch.eye(k)
        self.lags, self.constant = nn.Parameter(lags), nn.Parameter(torch.zeros(k))

    def step(self, z: Tensor) -> Tensor:
        """``[B, p, K]``, oldest first -> ``[B, K]``."""
        return self.constant + torch.einsum("pij,bpj->bi", self.lags, z.flip(1))

    def rollout(self, z: Tensor) -> Tensor:
        """``[B, p, K]`` -> ``[B, H, K]``, one step after the other."""
        out = []
        for _ in range(self.h):
            following = self.step(z)
            out.append(following)
            z = torch.cat([z[:, 1:], following[:, None]], dim=1)
        return torch.stack(out, dim=1)

    def encode(self, x: Tensor) -> Tensor:
        """Replace zeros and encode, ``[B, T, C] -> [B, T, K]``."""
        return self.encoder(torch.where(x == 0, torch.full_like(x, 1e-6), x))

    def loss(self, x: Tensor) -> Tensor:
        """Reconstruction, one-step and multi-step losses of windows ``[B, p + 1 + H, C]``."""
        p, z = self.p, self.encode(x)
        recon = functional.mse_loss(self.decoder(z[:, p]), x[:, p])
        one = functional.mse_loss(self.step(z[:, :p]), z[:, p])
        multi = functional.mse_loss(self.rollout(z[:, 1 : p + 1]), z[:, p + 1 :])
        return recon + one + multi


class PlainDelta(nn.Module):
    """Increments of some targets."""

    def __init__(self, k: int, columns: Sequence[int]) -> None:
        super().__init__()
        self.columns, self.map = list(columns), nn.Linear(k, len(columns))

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        """States ``[B, H, K]``, truth ``[B, H + 1, D]``."""
        y = y[..., self.columns]
        return functional.mse_loss(self.map(z), y[:, 1:] - y[:, :-1])


class PlainZINB(nn.Module):
    """Zero-inflated negative binomial of some targets."""

    def __init__(self, k: int, columns: Sequence[int]) -> None:
        super().__init__()
        self.columns = list(columns)
        self.zero, self.mean, self.dispersion = (nn.Linear(k, len(columns)) for _ in range(3))

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        """States ``[B, H, K]``, truth ``[B, H + 1, D]``."""
        y = y[:, 1:, self.columns]
        logit, mu = self.zero(z), functional.softplus(self.mean(z)) + 1e-6
        theta = functional.softplus(self.dispersion(z)) + 1e-6
        log_total = torch.log(theta + mu)
        count = (
            torch.lgamma(y + theta) - torch.lgamma(theta) - torch.lgamma(y + 1)
            + theta * (torch.log(theta) - log_total) + y * (torch.log(mu) - log_total)
        )  # fmt: skip
        log_pi, log_rest = functional.logsigmoid(logit), functional.logsigmoid(-logit)
        at_zero = torch.logaddexp(log_pi, log_rest + theta * (torch.log(theta) - log_total))
        return -torch.where(y == 0, at_zero, log_rest + count).mean()


def fit_plain(
    parameters: Sequence[nn.Parameter],
    loss: Callable[[Tensor, Tensor], Tensor],
    windows: WindowSet,
    epochs: int,
    batch_size: int,
) -> None:
    """Adam 1e-3, gradient norm at most 1, a shuffled DataLoader."""
    loader = DataLoader(windows, batch_size=batch_size, shuffle=True)
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    for _ in range(epochs):
        for x, y in loader:
            value = loss(x, y)
            optimizer.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()


def plain_stage1(model: PlainLatent, windows: WindowSet, epochs: int, batch_size: int) -> None:
    """Encoder, decoder and dynamics."""
    fit_plain(list(model.parameters()), lambda x, _: model.loss(x), windows, epochs, batch_size)


def plain_stage2(
    model: PlainLatent, heads: Sequence[nn.Module], windows: WindowSet, epochs: int, batch_size: int
) -> None:
    """Each head in its own loop, on a frozen latent state."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)

    def rolled(x: Tensor) -> Tensor:
        with torch.no_grad():
            return model.rollout(model.encode(x[:, 1 : model.p + 1]))

    for head in heads:
        loss = head.loss
        fit_plain(list(head.parameters()), lambda x, y, loss=loss: loss(rolled(x), y), windows, epochs, batch_size)
