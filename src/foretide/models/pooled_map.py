"""Linear maps of lags that many series share, with small deviations of each series (numpy, no torch)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from foretide.data.windows import spaced
from foretide.models.closed_form import RidgePath, chunks, future_rows
from foretide.models.start import tamed
from foretide.typing import Ints, Reals

DIRECTIONS = 48
"""A series' own map differs from the shared one in at most so many principal directions of the lags."""
MOST_WEIGHTS = 4_000_000
"""All deviations together have at most about so many weights."""
DEVIATIONS: tuple[float, ...] = (0.03, 0.3, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Candidate penalties of a series' deviation, relative to the mean eigenvalue of a typical series' Gram matrix."""

ROUNDS, SURE = 2, 0.1
"""Of reweighting; windows with less than so much of the median error weigh the same."""
MOST_CELLS = 4_000_000
"""So many lags and truths are held in memory for it."""


class Frame(NamedTuple):
    """How a window is read.

    Attributes
    ----------
    lookback : int
        Lags, ``L``.
    level : {"last", "season"}
        What is taken off: the last value, or the mean of the last season.
    """

    lookback: int
    level: str


@dataclass(frozen=True, eq=False)
class Store:
    """Scaled series, one behind the other.

    Attributes
    ----------
    values : ``[R]``
        Without gaps.
    begin : int array ``[R]``
        First row of the series that a row belongs to.
    series : int array ``[R]``
        Its number.
    n_series, season : int
    """

    values: Reals
    begin: Ints
    series: Ints
    n_series: int
    season: int

    @classmethod
    def of(cls, values: Reals, length: Ints, season: int) -> Store:
        """Put channels ``[R, D]`` of entities behind each other; series are numbered channel by channel."""
        n, d = len(length), values.shape[1]
        flat = np.ascontiguousarray(values.T, dtype=np.float64).reshape(-1)
        lengths = np.tile(length, d)
        begin = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        return cls(flat, np.repeat(begin, lengths), np.repeat(np.arange(n * d), lengths), n * d, season)

    def windows(self, rows: Ints, frame: Frame) -> tuple[Reals, Reals]:
        """Return lags less their level ``[n, L]``, 0 before a series begins, and the level ``[n]``."""
        size = frame.lookback
        padded = np.concatenate([np.zeros(size), self.values])
        x = np.lib.stride_tricks.sliding_window_view(padded, size)[rows + 1].copy()
        there = np.minimum(rows - self.begin[rows] + 1, size)
        missing = np.arange(size) < (size - there)[:, None] if there.min(initial=size) < size else None
        if missing is not None:
            x[missing] = 0.0
        recent = min(self.season, size) if frame.level == "season" else 1
        level = x[:, -recent:].sum(axis=1) / np.minimum(there, recent)
        x -= level[:, None]
        if missing is not None:
            x[missing] = 0.0
        return x, level

    def ahead(self, rows: Ints, h: int) -> Reals:
        """Return the ``h`` values after each row, ``[n, H]``."""
        return future_rows(self.values[:, None], rows, h)[:, 0]

    def blocks(self, rows: Ints, h: int, frame: Frame) -> Iterator[tuple[Reals, Reals]]:
        """Lags and truths of windows, less their level."""
        for part in chunks(rows, frame.lookback + h):
            x, level = self.windows(part, frame)
            yield tamed(x, self.ahead(part, h) - level[:, None])


@dataclass(frozen=True, eq=False)
class PooledMap:
    """A map that all series share, and what is added to it for each.

    Attributes
    ----------
    frame : Frame
    weights : ``[L, H]``, intercept : ``[H]``
    directions : ``[L, K]``, center : ``[L]``
        What the deviations read of the lags.
    own : ``[S, K, H]``
        Deviations; no series where there are none.
    """

    frame: Frame
    weights: Reals
    intercept: Reals
    directions: Reals
    center: Reals
    own: Reals

    @classmethod
    def shared(cls, frame: Frame, weights: Reals, intercept: Reals) -> PooledMap:
        """Return a map without deviations."""
        size, h = weights.shape
        return cls(frame, weights, intercept, np.zeros((size, 0)), np.zeros(size), np.zeros((0, 0, h)))

    def towards(self, other: PooledMap, share: float) -> PooledMap:
        """Return the weighted mean with another map of the same frame, neither with deviations."""
        weights, intercept = (1.0 - share) * self.weights, (1.0 - share) * self.intercept
        return self.shared(self.frame, weights + share * other.weights, intercept + share * other.intercept)

    def forecast(self, store: Store, rows: Ints, series: Ints | None) -> Reals:
        """Return forecasts of windows ``[n, H]`` in scaled units; ``series`` ``[n]`` are numbers of known ones."""
        parts = [np.zeros((0, len(self.intercept)))]
        for part in chunks(np.arange(len(rows)), self.weights.size if len(self.own) else len(self.weights)):
            x, level = store.windows(rows[part], self.frame)
            ahead = x @ self.weights + self.intercept
            if series is not None and len(self.own):
                ahead += added(self.own, (x - self.center) @ self.directions, series[part])
            parts.append(ahead + level[:, None])
        return np.concatenate(parts)


def robust(base: PooledMap, store: Store, rows: Ints, penalty: float) -> PooledMap:
    """Solve a shared map again for the sum of the windows' errors instead of their squares.

    Parameters
    ----------
    base : PooledMap
        The map of least squares, without deviations.
    store : Store
    rows : int array ``[n]``
        Cutoffs of the windows; at most about :data:`MOST_CELLS` of their numbers are read.
    penalty : float
        Relative to the mean eigenvalue of the Gram matrix.

    Returns
    -------
    PooledMap

    Notes
    -----
    The error of a window is the root of its mean square, and steps of iteratively reweighted least squares weigh
    each window by its inverse: a window gone wrong counts once, not squared, and nothing drifts towards medians of
    single steps, as it would with absolute errors.
    """
    weights, intercept, frame = base.weights, base.intercept, base.frame
    width, h = weights.shape
    some = spaced(rows, max(MOST_CELLS // (width + h), 4 * width), store.season)
    x, y = (np.concatenate(part) for part in zip(*store.blocks(some, h, frame), strict=True))
    for _ in range(ROUNDS):
        size = np.sqrt(np.mean((y - x @ weights - intercept) ** 2, axis=1))
        share = 1.0 / np.maximum(size, max(SURE * float(np.median(size)), 1e-12))
        share /= share.sum()
        mean_x, mean_y = share @ x, share @ y
        weighted = (x - mean_x) * share[:, None]
        gram = weighted.T @ (x - mean_x)
        ridge = max(penalty * float(np.trace(gram)) / width, 1e-12)
        weights = np.linalg.solve(gram + ridge * np.eye(width), weighted.T @ (y - mean_y))
        intercept = mean_y - mean_x @ weights
    return PooledMap.shared(frame, weights, intercept)


def added(own: Reals, read: Reals, series: Ints) -> Reals:
    """Return what the deviations of series ``[n]`` make of what they read ``[n, K]``, ``[n, H]``."""
    return np.asarray(np.matmul(read[:, None, :], own[series])[:, 0])


def with_deviations(
    base: PooledMap, path: RidgePath, store: Store, rows: Ints, penalties: Iterable[float]
) -> Iterator[PooledMap]:
    """Add to a shared map what the residuals of each series ask for, once for every penalty.

    A deviation reads the leading principal directions of the lags (of ``path``), in which series have enough variance
    to tell a difference from chance, and is shrunk towards nothing as the shared map is towards zero. Nothing is given
    where there is one series, or too many.
    """
    n_series, (size, h) = store.n_series, base.weights.shape
    k = min(DIRECTIONS, size, MOST_WEIGHTS // (n_series * h))
    if not k or n_series < 2:
        return
    directions, mean = path.basis[:, -k:], path.mean_x
    gram, cross = np.zeros((n_series, k, k)), np.zeros((n_series, k, h))
    order = rows[np.argsort(store.series[rows], kind="stable")]
    parts = list(chunks(order, size + h))
    for part, (x, y) in zip(parts, store.blocks(order, h, base.frame), strict=True):
        read, left = (x - mean) @ directions, y - x @ base.weights - base.intercept
        series, first = np.unique(store.series[part], return_index=True)
        for i, low, high in zip(series, first, [*first[1:], len(part)], strict=True):
            gram[i] += read[low:high].T @ read[low:high]
            cross[i] += read[low:high].T @ left[low:high]
    typical = max(float(path.eigenvalues.mean()) / n_series, 1e-12)
    for penalty in penalties:
        own = np.linalg.solve(gram + penalty * typical * np.eye(k), cross)
        yield PooledMap(base.frame, base.weights, base.intercept, directions, mean, own)
