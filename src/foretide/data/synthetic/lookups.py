"""Series whose next values stand at a marked place of the past, which moves from window to window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.panel import Panel
from foretide.data.synthetic.base import START, Cutoffs, Synthetic, count, cutoff_steps, stream
from foretide.data.time.grid import Grid
from foretide.errors import ConfigError
from foretide.typing import Bools, Floats, Ints

if TYPE_CHECKING:
    from numpy.random import Generator

REHEARSAL = 100_000
"""Steps of a fresh draw from which the best linear map is computed."""
BURN_IN = 500


@dataclass(frozen=True, eq=False)
class LookupTruth:
    """What decides the series that :func:`planted_lookup` makes.

    Attributes
    ----------
    y : float array ``[T]``
    marked, recalled : bool arrays ``[T]``
        Steps with a marker, and steps whose value is looked up.
    marker, recall : float
        Probability of each, per step.
    weight : float
        What of the value looked up comes back.
    beside : int
        How many steps after its marker the value stands.
    spike : float
        What a marker adds to the series where it has no column of its own.
    grid : Grid

    Examples
    --------
    >>> import foretide as ft
    >>> truth = ft.synthetic.planted_lookup(T=200, seed=1).truth
    >>> bool(truth.marked[truth.places(150, h=24).max()])
    True
    """

    y: Floats
    marked: Bools
    recalled: Bools
    marker: float
    recall: float
    weight: float
    beside: int
    spike: float
    grid: Grid

    def places(self, cutoffs: Cutoffs, h: int) -> Ints:
        """Return where the value of each step ahead stands, as far as the past tells.

        Parameters
        ----------
        cutoffs : int or time, or a sequence of them
            Grid steps or times of the last observed step.
        h : int
            Steps ahead.

        Returns
        -------
        int array ``[n, h]``
            Grid step, at most the cutoff; -1 for a step that looks nothing up, and before the first marker.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.synthetic.planted_lookup(T=200, seed=1).truth.places([120, 150], h=24).shape
        (2, 24)
        """
        now = cutoff_steps(self.grid, cutoffs, len(self.y))
        ahead = now[:, None] + np.arange(1, count("h", h, 1) + 1)
        inside = ahead < len(self.y)
        looks = np.where(inside, self.recalled[np.minimum(ahead, len(self.y) - 1)], self.recall == 1.0)
        return np.where(looks, latest(self.marked, self.beside)[now][:, None], -1)

    def oracle(self, cutoffs: Cutoffs, h: int) -> Floats:
        """Return the exact conditional mean of the target given its past, its markers and the recalls known ahead.

        A marker ahead would make another value the one to look up; each step ahead may hold one, unless it is a
        recall.

        Parameters
        ----------
        cutoffs : int or time, or a sequence of them
            Grid steps or times of the last observed step.
        h : int
            Steps ahead.

        Returns
        -------
        float array ``[n, h, 1]``

        Examples
        --------
        >>> import foretide as ft
        >>> truth = ft.synthetic.planted_lookup(T=200, recall=1.0, weight=0.5, seed=1).truth
        >>> bool(truth.oracle(150, h=1)[0, 0, 0] == 0.5 * truth.y[truth.places(150, h=1)[0, 0]])
        True
        """
        h = count("h", h, 1)
        now = cutoff_steps(self.grid, cutoffs, len(self.y))
        place = latest(self.marked, self.beside)[now]
        held = np.where(place >= 0, self.y[place], 0.0)
        mean = np.zeros((len(now), h))
        for k in range(1, h + 1):
            marker = self._chance(now + k, now)
            looks = 1.0 - marker if self.recall == 1.0 else self._recalled(now + k)
            mean[:, k - 1] = self.weight * held * looks + self.spike * marker
            arrives = self._chance(now + k - self.beside, now)
            held = (1.0 - arrives) * held + (arrives * mean[:, k - 1] if self.beside else 0.0)  # a marker looks nothing up
        return mean[..., None]

    def linear_rmse(self, input_size: int) -> float:
        """Return the error, at steps that look something up, that no linear map of the window stays below.

        One step ahead, for the best map of the target's last values that is told which steps these are. Markers and
        recalls add nothing to it, because the values beside them are as often below as above zero.

        Parameters
        ----------
        input_size : int
            Lags of the map.

        Returns
        -------
        float
            Root mean squared error; ``sqrt(1 - weight**2)`` is the oracle's.

        Examples
        --------
        >>> import foretide as ft
        >>> truth = ft.synthetic.planted_lookup(T=200, weight=0.9).truth
        >>> bool(truth.linear_rmse(input_size=24) > 1.5 * (1 - 0.9**2) ** 0.5)
        True
        """
        size = count("input_size", input_size, 1)
        marked, recalled = _steps(REHEARSAL, self.marker, self.recall, self.beside, (stream(0, 0), stream(0, 1)))
        y = _values(marked, recalled, self.weight, self.beside, stream(0, 2), self.spike)
        y = y - y.mean()
        after = np.flatnonzero(recalled[size:]) + size
        past = np.array([y[: len(y) - k] @ y[k:] for k in range(size)]) / len(y)
        ahead = np.array([y[after] @ y[after - k] for k in range(1, size + 1)]) / len(after)
        toeplitz = past[np.abs(np.subtract.outer(np.arange(size), np.arange(size)))]
        left = np.square(y[after]).mean() - ahead @ np.linalg.solve(toeplitz, ahead)
        return float(np.sqrt(left))

    def _recalled(self, steps: Ints) -> Floats:
        """Whether steps look something up: known ahead inside the data."""
        return np.where(steps < len(self.y), self.recalled[np.minimum(steps, len(self.y) - 1)], self.recall)

    def _chance(self, steps: Ints, now: Ints) -> Floats:
        """Probability of a marker at each step, given the past and the recalls ahead."""
        seen = steps <= now
        past = self.marked[np.clip(steps, 0, len(self.y) - 1)] & (steps >= 0)
        if self.recall == 1.0:
            return np.where(seen, past, self.marker)
        free = np.where(steps < len(self.y), ~self.recalled[np.minimum(steps, len(self.y) - 1)], 1.0 - self.recall)
        return np.where(seen, past, free * self.marker / (1.0 - self.recall))


def planted_lookup(
    T: int = 4000,
    marker: float = 0.08,
    recall: float = 0.3,
    weight: float = 0.9,
    seed: int = 0,
    *,
    beside: int = 0,
    spike: float = 0.0,
) -> Synthetic[LookupTruth]:
    """Generate noise in which some steps repeat the value at the last marker, on an hourly grid.

    ``y_t = weight * y_p + sqrt(1 - weight**2) * w_t`` at a recall, where ``p`` is the step of the last marker (or
    ``beside`` steps after it), and ``y_t = w_t`` elsewhere, ``w ~ N(0, 1)``. Where ``p`` lies differs from window to
    window, so no linear map of the lags can look there (:meth:`LookupTruth.linear_rmse`). With ``recall=1`` every
    step between two markers repeats: the level shifts at each marker.

    Parameters
    ----------
    T : int
        Steps.
    marker : float
        Probability of a marker, per step, above 0 and below 1.
    recall : float
        Probability of a recall, per step; a marker is none. 1: all steps that are no marker.
    weight : float
        Above 0, at most 1.
    seed : int
    beside : int
        How many steps after its marker the value stands, at least 0.
    spike : float
        0: markers are the column ``marker`` in the role past. Else they have no column, and add ``spike`` to the
        series; ``beside`` is then at least 1.

    Returns
    -------
    Synthetic
        ``.panel`` with the target ``y``, the column ``marker`` (past) and the column ``recall`` (future; none where
        every step is one), and ``.truth`` (:class:`LookupTruth`).

    Examples
    --------
    >>> import foretide as ft
    >>> ft.synthetic.planted_lookup(T=200).panel
    Panel(1 entities x 1 targets, 1 past, 1 future; 200 rows, every h, 2019-01-01 00:00:00 to 2019-01-09 07:00:00)
    """
    T, beside, seed = count("T", T, 1), count("beside", beside, 0), count("seed", seed, 0)
    _check(marker, recall, weight, beside, spike)
    marked, recalled = _steps(T + BURN_IN, marker, recall, beside, (stream(seed, 0), stream(seed, 1)))
    values = _values(marked, recalled, weight, beside, stream(seed, 2), spike)
    y, marked, recalled = values[BURN_IN:], marked[BURN_IN:], recalled[BURN_IN:]
    names = {"y": y} | ({} if spike else {"marker": marked}) | ({"recall": recalled} if recall < 1.0 else {})
    none = np.zeros(1, dtype=np.int64)
    grid = Grid(START, "h")
    roles = tuple(n for n in names if n == "marker"), tuple(n for n in names if n == "recall")
    table = np.column_stack([np.asarray(column, dtype=np.float64) for column in names.values()])
    panel = Panel(grid, ("",), table, none, none + T, none, ("y",), *roles)
    return Synthetic(panel, LookupTruth(y, marked, recalled, marker, recall, weight, beside, spike, grid))


def latest(marked: Bools, beside: int) -> Ints:
    """Return the place of the value to look up after each step: the last marker's, ``beside`` steps on; -1 before it.

    Parameters
    ----------
    marked : bool array ``[T]``
    beside : int

    Returns
    -------
    int array ``[T]``
    """
    steps = np.arange(len(marked))
    arrived = np.zeros(len(marked), dtype=bool)
    arrived[beside:] = marked[: len(marked) - beside]
    return np.maximum.accumulate(np.where(arrived, steps, -1))


def _steps(
    n: int, marker: float, recall: float, beside: int, streams: tuple[Generator, Generator]
) -> tuple[Bools, Bools]:
    """Which of ``n`` steps have a marker, and which look something up."""
    marked = streams[0].random(n) < marker
    if recall == 1.0:
        return marked, ~marked
    return marked, ~marked & (streams[1].random(n) < recall / (1.0 - marker))


def _values(marked: Bools, recalled: Bools, weight: float, beside: int, noise: Generator, spike: float) -> Floats:
    """Run through the steps: a recall may look up a value that was itself looked up, where ``beside`` is not 0."""
    shocks = noise.standard_normal(len(marked))
    before = np.concatenate([[-1], latest(marked, beside)[:-1]])
    y = shocks + spike * marked
    fresh = np.sqrt(1.0 - weight**2)
    for t in np.flatnonzero(recalled & (before >= 0)):
        y[t] = weight * y[before[t]] + fresh * shocks[t]
    return y


def _check(marker: float, recall: float, weight: float, beside: int, spike: float) -> None:
    if not 0 < marker < 1:
        raise ConfigError(f"marker is a probability above 0 and below 1; got {marker!r}.")
    if not (0 < recall <= 1.0 - marker or recall == 1.0):
        raise ConfigError(
            f"recall is a probability above 0 and at most 1 - marker, or 1 for all steps without a marker; got {recall!r}."
        )
    if not 0 < weight <= 1:
        raise ConfigError(f"weight is above 0 and at most 1; got {weight!r}.")
    if not np.isfinite(spike) or (spike and not beside):
        raise ConfigError(
            "spike is a finite number, and the value looked up stands beside it: type beside=1; "
            f"got spike={spike!r} and beside={beside}."
        )
