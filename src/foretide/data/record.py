"""Settings and what was learned as JSON-able facts, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Self

import numpy as np

from foretide.data.declared_types import check_fields
from foretide.typing import Json


class Record:
    """A dataclass of numbers, texts, tuples, dictionaries and arrays that can be written as JSON."""

    def to_dict(self) -> Json:
        """Return all fields as JSON-able facts.

        Returns
        -------
        dict
            Tuples and arrays as lists.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.Calendar(("month",), country=("AU", "VIC")).to_dict()
        {'features': ['month'], 'country': ['AU', 'VIC']}
        """
        names: list[str] = [f.name for f in fields(self)]  # type: ignore[arg-type]  # of a dataclass
        return {name: _listed(getattr(self, name)) for name in names}

    @classmethod
    def from_dict(cls, facts: Json) -> Self:
        """Rebuild from :meth:`to_dict`.

        Parameters
        ----------
        facts : dict
            Lists become tuples.

        Returns
        -------
        Record
            Of the class it is called on.

        Raises
        ------
        ConfigError
            For values of another type than their fields.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.Calendar.from_dict({"features": ["month"], "country": None})
        Calendar(features=('month',), country=None)
        """
        made = cls(**{name: _tupled(value) for name, value in facts.items()})
        check_fields(made)
        return made


def _listed(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _listed(own) for key, own in value.items()}
    return [_listed(own) for own in value] if isinstance(value, tuple | list) else value


def _tupled(value: object) -> object:
    if isinstance(value, dict):
        return {key: _tupled(own) for key, own in value.items()}
    return tuple(_tupled(own) for own in value) if isinstance(value, list) else value
