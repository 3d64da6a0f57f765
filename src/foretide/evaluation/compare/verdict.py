"""One or two sentences on whether a model is worth its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.evaluation.cards.align import ORACLE
from foretide.text import percent

if TYPE_CHECKING:
    from foretide.evaluation.cards.scorecard import Scorecard

LEVEL = 0.001
"""A share of the error below this is no lead."""
CHANCE = 0.05
"""A p-value below this is called more than chance."""


def verdict(card: Scorecard) -> str:
    """Say whether the best model beats the best baseline, and how far the oracle is; of counts by distribution too.

    Of a backtest also whether that is more than chance, on how many series, and which models fall behind.

    Parameters
    ----------
    card : Scorecard

    Returns
    -------
    str
        Sentences.
    """
    sentences = [_means(card)]
    folds = card.plan is not None and card.plan.split is None
    if folds and card.best_model is not None and card.best_baseline is not None:
        sentences += _chance(card, card.best_model, card.best_baseline)
    if card.counts and card.models:
        sentences.append(_distributions(card))
    return " ".join(sentence for sentence in sentences if sentence)


def _chance(card: Scorecard, model: str, baseline: str) -> list[str]:
    pair, sentences = card.pairs[model], []
    if pair.test is None:
        sentences.append(f"{pair.n_cutoffs} cutoffs are too few to test whether that is chance.")
    elif np.isnan(pair.p_value):
        sentences.append(f"Their difference is the same on all {pair.n_cutoffs} cutoffs.")
    else:
        chance = "more than chance" if pair.p_value < CHANCE else "no more than chance"
        p = "p < 0.001" if pair.p_value < 0.001 else f"p = {pair.p_value:.2g}"
        sentences.append(f"Over {pair.n_cutoffs} cutoffs the difference is {chance} (Diebold–Mariano, {p}).")
    skill = card.series_skill[model].dropna()
    if len(skill) > 1:
        won = f"{100 * float((skill > 0).mean()):.0f} %"
        sentences.append(f"{model} beats the best baseline of the series itself on {won} of {len(skill)} series.")
    behind = [name for name in card.models if name not in card.baselines and name != model and card.skill(name) <= 0]
    return [*sentences, f"No better than {baseline}: {', '.join(behind)}."] if behind else sentences


def _means(card: Scorecard) -> str:
    model, baseline, metric = card.best_model, card.best_baseline, card.main
    name = metric.upper()
    if model is None and baseline is None:
        return "Nothing was scored."
    if baseline is None:
        text = f"{model} has the least {name}; no baseline was scored beside it."
    elif model is None:
        text = f"{baseline} is the best of the baselines ({name} {card.value(baseline, metric):.4g})."
    else:
        skill = card.skill(model)
        if not np.isfinite(skill):
            text = f"The best simple baseline ({baseline}) makes no error; {model} cannot beat it."
        elif abs(skill) < LEVEL:
            text = (
                f"{model} does not beat the best simple baseline ({baseline}): their {name} "
                f"{f'differs by less than {percent(LEVEL)}' if skill else 'is equal'}."
            )
        elif skill > 0:
            text = f"{model} beats the best simple baseline ({baseline}) by {percent(skill)} in {name}."
        else:
            behind = f"it is {percent(-skill)} worse in {name}"
            text = f"{model} does not beat the best simple baseline ({baseline}): {behind}."
    if ORACLE in card.forecasts and card.value(ORACLE, metric) > 0:
        ratio = card.value(model or baseline or "", metric) / card.value(ORACLE, metric)
        text += f" Its {name} is {ratio:.3g} times the oracle's."
    return text


def _distributions(card: Scorecard) -> str:
    """The same in weighted quantile loss."""
    model = card.best_of([name for name in card.models if name not in card.baselines], "wql")
    baseline = card.best_of(card.baselines, "wql")
    best = model or baseline
    if best is None:
        return ""
    value, least = card.value(best, "wql"), card.value(baseline, "wql") if baseline else 0.0
    if model is not None and least > 0:
        gain = 1 - value / least
        beats = f"beats {baseline} by {percent(gain)}" if gain >= LEVEL else _behind(str(baseline), gain)
        text = f"In weighted quantile loss {model} ({value:.4g}) {beats}."
    else:
        text = f"In weighted quantile loss {best} is best ({value:.4g})."
    oracle = card.value(ORACLE, "wql") if card.has("wql", ORACLE) else 0.0
    return f"{text} That is {value / oracle:.3g} times the oracle's." if oracle > 0 else text


def _behind(baseline: str, gain: float) -> str:
    if gain <= -LEVEL:
        return f"does not beat {baseline}: it is {percent(-gain)} worse"
    return f"differs from {baseline} by less than {percent(LEVEL)}" if gain else f"equals {baseline}"
