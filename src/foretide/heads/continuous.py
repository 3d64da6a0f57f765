"""Heads of continuous targets: normal and Student-t distributions, trained by likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy import special
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from foretide.heads.base import (
    Distribution,
    Head,
    HeadShape,
    Parameter,
    SeriesInfo,
    as_numpy,
    as_tensor,
    drawn_generator,
    known_series,
)
from foretide.heads.linear import apply_linear, make_linear, one_matrix
from foretide.heads.point import PointHead
from foretide.heads.spread import SMALLEST, Spread, rank_one

LOG_SMALLEST, LOG_LARGEST = math.log(1e-4), math.log(1e6)
"""Bounds of a learned scale, in the network's units."""
DEGREES = (2.5, 3.0, 4.0, 6.0, 10.0, 20.0, 50.0)
TURNS = 15


@dataclass(frozen=True, eq=False, slots=True)
class Gaussian(Distribution):
    """Normal distribution: ``location`` and standard deviation ``sd``, ``[B, H, D]``."""

    family: ClassVar[str] = "normal"
    location: Tensor
    sd: Tensor

    def parameters(self) -> dict[str, Parameter]:
        """Location and standard deviation."""
        return {
            "location": Parameter(self.location, "place", "mean"),
            "sd": Parameter(self.sd, "size", "standard deviation"),
        }

    def loss(self, y: Tensor) -> Tensor:
        """Negative log-likelihood of each element."""
        z = (y - self.location) / self.sd
        return 0.5 * z.square() + self.sd.log() + 0.5 * math.log(2.0 * math.pi)

    def mean(self) -> Tensor:
        """The location."""
        return self.location

    def quantile(self, level: float) -> Tensor:
        """Quantile of each element."""
        return self.location + self.sd * float(special.ndtri(level))

    def cdf(self, y: Tensor) -> Tensor:
        """Probability of at most ``y``."""
        out: Tensor = torch.special.ndtr(((y - self.location) / self.sd).detach())
        return out

    def sample(self, generator: torch.Generator | None = None, n: int | None = None) -> Tensor:
        """Draw values, ``n`` of each element."""
        size = self.location.shape if n is None else (n, *self.location.shape)
        z = drawn_generator(generator).standard_normal(size)
        return self.location.detach() + self.sd.detach() * as_tensor(z, self.location).to(self.location.dtype)


@dataclass(frozen=True, eq=False, slots=True)
class StudentT(Distribution):
    """Student-t distribution: ``location``, ``scale``, degrees of freedom ``df`` above two, broadcast to ``[B, H, D]``.

    Its standard deviation is ``scale sqrt(df / (df - 2))``.
    """

    family: ClassVar[str] = "student_t"
    location: Tensor
    scale: Tensor
    df: Tensor

    def parameters(self) -> dict[str, Parameter]:
        """Location, scale and degrees of freedom."""
        return {
            "location": Parameter(self.location, "place", "mean and median"),
            "scale": Parameter(self.scale, "size", "what a standard t variable is multiplied by"),
            "df": Parameter(self.df.expand_as(self.location), "own", "degrees of freedom"),
        }

    def loss(self, y: Tensor) -> Tensor:
        """Negative log-likelihood of each element."""
        half = 0.5 * self.df
        square = ((y - self.location) / self.scale).square() / self.df
        constant = torch.lgamma(half) - torch.lgamma(half + 0.5) + 0.5 * (math.pi * self.df).log()
        return constant + self.scale.log() + (half + 0.5) * torch.log1p(square)

    def mean(self) -> Tensor:
        """The location: with more than two degrees of freedom there is a mean."""
        return self.location

    def quantile(self, level: float) -> Tensor:
        """Quantile of each element."""
        z = as_tensor(special.stdtrit(as_numpy(self.df), level), self.location)
        return self.location + self.scale * z.to(self.location.dtype)

    def cdf(self, y: Tensor) -> Tensor:
        """Probability of at most ``y``."""
        found = special.stdtr(as_numpy(self.df), as_numpy((y - self.location) / self.scale))
        return as_tensor(np.asarray(found), self.location).to(self.location.dtype)

    def sample(self, generator: torch.Generator | None = None, n: int | None = None) -> Tensor:
        """Draw values, ``n`` of each element."""
        size = self.location.shape if n is None else (n, *self.location.shape)
        z = drawn_generator(generator).standard_t(np.broadcast_to(as_numpy(self.df), size))
        return self.location.detach() + self.scale.detach() * as_tensor(z, self.location).to(self.location.dtype)


