"""Times of grid steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretide.data.panel import Panel


def moment(panel: Panel, step: int) -> Any:
    """Return the time of a grid step as the user knows it."""
    return panel.grid.output_times([step])[0]
