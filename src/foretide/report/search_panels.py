"""One model's trials by their parameters: slices, and parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.report.many_models import known, new_figure, short_names
from foretide.report.search_trials import (
    NONE,
    Scale,
    by_number,
    ceiling,
    counted,
    finished,
    outcomes,
    parameters,
    plain,
    scale_of,
    wrapped,
)  # fmt: skip
from foretide.report.style import COLOURS, QUIET, TRUTH, tidy
from foretide.text import phrase

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

BEST = COLOURS[1]
BELOW = -0.12
"""Where parallel coordinates draw a trial that has no value of a numeric parameter."""
MOST_LABELS = 10
"""Choices with a label on one axis; of more, every second, third … has one."""


def value_label(metric: str, unit: str = "") -> str:
    """Return the label of the axis of values."""
    return f"{plain(metric)} ({plain(unit) + '; ' if unit else ''}lower is better)"


# -------------------------------------------------------------------- slices
def slice_figure(trials: pd.DataFrame, model: str, *, metric: str, unit: str, logs: Collection[str] = ()) -> Figure:
    """Draw the value of one model's finished trials against each of its parameters.

    Numbers stand on an axis, texts and few distinct numbers side by side as choices. Later trials are darker, the best
    is marked; terrible ones are drawn at the upper edge as triangles.

    Parameters
    ----------
    trials : DataFrame
        As for :func:`~foretide.report.search_figures.history_figure`.
    model : str
        Of the column ``model``.
    metric, unit : str
        What the value is, and in what it is measured.
    logs : collection of str
        Parameters on a logarithmic axis; names that the model does not have are passed over.

    Raises
    ------
    ConfigError
        For no trials, for a table that lacks a column, and for a model without trials.
    """
    table, done, names = _of_model(trials, model)
    if not len(done) or not names:
        return _nothing(table, model, done, names)
    values, numbers = done["value"].to_numpy(dtype=np.float64), done["number"].to_numpy()
    high, best = ceiling(values), int(values.argmin())
    columns = 3 if len(names) in (3, 5, 6, 9) else min(4, len(names))
    rows = math.ceil(len(names) / columns)
    figure = new_figure(max(6.5, 2.7 * columns + 1.2), 2.75 * rows + 1.0)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    span = (high - values.min()) or abs(high) or 1.0
    for k, name in enumerate(names):
        axes = grid.flat[k]
        _draw_slice(axes, scale_of(name, done[name], log=name in logs), values, numbers, high)
        axes.set_ylim(values.min() - 0.08 * span, high + 0.08 * span)
        if k % columns == 0:
            axes.set_ylabel(value_label(metric, unit).replace(" (", "\n(", 1), fontsize=9)
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    above = int((values > high).sum())
    figure.suptitle(
        f"{_heading(table, model, done)}\nstar: the best, trial {numbers[best]}, {values[best]:.4g}"
        + (f"; {above} above the picture: triangles" if above else ""),
        fontsize=11, x=0.01, ha="left",
    )  # fmt: skip
    _number_bar(figure, list(grid.flat[: len(names)]), numbers)
    return figure


def _draw_slice(axes: Axes, scale: Scale, values: Floats, numbers: NDArray[Any], high: float) -> None:
    seen = np.isfinite(scale.values)
    colours, norm = _darker(), _norm(numbers)
    for marker, chosen, at in (("o", seen & (values <= high), values), ("^", seen & (values > high), None)):
        if chosen.any():
            y = np.full(int(chosen.sum()), 0.97) if at is None else at[chosen]
            placed: dict[str, Any] = {"transform": axes.get_xaxis_transform()} if at is None else {}
            axes.scatter(
                scale.values[chosen], y, c=numbers[chosen], cmap=colours, norm=norm, s=22, marker=marker,
                linewidths=0, alpha=0.85, zorder=3, **placed,
            )  # fmt: skip
    best = int(values.argmin())
    axes.plot(
        scale.values[best : best + 1], values[best : best + 1], "*", color=BEST, markersize=13, markeredgecolor="white",
        zorder=4,
    )  # fmt: skip
    note = "" if seen.all() else f"\n{int((~seen).sum())} trials without it are not shown"
    words = {"log": " (log scale)", "choice": " (choices)"}.get(scale.kind, "")
    axes.set_xlabel(f"{wrapped(scale.name, 26)}{words}{' →' if scale.kind != 'choice' else ''}{note}", fontsize=9)
    tidy(axes)
    axes.tick_params(labelsize=8)
    if scale.kind == "choice":
        _choice_ticks(axes, scale.choices)
    else:
        _number_ticks(axes, scale)


def _choice_ticks(axes: Axes, choices: tuple[str, ...]) -> None:
    step = math.ceil(len(choices) / MOST_LABELS)
    labels = [wrapped(choice, 12) if step == 1 else wrapped(choice, 12, 1) for choice in choices[::step]]
    slanted = max(len(row) for label in labels for row in label.split("\n")) * len(labels) > 26
    axes.set_xticks(
        np.arange(0, len(choices), step), labels, rotation=35 if slanted else 0, ha="right" if slanted else "center",
        rotation_mode="anchor",
    )  # fmt: skip
    axes.set_xlim(-0.6, len(choices) - 0.4)


def _number_ticks(axes: Axes, scale: Scale) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

    low, high = float(np.nanmin(scale.values)), float(np.nanmax(scale.values))
    if scale.kind == "log":
        axes.set_xscale("log")
        pad = (high / low) ** 0.06
        axes.set_xlim(low / pad, high * pad)
        ticks = _ticks(low, high, log=True)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_ticklabels([f"{tick:.3g}" for tick in ticks])
    else:
        axes.set_xlim(low - 0.06 * (high - low), high + 0.06 * (high - low))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))


def _number_bar(figure: Figure, panels: list[Axes], numbers: NDArray[Any]) -> None:
    """Say beside the panels how dark each trial is drawn."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.ticker import MaxNLocator

    if len(numbers) < 2:
        return
    bar = figure.colorbar(ScalarMappable(_norm(numbers), _darker()), ax=panels, pad=0.01, fraction=0.03, aspect=30)
    bar.set_label("number of the trial (later: darker) →", fontsize=9)
    bar.ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, steps=[1, 2, 5, 10]))
    bar.ax.tick_params(labelsize=8)


