"""What a default search space may depend on, and how one is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from foretide.errors import ConfigError

SpaceEntry: TypeAlias = Sequence[object]
"""As a person writes it in ``ft.tune(..., space=...)``: a list of options, or a range ``(low, high[, "log"])``."""

LEARNING_RATES = (1e-4, 1e-2, "log")
SHARES = (0.01, 0.95, "log")
CYCLES = [2, 3, 4, 6, 8, 16]
USUAL_LOOKBACK = 60
"""The networks' and the ridge's own default."""
MOST_LOOKBACK = 250
"""Longer ones cost more time than they were worth."""


@dataclass(frozen=True)
class Sizes:
    """What a default space may depend on, all of it known before the first inner cutoff.

    Attributes
    ----------
    rows : int
        Steps to fit on, of a typical series.
    h : int
        Horizon.
    seasons : tuple of int
        Season lengths in steps, shortest first.
    """

    rows: int
    h: int
    seasons: tuple[int, ...]

    def lookbacks(self) -> list[int]:
        """Lookbacks: whole seasons, at most a quarter of the steps to fit on, and the usual one up to a third.

        Two to four of the shortest season, one or two of the next. On the hourly generator one day was worse than all
        longer ones on every seed, two weeks no better than one at several times the cost.

        Returns
        -------
        list of int

        Examples
        --------
        >>> Sizes(rows=400, h=7, seasons=(7,)).lookbacks()
        [14, 21, 28, 60]
        """
        most = max(2, self.rows // 4)
        sizes = [times * self.seasons[0] for times in (2, 3, 4)] if self.seasons else [self.h, 2 * self.h, 4 * self.h]
        sizes += [times * self.seasons[1] for times in (1, 2)] if len(self.seasons) > 1 else []
        usual = [USUAL_LOOKBACK] if self.rows // 3 >= USUAL_LOOKBACK else []
        return sorted({*near(sizes, max(2, min(self.h, most)), min(most, MOST_LOOKBACK)), *usual}) or [most]


def near(sizes: Sequence[int], low: int, high: int) -> list[int]:
    """Return the sizes between two bounds, each once, in order.

    Examples
    --------
    >>> near([30, 7, 7, 400], 1, 100)
    [7, 30]
    """
    return sorted({int(size) for size in sizes if low <= size <= high})


def checked_lookback(size: int | None) -> int | None:
    """Return a lookback that was asked for, None where it is left to the fit; refuse anything else.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> checked_lookback(24)
    24
    """
    whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
    if size is not None and (not whole or size < 1):
        raise ConfigError(f"input_size is a number of steps, at least 1; got {size!r}.")
    return None if size is None else int(size)
