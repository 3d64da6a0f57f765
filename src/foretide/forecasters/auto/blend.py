"""How candidates are blended, and how wide the blend's intervals must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.data.windows import evenly
from foretide.forecasters.auto.judge import CHECKED, QUANTILES
from foretide.forecasters.wrappers.ensemble import are_whole, blend_quantiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.typing import Floats

NEAR, LONE = 1.2, 0.25
"""Candidates whose score is more than so many times the best one are left out: 1.2 times where there are many series,
1.45 times where there is one, whose few origins say little."""
TEMPERATURE = 0.05
"""A candidate whose logarithmic score is so much higher counts 1/e of the other, before shares are drawn together; half
of the doubt is added, so that few series make shares more alike."""
EQUAL = 0.25
"""So far shares are drawn towards equal ones."""
PRETRAINED = 2.0
"""So much more counts a candidate that was trained on other series before it saw the table: where few origins of one
table are misleading, it is not misled with those that learned from them."""
ALONE = 1.02
"""The best candidate stands alone where the blend's score is more than so many times its own (1.27 times for a single
series): shares chosen on few origins should not take the blend for worse by chance. Medians, trimmed means and members
drawn towards the others' median, least squares on quantiles, greedy selection, equal shares of the best three or four
and shares by series were tried on the same validation parts and are not better."""
WORTH = 30
"""As much as so many windows say does the belief that intervals are right as they are count, and as much as one origin
does: the windows of one origin are all easy or all hard."""
SHARES = np.linspace(0.0, 1.0, 201)
"""Central intervals, as shares, whose coverage is looked at for whole or sparse values."""
MOST = 50_000
"""So many values are enough for that."""
REACH = 1.5
"""So many half-widths of the usual 80 % interval may a member lie from the weighted median of all."""
ENDS = (0.1, 0.9)
LIMITS = (0.5, 2.0)
"""No interval is stretched by less or more."""


def near(series: float) -> float:
    """Return how many times the best score another one may be.

    Parameters
    ----------
    series : float
        So many series were judged on, each from :data:`foretide.forecasters.auto.judge.ORIGINS` origins.

    Returns
    -------
    float

    Examples
    --------
    >>> near(1), round(near(100), 4)
    (1.45, 1.225)
    """
    return NEAR + doubt(series)


def doubt(series: float) -> float:
    """Return what is added to such bounds because few series say little.

    Parameters
    ----------
    series : float

    Returns
    -------
    float

    Examples
    --------
    >>> doubt(1), doubt(100)
    (0.25, 0.025)
    """
    return float(LONE / np.sqrt(series))


def shares_of(
    scores: Sequence[float], series: float, simple: Sequence[bool] = (), pretrained: Sequence[bool] = ()
) -> Floats:
    """Return what each candidate counts in the blend, from scores of which lower ones are better.

    Parameters
    ----------
    scores : sequence of float
        Not negative; infinite for one that is not to count. At least one is finite.
    series : float
        So many series were judged on, each from :data:`foretide.forecasters.auto.judge.ORIGINS` origins.
    simple : sequence of bool
        Which ones are simple baselines: they only count where the best of the others is hardly better.
    pretrained : sequence of bool
        Which ones were trained on other series; they count :data:`PRETRAINED` times as much.

    Returns
    -------
    float array ``[M]``
        With sum one; 0 for those that are far from the best.

    Examples
    --------
    >>> shares_of([0.10, 0.10, 0.20], 100).tolist()
    [0.5, 0.5, 0.0]
    """
    log = np.log(np.maximum(scores, 1e-12))
    gap = log - log.min()
    good = gap <= np.log(near(series))
    plain = np.array(simple if len(simple) else [False] * len(log))
    if not plain.all():
        good &= ~plain | (log <= log[~plain].min() + np.log(1 + doubt(series)))
    temperature = TEMPERATURE + doubt(series) / 2
    soft = np.where(good, np.exp(-np.where(good, gap, 0.0) / temperature), 0.0)
    shares = EQUAL * good / good.sum() + (1 - EQUAL) * soft / soft.sum()
    if len(pretrained):
        shares = np.where(pretrained, PRETRAINED, 1.0) * shares
    return np.asarray(shares / shares.sum())


def blended(means: Floats, quantiles: Floats, shares: Floats, levels: Sequence[float]) -> tuple[Floats, Floats]:
    """Blend the members of every forecast, those that lie far from the others drawn in first.

    One member that goes wrong on a large series would spoil the blend by its share of a large error: what lies more
    than :data:`REACH` half-widths from the weighted median is taken to lie there.

    Parameters
    ----------
    means : float array ``[M, W, H, D]``
    quantiles : float array ``[M, W, H, D, Q]``
    shares : float array ``[M]``
        With sum one.
    levels : sequence of float
        Of the quantiles; :data:`ENDS` are among them.

    Returns
    -------
    float arrays ``[W, H, D]`` and ``[W, H, D, Q]``

    Examples
    --------
    >>> import numpy as np
    >>> centre = np.array([10.0, 11.0, 12.0, 500.0]).reshape(4, 1, 1, 1)
    >>> mean, _ = blended(centre, centre[..., None] + np.array([-4.0, 0.0, 4.0]), np.full(4, 0.25), (0.1, 0.5, 0.9))
    >>> mean.item()
    12.625
    """
    if len(shares) > 2:
        low, high = (quantiles[..., levels.index(end)] for end in ENDS)
        reach = REACH * np.median(high - low, axis=0) / 2
        whole = are_whole(quantiles)
        means, quantiles = _within(means, shares, reach), _within(quantiles, shares, reach[..., None])
        quantiles = np.where(whole, np.round(quantiles), quantiles)
    return np.einsum("m,m...->...", shares, means), blend_quantiles(quantiles, shares)


def _within(values: Floats, shares: Floats, reach: Floats) -> Floats:
    """Draw what lies further than ``reach`` from the weighted median over the first axis in to there."""
    order = np.argsort(values, axis=0, kind="stable")
    ranked = np.take_along_axis(values, order, axis=0)
    middle = np.cumsum(shares[order], axis=0) - shares[order] / 2
    above = np.clip((middle < 0.5).sum(axis=0), 1, len(values) - 1)[None]
    (low, high), (at, then) = (
        [np.take_along_axis(x, k, axis=0)[0] for k in (above - 1, above)] for x in (ranked, middle)
    )
    part = np.clip((0.5 - at) / np.maximum(then - at, 1e-12), 0.0, 1.0)
    centre = (1 - part) * low + part * high
    return np.clip(values, centre - reach, centre + reach)


def trust(windows: int, origins: float) -> float:
    """Return how far what the intervals of so many windows say is followed, between 0 and 1.

    Parameters
    ----------
    windows : int
    origins : float
        Windows of each series, on average.

    Returns
    -------
    float

    Examples
    --------
    >>> trust(300, 1.0), trust(300, 3.0)
    (0.45454545454545453, 0.6818181818181818)
    """
    return windows / (windows + WORTH) * origins / (origins + 1)


def factors_of(quantiles: Floats, truth: Floats, origins: float) -> Floats:
    """Return by what the half-widths of the checked intervals are to be multiplied so that they cover what they say.

    Parameters
    ----------
    quantiles : float array ``[W, H, D, Q]``
        At :data:`foretide.forecasters.auto.judge.QUANTILES`.
    truth : float array ``[W, H, D]``
    origins : float
        Windows of each series, on average.

    Returns
    -------
    float array
        One per level of :data:`foretide.forecasters.auto.judge.CHECKED`, drawn towards 1 by :func:`trust`.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.array([-1.96, -1.28, -0.84, -0.67, -0.52, -0.25, 0, 0.25, 0.52, 0.67, 0.84, 1.28, 1.96])
    >>> truth = np.random.default_rng(0).normal(size=(5000, 1, 1))
    >>> factors_of(z * np.ones((5000, 1, 1, 1)), truth, 3).round(1).tolist()
    [1.0, 1.0, 1.0]
    """
    middle = quantiles[..., QUANTILES.index(0.5)]
    gap = truth - middle
    factors: list[float] = []
    for level in CHECKED:
        low, high = (quantiles[..., QUANTILES.index(round(0.5 + s * level / 200, 4))] for s in (-1, 1))
        width = np.where(gap > 0, high - middle, middle - low)
        usable = ~np.isnan(gap) & (width > 0)
        needed = np.quantile(np.abs(gap[usable]) / width[usable], level / 100) if usable.any() else 1.0
        factors.append(np.clip(max(float(needed), 1e-9) ** trust(len(truth), origins), *LIMITS))
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


def levels_of(quantiles: Floats, truth: Floats, origins: float) -> Floats:
    """Return which central intervals cover what those of the checked levels say.

    For values that are whole or often zero, whose intervals cannot be stretched a little: a value that equals a
    quantile lies below it in as many cases as the level asks for (randomised probability integral transform).

    Parameters
    ----------
    quantiles : float array ``[W, H, D, Q]``
        At :data:`foretide.forecasters.auto.judge.QUANTILES`.
    truth : float array ``[W, H, D]``
    origins : float
        Windows of each series, on average.

    Returns
    -------
    float array
        Level in percent, one per level of :data:`foretide.forecasters.auto.judge.CHECKED`, drawn towards that level by
        :func:`trust`.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import poisson
    >>> truth = np.random.default_rng(0).poisson(2.0, size=(4000, 1, 1))
    >>> levels_of(np.tile(poisson.ppf(QUANTILES, 2.0), (4000, 1, 1, 1)), truth, 3).round(-1).tolist()
    [50.0, 80.0, 100.0]
    """
    known = ~np.isnan(truth) & np.isfinite(quantiles).all(axis=-1)
    if not known.any():
        return np.array(CHECKED)
    some = evenly(int(known.sum()), MOST)
    low, high = _transforms(quantiles[known][some], truth[known][some])
    curve = [
        float(np.mean(np.maximum(np.minimum(high, (1 + c) / 2) - np.maximum(low, (1 - c) / 2), 0) / (high - low)))
        for c in SHARES
    ]
    share = trust(len(truth), origins)
    needed = 100 * np.interp(np.array(CHECKED) / 100, curve, SHARES)
    return np.asarray(share * needed + (1 - share) * np.array(CHECKED))


def _transforms(quantiles: Floats, truth: Floats) -> tuple[Floats, Floats]:
    """Return between which probabilities values ``[n]`` lie in their distributions, given by quantiles ``[n, Q]``."""
    edges = np.array([0.0, *QUANTILES, 1.0])
    middle = (edges[1:] + edges[:-1]) / 2
    below, upto = (f(quantiles, truth[:, None]).sum(axis=1) for f in (np.less, np.less_equal))
    ties = upto > below  # the step of the distribution begins and ends somewhere between two levels
    low = np.where(ties, np.where(below == 0, 0.0, middle[below]), edges[below])
    return low, np.where(ties, middle[upto], edges[upto + 1])


def asked_for(levels: Sequence[float], central: Floats) -> tuple[float, ...]:
    """Return the quantiles that stand for others, from the central intervals that stand for those checked.

    Parameters
    ----------
    levels : sequence of float
        Quantiles, as fractions.
    central : float array
        As :func:`levels_of` gives them.

    Returns
    -------
    tuple of float

    Examples
    --------
    >>> import numpy as np
    >>> asked_for((0.1, 0.5, 0.9), np.array([50.0, 90.0, 97.0]))
    (0.05, 0.5, 0.95)
    """
    if np.array_equal(central, CHECKED):
        return tuple(levels)
    shares = np.interp([200 * abs(q - 0.5) for q in levels], [0.0, *CHECKED, 100.0], [0.0, *central, 100.0])
    return tuple(round(0.5 + (1 if q > 0.5 else -1) * float(c) / 200, 6) for q, c in zip(levels, shares, strict=True))


def relevelled(quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Return other quantiles of a distribution than those it is given by, interpolated between these.

    Parameters
    ----------
    quantiles : float array ``[..., Q]``
        At :data:`foretide.forecasters.auto.judge.QUANTILES`.
    levels : sequence of float
        As fractions.

    Returns
    -------
    float array ``[..., L]``
        Whole where all quantiles are.

    Examples
    --------
    >>> import numpy as np
    >>> relevelled(np.array(QUANTILES), (0.35, 0.5)).round(2).tolist()
    [0.35, 0.5]
    """
    place = np.interp(levels, QUANTILES, np.arange(len(QUANTILES)))
    down = np.minimum(np.floor(place).astype(np.int64), len(QUANTILES) - 2)
    part = place - down
    mixed = quantiles[..., down] * (1 - part) + quantiles[..., down + 1] * part
    return np.asarray(np.round(mixed) if (quantiles == np.round(quantiles)).all() else mixed)
