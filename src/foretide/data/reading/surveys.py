"""From a long frame, a wide one, or a file to a survey and a panel, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import pandas as pd

from foretide.data.reading.categories import names_of
from foretide.data.reading.frames import as_backend, columns_of_index, join_ids, names_tuple, open_frame, strings
from foretide.data.reading.options import Options
from foretide.data.reading.problems import raise_errors, warn
from foretide.data.reading.roles import Roles
from foretide.data.reading.rows import rows_called, rows_of
from foretide.data.reading.survey import Survey, survey_of
from foretide.data.reading.upright import names_of_series, stand_up
from foretide.data.static import Names
from foretide.data.tables.form import Form, Origin
from foretide.data.tables.reader import read_table
from foretide.errors import ConfigError, nearest
from foretide.typing import Frame

if TYPE_CHECKING:
    from os import PathLike

    from foretide.data.panel import Panel

    Columns: TypeAlias = str | Sequence[str]

REST = "rest"
ROLES = ("id", "time", "target", "past", "future", "static")
REPEATED = ("fill_gaps", "missing", "resample", "aggregate", "time_format", "decimal", "thousands")
"""Options that hold for the next table of the kind too."""


def survey_long(
    frame: Frame, id: Columns | None, time: str, roles: Mapping[str, Columns], options: Mapping[str, object]
) -> Survey:
    """Read a frame of one row per entity and time, or of one row per entity; ``"rest"`` as past is as in a wide one.

    Parameters
    ----------
    frame : pandas or polars data frame
    id : str, sequence of str or None
    time : str
    roles : dict of str to str or sequence of str
        Columns by role.
    options : dict
        See :class:`foretide.data.reading.options.FrameOptions`.

    Returns
    -------
    Survey
    """
    named = {role: names_tuple(columns) for role, columns in roles.items()}
    ids = () if id is None else names_tuple(id)
    frame = columns_of_index(frame, time, ids, [n for names in named.values() for n in names if n != REST])
    frame, _, own = stand_up(frame, time, *named["target"])
    if roles.get("past") == REST:
        named["past"] = _rest(frame, "past", named, {time, *ids})
    frame, one = join_ids(frame, ids)
    with rows_called(own):
        return survey_of(frame, Roles(one, time, **named), options_of(options))


def survey_wide(frame: Frame, time: str, roles: Mapping[str, Columns], options: Mapping[str, object]) -> Survey:
    """Read a frame of one row per time; ``"rest"`` as target or past stands for the columns without another role.

    Parameters
    ----------
    frame : pandas or polars data frame
    time : str
    roles : dict of str to str or sequence of str
        Columns by role.
    options : dict
        See :class:`foretide.data.reading.options.FrameOptions`.

    Returns
    -------
    Survey
    """
    checked = options_of(options)
    named = {role: names_tuple(columns) for role, columns in roles.items()}
    frame = columns_of_index(frame, time, (), [n for names in named.values() for n in names if n != REST])
    rest = [role for role in ("target", "past") if roles.get(role) == REST]
    if len(rest) > 1 and REST not in _columns(frame):
        raise ConfigError("target='rest' and past='rest': only one role can take the rest. Name the others.")
    for role in rest:
        named[role] = _rest(frame, role, named, {time})
    with rows_called(rows_of(frame)):
        return survey_of(frame, Roles(None, time, **named), checked)


def _columns(frame: Frame) -> list[str]:
    return [str(column) for column in open_frame(frame).columns]


def _rest(frame: Frame, role: str, named: Mapping[str, tuple[str, ...]], keys: Set[str]) -> tuple[str, ...]:
    """Return the columns that have no other role, or the one that is called so."""
    names = _columns(frame)
    if REST in names:
        return named[role]
    others = {*keys, *(name for other in named if other != role for name in named[other])}
    return tuple(name for name in names if name not in others)


def survey_file(
    path: str | PathLike[str], id: Columns | None, time: str, target: Columns, backend: str, likely: Form | None,
    options: Mapping[str, object],
) -> tuple[Survey, Origin]:  # fmt: skip
    """Read a file, long when ``id`` is given or it has a column ``unique_id``; return where it was read from too.

    Parameters
    ----------
    path, id, time, target, backend, likely, options
        As for :meth:`foretide.Panel.read`.

    Returns
    -------
    Survey, Origin
    """
    given = options_of({name: value for name, value in options.items() if name in Options.__dataclass_fields__})
    ids = names_tuple(id) if id else ("unique_id",)
    table = read_table(path, text=(*ids, time), preset=given.form, likely=likely)
    frame = as_backend(table.frame, backend)
    options = {**options, **left_open(table.frame, time, given.time_format, likely), "sep": table.origin.form.sep}
    if not id and "unique_id" not in table.frame.columns and isinstance(target, str):
        id = names_of_series(table.frame, steps) if (steps := stand_up(table.frame, time, target)[1]) else None
    long = bool(id) or "unique_id" in table.frame.columns or table.frame.index.nlevels > 1
    named = [role for role in ("past", "future", *["static"] * long) if role in options]
    roles: dict[str, Columns] = {"target": target, **{role: cast("Columns", options[role]) for role in named}}
    ways = {name: value for name, value in options.items() if name not in named}
    with rows_called(table.rows):
        if long:
            return survey_long(frame, id or "unique_id", time, roles, ways), table.origin
        return survey_wide(frame, time, roles, ways), table.origin


def build(kind: type[Panel], survey: Survey, origin: Origin | None = None) -> Panel:
    """Return the panel of a survey; raise its errors, issue its warnings at the caller of the caller.

    Parameters
    ----------
    kind : type of Panel
    survey : Survey
    origin : Origin, optional
        The file that was surveyed.

    Returns
    -------
    Panel
    """
    raise_errors(survey.problems)
    warn(survey.problems, stacklevel=3)
    return panel_of(kind, survey, origin)


def panel_of(kind: type[Panel], survey: Survey, origin: Origin | None = None) -> Panel:
    """Return the panel of a survey without errors.

    Parameters
    ----------
    kind : type of Panel
    survey : Survey
    origin : Origin, optional
        The file that was surveyed.

    Returns
    -------
    Panel
    """
    place, roles = survey.place, survey.roles
    row0 = np.searchsorted(place.codes, np.arange(len(place.ids))).astype(np.int64)
    if origin is None and survey.time_format is not None:
        origin = Origin("a frame", Form())
    return kind(
        survey.require_grid(), place.ids, survey.values, row0, np.diff(np.append(row0, len(place.codes))),
        survey.steps[row0], roles.target, roles.past, roles.future, survey.static,
        names_of_survey(survey), origin and origin.with_times(survey.time_format), survey.categories,
    )  # fmt: skip


def names_of_survey(survey: Survey) -> Names:
    """Return how a frame was read, for the next one.

    Parameters
    ----------
    survey : Survey

    Returns
    -------
    Names
    """
    options, named = survey.options, survey.named
    melted = named.target if options.melt and named is not None else ()
    reading = {name: own for name in REPEATED if (own := getattr(options, name)) != getattr(Options, name)}
    id, time = survey.roles.id or "unique_id", survey.roles.time
    return Names(id, time, survey.backend, melted, survey.time_format, reading)


def frame_of(panel: Panel) -> Frame:
    """Return what :meth:`foretide.Panel.to_frame` does.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    data frame
    """
    local = np.concatenate([np.zeros(0, np.int64), *(np.arange(n) for n in panel.length)])
    entity = np.repeat(np.arange(panel.n_entities), panel.length)
    ids = {} if panel.ids == ("",) else {panel.names.id: np.array(panel.ids, dtype=object)[entity]}
    cells = {name: panel.values[panel.row0[entity] + local, k] for k, name in enumerate(panel.columns)}
    cells |= {name: panel.static.values[entity, k] for k, name in enumerate(panel.static.names)}
    labels = {**panel.categories, **panel.static.categories}
    named = {name: names_of(own, labels[name]) if name in labels else own for name, own in cells.items()}
    times = panel.grid.output_times(panel.first[entity] + local)
    return as_backend(pd.DataFrame({**ids, panel.names.time: times, **named}), panel.names.backend)


def left_open(frame: Frame, time: str, given: str | None, likely: Form | None) -> dict[str, str]:
    """Return the form of the times of a table of the same kind where all times here have it, ISO 8601 aside.

    Parameters
    ----------
    frame : pandas or polars data frame
    time : str
    given : str or None
        The form that a person named.
    likely : Form or None
        How the other table was written.

    Returns
    -------
    dict
        ``time_format``, or nothing.
    """
    if likely is None or likely.time_format is None or given is not None or time not in frame.columns:
        return {}
    times = strings(open_frame(frame)[time]).dropna().astype(str)
    fits = len(times) and pd.to_datetime(times, format=likely.time_format, errors="coerce").notna().all()
    return {"time_format": likely.time_format} if fits else {}


def options_of(options: Mapping[str, object]) -> Options:
    """Return the options of a frame; say which there are when one is not known.

    Parameters
    ----------
    options : mapping

    Returns
    -------
    Options
    """
    known = tuple(Options.__dataclass_fields__)
    for name in options:
        if name not in known:
            hint = nearest(name, (*known, *ROLES))
            raise ConfigError(f"There is no option {name!r} for reading a frame. {hint}")
    return Options(**options)  # type: ignore[arg-type]  # their values are checked when they are used
