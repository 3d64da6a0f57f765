"""What the page of a search is made from: plain tables, whatever folder they were read from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from foretide.tuning.drawn import TrialTable
from foretide.tuning.trials import parameters

if TYPE_CHECKING:
    import pandas as pd

    from foretide.tuning.space import Parameter
    from foretide.typing import Json


@dataclass(frozen=True, eq=False)
class SearchContent(TrialTable):
    """What the folder of ``foretide tune`` holds, as far as the page shows it; what is absent is left out of the page.

    Attributes
    ----------
    name : str
    facts : mapping
        ``run.json``: ``verdict, test_verdict, metric, best, baselines, notes, seconds, counts``.
    trials, measure, baselines
        As of :class:`foretide.tuning.drawn.TrialTable`.
    leaderboard : DataFrame
        ``model, kind``, the metric, ``skill_vs_best_baseline, trials, seconds, number``: models and simple baselines.
    spaces : mapping
        Model -> setting -> what it was chosen from.
    importances : mapping
        Model -> setting -> share, sum one.
    test_board : DataFrame, optional
        Leaderboard of the test part.
    about : mapping
        Of the study: ``folds, sampler, pruner, seed``.
    storage : str
        Where the study lies.
    versions : mapping
    tuned, settings : str
        The configuration that was found, and the one the search began with, as YAML.
    status : str
        Empty for a finished search, else what is to be known.
    missing : str
        Why there are no importances; empty where they are known.
    """

    name: str
    facts: Json
    leaderboard: pd.DataFrame
    spaces: Mapping[str, Mapping[str, Parameter]]
    importances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    test_board: pd.DataFrame | None = None
    about: Json = field(default_factory=dict)
    storage: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    tuned: str = ""
    settings: str = ""
    status: str = ""
    missing: str = ""

    def settings_of(self, model: str) -> list[str]:
        """Return a model's searched settings, those that matter most first."""
        shares = self.importances.get(model, {})
        return sorted(parameters(self.trials, model), key=lambda name: -shares.get(name, 0.0))

    def is_log(self, model: str, setting: str) -> bool:
        """Whether a setting was drawn evenly in its logarithm."""
        return bool(getattr(self.spaces.get(model, {}).get(setting), "log", False))


def without_password(text: str) -> str:
    """Return text with the password of a database's address blacked out: a report is read by others."""
    return re.sub(r"(://[^\s:/@]*):[^\s@]+@", r"\1:***@", text)
