"""How models look in pictures: which stand out, and in which colour, the same in every picture of a card."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from foretide.evaluation.cards.align import ORACLE
from foretide.pictures.style import COLOURS, DASHES, QUIET
from foretide.text import unit_of

if TYPE_CHECKING:
    import pandas as pd

    from foretide.evaluation.cards.scorecard import Scorecard

ASKED, ALL_BASELINES = 3, 4
"""Models that stand out: the best of those asked for beside the best baseline; or the best of the baselines alone."""


class Look(ABC):
    """Which models of a leaderboard stand out, and how each is drawn.

    Attributes
    ----------
    leaderboard : DataFrame
        ``model, kind`` and one column per metric, best first.
    """

    leaderboard: pd.DataFrame

    @property
    @abstractmethod
    def counts(self) -> bool:
        """Whether every target is a count."""

    @property
    @abstractmethod
    def freq(self) -> str | int:
        """Step of the grid."""

    @property
    def metric(self) -> str:
        """Name of the main error."""
        return "mse" if self.counts else "rmse"

    @property
    def metric_unit(self) -> str:
        """Unit of the main error."""
        return "squared counts" if self.counts else "original units"

    @property
    def steps(self) -> str:
        """The word for steps of time."""
        return unit_of(self.freq)

    @cached_property
    def ranked(self) -> list[str]:
        """All models, least main error first, without the oracle."""
        return [str(m) for m in self.leaderboard["model"] if m != ORACLE]

    @cached_property
    def baselines(self) -> list[str]:
        """Baselines, best first."""
        return self._of_kind("baseline")

    @cached_property
    def shown(self) -> list[str]:
        """Models that stand out in the pictures."""
        asked = [m for m in self.ranked if m not in self.baselines]
        starts = self._of_kind("start")  # what a network begins at is not what was asked for, unless it is the best
        asked = [*asked[:1], *(m for m in asked[1:] if m not in starts)]
        return [*asked[:ASKED], *self.baselines[:1]] if asked else self.baselines[:ALL_BASELINES]

    def stands_out(self, table: pd.DataFrame | Sequence[str]) -> list[str]:
        """Return models that stand out and have a column in a table; the best with one where none does."""
        return [m for m in self.shown if m in table] or [m for m in self.ranked if m in table][:1]

    def colour(self, model: str) -> str:
        """Return the colour of a model, the same in every picture."""
        return QUIET if model == ORACLE else COLOURS[self._order.index(model) % len(COLOURS)]

    def dash(self, model: str) -> str:
        """Return the dash of a model's line; a second mark beside the colour."""
        return DASHES[self._order.index(model) % 5] if model in self._order else "dot"

    @cached_property
    def _order(self) -> list[str]:
        return [*self.shown, *(m for m in self.ranked if m not in self.shown)]

    def _of_kind(self, kind: str) -> list[str]:
        kinds = self.leaderboard.set_index("model")["kind"]
        return [m for m in self.ranked if kinds[m] == kind]


class CardLook(Look):
    """How the models of a scorecard look.

    Parameters
    ----------
    card : Scorecard
    """

    def __init__(self, card: Scorecard) -> None:
        self.card, self.leaderboard = card, card.pandas(card.leaderboard())

    @property
    def counts(self) -> bool:
        """Whether every target is a count."""
        return self.card.counts

    @property
    def freq(self) -> str | int:
        """Step of the grid."""
        return self.card.panel.grid.freq
