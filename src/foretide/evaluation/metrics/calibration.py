"""Whether predictive distributions say what happens: PIT histogram and reliability, from any quantile levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.errors import ConfigError
from foretide.evaluation.metrics.pit import jump_range

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from foretide.typing import Floats, Ints


@dataclass(frozen=True, eq=False)
class PitHistogram:
    """Share of truths in each cell of the predictive distribution, beside what it should be.

    With groups, ``observed``, ``n`` and ``distance`` have an axis of groups in front.

    Attributes
    ----------
    edges : float array ``[C + 1]``
        Levels that bound the cells, from 0 to 1.
    nominal : float array ``[C]``
        Width of each cell: the share of truths in it where the distribution is right.
    observed : float array ``[C]`` or ``[G, C]``
        Share of truths in it; NaN for a group without points. Observed over nominal is flat at one where the
        distribution is right, U-shaped where it is too narrow, a dome where it is too wide, sloped where it is biased.
    n : int array ``[]`` or ``[G]``
        Points whose truth and distribution are known.
    distance : float array ``[]`` or ``[G]``
        ``sum (observed - nominal)^2 / nominal``, zero where they agree. Times ``n`` it is Pearson's chi-square, about
        ``C - 1`` for a right distribution and independent points; forecasts of neighbouring steps are not independent.
    groups : int array ``[G]``, optional
        Number of each group.
    """

    edges: Floats
    nominal: Floats
    observed: Floats
    n: Ints
    distance: Floats
    groups: Ints | None = None

    def to_frame(self) -> pd.DataFrame:
        """Return one row per cell.

        Returns
        -------
        pandas.DataFrame
            (``group``,) ``low``, ``high``, ``nominal``, ``observed``, ``n``.
        """
        cells = len(self.nominal)
        observed = self.observed.reshape(-1, cells)
        repeats = len(observed)
        columns = {"low": np.tile(self.edges[:-1], repeats), "high": np.tile(self.edges[1:], repeats)}
        columns |= {"nominal": np.tile(self.nominal, repeats), "observed": observed.reshape(-1)}
        frame = pd.DataFrame({**columns, "n": np.repeat(self.n.reshape(-1), cells)})
        if self.groups is not None:
            frame.insert(0, "group", np.repeat(self.groups, cells))
        return frame


def pit_histogram(
    y: ArrayLike, values: ArrayLike, levels: Sequence[float], *, bins: int | None = 10, groups: ArrayLike | None = None
) -> PitHistogram:
    """Count the truths in each cell between held quantile levels, below the first and above the last included.

    A truth at which the distribution jumps, as distributions of counts do, is split over the cells that the jump
    covers, in proportion: the expectation of the randomised PIT (Czado, Gneiting & Held 2009), without its randomness.
    Where a jump ends is known to half a cell. So for counts a dense grid is needed: right distributions were measured
    within 6 % of nominal from 99 levels merged to ten bins, and up to 50 % off from 9 levels. :func:`reliability` has
    no such error on any grid.

    Parameters
    ----------
    y : array-like ``[...]``
    values : array-like ``[..., Q]``
        Quantiles. A point whose truth or any quantile is NaN is left out.
    levels : sequence of float
        Ascending, as fractions.
    bins : int, optional
        Where the grid has more cells than this, they are merged to about so many equal ones, with edges at held levels.
        None merges nothing.
    groups : int array, optional
        Number of each point's group, e.g. its horizon step; broadcasts to ``y``.

    Returns
    -------
    PitHistogram

    Raises
    ------
    ConfigError
        When the levels do not ascend between 0 and 1, shapes do not fit, or bins is below 2.

    Examples
    --------
    >>> pit_histogram([0.5, 1.5, 2.5], [[1.0, 2.0]] * 3, (1 / 3, 2 / 3)).observed.round(2).tolist()
    [0.33, 0.33, 0.33]
    """
    y, values, grid = _checked(y, values, levels)
    if bins is not None and bins < 2:
        raise ConfigError(f"bins is at least 2, or None to keep every cell; got {bins!r}.")
    edges = np.concatenate([[0.0], grid, [1.0]])
    if bins is not None and len(edges) - 1 > bins:
        wanted = np.arange(bins + 1) / bins
        edges = edges[np.unique(np.abs(edges[:, None] - wanted).argmin(axis=0))]
    low, high = jump_range(y, values, grid.tolist())
    known = ~np.isnan(low)
    numbers, place = _groups(groups, y.shape)
    low, high, place = low[known], high[known], place[known]
    n = np.bincount(place, minlength=len(numbers))
    below = [
        np.bincount(place, weights=np.clip((edge - low) / (high - low), 0, 1), minlength=len(numbers)) for edge in edges
    ]
    nominal = np.diff(edges)
    observed = np.diff(np.stack(below, axis=1), axis=1) / np.where(n > 0, n, np.nan)[:, None]
    distance = ((observed - nominal) ** 2 / nominal).sum(axis=1)
    if groups is None:
        return PitHistogram(edges, nominal, observed[0], n[0], distance[0])
    return PitHistogram(edges, nominal, observed, n, distance, numbers)


def reliability(
    y: ArrayLike, values: ArrayLike, levels: Sequence[float], *, groups: ArrayLike | None = None
) -> pd.DataFrame:
    """Return how often the truth lies below each quantile, and at or below it.

    A right distribution has ``below <= level <= at_or_below`` up to chance; for a continuous distribution all three are
    equal, for counts the two differ by the chance of the quantile itself.

    Parameters
    ----------
    y : array-like ``[...]``
    values : array-like ``[..., Q]``
        Quantiles. For each level, points whose truth or quantile is NaN are left out.
    levels : sequence of float
        Ascending, as fractions.
    groups : int array, optional
        Number of each point's group, e.g. its horizon step; broadcasts to ``y``.

    Returns
    -------
    pandas.DataFrame
        (``group``,) ``level``, ``below``, ``at_or_below``, ``n``; NaN where no point is known.

    Examples
    --------
    >>> reliability([0.5, 1.5], [[1.0], [1.0]], (0.5,)).values.tolist()
    [[0.5, 0.5, 0.5, 2.0]]
    """
    y, values, grid = _checked(y, values, levels)
    numbers, place = _groups(groups, y.shape)
    shape = (len(numbers), len(grid))
    n, below, up_to = (np.zeros(shape) for _ in range(3))
    for k in range(len(grid)):
        quantile = values[..., k]
        known = ~np.isnan(y + quantile)
        parts = (np.ones(y.shape), y < quantile, y <= quantile)
        for out, part in zip((n, below, up_to), parts, strict=True):
            out[:, k] = np.bincount(place[known], weights=part[known], minlength=len(numbers))
    size = np.where(n > 0, n, np.nan)
    frame = pd.DataFrame({
        "level": np.tile(grid, len(numbers)), "below": (below / size).reshape(-1),
        "at_or_below": (up_to / size).reshape(-1), "n": n.reshape(-1).astype(np.int64),
    })  # fmt: skip
    if groups is not None:
        frame.insert(0, "group", np.repeat(numbers, len(grid)))
    return frame


def _checked(y: ArrayLike, values: ArrayLike, levels: Sequence[float]) -> tuple[Floats, Floats, Floats]:
    y, values = np.asarray(y, dtype=np.float64), np.asarray(values, dtype=np.float64)
    grid = np.asarray(levels, dtype=np.float64)
    if grid.ndim != 1 or not len(grid) or np.any(np.diff([0.0, *grid, 1.0]) <= 0):
        raise ConfigError(f"Quantile levels ascend between 0 and 1, e.g. (0.1, 0.5, 0.9); got {tuple(levels)}.")
    if values.shape != (*y.shape, len(grid)):
        raise ConfigError(
            f"Expected one quantile for each point and level, {(*y.shape, len(grid))}; got {values.shape}."
        )
    return y, values, grid


def _groups(groups: ArrayLike | None, shape: tuple[int, ...]) -> tuple[Ints, Ints]:
    """Return the numbers of the groups, and of each point its place among them; one group where there are none."""
    if groups is None:
        return np.zeros(1, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    numbers, place = np.unique(np.asarray(groups, dtype=np.int64), return_inverse=True)
    try:
        return numbers, np.broadcast_to(place.reshape(np.shape(groups)), shape)
    except ValueError as error:
        raise ConfigError(f"groups of shape {np.shape(groups)} do not broadcast to the truth's {shape}.") from error
