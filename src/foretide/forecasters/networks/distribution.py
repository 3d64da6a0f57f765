"""Heads in the hands of the neural forecasters: what they need of a panel, and what they predict in original units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.counts import first_no_count
from foretide.data.windows import evenly
from foretide.errors import DataError
from foretide.heads.table import Route, mask_of

if TYPE_CHECKING:
    import torch

    from foretide.data.panel import Panel
    from foretide.training.network import Network
    from foretide.training.prepare import Preparation
    from foretide.training.store import WindowBatches
    from foretide.typing import Bools, Floats, Ints

BEGIN_WINDOWS = 2048
"""Spreads are first found from at most this many windows, evenly spaced."""
FEWEST_VALIDATION = 30
"""Of fewer validation windows the training windows are asked instead."""
BATCH = 128


def check_counts(panel: Panel, found: Sequence[Route], others: str = "head='gaussian', 'quantile', 'point'") -> None:
    """Refuse targets that are no counts and go to a head of counts.

    Parameters
    ----------
    panel : Panel
    found : sequence of Route
        With positions among all targets, or one head for all.
    others : str
        What to type for heads of all numbers.

    Raises
    ------
    DataError
        With column, series, time and value of the first one.
    """
    worst = first_no_count(panel, mask_of(found, panel.n_targets, "counts"))
    if worst is None:
        return
    entity, column, row = worst
    step, value = int(panel.first[entity]) + row, float(panel.rows(entity)[row, column])
    name = next(r.name for r in found if r.columns is None or column in r.columns)
    raise DataError(
        f"Target {panel.targets[column]!r} of {panel.series_name(entity, column)!r} is {value:g} at "
        f"{panel.grid.output_times([step])[0]}, and the head {name!r} is for counts: whole numbers of at least 0. "
        f"Correct the value, leave its cell empty, or take a head for all numbers: {others}."
    )


def training_rates(train: Panel, preparation: Preparation) -> Floats:
    """Mean of each target over the training part in the network's units, ``[N, D]``.

    A series without values gets the mean of the others, so that it does not pass for one that is always zero.
    """
    d = train.n_targets
    out = np.full((len(preparation.ids), d), np.nan)
    for position, i in zip(preparation.positions(train), range(train.n_entities), strict=True):
        rows = train.rows(i)[:, :d].astype(np.float64)
        count = (~np.isnan(rows)).sum(axis=0)
        out[position] = np.where(count > 0, np.nansum(rows, axis=0) / np.maximum(count, 1), np.nan)
    out = (out - preparation.location[:, :d]) / preparation.scale[:, :d]
    known = ~np.isnan(out)
    pooled = np.where(known, out, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, out, np.where(pooled > 0, pooled, 1.0))


def begin_head(
    network: Network,
    train: WindowBatches,
    validation: WindowBatches,
    rates: Floats,
    points: Network | None = None,
) -> None:
    """Give the head its spreads from errors on windows that nothing was fitted to.

    The errors are those of the closed-form start, or of ``points``, a trained network, where one is given.
    """
    import torch

    from foretide.heads.base import SeriesInfo

    if network.unit is None:
        return
    batches = validation if len(validation) >= FEWEST_VALIDATION else train
    device = network.unit.device
    number = evenly(len(batches), BEGIN_WINDOWS)
    parts: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    masks: list[torch.Tensor | None] = []
    network.eval()
    with torch.no_grad():
        for low in range(0, len(number), BATCH):
            inputs, labels = batches.batch(torch.from_numpy(number[low : low + BATCH]))
            centre = network.base(inputs) if points is None else points(inputs)[0].mean()
            parts.append((centre, labels.y, inputs.entity))
            masks.append(labels.observed)
        base, y, entity = (torch.cat([part[k] for part in parts]) for k in range(3))
        known = [mask for mask in masks if mask is not None]
        observed = torch.cat(known) if known else None
        rate = torch.as_tensor(rates, dtype=torch.float32, device=device)[entity]
        place = network.head.begin if points is None else network.head.settle
        place(base, y, SeriesInfo(entity, network.unit[entity], rate), observed)


def unscaled_quantiles(
    preparation: Preparation,
    panel: Panel,
    entity: Ints,
    quantiles: Floats,
    counts: Bools,
) -> Floats:
    """Quantiles ``[W, H, D, Q]`` in original units; whole numbers of at least 0 where ``counts`` ``[D]``."""
    out = preparation.unscale(panel, entity, quantiles)
    if counts.any():
        # Whole numbers went through the scale and back, which is off by a rounding.
        out[:, :, counts] = np.maximum(np.rint(out[:, :, counts]), 0.0)
    return out
