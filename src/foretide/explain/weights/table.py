"""Attention weights as a tidy table, whole or written in pieces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.errors import ConfigError
from foretide.typing import Ints

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from foretide.explain.weights.stream import Lens

MOST_ROWS = 5_000_000


def weights_frame(lens: Lens, places: Ints | None, most_rows: int) -> pd.DataFrame:
    """Return one row per window, head, horizon step and lag; see ``AttentionSummary.to_frame``."""
    n = len(lens.windows) if places is None else len(places)
    rows = n * int(np.prod(lens.backbone.bias.shape))
    if rows > most_rows:
        raise ConfigError(
            f"The weights of {n} windows are {rows} rows, more than most_rows={most_rows}. Type "
            "summary.write_parquet('attention.parquet') to have them written in pieces, or choose windows: "
            "summary.to_frame(places=[0, 1])."
        )
    frame = pd.concat(list(_pieces(lens, places)), ignore_index=True)
    return frame.astype({"series": object})


def write_weights(lens: Lens, path: str | PathLike[str], places: Ints | None) -> int:
    """Write the table to a Parquet file batch by batch and return the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, writer = 0, None
    try:
        for piece in _pieces(lens, places):
            table = pa.Table.from_pandas(piece, preserve_index=False)
            if writer is None:
                writer = pq.ParquetWriter(Path(path), table.schema, compression="zstd")
            writer.write_table(table)
            rows += len(piece)
    finally:
        if writer is not None:
            writer.close()
    return rows


def _pieces(lens: Lens, places: Ints | None) -> Iterator[pd.DataFrame]:
    """Tidy pieces, oldest lag first in each row of weights."""
    heads, h, lookback = lens.backbone.bias.shape
    windows = lens.windows if places is None else lens.windows[places]
    cutoffs, names = windows.steps(lens.panel), lens.names()
    for at, weights, _ in lens.weights(places):
        n, each = at.stop - at.start, heads * h * lookback
        series = pd.Categorical.from_codes(np.repeat(windows.entity[at], each), categories=pd.Index(names))
        yield pd.DataFrame({
            "series": series,
            "cutoff": lens.panel.grid.output_times(cutoffs[at]).repeat(each),
            "head": np.tile(np.repeat(np.arange(1, heads + 1, dtype=np.int16), h * lookback), n),
            "h_step": np.tile(np.repeat(np.arange(1, h + 1, dtype=np.int16), lookback), n * heads),
            "lag": np.tile(np.arange(lookback - 1, -1, -1, dtype=np.int16), n * heads * h),
            "weight": weights.cpu().numpy().reshape(-1),
        })  # fmt: skip
