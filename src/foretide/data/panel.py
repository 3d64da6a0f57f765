"""The panel: entities x time x columns on one regular grid, every column with a role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.tables.form import Origin
from foretide.data.time.grid import Grid
from foretide.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Names:
    """Column names of the frame the panel came from, so that answers speak the user's language."""

    id: str = "unique_id"
    time: str = "ds"
    backend: str = "pandas"


@dataclass(frozen=True)
class Static:
    """What does not change over time, one row per entity.

    Attributes
    ----------
    names : tuple of str
    values : float array ``[N, S]``
        Numbers as they are, categories as codes.
    categories : dict
        Column name -> its categories in the order of the codes (absent for numbers).
    """

    names: tuple[str, ...] = ()
    values: NDArray[np.floating] = field(default_factory=lambda: np.zeros((0, 0)))
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Panel:
    """Many series on one regular time grid.

    All rows of all entities stand in one contiguous array; entity ``i`` owns the rows
    ``row0[i] .. row0[i] + length[i] - 1``, oldest first, and its first row lies at grid step ``first[i]``.
    Columns are ordered targets, past, future. A missing cell is NaN.

    Attributes
    ----------
    grid : Grid
    ids : tuple of str
        Names of the entities, ``N`` of them (``("",)`` for one unnamed entity).
    values : float array ``[R, C]``
    row0, length, first : int arrays ``[N]``
    targets, past, future : tuples of str
        Roles: what is forecast; known up to the cutoff; known ahead.
    static : Static
    names : Names
    origin : Origin or None
        The file it was read from, and how that is written.
    categories : dict
        Text column among ``past`` and ``future`` -> its categories in the order of the codes that ``values`` holds;
        NaN is none of them.
    indicators : dict
        Text column that a model sees as 0/1 columns, one per category -> their names.
    """

    grid: Grid
    ids: tuple[str, ...]
    values: NDArray[np.floating]
    row0: NDArray[np.int64]
    length: NDArray[np.int64]
    first: NDArray[np.int64]
    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: Static = field(default_factory=Static)
    names: Names = field(default_factory=Names)
    origin: Origin | None = None
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    indicators: dict[str, tuple[str, ...]] = field(default_factory=dict)

    # ---------------------------------------------------------------- construction
    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        id: str | Sequence[str] | None = "unique_id",
        time: str = "ds",
        target: str | Sequence[str] = "y",
        past: Sequence[str] = (),
        future: Sequence[str] = (),
        static: Sequence[str] = (),
        freq: str | int | None = None,
        **options: Any,
    ) -> Panel:
        """Build a panel from a long frame; see :func:`foretide.data.reading.panels.from_frame`."""
        from foretide.data.reading.panels import from_frame

        return from_frame(
            frame, id=id, time=time, target=target, past=past, future=future, static=static, freq=freq, **options
        )

    @classmethod
    def from_wide(
        cls,
        frame: Any,
        *,
        time: str = "ds",
        target: str | Sequence[str],
        past: Sequence[str] | str = (),
        future: Sequence[str] = (),
        freq: str | int | None = None,
        **options: Any,
    ) -> Panel:
        """Build a panel of one entity whose columns are series; see :func:`foretide.data.reading.panels.from_wide`."""
        from foretide.data.reading.panels import from_wide

        return from_wide(frame, time=time, target=target, past=past, future=future, freq=freq, **options)

    @classmethod
    def read(cls, path: str | PathLike[str], **options: Any) -> Panel:
        """Read a CSV or Parquet file into a panel; see :func:`foretide.data.reading.panels.read`."""
        from foretide.data.reading.panels import read

        return read(path, **options)

    # ---------------------------------------------------------------- shape and names
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
    def last(self) -> NDArray[np.int64]:
        """Grid step of each entity's last row, ``[N]``."""
        return self.first + self.length - 1

    @cached_property
    def observed(self) -> NDArray[np.int64]:
        """Rows of each entity up to its last observed target, ``[N]`` (later rows hold known-future values only)."""
        counts = np.zeros(self.n_entities, dtype=np.int64)
        for i in range(self.n_entities):
            seen = np.flatnonzero(~np.isnan(self.rows(i)[:, : self.n_targets]).all(axis=1))
            counts[i] = seen[-1] + 1 if seen.size else 0
        return counts

    def rows(self, entity: int) -> NDArray[np.floating]:
        """Values of one entity, a view ``[T_i, C]``."""
        start = self.row0[entity]
        return self.values[start : start + self.length[entity]]

    def index(self, column: str) -> int:
        """Position of a column in ``values``; a :class:`DataError` names the nearest column otherwise."""
        try:
            return self.columns.index(column)
        except ValueError:
            raise DataError(f"The panel has no column {column!r}. {nearest(column, self.columns)}") from None

    def entity(self, name: str) -> int:
        """Position of an entity; a :class:`DataError` names the nearest one otherwise."""
        try:
            return self.ids.index(name)
        except ValueError:
            raise DataError(f"The panel has no entity {name!r}. {nearest(name, self.ids)}") from None

    def series_name(self, entity: int, target: int) -> str:
        """Name of one series: the entity, the target, or ``entity/target`` where both are needed."""
        if self.ids[entity] == "":
            return self.targets[target]
        return self.ids[entity] if self.n_targets == 1 else f"{self.ids[entity]}/{self.targets[target]}"

    @property
    def series(self) -> tuple[str, ...]:
        """Names of all series, entities outer, targets inner."""
        return tuple(self.series_name(i, d) for i in range(self.n_entities) for d in range(self.n_targets))

    def __repr__(self) -> str:
        roles = ", ".join(f"{len(c)} {r}" for r, c in (("past", self.past), ("future", self.future)) if c)
        roles += f" ({len(self.categories)} text)" if self.categories else ""
        start, end = self.grid.output_times([self.first.min(), self.last.max()]) if self.ids else ("-", "-")
        return (
            f"Panel({self.n_entities} entities x {self.n_targets} targets{', ' + roles if roles else ''}; "
            f"{int(self.length.sum())} rows, every {self.grid.freq}, {start} to {end})"
        )

    def _repr_html_(self) -> str:
        from html import escape

        roles = [("forecast", self.targets), ("known up to the cutoff", self.past), ("known ahead", self.future)]
        roles += [("static", self.static.names), ("entities", self.ids if self.ids != ("",) else ())]
        rows = "".join(
            f"<tr><th>{what}</th><td>{escape(', '.join(names[:12]) + (', …' if len(names) > 12 else ''))}</td></tr>"
            for what, names in roles
            if names
        )
        labels = "; ".join(f"{name}: {', '.join(found[:12])}" for name, found in self.categories.items())
        rows += f"<tr><th>categories</th><td>{escape(labels)}</td></tr>" if labels else ""
        missing = sum(int(np.isnan(self.rows(i)).sum()) for i in range(self.n_entities))
        rows += f"<tr><th>missing cells</th><td>{missing}</td></tr>"
        return f"<div><p><b>{escape(repr(self))}</b></p><table>{rows}</table></div>"

    # ---------------------------------------------------------------- parts of it
    def until(self, time: Any) -> Panel:
        """Return the part up to and including ``time``: a view, nothing is copied.

        Entities that start later are dropped. Raises :class:`DataError` when nothing is left.
        """
        step = self.grid.step_at_or_before(time)
        keep = np.clip(step - self.first + 1, 0, self.length)
        if not keep.any():
            starts = self.grid.output_times([self.first.min()])[0]
            raise DataError(f"No series has a value up to {time!s}: the panel starts at {starts}.")
        chosen = np.flatnonzero(keep)
        return replace(self.take(chosen), length=keep[chosen])

    def since(self, time: Any) -> Panel:
        """Return the part from ``time`` on, ``time`` included: a view, nothing is copied.

        Entities that end earlier are dropped. Raises :class:`DataError` when nothing is left.
        """
        step = self.grid.step_at_or_before(time)
        step += int(self.grid.times([step])[0] != self.grid.normalise(time))
        drop = np.clip(step - self.first, 0, self.length)
        chosen = np.flatnonzero(self.length - drop > 0)
        if not chosen.size:
            ends = self.grid.output_times([self.last.max()])[0]
            raise DataError(f"No series has a value from {time!s} on: the panel ends at {ends}.")
        later = replace(self, row0=self.row0 + drop, first=self.first + drop, length=self.length - drop)
        return later.take(chosen)

    def head(self, rows: NDArray[np.int64]) -> Panel:
        """Return the first ``rows`` ``[N]`` of each entity: a view. Entities of which nothing is left are dropped."""
        keep = np.clip(rows, 0, self.length)
        chosen = np.flatnonzero(keep)
        cut = self if len(chosen) == self.n_entities else self.take(chosen)
        return cut if np.array_equal(cut.length, keep[chosen]) else replace(cut, length=keep[chosen])

    def take(self, entities: Iterable[int]) -> Panel:
        """Return the panel with these entities (positions) only, sharing the values."""
        chosen = np.asarray(list(entities), dtype=np.int64)
        static = self.static
        if static.names:
            static = replace(static, values=static.values[chosen])
        return replace(
            self,
            ids=tuple(self.ids[i] for i in chosen),
            row0=self.row0[chosen],
            length=self.length[chosen],
            first=self.first[chosen],
            static=static,
        )

    def with_values(self, values: NDArray[np.floating]) -> Panel:
        """Return the same panel over other values of the same shape ``[R, C]``."""
        if values.shape != self.values.shape:
            raise ConfigError(f"Expected values of shape {self.values.shape}, got {values.shape}.")
        return replace(self, values=values)

    def to_frame(self) -> Any:
        """Return a long frame (id, time, columns) of the kind the panel was made from."""
        from foretide.data.reading.panels import panel_to_frame

        return panel_to_frame(self)
