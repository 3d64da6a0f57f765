"""Static pictures of attention beside whether to believe it, and of which inputs matter."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.report.explained_data import MASKS, MEASURED, Ranked, both_tests, difference_words, input_scale, kind_of
from foretide.report.figures import attention_figure
from foretide.report.latent_figures import latent_figure
from foretide.report.many_models import new_figure
from foretide.report.search_trials import plain
from foretide.report.style import COLOURS, DASHES, QUIET, TRUTH, tidy
from foretide.text import shortened, unit_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from foretide.explain.weights.summary import AttentionSummary

    Tables = Mapping[str, pd.DataFrame]

MARKERS = ("o", "D", "s", "^", "v", "P", "X", "*")
MOST_BARS = 30
"""Inputs with a bar."""
HATCH = "////"
"""Of bars that are no more than chance."""


def belief_figure(tables: Mapping[str, pd.DataFrame], *, model: str, freq: str | int) -> Figure:
    """Draw where attention looks, how sharply, and whether the forecast needs it.

    Parameters
    ----------
    tables : mapping
        ``lags_by_distance`` and ``entropy``; ``faithfulness``, ``faithfulness_by_step`` and ``faithfulness_draws``
        where the weights were tested, else there is no lower row.
    model : str
    freq : str or int
        Step of the grid, for the labels.
    """
    tested = "faithfulness" in tables
    figure = new_figure(11, 7.4 if tested else 4.0)
    grid = figure.add_gridspec(2 if tested else 1, 6)
    _draw_distance(figure.add_subplot(grid[0, :3]), tables["lags_by_distance"], tables["entropy"], freq)
    _draw_entropy(figure.add_subplot(grid[0, 3:]), tables["entropy"], freq)
    title = f"{plain(model)}: where the attention lies, and how sharp it is"
    if tested:
        one = tables["faithfulness"].iloc[0]
        _draw_masks(figure.add_subplot(grid[1, :2]), tables["faithfulness_by_step"], freq)
        found = both_tests(tables)
        k, lookback = int(one["k"]), int(one["lookback"])
        _draw_rank(figure.add_subplot(grid[1, 2:4]), found["masking"], f"masking {k} of {lookback} lags", "attended")
        _draw_rank(figure.add_subplot(grid[1, 4:]), found["moving"], "moving the weights", "own places")
        title += f"\n{one['verdict']}; attended minus random lags masked: {difference_words(one)}"
    heading = "\n".join(textwrap.fill(line, 125) for line in title.splitlines())
    figure.suptitle(heading, fontsize=11, x=0.01, ha="left")
    return figure


def _draw_distance(axes: Axes, table: pd.DataFrame, entropy: pd.DataFrame, freq: str | int) -> None:
    unit, far = unit_of(freq), table["distance"].to_numpy(int)
    axes.bar(far, table["weight"], width=0.85, color=COLOURS[0])
    even = 1 / np.exp(float(entropy["limit"].iloc[0]))
    axes.axhline(even, color=TRUTH, linewidth=1, linestyle=":", label=f"even attention, {even:.3g}")
    axes.set_xlim(far.max() + 0.7, far.min() - 0.7)
    axes.set_xlabel(f"{unit} before the forecast step (oldest left) →")
    axes.set_ylabel("mean weight, share of one")
    axes.set_title("Weight by distance to the forecast step", loc="left", fontsize=10)
    _whole(axes)
    tidy(axes)
    axes.legend(fontsize=8, frameon=False)


def _draw_entropy(axes: Axes, table: pd.DataFrame, freq: str | int) -> None:
    heads = table.groupby("head", sort=True)
    for k, (head, part) in enumerate(heads):
        axes.plot(
            part["h_step"], part["entropy"], color=COLOURS[k % len(COLOURS)], linestyle=DASHES[k % 4],
            marker=MARKERS[k % len(MARKERS)], markersize=4, label=f"head {head}",
        )  # fmt: skip
    limit = float(table["limit"].iloc[0])
    axes.axhline(limit, color=TRUTH, linewidth=1, linestyle=":", label=f"even attention, {limit:.3g}")
    axes.set_ylim(0, limit * 1.08)
    axes.set_xlabel(f"horizon step: {unit_of(freq)} after the cutoff →")
    axes.set_ylabel("entropy of the weights, nats")
    axes.set_title("Concentration by horizon step", loc="left", fontsize=10)
    _whole(axes)
    tidy(axes)
    axes.legend(fontsize=8, frameon=False, ncols=1 + len(heads) // 5, loc="lower right")


def _draw_masks(axes: Axes, table: pd.DataFrame, freq: str | int) -> None:
    for k, (column, name, marker, dashes) in enumerate(MASKS):
        axes.plot(
            table["h_step"], table[column], color=COLOURS[k], marker=marker, linestyle=dashes, markersize=4, label=name
        )
    axes.set_ylim(0, 1.35 * float(table[[column for column, *_ in MASKS]].to_numpy(float).max()) or 1)
    axes.set_xlabel(f"horizon step: {unit_of(freq)} ahead →", fontsize=9)
    axes.set_ylabel(MEASURED, fontsize=9)
    axes.set_title("Error by horizon step", loc="left", fontsize=10)
    _whole(axes)
    tidy(axes)
    axes.legend(fontsize=8, frameon=False)


def _draw_rank(axes: Axes, found: Ranked, what: str, own: str) -> None:
    """One test: all errors, smallest first, the true one marked."""
    place = np.arange(1, len(found.values) + 1)
    other = place != found.place
    axes.plot(place[other], found.values[other], "o", color=QUIET, markersize=4, label="lags relabelled at random")
    axes.plot([found.place], [found.values[found.place - 1]], "D", color=COLOURS[1], markersize=8, label=own)
    axes.set_xlabel("rank of the error (lowest left) →", fontsize=9)
    axes.set_ylabel(MEASURED, fontsize=9)
    axes.set_title(f"Test by {what}: p = {found.p_value:.2g}", loc="left", fontsize=10)
    _whole(axes)
    tidy(axes)
    axes.margins(y=0.25)
    axes.legend(fontsize=8, frameon=False)


def input_figure(table: pd.DataFrame, *, model: str) -> Figure:
    """Draw how much the error grows when each input is replaced, largest first, with intervals.

    Parameters
    ----------
    table : DataFrame
        As :meth:`foretide.explain.importance.summary.InputImportance.table`, with ``metric, loss, level``.
    model : str
    """
    scale, unit = input_scale(table)
    part = table.head(MOST_BARS)
    n = len(part)
    figure = new_figure(9, 2.2 + 0.27 * n)
    axes: Axes = figure.subplots()
    y = np.arange(n)
    value = part["increase"].to_numpy(float) * scale
    certain = part["more_than_chance"].to_numpy(bool)
    kinds = list(dict.fromkeys(part["kind"].astype(str)))
    for k, kind in enumerate(kinds):
        for sure in (True, False):
            chosen = (part["kind"].astype(str) == kind).to_numpy() & (certain == sure)
            if chosen.any():
                look: dict[str, Any] = {} if sure else {"hatch": HATCH, "alpha": 0.45, "edgecolor": "white"}
                label = f"{plain(kind_of(kind))}{'' if sure else ', no more than chance'}"
                axes.barh(y[chosen], value[chosen], color=COLOURS[k % len(COLOURS)], height=0.7, label=label, **look)
    low, high = (part[side].to_numpy(float) * scale for side in ("low", "high"))
    known = np.isfinite(low) & np.isfinite(high)
    axes.hlines(y[known], low[known], high[known], color=TRUTH, linewidth=1.1)
    axes.axvline(0, color=TRUTH, linewidth=0.8)
    axes.set_yticks(y, [plain(shortened(name, 30)) for name in part["group"]])
    axes.set_ylim(n - 0.3, -0.7)
    axes.set_ylabel("input that is replaced")
    level = f" (lines: {float(table['level'].iloc[0]):g} % intervals)" if known.any() else ""
    axes.set_xlabel(f"{unit}{level} →")
    left = f", the {n} largest of {len(table)}" if len(table) > n else ""
    title = f"{plain(model)}: what the error grows by when an input is replaced{left}"
    axes.set_title(textwrap.fill(title, 85), loc="left", fontsize=11)
    tidy(axes)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    return figure


def _whole(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))


# ---------------------------------------------------------------- by subject
def _of_attention(
    summary: AttentionSummary, tables: Tables, *, model: str, freq: str | int
) -> dict[str, Figure]:  # fmt: skip
    heat = attention_figure(
        summary.mean_weights[None], model=model, freq=freq, windows=summary.about, n_windows=summary.shape[0]
    )
    return {"attention": heat, "attention-belief": belief_figure(tables, model=model, freq=freq)}


PICTURES: dict[str, Callable[..., dict[str, Figure]]] = {
    "Attention": _of_attention,
    "Latent state": lambda _, tables, **about: {"latent-state": latent_figure(tables, **about)},
    "Inputs": lambda _, tables, model, freq: {"inputs": input_figure(tables["inputs"], model=model)},
}
"""Subject of an explanation -> its pictures, by the name of their files, from summary and tables."""
