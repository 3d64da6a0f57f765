"""Roles of columns, guessed from names, types and values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np
import pandas as pd

from foretide.data.reading.categories import check_labels, holds_categories, read_categories
from foretide.data.reading.columns import number_column
from foretide.data.reading.frames import entities_of, is_number, is_time, strings
from foretide.data.reading.identify import find_ids
from foretide.data.reading.parts import refuse_clock_beside, refuse_parts
from foretide.data.reading.problems import Problem
from foretide.data.reading.repeats import Parts, calendar_part
from foretide.data.reading.roles import Roles
from foretide.data.reading.words import AHEAD, CALENDAR, COVARIATES, TARGETS, TIMES, rank, said, stem, words_of
from foretide.data.tables.form import Form
from foretide.data.time.times import Times, looks_counted, parse_times
from foretide.errors import DataError
from foretide.typing import Bools, Ints, Reals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from foretide.data.reading.frames import ColumnView, FrameView

_LOOKED_AT = 200
_SHOWN = 20
_ALIKE = 10.0
"""Medians of columns that may be series of one kind differ by at most this factor."""


@dataclass(frozen=True)
class Guess:
    """Roles of all columns.

    Attributes
    ----------
    ids : tuple of str
        Columns that name the entity together.
    roles : Roles
        Of the other columns.
    melt : bool
        Whether the targets are series of one kind, each an entity of its own.
    notes : list of Problem
        What was guessed, and what was left out and why.
    doubts : dict of str to Problem
        Columns that look like numbers and cannot be read, and why.
    """

    ids: tuple[str, ...]
    roles: Roles
    melt: bool = False
    notes: list[Problem] = field(default_factory=list)
    doubts: dict[str, Problem] = field(default_factory=dict)


def guess_roles(
    table: FrameView, roles: Mapping[str, tuple[str, ...] | None], time: str | None = None, *, melt: bool = False,
    form: Form | None = None,
) -> Guess:  # fmt: skip
    """Return the roles of all columns; those that are None are guessed.

    Parameters
    ----------
    table : narwhals frame
    roles : dict
        ``id, target, past, future, static`` -> columns.
    time : str, optional
    melt : bool
        Whether every target is a series of its own.
    form : Form, optional
        How text is written.

    Returns
    -------
    Guess

    Raises
    ------
    DataError
        Where no column looks like a time.
    """
    taken = {name for names in roles.values() for name in names or ()} | ({time} if time else set())
    look = _Look(table, form or Form(), taken, ids=roles["id"] or ())
    look.time = time or _guess_time(look)
    look.take("time", (look.time,), guessed=time is None)
    if roles["id"] is None and not melt and look.time in table.columns:
        refuse_clock_beside(table, look.time, look.times, look.free)
        look.ids = find_ids(table, look.times.values, look.free)
        look.take("id", look.ids, guessed=True)
    target = roles["target"]
    if target is None:
        target, melt = _guess_target(look, melt)
        look.take("target", target, guessed=True)
        if melt and len(target) > 1:
            text = f"These {len(target)} columns are alike: each is taken as a series of its own."
            look.note("guess", text, target[0])
    look.target = tuple(name for name in target if name in table.columns)
    _leave_out(look)
    columns = {role: roles[role] or () for role in ("past", "future", "static")}
    for role, fits in (("static", look.is_static), ("future", look.is_future), ("past", lambda _: True)):
        if roles[role] is None:
            columns[role] = tuple(name for name in look.free if fits(name))
            look.take(role, columns[role], guessed=True)
    if roles["past"] is None:
        _say_what_has_no_future(look, columns["past"])
    for name in look.free:
        look.note("roles", f"Column {name!r} has no role. It is left out.", name)
    return Guess(look.ids, Roles(None, look.time, target, **columns), melt, look.notes, look.doubts)


@dataclass
class _Look:
    """A table under inspection, and what is known about its columns so far."""

    table: FrameView
    form: Form
    taken: set[str]
    time: str = ""
    ids: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    notes: list[Problem] = field(default_factory=list)
    read: dict[str, Reals | None] = field(default_factory=dict)
    labels: dict[str, bool] = field(default_factory=dict)
    doubts: dict[str, Problem] = field(default_factory=dict)

    @property
    def free(self) -> list[str]:
        return [str(c) for c in self.table.columns if c not in self.taken]

    def note(self, kind: str, text: str, column: str, fix: str = "") -> None:
        self.notes.append(Problem(kind, text, fix, column=column, severity="note"))

    def take(self, role: str, names: Iterable[str], *, guessed: bool) -> None:
        names = tuple(names)
        self.taken.update(names)
        if names and guessed:
            self.note("guess", f"Guessed {role}: {', '.join(names)}.", names[0])

    @cached_property
    def times(self) -> Times:
        if self.time in self.table.columns:
            return parse_times(self.table[self.time], self.form.time_format)
        return Times(np.zeros(len(self.table), np.int64), np.ones(len(self.table), dtype=bool))

    @cached_property
    def parts(self) -> Parts:
        return Parts.of(self.times)

    @cached_property
    def entity(self) -> Ints:
        """Position of each row's entity ``[R]``."""
        known = [name for name in self.ids if name in self.table.columns]
        codes = entities_of(self.table, known)[0] if known else np.zeros(len(self.table), np.int64)
        return np.asarray(np.where(codes < 0, codes.max(initial=-1) + 1, codes), dtype=np.int64)

    @cached_property
    def after(self) -> Bools:
        """Rows after the last observed target of their entity ``[R]``."""
        observed = np.zeros(len(self.table), dtype=bool)
        for name in self.target:
            observed |= ~self.empty(name)
        n = int(self.entity.max(initial=-1)) + 1
        last = np.full(n, np.iinfo(np.int64).min)
        np.maximum.at(last, self.entity[observed], self.times.values[observed])
        seen = np.bincount(self.entity[observed], minlength=n) > 0
        later = self.times.values > last[self.entity]
        return np.asarray(seen[self.entity] & later & ~self.times.bad, dtype=bool)

    def empty(self, name: str) -> Bools:
        values = self.numbers(name)
        empty = strings(self.table[name]).isna() if values is None else np.isnan(values)
        return np.asarray(empty, dtype=bool)

    def known_after(self, name: str) -> bool:
        """Whether a column holds values after the end of the target; of text, one is enough: none is a value too."""
        if not self.after.any():
            return False
        known = float((~self.empty(name)[self.after]).mean())
        return known > 0 if self.labelled(name) else known > 0.9

    def is_future(self, name: str) -> bool:
        """Whether a column is known ahead, by its name and its values."""
        return said(name, AHEAD) is not None and self.known_after(name)

    def is_static(self, name: str) -> bool:
        """Whether a column has one value for each of several entities, and none is missing."""
        if not self.ids or int(self.entity.max(initial=0)) == 0 or not self.usable(name):
            return False
        values = self.numbers(name)
        cells = read_categories(self.table[name])[0] if values is None else values
        same = cells == cells[self.starts][self.entity]  # never so for a missing one
        return bool(same.all()) and int((np.bincount(self.entity) > 1).sum()) > 1

    @cached_property
    def starts(self) -> Ints:
        """One row of every entity ``[N]``."""
        return np.asarray(np.unique(self.entity, return_index=True)[1], dtype=np.int64)

    def usable(self, name: str) -> bool:
        return self.labelled(name) or self.numbers(name) is not None

    def counts_rows(self, name: str) -> bool:
        """Whether a column grows by one from row to row, of the table or of every entity."""
        values = self.numbers(name)
        if values is None or len(values) < 3:
            return False
        if (np.diff(values[:_LOOKED_AT]) == 1).all() and (np.diff(values) == 1).all():
            return True
        one = np.flatnonzero(self.entity == self.entity[0])  # mostly this says it, and spares sorting all rows
        if (np.diff(values[one[np.argsort(self.times.values[one], kind="stable")]]) != 1).any():
            return False
        order = np.lexsort((self.times.values, self.entity))
        inside = np.diff(self.entity[order]) == 0
        return bool(inside.any() and (np.diff(values[order])[inside] == 1).all())

    def quantities(self) -> list[str]:
        """Free columns that could be forecast: numbers that are no flags, no calendar, and change."""
        names = []
        for name in self.free:
            values = self.numbers(name)
            if values is None or self.table[name].dtype == nw.Boolean:
                continue
            known = values[np.isfinite(values)]
            flag = len(known) != 1 and np.isin(known, (0, 1)).all()
            if said(name, TARGETS) or not (flag or self.calendar(name)):
                names.append(name)
        return [c for c in names if not self.counts_rows(c)] or names

    def numbers(self, name: str) -> Reals | None:
        """Values of a column that holds numbers in any form ``[R]``, None for one that does not."""
        if name not in self.read:
            series = self.table[name]
            self.read[name], problems = (None, []) if self.labelled(name) else number_column(series, self.form)
            if problems and problems[0].kind == "text":
                self.doubts[name] = problems[0]
        return self.read[name]

    def labelled(self, name: str) -> bool:
        """Whether a column holds categories."""
        if name not in self.labels:
            self.labels[name] = holds_categories(self.table[name])
        return self.labels[name]

    def calendar(self, name: str) -> str | None:
        """Return the part of the calendar that a column repeats, None where it is none."""
        return calendar_part(self.table[name], self.parts, CALENDAR.get(said(name, tuple(CALENDAR)) or ""))


