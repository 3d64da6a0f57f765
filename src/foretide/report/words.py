"""Sentences about pictures, made from the figures that are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.report.style import unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

NAMED = 3


def by_distance(weights: Floats) -> Floats:
    """Return the mean attention by distance to the forecast step, lag + horizon step.

    Parameters
    ----------
    weights : float array ``[N, M, H, L]``
        Oldest lag first; each row sums to one.

    Returns
    -------
    float array ``[L + H]``
        Entry ``k`` is the mean over the horizon steps that can look back ``k`` steps; entry 0 is never reached.
    """
    h, lookback = weights.shape[2:]
    mean = weights.mean(axis=(0, 1), dtype=np.float64)[:, ::-1]  # [H, L], lag 0 first
    mass, reached = np.zeros(lookback + h), np.zeros(lookback + h)
    for step in range(1, h + 1):
        mass[step : step + lookback] += mean[step - 1]
        reached[step : step + lookback] += 1
    return mass / np.maximum(reached, 1)


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


def start_words(chosen: Mapping[str, Any]) -> str:
    """Say what a closed-form start took off the window before attention looks at it."""
    waves, known = int(chosen["waves"]), bool(chosen["known"])
    parts = [f"{waves} seasonal wave{'s' if waves > 1 else ''}"] if waves else []
    parts += ["what known-future columns explain"] if known else []
    level = {"last": "the last value", "mean": "the window's mean"}.get(chosen["level"])
    parts += [f"{level} (given back to the forecast)"] if level else []
    return f"It looks at what is left after taking off {_joined(parts)}." if parts else ""


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
    return _joined([str(int(n)) for n in numbers])


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
