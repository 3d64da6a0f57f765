"""Names of types that many rooms share: arrays, times, frames, JSON, and what a model and a truth are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Floats: TypeAlias = NDArray[np.float64]
Singles: TypeAlias = NDArray[np.float32]
Reals: TypeAlias = NDArray[np.floating]
"""Of any precision."""
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Array: TypeAlias = NDArray[np.generic]
"""Of any kind."""

Time: TypeAlias = "str | int | date | datetime | np.datetime64 | np.integer | pd.Timestamp"
"""One time as a person gives it; an integer on an integer grid."""
Times: TypeAlias = "Sequence[Time] | NDArray[np.generic] | pd.Index | pd.Series"
Frame: TypeAlias = "pd.DataFrame | pl.DataFrame"
"""A table of either library; what foretide returns is of the kind that came in."""

Json: TypeAlias = dict[str, Any]
"""What JSON or YAML holds under names, before it is checked; never in a public signature."""


class Step(Protocol):
    """Gets one line of text for every step of a piece of work."""

    def __call__(self, text: str, /) -> None:
        """Show ``text``."""
