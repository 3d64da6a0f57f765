"""Several forecasts against the same truth: a leaderboard, and whether a model is worth its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.counts import count_like
from foretide.data.reading.accept import as_panel
from foretide.data.time.seasons import main_season
from foretide.evaluation.cards.align import (
    baseline_names,
    countable,
    first_cutoffs,
    named_forecasts,
    nonzero_rates,
    scale_notes,
    shared_distributions,
    shared_windows,
)
from foretide.evaluation.cards.runs import ModelRun, surroundings
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.evaluation.metrics.scale import training_scale

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.evaluation.rolling.plan import Plan
    from foretide.forecasters.forecast import Forecast
    from foretide.typing import Frame, Reals, Time


def score(
    forecasts: Sequence[Forecast], panel: Panel | Frame | None = None, *, train_until: Time | None = None,
    train: Panel | None = None, season: int | None = None, oracle: Forecast | Reals | None = None,
    baselines: Sequence[str] | None = None, starts: Mapping[str, str] | None = None, plan: Plan | None = None,
    runs: Sequence[ModelRun] = (), notes: Sequence[str] = (),
) -> Scorecard:  # fmt: skip
    """Score forecasts of several models against the truth.

    Windows that not every model forecast are left out, and counted in ``Scorecard.notes``; so are points without an
    observed truth or with a NaN forecast. Metrics of distributions use the points where every distribution is whole.

    Parameters
    ----------
    forecasts : sequence of Forecast, one per model, of the same series and horizon
    panel : Panel, pandas or polars data frame, optional
        Holds the truth; that of the first forecast by default, as which a frame is read.
    train_until, train : time, Panel, optional
        Last training step, or the training part itself, for the scale of MASE, RMSSE and MAPE and for density buckets;
        by default all of a series up to its first cutoff that is scored.
    season : int, optional
        Season of the MASE and RMSSE scale; found on the training part by default.
    oracle : Forecast or float array ``[N, H, D]``, optional
        The best forecast possible; an array goes with the windows of the first forecast.
    baselines : sequence of str, optional
        Models that skill is measured against; by default those with :attr:`foretide.Forecast.baseline`.
    starts, plan, runs, notes : mapping, Plan, sequence of ModelRun, sequence of str, optional
        Network -> the model that is its closed-form start; folds; how models were made; what to say before other notes.

    Returns
    -------
    Scorecard

    Raises
    ------
    ConfigError, DataError
        For forecasts that cannot be compared; when no window is shared, or no point is left.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=200, n_series=1, seed=1).panel
    >>> ft.score([ft.SeasonalNaive(h=4, season=24).fit(panel).predict(panel, panel.grid.output_times([150]))]).models
    ('SeasonalNaive',)
    """
    named = named_forecasts(forecasts, oracle)
    like = next(iter(named.values())).panel
    panel = like if panel is None else as_panel(panel, like)
    windows, places, of_windows = shared_windows(named, panel)
    if train is None:
        train = panel.head(first_cutoffs(panel, windows) + 1) if train_until is None else panel.until(train_until)
    means = {name: np.asarray(f.mean, dtype=np.float64)[places[name]] for name, f in named.items()}
    truth, of_points = countable(panel, windows, means)
    distributions, of_quantiles = shared_distributions(named, places, truth)
    scale = training_scale(panel, train, main_season(train, season))
    own = [*of_windows, *of_points, *of_quantiles, *scale_notes(scale, panel, truth, windows)]
    return Scorecard(
        panel, windows, truth, means, baseline_names(baselines, named), scale, (*notes, *own), distributions,
        nonzero_rates(panel, train), bool(count_like(train).all()), {n: f.unused for n, f in named.items() if f.unused},
        dict(starts or {}), plan=plan, runs=tuple(runs), about=surroundings() if runs else {},
    )  # fmt: skip
