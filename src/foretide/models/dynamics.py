"""How a latent state moves: a linear vector autoregression or a GRU.

The axis of time runs oldest to newest everywhere, so ``z[:, -1]`` is the state at the cutoff. A rollout is the same as
steps whose answers are appended to the window (``roll_by_steps`` does exactly that, and a test holds both together).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from foretide.errors import ConfigError
from foretide.models.stationary import persistent_start, stationary_coefficients


class VAR(nn.Module):
    """``z_t = c + sum_i A_i z_{t-i}``, begun near persistence (Lütkepohl 2005, chapter 2).

    Parameters
    ----------
    latent : int
        Size of the state, ``K``.
    order : int
        Lags, ``p``.
    stable : bool
        Every root inside the unit circle for any parameter values (:mod:`foretide.models.stationary`).
    """

    def __init__(self, latent: int, order: int, stable: bool = False) -> None:
        super().__init__()
        _check(latent, order)
        self.latent, self.order, self.stable = latent, order, stable
        small = 0.01 / order
        if stable:
            self.free = nn.Parameter(persistent_start(order, latent) + small * torch.randn(order, latent, latent))
        else:
            # Columns follow the stacked window, oldest lag first: the identity belongs to the newest, the last block.
            weight = small * torch.randn(latent, order * latent)
            weight[:, -latent:] += torch.eye(latent)
            self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(latent))

    def step(self, z: Tensor) -> Tensor:
        """Last states ``[B, p, K]`` (or more: only the last ``p`` count) -> the next state ``[B, K]``."""
        weight, bias = self._matrix()
        return functional.linear(self._stacked(z), weight.to(z.dtype), bias.to(z.dtype))

    def rollout(self, z: Tensor, h: int) -> Tensor:
        """Last states ``[B, p, K]``, oldest first -> the next ``h`` states ``[B, h, K]``, by one product."""
        powers, offsets = self.powers(h)
        ahead = functional.linear(self._stacked(z), powers.to(z.dtype), offsets.to(z.dtype))
        return ahead.view(-1, h, self.latent)

    def powers(self, h: int) -> tuple[Tensor, Tensor]:
        """What maps a stacked window, oldest lag first, to all ``h`` next states: ``[h K, p K]`` and ``[h K]``.

        These are the top block rows of the powers of the companion matrix ``M``; they do not depend on the batch. As
        ``Phi_{j+i} = Phi_i M^j``, and ``M^j`` is the stack of the ``p`` block rows up to ``Phi_j``, every product
        doubles their number: four products for a horizon of 14. A stable VAR's are made in float64 and rounded
        afterwards, so that a rollout of any length is one of a stable system.
        """
        weight, bias = self._matrix()
        k, size = weight.shape
        # Rows of the identity, then Phi_1, Phi_2 and so on; the offsets stand in one more column.
        rows = torch.eye(size, size + 1, dtype=weight.dtype, device=weight.device)
        rows = torch.cat([rows, torch.cat([weight, bias[:, None]], dim=1)])
        for done, count in doublings(h):
            first = rows[size : size + count * k]
            made = first[:, :size] @ rows[done * k : done * k + size]
            rows = torch.cat([rows, made + functional.pad(first[:, size:], (size, 0))])
        return rows[size:, :size], rows[size:, size]

    def coefficients(self) -> tuple[Tensor, Tensor]:
        """``A [p, K, K]``, where ``A[0]`` multiplies the newest state, and ``c [K]``."""
        weight, bias = self._matrix()
        return weight.view(self.latent, self.order, self.latent).transpose(0, 1).flip(0), bias

    @torch.no_grad()
    def set_coefficients(self, a: Tensor, c: Tensor) -> None:
        """Put ``A [p, K, K]``, newest lag first, and ``c [K]`` into a VAR that is not ``stable``."""
        if self.stable:
            raise ConfigError(
                "The coefficients of a stable VAR follow from free matrices and cannot be set. Use stable=False."
            )
        shape = (self.order, self.latent, self.latent)
        if a.shape != shape or c.shape != shape[-1:]:
            raise ConfigError(f"Expected A {shape} and c {shape[-1:]}, got {tuple(a.shape)} and {tuple(c.shape)}.")
        self.weight.copy_(a.flip(0).transpose(0, 1).flatten(1))
        self.bias.copy_(c)

    @torch.no_grad()
    def companion(self) -> Tensor:
        """Companion matrix ``[p K, p K]`` of the state stacked newest first; its top block row is ``A_1 .. A_p``."""
        a, _ = self.coefficients()
        size = self.order * self.latent
        matrix = torch.diag_embed(a.new_ones(size - self.latent), offset=-self.latent) if self.order > 1 else (
            a.new_zeros(size, size))  # fmt: skip
        matrix[: self.latent] = a.transpose(0, 1).flatten(1)
        return matrix

    def spectral_radius(self) -> float:
        """Largest modulus of the companion matrix's eigenvalues; the state can explode where it is above one."""
        return float(torch.linalg.eigvals(self.companion().double()).abs().max())

    def _stacked(self, z: Tensor) -> Tensor:
        # Cutting nothing off would still be recorded, and its gradient copied.
        return (z if z.shape[1] == self.order else z[:, -self.order :]).flatten(1)

    def _matrix(self) -> tuple[Tensor, Tensor]:
        """Weight ``[K, p K]``, oldest lag first, and bias ``[K]``."""
        if not self.stable:
            return self.weight, self.bias
        a = stationary_coefficients(self.free)
        return a.flip(0).transpose(0, 1).flatten(1), self.bias.double()


