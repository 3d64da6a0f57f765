"""Forecasts beside truth as pictures of their own, for files; the page draws them in its script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from foretide.report.html.chart import titles
from foretide.report.html.escape import plot_text
from foretide.report.html.forecasts import CHAIN

if TYPE_CHECKING:
    from foretide.report.html.content import Content

    Trace = dict[str, Any]


def forecast_views(data: Mapping[str, Any], content: Content) -> Iterator[tuple[str, list[Trace], dict[str, Any]]]:
    """Yield the chain of forecasts of each series as the page first shows it: name, traces, layout.

    The models drawn are the first one, the reference, and the first that has intervals; its intervals are shown.
    """
    unit = "counts" if content.facts["counts"] else "original units"
    for series in data["series"]:
        one = series["views"][CHAIN]
        times = [data["times"][k] for k in data["grids"][one["grid"]]]
        bounded: str | None = next((m for m in data["models"] if m in one["bounds"]), None)
        traces: list[Trace] = []
        if bounded is not None:
            shown = [level for level in reversed(data["levels"][bounded]) if level in one["bounds"][bounded]]
            traces += [
                _band(times, one, level, bounded, content, 0.3 if level == shown[-1] else 0.16) for level in shown
            ]
        drawn = [m for m in (data["models"][0], data["reference"], bounded) if m is not None and m in one["mean"]]
        for model in dict.fromkeys(drawn):
            x, y = _broken(times, one["mean"][model], one["starts"])
            traces.append({
                "type": "scatter", "mode": "lines", "name": plot_text(model), "x": x, "y": y,
                "line": {"color": content.colour(model), "dash": content.dash(model), "width": 2},
            })  # fmt: skip
        before = series.get("before")
        earlier = [data["times"][k] for k in data["grids"][before["grid"]]] if before else []
        traces.append({
            "type": "scatter", "mode": "lines", "name": "truth", "x": earlier + times,
            "y": (before["y"] if before else []) + one["y"], "line": {"color": "@text", "width": 1.4},
        })  # fmt: skip
        yield (
            series["name"],
            traces,
            titles(f"time, {content.steps} (oldest left)", f"{plot_text(series['name'])}, {unit}"),
        )


def _broken(times: list[Any], values: list[Any], starts: Sequence[int]) -> tuple[list[Any], list[Any]]:
    """Put a gap before each window but the first."""
    x, y = list(times), list(values)
    for at in sorted(starts[1:], reverse=True):
        x.insert(at, times[at])
        y.insert(at, None)
    return x, y


def _band(times: list[Any], one: Mapping[str, Any], level: str, model: str, content: Content, share: float) -> Trace:
    """Return the interval of each window as a closed line."""
    low, high = one["bounds"][model][level]
    x: list[Any] = []
    y: list[Any] = []
    edges = [*(one["starts"] or [0]), len(times)]
    for start, end in pairwise(edges):
        at = [i for i in range(start, end) if low[i] is not None and high[i] is not None]
        if at:
            x += [*(times[i] for i in at), *(times[i] for i in reversed(at)), None]
            y += [*(high[i] for i in at), *(low[i] for i in reversed(at)), None]
    red, green, blue = (int(content.colour(model)[k : k + 2], 16) for k in (1, 3, 5))
    return {
        "type": "scatter", "mode": "lines", "fill": "toself", "line": {"width": 0}, "x": x, "y": y,
        "fillcolor": f"rgba({red},{green},{blue},{share})", "name": f"{level} % interval of {plot_text(model)}",
    }  # fmt: skip
