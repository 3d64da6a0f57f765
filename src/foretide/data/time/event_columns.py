"""Which known-ahead columns mark events, and which of these only repeat what others say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.time.closures import MOST_LEVELS, Closures
from foretide.typing import Bools, Floats, Ints

if TYPE_CHECKING:
    from foretide.data.panel import Panel

RARE = 0.2
"""A known column of few whole numbers marks events when one of them, the usual one, fills all rows but this share."""
USUAL = 0.5
"""A text column marks events when one of its states, none included, fills at least this share of the training rows:
every other category is then an event, however frequent."""
IN_STEP = 0.8
"""Share of a column's days that must lie beside, or on, those of another, for it to say nothing else."""

Marking = tuple[tuple[str, ...], dict[str, tuple[str, float]], dict[str, tuple[str, ...]], tuple[str, ...]]


def marking(train: Panel) -> Marking:
    """Find the known-ahead columns that mark events.

    Parameters
    ----------
    train : Panel
        What is learned from.

    Returns
    -------
    columns : tuple of str
    levels : dict
        Name of an event -> its column, and the number that marks it there: of columns that are not 0 by default and 1
        at times.
    groups : dict
        Name of an event -> the kinds of it, where a column knows several.
    closing : tuple of str
        Events on which nothing happens, however frequent they are.
    """
    text = {column: _unusual(train, own) for column, own in train.indicators.items() if own[0] in train.future}
    of_text = {name for own in train.indicators.values() for name in own}
    numbers = {name: _events_of(_cells(train, name)) for name in train.future if name not in of_text}
    unusual = {name for own in text.values() for name in own}
    columns = tuple(n for n in train.future if n in unusual or len(numbers.get(n, ())))
    levels: dict[str, tuple[str, float]] = {}
    groups: dict[str, tuple[str, ...]] = {}
    for name, values in numbers.items():
        if len(values) and tuple(values) != (1.0,):
            kinds = {f"{name}={value:g}": (name, float(value)) for value in values}
            levels |= kinds
            if len(kinds) > 1:
                groups[name] = tuple(kinds)
    groups |= {column: tuple(own) for column, own in text.items() if len(own) > 1}
    closing = []
    for name, value in Closures.learn(train).levels:
        event = (
            name if value == 1.0 and not any(column == name for column, _ in levels.values()) else f"{name}={value:g}"
        )
        closing.append(event)
        if event != name:
            levels.setdefault(event, (name, value))
    columns = tuple(n for n in train.future if n in columns or n in closing or n in {c for c, _ in levels.values()})
    return columns, levels, groups, tuple(closing)


def _cells(train: Panel, name: str) -> Floats:
    column = train.index(name)
    return np.concatenate([train.rows(i)[:, column] for i in range(train.n_entities)]).astype(np.float64)


def _events_of(cells: Floats) -> Floats:
    """Numbers of a column that mark events: all but the usual one; none where they are many, or none is usual."""
    values, counts = np.unique(cells[~np.isnan(cells)], return_counts=True)
    if not 2 <= len(values) <= MOST_LEVELS or (values != np.round(values)).any():
        return values[:0]
    usual = int(counts.argmax())
    return np.delete(values, usual) if counts[usual] >= (1 - RARE) * counts.sum() else values[:0]


def _unusual(train: Panel, names: tuple[str, ...]) -> list[str]:
    """Return the indicators of a text column that mark events; none where no state of the column is the usual one."""
    columns = [train.index(name) for name in names]
    values = np.concatenate([train.rows(i)[:, columns] for i in range(train.n_entities)])
    shares = np.nan_to_num(values).mean(axis=0)
    if max(shares.max(), 1 - shares.sum()) < USUAL:
        return []
    return [name for name, share in zip(names, shares, strict=True) if 0 < share < USUAL]


def in_step(tables: Sequence[tuple[Bools, Ints]], hinted: Sequence[bool]) -> list[int]:
    """Find events that lie on the days of another one, or on the days before or after them.

    Of two such events, the one keeps its own neighbours that others lie on both sides of, that is not called a
    neighbour, or that comes first.

    Parameters
    ----------
    tables : sequence of (bool array ``[S, n]``, int array ``[n]``)
        For each entity where each event is set, and the days of its rows.
    hinted : sequence of bool
        Whether the name of an event says that it is a neighbour, ``S``.

    Returns
    -------
    list of int
        Positions of those events that say nothing else.
    """
    n = len(hinted)
    total, same, following = np.zeros(n), np.zeros((n, n)), np.zeros((n, n))
    for marks, days in tables:
        if not len(days):
            continue
        on = np.zeros((n, int(days[-1] - days[0]) + 1))
        event, row = np.nonzero(marks)
        on[event, days[row] - days[0]] = 1.0
        total += on.sum(axis=1)
        same += on @ on.T
        following += on[:, :-1] @ on[:, 1:].T
    share = np.stack([same, following, following.T]) / np.maximum(total, 1.0)[:, None]
    near = share >= IN_STEP
    sides = near[1:].any(axis=1).sum(axis=0)
    chosen: list[int] = []
    for k in sorted(range(n), key=lambda k: (-int(sides[k]), hinted[k], k)):
        if not near[:, k, chosen].any():
            chosen.append(k)
    return [k for k in range(n) if k not in chosen]
