"""What ``score``, a run and a backtest return: forecasts beside the truth, scores by any grouping, how all was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
import pandas as pd

from foretide.errors import ConfigError
from foretide.evaluation.cards.added import blended, conformal, with_model
from foretide.evaluation.cards.board import leaderboard
from foretide.evaluation.cards.plots import Plots
from foretide.evaluation.cards.runs import ModelRun
from foretide.evaluation.cards.tidy import figures_frame, tidy_frame
from foretide.evaluation.compare.ablation import ablation
from foretide.evaluation.compare.by_fold import fold_summary, loss_by_cutoff, series_skill
from foretide.evaluation.compare.components import variance_components
from foretide.evaluation.compare.pairs import Pair, against_reference, compare_by_series, compare_pair, rank_over_series
from foretide.evaluation.compare.ranking import Ranking
from foretide.evaluation.compare.training import Training, training_gains
from foretide.evaluation.compare.verdict import verdict
from foretide.evaluation.metrics.table import shown_metrics
from foretide.forecasters.levels import interval_levels

if TYPE_CHECKING:
    from os import PathLike

    from foretide.evaluation.rolling.plan import Plan
    from foretide.typing import Frame


@dataclass(frozen=True, eq=False)
class Scorecard(Plots):
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
    about: dict[str, object] = field(kw_only=True, default_factory=dict)

    def run_of(self, model: str) -> ModelRun | None:
        """Return how a model was made.

        Parameters
        ----------
        model : str

        Returns
        -------
        ModelRun or None
            None for one that was made from others' forecasts, and where nothing is known.

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.run_of("SeasonalMean").n_fits
        1
        """
        return next((run for run in self.runs if run.name == model), None)

    # ---------------------------------------------------------------- tables
    def leaderboard(self) -> Frame:
        """Return one row per model, least main error first.

        Returns
        -------
        DataFrame
            ``model``; ``kind`` (model, baseline, oracle, or start: the closed form that a network begins at); every
            metric over all points, NaN where a model has no quantiles for it; then the columns of
            :data:`foretide.evaluation.cards.board.COLUMNS`, among them ``skill_vs_best_baseline``, ``ratio_to_oracle``,
            ``series_won``, ``p_vs_best_baseline``, ``skill_vs_start``, ``worst_fold`` and, of a backtest,
            ``fit_seconds``. The error is MSE for counts, RMSE otherwise.

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.leaderboard().columns[:4].tolist()
        ['model', 'kind', 'rmse', 'mae']
        """
        return self.frame(self._board.copy())

    @cached_property
    def _board(self) -> pd.DataFrame:
        """A job asks three times, and each metric of each model goes through all points."""
        return leaderboard(self)

    def fold_summary(self, metric: str | None = None) -> Frame:
        """Return per model the mean, spread, best, 95th percentile and worst of its figures by fold.

        Parameters
        ----------
        metric : str, optional
            As in :meth:`scores`.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.fold_summary("mae")["n_folds"].tolist()
        [8, 8]
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

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.skill_by_series().columns[:3].tolist()
        ['unique_id', 'best_baseline', 'baseline_error']
        """
        return self.frame(series_skill(self, metric or self.main))

    def to_frame(self, *, levels: Sequence[float] | None = None, all_points: bool = False) -> Frame:
        """Return a tidy frame: id, time, ``cutoff``, ``h_step``, ``y``, ``<Model>``, ``<Model>-lo-80`` ….

        Parameters
        ----------
        levels : sequence of float, optional
            Central levels whose bounds are columns; those reported by default.
        all_points : bool
            With the points that do not count; their ``y`` is missing.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.to_frame(levels=()).columns.tolist()
        ['unique_id', 'ds', 'cutoff', 'h_step', 'y', 'SeasonalMean', 'SeasonalNaive']
        """
        levels = None if levels is None else interval_levels(levels)
        return self.frame(tidy_frame(self, levels=levels, all_points=all_points))

    def figures(self) -> Frame:
        """Return every metric of the leaderboard in a long frame.

        Returns
        -------
        DataFrame
            ``model, scope, key, metric, value``. ``scope`` is ``all``, ``h_step``, ``series`` or (counts) ``bucket``;
            ``key`` the step, the series' name or the bucket (empty for all).

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.figures()["scope"].unique().tolist()
        ['h_step', 'series', 'all']
        """
        return self.frame(figures_frame(self))

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

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.compare("SeasonalMean", "SeasonalNaive", "mae").n_cutoffs
        8
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

    def ablation(self, models: Sequence[str], metric: str | None = None) -> Frame:
        """Put models in a row, each beside the one before it, to see what each change is worth.

        Parameters
        ----------
        models : sequence of str
            Two or more, the simplest first.
        metric : str, optional
            Of which less is better; the main one by default.

        Returns
        -------
        DataFrame
            ``model``; the metric; ``gain``, the share of the error of the row before that is saved, and
            ``gain_in_all``, that of the first row's; ``p_value`` of the Diebold–Mariano test against the row before;
            ``fit_seconds``.

        Raises
        ------
        ConfigError
            For fewer than two models, one named twice, or one that is not on the card.

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.Persistence(h=4), ft.SeasonalNaive(h=4), ft.SeasonalES(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.ablation(["Persistence", "SeasonalNaive", "SeasonalES"], "rmse")["gain"].round(2).tolist()
        [nan, 0.67, -0.06]
        """
        return self.frame(ablation(self, models, metric))

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

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.ensemble(["SeasonalMean", "SeasonalNaive"], name="both").models
        ('SeasonalMean', 'SeasonalNaive', 'both')
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

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> card.conformal("SeasonalNaive", by=[], levels=(80,)).models[-1]
        'SeasonalNaive-conformal'
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

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> models = [ft.SeasonalMean(h=4), ft.SeasonalNaive(h=4)]
        >>> card = ft.backtest(models, data.panel, n_windows=8, step=5, season=24, baselines=False)
        >>> "is the best of the baselines" in card.verdict()
        True
        """
        return verdict(self)

    def save(self, folder: str | PathLike[str], *, page: bool = True) -> None:
        """Write the card to a folder: ``scorecard.parquet`` and ``scorecard.json``; :meth:`load` reads it.

        Parameters
        ----------
        folder : path
        page : bool
            Whether ``report.html`` is written too, one page that shows it all, with the small tables that it is made
            from.
        """
        from foretide.evaluation.cards import file

        file.save(self, folder)
        if page:
            file.write_page(self, folder)

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
        from foretide.evaluation.cards import file

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

    @cached_property
    def trained(self) -> dict[str, Training]:
        """What training added to every network whose closed-form start was scored, least main error first."""
        return training_gains(self, self.main)
