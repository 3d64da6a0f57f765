"""What the page of a search is made from: plain tables, whatever folder they were read from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from foretide.pictures.style import COLOURS
from foretide.report.search.trials import finished, missing, parameters, shown_cell
from foretide.text import clipped

if TYPE_CHECKING:
    import pandas as pd

    from foretide.tuning.space import Parameter
    from foretide.typing import Json

UNITS = {"mse": "squared counts", "rmse": "original units", "mae": "original units"}
SYMBOLS = ("circle", "square", "diamond", "triangle-down", "cross", "x", "pentagon", "hexagon")
LONGEST = 40
"""Letters of a name or value in a picture."""


@dataclass(frozen=True, eq=False)
class SearchContent:
    """What the folder of ``foretide tune`` holds, as far as the page shows it; what is absent is left out of the page.

    Attributes
    ----------
    name : str
    facts : mapping
        ``run.json``: ``verdict, test_verdict, metric, best, baselines, notes, seconds, counts``.
    trials : DataFrame
        ``number, model, state, value, seconds, seed, error`` and one column per setting, a row per trial; settings as
        they were tried, None where a trial has none.
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
    trials: pd.DataFrame
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

    @property
    def metric(self) -> str:
        """Name of a trial's value, as it is shown."""
        return str(self.facts["metric"]).upper()

    @property
    def value_label(self) -> str:
        """Name of the axis of values: unit and direction, on two lines."""
        unit = UNITS.get(self.facts["metric"], "")
        return f"{self.metric}{', ' + unit if unit else ''}\n(lower is better)"

    @cached_property
    def done(self) -> pd.DataFrame:
        """The trials with a value."""
        return finished(self.trials)

    @cached_property
    def ranked(self) -> list[str]:
        """All models, that with the best trial first."""
        best = self.done.groupby("model")["value"].min().to_dict()
        names = [str(name) for name in dict.fromkeys(self.trials["model"])]
        return sorted(names, key=lambda name: float(best.get(name, math.inf)))

    @property
    def baseline(self) -> tuple[str, float] | None:
        """The best simple baseline and its value."""
        known = {str(k): float(v) for k, v in self.facts["baselines"].items() if v is not None and math.isfinite(v)}
        return min(known.items(), key=lambda pair: pair[1], default=None)

    def settings_of(self, model: str) -> list[str]:
        """Return a model's searched settings, those that matter most first."""
        shares = self.importances.get(model, {})
        return sorted(parameters(self.trials, model), key=lambda name: -shares.get(name, 0.0))

    def is_log(self, model: str, setting: str) -> bool:
        """Whether a setting was drawn evenly in its logarithm."""
        return bool(getattr(self.spaces.get(model, {}).get(setting), "log", False))

    def colour(self, model: str) -> str:
        """Return the colour of a model, the same in every picture."""
        return COLOURS[self.ranked.index(model) % len(COLOURS)]

    def symbol(self, model: str) -> str:
        """Return the symbol of a model's points; a second mark beside the colour."""
        k = self.ranked.index(model)
        return SYMBOLS[(k + k // len(COLOURS)) % len(SYMBOLS)]


def value_text(value: object) -> str:
    """Return a setting's value in few letters; ``none`` where it has none."""
    return "none" if missing(value) else shown_cell(value)


def short(text: object, most: int = LONGEST) -> str:
    """Return text on one line; a long one loses its end."""
    return clipped(text, most)


def without_password(text: str) -> str:
    """Return text with the password of a database's address blacked out: a report is read by others."""
    return re.sub(r"(://[^\s:/@]*):[^\s@]+@", r"\1:***@", text)
