"""What a known-future column may do beyond a straight line: broken lines, and another effect at each hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from foretide.typing import Array, Floats, Ints, Reals

A = TypeVar("A")

KNOT_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Broken lines bend at these quantiles of the training part."""
HARMONICS = 3
"""Of a calendar cycle that effects may change with."""
MOST = 160
"""Widest basis; where it would be wider, effects do not change with the calendar, and then there is no basis."""
TRAILS = (0.25, 1.0, 3.0)
"""Columns are also averaged over so many of the shortest season's cycles up to each step."""
LONGEST_SHARE = 0.05
"""Share of the training part that a trailing mean may span."""


def trailing_spans(seasons: Sequence[float], n_steps: int) -> tuple[int, ...]:
    """Spans of trailing means of known-future columns, in steps.

    Parameters
    ----------
    seasons : sequence of float
        Periods in steps.
    n_steps : int
        Length of the training part.

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> from foretide.models.known_basis import trailing_spans
    >>> trailing_spans((24, 168), 2_000)
    (6, 24, 72)
    """
    shortest = min((s for s in seasons if s > 1), default=0.0)
    spans = {round(share * shortest) for share in TRAILS}
    return tuple(sorted(s for s in spans if 2 <= s <= LONGEST_SHARE * n_steps))


def trailing_means(values: Array, span: int) -> Reals:
    """Mean of the last ``span`` rows at each row, fewer at the beginning: ``[n, F]`` -> ``[n, F]``.

    A missing value stays missing in its own row and counts as 0 in later ones.

    Parameters
    ----------
    values : float array ``[n, F]``
    span : int

    Returns
    -------
    float array ``[n, F]``

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.models.known_basis import trailing_means
    >>> trailing_means(np.array([[2.0], [4.0], [6.0]]), 2)[:, 0].tolist()
    [2.0, 3.0, 5.0]
    """
    filled = np.concatenate([np.zeros((span - 1, values.shape[1])), np.nan_to_num(values)])
    sums = np.lib.stride_tricks.sliding_window_view(filled, span, axis=0).sum(axis=-1)
    counts = np.minimum(np.arange(1, len(values) + 1), span)[:, None]
    return np.where(np.isnan(values), np.nan, sums / counts)


@dataclass(frozen=True, eq=False)
class KnownBasis:
    """Functions of known-future columns: hinges of numbers, and all of it once more for each harmonic of a cycle.

    Attributes
    ----------
    numbers : int array ``[P]``
        Columns with hinges.
    knots : ``[P, K]``
        Where the hinges begin.
    flags : int array ``[Q]``
        Columns that only interact with the calendar.
    clock : int array
        Calendar columns: sine and cosine of a cycle, or one flag for each of its parts; none: no interactions.
    """

    numbers: Ints
    knots: Reals
    flags: Ints
    clock: Ints

    @classmethod
    def fit(cls, known: Array, n_columns: int, clock: Sequence[int] | Ints = ()) -> KnownBasis | None:
        """Place knots by the training part; None where no column is worth it.

        Parameters
        ----------
        known : float array ``[T, G]``
            Known-future columns of training rows, then calendar columns.
        n_columns : int
            How many of them are no calendar columns.
        clock : ints
            Calendar columns that effects may change with.

        Returns
        -------
        KnownBasis or None
        """
        given: Floats = np.asarray(known[:, :n_columns], dtype=np.float64)
        distinct = [len(np.unique(given[:, k])) for k in range(n_columns)]
        numbers = np.array([k for k, n in enumerate(distinct) if n > 2], dtype=np.int64)
        flags = np.array([k for k, n in enumerate(distinct) if n == 2], dtype=np.int64)
        knots: Floats = np.zeros((0, 0))
        if len(numbers):
            knots = np.quantile(given[:, numbers], KNOT_SHARES, axis=0).T
        basis = cls(numbers, knots, flags, np.asarray(clock, dtype=np.int64))
        if basis.width > MOST:
            basis = cls(numbers, knots, flags[:0], basis.clock[:0])
        return basis if 0 < basis.width <= MOST else None

    @property
    def width(self) -> int:
        """Number of functions, ``B``."""
        plain = self.knots.size
        return plain + (plain + len(self.numbers) + len(self.flags)) * self._n_turns

    @property
    def _cyclic(self) -> bool:
        return len(self.clock) == 2

    @property
    def _n_turns(self) -> int:
        return 2 * HARMONICS if self._cyclic else len(self.clock)

    def expand(self, known: A, join: Callable[[list[A], int], A]) -> A:
        """Values of all functions, ``[..., G]`` -> ``[..., B]``.

        Parameters
        ----------
        known : array or tensor ``[..., G]``
        join : callable
            ``numpy.concatenate`` or ``torch.cat``.

        Returns
        -------
        array or tensor
        """
        x: Any = known
        parts: list[Any] = [x[..., :0]]
        if len(self.numbers):
            above = [x[..., self.numbers] - self._like(x, knot) for knot in self.knots.T]
            parts += [d * (d > 0) for d in above]
        plain = join(parts, -1)
        varied = join([plain, x[..., self.numbers], x[..., self.flags]], -1)
        return join([plain, *(varied * turn for turn in self._turns(x))], -1)

    def _turns(self, x: Any) -> list[Any]:
        """Functions of the calendar that effects change with, each ``[..., 1]``."""
        columns = [x[..., k : k + 1] for k in self.clock.tolist()]
        if not self._cyclic:
            return columns
        sin, cos = columns
        found, s, c = [sin, cos], sin, cos
        for _ in range(HARMONICS - 1):
            s, c = s * cos + c * sin, c * cos - s * sin
            found += [s, c]
        return found

    @staticmethod
    def _like(x: Any, knot: Reals) -> Any:
        return knot.astype(x.dtype) if isinstance(x, np.ndarray) else x.new_tensor(knot)

    def to_dict(self) -> dict[str, list[Any]]:
        """Its parts as lists, for saving."""
        return {name: getattr(self, name).tolist() for name in ("numbers", "knots", "flags", "clock")}

    @classmethod
    def from_dict(cls, saved: Mapping[str, list[Any]]) -> KnownBasis:
        """Rebuild from :meth:`to_dict`."""
        numbers, flags, clock = (np.asarray(saved[name], dtype=np.int64) for name in ("numbers", "flags", "clock"))
        knots = np.asarray(saved["knots"], dtype=np.float64).reshape(len(numbers), -1 if len(numbers) else 0)
        return cls(numbers, knots, flags, clock)
