"""Times of grid steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Time


def moment(panel: Panel, step: int) -> Time:
    """Return the time of a grid step as the user knows it.

    Parameters
    ----------
    panel : Panel
    step : int

    Returns
    -------
    Time
    """
    time: Time = panel.grid.output_times([step])[0]
    return time
