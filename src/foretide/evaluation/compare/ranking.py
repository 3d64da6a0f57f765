"""Which of several models are told apart by their ranks over many series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from foretide.typing import Floats


@dataclass(frozen=True, eq=False)
class Ranking:
    """Models ordered by their mean rank over series (Demšar 2006).

    Attributes
    ----------
    names : tuple of str
        Best first.
    mean_ranks : float array ``[M]``
        In the order of ``names``; 1 is best, ties share the average of their ranks.
    n, n_left_out : int
        Series ranked, and series left out because a model has no loss there.
    friedman, friedman_p : float
        Friedman's chi-square (``M - 1`` degrees of freedom) for "all models rank alike", and its p-value.
    iman_davenport, iman_davenport_p : float
        The F form of it, less conservative (Iman & Davenport 1980).
    critical_difference : float
        Nemenyi's: mean ranks at least so far apart differ at level ``alpha``, all pairs together.
    alpha : float
    cliques : tuple of tuples of str
        The longest groups of neighbours that are not told apart, two models or more.
    """

    names: tuple[str, ...]
    mean_ranks: Floats
    n: int
    n_left_out: int
    friedman: float
    friedman_p: float
    iman_davenport: float
    iman_davenport_p: float
    critical_difference: float
    alpha: float
    cliques: tuple[tuple[str, ...], ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per model, best first: ``model``, ``mean_rank``, ``distinguishable_from_best``.

        Returns
        -------
        pandas.DataFrame
        """
        apart = self.mean_ranks - self.mean_ranks[0] >= self.critical_difference
        return pd.DataFrame(
            {"model": list(self.names), "mean_rank": self.mean_ranks, "distinguishable_from_best": apart}
        )


def rank_models(losses: ArrayLike, names: Sequence[str], *, alpha: float = 0.05, ties: bool = True) -> Ranking:
    """Rank models on each series, and say which mean ranks differ by more than chance.

    Friedman's test asks whether any model differs; the pairs are worth reading only where it rejects. Series are taken
    to be independent: for series that move together the p-values are too small.

    Parameters
    ----------
    losses : array-like ``[S, M]``
        One loss for each series and model, lower is better. A series with NaN for any model is left out and counted.
    names : sequence of str
        ``M`` different names.
    alpha : float
        Level of the critical difference.
    ties : bool
        Whether Friedman's statistic is corrected for ties, as in SciPy; without it, it is that of Demšar (2006, section
        3.2.2), which ties make too small.

    Returns
    -------
    Ranking

    Raises
    ------
    DataError
        For fewer than two models, or fewer than two series without NaN.
    ConfigError
        For names that do not fit the losses, or an alpha outside (0, 1).

    Examples
    --------
    >>> rank_models([[1.0, 2.0], [3.0, 4.0], [2.0, 1.0]], ["A", "B"]).names
    ('A', 'B')
    """
    table = np.asarray(losses, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        raise DataError(f"Expected losses [series, models] of at least two models, got shape {table.shape}.")
    known = table[~np.isnan(table).any(axis=1)]
    n, m = known.shape
    if len(names) != m or len(set(names)) != m:
        raise ConfigError(f"Expected {m} different names, one per column of the losses, got {list(names)}.")
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha lies between 0 and 1, got {alpha!r}. Type alpha=0.05.")
    if n < 2:
        raise DataError(
            f"A ranking needs at least two series that every model has a loss for, got {n}; "
            f"{len(table) - n} of {len(table)} have NaN. Leave out the model that is missing."
        )
    return _ranked(known, names, len(table) - n, alpha, ties)


def _ranked(losses: Floats, names: Sequence[str], n_left_out: int, alpha: float, ties: bool) -> Ranking:
    """Rank losses ``[S, M]`` without NaN."""
    from scipy import stats

    n, m = losses.shape
    ranks = stats.rankdata(losses, axis=1)
    mean = ranks.mean(axis=0)
    statistic = 12 * n / (m * (m + 1)) * float(((mean - (m + 1) / 2) ** 2).sum())
    if ties:
        # Ranks of a series without ties have the variance (M^2 - 1) / 12; ties make it smaller.
        spread = float(ranks.var(axis=1).mean()) / ((m**2 - 1) / 12)
        statistic = statistic / spread if spread > 0 else 0.0
    rest = n * (m - 1) - statistic
    f = (n - 1) * statistic / rest if rest > 1e-9 * n else float("inf")
    width = float(stats.studentized_range.ppf(1 - alpha, m, np.inf)) / np.sqrt(2) * np.sqrt(m * (m + 1) / (6 * n))
    order = np.argsort(mean, kind="stable")
    ordered, ranked = tuple(names[k] for k in order), mean[order]
    return Ranking(
        ordered, ranked, n, n_left_out,
        statistic, float(stats.chi2.sf(statistic, m - 1)),
        f, float(stats.f.sf(f, m - 1, (m - 1) * (n - 1))),
        float(width), alpha, _cliques(ordered, ranked, float(width)),
    )  # fmt: skip


def _cliques(names: tuple[str, ...], ranks: Floats, width: float) -> tuple[tuple[str, ...], ...]:
    """Return the longest runs of neighbours whose first and last mean ranks differ by less than ``width``."""
    groups, reached = [], 0
    for first in range(len(names)):
        last = int(np.searchsorted(ranks, ranks[first] + width, side="left"))
        if last > max(reached, first + 1):
            groups.append(names[first:last])
            reached = last
    return tuple(groups)
