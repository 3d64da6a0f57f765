"""What will happen to every series, said before anything is fitted: too short, new, ended, without a known future."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.reading.problems import DataWarning, Problem
from foretide.data.splits import split
from foretide.data.time.seasons import main_season
from foretide.errors import ConfigError
from foretide.forecasters.answer import first_observed
from foretide.forecasters.base import FitPart, held_back
from foretide.forecasters.simple.default_set import made
from foretide.text import phrase, time_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster

USUAL = ("SeasonalNaive", "Ridge", "LSTM", "Attention")
"""Looked at where no models are named."""
NAMED = 3
"""So many series are named, and the others counted."""


@dataclass(frozen=True)
class Prospect:
    """What some models will do with the series of a panel.

    Attributes
    ----------
    models : tuple of str
    h : int
    problems : tuple of Problem
        Errors: a model that cannot be fitted. Warnings: columns known ahead that end too early to forecast. Notes: all
        else that is worth knowing.
    """

    models: tuple[str, ...]
    h: int
    problems: tuple[Problem, ...]

    @property
    def ready(self) -> bool:
        """Whether every model can be fitted, and can forecast from the end of every series."""
        return all(p.severity == "note" for p in self.problems)


def look_ahead(
    panel: Panel, models: Sequence[str] | None = None, *, h: int = 14, input_size: int | None = None
) -> Prospect:
    """Say which series are too short for which model, which are new or have ended, and where a future is missing.

    Parameters
    ----------
    panel : Panel
    models : sequence of str, optional
        Names of forecasters; :data:`USUAL` by default.
    h : int
        Steps to forecast.
    input_size : int, optional
        Steps that models look back at; their own default otherwise.

    Returns
    -------
    Prospect
    """
    names = tuple(USUAL if models is None else models)
    part = panel.take(np.flatnonzero(panel.observed > 0))
    fresh = [_made(name, h, input_size) for name in names]
    problems = [*series_notes(part), *_lengths(part, fresh, h), *_parts(part, h), *_futures(part, fresh, h)]
    order = {"error": 0, "warning": 1, "note": 2}
    return Prospect(names, h, tuple(sorted(problems, key=lambda p: order[p.severity])))


def _made(name: str, h: int, input_size: int | None) -> Forecaster:
    try:
        return made(name, h, {} if input_size is None else {"input_size": input_size})
    except TypeError as error:
        raise ConfigError(
            f"--models: {name} needs settings ({error}). Leave it out here, and name them in the configuration."
        ) from error


# -------------------------------------------------------------------- series
def series_notes(panel: Panel) -> list[Problem]:
    """Return notes on series of one row, on those that ended early, and on those that began late.

    Parameters
    ----------
    panel : Panel
        Of series with an observed value.

    Returns
    -------
    list of Problem
    """
    season = main_season(panel)
    first = panel.first + first_observed(panel)
    last = panel.first + panel.observed - 1
    rows = last - first + 1
    least = 2 * season if season > 1 else 3
    found = [
        (rows == 1, "has one row|have one row", first, ""),
        (
            last < int(last.max()) - season,
            f"ends more than {phrase('step|steps', season)} before the others|"
            f"end more than {phrase('step|steps', season)} before the others",
            last,
            " Forecasts begin after a series' own end.",
        ),
        (
            (rows > 1) & (rows < least) & (first > int(first.min())),
            "is new|are new",
            first,
            f" They have fewer than {least} rows.",
        ),
    ]
    return [
        Problem("series", f"{_of(chosen)} {_verb(chosen, what)}: {_named(panel, chosen, at)}.{more}", severity="note",
                count=int(chosen.sum()))
        for chosen, what, at, more in found
        if chosen.any()
    ]  # fmt: skip


def _of(chosen: NDArray[np.bool_]) -> str:
    return f"{int(chosen.sum())} of {len(chosen)} series"


def _verb(chosen: NDArray[np.bool_], what: str) -> str:
    return phrase(what, int(chosen.sum())).partition(" ")[2]


def _named(panel: Panel, chosen: NDArray[np.bool_], at: NDArray[np.int64] | None = None) -> str:
    """``"'a' (2024-01-31, 5 rows), 'b' (…) and 4 more"``."""
    where = np.flatnonzero(chosen)
    rows = panel.observed - first_observed(panel)
    said = []
    for i in where[:NAMED]:
        time = "" if at is None else f"{time_text(panel.grid.output_times([int(at[i])])[0])}, "
        said.append(f"{panel.ids[i] or panel.targets[0]!r} ({time}{phrase('row|rows', int(rows[i]))})")
    return ", ".join(said) + (f" and {len(where) - NAMED} more" if len(where) > NAMED else "")


# -------------------------------------------------------------------- lengths
def _parts(panel: Panel, h: int) -> list[Problem]:
    """Return an error where a run finds no parts to learn from, to choose by and to test on."""
    try:
        split(panel, h=h)
    except ConfigError:
        rows = int((panel.observed - first_observed(panel)).max(initial=0))
        text = f"A run needs {h} steps each to learn from, to choose by and to test on; the longest series has {rows} "
        return [Problem("short", f"{text}rows.", "Lower h, or give longer series.")]
    return []


def _lengths(panel: Panel, models: Sequence[Forecaster], h: int) -> list[Problem]:
    """Return what the lengths of series mean for each model; models that say the same say it together."""
    said: dict[Problem, list[str]] = {}
    for model in models:
        for problem in _for_model(panel, model, h):
            said.setdefault(problem, []).append(model.name)
    return [
        Problem(p.kind, f"{', '.join(names)}: {p.message}", p.fix, count=p.count, severity=p.severity)
        for p, names in said.items()
    ]


def _for_model(panel: Panel, model: Forecaster, h: int) -> list[Problem]:
    rows = panel.observed - first_observed(panel)
    part = FitPart(panel, held_back(panel, h) if model.uses_validation else panel.observed)
    asked: int | None = getattr(model, "input_size", None)
    chooses = asked is None and hasattr(model, "input_size")
    if chooses:
        model._learnable(part)  # where a lookback is chosen at fit, the shortest that it may be is needed
    reads = need = model.min_history
    problems: list[Problem] = []
    if isinstance(asked, int):
        reads, problems = _lookback(part, asked, h)
        need = reads + h
    elif chooses:
        need = reads + h
    elif reads > 1:  # steps one row after the other, as LAVAR does, from the first of which one more is seen
        need = reads + h + 1
    if int(part.train_rows.max(initial=0)) < need:
        text = f"no series has {need} rows to learn from ({reads} to read and {h} to forecast); the longest has "
        text += f"{int(part.train_rows.max(initial=0))}."
        return [Problem("short", text, f"Lower h, give longer series, or leave out {model.name}.")]
    short, unlearned = rows < reads, (rows >= reads) & (part.train_rows < need)
    if short.any():
        text = f"{_of(short)} {_verb(short, 'has|have')} fewer than {phrase('row|rows', reads)} and "
        text += f"{_verb(short, 'gets|get')} a simple forecast instead: {_named(panel, short)}."
        problems.append(Problem("short", text, count=int(short.sum()), severity="note"))
    if unlearned.any():
        text = f"{_of(unlearned)} {_verb(unlearned, 'is|are')} forecast, but too short to learn from "
        text += f"({need} rows{', the part held back not counted' if model.uses_validation else ''}): "
        text += f"{_named(panel, unlearned)}."
        problems.append(Problem("short", text, count=int(unlearned.sum()), severity="note"))
    return problems


def _lookback(part: FitPart, asked: int, h: int) -> tuple[int, list[Problem]]:
    """Return how far a model will look back, and a note where that is less than it asks for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        reads = part.lookback("", asked, h)
    if reads == asked:
        return reads, []
    text = f"many series are too short to look back at {asked} steps; {reads} are read instead."
    return reads, [Problem("lookback", text, severity="note")]


