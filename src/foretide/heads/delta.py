"""The delta head: increments added up over the horizon onto the base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from foretide.errors import ConfigError, check_choice
from foretide.heads.base import Head, HeadShape, SeriesInfo
from foretide.heads.linear import apply_linear, make_linear, one_matrix
from foretide.heads.point import Points


@dataclass(frozen=True, eq=False, slots=True)
class DeltaDistribution(Points):
    """A path ``[B, H, D]`` of points, its squared error weighted over the horizon (``[H, 1]`` or None)."""

    path: Tensor
    on: str
    weights: Tensor | None
    nonnegative: bool

    def loss(self, y: Tensor) -> Tensor:
        """Squared error of the increments or of the level, see :class:`DeltaHead`."""
        error = y - self.path
        if self.on == "increments" and error.ndim == 3:
            error = error - F.pad(error, (0, 0, 1, 0))[:, :-1]
        square = error.square()
        return square if self.weights is None or square.ndim < 3 else square * self.weights

    def mean(self) -> Tensor:
        """The path, cut off at zero where asked for."""
        return self.path.clamp(min=0.0) if self.nonnegative else self.path


class DeltaHead(Head):
    """``forecast_h = base_h + scale * (delta_1 + ... + delta_h)``, ``delta = linear(features)``.

    Parameters
    ----------
    shape : HeadShape
    on : {"increments", "level"}
        What the squared error is taken of. The error of an increment is ``e_h - e_(h-1)`` with the level's error ``e``
        and ``e_0 = 0``. With a base that is the last value at every step this is ``(dy_h - delta_h)^2``, the loss of
        the increments; with another base it is the loss of the increments of what the base leaves.
    weights : sequence of float, optional
        One of each horizon step, normalised to a mean of one.
    nonnegative : bool
        Cut forecasts off at zero (not the loss, whose gradient would die there). Such targets are scaled but not
        centred, so that zero is zero.
    cumulative : bool
        False: each step has a delta of its own, ``forecast_h = base_h + scale * delta_h``, which suits a seasonal base.
    widths : sequence of int, optional
        Hidden widths of a network in the place of the linear layer, none of them for one layer; it begins at random.

    Notes
    -----
    Without a horizon axis (one step of a decoder) the increment of that step alone is added.
    """

    weights: Tensor | None

    def __init__(
        self,
        shape: HeadShape,
        on: str = "increments",
        weights: Sequence[float] | None = None,
        nonnegative: bool = False,
        cumulative: bool = True,
        widths: Sequence[int] | None = None,
    ) -> None:
        super().__init__(shape)
        check_choice("on", on, ("increments", "level"))
        if weights is not None and (len(weights) != shape.h or min(weights) < 0 or sum(weights) <= 0):
            raise ConfigError(
                f"weights of a delta head are one number of at least 0 for each of the {shape.h} horizon steps, "
                f"not all 0; got {list(weights)}. Try weights={[1.0] * min(shape.h, 3)}{' ...' if shape.h > 3 else ''}."
            )
        self.on, self.nonnegative, self.cumulative = on, nonnegative, cumulative
        self.needs_series = shape.private and widths is None
        self.linear = make_linear(shape, widths=widths)
        given = None if weights is None else torch.tensor(weights, dtype=torch.float32)[:, None]
        self.register_buffer("weights", None if given is None else given / given.mean(), persistent=False)

    def forward(
        self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None
    ) -> DeltaDistribution:
        """Return the distribution of features ``[B, H, K]`` around a base ``[B, H, D]``, in units of ``scale``."""
        delta = apply_linear(self.linear, features, series)
        moved = delta.cumsum(dim=1) if self.cumulative and delta.ndim == 3 else delta
        return DeltaDistribution(base + scale * moved, self.on, self.weights, self.nonnegative)

    def linear_mean(self) -> tuple[Tensor, Tensor] | None:
        """Weight and bias of a step's increment; None where forecasts are cut off at zero."""
        return None if self.nonnegative else one_matrix(self.linear)
