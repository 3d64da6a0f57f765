"""The path of a latent state over time, thinned so that no peak is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.windows import evenly
from foretide.report.explained_data import with_extremes
from foretide.report.html.chart import Chart, Picker, View, titles
from foretide.report.html.escape import rounded
from foretide.report.html.marks import characters, line_of
from foretide.text import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_POINTS = 600
"""Points of one line."""
SHOWN = 2
"""Latents whose lines are seen at first; the others wait in the legend."""


def path_chart(identity: str, model: str, table: pd.DataFrame, steps: str, room: int) -> Chart:
    """Latent states over time, an entity at a time; as many entities as fit, evenly spread.

    Parameters
    ----------
    identity, model : str
    table : DataFrame
        Id, time, a column per latent, and maybe ``fitted``: whether ``fit`` saw the row.
    steps : str
        The word for steps of time.
    room : int
        Characters that all views may take; the first entity is kept whatever it takes.
    """
    entity = table.iloc[:, 0].astype(object).where(table.iloc[:, 0].notna(), "").astype(str)
    rows = {name: np.asarray(at) for name, at in table.groupby(entity, sort=False).indices.items()}
    names = [str(name) for name in rows]
    first = _view(model, names[0], table.iloc[rows[names[0]]])
    most = max(1, room // characters([first]) - 1)  # the first one is in the page twice
    kept = [names[k] for k in evenly(len(names), most)]
    left = f" {len(kept)} of {len(names)} series can be picked, evenly spread." if len(kept) < len(names) else ""
    views = {}
    for k, name in enumerate(kept):
        view = _view(model, name, table.iloc[rows[name]])
        views[str(k)] = View(view.data, f"{view.caption}{left}", view.layout)
    layout = titles(f"time, {steps} (oldest left)", "latent state, standard units")
    layout["yaxis"]["zerolinecolor"] = "@quiet"
    return Chart.picked(identity, f"Path of {model}'s latent state", [Picker("Series", kept)], views, layout, wide=True)


def _view(model: str, name: str, part: pd.DataFrame) -> View:
    latents = [str(c) for c in part.columns[2:] if c != "fitted"]
    times, moments = _times(part.iloc[:, 1])
    data, extremes = [], []
    for k, latent in enumerate(latents):
        values = part[latent].to_numpy(float)
        chosen = with_extremes(values, MOST_POINTS)
        x, y = _with_gaps(times, moments, chosen, values)
        line = line_of(k, latent, x, y, f"{latent}, %{{x}}: %{{y:.3f}}")
        line["line"]["width"] = 1.3
        data.append({**line, "connectgaps": False, "visible": True if k < SHOWN else "legendonly"})
        most = int(np.abs(values).argmax())
        extremes.append((abs(values[most]), latent, values[most], times[most]))
    _, latent, value, when = max(extremes, key=lambda found: found[0])
    of = f"{model}, {name}" if name else model
    caption = f"{of}: {len(part)} steps from {times[0]} to {times[-1]}."
    caption += f" Farthest from zero: {latent}, {number(value)} at {when}."
    if len(part) > MOST_POINTS:
        caption += f" At most {MOST_POINTS} points of a line are drawn: both extremes of evenly long stretches."
    if len(latents) > SHOWN:
        caption += f" {', '.join(latents[SHOWN:])}: click a name in the legend to see the line."
    layout: dict[str, Any] = {}
    if "fitted" in part and part["fitted"].astype(bool).any():
        seen = part["fitted"].astype(bool).to_numpy()
        last = int(np.flatnonzero(seen).max())
        caption += f" Grey: up to {times[last]}, what the model was fitted on."
        layout["shapes"] = [{
            "type": "rect", "layer": "below", "x0": times[0], "x1": times[last], "yref": "paper", "y0": 0, "y1": 1,
            "fillcolor": "rgba(128,128,128,0.14)", "line": {"width": 0},
        }]  # fmt: skip
    return View(data, caption, layout)


def _times(column: pd.Series[Any]) -> tuple[list[Any], NDArray[np.float64]]:
    """Times as plotly.js reads them, and as numbers."""
    if pd.api.types.is_integer_dtype(column):
        return column.tolist(), column.to_numpy(float)
    # Without the offset of a zone: the time on the wall.
    stamps = pd.DatetimeIndex(pd.to_datetime(column.astype(str).str.slice(0, 19), format="ISO8601"))
    whole = bool((stamps == stamps.normalize()).all())
    written = stamps.strftime("%Y-%m-%d" if whole else "%Y-%m-%d %H:%M")
    return list(written), stamps.as_unit("ns").asi8.astype(np.float64)


def _with_gaps(
    times: list[Any], moments: NDArray[np.float64], chosen: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[list[Any], list[Any]]:
    """Chosen points, the line broken where rows are missing for longer than between two points."""
    x, y = [times[k] for k in chosen], rounded(values[chosen])
    between = np.diff(moments)
    if not len(between):
        return x, y
    width = max(1.0, len(values) / max(1, len(chosen) // 2))
    holes = np.flatnonzero(between > 1.5 * np.median(between) * width)
    for place in np.unique(np.searchsorted(chosen, holes, side="right"))[::-1]:
        if 0 < place < len(x):
            x.insert(int(place), x[int(place) - 1])
            y.insert(int(place), None)
    return x, y
