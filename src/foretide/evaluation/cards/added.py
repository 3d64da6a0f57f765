"""Models made from the forecasts of a scorecard: blends and conformal intervals, learned on past folds only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from foretide.errors import ConfigError, nearest
from foretide.evaluation.cards.blend import blend_by_fold, blend_quantiles_by_fold
from foretide.evaluation.cards.groups import groups_of
from foretide.evaluation.metrics.quantiles import DECILES, Quantiles, bounds_of
from foretide.forecasters.wrappers.conformal_quantiles import rolling_conformal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.evaluation.score import Scores

    Floats = NDArray[np.float64]


def with_model(
    card: Scorecard, name: str, mean: Floats, distribution: Quantiles | None, levels: Sequence[float] = ()
) -> Scorecard:
    """Return a card with one model more; points it has no forecast for count for no model."""
    if name in card.forecasts:
        raise ConfigError(f"A model is called {name!r} already. Give the new one another name: name='other-name'.")
    notes, truth, distribution_truth = list(card.notes), card.truth, card.distributions.truth
    empty = np.isnan(mean) & ~np.isnan(truth)
    if empty.any():
        notes.append(f"{int(empty.sum())} of {int((~np.isnan(truth)).sum())} points left out: {name} has no forecast.")
        truth = np.where(empty, np.nan, truth)
        distribution_truth = np.where(empty, np.nan, distribution_truth)
    quantiles = dict(card.distributions.quantiles)
    if distribution is not None:
        hollow = np.isnan(distribution.values).any(axis=-1) & ~np.isnan(distribution_truth)
        if hollow.any():
            whole = int((~np.isnan(distribution_truth)).sum())
            notes.append(
                f"{int(hollow.sum())} of {whole} points left out of the measures of distributions: "
                f"{name} has no quantiles."
            )
            distribution_truth = np.where(hollow, np.nan, distribution_truth)
        quantiles[name] = distribution
    known = tuple(sorted({*card.distributions.levels, *levels}))
    distributions = replace(card.distributions, truth=distribution_truth, quantiles=quantiles, levels=known)
    return replace(
        card, forecasts={**card.forecasts, name: mean}, truth=truth, distributions=distributions, notes=tuple(notes),
        _errors={},
    )  # fmt: skip


def blended(
    scores: Scores, models: Sequence[str], how: Literal["mean", "median", "weights"]
) -> tuple[Floats, Quantiles | None]:
    """Return mean and distribution of a blend; the distribution where all members hold the same quantiles."""
    if isinstance(models, str) or len(models) < 2:
        raise ConfigError(f"A blend needs at least two models, got {models!r}.")
    for name in models:
        if name not in scores.forecasts:
            raise ConfigError(f"No model {name!r} was scored. {nearest(name, scores.forecasts)}")
    means = np.stack([scores.forecasts[name] for name in models])
    mean, weights = blend_by_fold(means, scores.truth, scores.windows.steps(scores.panel), _unit(scores), how=how)
    distributions = [scores.distributions.quantiles.get(name) for name in models]
    held = [distribution for distribution in distributions if distribution is not None]
    if len(held) < len(models) or len({distribution.levels for distribution in held}) > 1:
        return mean, None
    values = blend_quantiles_by_fold(
        np.stack([np.asarray(distribution.values, dtype=np.float64) for distribution in held]),
        how if weights is None else weights,
    )
    return mean, Quantiles(held[0].levels, values)


def conformal(
    scores: Scores, model: str, method: Literal["split", "adaptive"], *, by: Sequence[str], levels: Sequence[float],
    window: int | None, rate: float,
) -> tuple[Quantiles, str]:  # fmt: skip
    """Return a model's conformal quantiles, and a note on what they are worth."""
    if model not in scores.forecasts:
        raise ConfigError(f"No model {model!r} was scored. {nearest(model, scores.forecasts)}")
    wanted = tuple(sorted({0.5, *DECILES, *(q for level in levels for q in bounds_of(level))}))
    distribution, mean = scores.distributions.quantiles.get(model), scores.forecasts[model]
    own = (
        distribution.at(wanted)
        if distribution is not None and distribution.holds(wanted)
        else np.repeat(mean[..., None], len(wanted), axis=-1)
    )
    groups: Any = groups_of(scores, tuple(by)).codes if len(by) else np.zeros((), dtype=np.int64)
    values = rolling_conformal(
        scores.truth, own, wanted, scores.windows.steps(scores.panel), groups, _unit(scores), method=method,
        counts=scores.counts, window=window, rate=rate,
    )  # fmt: skip
    around = "quantiles" if distribution is not None and distribution.holds(wanted) else "mean"
    return Quantiles(wanted, values), f"{model}-conformal: {method} conformal around its {around}, from past folds only"


def _unit(scores: Scores) -> Floats:
    """Return each window's scale ``[N, 1, D]``: the seasonal naive's mean absolute error in training, else one."""
    scale = scores.scale.mae[scores.windows.entity][:, None, :]
    middle = np.nanmedian(scores.scale.mae) if np.isfinite(scores.scale.mae).any() else 1.0
    return np.where(scale > 0, scale, middle)