class GaussianHead(Head):
    """``location = base + scale * linear(features)``, standard deviation of each series times a horizon profile.

    Parameters
    ----------
    shape : HeadShape
    """

    has_distribution, needs_series = True, True

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.linear = make_linear(shape)
        self.spread = Spread(shape)

    def forward(self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None) -> Distribution:
        """Return the distribution for features ``[B, H, K]``: a base ``[B, H, D]`` corrected in units of ``scale``."""
        location = self.mean(features, base, scale, series)
        log: Tensor = self.spread(known_series(series), base.ndim == 3)
        return self._distribution(location, log.clamp(LOG_SMALLEST, LOG_LARGEST).exp().expand_as(location))

    def mean(self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None) -> Tensor:
        """Return the location."""
        return base + scale * apply_linear(self.linear, features, series)

    def linear_mean(self) -> tuple[Tensor, Tensor] | None:
        """Weight and bias of the linear map."""
        return one_matrix(self.linear)

    def points(self) -> PointHead | None:
        """Head of points that shares the linear map."""
        return PointHead(self.shape, linear=self.linear)

    def _distribution(self, location: Tensor, spread: Tensor) -> Distribution:
        return Gaussian(location, spread)

    @torch.no_grad()
    def begin(self, base: Tensor, y: Tensor, series: SeriesInfo, observed: Tensor | None = None) -> None:
        """Set standard deviations to the root mean square errors of the base."""
        own, profile = rank_one((y - base).double().square(), series.entity, self.shape.entities, observed)
        self.spread.put(0.5 * own.log(), 0.5 * profile.log())


class StudentTHead(GaussianHead):
    """As :class:`GaussianHead` with a Student-t distribution, for errors with heavy tails.

    The spread is the distribution's scale. Each target has its own degrees of freedom, ``2 + softplus``.

    Parameters
    ----------
    shape : HeadShape
    """

    bounded = False

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.freedom = nn.Parameter(inverse_softplus(torch.full((shape.targets,), 6.0)))

    def _distribution(self, location: Tensor, spread: Tensor) -> Distribution:
        return StudentT(location, spread, 2.0 + F.softplus(self.freedom) + 1e-3)

    def points(self) -> None:
        """None: with heavy tails squared error is the worse way to the mean."""
        return

    @torch.no_grad()
    def begin(self, base: Tensor, y: Tensor, series: SeriesInfo, observed: Tensor | None = None) -> None:
        """Set scales and degrees of freedom by maximum likelihood around the base (Liu & Rubin 1995)."""
        square = (y - base).double().square()
        mask = torch.ones_like(square) if observed is None else observed.double()
        entity, n = series.entity.long(), self.shape.entities
        tried = []
        for df in DEGREES:
            own, profile = rank_one(square, entity, n, observed)
            for _ in range(TURNS):
                variance = own[entity][:, None] * profile[:, None]
                weight = (df + 1.0) / (df + square / variance)
                own, profile = rank_one(weight * square, entity, n, observed)
            scale = (own[entity][:, None] * profile[:, None]).sqrt()
            distribution = StudentT(torch.zeros_like(square), scale, own.new_tensor(df))
            tried.append(((distribution.loss(square.sqrt()) * mask).sum(dim=(0, 1)), own, profile))
        best = torch.stack([loss for loss, _, _ in tried]).argmin(dim=0)
        columns = torch.arange(self.shape.targets, device=best.device)
        own = torch.stack([o for _, o, _ in tried])[best, :, columns].T
        profile = torch.stack([p for _, _, p in tried])[best].mean(dim=0)
        self.spread.put(0.5 * own.clamp(min=SMALLEST**2).log(), 0.5 * profile.log())
        self.freedom.copy_(inverse_softplus(torch.tensor(DEGREES, device=best.device)[best] - 2.0))


def inverse_softplus(x: Tensor) -> Tensor:
    """Return what softplus turns into a positive ``x``."""
    return x + torch.log(-torch.expm1(-x))
