"""A head of quantiles that never cross, trained by the pinball loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from foretide.errors import ConfigError
from foretide.heads.base import Distribution, Head, HeadShape, Parameter, SeriesInfo, drawn_generator, known_series
from foretide.heads.continuous import LOG_LARGEST, LOG_SMALLEST, inverse_softplus
from foretide.heads.linear import apply_linear, make_linear
from foretide.heads.quantile_function import mean_weights, quantile_weights
from foretide.heads.spread import Spread, rank_one

QUANTILES = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
"""What a quantile head is trained for, unless it is told otherwise."""
SMALLEST_GAP = 1e-6
EQUAL = 1e-9
"""Quantiles closer than this are one."""


@dataclass(frozen=True, eq=False, slots=True)
class QuantileDistribution(Distribution):
    """Quantiles ``values`` ``[B, H, D, Q]`` at ascending ``levels``.

    Between the levels the quantile function is linear. Beyond the outermost two nothing was learned: quantiles asked
    for there are NaN. Mean, samples and probabilities need the whole distribution, so for them it goes on as an
    exponential tail through both, ``Q(q) = Q_1 + (Q_2 - Q_1) ln(q / q_1) / ln(q_2 / q_1)`` on the left and its mirror
    on the right. The mean is the integral of that function from 0 to 1, which is a weighted sum of the values.
    """

    family: ClassVar[str] = "quantiles"
    values: Tensor
    levels: tuple[float, ...]

    def parameters(self) -> dict[str, Parameter]:
        """The quantiles."""
        levels = ", ".join(f"{level:.10g}" for level in self.levels)
        return {"quantiles": Parameter(self.values, "place", f"quantiles at {levels}; linear between them")}

    def loss(self, y: Tensor) -> Tensor:
        """Twice the pinball loss, averaged over the levels (Koenker & Bassett 1978)."""
        # 2 max(q e, (q - 1) e) = |e| + (2 q - 1) e, whose gradient costs a third.
        tilt = (2.0 * self.values.new_tensor(self.levels) - 1.0) / len(self.levels)
        error = y[..., None] - self.values
        return error.abs().mean(dim=-1) + error @ tilt

    def mean(self) -> Tensor:
        """Integral of the quantile function."""
        return self.values @ self.values.new_tensor(mean_weights(self.levels))

    def quantiles(self, levels: Sequence[float]) -> Tensor:
        """Quantiles ``[B, H, D, Q']``, linear between the levels, NaN beyond them."""
        wanted = np.asarray(levels, dtype=np.float64)
        weights = quantile_weights(self.levels, wanted)
        weights[(wanted < self.levels[0] - EQUAL) | (wanted > self.levels[-1] + EQUAL)] = np.nan
        return self.values @ self.values.new_tensor(weights).T

    def cdf(self, y: Tensor) -> Tensor:
        """Inverse of the quantile function."""
        v, q = self.values.detach(), self.values.new_tensor(self.levels)
        at = torch.searchsorted(v.contiguous(), y.detach().to(v.dtype)[..., None].contiguous())
        high = at.clamp(1, len(self.levels) - 1)
        low_v, high_v = v.gather(-1, high - 1)[..., 0], v.gather(-1, high)[..., 0]
        share = (y - low_v) / (high_v - low_v).clamp(min=SMALLEST_GAP)
        low_q, high_q = q[high - 1][..., 0], q[high][..., 0]
        inside = low_q + share * (high_q - low_q)
        left = q[0] * torch.exp(share * (q[1] / q[0]).log())
        right = 1.0 - (1.0 - q[-1]) * torch.exp((1.0 - share) * ((1.0 - q[-2]) / (1.0 - q[-1])).log())
        last = len(self.levels)
        return torch.where(at[..., 0] == 0, left, torch.where(at[..., 0] == last, right, inside)).detach()

    def sample(self, generator: torch.Generator | None = None, n: int | None = None) -> Tensor:
        """Draw values: the quantile function at uniform levels."""
        v = self.values.detach()
        size = v.shape[:-1] if n is None else (n, *v.shape[:-1])
        uniform = drawn_generator(generator).uniform(1e-12, 1.0 - 1e-12, size=size)
        weights = torch.as_tensor(quantile_weights(self.levels, uniform), dtype=v.dtype, device=v.device)
        return (weights * v).sum(dim=-1)


class QuantileHead(Head):
    """Median ``base + scale * linear(features)`` plus a learned shift, and gaps that add up outwards from it.

    A gap is the series' spread times ``softplus(constant + linear(features))``, so quantiles cannot cross.

    Parameters
    ----------
    shape : HeadShape
    levels : sequence of float
        Ascending, with 0.5, at least one on each side of it.
    """

    has_distribution, needs_series = True, True
    levels: tuple[float, ...] = QUANTILES
    pull: Tensor

    def __init__(self, shape: HeadShape, levels: Sequence[float] = QUANTILES) -> None:
        super().__init__(shape)
        self.levels = levels = tuple(float(q) for q in levels)
        inner = all(a < b for a, b in pairwise((0.0, *self.levels, 1.0)))
        if not inner or 0.5 not in self.levels or self.levels.index(0.5) in (0, len(self.levels) - 1):
            raise ConfigError(
                f"levels of a quantile head ascend between 0 and 1 and hold 0.5 and a level on each side of it; "
                f"got {list(levels)}. Try [0.1, 0.5, 0.9]."
            )
        self.middle = self.levels.index(0.5)
        self.linear = make_linear(shape)
        self.gaps = make_linear(shape, shape.targets * (len(self.levels) - 1))
        self.spread = Spread(shape)
        normal = torch.special.ndtri(torch.tensor(self.levels))
        first = inverse_softplus(self._outwards(normal.diff()))
        self.offset = nn.Parameter(first.expand(shape.targets, -1).clone())
        self.shift = nn.Parameter(torch.zeros(shape.targets))
        # A gap moves all quantiles beyond it, and the mean by the sum of their weights.
        weights = torch.tensor(mean_weights(self.levels), dtype=torch.float32)
        below, above = weights[: self.middle], weights[self.middle + 1 :]
        beyond = torch.cat([-below.cumsum(0).flip(0), above.flip(0).cumsum(0).flip(0)])
        self.register_buffer("pull", beyond, persistent=False)

    def forward(
        self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None
    ) -> QuantileDistribution:
        """Return the distribution for features ``[B, H, K]``: a base ``[B, H, D]`` corrected in units of ``scale``."""
        median, gaps = self._median_and_gaps(features, base, scale, known_series(series))
        below, above = gaps[..., : self.middle], gaps[..., self.middle :]
        left = below.cumsum(dim=-1).flip(-1)
        middle = median[..., None]
        return QuantileDistribution(
            torch.cat([middle - left, middle, middle + above.cumsum(dim=-1)], dim=-1), self.levels
        )

    def mean(self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None) -> Tensor:
        """Return the mean of the distribution: the median and a weighted sum of the gaps."""
        median, gaps = self._median_and_gaps(features, base, scale, known_series(series))
        return median + gaps @ self.pull

    def _median_and_gaps(
        self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Median ``[..., D]``, and gaps ``[..., D, Q - 1]``: those below it from it down, then those above."""
        log: Tensor = self.spread(series, base.ndim == 3)
        spread = log.clamp(LOG_SMALLEST, LOG_LARGEST).exp()
        median = base + scale * apply_linear(self.linear, features, series) + spread * self.shift
        raw = apply_linear(self.gaps, features, series)
        raw = raw.view(*raw.shape[:-1], self.shape.targets, -1) + self.offset
        return median, spread[..., None] * F.softplus(raw)

    @torch.no_grad()
    def begin(self, base: Tensor, y: Tensor, series: SeriesInfo, observed: Tensor | None = None) -> None:
        """Set spreads from the errors of the base, and gaps from the quantiles of each target's errors in them."""
        error = (y - base).double()
        own, profile = rank_one(error.square(), series.entity, self.shape.entities, observed)
        relative = error / (own[series.entity.long()][:, None] * profile[:, None]).sqrt()
        self.spread.put(0.5 * own.log(), 0.5 * profile.log())
        for d in range(self.shape.targets):
            seen = relative[..., d].flatten() if observed is None else relative[..., d][observed[..., d]]
            if len(seen) < 10 * len(self.levels):
                continue
            quantiles = np.quantile(seen.cpu().numpy(), self.levels)
            gaps = torch.from_numpy(np.maximum(np.diff(quantiles), 1e-3))
            self.offset[d] = inverse_softplus(self._outwards(gaps)).to(self.offset)
            self.shift[d] = float(quantiles[self.middle])

    def _outwards(self, gaps: Tensor) -> Tensor:
        """Gaps ``[Q - 1]`` from the lowest level up -> those below the median from it down, then those above."""
        return torch.cat([gaps[: self.middle].flip(0), gaps[self.middle :]])
