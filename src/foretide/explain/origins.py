"""Where a fitted model is looked at: windows after what it was fitted on, and not too many of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from foretide.data.reading.accept import as_panel
from foretide.data.windows import Windows, at_cutoffs, evenly, slide
from foretide.errors import DataError, NotFittedError
from foretide.typing import Bools, Ints

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster
    from foretide.typing import Frame, Time, Times

FEWEST_WINDOWS = 30
"""Windows after the fitted part below which an explanation of weights takes all windows of the panel."""
MOST_WINDOWS, FEWEST_CUTOFFS = 50_000, 60
"""Cutoffs times entities are at most so many, as long as there are so many cutoffs: tests need these."""
AFTER, WHOLE = "after what the model was fitted on", "of the whole panel, those it learned from among them"


def fit_end(model: Forecaster, panel: Panel) -> int:
    """Check that a model is fitted and can read a panel.

    Parameters
    ----------
    model : Forecaster
    panel : Panel

    Returns
    -------
    int
        Grid step of the last row that ``fit`` saw.

    Raises
    ------
    NotFittedError, DataError
        For a model that is not fitted, and a panel of other columns.
    """
    if model._fitted is None:
        raise NotFittedError(f"{model.name} is not fitted. Type: model.fit(panel, until=...)")
    model._fitted.check(panel, model.name)
    step = model.fitted_step(panel)
    assert step is not None
    return step


def panel_for(model: Forecaster, data: Panel | Frame) -> Panel:
    """Return a panel as it is, and read a frame as the one that a model was fitted on.

    Parameters
    ----------
    model : Forecaster
    data : Panel, pandas or polars data frame

    Returns
    -------
    Panel
    """
    return as_panel(data, getattr(model, "layout", None))


def windows_at(
    panel: Panel,
    cutoffs: Times | Windows | None,
    *,
    rows: int,
    h: int,
    end: int,
    fewest: int = 1,
    usable: Bools | None = None,
) -> tuple[Windows, bool]:
    """Return the windows at some cutoffs, or by default all whose horizon lies after what a model was fitted on.

    Parameters
    ----------
    panel : Panel
    cutoffs : times or Windows, optional
    rows, h : int
        Rows that are needed up to a cutoff, and after it.
    end : int
        Last grid step that ``fit`` saw.
    fewest : int
        With fewer windows after it, all windows of the panel are returned.
    usable : bool array ``[R]``, optional
        Rows of the panel, entities one after the other, that can be a cutoff by default.

    Returns
    -------
    (Windows, bool)
        And whether the model learned from rows after the first of these cutoffs.

    Raises
    ------
    DataError
        When no window fits.
    """
    if cutoffs is not None:
        windows = at_cutoffs(panel, cutoffs, min_history=rows)
        return windows, bool((windows.steps(panel) < end).any())
    windows = slide(panel, input_size=rows, h=h)
    if usable is not None:
        windows = windows[usable[(np.cumsum(panel.length) - panel.length)[windows.entity] + windows.cutoff]]
    if not len(windows):
        raise DataError(
            f"No window fits: {rows} rows up to a cutoff and {h} after it are needed, the longest series has "
            f"{int(panel.observed.max())} observed rows. Give longer series, or cutoffs=[...]."
        )
    after = windows.steps(panel) >= end
    return (windows[after], False) if after.sum() >= fewest else (windows, True)


@dataclass(frozen=True)
class Origins:
    """Cutoffs at which jobs explain a fitted model.

    Attributes
    ----------
    panel : Panel
    steps : int array
        Grid steps of all cutoffs there are, ascending.
    where : str
        Which windows these are, in words.
    """

    panel: Panel
    steps: Ints
    where: str

    @classmethod
    def of(cls, model: Forecaster, panel: Panel) -> Self:
        """Find the windows whose horizon lies after what ``fit`` saw; all windows where these are too few.

        Parameters
        ----------
        model : Forecaster
            Fitted.
        panel : Panel

        Returns
        -------
        Origins
        """
        rows, h = model.min_history, model.h
        windows, in_sample = windows_at(panel, None, rows=rows, h=h, end=fit_end(model, panel), fewest=FEWEST_WINDOWS)
        return cls(panel, np.unique(windows.steps(panel)), WHOLE if in_sample else AFTER)

    def cutoffs(self, most: int) -> list[Time]:
        """Return the times of at most ``most`` cutoffs, evenly spread.

        Parameters
        ----------
        most : int

        Returns
        -------
        list of times
        """
        return list(self.panel.grid.output_times(self.steps[self._chosen(most)]))

    def about(self, most: int) -> str:
        """Say which windows :meth:`cutoffs` gives.

        Parameters
        ----------
        most : int

        Returns
        -------
        str
        """
        n = len(self._chosen(most))
        return self.where if n == len(self.steps) else f"{self.where}, at {n} cutoffs evenly spread"

    def _chosen(self, most: int) -> Ints:
        room = max(FEWEST_CUTOFFS, MOST_WINDOWS // max(1, self.panel.n_entities))
        return evenly(len(self.steps), min(most, room))
