"""What was learned, as arrays and facts: how frozen dataclasses, networks and forecasters inside others are saved.

No torch until weights are put back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from foretide.data.declared_types import check_axes, check_fields
from foretide.typing import Array, Json

if TYPE_CHECKING:
    from torch import nn

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
    """Make a dataclass of what :func:`arrays_of` and :func:`facts_of` gave.

    Lists become tuples, and numbers become flags where the field is one of flags.

    Parameters
    ----------
    kind : type
    *parts : mappings
        Name -> value; what is no field is left out.

    Returns
    -------
    dataclass
    """
    given: dict[str, Any] = {name: value for part in parts for name, value in part.items()}
    held = {}
    for field in fields(kind):  # type: ignore[arg-type]  # a dataclass
        if field.name in given:
            value = given[field.name]
            as_flags = field.type == "Bools" and isinstance(value, np.ndarray)
            held[field.name] = value.astype(bool) if as_flags else tuple(value) if isinstance(value, list) else value
    return kind(**held)


def restored(kind: type[T], *parts: Mapping[str, object]) -> T:
    """Make a dataclass of what a file says, as :func:`rebuilt`, and refuse what its fields cannot hold.

    A class attribute ``axes`` says which sizes agree, see :func:`foretide.data.declared_types.check_axes`.

    Parameters
    ----------
    kind : type
    *parts : mappings

    Returns
    -------
    dataclass

    Raises
    ------
    ConfigError
        For values of another type than their fields, and for sizes that do not agree.
    """
    made = rebuilt(kind, *parts)
    check_fields(made)
    check_axes(made, getattr(kind, "axes", {}))
    return made


def prefixed(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Put a prefix before the names of arrays.

    Parameters
    ----------
    prefix : str
    arrays : mapping

    Returns
    -------
    dict
    """
    return {prefix + name: array for name, array in arrays.items()}


def under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays whose names begin with a prefix, without it: the reverse of :func:`prefixed`.

    Parameters
    ----------
    prefix : str
    arrays : mapping

    Returns
    -------
    dict
    """
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def weights_of(module: nn.Module) -> dict[str, Array]:
    """Return the parameters and buffers of a module as arrays.

    Parameters
    ----------
    module : nn.Module

    Returns
    -------
    dict
    """
    return {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}


def put_weights(module: nn.Module, arrays: Mapping[str, Array]) -> None:
    """Put arrays from :func:`weights_of` into a module of the same shape.

    Parameters
    ----------
    module : nn.Module
    arrays : mapping
    """
    import torch

    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})


def _held(value: object) -> dict[str, object]:
    return {field.name: getattr(value, field.name) for field in fields(value)}  # type: ignore[arg-type]  # a dataclass
