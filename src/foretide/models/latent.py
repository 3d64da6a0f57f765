"""LAVAR's latent part: covariates become a state, the state moves on, and the losses that teach both (stage 1)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from foretide.errors import ConfigError
from foretide.models.autoencoder import Autoencoder
from foretide.models.config import LatentConfig
from foretide.models.dynamics import DYNAMICS


class LatentLosses(NamedTuple):
    """Means over elements of all windows.

    Attributes
    ----------
    recon : Tensor
        Squared error of the decoded state at the cutoff.
    dynamics : Tensor
        Squared error of the state at the cutoff, foretold from the ``p`` before it.
    multi : Tensor or None
        Squared error of the ``H`` states after the cutoff, rolled out from the last ``p``.
    """

    recon: Tensor
    dynamics: Tensor
    multi: Tensor | None


class LatentModel(nn.Module):
    """Encoder, decoder and dynamics.

    Parameters
    ----------
    channels : int
        Covariates per step, ``C``.
    h : int
        Horizon, ``H``.
    config : LatentConfig
    """

    def __init__(self, channels: int, h: int, config: LatentConfig) -> None:
        super().__init__()
        if h < 1:
            raise ConfigError(f"h={h} cannot work; the horizon has at least one step.")
        self.channels, self.h, self.config = channels, h, config
        self.autoencoder = Autoencoder(channels, config.latent, config.encoder, config.decoder, config.zero_epsilon)
        options = {"stable": config.stable} if config.dynamics == "var" else {}
        self.dynamics = DYNAMICS[config.dynamics](config.latent, config.order, **options)

    @property
    def surplus(self) -> int:
        """Rows a stretch needs beyond its number of cutoffs: ``p`` before the first, ``H`` after the last."""
        return self.config.order + self.h

    def encode(self, x: Tensor) -> Tensor:
        """Covariates ``[..., C]`` -> states ``[..., K]``."""
        return self.autoencoder.encode(x)

    def decode(self, z: Tensor) -> Tensor:
        """States ``[..., K]`` -> covariates ``[..., C]``."""
        return self.autoencoder.decode(z)

    def rollout(self, z: Tensor, h: int | None = None) -> Tensor:
        """Last states ``[B, p, K]``, oldest first -> the next ``h`` (by default ``H``) states ``[B, h, K]``."""
        return self.dynamics.rollout(z, self.h if h is None else h)

    def stage1_loss(self, rows: Tensor, counts: Sequence[int] | None = None, ready: Tensor | None = None) -> Tensor:
        """Weighted sum of :meth:`stage1_losses`, a scalar."""
        config = self.config
        losses = self.stage1_losses(rows, counts, ready)
        moved = losses.dynamics if losses.multi is None else losses.dynamics + losses.multi
        return config.recon_weight * losses.recon + config.dynamics_weight * moved

    def stage1_losses(
        self, rows: Tensor, counts: Sequence[int] | None = None, ready: Tensor | None = None
    ) -> LatentLosses:
        """Losses of all windows of some stretches of neighbouring cutoffs, every row encoded once.

        The window of cutoff ``t`` reads ``x_{t-p} .. x_{t+H}``. Foretelling ``z_t`` from ``z_{t-p} .. z_{t-1}`` is the
        first step of the rollout of the cutoff before, so ``m + 1`` rollouts serve both losses of ``m`` cutoffs.

        Parameters
        ----------
        rows : float tensor ``[n, C]``
            Stretches one after the other; one of ``m`` cutoffs has ``m + p + H`` rows, the first cutoff's row is its
            ``p``-th (from 0).
        counts : sequence of int, optional
            Cutoffs of each stretch; None: all rows are one stretch.
        ready : float tensor ``[n, C]``, optional
            The rows as the encoder gets them (:meth:`Autoencoder.without_zeros`), for a caller that keeps them.
        """
        p, h, k = self.config.order, self.h, self.config.latent
        picked = _Picked.of(len(rows), p, h, counts, rows.device)
        z = self.encode(rows) if ready is None else self.autoencoder.encoder(ready)
        recon = functional.mse_loss(self.decode(z[picked.cutoffs]), rows[picked.cutoffs])
        if picked.windows is None:
            windows = z.unfold(0, p + h, 1).transpose(1, 2).flatten(1)
        else:
            windows = z[picked.windows].flatten(1)
        last, truth = torch.split(windows, [p * k, h * k], dim=1)
        last = last.view(-1, p, k)
        if not self.config.multi_step:
            step = functional.mse_loss(self.dynamics.step(last)[picked.but_last], truth[picked.but_last, :k])
            return LatentLosses(recon, step, None)
        error = self.rollout(last).flatten(1) - truth
        return LatentLosses(recon, error[picked.but_last, :k].square().mean(), error[picked.but_first].square().mean())


class _Picked(NamedTuple):
    """Which rows and windows of some stretches count for which loss; slices where there is one stretch.

    A stretch of ``m`` cutoffs that begins at row ``a`` has the cutoffs ``a + p .. a + p + m - 1`` and ``m + 1``
    windows of ``p + H`` rows, from ``a .. a + m``: all but the last for the one-step loss, all but the first for the
    multi-step loss.
    """

    cutoffs: slice | Tensor
    windows: Tensor | None
    but_last: slice | Tensor
    but_first: slice | Tensor

    @classmethod
    def of(cls, n: int, p: int, h: int, counts: Sequence[int] | None, device: torch.device) -> _Picked:
        counts = [n - p - h] if counts is None else list(counts)
        if min(counts, default=0) < 1 or sum(counts) + len(counts) * (p + h) != n:
            raise ConfigError(
                f"A stretch of m cutoffs has m + order + h = m + {p + h} rows; got {n} rows for "
                f"{len(counts)} stretch(es) of {counts[:5]} cutoffs."
            )
        if len(counts) == 1:
            return cls(slice(p, p + counts[0]), None, slice(0, -1), slice(1, None))
        begins = [0, *accumulate(m + p + h for m in counts)]
        starts = torch.cat([torch.arange(a, a + m + 1) for a, m in zip(begins, counts, strict=False)])
        first = torch.cat([torch.arange(m + 1) for m in counts]) == 0
        but_last, but_first = torch.nonzero(~first.roll(-1))[:, 0], torch.nonzero(~first)[:, 0]
        cutoffs = starts[but_last] + p
        windows = starts[:, None] + torch.arange(p + h)
        return cls(cutoffs.to(device), windows.to(device), but_last.to(device), but_first.to(device))
