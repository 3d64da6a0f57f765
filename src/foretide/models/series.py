"""What the closed-form start reads of a panel: scaled values as one store, in parts, and a base to be corrected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from foretide.models.known_basis import KnownBasis
from foretide.typing import Ints, Reals

Part = tuple[Ints, Reals, Reals | None]
"""Steps, values and known columns of some rows."""

MAX_SEASON_ROWS = 10_000
"""The season term is fitted on at most this many of each entity's newest training rows."""


@dataclass(frozen=True, eq=False)
class Series:
    """Scaled values as one store, without missing cells, beside what the start needs to know of them.

    Attributes
    ----------
    values : float32 array ``[R, C]``
        Targets first, then past columns; scaled, gaps filled. Entities follow each other without holes.
    known : callable or None
        ``known(entity, low, high)`` gives known-future columns and calendar ``[high - low, G]`` at an entity's rows.
    first : int array ``[N]``
        Grid step of each entity's first row.
    row0, length : int arrays ``[N]``
        Rows of each entity.
    train_length : int array ``[N]``
        Rows of each entity that belong to the training part.
    n_targets : int
    basis : KnownBasis or None
        Functions of the known columns that stand beside them in :meth:`part`.
    """

    values: Reals
    known: Callable[[int, int, int], Reals] | None
    first: Ints
    row0: Ints
    length: Ints
    train_length: Ints
    n_targets: int
    basis: KnownBasis | None = None

    def part(self, entity: int, low: int, high: int) -> Part:
        """Steps ``[n]``, values ``[n, C]`` and known columns ``[n, G]`` of an entity's rows ``low .. high - 1``."""
        known = None if self.known is None else self.known(entity, low, high)
        if known is not None and self.basis is not None:
            known = np.concatenate([known, self.basis.expand(known, np.concatenate)], axis=1)
        row0 = int(self.row0[entity])
        return self.first[entity] + np.arange(low, high), self.values[row0 + low : row0 + high], known


@dataclass(frozen=True, eq=False)
class BaseForecasts:
    """Forecasts of a base that the start may correct, in scaled units.

    Attributes
    ----------
    rows : int array ``[W]``
        Rows of the cutoffs in the store, ascending.
    ahead : float32 array ``[W, H, D]``
    """

    rows: Ints
    ahead: Reals

    def at(self, rows: Ints) -> Reals:
        """Return the forecasts of these cutoffs, ``[n, D, H]``."""
        return self.ahead[np.searchsorted(self.rows, rows)].swapaxes(1, 2).astype(np.float64)


class TrainingParts(Sequence["Part"]):
    """The newest training rows of each entity, made when asked for, so that many entities cost no memory."""

    def __init__(self, series: Series) -> None:
        self.series = series

    def __len__(self) -> int:
        return len(self.series.row0)

    @overload
    def __getitem__(self, entity: int) -> Part: ...
    @overload
    def __getitem__(self, entity: slice) -> list[Part]: ...
    def __getitem__(self, entity: int | slice) -> Part | list[Part]:
        chosen = range(len(self))[entity]
        if isinstance(chosen, range):
            return [self[i] for i in chosen]
        stop = int(self.series.train_length[chosen])
        return self.series.part(chosen, max(0, stop - MAX_SEASON_ROWS), stop)


def base_level(window: Reals, ahead: Reals, channels: Sequence[int]) -> Reals:
    """Level of each channel, ``[n, C]``: mean of the base ahead ``[n, D, H]``, or of a window ``[n, C, L]``
    of another channel.
    """
    level = window.mean(axis=2)
    for k, channel in enumerate(channels):
        if channel < ahead.shape[1]:
            level[:, k] = ahead[:, channel].mean(axis=1)
    return np.asarray(level)
