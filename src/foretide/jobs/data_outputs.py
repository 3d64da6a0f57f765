"""What a folder keeps of its data: an audit, and what was known just before the first forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.audit import column_audit, series_audit
from foretide.evaluation.cards.align import first_cutoffs
from foretide.evaluation.cards.file import ABOUT, FORECASTS

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.jobs.folder import RunFolder

AUDIT_COLUMNS, AUDIT_SERIES = "audit_columns.csv", "audit_series.csv"
BEFORE = "before.parquet"
LEAST, MOST = 24, 240
"""Steps kept: four horizons, but at least and at most so many."""


def write_card(card: Scorecard, folder: RunFolder) -> None:
    """Write a scorecard into a run folder."""
    for name in (FORECASTS, ABOUT):
        folder.place(name)
    card.save(folder.path)


def write_audit(panel: Panel, season: int | None, folder: RunFolder) -> None:
    """Write what is in a panel, column by column and series by series; see :mod:`foretide.data.audit`."""
    for name, table in ((AUDIT_COLUMNS, column_audit(panel)), (AUDIT_SERIES, series_audit(panel, season))):
        folder.write(name, lambda path, table=table: table.to_csv(path, index=False, float_format="%.6g"))  # type: ignore[misc]


def write_before(panel: Panel, windows: Windows, h: int, folder: RunFolder) -> None:
    """Write the targets of the steps up to the first cutoff of every series.

    Parameters
    ----------
    panel : Panel
    windows : Windows
        Those that were forecast.
    h : int
        Horizon.
    folder : RunFolder
        Gets ``before.parquet``: id, time, ``y``, a row per series and step at which it has a row.
    """
    kept, parts = min(max(4 * h, LEAST), MOST), []
    for i, cutoff in enumerate(first_cutoffs(panel, windows)):
        rows = np.arange(panel.length[i])
        chosen = (rows > cutoff - kept) & (rows <= cutoff)
        times = panel.grid.output_times(panel.first[i] + rows[chosen])
        values = panel.rows(i)[chosen]
        parts += [
            pd.DataFrame({panel.names.id: panel.series_name(i, d), panel.names.time: times, "y": values[:, d]})
            for d in range(panel.n_targets)
        ]
    folder.write(BEFORE, lambda path: pd.concat(parts, ignore_index=True).to_parquet(path, index=False))
