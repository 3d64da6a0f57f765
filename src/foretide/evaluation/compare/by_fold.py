"""Figures by fold and by series: how far errors move between cutoffs, and skill against each series' best baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.evaluation.cards.groups import groups_of

if TYPE_CHECKING:
    from foretide.evaluation.cards.figures import Figures
    from foretide.typing import Floats

WORST = 95
"""Percentile of the fold errors that is reported beside the worst."""


def fold_summary(card: Figures, metric: str) -> pd.DataFrame:
    """Return what the folds' figures say of each model.

    Parameters
    ----------
    card : Figures
    metric : str

    Returns
    -------
    pandas.DataFrame
        ``model, n_folds, mean, sd, best, p95, worst, worst_cutoff``: over the figures of the single folds, so the mean
        of RMSEs by fold is not the RMSE of all points. Larger counts as worse.
    """
    groups = groups_of(card, "cutoff")
    rows = []
    for model in card.forecasts:
        values = card.values_of(model, metric, groups)
        known = values[~np.isnan(values)]
        row = {"model": model, "n_folds": len(known)}
        if len(known):
            sd = known.std(ddof=1) if len(known) > 1 else np.nan
            row |= {"mean": known.mean(), "sd": sd, "best": known.min(), "p95": np.percentile(known, WORST)}
            row |= {"worst": known.max(), "worst_cutoff": groups.keys["cutoff"].iloc[int(np.nanargmax(values))]}
        rows.append(row)
    return pd.DataFrame(rows)


def series_skill(card: Figures, metric: str) -> pd.DataFrame:
    """Return each model's skill on each series against the best baseline of that very series.

    Parameters
    ----------
    card : Figures
    metric : str

    Returns
    -------
    pandas.DataFrame
        The id column, ``best_baseline`` and its ``baseline_error``, then ``1 - error / baseline_error`` of every
        model. The baseline is the best with hindsight, the hardest to beat; so the skill of a baseline is at most zero.
        NaN where the best baseline makes no error; without baselines, there are no rows.
    """
    groups = groups_of(card, "series")
    key = groups.keys.columns[0]
    values = {model: card.values_of(model, metric, groups) for model in card.forecasts}
    names = list(card.baselines)
    if not names:
        return pd.DataFrame(columns=[key, "best_baseline", "baseline_error", *card.forecasts])
    table = np.stack([values[name] for name in names])
    scored = ~np.isnan(table).all(axis=0)
    table = table[:, scored]
    best = np.nanargmin(table, axis=0) if table.size else np.zeros(0, dtype=np.int64)
    least = table[best, np.arange(table.shape[1])]
    unit = np.where(least > 0, least, np.nan)
    return pd.DataFrame({
        key: groups.keys[key].to_numpy()[scored], "best_baseline": np.array(names, dtype=object)[best],
        "baseline_error": least, **{model: 1 - values[model][scored] / unit for model in card.forecasts},
    })  # fmt: skip


def loss_by_cutoff(card: Figures, model: str, metric: str, *, per_series: bool = False) -> Floats:
    """Return the mean loss of each cutoff, oldest first, or of each cutoff and series.

    Parameters
    ----------
    card : Figures
    model, metric : str
    per_series : bool

    Returns
    -------
    float array ``[C]`` or ``[C, S]``
        The mean of the metric's figures of single points, squared for RMSE and RMSSE. NaN where a cutoff has no point.
    """
    points, groups = card.points_of(model, metric), groups_of(card, "cutoff")
    n_series = len(card.panel.series) if per_series else 1
    codes = groups.codes * n_series + (card.series_groups if per_series else 0)
    n, known = len(groups) * n_series, ~np.isnan(points)
    total = np.bincount(codes[known], weights=points[known], minlength=n)
    count = np.bincount(codes[known], minlength=n)
    mean = np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)
    return mean.reshape(len(groups), n_series) if per_series else mean
