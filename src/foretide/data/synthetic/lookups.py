"""Series whose next values stand at a marked place of the past, which moves from window to window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.panel import Panel
from foretide.data.synthetic.base import START, Cutoffs, Synthetic, check_size, count, cutoff_steps, stream
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
    spike : float
        What a marker adds to the series where it has no column of its own; the value stands one step after it then.
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
        return np.where(looks, latest(self.marked, self.spike)[now][:, None], -1)

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
        >>> truth = ft.synthetic.planted_lookup(T=200, seed=1).truth
        >>> truth.oracle([120, 150], h=24).shape
        (2, 24, 1)
        """
        h = count("h", h, 1)
        now = cutoff_steps(self.grid, cutoffs, len(self.y))
        place = latest(self.marked, self.spike)[now]
        # Expected value to look up next, where the last step is no marker, and where it is one and the next step is
        # the place: then the next step is no marker.
        held = np.where(place >= 0, self.y[place], 0.0)
        marked = self.marked[now] & bool(self.spike)
        free, due, chance = np.where(marked, 0.0, held), np.where(marked, held, 0.0), marked.astype(float)
        mean = np.zeros((len(now), h))
        for k in range(1, h + 1):
            looks, marker = self._ahead(now + k)
            mean[:, k - 1] = self.weight * looks * (due + (1.0 - marker) * free) + self.spike * (1.0 - chance) * marker
            due, free = marker * free, (1.0 - marker) * free + self.weight * looks * due
            if not self.spike:
                due = np.zeros_like(due)  # the marker's own value, of which nothing is known
            chance = (1.0 - chance) * marker * bool(self.spike)
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
        marked, recalled = _steps(REHEARSAL, self.marker, self.recall, self.spike, (stream(0, 0), stream(0, 1)))
        y = _values(marked, recalled, self.weight, self.spike, stream(0, 2))
        y = y - y.mean()
        after = np.flatnonzero(recalled[size:]) + size
        past = np.array([y[: len(y) - k] @ y[k:] for k in range(size)]) / len(y)
        ahead = np.array([y[after] @ y[after - k] for k in range(1, size + 1)]) / len(after)
        toeplitz = past[np.abs(np.subtract.outer(np.arange(size), np.arange(size)))]
        left = np.square(y[after]).mean() - ahead @ np.linalg.solve(toeplitz, ahead)
        return float(np.sqrt(left))

    def _ahead(self, steps: Ints) -> tuple[Floats, Floats]:
        """Probabilities that steps look something up, and that they have a marker if they may."""
        often = recall_of_free(self.marker, self.recall)
        known = (steps < len(self.y)) & (self.recall < 1.0)
        looks = np.where(known, self.recalled[np.minimum(steps, len(self.y) - 1)], often)
        of_free = self.marker / (self.marker + (1.0 - self.marker) * (1.0 - often))
        return looks, np.where(known, (1.0 - looks) * of_free, self.marker)


def planted_lookup(
    T: int = 4000,
    marker: float = 0.08,
    recall: float = 0.3,
    weight: float = 0.9,
    seed: int = 0,
    *,
    spike: float = 0.0,
) -> Synthetic[LookupTruth]:
    """Generate noise in which some steps repeat the value at the last marker, on an hourly grid.

    ``y_t = weight * y_p + sqrt(1 - weight**2) * w_t`` at a recall, where ``p`` is the step of the last marker, and
    ``y_t = w_t`` elsewhere, ``w ~ N(0, 1)``. Where ``p`` lies differs from window to window, so no linear map of the
    lags can look there (:meth:`LookupTruth.linear_rmse`). With ``recall=1`` every step between two markers repeats: the
    level shifts at each marker.

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
    spike : float
        0: markers are the column ``marker`` in the role past. Else they have no column, and add ``spike`` to the
        series; ``p`` is then the step after the marker.

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
    T, seed = count("T", T, 1), count("seed", seed, 0)
    check_size(T, 3)
    _check(marker, recall, weight, spike)
    marked, recalled = _steps(T + BURN_IN, marker, recall, spike, (stream(seed, 0), stream(seed, 1)))
    values = _values(marked, recalled, weight, spike, stream(seed, 2))
    y, marked, recalled = values[BURN_IN:], marked[BURN_IN:], recalled[BURN_IN:]
    names = {"y": y} | ({} if spike else {"marker": marked}) | ({"recall": recalled} if recall < 1.0 else {})
    none = np.zeros(1, dtype=np.int64)
    grid = Grid(START, "h")
    roles = tuple(n for n in names if n == "marker"), tuple(n for n in names if n == "recall")
    table = np.column_stack([np.asarray(column, dtype=np.float64) for column in names.values()])
    panel = Panel(grid, ("",), table, none, none + T, none, ("y",), *roles)
    return Synthetic(panel, LookupTruth(y, marked, recalled, marker, recall, weight, spike, grid))


def latest(marked: Bools, spike: float) -> Ints:
    """Return the place of the value to look up after each step; -1 before the first.

    Parameters
    ----------
    marked : bool array ``[T]``
    spike : float
        0: the value stands at the last marker; else one step after it.

    Returns
    -------
    int array ``[T]``
    """
    arrived = np.concatenate([[False], marked[:-1]]) if spike else marked
    return np.maximum.accumulate(np.where(arrived, np.arange(len(marked)), -1))


def recall_of_free(marker: float, recall: float) -> float:
    """Return the probability of a recall at a step without a marker.

    Parameters
    ----------
    marker, recall : float

    Returns
    -------
    float
    """
    return 1.0 if recall == 1.0 else recall / (1.0 - marker)


def _steps(
    n: int, marker: float, recall: float, spike: float, streams: tuple[Generator, Generator]
) -> tuple[Bools, Bools]:
    """Which of ``n`` steps have a marker, and which look something up."""
    marked = streams[0].random(n) < marker
    if spike:  # the value stands after its marker, so of neighbouring markers every other one goes
        steps = np.arange(n)
        run = steps - np.maximum.accumulate(np.where(marked, -1, steps))
        marked &= run % 2 == 1
    return marked, ~marked & (streams[1].random(n) < recall_of_free(marker, recall))


def _values(marked: Bools, recalled: Bools, weight: float, spike: float, noise: Generator) -> Floats:
    """Run through the steps: a value that is looked up may itself be one."""
    shocks = noise.standard_normal(len(marked))
    before = np.concatenate([[-1], latest(marked, spike)[:-1]])
    y = shocks + spike * marked
    fresh = np.sqrt(1.0 - weight**2)
    for t in np.flatnonzero(recalled & (before >= 0)):
        y[t] = weight * y[before[t]] + fresh * shocks[t]
    return y


def _check(marker: float, recall: float, weight: float, spike: float) -> None:
    if not 0 < marker < 1:
        raise ConfigError(f"marker is a probability above 0 and below 1; got {marker!r}.")
    if not (0 < recall <= 1.0 - marker or recall == 1.0):
        raise ConfigError(
            "recall is a probability above 0 and at most 1 - marker, or 1 for all steps without a marker; "
            f"got {recall!r}."
        )
    if not 0 < weight <= 1:
        raise ConfigError(f"weight is above 0 and at most 1; got {weight!r}.")
    if not np.isfinite(spike):
        raise ConfigError(f"spike is a finite number; got {spike!r}.")
