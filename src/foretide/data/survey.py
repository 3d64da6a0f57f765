"""One pass over a frame: every problem found, and the arrays a panel is made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data import columns as col
from foretide.data.frames import backend_of, codes_of, open_frame
from foretide.data.frequency import find_freq, floor_times, is_daily_or_longer, place_on_grid, read_freq
from foretide.data.grid import Grid
from foretide.data.panel import Static
from foretide.data.problems import ColumnFacts, Place, Problem, Report, located, phrase, where
from foretide.data.seasons import seasons_of
from foretide.data.times import Times, check_zone, localise, parse_times, to_wall
from foretide.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    import narwhals as nw
    from numpy.typing import NDArray

_MISSING = ("error", "mask", "ffill")
_MOST_FILLED = 20


@dataclass(frozen=True)
class Roles:
    """Which column plays which role."""

    id: str | None
    time: str
    target: tuple[str, ...]
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def numeric(self) -> tuple[str, ...]:
        """Columns of the panel, in its order."""
        return self.target + self.past + self.future

    def named(self) -> list[tuple[str, str]]:
        """Return (role, column) pairs."""
        single = [("id", self.id)] if self.id is not None else []
        many = [(role, name) for role in ("target", "past", "future", "static") for name in getattr(self, role)]
        return [*single, ("time", self.time), *many]


@dataclass(frozen=True)
class Options:
    """How a frame is read; see :func:`foretide.data.reading.from_frame`."""

    freq: str | int | None = None
    fill_gaps: bool = False
    missing: str = "error"
    resample: str | None = None
    tz: str | None = None
    time_format: str | None = None
    input_size: int | None = None
    h: int | None = None

    def checked(self) -> Options:
        """Return the options in canonical form, or say which one cannot be."""
        if self.missing not in _MISSING:
            raise ConfigError(f"missing={self.missing!r}: expected one of {_MISSING}. {nearest(self.missing, _MISSING)}")
        check_zone(self.tz)
        freq = None if self.freq is None else read_freq(self.freq)
        resample = None if self.resample is None else read_freq(self.resample, "resample")
        if isinstance(resample, int):
            raise ConfigError(f"resample={resample!r}: expected a frequency such as '1h' or 'D'.")
        if resample is not None and freq is not None and freq != resample:
            raise ConfigError(f"resample={self.resample!r} makes steps of {resample!r}, freq={self.freq!r} says otherwise.")
        return replace(self, freq=resample or freq, resample=resample)


@dataclass
class Survey:
    """What a frame holds once read: rows sorted by entity and time on the grid, and the problems found.

    Attributes
    ----------
    place : Place
        Entity and time of every row.
    values : float array ``[R, C]``
    steps : int array ``[R]``
        Grid step of every row.
    """

    roles: Roles
    options: Options
    backend: str = "pandas"
    rows: int = 0
    place: Place = field(default_factory=lambda: Place((), np.zeros(0, np.int64), np.zeros(0, np.int64)))
    values: NDArray[np.floating] = field(default_factory=lambda: np.zeros((0, 0)))
    steps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    grid: Grid | None = None
    static: Static = field(default_factory=Static)
    problems: list[Problem] = field(default_factory=list)

    def report(self) -> Report:
        """Return what was found, for people."""
        seen = len(self.place.times) > 0
        order = {"error": 0, "warning": 1, "note": 2}
        roles = {role: tuple(n for r, n in self.roles.named() if r == role) for role, _ in self.roles.named()}
        kinds = dict((name, role) for role, name in self.roles.named())
        low = int(np.argmin(self.place.times)) if seen else 0
        high = int(np.argmax(self.place.times)) if seen else 0
        facts = []
        for k, name in enumerate(self.roles.numeric if self.values.size else ()):
            v = self.values[:, k][np.isfinite(self.values[:, k])]
            low_mean_high = (float(v.min()), float(v.mean(dtype=np.float64)), float(v.max())) if v.size else (np.nan,) * 3
            facts.append(ColumnFacts(name, kinds[name], len(self.values) - len(v), *low_mean_high))
        return Report(
            rows=self.rows,
            entities=len(self.place.ids),
            roles=roles,
            freq=self.grid.freq if self.grid else None,
            tz=self.place.tz,
            start=self.place.time(low) if seen else None,
            end=self.place.time(high) if seen else None,
            seasons=seasons_of(self.grid.freq) if self.grid else (),
            columns=tuple(facts),
            problems=tuple(sorted(self.problems, key=lambda p: order[p.severity])),
        )


def survey(frame: Any, roles: Roles, options: Options) -> Survey:
    """Read a frame; problems are collected, never raised, as far as the rest can still be looked at."""
    options = options.checked()
    table = open_frame(frame)
    found = Survey(roles, options, backend_of(table), len(table))
    found.problems += check_roles(table, roles, frame)
    if len(table) == 0:
        found.problems.append(Problem("empty", "The frame has no rows.", "Expected at least one row per time."))
    known = set(table.columns)
    # Without these there is nothing to place rows by; what is wrong so far is all that can be said.
    if roles.time not in known or (roles.id is not None and roles.id not in known) or len(table) == 0:
        return found
    order = _place_rows(found, table)
    found.values, problems, static = col.read_columns(table, roles, order, found.place, options.missing)
    found.problems += problems
    found.static = static
    if len(found.place.times):
        _regularise(found)
        found.problems += col.check_values(found)
    return found


def check_roles(table: nw.DataFrame[Any], roles: Roles, frame: Any) -> list[Problem]:
    """Return unknown columns, columns with two roles, and roles without a column."""
    problems, seen = [], {}  # type: tuple[list[Problem], dict[str, str]]
    known = [str(c) for c in table.columns]
    for role, name in roles.named():
        if name in seen:
            both = f"as {seen[name]} and as {role}" if seen[name] != role else f"twice as {role}"
            problems.append(
                Problem("roles", f"Column {name!r} is named {both}.", "Give every column one role.", column=name)
            )
        seen.setdefault(name, role)
        if name not in known:
            hint = nearest(name, [c for c in known if c not in seen])
            if role == "time" and isinstance(getattr(frame, "index", None), (pd.DatetimeIndex, pd.PeriodIndex)):
                hint = "The times stand in the index; type: frame.reset_index(names='ds')"
            if len(known) == 1 and any(mark in known[0] for mark in ";\t|"):
                hint = f"The only column is {known[0]!r}: name the separator, such as sep=';'."
            problems.append(Problem("column", f"There is no column {name!r} ({role}).", hint, column=name))
    if not roles.target:
        problems.append(Problem("roles", "No target column is named.", f"Type: target='...'. Known: {', '.join(known)}."))
    return problems


def _place_rows(found: Survey, table: nw.DataFrame[Any]) -> NDArray[np.int64] | slice:
    """Set entity and time of every row; return the order that sorts them, which leaves out unusable rows."""
    roles, options = found.roles, found.options
    times = parse_times(table[roles.time], options.time_format)
    found.problems += times.problems
    codes, ids = np.zeros(len(table), np.int64), ("",)  # type: tuple[NDArray[np.int64], tuple[str, ...]]
    if roles.id is not None:
        codes, ids = codes_of(table[roles.id])
        found.problems += _check_ids(codes, ids, roles.id)
    bad = times.bad | (codes < 0)
    values, tz, nowhere = _zoned(times, codes, options)
    if (nowhere & ~bad).any():
        n, row = int((nowhere & ~bad).sum()), int(np.argmax(nowhere & ~bad))
        shown = pd.Timestamp(int(times.values[row]))
        found.problems.append(
            Problem(
                "zone", f"Column {roles.time!r}: {n} times do not exist in {options.tz} (clock change); the first is {shown}.",
                "Give the times in UTC, or leave tz out.", column=roles.time, time=shown, count=n,
            )
        )
    bad |= nowhere
    order: NDArray[np.int64] | slice = slice(None)
    backwards = np.zeros(0, np.int64)
    if bad.any():
        order = np.flatnonzero(~bad)
        codes, values = codes[order], values[order]
    if (np.diff(codes) < 0).any():
        by_entity = np.argsort(codes, kind="stable")
        order = by_entity if isinstance(order, slice) else order[by_entity]
        codes, values = codes[by_entity], values[by_entity]
    backwards = np.flatnonzero((np.diff(values) < 0) & (np.diff(codes) == 0)) + 1
    place = Place(ids, codes, values, times.integer, tz)
    if backwards.size:
        found.problems += located(
            "unsorted", backwards, place, "time earlier than the row before|times earlier than the row before",
            "The rows were sorted.", severity="note",
        )
        by_time = np.lexsort((values, codes))
        order = by_time if isinstance(order, slice) else order[by_time]
        place = place.take(by_time)
    found.place = place
    return order


def _zoned(
    times: Times, codes: NDArray[np.int64], options: Options
) -> tuple[NDArray[np.int64], str | None, NDArray[np.bool_]]:
    """Return times in UTC where a zone is known, the zone, and which wall-clock times do not exist."""
    nowhere = np.zeros(len(times.values), dtype=bool)
    tz = options.tz or times.tz
    if times.integer:
        if options.tz is not None:
            raise ConfigError(f"tz={options.tz!r} needs dates; the time column counts in integers. Leave tz out.")
        return times.values, None, nowhere
    if tz is None:
        return times.values, None, nowhere
    if times.aware:
        return times.values, tz, nowhere
    values, nowhere = localise(times.values, codes, tz)
    return values, tz, nowhere


def _check_ids(codes: NDArray[np.int64], ids: tuple[str, ...], name: str) -> list[Problem]:
    problems = []
    if (codes < 0).any():
        n, row = int((codes < 0).sum()), int(np.argmax(codes < 0))
        problems.append(
            Problem(
                "id", f"Column {name!r}: {n} rows have no identifier, the first is row {row}.",
                "Name the series they belong to, or drop them.", column=name, count=n,
            )
        )
    if len(set(ids)) < len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        problems.append(
            Problem("id", f"Column {name!r}: {twice!r} stands for two different values.", "Make it text.", column=name)
        )
    return problems


def _regularise(found: Survey) -> None:
    """Drop duplicates (an error), resample, find the frequency, place rows on the grid, fill gaps."""
    options = found.options
    again = np.concatenate([[False], (np.diff(found.place.times) == 0) & (np.diff(found.place.codes) == 0)])
    found.problems += located(
        "duplicate", again, found.place, "time occurs more than once|times occur more than once",
        "Keep one row per time: frame.drop_duplicates([id, time]), or add them up: frame.groupby([id, time]).sum().",
    )
    if again.any():
        _keep(found, ~again)
    freq = options.freq
    place = found.place
    if freq is not None and isinstance(freq, int) != place.integer:
        kind = "integers" if place.integer else "dates"
        fix = "Type: freq=1" if place.integer else "Type: freq='h' (or 'D', 'MS' ...)"
        found.problems.append(Problem("frequency", f"Time is given in {kind}, freq={freq!r} does not fit.", fix))
        freq = None
    if options.resample is not None and place.integer:
        found.problems.append(
            Problem("frequency", "Time is given in integers; resample needs dates.", "Leave resample out.")
        )
    elif options.resample is not None:
        _to_wall_clock(found, options.resample)
        _resample(found, options.resample)
    place = found.place
    if freq is None:
        freq = find_freq(place.times, place.codes, place.integer)
        if freq is None and place.tz not in (None, "UTC"):
            wall = to_wall(place.times, str(place.tz))
            freq = find_freq(wall, place.codes, False)
    if freq is None:
        found.problems.append(_no_frequency(found.place))
        return
    _to_wall_clock(found, freq)
    _place_on_grid(found, freq)


def _to_wall_clock(found: Survey, freq: str | int) -> None:
    """Take days and longer steps by the wall clock: with a clock change they are no equal stretches of UTC."""
    place = found.place
    if place.tz in (None, "UTC") or not is_daily_or_longer(freq):
        return
    found.problems.append(
        Problem(
            "zone", f"Steps of {freq} in {place.tz} are not all equally long, so times are dates on the wall clock there.",
            "Give cutoffs without a zone.", severity="note",
        )
    )
    found.place = Place(place.ids, place.codes, to_wall(place.times, str(place.tz)), False, None)


def _no_frequency(place: Place) -> Problem:
    gaps = np.diff(place.times)
    same = np.diff(place.codes) == 0
    if not same.any():
        return Problem(
            "frequency", "No series has two times, so the frequency cannot be found.", "Type it: freq='h' (or 'D', 'MS' ...)."
        )
    sizes, counts = np.unique(gaps[same], return_counts=True)
    step = int(sizes[np.argmax(counts)])
    row = int(np.flatnonzero(same & (gaps != step))[0]) + 1
    common = str(step) if place.integer else str(pd.Timedelta(step))
    name = place.ids[place.codes[row]]
    return Problem(
        "irregular",
        f"{where(name, None)}the steps have no regular length; {common} is the most frequent, and not the step to "
        f"{place.time(row)}.",
        "Average onto regular steps: resample='1h', or name the frequency: freq='h' (or 'D', 'MS' ...).",
        entity=name or None, time=place.time(row), count=int((gaps[same] != step).sum()),
    )


def _place_on_grid(found: Survey, freq: str | int) -> None:
    place = found.place
    start, freq, steps, off = place_on_grid(place.times, freq)
    found.grid = Grid(start, freq, None if place.integer else place.tz)
    fix = "" if place.integer else f" Average onto regular steps: resample={freq!r}, or name another frequency: freq=..."
    found.problems += located(
        "irregular", off, place, f"time does not lie on steps of {freq}|times do not lie on steps of {freq}", fix.strip()
    )
    found.steps = steps
    jump = np.where(np.diff(place.codes) == 0, np.diff(steps), 1)
    gaps = np.flatnonzero(jump > 1)
    if not gaps.size:
        return
    if not found.options.fill_gaps:
        before = Place(place.ids, place.codes, place.times, place.integer, place.tz)
        found.problems += located(
            "gap", gaps, before, f"step of {freq} is missing after a row|steps of {freq} are missing after a row",
            "Fill them with rows of missing values: fill_gaps=True.", weights=jump[gaps] - 1,
        )
        return
    extra, n = int((jump[gaps] - 1).sum()), len(steps)
    if extra > _MOST_FILLED * n + 10_000:
        found.problems += located(
            "gap", gaps[[int(np.argmax(jump[gaps]))]], place, "long gap|long gaps",
            f"Filling would turn {n} rows into {n + extra}: a time may be wrong, or freq={freq!r} too short.",
        )
        return
    found.problems.append(
        Problem("gap", f"{phrase('missing step was|missing steps were', extra)} filled in.", count=extra, severity="note")
    )
    _fill(found, jump, extra)


def _fill(found: Survey, jump: NDArray[np.int64], extra: int) -> None:
    """Insert rows of NaN where steps are missing."""
    place, n = found.place, len(found.steps)
    at = np.concatenate([[0], np.cumsum(jump)])
    source = np.repeat(np.arange(n), np.concatenate([jump, [1]]))
    values = np.full((n + extra, found.values.shape[1]), np.nan, dtype=found.values.dtype)
    values[at] = found.values
    found.values = values
    found.steps = found.steps[source] + np.arange(n + extra) - at[source]
    grid = found.grid
    assert grid is not None
    times = np.asarray(grid.times(found.steps).to_numpy())
    times = times if place.integer else times.astype("datetime64[ns]").view(np.int64)
    found.place = Place(place.ids, place.codes[source], times, place.integer, place.tz)


def _resample(found: Survey, freq: str) -> None:
    """Average the rows of each entity that fall into one step, leaving missing cells out."""
    place = found.place
    floored = floor_times(place.times, freq)
    first = np.concatenate([[True], (np.diff(floored) != 0) | (np.diff(place.codes) != 0)])
    if first.all():
        found.place = Place(place.ids, place.codes, floored, False, place.tz)
        return
    starts = np.flatnonzero(first)
    values = np.empty((len(starts), found.values.shape[1]), dtype=found.values.dtype)
    for k in range(values.shape[1]):
        cells = found.values[:, k]
        known = ~np.isnan(cells)
        counts = np.add.reduceat(known.astype(np.int64), starts)
        sums = np.add.reduceat(np.where(known, cells, 0).astype(np.float64), starts)
        values[:, k] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    found.values = values
    found.place = Place(place.ids, place.codes[starts], floored[starts], False, place.tz)


def _keep(found: Survey, rows: NDArray[np.bool_]) -> None:
    found.place = found.place.take(rows)
    found.values = found.values[rows]


def require_grid(found: Survey) -> Grid:
    """Return the grid of a survey without errors."""
    if found.grid is None:
        raise DataError("The frame has no regular time grid.")
    return found.grid
