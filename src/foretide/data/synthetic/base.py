"""What the generators share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Generic, Protocol, TypeAlias, TypeVar, cast

import numpy as np
import pandas as pd

from foretide.data.panel import Panel
from foretide.data.tables.limits import CELL, VARIABLE, current
from foretide.data.time.grid import Grid
from foretide.errors import ConfigError, nearest
from foretide.text import number
from foretide.typing import Floats, Ints, Time, Times

START = pd.Timestamp("2019-01-01")
HELD = 4
"""A table counts as so many: while one is made, its parts fill the memory beside it."""
Cutoffs: TypeAlias = "Time | Times"
"""Grid steps or times of the last observed step, one or several."""


class Truth(Protocol):
    """What is known about generated data beside the data."""

    def oracle(self, cutoffs: Cutoffs, h: int) -> Floats:
        """Return the exact conditional mean of the targets given all that is known up to a cutoff.

        Parameters
        ----------
        cutoffs : int or time, or a sequence of them
            Grid steps or times of the last observed step, ``n`` of them.
        h : int
            Steps ahead.

        Returns
        -------
        float array ``[n, h, D]``
        """
        ...


TruthT = TypeVar("TruthT", bound=Truth, covariant=True)


@dataclass(frozen=True, eq=False)
class Synthetic(Generic[TruthT]):
    """Generated data with its truth.

    Attributes
    ----------
    panel : Panel
        On an hourly or daily grid from 2019-01-01; one unnamed entity unless several sites were asked for.
    truth : HourlyTruth, PlantedTruth, LookupTruth or SuppliesTruth

    Examples
    --------
    >>> import foretide as ft
    >>> data = ft.synthetic.planted_lags(T=500, lags=[24], weights=[0.8])
    >>> data.truth.oracle("2019-01-15", h=3).shape
    (1, 3, 1)
    """

    panel: Panel
    truth: TruthT

    def to_frame(self) -> pd.DataFrame:
        """Return the data as a frame.

        Returns
        -------
        DataFrame
            ``ds`` and one column per channel, and ``unique_id`` where there are several sites.

        Examples
        --------
        >>> import foretide as ft
        >>> list(ft.synthetic.planted_lags(T=100, n_noise=1).to_frame())
        ['ds', 'y', 'noise1']
        """
        return cast("pd.DataFrame", self.panel.to_frame())


def hourly_panel(values: Floats, names: Sequence[str], target: str | Sequence[str]) -> Panel:
    """Return one entity whose channels are targets or past columns.

    Parameters
    ----------
    values : float array ``[T, C]``
    names : sequence of str
        Of the channels.
    target : str or sequence of str

    Returns
    -------
    Panel
    """
    targets = (target,) if isinstance(target, str) else tuple(target)
    unknown = [t for t in targets if t not in names]
    if unknown or not targets:
        raise ConfigError(
            f"target names one or more channels out of {', '.join(names)}; got {target!r}. "
            + (nearest(unknown[0], names) if unknown else "")
        )
    past = tuple(name for name in names if name not in targets)
    order = [list(names).index(name) for name in targets + past]
    none = np.zeros(1, dtype=np.int64)
    columns = np.ascontiguousarray(values[:, order])
    return Panel(Grid(START, "h"), ("",), columns, none, none + len(values), none, targets, past)


def cutoff_steps(grid: Grid, cutoffs: Cutoffs, n_steps: int) -> Ints:
    """Return cutoffs as grid steps inside the generated part.

    Parameters
    ----------
    grid : Grid
    cutoffs : int or time, or a sequence of them
    n_steps : int
        Generated steps.

    Returns
    -------
    int array ``[n]``
    """
    given = [cutoffs] if isinstance(cutoffs, (str, int, np.integer)) or not isinstance(cutoffs, Iterable) else cutoffs
    array = given if isinstance(given, np.ndarray) else np.array(list(given), dtype=object)
    if array.dtype.kind in "iu" or all(isinstance(c, (int, np.integer)) for c in array):
        steps = array.astype(np.int64)
    else:
        steps = np.array([grid.step_of(time) for time in array], dtype=np.int64)
    if steps.size and (steps.min() < 0 or steps.max() >= n_steps):
        raise ConfigError(f"Cutoffs lie within the {n_steps} generated steps; got {steps.min()} to {steps.max()}.")
    return steps


def count(name: str, value: int, least: int) -> int:
    """Return a whole number of at least ``least``, or say what was expected.

    Parameters
    ----------
    name : str
    value, least : int

    Returns
    -------
    int
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ConfigError(f"{name} is a whole number of at least {least}; got {value!r}.")
    return int(value)


def check_size(*sizes: int) -> None:
    """Refuse a table that would fill the memory, before it is made.

    Parameters
    ----------
    *sizes : int
        Their product is the number of cells.

    Raises
    ------
    ConfigError
    """
    cells, most = prod(sizes), current().bytes
    if HELD * CELL * cells > most:
        raise ConfigError(
            f"T times columns is {number(cells)} cells, which is more than memory holds while it is made. "
            f"Ask for at most {number(most // (HELD * CELL))}, or raise the limit in the environment: {VARIABLE}=16GB"
        )


def stream(seed: int, which: int) -> np.random.Generator:
    """Return the generator of one component, so that no component's numbers depend on whether another is used.

    Parameters
    ----------
    seed, which : int

    Returns
    -------
    numpy.random.Generator
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(which,)))
