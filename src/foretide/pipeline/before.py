"""What was known just before the first forecast, so that pictures show where it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.pipeline.folder import RunFolder

BEFORE = "before.parquet"
LEAST, MOST = 24, 240
"""Steps kept: four horizons, but at least and at most so many."""


def write_before(panel: Panel, cutoff: int, h: int, folder: RunFolder) -> None:
    """Write the targets of the steps up to a cutoff.

    Parameters
    ----------
    panel : Panel
    cutoff : int
        Grid step, the last one written.
    h : int
        Horizon.
    folder : RunFolder
        Gets ``before.parquet``: id, time, ``y``, a row per series and step at which it has a row.
    """
    first = cutoff - min(max(4 * h, LEAST), MOST) + 1
    parts = []
    for i in range(panel.n_entities):
        steps = panel.first[i] + np.arange(panel.length[i])
        chosen = (steps >= first) & (steps <= cutoff)
        times = panel.grid.output_times(steps[chosen])
        values = panel.rows(i)[chosen]
        parts += [
            pd.DataFrame({panel.names.id: panel.series_name(i, d), panel.names.time: times, "y": values[:, d]})
            for d in range(panel.n_targets)
        ]
    folder.write(BEFORE, lambda path: pd.concat(parts, ignore_index=True).to_parquet(path, index=False))
