"""Known-future columns with trailing means and a basis of functions, for a closed-form start to try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from foretide.data.panel import Panel
from foretide.models.known_basis import KnownBasis, trailing_spans
from foretide.models.series import Series, TrainingParts
from foretide.training.prepare import Preparation
from foretide.typing import Array, Ints

MOST_ROWS = 50_000
"""Rows at most, of all entities together, that knots are placed by."""
MOST_ENTITIES = 64


def widened(
    preparation: Preparation, series: Series, panel: Panel, h: int, seasons: Sequence[float]
) -> tuple[Preparation, Series] | None:
    """Return preparation and series with trailing means and a basis of the known-future columns.

    Parameters
    ----------
    preparation : Preparation
        Without trailing means.
    series : Series
        Made by it, of the same panel.
    panel : Panel
    h : int
    seasons : sequence of float
        Periods in steps.

    Returns
    -------
    (Preparation, Series) or None
        None where there are no columns, or none that a basis could be made of.
    """
    n = len(panel.future)
    if not n:
        return None
    rows = _training_rows(series)
    numbers = np.array([k for k in range(n) if len(np.unique(rows[:, k])) > 2], dtype=np.int64)
    spans = trailing_spans(seasons, int(series.train_length.max())) if len(numbers) else ()
    wide = replace(preparation, trails=np.array(spans, dtype=np.int64), trail_columns=numbers)
    calendar = wide.calendar_table(panel, h)
    made = wide.series(panel, series.values, wide.future(panel, h), calendar, series.train_length)
    columns = n + len(spans) * len(numbers)
    basis = KnownBasis.fit(_training_rows(made), columns, _clock(wide, panel, columns))
    return None if basis is None else (wide, replace(made, basis=basis))


def _training_rows(series: Series) -> Array:
    """Known columns of a spread of training rows, ``[T, G]``."""
    entities = TrainingParts(series)[:: max(1, -(-len(series.row0) // MOST_ENTITIES))]
    known = [part for _, _, part in entities if part is not None and len(part)]
    rows = np.concatenate(known)
    return rows[:: max(1, -(-len(rows) // MOST_ROWS))]


def _clock(preparation: Preparation, panel: Panel, first: int) -> Ints:
    """Columns of the calendar's shortest cycle, the first of which is column ``first``."""
    if preparation.calendar is None or not preparation.calendar.features:
        return np.zeros(0, dtype=np.int64)
    shortest = preparation.calendar.features[0]
    names = preparation.calendar.names(panel.grid)
    return first + np.array([k for k, name in enumerate(names) if name.startswith(f"{shortest}_")], dtype=np.int64)
