"""From features to corrections: a linear map that begins at zero, or a small network that begins at random."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from foretide.heads.base import HeadShape, SeriesInfo, known_series


class PrivateLinear(nn.Module):
    """A linear map with a shared part and a part of each entity's own, both beginning at zero.

    Parameters
    ----------
    features, outputs, entities : int
    """

    of_entities = ("private_weight", "private_bias")

    def __init__(self, features: int, outputs: int, entities: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(outputs, features)), nn.Parameter(torch.zeros(outputs))
        self.private_weight = nn.Parameter(torch.zeros(entities, outputs, features))
        self.private_bias = nn.Parameter(torch.zeros(entities, outputs))

    def forward(self, features: Tensor, entity: Tensor) -> Tensor:
        """Features ``[B, H, K]`` or ``[B, K]`` of entities ``[B]`` -> ``[B, H, D]`` or ``[B, D]``."""
        weight, bias = self.weight + self.private_weight[entity], self.bias + self.private_bias[entity]
        steps = features if features.ndim == 3 else features[:, None]
        out = torch.baddbmm(bias[:, None], steps, weight.transpose(1, 2))
        return out if features.ndim == 3 else out[:, 0]


class Correction(nn.Linear):
    """A plain linear map that begins at zero."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__(features, outputs)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, features: Tensor, entity: Tensor | None = None) -> Tensor:
        """Features ``[B, H, K]`` -> ``[B, H, D]``."""
        return F.linear(features, self.weight, self.bias)


class Layers(nn.Sequential):
    """Linear maps with ReLU between them, one set for all entities, as PyTorch begins them.

    Parameters
    ----------
    sizes : sequence of int
        Widths from the features to the outputs, at least two.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        made = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        super().__init__(made[0], *(part for linear in made[1:] for part in (nn.ReLU(), linear)))


Map = Correction | PrivateLinear | Layers


def make_linear(shape: HeadShape, outputs: int | None = None, widths: Sequence[int] | None = None) -> Map:
    """Return a map to ``outputs`` (the targets by default), with weights per entity where the shape asks for them.

    With ``widths`` it is a network of such hidden layers (none: one linear layer) that begins at random.
    """
    width = shape.targets if outputs is None else outputs
    if widths is not None:
        return Layers((shape.features, *widths, width))
    if shape.private:
        return PrivateLinear(shape.features, width, shape.entities)
    return Correction(shape.features, width)


def apply_linear(linear: Map, features: Tensor, series: SeriesInfo | None) -> Tensor:
    """Apply a map of :func:`make_linear`."""
    out: Tensor = (
        linear(features, known_series(series).entity) if isinstance(linear, PrivateLinear) else linear(features)
    )
    return out


def one_matrix(linear: Map) -> tuple[Tensor, Tensor] | None:
    """Weight ``[D, K]`` and bias ``[D]`` of a map that is one matrix for all entities; None of another."""
    if isinstance(linear, Layers):
        return (linear[0].weight, linear[0].bias) if len(linear) == 1 else None  # type: ignore[return-value]
    return None if isinstance(linear, PrivateLinear) else (linear.weight, linear.bias)
