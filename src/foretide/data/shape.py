"""How the rows of many series lie in one array, and what its columns and series are called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from foretide.data.time.grid import Grid
from foretide.errors import DataError, nearest
from foretide.typing import Ints, Reals


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
        counts = np.zeros(self.n_entities, dtype=np.int64)
        for i in range(self.n_entities):
            seen = np.flatnonzero(~np.isnan(self.rows(i)[:, : self.n_targets]).all(axis=1))
            counts[i] = seen[-1] + 1 if seen.size else 0
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
        return self._position("entity", name, self.ids)

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
        return tuple(self.series_name(i, d) for i in range(self.n_entities) for d in range(self.n_targets))
