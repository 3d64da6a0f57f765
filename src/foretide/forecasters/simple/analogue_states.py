"""The state of a series at a cutoff, by which windows are found to be alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

import numpy as np

from foretide.forecasters.lavar.sums import discounted
from foretide.forecasters.simple.history import by_entity

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.typing import Bools, Floats, Ints

QUICK, SLOW = 2, 16
"""Steps over which levels are smoothed; a little more or less matters little on the validation parts."""
SIDE_BY_SIDE = 2_000_000
"""Series are worked on in groups of at most so many numbers."""


@dataclass(frozen=True, eq=False)
class States:
    """What the past of a window looks like, one value a window and target, ``[W, D]`` or flat.

    Attributes
    ----------
    level, usual : float arrays
        Level over the last few steps, and mean of all.
    rate : float array
        Share of steps that are not zero, lately and in all.
    size : float array
        Mean of the values that are not zero.
    spread : float array
        Mean distance of values from the level before them.
    silence : float array
        Steps since the last value that was not zero.
    """

    level: Floats
    usual: Floats
    rate: Floats
    size: Floats
    spread: Floats
    silence: Floats

    @classmethod
    def at(cls, panel: Panel, windows: Windows, shift: Floats) -> Self:
        """Return the states at the cutoffs of windows; rows after a cutoff are not read.

        Parameters
        ----------
        panel : Panel
        windows : Windows
        shift : float array ``[N, D]``
            Added to each series of the panel, so that none is below zero.

        Returns
        -------
        States
            ``[W, D]`` each.
        """
        n, d, each = len(windows), panel.n_targets, dict(by_entity(windows))
        found = np.zeros((len(fields(cls)), n, d))
        for group in _groups({i: int(windows.cutoff[chosen].max()) + 1 for i, chosen in each.items()}, d):
            rows = max(int(windows.cutoff[each[i]].max()) for i in group) + 1
            y = np.full((rows, len(group), d), np.nan)
            for g, i in enumerate(group):
                own = panel.rows(i)[:rows, :d]
                y[: len(own), g] = own + shift[i]
            tables = _tables(y.reshape(rows, -1))
            for g, i in enumerate(group):
                for table, values in zip(found, tables, strict=True):
                    table[each[i]] = values[windows.cutoff[each[i]], g * d : (g + 1) * d]
        return cls(*found)

    def take(self, chosen: Ints | Bools) -> Self:
        """Return some of the windows."""
        return type(self)(*(getattr(self, one.name)[chosen] for one in fields(self)))

    def flat(self, columns: Ints) -> Self:
        """Return some targets, windows outer, as one row each."""
        return type(self)(*(getattr(self, one.name)[:, columns].reshape(-1) for one in fields(self)))


def _groups(rows: dict[int, int], width: int) -> Iterator[list[int]]:
    """Yield entities of much the same length, at most :data:`SIDE_BY_SIDE` numbers together."""
    group: list[int] = []
    for i in sorted(rows, key=rows.__getitem__):
        if group and rows[i] * width * (len(group) + 1) > SIDE_BY_SIDE:
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def _tables(y: Floats) -> tuple[Floats, ...]:
    """States of every row of some series ``[T, S]``, in the order of the fields, each from the rows up to it."""
    seen = ~np.isnan(y)
    values, ones = np.where(seen, y, 0.0), seen.astype(np.float64)
    demand = (values > 0).astype(np.float64)
    total, weight = np.cumsum(values, axis=0), np.cumsum(ones, axis=0)
    often, slow = np.cumsum(demand, axis=0), discounted(ones, 1 / SLOW)
    level = _share(discounted(values, 1 / SLOW), slow)
    before = np.concatenate([level[:1], level[:-1]])
    distance = np.where(seen, np.abs(values - before), 0.0)
    rows = np.arange(len(y))[:, None]
    last = np.maximum.accumulate(np.where(demand > 0, rows, -1), axis=0)
    return (
        _share(discounted(values, 1 / QUICK), discounted(ones, 1 / QUICK)),
        _share(total, weight),
        0.5 * (_share(discounted(demand, 1 / SLOW), slow) + _share(often, weight)),
        _share(total, often),
        _share(discounted(distance, 1 / SLOW), slow),
        (rows - last).astype(np.float64),
    )


def _share(above: Floats, below: Floats) -> Floats:
    known = below > 1e-12
    return np.asarray(np.where(known, above / np.where(known, below, 1.0), 0.0))
