"""Where a fitted model is looked at: cutoffs after what it was fitted on, and not too many of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from foretide.data.windows import evenly, slide
from foretide.explain.weights.stream import FEWEST_WINDOWS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster

MOST_WINDOWS, FEWEST = 50_000, 60
"""Cutoffs times entities are at most so many, as long as there are so many cutoffs: tests need these."""


@dataclass(frozen=True)
class Origins:
    """Cutoffs of a fitted model.

    Attributes
    ----------
    panel : Panel
    steps : int array
        Grid steps of all cutoffs there are, ascending.
    where : str
        Which windows these are, in words.
    """

    panel: Panel
    steps: NDArray[np.int64]
    where: str

    @classmethod
    def of(cls, model: Forecaster, panel: Panel) -> Self:
        """Find the windows whose horizon lies after what ``fit`` saw; all windows where these are too few."""
        seen = model.fitted_step(panel)
        first = int(panel.last.max()) if seen is None else seen
        windows, where = (
            slide(panel, input_size=model.min_history, h=model.h, first_target=first + 1),
            "after what the model was fitted on",
        )
        if len(windows) < FEWEST_WINDOWS:
            windows = slide(panel, input_size=model.min_history, h=model.h)
            where = "of the whole panel, those it learned from among them"
        return cls(panel, np.unique(windows.steps(panel)), where)

    def cutoffs(self, most: int) -> list[Any] | None:
        """Return the times of at most ``most`` cutoffs, evenly spread; None where no window fits."""
        return list(self.panel.grid.output_times(self.steps[self._chosen(most)])) if len(self.steps) else None

    def about(self, most: int) -> str:
        """Say which windows :meth:`cutoffs` gives."""
        n = len(self._chosen(most))
        return self.where if n == len(self.steps) else f"{self.where}, at {n} cutoffs evenly spread"

    def _chosen(self, most: int) -> NDArray[np.int64]:
        room = max(FEWEST, MOST_WINDOWS // max(1, self.panel.n_entities))
        return evenly(len(self.steps), min(most, room), newest=True)
