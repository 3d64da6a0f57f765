"""The path of a latent state over time, thinned so that no peak is lost."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.windows import evenly
from foretide.pictures.picture import Axis, Line, Mark, Panel, Picture, Span, View
from foretide.pictures.times import kind_of_times, times
from foretide.report.explained.shocks import size_of
from foretide.text import number

if TYPE_CHECKING:
    from foretide.typing import Floats, Ints

MOST_POINTS = 600
"""Points of one line."""
SHOWN = 2
"""Latents whose lines are seen at first; the others wait in the legend."""


def path_picture(model: str, table: pd.DataFrame, steps: str, room: int) -> Picture:
    """Draw latent states over time, an entity at a time; as many entities as fit, evenly spread.

    Parameters
    ----------
    model : str
    table : DataFrame
        Id, time, a column per latent, and maybe ``fitted``: whether ``fit`` saw the row.
    steps : str
        The word for steps of time.
    room : int
        Characters that all views may take; the first entity is kept whatever it takes.
    """
    entity = table.iloc[:, 0].astype(object).where(table.iloc[:, 0].notna(), "").astype(str)
    rows = {str(name): np.asarray(at) for name, at in table.groupby(entity, sort=False).indices.items()}
    names = list(rows)
    first = _view(model, names[0], table.iloc[rows[names[0]]], steps)
    kept = [names[k] for k in evenly(len(names), max(1, room // size_of([first]) - 1))]
    left = f" {len(kept)} of {len(names)} series can be picked, evenly spread." if len(kept) < len(names) else ""
    views = {}
    for name in kept:
        view = first if name == names[0] else _view(model, name, table.iloc[rows[name]], steps)
        views[name] = View(view.panels, f"{view.caption}{left}")
    return Picture.with_list("path", f"Path of {model}'s latent state", "Series", views, wide=True)


def _view(model: str, name: str, part: pd.DataFrame, steps: str) -> View:
    latents = [str(c) for c in part.columns[2:] if c != "fitted"]
    stamps = times(part.iloc[:, 1])
    axis = Axis(f"time, {steps} (oldest left)", kind_of_times(stamps))
    moments = np.asarray(stamps, dtype="datetime64[s]" if axis.kind == "time" else None).astype(np.float64)
    marks: list[Mark] = []
    extremes = []
    for k, latent in enumerate(latents):
        values = part[latent].to_numpy(float)
        chosen = with_extremes(values, MOST_POINTS)
        x, y = _with_gaps(stamps, moments, chosen, values)
        line = Line.nth(k, latent, x, y, "{x}: {y:.3f}", symbols=False)
        marks.append(replace(line, width=1.3, hidden=k >= SHOWN))
        most = int(np.abs(values).argmax())
        extremes.append((abs(values[most]), latent, values[most], stamps[most]))
    _, latent, value, when = max(extremes, key=lambda extreme: extreme[0])
    caption = f"{f'{model}, {name}' if name else model}: {len(part)} steps from {stamps[0]} to {stamps[-1]}."
    caption += f" Farthest from zero: {latent}, {number(value)} at {when}."
    if len(part) > MOST_POINTS:
        caption += f" At most {MOST_POINTS} points of a line are drawn: both extremes of evenly long stretches."
    if len(latents) > SHOWN:
        caption += f" {', '.join(latents[SHOWN:])}: click a name in the legend to see the line."
    if "fitted" in part and part["fitted"].astype(bool).any():
        last = int(np.flatnonzero(part["fitted"].astype(bool).to_numpy()).max())
        caption += f" Grey: up to {stamps[last]}, what the model was fitted on."
        marks.append(Span(stamps[0], stamps[last]))
    return View([Panel(marks, axis, Axis("latent state, standard units"))], caption)


def with_extremes(values: Floats, most: int) -> Ints:
    """Places of at most ``most`` values in order of time: the smallest and the largest of evenly long stretches."""
    if len(values) <= most:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), max(1, most // 2) + 1).round().astype(np.int64)
    kept = set()
    for low, high in pairwise(edges.tolist()):
        piece = values[low:high]
        kept |= {int(low + piece.argmin()), int(low + piece.argmax())}
    return np.array(sorted(kept), dtype=np.int64)


def _with_gaps(
    stamps: list[str] | list[int], moments: Floats, chosen: Ints, values: Floats
) -> tuple[list[float | str | None], list[float | None]]:
    """Chosen points, the line broken where rows are missing for longer than between two points."""
    x: list[float | str | None] = [stamps[k] for k in chosen]
    y: list[float | None] = values[chosen].tolist()
    between = np.diff(moments)
    if not len(between):
        return x, y
    width = max(1.0, len(values) / max(1, len(chosen) // 2))
    holes = np.flatnonzero(between > 1.5 * np.median(between) * width)
    for place in np.unique(np.searchsorted(chosen, holes, side="right"))[::-1].tolist():
        if 0 < place < len(x):
            x.insert(place, x[place - 1])
            y.insert(place, None)
    return x, y
