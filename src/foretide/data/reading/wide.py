"""A table whose columns are series, as a long one: every target column becomes an entity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np

from foretide.data.reading.columns import number_column
from foretide.data.reading.problems import Problem
from foretide.data.reading.rows import Rows, rows
from foretide.data.time.times import parse_times

if TYPE_CHECKING:
    from foretide.data.reading.frames import FrameView
    from foretide.data.reading.roles import Options, Roles

ID, VALUE = "unique_id", "y"


def melt(table: FrameView, roles: Roles, options: Options) -> tuple[FrameView, Roles, list[Problem], Rows]:
    """Return the long table, its roles, what is wrong, and what its rows are called.

    Parameters
    ----------
    table : narwhals frame
        One row per time.
    roles : Roles
        All their columns exist. Columns of role past and future are shared by all entities.
    options : Options
        How times and numbers are written.

    Returns
    -------
    table : narwhals frame
        As it was where it cannot be melted, and so are the roles. Otherwise columns ``unique_id`` (the name of the
        target column), the time, ``y``, past and future, entities one below the other, without targets that cannot be
        read. An entity begins at its first value, and ends at its last one where no column is known ahead.
    roles : Roles
    problems : list of Problem
        Those of the times among them.
    rows : Rows
    """
    for role, names in (("id", (roles.id,) if roles.id is not None else ()), ("static", roles.static)):
        if names:
            text = f"melt makes an entity of every target column, and {names[0]!r} is named as {role}."
            return table, roles, [Problem("roles", text, f"Leave out melt, or {role}.", column=names[0])], rows()
    if not roles.target:
        return table, roles, [], rows()  # that its columns are not there is said already
    shared = [roles.time, *roles.past, *roles.future]
    id_name, value_name = (_free(name, shared) for name in (ID, VALUE))
    native = table.select(shared)
    times = parse_times(table[roles.time], options.time_format)
    parts, problems, masks = [], list(times.problems), []
    for name in roles.target:
        values, found = number_column(table[name], options.form)
        problems += found
        if values is None:
            continue
        seen = times.values[~np.isnan(values) & ~times.bad]
        kept = np.ones(len(values), dtype=bool)
        if seen.size:
            kept = times.bad | (times.values >= seen.min())
            kept &= bool(roles.future) | times.bad | (times.values <= seen.max())
        part = native.filter(kept.tolist())
        cells = nw.new_series(value_name, values[kept], backend=table.implementation)
        masks.append(kept)
        parts.append(part.with_columns(nw.lit(name).alias(id_name), cells))

    def at(row: int) -> int:
        return int(np.flatnonzero(np.concatenate(masks))[row]) % len(table)

    if not parts:
        return table, roles, problems, rows()
    return nw.concat(parts), replace(roles, id=id_name, target=(value_name,)), problems, rows().taken(at)


def _free(name: str, taken: list[str]) -> str:
    while name in taken:
        name += "_"
    return name
