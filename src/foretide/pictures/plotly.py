"""Pictures as plotly.js draws them on a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, assert_never

import numpy as np

from foretide.pictures.picture import Axis, Band, Bars, Heat, Line, Mark, Panel, Picture, Points, Rule, Span, View
from foretide.pictures.style import QUIET, SCALES, TEXT

if TYPE_CHECKING:
    from foretide.pictures.picture import Places, Values
    from foretide.typing import Json

DIGITS = 5
"""Significant digits of numbers in pictures."""
OVERLAID = {"fillmode": "overlay", "size": 7, "solidity": 0.3, "fgcolor": "#ffffff"}
""""overlay": white lines on the bar's colour."""
PANEL = 240
"""Height of each of several panels, in pixels."""


def charts(pictures: Iterable[Picture]) -> Json:
    """Return every picture by its identity, as the page's script reads them.

    Parameters
    ----------
    pictures : iterable of Picture

    Returns
    -------
    dict
        Identity -> ``data, layout``; of pictures with choices ``views``, places of the options joined by ``/`` ->
        ``data, layout, caption``.
    """
    found: Json = {}
    for picture in pictures:
        if not picture.lists:
            found[f"chart-{picture.id}"] = chart(picture.first)
            continue
        views = {"/".join(map(str, key)): {**chart(v), "caption": v.caption} for key, v in picture.views.items()}
        found[f"chart-{picture.id}"] = {"views": views}
    return found


def chart(view: View) -> Json:
    """Return ``data`` and ``layout`` of one view."""
    data: list[Json] = []
    layout: Json = {}
    n = len(view.panels)
    for k, panel in enumerate(view.panels):
        ending = "" if k == 0 else str(k + 1)
        axes = {"xaxis": f"x{ending}", "yaxis": f"y{ending}"} if ending else {}
        data += [{**trace, **axes} for mark in panel.marks for trace in _traces(mark, panel)]
        across, up = _axis(panel.x), _axis(panel.y)
        if panel.x.kind == "time" and panel.few_places:
            across |= {"tickmode": "array", "tickvals": panel.few_places}
        elif panel.whole and panel.few_places and not panel.x.ticks:
            across.setdefault("dtick", panel.whole_step)
        if any(isinstance(m, Rule | Span) for m in panel.marks):
            shapes = [_shape(m, ending) for m in panel.marks if isinstance(m, Rule | Span)]
            layout["shapes"] = [*layout.get("shapes", ()), *shapes]
        if panel.note:
            layout["annotations"] = [{
                "text": escaped(panel.note), "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5,
                "y": 0.5, "font": {"color": QUIET},
            }]  # fmt: skip
            if not panel.marks:
                across, up = {"visible": False}, {"visible": False}
        if n > 1:
            top = 1 - k / n
            up["domain"] = [round(top - 0.72 / n, 4), round(top - 0.06 / n, 4)]
            across["anchor"] = f"y{ending}"
            layout.setdefault("annotations", []).append({
                "text": escaped(panel.title), "showarrow": False, "xref": "paper", "yref": "paper", "x": 0, "y": top,
                "xanchor": "left", "yanchor": "top",
            })  # fmt: skip
        layout |= {f"xaxis{ending}": across, f"yaxis{ending}": up}
    if not any(panel.in_legend for panel in view.panels):
        layout["showlegend"] = False
    if any(isinstance(m, Bars) for panel in view.panels for m in panel.marks):
        layout |= {"barmode": "stack" if view.panels[0].stacked else "overlay", "bargap": 0.2}
    if n > 1:
        layout["height"] = PANEL * n + 60
    return {"data": data, "layout": layout}


def escaped(text: object) -> str:
    """Return text as plotly.js shows it letter by letter: it would read ``<b>`` as markup."""
    plain = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("\n", "<br>")


def rounded(values: Iterable[float | None] | Values) -> list[float | int | None]:
    """Return numbers of five significant digits, whole ones as integers, None where there is none."""
    return [_short(v) for v in np.asarray(values, dtype=np.float64).tolist()]


