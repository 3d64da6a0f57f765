"""Attention weights, thinned until they fit, as 16-bit numbers in base64."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.explain.profiles import mass_by_distance
from foretide.explain.wording import joined
from foretide.report.html.escape import rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.report.html.content import AttentionWeights

    Floats = NDArray[np.floating]

BUDGET = 500_000
"""Characters for the attention of all models together."""
_TOP = 65_535


def attention_data(models: Mapping[str, AttentionWeights], *, budget: int = BUDGET) -> dict[str, Any]:
    """Return what the attention explorer draws.

    The mean over all windows comes first, then windows spread evenly over those kept, as many as fit. Where not even
    the mean fits, heads are averaged; where that does not help, the model is left out.

    Returns
    -------
    dict
        Model -> ``shape`` ``[1 + n, M, H, L]``, ``scale``, ``data``, ``windows`` (names, the mean first), ``total``,
        ``averaged`` (whether heads were).
    """
    out = {}
    for name, attention in models.items():
        weights, averaged = np.asarray(attention.weights), False
        room = int(budget / len(models) / (8 / 3)) // max(1, int(np.prod(weights.shape[1:])))
        if room < 1:
            weights, averaged = weights.mean(axis=1, keepdims=True), True
            room = int(budget / len(models) / (8 / 3)) // max(1, int(np.prod(weights.shape[1:])))
        if room < 1:
            continue
        n = len(weights)
        places = np.unique(np.linspace(0, n - 1, min(n, room - 1)).round().astype(int))
        mean = weights.mean(axis=0, keepdims=True, dtype=np.float64)
        chosen = np.concatenate([mean, weights[places]]) if len(places) else mean
        data, scale = packed(chosen)
        out[name] = {
            "shape": list(chosen.shape), "scale": scale, "data": data, "total": n, "averaged": averaged,
            "windows": [f"mean of all {n} windows", *(attention.windows[i] for i in places)],
        }  # fmt: skip
    return out


def packed(weights: Floats) -> tuple[str, float]:
    """Return weights as base64 of little-endian 16-bit numbers, and what one of them is worth."""
    top = float(np.nanmax(weights)) if weights.size else 0.0
    scale = (top or 1.0) / _TOP
    whole = np.rint(np.nan_to_num(weights) / scale).astype("<u2")
    return base64.b64encode(whole.tobytes()).decode("ascii"), float(f"{scale:.9g}")


def attention_caption(name: str, weights: Floats, unit: str) -> str:
    """Say where the attention of a model lies, by distance to the forecast step, over all windows and heads."""
    mean = weights.mean(axis=(0, 1), dtype=np.float64)
    lookback = mean.shape[-1]
    far = mass_by_distance(mean)
    top = [int(k) for k in np.argsort(-far, kind="stable")[:3]]
    shares = ", ".join(f"{share:.3g}" for share in rounded(far[top]) if share is not None)
    return (
        f"{name}, mean over windows, heads and steps: the largest weights lie {joined([str(k) for k in top])} {unit} "
        f"before the forecast step ({shares} of one; even attention would give {1 / lookback:.3g} to each lag)."
    )
