"""One or two sentences on whether a model is worth its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.evaluation.cards.align import ORACLE
from foretide.text import percent

if TYPE_CHECKING:
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.evaluation.score import Scores


LEVEL = 0.001
"""A share of the error below this is no lead."""
CHANCE = 0.05
"""A p-value below this is called more than chance."""


def verdict(scores: Scores) -> str:
    """Say whether the best model beats the best baseline, and how far the oracle is; of counts by distribution too."""
    said = _means(scores)
    if scores.counts and scores.models:
        said = " ".join(part for part in (said, _distributions(scores)) if part)
    return said


def verdict_on_folds(card: Scorecard) -> str:
    """Say the same of a backtest: whether it is more than chance, on how many series, and which models fall behind."""
    said, distributions = [_means(card)], [_distributions(card)] if card.counts and card.models else []
    model, baseline = card.best_model, card.best_baseline
    if model is None or baseline is None:
        return " ".join(part for part in (*said, *distributions) if part)
    pair = card.pairs[model]
    if pair.test is None:
        said.append(f"{pair.n_cutoffs} cutoffs are too few to test whether that is chance.")
    elif np.isnan(pair.p_value):
        said.append(f"Their difference is the same on all {pair.n_cutoffs} cutoffs.")
    else:
        chance = "more than chance" if pair.p_value < CHANCE else "no more than chance"
        p = "p < 0.001" if pair.p_value < 0.001 else f"p = {pair.p_value:.2g}"
        said.append(f"Over {pair.n_cutoffs} cutoffs the difference is {chance} (Diebold–Mariano, {p}).")
    skill = card.series_skill[model].dropna()
    if len(skill) > 1:
        won = f"{100 * float((skill > 0).mean()):.0f} %"
        said.append(f"{model} beats the best baseline of the series itself on {won} of {len(skill)} series.")
    behind = [name for name in card.models if name not in card.baselines and name != model and card.skill(name) <= 0]
    if behind:
        said.append(f"No better than {baseline}: {', '.join(behind)}.")
    return " ".join(part for part in (*said, *distributions) if part)


def _means(scores: Scores) -> str:
    model, baseline, metric = scores.best_model, scores.best_baseline, scores.main
    name = metric.upper()
    if model is None and baseline is None:
        return "Nothing was scored."
    if baseline is None:
        said = f"{model} has the least {name}; no baseline was scored beside it."
    elif model is None:
        said = f"{baseline} is the best of the baselines ({name} {scores.value(baseline, metric):.4g})."
    else:
        skill = scores.skill(model)
        if not np.isfinite(skill):
            said = f"The best simple baseline ({baseline}) makes no error; {model} cannot beat it."
        elif abs(skill) < LEVEL:
            said = (
                f"{model} does not beat the best simple baseline ({baseline}): their {name} "
                f"{f'differs by less than {percent(LEVEL)}' if skill else 'is equal'}."
            )
        elif skill > 0:
            said = f"{model} beats the best simple baseline ({baseline}) by {percent(skill)} in {name}."
        else:
            behind = f"it is {percent(-skill)} worse in {name}"
            said = f"{model} does not beat the best simple baseline ({baseline}): {behind}."
    if ORACLE in scores.forecasts and scores.value(ORACLE, metric) > 0:
        ratio = scores.value(model or baseline or "", metric) / scores.value(ORACLE, metric)
        said += f" Its {name} is {ratio:.3g} times the oracle's."
    return said


def _distributions(scores: Scores) -> str:
    """The same in weighted quantile loss."""
    known = {name: scores.value(name, "wql") for name in scores.models if scores.has("wql", name)}
    known = {name: value for name, value in known.items() if np.isfinite(value)}
    own = {name: value for name, value in known.items() if name not in scores.baselines}
    others = {name: value for name, value in known.items() if name in scores.baselines}
    model, baseline = min(own, key=own.__getitem__, default=None), min(others, key=others.__getitem__, default=None)
    if model is not None and baseline is not None and known[baseline] > 0:
        gain = 1 - known[model] / known[baseline]
        beats = f"beats {baseline} by {percent(gain)}" if gain >= LEVEL else _behind(baseline, gain)
        said = f"In weighted quantile loss {model} ({known[model]:.4g}) {beats}."
    elif model is not None or baseline is not None:
        best = model or baseline or ""
        said = f"In weighted quantile loss {best} is best ({known[best]:.4g})."
    else:
        return ""
    if scores.has("wql", ORACLE) and scores.value(ORACLE, "wql") > 0:
        said += f" That is {known[model or baseline or ''] / scores.value(ORACLE, 'wql'):.3g} times the oracle's."
    return said


def _behind(baseline: str, gain: float) -> str:
    if gain <= -LEVEL:
        return f"does not beat {baseline}: it is {percent(-gain)} worse"
    return f"differs from {baseline} by less than {percent(LEVEL)}" if gain else f"equals {baseline}"
