"""What moves the series: the latent state and known-ahead numbers, as they differ from what is usual at a season."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from foretide.data.panel import Panel
from foretide.data.time.ahead import check_known, known_rows
from foretide.data.time.closures import MOST_LEVELS
from foretide.data.windows import Windows
from foretide.forecasters.simple.history import by_entity
from foretide.training.prepare import positions_among
from foretide.training.saved import restored
from foretide.typing import Array, Bools, Floats, Ints, Json

CYCLES = 8
"""What is usual is told by position of the longest season that was seen so many times."""
RATIO = 20.0
"""Positive numbers that vary by less than this within most entities enter by their logarithm, as prices do."""
FARTHEST = 4.0
"""Values farther from the usual one, in standard units, are taken as so far."""
KNOTS = (-1.0, 0.0, 1.0)
"""Where the line of a column that measures something may bend, in standard units: heat and cold may both sell."""
LEAST_SPREAD = 1e-6


@dataclass(frozen=True, eq=False)
class Drivers:
    """Columns of the regressors of log-linear effects, ``K`` of them: latent states first, then known numbers.

    Attributes
    ----------
    ids : tuple of str
        Entities, ``N``.
    columns : tuple of str
        Known-future columns, ``F``.
    states : int
        Latent states among the regressors; 0: none.
    logs, bent : bool ``[F]``
        Columns that enter by their logarithm, and those that enter as a broken line.
    centre : ``[N, F]``
        What is usual of each entity.
    scale : ``[F]``
        Spread around it, the same for all entities: an elasticity means the same everywhere.
    usual : ``[S, K]``
        Mean of each regressor at each position of the season.
    spread : ``[K]``
        Standard deviation of each around that.
    start : Timestamp or int
        Time of the training part's grid step 0, from which positions count.
    """

    ids: tuple[str, ...]
    columns: tuple[str, ...]
    states: int
    logs: Bools
    bent: Bools
    centre: Floats
    scale: Floats
    usual: Floats = field(default_factory=lambda: np.zeros((1, 0)))
    spread: Floats = field(default_factory=lambda: np.ones(0))
    start: pd.Timestamp | int = 0

    @classmethod
    def fit(cls, train: Panel, columns: Sequence[str], z: Floats, seasons: Sequence[int]) -> Drivers:
        """Learn what is usual from a training part.

        Parameters
        ----------
        train : Panel
        columns : sequence of str
            Known-future columns to take in.
        z : ``[R, K']``
            Latent states of its rows; of no columns to leave them out.
        seasons : sequence of int
            Periods, in steps.
        """
        start = int(train.grid.start) if train.grid.is_integer else train.grid.start
        tables = [_known(train, i, columns) for i in range(train.n_entities)]
        cells = np.concatenate(tables)
        logs = _like_prices(tables)
        bent = np.array([len(np.unique(c[~np.isnan(c)])) > MOST_LEVELS for c in cells.T], dtype=bool)
        logged = [_logged(table, logs) for table in tables]
        centre = np.stack([_mean(table) for table in logged]) if columns else np.zeros((train.n_entities, 0))
        centre = np.where(np.isnan(centre), np.nan_to_num(_mean(centre)), centre)
        around = np.concatenate([table - own for table, own in zip(logged, centre, strict=True)])
        scale = np.sqrt(np.nan_to_num(_mean(around**2)))
        scale = np.where(scale > LEAST_SPREAD, scale, 1.0)
        bare = cls(train.ids, tuple(columns), z.shape[1], logs, bent, centre, scale, start=start)
        rows = bare._raw(train, z)
        season = max((s for s in seasons if CYCLES * s <= int(train.observed.max())), default=1)
        position = bare._positions(train, season)
        count = np.maximum(np.bincount(position, minlength=season), 1)[:, None]
        usual = np.stack([np.bincount(position, column, season) for column in rows.T], axis=1) / count
        spread = np.sqrt(((rows - usual[position]) ** 2).mean(axis=0))
        return replace(bare, usual=usual, spread=np.where(spread > LEAST_SPREAD, spread, np.inf))

    def rows(self, panel: Panel, z: Floats) -> Floats:
        """Regressors of a panel's rows, ``[R, K]``, for latent states ``[R, K']``."""
        return (self._raw(panel, z) - self.usual[self._positions(panel, len(self.usual))]) / self.spread

    def ahead(self, panel: Panel, windows: Windows, z_ahead: Floats) -> Floats:
        """Regressors of the steps ahead, ``[W, h, K]``, for latent states ``[W, h, K']``.

        Raises :class:`DataError` for a known number without a value there.
        """
        h = z_ahead.shape[1]
        out = np.empty((len(windows), h, self.usual.shape[1]))
        out[:, :, : self.states] = z_ahead[:, :, : self.states]
        where, f = positions_among(self.ids, panel), len(self.columns)
        for entity, chosen in by_entity(windows) if f else ():
            table = known_rows(panel, entity, h)
            columns = [panel.future.index(name) for name in self.columns]
            cutoffs = windows.cutoff[chosen]
            # What lies ahead of all that was observed must be there; before a column begins, the usual value is.
            ahead_of_all = np.where(np.arange(len(table))[:, None] < panel.observed[entity], 0.0, table)
            check_known(panel, entity, ahead_of_all, cutoffs, h, columns)
            known = self._standard(table[:, columns], int(where[entity]))
            out[chosen, :, self.states :] = known[cutoffs[:, None] + np.arange(1, h + 1)]
        step = panel.first[windows.entity] + windows.cutoff + self._steps_after_start(panel)
        position = (step[:, None] + np.arange(1, h + 1)) % len(self.usual)
        return np.asarray((out - self.usual[position]) / self.spread)

    def for_new(self, panel: Panel) -> Drivers:
        """Return the drivers of entities that were not there at fit: what is usual of them their own past tells."""
        logged = [
            _logged(_known(panel, i, self.columns)[: panel.observed[i]], self.logs) for i in range(panel.n_entities)
        ]
        centre = np.stack([_mean(table) for table in logged])
        return replace(self, ids=panel.ids, centre=np.where(np.isnan(centre), self.centre.mean(axis=0), centre))

    # ---------------------------------------------------------------- saving
    def facts(self) -> Json:
        """Everything that is no array, as JSON."""
        start = self.start if isinstance(self.start, int) else str(self.start)
        return {"ids": list(self.ids), "columns": list(self.columns), "states": self.states, "start": start}

    @classmethod
    def restore(cls, arrays: Mapping[str, Array], facts: Json) -> Drivers:
        """Rebuild from its arrays and :meth:`facts`."""
        start = facts["start"]
        return restored(cls, arrays, facts, {"start": start if isinstance(start, int) else pd.Timestamp(start)})

    # ---------------------------------------------------------------- inside
    def _raw(self, panel: Panel, z: Floats) -> Floats:
        where = positions_among(self.ids, panel)
        known = [self._standard(_known(panel, i, self.columns), int(where[i])) for i in range(panel.n_entities)]
        return np.concatenate([z[:, : self.states], np.concatenate(known)], axis=1)

    def _standard(self, table: Floats, entity: int) -> Floats:
        """Known numbers ``[n, F]`` in standard units, the usual ones where there are none, and how far beyond knots."""
        units = (_logged(table, self.logs) - self.centre[entity]) / self.scale
        units = np.clip(np.nan_to_num(units), -FARTHEST, FARTHEST)
        bends = [np.maximum(units[:, self.bent] - knot, 0.0) for knot in KNOTS]
        return np.concatenate([units, *bends], axis=1)

    def _positions(self, panel: Panel, season: int) -> Ints:
        each = [np.arange(n) + first for first, n in zip(panel.first, panel.length, strict=True)]
        return (np.concatenate(each) + self._steps_after_start(panel)) % season

    def _steps_after_start(self, panel: Panel) -> int:
        return -replace(panel.grid, tz=None).step_at_or_before(self.start)


def known_numbers(train: Panel, events: Sequence[str]) -> tuple[str, ...]:
    """Return the known-future columns that mark no events and are not the same everywhere."""
    names = [name for name in train.future if name not in events]
    if not names:
        return ()
    tables = np.concatenate([_known(train, i, names) for i in range(train.n_entities)])
    spread = np.nan_to_num(_mean((tables - _mean(tables)) ** 2))
    return tuple(name for name, own in zip(names, spread, strict=True) if own > LEAST_SPREAD**2)


def _known(panel: Panel, entity: int, columns: Sequence[str]) -> Floats:
    return known_rows(panel, entity, 0)[:, [panel.future.index(name) for name in columns]]


def _logged(table: Floats, logs: Bools) -> Floats:
    positive = np.where(table > 0, table, np.nan)
    return np.where(logs, np.log(positive), table)


def _like_prices(tables: Sequence[Floats]) -> Bools:
    """Whether each column is positive, and varies by less than :data:`RATIO` within most entities."""
    highest = np.stack([np.fmax.reduce(t, axis=0, initial=-np.inf) for t in tables])
    lowest = np.stack([np.fmin.reduce(t, axis=0, initial=np.inf) for t in tables])
    positive = (lowest > 0).all(axis=0)
    ratio = np.where(np.isfinite(highest) & (lowest > 0), highest / np.where(lowest > 0, lowest, 1.0), np.nan)
    return np.asarray(positive & (np.median(np.where(np.isnan(ratio), np.inf, ratio), axis=0) < RATIO))


def _mean(table: Floats) -> Floats:
    """Mean over the rows that have a value; NaN where none has."""
    seen = ~np.isnan(table)
    count = seen.sum(axis=0)
    return np.where(count > 0, np.where(seen, table, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
