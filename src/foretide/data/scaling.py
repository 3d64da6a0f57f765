"""Scalers per entity and column that remember the slice they saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from foretide.data import scratch
from foretide.data.pieces import PIECE_BYTES, PIECE_ROWS, Piece, pieces, rows_of
from foretide.data.record import Record
from foretide.data.windows import first_rows
from foretide.errors import ConfigError, DataError, nearest
from foretide.typing import Floats, Ints, Json, Reals

if TYPE_CHECKING:
    from collections.abc import Callable

    from foretide.data.panel import Panel

    Fit = Callable[[Panel, list[int]], tuple[Floats, Floats]]


@dataclass(frozen=True, eq=False)
class Scaler(Record):
    """Shift and scale of every entity and column: ``(x - location) / scale``.

    Attributes
    ----------
    kind : str
        ``"standard"``, ``"robust"``, ``"minmax"`` or ``"none"``; see :data:`SCALERS`.
    columns : tuple of str
    ids : tuple of str
    location, scale : float64 arrays ``[N, C]``
        Scale is positive; 1 where a column does not vary. A column without values has location 0 and scale 1.
    seen_from, seen_to : time as text, or int
        First and last time of the slice the scaler was fitted on.
    rows : int
        Rows in that slice.
    """

    kind: str
    columns: tuple[str, ...]
    ids: tuple[str, ...]
    location: Floats
    scale: Floats
    seen_from: str | int
    seen_to: str | int
    rows: int

    @classmethod
    def fit(cls, panel: Panel, columns: Sequence[str] | None = None, *, kind: str = "standard") -> Scaler:
        """Fit on every row of a panel, which is the training part.

        Parameters
        ----------
        panel : Panel
            Cut it first: ``panel.until(split.train_until)``.
        columns : sequence of str, optional
            All by default.
        kind : {"standard", "robust", "minmax", "none"}
            Mean and standard deviation (of the population); median and interquartile range divided by 1.349, which
            is a standard deviation on normal data; smallest value and range; 0 and 1.

        Returns
        -------
        Scaler

        Raises
        ------
        ConfigError
            For a kind that is none.
        DataError
            For a panel without series.

        Examples
        --------
        >>> import foretide as ft
        >>> from foretide.data.scaling import Scaler
        >>> panel = ft.synthetic.hourly(T=100).panel
        >>> scaled = Scaler.fit(panel, ["x1"]).transform_panel(panel)
        >>> round(float(scaled.values[:, 0].std()), 6)
        1.0
        """
        if kind not in SCALERS:
            raise ConfigError(f"There is no scaler {kind!r}. {nearest(kind, SCALERS)}")
        if not panel.n_entities:
            raise DataError("The panel has no series to fit a scaler on.")
        names = panel.columns if columns is None else tuple(columns)
        which = [panel.index(name) for name in names]
        location, scale = _safe(*SCALERS[kind](panel, which))
        seen = panel.grid.output_times([int(panel.first.min()), int(panel.last.max())])
        first, last = (int(t) if panel.grid.is_integer else str(t) for t in seen)
        return cls(kind, names, panel.ids, location, scale, first, last, int(panel.length.sum()))

    def _beside(
        self, values: Reals | Sequence[float], entity: Ints | int, columns: Sequence[str] | None
    ) -> tuple[Reals, Floats, Floats]:
        """Return values ``[n, ..., C]`` as an array, and location and scale in a shape that goes with it."""
        for column in columns or ():
            if column not in self.columns:
                raise ConfigError(f"The scaler was not fitted on column {column!r}. {nearest(column, self.columns)}")
        which = [self.columns.index(c) for c in (self.columns if columns is None else columns)]
        table = np.asarray(values)
        parts = [part[entity][..., which] for part in (self.location, self.scale)]
        if parts[0].ndim > 1 and table.ndim > parts[0].ndim:
            parts = [part.reshape(len(part), *(1,) * (table.ndim - 2), len(which)) for part in parts]
        return table, parts[0], parts[1]

    def transform(
        self, values: Reals | Sequence[float], entity: Ints | int = 0, columns: Sequence[str] | None = None
    ) -> Reals:
        """Scale values.

        Parameters
        ----------
        values : array ``[..., C]``
            Last axis in the order of ``columns``.
        entity : int or int array ``[n]``
            Entity of all values, or of each along their first axis.
        columns : sequence of str, optional
            Those of the last axis; all fitted ones by default.

        Returns
        -------
        float array of the shape of ``values``
        """
        values, location, scale = self._beside(values, entity, columns)
        return np.asarray((values - location) / scale)

    def inverse(
        self, values: Reals | Sequence[float], entity: Ints | int = 0, columns: Sequence[str] | None = None
    ) -> Reals:
        """Undo :meth:`transform`.

        Parameters
        ----------
        values, entity, columns
            As in :meth:`transform`.

        Returns
        -------
        float array of the shape of ``values``
        """
        values, location, scale = self._beside(values, entity, columns)
        return np.asarray(values * scale + location)

    def transform_panel(self, panel: Panel) -> Panel:
        """Return the panel with its fitted columns scaled; other columns stay as they are.

        Parameters
        ----------
        panel : Panel
            Entities are matched by name.

        Returns
        -------
        Panel
            A copy, float dtype kept.

        Raises
        ------
        DataError
            For an entity that was not fitted.
        """
        position = {name: i for i, name in enumerate(self.ids)}
        unknown = [name for name in panel.ids if name not in position]
        if unknown:
            raise DataError(f"The scaler was not fitted on series {unknown[0]!r}. {nearest(unknown[0], self.ids)}")
        place = np.array([position[name] for name in panel.ids], dtype=np.int64)
        which = [panel.index(name) for name in self.columns]
        values = scratch.empty((int(panel.length.sum()), len(panel.columns)), panel.values.dtype, like=panel.values)
        for piece in pieces(panel.length, values.shape[1] * 8):
            own, rows = place[piece.entity], rows_of(panel, piece.start, piece.stop)
            part = values[piece.start : piece.stop]
            part[:] = rows
            part[:, which] = (rows[:, which] - self.location[own]) / self.scale[own]
        return replace(panel, values=values, row0=first_rows(panel.length))

    @classmethod
    def from_dict(cls, facts: Json) -> Self:
        """Rebuild a scaler from :meth:`to_dict`.

        Parameters
        ----------
        facts : dict

        Returns
        -------
        Scaler

        Raises
        ------
        ConfigError
            Where one is missing.
        """
        missing = [name for name in cls.__dataclass_fields__ if name not in facts]
        if missing:
            raise ConfigError(f"These are no facts of a scaler: {', '.join(missing)} missing.")
        shape = len(facts["ids"]), len(facts["columns"])
        arrays = {name: np.array(facts[name], dtype=np.float64).reshape(shape) for name in ("location", "scale")}
        return super().from_dict({**facts, **arrays})


def _safe(location: Floats, scale: Floats) -> tuple[Floats, Floats]:
    """Replace unknown locations by 0 and scales of columns that do not vary (rounding apart) by 1."""
    location = np.where(np.isfinite(location), location, 0.0)
    varies = np.isfinite(scale) & (scale > 1e-12 * np.maximum(np.abs(location), 1e-290))
    return location, np.where(varies, scale, 1.0)


def _parts(panel: Panel, which: list[int]) -> Iterator[tuple[Piece, slice, Floats]]:
    """Yield pieces, which of the columns, and their values ``[C', n]``, a column contiguous."""
    for piece in pieces(panel.length, 8 * len(which), PIECE_ROWS):
        wide = max(1, PIECE_BYTES // (8 * (piece.stop - piece.start)))
        for k in range(0, len(which), wide):
            some = slice(k, k + wide)
            yield (
                piece,
                some,
                np.ascontiguousarray(rows_of(panel, piece.start, piece.stop, which[some]).T, dtype=np.float64),
            )


def _standard(panel: Panel, which: list[int]) -> tuple[Floats, Floats]:
    counts, sums, squares = np.zeros((3, panel.n_entities, len(which)))
    for piece, some, x in _parts(panel, which):
        own = np.s_[piece.low : piece.high, some]
        known = ~np.isnan(x)
        counts[own] += np.add.reduceat(known, piece.starts, axis=1, dtype=np.float64).T
        with np.errstate(invalid="ignore", over="ignore"):
            sums[own] += np.add.reduceat(np.where(known, x, 0.0), piece.starts, axis=1).T
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = sums / counts
        # The second pass around the mean keeps a small spread on a large level exact.
        for piece, some, x in _parts(panel, which):
            rest = x - mean[piece.entity, some].T
            rest[np.isnan(x)] = 0.0
            squares[piece.low : piece.high, some] += np.add.reduceat(rest * rest, piece.starts, axis=1).T
        return mean, np.sqrt(squares / counts)


def _minmax(panel: Panel, which: list[int]) -> tuple[Floats, Floats]:
    low, high = np.full((2, panel.n_entities, len(which)), np.nan)
    for piece, some, x in _parts(panel, which):
        own = np.s_[piece.low : piece.high, some]
        low[own] = np.fmin(low[own], np.fmin.reduceat(x, piece.starts, axis=1).T)
        high[own] = np.fmax(high[own], np.fmax.reduceat(x, piece.starts, axis=1).T)
    return low, high - low


def _robust(panel: Panel, which: list[int]) -> tuple[Floats, Floats]:
    quartiles = np.full((3, panel.n_entities, len(which)), np.nan)
    for i in range(panel.n_entities):
        for k, c in enumerate(which):
            own = panel.rows(i)[:, c].astype(np.float64)
            known = own[~np.isnan(own)]
            if known.size:
                quartiles[:, i, k] = np.quantile(known, (0.25, 0.5, 0.75))
    return quartiles[1], (quartiles[2] - quartiles[0]) / 1.3489795003921634


def _none(panel: Panel, which: list[int]) -> tuple[Floats, Floats]:
    return np.zeros((panel.n_entities, len(which))), np.ones((panel.n_entities, len(which)))


SCALERS: dict[str, Fit] = {"standard": _standard, "robust": _robust, "minmax": _minmax, "none": _none}
