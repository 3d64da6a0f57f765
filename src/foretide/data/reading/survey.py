"""One pass over a frame: every problem found, and the arrays a panel is made of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.reading import columns as col
from foretide.data.reading.frames import backend_of, codes_of, open_frame
from foretide.data.reading.problems import ColumnFacts, Place, Problem, Report, in_column, located
from foretide.data.reading.regular import regularise
from foretide.data.reading.roles import Options, Roles, check_roles
from foretide.data.reading.rows import rows, rows_called
from foretide.data.reading.wide import melt
from foretide.data.static import Static
from foretide.data.time.seasons import seasons_of
from foretide.data.time.times import Times, parse_times
from foretide.data.time.zones import localise
from foretide.errors import ConfigError, DataError
from foretide.text import phrase
from foretide.typing import Bools, Frame, Ints, Reals

if TYPE_CHECKING:
    from foretide.data.reading.frames import FrameView
    from foretide.data.time.grid import Grid


@dataclass
class Survey:
    """What a frame holds once read: rows sorted by entity and time on the grid, and the problems found.

    Attributes
    ----------
    roles : Roles
        Of the columns of ``values``.
    named : Roles
        Of the columns of the frame; others than ``roles`` where it was melted.
    lost : int
        Rows that cannot be placed, which is an error.
    place : Place
        Entity and time of every row.
    values : float array ``[R, C]``
    steps : int array ``[R]``
        Grid step of every row.
    inserted : bool array ``[R]`` or None
        Rows that were inserted to fill gaps.
    categories : dict
        Text column -> its labels in the order of the codes in ``values``.
    """

    roles: Roles
    options: Options
    named: Roles | None = None
    backend: str = "pandas"
    rows: int = 0
    lost: int = 0
    place: Place = field(default_factory=lambda: Place((), np.zeros(0, np.int64), np.zeros(0, np.int64)))
    values: Reals = field(default_factory=lambda: np.zeros((0, 0)))
    steps: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    inserted: Bools | None = None
    grid: Grid | None = None
    static: Static = field(default_factory=Static)
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    time_format: str | None = None

    def require_grid(self) -> Grid:
        """Return the grid of a survey without errors.

        Returns
        -------
        Grid
        """
        if self.grid is None:
            raise DataError("The frame has no regular time grid.")
        return self.grid

    def report(self) -> Report:
        """Return what was found, for people.

        Returns
        -------
        Report
        """
        order, place = {"error": 0, "warning": 1, "note": 2}, self.place
        named = (self.named or self.roles).named()
        roles = {role: tuple(n for r, n in named if r == role) for role, _ in named}
        seen, freq = len(place.times) > 0, self.grid.freq if self.grid else None
        start, end = (place.time(int(at(place.times))) if seen else None for at in (np.argmin, np.argmax))
        facts = tuple(self._facts(k) for k in range(len(self.roles.numeric))) if self.values.size else ()
        problems = tuple(sorted(self.problems, key=lambda p: order[p.severity]))
        seasons = () if freq is None else seasons_of(freq)
        return Report(
            self.rows, len(place.ids), roles, freq, place.tz, start, end, seasons, facts, problems, self.options.melt
        )  # fmt: skip

    def _facts(self, k: int) -> ColumnFacts:
        """Return what is in a column of ``values``."""
        name, role = self.roles.numeric[k], {name: role for role, name in self.roles.named()}
        known = self.values[:, k][np.isfinite(self.values[:, k])]
        missing = len(self.values) - len(known)
        if name in self.categories or not known.size:
            return ColumnFacts(name, role[name], missing, labels=self.categories.get(name, ()))
        mean = float(known.mean(dtype=np.float64))
        return ColumnFacts(name, role[name], missing, float(known.min()), mean, float(known.max()))


def survey_of(frame: Frame, roles: Roles, options: Options) -> Survey:
    """Read a frame; problems are collected, never raised, as far as the rest can still be looked at.

    Parameters
    ----------
    frame : pandas or polars data frame
    roles : Roles
    options : Options

    Returns
    -------
    Survey
    """
    options, own = options.checked(), rows()
    table = open_frame(frame)
    survey = Survey(roles, options, backend=backend_of(table), rows=len(table))
    roles, survey.problems = check_roles(table, roles, frame)
    survey.roles = survey.named = roles
    if len(table) == 0:
        survey.problems.append(Problem("empty", "The frame has no rows.", "Expected at least one row per time."))
    known = set(table.columns)
    # Without these there is nothing to place rows by; what is wrong so far is all that can be said.
    if roles.time not in known or (roles.id is not None and roles.id not in known) or len(table) == 0:
        return survey
    if options.melt:
        table, roles, problems, own = melt(table, roles, options)
        survey.problems += problems
        survey.roles = roles
        if roles is survey.named:
            return survey
    with rows_called(own):
        order = _place_rows(survey, table)
        columns = col.read_columns(table, roles, order, survey.place, options)
    survey.values, problems, survey.static, survey.categories = columns
    survey.problems += problems
    if len(survey.place.times):
        survey.problems += col.check_infinite(survey)
        regularise(survey)
        survey.problems += col.check_values(survey)
    return survey


def _place_rows(survey: Survey, table: FrameView) -> Ints:
    """Set entity and time of every row; return the order that sorts them, which leaves out unusable rows."""
    roles, options = survey.roles, survey.options
    times = parse_times(table[roles.time], options.time_format)
    survey.time_format = times.form
    if not options.melt:  # then they are said already, once for all series
        survey.problems += times.problems
    if options.tz is not None:  # that the times have several offsets is no news
        survey.problems = [p for p in survey.problems if (p.kind, p.severity) != ("zone", "note")]
    codes: Ints = np.zeros(len(table), np.int64)
    ids: tuple[str, ...] = ("",)
    if roles.id is not None:
        codes, ids = codes_of(table[roles.id])
        survey.problems += _check_ids(codes, ids, roles.id)
    bad = times.bad | (codes < 0)
    values, tz, nowhere = _zoned(times, codes, options)
    if (nowhere & ~bad).any():
        shown = pd.Timestamp(int(times.values[np.argmax(nowhere & ~bad)]))
        n = int((nowhere & ~bad).sum())
        what = phrase("time does not exist|times do not exist", n)
        text = f"Column {roles.time!r}: {what} in {options.tz} (clock change); "
        fix = "Leave tz out: the times are then taken as they are. Or correct them, if the clock is another's."
        survey.problems.append(
            Problem("zone", f"{text}the first is {shown}.", fix, column=roles.time, time=shown, count=n)
        )
    order = np.flatnonzero(~(bad | nowhere))
    survey.lost = len(table) - len(order)
    order = order[np.argsort(codes[order], kind="stable")]
    survey.place = place = Place(ids, codes[order], values[order], times.integer, tz)
    backwards = np.flatnonzero((np.diff(place.times) < 0) & (np.diff(place.codes) == 0)) + 1
    if backwards.size:
        what = "time earlier than the row before|times earlier than the row before"
        survey.problems += located("unsorted", backwards, place, what, "The rows were sorted.", severity="note")
        by_time = np.lexsort((place.times, place.codes))
        order, survey.place = order[by_time], place.take(by_time)
    return order


def _zoned(times: Times, codes: Ints, options: Options) -> tuple[Ints, str | None, Bools]:
    """Return times in UTC where a zone is known, the zone, and which wall-clock times do not exist."""
    tz = options.tz or times.tz
    if times.integer and options.tz is not None:
        raise ConfigError(f"tz={options.tz!r} needs dates; the time column counts in integers. Leave tz out.")
    if tz is None or times.integer or times.aware:
        return times.values, None if times.integer else tz, np.zeros(len(times.values), dtype=bool)
    values, nowhere = localise(times.values, codes, tz)
    return values, tz, nowhere


def _check_ids(codes: Ints, ids: tuple[str, ...], name: str) -> list[Problem]:
    fix = "Name the series they belong to, or drop them."
    problems = in_column("id", name, codes < 0, "row has no identifier|rows have no identifier", fix)
    if len(set(ids)) < len(ids):
        twice = next(name for name, times in Counter(ids).items() if times > 1)
        problems.append(
            Problem("id", f"Column {name!r}: {twice!r} stands for two different values.", "Make it text.", column=name)
        )
    return problems
