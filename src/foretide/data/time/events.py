"""Days that are known ahead to be unlike others: holidays, closures, and the open days before and after them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.record import Record
from foretide.data.time.ahead import no_value_ahead
from foretide.data.time.calendar import Calendar
from foretide.data.time.closures import within_days
from foretide.data.time.event_columns import in_step, marking
from foretide.data.time.frequency import fixed_step
from foretide.data.time.stamps import DAY
from foretide.typing import Bools, Floats, Ints

if TYPE_CHECKING:
    from foretide.data.panel import Panel


REACH = 4
"""A day before or after an event is looked for over at most this many closed days."""
CLOSED_SHARE = 0.05
"""A weekday with less than this share of the average day counts as closed."""
SIDES = {"_after": -1, "_before": 1}
"""Endings of the names of neighbours, and where the event lies as seen from them."""
TELLING = 5.0
"""A target tells its closed weekdays when so much would be expected of each."""
TWO_WEEKS = 14
"""A weekday that has no value in so many values is closed: it is not on the grid, or has no rows."""


@dataclass(frozen=True)
class Events(Record):
    """Where events come from.

    Attributes
    ----------
    columns : tuple of str
        Known-future columns that mark events.
    country : str, tuple of two str, or None
        Whose public holidays are events as well.
    neighbours : bool
        Whether the open day before and the open day after an event are events of their own.
    closed : tuple of tuples of int
        Weekdays without business of each target, Monday 0: where Sundays are closed, the day after a holiday on
        Saturday is Monday.
    levels : dict
        Name of an event -> column and the number there that marks it; other columns mark one event by 1.
    groups : dict
        Name of an event that is any of several kinds -> its kinds, which are events as well.
    plain : tuple of str
        Events whose neighbours are none of their own: kinds of one, and columns that are neighbours themselves.
    closing : tuple of str
        Events on which nothing happens. On weekdays without business they say nothing new, and are none.
    """

    columns: tuple[str, ...] = ()
    country: str | tuple[str, str] | None = None
    neighbours: bool = True
    closed: tuple[tuple[int, ...], ...] = ()
    levels: dict[str, tuple[str, float]] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    plain: tuple[str, ...] = ()
    closing: tuple[str, ...] = ()

    @classmethod
    def find(cls, train: Panel, calendar: Calendar | None = None) -> Events:
        """Find the events of a training part.

        They are rare 0/1 known-future columns, unusual values of known-future text columns and of columns of few whole
        numbers, and holidays of the calendar's country. A column of several kinds of events marks any of them, with
        the days before and after it, and each kind by itself.

        Parameters
        ----------
        train : Panel
        calendar : Calendar, optional

        Returns
        -------
        Events
        """
        country = calendar.country if calendar is not None else None
        daily = within_days(train.grid.freq)
        columns, levels, groups, closing = marking(train)
        closed = closed_weekdays(train) if daily and (columns or country) else ((),) * train.n_targets
        events = cls(columns, country if daily else None, daily, closed, levels, groups, (), closing)
        kinds = tuple(kind for own in groups.values() for kind in own)
        return replace(events, plain=(*kinds, *events._in_step(train, kinds))) if daily else events

    def _in_step(self, train: Panel, kinds: tuple[str, ...]) -> tuple[str, ...]:
        """Sources that only say again what others, or their neighbours, say."""
        names = [name for name in self._sources if name not in kinds]
        if len(names) < 2:
            return ()
        order = [self._sources.index(name) for name in names]
        tables = []
        for i in range(train.n_entities):
            rows = np.arange(int(train.observed[i]))
            tables.append((self._marks(train, i, rows, rows[:0])[order], _days(train, int(train.first[i]) + rows)))
        hinted = [any(side[1:] in name.lower() for side in SIDES) for name in names]
        return tuple(names[k] for k in in_step(tables, hinted))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the flags, ``J`` of them."""
        return tuple(name + side for name in self._sources for side in ("", *self._sides(name)))

    @property
    def _sources(self) -> tuple[str, ...]:
        """Any of a group, its kinds, single columns and, with a country, its public holidays by a name of their own."""
        parent = {kind: any_of for any_of, kinds in self.groups.items() for kind in kinds}
        own = {column: [name for name, level in self.levels.items() if level[0] == column] for column in self.columns}
        kinds = [name for column in self.columns for name in own[column] or [column]]
        found = dict.fromkeys(part for name in kinds for part in ((parent[name], name) if name in parent else (name,)))
        if self.country is None:
            return tuple(found)
        return (*found, "national_holiday" if "public_holiday" in self.columns else "public_holiday")

    def flags(self, panel: Panel, entity: int, low: int, high: int, needed: int | Ints | None = None) -> Bools:
        """Return the 0/1 flags of an entity's rows.

        Rows may lie beyond the panel's end when all events come from a calendar. A row without a value counts as an
        ordinary one, unless it is among those needed.

        Parameters
        ----------
        panel : Panel
        entity : int
        low, high : int
            First row, and the row after the last.
        needed : int or int array, optional
            Rows that must have a value, or all from one row on (by default ``low``).

        Returns
        -------
        bool array ``[high - low, J, D]``
        """
        if needed is None or isinstance(needed, (int, np.integer)):
            needed = np.arange(max(low, low if needed is None else needed), high)
        out = np.zeros((high - low, len(self.names), panel.n_targets), dtype=bool)
        if not self.names:
            return out
        pad = REACH * _steps_per_day(panel) if self.neighbours else 0
        steps = int(panel.first[entity]) + np.arange(low - pad, high + pad)
        wanted = np.arange(low - pad, high + pad)
        days = _days(panel, steps) if self.neighbours else steps
        inner = slice(pad, len(steps) - pad)
        marks = self._marks(panel, entity, wanted, needed)
        for closed in set(self.closed):
            columns = [d for d, own in enumerate(self.closed) if own == closed]
            table = self._on_open_days(marks, days, closed)
            sides = {
                side: beside_marked(days, table, SIDES[side], closed)[:, inner] for side in SIDES if self.neighbours
            }
            flags: list[Bools] = []
            for s, name in enumerate(self._sources):
                flags.append(table[s, inner])
                flags += [sides[side][s] for side in self._sides(name)]
            out[:, :, columns] = np.stack(flags, axis=1)[:, :, None]
        return out

    def _sides(self, name: str) -> tuple[str, ...]:
        """Neighbours that are derived from an event: none of a neighbour, none that a column gives already."""
        if not self.neighbours or name in self.plain or any(side[1:] in name.lower() for side in SIDES):
            return ()
        return tuple(side for side in SIDES if name + side not in self.columns)

    def _marks(self, panel: Panel, entity: int, wanted: Ints, needed: Ints) -> Bools:
        """Where each source is set, ``[S, n]``."""
        cells = {name: self._column(panel, entity, name, wanted, needed) for name in self.columns}
        marks: dict[str, Bools] = {name: values > 0.5 for name, values in cells.items()}
        marks |= {name: cells[column] == value for name, (column, value) in self.levels.items()}
        marks |= {name: np.logical_or.reduce([marks[kind] for kind in kinds]) for name, kinds in self.groups.items()}
        names = self._sources
        if self.country is not None:
            steps = int(panel.first[entity]) + wanted
            marks[names[-1]] = Calendar((), self.country).values(panel.grid, steps)[:, 0] > 0
        return np.stack([marks[name] for name in names])

    def _on_open_days(self, marks: Bools, days: Ints, closed: tuple[int, ...]) -> Bools:
        """Take closing events away from weekdays that are closed anyway: what is usual there tells the season."""
        shut = [s for s, name in enumerate(self._sources) if name in self.closing]
        if not shut or not self.neighbours:
            return marks
        table = marks.copy()
        table[shut] &= ~_closed(days, closed)
        return table

    def _column(self, panel: Panel, entity: int, name: str, wanted: Ints, needed: Ints) -> Floats:
        column = panel.rows(entity)[:, panel.index(name)]
        inside = (wanted >= 0) & (wanted < len(column))
        values = np.where(inside, column[wanted.clip(0, len(column) - 1)], np.nan)
        missing = wanted[np.isnan(values) & np.isin(wanted, needed)]
        if len(missing):
            step = int(panel.first[entity] + missing[0])
            raise no_value_ahead(panel, entity, panel.future.index(name), step)
        return np.asarray(values, dtype=np.float64)


