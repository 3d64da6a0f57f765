"""The columns of a leaderboard beside the metrics: what each is worked out from, and what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from foretide.evaluation.cards.align import ORACLE
from foretide.evaluation.metrics.metric import Unit
from foretide.evaluation.metrics.table import find_metric

if TYPE_CHECKING:
    from foretide.evaluation.cards.figures import Figures
    from foretide.evaluation.cards.scorecard import Scorecard


@dataclass(frozen=True)
class Column:
    """A column of the leaderboard.

    Attributes
    ----------
    name, meaning : str
    unit : {"target", "target squared", "%", "share", "", "seconds", "MiB", "count", "text"}
        ``"share"``: from 0 to 1, shown in percent.
    of : callable
        ``(card, model)`` -> what stands in the model's row.
    there : callable
        Whether a card has the column.
    """

    name: str
    meaning: str
    unit: Unit | Literal["seconds", "MiB", "count", "text"]
    of: Callable[[Scorecard, str], object]
    there: Callable[[Scorecard], bool] = lambda card: True


def _to_oracle(metric: str, card: Scorecard, model: str) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.divide(card.value(model, metric), card.value(ORACLE, metric)))


def _of_run(name: str, field: str, meaning: str, unit: Literal["seconds", "MiB", "count"]) -> Column:
    return Column(
        name, meaning, unit, lambda card, model: getattr(card.run_of(model), field, nan), lambda card: bool(card.runs)
    )


def _of_fold(name: str, field: str, meaning: str) -> Column:
    return Column(name, meaning, "target", lambda card, model: card.main_by_fold[field].get(model, nan))


_against = partial(Column, there=lambda card: card.best_baseline is not None)

COLUMNS: tuple[Column, ...] = (
    _against(
        "skill_vs_best_baseline", "share of the best baseline's error that is saved; below 0 % the model is worse",
        "share", lambda card, model: card.skill(model),
    ),
    _against("best_baseline", "the baseline with the least error", "text", lambda card, model: card.best_baseline),
    Column(
        "ratio_to_oracle", "error over that of the conditional mean, which no model beats on average", "",
        lambda card, model: _to_oracle(card.main, card, model), lambda card: ORACLE in card.forecasts,
    ),
    Column(
        "wql_ratio_to_oracle", "the same, of the weighted quantile loss", "",
        lambda card, model: _to_oracle("wql", card, model), lambda card: card.has("wql", ORACLE),
    ),
    Column(
        "unused", "columns known ahead that the model does not use", "text",
        lambda card, model: ", ".join(card.unused.get(model, ())), lambda card: bool(card.unused),
    ),
    _against(
        "series_won", "share of series on which the model beats that series' best baseline, chosen with hindsight",
        "share", lambda card, model: (card.series_skill[model].dropna() > 0).mean(),
    ),
    _against(
        "median_series_skill", "median over series of the skill against that series' best baseline", "share",
        lambda card, model: card.series_skill[model].dropna().median(),
    ),
    _against(
        "p_vs_best_baseline", "Diebold–Mariano test on the mean losses by cutoff, two-sided", "",
        lambda card, model: card.pairs[model].p_value if model in card.pairs else nan,
    ),
    Column(
        "skill_vs_start", "share of the error of its closed-form start that training saves", "share",
        lambda card, model: card.trained[model].gain if model in card.trained else nan,
        lambda card: bool(card.starts),
    ),
    Column(
        "p_vs_start", "the same test, of the network against its closed-form start", "",
        lambda card, model: card.trained[model].p_value if model in card.trained else nan,
        lambda card: bool(card.starts),
    ),
    _of_fold("fold_sd", "sd", "standard deviation of the main error between folds"),
    _of_fold("p95_fold", "p95", "95th percentile of the main error by fold"),
    _of_fold("worst_fold", "worst", "main error of the worst fold"),
    _of_run("fits", "n_fits", "how often the model was fitted", "count"),
    _of_run("fit_seconds", "fit_seconds", "time of all fits", "seconds"),
    _of_run("predict_seconds", "predict_seconds", "time of all forecasts", "seconds"),
    _of_run("peak_mib", "peak_mib", "most memory above that of the process before", "MiB"),
)  # fmt: skip
"""In the order of the leaderboard, behind the metrics."""


def kind_of(card: Figures, model: str) -> Literal["model", "start", "baseline", "oracle"]:
    """Return what a row of a leaderboard is.

    Parameters
    ----------
    card : Figures
    model : str

    Returns
    -------
    {"model", "start", "baseline", "oracle"}
        ``"start"``: the closed form that a network begins at.
    """
    if model == ORACLE:
        return "oracle"
    return "baseline" if model in card.baselines else "start" if model in card.starts.values() else "model"


def leaderboard(card: Scorecard) -> pd.DataFrame:
    """Return one row per model, least main error first, in pandas.

    Parameters
    ----------
    card : Scorecard

    Returns
    -------
    pandas.DataFrame
        As :meth:`Scorecard.leaderboard` says.
    """
    models = list(card.forecasts)
    table = pd.DataFrame({"model": models, "kind": [kind_of(card, name) for name in models]})
    for metric in card.metrics:
        table[metric] = [card.value(model, metric) for model in models]
    for column in COLUMNS:
        if column.there(card):
            table[column.name] = pd.Series([column.of(card, model) for model in models])
    return table.sort_values(card.main, kind="stable", ignore_index=True)


def column_of_board(name: str) -> Column | None:
    """Return what a column of a leaderboard is: a metric, or one of :data:`COLUMNS`.

    Parameters
    ----------
    name : str

    Returns
    -------
    Column or None
        None for a name that is neither, such as ``model``.

    Examples
    --------
    >>> column_of_board("coverage_80").unit, column_of_board("fits").meaning
    ('share', 'how often the model was fitted')
    """
    metric = find_metric(name)
    if metric is not None:
        return Column(name, metric.meaning, metric.unit, lambda card, model: card.value(model, name))
    return next((column for column in COLUMNS if column.name == name), None)
