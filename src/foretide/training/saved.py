"""How what was learned is saved: arrays by the names of fields, and the rest as JSON (no torch until weights come)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from foretide.typing import Array, Json

if TYPE_CHECKING:
    from torch import nn


class Saved:
    """Mixin of a frozen dataclass whose fields are arrays, or what JSON can hold.

    A class with other fields overrides :meth:`facts` and :meth:`restore`, and calls these.
    """

    def arrays(self) -> dict[str, Array]:
        """Fields that are arrays."""
        return {name: value for name, value in self._by_name().items() if isinstance(value, np.ndarray)}

    def facts(self) -> Json:
        """All other fields; tuples as lists."""
        rest = {name: value for name, value in self._by_name().items() if not isinstance(value, np.ndarray)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in rest.items()}

    @classmethod
    def restore(cls, arrays: Mapping[str, Array], facts: Json) -> Self:
        """Rebuild from :meth:`arrays` and :meth:`facts`; flags may come as small numbers, tuples as lists."""
        given: dict[str, Any] = {**facts, **arrays}
        for field in fields(cls):  # type: ignore[arg-type]  # a mixin of dataclasses
            value = given.get(field.name)
            if field.type == "Bools" and value is not None:
                given[field.name] = value.astype(bool)
            elif isinstance(value, list):
                given[field.name] = tuple(value)
        return cls(**given)

    def _by_name(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


def prefixed(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Put a prefix before the names of arrays."""
    return {prefix + name: value for name, value in arrays.items()}


def under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def weights_of(module: nn.Module) -> dict[str, Array]:
    """Return the parameters and buffers of a module as arrays."""
    return {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}


def put_weights(module: nn.Module, arrays: Mapping[str, Array]) -> None:
    """Put arrays from :func:`weights_of` into a module of the same shape."""
    import torch

    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