def beside(days: Ints, event_days: Ints, direction: int, closed: tuple[int, ...]) -> Bools:
    """Whether a day is the first open one after (``direction=-1``: the event lies before it) or before (1) an event.

    Parameters
    ----------
    days, event_days : int arrays ``[n]``, ``[m]``
        Numbers of days.
    direction : {-1, 1}
    closed : tuple of int
        Weekdays, Monday 0.

    Returns
    -------
    bool array ``[n]``
    """
    both = np.concatenate([days, event_days])
    marked = np.arange(len(both)) >= len(days)
    return beside_marked(both, marked[None], direction, closed)[0, : len(days)]


def beside_marked(days: Ints, marked: Bools, direction: int, closed: tuple[int, ...]) -> Bools:
    """Return what :func:`beside` does, for several events at once.

    Parameters
    ----------
    days : int array ``[n]``
    marked : bool array ``[S, n]``
        On which of the days each of several events lies.
    direction, closed
        As for :func:`beside`.

    Returns
    -------
    bool array ``[S, n]``
    """
    if not marked.any():
        return np.zeros_like(marked)
    # One cell per day of the calendar, with room to look beyond both ends.
    low = int(days.min()) - REACH
    span = np.arange(low, int(days.max()) + REACH + 1)
    on, shut = np.zeros((len(marked), len(span)), dtype=bool), _closed(span, closed)
    event, row = np.nonzero(marked)
    on[event, days[row] - low] = True
    inner = np.arange(REACH, len(span) - REACH)
    neighbours = np.zeros((len(marked), len(inner)), dtype=bool)
    alive = ~on[:, inner] & ~shut[inner]
    for k in range(1, REACH + 1):
        other = inner + direction * k
        neighbours |= alive & on[:, other]
        alive &= ~on[:, other] & shut[other]
    return neighbours[:, days - (low + REACH)]