class GRUDynamics(nn.Module):
    """The newest state plus what a GRU (Cho et al. 2014) makes of the window; begun at persistence.

    The GRU starts from nothing at the window's oldest state, so a forecast depends on the last ``p`` states alone; in
    a rollout it goes on from where it is and reads its own answers.

    Parameters
    ----------
    latent : int
        Size of the state, ``K``.
    order : int
        States of a window, ``p``.
    hidden : int
        Width of the GRU.
    """

    def __init__(self, latent: int, order: int, hidden: int = 32) -> None:
        super().__init__()
        _check(latent, order)
        if hidden < 1:
            raise ConfigError(f"hidden={hidden} cannot work; a GRU needs at least 1. Try hidden=32.")
        self.latent, self.order = latent, order
        self.gru = nn.GRU(latent, hidden, batch_first=True)
        self.out = nn.Linear(hidden, latent)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

    def step(self, z: Tensor) -> Tensor:
        """Last states ``[B, p or more, K]``, all of which are read -> the next state ``[B, K]``."""
        return self.rollout(z, 1)[:, 0]

    def rollout(self, z: Tensor, h: int) -> Tensor:
        """Last states ``[B, p, K]``, oldest first -> the next ``h`` states ``[B, h, K]``."""
        out, state = self.gru(z)
        ahead = [z[:, -1] + self.out(out[:, -1])]
        for _ in range(h - 1):
            out, state = self.gru(ahead[-1][:, None], state)
            ahead.append(ahead[-1] + self.out(out[:, -1]))
        return torch.stack(ahead, dim=1)


Dynamics = VAR | GRUDynamics
"""What a latent model asks of either: ``step``, ``rollout``, ``latent`` and ``order``."""
DYNAMICS: dict[str, Callable[..., Dynamics]] = {"var": VAR, "gru": GRUDynamics}
"""Every kind of latent dynamics by its name in ``LatentConfig.dynamics``."""


def roll_by_steps(dynamics: Dynamics, z: Tensor, h: int) -> Tensor:
    """``h`` next states by feeding each step's answer back, ``[B, h, K]``: the definition of a rollout, slow."""
    for _ in range(h):
        z = torch.cat([z, dynamics.step(z)[:, None]], dim=1)
    return z[:, -h:]


def _check(latent: int, order: int) -> None:
    if latent < 1 or order < 1:
        raise ConfigError(
            f"Latent dynamics need latent and order of at least 1, got latent={latent} and order={order}. "
            "Try latent=8, order=7."
        )


def doublings(h: int) -> list[tuple[int, int]]:
    """How many block rows are there before each product, and how many it adds."""
    out, done = [], 1
    while done < h:
        n = min(done, h - done)
        out.append((done, n))
        done += n
    return out
