"""Blends of forecasts that a backtest has already made, with weights learned from earlier folds only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from foretide.errors import ConfigError, DataError, nearest
from foretide.forecasters.wrappers.ensemble import simplex_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from foretide.typing import Floats, Ints

HOW = ("mean", "median", "weights")
FEWEST = 30
"""Weights are equal until this many truths are known."""


def blend_by_fold(
    means: ArrayLike,
    truth: ArrayLike,
    step: ArrayLike,
    unit: ArrayLike,
    *,
    how: Literal["mean", "median", "weights"] = "mean",
    fewest: int = FEWEST,
) -> tuple[Floats, Floats | None]:
    """Blend the point forecasts of several models, every cutoff with what was known at it.

    Parameters
    ----------
    means : float array ``[M, N, H, D]``
        Forecasts of the models from the same cutoffs.
    truth : float array ``[N, H, D]``
        NaN where it is not known.
    step : int array ``[N]``
        Grid step of each cutoff; many forecasts may share one.
    unit : float array that broadcasts to ``[N, H, D]``
        What errors are divided by, above zero, so that one loud series does not choose for the others. NaN leaves a
        forecast out of the choice.
    how : {"mean", "median", "weights"}
        ``"weights"``: shares, not negative and with sum one, with the least squared error over all points whose target
        time is not after the cutoff (Bates & Granger 1969, with the weights kept convex); equal ones until there are
        ``fewest`` such points.
    fewest : int

    Returns
    -------
    mean : ``[N, H, D]``
        NaN where a model has no forecast.
    weights : ``[N, M]`` or None
        What each model counts at each cutoff; None for a median.

    Raises
    ------
    ConfigError, DataError
        For an unknown ``how``, and for arrays that do not fit together or units of zero or less.
    """
    if how not in HOW:
        raise ConfigError(f"There is no way {how!r} to blend. {nearest(how, HOW)}")
    means, truth, step = np.asarray(means, dtype=float), np.asarray(truth, dtype=float), np.asarray(step, np.int64)
    if means.ndim != 4 or not len(means) or truth.shape != means.shape[1:] or step.shape != truth.shape[:1]:
        raise DataError(
            f"Expected means [M, N, H, D], truth [N, H, D] and step [N]; got {means.shape}, {truth.shape}, {step.shape}"
        )
    if how == "median":
        return np.median(means, axis=0), None
    m, n = means.shape[:2]
    weights = np.full((n, m), 1 / m) if how == "mean" else _learned(means, truth, step, unit, fewest)
    return np.einsum("nm,mnhd->nhd", weights, means), weights


def _learned(means: Floats, truth: Floats, step: Ints, unit: ArrayLike, fewest: int) -> Floats:
    """Shares of least squared error at each cutoff, ``[N, M]``, from Gram matrices summed up by target time."""
    unit = np.broadcast_to(np.asarray(unit, dtype=float), truth.shape)
    if (unit <= 0).any():
        raise DataError(f"Units of errors are above zero, got {float(np.nanmin(unit)):g}.")
    if fewest < 1:
        raise ConfigError(f"fewest is a number of points, at least 1; got {fewest!r}.")
    m = len(means)
    errors = (means - truth) / unit
    n, k, d = np.nonzero(np.isfinite(errors).all(axis=0))
    known_at = step[n] + k + 1
    order = np.argsort(known_at, kind="stable")
    errors, known_at = errors[:, n[order], k[order], d[order]], known_at[order]
    cutoffs, at = np.unique(step, return_inverse=True)
    ends = np.searchsorted(known_at, cutoffs, side="right")
    out = np.full((len(cutoffs), m), 1 / m)
    gram, low = np.zeros((m, m)), 0
    for c, high in enumerate(ends):
        if high > low:
            fresh = errors[:, low:high]
            gram, low = gram + fresh @ fresh.T, int(high)
        if high >= fewest and np.trace(gram) > 0:
            out[c] = simplex_weights(gram)
    return np.asarray(out[at.reshape(-1)])
