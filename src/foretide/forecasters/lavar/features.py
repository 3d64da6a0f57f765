"""What LAVAR's heads see: rolled-out states, what is known ahead, and the base; and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from foretide.data.counts import BUCKETS
from foretide.data.windows import first_rows, truth_of
from foretide.forecasters.lavar.latent_state import LatentState
from foretide.heads.table import mask_of
from foretide.training.head_bank import HeadData
from foretide.training.store import Store, WindowBatches
from foretide.typing import Bools, Floats, Ints, Singles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.intervals.distribution import Errors
    from foretide.forecasters.lavar.drivers import Drivers
    from foretide.forecasters.lavar.latent_effects import LatentEffects
    from foretide.forecasters.lavar.parts import Parts
    from foretide.forecasters.lavar.seasonal_base import SeasonalBase
    from foretide.training.prepare import Preparation

AT_ONCE = 2048
NOTHING = 1e-6
"""A mean count below is zero."""


@dataclass(frozen=True, eq=False)
class Look:
    """Windows of a panel, read once.

    Attributes
    ----------
    panel : Panel
    windows : Windows
    z : ``[R, K]``
        Latent states of all rows.
    ahead : ``[W, H, K]``
        States expected ahead of each window.
    features : float32 ``[W, H, F]``
        States ahead, known-future columns, calendar, and recent values where asked for.
    learning : bool
        Whether the windows' steps lie in the part one may learn from.
    own_history : bool
        Whether recent values and the base are among the features.
    """

    panel: Panel
    windows: Windows
    z: Floats
    ahead: Floats
    features: Singles
    learning: bool = False
    own_history: bool = False

    @classmethod
    def at(
        cls, panel: Panel, windows: Windows, h: int, state: LatentState, preparation: Preparation, own_history: bool,
        *, all_rows: bool = False, known_ahead: bool = True,
    ) -> Look:  # fmt: skip
        """Encode the rows, roll the states out, gather what is known ahead."""
        z, ahead = state.read(panel, preparation, windows, h, all_rows=all_rows)
        order = state.model.config.order
        found = [ahead.astype(np.float32)]
        if known_ahead and preparation.n_known(panel):
            batches = WindowBatches(Store(panel, preparation, input_size=order, h=h), windows)
            known = [batches.inputs(c).known for c in torch.split(torch.arange(len(windows)), AT_ONCE)]
            found.append(torch.cat([k for k in known if k is not None]).numpy())
        if own_history:
            d, rows = panel.n_targets, first_rows(panel.length)[windows.entity] + windows.cutoff
            values = preparation.values(panel)
            recent = [values[rows, :d], np.mean([values[rows - k, :d] for k in range(order)], axis=0)]
            found += [np.repeat(np.asarray(r, dtype=np.float32)[:, None], h, axis=1) for r in recent]
        return cls(panel, windows, z, ahead, np.concatenate(found, axis=2), all_rows, own_history)

    @property
    def width(self) -> int:
        """Number of features the heads see, ``F``, with the base of each target where that is among them."""
        return int(self.features.shape[2]) + (self.panel.n_targets if self.own_history else 0)

    def base(self, base: SeasonalBase, effects: LatentEffects | None) -> Floats:
        """Forecast before the heads, ``[W, H, D]`` in original units."""
        past = later = None
        if effects is not None:
            own = effects.take(base.positions(self.panel))
            z, ahead = self.regressors(own.drivers)
            past, later = own.past(self.panel, z), own.ahead(self.windows.entity, ahead)
        return base.at(self.panel, self.windows, self.ahead.shape[1], past, later, learning=self.learning)

    def regressors(self, drivers: Drivers | None) -> tuple[Floats, Floats]:
        """What moves the series, of all rows ``[R, K]`` and of the steps ahead of each window ``[W, H, K]``."""
        if drivers is None:
            return self.z, self.ahead
        return drivers.rows(self.panel, self.z), drivers.ahead(self.panel, self.windows, self.ahead)

    def truth(self) -> Floats:
        """What came, ``[W, H, D]``; only for windows whose steps lie inside the panel."""
        return truth_of(self.panel, self.windows, self.ahead.shape[1])


def head_data(look: Look, base: Floats, entity: Ints, unit: Floats, positive: Bools, y: Floats | None) -> HeadData:
    """In each series' unit; a correction of one is the base itself, or one unit where values may be negative.

    ``entity`` ``[W]`` is the position among the fitted entities; without ``y`` the base stands in for the truth.
    """
    own = unit[entity][:, None, :]
    scaled = (base / own).astype(np.float32)
    scale = np.where(positive[entity][:, None, :], np.maximum(scaled, 0.0), 1.0).astype(np.float32)
    observed = None if y is None or not np.isnan(y).any() else torch.from_numpy(~np.isnan(y))
    seen = np.concatenate([look.features, scaled], axis=2) if look.own_history else look.features
    features, bases, scales = (torch.from_numpy(np.ascontiguousarray(a)) for a in (seen, scaled, scale))
    truths = bases if y is None else torch.from_numpy((np.nan_to_num(y) / own).astype(np.float32))
    return HeadData(features, bases, scales, truths, observed, torch.from_numpy(entity))


def spread(parts: Parts, past: Errors, buckets: Sequence[str]) -> None:
    """Set the spread of heads that stay as they begin from past errors; training windows alone have too small ones."""
    unit = parts.unit[past.entity][:, None]
    base, y = (torch.from_numpy((x / unit).astype(np.float32)) for x in (past.mean, np.nan_to_num(past.truth)))
    observed = torch.from_numpy(~np.isnan(past.truth))
    nothing, entity = torch.zeros(*past.mean.shape[:2], 0), torch.from_numpy(past.entity)
    data = HeadData(nothing, base, torch.ones_like(base), y, observed, entity)
    for bucket in buckets:
        own = parts.bank.part(bucket, data)
        if len(own):
            parts.bank.begin(bucket, own)


@torch.no_grad()
def answers(
    parts: Parts, look: Look, base: Floats, levels: tuple[float, ...] = ()
) -> tuple[Floats, Floats]:  # fmt: skip
    """Point forecasts ``[W, H, D]`` and quantiles ``[W, H, D, Q]`` in original units; NaN: no distribution there."""
    entity = parts.base.positions(look.panel)[look.windows.entity]
    mean, found = np.zeros_like(base), np.full((*base.shape, len(levels)), np.nan)
    data, steps = head_data(look, base, entity, parts.unit, parts.positive, None), np.arange(base.shape[1])
    for bucket, columns in parts.bank.columns.items():
        routes, code, places = parts.routes(bucket), BUCKETS.index(bucket), np.array(columns)
        counts, distributed, corrects = (
            mask_of(routes, len(columns), attribute) for attribute in ("counts", "has_distribution", "corrects")
        )
        own = parts.bank.part(bucket, data)
        mine = np.flatnonzero((parts.buckets[entity][:, places] == code).any(axis=1))
        for low in range(0, len(own), AT_ONCE):
            chosen = slice(low, low + AT_ONCE)
            windows = mine[chosen]
            where, series = np.ix_(windows, steps, places), np.ix_(entity[windows], places)
            member, unit = parts.buckets[series] == code, parts.unit[series][:, None]
            distribution, before = parts.bank.distribution(bucket, own, chosen), base[windows][..., places]
            point = distribution.mean().double().numpy() * unit
            # A head knows no spread of a series that always was zero, and a count head no correction: its base may wake
            # up, and errors on validation windows may have a spread.
            silent = (parts.rates[series] == 0)[:, None]
            point = np.where(silent & counts & corrects, before, point)
            # The mean of a count distribution is never quite zero, but where the base is, a correction by factors
            # leaves it there.
            still = (parts.positive[series][:, None] & (before == 0)) | (point < NOTHING)
            point = np.where(counts & still, 0.0, point)
            mean[where] = point if member.all() else np.where(member[:, None], point, mean[where])
            quantiles = distribution.quantiles(levels) if levels and distributed.any() else None
            if quantiles is None:
                continue
            values = quantiles.double().numpy() * unit[..., None]
            values = np.where(counts[:, None], np.round(values), values)
            known = (member & distributed)[:, None] & ~silent
            found[where] = np.where(known[..., None], values, found[where])
    return mean, found
