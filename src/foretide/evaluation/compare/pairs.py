"""Two models on the same cutoffs: whether the difference in loss is more than chance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.errors import ConfigError
from foretide.evaluation.compare.by_fold import loss_by_cutoff
from foretide.evaluation.compare.ranking import Ranking, rank_models
from foretide.evaluation.compare.tests import Comparison, compare_many, diebold_mariano, fewest
from foretide.evaluation.compare.variances import block_bootstrap
from foretide.evaluation.metrics.table import metric_of
from foretide.seeding import numpy_generator

if TYPE_CHECKING:
    from foretide.evaluation.cards.figures import Figures

SEED = 0
"""Of the bootstrap: the same card gives the same interval."""


@dataclass(frozen=True)
class Pair:
    """Two models compared on their mean losses by cutoff.

    Attributes
    ----------
    a, b : str
    metric : str
        The loss of single points: ``mse`` for RMSE.
    n_cutoffs, overlap : int
        Cutoffs compared; neighbouring ones whose forecasts share steps.
    difference : float
        Mean loss of ``a`` minus that of ``b``; negative where ``a`` is better.
    relative : float
        The same as a share of the loss of ``b``.
    test : Comparison or None
        Diebold–Mariano; None where there are too few cutoffs.
    interval : (float, float) or None
        Of the difference, from the test: it leaves out zero exactly where the test rejects at ``1 - level / 100``.
    bootstrap : (float, float) or None
        The same by the moving-block bootstrap over cutoffs, too narrow for few or overlapping cutoffs (see
        ``benchmarks/significance.py``).
    level : float
        Of both, in percent.
    """

    a: str
    b: str
    metric: str
    n_cutoffs: int
    overlap: int
    difference: float
    relative: float
    test: Comparison | None
    interval: tuple[float, float] | None
    bootstrap: tuple[float, float] | None
    level: float

    @property
    def p_value(self) -> float:
        """Of the test; NaN where there is none."""
        return float("nan") if self.test is None else self.test.p_value

    def __str__(self) -> str:
        side = "lower" if self.difference < 0 else "higher"
        text = f"The {self.metric.upper()} of {self.a} is {abs(self.relative):.1%} {side} than that of {self.b}"
        if self.difference == 0:
            text = f"The {self.metric.upper()} of {self.a} equals that of {self.b}"
        if self.test is None or self.interval is None:
            return f"{text}; {self.n_cutoffs} cutoffs are too few to test whether that is chance."
        low, high = self.interval
        p = "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.3f}"
        chance = "more than chance" if self.p_value < 0.05 else "no more than chance"
        return (
            f"{text}, which is {chance} by the Diebold–Mariano test ({p}, {self.n_cutoffs} cutoffs). "
            f"{self.level:g} % interval of the difference: {low:.4g} to {high:.4g}."
        )


def overlap_of(card: Figures) -> int:
    """Return how many neighbouring cutoffs forecast the same step, from the least distance of cutoffs.

    Parameters
    ----------
    card : Figures

    Returns
    -------
    int
    """
    steps, h = np.unique(card.windows.steps(card.panel)), card.truth.shape[1]
    distance = int(np.diff(steps).min()) if len(steps) > 1 else h
    return -(-int(h) // distance)


def compare_pair(
    card: Figures, a: str, b: str, metric: str | None = None, *, level: float = 95, variance: str = "cosine"
) -> Pair:
    """Compare two models over all series.

    The loss of a cutoff is the mean over its points. The test's variance is robust to autocorrelation of neighbouring
    cutoffs; :func:`foretide.evaluation.compare.tests.diebold_mariano` says how, and what else ``variance`` can be.

    Parameters
    ----------
    card : Figures
    a, b : str
        Models.
    metric : str, optional
        Of which less is better; the main one by default.
    level : float
        Of intervals, in percent.
    variance : {"cosine", "acf", "bartlett"}

    Returns
    -------
    Pair

    Raises
    ------
    ConfigError
        For a metric of which less is not better, or that a model cannot be judged by.
    """
    metric = _loss(metric or card.main)
    for name in (a, b):
        if not card.has(metric, name):
            raise ConfigError(
                f"{name} has no {metric}. " + ("" if name in card.forecasts else f"Scored: {list(card.forecasts)}.")
            )
    first, second = loss_by_cutoff(card, a, metric), loss_by_cutoff(card, b, metric)
    known = ~np.isnan(first - second)
    first, second = first[known], second[known]
    gap, overlap, n = first - second, overlap_of(card), int(known.sum())
    mean, base = (float(x.mean()) if n else float("nan") for x in (gap, second))
    pair = Pair(a, b, metric, n, overlap, mean, mean / base if base else float("nan"), None, None, None, level)
    if n < fewest(overlap):
        return pair
    test = diebold_mariano(first, second, h=overlap, variance=variance)
    block = min(max(int(np.ceil(n ** (1 / 3))), overlap), n)
    bootstrap = block_bootstrap(gap, numpy_generator(SEED), block=block, level=level)
    return replace(pair, test=test, interval=test.interval(level), bootstrap=bootstrap)


def compare_by_series(
    card: Figures, a: str, b: str, metric: str | None = None, *, alpha: float, variance: str = "cosine"
) -> pd.DataFrame:
    """Test the two models on every series apart, corrected for the number of series.

    Parameters
    ----------
    card : Figures
    a, b : str
        Models.
    metric : str, optional
        Of which less is better; the main one by default.
    alpha : float
        Level of the test.
    variance : {"cosine", "acf", "bartlett"}

    Returns
    -------
    DataFrame
        Id column, ``n`` cutoffs, ``difference`` (negative where ``a`` is better), ``p_value``, ``p_holm``, ``better``
        (``a``'s or ``b``'s name where the corrected value is below ``alpha``, else empty). Series with too few cutoffs
        have NaN.
    """
    metric = _loss(metric or card.main)
    first, second = (loss_by_cutoff(card, name, metric, per_series=True) for name in (a, b))
    tests = compare_many(first, second, h=overlap_of(card), variance=variance)
    better = np.where(tests.p_holm < alpha, np.where(tests.difference < 0, a, b), "")
    return pd.DataFrame({
        card.panel.names.id: list(card.panel.series), "n": tests.n, "difference": tests.difference,
        "p_value": tests.p_value, "p_holm": tests.p_holm, "better": better,
    })  # fmt: skip


def against_reference(card: Figures, reference: str, metric: str | None = None) -> dict[str, Pair]:
    """Compare every other model that has the metric with one of them.

    Parameters
    ----------
    card : Figures
    reference : str
        A model.
    metric : str, optional
        Of which less is better; the main one by default.

    Returns
    -------
    dict
        Model -> :class:`Pair`.
    """
    metric = _loss(metric or card.main)
    others = [name for name in card.models if name != reference and card.has(metric, name)]
    return {name: compare_pair(card, name, reference, metric) for name in others}


def rank_over_series(card: Figures, metric: str | None = None, *, alpha: float = 0.05) -> Ranking:
    """Rank the models over series (Demšar 2006): mean ranks, Friedman test, critical difference.

    Parameters
    ----------
    card : Figures
    metric : str, optional
        Of which less is better; the main one by default.
    alpha : float
        Level of the critical difference.

    Returns
    -------
    Ranking
    """
    metric = metric or card.main
    if metric_of(metric).better != "lower":
        raise ConfigError(f"Models are ranked by a loss, of which less is better; {metric} is none. Try 'mase'.")
    names = [name for name in card.models if card.has(metric, name)]
    return rank_models(card.frame_of(metric, "series")[names].to_numpy(np.float64), names, alpha=alpha)


def _loss(name: str) -> str:
    """Return the loss of single points behind a metric, whose mean can be tested: of RMSE, MSE."""
    metric = metric_of(name)
    if metric.better != "lower":
        raise ConfigError(f"A comparison needs a loss, of which less is better; {name} is none. Try 'mse' or 'mae'.")
    return metric.loss or name
