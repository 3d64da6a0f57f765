"""Figures by fold and by series: how far errors move between cutoffs, and skill against each series' best baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.evaluation.cards.groups import groups_of
from foretide.evaluation.metrics.points import METRICS
from foretide.evaluation.metrics.quantiles import distribution_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.evaluation.score import Scores

    Floats = NDArray[np.float64]

WORST = 95
"""Percentile of the fold errors that is reported beside the worst."""


def fold_summary(scores: Scores, metric: str) -> pd.DataFrame:
    """Return what the folds' figures say of each model.

    Columns ``model, n_folds, mean, sd, best, p95, worst, worst_cutoff``: over the figures of the single folds, so the
    mean of RMSEs by fold is not the RMSE of all points. Larger counts as worse.
    """
    groups = groups_of(scores, "cutoff")
    rows = []
    for model in scores.forecasts:
        values = scores.values_of(model, metric, groups)
        known = values[~np.isnan(values)]
        if not len(known):
            rows.append({"model": model, "n_folds": 0})
            continue
        rows.append({
            "model": model, "n_folds": len(known), "mean": known.mean(),
            "sd": known.std(ddof=1) if len(known) > 1 else np.nan, "best": known.min(),
            "p95": np.percentile(known, WORST), "worst": known.max(),
            "worst_cutoff": groups.keys["cutoff"].iloc[int(np.nanargmax(values))],
        })  # fmt: skip
    return pd.DataFrame(rows)


def series_skill(scores: Scores, metric: str) -> pd.DataFrame:
    """Return each model's skill on each series against the best baseline of that very series.

    Columns: the id column, ``best_baseline`` and its ``baseline_error``, then ``1 - error / baseline_error`` of every
    model. The baseline is the best with hindsight, the hardest to beat; so the skill of a baseline is at most zero. NaN
    where the best baseline makes no error; without baselines, there are no rows.
    """
    groups = groups_of(scores, "series")
    key = groups.keys.columns[0]
    values = {model: scores.values_of(model, metric, groups) for model in scores.forecasts}
    names = list(scores.baselines)
    if not names:
        return pd.DataFrame(columns=[key, "best_baseline", "baseline_error", *scores.forecasts])
    table = np.stack([values[name] for name in names])
    scored = ~np.isnan(table).all(axis=0)
    table = table[:, scored]
    best = np.nanargmin(table, axis=0) if table.size else np.zeros(0, dtype=np.int64)
    least = table[best, np.arange(table.shape[1])]
    unit = np.where(least > 0, least, np.nan)
    out = {
        key: groups.keys[key].to_numpy()[scored],
        "best_baseline": np.array(names, dtype=object)[best],
        "baseline_error": least,
    }
    return pd.DataFrame({**out, **{model: 1 - values[model][scored] / unit for model in scores.forecasts}})


def loss_name(metric: str) -> str:
    """Return the loss of single points behind a metric: a mean of them can be tested (``rmse`` -> ``mse``)."""
    return {"rmse": "mse"}.get(metric, metric)


def loss_by_cutoff(scores: Scores, model: str, metric: str, *, per_series: bool = False) -> Floats:
    """Return the mean loss of each cutoff ``[C]``, oldest first, or of each cutoff and series ``[C, S]``.

    The loss is the metric's figure of single points, squared for RMSE and RMSSE. NaN where a cutoff has no point.
    """
    points = scores.points_of(model, metric)
    groups = groups_of(scores, "cutoff")
    codes, n_series = groups.codes, len(scores.panel.series)
    if per_series:
        codes = codes * n_series + scores.series_groups
    n = len(groups) * (n_series if per_series else 1)
    known = ~np.isnan(points)
    total = np.bincount(codes[known], weights=points[known], minlength=n)
    count = np.bincount(codes[known], minlength=n)
    mean = np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)
    return mean.reshape(len(groups), n_series) if per_series else mean


def smaller_is_better(metric: str) -> bool:
    """Whether less of a metric is better, so that models can be ranked and tested by it."""
    if metric in METRICS:
        return metric != "bias"
    found = distribution_metric(metric)
    return found is not None and not metric.startswith(("coverage", "fair", "width", "service", "fill"))
