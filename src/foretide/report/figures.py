"""Static pictures of a run: forecast against truth with the error by horizon, and attention heatmaps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.report.style import COLOURS, DASHES, QUIET, TRUTH, tidy
from foretide.text import phrase, unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from foretide.forecasters.forecast import Forecast

    Floats = NDArray[np.floating]

OVERLAID: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.2)))
"""Later lines leave gaps, so that an equal line below shows through."""
MARKERS = ("o", "s", "^", "D")
"""Another one after every nine grey lines: three greys with three dashes are used up."""
READABLE_STEPS = 168
"""Steps of a series a reader takes in at once: a week of hours."""


@dataclass(frozen=True)
class Stretch:
    """A readable piece of one series with forecasts that do not overlap.

    Attributes
    ----------
    series : str
    times : index ``[K * H]``
    truth : float array ``[K * H]``
    forecasts : dict of float arrays ``[K, H]``
    h : int
    """

    series: str
    times: Any
    truth: Floats
    forecasts: dict[str, Floats]
    h: int


def stretch(forecasts: Sequence[Forecast], *, steps: int = READABLE_STEPS, entity: int = 0, target: int = 0) -> Stretch:
    """Pick the newest run of forecasts, one every ``h`` steps, of one series.

    Parameters
    ----------
    forecasts : sequence of Forecast
        Of the same windows.
    steps : int
        About how many steps to show; at least one horizon, at most 24 of them.
    entity, target : int
        Which series.
    """
    first = forecasts[0]
    h, panel = first.h, first.panel
    chosen = in_a_row(first, entity, steps)
    ahead = first.cutoff_steps[chosen][:, None] + np.arange(1, h + 1)
    return Stretch(
        panel.series_name(entity, target),
        panel.grid.local_times(ahead),
        first.truth()[chosen, :, target].reshape(-1),
        {f.model: f.mean[chosen, :, target] for f in forecasts},
        h,
    )


def in_a_row(forecast: Forecast, entity: int, steps: int) -> list[int]:
    """Return the newest windows of one entity that follow one another without overlap, oldest first."""
    own = np.flatnonzero(forecast.windows.entity == entity)
    cutoffs = forecast.windows.cutoff[own]
    by_cutoff = dict(zip(cutoffs.tolist(), own.tolist(), strict=True))
    chosen: list[int] = []
    at = int(cutoffs.max())
    for _ in range(min(24, max(1, math.ceil(steps / forecast.h)))):
        if at in by_cutoff:
            chosen.insert(0, by_cutoff[at])
        at -= forecast.h
    return chosen


def forecast_figure(
    piece: Stretch,
    by_step: Mapping[str, Floats],
    *,
    freq: str | int,
    metric: str = "RMSE",
    floor: Floats | None = None,
    unit: str = "original units",
) -> Figure:
    """Draw forecast against truth over a stretch, and below it the error by horizon step.

    Parameters
    ----------
    piece : Stretch
        Its forecasts are drawn in the order given.
    by_step : mapping
        Model -> error ``[H]`` over all test windows and series, best first; models of ``piece`` keep their colour.
    freq : str or int
        Step of the grid, for the labels.
    metric, unit : str
        What the error is, for the labels.
    floor : float array ``[H]``, optional
        Error of the oracle, where there is one.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.4), dpi=110, layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=[1.15, 1])
    colours = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(piece.forecasts)}
    _draw_stretch(top, piece, colours, freq)
    if floor is not None:
        steps = np.arange(1, len(floor) + 1)
        bottom.plot(
            steps, floor, color=TRUTH, linewidth=1.4, linestyle=":", label="oracle: the best possible", zorder=4
        )
    draw_by_step(bottom, by_step, colours)
    bottom.set_xlabel(f"horizon step: {unit_of(freq)} after the cutoff →")
    bottom.set_ylabel(f"{metric} ({unit})")
    bottom.set_title(f"Error by horizon step: {metric} over all test windows and series", loc="left", fontsize=11)
    return figure


def _draw_stretch(axes: Axes, piece: Stretch, colours: Mapping[str, str], freq: str | int) -> None:
    times = np.asarray(piece.times)
    axes.plot(times, piece.truth, color=TRUTH, linewidth=1.6, label="truth", zorder=3)
    for k, (name, values) in enumerate(piece.forecasts.items()):
        # A NaN after each window breaks the line: neighbouring forecasts come from different cutoffs.
        broken = np.concatenate([values, np.full((len(values), 1), np.nan)], axis=1).reshape(-1)
        ticks = times.reshape(-1, piece.h)
        axes.plot(
            np.concatenate([ticks, ticks[:, -1:]], axis=1).reshape(-1), broken, color=colours[name], linewidth=1.6,
            linestyle=OVERLAID[k % len(OVERLAID)], marker="o" if piece.h == 1 else None, markersize=2.5, label=name,
        )  # fmt: skip
    starts = times.reshape(-1, piece.h)[:, 0]
    for k, start in enumerate(starts):
        axes.axvline(
            start,
            color=QUIET,
            linewidth=0.6,
            linestyle=":",
            zorder=0,
            label="first step after a cutoff" if k == 0 else None,
        )
    n = len(starts)
    what = (
        f"{n} forecasts in a row, each {piece.h} {unit_of(freq, plural=piece.h > 1)} long and made from its own cutoff"
    )
    axes.set_title(
        f"{piece.series}: forecast against truth at the end of the test part ({what})", loc="left", fontsize=11
    )
    axes.set_xlabel("time →")
    axes.set_ylabel(f"{piece.series} (original units)")
    tidy(axes)
    axes.legend(fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))


