"""What the page of a run or a backtest is made from: plain tables and arrays, whatever folder they were read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from foretide.evaluation.cards.look import Look

if TYPE_CHECKING:
    import pandas as pd

    from foretide.typing import Json, Reals


@dataclass(frozen=True)
class AttentionWeights:
    """The kept attention of one model.

    Attributes
    ----------
    weights : float array ``[N, M, H, L]``
        Of windows, heads, horizon steps (1 first) and lags (oldest first).
    windows : sequence of str
        What to call each window among those of its series, ``[N]``; its cutoff.
    series : sequence of str
        The series each window is from, ``[N]``.
    about : str
        Which windows these are, in words.
    """

    weights: Reals
    windows: Sequence[str]
    series: Sequence[str]
    about: str = "of the test part"


@dataclass(frozen=True, eq=False)
class Future:
    """What comes next: one model's forecast from the end of the table.

    Attributes
    ----------
    model : str
    table : DataFrame
        ``series, time, mean, lo-80, hi-80 …``, a row per series and step ahead.
    history : DataFrame
        ``series, time, y``: the steps before.
    levels : sequence of float
        Central levels, in percent, that ``table`` has bounds of.
    download : DataFrame, optional
        The numbers for people, in the table's own columns.
    fitted_until : str
        The last step that the model was fitted on, where it is not the end of the table.
    notes : sequence of str
        What there is to know of the forecast.
    """

    model: str
    table: pd.DataFrame
    history: pd.DataFrame
    levels: Sequence[float] = ()
    download: pd.DataFrame | None = None
    fitted_until: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Explained:
    """What ``foretide explain`` found about one side of a model.

    Attributes
    ----------
    model : str
    subject : str
        ``Attention``, ``Latent state`` or ``Inputs``.
    sentences : sequence of str
    tables : mapping
        Name -> table: what the sentences were made from.
    short : sequence of str
        Those that say most; the first ones where it is not known which.
    """

    model: str
    subject: str
    sentences: Sequence[str]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    short: Sequence[str] = ()

    @property
    def brief(self) -> Sequence[str]:
        """At most two sentences."""
        return (self.short or self.sentences)[:2]


@dataclass(frozen=True, eq=False)
class Content(Look):
    """What a folder of a run, a backtest or a forecast holds, as far as the page shows it; the rest is left out of it.

    Attributes
    ----------
    name : str
    facts : mapping
        ``run.json``.
    leaderboard : DataFrame
        ``model, kind`` and one column per metric, best first; no rows where nothing was scored.
    future : Future, optional
        What comes next.
    by_step, by_series : DataFrame, optional
        First column the step or the series, then the main error of each model.
    skill : DataFrame, optional
        First column the series, then the skill of each model against that series' best baseline.
    forecasts : DataFrame, optional
        Id, time, ``cutoff``, ``h_step``, ``y``, one column per model, ``<Model>-lo-80``, ``<Model>-hi-80`` ….
    levels : mapping
        Model -> central levels, in percent, that ``forecasts`` has bounds of.
    before : DataFrame, optional
        Id, time, ``y`` of the steps up to the first cutoff.
    typical : mapping
        Of counts: density (``dense, sparse, ultra``) -> the series that stands for it.
    buckets : DataFrame, optional
        Of counts: ``model, bucket, n_series`` and one column per metric.
    folds, fold_summary : DataFrame, optional
        ``cutoff``, then the main error of each model; per model its mean, spread and worst over folds.
    comparisons, ranks : DataFrame, optional
        Each model against the best baseline; mean ranks over series.
    ablations : DataFrame, optional
        ``ablation`` (a title), ``model``, the main error, ``gain, gain_in_all, p_value, fit_seconds``.
    reliability : DataFrame, optional
        ``model, level, below, at_or_below``.
    pit : DataFrame, optional
        ``model, low, high, observed, nominal``: shares of truths between neighbouring quantiles.
    coverage : mapping
        Level in percent -> table of ``h_step`` and the coverage of each model, as a share.
    attention : mapping
        Model -> weights.
    explained : sequence of Explained
        What ``foretide explain`` found.
    history : DataFrame, optional
        ``model, epoch, train_loss, val_loss`` and ``stage`` where there are stages.
    routed : mapping
        Model -> which target has which head.
    choices : mapping
        Model -> ``series, setting, value, weight, own``: what each series got.
    interventions : mapping
        Model -> reason -> how many values of its forecasts were changed.
    audit_columns, audit_series : DataFrame, optional
        What is in the data; see :mod:`foretide.data.audit`.
    settings : str
        The configuration as YAML.
    status : str
        Empty for a finished run, else what is to be known.
    """

    name: str
    facts: Json
    leaderboard: pd.DataFrame
    future: Future | None = None
    by_step: pd.DataFrame | None = None
    by_series: pd.DataFrame | None = None
    skill: pd.DataFrame | None = None
    forecasts: pd.DataFrame | None = None
    levels: Mapping[str, Sequence[float]] = field(default_factory=dict)
    before: pd.DataFrame | None = None
    typical: Mapping[str, str] = field(default_factory=dict)
    buckets: pd.DataFrame | None = None
    folds: pd.DataFrame | None = None
    fold_summary: pd.DataFrame | None = None
    comparisons: pd.DataFrame | None = None
    ranks: pd.DataFrame | None = None
    ablations: pd.DataFrame | None = None
    reliability: pd.DataFrame | None = None
    pit: pd.DataFrame | None = None
    coverage: Mapping[float, pd.DataFrame] = field(default_factory=dict)
    attention: Mapping[str, AttentionWeights] = field(default_factory=dict)
    explained: Sequence[Explained] = ()
    history: pd.DataFrame | None = None
    routed: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    choices: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    interventions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    audit_columns: pd.DataFrame | None = None
    audit_series: pd.DataFrame | None = None
    settings: str = ""
    status: str = ""

    @property
    def backtest(self) -> bool:
        """Whether it was judged in folds, not on the test part of a split."""
        return "folds" in self.facts and "parts" not in self.facts

    @property
    def counts(self) -> bool:
        """Whether every target is a count."""
        return bool(self.facts["counts"])

    @property
    def freq(self) -> str | int:
        """Step of the grid."""
        freq: str | int = self.facts["data"]["freq"]
        return freq

    @property
    def winner(self) -> str:
        """The model that looks ahead, else that with the least main error; "" where nothing was scored."""
        ahead = self.future.model if self.future is not None else ""
        return ahead if ahead in self.ranked else next(iter(self.ranked), "")
