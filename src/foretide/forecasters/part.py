"""The part of a panel that a forecaster may learn from."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.problems import DataWarning
from foretide.data.seasons import seasons_of
from foretide.data.windows import Windows, slide
from foretide.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel


HELD_BACK = 0.15
"""Share of each series, at its end, that is kept back for validation."""


@dataclass(frozen=True, eq=False)
class FitPart:
    """The part of a panel a forecaster may learn from.

    Attributes
    ----------
    panel : Panel
        As the model sees it, cut at ``until``: later rows do not exist in it.
    train_rows : int array ``[N]``
        Rows of each entity, from its first on, for training; those after them are for validation.
    train_until : time or None
        Last training step, where the user named one.
    """

    panel: Panel
    train_rows: NDArray[np.int64]
    train_until: Any = None

    @property
    def train_end(self) -> int:
        """Grid step of the last training step of any entity."""
        return int((self.panel.first + self.train_rows - 1).max())

    @property
    def train(self) -> Panel:
        """The training part alone, a view."""
        return self.panel.head(self.train_rows)

    def windows(self, *, input_size: int, h: int) -> tuple[Windows, Windows]:
        """Training and validation windows.

        Raises :class:`DataError` when no training window fits.
        """
        panel, end = self.panel, self.panel.first + self.train_rows
        train = slide(panel, input_size=input_size, h=h, last_target=end - 1)
        if not len(train):
            raise DataError(
                f"No training window fits: input_size={input_size} and h={h} need {input_size + h} "
                f"rows, the longest series has {int(self.train.observed.max())} in the training part. "
                "Lower input_size or h, or give longer series."
            )
        return train, slide(panel, input_size=input_size, h=h, first_target=end)

    def lookback(self, name: str, input_size: int, h: int, least: int = 2) -> int:
        """Return how many of ``input_size`` steps to look back at: fewer where most series are too short for a window.

        Half of the series then keep as many windows as they look back steps, or a whole season in one window.
        """
        rows = np.sort(np.minimum(self.train_rows, self.panel.observed))
        room = int(rows[len(rows) // 2]) - h
        if room < least:
            room = int(rows[-1]) - h
        if room >= input_size or room < least:
            return input_size
        season = min(seasons_of(self.panel.grid.freq), default=1)
        fitting = min(input_size, max(least, room // 2, min(season, room)))
        warnings.warn(
            f"{name} looks back at {fitting} steps instead of {input_size}: half of the series have at most "
            f"{room + h} rows in the training part, {h} of which are forecast. Give longer series, or lower h.",
            DataWarning,
            stacklevel=5,
        )
        return fitting


def held_back(panel: Panel, h: int) -> NDArray[np.int64]:
    """Return the training rows of each entity ``[N]``: all but its own last ``max(h, 15 %)``.

    An entity too short to spare them, with fewer than ``h + 2`` rows left, keeps nothing back.
    """
    rows = panel.observed
    kept = np.maximum(h, np.round(HELD_BACK * rows)).astype(np.int64)
    return np.where(rows - kept >= h + 2, rows - kept, rows)
