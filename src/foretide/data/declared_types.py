"""Whether what a dataclass holds is of the types that its fields are declared as."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import fields
from functools import cache

import numpy as np

from foretide.errors import ConfigError

ARRAYS = {"Floats": ("f8",), "Singles": ("f4",), "Reals": ("f4", "f8"), "Ints": ("i8",), "Bools": ("b1",)}
"""Name of a type of arrays -> kinds and bytes of its numbers."""
_NUMBERS = {"float": (int, float, np.integer, np.floating), "int": (int, np.integer)}
_PLAIN: dict[str, type | tuple[type, ...]] = {"str": str, "bool": bool, "dict": dict, "list": list, "tuple": tuple}


def check_fields(value: object) -> None:
    """Refuse a dataclass that holds something else than its fields are declared as.

    Arrays are looked at by their kind of numbers, tuples, lists and dictionaries item by item, other classes by
    their name; of a type that is written in another way nothing is said.

    Parameters
    ----------
    value : dataclass

    Raises
    ------
    ConfigError
        That names the field, what is expected there, and what came.

    Examples
    --------
    >>> from foretide.data.indicators import Indicators
    >>> check_fields(Indicators({"promo": ("no", "yes")}))
    >>> check_fields(Indicators(3))
    Traceback (most recent call last):
    foretide.errors.ConfigError: columns of Indicators is dict[str, tuple[str, ...]], got 3.
    """
    for field in fields(value):  # type: ignore[arg-type]  # a dataclass
        held = getattr(value, field.name)
        if not fits(held, str(field.type)):
            got = f"an array of {held.dtype}" if isinstance(held, np.ndarray) else repr(held)[:80]
            raise ConfigError(f"{field.name} of {type(value).__name__} is {field.type}, got {got}.")


def check_axes(value: object, axes: Mapping[str, str]) -> None:
    """Refuse a dataclass whose arrays and tuples do not agree in their sizes.

    Parameters
    ----------
    value : dataclass
    axes : mapping
        Name of a field -> a letter for each of its axes, with what is added to it: ``"N+1 D"``. A letter is the same
        number wherever it stands.

    Raises
    ------
    ConfigError
        That names the field and its sizes.

    Examples
    --------
    >>> from foretide.data.indicators import Indicators
    >>> check_axes(Indicators({"promo": ("no", "yes")}), {"columns": "C", "static": "C"})
    Traceback (most recent call last):
    foretide.errors.ConfigError: static of Indicators has the sizes [0], expected [C] with C=1.
    """
    known: dict[str, int] = {}
    for name, letters in axes.items():
        held = getattr(value, name)
        shape = held.shape if isinstance(held, np.ndarray) else (len(held),)
        wanted = [letter.partition("+") for letter in letters.split()]
        agree = len(wanted) == len(shape) and all(
            known.setdefault(letter, size - int(more or 0)) + int(more or 0) == size
            for (letter, _, more), size in zip(wanted, shape, strict=True)
        )
        if not agree:
            sizes = ", ".join(f"{letter}={size}" for letter, size in known.items())
            raise ConfigError(
                f"{name} of {type(value).__name__} has the sizes {list(shape)}, expected [{letters}] with {sizes}."
            )


def fits(value: object, declared: str) -> bool:
    """Whether a value is of a type, as that is written in a program.

    Parameters
    ----------
    value : object
    declared : str

    Returns
    -------
    bool

    Examples
    --------
    >>> fits(("a", 1), "tuple[str, ...]"), fits({"a": 1.5}, "dict[str, float] | None"), fits(True, "int")
    (False, True, False)
    """
    return _fits(value, _parsed(declared))


@cache
def _parsed(declared: str) -> ast.expr:
    return ast.parse(declared, mode="eval").body


def _fits(value: object, kind: ast.expr) -> bool:
    if isinstance(kind, ast.BinOp):
        return _fits(value, kind.left) or _fits(value, kind.right)
    if isinstance(kind, ast.Constant):
        return value is None if kind.value is None else _fits(value, _parsed(str(kind.value)))
    if isinstance(kind, ast.Attribute):
        return _of(value, kind.attr)
    if isinstance(kind, ast.Name):
        return _of(value, kind.id)
    if isinstance(kind, ast.Subscript) and isinstance(kind.value, ast.Name):
        inside = kind.slice.elts if isinstance(kind.slice, ast.Tuple) else [kind.slice]
        return _holds(value, kind.value.id, inside)
    return True


def _holds(value: object, outer: str, inside: list[ast.expr]) -> bool:
    """Whether a container is of its type, and so is what it holds."""
    if outer == "Literal":
        return any(isinstance(one, ast.Constant) and value == one.value for one in inside)
    if outer == "tuple":
        if not isinstance(value, tuple):
            return False
        if isinstance(inside[-1], ast.Constant) and inside[-1].value is ...:
            return all(_fits(one, inside[0]) for one in value)
        return len(value) == len(inside) and all(_fits(one, own) for one, own in zip(value, inside, strict=True))
    if outer in ("list", "Sequence"):
        return isinstance(value, (list, tuple)) and all(_fits(one, inside[0]) for one in value)
    if outer in ("dict", "Mapping"):
        return isinstance(value, Mapping) and all(
            _fits(key, inside[0]) and _fits(one, inside[-1]) for key, one in value.items()
        )
    return True


def _of(value: object, name: str) -> bool:
    """Whether a value is of a type by its name."""
    if name in ARRAYS:
        return isinstance(value, np.ndarray) and f"{value.dtype.kind}{value.dtype.itemsize}" in ARRAYS[name]
    if name == "Array":
        return isinstance(value, np.ndarray)
    if name in _NUMBERS:
        return isinstance(value, _NUMBERS[name]) and not isinstance(value, bool)
    if name in _PLAIN:
        return isinstance(value, _PLAIN[name])
    known = name[:1].isupper() and name not in _ALIASES  # a class: no number is one of its objects
    return not (known and (value is None or isinstance(value, (bool, int, float))))


_ALIASES = ("Any", "Json", "Time", "HeadSpec", "Member")
"""Names of types that are written out elsewhere: nothing is said of them."""
