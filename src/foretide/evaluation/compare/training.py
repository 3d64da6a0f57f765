"""What training added to a network: its error beside that of the closed form it begins at, and whether it is chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.evaluation.compare.pairs import compare_pair
from foretide.text import percent

if TYPE_CHECKING:
    from foretide.evaluation.cards.figures import Figures

LEVEL = 0.001
"""A share of the error below this is no lead."""
CHANCE = 0.05
"""A p-value below this is called more than chance."""


@dataclass(frozen=True)
class Training:
    """A network beside its closed-form start.

    Attributes
    ----------
    network, start : str
    gain : float
        Share of the start's error that training saves; negative where the network is worse.
    p_value : float
        Of the Diebold–Mariano test; NaN where there are too few cutoffs.
    """

    network: str
    start: str
    gain: float
    p_value: float

    @property
    def changed(self) -> bool:
        """Whether the two differ by more than a trifle."""
        return abs(self.gain) >= LEVEL

    @property
    def words(self) -> str:
        """How far the network is from its start, and whether that is chance."""
        side = "below" if self.gain > 0 else "above"
        if np.isnan(self.p_value):
            why = "too few cutoffs to test"
        else:
            why = f"{p_text(self.p_value)}: {'more than' if self.p_value < CHANCE else 'within'} chance"
        return f"{self.network} {percent(abs(self.gain))} {side} its start ({why})"


def training_gains(card: Figures, metric: str) -> dict[str, Training]:
    """Compare every network with its closed-form start.

    Parameters
    ----------
    card : Figures
    metric : str
        Of which less is better.

    Returns
    -------
    dict
        Network -> :class:`Training`, least error first; without those that have no figure, or whose start has none or
        makes no error.
    """
    gains = {}
    for network, start in card.starts.items():
        own, least = (card.value(name, metric) if card.has(metric, name) else np.nan for name in (network, start))
        if np.isfinite(own) and np.isfinite(least) and least > 0:
            p_value = compare_pair(card, network, start, metric).p_value
            gains[network] = own, Training(network, start, 1 - own / least, p_value)
    return {network: training for network, (_, training) in sorted(gains.items(), key=lambda item: item[1][0])}


def p_text(p_value: float) -> str:
    """Return a p-value as it stands in a sentence."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
