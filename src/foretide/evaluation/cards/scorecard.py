"""What a backtest returns: forecasts beside the truth, scores by any grouping, and how all of it was made."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from foretide.errors import ConfigError, nearest
from foretide.evaluation.cards.added import blended, conformal, with_model
from foretide.evaluation.cards.groups import groups_of
from foretide.evaluation.cards.tidy import tidy_frame
from foretide.evaluation.compare.by_fold import fold_summary, loss_by_cutoff, series_skill
from foretide.evaluation.compare.components import variance_components
from foretide.evaluation.compare.pairs import Pair, against_reference, compare_by_series, compare_pair, rank_over_series
from foretide.evaluation.compare.ranking import Ranking
from foretide.evaluation.compare.verdict import verdict_on_folds
from foretide.evaluation.metrics.calibration import PitHistogram, pit_histogram, reliability
from foretide.evaluation.metrics.stock import newsvendor_quantity, stock_decisions
from foretide.evaluation.score import Scores
from foretide.forecasters.artifact import versions
from foretide.forecasters.levels import interval_levels

if TYPE_CHECKING:
    from os import PathLike

    from foretide.evaluation.rolling.folds import Plan


SHOWN = (
    "model", "kind", "rmse", "mse", "mae", "mase", "wql", "coverage_80", "skill_vs_best_baseline", "series_won",
    "p_vs_best_baseline", "worst_fold", "fit_seconds",
)  # fmt: skip
"""Columns of the leaderboard that a notebook shows."""


@dataclass(frozen=True)
class ModelRun:
    """How one model of a backtest was made.

    Attributes
    ----------
    name, kind : str
        Its name, and the name of its class.
    baseline, asked : bool
        Whether skill is measured against it; whether it was named, or ran unasked.
    settings : dict
    seed : int or None
    n_fits : int
    fit_seconds, predict_seconds : float
        Sums over all fits.
    peak_mib : float
        Most memory above that of the process before, over all fits, in MiB.
    """

    name: str
    kind: str
    baseline: bool
    asked: bool
    settings: dict[str, Any]
    seed: int | None
    n_fits: int
    fit_seconds: float
    predict_seconds: float
    peak_mib: float


@dataclass(frozen=True, eq=False)
class Scorecard(Scores):
    """Scores of a backtest; all of :class:`foretide.evaluation.score.Scores`, by fold too, with tests and provenance.

    Attributes
    ----------
    plan : Plan
        The folds.
    runs : tuple of ModelRun
    about : dict
        Versions, threads and machine.
    """

    plan: Plan = field(kw_only=True)
    runs: tuple[ModelRun, ...] = field(kw_only=True, default=())
    about: dict[str, Any] = field(kw_only=True, default_factory=dict)

    @classmethod
    def of(cls, scores: Scores, plan: Plan, runs: tuple[ModelRun, ...], notes: Sequence[str] = ()) -> Self:
        """Return the scores with folds and provenance."""
        known = {f.name: getattr(scores, f.name) for f in fields(Scores) if not f.name.startswith("_")}
        known["notes"] = (*notes, *scores.notes)
        return cls(**known, plan=plan, runs=runs, about=_about())

    def run_of(self, model: str) -> ModelRun | None:
        """Return how a model was made; None for one that was made from others' forecasts."""
        return next((run for run in self.runs if run.name == model), None)

    # ---------------------------------------------------------------- tables
    def leaderboard(self) -> Any:
        """Return one row per model, least main error first.

        As :meth:`Scores.leaderboard`, and: ``series_won``, the share of series on which the model beats that series'
        best baseline; ``median_series_skill``; ``fold_sd``, ``p95_fold`` and ``worst_fold`` of the main error by fold;
        ``p_vs_best_baseline`` of the Diebold–Mariano test; ``fits``, ``fit_seconds``, ``predict_seconds``,
        ``peak_mib``.
        """
        board = self.pandas(super().leaderboard())
        skill, folds = self.series_skill, fold_summary(self, self.main).set_index("model")
        if self.baselines:
            board["series_won"] = [(skill[m].dropna() > 0).mean() for m in board["model"]]
            board["median_series_skill"] = [skill[m].median() for m in board["model"]]
            board["p_vs_best_baseline"] = [self.pairs[m].p_value if m in self.pairs else np.nan for m in board["model"]]
        for name, column in (("fold_sd", "sd"), ("p95_fold", "p95"), ("worst_fold", "worst")):
            board[name] = folds[column].reindex(board["model"]).to_numpy()
        for name, column in (("fits", "n_fits"), *((c, c) for c in ("fit_seconds", "predict_seconds", "peak_mib"))):
            board[name] = [getattr(self.run_of(m), column, np.nan) for m in board["model"]]
        return self._frame(board)

    def folds(self, metric: str | None = None) -> Any:
        """Return one row per fold (``cutoff``) and one column per model."""
        return self.scores(metric, by="cutoff")

    def fold_summary(self, metric: str | None = None) -> Any:
        """Return per model the mean, spread, best, 95th percentile and worst of its figures by fold."""
        return self._frame(fold_summary(self, metric or self.main))

    def skill_by_series(self, metric: str | None = None) -> Any:
        """Return each model's skill on each series against the best baseline of that very series."""
        return self._frame(series_skill(self, metric or self.main))

    # ---------------------------------------------------------------- more than chance
    def compare(
        self, a: str, b: str, metric: str | None = None, *, by: str | None = None, level: float = 95,
        variance: str = "cosine",
    ) -> Any:  # fmt: skip
        """Say whether two models' losses differ by more than chance.

        Over all series: a :class:`foretide.evaluation.compare.pairs.Pair` with the Diebold–Mariano test and a bootstrap
        interval, on the mean losses by cutoff; ``print`` it for a sentence. With ``by="series"`` a frame with a test
        for each series and p-values corrected for their number (Holm). ``variance="acf"`` is the classical test with
        the correction of Harvey, Leybourne and Newbold (1997); the default holds its level on few cutoffs too.
        """
        for name in (a, b):
            if name not in self.forecasts:
                raise ConfigError(f"No model {name!r} was scored. {nearest(name, self.forecasts)}")
        if by is None:
            return compare_pair(self, a, b, metric, level=level, variance=variance)
        if by != "series":
            raise ConfigError(f"by is None (all series together) or 'series', got {by!r}.")
        return self._frame(compare_by_series(self, a, b, metric, alpha=1 - level / 100, variance=variance))

    def ranks(self, metric: str | None = None, *, alpha: float = 0.05) -> Ranking:
        """Rank the models over series: mean ranks, Friedman test, critical difference (Demšar 2006)."""
        return rank_over_series(self, metric, alpha=alpha)

    def variance(self, models: Sequence[str], metric: str | None = None) -> Any:
        """Split the variance of a model's loss into seed, fold, series and the rest.

        Parameters
        ----------
        models : sequence of str
            The same model with several seeds.
        metric : str, optional
            A loss; the main one by default.
        """
        losses = np.stack([loss_by_cutoff(self, m, metric or self.main, per_series=True) for m in models])
        whole = ~np.isnan(losses).any(axis=(0, 1))
        return self._frame(variance_components(losses[:, :, whole]))

    # ---------------------------------------------------------------- calibration
    def reliability(self, model: str, by: str | Sequence[str] = ()) -> Any:
        """Return for each quantile level how many truths lie below, and at or below, its forecast."""
        distribution, groups = self._distribution(model), groups_of(self, by) if len(by) else None
        table = reliability(
            self.distributions.truth,
            distribution.values,
            distribution.levels,
            groups=None if groups is None else groups.codes,
        )
        if groups is not None:
            keys = groups.keys.iloc[table.pop("group").to_numpy()].reset_index(drop=True)
            table = pd.concat([keys, table.reset_index(drop=True)], axis=1)
        return self._frame(table)

    def pit_histogram(self, model: str, bins: int | None = 10) -> PitHistogram:
        """Return how many truths fall between neighbouring quantiles, beside how many should."""
        distribution = self._distribution(model)
        return pit_histogram(self.distributions.truth, distribution.values, distribution.levels, bins=bins)

    # ---------------------------------------------------------------- made from the forecasts
    def ensemble(
        self, models: Sequence[str], how: Literal["mean", "median", "weights"] = "mean", *, name: str | None = None
    ) -> Scorecard:
        """Return the card with a blend of models beside them.

        ``"weights"``: shares that are not negative and sum to one, for each cutoff those with the least squared error
        over the targets known by then; so no fold's weights have seen its truth.
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
            Quantiles of all errors known by a cutoff; or with levels that move with the misses seen so far.
        by : sequence of str
            Errors are pooled within these groupings, as in :meth:`scores`.
        levels : sequence of float
            Central levels in percent.
        window : int, optional
            Only the errors of the last so many cutoffs count.
        rate : float
            How fast levels move (adaptive).
        """
        levels = interval_levels(levels)
        distribution, note = conformal(self, model, method, by=by, levels=levels, window=window, rate=rate)
        card = with_model(self, name or f"{model}-conformal", self.forecasts[model], distribution, levels)
        return replace(card, notes=(*card.notes, note)) if note else card

    def stock(self, shortage_cost: float = 9.0, holding_cost: float = 1.0, by: str | Sequence[str] = ()) -> Any:
        """Return what the newsvendor's quantity from each model's quantiles would have done.

        The stock of each step is the quantile at ``shortage_cost / (shortage_cost + holding_cost)``. Columns:
        ``model``, the groups, ``service_level``, ``stock_out_days``, ``fill_rate``, ``holding``, ``shortage``,
        ``cost``, ``n``.
        """
        groups = groups_of(self, by) if len(by) else None
        parts = []
        for model, distribution in self.distributions.quantiles.items():
            stock = newsvendor_quantity(
                distribution.values, distribution.levels, shortage_cost, holding_cost, counts=self.counts
            )
            codes, n = (None, None) if groups is None else (groups.codes, len(groups))
            table = pd.DataFrame(
                stock_decisions(self.distributions.truth, stock, shortage_cost, holding_cost, groups=codes, n_groups=n)
            )
            keys = [] if groups is None else [groups.keys.reset_index(drop=True)]
            parts.append(pd.concat([*keys, table.reset_index(drop=True)], axis=1).assign(model=model))
        if not parts:
            raise ConfigError("No model has quantiles to take a stock from. Backtest one with quantiles=(0.1, …, 0.9).")
        whole = pd.concat(parts, ignore_index=True)
        return self._frame(whole[["model", *(c for c in whole.columns if c != "model")]])

    # ---------------------------------------------------------------- words
    def verdict(self) -> str:
        """Say whether the models beat the best simple baseline, on how many series, and whether by more than chance."""
        return verdict_on_folds(self)

    # ---------------------------------------------------------------- frames and files
    def to_frame(self, *, levels: Sequence[float] | None = None, all_points: bool = False) -> Any:
        """Return a tidy frame: id, time, ``cutoff``, ``h_step``, ``y``, ``<Model>``, ``<Model>-lo-80`` ….

        Parameters
        ----------
        levels : sequence of float, optional
            Central levels whose bounds are columns; those reported by default.
        all_points : bool
            With the points that do not count; their ``y`` is missing.
        """
        levels = None if levels is None else interval_levels(levels)
        return self._frame(tidy_frame(self, levels=levels, all_points=all_points))

    def figures(self) -> Any:
        """Return all figures in a long frame, as :meth:`Scores.to_frame`."""
        return super().to_frame()

    def save(self, folder: str | PathLike[str]) -> None:
        """Write the card to a folder: ``scorecard.parquet`` and ``scorecard.json``; :meth:`load` reads it."""
        from foretide.evaluation.cards.file import save

        save(self, folder)

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Scorecard:
        """Read a card that :meth:`save` wrote; its panel knows names and times, not values."""
        from foretide.evaluation.cards.file import load

        return load(folder)

    def __repr__(self) -> str:
        return f"Scorecard({len(self.models)} models, {len(self.plan.folds)} folds; {self.verdict()})"

    def _repr_html_(self) -> str:
        from html import escape

        board = self.pandas(self.leaderboard())
        shown = [c for c in SHOWN if c in board.columns and board[c].notna().any()]
        table = board[shown].to_html(index=False, float_format=lambda x: f"{x:.4g}", na_rep="", border=0)
        return f"<div><p><b>{escape(self.verdict())}</b></p>{table}</div>"

    # ---------------------------------------------------------------- inside
    @cached_property
    def series_skill(self) -> pd.DataFrame:
        """As :meth:`skill_by_series` in the main error, in pandas."""
        return series_skill(self, self.main)

    @cached_property
    def pairs(self) -> dict[str, Pair]:
        """Every model compared with the best baseline; empty without one."""
        best = self.best_baseline
        return {} if best is None else against_reference(self, best)

    def _distribution(self, model: str) -> Any:
        if model not in self.distributions.quantiles:
            raise ConfigError(f"{model} has no quantiles. {nearest(model, self.distributions.quantiles)}")
        return self.distributions.quantiles[model]

    @staticmethod
    def pandas(table: Any) -> pd.DataFrame:
        """Return a table in pandas, whatever kind the panel was made from."""
        return table if isinstance(table, pd.DataFrame) else table.to_pandas()


def _about() -> dict[str, Any]:
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
    }
