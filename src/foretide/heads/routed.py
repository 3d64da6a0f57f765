"""Columns of targets sent to different heads, and their distributions stitched back in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from foretide.heads.base import Distribution, Head, HeadShape, SeriesInfo

if TYPE_CHECKING:
    from foretide.heads.table import Route


@dataclass(frozen=True, eq=False, slots=True)
class RoutedDistribution(Distribution):
    """Distributions of groups of targets; ``order`` ``[D]`` puts the joined columns back into the targets' order.

    ``places`` are the ``columns`` as plain numbers.
    """

    distributions: tuple[Distribution, ...]
    columns: tuple[Tensor, ...]
    order: Tensor
    places: tuple[tuple[int, ...], ...] = ()

    def groups(self) -> list[tuple[Sequence[int] | None, Distribution]]:
        """Each distribution and the positions of its targets."""
        return list(zip(self.places, self.distributions, strict=True))

    def _joined(self, parts: Sequence[Tensor], axis: int = -1) -> Tensor:
        widest = max((part.dtype for part in parts), key=lambda t: torch.finfo(t).bits)
        return torch.cat([part.to(widest) for part in parts], dim=axis).index_select(axis, self.order)

    def _with(self, y: Tensor, ask: Callable[[Distribution, Tensor], Tensor]) -> Tensor:
        return self._joined(
            [ask(distribution, y[..., at]) for distribution, at in zip(self.distributions, self.columns, strict=True)]
        )

    def loss(self, y: Tensor) -> Tensor:
        """Loss of each element under the distribution of its column."""
        return self._with(y, lambda distribution, part: distribution.loss(part))

    def mean(self) -> Tensor:
        """Point forecast ``[B, H, D]``."""
        return self._joined([distribution.mean() for distribution in self.distributions])

    def quantiles(self, levels: Sequence[float]) -> Tensor | None:
        """Quantiles ``[B, H, D, Q]``; NaN where a column's distribution is one of points, None where all are."""
        found = [distribution.quantiles(levels) for distribution in self.distributions]
        if all(part is None for part in found):
            return None
        filled = []
        for distribution, part in zip(self.distributions, found, strict=True):
            mean = distribution.mean()
            filled.append(mean.new_full((*mean.shape, len(levels)), float("nan")) if part is None else part)
        return self._joined(filled, axis=-2)

    def cdf(self, y: Tensor) -> Tensor:
        """Probability of at most ``y``."""
        return self._with(y, lambda distribution, part: distribution.cdf(part))

    def sample(self, generator: torch.Generator | None = None, n: int | None = None) -> Tensor:
        """Draw from each column's distribution."""
        return self._joined([distribution.sample(generator, n) for distribution in self.distributions])


class RoutedHead(Head):
    """Heads of groups of targets; all read the same features.

    Parameters
    ----------
    shape : HeadShape
    routes : sequence of Route
        With positions as columns, each target in exactly one; see :func:`foretide.heads.table.resolve`.
    """

    order: Tensor
    bounded_columns: Tensor

    def __init__(self, shape: HeadShape, routes: Sequence[Route]) -> None:
        super().__init__(shape)
        self.heads = nn.ModuleList()
        places: list[int] = []
        self.places = tuple(tuple(route.places or ()) for route in routes)
        bounded = torch.zeros(shape.targets, dtype=torch.bool)
        for i, route in enumerate(routes):
            columns = list(route.places or ())
            head = route.make(replace(shape, targets=len(columns)))
            self.heads.append(head)
            self.register_buffer(f"columns_{i}", torch.tensor(columns), persistent=False)
            places += columns
            bounded[columns] = head.bounded
        self.register_buffer("order", torch.tensor(places).argsort(), persistent=False)
        self.register_buffer("bounded_columns", bounded, persistent=False)
        made = self._made()
        self.has_distribution = any(head.has_distribution for head in made)
        self.counts = any(head.counts for head in made)
        self.needs_series = any(head.needs_series for head in made)
        self.bounded = bool(bounded.all())

    def _made(self) -> list[Head]:
        return [head for head in self.heads if isinstance(head, Head)]

    def _columns(self) -> tuple[Tensor, ...]:
        return tuple(self.get_buffer(f"columns_{i}") for i in range(len(self.heads)))

    def forward(
        self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None
    ) -> RoutedDistribution:
        """Return the stitched distribution; see :class:`foretide.heads.base.Head`."""
        columns, distributions = self._columns(), []
        scale = scale.expand(*scale.shape[:-1], base.shape[-1])
        for head, at in zip(self.heads, columns, strict=True):
            distributions.append(head(features, base[..., at], scale[..., at], _of_columns(series, at)))
        return RoutedDistribution(tuple(distributions), columns, self.order, self.places)

    def linear_mean(self) -> tuple[Tensor, Tensor] | None:
        """Weights and biases of all heads, in the targets' order; None where one has none."""
        parts = [part for head in self._made() if (part := head.linear_mean()) is not None]
        if len(parts) < len(self.heads):
            return None
        weights, biases = zip(*parts, strict=True)
        return torch.cat(weights)[self.order], torch.cat(biases)[self.order]

    def weigh(self, weight: Tensor) -> Tensor:
        """Weights of windows and targets, one where the target's head needs none."""
        return torch.where(self.bounded_columns, weight, 1.0)

    def begin(self, base: Tensor, y: Tensor, series: SeriesInfo, observed: Tensor | None = None) -> None:
        """Let each head begin with its columns."""
        for head, at in zip(self._made(), self._columns(), strict=True):
            part = None if observed is None else observed[..., at]
            some = _of_columns(series, at)
            assert some is not None
            head.begin(base[..., at], y[..., at], some, part)


def _of_columns(series: SeriesInfo | None, at: Tensor) -> SeriesInfo | None:
    if series is None:
        return None
    rate, awake = (None if own is None else own[:, at] for own in (series.rate, series.awake))
    return SeriesInfo(series.entity, series.unit[:, at], rate, awake)