# -------------------------------------------------------------------- time
def _guess_time(look: _Look) -> str:
    """Return the column most likely to hold times: by type or readable text, then by name.

    Of several, one of regular steps, the finest of these, then the one with the more usual name.
    """
    table, free = look.table, look.free
    named = sorted((c for c in free if rank(c, TIMES) < len(TIMES)), key=lambda c: rank(c, TIMES))
    form = look.form.time_format
    candidates = [c for c in free if is_time(table[c]) or _reads_as_time(table[c].head(_LOOKED_AT), form)]
    if len(candidates) > 1:
        return min(candidates, key=lambda c: (*_irregular(table[c], form), rank(c, TIMES)))
    if not candidates:
        refuse_parts(table, free)
    if candidates or named:
        return [*candidates, *named][0]
    counted = [c for c in free if table[c].dtype.is_integer() and looks_counted(table[c])]
    if counted:
        return counted[0]
    shown = ", ".join(map(str, table.columns[:_SHOWN])) + (", …" if len(table.columns) > _SHOWN else "")
    raise DataError(f"No column looks like a time among {shown}. Type: time='...'")


def _irregular(series: ColumnView, time_format: str | None) -> tuple[bool, int]:
    """Return whether the times of a column lie at no regular steps, and less the more times there are."""
    times = parse_times(series, time_format)
    steps = np.diff(np.unique(times.values[~times.bad]))
    usual = int(np.unique(steps, return_counts=True)[1].max()) if len(steps) else 0
    return 2 * usual < len(steps), -len(steps)


