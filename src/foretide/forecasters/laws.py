"""Gaussian intervals, and the naive forecast with intervals that stands in where a model fails."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from foretide.errors import MissingExtraError
from foretide.forecasters.history import ahead_rows, at_rows, first_known, last_seen, season_last

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Steps = NDArray[np.int64]


def normal_quantiles(mean: Floats, sd: Floats, quantiles: Sequence[float]) -> Floats:
    """Return quantiles of normal laws: mean and standard deviation ``[...]`` -> ``[..., Q]``."""
    z = np.array([NormalDist().inv_cdf(q) for q in quantiles])
    return np.asarray(mean[..., None] + sd[..., None] * z)


def naive_law(history: Floats, cutoffs: Steps, h: int, season: int) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the (seasonal) random walk, each ``[n, H, D]``.

    The variance of one cycle is the mean of the squared one-cycle differences up to each cutoff, of the
    one-step differences where no cycle is complete, and 0 where one value only is known; it grows with the
    number of cycles ahead (Hyndman & Athanasopoulos, 3rd ed., table 5.2).
    """
    rows = np.arange(len(history))
    last, same = last_seen(history), season_last(history, season)
    mean = first_known(at_rows(same, ahead_rows(cutoffs, h, season)), last[cutoffs][:, None, :])
    variance = first_known(
        _mean_square(history - at_rows(same, rows - season))[cutoffs],
        _mean_square(history - at_rows(last, rows - 1))[cutoffs],
        0.0,
    )
    cycles = 1 + np.arange(h) // season
    sd = np.sqrt(cycles[None, :, None] * variance[:, None, :])
    return mean, np.where(np.isnan(mean), np.nan, sd)


def _mean_square(steps: Floats) -> Floats:
    """Mean of the squares known so far, ``[T, D]``; NaN before the first."""
    known = ~np.isnan(steps)
    count = known.cumsum(axis=0)
    total = np.where(known, steps, 0.0) ** 2
    return np.where(count > 0, total.cumsum(axis=0) / np.where(count > 0, count, 1), np.nan)


def say_replaced(name: str, replaced: dict[str, list[str]], instead: str) -> None:
    """Warn about what a model gave no forecast for: reason -> name of the series, once for each forecast."""
    for reason, series in replaced.items():
        names = list(dict.fromkeys(series))
        shown = ", ".join(repr(s) for s in names[:3]) + (", ..." if len(names) > 3 else "")
        warnings.warn(
            f"{name}: {len(series)} forecasts or series ({shown}) got {instead} instead, because {reason}.",
            UserWarning,
            stacklevel=4,
        )


def require(package: str, purpose: str) -> None:
    """Raise the error for an absent package before any work is done; the package itself is not imported."""
    if find_spec(package) is None:
        raise missing(package, purpose)


def missing(package: str, purpose: str) -> MissingExtraError:
    """Return the error for an absent package of the extra ``baselines``."""
    return MissingExtraError(package, "baselines", purpose)
