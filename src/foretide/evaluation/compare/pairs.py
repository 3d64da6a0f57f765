"""Two models on the same cutoffs: whether the difference in loss is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.errors import ConfigError
from foretide.evaluation.compare.by_fold import loss_by_cutoff, loss_name, smaller_is_better
from foretide.evaluation.compare.ranking import Ranking, rank_models
from foretide.evaluation.compare.tests import Comparison, block_bootstrap, compare_many, diebold_mariano, fewest
from foretide.seeding import numpy_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.evaluation.score import Scores

    Floats = NDArray[np.float64]

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
        said = f"The {self.metric.upper()} of {self.a} is {abs(self.relative):.1%} {side} than that of {self.b}"
        if self.difference == 0:
            said = f"The {self.metric.upper()} of {self.a} equals that of {self.b}"
        if self.test is None or self.interval is None:
            return f"{said}; {self.n_cutoffs} cutoffs are too few to test whether that is chance."
        low, high = self.interval
        p = "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.3f}"
        chance = "more than chance" if self.p_value < 0.05 else "no more than chance"
        return (
            f"{said}, which is {chance} by the Diebold–Mariano test ({p}, {self.n_cutoffs} cutoffs). "
            f"{self.level:g} % interval of the difference: {low:.4g} to {high:.4g}."
        )


def overlap_of(scores: Scores) -> int:
    """Return how many neighbouring cutoffs forecast the same step, from the least distance of cutoffs."""
    steps = np.unique(scores.windows.steps(scores.panel))
    distance = int(np.diff(steps).min()) if len(steps) > 1 else scores.truth.shape[1]
    return -(-int(scores.truth.shape[1]) // distance)


def compare_pair(
    scores: Scores, a: str, b: str, metric: str | None = None, *, level: float = 95, variance: str = "cosine"
) -> Pair:
    """Compare two models over all series; see :class:`Pair`.

    The loss of a cutoff is the mean over its points. The test's variance is robust to autocorrelation of neighbouring
    cutoffs; :func:`foretide.evaluation.compare.tests.diebold_mariano` says how, and what else ``variance`` can be.
    """
    metric = _loss(metric or scores.main)
    for name in (a, b):
        if not scores.has(metric, name):
            raise ConfigError(
                f"{name} has no {metric}. " + ("" if name in scores.forecasts else f"Scored: {list(scores.forecasts)}.")
            )
    first, second = loss_by_cutoff(scores, a, metric), loss_by_cutoff(scores, b, metric)
    known = ~np.isnan(first - second)
    first, second = first[known], second[known]
    gap, overlap = first - second, overlap_of(scores)
    mean = float(gap.mean()) if len(gap) else float("nan")
    base = float(second.mean()) if len(gap) else float("nan")
    relative = mean / base if base else float("nan")
    if len(gap) < fewest(overlap):
        return Pair(a, b, metric, len(gap), overlap, mean, relative, None, None, None, level)
    test = diebold_mariano(first, second, h=overlap, variance=variance)
    block = min(max(int(np.ceil(len(gap) ** (1 / 3))), overlap), len(gap))
    bootstrap = block_bootstrap(gap, numpy_generator(SEED), block=block, level=level)
    return Pair(
        a, b, metric, len(gap), overlap, mean, relative, test, test.interval(level), bootstrap, level
    )  # fmt: skip


def compare_by_series(
    scores: Scores, a: str, b: str, metric: str | None = None, *, alpha: float = 0.05, variance: str = "cosine"
) -> pd.DataFrame:
    """Test the two models on every series apart, corrected for the number of series.

    Returns
    -------
    DataFrame
        Id column, ``n`` cutoffs, ``difference`` (negative where ``a`` is better), ``p_value``, ``p_holm``, ``better``
        (``a``'s or ``b``'s name where the corrected value is below ``alpha``, else empty). Series with too few cutoffs
        have NaN.
    """
    metric = _loss(metric or scores.main)
    first = loss_by_cutoff(scores, a, metric, per_series=True)
    second = loss_by_cutoff(scores, b, metric, per_series=True)
    found = compare_many(first, second, h=overlap_of(scores), variance=variance)
    better = np.where(found.p_holm < alpha, np.where(found.difference < 0, a, b), "")
    return pd.DataFrame({
        scores.panel.names.id: list(scores.panel.series), "n": found.n, "difference": found.difference,
        "p_value": found.p_value, "p_holm": found.p_holm, "better": better,
    })  # fmt: skip


def against_reference(scores: Scores, reference: str, metric: str | None = None) -> dict[str, Pair]:
    """Compare every other model that has the metric with one of them."""
    metric = _loss(metric or scores.main)
    others = [name for name in scores.models if name != reference and scores.has(metric, name)]
    return {name: compare_pair(scores, name, reference, metric) for name in others}


def rank_over_series(scores: Scores, metric: str | None = None, *, alpha: float = 0.05) -> Ranking:
    """Rank the models over series (Demšar 2006): mean ranks, Friedman test, critical difference."""
    metric = metric or scores.main
    if not smaller_is_better(metric):
        raise ConfigError(f"Models are ranked by a loss, of which less is better; {metric} is none. Try 'mase'.")
    table = scores.frame_of(metric, "series")
    names = [name for name in scores.models if scores.has(metric, name)]
    return rank_models(table[names].to_numpy(np.float64), names, alpha=alpha)


def _loss(metric: str) -> str:
    if not smaller_is_better(metric):
        raise ConfigError(f"A comparison needs a loss, of which less is better; {metric} is none. Try 'mse' or 'mae'.")
    return loss_name(metric)
