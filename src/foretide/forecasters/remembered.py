"""The rows that a fitted forecaster remembers: put before a later table, and forecast from once it is loaded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from foretide.data import scratch
from foretide.data.panel import Panel, Static
from foretide.data.windows import Windows, first_rows, places
from foretide.errors import ArtifactError

REHEARSED, REHEARSED_ROWS = 8, 500
"""Series and rows at most that a loaded forecaster is tried on."""
FURTHEST = 2**53
"""Steps from the start of the grid."""


def completed(panel: Panel, windows: Windows, history: Panel, memory: int | None) -> tuple[Panel, Windows]:
    """Give every entity the rows before its first one that were seen at fit, as far as they adjoin.

    A model that reads a whole history reads it from where it began at fit: rows before are left out.
    """
    place = places(panel.ids, history.ids)
    seen_from = np.where(place >= 0, history.first[place], 0)
    seen_to = np.where(place >= 0, history.last[place], -1)
    oldest = np.full(panel.n_entities, np.iinfo(np.int64).max)
    np.minimum.at(oldest, windows.entity, windows.cutoff)
    asked = oldest < np.iinfo(np.int64).max
    wanted = (
        seen_from if memory is None else np.maximum(seen_from, panel.first + np.where(asked, oldest, 0) - memory + 1)
    )
    more = np.where(asked & (place >= 0) & (seen_to >= panel.first - 1), panel.first - wanted, 0).clip(0)
    less = np.zeros_like(more)
    if memory is None:
        begun = asked & (place >= 0) & (panel.first < seen_from) & (panel.first + oldest >= seen_from)
        less = np.where(begun, seen_from - panel.first, 0)
    if less.any():
        panel = replace(panel, row0=panel.row0 + less, length=panel.length - less, first=panel.first + less)
    if more.any():
        parts = []
        for i in range(panel.n_entities):
            j, n = int(place[i]), int(more[i])
            if n:
                at = int(history.row0[j] + wanted[i] - history.first[j])
                parts.append(history.values[at : at + n])
            parts.append(panel.rows(i))
        length = panel.length + more
        row0 = first_rows(length)
        values = scratch.joined(parts, like=panel.values)
        panel = replace(panel, values=values, row0=row0, length=length, first=panel.first - more)
    moved = (more - less)[windows.entity]
    return panel, windows if not moved.any() else Windows(windows.entity, windows.cutoff + moved)


def check_rows(history: Panel) -> None:
    """Refuse remembered rows that do not lie one after the other in their array."""
    n = history.n_entities
    whole = history.values.ndim == 2 and all(len(one) == n for one in (history.row0, history.length, history.first))
    if not (whole and n and (history.length > 0).all() and np.array_equal(history.row0, first_rows(history.length))):
        raise ArtifactError("the rows that it remembers do not belong to its series")
    if int(history.length.sum()) != len(history.values) or np.abs(history.first).max() > FURTHEST:
        raise ArtifactError("the rows that it remembers are more, or lie elsewhere, than its series have")


def rehearsal(seen: Panel, history: Panel, h: int, least: int, most: int = REHEARSED) -> tuple[Panel, Windows]:
    """Return the last rows of ``most`` remembered series as the model sees them, and their ends as origins.

    ``h`` rows come after them, in which known-future columns repeat their last values.
    """
    chosen = np.unique(np.linspace(0, history.n_entities - 1, min(history.n_entities, most)).astype(np.int64))
    size = np.minimum(history.length[chosen], max(least, REHEARSED_ROWS))
    parts, known = [], len(seen.targets) + len(seen.past)
    for i, n in zip(chosen, size, strict=True):
        rows = history.rows(int(i))[-n:]
        ahead = np.full((h, rows.shape[1]), np.nan)
        ahead[:, known:] = np.nan_to_num(rows[-1, known:])
        parts += [rows, ahead]
    panel = replace(
        seen, grid=history.grid, ids=tuple(history.ids[i] for i in chosen), values=np.concatenate(parts),
        row0=first_rows(size + h), length=size + h, first=history.last[chosen] - size + 1,
        static=Static(seen.static.names, np.zeros((len(chosen), len(seen.static.names)))),
    )  # fmt: skip
    return panel, Windows(np.arange(len(chosen)), size - 1)
