"""What scaled metrics divide by: the seasonal naive's error within the training part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.typing import Floats

if TYPE_CHECKING:
    from foretide.data.panel import Panel

NEAR_ZERO = 1e-3
"""MAPE leaves out points below this share of the series' mean absolute training value."""


@dataclass(frozen=True, eq=False)
class TrainingScale:
    """What scaled metrics divide by, from the training part.

    Attributes
    ----------
    season : int
        Steps of the seasonal naive forecast.
    mae, rmse : float arrays ``[N, D]``
        Its mean absolute and root mean squared error within the training part; NaN where it cannot be used.
    near_zero : float array ``[N, D]``
        Truths of at most this size are left out of MAPE.
    dropped : dict
        Reason -> names of the series without a scale.
    """

    season: int
    mae: Floats
    rmse: Floats
    near_zero: Floats
    dropped: dict[str, tuple[str, ...]]


def training_scale(panel: Panel, train: Panel, season: int) -> TrainingScale:
    """Measure the seasonal naive within the training part.

    Parameters
    ----------
    panel : Panel
        The panel scored; its entities give the order of the rows.
    train : Panel
        Its training part; entities are matched by name.
    season : int
        Steps of one season.

    Returns
    -------
    TrainingScale

    Examples
    --------
    >>> import foretide as ft
    >>> import pandas as pd
    >>> table = pd.DataFrame({"t": [1, 2, 3, 4], "y": [1.0, 3.0, 2.0, 5.0]})
    >>> panel = ft.Panel.from_wide(table, time="t", target="y")
    >>> training_scale(panel, panel, season=1).mae.tolist()
    [[2.0]]
    """
    shape = (panel.n_entities, panel.n_targets)
    mae, rmse, near_zero = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape)
    where = {name: i for i, name in enumerate(train.ids)}
    dropped: dict[str, list[str]] = {}
    for i, name in enumerate(panel.ids):
        rows = train.rows(where[name])[:, : train.n_targets] if name in where else np.zeros((0, panel.n_targets))
        values = np.asarray(rows, dtype=np.float64)
        for d in range(panel.n_targets):
            series = values[:, d]
            steps = np.abs(series[season:] - series[:-season])
            steps, sizes = steps[~np.isnan(steps)], np.abs(series[~np.isnan(series)])
            near_zero[i, d] = NEAR_ZERO * sizes.mean() if len(sizes) else 0.0
            if not len(steps):
                reason = f"no two observed training values lie {season} steps apart"
            elif steps.max() <= 1e-12 * max(sizes.max(), 1e-300):
                reason = f"the training part repeats itself exactly every {season} steps"
            else:
                mae[i, d], rmse[i, d] = steps.mean(), np.sqrt((steps**2).mean())
                continue
            dropped.setdefault(reason, []).append(panel.series_name(i, d))
    return TrainingScale(season, mae, rmse, near_zero, {k: tuple(v) for k, v in dropped.items()})
