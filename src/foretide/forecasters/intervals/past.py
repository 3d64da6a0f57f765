"""Forecasts from inside the part that was fitted on, for the errors on steps that were not learned from."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from foretide.data.time.seasons import telling
from foretide.data.windows import Windows, cutoffs_within, places, slide, truth_of
from foretide.errors import DataError, ForetideError
from foretide.forecasters.intervals.distribution import Errors
from foretide.text import phrase

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Prediction, Quantiles, Traces
    from foretide.forecasters.base import Forecaster
    from foretide.typing import Floats, Ints

MOST_WINDOWS = 30_000
"""Past forecasts are made of at most so many windows, all series together."""
KEPT_BACK = 0.3
"""Share of the steps, at the end, whose errors are looked at; the model that makes them knows the steps before."""
Early: TypeAlias = "Callable[[Ints], tuple[Forecaster, Ints]]"
"""Rows to keep of each series ``[N]`` -> a fitted forecaster, and the rows that it learned from ``[N]``."""


@dataclass(frozen=True, eq=False)
class PastForecasts:
    """Forecasts from inside the part that was fitted on.

    Attributes
    ----------
    errors : Errors
        Means beside what came.
    quantiles : float array ``[W, H, D, Q]`` or None
        The model's own, at the levels asked for.
    known : Panel
        What the model that made them had learned from.
    last : int
        Grid step of the last observed target of the part.
    stride : int
        Steps between neighbouring origins.
    inside : str
        Why the errors are those on steps that were learned from; empty where they are not.
    beyond : str
        How many steps they reach where that is not the whole horizon; empty where it is.
    """

    errors: Errors
    quantiles: Floats | None
    known: Panel
    last: int
    stride: int
    inside: str = ""
    beyond: str = ""


def predict_within(
    model: Forecaster, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces = ()
) -> Prediction:
    """Forecast; where a distribution does not hold a quantile, its outermost one stands in, for errors to correct."""
    limits = model.quantile_range
    if limits is None or not quantiles:
        return model._answer(panel, windows, quantiles, traces)
    asked, place = np.unique(np.clip(quantiles, *limits), return_inverse=True)
    made = model._answer(panel, windows, tuple(float(q) for q in asked), traces)
    return made if made.quantiles is None else replace(made, quantiles=made.quantiles[..., place])


def past_forecasts(
    model: Forecaster, panel: Panel, season: int, early: Early, quantiles: Quantiles = (), *, fewest: int = 1,
    most: int | None = None,
) -> PastForecasts | str:  # fmt: skip
    """Forecast the end of every series from inside it, by a model that knows only what lies before.

    Where nothing can be kept back, the fitted model forecasts what it was fitted on. Where no series is longer than
    the horizon, truths of its later steps are missing.

    Parameters
    ----------
    model : Forecaster
        Fitted on the whole part.
    panel : Panel
        The part.
    season : int
        Origins pass through all positions of it.
    early : callable
        Gets the rows of each series that leave enough to look at, and gives the model that knows only what lies before.
    quantiles : tuple of float
        What else to forecast.
    fewest : int
        Of fewer origins the fitted model is asked instead.
    most : int, optional
        Windows, all series together; :data:`MOST_WINDOWS` by default.

    Returns
    -------
    PastForecasts, or str
        Why nothing could be kept back, where no series is long enough for a single forecast either.
    """
    rows = panel.observed
    reach = model.h if (rows > model.h).any() else max(1, int(rows.max()) // 2)
    kept_back = np.maximum(np.round(KEPT_BACK * rows), np.minimum(2 * reach, rows // 2)).astype(np.int64)
    kept_back = np.maximum(kept_back, reach)
    able = np.isin(np.arange(panel.n_entities), telling(panel, season))
    before, number = _early(early, np.where(able, rows - kept_back, 0)), 0
    if isinstance(before, tuple):
        maker, seen = before
        known = panel.head(np.where(able & (seen < rows), seen, 0))
        known = known.take(np.flatnonzero(known.observed > 0))
        where = places(known.ids, panel.ids)
        inside = panel.take(where)
        windows = _origins(inside, maker, inside.first + known.length, season, reach, most)
        number = len(windows)
        if number >= fewest:
            return replace(
                _made(maker, panel, inside, known, where, windows, quantiles), beyond=_beyond(reach, model.h)
            )
    why = f"the series are too short to keep {int(kept_back.max())} steps back"
    if isinstance(before, str) or number:
        why = before if isinstance(before, str) else f"{number} held-back forecasts are too few"
    reach = min(reach, int(rows.max()) - model.min_history)
    if reach < 1:
        return why
    windows = _origins(panel, model, panel.first + 1, season, reach, most)
    made = _made(model, panel, panel, panel, np.arange(panel.n_entities), windows, quantiles)
    return replace(made, inside=why, beyond=_beyond(reach, model.h))


def _beyond(reach: int, h: int) -> str:
    return f"no past forecast reaches further than {phrase('step', reach)}" if reach < h else ""


def _early(early: Early, rows: Ints) -> tuple[Forecaster, Ints] | str | None:
    """Return a model of the first rows; why there is none where it cannot be fitted; None where they are too few.

    What there is to say of the series is said when the whole part is fitted.
    """
    if not (rows > 0).any():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return early(rows)
    except DataError:
        return None
    except ForetideError as error:
        return f"it cannot be fitted on the steps before the last {KEPT_BACK:.0%} ({error})"


def _made(
    maker: Forecaster, panel: Panel, inside: Panel, known: Panel, where: Ints, windows: Windows, quantiles: Quantiles
) -> PastForecasts:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say was said when the whole part was fitted
        made = predict_within(copy(maker), inside, windows, quantiles)  # of what a prediction leaves on the model
    at = windows.steps(inside)
    mean = np.asarray(made.mean, dtype=np.float64)
    errors = Errors(mean, truth_of(inside, windows, maker.h), where[windows.entity], at)
    own = None if made.quantiles is None else np.asarray(made.quantiles, dtype=np.float64)
    distinct, last = np.unique(at), int((panel.first + panel.observed - 1).max())
    return PastForecasts(errors, own, known, last, int(np.diff(distinct).min()) if len(distinct) > 1 else 1)


def _origins(panel: Panel, model: Forecaster, first_target: Ints, season: int, reach: int, most: int | None) -> Windows:
    in_all = MOST_WINDOWS if most is None else most
    return evenly_spaced(panel, model.min_history, reach, first_target, season, model.past_origins, in_all)


def evenly_spaced(
    panel: Panel, input_size: int, h: int, first_target: int | Ints, season: int, most: int, in_all: int
) -> Windows:
    """Return at most so many origins of each series, and windows in all, through all season positions.

    Parameters
    ----------
    panel : Panel
    input_size, h, first_target
        As for :func:`foretide.data.windows.slide`.
    season, most, in_all : int

    Returns
    -------
    Windows
    """
    low, high = cutoffs_within(panel, input_size, h, first_target)
    counts, steps = np.maximum(high - low + 1, 0), panel.first + high
    stride = max(1, -(-int(counts.max(initial=0)) // most), -(-int(counts.sum()) // in_all))
    while gcd(stride, season) > 1:  # or some season positions would never be an origin
        stride += 1
    newest = int(steps[counts > 0].max()) if counts.any() else 0
    last = steps - (steps - newest) % stride + h  # all origins lie whole strides before the newest one
    return slide(panel, input_size=input_size, h=h, first_target=first_target, last_target=last, stride=stride)