def draw_by_step(axes: Axes, by_step: Mapping[str, Floats], colours: Mapping[str, str]) -> None:
    """Draw the error ``[H]`` of each model by horizon step: those with a colour above, others in grey."""
    finite = {name: values for name, values in by_step.items() if np.isfinite(values).any()}
    # One very bad model must not press all others onto the axis: it leaves the picture, and the legend says so.
    typical = np.median([np.nanmax(v) for v in finite.values()]) if finite else 1.0
    limit = max([np.nanmax(v) for v in finite.values() if np.nanmax(v) <= 2.5 * typical], default=1.0)
    quiet = 0
    for name, values in finite.items():
        steps = np.arange(1, len(values) + 1)
        shown = name if np.nanmax(values) <= limit * 1.001 else f"{name} (leaves the picture)"
        marker = "o"
        if name in colours:
            dashes = OVERLAID[list(colours).index(name) % len(OVERLAID)]
            style: dict[str, Any] = {"color": colours[name], "linewidth": 2.0, "zorder": 3, "linestyle": dashes}
        else:
            style = {"color": greys(quiet), "linewidth": 1.2, "linestyle": DASHES[1:][quiet % 3]}
            marker = MARKERS[(quiet // 9) % len(MARKERS)]
            quiet += 1
        axes.plot(steps, values, label=shown, marker=marker if len(values) <= 24 else None, markersize=3, **style)
    h = max((len(values) for values in finite.values()), default=1)
    pad = 0.03 * h if h > 1 else 0.5
    axes.set_xlim(1 - pad, h + pad)
    axes.set_ylim(0, float(limit) * 1.06)
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12, min_n_ticks=1))
    tidy(axes)
    axes.legend(
        fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5), title="best first", title_fontsize=9
    )


def greys(k: int) -> str:
    """Return the grey of the k-th model without a colour; with three dashes to each, nine can be told apart."""
    return ("#555555", "#777777", "#999999")[(k // 3) % 3]


def attention_figure(
    weights: Floats, *, model: str, freq: str | int, windows: str, n_windows: int | None = None
) -> Figure:
    """Draw where the forecast looks: horizon step x lag, mean of all heads above, one panel per head below.

    Parameters
    ----------
    weights : float array ``[N, M, H, L]``
        Attention over the lookback, oldest step first (index ``L - 1`` is lag 0); each row sums to one.
    model : str
    freq : str or int
        Step of the grid, for the labels.
    windows : str
        Which windows the mean is over, in words.
    n_windows : int, optional
        How many these are, where ``weights`` is their mean already; ``N`` by default.
    """
    from matplotlib.figure import Figure

    n, heads, _, lookback = weights.shape
    n = n_windows or n
    mean = weights.astype(np.float64).mean(axis=0)
    columns = min(heads, 4)
    rows = math.ceil(heads / columns)
    figure = Figure(figsize=(11, 4.2 + 2.3 * rows), dpi=110, layout="constrained")
    grid = figure.add_gridspec(1 + rows, columns, height_ratios=[1.6] + [1.0] * rows)
    unit = unit_of(freq)
    upper = figure.add_subplot(grid[0, :])
    _heatmap(upper, mean.mean(axis=0), figure)
    upper.set_title(
        f"{model}: attention, mean of {heads} heads and {phrase('window', n)} ({windows})",
        loc="left",
        fontsize=11,
    )
    upper.set_ylabel(f"horizon step\n({unit} ahead) ↑")
    upper.set_xlabel(f"lag: {unit} before the cutoff (oldest on the left, newest = 0 on the right) →")
    for head in range(heads):
        row, column = divmod(head, columns)
        axes = figure.add_subplot(grid[1 + row, column])
        _heatmap(axes, mean[head], figure, bins=4)
        axes.set_title(f"head {head + 1}", loc="left", fontsize=10)
        axes.set_xlabel(f"lag ({unit}) →", fontsize=9)
        if column == 0:
            axes.set_ylabel("horizon step ↑", fontsize=9)
    figure.supxlabel(
        f"Each row sums to one over the lags; even attention would give every cell {1 / lookback:.3g}.",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    return figure


def _heatmap(axes: Axes, weights: Floats, figure: Figure, bins: int = 12) -> None:
    """One panel ``[H, L]``; the lag axis runs from old (left) to new (right)."""
    from matplotlib.colors import PowerNorm
    from matplotlib.ticker import MaxNLocator

    h, lookback = weights.shape
    # Few weights are large; by the root of their share small ones differ too.
    image = axes.imshow(
        weights, aspect="auto", origin="lower", cmap="cividis", norm=PowerNorm(0.5, vmin=0), interpolation="nearest",
        extent=(lookback - 0.5, -0.5, 0.5, h + 0.5),
    )  # fmt: skip
    # `extent` names the edges: column 0 of the array is lag L-1, the last column lag 0.
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=bins, steps=_ticks(lookback)))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.tick_params(labelsize=8)
    bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.05)
    bar.ax.tick_params(labelsize=7)
    if bins > 4:
        bar.set_label("weight", fontsize=9)


def _ticks(lookback: int) -> list[float]:
    """Lags read best in half days where there are enough of them."""
    return [1, 1.2, 2.4, 4.8, 10] if lookback >= 24 else [1, 2, 5, 10]


def write_png(figure: Figure, path: Any) -> None:
    """Write a picture; without software names or times in it, so that equal runs give equal files."""
    figure.savefig(path, format="png", metadata={"Software": None})


def write_svg(figure: Figure, path: Any) -> None:
    """Write a picture as SVG whose text stays text; as :func:`write_png`, equal runs give equal files."""
    import matplotlib as mpl

    # Identities inside the file are drawn at random unless they have a salt.
    with mpl.rc_context({"svg.hashsalt": "foretide", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


WRITERS = {"png": write_png, "svg": write_svg}
"""Ending of a file -> what writes a picture as one."""
