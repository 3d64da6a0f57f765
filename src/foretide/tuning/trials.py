"""The table of trials of a search, read for pictures and words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import pandas as pd

from foretide.errors import ConfigError

if TYPE_CHECKING:
    from foretide.typing import Array, Floats

FIXED = ("number", "model", "state", "value", "seconds", "seed", "error")
"""Columns of the table of trials that are no parameters."""
FINISHED, NOT_FINITE = "finished", "without a finite value"
OUTCOMES = (FINISHED, "pruned", "failed", "interrupted", NOT_FINITE)
FEW = 6
"""Up to so many distinct numbers are drawn as choices, where each occurs twice on average."""
NONE = "none"
"""Shown where a trial has no value of a parameter that other trials of its model have."""


@dataclass(frozen=True)
class Scale:
    """One parameter of some trials, placed on an axis.

    Attributes
    ----------
    name : str
    kind : str
        ``linear``, ``log`` or ``choice``.
    values : float array ``[N]``
        The numbers, NaN where a trial has none; of choices their place in ``choices``.
    choices : tuple of str
        Numbers ascending or texts in order of the alphabet, :data:`NONE` last; empty for numbers on an axis.
    """

    name: str
    kind: str
    values: Floats
    choices: tuple[str, ...] = ()


def by_number(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials in order of their number.

    Raises
    ------
    ConfigError
        For no trials, and for a table without one of the columns of :data:`FIXED`.
    """
    lacking = [name for name in FIXED if name not in trials.columns]
    if lacking:
        raise ConfigError(f"A table of trials has the columns {', '.join(FIXED)}; this one lacks {', '.join(lacking)}.")
    if not len(trials):
        raise ConfigError("There is no trial to show. Let the search run longer.")
    table: pd.DataFrame = trials.sort_values("number", kind="stable").reset_index(drop=True)
    return table


def outcomes(trials: pd.DataFrame) -> Array:
    """Return how each trial ended ``[N]``: of :data:`OUTCOMES`, or a state this module does not know."""
    states = trials["state"].astype(str).to_numpy(dtype=object)
    finite = np.isfinite(trials["value"].to_numpy(dtype=np.float64))
    return np.where(states == "complete", np.where(finite, FINISHED, NOT_FINITE), states)


def finished(trials: pd.DataFrame, model: str | None = None) -> pd.DataFrame:
    """Return the trials with a value, of one model or of all."""
    chosen = outcomes(trials) == FINISHED
    if model is not None:
        chosen &= (trials["model"] == model).to_numpy()
    table: pd.DataFrame = trials[chosen].reset_index(drop=True)
    return table


def counted(kinds: Iterable[str]) -> str:
    """Return the outcomes of trials in words: ``3 pruned, 1 failed``."""
    kinds = list(kinds)
    order = [*OUTCOMES, *sorted(set(kinds) - set(OUTCOMES))]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in order if kind in kinds)


def parameters(trials: pd.DataFrame, model: str) -> list[str]:
    """Return the parameters of a model: the columns in which any of its trials has a value."""
    own = trials[trials["model"] == model]
    names = [name for name in trials.columns if name not in FIXED]
    return [name for name in names if any(not missing(value) for value in own[name])]


def missing(value: object) -> bool:
    """Say whether a cell holds no value; lists and tuples are values."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, float | np.floating) and bool(value != value)


def ceiling(values: Floats) -> float:
    """Return the largest value worth showing: terrible ones must not press the others together.

    Shown is what lies at most three times as far from the best as three quarters of all values do.

    Parameters
    ----------
    values : float array ``[N]``
        Finite, lower is better; at least one.
    """
    best, most = float(values.min()), float(np.quantile(values, 0.75, method="lower"))
    spread = most - best
    if len(values) < 4 or spread == 0:  # too little to tell what is usual
        spread = max(spread, 0.25 * abs(most))
    return float(values[values <= most + 2 * spread].max())


def scale_of(name: str, column: Iterable[object], *, log: bool) -> Scale:
    """Place the values of a parameter on an axis.

    Parameters
    ----------
    name : str
    column : iterable ``[N]``
        Numbers, or texts and other choices.
    log : bool
        Whether numbers stand on a logarithmic axis; those that are not positive never do.
    """
    cells = list(column)
    present = [cell for cell in cells if not missing(cell)]
    numbers = all(map(is_number, present))
    distinct = len(set(present)) if numbers else 0
    if distinct > 1 and (distinct > FEW or 2 * distinct > len(present)):
        values = np.array([float(cell) if is_number(cell) else np.nan for cell in cells])
        return Scale(name, "log" if log and np.nanmin(values) > 0 else "linear", values)
    keys = sorted(set(map(float, filter(is_number, present)))) if numbers else sorted(set(map(str, present)))
    choices = [shown_cell(key) for key in keys] + ([NONE] if len(present) < len(cells) else [])
    place = {key: k for k, key in enumerate(keys)}
    at = [len(keys) if missing(cell) else place[float(cell) if is_number(cell) else str(cell)] for cell in cells]
    return Scale(name, "choice", np.array(at, dtype=np.float64), tuple(choices))


def is_number(value: object) -> TypeGuard[float]:
    """Say whether a cell is a finite number."""
    # Of numpy's bool too, True is a choice and no number.
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and bool(np.isfinite(value))


def shown_cell(value: object) -> str:
    """Return a parameter's value in few letters: ``0.001234``, ``128``, ``gru``."""
    if not isinstance(value, (float, np.floating)) or not np.isfinite(value):
        return str(value)
    figure = float(value)
    # A column with gaps holds whole numbers as floats.
    return f"{figure:.0f}" if figure.is_integer() and abs(figure) < 1e7 else f"{figure:.4g}"
