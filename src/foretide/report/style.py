"""How pictures look."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7A5195", "#8C6D31")
"""Told apart with the common kinds of colour blindness (after Okabe and Ito, 2008), dark enough on white."""
TRUTH = "#1a1a1a"
QUIET = "#8a8a8a"
DASHES = ("-", "--", ":", "-.")


def tidy(axes: Axes) -> None:
    """Take away what carries nothing: the upper and right frame; a light grid behind the lines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9)
