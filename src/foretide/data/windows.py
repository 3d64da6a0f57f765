"""Windows are an index (entity, cutoff) into the panel, never a copy of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from math import gcd
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.errors import ConfigError, DataError
from foretide.typing import Bools, Floats, Ints, Time, Times

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Ints


def first_rows(length: Ints) -> Ints:
    """First row of each series when series of some lengths stand one after the other without holes.

    Parameters
    ----------
    length : int array ``[N]``

    Returns
    -------
    int array ``[N]``

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.windows import first_rows
    >>> first_rows(np.array([3, 5, 2])).tolist()
    [0, 3, 8]
    """
    return np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)


def places(names: Iterable[str], known: Sequence[str]) -> Ints:
    """Return the position of each name among known ones, -1 where it is none of them.

    Parameters
    ----------
    names : iterable of str
    known : sequence of str

    Returns
    -------
    int array

    Examples
    --------
    >>> places(["b", "x"], ["a", "b"]).tolist()
    [1, -1]
    """
    where = {name: i for i, name in enumerate(known)}
    return np.array([where.get(name, -1) for name in names], dtype=np.int64)


def evenly(n: int, most: int, *, newest: bool = False, down: bool = False) -> Ints:
    """Return at most ``most`` of ``n`` positions, evenly spread, both ends among them.

    Parameters
    ----------
    n, most : int
    newest : bool
        Whether positions are counted from the last one, so that a single one is the last and not the first.
    down : bool
        Whether positions between two whole numbers are the lower one, not the nearest.

    Returns
    -------
    int array ``[min(n, most)]``
        Ascending.

    Examples
    --------
    >>> from foretide.data.windows import evenly
    >>> evenly(9, 3).tolist(), evenly(9, 1, newest=True).tolist()
    ([0, 4, 8], [8])
    """
    first, last = (n - 1, 0) if newest else (0, n - 1)
    places = np.linspace(first, last, max(0, min(n, most)))
    return np.unique((places if down else places.round()).astype(np.int64))


def spaced(rows: Ints, most: int, season: int) -> Ints:
    """Return about ``most`` of the rows, evenly spaced through all positions of a season, the last one among them.

    The stride is the one next to ``n / most``, by their ratio, that shares no factor with the season: a stride of 24
    through hours would see one hour of the day. So twice as many rows may come as were asked for.

    Parameters
    ----------
    rows : int array ``[n]``
    most : int
    season : int
        Steps of the cycle whose positions all come up: the stride shares no factor with it.

    Returns
    -------
    int array

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.windows import spaced
    >>> spaced(np.arange(24), 6, season=24).tolist()
    [3, 8, 13, 18, 23]
    """
    stride = max(1, -(-len(rows) // max(most, 1)))
    more = next(k for k in count(stride) if gcd(k, season) == 1)
    less = next(k for k in range(stride, 0, -1) if gcd(k, season) == 1)
    return rows[::-1][:: less if less * more >= stride**2 else more][::-1]


@dataclass(frozen=True, eq=False)
class Windows:
    """Forecast origins.

    Attributes
    ----------
    entity : int array ``[W]``
        Position of the entity in the panel.
    cutoff : int array ``[W]``
        Row of the last observed step, counted from the entity's first row.
    """

    entity: Ints
    cutoff: Ints

    def __len__(self) -> int:
        return len(self.entity)

    def __getitem__(self, chosen: Ints | Bools | slice) -> Windows:
        return Windows(self.entity[chosen], self.cutoff[chosen])

    def rows(self, panel: Panel) -> Ints:
        """Return the row of each cutoff in ``panel.values``.

        Parameters
        ----------
        panel : Panel

        Returns
        -------
        int array ``[W]``

        Examples
        --------
        >>> import foretide as ft
        >>> from foretide.data.windows import slide
        >>> panel = ft.synthetic.hourly(T=48).panel
        >>> slide(panel, input_size=24, h=12, stride=6).rows(panel).tolist()
        [23, 29, 35]
        """
        return panel.row0[self.entity] + self.cutoff

    def steps(self, panel: Panel) -> Ints:
        """Return the grid step of each cutoff.

        Parameters
        ----------
        panel : Panel

        Returns
        -------
        int array ``[W]``

        Examples
        --------
        >>> import foretide as ft
        >>> from foretide.data.windows import at_cutoffs
        >>> panel = ft.synthetic.hourly(T=48).panel
        >>> at_cutoffs(panel, "2019-01-01 12:00").steps(panel).tolist()
        [12]
        """
        return panel.first[self.entity] + self.cutoff


def truth_of(panel: Panel, windows: Windows, h: int) -> Floats:
    """Return the targets of the steps after each window's cutoff; NaN where nothing was observed, or not yet.

    Parameters
    ----------
    panel : Panel
    windows : Windows
    h : int

    Returns
    -------
    float array ``[W, h, D]``

    Examples
    --------
    >>> import foretide as ft
    >>> from foretide.data.windows import slide, truth_of
    >>> panel = ft.synthetic.hourly(T=48).panel
    >>> truth_of(panel, slide(panel, input_size=24, h=12), h=12).shape
    (13, 12, 1)
    """
    ahead = windows.cutoff[:, None] + np.arange(1, h + 1)
    inside = ahead < panel.length[windows.entity][:, None]
    rows = panel.row0[windows.entity][:, None] + np.where(inside, ahead, 0)
    truth = panel.values[rows][..., : panel.n_targets].astype(np.float64)
    truth[~inside] = np.nan
    return truth


def observed_at(panel: Panel, like: Panel, entity: Ints, steps: Ints) -> Floats:
    """Return the targets that a panel holds at the steps of another one: the same series by name, the same times.

    Parameters
    ----------
    panel : Panel
        May begin and end elsewhere, and hold other series too.
    like : Panel
        That of the entities and steps; its targets are returned.
    entity : int array ``[N]``
    steps : int array ``[N, H]``
        Of its grid.

    Returns
    -------
    float array ``[N, H, D]``
        NaN where the panel has nothing.

    Examples
    --------
    >>> import numpy as np
    >>> import foretide as ft
    >>> from foretide.data.windows import observed_at
    >>> panel = ft.synthetic.hourly(T=48).panel
    >>> later = panel.since("2019-01-02")
    >>> values = observed_at(later, panel, np.array([0]), np.array([[23, 24]]))
    >>> np.isnan(values).ravel().tolist(), bool(values[0, 1, 0] == panel.values[24, 0])
    ([True, False], True)
    """
    where = places(like.ids, panel.ids)[entity]
    columns = [panel.index(target) for target in like.targets]
    moved = 0 if panel.grid == like.grid else panel.grid.step_of(like.grid.output_times([0])[0])
    rows = steps + moved - panel.first[where][:, None]
    inside = (where >= 0)[:, None] & (rows >= 0) & (rows < panel.length[where][:, None])
    values = panel.values[panel.row0[where][:, None] + np.where(inside, rows, 0)][..., columns].astype(np.float64)
    values[~inside] = np.nan
    return values


def slide(
    panel: Panel,
    *,
    input_size: int,
    h: int,
    first_target: int | Ints | None = None,
    last_target: int | Ints | None = None,
    stride: int = 1,
) -> Windows:
    """Return every window whose targets lie wholly in a part of the grid.

    Parameters
    ----------
    input_size, h : int
        Steps looked back at (``cutoff - input_size + 1 .. cutoff``) and forecast (``cutoff + 1 .. cutoff + h``).
    first_target, last_target : int or int array ``[N]``, optional
        Grid steps between which all targets must lie, both included; one for all entities, or one for each. The
        lookback may reach before ``first_target``: the past is known. Rows after the last observed target never serve
        as truth.
    stride : int
        Steps between neighbouring cutoffs, counted back from the newest.

    Returns
    -------
    Windows
        Ordered by entity, then time; may be empty.

    Examples
    --------
    >>> import foretide as ft
    >>> from foretide.data.windows import slide
    >>> slide(ft.synthetic.hourly(T=48).panel, input_size=24, h=12, stride=6).cutoff.tolist()
    [23, 29, 35]
    """
    if input_size < 1 or h < 1 or stride < 1:
        raise ConfigError(f"input_size, h and stride must be at least 1, got {input_size}, {h} and {stride}.")
    low, high = cutoffs_within(panel, input_size, h, first_target, last_target)
    counts = np.maximum((high - low) // stride + 1, 0)
    if panel.n_entities == 1:  # zeros nobody writes to take no memory
        n, last = int(counts[0]), int(high[0])
        return Windows(np.zeros(n, dtype=np.int64), np.arange(last - stride * (n - 1), last + 1, stride))
    # Counted through all series, then moved to where each begins.
    cutoff = np.arange(int(counts.sum())) * stride
    cutoff += np.repeat(high - stride * (np.cumsum(counts) - 1), counts)
    return Windows(np.repeat(np.arange(panel.n_entities), counts), cutoff)


def cutoffs_within(
    panel: Panel, input_size: int, h: int, first_target: int | Ints | None = None, last_target: int | Ints | None = None
) -> tuple[Ints, Ints]:
    """Return the first and the last cutoff of each entity whose window lies in a part of the grid, as :func:`slide`.

    Parameters
    ----------
    panel, input_size, h, first_target, last_target
        As for :func:`slide`.

    Returns
    -------
    low, high : int arrays ``[N]``
        Rows; an entity without a window has a higher low.
    """
    low = np.full(panel.n_entities, input_size - 1, dtype=np.int64)
    high = panel.observed - 1 - h
    if first_target is not None:
        low = np.maximum(low, first_target - panel.first - 1)
    if last_target is not None:
        high = np.minimum(high, last_target - panel.first - h)
    return low, high


def at_cutoffs(panel: Panel, cutoffs: Windows | Time | Times | None, *, min_history: int = 1) -> Windows:
    """Return the windows of given forecast origins.

    Parameters
    ----------
    cutoffs : sequence of times, Windows, optional
        Times of the last observed step; or origins of single series, taken as they are. None: each series' last
        observed step.
    min_history : int
        Rows a series must have up to the cutoff.

    Returns
    -------
    Windows
        Ordered by entity, then time.

    Raises
    ------
    DataError
        When a series is too short at its own end (``cutoffs=None``), or a cutoff fits no series.

    Examples
    --------
    >>> import foretide as ft
    >>> from foretide.data.windows import at_cutoffs
    >>> panel = ft.synthetic.supplies(T=60, n_sites=2).panel
    >>> at_cutoffs(panel, ["2019-02-10", "2019-02-20"]).entity.tolist()
    [0, 0, 1, 1]
    """
    if isinstance(cutoffs, Windows):
        return cutoffs
    if cutoffs is None:
        return _at_ends(panel, min_history)
    times = _as_times(cutoffs)
    if not len(times):
        raise DataError("cutoffs is empty: expected at least one time, or None for the end of every series.")
    steps = panel.grid.steps_of(times)
    local = steps[None, :] - panel.first[:, None]
    usable = (local >= min_history - 1) & (local < panel.length[:, None])
    unused = np.flatnonzero(~usable.any(axis=0))
    if unused.size:
        low, high = panel.grid.output_times([int(panel.first.min()) + min_history - 1, int(panel.last.max())])
        raise DataError(
            f"No series can be forecast from cutoff {times[unused[0]]!s}: {min_history} rows up to it are needed. "
            f"Choose cutoffs between {low} and {high}."
        )
    entity, which = np.nonzero(usable)
    order = np.lexsort((local[entity, which], entity))
    entity, which = entity[order], which[order]
    return Windows(entity.astype(np.int64), local[entity, which])


def _at_ends(panel: Panel, min_history: int) -> Windows:
    short = np.flatnonzero(panel.observed < min_history)
    if short.size:
        i = int(short[0])
        raise DataError(
            f"{short.size} of {panel.n_entities} series are too short to forecast: {panel.series_name(i, 0)!r} has "
            f"{int(panel.observed[i])} observed rows, {min_history} are needed. "
            f"Drop them, or lower input_size (now needing {min_history})."
        )
    return Windows(np.arange(panel.n_entities, dtype=np.int64), panel.observed - 1)


def _as_times(cutoffs: Time | Times) -> Sequence[Time] | pd.DatetimeIndex:
    """One time or many -> something with a length that holds times; an index stays one."""
    if isinstance(cutoffs, pd.DatetimeIndex):
        return cutoffs
    if isinstance(cutoffs, np.ndarray) and cutoffs.dtype.kind == "M":
        return pd.DatetimeIndex(cutoffs)
    return [cutoffs] if isinstance(cutoffs, str) or not hasattr(cutoffs, "__iter__") else list(cutoffs)
