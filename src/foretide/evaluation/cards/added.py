"""Models made from the forecasts of a scorecard: blends and conformal intervals, learned on past folds only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from foretide.errors import ConfigError
from foretide.evaluation.cards.blend import blend_by_fold
from foretide.evaluation.cards.groups import groups_of
from foretide.evaluation.metrics.quantiles import DECILES, Quantiles
from foretide.forecasters.levels import bounds_of
from foretide.forecasters.wrappers.conformal_quantiles import rolling_conformal
from foretide.forecasters.wrappers.ensemble import blend_quantiles

if TYPE_CHECKING:
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.typing import Bools, Floats


def with_model(
    card: Scorecard, name: str, mean: Floats, quantiles: Quantiles | None, levels: Sequence[float] = ()
) -> Scorecard:
    """Return a card with one model more; points it has no forecast for count for no model.

    Parameters
    ----------
    card : Scorecard
    name : str
        Of the new model.
    mean : float array ``[N, H, D]``
    quantiles : Quantiles, optional
        Values ``[N, H, D, Q]``.
    levels : sequence of float
        Central levels in percent that are reported beside those of the card.

    Returns
    -------
    Scorecard

    Raises
    ------
    ConfigError
        For a name that is taken.
    """
    if name in card.forecasts:
        raise ConfigError(f"A model is called {name!r} already. Give the new one another name: name='other-name'.")
    own, notes = card.distributions, list(card.notes)
    truth, notes = _without(card.truth, np.asarray(np.isnan(mean)), notes, f"points left out: {name} has no forecast.")
    judged = np.where(np.isnan(mean), np.nan, own.truth)
    if quantiles is not None:
        why = f"points left out of the measures of distributions: {name} has no quantiles."
        judged, notes = _without(judged, np.asarray(np.isnan(quantiles.values).any(axis=-1)), notes, why)
        own = replace(own, quantiles={**own.quantiles, name: quantiles})
    distributions = replace(own, truth=judged, levels=tuple(sorted({*own.levels, *levels})))
    forecasts = {**card.forecasts, name: mean}
    return replace(card, forecasts=forecasts, truth=truth, distributions=distributions, notes=tuple(notes))


def _without(truth: Floats, empty: Bools, notes: list[str], text: str) -> tuple[Floats, list[str]]:
    """Return the truth without the points that are empty, and the notes with one on their number."""
    lost = empty & ~np.isnan(truth)
    if not lost.any():
        return truth, notes
    note = f"{int(lost.sum())} of {int((~np.isnan(truth)).sum())} {text}"
    return np.where(lost, np.nan, truth), [*notes, note]


def blended(
    card: Scorecard, models: Sequence[str], how: Literal["mean", "median", "weights"]
) -> tuple[Floats, Quantiles | None]:
    """Blend models of a card.

    Parameters
    ----------
    card : Scorecard
    models : sequence of str
        Two or more.
    how : {"mean", "median", "weights"}

    Returns
    -------
    mean : float array ``[N, H, D]``
    quantiles : Quantiles or None
        Where all members hold the same levels.

    Raises
    ------
    ConfigError
        For fewer than two models, or one that was not scored.
    """
    if isinstance(models, str) or len(models) < 2:
        raise ConfigError(f"A blend needs at least two models, got {models!r}.")
    card.known(*models)
    means = np.stack([card.forecasts[name] for name in models])
    mean, weights = blend_by_fold(means, card.truth, card.windows.steps(card.panel), _unit(card), how=how)
    members = [card.distributions.quantiles[name] for name in models if name in card.distributions.quantiles]
    if len(members) < len(models) or len({member.levels for member in members}) > 1:
        return mean, None
    values = np.stack([np.asarray(member.values, dtype=np.float64) for member in members])
    return mean, Quantiles(members[0].levels, blend_quantiles(values, weights))


def conformal(
    card: Scorecard, model: str, method: Literal["split", "adaptive"], *, by: Sequence[str], levels: Sequence[float],
    window: int | None, rate: float,
) -> tuple[Quantiles, str]:  # fmt: skip
    """Work out conformal quantiles around a model of a card.

    Parameters
    ----------
    card : Scorecard
    model, method, by, levels, window, rate
        As in :meth:`Scorecard.conformal`.

    Returns
    -------
    quantiles : Quantiles
        Values ``[N, H, D, Q]``; NaN before enough errors are known.
    note : str
        What they were put around.
    """
    card.known(model)
    wanted = tuple(sorted({0.5, *DECILES, *(q for level in levels for q in bounds_of(level))}))
    own, mean = card.distributions.quantiles.get(model), card.forecasts[model]
    if own is not None and own.holds(wanted):
        around, values = "quantiles", own.at(wanted)
    else:
        around, values = "mean", np.repeat(mean[..., None], len(wanted), axis=-1)
    values = rolling_conformal(
        card.truth, values, wanted, card.windows.steps(card.panel), groups_of(card, tuple(by)).codes, _unit(card),
        method=method, counts=card.counts, window=window, rate=rate,
    )  # fmt: skip
    return Quantiles(wanted, values), f"{model}-conformal: {method} conformal around its {around}, from past folds only"


def _unit(card: Scorecard) -> Floats:
    """Return each window's scale ``[N, 1, D]``: the seasonal naive's mean absolute error in training, else one."""
    scale = card.scale.mae[card.windows.entity][:, None, :]
    middle = np.nanmedian(card.scale.mae) if np.isfinite(card.scale.mae).any() else 1.0
    return np.where(scale > 0, scale, middle)
