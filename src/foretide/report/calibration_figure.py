"""Picture of calibration: quantiles, probability integral transform, coverage by horizon step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.errors import ConfigError
from foretide.report.many_models import model_styles, new_figure, short_names, something
from foretide.report.style import TRUTH, tidy
from foretide.text import unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]


N_BANDS = 2
"""Models with a band: more of them hide one another."""


def calibration_figure(
    reliability: Mapping[str, Any],
    pit: Mapping[str, tuple[Floats, Floats, Floats]],
    coverage_by_step: Mapping[str, Floats],
    *,
    level: float,
    freq: str | int,
) -> Figure:
    """Draw whether predictive distributions keep their promises, in three panels; one without data is left out.

    Left: share of truths below each quantile against its level; on the diagonal a distribution is calibrated. Truths
    that are counts can equal a quantile, so that a band runs from the share below it to the share at or below it: a
    calibrated distribution has the diagonal inside. The first two models show their band. Middle: histogram of the
    probability integral transform, as a ratio to the share that a calibrated distribution has in each bin. Right: share
    of truths inside the central interval by horizon step.

    Parameters
    ----------
    reliability : mapping
        Model -> frame with columns ``level``, ``below`` and ``at_or_below``, all fractions.
    pit : mapping
        Model -> edges ``[K + 1]``, observed share ``[K]`` and nominal share ``[K]`` of the bins.
    coverage_by_step : mapping
        Model -> share of truths inside the interval ``[H]``.
    level : float
        Of the central interval, in percent.
    freq : str or int
        Step of the grid, for the labels.
    """
    names = list(dict.fromkeys([*reliability, *pit, *coverage_by_step]))
    something(names)
    if not 1 < level < 100:
        raise ConfigError(f"level is a percentage between 1 and 100, such as 80; got {level!r}.")
    styles, labels = model_styles(names), short_names(names)
    n = sum(map(bool, (reliability, pit, coverage_by_step)))
    figure = new_figure(max(6.0, 13 / 3 * n), 4.9 + 0.2 * max(0, len(names) // 3 - 1))
    panels = iter(figure.subplots(1, n, squeeze=False)[0])
    if reliability:
        _draw_reliability(next(panels), reliability, styles)
    if pit:
        _draw_pit(next(panels), pit, styles)
    if coverage_by_step:
        _draw_coverage(next(panels), coverage_by_step, styles, level, freq)
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], label=labels[name], **styles[name], markersize=3.5) for name in names]
    lines.append(Line2D([], [], color=TRUTH, linewidth=1.0, linestyle="-", label="calibrated"))
    longest = max(len(labels[name]) for name in names)
    figure.legend(
        handles=lines, loc="outside lower center", ncols=n if longest > 24 else n + 2, fontsize=9, frameon=False
    )
    return figure


def _draw_reliability(axes: Axes, reliability: Mapping[str, Any], styles: Mapping[str, dict[str, Any]]) -> None:
    axes.plot([0, 1], [0, 1], color=TRUTH, linewidth=1.0, zorder=2)
    bands = 0
    for name, table in reliability.items():
        nominal, below, upto = (np.asarray(table[key], dtype=np.float64) for key in ("level", "below", "at_or_below"))
        if bands < N_BANDS and not np.allclose(below, upto, equal_nan=True):
            axes.fill_between(nominal, below, upto, color=styles[name]["color"], alpha=0.13, linewidth=0, zorder=1)
            bands += 1
        axes.plot(nominal, (below + upto) / 2, markersize=3.5, **styles[name])
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("nominal level of the quantile (fraction) →")
    axes.set_ylabel("observed share of truths below it (fraction) ↑")
    axes.set_title("Reliability of quantiles", loc="left", fontsize=11)
    if bands:
        axes.text(
            0.03, 0.97, "band: from below the quantile\nto at or below it; line: middle", transform=axes.transAxes,
            fontsize=8, va="top", color=TRUTH,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
        )  # fmt: skip
    tidy(axes)


def _draw_pit(
    axes: Axes, pit: Mapping[str, tuple[Floats, Floats, Floats]], styles: Mapping[str, dict[str, Any]]
) -> None:
    axes.axhline(1, color=TRUTH, linewidth=1.0, zorder=2)
    highest = 1.0
    for name, (edges, observed, nominal) in pit.items():
        ratio = np.full(len(nominal), np.nan)
        np.divide(observed, nominal, out=ratio, where=np.asarray(nominal) > 0)
        style = {key: value for key, value in styles[name].items() if key != "marker"}
        axes.stairs(ratio, edges, baseline=None, **style)
        highest = max(highest, float(np.nanmax(ratio, initial=1.0)))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, min(highest * 1.08, 4.0))
    axes.set_xlabel("probability integral transform (fraction) →")
    axes.set_ylabel("observed / expected share of truths (ratio) ↑")
    title = "PIT histogram" + (" (some bins above 4)" if highest * 1.08 > 4 else "")
    axes.set_title(title, loc="left", fontsize=11)
    tidy(axes)


def _draw_coverage(
    axes: Axes, coverage: Mapping[str, Floats], styles: Mapping[str, dict[str, Any]], level: float, freq: str | int
) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.axhline(level, color=TRUTH, linewidth=1.0, zorder=2)
    lowest, h = level, 1
    for name, values in coverage.items():
        percent = 100 * np.asarray(values, dtype=np.float64)
        style = {**styles[name], "marker": styles[name]["marker"] if len(percent) <= 24 else None}
        axes.plot(np.arange(1, len(percent) + 1), percent, markersize=3.5, **style)
        lowest, h = min(lowest, float(np.nanmin(percent, initial=level))), max(h, len(percent))
    pad = 0.04 * h if h > 1 else 0.5
    axes.set_xlim(1 - pad, h + pad)
    axes.set_ylim(max(0.0, lowest - 5), 101)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    axes.set_xlabel(f"horizon step: {unit_of(freq)} after the cutoff →")
    axes.set_ylabel(f"truths inside the {level:g} % interval (%) ↑")
    axes.set_title("Coverage by horizon step", loc="left", fontsize=11)
    tidy(axes)
