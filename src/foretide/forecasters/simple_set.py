"""The simple baselines that run unasked, and which forecasters count as baselines."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from foretide.data.seasons import seasons_of
from foretide.errors import MissingExtraError
from foretide.forecasters.artifact import FORECASTERS, forecaster_class
from foretide.forecasters.base import Forecaster

UNASKED = ("Persistence", "SeasonalNaive", "WindowMean", "SeasonalMean", "SeasonalES", "Drift", "Ridge")
"""Run beside every model, so that skill is stated against the best of them."""
UNASKED_COUNTS = ("CalendarES", "Croston", "SBA", "TSB")
"""Run beside these where every target is a count."""
BASELINES = (*UNASKED, *UNASKED_COUNTS, "CalendarMean", "ADIDA", "IMAPA", "ARIMA", "VAR", "Stats")
"""What skill is measured against, where it runs: everything that is no network."""
WRAPPERS = ("WithIntervals", "Conformal", "PerEntity")
"""Stand around one forecaster and bear its settings; a baseline inside stays a baseline."""


def is_baseline(forecaster: object) -> bool:
    """Whether a forecaster, or the one inside a wrapper, counts as a baseline."""
    kind = type(forecaster).__name__
    return kind in BASELINES or (kind in WRAPPERS and is_baseline(getattr(forecaster, "inner", None)))


def unasked_names(*, counts: bool, seasonal: bool) -> tuple[str, ...]:
    """Return the names of the baselines that run unasked.

    Parameters
    ----------
    counts : bool
        Whether every target is a count.
    seasonal : bool
        Whether a season is known or holidays are; without either there is no CalendarES.
    """
    of_counts = UNASKED_COUNTS if seasonal else UNASKED_COUNTS[1:]
    return (*UNASKED, *(of_counts if counts else ()))


def parameters(cls: type[Forecaster]) -> dict[str, inspect.Parameter]:
    """Return what a forecaster's constructor takes."""
    kinds = inspect.signature(cls).parameters.items()
    return {name: p for name, p in kinds if p.kind is not inspect.Parameter.VAR_POSITIONAL}


def made(name: str, h: int, shared: Mapping[str, Any]) -> Forecaster:
    """Return a forecaster by its name, with those of the shared settings that it knows."""
    cls = forecaster_class(name)
    known = parameters(cls)
    return cls(h=h, **{key: value for key, value in shared.items() if key in known})


def with_intervals(forecaster: Forecaster) -> Forecaster:
    """Give a point forecaster the intervals of its own past errors, under its own name; others stay as they are."""
    if forecaster.has_law:
        return forecaster
    wrap: Any = forecaster_class("WithIntervals")
    wrapped: Forecaster = wrap(forecaster, alias=forecaster.name)
    return wrapped


def simple_set(
    h: int,
    *,
    counts: bool,
    intervals: bool,
    freq: str | int,
    shared: Mapping[str, Any],
    without: Collection[str] = (),
) -> tuple[list[Forecaster], list[str]]:
    """Return the baselines that run unasked, and a line for each that cannot because a package is missing.

    Parameters
    ----------
    h : int
        Steps forecast.
    counts : bool
        Whether every target is a count: the intermittent ones come too.
    intervals : bool
        Whether points get the intervals of their own past errors.
    freq : str or int
        Step of the grid.
    shared : mapping
        Settings handed to those that know them: ``season``, ``calendar``, ``input_size``.
    without : collection of str
        Names that are there already.
    """
    holidays = getattr(shared.get("calendar"), "country", None) is not None
    seasonal = bool(shared.get("season")) or bool(seasons_of(freq)) or holidays
    found, notes = [], []
    for name in unasked_names(counts=counts, seasonal=seasonal):
        if name in without or name not in FORECASTERS:
            continue
        try:
            forecaster = made(name, h, shared)
        except MissingExtraError as error:
            notes.append(f"{name} left out: {error}")
            continue
        found.append(with_intervals(forecaster) if intervals else forecaster)
    return found, notes
