"""Picture of predictive intervals: one series of each density, truth inside or outside its bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.forecasters.forecast import quantiles_of_levels
from foretide.report.figures import READABLE_STEPS, in_a_row
from foretide.report.style import COLOURS, QUIET, TRUTH, tidy
from foretide.text import unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from foretide.forecasters.forecast import Forecast

    Floats = NDArray[np.floating]

KINDS = {"dense": "dense", "sparse": "sparse", "ultra": "ultra-sparse"}


@dataclass(frozen=True)
class Bands:
    """Forecasts of one series in a row, with intervals.

    Attributes
    ----------
    series, kind : str
        Name, and what kind of series it is.
    times : index ``[K * H]``
    truth, mean : float arrays ``[K * H]``
    bounds : dict
        Level in percent -> lower and upper bound, each ``[K * H]``.
    h : int
    """

    series: str
    kind: str
    times: Any
    truth: Floats
    mean: Floats
    bounds: dict[float, tuple[Floats, Floats]]
    h: int

    def inside(self, level: float) -> float:
        """Share of the truths inside an interval; NaN where no truth is known."""
        low, high = self.bounds[level]
        known = ~np.isnan(self.truth)
        return float(((low <= self.truth) & (self.truth <= high))[known].mean()) if known.any() else float("nan")


def bands(forecast: Forecast, *, kind: str, entity: int, target: int, steps: int = READABLE_STEPS) -> Bands:
    """Pick the newest forecasts of one series, one every ``h`` steps, with the bounds of every level."""
    chosen = in_a_row(forecast, entity, steps)
    ahead = forecast.cutoff_steps[chosen][:, None] + np.arange(1, forecast.h + 1)
    bounds = {}
    for level in forecast.levels:
        low, high = (forecast.quantile(q)[chosen, :, target].reshape(-1) for q in quantiles_of_levels([level]))
        bounds[level] = (low, high)
    return Bands(
        forecast.panel.series_name(entity, target),
        kind,
        forecast.panel.grid.local_times(ahead),
        forecast.truth()[chosen, :, target].reshape(-1),
        forecast.mean[chosen, :, target].reshape(-1),
        bounds,
        forecast.h,
    )


def typical_series(rates: Floats, kinds: Any, scored: Sequence[int], truth: Floats) -> dict[str, tuple[int, int]]:
    """Return for each kind the series that stands for it, as (entity, target).

    Of the series that sold anything in the part shown, the one with the middle nonzero rate; where none did, of all.

    Parameters
    ----------
    rates, kinds : arrays ``[N, D]``
        Nonzero rate and kind of each series.
    scored : sequence of int
        Entities with forecasts.
    truth : float array ``[N, D]``
        Sum of what each series sold in the part shown.
    """
    found = {}
    for kind in KINDS:
        own = [(i, d) for i in scored for d in range(rates.shape[1]) if kinds[i, d] == kind]
        own = [place for place in own if truth[place] > 0] or own
        if own:
            found[kind] = sorted(own, key=lambda place: (rates[place], place))[len(own) // 2]
    return found


def interval_figure(pieces: Sequence[Bands], *, model: str, freq: str | int) -> Figure:
    """Draw truth, mean and central intervals, one panel per series; darker is the narrower interval."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 0.9 + 2.5 * len(pieces)), dpi=110, layout="constrained")
    for axes, piece in zip(np.atleast_1d(figure.subplots(len(pieces), 1)), pieces, strict=True):
        _draw(axes, piece)
    figure.axes[0].legend(fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    figure.axes[-1].set_xlabel("time →")
    n = len(pieces[0].truth) // pieces[0].h
    figure.suptitle(
        f"{model}: intervals at the end of the test part ({n} forecasts in a row, each {pieces[0].h} "
        f"{unit_of(freq, plural=pieces[0].h > 1)} long)",
        x=0.01, ha="left", fontsize=11,
    )  # fmt: skip
    return figure


def _draw(axes: Axes, piece: Bands) -> None:
    times, colour = np.asarray(piece.times), COLOURS[0]
    for k, (level, (low, high)) in enumerate(sorted(piece.bounds.items(), reverse=True)):
        # Drawn one over the other, the narrower interval is darker; in the legend it must be so on its own.
        alpha = 0.2 + 0.18 * min(k, 3)
        axes.fill_between(
            times, low, high, step="mid", color=colour, alpha=alpha, linewidth=0, label=f"{level:g} % interval"
        )
    axes.step(times, piece.mean, where="mid", color=colour, linewidth=1.5, label="mean")
    axes.plot(times, piece.truth, color=TRUTH, linestyle="none", marker="o", markersize=3, label="truth", zorder=3)
    for start in times.reshape(-1, piece.h)[:, 0]:
        axes.axvline(start, color=QUIET, linewidth=0.6, linestyle=":", zorder=0)
    axes.set_title(f"{piece.series} ({KINDS.get(piece.kind, piece.kind)})", loc="left", fontsize=10)
    axes.set_ylabel("count")
    axes.set_ylim(bottom=0, top=max(1.0, axes.get_ylim()[1]))
    tidy(axes)


def interval_words(pieces: Sequence[Bands], level: float, whole: Mapping[str, float]) -> str:
    """Say how often the truth lies inside: of the series drawn, and of all of their kind over the whole test part."""
    parts = []
    for piece in pieces:
        drawn = f"{KINDS.get(piece.kind, piece.kind)} {piece.series} {piece.inside(level):.0%}"
        of_all = whole.get(piece.kind)
        parts.append(drawn + (f" (all of that kind: {of_all:.0%})" if of_all is not None else ""))
    text = f"Truths inside the {level:g} % interval: {'; '.join(parts)}."
    return text + " Intervals of counts hold whole numbers, so that those of rare items cover more than they say."
