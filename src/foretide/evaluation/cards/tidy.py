"""Forecasts and truth of a scorecard as one tidy frame, in the field's column names; and its figures as a long one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.evaluation.cards.groups import groups_of
from foretide.forecasters.levels import bounds_of, quantile_column
from foretide.typing import Reals

if TYPE_CHECKING:
    from foretide.evaluation.cards.figures import Figures
    from foretide.typing import Ints


def column_of(model: str, level: float) -> str:
    """Return the column of a quantile.

    Parameters
    ----------
    model : str
    level : float
        As a fraction.

    Returns
    -------
    str

    Examples
    --------
    >>> column_of("A", 0.1), column_of("A", 0.9), column_of("A", 0.5)
    ('A-lo-80', 'A-hi-80', 'A-median')
    """
    if abs(level - 0.5) < 1e-9:
        return f"{model}-median"
    side = "lo" if level < 0.5 else "hi"
    return f"{model}-{side}-{round(100 * abs(1 - 2 * level), 8):g}"


def tidy_frame(
    card: Figures, *, levels: Sequence[float] | None = None, all_points: bool = False, every_quantile: bool = False,
    windows: Ints | slice = slice(None),
) -> pd.DataFrame:  # fmt: skip
    """Return one row per series, cutoff and step.

    Parameters
    ----------
    card : Figures
    levels : sequence of float, optional
        Central levels in percent whose bounds are columns; those reported by default.
    all_points : bool
        With the points that do not count.
    every_quantile : bool
        With all quantiles, whatever ``levels``.
    windows : int array or slice
        Those whose rows are wanted.

    Returns
    -------
    pandas.DataFrame
        Id, time, ``cutoff``, ``h_step``, ``y`` (missing where the point does not count), then of every model the
        mean, the bounds of its intervals, and the quantiles that were asked for by themselves, as ``<Model>-ql0.1``.
        Ordered by series and cutoff.
    """
    panel, (_, h, d) = card.panel, card.truth.shape
    chosen = card.windows[windows]
    cutoffs = chosen.steps(panel)
    ahead = cutoffs[:, None] + np.arange(1, h + 1)
    series = np.array(panel.series, dtype=object).reshape(panel.n_entities, d)[chosen.entity]
    columns = {
        panel.names.id: np.repeat(series.reshape(-1), h),
        panel.names.time: panel.grid.output_times(np.repeat(ahead[:, None, :], d, axis=1)),
        "cutoff": panel.grid.output_times(np.repeat(cutoffs, d * h)),
        "h_step": np.tile(np.arange(1, h + 1), len(cutoffs) * d),
        "y": flat(card.truth[windows]),
    }
    wanted = card.distributions.levels if levels is None else levels
    bounds = [q for level in wanted for q in bounds_of(level)]
    for model, mean in card.forecasts.items():
        columns[model] = flat(mean[windows])
        if model not in card.distributions.quantiles:
            continue
        own = card.distributions.quantiles[model].part(windows)
        for k, level in enumerate(own.levels):
            if every_quantile or any(abs(level - bound) < 1e-9 for bound in bounds):
                columns[column_of(model, level)] = flat(own.values[..., k])
        for level in card.distributions.columns:
            if own.holds((level,)):
                columns[quantile_column(model, level)] = flat(own.at((level,))[..., 0])
    table = pd.DataFrame(columns)
    return table if all_points else table[table["y"].notna()].reset_index(drop=True)


def figures_frame(card: Figures) -> pd.DataFrame:
    """Return every metric of the leaderboard in a long frame.

    Parameters
    ----------
    card : Figures

    Returns
    -------
    pandas.DataFrame
        ``model, scope, key, metric, value``, as :meth:`Figures.figures` says.
    """
    scopes = {"h_step": "h_step", "series": "series", **({"bucket": "bucket"} if card.counts else {}), "all": ()}
    parts = []
    for scope, by in scopes.items():
        groups = groups_of(card, by)
        keys = groups.keys.iloc[:, 0].astype(str) if by else [""]
        for metric in card.metrics:
            values = {model: card.values_of(model, metric, groups) for model in card.forecasts}
            table = pd.DataFrame({"key": keys, **values}).melt(id_vars="key", var_name="model", value_name="value")
            parts.append(table.assign(scope=scope, metric=metric))
    return pd.concat(parts, ignore_index=True)[["model", "scope", "key", "metric", "value"]]


def flat(values: Reals) -> Reals:
    """Lay an array out as the rows of a tidy frame: window, target, step.

    Parameters
    ----------
    values : float array ``[N, H, D]``

    Returns
    -------
    float array ``[N * D * H]``
    """
    return np.swapaxes(values, 1, 2).reshape(-1)


def unflat(values: Reals, shape: tuple[int, int, int]) -> Reals:
    """Undo :func:`flat`.

    Parameters
    ----------
    values : float array ``[N * D * H]``
    shape : (N, H, D)

    Returns
    -------
    float array ``[N, H, D]``
    """
    n, h, d = shape
    return np.swapaxes(values.reshape(n, d, h), 1, 2)
