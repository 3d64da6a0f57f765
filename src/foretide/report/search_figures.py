"""Pictures of a search: its history, which parameters matter, slices, parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.report.figures import MARKERS
from foretide.report.many_models import legend_beside, new_figure, short_names, something
from foretide.report.search_panels import parallel_figure, slice_figure, value_label
from foretide.report.search_trials import (
    FINISHED,
    NOT_FINITE,
    by_number,
    ceiling,
    counted,
    finished,
    outcomes,
    plain,
    wrapped,
)  # fmt: skip
from foretide.report.style import COLOURS, QUIET, TRUTH, tidy
from foretide.text import phrase

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

__all__ = ["history_figure", "importance_figure", "parallel_figure", "slice_figure"]

RUG = {"pruned": ("|", 0.025), "failed": ("x", 0.065), "interrupted": ("+", 0.065), NOT_FINITE: ("*", 0.065)}
"""Trials without a value: marker and height above the lower edge, in fractions of the axes."""
MOST_BARS = 15
"""Parameters of one model with a bar of their own."""


# -------------------------------------------------------------------- history
def history_figure(
    trials: pd.DataFrame, *, metric: str, unit: str, baseline: tuple[str, float] | None = None
) -> Figure:
    """Draw the value of each trial by its number, the best so far, and the best simple baseline.

    Trials that were pruned, that failed or were interrupted stand as small marks at the bottom. The axis leaves out
    terrible trials; marks at the top and the legend say how many.

    Parameters
    ----------
    trials : DataFrame
        ``number, model, state, value, seconds, seed, error`` and one column per parameter; a row per trial. ``value``
        is lower for better trials and read where ``state`` is ``complete``.
    metric, unit : str
        What the value is, and in what it is measured; "" for no unit.
    baseline : (str, float), optional
        Name and value of the best simple baseline.

    Raises
    ------
    ConfigError
        For no trials, and for a table that lacks a column.
    """
    table = by_number(trials)
    how, done = outcomes(table), finished(table)
    styles = _model_styles(table, done)
    longest = max([len(style["label"]) for style in styles.values()] + [len(baseline[0]) + 40 if baseline else 0])
    figure = new_figure(11 + 0.07 * max(0, longest - 50), max(4.8, 2.4 + 0.26 * len(styles)))
    axes = figure.subplots()
    values = done["value"].to_numpy(dtype=np.float64)
    low, high, note = _value_range(values, baseline)
    _draw_values(axes, table, done, high, styles)
    if baseline is not None and math.isfinite(baseline[1]):
        label = f"{plain(baseline[0])} (best simple baseline): {baseline[1]:.4g}{note}"
        axes.axhline(baseline[1], color=TRUTH, linewidth=1.2, linestyle="--", zorder=2, label=label)
    _draw_rug(axes, table, how, styles)
    span = (high - low) or abs(high) or 1.0
    axes.set_ylim(low - span * (0.05 if (how == FINISHED).all() else 0.16), high + 0.07 * span)
    if not len(done):
        axes.text(0.5, 0.8, "no trial has a value", transform=axes.transAxes, ha="center", color=QUIET)
        if not note and (baseline is None or not math.isfinite(baseline[1])):
            axes.set_yticks([])
    _label_history(axes, table, how, metric, unit)
    return figure


def _model_styles(table: pd.DataFrame, done: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Colour, marker and legend of each model, the one with the best trial first."""
    best = {str(model): float(value) for model, value in done.groupby("model")["value"].min().items()}
    names = [str(name) for name in dict.fromkeys(table["model"])]
    order = sorted(names, key=lambda name: best.get(name, math.inf))
    short = short_names(order)
    sizes, finished_sizes = table["model"].value_counts(), done["model"].value_counts()
    styles: dict[str, dict[str, Any]] = {}
    for k, name in enumerate(order):
        found = f"best {best[name]:.4g}, " if name in best else ""
        styles[name] = {
            "color": COLOURS[k % len(COLOURS)], "marker": MARKERS[(k + k // len(COLOURS)) % len(MARKERS)],
            "label": f"{plain(short[name])}: {found}{finished_sizes.get(name, 0)} of {sizes[name]} finished",
        }  # fmt: skip
    return styles


def _value_range(values: Floats, baseline: tuple[str, float] | None) -> tuple[float, float, str]:
    """Lower and upper end of the axis, and what to say of a baseline too far away to be shown."""
    known = baseline is not None and math.isfinite(baseline[1])
    if not len(values):
        at = baseline[1] if known and baseline is not None else 0.5
        return at - 0.1 * abs(at), at + 0.1 * abs(at), ""
    low, high = float(values.min()), ceiling(values)
    if not known or baseline is None:
        return low, high, ""
    reach = 3 * ((high - low) or 0.25 * abs(high) or 1.0)
    if baseline[1] > high + reach:
        return low, high, ", above the picture"
    if baseline[1] < low - reach:
        return low, high, ", below the picture"
    return min(low, baseline[1]), max(high, baseline[1]), ""


def _draw_values(
    axes: Axes, table: pd.DataFrame, done: pd.DataFrame, high: float, styles: Mapping[str, Mapping[str, Any]]
) -> None:
    size = 6 if len(done) <= 60 else 4.8 if len(done) <= 300 else 3.8
    for k, (name, style) in enumerate(styles.items()):
        own = done[done["model"] == name]
        axes.plot(
            own["number"], own["value"], linestyle="none", markersize=size, alpha=0.8, zorder=3 - 0.01 * k,
            markeredgewidth=0, **style,
        )  # fmt: skip
        above = own[own["value"] > high]["number"]
        if len(above):
            top = axes.get_xaxis_transform()
            axes.plot(above, np.full(len(above), 0.99), "^", color=style["color"], markersize=4, transform=top)
    if not len(done):
        return
    values, numbers = done["value"].to_numpy(dtype=np.float64), done["number"].to_numpy()
    above_all = int((values > high).sum())
    if above_all:
        what = f"{phrase('trial', above_all)} above the picture (worst {values.max():.4g})"
        axes.plot([], [], "^", color=QUIET, markersize=4, label=what)
    best = int(values.argmin())
    axes.plot(
        np.append(numbers, table["number"].max()), np.append(np.minimum.accumulate(values), values.min()),
        drawstyle="steps-post", color=TRUTH, linewidth=1.4, zorder=2.5, label="best so far",
    )  # fmt: skip
    axes.plot(
        numbers[best : best + 1], values[best : best + 1], "o", markersize=12, markerfacecolor="none",
        markeredgecolor=TRUTH, zorder=4, label=f"best: trial {numbers[best]}, {values[best]:.4g}",
    )  # fmt: skip


def _draw_rug(axes: Axes, table: pd.DataFrame, how: NDArray[Any], styles: Mapping[str, Mapping[str, Any]]) -> None:
    """Mark trials without a value at the bottom, in the colour of their model."""
    numbers, models = table["number"].to_numpy(), table["model"].to_numpy(dtype=object)
    for kind in [*RUG, *sorted(set(how) - set(RUG) - {FINISHED})]:
        marker, height = RUG.get(kind, ("1", 0.065))
        if not (how == kind).any():
            continue
        for name, style in styles.items():
            own = numbers[(how == kind) & (models == name)]
            if len(own):
                at = np.full(len(own), height)
                axes.plot(
                    own, at, linestyle="none", marker=marker, markersize=6, color=style["color"], markeredgewidth=1.1,
                    transform=axes.get_xaxis_transform(), zorder=3.5, gid=kind,
                )  # fmt: skip
        axes.plot(
            [], [], linestyle="none", marker=marker, markersize=6, color=QUIET, label=f"{(how == kind).sum()} {kind}"
        )


def _label_history(axes: Axes, table: pd.DataFrame, how: NDArray[Any], metric: str, unit: str) -> None:
    from matplotlib.ticker import MaxNLocator

    first, last = int(table["number"].min()), int(table["number"].max())
    pad = max(0.8, 0.015 * (last - first))
    axes.set_xlim(first - pad, last + pad)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.set_xlabel("number of the trial, in order of its start →")
    axes.set_ylabel(value_label(metric, unit))
    title = f"History of the search: {phrase('trial', len(table))} ({counted(how)})"
    axes.set_title(title, loc="left", fontsize=11)
    tidy(axes)
    legend_beside(axes)


# -------------------------------------------------------------------- importance
def importance_figure(importances: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw how much each parameter matters, one panel of sorted bars per model.

    Parameters
    ----------
    importances : mapping
        Model -> parameter -> importance, 0 or more. A model without parameters, or without known importances, gets a
        panel that says so. Beyond :data:`MOST_BARS` parameters the least important share one bar.

    Raises
    ------
    ConfigError
        For no model.
    """
    something(importances)
    bars = {model: _sorted_bars(shares) for model, shares in importances.items()}
    longest = max((len(name) for own in bars.values() for name in own), default=0)
    columns = min(len(bars), 3 if longest <= 16 else 2)
    rows = math.ceil(len(bars) / columns)
    names, tall = list(bars), []
    for row in range(rows):
        tall.append(max(2, *(len(bars[name]) for name in names[row * columns : (row + 1) * columns]), 0))
    figure = new_figure(6.5 if columns == 1 else 11, 0.9 * rows + 0.3 * sum(tall) + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False, height_ratios=tall, sharex=True)
    highest = max((v for own in bars.values() for v in own.values()), default=1.0) or 1.0
    short = short_names(names)
    for k, (axes, name) in enumerate(zip(grid.flat, names, strict=False)):
        _draw_bars(axes, bars[name], wrapped(short[name], 40))
        axes.set_ylim(tall[k // columns] - 0.4, -0.6)  # bars are equally thick everywhere
        axes.tick_params(labelbottom=True)
        axes.set_xlim(0, highest * 1.17)
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    sums = [sum(own.values()) for own in bars.values() if own]
    of = "; those of one model sum to 1" if sums and np.allclose(sums, 1, atol=0.01) else ""
    figure.supxlabel(f"importance for the value of a trial (fraction{of}) →", fontsize=10)
    return figure


def _sorted_bars(shares: Mapping[str, float]) -> dict[str, float]:
    """Return finite importances, largest first, the least important ones together."""
    known = {name: float(v) for name, v in shares.items() if math.isfinite(v)}
    order = sorted(known, key=lambda name: (-known[name], name))
    if len(order) <= MOST_BARS:
        return {name: known[name] for name in order}
    own, rest = order[: MOST_BARS - 1], order[MOST_BARS - 1 :]
    return {**{name: known[name] for name in own}, f"{len(rest)} others together": sum(known[n] for n in rest)}


def _draw_bars(axes: Axes, bars: Mapping[str, float], title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    tidy(axes)
    if not bars:
        axes.set_yticks([])
        text = "no importances known: no parameters,\nor too few finished trials"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=9, color=QUIET)
        return
    at, values = np.arange(len(bars)), np.array(list(bars.values()))
    drawn = axes.barh(at, values, height=0.68, color=COLOURS[0])
    axes.bar_label(drawn, [f"{v:.2f}" for v in values], padding=3, fontsize=8)
    axes.set_yticks(at, [wrapped(name, 26) for name in bars])
    axes.grid(visible=False, axis="y")
