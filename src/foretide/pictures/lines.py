"""Marks of a series and of its forecast, the same in every picture: history, gaps, intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from foretide.pictures.picture import FEW_STEPS, Band, Line, Mark, Points, Span
from foretide.pictures.style import COLOURS, TEXT

if TYPE_CHECKING:
    from foretide.pictures.picture import Places, Values

FEW_POINTS = 40
"""Up to so many points of a line have a marker each."""
MANY_POINTS = 600
"""From so many points on a line is thin."""
MOST_GAPS = 40
"""Up to so many gaps of a series are shaded."""


def observed_marks(x: Places, y: Values, name: str = "observed") -> list[Mark]:
    """Return the marks of a series as it was observed: its line, values without neighbours, gaps in grey.

    Parameters
    ----------
    x : sequence ``[n]``
        Times, as of :func:`foretide.pictures.times.times`.
    y : float sequence ``[n]``
        NaN or None where there is no value.
    name : str
        In the legend.

    Returns
    -------
    list of Mark

    Examples
    --------
    >>> from foretide.pictures.lines import observed_marks
    >>> span, line = observed_marks([1, 2, 3, 4, 5], [3.0, 1.0, None, 1.0, 5.0])
    >>> (span.low, span.high), line.symbol
    ((2, 4), 'circle')
    """
    values = np.asarray(y, dtype=np.float64)
    places = np.flatnonzero(np.isfinite(values))
    before, after = places[:-1][np.diff(places) > 1], places[1:][np.diff(places) > 1]
    marks: list[Mark] = []
    if len(before) <= MOST_GAPS:
        marks += [Span(x[a], x[b]) for a, b in zip(before.tolist(), after.tolist(), strict=True)]
    few = len(places) <= FEW_POINTS
    width = 1.4 if len(values) <= MANY_POINTS else 0.9
    marks.append(Line(name, x, values, TEXT, width=width, symbol="circle" if few else ""))
    around = np.pad(np.isfinite(values), 1)
    alone = np.flatnonzero(around[1:-1] & ~around[:-2] & ~around[2:]).tolist()
    if alone and not few:
        marks.append(Points(name, [x[k] for k in alone], values[alone], TEXT, size=4, legend=False))
    return marks


def forecast_marks(
    x: Places, mean: Values, bounds: Mapping[float, tuple[Values, Values]], *, name: str, colour: str = COLOURS[0],
    dash: str = "solid", starts: Sequence[int] = (), label: str = "",
) -> list[Mark]:  # fmt: skip
    """Return the marks of a forecast: its intervals, the widest first, then its line.

    Parameters
    ----------
    x : sequence ``[n]``
        Times, as of :func:`foretide.pictures.times.times`.
    mean : float sequence ``[n]``
    bounds : mapping
        Central level in percent -> its lower and upper ends, ``[n]`` each.
    name : str
        Of the model.
    colour, dash : str
    starts : sequence of int
        Where each of several forecasts in a row begins; lines and bands do not reach from one to the next.
    label : str
        Whose intervals they are, where that is to be said.

    Returns
    -------
    list of Mark

    Examples
    --------
    >>> from foretide.pictures.lines import forecast_marks
    >>> bounds = {80: ([4, 5], [6, 7]), 95: ([3, 4], [7, 8])}
    >>> [mark.name for mark in forecast_marks([1, 2], [5, 6], bounds, name="Theta")]
    ['95 % interval', '80 % interval', 'Theta']
    """
    levels = sorted(bounds, reverse=True)
    marks: list[Mark] = [
        Band(
            f"{level:g} % interval{label}", x, *bounds[level], colour, 0.3 if level == levels[-1] else 0.16, starts
        )
        for level in levels
    ]  # fmt: skip
    along, up = list(x), list(np.asarray(mean, dtype=np.float64))
    for at in sorted(starts, reverse=True):
        if at:  # a break before each forecast but the first
            along.insert(at, along[at])
            up.insert(at, np.nan)
    longest = max(np.diff([*(starts or [0]), len(x)]), default=0)
    marks.append(Line(name, along, up, colour, dash, "circle" if longest <= FEW_STEPS else ""))
    return marks
