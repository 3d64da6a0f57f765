"""What ``score``, a run and a backtest return: forecasts beside the truth, scores by any grouping, how all was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
import pandas as pd

from foretide.errors import ConfigError
from foretide.evaluation.cards import file
from foretide.evaluation.cards.added import blended, conformal, with_model
from foretide.evaluation.cards.board import leaderboard
from foretide.evaluation.cards.figures import Figures
from foretide.evaluation.cards.groups import groups_of
from foretide.evaluation.cards.runs import ModelRun
from foretide.evaluation.compare.by_fold import fold_summary, loss_by_cutoff, series_skill
from foretide.evaluation.compare.components import variance_components
from foretide.evaluation.compare.pairs import Pair, against_reference, compare_by_series, compare_pair, rank_over_series
from foretide.evaluation.compare.ranking import Ranking
from foretide.evaluation.compare.verdict import verdict
from foretide.evaluation.metrics.calibration import PitHistogram, pit_histogram, reliability
from foretide.evaluation.metrics.pit import pit_from_quantiles
from foretide.evaluation.metrics.stock import newsvendor_quantity, stock_decisions
from foretide.evaluation.metrics.table import shown_metrics
from foretide.forecasters.levels import bounds_of, interval_level, interval_levels
from foretide.typing import Floats, Json

if TYPE_CHECKING:
    from os import PathLike

    from foretide.evaluation.rolling.folds import Plan
    from foretide.typing import Frame


@dataclass(frozen=True, eq=False)
class Scorecard(Figures):
    """Forecasts of several models beside the truth, on the same windows and points.

    :func:`foretide.score` makes one of forecasts, :func:`foretide.backtest` of models. Its data, and single figures,
    are those of :class:`foretide.evaluation.cards.figures.Figures`.

    Attributes
    ----------
    plan : Plan or None
        The folds of a backtest.
    runs : tuple of ModelRun
        How its models were made.
    about : dict
        Versions, threads and machine.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=200, n_series=1, seed=1).panel
    >>> card = ft.backtest(ft.SeasonalMean(h=4), panel, n_windows=3)
    >>> len(card.folds()), "SeasonalMean" in card.scores("mae", by="h_step")
    (3, True)
    """

    plan: Plan | None = field(kw_only=True, default=None)
    runs: tuple[ModelRun, ...] = field(kw_only=True, default=())
    about: Json = field(kw_only=True, default_factory=dict)

    def run_of(self, model: str) -> ModelRun | None:
        """Return how a model was made.

        Parameters
        ----------
        model : str

        Returns
        -------
        ModelRun or None
            None for one that was made from others' forecasts, and where nothing is known.
        """
        return next((run for run in self.runs if run.name == model), None)

    # ---------------------------------------------------------------- tables
    def leaderboard(self) -> Frame:
        """Return one row per model, least main error first.

        Returns
        -------
        DataFrame
            ``model``; ``kind`` (model, baseline or oracle); every metric over all points, NaN where a model has no
            quantiles for it; then the columns of :data:`foretide.evaluation.cards.board.COLUMNS`, among them
            ``skill_vs_best_baseline``, ``ratio_to_oracle``, ``series_won``, ``p_vs_best_baseline``, ``worst_fold``
            and, of a backtest, ``fit_seconds``. The error is MSE for counts, RMSE otherwise.
        """
        return self.frame(leaderboard(self))

    def fold_summary(self, metric: str | None = None) -> Frame:
        """Return per model the mean, spread, best, 95th percentile and worst of its figures by fold.

        Parameters
        ----------
        metric : str, optional
            As in :meth:`scores`.

        Returns
        -------
        DataFrame
        """
        return self.frame(fold_summary(self, metric or self.main))

    def skill_by_series(self, metric: str | None = None) -> Frame:
        """Return each model's skill on each series against the best baseline of that very series.

        Parameters
        ----------
        metric : str, optional
            As in :meth:`scores`.

        Returns
        -------
        DataFrame
        """
        return self.frame(series_skill(self, metric or self.main))

    # ---------------------------------------------------------------- more than chance
    @overload
    def compare(
        self, a: str, b: str, metric: str | None = None, *, by: None = None, level: float = 95, variance: str = "cosine"
    ) -> Pair: ...

    @overload
    def compare(
        self, a: str, b: str, metric: str | None = None, *, by: str, level: float = 95, variance: str = "cosine"
    ) -> Frame: ...

    def compare(
        self, a: str, b: str, metric: str | None = None, *, by: str | None = None, level: float = 95,
        variance: str = "cosine",
    ) -> Pair | Frame:  # fmt: skip
        """Say whether two models' losses differ by more than chance.

        Parameters
        ----------
        a, b : str
            Models.
        metric : str, optional
            Of which less is better; the main one by default.
        by : {None, "series"}
            All series together, or a test for each, with p-values corrected for their number (Holm).
        level : float
            Of intervals, in percent; the test rejects at ``1 - level / 100``.
        variance : {"cosine", "acf", "bartlett"}
            ``"acf"`` is the classical test with the correction of Harvey, Leybourne and Newbold (1997); the default
            holds its level on few cutoffs too.

        Returns
        -------
        Pair or DataFrame
            Over all series the Diebold–Mariano test and a bootstrap interval on the mean losses by cutoff; ``print``
            it for a sentence.

        Raises
        ------
        ConfigError
            For unknown models, and metrics of which less is not better.
        """
        self.known(a, b)
        if by is None:
            return compare_pair(self, a, b, metric, level=level, variance=variance)
        if by != "series":
            raise ConfigError(f"by is None (all series together) or 'series', got {by!r}.")
        return self.frame(compare_by_series(self, a, b, metric, alpha=1 - level / 100, variance=variance))

    def ranks(self, metric: str | None = None, *, alpha: float = 0.05) -> Ranking:
        """Rank the models over series: mean ranks, Friedman test, critical difference (Demšar 2006).

        Parameters
        ----------
        metric : str, optional
            Of which less is better; the main one by default.
        alpha : float
            Level of the critical difference.

        Returns
        -------
        Ranking
        """
        return rank_over_series(self, metric, alpha=alpha)

    def variance(self, models: Sequence[str], metric: str | None = None) -> Frame:
        """Split the variance of a model's loss into seed, fold, series and the rest.

        Parameters
        ----------
        models : sequence of str
            The same model with several seeds.
        metric : str, optional
            A loss; the main one by default.

        Returns
        -------
        DataFrame
            As :func:`foretide.evaluation.compare.components.variance_components`.
        """
        losses = np.stack([loss_by_cutoff(self, m, metric or self.main, per_series=True) for m in models])
        whole = ~np.isnan(losses).any(axis=(0, 1))
        return self.frame(variance_components(losses[:, :, whole]))

    # ---------------------------------------------------------------- calibration and stock
    def coverage(self, level: float = 80, by: str | Sequence[str] | None = None, *, fair: bool = False) -> Frame:
        """Return how often the truth lies in the central interval of each model that has one.

        Parameters
        ----------
        level : float
            In percent.
        by : str or sequence of str, optional
            As in :meth:`scores`, a row for each group with one column per model; by default one row per model with
            ``model``, ``level``, ``coverage`` and the mean ``width``.
        fair : bool
            Of the randomised PIT instead, which is ``level`` exactly where the distribution is right, for counts too;
            needs a dense grid of quantiles.

        Returns
        -------
        DataFrame

        Raises
        ------
        ConfigError
            When no model holds the quantiles.
        """
        level = interval_level(level)
        name = f"{'fair_' if fair else ''}coverage_{level:g}"
        models = [model for model in self.forecasts if self.has(name, model)]
        if not models:
            raise ConfigError(
                "Fair coverage needs a dense grid: predict(..., quantiles=[k / 100 for k in range(1, 100)])"
                if fair
                else f"No model holds the quantiles {bounds_of(level)} of a {level:g} % interval. "
                f"Ask for them: model.predict(..., levels=({level:g},))"
            )
        if by is None:
            figures = {"coverage": name, "width": f"width_{level:g}"}
            columns = {key: [self.value(model, metric) for model in models] for key, metric in figures.items()}
            return self.frame(pd.DataFrame({"model": models, "level": float(level), **columns}))
        groups = groups_of(self, by)
        return self.frame(self.frame_of(name, groups)[[*groups.keys.columns, *models]])

    def pit(self, model: str, seed: int = 0) -> Floats:
        """Return the randomised PIT of each point, from a dense grid of quantiles.

        Uniform on (0, 1) where the distribution is right; unlike coverage it is exact for counts too, whose intervals
        of whole numbers hold more than they say.

        Parameters
        ----------
        model : str
        seed : int
            Of the randomness.

        Returns
        -------
        float array ``[N, H, D]``
        """
        own = self.distribution(model)
        return pit_from_quantiles(self.distributions.truth, own.values, own.levels, np.random.default_rng(seed))

    def pit_histogram(self, model: str, bins: int | None = 10) -> PitHistogram:
        """Return how many truths fall between neighbouring quantiles, beside how many should.

        Parameters
        ----------
        model : str
        bins : int, optional
            About so many cells; None: one for each pair of neighbours.

        Returns
        -------
        PitHistogram
        """
        own = self.distribution(model)
        return pit_histogram(self.distributions.truth, own.values, own.levels, bins=bins)

    def reliability(self, model: str, by: str | Sequence[str] = ()) -> Frame:
        """Return for each quantile level how many truths lie below, and at or below, its forecast.

        Parameters
        ----------
        model : str
        by : str or sequence of str
            As in :meth:`scores`.

        Returns
        -------
        DataFrame
            The groups, then ``level``, ``below``, ``at_or_below``, ``n``.
        """
        own, groups = self.distribution(model), groups_of(self, by)
        table = reliability(self.distributions.truth, own.values, own.levels, groups=groups.codes)
        keys = groups.keys.iloc[table.pop("group").to_numpy()].reset_index(drop=True)
        return self.frame(pd.concat([keys, table], axis=1))

    def stock(self, shortage_cost: float = 9.0, holding_cost: float = 1.0, by: str | Sequence[str] = ()) -> Frame:
        """Return what the newsvendor's quantity from each model's quantiles would have done.

        Parameters
        ----------
        shortage_cost, holding_cost : float
            Of one unit missing, and of one left over, a step. The stock of each step is the quantile at
            ``shortage_cost / (shortage_cost + holding_cost)``.
        by : str or sequence of str
            As in :meth:`scores`.

        Returns
        -------
        DataFrame
            ``model``, the groups, ``service_level``, ``stock_out_days``, ``fill_rate``, ``holding``, ``shortage``,
            ``cost``, ``n``.

        Raises
        ------
        ConfigError
            When no model has quantiles.
        """
        groups, parts, costs = groups_of(self, by), [], (shortage_cost, holding_cost)
        for model, own in self.distributions.quantiles.items():
            stock = newsvendor_quantity(own.values, own.levels, *costs, counts=self.counts)
            truth = self.distributions.truth
            table = stock_decisions(truth, stock, *costs, groups=groups.codes, n_groups=len(groups))
            keys = groups.keys.reset_index(drop=True)
            keys.insert(0, "model", model)
            parts.append(pd.concat([keys, table], axis=1))
        if not parts:
            raise ConfigError("No model has quantiles to take a stock from. Backtest one with quantiles=(0.1, …, 0.9).")
        return self.frame(pd.concat(parts, ignore_index=True))

    # ---------------------------------------------------------------- made from the forecasts
    def ensemble(
        self, models: Sequence[str], how: Literal["mean", "median", "weights"] = "mean", *, name: str | None = None
    ) -> Scorecard:
        """Return the card with a blend of models beside them.

        Parameters
        ----------
        models : sequence of str
            Two or more.
        how : {"mean", "median", "weights"}
            ``"weights"``: shares that are not negative and sum to one, for each cutoff those with the least squared
            error over the targets known by then; so no fold's weights have seen its truth.
        name : str, optional

        Returns
        -------
        Scorecard
        """
        mean, distribution = blended(self, models, how)
        return with_model(self, name or f"{how}({', '.join(models)})", mean, distribution)

    def conformal(
        self, model: str, method: Literal["split", "adaptive"] = "split", *, by: Sequence[str] = ("h_step", "bucket"),
        levels: Sequence[float] = (80, 95), window: int | None = None, rate: float = 0.05, name: str | None = None,
    ) -> Scorecard:  # fmt: skip
        """Return the card with conformal intervals around a model beside it, learned on past folds only.

        Parameters
        ----------
        model : str
            With quantiles or without.
        method : {"split", "adaptive"}
            Quantiles of all errors known by a cutoff; or with levels that move with the misses so far.
        by : sequence of str
            Errors are pooled within these groupings, as in :meth:`scores`.
        levels : sequence of float
            Central levels in percent.
        window : int, optional
            Only the errors of the last so many cutoffs count.
        rate : float
            How fast levels move (adaptive).
        name : str, optional

        Returns
        -------
        Scorecard
        """
        levels = interval_levels(levels)
        distribution, note = conformal(self, model, method, by=by, levels=levels, window=window, rate=rate)
        card = with_model(self, name or f"{model}-conformal", self.forecasts[model], distribution, levels)
        return replace(card, notes=(*card.notes, note))

    # ---------------------------------------------------------------- words and files
    def verdict(self) -> str:
        """Say whether the best model beats the best simple baseline; of a backtest, whether by more than chance.

        Returns
        -------
        str
            Sentences.
        """
        return verdict(self)

    def save(self, folder: str | PathLike[str]) -> None:
        """Write the card to a folder: ``scorecard.parquet`` and ``scorecard.json``; :meth:`load` reads it.

        Parameters
        ----------
        folder : path
        """
        file.save(self, folder)

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Scorecard:
        """Read a card that :meth:`save` wrote; its panel knows names and times, not values.

        Parameters
        ----------
        folder : path

        Returns
        -------
        Scorecard

        Raises
        ------
        ArtifactError
            When a file is missing, does not belong to the other, or has a later format.
        """
        return file.load(cls, folder)

    def __repr__(self) -> str:
        n = len(np.unique(self.windows.steps(self.panel)))
        return f"Scorecard({len(self.models)} models, {len(self.windows)} windows, {n} cutoffs; {self.verdict()})"

    def _repr_html_(self) -> str:
        from html import escape

        board = leaderboard(self)
        metrics = shown_metrics(board.columns, "notebook", self.main)
        others = ("skill_vs_best_baseline", "series_won", "p_vs_best_baseline", "worst_fold", "fit_seconds")
        columns = [c for c in ("model", "kind", *metrics, *others) if c in board and board[c].notna().any()]
        table = board[columns].to_html(index=False, float_format=lambda x: f"{x:.4g}", na_rep="", border=0)
        return f"<div><p><b>{escape(self.verdict())}</b></p>{table}</div>"

    # ---------------------------------------------------------------- worked out once
    @cached_property
    def series_skill(self) -> pd.DataFrame:
        """As :meth:`skill_by_series` in the main error, in pandas."""
        return series_skill(self, self.main)

    @cached_property
    def main_by_fold(self) -> pd.DataFrame:
        """As :meth:`fold_summary` of the main error, in pandas, by model."""
        return fold_summary(self, self.main).set_index("model")

    @cached_property
    def pairs(self) -> dict[str, Pair]:
        """Every model compared with the best baseline; empty without one."""
        best = self.best_baseline
        return {} if best is None else against_reference(self, best)
