"""Forecasts and truth of a scorecard as one tidy frame, in the field's column names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.forecasters.levels import bounds_of, quantile_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.evaluation.score import Scores


def column_of(model: str, level: float) -> str:
    """Return the column of a quantile: 0.1 -> ``<Model>-lo-80``, 0.9 -> ``<Model>-hi-80``, 0.5 -> ``-median``."""
    if abs(level - 0.5) < 1e-9:
        return f"{model}-median"
    side = "lo" if level < 0.5 else "hi"
    return f"{model}-{side}-{round(100 * abs(1 - 2 * level), 8):g}"


def tidy_frame(
    scores: Scores, *, levels: Sequence[float] | None = None, all_points: bool = False, every_quantile: bool = False
) -> pd.DataFrame:
    """Return one row per series, cutoff and step.

    Columns: id, time, ``cutoff``, ``h_step``, ``y`` (missing where the point does not count), then of every model the
    mean, the bounds of its intervals, those of ``levels`` or of all its quantiles, and the quantiles that were asked
    for by themselves, as ``<Model>-ql0.1``. Ordered by series and cutoff.
    """
    panel, (_, h, d) = scores.panel, scores.truth.shape
    cutoffs = scores.windows.steps(panel)
    ahead = cutoffs[:, None] + np.arange(1, h + 1)
    series = np.array(panel.series, dtype=object).reshape(panel.n_entities, d)[scores.windows.entity]
    columns: dict[str, Any] = {
        panel.names.id: np.repeat(series.reshape(-1), h),
        panel.names.time: panel.grid.output_times(np.repeat(ahead[:, None, :], d, axis=1)),
        "cutoff": panel.grid.output_times(np.repeat(cutoffs, d * h)),
        "h_step": np.tile(np.arange(1, h + 1), len(cutoffs) * d),
        "y": flat(scores.truth),
    }
    wanted = scores.distributions.levels if levels is None else levels
    for model, mean in scores.forecasts.items():
        columns[model] = flat(mean)
        distribution = scores.distributions.quantiles.get(model)
        if distribution is None:
            continue
        bounds = [q for level in wanted for q in bounds_of(level)]
        for k, level in enumerate(distribution.levels):
            if every_quantile or any(abs(level - bound) < 1e-9 for bound in bounds):
                columns[column_of(model, level)] = flat(distribution.values[..., k])
        for level in scores.distributions.columns:
            if distribution.holds((level,)):
                columns[quantile_column(model, level)] = flat(distribution.at((level,))[..., 0])
    table = pd.DataFrame(columns)
    return table if all_points else table[table["y"].notna()].reset_index(drop=True)


def flat(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """``[N, H, D]`` -> flat, ordered window, target, step."""
    return np.swapaxes(values, 1, 2).reshape(-1)


def unflat(values: NDArray[np.floating], shape: tuple[int, int, int]) -> NDArray[np.floating]:
    """Undo :func:`flat`."""
    n, h, d = shape
    return np.swapaxes(values.reshape(n, d, h), 1, 2)
