"""Gaussian intervals, and the naive forecast with intervals that stands in where a model fails."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from foretide.errors import MissingExtraError
from foretide.forecasters.simple.history import SLEEP, ahead_rows, at_rows, first_known, last_seen, season_last

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.typing import Bools, Floats, Ints


EXPLODED = 100.0
"""A forecast is not believed where it lies so many times the range of the series beyond it."""
LARGEST = 1e100
"""Squares of larger values, and sums of them, leave what a computer can count."""


TOO_LARGE = "too large to compute with and taken as missing"


def too_large(values: Floats) -> str | None:
    """Say that a series holds values too large to compute with; None where it does not."""
    most = float(np.max(np.abs(values), initial=0.0, where=~np.isnan(values)))
    return f"a value of {most:.3g} is too large to compute with (mark it as missing)" if most > LARGEST else None


def normal_quantiles(mean: Floats, sd: Floats, quantiles: Sequence[float]) -> Floats:
    """Return quantiles of normal distributions: mean and standard deviation ``[...]`` -> ``[..., Q]``.

    Those of one level lie together in memory: the last axis is short, and steps along it are slow.
    """
    z, most = np.array([NormalDist().inv_cdf(q) for q in quantiles]), np.finfo(np.float64).max
    with np.errstate(over="ignore"):
        found = np.multiply.outer(z, sd)
        found += mean
        return np.moveaxis(np.clip(found, -most, most, out=found), 0, -1)


def naive_distribution(history: Floats, cutoffs: Ints, h: int, season: int) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the (seasonal) random walk, each ``[n, H, D]``.

    The variance of one cycle is the mean of the squared one-cycle differences up to each cutoff, of the
    one-step differences where no cycle is complete, and 0 where one value only is known; it grows with the
    number of cycles ahead (Hyndman & Athanasopoulos, 3rd ed., table 5.2).
    """
    rows = np.arange(len(history))
    last, same = last_seen(history), season_last(history, season)
    mean = first_known(at_rows(same, ahead_rows(cutoffs, h, season)), last[cutoffs][:, None, :])
    deviation = first_known(
        _root_mean_square(history - at_rows(same, rows - season))[cutoffs],
        _root_mean_square(history - at_rows(last, rows - 1))[cutoffs],
        0.0,
    )
    cycles = 1 + np.arange(h) // season
    sd = np.sqrt(cycles)[None, :, None] * deviation[:, None, :]
    return mean, np.where(np.isnan(mean), np.nan, sd)


def _root_mean_square(steps: Floats) -> Floats:
    """Root of the mean of the squares known so far, ``[T, D]``; NaN before the first.

    Zeros before the first step that is none do not count where they are many: a series that slept says nothing of
    how it moves awake.
    """
    known = ~np.isnan(steps)
    size = np.where(known, np.abs(steps), 0.0)
    unit, most = unit_of(size.max(axis=0, initial=0.0)), np.maximum.accumulate(size, axis=0)
    asleep = (known & (most == 0)).sum(axis=0)
    count = known.cumsum(axis=0) - np.where((most > 0) & (asleep >= SLEEP), asleep, 0)
    total = ((size / unit) ** 2).cumsum(axis=0)
    return np.where(count > 0, np.sqrt(total / np.where(count > 0, count, 1)) * unit, np.nan)


def unit_of(largest: Floats) -> Floats:
    """Return powers of two about as large as some numbers, so that squares in their units do not overflow."""
    return np.asarray(np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1.0)))))


def runs_away(mean: Floats, history: Floats, cutoffs: Ints) -> Bools:
    """Say which forecasts ``[n, H]`` go more than :data:`EXPLODED` ranges of a history ``[T]`` beyond it, ``[n]``."""
    low, high = np.fmin.accumulate(history)[cutoffs][:, None], np.fmax.accumulate(history)[cutoffs][:, None]
    with np.errstate(over="ignore"):
        reach = EXPLODED * np.where(high > low, high - low, np.abs(high))
        return np.asarray(((mean - high > reach) | (low - mean > reach)).any(axis=1))


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


def installed(package: str) -> bool:
    """Whether a package is there; it is not imported."""
    try:
        return find_spec(package) is not None
    except (ModuleNotFoundError, ValueError):  # hidden by an import hook, or by None in sys.modules
        return False


def require(package: str, purpose: str) -> None:
    """Raise the error for an absent package before any work is done; the package itself is not imported."""
    if not installed(package):
        raise missing(package, purpose)


_EXTRAS = {"statsforecast": "baselines", "statsmodels": "baselines", "lightgbm": "boost"} | dict.fromkeys(
    ("onnx", "onnxscript"), "onnx"
)
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "chronos": "chronos-forecasting"}
"""Package as it is imported -> its name where packages are installed from."""


def distribution_of(package: str) -> str:
    """Return the name that a package is installed by, of the one that it is imported by."""
    return _DISTRIBUTIONS.get(package, package)


def missing(package: str, purpose: str) -> MissingExtraError:
    """Return the error for an absent package: one of an extra, or one by itself."""
    return MissingExtraError(distribution_of(package), _EXTRAS.get(package), purpose)
