"""What was learned, as arrays and facts: how frozen dataclasses and forecasters inside others are saved and rebuilt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from foretide.typing import Array, Json

T = TypeVar("T")


def arrays_of(value: object) -> dict[str, Array]:
    """Return the fields of a dataclass that are arrays, by name.

    Parameters
    ----------
    value : dataclass

    Returns
    -------
    dict
    """
    return {name: held for name, held in _held(value).items() if isinstance(held, np.ndarray)}


def facts_of(value: object) -> Json:
    """Return the fields of a dataclass that are no arrays, by name, tuples as lists.

    Parameters
    ----------
    value : dataclass

    Returns
    -------
    dict
    """
    held = {name: one for name, one in _held(value).items() if not isinstance(one, np.ndarray)}
    return {name: list(one) if isinstance(one, tuple) else one for name, one in held.items()}


def rebuilt(kind: type[T], *parts: Mapping[str, object]) -> T:
    """Make a dataclass of what :func:`arrays_of` and :func:`facts_of` gave; lists become tuples.

    Parameters
    ----------
    kind : type
    *parts : mappings
        Name -> value; what is no field is left out.

    Returns
    -------
    dataclass
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    given = {name: one for part in parts for name, one in part.items() if name in names}
    return kind(**{name: tuple(one) if isinstance(one, list) else one for name, one in given.items()})


def under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Put arrays under a name, ``prefix/name``."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def parted(arrays: Mapping[str, Array], prefixes: Iterable[str]) -> list[dict[str, Array]]:
    """Undo :func:`under` for several names."""
    parts: dict[str, dict[str, Array]] = {prefix: {} for prefix in prefixes}
    for key, array in arrays.items():
        prefix, _, name = key.partition("/")
        if prefix in parts:
            parts[prefix][name] = array
    return list(parts.values())


def _held(value: object) -> dict[str, object]:
    return {field.name: getattr(value, field.name) for field in fields(value)}  # type: ignore[arg-type]  # a dataclass
