"""Steps that are known ahead to be closed: where a known column says what it only ever said when nothing happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.record import Record
from foretide.data.time.calendar import Calendar
from foretide.data.time.frequency import fixed_step, offset_of
from foretide.data.time.seasons import seasons_of
from foretide.data.time.stamps import DAY
from foretide.typing import Bools, Floats

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows

TELLING = 5.0
"""So many rows of an entity would have held something, had those under a flag been like others of their season."""
STRETCHES = 2
"""A flag that was set once is an anecdote."""
MOST_LEVELS = 8
"""A column of more different numbers measures something."""
LONGEST = 200
"""Steps of the longest season by which rows are compared."""


@dataclass(frozen=True)
class Closures(Record):
    """Values of known-future columns under which every target of the panel was zero, always.

    Nothing is assumed from a name: a column ``closed``, an ``open`` that is 0, a holiday of a shop that never opens on
    one are all found the same way, and a flag under which anything at all was sold is none.

    Attributes
    ----------
    levels : tuple of (str, float)
        Columns and the number in each that says closed.
    country : str, tuple of two str, or None
        Whose public holidays are closed.
    """

    levels: tuple[tuple[str, float], ...] = ()
    country: str | tuple[str, str] | None = None

    @classmethod
    def learn(cls, panel: Panel, country: str | tuple[str, str] | None = None) -> Closures:
        """Find what says that nothing happens.

        Parameters
        ----------
        panel : Panel
            What may be learned from; text columns as indicators.
        country : str, tuple of two str, or None
            Whose public holidays are looked at, unless a column of the panel says closed: that knows better.

        Returns
        -------
        Closures

        Examples
        --------
        >>> import pandas as pd
        >>> import foretide as ft
        >>> days = pd.date_range("2024-01-01", periods=60)
        >>> shut = pd.Series(range(60)) % 11 == 0
        >>> frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": 5.0 * ~shut, "shut": 1.0 * shut})
        >>> panel = ft.Panel.from_frame(frame, future=["shut"])
        >>> ft.data.time.closures.Closures.learn(panel).levels
        (('shut', 1.0),)
        """
        season = max((s for s in seasons_of(panel.grid.freq) if s <= LONGEST), default=1)
        found = []
        for name in panel.future:
            column = panel.index(name)
            cells = np.concatenate([panel.rows(i)[: panel.observed[i], column] for i in range(panel.n_entities)])
            values = np.unique(cells[~np.isnan(cells)])
            if 2 <= len(values) <= MOST_LEVELS:
                found += [
                    (name, float(value))
                    for value in values
                    if _closes(panel, (panel.rows(i)[:, column] == value for i in range(panel.n_entities)), season)
                ]
        if found or country is None or not within_days(panel.grid.freq):
            return cls(tuple(found))
        calendar = Calendar((), country)
        marks = (_holidays(calendar, panel, i) for i in range(panel.n_entities))
        return cls((), country if _closes(panel, marks, season) else None)

    def columns(self, panel: Panel) -> set[str]:
        """Return the columns that say closed, by their names before text became indicators.

        Parameters
        ----------
        panel : Panel
            Text columns as indicators.

        Returns
        -------
        set of str
        """
        text = {flag: column for column, flags in panel.indicators.items() for flag in flags}
        return {text.get(name, name) for name, _ in self.levels}

    def at(self, panel: Panel, windows: Windows, h: int) -> Bools:
        """Return which of the ``h`` steps ahead of each window are closed, ``[W, h]``; none where a column is silent.

        Parameters
        ----------
        panel : Panel
        windows : Windows
        h : int

        Returns
        -------
        bool array ``[W, h]``
        """
        closed = np.zeros((len(windows), h), dtype=bool)
        row = windows.cutoff[:, None] + np.arange(1, h + 1)
        inside = row < panel.length[windows.entity][:, None]
        place = panel.row0[windows.entity][:, None] + np.where(inside, row, 0)
        for name, value in self.levels:
            closed |= inside & (panel.values[place, panel.index(name)] == value)
        if self.country is not None and len(windows):
            steps = panel.first[windows.entity][:, None] + row
            distinct, where = np.unique(steps, return_inverse=True)
            flags = Calendar((), self.country).values(panel.grid, distinct)[:, 0] > 0
            closed |= flags[where.reshape(steps.shape)]
        return closed


def _closes(panel: Panel, marks: Iterator[Bools], season: int) -> bool:
    """Whether nothing happened under a mark, where enough would have on other rows of the same season."""
    expected, begins = 0.0, set()
    for i, mark in enumerate(marks):
        rows = np.asarray(panel.rows(i)[: panel.observed[i], : panel.n_targets])
        busy, seen = (np.nan_to_num(rows) != 0).any(axis=1), ~np.isnan(rows).all(axis=1)
        on = mark[: len(rows)]
        if (busy & on).any():
            return False
        position = (int(panel.first[i]) + np.arange(len(rows))) % season
        open_rows, counted = seen & ~on, seen & on
        share = _counts(position[open_rows & busy], season) / np.maximum(_counts(position[open_rows], season), 1.0)
        expected += float((_counts(position[counted], season) * share).sum())
        first = np.flatnonzero(counted & ~np.concatenate([[False], on[:-1]]))
        begins |= set((int(panel.first[i]) + first).tolist())
    return expected >= TELLING and len(begins) >= STRETCHES


def _counts(position: np.ndarray, season: int) -> Floats:
    return np.bincount(position, minlength=season).astype(np.float64)


def _holidays(calendar: Calendar, panel: Panel, entity: int) -> Bools:
    steps = int(panel.first[entity]) + np.arange(int(panel.observed[entity]))
    return calendar.values(panel.grid, steps)[:, 0] > 0


def within_days(freq: str | int) -> bool:
    """Whether steps are days, or parts of days: then a holiday is a step, or some.

    Parameters
    ----------
    freq : str or int

    Returns
    -------
    bool

    Examples
    --------
    >>> from foretide.data.time.closures import within_days
    >>> [within_days(freq) for freq in ("h", "D", "B", "W", 1)]
    [True, True, True, False, False]
    """
    if isinstance(freq, int):
        return False
    step = fixed_step(freq)
    return step <= DAY if step is not None else "Day" in type(offset_of(freq)).__name__
