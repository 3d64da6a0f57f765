"""From a data frame or a file to a panel, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.panel import Names, Panel
from foretide.data.reading.categories import names_of
from foretide.data.reading.frames import as_backend, columns_of_index, join_ids, open_frame
from foretide.data.reading.problems import raise_errors, warn
from foretide.data.reading.roles import Options, Roles
from foretide.data.reading.survey import Survey, survey
from foretide.data.reading.upright import names_of_series, stand_up
from foretide.data.tables.form import Form, Origin
from foretide.data.tables.reader import read_table
from foretide.errors import ConfigError, nearest

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["as_backend", "from_frame", "from_wide", "panel_to_frame", "read"]


def from_frame(
    frame: Any,
    *,
    id: str | Sequence[str] | None = "unique_id",
    time: str = "ds",
    target: str | Sequence[str] = "y",
    past: str | Sequence[str] = (),
    future: str | Sequence[str] = (),
    static: str | Sequence[str] = (),
    **options: Any,
) -> Panel:
    """Build a panel from a long frame, one row per entity and time; or one per entity, its last columns the steps.

    Parameters
    ----------
    frame : pandas or polars data frame
        Not changed. Times and ids may stand in the index of a pandas frame.
    id : str, sequence of str or None
        Column that names the entity, or several together (``"north/milk"``); None: the frame holds one.
    time : str
        Datetimes (with or without a zone), dates, text, or integers.
    target, past, future, static : str or sequence of str
        Columns by role: forecast; known up to the cutoff; known ahead; one value per entity. Booleans become 0 and 1,
        text that is no target categories (empty: none of them). Rows after the end hold future columns only.
    freq : str or int, optional
        Length of a step (``"h"``, ``"30min"``, ``"D"``, ``"MS"``; for integer time an integer); found by default.
    fill_gaps : bool
        Insert rows of missing values where steps are missing, which are an error otherwise.
    missing : {"error", "mask", "ffill"}
        NaN, null and infinite values: an error; kept as NaN; the last known value, up to the last observation.
    resample : str, optional
        Bring each entity's rows together into steps of this length, labelled as by ``DataFrame.resample``.
    aggregate : str or dict of str to str, optional
        ``"mean"`` (by default), ``"sum"``, ``"last"``, ``"max"``, ``"min"``, or by column: ``{"y": "sum"}``.
    tz : str, optional
        Zone of the wall clock: times are moved to it; those without a zone are taken to be in it.
    time_format : str, optional
        ``strptime`` format of text or whole numbers, or ``epoch_s``, ``epoch_ms`` ...; found where all rows agree.
    decimal, thousands : str, optional
        Marks of numbers stored as text, such as ``,`` and ``.``; found by default.
    input_size, h, melt : optional
        Series shorter than one window are an error; every target column is an entity of its own (:func:`from_wide`).

    Returns
    -------
    Panel
        Entities in order of appearance; values are float64, or float32 when all columns are.

    Raises
    ------
    DataError
        One that lists every problem found; constant columns are a :class:`DataWarning`.
    """
    named = [_names(columns) for columns in (target, past, future, static)]
    ids = () if id is None else _names(id)
    frame = columns_of_index(frame, time, ids, [name for names in named for name in names])
    frame, _ = stand_up(frame, time, *named[0])
    frame, one = join_ids(frame, ids) if len(ids) > 1 else (frame, ids[0] if ids else None)
    return _panel_of(survey(frame, Roles(one, time, *named), _options(options)))


def from_wide(
    frame: Any,
    *,
    time: str = "ds",
    target: str | Sequence[str],
    past: str | Sequence[str] = (),
    future: str | Sequence[str] = (),
    **options: Any,
) -> Panel:
    """Build a panel from a frame whose columns are series, one row per time.

    Several targets make a panel of one unnamed entity, whose targets are forecast together. With ``melt=True`` they
    make a panel of many entities, which may begin and end at different times: many series alike.

    Parameters
    ----------
    frame : pandas or polars data frame
    time : str
    target, past, future : str or sequence of str
        Columns by role; ``"rest"`` as target or past takes all columns that have no other role.
    **options
        As in :func:`from_frame`.
    """
    checked = _options(options)
    rest = [role for role, names in (("target", target), ("past", past)) if names == "rest"]
    roles = {"target": _names(target), "past": _names(past), "future": _names(future)}
    frame = columns_of_index(frame, time, (), [n for names in roles.values() for n in names if n != "rest"])
    names = [str(c) for c in open_frame(frame).columns]
    if rest and "rest" not in names:
        if len(rest) > 1:
            raise ConfigError("target='rest' and past='rest': only one role can take the rest. Name the others.")
        others = {time, *(name for role in roles if role != rest[0] for name in roles[role])}
        roles[rest[0]] = tuple(name for name in names if name not in others)
    found = survey(frame, Roles(None, time, **roles), checked)
    return _panel_of(found)


def read(
    path: str | PathLike[str],
    *,
    id: str | Sequence[str] | None = None,
    time: str = "ds",
    target: str | Sequence[str] = "y",
    backend: str = "pandas",
    likely: Form | None = None,
    **options: Any,
) -> Panel:
    """Read a CSV or Parquet file into a panel.

    What is not given is found by looking at the whole file: encoding, separator, decimal and thousands mark.
    ``panel.origin`` says what was found. The file is long when ``id`` is given or it has a column ``unique_id``,
    wide (one entity) otherwise.

    Parameters
    ----------
    path : path
        Ends in ``.csv``, ``.tsv``, ``.tab``, ``.txt``, ``.dat``, ``.parquet`` or ``.pq``, maybe followed by ``.gz``,
        ``.bz2``, ``.xz`` or ``.zip``; ``-`` is standard input.
    id, time, target
        As in :func:`from_frame`.
    backend : {"pandas", "polars"}
        Kind of frame that forecasts are returned in.
    likely : Form, optional
        How a table of the same kind was written: decides where this one leaves a choice.
    sep, encoding : str, optional
        Separator and encoding of a CSV file.
    **options
        Roles and options of :func:`from_frame` (long) or :func:`from_wide` (wide).

    Raises
    ------
    DataError
        When the file cannot be read, or as in :func:`from_frame`.
    """
    given = Options(**{k: v for k, v in options.items() if k in Options.__dataclass_fields__})
    ids = _names(id) if id else ("unique_id",)
    table = read_table(path, text=(*ids, time), given=given.form, likely=likely)
    frame = as_backend(table.frame, backend)
    options = {**options, **_left_open(table.frame, time, given, likely), "sep": table.origin.form.sep}
    if not id and "unique_id" not in table.frame.columns and isinstance(target, str):
        id = names_of_series(table.frame, steps) if (steps := stand_up(table.frame, time, target)[1]) else None
    if id or "unique_id" in table.frame.columns or table.frame.index.nlevels > 1:
        panel = from_frame(frame, id=id or "unique_id", time=time, target=target, **options)
    else:
        panel = from_wide(frame, time=time, target=target, **options)
    return with_origin(panel, table.origin)


def with_origin(panel: Panel, origin: Origin) -> Panel:
    """Return the panel with the file it was read from; the form of its times is the one that it was found to have."""
    found = panel.origin.form.time_format if panel.origin is not None else None
    return replace(panel, origin=replace(origin, form=replace(origin.form, time_format=found)))


def _left_open(frame: pd.DataFrame, time: str, given: Options, likely: Form | None) -> dict[str, Any]:
    """Return the form of the times of a table of the same kind where all times here have it, ISO 8601 aside."""
    if likely is None or likely.time_format is None or given.time_format is not None or time not in frame.columns:
        return {}
    times = frame[time].dropna().astype(str)
    fits = len(times) and pd.to_datetime(times, format=likely.time_format, errors="coerce").notna().all()
    return {"time_format": likely.time_format} if fits else {}


def panel_to_frame(panel: Panel) -> Any:
    """Return a long frame (id, time, columns, static columns) of the kind the panel was made from.

    One unnamed entity gives no id column. Missing cells are NaN (null in polars).
    """
    local = np.concatenate([np.arange(n) for n in panel.length]) if panel.n_entities else np.zeros(0, np.int64)
    entity = np.repeat(np.arange(panel.n_entities), panel.length)
    columns: dict[str, Any] = {}
    if panel.ids != ("",):
        columns[panel.names.id] = np.array(panel.ids, dtype=object)[entity]
    columns[panel.names.time] = panel.grid.output_times(panel.first[entity] + local)
    values = panel.values[panel.row0[entity] + local]
    for k, name in enumerate(panel.columns):
        columns[name] = names_of(values[:, k], panel.categories[name]) if name in panel.categories else values[:, k]
    for k, name in enumerate(panel.static.names):
        labels, cells = panel.static.categories.get(name), panel.static.values[:, k]
        columns[name] = (cells if labels is None else names_of(cells, labels))[entity]
    return as_backend(pd.DataFrame(columns), panel.names.backend)


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _options(given: dict[str, Any]) -> Options:
    """Return the options of a frame; say which there are when one is not known."""
    known = tuple(Options.__dataclass_fields__)
    for name in given:
        if name not in known:
            raise ConfigError(f"There is no option {name!r} for reading a frame. {nearest(name, known)}")
    return Options(**given)


def _panel_of(found: Survey) -> Panel:
    """Return the panel of a survey; raise its errors, issue its warnings."""
    raise_errors(found.problems)
    warn(found.problems, stacklevel=3)
    return panel_of(found)


def panel_of(found: Survey) -> Panel:
    """Return the panel of a survey without errors."""
    place, n = found.place, len(found.place.ids)
    row0 = np.searchsorted(place.codes, np.arange(n)).astype(np.int64)
    length = np.diff(np.append(row0, len(place.codes))).astype(np.int64)
    roles = found.roles
    return Panel(
        grid=found.require_grid(),
        ids=place.ids,
        values=found.values,
        row0=row0,
        length=length,
        first=found.steps[row0],
        targets=roles.target,
        past=roles.past,
        future=roles.future,
        static=found.static,
        names=Names(roles.id or "unique_id", roles.time, found.backend),
        categories=found.categories,
        origin=None if found.time_format is None else Origin("a frame", Form(time_format=found.time_format)),
    )
