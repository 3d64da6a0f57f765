"""Attention weights that a run or a backtest keeps: which windows, and the files they are written to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.windows import evenly
from foretide.jobs.results import cutoff_times, select

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.forecast import Forecast
    from foretide.jobs.folder import RunFolder

MOST_BYTES = 256 * 2**20
"""Attention kept per model is at most this large, whatever number of windows is asked for."""
AXES = {
    "window": "forecast origins, in the order of `windows`",
    "head": "attention heads",
    "horizon_step": "steps after the cutoff, 1 first",
    "lag": "the lookback, oldest first: index i is lag L-1-i, the last index is lag 0, the cutoff itself",
}


def with_attention(model: Forecaster, panel: Panel, windows: Windows) -> Forecast:
    """Forecast with attention from as many of ``windows`` as memory allows (one first, to know the size)."""
    first = windows[:1]
    one = select(model.predict(panel, cutoffs=cutoff_times(panel, first), levels=(), attention=True), first)
    allowed = max(1, MOST_BYTES // max(1, one.extras["attention"].nbytes))
    kept = windows[evenly(len(windows), allowed, newest=True)]
    return select(model.predict(panel, cutoffs=cutoff_times(panel, kept), levels=(), attention=True), kept)


def write_attention(kept: Mapping[str, Forecast], folder: RunFolder, about: Mapping[str, str] | None = None) -> None:
    """Write ``attention.safetensors`` and ``attention.json``, which says what its axes are; nothing for no model.

    Parameters
    ----------
    kept : mapping
        Model -> forecast with ``extras["attention"]``.
    folder : RunFolder
    about : mapping, optional
        Model -> which windows these are, in words; by default those of the test part.
    """
    if not kept:
        return
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(f.extras["attention"], dtype=np.float32) for name, f in kept.items()}
    folder.write("attention.safetensors", lambda path: path.write_bytes(save(arrays)))
    told = {}
    for name, forecast in kept.items():
        panel, cutoffs = forecast.panel, forecast.panel.grid.output_times(forecast.cutoff_steps)
        windows = [
            {"entity": panel.ids[int(entity)], "cutoff": str(cutoff)}
            for entity, cutoff in zip(forecast.windows.entity, cutoffs, strict=True)
        ]
        which = (about or {}).get(name, "of the test part")
        told[name] = {"shape": list(arrays[name].shape), "about": which, "windows": windows}
    folder.write_json("attention.json", {"file": "attention.safetensors", "axes": AXES, "row_sum": 1, "models": told})
