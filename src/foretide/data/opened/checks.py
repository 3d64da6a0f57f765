"""What is wrong with the rows of a table in files, looked for piece by piece; as for a frame, in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.data.pieces import pieces, rows_at, rows_of
from foretide.data.reading.categories import check_labels
from foretide.data.reading.columns import check_constant, check_infinite, check_values
from foretide.data.reading.problems import Place, Problem, located, show
from foretide.data.reading.regular import MOST_FILLED, fill_or_zone
from foretide.data.reading.rows import counted
from foretide.data.reading.survey import Survey
from foretide.data.time.stamps import as_ns
from foretide.text import phrase

if TYPE_CHECKING:
    from collections.abc import Callable

    from foretide.data.opened.files import Files
    from foretide.data.opened.fill import Target
    from foretide.data.opened.scan import Scan
    from foretide.data.opened.wanted import Wanted
    from foretide.data.panel import Panel
    from foretide.data.reading.options import Options
    from foretide.data.reading.roles import Roles
    from foretide.data.time.grid import Grid
    from foretide.typing import Array, Bools, Ints, Reals

ENOUGH = 8
"""Once so many problems are found no further ones are looked for."""


def times_of(grid: Grid, steps: Ints) -> Ints:
    """Return times of grid steps as places count them: integers, or nanoseconds, in UTC where there is a zone.

    Parameters
    ----------
    grid : Grid
    steps : int array ``[n]``

    Returns
    -------
    int array ``[n]``
    """
    times = grid.output_times(steps)
    return np.asarray(times, dtype=np.int64) if grid.is_integer else as_ns(times)


def too_long(scan: Scan, target: Target) -> list[Problem]:
    """Return whether filling would make many times more rows than there are: a time may be wrong.

    Parameters
    ----------
    scan : Scan
    target : Target

    Returns
    -------
    list of Problem
    """
    rows = int(scan.count.sum())
    if target.rows <= (MOST_FILLED + 1) * rows + 10_000:
        return []
    i = int(np.argmax(target.length - scan.count))
    text = f"Series {scan.ids[i]!r}: {phrase('row', int(scan.count[i]))} over {target.length[i]} steps."
    fix = f"Filling would turn {rows} rows into {target.rows}: a time may be wrong, or freq too short."
    return [Problem("gap", text, fix, scan.ids[i] or None)]


def check_rows(
    panel: Panel, seen: Array, scan: Scan, options: Options, rows_twice: Callable[[int], str]
) -> list[Problem]:
    """Return times that come more than once, and steps that are missing; these get missing values, in place.

    Parameters
    ----------
    panel : Panel
        Its values can be written to.
    seen : uint8 array ``[R]``
        1 where a row has come.
    scan : Scan
    options : Options
    rows_twice : callable
        Position of a series -> which rows of it have the same time, in words.

    Returns
    -------
    list of Problem
    """
    problems: list[Problem] = []
    distinct = np.zeros(panel.n_entities, np.int64)
    for piece in pieces(panel.length):
        came = seen[piece.start : piece.stop] != 0
        distinct[piece.low : piece.high] += np.add.reduceat(came, piece.starts, dtype=np.int64)
        absent = np.flatnonzero(~came)
        if absent.size:
            panel.values[piece.start + absent] = np.nan
            if not options.fill_gaps and len(problems) < ENOUGH:
                entity = piece.entity[absent]
                steps = panel.first[entity] + piece.start + absent - panel.row0[entity]
                place = Place(panel.ids, entity, times_of(panel.grid, steps), panel.grid.is_integer, panel.grid.tz)
                what = f"step of {panel.grid.freq} is missing|steps of {panel.grid.freq} are missing"
                problems += located("gap", np.arange(len(absent)), place, what, fill_or_zone(place))
    twice = np.flatnonzero(distinct < scan.count)
    if twice.size:
        name, n = panel.ids[twice[0]], int((scan.count - distinct).sum())
        more = f" ({twice.size - 1} more series have this problem too; {n} in all.)" if twice.size > 1 else ""
        lead = f"Series {name!r}: " if name else ""
        own = phrase("time occurs more than once|times occur more than once", int((scan.count - distinct)[twice[0]]))
        text = f"{lead}{own}{rows_twice(int(twice[0]))}.{more}"
        fix = "Keep one row per time in the files."
        problems.insert(0, Problem("duplicate", text[:1].upper() + text[1:], fix, name or None, count=n))
    return problems


def rows_twice(files: Files, scan: Scan, wanted: Wanted, options: Options, series: int) -> str:
    """Return the first time that two rows of a series have, and which rows these are; all files are read again.

    Parameters
    ----------
    files : Files
    scan : Scan
    wanted : Wanted
    options : Options
    series : int
        Its position.

    Returns
    -------
    str
        Goes on after what is wrong: ``, first at 2024-03-01 00:00:00: row 7 of a.parquet and row 1 of b.parquet``.
    """
    found = []
    columns = (*wanted.ids, wanted.time)
    for unit in files.units(8 * len(columns)):
        for batch in files.batches(unit, columns, wanted.ids):
            codes, times = scan.place(batch.table, wanted, options)
            own = np.flatnonzero(codes == series)
            found.append(np.stack([times[own], np.full(len(own), batch.file), batch.first + own]))
    times, file, row = np.concatenate(found, axis=1)
    order = np.argsort(times, kind="stable")
    again = np.flatnonzero(np.diff(times[order]) == 0)
    if not again.size:  # two times of one step, where a clock is changed
        return ""
    one, other = (counted(0, files.files[file[k]].name).name(int(row[k])) for k in order[again[0] : again[0] + 2])
    return f", first at {show(int(times[order[again[0]]]), bool(scan.integer), scan.tz)}: {one} and {other}"


def check_cells(panel: Panel, seen: Array, roles: Roles, options: Options) -> list[Problem]:
    """Apply the policy for missing values, in place, and return what is wrong with the values.

    Parameters
    ----------
    panel : Panel
        Its values can be written to.
    seen : uint8 array ``[R]``
    roles : Roles
    options : Options

    Returns
    -------
    list of Problem
    """
    n, c = panel.n_entities, len(panel.columns)
    low, high, unclean = np.full((n, c), np.nan), np.full((n, c), np.nan), np.zeros(n, dtype=bool)
    for piece in pieces(panel.length, 8 * c):
        own, x = np.s_[piece.low : piece.high], rows_of(panel, piece.start, piece.stop)
        low[own] = np.fmin(low[own], np.fmin.reduceat(x, piece.starts, axis=0))
        high[own] = np.fmax(high[own], np.fmax.reduceat(x, piece.starts, axis=0))
        unclean[own] |= np.logical_or.reduceat(~np.isfinite(x).all(axis=1), piece.starts)
    problems: list[Problem] = []
    need = (options.input_size or 0) + (options.h or 0)
    chosen = np.flatnonzero(unclean | (panel.length < need))
    for piece in pieces(panel.length[chosen], 8 * c, int(panel.length.max())):
        if len(problems) < ENOUGH:
            part = panel.take(chosen[piece.low : piece.high])
            problems += _check_some(part, seen, roles, options)
    ends = np.arange(n) * 2
    place = Place(panel.ids, np.repeat(np.arange(n), 2), np.zeros(2 * n, np.int64))
    for k, name in enumerate(panel.columns):
        if name in panel.categories:
            problems += check_labels(name, np.broadcast_to(np.zeros(1), (len(panel.values),)), panel.categories[name])
        else:
            problems += check_constant(np.stack([low[:, k], high[:, k]], axis=1).ravel(), name, place, ends)
    return [p for p in problems if p.severity != "note"]


def _check_some(part: Panel, seen: Array, roles: Roles, options: Options) -> list[Problem]:
    """Check the values of some whole series as those of a frame."""
    at = rows_at(part, 0, int(part.length.sum()))
    entity = np.repeat(np.arange(part.n_entities), part.length)
    steps = np.concatenate([first + np.arange(n) for first, n in zip(part.first, part.length, strict=True)])
    place = Place(part.ids, entity, times_of(part.grid, steps), part.grid.is_integer, part.grid.tz)
    values: Reals = part.values[at].copy()
    inserted: Bools = seen[at] == 0
    survey = Survey(
        roles, options, roles, rows=len(values), place=place, values=values, steps=steps, inserted=inserted,
        grid=part.grid, categories=part.categories,
    )  # fmt: skip
    found = [*check_infinite(survey), *check_values(survey)]
    if not np.array_equal(values, part.values[at], equal_nan=True):
        part.values[at] = values
    whole = ("constant", "text")  # what only all series together can say
    return [p for p in found if p.kind not in whole]
