"""Ridge regression on lags, solved for a whole path of penalties at once (numpy, no torch)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from foretide.typing import Ints, Reals

PENALTIES: tuple[float, ...] = tuple(float(p) for p in 10.0 ** np.arange(-6, 2.01, 0.5))
"""Candidate penalties, relative to the mean eigenvalue of the centred Gram matrix."""

CHUNK_BYTES = 8_000_000
"""A chunk of lagged rows is kept about this small, so that memory grows with the data, not with its windows."""

SPAN_BYTES = 16_000_000
"""Rows from the first to the last window of a chunk are no more than this."""


@dataclass(frozen=True, eq=False)
class RidgePath:
    """Solutions of ``min |Y - b - X W|^2 + penalty |W|^2`` for any penalty, the intercept free.

    Attributes
    ----------
    eigenvalues : ``[P]``, basis : ``[P, P]``
        Of the centred Gram matrix of ``X``.
    rotated : ``[P, Q]``
        Centred cross products of ``X`` and ``Y`` in that basis.
    mean_x : ``[P]``, mean_y : ``[Q]``
    """

    eigenvalues: Reals
    basis: Reals
    rotated: Reals
    mean_x: Reals
    mean_y: Reals

    def solve(self, penalty: float) -> tuple[Reals, Reals]:
        """Return weights ``[P, Q]`` and intercept ``[Q]`` for a relative penalty."""
        absolute = max(penalty * float(self.eigenvalues.mean()), 1e-12)
        weights = self.basis @ (self.rotated / (self.eigenvalues + absolute)[:, None])
        return weights, self.mean_y - self.mean_x @ weights


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over rows from which a regression is solved; those of parts add up, and can be taken away again.

    Attributes
    ----------
    n : int
    gram : ``[P, P]``, cross : ``[P, Q]``, sum_x : ``[P]``, sum_y : ``[Q]``
        Not centred.
    square : float
        Sum of all squared ``Y``.
    """

    n: int
    gram: Reals
    cross: Reals
    sum_x: Reals
    sum_y: Reals
    square: float = 0.0

    @classmethod
    def of(cls, blocks: Iterable[tuple[Reals, Reals]]) -> Moments:
        """Gather them over blocks of rows (X ``[n, P]``, Y ``[n, Q]``); sums are kept in float64."""
        n, square, gram, cross, sum_x, sum_y = 0, 0.0, np.zeros(()), np.zeros(()), np.zeros(()), np.zeros(())
        for x, y in blocks:
            x64, y64 = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
            n += len(x64)
            gram, cross = gram + x64.T @ x64, cross + x64.T @ y64
            sum_x, sum_y = sum_x + x64.sum(0), sum_y + y64.sum(0)
            square += float(np.vdot(y64, y64))
        return cls(n, gram, cross, np.asarray(sum_x), np.asarray(sum_y), square)

    def __add__(self, other: Moments) -> Moments:
        return self._with(other, 1.0)

    def __sub__(self, other: Moments) -> Moments:
        return self._with(other, -1.0)

    def _with(self, other: Moments, sign: float) -> Moments:
        return Moments(
            self.n + int(sign) * other.n, self.gram + sign * other.gram, self.cross + sign * other.cross,
            self.sum_x + sign * other.sum_x, self.sum_y + sign * other.sum_y, self.square + sign * other.square,
        )  # fmt: skip

    def squared_error(self, weights: Reals, intercept: Reals) -> float:
        """Return the sum of squared errors of a map on these rows; it takes the rows themselves for no map."""
        if not self.n:
            return 0.0
        about = self.sum_y - self.sum_x @ weights
        explained = np.vdot(weights, 2.0 * self.cross - self.gram @ weights) + np.vdot(intercept, 2.0 * about)
        return max(float(self.square - explained + self.n * np.vdot(intercept, intercept)), 0.0)

    def centred(self) -> tuple[Reals, Reals]:
        """Return Gram matrix ``[P, P]`` and cross products ``[P, Q]`` about the means."""
        if self.n == 0:
            raise ValueError("a regression needs at least one row")
        mean_x = self.sum_x / self.n
        return self.gram - np.outer(mean_x, self.sum_x), self.cross - np.outer(mean_x, self.sum_y)

    def solve(self, penalties: Iterable[float]) -> Iterator[tuple[Reals, Reals]]:
        """Solve for a few relative penalties without a decomposition: weights ``[P, Q]`` and intercept ``[Q]`` each."""
        gram, cross = self.centred()
        mean = float(np.trace(gram)) / len(gram)
        for penalty in penalties:
            ridge = gram + np.diag(np.full(len(gram), max(penalty * mean, 1e-12)))
            weights = np.linalg.solve(ridge, cross)
            yield weights, (self.sum_y - self.sum_x @ weights) / self.n

    def path(self) -> RidgePath:
        """Decompose once for any number of penalties."""
        gram, cross = self.centred()
        eigenvalues, basis = np.linalg.eigh(gram)
        means = np.asarray(self.sum_x / self.n), np.asarray(self.sum_y / self.n)
        return RidgePath(np.clip(eigenvalues, 0.0, None), basis, basis.T @ cross, *means)


def ridge_path(blocks: Iterable[tuple[Reals, Reals]]) -> RidgePath:
    """Gather second moments over blocks of rows and decompose them once.

    Parameters
    ----------
    blocks : iterable of (X ``[n, P]``, Y ``[n, Q]``)
        Any number of blocks; only one is held at a time. Sums are kept in float64.

    Notes
    -----
    The eigendecomposition makes every further penalty a matrix product
    (Hastie, Tibshirani, Friedman, *The Elements of Statistical Learning*, section 3.4.1).
    """
    return Moments.of(blocks).path()


def lagged_rows(values: Reals, rows: Ints, input_size: int) -> Reals:
    """Return the lookbacks that end at ``rows``: values ``[R, C]``, rows ``[n]`` -> ``[n, C, L]``, oldest first."""
    view = np.lib.stride_tricks.sliding_window_view(values, input_size, axis=0)
    return np.asarray(view[rows - input_size + 1])


def future_rows(values: Reals, rows: Ints, h: int) -> Reals:
    """Return the ``h`` rows after each of ``rows``: values ``[R, C]`` -> ``[n, C, H]``."""
    view = np.lib.stride_tricks.sliding_window_view(values, h, axis=0)
    return np.asarray(view[rows + 1])


def chunks(rows: Ints, width: int) -> Iterable[Ints]:
    """Cut ``rows`` so that a float64 block ``[n, width]`` stays near :data:`CHUNK_BYTES`."""
    size = max(64, CHUNK_BYTES // (8 * max(width, 1)))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def within_span(parts: Iterable[Ints], width: int) -> Iterator[Ints]:
    """Cut parts of ascending rows further, so that the float64 rows ``[n, width]`` from first to last are not many."""
    most = max(1, SPAN_BYTES // (8 * max(width, 1)))
    for part in parts:
        start = 0
        while start < len(part):
            stop = int(np.searchsorted(part, part[start] + most))
            yield part[start:stop]
            start = stop
