"""Which columns name the series of a table: those that tell the rows of one time apart and make series of steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np

from foretide.data.reading.categories import is_text
from foretide.data.reading.frames import codes_of, is_number
from foretide.data.reading.words import AHEAD, CALENDAR, COVARIATES, IDS, TARGETS, rank, said
from foretide.typing import Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.data.reading.frames import FrameView

MOST = 5
"""Columns that name a series together."""
_TRIED = 12
_COLUMN, _UNNAMED, _NUMBER = 0.002, 0.01, 0.05
_GOOD = 0.5
_ROWS, _LEAST = 300_000, 20


@dataclass(frozen=True)
class _Candidate:
    name: str
    codes: Ints
    likely: int
    cost: float


def find_ids(table: FrameView, times: Ints, free: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that name the series together; none where the table is one series.

    A choice costs the share of rows whose series and time occur before, and the share of steps within its series that
    are longer than one: columns of data chop a series up. Names and types break ties.

    Parameters
    ----------
    table : narwhals frame
    times : int array ``[R]``
        Numbers that sort as the times do; rows without a time are among the smallest.
    free : sequence of str
        Columns without a role.

    Returns
    -------
    tuple of str
    """
    ranks = np.unique(times, return_inverse=True)[1].astype(np.int64)
    repeats = len(times) > 0 and int(ranks.max()) + 1 < len(times)
    if repeats and len(times) > _ROWS:
        kept = ranks >= _first_rank(ranks)
        table, ranks = table[np.flatnonzero(kept)], ranks[kept]
    candidates = sorted(_candidates(table, free, ranks), key=lambda c: c.likely)[:_TRIED]
    if not repeats:
        # One row per time: a name that says id, and holds series that follow one another.
        named = [c for c in candidates if c.likely < len(IDS) and len(times) >= 3 * (int(c.codes.max()) + 1)]
        return next(((c.name,) for c in named if _cost(c.codes, ranks) < 0.1), ())
    chosen: list[_Candidate] = []
    codes, cost = np.zeros(len(ranks), dtype=np.int64), np.inf
    while len(chosen) < MOST and (others := [c for c in candidates if c not in chosen]):
        joined = {c.name: _joined(codes, c.codes) for c in others}
        more = min(others, key=lambda c: (_cost(joined[c.name], ranks) + c.cost, c.likely))
        lower = _cost(joined[more.name], ranks) + _COLUMN * bool(chosen)
        if chosen and lower + more.cost >= cost:
            break
        chosen, codes, cost = [*chosen, more], joined[more.name], lower
    chosen = _without_spare(chosen, ranks)
    if cost > _GOOD:
        named = [c for c in candidates if c.likely < len(IDS)]
        return (min(named, key=lambda c: (_cost(c.codes, ranks), c.likely)).name,) if named else ()
    order = list(table.columns)
    return tuple(sorted((c.name for c in chosen), key=order.index))


def _first_rank(ranks: Ints) -> int:
    """Return from where on the last times hold about :data:`_ROWS` rows, which are enough to see series in."""
    later = np.cumsum(np.bincount(ranks)[::-1])[::-1]
    return min(int(np.argmax(later <= _ROWS)), max(len(later) - _LEAST, 0))


def _candidates(table: FrameView, free: Sequence[str], ranks: Ints) -> list[_Candidate]:
    candidates = []
    for name in free:
        series = table[name]
        likely = rank(name, IDS)
        number = is_number(series)
        if series.dtype.is_float() or series.dtype == nw.Boolean:
            continue
        if likely == len(IDS):
            if said(name, AHEAD) or said(name, COVARIATES) or said(name, tuple(CALENDAR)):
                continue
            if (number and said(name, TARGETS)) or not (number or is_text(series)):
                continue
        codes, labels = codes_of(series)
        if not len(labels) or (len(labels) == len(ranks) > 1 and ranks.any()):  # numbers the rows
            continue
        several = (3 if number else 2) <= len(labels) <= len(ranks) / 2
        if likely == len(IDS) and (not several or (codes < 0).any()):
            continue
        cost = 0.0 if likely < len(IDS) else _NUMBER if number else _UNNAMED
        candidates.append(_Candidate(name, codes, likely + number * (likely == len(IDS)), cost))
    return candidates


def _cost(codes: Ints, ranks: Ints) -> float:
    """Share of rows that occur twice, and of steps within a series that skip times."""
    order = np.lexsort((ranks, codes))
    codes, ranks = codes[order], ranks[order]
    same = np.diff(codes) == 0
    step = np.diff(ranks)[same]
    again, steps = int((step == 0).sum()), step[step > 0]
    if not steps.size:
        return 2.0
    regular = max(float((steps == 1).mean()), np.bincount(np.minimum(steps, 1000)).max() / len(steps))
    return float(again / len(codes) + 1 - regular)


def _joined(first: Ints, second: Ints) -> Ints:
    both = first * (int(second.max()) + 2) + second
    return np.asarray(np.unique(both, return_inverse=True)[1], dtype=np.int64)


def _without_spare(chosen: list[_Candidate], ranks: Ints) -> list[_Candidate]:
    """Leave out columns without which the others name the series as well."""
    for spare in sorted(chosen, key=lambda c: -c.likely):
        rest = [c for c in chosen if c is not spare]
        if rest and _together(rest, ranks) <= _together(chosen, ranks):
            chosen = rest
    return chosen


def _together(chosen: list[_Candidate], ranks: Ints) -> float:
    return _cost(reduce(_joined, [c.codes for c in chosen]), ranks)
