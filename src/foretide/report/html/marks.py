"""How the lines and bars of explanations are told apart: a colour, and a second mark for those who do not see it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from foretide.report.html.escape import plot_text
from foretide.report.style import COLOURS
from foretide.text import shortened

if TYPE_CHECKING:
    from foretide.report.html.chart import View

DASHED = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "2px,7px", "14px,4px,2px,4px")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "triangle-down", "cross", "x", "star")
HATCHES = ("", "/", "x", "\\", ".", "-", "+", "|")
HATCHED = {"shape": "/", "fillmode": "overlay", "size": 7, "solidity": 0.3, "fgcolor": "#ffffff"}
""""overlay": white lines on the bar's colour."""


def line_of(k: int, name: str, x: list[Any], y: list[Any], hover: str, *, markers: bool = False) -> dict[str, Any]:
    """Return the k-th line of a picture, its name as plain text."""
    line: dict[str, Any] = {
        "type": "scatter", "mode": "lines+markers" if markers else "lines", "name": plot_text(name), "x": x, "y": y,
        "line": {"color": COLOURS[k % len(COLOURS)], "dash": DASHED[k % len(DASHED)], "width": 2},
        "hovertemplate": hover,
    }  # fmt: skip
    if markers:
        line["marker"] = {"symbol": SYMBOLS[k % len(SYMBOLS)], "size": 7}
    return line


def bars_of(k: int, name: str, x: list[Any], y: list[Any], hover: str) -> dict[str, Any]:
    """Return the k-th bars of a picture, hatched from the second on."""
    marker: dict[str, Any] = {"color": COLOURS[k % len(COLOURS)]}
    if HATCHES[k % len(HATCHES)]:
        marker["pattern"] = {**HATCHED, "shape": HATCHES[k % len(HATCHES)]}
    return {
        "type": "bar", "name": plot_text(name), "x": x, "y": y, "hovertemplate": hover, "marker": marker,
    }  # fmt: skip


def level_line(value: float) -> dict[str, Any]:
    """Return a dotted horizontal line over the whole picture."""
    return {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value,
        "line": {"color": "@quiet", "width": 1.5, "dash": "dot"},
    }  # fmt: skip


def name_axis(names: Iterable[object]) -> dict[str, Any]:
    """Return what an axis of names has beside its title: the first at the top, long ones without their middle."""
    rows = [plot_text(shortened(name, 20)) for name in names]
    return {
        "tickmode": "array", "tickvals": list(range(len(rows))), "ticktext": rows, "range": [len(rows) - 0.5, -0.5],
        "tickfont": {"size": 11 if len(rows) <= 16 else 10}, "showgrid": False, "zeroline": False,
    }  # fmt: skip


def whole_steps(layout: dict[str, Any], n: int) -> None:
    """Put a tick at every one of ``n`` steps where they are few: plotly would halve them."""
    if n <= 12:
        layout["xaxis"]["dtick"] = 1


def characters(views: Iterable[View]) -> int:
    """How much room views take in the page."""
    return sum(len(json.dumps([v.data, v.layout, v.caption], separators=(",", ":"))) for v in views)
