"""Known-future columns as a model reads them: gaps in the past carried forward, gaps in the horizon refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.errors import DataError
from foretide.typing import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.data.panel import Panel


def known_rows(panel: Panel, entity: int, h: int) -> Floats:
    """Return an entity's known-future columns: ``h`` rows more than the panel has.

    A gap up to the last observed target carries the last value forward; NaN remains before a column's first value,
    and in what lies ahead.

    Parameters
    ----------
    panel : Panel
    entity, h : int

    Returns
    -------
    float array ``[T + h, F]``
    """
    own = np.asarray(panel.rows(entity)[:, panel.n_targets + len(panel.past) :], dtype=np.float64)
    out = np.full((len(own) + h, own.shape[1]), np.nan)
    out[: len(own)] = own
    past = out[: panel.observed[entity]]
    if np.isnan(past).any():
        rows = np.where(np.isnan(past), 0, np.arange(len(past))[:, None])
        past[:] = np.take_along_axis(past, np.maximum.accumulate(rows, axis=0), axis=0)
    return out


def check_known(panel: Panel, entity: int, table: Floats, cutoffs: Ints, h: int, columns: Sequence[int]) -> None:
    """Refuse columns without a value in the horizon of a cutoff.

    Parameters
    ----------
    panel : Panel
    entity : int
    table : float array ``[T + h, F]``
        As :func:`known_rows` gives it.
    cutoffs : int array
        Rows of the entity.
    h : int
    columns : sequence of int
        Positions in the table.

    Raises
    ------
    DataError
        Of :func:`no_value_ahead`.
    """
    for cutoff in np.sort(cutoffs):
        holes = np.isnan(table[cutoff + 1 : cutoff + 1 + h][:, list(columns)])
        if holes.any():
            row, k = np.argwhere(holes)[0]
            raise no_value_ahead(panel, entity, columns[k], int(panel.first[entity] + cutoff + 1 + row), h)


def no_value_ahead(panel: Panel, entity: int, column: int, step: int, h: int | None = None) -> DataError:
    """Return the error for a known-future column without a value at a grid step.

    Parameters
    ----------
    panel : Panel
    entity, column, step : int
        Positions, and a grid step.
    h : int, optional
        Steps of the forecast.

    Returns
    -------
    DataError
    """
    needs = "the forecast" if h is None else f"a forecast of {h} steps"
    return DataError(
        f"Known-future column {panel.future[column]!r} of {panel.series_name(entity, 0)!r} has no value at "
        f"{panel.grid.output_times([step])[0]}, which {needs} needs. Add rows "
        "with its values (targets left empty), or give the column the role 'past'."
    )
