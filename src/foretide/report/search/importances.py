"""Which settings of a model stand out, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from foretide.report.search.trials import finished, is_number, missing, parameters, scale_of
from foretide.text import phrase

ENOUGH = 10
"""Finished trials of a model from which its importances are put in words."""
STANDS_OUT = 1.5
"""A parameter is named from this multiple of an even share."""
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
