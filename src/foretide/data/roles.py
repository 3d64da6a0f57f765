"""Which column plays which role, and how a frame is to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from foretide.data.frequency import read_freq
from foretide.data.problems import Problem
from foretide.data.zones import read_zone
from foretide.errors import ConfigError, nearest

if TYPE_CHECKING:
    import narwhals as nw

_MISSING = ("error", "mask", "ffill")
AGGREGATES = ("mean", "sum", "last", "max", "min")
"""What resampling makes of the values that fall into one step."""


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
        """Return (role, column) pairs."""
        single = [("id", self.id)] if self.id is not None else []
        many = [(role, name) for role in ("target", "past", "future", "static") for name in getattr(self, role)]
        return [*single, ("time", self.time), *many]


@dataclass(frozen=True)
class Options:
    """How a frame is read; see :func:`foretide.data.reading.from_frame`."""

    freq: str | int | None = None
    fill_gaps: bool = False
    missing: str = "error"
    resample: str | None = None
    aggregate: str | dict[str, str] | None = None
    tz: str | None = None
    time_format: str | None = None
    input_size: int | None = None
    h: int | None = None

    def checked(self) -> Options:
        """Return the options in canonical form, or say which one cannot be."""
        if self.missing not in _MISSING:
            hint = nearest(self.missing, _MISSING)
            raise ConfigError(f"missing={self.missing!r}: expected one of {', '.join(_MISSING)}. {hint}")
        if self.aggregate is not None and self.resample is None:
            raise ConfigError("aggregate says how rows become longer steps, and needs their length: resample='D' ...")
        freq = None if self.freq is None else read_freq(self.freq)
        resample = None if self.resample is None else read_freq(self.resample, "resample")
        if isinstance(resample, int):
            raise ConfigError(f"resample={resample!r}: expected a frequency such as '1h' or 'D'.")
        if resample is not None and freq is not None and freq != resample:
            raise ConfigError(
                f"resample={self.resample!r} makes steps of {resample!r}, freq={self.freq!r} says otherwise."
            )
        aggregate = None if self.aggregate is None else read_aggregate(self.aggregate)
        return replace(self, freq=resample or freq, resample=resample, aggregate=aggregate, tz=read_zone(self.tz))


def read_aggregate(given: str | Mapping[str, str]) -> str | dict[str, str]:
    """Return one aggregation for all columns, or one by column; text may be ``"sum"`` or ``"y=sum,price=mean"``."""
    if isinstance(given, str) and "=" in given:
        parts = [part.partition("=") for part in given.split(",") if part.strip()]
        given = {name.strip(): choice.strip() for name, _, choice in parts}
    for choice in [given] if isinstance(given, str) else given.values():
        if choice not in AGGREGATES:
            raise ConfigError(
                f"aggregate={choice!r}: expected one of {', '.join(AGGREGATES)}, or one by column, such as "
                f"'y=sum,price=mean'. {nearest(choice, AGGREGATES)}"
            )
    return given if isinstance(given, str) else dict(given)


def check_roles(table: nw.DataFrame[Any], roles: Roles, frame: Any) -> tuple[Roles, list[Problem]]:
    """Return the roles that can be looked at; and unknown columns, columns with two roles, roles without a column."""
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    usable: dict[str, list[str]] = {role: [] for role in ("target", "past", "future", "static")}
    known = [str(c) for c in table.columns]
    for role, name in roles.named():
        if name in seen:
            both = f"as {seen[name]} and as {role}" if seen[name] != role else f"twice as {role}"
            problems.append(
                Problem("roles", f"Column {name!r} is named {both}.", "Give every column one role.", column=name)
            )
            continue
        seen[name] = role
        if name in known:
            if role in usable:
                usable[role].append(name)
        else:
            hint = nearest(name, [c for c in known if c not in seen] or known)
            if role == "time" and isinstance(getattr(frame, "index", None), (pd.DatetimeIndex, pd.PeriodIndex)):
                hint = "The times stand in the index; type: frame.reset_index(names='ds')"
            if len(known) == 1 and any(mark in known[0] for mark in ";\t|"):
                hint = f"The only column is {known[0]!r}: name the separator, such as sep=';'."
            problems.append(Problem("column", f"There is no column {name!r} ({role}).", hint, column=name))
    if not roles.target:
        hint = f"Type: target='...'. Known: {', '.join(known)}."
        problems.append(Problem("roles", "No target column is named.", hint))
    target, past, future, static = (tuple(usable[role]) for role in ("target", "past", "future", "static"))
    return replace(roles, target=target, past=past, future=future, static=static), problems
