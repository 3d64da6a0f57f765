"""A panel as pictures and as a table for notebooks."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.counts import are_counts
from foretide.data.typical import chosen_series
from foretide.errors import ConfigError
from foretide.pictures.lines import observed_marks
from foretide.pictures.picture import Axis, Band, Line, Mark, Picture, View
from foretide.pictures.times import kind_of_times, times
from foretide.text import unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.data.panel import Panel

MOST_TICKS = 8
"""Between the ticks of counts lie whole numbers, 1, 2 or 5 times a power of ten."""
AT_ONCE, IN_LIST = 6, 30
"""Series of a figure, and of a list to choose from, where none are named."""


def panel_picture(panel: Panel, series: object = None, last: int | None = None, most: int = AT_ONCE) -> Picture:
    """Return the observed targets of some series, a view of each.

    Parameters
    ----------
    panel : Panel
    series : str, or iterable of str, optional
        As of :func:`foretide.data.typical.chosen_series`.
    last : int, optional
        Only so many steps at the end of each.
    most : int
        Series where none are named.

    Returns
    -------
    Picture
    """
    if last is not None and last < 1:
        raise ConfigError(f"last is a number of steps, at least 1, got {last!r}.")
    counts, views = are_counts(panel), {}
    for i, d in chosen_series(panel, series, most):
        rows = max(int(panel.observed[i]), 1)
        start = 0 if last is None else max(rows - last, 0)
        stamps = times(panel.grid.local_times(panel.first[i] + np.arange(start, rows)))
        marks = observed_marks(stamps, panel.rows(i)[start:rows, d])
        views[panel.series_name(i, d)] = view_of(panel, i, d, marks, stamps, counts=bool(counts[d]))
    return together("series", panel, views, series)


def view_of(
    panel: Panel, entity: int, target: int, marks: Sequence[Mark], stamps: Sequence[str] | Sequence[int], *,
    counts: bool,
) -> View:  # fmt: skip
    """Return the view of one series over time; counts stand on whole numbers from zero."""
    name, column = panel.series_name(entity, target), panel.targets[target]
    across = Axis(f"time, {unit_of(panel.grid.freq)}", kind_of_times(stamps))
    up = Axis(column if column != name else "")
    if counts:
        ends = [mark.high if isinstance(mark, Band) else mark.y for mark in marks if isinstance(mark, Band | Line)]
        highest = np.nanmax([0.0, *np.concatenate([np.asarray(end, dtype=np.float64) for end in ends])])
        up = replace(up, from_zero=True, step=_whole_step(float(highest)))
        if highest < 1:
            up = replace(up, low=-0.05, high=1.05)
    return View.of(marks, across, up, title=name)


def _whole_step(highest: float) -> int:
    """Return the least of 1, 2, 5, 10, 20, 50 … that makes few steps up to a count."""
    power: int = 10 ** max(0, int(np.log10(max(highest, 1))) - 1)
    return next(k * power for k in (1, 2, 5, 10, 20) if highest <= MOST_TICKS * k * power)


def together(identity: str, panel: Panel, views: dict[str, View], series: object) -> Picture:
    """Return views of series as one picture; of series that nobody chose it says how many they are."""
    n, total = len(views), len(panel.series)
    title = f"{n} of {total} series, the most typical first" if series is None and 1 < n < total else ""
    return Picture.with_list(identity, title, "Series", views)


def panel_html(panel: Panel) -> str:
    """Return what a panel holds, by role, for notebooks."""

    def first(names: tuple[str, ...]) -> str:
        return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")

    labels = "; ".join(f"{name}: {', '.join(found[:12])}" for name, found in panel.categories.items())
    missing = sum(int(np.isnan(panel.rows(i)).sum()) for i in range(panel.n_entities))
    lines = {
        "forecast": first(panel.targets), "known up to the cutoff": first(panel.past),
        "known ahead": first(panel.future), "static": first(panel.static.names), "entities": first(panel.ids),
        "categories": labels, "missing cells": str(missing),
    }  # fmt: skip
    rows = "".join(f"<tr><th>{what}</th><td>{escape(text)}</td></tr>" for what, text in lines.items() if text)
    return f"<div><p><b>{escape(repr(panel))}</b></p><table>{rows}</table></div>"
