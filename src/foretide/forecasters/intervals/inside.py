"""Errors on windows that were learned from, as evidence beside the few held-back ones.

One or two held-back origins say little of a single series: all their steps fall together. The training part has many
origins, but its errors are too small (it was learned from) and as large as the series was then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.forecasters.intervals.distribution import Errors

if TYPE_CHECKING:
    from foretide.typing import Bools, Floats, Ints

POWER = 0.3
"""An error grows with the level of a series to this power. Of 0, 0.3, 0.5 and 1 it was best on validation windows of
nine tables; series with zeros have levels that come and go, and their errors are left as they are."""
ZEROS = 0.02
"""Share of zeros from which on a series is one of those."""
MOST = 3.0
"""No series says that held-back errors are more than so many times those inside."""
TIMES, SPAN = 2, 3
"""So many windows inside stand beside each held-back one, or those of so many horizons where that is more, the newest:
older ones tell of times gone by."""
SMALLEST, LARGEST = 0.2, 5.0
"""No error is changed by more for the level's sake."""


def beside(held: Errors, inside: Errors, continuous: Bools, n: int) -> Errors:
    """Return held-back errors and those of windows learned from, brought to the size of errors to come.

    Inside, an error is multiplied by the level that the series has now over what it had then, to the power
    :data:`POWER`, and by how much larger errors are that were held back, over all series together.

    Parameters
    ----------
    held, inside : Errors
        Of the same targets.
    continuous : bool array ``[D]``
        The other targets, counts, keep their held-back errors alone: a spread around the mean needs fewer.
    n : int
        Entities.

    Returns
    -------
    Errors
        Means as they were; where an error is changed, so is the truth.

    Examples
    --------
    >>> import numpy as np
    >>> ten = Errors(np.full((1, 1, 1), 10.0), np.full((1, 1, 1), 14.0), np.zeros(1, int), np.array([9]))
    >>> inside = Errors(ten.mean, ten.mean + 2, ten.entity, np.array([3]))
    >>> (beside(ten, inside, np.array([True]), 1).truth - 10).ravel().tolist()
    [4.0, 4.0]
    """
    if not len(inside.entity):
        return held
    truth = np.where(continuous, inside.truth, np.nan)
    if continuous.any():
        changed = continuous & ~(means_by_entity((inside.truth == 0).astype(np.float64), inside.entity, n) > ZEROS)
        gap = (inside.truth - inside.mean) * _growth(held, inside, n)[:, None, :]
        own, theirs = (
            means_by_entity(np.abs(e), at.entity, n) for e, at in ((gap, inside), (held.truth - held.mean, held))
        )
        known = changed & (own > 0) & ~np.isnan(theirs)
        ratio = np.minimum(theirs[known] / own[known], MOST).mean() if known.any() else 1.0
        truth = np.where(changed[inside.entity][:, None, :], inside.mean + gap * ratio, truth)
    return Errors(
        np.concatenate([inside.mean, held.mean]), np.concatenate([truth, held.truth]),
        np.concatenate([inside.entity, held.entity]), np.concatenate([inside.step, held.step]),
    )  # fmt: skip


def latest(held: Errors, inside: Errors, n: int) -> Ints:
    """Return which windows inside count: of each series the newest, :data:`TIMES` as many as were held back or more.

    Parameters
    ----------
    held, inside : Errors
    n : int
        Entities.

    Returns
    -------
    int array
        Positions, ascending.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.forecasters.intervals.distribution import Errors
    >>> from foretide.forecasters.intervals.inside import latest
    >>> held = Errors(np.zeros((1, 1, 1)), np.zeros((1, 1, 1)), np.array([0]), np.array([9]))
    >>> inside = Errors(*np.zeros((2, 4, 1, 1)), np.array([0, 0, 0, 1]), np.array([5, 3, 4, 5]))
    >>> latest(held, inside, 2).tolist()
    [0, 1, 2]
    """
    order = np.lexsort((-inside.step, inside.entity))
    entity = inside.entity[order]
    rank = np.arange(len(order)) - np.searchsorted(entity, entity)
    beside_each = np.bincount(held.entity, minlength=n)
    most = np.where(beside_each > 0, np.maximum(TIMES * beside_each, SPAN * held.mean.shape[1]), 0)
    return np.sort(order[rank < most[entity]])


def _growth(held: Errors, inside: Errors, n: int) -> Floats:
    """What the error of each window inside is multiplied by for the level's sake, ``[W, D]``."""
    then, now = (np.nanmean(np.abs(errors.mean), axis=1) for errors in (inside, held))
    last = np.full((n, then.shape[1]), np.nan)
    order = np.argsort(held.step, kind="stable")
    last[held.entity[order]] = now[order]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.nan_to_num((last[inside.entity] / then) ** POWER, nan=1.0, posinf=1.0)
    return np.where(factor == 0, 1.0, np.clip(factor, SMALLEST, LARGEST))


def means_by_entity(values: Floats, entity: Ints, n: int) -> Floats:
    """Return the means over windows and steps of each entity; NaN where nothing is known.

    Parameters
    ----------
    values : float array ``[W, H, D]``
    entity : int array ``[W]``
    n : int
        Entities.

    Returns
    -------
    float array ``[N, D]``

    Examples
    --------
    >>> import numpy as np
    >>> means_by_entity(np.array([[[1.0], [3.0]], [[5.0], [np.nan]]]), np.array([0, 1]), 3).ravel().tolist()
    [2.0, 5.0, nan]
    """
    seen = ~np.isnan(values)
    total, count = np.zeros((n, values.shape[2])), np.zeros((n, values.shape[2]))
    np.add.at(total, entity, np.where(seen, values, 0.0).sum(axis=1))
    np.add.at(count, entity, seen.sum(axis=1))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
