"""Series of a panel side by side, and what is found from the rows of each: shifts, and seasons of all together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.windows import first_rows

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Floats, Ints


SIDE_BY_SIDE = 20_000
"""Recipes are judged on blocks of series that hold no more numbers than this per origin."""


def shifts(train: Panel) -> Floats:
    """Return what to add to each series so that its level is well above zero, ``[N, D]``; 0 for one never negative."""
    found = np.zeros((train.n_entities, train.n_targets))
    for i in range(train.n_entities):
        y = np.array(train.rows(i)[: train.observed[i], : train.n_targets], dtype=np.float64)
        seen = ~np.isnan(y)
        low = np.where(seen, y, np.inf).min(axis=0, initial=np.inf)
        high = np.where(seen, y, -np.inf).max(axis=0, initial=-np.inf)
        found[i] = np.where(low < 0, (high - low) - low, 0.0)
    return found


def pooled_profile(train: Panel, season: int, shift: Floats) -> Floats:
    """Seasonal factors of all series together, by grid step; 1 on average over the positions seen."""
    total, count = np.zeros(season), np.zeros(season)
    for i in range(train.n_entities):
        y = np.array(train.rows(i)[: train.observed[i], : train.n_targets], dtype=np.float64) + shift[i]
        seen = ~np.isnan(y)
        mean = np.where(seen, y, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        usable = seen & (mean > 0)
        # Weights by the square root: large series say more, but do not speak alone.
        share = np.where(usable, y / np.where(mean > 0, mean, 1.0), 0.0)
        trust = np.sqrt(np.where(mean > 0, mean, 0.0))
        position = (int(train.first[i]) + np.arange(len(y))) % season
        total += np.bincount(position, share @ trust, season)
        count += np.bincount(position, usable @ trust, season)
    profile = np.where(count > 0, total / np.where(count > 0, count, 1.0), 1.0)
    return np.maximum(profile, 0.0)


def blocks(panel: Panel, entities: Iterable[int], width: int = 1) -> Iterator[Ints]:
    """Yield groups of entities that share first step and length, so that they can stand side by side.

    A group holds at most :data:`SIDE_BY_SIDE` numbers per origin when an entity has ``width`` of them.
    """
    groups: dict[tuple[int, int, int], list[int]] = {}
    for i in entities:
        key = (int(panel.first[i]), int(panel.observed[i]), int(panel.length[i]))
        groups.setdefault(key, []).append(int(i))
    most = max(1, SIDE_BY_SIDE // width)
    for members in groups.values():
        for low in range(0, len(members), most):
            yield np.array(members[low : low + most], dtype=np.int64)


def values_of(panel: Panel, block: Ints, rows: int, shift: Floats) -> Floats:
    """Shifted targets of a block side by side, ``[rows, n D]``."""
    parts = [np.asarray(panel.rows(int(i))[:rows, : panel.n_targets], dtype=np.float64) for i in block]
    return np.concatenate(parts, axis=1) + shift.reshape(-1)


def effects_of(panel: Panel, block: Ints, rows: int, past: Floats | None) -> Floats | float:
    """Further effects of a block's rows side by side, ``[rows, n D]``; 1 where there are none."""
    if past is None:
        return 1.0
    row0 = first_rows(panel.length)
    return np.concatenate([past[row0[i] : row0[i] + rows] for i in block], axis=1)


def some_targets(panel: Panel, entity: int, columns: Ints) -> Panel:
    """Some targets of one entity, and all its other columns."""
    others = np.arange(panel.n_targets, len(panel.columns))
    values = panel.rows(entity)[:, np.concatenate([columns, others])]
    targets = tuple(panel.targets[int(c)] for c in columns)
    return replace(panel.take([entity]), values=values, row0=np.zeros(1, dtype=np.int64), targets=targets)