def _short(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    if not math.isfinite(short):  # the largest floats, rounded up
        return value
    return int(short) if abs(short) < 1e15 and short.is_integer() else short


def _places(values: Places) -> list[float | str | None]:
    """Numbers rounded, whole ones (years, steps) in full; times as they are written."""
    return [v if v is None or isinstance(v, str | int) else _short(float(v)) for v in np.asarray(values, dtype=object)]


def _traces(mark: Mark, panel: Panel) -> list[Json]:
    match mark:
        case Line():
            return [_line(mark)]
        case Points():
            return [_points(mark)]
        case Bars():
            return [_bars(mark, panel.bar_width)]
        case Band():
            return [_band(mark)]
        case Heat():
            return [_heat(mark, panel)]
        case Rule() | Span():
            return []
        case _:
            assert_never(mark)


def _line(mark: Line) -> Json:
    trace: Json = {
        "type": "scatter", "mode": "lines+markers" if mark.symbol else "lines", "name": escaped(mark.name),
        "x": _places(mark.x), "y": rounded(mark.y), "line": {"color": mark.colour, "width": mark.width},
        **_under_pointer(mark),
    }  # fmt: skip
    if mark.dash != "solid":
        trace["line"]["dash"] = mark.dash
    if mark.stepped:
        trace["line"]["shape"] = "hv"
    if mark.symbol:
        trace["marker"] = {"symbol": mark.symbol, "size": 7 if mark.symbol != "circle" else 6}
    if mark.hidden:
        trace["visible"] = "legendonly"
    if mark.low is not None and mark.high is not None:
        trace["error_y"] = _interval(mark.y, mark.low, mark.high)
    return trace


def _points(mark: Points) -> Json:
    marker: Json = {"color": mark.colour, "symbol": mark.symbol, "size": mark.size}
    if mark.opacity < 1:
        marker["opacity"] = mark.opacity
    if "open" in mark.symbol:
        marker["line"] = {"width": 2, "color": mark.colour}
    if mark.values is not None:
        marker |= {
            "color": rounded(mark.values), "colorscale": SCALES["values"], "cmin": mark.low, "cmax": mark.high,
            "line": {"width": 1, "color": QUIET}, "colorbar": _colour_bar(mark.scale),
        }  # fmt: skip
    return {
        "type": "scatter", "mode": "markers", "name": escaped(mark.name), "x": _places(mark.x), "y": rounded(mark.y),
        "marker": marker, **_under_pointer(mark),
    }  # fmt: skip


def _bars(mark: Bars, width: float) -> Json:
    marker: Json = {"color": mark.colour}
    if mark.hatch:
        marker["pattern"] = {**OVERLAID, "shape": mark.hatch}
    if mark.opacity < 1:
        marker["opacity"] = mark.opacity
    place, length = ("y", "x") if mark.across else ("x", "y")
    trace: Json = {
        "type": "bar", "name": escaped(mark.name), place: _places(mark.at), length: rounded(mark.size),
        "marker": marker, **_under_pointer(mark),
    }  # fmt: skip
    if width < 0.8:
        trace["width"] = width
    if mark.across:
        trace["orientation"] = "h"
    if mark.labels:
        trace |= {"text": [escaped(t) for t in mark.labels], "textposition": "outside", "cliponaxis": False}
    elif mark.texts:
        trace["textposition"] = "none"
    if mark.low is not None and mark.high is not None:
        trace[f"error_{length}"] = {**_interval(mark.size, mark.low, mark.high), "color": TEXT}
    return trace


def _band(mark: Band) -> Json:
    """Return a closed line around each stretch without a gap."""
    x, low, high = _places(mark.x), rounded(mark.low), rounded(mark.high)
    edges = [*(mark.starts or [0]), len(x)]
    across: list[float | str | None] = []
    up: list[float | int | None] = []
    for start, end in pairwise(edges):
        at = [k for k in range(start, end) if low[k] is not None and high[k] is not None]
        if at:
            across += [*(x[k] for k in at), *(x[k] for k in reversed(at)), None]
            up += [*(high[k] for k in at), *(low[k] for k in reversed(at)), None]
    glass, thin = _glass(mark.colour, mark.opacity), all(end - start == 1 for start, end in pairwise(edges))
    return {
        "type": "scatter", "mode": "lines", "fill": "toself", "x": across, "y": up, "fillcolor": glass,
        "line": {"width": 8, "color": glass} if thin else {"width": 0}, "name": escaped(mark.name), "hoverinfo": "skip",
    }  # fmt: skip


def _heat(mark: Heat, panel: Panel) -> Json:
    trace: Json = {
        "type": "heatmap", "x": _places(mark.x), "y": _places(mark.y), "z": [rounded(row) for row in mark.values],
        "zmin": mark.low, "zmax": mark.high, "colorscale": SCALES[mark.scale], "colorbar": _colour_bar(mark.title),
        **_under_pointer(mark),
    }  # fmt: skip
    if mark.texts:
        trace["text"] = [[escaped(text)] * len(mark.x) for text in mark.texts]
    return trace | ({"xgap": 1, "ygap": 1} if panel.x.ticks or panel.y.ticks else {})


def _under_pointer(mark: Line | Points | Bars | Heat) -> Json:
    template = escaped(mark.hover).replace("{", "%{")
    trace: Json = {"hovertemplate": template} if mark.hover else {"hoverinfo": "skip"}
    if mark.hover == "{text}" or isinstance(mark, Heat):
        trace["hovertemplate"] += "<extra></extra>"  # the name stands in the text
    if mark.texts and not isinstance(mark, Heat):
        trace["text"] = [escaped(text) for text in mark.texts]
    if isinstance(mark, Line | Points) and not mark.legend:
        trace["showlegend"] = False
    return trace


def _interval(middle: Values, low: Values, high: Values) -> Json:
    at, below, above = (np.asarray(v, dtype=np.float64) for v in (middle, low, high))
    return {
        "type": "data", "symmetric": False, "array": rounded(above - at), "arrayminus": rounded(at - below),
        "thickness": 1.3, "width": 3,
    }  # fmt: skip


def _colour_bar(title: str) -> Json:
    named = {"text": escaped(title), "side": "right", "font": {"size": 13}}
    return {"title": named, "thickness": 12, "outlinewidth": 0}


def _shape(mark: Rule | Span, ending: str) -> Json:
    if isinstance(mark, Span):
        return {
            "type": "rect", "layer": "below", "xref": f"x{ending}", "yref": f"y{ending} domain", "x0": mark.low,
            "x1": mark.high, "y0": 0, "y1": 1, "fillcolor": _glass(mark.colour, mark.opacity), "line": {"width": 0},
        }  # fmt: skip
    along, over = ("y", "x") if mark.upright else ("x", "y")
    return {
        "type": "line", f"{along}ref": f"{along}{ending} domain", f"{along}0": 0, f"{along}1": 1,
        f"{over}ref": f"{over}{ending}", f"{over}0": mark.at, f"{over}1": mark.at,
        "line": {"color": mark.colour, "width": mark.width, "dash": "dot"},
    }  # fmt: skip


def _axis(axis: Axis) -> Json:
    found: Json = {"title": {"text": escaped(axis.title)}}
    low, high = axis.low, axis.high
    if axis.kind == "log":
        found |= {"type": "log", **_log_ticks(low, high)}
        low, high = (None if end is None else math.log10(end) for end in (low, high))
    elif axis.kind == "time":
        found["type"] = "date"
    if low is not None and high is not None:
        ends: Sequence[float | int | None] = rounded([low, high])
        found["range"] = list(reversed(ends)) if axis.reverse else list(ends)
    elif axis.reverse:
        found["autorange"] = "reversed"
    if axis.from_zero:
        found["rangemode"] = "tozero"
    if axis.ticks:
        found |= {
            "tickmode": "array", "tickvals": [at for at, _ in axis.ticks], "zeroline": False,
            "ticktext": [escaped(text) for _, text in axis.ticks], "tickfont": {"size": 11},
        }  # fmt: skip
    if axis.step is not None:
        found["dtick"] = axis.step
    if axis.percent:
        found["tickformat"] = ".0%"
    if axis.square:
        found |= {"scaleanchor": "x"}
    if not axis.grid:
        found |= {"showgrid": False, "zeroline": False}
    return found


def _log_ticks(low: float | None, high: float | None) -> Json:
    """Ticks at powers of ten, or at 1, 2 and 5 of each where there are too few of them."""
    if low is None or high is None:
        return {"exponentformat": "power"}
    powers = math.floor(math.log10(high)) - math.ceil(math.log10(low)) + 1
    return {"tickformat": "~g", "dtick": math.ceil(powers / 6) if powers > 1 else "D2"}


def _glass(colour: str, share: float) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"
