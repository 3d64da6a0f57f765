"""Which settings of a model stand out, in words and as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from foretide.pictures.picture import Axis, Bars, Picture, View
from foretide.pictures.style import short_names
from foretide.report.search.content import SearchContent
from foretide.text import phrase
from foretide.tuning.trials import finished, is_number, missing, parameters, scale_of

ENOUGH = 10
"""Finished trials of a model from which its importances are put in words."""
STANDS_OUT = 1.5
"""A parameter is named from this multiple of an even share."""
MOST_BARS = 15
"""Settings of one model with a bar of their own."""
CLEAR = 0.4
"""Rank correlation from which a direction is named."""


def importance_words(trials: pd.DataFrame, model: str, importances: Mapping[str, float]) -> str:
    """Say which parameters of a model stand out, and which values did better.

    A parameter is named when its share is at least :data:`STANDS_OUT` times an even one. Its direction is named when
    the rank correlation of parameter and value (Spearman) is at least :data:`CLEAR`.
    """
    done, names = finished(trials, model), parameters(trials, model)
    if not names:
        return "no parameter was searched"
    if len(done) < ENOUGH:
        return f"no clear pattern can be told from {phrase('finished trial', len(done))}"
    known = {name: float(v) for name, v in importances.items() if math.isfinite(v) and v > 0}
    values = done["value"].to_numpy(dtype=np.float64)
    if not known or values.min() == values.max():
        return "no clear pattern"
    if len(names) == 1:
        return f"{names[0]} alone was searched; {_direction(done, names[0]) or 'no clear pattern'}"
    total, even = sum(known.values()), 1 / len(names)
    order = sorted(known, key=lambda name: (-known[name], name))
    leading = [name for name in order if known[name] / total >= STANDS_OUT * even][:3]
    if not leading:
        return "no clear pattern: no parameter stands out"
    words = []
    for name in leading:
        way = _direction(done, name) if name in done.columns else ""
        words.append(f"{name} ({known[name] / total:.0%}{'; ' + way if way else ''})")
    return ", ".join(words)


def _direction(done: pd.DataFrame, name: str) -> str:
    """Say which values of a parameter went with lower values of the trials; "" where that is not clear."""
    column = done[name]
    present = np.array([not missing(cell) for cell in column])
    scale = scale_of(name, column[present], log=False)
    values = done["value"][present].reset_index(drop=True)
    if all(map(is_number, column[present])):
        places = pd.Series(scale.values)
        if places.nunique() < 2 or values.nunique() < 2 or len(values) < ENOUGH:
            return ""
        rank = float(places.rank().corr(values.rank()))
        if abs(rank) < CLEAR:
            return ""
        return f"{'larger' if rank < 0 else 'smaller'} did better, rank correlation {rank:+.2f}"
    if len(scale.choices) < 2:
        return ""
    middles = [float(values[scale.values == k].median()) for k in range(len(scale.choices))]
    return f"best median with {scale.choices[int(np.argmin(middles))]}"


def importance_picture(content: SearchContent) -> Picture | None:
    """Draw the share of each setting, a model at a time; None where nothing was searched or nothing is known."""
    models = [model for model in content.ranked if content.importances.get(model)]
    if not models:
        return None
    views = {model: _importance_view(content, model) for model in models}
    return Picture.with_list(
        "importance", "Importance of each setting", "Model", views, wide=True, file="importance",
        every=True,
    )  # fmt: skip


def _importance_view(content: SearchContent, model: str) -> View:
    shares = content.importances[model]
    caption = f"{model}: {importance_words(content.trials, model, shares)}."
    known = {name: float(v) for name, v in shares.items() if math.isfinite(v)}
    order = sorted(known, key=lambda name: (-known[name], name))
    if not sum(known.values()):
        return View.of([], Axis(), Axis(), note="no importance can be told", caption=caption)
    if len(order) > MOST_BARS:
        rest = sum(known[name] for name in order[MOST_BARS:])
        caption += f" {len(order) - MOST_BARS} further settings have {rest:.0%} together."
        order = order[:MOST_BARS]
    if len(known) > 1:
        caption += f" An even share would be {1 / len(known):.0%}."
    names = short_names(order)
    bars = Bars(
        "importance", list(range(len(order))), [known[name] for name in order], content.colour(model), across=True,
        labels=[f"{known[name]:.0%}" for name in order], hover="{x:.3f}",
    )  # fmt: skip
    x = Axis("share of the importance, sum one →", low=0, high=1.15 * max(known.values()), percent=True)
    y = Axis.names("setting, most important first", [names[name] for name in order])
    return View.of([bars], x, y, caption=caption)
