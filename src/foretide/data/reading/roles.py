"""Which column plays which role."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from foretide.data.reading.options import Options as Options
from foretide.data.reading.problems import Problem
from foretide.errors import nearest
from foretide.typing import Frame

if TYPE_CHECKING:
    from foretide.data.reading.frames import FrameView


@dataclass(frozen=True)
class Roles:
    """Which column plays which role."""

    id: str | None
    time: str
    target: tuple[str, ...]
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def numeric(self) -> tuple[str, ...]:
        """Columns of the panel, in its order."""
        return self.target + self.past + self.future

    def named(self) -> list[tuple[str, str]]:
        """Return (role, column) pairs.

        Returns
        -------
        list of (str, str)
        """
        single = [("id", self.id)] if self.id is not None else []
        many = [(role, name) for role in ("target", "past", "future", "static") for name in getattr(self, role)]
        return [*single, ("time", self.time), *many]


def check_roles(table: FrameView, roles: Roles, frame: Frame) -> tuple[Roles, list[Problem]]:
    """Return the roles that can be looked at; and unknown columns, columns with two roles, roles without a column.

    Parameters
    ----------
    table : narwhals frame
    roles : Roles
    frame : data frame
        The same one, whose index may hold the times.

    Returns
    -------
    roles : Roles
    problems : list of Problem
    """
    problems: list[Problem] = []
    role_of: dict[str, str] = {}
    usable: dict[str, list[str]] = {role: [] for role in ("target", "past", "future", "static")}
    known = [str(c) for c in table.columns]
    for role, name in roles.named():
        if name in role_of:
            both = f"as {role_of[name]} and as {role}" if role_of[name] != role else f"twice as {role}"
            problems.append(
                Problem("roles", f"Column {name!r} is named {both}.", "Give every column one role.", column=name)
            )
            continue
        role_of[name] = role
        if name in known:
            if role in usable:
                usable[role].append(name)
        else:
            hint = nearest(name, [c for c in known if c not in role_of] or known)
            index = getattr(frame, "index", None)
            if role == "time" and isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)):
                hint = f"The times stand in the index; type: time={index.name!r}"
            marked = next((c for c in known if any(m in c for m in ";\t|") or (len(known) == 1 and "," in c)), None)
            if marked is not None:
                hint = f"A column is named {marked!r}: leave sep out, or name the separator, such as sep=';'."
            problems.append(Problem("column", f"There is no column {name!r} ({role}).", hint, column=name))
    if not roles.target:
        hint = f"Type: target='...'. Known: {', '.join(known)}."
        problems.append(Problem("target", "No target column is named.", hint))
    target, past, future, static = (tuple(usable[role]) for role in ("target", "past", "future", "static"))
    return replace(roles, target=target, past=past, future=future, static=static), problems
