"""What the closed-form start reads of a panel: scaled values as one store, in parts, and a base to be corrected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
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

    def runs(self, low: int, high: int, most: int) -> Iterator[tuple[slice, int, int]]:
        """Cut rows ``low .. high - 1`` into entities, begin and end: neighbours that stand on the same steps together.

        ``begin .. end - 1`` are rows of each of them; together they are ``most`` at most, or one entity's.
        """
        first = int(np.searchsorted(self.row0, low, side="right")) - 1
        own = slice(first, int(np.searchsorted(self.row0, high)))
        spans = [
            (start, max(0, low - row0), min(high - row0, length))
            for start, row0, length in zip(
                *(of[own].tolist() for of in (self.first, self.row0, self.length)), strict=True
            )
        ]
        for (_, begin, end), alike in groupby(spans):
            size, last = max(1, most // max(end - begin, 1)), first + sum(1 for _ in alike)
            for entity in range(first, last, size):
                yield slice(entity, min(entity + size, last)), begin, end
            first = last

    def known_of(self, entities: slice, low: int, high: int) -> Reals | None:
        """Known columns of rows ``low .. high - 1`` of entities, ``[n, G]`` where all share them, or ``[N, n, G]``."""
        return stacked([self.part(entity, low, high)[2] for entity in range(entities.start, entities.stop)])


def stacked(known: Sequence[Reals | None]) -> Reals | None:
    """Put known columns of several entities together; where they are one and the same array they stay it."""
    each = [one for one in known if one is not None]
    if not each:
        return None
    return each[0] if all(one is each[0] for one in each) else np.stack(each)


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
