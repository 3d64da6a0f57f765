"""Heads of points: a base forecast plus a linear correction, under squared, absolute or Huber error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from foretide.heads.base import Head, Law

ElementLoss = Callable[[Tensor, Tensor], Tensor]


def squared(forecast: Tensor, y: Tensor) -> Tensor:
    """Squared error of each element; its forecast is the mean."""
    return F.mse_loss(forecast, y, reduction="none")


def absolute(forecast: Tensor, y: Tensor) -> Tensor:
    """Absolute error of each element; its forecast is the median."""
    return F.l1_loss(forecast, y, reduction="none")


def huber(forecast: Tensor, y: Tensor) -> Tensor:
    """Huber error of each element, quadratic up to one standard deviation of the series (Huber 1964)."""
    return F.huber_loss(forecast, y, reduction="none", delta=1.0)


@dataclass(frozen=True, eq=False, slots=True)
class PointLaw(Law):
    """A forecast without a distribution: ``point`` ``[B, H, D]`` and the error it is trained under."""

    point: Tensor
    error: ElementLoss

    def mean(self) -> Tensor:
        """Point forecast ``[B, H, D]``."""
        return self.point

    def loss(self, y: Tensor) -> Tensor:
        """Error of each element."""
        return self.error(self.point, y)

    def quantile(self, level: float) -> None:
        """A point has no quantiles."""
        return


class PointHead(Head):
    """``point = base + scale * linear(features)``; the linear layer begins at zero, so training begins at the base.

    Parameters
    ----------
    features, targets : int
        ``K`` and ``D``.
    error : callable
        Element loss of (forecast, truth).
    """

    def __init__(self, features: int, targets: int, error: ElementLoss = squared) -> None:
        super().__init__()
        self.error = error
        self.linear = nn.Linear(features, targets)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor, base: Tensor, scale: Tensor) -> PointLaw:
        """Return the law of features ``[B, H, K]`` around a base ``[B, H, D]``, corrected in units of ``scale``."""
        return PointLaw(base + scale * self.linear(features), self.error)
