"""Any table as one that can be forecast from: a path, a frame or a panel; roles guessed, and what was done said."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import pandas as pd

from foretide.data import scratch
from foretide.data.opened.looking import ROLES, examine_files, guess_in_files
from foretide.data.panel import Panel
from foretide.data.reading.checks import examine, look_through
from foretide.data.reading.original import Original
from foretide.data.reading.problems import Problem, raise_errors
from foretide.data.tables.source import STDIN, holds_files
from foretide.data.time.seasons import main_season
from foretide.errors import ConfigError, DataError
from foretide.jobs.readiness import known_steps, series_notes
from foretide.jobs.sections import DataConfig
from foretide.text import joined, phrase, unit_of

if TYPE_CHECKING:
    from foretide.data.reading.checks import Examined, Report
    from foretide.data.reading.options import FileOptions
    from foretide.typing import Frame, Json

Data: TypeAlias = "str | os.PathLike[str] | Frame | pd.Series | Panel"
Roles: TypeAlias = Mapping[str, str | Sequence[str] | None]
TOLERANT: FileOptions = {"missing": "mask", "fill_gaps": True}
"""How a table is read unless something else is asked for: what is missing is missing, and said."""
UNSEASONAL = 6
"""Steps forecast by default where there is no season."""
MOST_AHEAD = 3
"""By default at most the length of the longest series over this is forecast."""
ENOUGH = 0.9
"""A column is known ahead where it is so for this share of the series at least."""


@dataclass(frozen=True, eq=False)
class Source:
    """A table that was read.

    Attributes
    ----------
    panel : Panel
    original : Original
        Its columns as they came.
    section : DataConfig
        The section of a configuration that reads it so.
    name : str
        Of the file; empty for what has none.
    notes : tuple of str
        How it was read, and what is odd about it.
    """

    panel: Panel
    original: Original
    section: DataConfig
    name: str = ""
    notes: tuple[str, ...] = ()

    def steps(self, season: int | None) -> tuple[int, str]:
        """Return the steps to forecast where none are named, one season, and a sentence that says so.

        Parameters
        ----------
        season : int, optional
            Found by default.

        Returns
        -------
        int, str
        """
        found = main_season(self.panel, season)
        wanted = found if found > 1 else UNSEASONAL
        h = max(1, min(wanted, int(self.panel.observed.max(initial=1)) // MOST_AHEAD))
        unit = unit_of(self.panel.grid.freq)
        why = (
            "one season" if found > 1 and h == found else "as far as the rows allow" if h < wanted else "a short while"
        )
        return h, f"No horizon was named: {h} {unit} are forecast, {why}. Another: h={h + 1}"

    def reaching(self, h: int, future: object) -> Source:
        """Return the table with those columns as past that were guessed to be known ahead and end too early.

        Parameters
        ----------
        h : int
            Steps to forecast.
        future : object
            The columns that a person named as known ahead; None where these were guessed.

        Returns
        -------
        Source

        Raises
        ------
        DataError
            For a column that a person named and that ends too early for every series.
        """
        panel, early = self.panel, {}
        for name in panel.future:
            known = np.array([known_steps(panel, i, name, h) for i in np.flatnonzero(panel.observed).tolist()])
            if known.size and (known >= h).mean() < ENOUGH:
                early[name] = int(np.median(known))
        if not early:
            return self
        name, steps = next(iter(early.items()))
        if future is not None:
            lower = f"forecast fewer steps, h={steps}, or " if steps else ""
            raise DataError(
                f"Column {name!r} is known ahead for {steps} of the {h} steps after the end. Add rows with an empty "
                f"target, {lower}take it as known up to the end only: past={name!r}."
            )
        text = f"{joined(list(map(repr, early)))}: known for {steps} of {phrase('step', h)} ahead, so taken as past."
        return replace(self, panel=_as_past(panel, tuple(early)), section=self.section.model_copy(update={
            "past": (*_several(self.section.past), *early),
            "future": tuple(column for column in self.section.future if column not in early),
        }), notes=(*self.notes, text))  # fmt: skip


def read_any(data: Data, roles: Roles, options: FileOptions) -> Source:
    """Read any table.

    Parameters
    ----------
    data : path, pandas or polars data frame, pandas series with times as index, or Panel
    roles : mapping
        ``id, time, target, past, future, static`` -> column, columns or None; those that are None are guessed.
    options : dict
        As in :meth:`foretide.Panel.read`.

    Returns
    -------
    Source

    Raises
    ------
    ConfigError
        For roles and options beside a panel, which has them.
    DataError
        One that lists every problem found.
    """
    if isinstance(data, Panel):
        given = [name for name, value in {**roles, **options}.items() if value is not None]
        if given:
            raise ConfigError(f"{given[0]} says how a table is read, and a Panel is read already. Leave it out.")
        return Source(data, Original(data), _section_of(data), notes=_notes(data, ()))
    if isinstance(data, pd.Series):
        data = data.to_frame("y" if data.name is None else str(data.name))
    path = str(data) if isinstance(data, (str, os.PathLike)) else None
    if path is not None and holds_files(path):
        return _opened(path, roles, {**TOLERANT, **options})
    found = look_through(data, roles, {**TOLERANT, **options}, tolerant=True)
    if found.panel is None:
        raise_errors(found.report.problems)
    panel = cast("Panel", found.panel)
    if not panel.targets:
        raise DataError("No column holds numbers that could be forecast. Name one: target='...'.")
    original = Original.of(panel, found.frame, found.ids, data, text=found.from_text)
    read = [found.report.read] if found.report.read is not None else []
    notes = _notes(panel, [problem for problem in found.report.problems if problem.severity != "error"])
    name = "" if path is None or path == STDIN else Path(path).name.partition(".")[0]
    where = STDIN if path is None or path == STDIN else str(Path(path).absolute())
    section = DataConfig.model_validate(section_of(where, found.report, {**TOLERANT, **options}))
    return Source(panel, original, section, name, (*read, *_in_one(found, notes)))


def examine_any(data: Data, roles: Roles, options: FileOptions) -> tuple[Report, Panel | None]:
    """Say what is in a table and what is wrong with it, whether it is read or opened.

    Parameters
    ----------
    data : path, or pandas or polars data frame
    roles : mapping
        As for :func:`read_any`.
    options : dict
        As in :meth:`foretide.Panel.read`.

    Returns
    -------
    report : Report
    panel : Panel or None
        Where there is no error.
    """
    if isinstance(data, (str, os.PathLike)) and holds_files(data):
        return examine_files(data, roles, options)
    return examine(cast("Frame", data), roles, **options)


def _opened(path: str, roles: Roles, options: FileOptions) -> Source:
    """Open a folder of files; the roles that are None are guessed from some of its rows."""
    _, guess = guess_in_files(path, roles)
    known = {role: getattr(guess.roles, role) for role in ROLES}
    panel = Panel.open(path, id=guess.ids or None, **known, **options)  # type: ignore[misc]  # it refuses what is of CSV
    own = {name: value for name, value in options.items() if value not in (None, False, "error")}
    ids = {"id": guess.ids} if guess.ids else {}
    where = str(Path(path).absolute())
    section = DataConfig.model_validate({"path": where, **ids, **known, **own, "freq": panel.grid.freq})
    name = Path(path).name.partition(".")[0]
    read = () if panel.origin is None else (panel.origin.text(),)
    return Source(panel, Original(panel), section, name, (*read, *_notes(panel, guess.notes)))


def _notes(panel: Panel, problems: Sequence[Problem]) -> tuple[str, ...]:
    """Return what is to be known of a table, each sentence once."""
    seen = panel.take(np.flatnonzero(panel.observed > 0))
    return tuple(dict.fromkeys(str(problem) for problem in (*problems, *series_notes(seen))))


def _in_one(found: Examined, notes: Sequence[str]) -> list[str]:
    """Return notes with those on one guessed role each made one."""
    guessed = {f"Guessed {role}: {', '.join(names)}.": role for role, names in found.report.roles.items()}
    roles = [f"{guessed[note]} {joined(found.report.roles[guessed[note]])}" for note in notes if note in guessed]
    first = [f"Roles of the columns, as guessed: {'; '.join(roles)}."] if roles else []
    return [*first, *(note for note in notes if note not in guessed)]


def section_of(path: str, report: Report, options: FileOptions) -> Json:
    """Return the section ``data`` of a configuration that reads a table as it was looked through.

    Parameters
    ----------
    path : str
    report : Report
        Of the table.
    options : dict
        Those that were named.

    Returns
    -------
    dict
    """
    roles = {role: list(names) for role, names in report.roles.items() if names}
    single = {role: names[0] for role, names in roles.items() if role in ("id", "time", "target") and len(names) == 1}
    freq = {} if options.get("resample") else {"freq": report.freq}
    named = {name: value for name, value in options.items() if value not in (None, False, "error")}
    return {"path": path, **roles, **single, **freq, **named, **({"melt": True} if report.melt else {})}


def _section_of(panel: Panel) -> DataConfig:
    """Return the section of a panel whose table is not known."""
    names = panel.names
    ids: dict[str, object] = {}
    if panel.ids != ("",) and not names.melted:
        ids = {"id": names.id if "/" not in names.id else names.id.split("/"), "static": panel.static.names}
    melt = {"melt": True, "target": names.melted} if names.melted else {"target": panel.targets}
    return DataConfig.model_validate({
        "path": STDIN, **ids, "time": names.time, "past": panel.past, "future": panel.future,
        "freq": panel.grid.freq, "tz": panel.grid.tz, "time_format": names.time_format, **TOLERANT, **melt,
    })  # fmt: skip


def _several(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _as_past(panel: Panel, names: tuple[str, ...]) -> Panel:
    """Return a panel in which some columns known ahead are known up to the cutoff only."""
    past = (*panel.past, *names)
    future = tuple(name for name in panel.future if name not in names)
    order = [panel.index(name) for name in (*panel.targets, *past, *future)]
    return replace(panel, values=scratch.copied(panel.values, order), past=past, future=future)
