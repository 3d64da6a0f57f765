"""Attention weights, thinned until they fit, as 16-bit numbers in base64; and their means as pictures for files."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.files import file_name
from foretide.data.windows import evenly
from foretide.explain.weights.profiles import mass_by_distance
from foretide.pictures.picture import Axis, Bars, Heat, Mark, Panel, Picture, Rule, View
from foretide.pictures.style import SCALES
from foretide.report.content import AttentionWeights, Content
from foretide.report.section import Explorer, Section
from foretide.text import joined, phrase

if TYPE_CHECKING:
    from foretide.typing import Json, Reals

BUDGET = 1_500_000
"""Characters for the attention of all models together."""
CAUSES = "Attention says what the model weights, not what causes the series."
ALL = -1
"""The place of "all series" among the series."""
_TOP = 65_535


def attention(content: Content) -> Section | None:
    """Return the explorer of attention weights."""
    data = attention_data(content.attention)
    if not data:
        return None
    words = [attention_caption(name, content.attention[name].weights, content.steps) for name in data]
    words += [
        f"{name}: {about['kept']} of {about['total']} kept windows, {content.attention[name].about}, can be picked, "
        f"evenly spread{', heads averaged to fit' if about['averaged'] else ''}."
        for name, about in data.items()
    ]
    words.append(CAUSES)
    pictures = [attention_picture(name, content.attention[name], content.steps) for name in data]
    return Section("attention", "Attention, window by window", words, explorer=Explorer("attention", data, pictures))


def explorer_data() -> Json:
    """Return the colours of the weights."""
    return {"weights": SCALES["weights"]}


def attention_data(models: Mapping[str, AttentionWeights], *, budget: int = BUDGET) -> Json:
    """Return what the attention explorer draws.

    The mean over all windows comes first, then for each series its mean and windows spread evenly over those kept, as
    many as fit; where not all series fit, those kept are spread evenly too. Where not even the mean fits, heads are
    averaged; where that does not help, the model is left out.

    Returns
    -------
    dict
        Model -> ``shape`` ``[n, M, H, L]``, ``scale``, ``data``, ``series`` (place, name), ``windows`` (place of the
        series, name), ``total``, ``kept`` (windows that can be picked), ``of_series`` (series there are), ``averaged``
        (whether heads were).
    """
    out = {}
    for name, kept in models.items():
        weights, averaged = np.asarray(kept.weights), False
        room = int(budget / len(models) / (8 / 3)) // max(1, int(np.prod(weights.shape[1:])))
        if room < 1:
            weights, averaged = weights.mean(axis=1, keepdims=True), True
            room = int(budget / len(models) / (8 / 3)) // max(1, int(np.prod(weights.shape[1:])))
        if room < 1:
            continue
        chosen, windows = _entries(weights, kept, room)
        data, scale = packed(chosen)
        names = list(dict.fromkeys(kept.series))
        places = dict.fromkeys(place for place, _ in windows)
        out[name] = {
            "shape": list(chosen.shape), "scale": scale, "data": data, "total": len(weights), "averaged": averaged,
            "series": [[k, f"all {len(names)} series" if k == ALL else names[k]] for k in places], "windows": windows,
            "kept": sum(not text.startswith("mean of ") for _, text in windows), "of_series": len(names),
        }  # fmt: skip
    return out


def _entries(weights: Reals, kept: AttentionWeights, room: int) -> tuple[Reals, list[tuple[int, str]]]:
    """Means and windows, at most ``room`` of them: ``[n, M, H, L]`` and for each the place of its series and a name."""
    order = {name: k for k, name in enumerate(dict.fromkeys(kept.series))}
    of = np.array([order[name] for name in kept.series], dtype=np.int64)
    single = len(order) == 1
    rows = [_mean(weights)]
    windows = [(0 if single else ALL, f"mean of {phrase('window', len(weights))}")]
    series = [0] if single else [int(k) for k in evenly(len(order), (room - 1) // 2)]
    left = room - 1 - (0 if single else len(series))
    for k in series:
        own = np.flatnonzero(of == k)
        if not single:
            rows.append(_mean(weights[own]))
            windows.append((k, f"mean of {phrase('window', len(own))}"))
        for i in own[evenly(len(own), left // len(series))]:
            rows.append(weights[i][None])
            windows.append((k, kept.windows[i]))
    return np.concatenate(rows), windows


def _mean(weights: Reals) -> Reals:
    mean: Reals = weights.mean(axis=0, keepdims=True, dtype=np.float64)
    return mean


def packed(weights: Reals) -> tuple[str, float]:
    """Return weights as base64 of little-endian 16-bit numbers, and what one of them is worth."""
    top = float(np.nanmax(weights)) if weights.size else 0.0
    scale = (top or 1.0) / _TOP
    whole = np.rint(np.nan_to_num(weights) / scale).astype("<u2")
    return base64.b64encode(whole.tobytes()).decode("ascii"), float(f"{scale:.9g}")


def attention_picture(name: str, kept: AttentionWeights, steps: str) -> Picture:
    """Draw the mean over windows: of all heads by step and lag, of each head, and by distance."""
    mean = kept.weights.mean(axis=0, dtype=np.float64)
    heads, h, lookback = mean.shape
    about = f"{phrase('window', len(kept.weights))} {kept.about}"
    lags, x = list(range(lookback - 1, -1, -1)), Axis(f"lag, {steps} before the cutoff (oldest left)", reverse=True)
    y = Axis.steps(f"horizon step, {steps} ahead", h)
    far = mass_by_distance(mean.mean(axis=0))[1:]
    shares = [("mean of all heads", mean.mean(axis=0)), *((f"head {k + 1}", mean[k]) for k in range(heads))]
    views = {
        label: View(
            [Panel([Heat(lags, list(range(1, h + 1)), own, 0.0, float(own.max()), title="weight")], x, y)],
            f"{name}, {label} over {about}. Each row sums to one; even attention would give {1 / lookback:.3g} to each "
            "cell.",
        )
        for label, own in (shares if heads > 1 else shares[:1])
    }
    bars: list[Mark] = [Bars("weight", list(range(1, len(far) + 1)), far), Rule(1 / lookback)]
    across = Axis(f"{steps} before the forecast step (oldest left)", reverse=True)
    panel = Panel(bars, across, Axis("weight, share of one", from_zero=True))
    views["by distance"] = View([panel], attention_caption(name, kept.weights, steps))
    file = f"attention-{file_name(name)}"
    return Picture.with_list(file, f"Where {name} looks", "Weights", views, file=file, every=True)


def attention_caption(name: str, weights: Reals, unit: str) -> str:
    """Say where the attention of a model lies, by distance to the forecast step, over all windows and heads."""
    mean = weights.mean(axis=(0, 1), dtype=np.float64)
    far = mass_by_distance(mean)
    top = [int(k) for k in np.argsort(-far, kind="stable")[:3]]
    shares = ", ".join(f"{share:.3g}" for share in far[top] if np.isfinite(share))
    far_away = joined([str(k) for k in top])
    return (
        f"{name}, mean over windows, heads and steps: the largest weights lie {far_away} {unit} before the forecast "
        f"step ({shares} of one; even attention would give {1 / mean.shape[-1]:.3g} to each lag)."
    )
