"""A few sentences on whether a model is worth its training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from foretide.evaluation.cards.align import ORACLE
from foretide.evaluation.cards.board import kind_of
from foretide.evaluation.compare.training import CHANCE, LEVEL, p_text, training_gains
from foretide.text import joined, percent

if TYPE_CHECKING:
    from foretide.evaluation.cards.scorecard import Scorecard

MOST = 3
"""Networks of which it is said what training added."""


def verdict(card: Scorecard) -> str:
    """Say whether the best model beats the best baseline, and how far the oracle is; of counts by distribution too.

    Of a network also what training added to the closed form it begins at; of a backtest whether the lead is more than
    chance, on how many series there is one, and which models fall behind.

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
    lacking = _without(card, card.main)
    sentences += [
        _training(card),
        f"{lacking} no {card.main.upper()}: not all forecasts are finite." if lacking else "",
    ]
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
        sentences.append(
            f"Over {pair.n_cutoffs} cutoffs the difference is {chance} (Diebold–Mariano, {p_text(pair.p_value)})."
        )
    skill = card.series_skill[model].dropna()
    if len(skill) > 1:
        won = f"{100 * float((skill > 0).mean()):.0f} %"
        sentences.append(f"{model} beats the best baseline of the series itself on {won} of {len(skill)} series.")
    behind = [name for name in _models(card) if name != model and card.skill(name) <= 0]
    return [*sentences, f"No better than {baseline}: {', '.join(behind)}."] if behind else sentences


def _means(card: Scorecard) -> str:
    model, baseline, metric = card.best_model, card.best_baseline, card.main
    name = metric.upper()
    if model is None and baseline is None:
        return "Nothing was scored."
    if baseline is None:
        assert model is not None
        text = f"{_subject(card, model)} has the least {name}; no baseline was scored beside it."
    elif model is None:
        text = f"{baseline} is the best of the baselines ({name} {card.value(baseline, metric):.4g})."
    else:
        skill, subject = card.skill(model), _subject(card, model)
        if not np.isfinite(skill):
            text = f"The best simple baseline ({baseline}) makes no error; {subject} cannot beat it."
        elif abs(skill) < LEVEL:
            text = (
                f"{subject} does not beat the best simple baseline ({baseline}): their {name} "
                f"{f'differs by less than {percent(LEVEL)}' if skill else 'is equal'}."
            )
        elif skill > 0:
            alone = _start_alone(card, model, baseline, metric)
            text = f"{subject} beats the best simple baseline ({baseline}) by {percent(skill)} in {name}{alone}."
        else:
            behind = f"it is {percent(-skill)} worse in {name}"
            text = f"{subject} does not beat the best simple baseline ({baseline}): {behind}."
    if ORACLE in card.forecasts and card.value(ORACLE, metric) > 0:
        ratio = card.value(model or baseline or "", metric) / card.value(ORACLE, metric)
        whose = f"The {name} of {model}" if "alone" in text else f"Its {name}"
        text += f" {whose} is {ratio:.3g} times the oracle's."
    return text


# ---------------------------------------------------------------- what a network owes to its start
def _subject(card: Scorecard, model: str) -> str:
    """Name a model; of a closed-form start, say of what."""
    networks = [network for network, start in card.starts.items() if start == model]
    begin = "begin" if len(networks) > 1 else "begins"
    return f"{model}, the closed form at which {joined(networks)} {begin}," if networks else model


def _start_alone(card: Scorecard, model: str, baseline: str, metric: str) -> str:
    """Say by how much the start of a network beats a baseline, so that the network is not credited with it."""
    start = card.starts.get(model)
    if start is None or not card.has(metric, start) or not np.isfinite(card.value(start, metric)):
        return ""
    gain = 1 - card.value(start, metric) / card.value(baseline, metric)
    return f"; its closed-form start alone {f'does by {percent(gain)}' if gain >= LEVEL else 'does not'}"


def _training(card: Scorecard) -> str:
    """Say what training added to the networks, at most :data:`MOST` of them."""
    networks = list(card.trained.values())[:MOST]
    changed = [training.words for training in networks if training.changed]
    same = [training.network for training in networks if not training.changed]
    sentences = [f"Training took {joined(changed)}."] if changed else []
    if same:
        sentences.append(f"Training left {joined(same)} at {'its start' if len(same) == 1 else 'their starts'}.")
    return " ".join(sentences)


# ---------------------------------------------------------------- distributions
def _distributions(card: Scorecard) -> str:
    """The same in weighted quantile loss, of the models that have one."""
    metric, lacking = "wql", _without(card, "wql")
    without = f"{lacking} no quantiles for it." if lacking else ""
    model = card.best_of([name for name in card.models if name not in card.baselines], metric)
    baseline = card.best_of(card.baselines, metric)
    if model is None and baseline is None:
        return ""
    if model is None:
        assert baseline is not None
        best = f"{baseline} is best ({card.value(baseline, metric):.4g})"
        return f"In weighted quantile loss {best} of the baselines. {without}" if without else ""
    value, least = card.value(model, metric), card.value(baseline, metric) if baseline else 0.0
    if baseline is not None and least > 0:
        gain = 1 - value / least
        ahead = f"beats {baseline} by {percent(gain)}{_credit(card, model, baseline)}"
        text = f"In weighted quantile loss {model} ({value:.4g}) {ahead if gain >= LEVEL else _behind(baseline, gain)}."
    else:
        text = f"In weighted quantile loss {model} is best ({value:.4g})."
    oracle = card.value(ORACLE, metric) if card.has(metric, ORACLE) else 0.0
    far = f"That is {value / oracle:.3g} times the oracle's." if oracle > 0 else ""
    return " ".join(part for part in (text, far, without) if part)


def _credit(card: Scorecard, model: str, baseline: str) -> str:
    """What of a lead in weighted quantile loss is the start's, and whether the rest is chance."""
    alone, training = _start_alone(card, model, baseline, "wql"), training_gains(card, "wql").get(model)
    if not alone or training is None or not training.changed:
        return alone
    if np.isnan(training.p_value):
        return f"{alone}, and what training added cannot be tested on so few cutoffs"
    chance = "more than chance" if training.p_value < CHANCE else "within chance"
    return f"{alone}, and what training added is {chance} ({p_text(training.p_value)})"


def _behind(baseline: str, gain: float) -> str:
    if gain <= -LEVEL:
        return f"does not beat {baseline}: it is {percent(-gain)} worse"
    return f"differs from {baseline} by less than {percent(LEVEL)}" if gain else f"equals {baseline}"


# ---------------------------------------------------------------- scores that a model does not have
def _models(card: Scorecard) -> Iterable[str]:
    """Models that were asked for: no baselines, no starts."""
    return (name for name in card.models if kind_of(card, name) == "model")


def _without(card: Scorecard, metric: str) -> str:
    """Name the models that have no figure, so that nobody takes them for beaten, and their verb; empty without any."""
    names = [name for name in _models(card) if not np.isfinite(card.value(name, metric))]
    return f"{joined(names)} {'has' if len(names) == 1 else 'have'}" if names else ""
