"""Chronological splits into training, validation and test part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.reading.accept import as_panel
from foretide.data.windows import Windows, slide
from foretide.errors import ConfigError, DataError
from foretide.typing import Frame, Ints, Json, Time

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.time.grid import Grid


PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Split:
    """Three parts of the grid that follow one another, the same for all entities, or each entity's own three parts.

    Attributes
    ----------
    grid : Grid
    start : int
        Grid step of the first row.
    train_end, val_end, test_end : int
        Grid step of each part's last row. ``val_end == train_end``: no validation part.
    own : tuple of (float, float, int) or None
        Where series end at different times: the shares of each series' own rows that are for validation and for the
        test, and the least steps of a part. The steps above are then those of all series together.

    Examples
    --------
    >>> import foretide as ft
    >>> parts = ft.split(ft.synthetic.hourly(T=1000).panel)
    >>> parts.sizes, str(parts.train_until)
    ((700, 150, 150), '2019-01-30 03:00:00')
    """

    grid: Grid
    start: int
    train_end: int
    val_end: int
    test_end: int
    own: tuple[float, float, int] | None = None

    @property
    def train_until(self) -> pd.Timestamp | int:
        """Time of the last training step."""
        return self._time(self.train_end)

    @property
    def val_until(self) -> pd.Timestamp | int:
        """Time of the last validation step."""
        return self._time(self.val_end)

    @property
    def test_until(self) -> pd.Timestamp | int:
        """Time of the last test step."""
        return self._time(self.test_end)

    def _time(self, step: int) -> pd.Timestamp | int:
        time: pd.Timestamp | int = self.grid.output_times([step])[0]
        return time

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Steps of the training, validation and test part."""
        return self.train_end - self.start + 1, self.val_end - self.train_end, self.test_end - self.val_end

    def bounds(self, part: str) -> tuple[int, int]:
        """Return the ends of a part.

        Parameters
        ----------
        part : {"train", "val", "test"}

        Returns
        -------
        first, last : int
            Grid steps.

        Raises
        ------
        ConfigError
            For another name.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.split(ft.synthetic.hourly(T=1000).panel).bounds("val")
        (700, 849)
        """
        if part not in PARTS:
            raise ConfigError(f"Expected one of {', '.join(PARTS)}; got {part!r}.")
        k, ends = PARTS.index(part), (self.start - 1, self.train_end, self.val_end, self.test_end)
        return ends[k] + 1, ends[k + 1]

    def windows(self, panel: Panel, part: str, *, input_size: int, h: int, stride: int = 1) -> Windows:
        """Return the windows whose targets lie wholly inside a part.

        A training window lies wholly inside the training part; a validation or test window may look back into
        the parts before it.

        Parameters
        ----------
        panel : Panel
            The panel that was split.
        part : {"train", "val", "test"}
        input_size, h : int
            Steps looked back at, and forecast.
        stride : int
            Steps between neighbouring cutoffs, counted back from the newest.

        Returns
        -------
        Windows

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=1000).panel
        >>> len(ft.split(panel).windows(panel, "test", input_size=48, h=24, stride=24))
        6
        """
        first, last = self.bounds(part)
        if self.own is None:
            return slide(panel, input_size=input_size, h=h, first_target=first, last_target=last, stride=stride)
        ends = [np.zeros_like(panel.length), *self.rows(panel), panel.observed]
        k = PARTS.index(part)
        return slide(
            panel, input_size=input_size, h=h, first_target=panel.first + ends[k],
            last_target=panel.first + ends[k + 1] - 1, stride=stride,
        )  # fmt: skip

    def rows(self, panel: Panel) -> tuple[Ints, Ints]:
        """Return how many rows of each entity come before the validation and before the test part.

        Parameters
        ----------
        panel : Panel
            The panel that was split.

        Returns
        -------
        train, train_and_val : int arrays ``[N]``
            A series too short to spare a part keeps it.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=1000).panel
        >>> [rows.tolist() for rows in ft.split(panel).rows(panel)]
        [[700], [850]]
        """
        if self.own is None:
            train, val = (np.clip(end - panel.first + 1, 0, panel.observed) for end in (self.train_end, self.val_end))
            return train, val
        found, rows = [], panel.observed
        for share in self.own[1::-1]:
            part = np.maximum(self.own[2], np.round(share * panel.observed)).astype(np.int64)
            rows = np.where((share > 0) & (rows - part >= self.own[2] + 2), rows - part, rows)
            found.append(rows)
        return found[1], found[0]

    def to_dict(self) -> Json:
        """Return times and sizes as JSON-able facts.

        Returns
        -------
        dict

        Examples
        --------
        >>> import foretide as ft
        >>> ft.split(ft.synthetic.hourly(T=1000).panel).to_dict()["sizes"]
        {'train': 700, 'val': 150, 'test': 150}
        """
        sizes = dict(zip(PARTS, self.sizes, strict=True))
        ends = {"train_until": self.train_until, "val_until": self.val_until, "test_until": self.test_until}
        return {**{k: v if isinstance(v, (int, np.integer)) else str(v) for k, v in ends.items()}, "sizes": sizes}


