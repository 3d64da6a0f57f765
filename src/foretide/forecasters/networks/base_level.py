"""A base that a network corrects: LAVAR's level x season x events of each series, in the network's units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.counts import ZEROS, count_like
from foretide.data.windows import Windows, evenly
from foretide.models.series import BaseForecasts

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.lavar.seasonal_base import SeasonalBase
    from foretide.training.prepare import Preparation
    from foretide.training.store import Store
    from foretide.typing import Singles

MAX_ELEMENTS = 20_000_000
"""Training windows are thinned out evenly so that the base holds no more numbers than this."""
AT_ONCE = 4_000_000
"""Numbers of the base made at once."""


def like_demand(train: Panel) -> bool:
    """Whether a multiplicative base suits a training part: targets are counts, or have zeros and nothing below."""
    if count_like(train).all():
        return True
    d, zeros, seen = train.n_targets, 0, 0
    for i in range(train.n_entities):
        values = train.rows(i)[: train.observed[i], :d]
        if (values < 0).any():
            return False
        zeros, seen = zeros + int((values == 0).sum()), seen + int((~np.isnan(values)).sum())
    return zeros >= ZEROS * max(seen, 1)


def fewer(windows: Windows, h: int, n_targets: int) -> Windows:
    """At most so many windows, evenly spread, that the base of all holds :data:`MAX_ELEMENTS` numbers."""
    return windows[evenly(len(windows), max(1, MAX_ELEMENTS // (h * n_targets)), newest=True)]


def scaled_base(
    base: SeasonalBase, panel: Panel, windows: Windows, h: int, preparation: Preparation, *, learning: bool = False
) -> Singles:
    """Forecasts of a base from windows of a panel in the network's units, ``[W, H, D]``.

    ``learning`` as in :meth:`SeasonalBase.at`.
    """
    d, where = panel.n_targets, preparation.positions(panel)
    out = np.empty((len(windows), h, d), dtype=np.float32)
    size = max(1, AT_ONCE // (h * d))
    for low in range(0, len(windows), size):
        some = windows[low : low + size]
        fitted = where[some.entity]
        ahead = base.at(panel, some, h, learning=learning)
        location, scale = (a[fitted, None, :d] for a in (preparation.location, preparation.scale))
        out[low : low + size] = (ahead - location) / scale
    return out


def for_new(base: SeasonalBase, panel: Panel) -> SeasonalBase:
    """Base of series that were not there at fit; one silent through half of its rows chooses anew from what came since.

    Those that all series share would see little but the silence.
    """
    new = base.for_new(panel)
    rows = [np.nan_to_num(panel.rows(i)[: panel.observed[i], : panel.n_targets]) != 0 for i in range(panel.n_entities)]
    late = np.stack([~own[: len(own) // 2].any(axis=0) & own.any(axis=0) for own in rows])
    return replace(new, judged=new.judged & ~late)


def for_start(store: Store, windows: Sequence[Windows], ahead: Sequence[Singles]) -> BaseForecasts:
    """Forecasts of a base from several sets of windows, as the closed-form start reads them."""
    rows = np.concatenate([store.rows(some) for some in windows])
    order = np.argsort(rows, kind="stable")
    return BaseForecasts(rows[order], np.concatenate(ahead)[order])
