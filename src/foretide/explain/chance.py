"""Means by cutoff, and whether their mean is more than chance."""

from __future__ import annotations

import numpy as np

from foretide.evaluation.compare.tests import diebold_mariano, fewest
from foretide.typing import Array, Floats, Ints


def mean_test(
    values: Floats, overlap: int, *, level: float = 95, alternative: str = "two-sided"
) -> tuple[float, float, float]:
    """Test whether the mean of values is zero (Diebold & Mariano 1995).

    Parameters
    ----------
    values : ``[C]``
        Differences by cutoff, in order of time.
    overlap : int
        Neighbouring cutoffs whose values share steps.
    level : float
        Of the interval, in percent.
    alternative : {"two-sided", "less", "greater"}

    Returns
    -------
    (float, float, float)
        Both ends of the interval of the mean, and the p-value; NaN for too few values.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.explain.chance import mean_test
    >>> low, high, p_value = mean_test(np.array([0.9, 1.1] * 10), 1)
    >>> bool(low > 0), bool(p_value < 0.001)
    (True, True)
    >>> mean_test(np.ones(2), 1)
    (nan, nan, nan)
    """
    if len(values) < fewest(overlap):
        return np.nan, np.nan, np.nan
    test = diebold_mariano(values, np.zeros_like(values), h=overlap, alternative=alternative)
    return *test.interval(level), test.p_value


def cutoff_means(total: Floats, count: Array, cutoff: Ints) -> Floats:
    """Reduce sums of points by window to means by cutoff.

    Parameters
    ----------
    total : ``[n, W]``
        Sums over the points of each window, of several figures.
    count : ``[W]`` or ``[n, W]``
        How many points these are.
    cutoff : int array ``[W]``
        Number of each window's cutoff, from 0.

    Returns
    -------
    ``[n, C]``
        NaN where a cutoff has no points.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.explain.chance import cutoff_means
    >>> cutoff_means(np.array([[2.0, 4.0, 9.0]]), np.array([1, 1, 3]), np.array([0, 0, 1])).tolist()
    [[3.0, 3.0]]
    """
    sums, points = (
        np.stack([np.bincount(cutoff, weights=row) for row in np.atleast_2d(each)]) for each in (total, count)
    )
    return np.where(points > 0, sums / np.where(points > 0, points, 1), np.nan)
