"""What a panel holds beside its values: the names of its frame's columns, and what does not change over time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from foretide.typing import Reals


@dataclass(frozen=True)
class Names:
    """Column names of the frame the panel came from, so that answers speak the user's language."""

    id: str = "unique_id"
    time: str = "ds"
    backend: str = "pandas"


@dataclass(frozen=True)
class Static:
    """What does not change over time, one row per entity.

    Attributes
    ----------
    names : tuple of str
    values : float array ``[N, S]``
        Numbers as they are, categories as codes.
    categories : dict
        Column name -> its categories in the order of the codes (absent for numbers).
    """

    names: tuple[str, ...] = ()
    values: Reals = field(default_factory=lambda: np.zeros((0, 0)))
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