def _norm(numbers: NDArray[Any]) -> Any:
    from matplotlib.colors import Normalize

    low, high = float(numbers.min()), float(numbers.max())
    return Normalize(low - (low == high), high)


def _darker() -> Colormap:
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["Blues"](np.linspace(0.32, 1, 256)), "later_darker")


# -------------------------------------------------------------------- parallel coordinates
def parallel_figure(trials: pd.DataFrame, model: str, *, metric: str, logs: Collection[str] = ()) -> Figure:
    """Draw each finished trial of one model as a line across its parameters to its value.

    Each parameter has an axis of its own; the last axis is the value, and lines take their colour from it (dark is
    better). The best trial lies on top. Values too far above the rest end at the top of the last axis.

    Parameters
    ----------
    trials : DataFrame
        As for :func:`~foretide.report.search_figures.history_figure`.
    model : str
        Of the column ``model``.
    metric : str
        What the value is.
    logs : collection of str
        Parameters on a logarithmic axis; names that the model does not have are passed over.

    Raises
    ------
    ConfigError
        For no trials, for a table that lacks a column, and for a model without trials.
    """
    table, done, names = _of_model(trials, model)
    if not len(done) or not names:
        return _nothing(table, model, done, names)
    values, numbers = done["value"].to_numpy(dtype=np.float64), done["number"].to_numpy()
    high, best = ceiling(values), int(values.argmin())
    scales = [scale_of(name, done[name], log=name in logs) for name in names]
    shared = _fractions(np.minimum(values, high))
    heights = np.column_stack([*(_heights(scale) for scale in scales), shared])
    figure = new_figure(min(18.0, max(7.0, 2.6 + 1.5 * len(names))), 5.2)
    axes = figure.subplots()
    _draw_trials(axes, heights, shared, best)
    for k, scale in enumerate(scales):
        _draw_axis(axes, k, _marks(scale), lowest=BELOW if _without(scale) else 0.0)
    at_top = int((values >= high).sum()) if (values > high).any() else 0
    _draw_value_axis(axes, len(scales), float(values.min()), high, at_top)
    labels = [wrapped(s.name, 15, 3) + ("\n(log scale)" if s.kind == "log" else "") for s in scales]
    axes.set_xticks(range(len(scales) + 1), [*labels, f"{wrapped(metric, 15)}\n(lower is better)"], fontsize=9)
    axes.set_xlim(-0.45, len(scales) + 0.45)
    axes.set_ylim(BELOW - 0.05 if any(map(_without, scales)) else -0.05, 1.05)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_title(
        f"{_heading(table, model, done)}\norange: the best, trial {numbers[best]}, {values[best]:.4g}",
        loc="left", fontsize=11,
    )  # fmt: skip
    axes.set_xlabel("parameters, each on its own axis, small below ↑ large above; the last axis is the value")
    return figure


def _draw_trials(axes: Axes, heights: Floats, shared: Floats, best: int) -> None:
    """Draw lines ``[N, P + 1]``, the worst first, so that good ones lie above."""
    from matplotlib.collections import LineCollection

    order = np.argsort(-shared, kind="stable")
    across = np.arange(heights.shape[1], dtype=np.float64)
    lines = LineCollection(
        [np.column_stack([across, heights[k]]) for k in order], colors=_better_dark()(shared[order]),
        linewidths=1.3 if len(order) <= 60 else 0.9, alpha=0.75, zorder=2,
    )  # fmt: skip
    axes.add_collection(lines)
    axes.plot(across, heights[best], color="white", linewidth=5, zorder=3)
    axes.plot(across, heights[best], color=BEST, linewidth=2.6, marker="o", markersize=5, zorder=4, label="best")


