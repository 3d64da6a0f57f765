"""How the rows of many series lie in one array, and what its columns and series are called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from foretide.data.scratch import Mapping, as_mapping
from foretide.data.time.grid import Grid
from foretide.errors import DataError, nearest
from foretide.typing import Ints, Reals

_FAR = np.iinfo(np.int64).max
_AT_ONCE = 100_000
"""Rows looked at together in search of the last observed ones."""


@dataclass(frozen=True, eq=False)
class Shape:
    """Rows of entities under columns with roles; :class:`foretide.data.panel.Panel` says what each field holds.

    Attributes
    ----------
    grid, ids, values, row0, length, first, targets, past, future
        As of :class:`foretide.data.panel.Panel`.
    """

    grid: Grid
    ids: tuple[str, ...]
    values: Reals
    row0: Ints
    length: Ints
    first: Ints
    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()

    def __getstate__(self) -> dict[str, object]:
        """Values that are mapped from a file go to other processes as its name."""
        return {**self.__dict__, "values": as_mapping(self.values)}

    def __setstate__(self, state: dict[str, object]) -> None:
        values = state["values"]
        self.__dict__.update(state, values=values.open() if isinstance(values, Mapping) else values)

    @property
    def n_entities(self) -> int:
        """Number of entities, ``N``."""
        return len(self.ids)

    @property
    def n_targets(self) -> int:
        """Number of targets, ``D``."""
        return len(self.targets)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in the order of ``values``."""
        return self.targets + self.past + self.future

    @property
    def last(self) -> Ints:
        """Grid step of each entity's last row, ``[N]``."""
        return self.first + self.length - 1

    @cached_property
    def observed(self) -> Ints:
        """Rows of each entity up to its last observed target, ``[N]`` (later rows hold known-future values only)."""
        counts, reach = self.length.copy(), 8
        open_ = np.flatnonzero(counts)
        while open_.size:  # from the end backwards, where hardly anything is missing
            size = np.minimum(reach, counts[open_])
            ends = self.row0[open_] + counts[open_]
            back = np.repeat(np.cumsum(size), size) - np.arange(size.sum())
            rows = self.values[np.repeat(ends, size) - back, : self.n_targets]
            seen = ~np.isnan(rows).all(axis=1)
            last = np.maximum.reduceat(np.where(seen, -back, -_FAR), np.cumsum(size) - size)
            found = last > -_FAR
            counts[open_] += np.where(found, last + 1, -size)
            open_ = open_[~found & (counts[open_] > 0)]
            reach = min(2 * reach, max(8, _AT_ONCE // max(len(open_), 1)))
        return counts

    def rows(self, entity: int) -> Reals:
        """Return the values of one entity.

        Parameters
        ----------
        entity : int
            Its position.

        Returns
        -------
        float array ``[T_i, C]``
            A view.
        """
        start = self.row0[entity]
        return self.values[start : start + self.length[entity]]

    def index(self, column: str) -> int:
        """Return the position of a column in ``values``.

        Parameters
        ----------
        column : str

        Returns
        -------
        int

        Raises
        ------
        DataError
            For a column that is not there; it names the nearest one.
        """
        return self._position("column", column, self.columns)

    def entity(self, name: str) -> int:
        """Return the position of an entity.

        Parameters
        ----------
        name : str

        Returns
        -------
        int

        Raises
        ------
        DataError
            For an entity that is not there; it names the nearest one.
        """
        found = self._places.get(name)
        return self._position("entity", name, self.ids) if found is None else found

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.ids)}

    @staticmethod
    def _position(kind: str, name: str, known: tuple[str, ...]) -> int:
        try:
            return known.index(name)
        except ValueError:
            raise DataError(f"The panel has no {kind} {name!r}. {nearest(name, known)}") from None

    def series_name(self, entity: int, target: int) -> str:
        """Return the name of one series: the entity, the target, or ``entity/target`` where both are needed.

        Parameters
        ----------
        entity, target : int
            Their positions.

        Returns
        -------
        str
        """
        if self.ids[entity] == "":
            return self.targets[target]
        return self.ids[entity] if self.n_targets == 1 else f"{self.ids[entity]}/{self.targets[target]}"

    @property
    def series(self) -> tuple[str, ...]:
        """Names of all series, entities outer, targets inner."""
        one, targets = self.n_targets == 1, self.targets
        return tuple(t if name == "" else name if one else f"{name}/{t}" for name in self.ids for t in targets)
