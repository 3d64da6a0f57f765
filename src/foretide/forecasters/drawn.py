"""Forecasts as pictures: history, intervals, the forecast, and the truth where it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.data.counts import are_counts
from foretide.data.drawn import AT_ONCE, together, view_of
from foretide.data.reading.accept import as_panel
from foretide.data.typical import chosen_series
from foretide.data.windows import observed_at
from foretide.errors import ConfigError, DataError
from foretide.forecasters.levels import bounds_of
from foretide.pictures.lines import forecast_marks, observed_marks
from foretide.pictures.picture import Mark, Picture, Rule
from foretide.pictures.style import COLOURS, DASHES
from foretide.pictures.times import times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from foretide.data.panel import Panel
    from foretide.forecasters.forecast import Forecast
    from foretide.typing import Floats, Frame, Ints, Reals

HORIZONS, LEAST = 4, 30
"""History that is drawn: so many horizons, and at least so many steps."""
MOST_RULES = 6
"""Up to so many cutoffs each have a line."""


def forecast_picture(
    forecasts: Sequence[Forecast], series: object = None, panel: Panel | Frame | None = None,
    last: int | None = None, most: int = AT_ONCE, *, truth: Reals | None = None,
    styles: Mapping[str, tuple[str, str]] | None = None,
) -> Picture:  # fmt: skip
    """Return the last forecasts of some series, a view of each.

    Parameters
    ----------
    forecasts : sequence of Forecast
        Of one panel, with the same windows and horizon; the first that has intervals is drawn with them.
    series : str, or iterable of str, optional
        As of :func:`foretide.data.typical.chosen_series`.
    panel : Panel or frame, optional
        Holds the truth, and more of the history.
    last : int, optional
        Steps of history.
    most : int
        Series where none are named.
    truth : float array ``[N, H, D]``, optional
        What is known of it beside the panels.
    styles : mapping, optional
        Model -> colour and dash; in their order by default.

    Returns
    -------
    Picture

    Raises
    ------
    DataError
        For a series that is not there, or has no forecast.
    """
    if last is not None and last < 1:
        raise ConfigError(f"last is a number of steps, at least 1, got {last!r}.")
    first = forecasts[0]
    own = first.panel
    held = own if panel is None else as_panel(panel, own)
    history = max(HORIZONS * first.h, LEAST) if last is None else last
    with_one = np.unique(first.windows.entity)
    if series is None:
        places = [(int(with_one[i]), d) for i, d in chosen_series(own.take(with_one), None, most)]
    else:
        places = chosen_series(own, series)
    counts, views = are_counts(held), {}
    for i, d in places:
        at = np.flatnonzero(first.windows.entity == i)
        if not len(at):
            raise DataError(f"There is no forecast of the series {own.series_name(i, d)!r}, only of others.")
        chain = _chain(first, at, history)
        begin = max(int(first.cutoff_steps[chain[0]]) - history + 1, int(own.first[i]))
        steps = np.arange(begin, int(first.cutoff_steps[chain[-1]]) + first.h + 1)
        y = _observed(first, held, chain, (i, d), steps, truth)
        stamps = times(own.grid.local_times(steps))
        marks = [*_marks(forecasts, chain, d, begin, stamps, styles or {}), *observed_marks(stamps, y)]
        views[own.series_name(i, d)] = view_of(own, i, d, marks, stamps, counts=bool(counts[d]))
    return together("forecasts", own, views, series)


def _observed(
    forecast: Forecast, held: Panel, chain: Ints, place: tuple[int, int], steps: Ints, truth: Reals | None
) -> Floats:
    """Return what is known of a series at some steps: from the table at hand, that of the forecast, or the truth."""
    (i, d), own = place, forecast.panel
    past, came = (observed_at(panel, own, np.array([i]), steps[None])[0, :, d] for panel in (own, held))
    y: Floats = np.where(np.isnan(came), past, came)
    if truth is not None:
        at = forecast.cutoff_steps[chain][:, None] + np.arange(1, forecast.h + 1) - steps[0]
        y[at] = np.where(np.isnan(y[at]), truth[chain, :, d], y[at])
    return y


def _chain(forecast: Forecast, at: Ints, history: int) -> Ints:
    """Return the newest windows of a series that do not overlap, oldest first: half as long as the history."""
    chosen: list[int] = []
    for k in sorted(at.tolist(), key=lambda k: -int(forecast.cutoff_steps[k])):
        newer = int(forecast.cutoff_steps[chosen[-1]]) if chosen else None
        if newer is None or int(forecast.cutoff_steps[k]) + forecast.h <= newer:
            chosen.append(k)
        if 2 * len(chosen) * forecast.h >= history:
            break
    return np.array(chosen[::-1])


def _marks(
    forecasts: Sequence[Forecast], chain: Ints, target: int, begin: int, stamps: Sequence[str] | Sequence[int],
    styles: Mapping[str, tuple[str, str]],
) -> list[Mark]:  # fmt: skip
    """Cutoffs, intervals of the first model that has them, and the line of each model, that of the first on top."""
    first = forecasts[0]
    cutoffs = first.cutoff_steps[chain] - begin
    ruled = cutoffs if len(cutoffs) <= MOST_RULES else cutoffs[:1]
    marks: list[Mark] = [Rule(stamps[k], upright=True) for k in ruled.tolist()]
    places = (cutoffs[:, None] + np.arange(1, first.h + 1)).ravel().tolist()
    bounded = next((one for one in forecasts if one.levels), None)
    for k, one in reversed(list(enumerate(forecasts))):
        values = one.mean[chain, :, target].ravel()
        bounds = {}
        for level in one.levels if one is bounded else ():
            low, high = (one.quantile(bound)[chain, :, target].ravel() for bound in bounds_of(level))
            bounds[level] = (low, high)
        colour, dash = styles.get(one.model, (COLOURS[k % len(COLOURS)], DASHES[k % len(DASHES)]))
        marks += forecast_marks(
            [stamps[place] for place in places], values, bounds, name=one.model, colour=colour, dash=dash,
            starts=list(range(0, len(places), first.h)),
            label=f" of {one.model}" if len(forecasts) > 1 else "",
        )  # fmt: skip
    return marks
