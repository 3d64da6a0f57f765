"""Panels whose future is poisoned: what a forecast must not notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from foretide.data import scratch
from foretide.errors import ConfigError, nearest

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Reals, Time

HUGE = 1e9


def _nan(rows: Reals, generator: np.random.Generator) -> None:
    rows[:] = np.nan


def _huge(rows: Reals, generator: np.random.Generator) -> None:
    # Whole and all different, so that a model of counts takes them and no two of them can stand for one another.
    rows[:] = HUGE * (1 + np.arange(rows.size).reshape(rows.shape))


def _shuffled(rows: Reals, generator: np.random.Generator) -> None:
    # One cycle through all rows: none stays where it was.
    order = generator.permutation(len(rows))
    rows[order] = rows[np.roll(order, 1)]


_VALUES: dict[str, Callable[[Reals, np.random.Generator], None]] = {"nan": _nan, "huge": _huge, "shuffled": _shuffled}

POISONS: dict[str, str] = {
    "nan": "missing values",
    "huge": "huge numbers",
    "shuffled": "the same rows in another order",
    "truncated": "rows cut off",
}
"""Name -> what the values after a time become, in words."""


def poisoned(panel: Panel, after: Time, poison: str, *, seed: int = 0, ahead: int = 0) -> Panel:
    """Return a panel like another one up to a time, and worthless behind it.

    Targets and past columns of all entities are replaced; known-future and static columns are known, so they stay.
    The values are a copy: what reaches behind the part it was given, to rows of the shared array, finds poison too.

    Parameters
    ----------
    panel : Panel
    after : time
        Last step that stays.
    poison : {"nan", "huge", "shuffled", "truncated"}
        Later values become missing; distinct whole numbers of 1e9 and more; the same rows in another order, none of
        them in its old place; or their rows go, and with them the entities that have no other.
    seed : int
        Of the shuffle.
    ahead : int
        Rows that stay where rows go, their values missing, as those of a table with known-future columns do.

    Returns
    -------
    Panel

    Raises
    ------
    ConfigError
        For an unknown poison, and for ``"truncated"`` with known-future columns that would go too: ``ahead`` is 0.

    Examples
    --------
    >>> import foretide as ft
    >>> import pandas as pd
    >>> panel = ft.Panel.from_wide(pd.DataFrame({"t": [1, 2, 3], "y": [5.0, 6.0, 7.0]}), time="t", target="y")
    >>> poisoned(panel, 2, "nan").values.ravel().tolist()
    [5.0, 6.0, nan]
    """
    if poison not in POISONS:
        raise ConfigError(f"There is no poison {poison!r}. {nearest(poison, POISONS)}")
    stay = np.clip(panel.grid.step_at_or_before(after) - panel.first + 1, 0, panel.length)
    if poison == "truncated":
        return _truncated(panel, after, ahead)
    values, known = scratch.copied(panel.values), panel.n_targets + len(panel.past)
    generator = np.random.default_rng(seed)
    for i in range(panel.n_entities):
        rows = values[panel.row0[i] + stay[i] : panel.row0[i] + panel.length[i], :known]
        if len(rows):
            _VALUES[poison](rows, generator)
    return panel.with_values(values)


def _truncated(panel: Panel, after: Time, ahead: int) -> Panel:
    """Cut the rows away for good, not only out of sight as :meth:`Panel.until` does."""
    if panel.future and not ahead:
        raise ConfigError(
            "The rows of a panel with known-future columns cannot be cut off: what is known ahead would go too. "
            "Say how many rows stay, ahead=h, or take the poison 'nan'."
        )
    known = np.clip(panel.grid.step_at_or_before(after) - panel.first + 1, 0, panel.length)
    kept = np.minimum(known + ahead * (known > 0), panel.length) if panel.future else known
    part, seen = panel.head(kept), known[kept > 0]
    rows = [part.rows(i).copy() for i in range(part.n_entities)]
    for own, n in zip(rows, seen, strict=True):
        own[n:, : panel.n_targets + len(panel.past)] = np.nan
    row0 = np.concatenate([[0], np.cumsum(part.length)[:-1]]).astype(np.int64)
    return replace(part, values=np.concatenate(rows), row0=row0)
