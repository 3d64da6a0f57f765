"""Whether a mean of autocorrelated values is more than chance."""

from __future__ import annotations

import numpy as np

from foretide.evaluation.compare.tests import diebold_mariano, fewest
from foretide.typing import Floats


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
