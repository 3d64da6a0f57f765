"""From a data frame or a file to a panel, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.frames import as_backend, open_frame, read_table
from foretide.data.panel import Names, Panel
from foretide.data.problems import raise_errors, warn
from foretide.data.roles import Options, Roles
from foretide.data.survey import Survey, survey
from foretide.errors import ConfigError, nearest

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["as_backend", "from_frame", "from_wide", "panel_to_frame", "read"]


def from_frame(
    frame: Any,
    *,
    id: str | None = "unique_id",
    time: str = "ds",
    target: str | Sequence[str] = "y",
    past: str | Sequence[str] = (),
    future: str | Sequence[str] = (),
    static: str | Sequence[str] = (),
    **options: Any,
) -> Panel:
    """Build a panel from a long frame: one row per entity and time.

    Parameters
    ----------
    frame : pandas or polars data frame
        Not changed.
    id : str or None
        Column that names the entity; None: the frame holds one.
    time : str
        Datetimes (with or without a zone), dates, ISO text, or integers.
    target, past, future, static : str or sequence of str
        Columns by role: forecast; known up to the cutoff; known ahead; one value per entity. Booleans become 0 and 1.
        Rows after the last observed target may hold future columns only.
    freq : str or int, optional
        Length of a step (``"h"``, ``"30min"``, ``"D"``, ``"MS"``; an integer for integer time); found by default.
    fill_gaps : bool
        Insert rows of missing values where steps are missing (filled forward with ``missing="ffill"``); otherwise
        gaps are an error.
    missing : {"error", "mask", "ffill"}
        NaN, null and infinite values: an error; kept as NaN; filled with the entity's last known value (a leading one
        stays NaN).
    resample : str, optional
        Bring each entity's rows together into steps of this length, labelled as by ``DataFrame.resample``.
    aggregate : str or dict of str to str, optional
        How: ``"mean"`` (by default), ``"sum"``, ``"last"``, ``"max"`` or ``"min"`` of the values there are; by column
        ``{"y": "sum", "price": "max"}``, others by mean.
    tz : str, optional
        Zone of the wall clock. Times with a zone are moved to it, times without one are taken to be in it.
    time_format : str, optional
        ``strptime`` format of text or whole numbers, or ``epoch_s``, ``epoch_ms`` ...; found where all rows agree.
    input_size, h : int, optional
        When both are given, series shorter than one window are an error.

    Returns
    -------
    Panel
        Entities in order of appearance. Values are float64, or float32 when all columns are.

    Raises
    ------
    DataError
        One error that lists every problem found.

    Warns
    -----
    DataWarning
        For constant columns.
    """
    _only(options)
    roles = Roles(id, time, _names(target), _names(past), _names(future), _names(static))
    found = survey(frame, roles, Options(**options))
    return _panel_of(found)


def from_wide(
    frame: Any,
    *,
    time: str = "ds",
    target: str | Sequence[str],
    past: str | Sequence[str] = (),
    future: str | Sequence[str] = (),
    **options: Any,
) -> Panel:
    """Build a panel of one unnamed entity from a frame whose columns are series.

    Parameters
    ----------
    frame : pandas or polars data frame
    time : str
    target, past, future : str or sequence of str
        Columns by role; ``past="rest"`` takes all columns that have no other role.
    **options
        As in :func:`from_frame`.
    """
    _only(options)
    target, future = _names(target), _names(future)
    if past == "rest" and "rest" not in (names := open_frame(frame).columns):
        past = tuple(str(c) for c in names if c not in (time, *target, *future))
    found = survey(frame, Roles(None, time, target, _names(past), future), Options(**options))
    return _panel_of(found)


def read(
    path: str | PathLike[str],
    *,
    id: str | None = None,
    time: str = "ds",
    target: str | Sequence[str] = "y",
    backend: str = "pandas",
    sep: str = ",",
    decimal: str = ".",
    **options: Any,
) -> Panel:
    """Read a CSV or Parquet file, picked by its ending, into a panel.

    The file is long when ``id`` is given or it has a column ``unique_id``, wide (one entity) otherwise.

    Parameters
    ----------
    path : path
        Ends in ``.csv``, ``.csv.gz``, ``.parquet`` or ``.pq``.
    id, time, target
        As in :func:`from_frame`.
    backend : {"pandas", "polars"}
        Kind of frame that forecasts are returned in.
    sep, decimal : str
        Separator and decimal mark of a CSV file.
    **options
        Roles and options of :func:`from_frame` (long) or :func:`from_wide` (wide).
    """
    frame = read_table(path, text=(id or "unique_id",), sep=sep, decimal=decimal)
    frame = frame if backend == "pandas" else as_backend(frame, backend)
    if id is not None or "unique_id" in frame.columns:
        return from_frame(frame, id=id or "unique_id", time=time, target=target, **options)
    return from_wide(frame, time=time, target=target, **options)


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
    columns |= {name: values[:, k] for k, name in enumerate(panel.columns)}
    for k, name in enumerate(panel.static.names):
        cells = panel.static.values[:, k]
        labels = panel.static.categories.get(name)
        if labels is not None:
            known = np.array([*labels, None], dtype=object)
            cells = known[np.where(np.isnan(cells), len(labels), cells).astype(int)]
        columns[name] = cells[entity]
    return as_backend(pd.DataFrame(columns), panel.names.backend)


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _only(options: dict[str, Any]) -> None:
    """Say which options there are when one is not known."""
    known = tuple(Options.__dataclass_fields__)
    for name in options:
        if name not in known:
            raise ConfigError(f"There is no option {name!r} for reading a frame. {nearest(name, known)}")


def _panel_of(found: Survey) -> Panel:
    """Return the panel of a survey; raise its errors, issue its warnings."""
    raise_errors(found.problems)
    warn(found.problems, stacklevel=3)
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
    )
