"""Sentences about attention, made from its figures; every threshold stands here and in the sentence it decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.explain.weights.profiles import mass_by_distance, n_recent
from foretide.text import joined, unit_of
from foretide.typing import Ints

if TYPE_CHECKING:
    from foretide.explain.weights.faithfulness import Faithfulness
    from foretide.explain.weights.figures import AttentionFigures

PEAK = 5.0
"""A distance is named when its weight is at least so many times that of even attention ..."""
OF_LARGEST = 1 / 3
"""... and at least this share of the largest."""
NAMED = 5
"""At most so many distances are named."""
NEARLY_EVEN = 0.8
"""Attention is called nearly even when ``exp(entropy)`` is at least this share of the lags."""
HEADS_DIFFER = 0.1
"""Heads are called different from this Jensen–Shannon divergence on, in bits."""
SAME_WINDOWS = 0.01
"""The weights hardly change from window to window below this Jensen–Shannon divergence, in bits."""
MOVES = 0.1
"""The focus moves with the horizon when a share changes by at least this much from the first step to the last."""


def leading_distances(figures: AttentionFigures) -> Ints:
    """Distances worth a name, the largest weight first; see :data:`PEAK` and :data:`OF_LARGEST`. May be empty."""
    far = mass_by_distance(figures.mean_weights.mean(axis=0))
    order = np.argsort(-far, kind="stable")[:NAMED]
    kept: Ints = order[(far[order] >= PEAK * figures.even) & (far[order] >= OF_LARGEST * far[order[0]])]
    return kept


def attention_sentences(figures: AttentionFigures, test: Faithfulness | None) -> list[str]:
    """Where it looks, how sharply, how heads and horizon steps differ, and whether to believe it.

    Parameters
    ----------
    figures : AttentionFigures
    test : Faithfulness, optional
        Without it nothing is said about belief, and a pattern is one of the weights alone.
    """
    refuted = test is not None and test.verdict == "not faithful"
    sentences = [_focus(figures, refuted=refuted), _sharpness(figures)]
    if not refuted:
        sentences += [_heads(figures), _horizon(figures), _windows(figures)]
    if test is not None:
        sentences.append(test.text())
    return [sentence for sentence in sentences if sentence]


def _focus(figures: AttentionFigures, *, refuted: bool) -> str:
    top = leading_distances(figures)
    unit = unit_of(figures.freq, plural=bool((top > 1).any()))
    far = mass_by_distance(figures.mean_weights.mean(axis=0))
    rule = f"at least {PEAK:g} times even attention, which is {figures.even:.1%}, and a third of the largest"
    if not len(top):
        most = int(far.argmax())
        return (
            f"No clear pattern: no distance to the forecast step stands out ({rule}); the largest weight, "
            f"{far[most]:.1%}, lies {_ago(most, figures)}."
        )
    listed = joined([_with_reach(int(d), figures) for d in top])
    weights = joined([f"{far[d]:.0%}" for d in top])
    if refuted:
        return (
            f"No clear pattern that the forecast rests on: most weight lies {listed} {unit} before the forecast step "
            f"({weights}), but masking those lags does no more harm than masking others."
        )
    return f"Most weight lies {listed} {unit} before the forecast step ({weights} of it; named is {rule})."


def _ago(distance: int, figures: AttentionFigures) -> str:
    return f"{distance} {unit_of(figures.freq, plural=distance > 1)} back"


def _with_reach(distance: int, figures: AttentionFigures) -> str:
    """A distance, and the horizon steps that can look back so far where not all can."""
    _, _, h, lookback = figures.shape
    first, last = max(1, distance - lookback + 1), min(h, distance)
    if (first, last) == (1, h):
        return str(distance)
    return (
        f"{distance} (from step {first} only)" if first == last else f"{distance} (from steps {first} to {last} only)"
    )


def _sharpness(figures: AttentionFigures) -> str:
    lookback = figures.shape[3]
    lags = float(np.exp(figures.sums.entropy.mean()))
    limit = f"entropy {figures.sums.entropy.mean():.2f} of at most {np.log(lookback):.2f} nats"
    if lags >= NEARLY_EVEN * lookback:
        return (
            f"The attention is nearly even: it is as spread out as over {lags:.0f} of {lookback} lags "
            f"({limit}; from {NEARLY_EVEN:.0%} of the lags on it is called so)."
        )
    return f"A row of weights is as spread out as over {lags:.0f} of {lookback} lags ({limit})."


def _heads(figures: AttentionFigures) -> str:
    heads = figures.shape[1]
    if heads == 1:
        return ""
    apart = figures.head_profiles().divergence
    a, b = np.unravel_index(apart.argmax(), apart.shape)
    rule = (
        f"Jensen–Shannon divergence {apart.max():.2f} bits at most; from {HEADS_DIFFER:g} on they are called different"
    )
    if apart.max() < HEADS_DIFFER:
        return f"The {heads} heads look alike ({rule})."
    far = mass_by_distance(figures.mean_weights)
    first, second = sorted((int(a), int(b)))
    where = int(np.abs(far[first] - far[second]).argmax())
    return (
        f"Heads look at different lags: most apart are heads {first + 1} and {second + 1}, with "
        f"{far[first, where]:.0%} and {far[second, where]:.0%} of their weight {_ago(where, figures)} ({rule})."
    )


def _horizon(figures: AttentionFigures) -> str:
    h = figures.shape[2]
    if h == 1:
        return ""
    moves = figures.horizon_dependence()
    shares = {kind: (float(moves[kind].iloc[0]), float(moves[kind].iloc[-1])) for kind in ("recent", "seasonal")}
    rule = f"a change of {MOVES:.0%} or more counts"
    what = {
        "recent": f"the newest {n_recent(figures.shape[3], figures.seasons)}",
        "seasonal": f"whole seasons ({', '.join(map(str, figures.seasons))} {unit_of(figures.freq)}) back",
    }
    changes = [
        f"the share of {kind} lags ({what[kind]}) {'grows' if last > first else 'falls'} from {first:.0%} to {last:.0%}"
        for kind, (first, last) in shares.items()
        if abs(last - first) >= MOVES
    ]
    if changes:
        return f"From horizon step 1 to {h}, {joined(changes)} ({rule})."
    return f"The focus stays much the same from horizon step 1 to {h} ({rule})."


def _windows(figures: AttentionFigures) -> str:
    if figures.shape[0] == 1:
        return ""
    apart = figures.between_windows
    if apart < SAME_WINDOWS:
        return (
            "The weights hardly change from window to window (Jensen–Shannon divergence "
            f"{apart:.2g} bits, below {SAME_WINDOWS:g})."
        )
    by_head = figures.changes.mean(axis=1)
    most = int(by_head.argmax())
    which = f", those of head {most + 1} most, by {by_head[most]:.2g}" if len(by_head) > 1 else ""
    return (
        f"The weights change with the window (Jensen–Shannon divergence {apart:.2g} bits{which}; "
        f"from {SAME_WINDOWS:g} on)."
    )
