"""The networks in plain numpy: weights of the filters, and quantiles around what they say together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.forecasters.pretrained.features import LEVELS, RECENT
from foretide.training.saved import under

if TYPE_CHECKING:
    from collections.abc import Mapping

    from foretide.forecasters.pretrained.features import Seen
    from foretide.typing import Array, Floats, Reals

_POINTS = 256
"""Windows times steps that are computed at a time: what fits a processor's cache."""


def weighed(weights: Mapping[str, Array], s: Seen) -> Floats:
    """Quantiles of what follows some windows: the mean of those of all networks.

    Parameters
    ----------
    weights : mapping of arrays
        By the names that ``benchmarks/pretrain.py`` gives them, with the number of the network in front.
    s : Seen

    Returns
    -------
    float array ``[B, S, Q]``
        Ascending, at :data:`LEVELS`; never below zero where the window is not.
    """
    numbers = sorted({name.partition(".")[0] for name in weights})
    networks = [
        {name: np.asarray(array, dtype=np.float32) for name, array in under(f"{number}.", weights).items()}
        for number in numbers
    ]
    at_a_time = max(1, _POINTS // s.forecasts.shape[1])
    parts = [s.take(slice(i, i + at_a_time)) for i in range(0, len(s.unit), at_a_time)]
    return np.concatenate([np.mean([_weighed(w, part) for w in networks], axis=0) for part in parts])


def _weighed(w: Mapping[str, Reals], s: Seen) -> Floats:
    def linear(name: str, x: Reals) -> Reals:
        return np.asarray(x @ w[f"{name}.weight"].T + w[f"{name}.bias"])

    members = (s.members.astype(np.float32) - w["member_mean"]) / w["member_sd"]
    seen = s.window[..., : len(w["window_mean"])]  # the first network was trained before the last features were there
    window = (seen.astype(np.float32) - w["window_mean"]) / w["window_sd"]
    usable = s.usable[:, None].astype(np.float32)
    h = np.maximum(linear("of_member", members) + w["who"] + linear("of_window", window)[:, :, None], 0.0)
    pooled = (h * usable[..., None]).sum(axis=2) / usable.sum(axis=2)[..., None]
    h = np.maximum(linear("second", h) + linear("of_all", pooled)[:, :, None], 0.0)
    score = (linear("score", h)[..., 0] + w["prior"]).astype(np.float64)
    share = softmax(np.where(s.usable[:, None], score, -np.inf))
    together = (share[..., None].astype(np.float32) * h).sum(axis=2)
    t = np.maximum(linear("trunk", np.concatenate([pooled, together, window], axis=2)), 0.0)
    out = linear("out", np.maximum(linear("trunk2", t), 0.0)).astype(np.float64)
    n, mid = len(LEVELS), len(LEVELS) // 2
    gaps, gate = np.logaddexp(0.0, out[..., 1:n]), softmax(out[..., n : n + 1 + len(RECENT)])
    below = gaps[..., :mid][..., ::-1].cumsum(axis=-1)[..., ::-1]
    offset = out[..., :1]
    place = np.concatenate([offset - below, offset, offset + gaps[..., mid:].cumsum(axis=-1)], axis=-1)
    middle = np.median(s.forecasts, axis=2)  # around which shares in single precision are precise enough
    centre = middle + (share * (s.forecasts - middle[..., None])).sum(axis=2)
    spread = (share * s.size).sum(axis=2) + 0.02 * s.scale[:, None]
    own = centre[..., None] + spread[..., None] * place
    found = gate[..., :1] * own + (gate[..., 1:, None] * s.recent[:, None]).sum(axis=2)
    found = np.maximum(np.sort(found, axis=-1), np.where(s.nonnegative, 0.0, -np.inf)[:, None, None])
    return np.asarray(found * s.unit[:, None, None])


def softmax(x: Floats) -> Floats:
    """Shares over the last axis.

    Parameters
    ----------
    x : float array ``[..., K]``

    Returns
    -------
    float array ``[..., K]``
    """
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))
