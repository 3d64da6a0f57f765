"""What a panel holds beside its values: the names of its frame's columns, and what does not change over time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from foretide.typing import Reals


@dataclass(frozen=True)
class Names:
    """How the frame the panel came from was read, so that answers speak its language and the next one is read so too.

    Attributes
    ----------
    id, time : str
        Its columns; several that name the entity together are joined by ``/``.
    backend : {"pandas", "polars"}
    melted : tuple of str
        Columns that were series of their own.
    time_format : str or None
        Form that its times were found to have.
    reading : dict
        Options it was read with that are not the default, but for frequency and zone, which the grid knows.
    """

    id: str = "unique_id"
    time: str = "ds"
    backend: str = "pandas"
    melted: tuple[str, ...] = ()
    time_format: str | None = None
    reading: dict[str, object] = field(default_factory=dict, compare=False)


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
