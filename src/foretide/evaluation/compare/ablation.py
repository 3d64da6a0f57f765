"""Models in a row, each beside the one before it: what each change is worth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from foretide.errors import ConfigError
from foretide.evaluation.compare.pairs import compare_pair

if TYPE_CHECKING:
    from foretide.evaluation.cards.scorecard import Scorecard


def ablation(card: Scorecard, models: Sequence[str], metric: str | None = None) -> pd.DataFrame:
    """Return a row per model with what it gains on the row before.

    Parameters
    ----------
    card : Scorecard
    models : sequence of str
        Two or more, the simplest first.
    metric : str, optional
        Of which less is better; the main one by default.

    Returns
    -------
    pandas.DataFrame
        As :meth:`Scorecard.ablation` says.

    Raises
    ------
    ConfigError
        For fewer than two models, or one that is named twice.
    """
    names, metric = list(models), metric or card.main
    if len(names) < 2 or len(set(names)) < len(names):
        raise ConfigError(
            f"An ablation compares each model with the one before it: two or more, each once; got {names!r}. "
            "Type e.g. card.ablation(['plain', 'plain + season', 'ours'])."
        )
    card.known(*names)
    errors = pd.Series([card.value(name, metric) for name in names], dtype=float)
    pairs = [compare_pair(card, after, before, metric) for before, after in pairwise(names)]
    seconds = {run.name: run.fit_seconds for run in card.runs}
    return pd.DataFrame({
        "model": names, metric: errors, "gain": 1 - errors / errors.shift(), "gain_in_all": 1 - errors / errors[0],
        "p_value": [float("nan"), *(pair.p_value for pair in pairs)],
        "fit_seconds": [seconds.get(name, float("nan")) for name in names],
    })  # fmt: skip
