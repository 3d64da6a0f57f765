"""Sentences about pictures, made from the figures that are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.explain.weights.profiles import by_distance as by_distance
from foretide.explain.wording import start_words as start_words
from foretide.text import joined, unit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

NAMED = 3


def attention_words(weights: Floats, freq: str | int) -> str:
    """Say where most attention lies: by lag, and by distance to the forecast step."""
    h, lookback = weights.shape[2:]
    lags = weights.mean(axis=(0, 1, 2), dtype=np.float64)[::-1]
    top = _leading(lags, 1 / lookback)
    far = by_distance(weights)
    farther = _leading(far, 1 / lookback)
    share, even = lags[top].sum(), len(top) / lookback
    text = f"Most attended: lag{'s' if len(top) > 1 else ''} {_listed(top)} "
    text += f"({share:.0%} of the weight; even attention would give them {even:.0%}). "
    if h > 1:
        text += f"Measured from the forecast step, most weight lies {_listed(farther)} {unit_of(freq)} back."
    return text.strip()


def error_words(model: str, errors: Floats, freq: str | int, metric: str = "RMSE") -> str:
    """Say how the error of a model goes with the horizon step."""
    first, last = float(errors[0]), float(errors[-1])
    if len(errors) == 1 or not np.isfinite([first, last]).all():
        return f"{model}'s {metric} is {first:.4g}."
    unit = unit_of(freq, plural=False)
    grows = "grows" if last > 1.05 * first else "falls" if last < 0.95 * first else "stays much the same"
    return f"{model}'s {metric} {grows}: {first:.4g} one {unit} ahead, {last:.4g} at step {len(errors)}."


def _leading(shares: Floats, even: float) -> NDArray[np.integer]:
    """The few largest entries, largest first; those no larger than even attention are not worth a name."""
    top = np.argsort(-shares, kind="stable")[:NAMED]
    return top[: max(1, int((shares[top] > even).sum()))]


def _listed(numbers: NDArray[np.integer]) -> str:
    return joined([str(int(n)) for n in numbers])
