"""From a panel to scaled arrays without gaps, by what the training part taught (numpy, no torch)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from foretide.data import scratch
from foretide.data.panel import Panel
from foretide.data.pieces import PIECE_ROWS, pieces, rows_of
from foretide.data.scaling import Scaler
from foretide.data.time.calendar import Calendar
from foretide.data.windows import first_rows
from foretide.errors import DataError, nearest
from foretide.models.known_basis import trailing_means
from foretide.models.season_term import SHARED
from foretide.models.series import Series
from foretide.training.calendar_table import CalendarBlocks, CalendarTable
from foretide.training.saved import arrays_of, prefixed, restored, under
from foretide.typing import Array, Bools, Floats, Ints, Reals, Singles


@dataclass(frozen=True, eq=False)
class Preparation:
    """What the training part taught about scales.

    Attributes
    ----------
    ids : tuple of str
        Entities of the fitted panel, ``N``.
    location, scale : ``[N, C]``
        Of targets and past columns.
    known_location, known_scale : ``[F]``
        Of the known-future columns, over all entities.
    static_location, static_scale : ``[S]``
    calendar : Calendar or None
    trails : int array
        Spans in steps over which known-future columns are averaged too, each mean a column beside them.
    trail_columns : int array
        Known-future columns of which there are such means.
    """

    ids: tuple[str, ...]
    location: Floats
    scale: Floats
    known_location: Floats
    known_scale: Floats
    static_location: Floats = field(default_factory=lambda: np.zeros(0))
    static_scale: Floats = field(default_factory=lambda: np.zeros(0))
    calendar: Calendar | None = None
    trails: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    trail_columns: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @classmethod
    def fit(
        cls, train: Panel, calendar: Calendar | None, uncentred: Bools | None = None
    ) -> Preparation:  # fmt: skip
        """Learn locations and scales from a training part.

        ``uncentred`` ``[D]`` marks targets that are scaled but keep their zero, as counts do.
        """
        c, f = len(train.targets) + len(train.past), len(train.future)
        scaler = Scaler.fit(train, train.targets + train.past)
        location = scaler.location.copy()
        if uncentred is not None:
            location[:, : train.n_targets][:, uncentred] = 0.0
        rows = int(train.length.sum())
        known_location, known_scale = pooled_moments(
            lambda: (
                rows_of(train, low, min(low + PIECE_ROWS, rows), slice(c, None)).astype(np.float64)
                for low in range(0, rows, PIECE_ROWS)
            )
        ) if f else (np.zeros(0), np.ones(0))  # fmt: skip
        static_location, static_scale = moments(train.static.values) if train.static.names else (
            np.zeros(0), np.ones(0))  # fmt: skip
        return cls(
            train.ids, location, scaler.scale, known_location, known_scale,
            static_location, static_scale, calendar,
        )  # fmt: skip

    def arrays(self) -> dict[str, Array]:
        """Everything that is an array, by names that begin with ``preparation.``, for saving."""
        return prefixed("preparation.", arrays_of(self))

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, Array], ids: tuple[str, ...], calendar: Calendar | None
    ) -> Preparation:  # fmt: skip
        """Rebuild from :meth:`arrays`."""
        return restored(cls, under("preparation.", arrays), {"ids": ids, "calendar": calendar})

    def positions(self, panel: Panel) -> Ints:
        """Position of each of the panel's entities among the fitted ones, ``[N']``."""
        return positions_among(self.ids, panel)

    def for_new(self, panel: Panel, uncentred: Bools | None = None) -> Preparation:
        """Return the preparation of entities that were not there at fit: scales are those of their own rows.

        Parameters
        ----------
        panel : Panel
            Their windows, each an entity of its own that ends at its cutoff.
        uncentred : bool array ``[D]``, optional
            As in :meth:`fit`.
        """
        own = Preparation.fit(panel, self.calendar, uncentred)
        names = ("known_location", "known_scale", "static_location", "static_scale", "trails", "trail_columns")
        return replace(own, **{name: getattr(self, name) for name in names})

    def n_known(self, panel: Panel) -> int:
        """Number of known-future columns, calendar included, ``G``."""
        return len(self.known_names(panel))

    def known_names(self, panel: Panel) -> tuple[str, ...]:
        """Names of the known-future columns: the panel's own, their trailing means, the calendar's."""
        means = (f"{panel.future[k]} (mean of {span})" for span in self.trails for k in self.trail_columns)
        return (*panel.future, *means, *(self.calendar.names(panel.grid) if self.calendar else ()))

    def values(self, panel: Panel) -> Singles:
        """Scaled targets and past columns, gaps carried forward, entities without holes, ``[R, C]``.

        A gap before the first value becomes 0, the training mean. Only earlier rows fill later ones.
        """
        c, where = self.location.shape[1], self.positions(panel)
        out = scratch.empty((int(panel.length.sum()), c), np.float32, like=panel.values)
        carried = np.zeros(c, dtype=np.float32)
        for piece in pieces(panel.length, 8 * c):
            own = where[piece.entity] if piece.high - piece.low > 1 else where[piece.low : piece.high]
            rows = rows_of(panel, piece.start, piece.stop, slice(0, c)).astype(np.float64)
            with np.errstate(over="ignore"):  # what float32 cannot hold counts as missing
                part = ((rows - self.location[own]) / self.scale[own]).astype(np.float32)
            carried = _carry_forward(part, np.zeros_like(carried) if piece.begins else carried, piece.starts)
            out[piece.start : piece.stop] = part
        return out

    def future(self, panel: Panel, h: int) -> Singles | None:
        """Scaled known-future columns and trailing means, ``[R + N h, F]``, ``h`` rows more per entity than the panel.

        A gap up to the last observed target carries the last value forward, or is 0, the training mean, before the
        first one. Later ones stay NaN: they are the future, and are asked for.
        """
        f, c = len(panel.future), self.location.shape[1]
        if not f:
            return None
        width = f + len(self.trails) * len(self.trail_columns)
        out = scratch.empty((int(panel.length.sum()) + h * panel.n_entities, width), np.float32, like=panel.values)
        start = 0
        for i in range(panel.n_entities):
            rows, carried = panel.rows(i)[:, c:], np.zeros(f, dtype=np.float32)
            for low in range(0, len(rows), PIECE_ROWS):
                own = out[start + low : start + min(low + PIECE_ROWS, len(rows))]
                own[:, :f] = (rows[low : low + PIECE_ROWS] - self.known_location) / self.known_scale
                if panel.observed[i] > low:
                    carried = _carry_forward(own[: panel.observed[i] - low, :f], carried)
            own = out[start : start + len(rows)]
            for k, span in enumerate(self.trails.tolist()):
                at = f + k * len(self.trail_columns) + np.arange(len(self.trail_columns))
                own[:, at] = trailing_means(own[:, self.trail_columns], span)
            out[start + len(rows) : start + len(rows) + h] = np.nan
            start += len(rows) + h
        return out

    def calendar_table(self, panel: Panel, h: int) -> CalendarTable | CalendarBlocks | None:
        """Calendar features of every step of the panel and ``h`` after it."""
        if self.calendar is None or not self.calendar.names(panel.grid):
            return None
        return CalendarTable.build(self.calendar, panel.grid, int(panel.first.min()), int(panel.last.max()) + h)

    def static(self, panel: Panel) -> Singles | None:
        """Scaled static columns, ``[N', S]``; 0, the mean, where one is missing."""
        if len(panel.static.names) != len(self.static_location):
            raise DataError(
                f"The model was fitted with {len(self.static_location)} static columns, this panel has "
                f"{list(panel.static.names)}. Give the same static columns."
            )
        if not panel.static.names:
            return None
        scaled = (panel.static.values - self.static_location) / self.static_scale
        return np.nan_to_num(np.asarray(scaled, dtype=np.float32))

    def series(
        self,
        panel: Panel,
        values: Singles,
        future: Singles | None,
        calendar: CalendarTable | CalendarBlocks | None,
        train_rows: Ints,
    ) -> Series:
        """What the closed-form start reads: scaled values, known columns and the training part's lengths ``[N]``.

        ``future`` and ``calendar`` as :meth:`future` and :meth:`calendar_table` give them; None leaves them out.
        """
        row0 = first_rows(panel.length)
        h = 0 if future is None else (len(future) - len(values)) // panel.n_entities

        def dates(first: int, n: int) -> Singles:
            assert calendar is not None
            found = calendar.at(np.arange(first, first + n))
            found.flags.writeable = False
            return found

        # Many entities stand on the same short stretch of steps, and are given one array.
        shared = lru_cache(maxsize=4)(dates)

        def known(entity: int, low: int, high: int) -> Singles:
            parts = []
            if future is not None:
                start = row0[entity] + entity * h
                parts.append(np.nan_to_num(future[start + low : start + high]))
            if calendar is not None:
                made = shared if high - low <= SHARED else dates
                parts.append(made(int(panel.first[entity]) + low, high - low))
            return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

        has_known = future is not None or calendar is not None
        train_length = np.minimum(train_rows, panel.observed)
        return Series(
            values, known if has_known else None, panel.first, row0, panel.length, train_length, panel.n_targets
        )

    def unscale(self, panel: Panel, entity: Ints, values: Array) -> Floats:
        """Targets in scaled units ``[W, H, D, ...]`` -> original units, for entities ``[W]``."""
        where = self.positions(panel)[entity]
        d = panel.n_targets
        shape = (len(entity), 1, d) + (1,) * (values.ndim - 3)
        scale, location = self.scale[where, :d].reshape(shape), self.location[where, :d].reshape(shape)
        return np.asarray(values, dtype=np.float64) * scale + location


def _carry_forward(part: Singles, carried: Singles, starts: Ints | None = None) -> Singles:
    """Fill gaps of ``part`` in place from the rows above and ``carried``; return its last row.

    ``starts``: first rows of the series in it, 0 first; before the first value of all but the first one stands 0.
    """
    missing = ~np.isfinite(part)
    for column in np.flatnonzero(missing.any(axis=0)):
        seen = np.where(missing[:, column], -1, np.arange(len(part)))
        np.maximum.accumulate(seen, out=seen)
        filled = np.where(seen < 0, carried[column], part[seen, column])
        if starts is not None and len(starts) > 1:
            first = np.repeat(starts, np.diff(np.append(starts, len(part))))
            filled[(seen < first) & (first > 0)] = 0.0
        part[:, column] = filled
    last: Singles = part[-1].copy()
    return last


def moments(values: Reals) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column; 0 and 1 where there is no value, scale 1 where it does not vary."""
    return pooled_moments(lambda: (values,))


def pooled_moments(parts: Callable[[], Iterable[Reals]]) -> tuple[Floats, Floats]:
    """As :func:`moments`, of a table that comes in parts, twice."""
    counts, sums, squares = np.zeros((), np.int64), np.zeros(()), np.zeros(())
    for x in parts():
        seen = ~np.isnan(x)
        counts, sums = counts + seen.sum(axis=0), sums + np.where(seen, x, 0.0).sum(axis=0)
    counts = np.maximum(counts, 1)
    location = np.asarray(sums / counts)
    for x in parts():
        squares = squares + (np.where(np.isnan(x), 0.0, x - location) ** 2).sum(axis=0)
    scale = np.sqrt(squares / counts)
    # A constant column keeps a spread of rounding, which must not blow up the first other value it takes.
    return location, np.where(scale > 1e-12 * np.abs(location), scale, 1.0)


def positions_among(ids: Sequence[str], panel: Panel) -> Ints:
    """Position of each of the panel's entities among those that were fitted.

    Parameters
    ----------
    ids : sequence of str
        The fitted ones.
    panel : Panel

    Returns
    -------
    int array ``[N']``

    Raises
    ------
    DataError
        When one was not there; the nearest name is suggested.
    """
    known = {name: i for i, name in enumerate(ids)}
    for name in panel.ids:
        if name not in known:
            raise DataError(
                f"Entity {name!r} has no rows in the training part this model was fitted on. Fit again with a training "
                f"part that holds it, or leave it out. {nearest(name, ids)}"
            )
    return np.array([known[name] for name in panel.ids], dtype=np.int64)