def _draw_axis(axes: Axes, at: int, marks: list[tuple[float, str]], lowest: float = 0.0) -> None:
    axes.plot([at, at], [lowest, 1], color=TRUTH, linewidth=1.1, zorder=2.5)
    for height, text in marks:
        axes.annotate(
            text, (at, height), xytext=(-5, 0), textcoords="offset points", ha="right", va="center", fontsize=8,
            zorder=5, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
        )  # fmt: skip


def _draw_value_axis(axes: Axes, at: int, low: float, high: float, at_top: int) -> None:
    """Draw the last axis as a strip in the colours of the lines."""
    strip = np.linspace(0, 1, 256)[:, None]
    extent = (at - 0.02, at + 0.02, 0.0, 1.0)
    axes.imshow(strip, extent=extent, aspect="auto", origin="lower", cmap=_better_dark(), vmin=0, vmax=1, zorder=2.5)
    marks = [(0.5, f"{low:.4g}")] if low == high else _with_ends(low, high, log=False, digits=4)
    if at_top:
        marks = [mark for mark in marks if mark[0] < 0.92] + [(1.0, f"{high:.4g} or\nmore ({at_top} trials)")]
    for height, text in marks:
        axes.annotate(
            text, (at, height), xytext=(8, 0), textcoords="offset points", ha="left", va="center", fontsize=8,
            annotation_clip=False,
        )  # fmt: skip


def _better_dark() -> Colormap:
    """Viridis without its lightest end, which is hard to see on white."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["viridis"](np.linspace(0, 0.93, 256)), "better_dark")


def _fractions(values: Floats) -> Floats:
    """Return numbers as fractions of their range; the middle where all are equal."""
    low, high = np.nanmin(values), np.nanmax(values)
    return (values - low) / (high - low) if high > low else np.where(np.isnan(values), np.nan, 0.5)


def _heights(scale: Scale) -> Floats:
    if scale.kind == "choice":
        n = len(scale.choices)
        return scale.values / (n - 1) if n > 1 else np.full(len(scale.values), 0.5)
    fractions = _fractions(np.log(scale.values) if scale.kind == "log" else scale.values)
    return np.where(np.isnan(fractions), BELOW, fractions)


def _without(scale: Scale) -> bool:
    """Whether some trials have no value on an axis of numbers."""
    return bool(np.isnan(scale.values).any())


def _marks(scale: Scale) -> list[tuple[float, str]]:
    """Return heights and texts of an axis."""
    if scale.kind == "choice":
        n = len(scale.choices)
        step = math.ceil(n / MOST_LABELS)
        return [(k / (n - 1) if n > 1 else 0.5, wrapped(scale.choices[k], 14, 1)) for k in range(0, n, step)]
    low, high = float(np.nanmin(scale.values)), float(np.nanmax(scale.values))
    marks = _with_ends(low, high, log=scale.kind == "log")
    return [(BELOW, NONE), *marks] if _without(scale) else marks


def _with_ends(low: float, high: float, *, log: bool, digits: int = 3) -> list[tuple[float, str]]:
    """Return heights and texts of the two ends and of round numbers that are not too close to them."""
    ends = np.log([low, high]) if log else np.array([low, high])
    ticks = np.array(_ticks(low, high, log=log))
    heights = ((np.log(ticks) if log else ticks) - ends[0]) / (ends[1] - ends[0])
    inner = [(float(y), f"{tick:.{digits}g}") for y, tick in zip(heights, ticks, strict=True) if 0.07 < y < 0.93]
    return [(0.0, f"{low:.{digits}g}"), *inner, (1.0, f"{high:.{digits}g}")]


def _ticks(low: float, high: float, *, log: bool, n: int = 5) -> list[float]:
    """Return round numbers from low to high; the two ends where there are fewer than two."""
    from matplotlib.ticker import MaxNLocator

    if log:
        powers = 10.0 ** np.arange(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
        step = math.ceil(len(powers) / n)
        ticks = powers[::step] if len(powers) else powers
    else:
        ticks = np.asarray(MaxNLocator(nbins=n, steps=[1, 2, 5, 10]).tick_values(low, high))
        ticks = ticks[(ticks >= low) & (ticks <= high)]
    return [float(tick) for tick in ticks] if len(ticks) > 1 else [low, high]


# -------------------------------------------------------------------- shared
def _of_model(trials: pd.DataFrame, model: str) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return a model's trials, the finished ones of them, and the names of its parameters."""
    table = by_number(trials)
    known(model, dict.fromkeys(str(name) for name in table["model"]))
    own = table[table["model"] == model].reset_index(drop=True)
    return own, finished(own), parameters(own, model)


def _heading(table: pd.DataFrame, model: str, done: pd.DataFrame) -> str:
    short = plain(short_names([model, ""])[model])
    return f"{short}: {len(done)} of {phrase('trial', len(table))} finished"


def _nothing(table: pd.DataFrame, model: str, done: pd.DataFrame, names: list[str]) -> Figure:
    """Draw why there is nothing to draw."""
    figure = new_figure(6.5, 2.2)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_title(_heading(table, model, done), loc="left", fontsize=11)
    text = "no parameter was searched" if not names else f"no trial has a value: {counted(outcomes(table))}"
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=QUIET)
    return figure
