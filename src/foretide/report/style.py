"""How pictures look, and the words for time steps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7A5195", "#8C6D31")
"""Told apart with the common kinds of colour blindness (after Okabe and Ito, 2008), dark enough on white."""
TRUTH = "#1a1a1a"
QUIET = "#8a8a8a"
DASHES = ("-", "--", ":", "-.")

_UNITS = {
    "h": "hour", "min": "minute", "s": "second", "D": "day", "B": "business day", "W": "week",
    "MS": "month", "ME": "month", "M": "month", "QS": "quarter", "QE": "quarter", "YS": "year", "YE": "year",
}  # fmt: skip


def unit_of(freq: str | int, *, plural: bool = True) -> str:
    """Return the word for one step of a frequency: ``"h"`` -> ``hours``, ``"30min"`` -> ``steps of 30 minutes``."""
    if isinstance(freq, int):
        return "steps" if plural else "step"
    found = re.fullmatch(r"(\d*)([A-Za-z]+)(-.*)?", freq)
    if found is None or found[2] not in _UNITS:
        return f"steps of {freq}" if plural else f"step of {freq}"
    unit = _UNITS[found[2]]
    if found[1] not in ("", "1"):
        return f"steps of {found[1]} {unit}s" if plural else f"step of {found[1]} {unit}s"
    return unit + "s" if plural else unit


def tidy(axes: Axes) -> None:
    """Take away what carries nothing: the upper and right frame; a light grid behind the lines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9)
