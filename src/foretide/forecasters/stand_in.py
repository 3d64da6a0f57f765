"""The simple forecaster that answers where a model cannot, and the intervals that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.pieces import PIECE_ROWS, pieces, rows_of
from foretide.data.time.seasons import seasons_of
from foretide.data.windows import Windows, evenly
from foretide.forecasters.gaussian import normal_quantiles, unit_of
from foretide.forecasters.simple.history import (
    ahead_rows,
    alike,
    at_rows,
    by_entity,
    first_known,
    last_seen,
    season_last,
    targets_until,
    wakes,
)

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Floats, Ints, Reals


LOOKED_AT = 200
"""The usual spread is found on at most this many series, evenly spaced."""
WORTH = 5.0
"""What is usual counts as this many differences of the series at hand."""
SEASONAL, MEAN = "SeasonalNaive", "WindowMean"
NAMES = (SEASONAL, MEAN)


@dataclass(frozen=True)
class StandIn:
    """Same season's last value where a season was observed, else the mean of the last values.

    Attributes
    ----------
    season : int
        The shortest season of the frequency; 1 where there is none.
    spread : tuple of float, ``D``
        Usual root mean square of one-season differences, in units of a series' mean absolute value.
    nonnegative, whole : tuples of bool, ``D``
        Whether a target never was below zero, and held whole numbers only.
    floor : tuple of bool, ``D``
        Whether a target was zero at times and never below.
    """

    season: int
    spread: tuple[float, ...]
    nonnegative: tuple[bool, ...]
    whole: tuple[bool, ...]
    floor: tuple[bool, ...]

    @classmethod
    def fit(cls, train: Panel) -> StandIn:
        """Find season, usual spread and kind of number of a training part."""
        season = min(seasons_of(train.grid.freq), default=1)
        d = train.n_targets
        ratios: list[Floats] = []
        some = evenly(train.n_entities, LOOKED_AT, down=True)
        for entities, _, _ in alike(train, Windows(some, train.length[some] - 1)):
            square, count, size, seen = _moves(_together(train, entities), season)
            usable = (count > 0) & (size > 0)
            root = np.sqrt(square / np.maximum(count, 1))
            ratios.append(np.where(usable, root / np.where(usable, size / np.maximum(seen, 1), 1.0), np.nan))
        table = np.concatenate(ratios)
        spread = [float(np.median(c[~np.isnan(c)])) if (~np.isnan(c)).any() else 0.0 for c in table.T]
        nonnegative, whole, known, zero = (np.full(d, first) for first in (True, True, False, False))
        for piece in pieces(train.length, 8 * d):
            values = rows_of(train, piece.start, piece.stop, slice(0, d))
            unknown = np.isnan(values)
            nonnegative &= ((values >= 0) | unknown).all(axis=0)
            whole &= ((values == np.floor(values)) | unknown).all(axis=0)
            known |= ~unknown.all(axis=0)
            zero |= (values == 0).any(axis=0)
        whole, floor = whole & known, nonnegative & zero
        return cls(season, tuple(spread), *(tuple(np.asarray(own).tolist()) for own in (nonnegative, whole, floor)))

    def forecast(
        self, panel: Panel, windows: Windows, h: int, quantiles: Sequence[float]
    ) -> tuple[Floats, Floats | None, Ints]:
        """Forecast from windows: mean ``[W, h, D]``, quantiles ``[W, h, D, Q]`` or None, and which of :data:`NAMES`."""
        mean = np.full((len(windows), h, panel.n_targets), np.nan)
        sd = np.full_like(mean, np.nan)
        kind = np.ones(len(windows), dtype=np.int64)
        for entity, chosen in by_entity(windows):
            cutoffs = windows.cutoff[chosen]
            history = targets_until(panel, entity, int(cutoffs.max()))
            for window, cutoff in zip(chosen, cutoffs, strict=True):
                mean[window], sd[window], seasonal = self._one(history[: cutoff + 1], h)
                kind[window] = NAMES.index(SEASONAL if seasonal else MEAN)
        if not len(quantiles):
            return mean, None, kind
        found = normal_quantiles(mean, sd, quantiles)
        whole, nonnegative = np.array(self.whole), np.array(self.nonnegative)
        found = np.where(whole[:, None], np.round(found), found)
        return mean, np.where(nonnegative[:, None] & (found < 0), 0.0, found), kind

    def _one(self, history: Floats, h: int) -> tuple[Floats, Floats, bool]:
        """Mean and standard deviation ``[h, D]`` after a history ``[T, D]``, and whether the season was used."""
        begun = np.flatnonzero(~np.isnan(history).all(axis=1))
        unit = _unit(history)
        history = (history[begun[0] :] if len(begun) else history) / unit
        awake = min(wakes(y) for y in history.T)
        n, season = len(history), self.season
        seasonal = n >= season > 1
        seen = ~np.isnan(history)
        recent = slice(max(0, n - (season if season > 1 else h)), n)
        total, count = _sums(history[recent])
        average = np.where(count > 0, total / np.maximum(count, 1), last_seen(history)[-1])
        mean = np.broadcast_to(average, (h, history.shape[1]))
        if seasonal:
            end = np.array([n - 1])
            mean = first_known(at_rows(season_last(history, season), ahead_rows(end, h, season))[0], average)
        lag = season if n > season else 1
        moves = (history[lag:] - history[:-lag])[max(0, awake - lag) :]  # how it moved asleep says nothing of it awake
        square, differences = _sums(moves**2)
        size = np.where(seen, np.abs(history), 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        usual = np.array(self.spread) * size
        variance = (square + WORTH * usual**2) / (differences + WORTH)
        cycles = 1 + np.arange(h) // season if seasonal else np.ones(h)
        return mean * unit, np.sqrt(cycles[:, None] * variance) * unit, seasonal


def _unit(values: Floats) -> Floats:
    """Unit of each column ``[T, D]`` in which its squares can be added up."""
    return unit_of(_largest(values))


def _largest(values: Reals, axis: int = 0) -> Floats:
    return np.asarray(np.fmax.reduce(np.abs(values), axis=axis, initial=0.0), dtype=np.float64)


def _together(panel: Panel, entities: Ints) -> Reals:
    """Targets of entities of one length, ``[B, T, D]``; those of a single one where they lie."""
    if len(entities) == 1:
        return panel.rows(int(entities[0]))[None, :, : panel.n_targets]
    rows = panel.row0[entities][:, None] + np.arange(panel.length[entities[0]])
    return np.asarray(panel.values[rows, : panel.n_targets])


def _moves(values: Reals, season: int) -> tuple[Floats, Ints, Floats, Ints]:
    """Sums and numbers of squared one-season differences and of sizes, ``[B, D]`` each, in a common unit.

    Of the columns ``[B, T, D]`` of several entities.
    """
    b, length, d = values.shape
    lag = season if length > season else 1
    parts = range(0, length, PIECE_ROWS)
    unit = unit_of(np.max([_largest(values[:, low : low + PIECE_ROWS], 1) for low in parts], axis=0))[:, None]
    square, size = np.zeros((2, b, d))
    count, seen = np.zeros((2, b, d), dtype=np.int64)
    for low in parts:
        y = values[:, max(0, low - lag) : low + PIECE_ROWS].astype(np.float64) / unit
        moved, moves = _sums((y[:, lag:] - y[:, :-lag]) ** 2, 1)
        own, known = _sums(np.abs(y[:, min(low, lag) :]), 1)
        square, count, size, seen = square + moved, count + moves, size + own, seen + known
    return square, count, size, seen


def _sums(values: Floats, axis: int = 0) -> tuple[Floats, Ints]:
    """Sum and number of the observed values along an axis."""
    seen = ~np.isnan(values)
    return np.where(seen, values, 0.0).sum(axis=axis), seen.sum(axis=axis)
