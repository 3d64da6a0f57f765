"""Seasons: found from the frequency, checked on the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.pieces import PIECE_ROWS
from foretide.data.time.frequency import PER_YEAR, code_of, fixed_step, offset_of
from foretide.data.time.stamps import DAY
from foretide.data.windows import evenly
from foretide.errors import ConfigError
from foretide.typing import Floats, Reals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from foretide.data.panel import Panel

_MINUTE, _HOUR, _DAY = 60, 3600, DAY // 10**9
# Cycles of the calendar, in seconds, for steps of a fixed length; a step sees those at least two steps long.
_CYCLES: tuple[tuple[int, int, int], ...] = (
    # shortest step, longest step (seconds, both included), cycle length
    (1, 30, _MINUTE),
    (1, 5 * _MINUTE, _HOUR),
    (_MINUTE, 12 * _HOUR, _DAY),
    (15 * _MINUTE, _DAY, 7 * _DAY),
)
_SERIES_LOOKED_AT = 500
FEWEST_ROWS = 20
"""Settings shared by all series are chosen on those with at least so many rows, and three seasons."""


def seasons_of(freq: str | int) -> tuple[int, ...]:
    """Return the season lengths, in steps, that a frequency suggests, shortest first.

    Hourly steps give ``(24, 168)``, half-hourly ``(48, 336)``, minutes ``(60, 1440)``, days ``(7,)``, business
    days ``(5,)``, weeks ``(52,)``, months ``(12,)``, quarters ``(4,)``; years and integer time give ``()``.

    Parameters
    ----------
    freq : str or int

    Returns
    -------
    tuple of int

    Raises
    ------
    ConfigError
        For what is no frequency.

    Examples
    --------
    >>> from foretide.data.time.seasons import seasons_of
    >>> seasons_of("h"), seasons_of("MS"), seasons_of("YS")
    ((24, 168), (12,), ())
    """
    if isinstance(freq, (int, np.integer)):
        return ()
    try:
        offset = offset_of(freq)
    except ValueError as error:
        raise ConfigError(f"Expected a frequency such as 'h', '30min', 'D', 'W' or 'MS', got {freq!r}.") from error
    n = int(offset.n)
    if isinstance(freq, str) and (code := code_of(freq)) in PER_YEAR:
        return _cycle(PER_YEAR[code], n)
    if isinstance(offset, pd.offsets.BusinessDay):
        return _cycle(5, n)
    length = fixed_step(freq)
    if length is None:
        return ()
    if length % (7 * DAY) == 0:
        return _cycle(PER_YEAR["W"], length // (7 * DAY))
    step = length / 10**9
    found = {int(cycle / step) for low, high, cycle in _CYCLES if low <= step <= high and cycle % step == 0}
    return tuple(sorted(season for season in found if season > 1))


def _cycle(steps: int, n: int) -> tuple[int, ...]:
    return (steps // n,) if steps % n == 0 and steps // n > 1 else ()


def main_season(panel: Panel, season: int | None = None) -> int:
    """Return the season to use: the one given, or the candidate whose seasonal-naive error is lowest.

    The candidates come from the panel's frequency. Each is judged on the panel handed in, which is the
    training part, by the mean of ``|y_t - y_{t-m}|`` over the steps that every candidate can judge, relative
    to the best candidate of the series and averaged over series (at most 500 of them, evenly spaced). A
    series counts for a candidate when it holds two whole cycles.

    Parameters
    ----------
    panel : Panel
        The training part.
    season : int, optional
        A season chosen by the user; returned after a check.

    Returns
    -------
    int
        At least 1; 1 means that no season is known.

    Examples
    --------
    >>> import foretide as ft
    >>> from foretide.data.time.seasons import main_season
    >>> main_season(ft.synthetic.hourly(T=1000).panel)
    24
    """
    if season is not None:
        if isinstance(season, bool) or not isinstance(season, (int, np.integer)) or season < 1:
            raise ConfigError(f"season is a number of steps, a whole number of at least 1; got {season!r}.")
        return int(season)
    candidates = seasons_of(panel.grid.freq)
    fitting = [m for m in candidates if (panel.observed >= 2 * m).any()]
    if len(fitting) < 2:
        return fitting[0] if fitting else 1
    # A season that only few series can judge must not win over one that all can: longer ones need half of them.
    able = int((panel.observed >= 2 * fitting[0]).sum())
    usable = [m for m in fitting if 2 * int((panel.observed >= 2 * m).sum()) >= able]
    ratios = [r for series in _series(panel, 2 * max(usable)) if (r := _naive_errors(series, usable)) is not None]
    if not ratios:
        return usable[0]
    return usable[int(np.argmin(np.mean(ratios, axis=0)))]


def telling(train: Panel, season: int = 1) -> list[int]:
    """Return the entities (positions) long enough to choose shared settings on; all where none is.

    What a series of a few rows prefers is chance, and must not change what is forecast for the others.

    Parameters
    ----------
    train : Panel
    season : int

    Returns
    -------
    list of int
    """
    found = np.flatnonzero(train.observed >= max(FEWEST_ROWS, 3 * season))
    return found.tolist() if len(found) else list(range(train.n_entities))


def _series(panel: Panel, least: int) -> Iterator[Reals]:
    """Yield the observed values of a sample of the series with at least so many rows."""
    able = np.flatnonzero(panel.observed >= least)
    for i in able[evenly(len(able), _SERIES_LOOKED_AT, down=True)]:
        rows = panel.rows(int(i))[: panel.observed[i]]
        for d in range(panel.n_targets):
            yield rows[:, d]


def _naive_errors(y: Reals, seasons: list[int]) -> Floats | None:
    """Return the seasonal-naive error of each season relative to the smallest, on the same steps; None if unknown."""
    longest = max(seasons)
    if len(y) < 2 * longest:
        return None
    sums, count = np.zeros(len(seasons)), 0
    for low in range(longest, len(y), PIECE_ROWS):
        high = min(low + PIECE_ROWS, len(y))
        gaps = np.stack([np.abs(y[low:high] - y[low - m : high - m]) for m in seasons])
        known = ~np.isnan(gaps).any(axis=0)
        sums, count = sums + gaps[:, known].astype(np.float64).sum(axis=1), count + int(known.sum())
    if not count:
        return None
    errors = sums / count
    return errors / errors.min() if errors.min() > 0 else None
