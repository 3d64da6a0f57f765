"""Forecasts that a model could not give, and what stands in for them: counted in a warning, noted on each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foretide.forecasters.answer import Note
from foretide.forecasters.gaussian import say_replaced
from foretide.typing import Ints


class Replaced:
    """Collects what was replaced, by reason.

    Parameters
    ----------
    name : str
        Of the model.
    instead : str
        What was taken, such as "the random walk".
    what : str
        What it is of the forecast: "forecast by", or "intervals of".
    """

    def __init__(self, name: str, instead: str, what: str = "forecast by") -> None:
        self.name, self.instead, self.what = name, instead, what
        self._found: dict[str, tuple[list[str], list[int]]] = {}

    def add(self, reason: str, series: str, windows: int | Ints) -> None:
        """Count the windows of a series that were replaced for a reason."""
        names, places = self._found.setdefault(reason, ([], []))
        own = np.atleast_1d(windows).tolist()
        names += [series] * len(own)
        places += own

    def notes(self) -> tuple[Note, ...]:
        """Say it in warnings, and return the notes."""
        said: dict[str, Sequence[str]] = {reason: names for reason, (names, _) in self._found.items()}
        what = self.instead if self.what == "forecast by" else f"the {self.what} {self.instead}"
        say_replaced(self.name, {reason: list(names) for reason, names in said.items()}, what)
        return tuple(
            Note("stand-in", f"{self.what} {self.instead}: {reason}", np.unique(np.array(places, dtype=np.int64)))
            for reason, (_, places) in self._found.items()
        )
