"""Past errors in the light of the distributions that were forecast."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from foretide.typing import Floats, Ints

CELLS = 25
"""Distributions of past forecasts are known by so many quantiles, each in the middle of a cell of equal probability."""
LEVELS: tuple[float, ...] = tuple((k + 0.5) / CELLS for k in range(CELLS))
HEAVIEST = 1.5
"""An error weighs at most as if its distribution were so many times as wide as those of its series usually are: else of
a series that is nearly always zero a few windows would say everything."""
FEWEST, SOME = 4, 2.0
"""Of fewer seasons no bias of a position is taken; that there is none is believed as much as so many of them."""
_ENDS = ndtri(np.arange(CELLS + 1) / CELLS)
_DENSITY = np.exp(-np.square(_ENDS) / 2) / np.sqrt(2 * np.pi)
_SLOPE = np.where(np.isfinite(_ENDS), _ENDS, 0.0) * _DENSITY
FIRST, SECOND = _DENSITY[:-1] - _DENSITY[1:], (_SLOPE[:-1] - _SLOPE[1:]) / np.sqrt(2)
"""What turns quantiles into the first two Hermite coefficients of the value as a function of a normal variable."""
ROUNDING = 1e-12
"""A distribution narrower than this share of its values is a point: what is left of its width is rounding."""


@dataclass(frozen=True, eq=False)
class PastErrors:
    """Past errors, each times its weight; 0 where truth or distribution are not known.

    Behind each value stands a standard normal variable. Where two of these have correlation ``c``, the product of the
    errors is ``c a a' + c^2 b b'`` on average, to second order, with ``a`` and ``b`` known from the distributions. So
    correlations are found from errors, of counts too, that give sums the spread they had.

    Attributes
    ----------
    error : float array ``[W, H, D]``
        Truth minus mean; a truth beyond the outermost quantile is taken to be there.
    first, second : float arrays ``[W, H, D]``
        ``a`` and ``b``.
    variance : float array ``[W, H, D]``
        What the square of the error should be on average.
    weight : float array ``[W, H, D]``
    entity, step : int arrays ``[W]``
        Position among the entities, and grid step of the origin.
    """

    error: Floats
    first: Floats
    second: Floats
    variance: Floats
    weight: Floats
    entity: Ints
    step: Ints


def past_errors(quantiles: Floats, truth: Floats, entity: Ints, step: Ints) -> PastErrors:
    """Return the errors of distributions with quantiles ``[W, H, D, Q]`` at :data:`LEVELS`; truths ``[W, H, D]``.

    An error counts in units of its series, and the more the more it says of the normal variable.

    Parameters
    ----------
    quantiles, truth : float arrays
    entity, step : int arrays ``[W]``

    Returns
    -------
    PastErrors

    Examples
    --------
    >>> import numpy as np
    >>> quantiles, number = np.arange(25.0)[None, None, None], np.zeros(1, dtype=np.int64)
    >>> past_errors(quantiles, np.full((1, 1, 1), 12.0), number, number).error.tolist()
    [[[0.0]]]
    """
    known = np.isfinite(truth) & np.isfinite(quantiles).all(axis=-1)
    values = np.ascontiguousarray(np.where(known[..., None], quantiles, 0.0))  # sums hang on the order in memory
    spread = values.std(axis=-1)
    n, d = int(entity.max(initial=-1)) + 1, truth.shape[2]
    total, count = np.zeros((n, d)), np.zeros((n, d))
    np.add.at(total, entity, np.square(spread).sum(axis=1))
    np.add.at(count, entity, known.sum(axis=1))
    usual = np.sqrt(total / np.maximum(count, 1))[entity][:, None, :]
    moves = known & (spread > ROUNDING * np.abs(values).max(axis=-1))
    spread, usual = np.where(moves, spread, 1.0), np.where(moves, usual, 1.0)
    first, second = values @ FIRST, values @ SECOND
    weight = np.where(moves, first / spread * np.minimum(1.0, HEAVIEST * usual / spread) / usual, 0.0)
    error = np.clip(np.where(known, truth, 0.0), values[..., 0], values[..., -1]) - values.mean(axis=-1)
    return PastErrors(
        error * weight, first * weight, second * weight, np.square(spread * weight), weight, entity, step
    )  # fmt: skip


def without_season(past: PastErrors, season: int) -> PastErrors:
    """Take out of errors what comes back with each season: it is a bias, and nothing that steps share by chance.

    How far a series' errors lie to one side altogether stays: that is what a wrong level does.

    Parameters
    ----------
    past : PastErrors
    season : int
        In steps. What a few seasons show of a position is drawn towards nothing.

    Returns
    -------
    PastErrors

    Examples
    --------
    >>> import numpy as np
    >>> quantiles, number = np.arange(25.0)[None, None, None], np.zeros(1, dtype=np.int64)
    >>> past = past_errors(quantiles, np.full((1, 1, 1), 12.0), number, number)
    >>> without_season(past, 1) is past
    True
    """
    h, d = past.error.shape[1:]
    times = past.step[:, None] + np.arange(1, h + 1)
    cycles = len(np.unique(times)) / season
    if season < 2 or cycles < FEWEST:
        return past
    series = np.broadcast_to((past.entity[:, None] * d + np.arange(d))[:, None], past.error.shape).ravel()
    place = series * season + np.broadcast_to((times % season)[..., None], past.error.shape).ravel()
    weight, value = past.weight.ravel() ** 2, (past.weight * past.error).ravel()
    level, bias = (np.bincount(at, value) / np.maximum(np.bincount(at, weight), 1e-300) for at in (series, place))
    gone = (bias[place] - level[series]).reshape(past.error.shape) * cycles / (cycles + SOME)
    return replace(past, error=past.error - past.weight * gone)


def to_horizon(values: Floats, h: int) -> Floats:
    """Fill up steps that no past forecast reaches with unknown values.

    Parameters
    ----------
    values : float array ``[W, H, ...]``
    h : int

    Returns
    -------
    float array ``[W, h, ...]``

    Examples
    --------
    >>> import numpy as np
    >>> to_horizon(np.zeros((1, 1)), 2).tolist()
    [[0.0, nan]]
    """
    missing = h - values.shape[1]
    if missing <= 0:
        return values
    return np.concatenate([values, np.full((len(values), missing, *values.shape[2:]), np.nan)], axis=1)
