"""Pictures as matplotlib draws them, on white, without a browser."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, assert_never

import numpy as np
import pandas as pd

from foretide.pictures.picture import FEW_BARS, Axis, Band, Bars, Heat, Line, Mark, Panel, Points, Rule, Span
from foretide.pictures.style import QUIET, SCALES, TEXT
from foretide.pictures.times import time_labels
from foretide.text import clipped

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from foretide.pictures.picture import Places, Values
    from foretide.typing import Array, Floats

PAPER = {TEXT: "#1a1a1a", QUIET: "#8a8a8a"}
MARKERS = {
    "circle": "o", "diamond": "D", "square": "s", "triangle-up": "^", "triangle-down": "v", "cross": "P", "x": "X",
    "star": "*", "pentagon": "p", "hexagon": "h", "line-ns": "|", "x-thin": "x", "cross-thin": "+", "asterisk": "*",
    "y-up": "1",
}  # fmt: skip
DOTS = {
    "solid": "-",
    "dash": "--",
    "dot": ":",
    "dashdot": "-.",
    "longdash": (0, (8, 2)),
    "longdashdot": (0, (8, 2, 1, 2)),
}
"""Names of dashes -> how matplotlib draws them."""
MOST_ACROSS = 3
"""Panels beside one another."""
MOST_IN_LEGEND = 12


def draw(panels: Sequence[Panel], title: str = "", *, wide: bool = False, together: bool = False) -> Figure:
    """Draw panels as one figure.

    Parameters
    ----------
    panels : sequence of Panel
        One fills the figure; several stand in rows of at most three.
    title : str
        Above all of them.
    wide : bool
        Whether panels of several are as wide as the figure, one below the other.
    together : bool
        Whether the panels show the same of several things: low ones, with one legend, and the titles of axes once.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from foretide.pictures.picture import Axis, Line, Panel
    >>> from foretide.pictures.matplotlib import draw
    >>> figure = draw([Panel([Line("LSTM", [1, 2], [0.5, 0.7])], Axis("step"), Axis("RMSE"))])
    >>> figure.axes[0].get_ylabel()
    'RMSE'
    """
    from foretide.pictures.figure import ShownFigure

    n = len(panels)
    columns = 1 if wide or n == 1 else min(n, 2 if n in (2, 4) else MOST_ACROSS)
    rows = math.ceil(n / columns)
    together = together and n > 1
    across = 9.0 if columns == 1 else 3.7 if together and columns > 2 else 4.6
    height = 2.6 * rows + 0.7 if together else max(3.0, _height(panels) * rows)
    figure = ShownFigure(figsize=(across * columns, height), dpi=110, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _panel(axes, panel, across)
    for axes in grid.flat[n:]:
        axes.set_visible(False)
    if together:
        _once(figure, list(grid.flat[:n]), columns)
    if title:
        figure.suptitle(textwrap.fill(plain(title), round(across * columns * 12)), fontsize=11, x=0.01, ha="left")
    return figure


def _once(figure: Figure, drawn: Sequence[Axes], columns: int) -> None:
    """Make one legend of those of all panels, and leave out titles of axes that the panel beside or below has too."""
    entries: dict[str, Artist] = {}
    up = {axes.get_ylabel() for axes in drawn}
    for k, axes in enumerate(drawn):
        entries |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        legend = axes.get_legend()
        if legend is not None:
            legend.remove()
        if k + columns < len(drawn) and drawn[k + columns].get_xlabel() == axes.get_xlabel():
            axes.set_xlabel("")
        if k % columns and len(up) == 1:
            axes.set_ylabel("")
    if len(entries) > 1:
        names, handles = list(entries)[:MOST_IN_LEGEND], list(entries.values())[:MOST_IN_LEGEND]
        room = figure.get_figwidth() * 13
        figure.legend(
            handles, names, loc="outside lower left", fontsize=8, frameon=False,
            ncols=max(1, int(room // (max(map(len, names)) + 8))),
        )  # fmt: skip


def plain(text: str) -> str:
    """Return text that matplotlib draws letter by letter: no formulas between dollars, no hidden labels."""
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def _height(panels: Sequence[Panel]) -> float:
    """Inches that a row takes: names down an axis and long legends need room."""
    names = max((len(p.y.ticks) for p in panels), default=0)
    listed = max((len(p.in_legend) for p in panels), default=0)
    least = 1.4 + 0.4 * names if 0 < names < FEW_BARS else 3.6
    return max(least, 1.4 + 0.24 * names) + 0.09 * min(listed, MOST_IN_LEGEND)


def _panel(axes: Axes, panel: Panel, width: float) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_in_layout(False)  # ticks reach further; this and y=1 below spare a look at all ticks
    axes.tick_params(labelsize=9)
    axes.set_axisbelow(True)
    axes.set_title(textwrap.fill(plain(panel.title), round(width * 11)), loc="left", fontsize=10, y=1.0)
    stack: dict[float, float] = {}
    # Limits follow what the page shows at first: what is hidden there must not press the others together.
    for mark in sorted(panel.marks, key=lambda m: isinstance(m, Line) and m.hidden):
        if isinstance(mark, Line) and mark.hidden and axes.get_autoscaley_on():
            axes.autoscale_view()
            axes.set_autoscale_on(False)
        _mark(axes, mark, panel, stack)
    if panel.note:
        axes.text(0.5, 0.5, plain(panel.note), transform=axes.transAxes, ha="center", va="center", color=PAPER[QUIET])
        if not panel.marks:
            axes.set_axis_off()
    for side, axis in (("x", panel.x), ("y", panel.y)):
        _axis(axes, side, axis, width, whole=panel.whole)
    if panel.x.kind == "time":
        _time_ticks(axes, panel, width)
    if not any(isinstance(m, Heat) for m in panel.marks):
        for line, axis in ((axes.xaxis, panel.x), (axes.yaxis, panel.y)):
            if axis.grid:
                line.grid(visible=True, color="#e6e6e6", linewidth=0.7)
    _legend(axes, panel, width)


def _legend(axes: Axes, panel: Panel, width: float) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if len(panel.in_legend) < 2 or len(handles) < 2:
        return
    longest = max(len(label) for label in labels[:MOST_IN_LEGEND])
    axes.legend(
        handles[:MOST_IN_LEGEND], labels[:MOST_IN_LEGEND], fontsize=8, frameon=False, loc="upper left",
        bbox_to_anchor=(0, 0), borderaxespad=4.6, ncols=max(1, int(width * 14 // (longest + 8))),
    )  # fmt: skip


def _mark(axes: Axes, mark: Mark, panel: Panel, stack: dict[float, float]) -> None:
    match mark:
        case Line():
            _line(axes, mark, panel)
        case Points():
            _points(axes, mark, panel)
        case Bars():
            _bars(axes, mark, panel, stack)
        case Band():
            _band(axes, mark, panel)
        case Heat():
            _heat(axes, mark)
        case Rule():
            line = axes.axvline if mark.upright else axes.axhline
            line(_one(mark.at, panel.x), color=_colour(mark.colour), linewidth=mark.width * 0.75, linestyle=":")
        case Span():
            ends = (_one(end, panel.x) for end in (mark.low, mark.high))
            axes.axvspan(*ends, color=_colour(mark.colour), alpha=mark.opacity, linewidth=0, zorder=0.5)
        case _:
            assert_never(mark)


def _line(axes: Axes, mark: Line, panel: Panel) -> None:
    x, y = places(mark.x, panel.x), numbers(mark.y)
    colour, label = _colour(mark.colour), plain(mark.name) if mark.legend and mark.name else None
    dots = (
        DOTS[mark.dash] if mark.dash in DOTS else (0, tuple(float(p) for p in mark.dash.replace("px", "").split(",")))
    )
    if mark.hidden:
        axes.plot(x, y, color=PAPER[QUIET], alpha=0.5, linewidth=0.7, zorder=1.5)
        return
    marker = MARKERS.get(mark.symbol) or ("o" if len(x) == 1 else None)
    size = 4 if len(x) <= 10 else 3
    axes.plot(
        x, y, color=colour, linewidth=0.8 * mark.width, linestyle=dots, marker=marker, markersize=size, label=label,
        drawstyle="steps-post" if mark.stepped else "default", zorder=2.5,
    )  # fmt: skip
    if mark.low is not None and mark.high is not None:
        axes.vlines(x, numbers(mark.low), numbers(mark.high), color=colour, linewidth=1, alpha=0.7)


def _points(axes: Axes, mark: Points, panel: Panel) -> None:
    x, y = places(mark.x, panel.x), numbers(mark.y)
    symbol, label = mark.symbol.removesuffix("-open"), plain(mark.name) if mark.legend and mark.name else None
    size = (0.8 * mark.size) ** 2
    if mark.values is not None:
        drawn = axes.scatter(
            x, y, c=numbers(mark.values), cmap=_colours("values"), vmin=mark.low, vmax=mark.high, s=size,
            marker=MARKERS[symbol], edgecolors=PAPER[QUIET], linewidths=0.5, zorder=3,
        )  # fmt: skip
        axes.figure.colorbar(drawn, ax=axes, pad=0.02, label=plain(mark.scale))
        return
    colour, thin = _colour(mark.colour), symbol in ("line-ns", "x-thin", "cross-thin", "y-up")
    hollow = mark.symbol.endswith("-open") and not thin
    axes.scatter(
        x, y, s=size, marker=MARKERS[symbol], facecolors="none" if hollow else colour, alpha=mark.opacity, label=label,
        linewidths=1.4 if hollow or thin else 0, edgecolors=None if thin else colour, zorder=3,
    )  # fmt: skip


def _bars(axes: Axes, mark: Bars, panel: Panel, stack: dict[float, float]) -> None:
    at, size = numbers(mark.at), numbers(mark.size)
    base = np.array([stack.get(place, 0.0) for place in at.tolist()]) if panel.stacked else np.zeros(len(at))
    draw_bars = axes.barh if mark.across else axes.bar
    hatch = mark.hatch * 2 or None
    drawn = draw_bars(
        at, size, panel.bar_width, base, color=_colour(mark.colour), alpha=mark.opacity, hatch=hatch,
        label=plain(mark.name), edgecolor="white" if hatch else None, linewidth=0,
    )  # fmt: skip
    if panel.stacked:
        stack |= dict(zip(at.tolist(), (base + np.nan_to_num(size)).tolist(), strict=True))
    if mark.low is not None and mark.high is not None:
        lines = axes.hlines if mark.across else axes.vlines
        lines(at, numbers(mark.low), numbers(mark.high), color=PAPER[TEXT], linewidth=1)
    if mark.labels:
        axes.bar_label(drawn, [plain(text) for text in mark.labels], padding=3, fontsize=8)


def _band(axes: Axes, mark: Band, panel: Panel) -> None:
    x, low, high = places(mark.x, panel.x), numbers(mark.low), numbers(mark.high)
    edges = [*(mark.starts or [0]), len(x)]
    for k, (start, end) in enumerate(pairwise(edges)):
        axes.fill_between(
            x[start:end], low[start:end], high[start:end], color=_colour(mark.colour), alpha=mark.opacity,
            linewidth=0 if end - start > 1 else 4, label=plain(mark.name) if k == 0 else None,
        )  # fmt: skip


def _heat(axes: Axes, mark: Heat) -> None:
    x, y = numbers(mark.x), numbers(mark.y)
    image = axes.imshow(
        np.ma.masked_invalid(np.asarray(mark.values, dtype=np.float64)), aspect="auto", origin="lower",
        cmap=_colours(mark.scale), vmin=mark.low, vmax=mark.high, interpolation="nearest",
        extent=(x[0] - _half(x), x[-1] + _half(x), y[0] - _half(y), y[-1] + _half(y)),
    )  # fmt: skip
    axes.set_facecolor("#d0d0d0")
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02, fraction=0.06)
    bar.set_label(plain(mark.title), fontsize=9)
    bar.ax.tick_params(labelsize=8)


def _half(values: Floats) -> float:
    """Half a cell; below zero where places fall."""
    return float(values[1] - values[0]) / 2 if len(values) > 1 else 0.5


def _axis(axes: Axes, side: str, axis: Axis, width: float, *, whole: bool) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, MultipleLocator, NullFormatter, PercentFormatter

    room = round(width * 11) if side == "x" else 45
    ours = axes.xaxis if side == "x" else axes.yaxis
    ours.set_label_text(textwrap.fill(plain(" ".join(axis.title.split())), room), fontsize=9)
    low, high = axes.get_xlim() if side == "x" else axes.get_ylim()
    if axis.kind == "log":
        (axes.set_xscale if side == "x" else axes.set_yscale)("log")
        low, high = axes.get_xlim() if side == "x" else axes.get_ylim()
    if axis.low is not None and axis.high is not None:
        low, high = axis.low, axis.high
    elif axis.from_zero:
        low = min(low, 0)
    low, high = min(low, high), max(low, high)
    (axes.set_xlim if side == "x" else axes.set_ylim)(*((high, low) if axis.reverse else (low, high)))
    if axis.ticks:
        texts = ["\n".join(clipped(plain(line), 26) for line in text.split("\n")) for _, text in axis.ticks]
        ours.set_ticks([at for at, _ in axis.ticks], texts, fontsize=8)
        if side == "x" and sum(max(map(len, text.split("\n"))) for text in texts) > width * 12:
            axes.tick_params(axis="x", rotation=90)
    elif axis.kind == "log":
        ours.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 200 * low else (1,)))
        ours.set_major_formatter("{x:g}")
        ours.set_minor_formatter(NullFormatter())
    elif side == "y" and axis.step is not None:
        ours.set_major_locator(MultipleLocator(axis.step))
    elif axis.step is not None or (side == "x" and whole):
        ours.set_major_locator(MaxNLocator(integer=True, nbins=12, min_n_ticks=1))
    if axis.percent:
        ours.set_major_formatter(PercentFormatter(1, decimals=0))
    if axis.square:
        axes.set_aspect("equal", adjustable="box")


def _time_ticks(axes: Axes, panel: Panel, width: float) -> None:
    """Put ticks at the times themselves where they are few and even, else where matplotlib finds good ones."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    few = sorted(str(place) for place in panel.few_places)
    at = places(few, panel.x).astype("datetime64[s]").astype(np.int64)
    apart = np.diff(at)
    if 0 < len(few) <= width and (apart * len(apart) > 0.6 * apart.sum()).all():
        axes.set_xticks(places(few, panel.x), time_labels(few))
    else:
        locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_xlabel(axes.get_xlabel(), fontsize=9, loc="left")  # the year stands on the right


def places(values: Places, axis: Axis) -> Array:
    """Return places on an axis as numbers, or as dates where they are times."""
    if axis.kind == "time":
        return np.asarray(pd.to_datetime(pd.Series(list(values), dtype=object)).to_numpy())
    return numbers(values)


def numbers(values: Values | Places) -> Floats:
    """Return numbers, NaN where there is none."""
    return np.array([math.nan if v is None else float(v) for v in values], dtype=np.float64)


def _one(value: float | str, axis: Axis) -> float:
    """A single place; matplotlib takes a date as it takes a number."""
    found: float = places([value], axis)[0]
    return found


def _colour(name: str) -> str:
    return PAPER.get(name, name)


def _colours(scale: str) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(scale, SCALES[scale])
