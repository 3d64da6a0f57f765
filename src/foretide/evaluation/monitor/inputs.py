"""Whether the columns of new rows are distributed as they were: every stretch beside the ones before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student

from foretide.evaluation.monitor.checks import Check
from foretide.text import phrase

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Bools, Floats, Ints

QUANTILES = np.arange(1, 20) / 20
SHORTEST, FEWEST = 6, 6
"""Least steps of a stretch, and least stretches of the past that say how far apart they usually are."""
PARTS = 12
"""The past is cut into so many stretches where the new rows are long enough."""
BEFORE = 2
"""A stretch is compared with so many before it, at the same place in the season."""
KNOWN = 0.8
"""Of so much of a stretch the values must be known: of fewer values quantiles lie farther apart by chance."""
LEAST_SPREAD = 0.25
"""Logarithms of distances vary by at least so much, whatever a few stretches show."""
STUCK = 3
"""A value that stays so many times as long as ever before is one that does not move any more."""
MOST_STEPS = 20_000


@dataclass(frozen=True, eq=False)
class Table:
    """One column of all series on common steps.

    Attributes
    ----------
    name : str
    values : float array ``[N, T]``
        NaN where there is none.
    new : int
        Place of the first new step, counted from the first one.
    rows : int array ``[N]``
        Place after the last row of each series.
    """

    name: str
    values: Floats
    new: int
    rows: Ints


def tables_of(panel: Panel, until: int) -> Iterator[Table]:
    """Yield every column of a panel as a table of steps; ``until`` is the last step of the past.

    Parameters
    ----------
    panel : Panel
    until : int

    Yields
    ------
    Table
    """
    start = max(int(panel.first.min()), until - MOST_STEPS)
    end = int((panel.first + panel.length).max())
    lengths = np.repeat(np.arange(panel.n_entities), panel.length)
    local = np.arange(len(lengths)) - np.repeat(np.cumsum(panel.length) - panel.length, panel.length)
    rows, steps = panel.row0[lengths] + local, panel.first[lengths] + local
    kept = steps >= start
    rows, steps, lengths = rows[kept], steps[kept], lengths[kept]
    for k, name in enumerate((*panel.targets, *panel.past, *panel.future)):
        values = np.full((panel.n_entities, end - start), np.nan)
        values[lengths, steps - start] = panel.values[rows, k]
        yield Table(name, values, until + 1 - start, panel.first + panel.observed - start)


def drift(table: Table, seasons: Sequence[int], names: Sequence[str]) -> list[Check]:
    """Compare the new stretches of a column with those before them, as stretches of the past are compared.

    The distance of a stretch is that of Wasserstein between its quantiles and those of the two before it, at the same
    place in the season, over the column's usual spread. A slow walk, a trend and the seasons move old stretches as
    they move new ones, so they are no drift. The distance of a new stretch is judged by the distribution that past
    distances predict for one more (log-normal, Student's t), the largest of several new ones by Bonferroni's rule.

    Parameters
    ----------
    table : Table
    seasons : sequence of int
        In steps, the best first: the first one that the past holds often enough is taken.
    names : sequence of str
        Of the series.

    Returns
    -------
    list of Check
        One over all series and, of several series, one of the series that moved most; none where it cannot be said.
    """
    found = None
    for season in seasons:
        length = stretch_of(table, season)
        if length >= SHORTEST and (found := _distances(table, length, season)) is not None:
            break
    if found is None:
        return []
    past, new = found
    checks = []
    with np.errstate(invalid="ignore"):
        usual = np.nanmean(np.where(np.isfinite(past), past, np.nan), axis=1)
    alive = np.isfinite(usual) & (usual > 0)
    if not alive.any():
        return []
    past, new, usual = past[alive], new[alive], usual[alive]
    shown = [name for name, one in zip(names, alive, strict=True) if one]
    made = _tested(_mean(past), _mean(new))
    where = shown[0] if len(shown) == 1 else "all series"
    text = f"{table.name}: its distribution ({where}) moved {{:.2f}} usual spreads; stretches usually move {{:.2f}}"
    if made is not None:
        checks.append(Check("input", f"{table.name}: {where}", text.format(made[1], made[2]), *made[1:], made[0]))
    if len(shown) > 1:
        often = np.isfinite(past).sum(axis=1) >= FEWEST  # what is usual of the others is not known
        rel_past, rel_new = past[often] / usual[often, None], new[often] / usual[often, None]
        made = _tested(_largest(rel_past), _largest(rel_new)) if often.any() else None
        if made is not None:
            shown = [name for name, one in zip(shown, often, strict=True) if one]
            worst = shown[int(np.nanargmax(np.where(np.isfinite(rel_new), rel_new, -1).max(axis=1)))]
            text = f"{table.name}: {worst!r} moved {made[1]:.2f} times as far as it usually does; the one that moves "
            text += f"most usually {made[2]:.2f} times"
            checks.append(Check("input", f"{table.name}: one series alone", text, *made[1:], made[0]))
    return checks


def stretch_of(table: Table, season: int) -> int:
    """Return the length of a stretch: whole seasons where they fit, at most a part of the past."""
    new = table.values.shape[1] - table.new
    length = min(new, table.new // PARTS)
    return int(length // season * season if season > 1 and length >= season else length)


def _distances(table: Table, length: int, season: int) -> tuple[Floats, Floats] | None:
    """Return distances ``[N, R]`` of past and of new stretches, oldest first."""
    stride = -(-length // season) * season if season > 1 else length
    ends = np.arange(table.values.shape[1], 0, -stride)[::-1]
    ends = ends[ends - length - BEFORE * stride >= 0]
    new = ends - length >= table.new  # a stretch across the end of the past is neither
    past = ends <= table.new
    if int(past.sum()) < FEWEST or not new.any():
        return None
    scale = np.nanstd(np.where(np.isfinite(table.values[:, : table.new]), table.values[:, : table.new], np.nan), axis=1)
    scale = np.where(scale > 0, scale, np.nan)[:, None]
    cache: dict[int, Floats] = {}

    def quantiles(*at: int) -> Floats:
        parts = [table.values[:, end - length : end] for end in at]
        return _quantiles(np.concatenate(parts, axis=1), int(KNOWN * len(at) * length))

    def distance(end: int) -> Floats:
        own = cache.setdefault(end, quantiles(end))
        before = quantiles(*(end - k * stride for k in range(1, BEFORE + 1)))
        return np.asarray(np.abs(own - before).mean(axis=1, keepdims=True) / scale)

    with np.errstate(invalid="ignore"):
        every = {int(end): distance(int(end)) for end in ends[past | new]}
    before, now = (np.concatenate([every[int(e)] for e in ends[chosen]], axis=1) for chosen in (past, new))
    return before, now


def _quantiles(values: Floats, least: int) -> Floats:
    """Return quantiles ``[N, Q]`` of what is known of each row; NaN where that are fewer than ``least`` values."""
    ordered = np.sort(values, axis=1)
    count = np.isfinite(values).sum(axis=1)
    place = QUANTILES * np.maximum(count - 1, 0)[:, None]
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0)[:, None])
    first, second = (np.take_along_axis(ordered, at, axis=1) for at in (low, high))
    made = first + (place - low) * (second - first)
    return np.asarray(np.where((count >= max(least, SHORTEST // 2))[:, None], made, np.nan))


def _mean(values: Floats) -> Floats:
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan))


def _largest(values: Floats) -> Floats:
    known = np.isfinite(values)
    return np.asarray(np.where(known.any(axis=0), np.where(known, values, -np.inf).max(axis=0), np.nan))


def _tested(past: Floats, new: Floats) -> tuple[float, float, float] | None:
    """Return p-value, largest new distance and usual one; None where too little is known."""
    past, new = past[np.isfinite(past)], new[np.isfinite(new)]
    if len(past) < FEWEST or not len(new) or not np.median(past) > 0:
        return None
    ground = 0.05 * float(np.median(past))
    logs = np.log(past + ground)
    spread = max(float(logs.std(ddof=1)), LEAST_SPREAD) * np.sqrt(1 + 1 / len(past))
    z = (np.log(float(new.max()) + ground) - float(logs.mean())) / spread
    p = min(1.0, len(new) * float(student.sf(z, len(past) - 1)))
    return p, float(new.max()), float(np.median(past))


# -------------------------------------------------------------------- facts
def faults(table: Table, names: Sequence[str], alive: Bools) -> list[Check]:
    """Return what needs no test: a column that is missing now, or that does not move any more.

    Parameters
    ----------
    table : Table
    names : sequence of str
    alive : bool array ``[N]``
        Series with new rows.

    Returns
    -------
    list of Check
    """
    values = table.values
    inside = np.arange(values.shape[1]) < table.rows[:, None]
    checks = []
    missing = _missing(values, inside, table.new, alive)
    if missing is not None:
        now, before = missing
        text = f"{table.name} is missing in {now:.0%} of the new rows; at most {before:.0%} of a stretch before"
        checks.append(Check("data", f"{table.name}: missing", text, now, before, alarm=True))
    stuck = _stuck(values, inside, table.new) & alive
    if stuck.any():
        who = [name for name, one in zip(names, stuck, strict=True) if one]
        text = f"{table.name} does not move any more in {phrase('series|series', len(who))}, {who[0]!r} first"
        checks.append(Check("data", f"{table.name}: stuck", text, float(len(who)), 0.0, alarm=True))
    return checks


def _missing(values: Floats, inside: Bools, new: int, alive: Bools) -> tuple[float, float] | None:
    def share(low: int, high: int) -> float:
        rows = inside[alive, low:high]
        return float((~np.isfinite(values[alive, low:high]) & rows).sum() / max(int(rows.sum()), 1))

    n = values.shape[1] - new
    if not alive.any() or n < 1 or new < 1:
        return None
    now = share(new, values.shape[1])
    before = max((share(low, low + n) for low in range(max(0, new % n), new - n + 1, n)), default=share(0, new))
    return (now, before) if now > 0.2 + 2 * before else None


def _stuck(values: Floats, inside: Bools, new: int) -> Bools:
    """Say of which series the last known values are equal for far longer than any were in the past, ``[N]``."""
    known = np.isfinite(values) & inside
    last = np.maximum.accumulate(np.where(known, np.arange(values.shape[1]), 0), axis=1)
    filled = np.take_along_axis(values, last, axis=1)
    moved = np.zeros_like(known)
    moved[:, 1:] = known[:, 1:] & np.isfinite(filled[:, :-1]) & (filled[:, 1:] != filled[:, :-1])
    seen = known.cumsum(axis=1)
    run = seen - np.maximum.accumulate(np.where(moved, seen, 1), axis=1) + 1
    old, now = seen[:, new - 1], np.minimum(run[:, -1], seen[:, -1] - seen[:, new - 1])
    longest = run[:, :new].max(axis=1)
    return np.asarray(
        (old >= SHORTEST) & moved[:, :new].any(axis=1) & (now >= SHORTEST) & (run[:, -1] > STUCK * longest)
    )
