"""Heads of points: a base forecast plus a linear correction, under squared, absolute or Huber error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from foretide.errors import check_choice
from foretide.heads.base import Distribution, Head, HeadShape, SeriesInfo
from foretide.heads.linear import Map, apply_linear, make_linear, one_matrix

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


ERRORS: dict[str, ElementLoss] = {"squared": squared, "absolute": absolute, "huber": huber}


class Points(Distribution):
    """A forecast without a distribution: all probability lies on its mean."""

    def quantile(self, level: float) -> None:
        """A point has no quantiles."""
        return

    def cdf(self, y: Tensor) -> Tensor:
        """0 below the point, 1 from it on."""
        point = self.mean().detach()
        return (y >= point).to(point.dtype)

    def sample(self, generator: torch.Generator | None = None, n: int | None = None) -> Tensor:
        """Return the point itself, ``n`` times."""
        point = self.mean().detach()
        return point if n is None else point.expand(n, *point.shape)


@dataclass(frozen=True, eq=False, slots=True)
class PointDistribution(Points):
    """Points ``[B, H, D]`` and the error they are trained under."""

    point: Tensor
    error: ElementLoss

    def mean(self) -> Tensor:
        """Point forecast ``[B, H, D]``."""
        return self.point

    def loss(self, y: Tensor) -> Tensor:
        """Error of each element."""
        return self.error(self.point, y)


class PointHead(Head):
    """``point = base + scale * linear(features)``; the linear layer begins at zero, so training begins at the base.

    Parameters
    ----------
    shape : HeadShape
    error : {"squared", "absolute", "huber"}
    linear : Map, optional
        A map of another head to share; a new one by default.
    widths : sequence of int, optional
        Hidden widths of a network in the place of the linear layer, none of them for one layer; it begins at random.
    bounded : bool
        Whether a window that errs wildly counts less in the loss.
    """

    def __init__(
        self, shape: HeadShape, error: str = "squared", linear: Map | None = None,
        widths: Sequence[int] | None = None, bounded: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(shape)
        check_choice("error", error, ERRORS)
        self.error, self.bounded = ERRORS[error], bounded
        self.needs_series = shape.private and widths is None
        self.linear = make_linear(shape, widths=widths) if linear is None else linear

    def forward(
        self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None
    ) -> PointDistribution:
        """Return the distribution for features ``[B, H, K]``: a base ``[B, H, D]`` corrected in units of ``scale``."""
        return PointDistribution(base + scale * apply_linear(self.linear, features, series), self.error)

    def linear_mean(self) -> tuple[Tensor, Tensor] | None:
        """Weight and bias of the linear map."""
        return one_matrix(self.linear)
