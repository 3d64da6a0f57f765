"""Groupings of scored points: by series, horizon step, cutoff, density bucket, calendar, or any of them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.counts import BUCKETS, buckets
from foretide.errors import ConfigError, nearest
from foretide.typing import Ints

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from foretide.evaluation.cards.figures import Figures

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CALENDAR: dict[str, Callable[[pd.DatetimeIndex], ArrayLike]] = {
    "minute": lambda t: t.minute,
    "hour": lambda t: t.hour,
    "weekday": lambda t: t.day_of_week,
    "weekend": lambda t: (t.day_of_week >= 5).astype(int),
    "day": lambda t: t.day,
    "week": lambda t: t.isocalendar().week,
    "month": lambda t: t.month,
    "quarter": lambda t: t.quarter,
    "year": lambda t: t.year,
}
"""Name -> what it takes of the wall-clock time of the step that is forecast."""
PLACES = ("series", "entity", "target", "bucket", "h_step", "cutoff")


@dataclass(frozen=True, eq=False)
class Groups:
    """The group of every point.

    Attributes
    ----------
    codes : int array ``[N, H, D]``
        Number of each point's group.
    keys : DataFrame
        One row per group, one column per grouping.
    """

    codes: Ints
    keys: pd.DataFrame

    def __len__(self) -> int:
        return len(self.keys)


def groups_of(card: Figures, by: str | Sequence[str]) -> Groups:
    """Return the groups of the points scored.

    Parameters
    ----------
    card : Figures
    by : str or sequence of str
        One or several of ``series`` (or the name of the id column), ``entity``, ``target``, ``bucket``, ``h_step``,
        ``cutoff``, ``minute``, ``hour``, ``weekday``, ``weekend``, ``day``, ``week``, ``month``, ``quarter``, ``year``
        (of the step forecast, by the clock on the wall). One alone gives a row for each of its values, several a row
        for each combination that occurs, none a single row over all points.

    Returns
    -------
    Groups

    Raises
    ------
    ConfigError
        For an unknown grouping, or one that is named twice.
    """
    names = (by,) if isinstance(by, str) else tuple(by)
    if len(set(names)) < len(names):
        raise ConfigError(f"by names one grouping or several, each once; got {by!r}.")
    if not names:
        return Groups(np.broadcast_to(np.int64(0), card.truth.shape), pd.DataFrame(index=range(1)))
    parts = [_one(card, name) for name in names]
    if len(parts) == 1:
        return parts[0]
    shape = tuple(len(part) for part in parts)
    together = np.ravel_multi_index([part.codes for part in parts], shape)
    numbers, codes = np.unique(together, return_inverse=True)
    places = np.unravel_index(numbers, shape)
    columns = [p.keys.iloc[at].reset_index(drop=True) for p, at in zip(parts, places, strict=True)]
    return Groups(codes.reshape(together.shape).astype(np.int64), pd.concat(columns, axis=1))


def calendar_names(freq: str | int) -> tuple[str, ...]:
    """Return the calendar groupings there are at a frequency.

    Parameters
    ----------
    freq : str or int

    Returns
    -------
    tuple of str
        None where time is counted in integers.

    Examples
    --------
    >>> calendar_names("D")[:3], calendar_names(1)
    (('minute', 'hour', 'weekday'), ())
    """
    return () if isinstance(freq, int) else tuple(CALENDAR)


def _one(card: Figures, name: str) -> Groups:
    panel, shape = card.panel, card.truth.shape
    if name in ("series", panel.names.id):
        return Groups(card.series_groups, pd.DataFrame({panel.names.id: list(panel.series)}))
    if name == "h_step":
        return _labelled(np.arange(shape[1])[None, :, None], shape, name, np.arange(1, shape[1] + 1))
    if name == "entity":
        return _labelled(card.windows.entity[:, None, None], shape, name, list(panel.ids))
    if name == "target":
        return _labelled(np.arange(shape[2])[None, None, :], shape, name, list(panel.targets))
    if name == "bucket":
        return bucket_groups(card)
    steps = card.windows.steps(panel)
    if name == "cutoff":
        cutoffs, codes = np.unique(steps, return_inverse=True)
        return _labelled(codes[:, None, None], shape, name, panel.grid.output_times(cutoffs))
    if name in calendar_names(panel.grid.freq):
        return _calendar(card, name, steps)
    raise ConfigError(f"There is no grouping {name!r}. {nearest(name, (*PLACES, *calendar_names(panel.grid.freq)))}")


def _calendar(card: Figures, name: str, steps: Ints) -> Groups:
    ahead = steps[:, None] + np.arange(1, card.truth.shape[1] + 1)
    targets, places = np.unique(ahead, return_inverse=True)
    times = pd.DatetimeIndex(card.panel.grid.local_times(targets))
    values, codes = np.unique(np.asarray(CALENDAR[name](times), dtype=np.int64), return_inverse=True)
    labels: ArrayLike = values
    if name == "weekday":
        labels = [WEEKDAYS[int(v)] for v in values]
    elif name == "weekend":
        labels = [bool(v) for v in values]
    return _labelled(codes[places].reshape(ahead.shape)[:, :, None], card.truth.shape, name, labels)


def bucket_groups(card: Figures, dense: float = 0.70, ultra: float = 0.005) -> Groups:
    """Return the density bucket of each point's series, by its nonzero rate in the training part.

    Parameters
    ----------
    card : Figures
    dense, ultra : float
        Rates from which a series is dense, and up to which it is ultra-sparse.

    Returns
    -------
    Groups
    """
    of_series = buckets(card.rates, dense, ultra).reshape(-1)
    scored = set(of_series[np.unique(card.series_groups)].tolist())
    names = [name for name in BUCKETS if name in scored]
    numbers = np.array([names.index(name) if name in names else 0 for name in of_series.tolist()], dtype=np.int64)
    return Groups(numbers[card.series_groups], pd.DataFrame({"bucket": names}))


def _labelled(codes: ArrayLike, shape: tuple[int, ...], name: str, labels: ArrayLike | pd.Index) -> Groups:
    return Groups(np.broadcast_to(np.asarray(codes, dtype=np.int64), shape), pd.DataFrame({name: labels}))