# -------------------------------------------------------------------- known ahead
def _futures(panel: Panel, models: Sequence[Forecaster], h: int) -> list[Problem]:
    """Return warnings on columns known ahead that models need further than they go, and a note on who uses none."""
    users = [model.name for model in models if model.uses_future]
    others = [model.name for model in models if not model.uses_future]
    problems = []
    if panel.future and others:
        text = f"{', '.join(others)}: no use is made of what is known ahead ({', '.join(panel.future)})."
        problems.append(Problem("unused", text, severity="note"))
    for name in panel.future if users else ():
        known = np.array([known_steps(panel, i, name, h) for i in range(panel.n_entities)])
        if not (known < h).any():
            continue
        text = f"Column {name!r} is known ahead, but for {int(known.min())} of the {h} steps after the end of "
        least, some = int(known.min()), (known >= h).any()
        if some:
            text += f"{_of(known < h)}, which {', '.join(users)} may need; such series get a simple forecast instead."
            problems.append(Problem("future", text, column=name, count=int((known < h).sum()), severity="note"))
            continue
        text += f"{_of(known < h)}; {', '.join(users)} cannot forecast beyond."
        fix = (
            "Add rows with an empty target, " + (f"lower h to {least}, " if least else "") + f"or type: past={name!r}."
        )
        problems.append(Problem("future", text, fix, column=name, count=int((known < h).sum()), severity="warning"))
    return problems


def known_steps(panel: Panel, entity: int, name: str, h: int) -> int:
    """Return the steps after a series' end for which a column is known without a hole; empty text is known to be none.

    Parameters
    ----------
    panel : Panel
    entity : int
        Its position.
    name : str
        Of a column known ahead.
    h : int
        Most steps to look at.

    Returns
    -------
    int
    """
    end = int(panel.observed[entity])
    cells = panel.rows(entity)[end : end + h, panel.index(name)]
    missing = np.flatnonzero(np.isnan(cells))
    return int(missing[0]) if len(missing) and name not in panel.categories else len(cells)
