"""Attention weights, thinned until they fit, as 16-bit numbers in base64."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.windows import evenly
from foretide.explain.weights.profiles import mass_by_distance
from foretide.report.html.chart import titles
from foretide.report.html.escape import rounded
from foretide.text import joined, phrase

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.report.html.content import AttentionWeights

    Floats = NDArray[np.floating]
    Trace = dict[str, Any]

BUDGET = 1_500_000
"""Characters for the attention of all models together."""
CIVIDIS = (
    "#00204c", "#002a66", "#00346e", "#273f6c", "#3c4a6b", "#4c556b", "#5b5f6d", "#686a70", "#757575", "#838178",
    "#928c78", "#a19876", "#b0a572", "#c0b16d", "#d1bf66", "#e1cc5c", "#f3db4f", "#ffe945",
)  # fmt: skip
COLOURS = [[round((k / (len(CIVIDIS) - 1)) ** 2, 4), colour] for k, colour in enumerate(CIVIDIS)]
"""Colours of weights by their share of the largest, by its root: few weights are large, and small ones differ too."""
ALL = -1
"""The place of "all series" among the series."""
_TOP = 65_535


def attention_data(models: Mapping[str, AttentionWeights], *, budget: int = BUDGET) -> dict[str, Any]:
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
    for name, attention in models.items():
        weights, averaged = np.asarray(attention.weights), False
        room = int(budget / len(models) / (8 / 3)) // max(1, int(np.prod(weights.shape[1:])))
        if room < 1:
            weights, averaged = weights.mean(axis=1, keepdims=True), True
            room = int(budget / len(models) / (8 / 3)) // max(1, int(np.prod(weights.shape[1:])))
        if room < 1:
            continue
        chosen, windows = _entries(weights, attention, room)
        data, scale = packed(chosen)
        names = list(dict.fromkeys(attention.series))
        shown = dict.fromkeys(place for place, _ in windows)
        out[name] = {
            "shape": list(chosen.shape), "scale": scale, "data": data, "total": len(weights), "averaged": averaged,
            "series": [[k, f"all {len(names)} series" if k == ALL else names[k]] for k in shown], "windows": windows,
            "kept": sum(not text.startswith("mean of ") for _, text in windows), "of_series": len(names),
        }  # fmt: skip
    return out


def _entries(weights: Floats, attention: AttentionWeights, room: int) -> tuple[Floats, list[list[Any]]]:
    """Means and windows, at most ``room`` of them: ``[n, M, H, L]`` and for each the place of its series and a name."""
    order = {name: k for k, name in enumerate(dict.fromkeys(attention.series))}
    of = np.array([order[name] for name in attention.series], dtype=np.int64)
    single = len(order) == 1
    rows = [_mean(weights)]
    windows: list[list[Any]] = [[0 if single else ALL, f"mean of {phrase('window', len(weights))}"]]
    series = [0] if single else [int(k) for k in evenly(len(order), (room - 1) // 2)]
    left = room - 1 - (0 if single else len(series))
    for k in series:
        own = np.flatnonzero(of == k)
        if not single:
            rows.append(_mean(weights[own]))
            windows.append([k, f"mean of {phrase('window', len(own))}"])
        for i in own[evenly(len(own), left // len(series))]:
            rows.append(weights[i][None])
            windows.append([k, attention.windows[i]])
    return np.concatenate(rows), windows


def _mean(weights: Floats) -> Floats:
    mean: Floats = weights.mean(axis=0, keepdims=True, dtype=np.float64)
    return mean


def packed(weights: Floats) -> tuple[str, float]:
    """Return weights as base64 of little-endian 16-bit numbers, and what one of them is worth."""
    top = float(np.nanmax(weights)) if weights.size else 0.0
    scale = (top or 1.0) / _TOP
    whole = np.rint(np.nan_to_num(weights) / scale).astype("<u2")
    return base64.b64encode(whole.tobytes()).decode("ascii"), float(f"{scale:.9g}")


def attention_views(data: Mapping[str, Any], steps: str) -> Iterator[tuple[str, list[Trace], dict[str, Any]]]:
    """Yield for each model the mean over windows and heads by step and lag, and by distance: name, traces, layout."""
    for name, about in data.items():
        _, _, h, lookback = about["shape"]
        raw = np.frombuffer(base64.b64decode(about["data"]), dtype="<u2").reshape(about["shape"])
        mean = raw[0].mean(axis=0) * about["scale"]
        heat = {
            "type": "heatmap", "x": list(range(lookback - 1, -1, -1)), "y": list(range(1, h + 1)),
            "z": [rounded(row) for row in mean], "colorscale": COLOURS, "zmin": 0,
            "zmax": float(mean.max()),
            "colorbar": {"title": {"text": "weight", "side": "right"}, "thickness": 12, "outlinewidth": 0},
        }  # fmt: skip
        layout = titles(f"lag, {steps} before the cutoff (oldest left)", f"horizon step, {steps} ahead")
        layout["xaxis"]["autorange"] = "reversed"
        yield name, [heat], layout
        far = mass_by_distance(mean)[1:]
        bars = {"type": "bar", "x": list(range(1, len(far) + 1)), "y": rounded(far), "marker": {"color": "#0072B2"}}
        layout = titles(f"{steps} before the forecast step (oldest left)", "weight, share of one")
        layout["xaxis"]["autorange"] = "reversed"
        yield f"{name}-by-distance", [bars], {**layout, "bargap": 0.15}


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
