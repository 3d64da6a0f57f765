"""Which recipes a series takes: those that forecast its training part best, weighed by how well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foretide.forecasters.lavar.recipes import Block, Recipe
from foretide.forecasters.lavar.sums import numbers
from foretide.typing import Bools, Floats, Ints

MAX_ORIGINS = 300
"""Recipes are judged from at most this many origins per series."""
TEMPERATURE = 0.06
"""A recipe whose logarithmic error is so much higher than the best one's weighs a factor e less."""
SHRINK = 6.0
"""A series whose values that are not zero fill so many horizons counts as much as all series together. Both figures
were chosen on validation parts of ten tables and five draws of counts; half or twice as much matters little."""
ALIKE = 0.02
"""The same where recipes differ in one figure only (CalendarES, CalendarMean): a mean of such levels gains little, so
the better ones weigh more. Of 0.015 to 0.15, on validation parts of 26 tables."""
EARLIEST, NEWEST = 0.25, 1.75
"""What errors from the first and from the last origin of a series count; those between lie on a line."""
LEAST = 1e-6
"""No recipe is judged better than this share of the mean error."""


def judge(block: Block, recipes: Sequence[Recipe], h: int, since: int = 0) -> Floats:
    """Return the sum of each recipe's squared errors over ``h`` steps from many origins, ``[M, S]``.

    Only origins that every recipe can forecast from count, or the most careful one would win, and of those only the
    rows from ``since`` on; newer ones count more.
    """
    rows = len(block.y)
    if not rows:
        return np.zeros((len(recipes), block.y.shape[1]))
    from_rows = origins(rows, max(r.season for r in recipes))
    ahead = from_rows[:, None] + np.arange(1, h + 1)
    at = np.where(ahead < rows, ahead, 0)
    truth = block.y[at]
    counted = ((ahead < rows) & (from_rows >= since)[:, None])[:, :, None] & ~np.isnan(truth)
    truth = np.where(counted, truth, 0.0)
    events, ordinary = np.where(counted, block.events[at], 0.0), counted.astype(np.float64)
    patterns: dict[tuple[int, float], tuple[Floats, Bools]] = {}
    shared = np.ones((len(from_rows), block.y.shape[1]), dtype=bool)
    sums = []
    for recipe in recipes:
        tables = block.tables(recipe)
        key = (recipe.season, recipe.profile_alpha)
        if recipe.kind == "profile" and key in patterns:
            error, known = patterns[key]
        else:
            profile = tables.profile_ahead(from_rows, h)
            known = np.asarray(~np.isnan(profile).any(axis=1))
            error = numbers(profile) * (events if recipe.knows_events else ordinary)
            if recipe.kind == "profile":
                patterns[key] = error, known
        if tables.level is not None:
            level = tables.level[from_rows]
            known = known & ~np.isnan(level)
            error = error * numbers(level)[:, None, :]
        if tables.growth is not None:
            error *= tables.growth_ahead(from_rows, h)  # a fresh array: where there is a growth, there is a level
        error = error - truth
        shared &= known
        sums.append(np.einsum("nhs,nhs->ns", error, error))
    counts = np.linspace(EARLIEST, NEWEST, len(from_rows))
    return np.stack([counts @ np.where(shared, s, 0.0) for s in sums])


def scores(errors: Floats, horizons: Floats, costs: Floats | float = 0.0) -> Floats:
    """Return the logarithm of each recipe's error, drawn towards that over all series, the more the less a series says.

    Parameters
    ----------
    errors : float array ``[M, N, D]``
        Sums of squared errors.
    horizons : float array ``[N, D]``
        How many horizons a series' values fill.
    costs : float array ``[M, N, D]``, optional
        What is added to each recipe's score.

    Returns
    -------
    float array ``[M, N, D]``
        Of a series that does not tell recipes apart: what holds over all series.
    """
    apart = errors.max(axis=0) > errors.min(axis=0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        relative = np.nan_to_num(np.where(apart, errors / errors.mean(axis=0), 1.0), nan=1.0, posinf=1 / LEAST)
    relative = np.maximum(relative, LEAST)
    pooled = np.log((relative * apart).sum(axis=(1, 2)) / apart.sum()) if apart.any() else np.zeros(len(errors))
    own, of_all = np.log(relative), pooled[:, None, None]
    trust = np.where(apart, horizons / (horizons + SHRINK), 0.0)
    return np.asarray(trust * own + (1 - trust) * of_all + costs)


def best(scores: Floats, top: int, temperature: float = TEMPERATURE) -> tuple[Ints, Floats]:
    """Return the ``top`` recipes by their scores ``[M, ...]`` and their weights, ``[..., top]`` both."""
    order = np.argsort(scores, axis=0, kind="stable")[: min(top, len(scores))]
    least = np.take_along_axis(scores, order, axis=0)
    weights = np.exp((least[:1] - least) / temperature)
    weights /= weights.sum(axis=0)
    return np.moveaxis(order, 0, -1), np.moveaxis(weights, 0, -1)


def most_taken(picks: Ints, weights: Floats, recipes: int) -> tuple[Ints, Floats]:
    """Return the recipes that weigh most over all series ``[N, D, M]``, by target, and their weights, ``[D, M]``."""
    _, d, top = picks.shape
    total = np.zeros((d, recipes))
    np.add.at(total, (np.broadcast_to(np.arange(d)[:, None], picks.shape), picks), weights)
    shared = np.argsort(-total, axis=1, kind="stable")[:, :top]
    share = np.take_along_axis(total, shared, axis=1)
    return shared, share / share.sum(axis=1, keepdims=True)


def origins(rows: int, season: int) -> Ints:
    """Origins spread over all but the first part of the rows, through all positions of the season."""
    first = min(max(2 * season, rows // 4), max(rows - 2, 0))
    stride = max(1, -(-(rows - 1 - first) // MAX_ORIGINS))
    while stride > 1 and np.gcd(stride, season) > 1:
        stride += 1
    return np.arange(first, max(rows - 1, first + 1), stride, dtype=np.int64)
