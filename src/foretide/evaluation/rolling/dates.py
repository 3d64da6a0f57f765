"""Times of grid steps, and words for a stretch of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretide.data.panel import Panel

_SPANS = {("h", 24): "a day", ("h", 168): "a week", ("30min", 48): "a day", ("30min", 336): "a week",
          ("D", 7): "a week", ("B", 5): "a week", ("MS", 12): "a year", ("ME", 12): "a year", ("M", 12): "a year",
          ("QS", 4): "a year", ("QE", 4): "a year", ("W", 52): "a year"}  # fmt: skip


def moment(panel: Panel, step: int) -> Any:
    """Return the time of a grid step as the user knows it."""
    return panel.grid.output_times([step])[0]


def shown(time: Any) -> str:
    """Return a time as text, without an hour where it is midnight."""
    return str(time).removesuffix(" 00:00:00")


def span(freq: str | int, steps: int) -> str:
    """Return the word for a number of steps: hourly 24 -> ``a day``; ``one season`` where there is none."""
    return _SPANS.get((str(freq).partition("-")[0].partition("+")[0], steps), "one season")
