"""What a model must have to be judged, whoever wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.forecast import Forecast
    from foretide.typing import Time


class Model(Protocol):
    """Anything that learns from a panel and forecasts from cutoffs; a :class:`Forecaster` is one.

    ``h``, ``name`` and ``settings()`` are used where a model has them.
    """

    def fit(self, panel: Panel, *, until: Time | None) -> object:
        """Learn from the steps up to ``until``.

        Parameters
        ----------
        panel : Panel
        until : time or None

        Returns
        -------
        object
            Maybe a model that takes its place.
        """

    def predict(self, panel: Panel, cutoffs: Sequence[Time], /) -> Forecast:
        """Forecast from the cutoffs.

        Parameters
        ----------
        panel : Panel
        cutoffs : sequence of times
            Last observed steps.

        Returns
        -------
        Forecast
        """
        ...
