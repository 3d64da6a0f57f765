"""Spread parameters: one of each series times a profile over the horizon."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from foretide.heads.base import HeadShape, SeriesInfo

PRIOR_WINDOWS = 10.0
"""A series' own error counts as much as the error of all series together once it has this many windows."""
SMALLEST = 1e-6


class Spread(nn.Module):
    """Logarithm of a positive parameter of every entity, target and horizon step, ``[N, D] + [H]``.

    Parameters
    ----------
    shape : HeadShape
    first : float
        Value before anything is known.
    """

    def __init__(self, shape: HeadShape, first: float = 1.0) -> None:
        super().__init__()
        self.series = nn.Parameter(torch.full((shape.entities, shape.targets), first).log())
        self.profile = nn.Parameter(torch.zeros(shape.h))

    def forward(self, series: SeriesInfo, horizon: bool) -> Tensor:
        """Return logarithms ``[B, H, D]``, or ``[B, D]`` at the mean step when there is no horizon axis."""
        own = self.series[series.entity]
        return own[:, None] + self.profile[:, None] if horizon else own + self.profile.mean()

    @torch.no_grad()
    def put(self, series: Tensor, profile: Tensor) -> None:
        """Set logarithms ``[N, D]`` and ``[H]``; the profile's mean is moved into the series."""
        self.series.copy_(series + profile.mean())
        self.profile.copy_(profile - profile.mean())


@torch.no_grad()
def mean_by_series(
    values: Tensor, entity: Tensor, entities: int, observed: Tensor | None, prior: float = PRIOR_WINDOWS
) -> Tensor:
    """Mean of ``values`` ``[W, H, D]`` of each entity and target, ``[N, D]``, in double precision.

    Drawn towards the mean of all entities as if ``prior`` more windows had that one; 1 where nothing was observed.
    """
    x = values.double()
    mask = torch.ones_like(x) if observed is None else observed.double()
    shape = (entities, x.shape[2])
    total = x.new_zeros(shape).index_add_(0, entity.long(), (x * mask).mean(dim=1))
    count = x.new_zeros(shape).index_add_(0, entity.long(), mask.mean(dim=1))
    n_all = count.sum(dim=0)
    pooled = torch.where(n_all > 0, total.sum(dim=0) / n_all.clamp(min=1e-9), torch.ones_like(n_all))
    return (total + prior * pooled) / (count + prior) if prior > 0 else total / count.clamp(min=1e-9)


@torch.no_grad()
def rank_one(
    values: Tensor, entity: Tensor, entities: int, observed: Tensor | None
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Split positive ``values`` ``[W, H, D]`` into means of series ``[N, D]`` times a profile ``[H]`` of mean one."""
    own = mean_by_series(values, entity, entities, observed).clamp(min=SMALLEST**2)
    relative = values.double() / own[entity.long()][:, None]
    mask = torch.ones_like(relative) if observed is None else observed.double()
    count = mask.sum(dim=(0, 2))
    profile = torch.where(count > 0, (relative * mask).sum(dim=(0, 2)) / count.clamp(min=1e-9), 1.0)
    profile = profile.clamp(min=SMALLEST**2)
    return own, profile / profile.mean()
