"""One static picture of a latent state: its modes, what they move, what they stand for, how far they are known."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.report.explained_data import leading_loadings, most_moved
from foretide.report.many_models import new_figure
from foretide.report.search_trials import plain
from foretide.report.style import COLOURS, DASHES, QUIET, TRUTH, tidy
from foretide.text import shortened, unit_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES: tuple[Any, ...] = (*DASHES, (0, (8, 2)), (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (10, 3, 2, 3)))
MOST_COLUMNS, MOST_RESPONSES = 20, 3
"""Columns in the picture of loadings, and targets whose responses are drawn."""


def latent_figure(tables: Mapping[str, pd.DataFrame], *, model: str, freq: str | int) -> Figure:
    """Draw eigenvalues, loadings, the latent forecast error, and responses of the targets that shocks move most.

    Parameters
    ----------
    tables : mapping
        As :meth:`foretide.explain.latent.summary.DynamicsSummary.tables`.
    model : str
    freq : str or int
        Step of the grid, for the labels.
    """
    figure = new_figure(12.5, 8.4)
    grid = figure.add_gridspec(2, 3, height_ratios=[1.15, 1])
    _draw_modes(figure.add_subplot(grid[0, 0]), tables["modes"])
    _draw_loadings(figure.add_subplot(grid[0, 1]), tables["loadings"], figure)
    _draw_errors(figure.add_subplot(grid[0, 2]), tables["latent_errors"], freq)
    names, responses = most_moved(tables["target_effects"]), tables["impulse_responses"]
    latents = responses.loc[responses["kind"] == "state", "name"].astype(str).unique()
    # Where there are fewer targets, the latents themselves.
    shown = [*(("target", name) for name in names), *(("state", str(name)) for name in latents)][:MOST_RESPONSES]
    for k, (kind, name) in enumerate(shown):
        axes = figure.add_subplot(grid[1, k])
        own = (responses["kind"] == kind) & (responses["name"].astype(str) == name)
        _draw_responses(axes, responses[own], kind, name, freq)
        if k == 0:
            _legend_of_shocks(figure, axes)
    n = min(MOST_RESPONSES, len(names))
    heading = (
        f"{plain(model)}: latent state. Below: what shocks of one standard deviation move, {n} of {len(names)} targets "
        f"({'those moved most' if n < len(names) else 'all'}){' and latents' if len(shown) > n else ''}"
    )
    figure.suptitle(textwrap.fill(heading, 135), fontsize=11, x=0.01, ha="left")
    return figure


def _draw_modes(axes: Axes, modes: pd.DataFrame) -> None:
    around = np.linspace(0, 2 * math.pi, 200)
    axes.plot(np.cos(around), np.sin(around), color=QUIET, linewidth=1, linestyle=":", label="modulus 1")
    axes.plot(modes["real"], modes["imag"], "o", color=COLOURS[0], markersize=6, label="eigenvalue")
    reach = max(1.2, 1.1 * float(modes["modulus"].max()))
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    axes.set_xlabel("real part →")
    axes.set_ylabel("imaginary part ↑")
    axes.set_title(f"Eigenvalues, largest modulus {modes['modulus'].max():.3f}", loc="left", fontsize=10)
    tidy(axes)
    axes.legend(fontsize=8, frameon=False, loc="upper left", ncols=2)


def _draw_loadings(axes: Axes, table: pd.DataFrame, figure: Figure) -> None:
    shown = leading_loadings(table, MOST_COLUMNS)
    c, k = shown.correlation.shape
    image = axes.imshow(
        np.ma.masked_invalid(shown.correlation), cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest"
    )
    axes.set_facecolor("#d0d0d0")
    axes.set_xticks(np.arange(k), shown.latents, rotation=90 if k > 12 else 0)
    axes.set_yticks(np.arange(c), [plain(shortened(name)) for name in shown.columns])
    axes.tick_params(labelsize=8)
    axes.set_xlabel("latent state")
    axes.set_ylabel("column that is read")
    left = f", {c} of {c + shown.left_out} columns" if shown.left_out else ""
    axes.set_title(f"Correlation with the latents{left}", loc="left", fontsize=10)
    bar = figure.colorbar(image, ax=axes, pad=0.02, fraction=0.06)
    bar.set_label("correlation", fontsize=9)
    bar.ax.tick_params(labelsize=8)


def _draw_errors(axes: Axes, table: pd.DataFrame, freq: str | int) -> None:
    step, kept = table["h_step"].to_numpy(int), table["persistence"].to_numpy(float)
    low, high = (kept + table[side].to_numpy(float) for side in ("low", "high"))
    known = np.isfinite(low) & np.isfinite(high)
    level = f"{float(table['level'].iloc[0]):g} % " if "level" in table else ""
    axes.plot(step, kept, color=COLOURS[1], linestyle="--", marker="D", markersize=4, label="last state kept")
    axes.plot(step, table["mse"], color=COLOURS[0], marker="o", markersize=4, label="rolled-out state")
    if known.any():
        axes.vlines(
            step[known], low[known], high[known], color=COLOURS[0], linewidth=1.2, alpha=0.7,
            label=f"{level}interval of the difference",
        )  # fmt: skip
    axes.set_ylim(0, axes.get_ylim()[1] * 1.2)
    axes.set_xlabel(f"step: {unit_of(freq)} after the cutoff →")
    axes.set_ylabel("mean squared error, standard units")
    axes.set_title("Error of the latent state", loc="left", fontsize=10)
    _whole(axes)
    tidy(axes)
    axes.legend(fontsize=8, frameon=False, loc="upper left")


def _draw_responses(axes: Axes, table: pd.DataFrame, kind: str, name: str, freq: str | int) -> None:
    share = kind == "target" and bool(table["relative"].notna().all())
    for k, (shock, part) in enumerate(table.groupby("shock", sort=False)):
        values = part["relative"] * 100 if share else part["response"]
        axes.plot(
            part["step"], values, color=COLOURS[k % len(COLOURS)], linestyle=LINES[k % len(LINES)], linewidth=1.6,
            marker="o" if part["step"].nunique() == 1 else None, label=f"shock to {shock}",
        )  # fmt: skip
    axes.axhline(0, color=TRUTH, linewidth=0.7)
    axes.set_xlabel(f"{unit_of(freq)} after the shock →")
    unit = "% of the mean forecast" if share else "original units" if kind == "target" else "standard units"
    axes.set_ylabel(f"response, {unit}")
    axes.set_title(plain(shortened(name if kind == "target" else f"latent state {name}", 34)), loc="left", fontsize=10)
    _whole(axes)
    tidy(axes)


def _legend_of_shocks(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(8, len(labels)), fontsize=8, frameon=False)


def _whole(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