def closed_weekdays(train: Panel) -> tuple[tuple[int, ...], ...]:
    """Return the weekdays on which next to nothing happens, per target over all entities.

    A target too rare to tell takes the answer that most others give.

    Parameters
    ----------
    train : Panel

    Returns
    -------
    tuple of tuples of int
        Monday 0.
    """
    total, count = np.zeros((7, train.n_targets)), np.zeros((7, train.n_targets))
    for i in range(train.n_entities):
        rows = np.asarray(train.rows(i)[: train.observed[i], : train.n_targets], dtype=np.float64)
        weekday = _weekday(_days(train, int(train.first[i]) + np.arange(len(rows))))
        for d in range(7):
            part = rows[weekday == d]
            total[d] += np.abs(np.nan_to_num(part)).sum(axis=0)
            count[d] += (~np.isnan(part)).sum(axis=0)
    expected = total.sum(axis=0) / np.maximum(count.sum(axis=0), 1) * count
    absent = (count == 0) & (count.sum(axis=0) >= TWO_WEEKS)
    closed = absent | (total < CLOSED_SHARE * expected)
    telling = (absent | (expected >= TELLING)).all(axis=0)
    found = [tuple(int(d) for d in np.flatnonzero(closed[:, j])) for j in range(train.n_targets)]
    sure = [found[j] for j in np.flatnonzero(telling)]
    usual = max(set(sure), key=sure.count) if sure else ()
    return tuple(found[j] if telling[j] else usual for j in range(train.n_targets))


def _steps_per_day(panel: Panel) -> int:
    step = None if isinstance(panel.grid.freq, int) else fixed_step(panel.grid.freq)
    return max(1, round(DAY / step)) if step is not None else 1


def _days(panel: Panel, steps: Ints) -> Ints:
    """Return local day numbers since 1970-01-01, ``[n]``."""
    times = panel.grid.local_times(steps).to_numpy()
    return np.asarray(times.astype("datetime64[D]").astype(np.int64))


def _weekday(days: Ints) -> Ints:
    return (days + 3) % 7


def _closed(days: Ints, closed: tuple[int, ...]) -> Bools:
    return np.isin(_weekday(days), closed)
