"""Which columns of the files are read, and in which role."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from foretide.data.opened.files import is_text
from foretide.data.reading.frames import names_tuple
from foretide.data.reading.problems import DataWarning
from foretide.data.reading.roles import Roles
from foretide.data.reading.surveys import REST
from foretide.errors import DataError, nearest
from foretide.text import first_few

if TYPE_CHECKING:
    from foretide.data.opened.files import Files

_NAMED = 5


@dataclass(frozen=True)
class Wanted:
    """Which columns of the files have a role.

    Attributes
    ----------
    ids : tuple of str
        Columns that name the series together; none where there is one series only.
    time : str
    numeric : tuple of str
        Targets, past and future columns, in this order.
    static : tuple of str
    texts : frozenset of str
        Those of ``numeric`` and ``static`` that hold text.
    """

    ids: tuple[str, ...]
    time: str
    numeric: tuple[str, ...]
    static: tuple[str, ...]
    texts: frozenset[str]

    @property
    def looked_at(self) -> tuple[str, ...]:
        """Columns of the first look."""
        return (*self.ids, self.time, *self.static, *(n for n in self.numeric if n in self.texts))


def wanted_of(files: Files, id: str | Sequence[str] | None, roles: Mapping[str, object]) -> tuple[Wanted, Roles]:
    """Return the columns that are read.

    Parameters
    ----------
    files : Files
    id : str, sequence of str or None
    roles : mapping
        ``time, target, past, future, static`` -> column or columns.

    Returns
    -------
    Wanted, Roles

    Raises
    ------
    DataError
        For those that are not there, cannot have their role, or are of several types.
    """
    known, time = files.columns, str(roles["time"])
    ids = names_tuple(id) if id else ("unique_id",) if "unique_id" in known else ()
    several = {role: names_tuple(roles[role]) for role in ("target", "past", "future", "static")}  # type: ignore[arg-type]
    if several["past"] == (REST,) and REST not in known:
        others = {*ids, time, *(name for role in several if role != "past" for name in several[role])}
        several["past"] = _rest(files, others)
    pairs = [*(("id", n) for n in ids), ("time", time), *((role, n) for role, names in several.items() for n in names)]
    for k, (role, name) in enumerate(pairs):
        _check_column(files, role, name)
        for other, same in pairs[:k]:
            if name == same:
                raise DataError(f"Column {name!r} is named as {other} and as {role}. Give every column one role.")
    if not several["target"]:
        raise DataError("No target column is named. Type: target='...'.")
    numeric = (*several["target"], *several["past"], *several["future"])
    texts = frozenset(n for n in (*numeric, *several["static"]) if any(map(is_text, files.types[n])))
    for name in several["target"]:
        if name in texts:
            raise DataError(f"Column {name!r} (target) holds text. A target holds numbers: write it as such.")
    return Wanted(ids, time, numeric, several["static"], texts), Roles("/".join(ids) or None, time, **several)


def _rest(files: Files, others: set[str]) -> tuple[str, ...]:
    """Return the columns of all files without another role; say which not all of them have."""
    whole = set(files.in_all)
    left = [name for name in files.columns if name not in others and name not in whole]
    if left:
        lacks = files.lacking(left[0])
        assert lacks is not None
        text = (
            f"Not all files have {first_few(left, _NAMED)} ({lacks.name} lacks {left[0]!r}): left out of past='rest'."
        )
        warnings.warn(text, DataWarning, stacklevel=6)
    return tuple(name for name in files.columns if name in whole and name not in others)


def _check_column(files: Files, role: str, name: str) -> None:
    """Raise where a column is not in all files, or of types that do not go together."""
    if name not in files.columns:
        raise DataError(f"There is no column {name!r} ({role}) in the files. {nearest(name, files.columns)}")
    lacks = files.lacking(name)
    if lacks is not None:
        near = nearest(name, sorted({*lacks.columns, *lacks.parts}))
        raise DataError(f"{lacks.name} has no column {name!r} ({role}), other files do. {near}")
    kinds: dict[str, tuple[pa.DataType, str]] = {}
    for kind, file in files.types[name].items():
        if not pa.types.is_null(kind):
            kinds.setdefault(_sort_of(kind, role), (kind, file))
    if len(kinds) > 1 and role != "time":  # times of several kinds are an error of their own
        (one, here), (other, there) = list(kinds.values())[:2]
        raise DataError(f"Column {name!r} ({role}) is {one} in {here}, {other} in {there}. Write it alike.")


def _sort_of(kind: pa.DataType, role: str) -> str:
    """Return a word that is the same for types whose values mean the same in all files."""
    if is_text(kind):
        return "name" if role == "id" else "text"
    if role == "id" and pa.types.is_integer(kind):  # whole numbers and text are names alike; 7 and 7.0 are two
        return "name"
    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return "number" if role != "id" and any(is_so(kind) for is_so in numbers) else str(kind)
