"""Spread parameters: one of each series times a profile over the horizon."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from foretide.heads.base import HeadShape, SeriesInfo

PRIOR_WINDOWS = 10.0
"""A series' own error counts as much as the error of all series together once it has this many windows."""
SMALLEST = 1e-6
WILD = 100.0
"""A squared error of more than so many variances counts as this many in the profile over the horizon."""


class Spread(nn.Module):
    """Logarithm of a positive parameter of every entity, target and horizon step, ``[N, D] + [H]``.

    Parameters
    ----------
    shape : HeadShape
    first : float
        Value before anything is known.
    """

    of_entities = ("series",)

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
    values: Tensor, entity: Tensor, entities: int, observed: Tensor | None
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Mean of ``values`` ``[W, H, D]`` of each entity and target, and how many windows it is of, both ``[N, D]``.

    In double precision; the mean is 0 where nothing was observed.
    """
    x = values.double()
    mask = torch.ones_like(x) if observed is None else observed.double()
    shape = (entities, x.shape[2])
    total = x.new_zeros(shape).index_add_(0, entity.long(), (x * mask).mean(dim=1))
    count = x.new_zeros(shape).index_add_(0, entity.long(), mask.mean(dim=1))
    return total / count.clamp(min=1e-9), count


@torch.no_grad()
def rank_one(values: Tensor, entity: Tensor, entities: int, observed: Tensor | None) -> tuple[Tensor, Tensor]:
    """Split positive ``values`` ``[W, H, D]`` into means of series ``[N, D]`` times a profile ``[H]`` of mean one.

    The logarithm of a series' mean is drawn towards that of all entities as if :data:`PRIOR_WINDOWS` more windows had
    that one; logarithms, so that one wild series does not widen the others. 1 where nothing at all was observed.
    """
    mean, count = mean_by_series(values, entity, entities, observed)
    log, n = mean.clamp(min=SMALLEST**2).log(), count.sum(dim=0)
    pooled = (count * log).sum(dim=0) / n.clamp(min=1e-9)
    own = ((count * log + PRIOR_WINDOWS * pooled) / (count + PRIOR_WINDOWS)).exp()
    relative = values.double() / own[entity.long()][:, None]
    mask = torch.ones_like(relative) if observed is None else observed.double()
    # One wild error must not decide the profile of all series.
    relative = relative.clamp(max=WILD)
    seen = mask.sum(dim=(0, 2))
    profile = torch.where(seen > 0, (relative * mask).sum(dim=(0, 2)) / seen.clamp(min=1e-9), 1.0)
    profile = profile.clamp(min=SMALLEST**2)
    return own, profile / profile.mean()