def _reads_as_time(series: ColumnView, time_format: str | None) -> bool:
    if is_number(series):
        return False
    column = strings(series)
    if isinstance(column.dtype, pd.PeriodDtype):
        return True
    if column.dropna().empty or not any(c.isdigit() for c in str(column.dropna().iloc[0])):
        return False
    return bool(parse_times(series, time_format).bad.mean() < 0.5)


# -------------------------------------------------------------------- target
def _guess_target(look: _Look, melt: bool) -> tuple[tuple[str, ...], bool]:
    """Return the targets, and whether each is a series of its own: by names, then by likeness, then by position."""
    numeric = look.quantities()
    if {"high", "low"} <= {c.lower() for c in numeric}:  # of a bar of prices its last one is forecast
        numeric = [c for c in numeric if c.lower() not in ("open", "high", "low")] or numeric
    plain = [c for c in numeric if not (said(c, AHEAD) or said(c, COVARIATES))] or numeric
    if melt:
        return tuple(plain), True
    by_name = sorted((c for c in plain if rank(c, TARGETS) < len(TARGETS)), key=lambda c: rank(c, TARGETS))
    if not look.ids:
        series = _siblings(by_name) if by_name else _alike(look, plain)
        if len(series) > 1:
            return tuple(series), True
    if by_name:
        return (by_name[0],), False
    if not plain:
        return (), False
    chosen = plain[0] if look.ids else plain[-1]
    if len(plain) > 1:
        look.note("guess", f"No name says which column is forecast; {chosen!r} is taken by its place.", chosen)
    return (chosen,), False


def _siblings(by_name: list[str]) -> list[str]:
    """Return the columns that say the same target word, each with words of its own: demand_north, demand_south."""
    found = [c for c in by_name if said(c, TARGETS) == said(by_name[0], TARGETS)]
    return [] if any(set(words_of(a)) < set(words_of(b)) for a in found for b in found) else found


def _alike(look: _Look, names: list[str]) -> list[str]:
    """Return all columns where they look like series of one kind: by their names, or by their values."""
    stems = {stem(c) for c in names}
    if len(names) < 2 or (len(stems) == 1 and len(set(names)) == len(names)):
        return names if len(names) > 1 else []
    kinds, middles = set(), []
    for name in names:
        values = look.numbers(name)
        assert values is not None
        values = values[np.isfinite(values)]
        kinds.add((bool((values == np.floor(values)).all()), bool((values >= 0).all())))
        middles.append(float(np.median(np.abs(values))))
    near = min(middles) > 0 and max(middles) <= _ALIKE * min(middles)
    return names if len(kinds) == 1 and near else []


# -------------------------------------------------------------------- the others
def _leave_out(look: _Look) -> None:
    """Say which columns hold nothing to learn from: the calendar again, one value, free text, no numbers."""
    for name in look.free:
        reason = _reason_to_leave_out(look, name)
        if reason is not None:
            look.note("roles", f"Column {name!r} {reason}. It is left out.", name)
            look.taken.add(name)


def _reason_to_leave_out(look: _Look, name: str) -> str | None:
    if part := look.calendar(name):
        return f"repeats the {part} of the time, which calendar features know already"
    if not look.usable(name):
        return "holds neither numbers nor categories"
    if look.table[name].n_unique() < 2:
        return "holds one value only"
    text = _free_text(look.table[name]) if look.labelled(name) else None
    return text or ("counts the rows" if look.counts_rows(name) else None)


def _free_text(series: ColumnView) -> str | None:
    problems = check_labels(str(series.name), *read_categories(series))
    free = any(p.severity == "error" for p in problems)
    return f"holds free text ({problems[0].count} different ones)" if free else None


def _say_what_has_no_future(look: _Look, past: tuple[str, ...]) -> None:
    """Say of columns of events that the table ends with its target, and of others that it does not."""
    later = [c for c in past if look.after.any() and look.known_after(c)]
    without = [c for c in past if said(c, AHEAD) and c not in later]
    add = "add rows for the next steps, target empty; "
    without_text = "no values after the end of the target, so taken as past."
    later_text = "values after the end of the target, but taken as past."
    for names, text, fix in ((without, without_text, add), (later, later_text, "")):
        if names:
            shown = ", ".join(map(repr, names))
            look.note("future", f"{shown}: {text}", names[0], f"If known ahead, {fix}type: future={names!r}.")