def split(panel: Panel | Frame, fractions: Sequence[float] = (0.7, 0.15, 0.15), *, h: int | None = None) -> Split:
    """Split the observed steps of a panel by fractions.

    The steps from the first row of any entity to the last observed target of any are cut at
    ``floor(fraction * steps)``, cumulated, so that the last part takes the remainder. Where some series ends before it
    has a window in the test part, each series is cut by its own rows instead.

    Parameters
    ----------
    panel : Panel, pandas or polars data frame
    fractions : three floats
        Train, validation, test; they sum to 1. A validation fraction of 0 makes no such part.
    h : int, optional
        Horizon. Validation and test have at least so many steps, or that is an error.

    Returns
    -------
    Split

    Raises
    ------
    ConfigError
        For fractions that are none, and where a part would be empty or too short.

    Examples
    --------
    >>> import foretide as ft
    >>> ft.split(ft.synthetic.hourly(T=1000).panel, (0.8, 0, 0.2)).sizes
    (800, 0, 200)
    """
    panel = as_panel(panel)
    shares = [float(f) for f in fractions]
    if len(shares) != 3 or any(not 0 <= f <= 1 for f in shares):
        raise ConfigError(f"fractions are three numbers from 0 to 1 (train, validation, test); got {tuple(fractions)}.")
    if abs(sum(shares) - 1) > 1e-6:
        raise ConfigError(f"fractions sum to 1; {tuple(fractions)} sum to {sum(shares):g}. Try (0.7, 0.15, 0.15).")
    first, last = _observed_range(panel)
    n = last - first + 1
    # The small addend keeps 0.7 + 0.15 from losing a step to rounding of binary fractions.
    train, val = int(np.floor(shares[0] * n + 1e-9)), int(np.floor((shares[0] + shares[1]) * n + 1e-9))
    parts = Split(panel.grid, first, first + train - 1, first + (val if shares[1] else train) - 1, last)
    over = panel.first + panel.observed - 1 < parts.val_end + (h or 1)
    if shares[2] > 0 and (over & (panel.observed > 0)).any() and parts.sizes[2] >= (h or 1):
        return replace(parts, own=(shares[1], shares[2], h or 1))
    parts = parts if h is None else _long_enough(parts, shares, h)
    return _checked(parts, h, (True, shares[1] > 0, shares[2] > 0))


def split_at(
    panel: Panel | Frame, *, train_until: Time, val_until: Time | None = None, test_until: Time | None = None,
    h: int | None = None,
) -> Split:  # fmt: skip
    """Split a panel at times.

    Parameters
    ----------
    panel : Panel, pandas or polars data frame
    train_until : time
        Last training step (the last grid step not after it).
    val_until : time, optional
        Last validation step; None: no validation part.
    test_until : time, optional
        Last test step; the last observed one by default.
    h : int, optional
        Horizon; a part shorter than it is an error.

    Returns
    -------
    Split

    Raises
    ------
    ConfigError
        For times outside the observed steps or out of order, and where a part would be empty or too short.

    Examples
    --------
    >>> import foretide as ft
    >>> ft.split_at(ft.synthetic.hourly(T=96).panel, train_until="2019-01-03 23:00").sizes
    (72, 0, 24)
    """
    panel = as_panel(panel)
    grid = panel.grid
    first, last = _observed_range(panel)
    named = {"train_until": train_until, "val_until": val_until, "test_until": test_until}
    steps = {name: grid.step_at_or_before(time) for name, time in named.items() if time is not None}
    for name, step in steps.items():
        if not first <= step <= last:
            low, high = grid.output_times([first, last])
            raise ConfigError(
                f"{name}={named[name]!s} lies outside the observed steps. Choose a time from {low} to {high}."
            )
    train = steps["train_until"]
    val, test = steps.get("val_until", train), steps.get("test_until", last)
    if not train <= val <= test:
        typed = ", ".join(f"{name}={named[name]!s}" for name in steps)
        raise ConfigError(
            f"The parts follow one another: expected train_until <= val_until <= test_until, got {typed}."
        )
    return _checked(Split(grid, first, train, val, test), h, (True, val_until is not None, True))


def _observed_range(panel: Panel) -> tuple[int, int]:
    seen = panel.observed > 0
    if not seen.any():
        raise DataError("No target value is observed, so there is nothing to split.")
    return int(panel.first[seen].min()), int((panel.first + panel.observed - 1)[seen].max())


def _long_enough(parts: Split, shares: Sequence[float], h: int) -> Split:
    """Return a split whose validation and test part have ``h`` steps, where that leaves as many for training."""
    val, test = (max(size, h) if share > 0 else 0 for size, share in zip(parts.sizes[1:], shares[1:], strict=True))
    train = sum(parts.sizes) - val - test
    if train < max(h, 2) or shares[0] == 0:
        return parts
    return replace(parts, train_end=parts.start + train - 1, val_end=parts.start + train + val - 1)


def _checked(parts: Split, h: int | None, needed: tuple[bool, bool, bool]) -> Split:
    """Return the split, or say which part is empty or too short."""
    sizes = "/".join(map(str, parts.sizes))
    for name, size, is_needed in zip(("training", "validation", "test"), parts.sizes, needed, strict=True):
        if is_needed and size < 1:
            raise ConfigError(
                f"The {name} part is empty (train/validation/test have {sizes} steps). Move the boundary."
            )
        if is_needed and h is not None and size < h:
            raise ConfigError(
                f"The {name} part has {size} steps and the horizon is h={h} (train/validation/test: {sizes}). "
                "Give it more data, or lower h."
            )
    return parts
