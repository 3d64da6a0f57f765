"""How candidates are blended, and how wide the blend's intervals must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.forecasters.auto.judge import CHECKED, QUANTILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.typing import Floats

NEAR = 1.2
"""Candidates whose score is more than so many times the best one are left out."""
TEMPERATURE = 0.1
"""A candidate whose logarithmic score is so much higher counts 1/e of the other, before shares are drawn together."""
EQUAL = 0.5
"""So far shares are drawn towards equal ones."""
ALONE = 1.02
"""The best candidate stands alone where the blend's score is more than so many times its own: shares chosen on few
origins should not take the blend for worse by chance. These figures were chosen on validation parts of the league's
tasks; in this order of size they matter little."""
WORTH = 200
"""As much as so many windows say does the belief that intervals are right as they are count."""
LIMITS = (0.5, 2.0)
"""No interval is stretched by less or more."""


def shares_of(scores: Sequence[float]) -> Floats:
    """Return what each candidate counts in the blend, from scores of which lower ones are better.

    Parameters
    ----------
    scores : sequence of float
        Not negative; infinite for one that is not to count. At least one is finite.

    Returns
    -------
    float array ``[M]``
        With sum one; 0 for those that are far from the best.

    Examples
    --------
    >>> shares_of([0.10, 0.10, 0.20]).tolist()
    [0.5, 0.5, 0.0]
    """
    log = np.log(np.maximum(scores, 1e-12))
    gap = log - log.min()
    near = gap <= np.log(NEAR)
    soft = np.where(near, np.exp(-np.where(near, gap, 0.0) / TEMPERATURE), 0.0)
    return np.asarray(EQUAL * near / near.sum() + (1 - EQUAL) * soft / soft.sum())


def factors_of(quantiles: Floats, truth: Floats) -> Floats:
    """Return by what the half-widths of the checked intervals are to be multiplied so that they cover what they say.

    Parameters
    ----------
    quantiles : float array ``[W, H, D, Q]``
        At :data:`foretide.forecasters.auto.judge.QUANTILES`.
    truth : float array ``[W, H, D]``

    Returns
    -------
    float array
        One per level of :data:`foretide.forecasters.auto.judge.CHECKED`, drawn towards 1 the more, the fewer windows
        there are.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.array([-1.96, -1.28, -0.84, -0.67, -0.52, -0.25, 0, 0.25, 0.52, 0.67, 0.84, 1.28, 1.96])
    >>> truth = np.random.default_rng(0).normal(size=(5000, 1, 1))
    >>> factors_of(z * np.ones((5000, 1, 1, 1)), truth).round(1).tolist()
    [1.0, 1.0, 1.0]
    """
    middle = quantiles[..., QUANTILES.index(0.5)]
    gap = truth - middle
    trust, factors = len(truth) / (len(truth) + WORTH), []
    for level in CHECKED:
        low, high = (quantiles[..., QUANTILES.index(round(0.5 + s * level / 200, 4))] for s in (-1, 1))
        width = np.where(gap > 0, high - middle, middle - low)
        usable = ~np.isnan(gap) & (width > 0)
        needed = np.quantile(np.abs(gap[usable]) / width[usable], level / 100) if usable.any() else 1.0
        factors.append(np.clip(max(float(needed), 1e-9) ** trust, *LIMITS))
    return np.array(factors)


def stretched(quantiles: Floats, levels: Sequence[float], factors: Floats) -> Floats:
    """Multiply the distance of each quantile from the median by the factor of its level.

    Parameters
    ----------
    quantiles : float array ``[..., Q]``
        0.5 is among them.
    levels : sequence of float
        Which quantiles they are, as fractions, ascending.
    factors : float array
        Of the levels in :data:`foretide.forecasters.auto.judge.CHECKED`; interpolated between them.

    Returns
    -------
    float array ``[..., Q]``
        In ascending order.

    Examples
    --------
    >>> import numpy as np
    >>> stretched(np.array([8.0, 10.0, 13.0]), (0.1, 0.5, 0.9), np.array([1.0, 2.0, 1.0])).tolist()
    [6.0, 10.0, 16.0]
    """
    middle = quantiles[..., levels.index(0.5), None]
    factor = np.interp([200 * abs(q - 0.5) for q in levels], CHECKED, factors)
    wide = middle + factor * (quantiles - middle)
    return np.where(np.isnan(wide).any(axis=-1, keepdims=True), wide, np.sort(wide, axis=-1))
