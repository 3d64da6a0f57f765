"""What followed similar windows of all series, as the distribution around LAVAR's own forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.counts import count_like
from foretide.forecasters.lavar.features import answers
from foretide.forecasters.simple.analogue_pool import ALL_THE_WAY, HALF_WAY
from foretide.forecasters.simple.analogue_pools import Pools, some
from foretide.training.saved import prefixed, under

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.lavar.features import Look
    from foretide.forecasters.lavar.parts import Parts
    from foretide.typing import Array, Floats, Ints, Json

SIMILAR = 200
"""Windows looked at."""
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Quantiles by which distributions are judged."""
JUDGED, JUDGED_IN = 28_000, 10_000
"""At most so many steps are judged, among so many windows of single series."""
LOOKED_AT = 7_000
"""A first look at so many steps is enough where it shows no gain."""


@dataclass(frozen=True, eq=False)
class Pooled:
    """Values that followed similar windows, taken around LAVAR's mean.

    Attributes
    ----------
    pools : Pools
    way : float
        How far the mean of the values is drawn towards LAVAR's: all the way, or half of it where that is no worse.
    over_heads : bool
        Whether heads with a distribution of their own are answered for, too.
    """

    pools: Pools
    way: float = HALF_WAY
    over_heads: bool = True

    @classmethod
    def learn(cls, parts: Parts, look: Look, base: Floats, way: float, over_heads: bool) -> Pooled:
        """Keep windows around what LAVAR forecasts from them, ``base`` ``[W, H, D]`` before the heads."""
        mean = answers(parts, look, base)[0]
        whole = count_like(look.panel)
        return cls(Pools.learn(look.panel, look.windows, [mean], parts.base.shift, whole), way, over_heads)

    def around(
        self, parts: Parts, panel: Panel, windows: Windows, mean: Floats, quantiles: tuple[float, ...]
    ) -> tuple[Floats, Floats]:
        """Return mean ``[W, H, D]`` and quantiles ``[W, H, D, Q]`` around LAVAR's mean."""
        shift = parts.base.shift[parts.base.positions(panel)]
        return self.pools.answer(panel, windows, {0: mean}, shift, SIMILAR, quantiles, self.way)

    # ---------------------------------------------------------------- saving
    def arrays(self) -> dict[str, Array]:
        """Everything that is an array."""
        return prefixed("pooled.", self.pools.arrays())

    def facts(self) -> Json:
        """Everything that is no array, as JSON."""
        return {"pools": self.pools.facts(), "way": self.way, "over_heads": self.over_heads}

    @classmethod
    def restore(cls, arrays: Mapping[str, Array], facts: Json | None) -> Pooled | None:
        """Rebuild from :meth:`arrays` and :meth:`facts`; None where there was none."""
        if facts is None:
            return None
        pools = Pools.restore(under("pooled.", arrays), facts["pools"])
        return cls(pools, facts["way"], facts["over_heads"])


def mean_and_quantiles(
    parts: Parts, panel: Panel, windows: Windows, mean: Floats, own: Floats, quantiles: tuple[float, ...]
) -> tuple[Floats, Floats | None]:
    """Return mean and quantiles as LAVAR gives them: of its heads (``own``), its past errors, or similar windows.

    Parameters
    ----------
    parts : Parts
    panel, windows
    mean : float array ``[W, H, D]``
        Of the heads.
    own : float array ``[W, H, D, Q]``
        Quantiles of heads with a distribution; NaN of the others.
    quantiles : tuple of float

    Returns
    -------
    mean, quantiles
        Quantiles are None where none are asked for.
    """
    if parts.pooled is None:
        if not quantiles:
            return mean, None
        assert parts.distribution is not None
        names = [panel.ids[i] for i in windows.entity]
        found = parts.distribution.quantiles(mean, names, windows.steps(panel), quantiles)
        return mean, np.where(np.isnan(own), found, own)
    centre, found = parts.pooled.around(parts, panel, windows, mean, quantiles)
    if parts.pooled.over_heads or not quantiles:
        return centre, found if quantiles else None
    return np.where(np.isnan(own[..., 0]), centre, mean), np.where(np.isnan(own), found, own)


def judged(
    parts: Parts, train: Look, base: Floats, held: Look, held_base: Floats, over_heads: bool
) -> tuple[float, float]:  # fmt: skip
    """Judge a pool of training windows by held-back windows, which neither it nor the distribution of errors has seen.

    Parameters
    ----------
    parts : Parts
        With a distribution of errors on training windows.
    train, held : Look
        Training and held-back windows.
    base, held_base : float arrays ``[W, H, D]``
        Their forecasts before the heads.
    over_heads : bool

    Returns
    -------
    way : float
        How far values are to be drawn towards LAVAR's mean: half-way where that is no worse than the mean itself.
    gain : float
        Share of the quantile loss of LAVAR without it that goes with it, negative if it grows: with all series in their
        own units or as they are, whichever is less. Small series must not decide for large ones, nor the other way.
    """
    h, d = base.shape[1:]
    kept = some(len(base), JUDGED_IN // d)
    pool = Pooled.learn(parts, _taken(train, kept), base[kept], HALF_WAY, over_heads)
    first, tried = (some(len(held_base), most // (h * d)) for most in (LOOKED_AT, JUDGED))
    way, gain = _judged(parts, pool, held, held_base, first)
    return (way, gain) if gain <= 0 or len(tried) == len(first) else _judged(parts, pool, held, held_base, tried)


def _judged(parts: Parts, pool: Pooled, held: Look, held_base: Floats, tried: Ints) -> tuple[float, float]:
    """Judge by some of the held-back windows."""
    look, truth = _taken(held, tried), held.truth()[tried]
    mean, own = answers(parts, look, held_base[tried], LEVELS)
    unit = parts.unit[look.windows.entity][:, None]

    def losses(pooled: Pooled | None) -> tuple[float, float, float]:
        found = mean_and_quantiles(replace(parts, pooled=pooled), look.panel, look.windows, mean, own, LEVELS)
        loss = _pinball(found[1], truth)
        return (
            float(np.nanmean(((found[0] - truth) / unit) ** 2)),
            float(np.nanmean(loss / unit)),
            float(np.nanmean(loss)),
        )

    plain, half = losses(None), losses(pool)
    way, taken = (HALF_WAY, half) if half[0] <= plain[0] else (ALL_THE_WAY, losses(replace(pool, way=ALL_THE_WAY)))
    return way, min(_gain(before, after) for before, after in zip(plain[1:], taken[1:], strict=True))


def _taken(look: Look, chosen: Ints) -> Look:
    """Some windows of a look."""
    return replace(look, windows=look.windows[chosen], ahead=look.ahead[chosen], features=look.features[chosen])


def _gain(before: float, after: float) -> float:
    return (before - after) / before if before > 0 else 0.0


def _pinball(quantiles: Floats | None, truth: Floats) -> Floats:
    """Mean quantile loss of each step."""
    assert quantiles is not None
    error, q = truth[..., None] - quantiles, np.array(LEVELS)
    return np.asarray(np.maximum(q * error, (q - 1) * error).mean(axis=-1))
