"""The part of a panel that a forecaster may learn from."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from foretide.data import scratch
from foretide.data.pieces import pieces, rows_of
from foretide.data.reading.problems import DataWarning
from foretide.data.time.seasons import seasons_of
from foretide.data.windows import Windows, first_rows, slide
from foretide.errors import ConfigError, DataError

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.fitted import Fitted
    from foretide.typing import Ints, Time

HELD_BACK = 0.15
"""Share of each series, at its end, that is kept back for validation."""

REACHED = 0.1
"""A lookback is no longer than the series have rows that hold all but so much of the rows."""


@dataclass(frozen=True, eq=False)
class FitPart:
    """The part of a panel a forecaster may learn from.

    Attributes
    ----------
    panel : Panel
        As the model sees it, cut at ``until``: later rows do not exist in it.
    train_rows : int array ``[N]``
        Rows of each entity, from its first on, for training; those after them are for validation.
    train_until : time or None
        Last training step, where the user named one.
    """

    panel: Panel
    train_rows: Ints
    train_until: Time | None = None

    @property
    def train_end(self) -> int:
        """Grid step of the last training step of any entity."""
        return int((self.panel.first + self.train_rows - 1).max())

    @property
    def train(self) -> Panel:
        """The training part alone, a view."""
        return self.panel.head(self.train_rows)

    @property
    def rows(self) -> Ints:
        """Training rows of each entity up to its last observed one, ``[N]``."""
        return np.minimum(self.train_rows, self.panel.observed)

    def take(self, entities: Ints) -> FitPart:
        """Return the part with these entities (positions) only."""
        if len(entities) == self.panel.n_entities:
            return self
        return replace(self, panel=self.panel.take(entities), train_rows=self.train_rows[entities])

    def with_windows(self, input_size: int, h: int) -> Ints:
        """Return the entities (positions) that give a training window; all where none does."""
        found = np.flatnonzero(self.rows >= input_size + h)
        return found if len(found) else np.arange(self.panel.n_entities)

    def windows(self, *, input_size: int, h: int) -> tuple[Windows, Windows]:
        """Training and validation windows.

        Raises :class:`DataError` when no training window fits.
        """
        panel, end = self.panel, self.panel.first + self.train_rows
        train = slide(panel, input_size=input_size, h=h, last_target=end - 1)
        if not len(train):
            raise DataError(
                f"No training window fits: input_size={input_size} and h={h} need {input_size + h} "
                f"rows, the longest series has {int(self.train.observed.max())} in the training part. "
                f"Lower h, or give longer series: from h + 2 = {h + 2} rows on a shorter input_size is taken by itself."
            )
        return train, slide(panel, input_size=input_size, h=h, first_target=end)

    def lookback(self, name: str, input_size: int, h: int, least: int = 2) -> int:
        """Return how many of ``input_size`` steps to look back at: fewer where many rows are of shorter series.

        Half of all rows then lie in series with as many training windows as they look back steps, or a whole season
        in one window, and nine tenths in series that can be forecast at all. Series too short even so have no say.
        """
        rows, season = self.rows, min(seasons_of(self.panel.grid.freq), default=1)
        able = rows >= h + least
        if not able.any():
            return input_size
        fitting, _ = _for_half(rows[able], input_size, h, least, season)
        fitting, room = _for_half(rows[rows >= fitting + h], input_size, h, least, season)
        why = f"half of all rows lie in series of at most {room + h} rows in the training part, {h} of them forecast"
        reach = _row_quantile(self.panel.observed[able], REACHED)
        if reach < fitting:
            fitting, why = reach, f"a tenth of all rows lie in series of at most {reach} rows"
        if fitting < input_size:
            warnings.warn(
                f"{name} looks back at {fitting} steps instead of {input_size}: {why}. {self.without_validation}Give "
                "longer series, or lower h.",
                DataWarning,
                stacklevel=5,
            )
        return fitting

    def room(self, h: int) -> int:
        """Return the rows before the last training cutoff of a typical series: half of all rows lie in longer ones."""
        return max(_row_quantile(self.rows[self.rows > h], 0.5) - h, 1)

    @property
    def without_validation(self) -> str:
        """Say that no series is long enough to keep steps back for validation, where it is so."""
        kept = self.train_until is not None or (self.train_rows < self.panel.observed).any()
        return "" if kept else "They are too short to keep steps back for validation. "


def without_future(panel: Panel) -> Panel:
    """Return a panel without its known-future columns, a view: what a model that does not use them gets to see."""
    kept = len(panel.targets) + len(panel.past)
    return replace(panel, values=panel.values[:, :kept], future=())


def part_of(fitted: Fitted, part: Panel, train_until: Time | None, h: int, uses_validation: bool) -> FitPart:
    """Return the part to learn from as the model sees it, without entities that have no training rows."""
    ends = Windows(np.arange(part.n_entities), part.observed - 1)
    step = None if train_until is None else _train_step(part, train_until)
    if step is not None:
        rows = np.clip(step - part.first + 1, 0, part.observed)
        part, ends = part.take(np.flatnonzero(rows)), ends[rows > 0]
        ends = Windows(np.arange(part.n_entities), rows[rows > 0] - 1)
    seen = fitted.view(part, ends, h)
    if step is None:
        rows = held_back(seen.panel, h) if uses_validation else seen.panel.observed
        return FitPart(seen.panel, rows)
    rows = seen.windows.cutoff + 1
    until = seen.panel.grid.output_times([int((seen.panel.first + rows - 1).max())])[0]
    return FitPart(seen.panel, rows, until)


def _train_step(part: Panel, train_until: Time) -> int:
    step = part.grid.step_at_or_before(train_until)
    if step > int((part.first + part.observed - 1).max()):
        raise ConfigError(f"train_until={train_until!s} lies after the last step that may be seen (`until`).")
    if step < int(part.first.min()):
        raise ConfigError(
            f"train_until={train_until!s} lies before the first row of every series, "
            f"{part.grid.output_times([int(part.first.min())])[0]}. Choose a later time, or leave it out."
        )
    return step


def kept_history(panel: Panel, memory: int | None) -> Panel:
    """Return the last ``memory`` rows of each entity up to its last observed one, in an array of their own."""
    length = panel.observed if memory is None else np.minimum(panel.observed, memory)
    drop = panel.observed - length
    row0 = first_rows(length)
    whole = len(panel.values) == int(length.sum()) and np.array_equal(row0, panel.row0)
    kept = replace(panel, row0=panel.row0 + drop, first=panel.first + drop, length=length)
    if whole:
        return kept
    values = scratch.empty((int(length.sum()), panel.values.shape[1]), panel.values.dtype, like=panel.values)
    for piece in pieces(length, 8 * values.shape[1]):
        values[piece.start : piece.stop] = rows_of(kept, piece.start, piece.stop)
    return replace(kept, values=values, row0=row0)


def held_back(panel: Panel, h: int) -> Ints:
    """Return the training rows of each entity ``[N]``: all but its own last ``max(h, 15 %)``.

    An entity too short to spare them, with fewer than ``h + 2`` rows left, keeps nothing back.
    """
    rows = panel.observed
    kept = np.maximum(h, np.round(HELD_BACK * rows)).astype(np.int64)
    return np.where(rows - kept >= h + 2, rows - kept, rows)


def _for_half(rows: Ints, input_size: int, h: int, least: int, season: int) -> tuple[int, int]:
    """Return the lookback that suits half of all rows, and the room for it that they leave."""
    room = _row_quantile(rows, 0.5) - h
    return (input_size if room >= input_size else min(input_size, max(least, room // 2, min(season, room)))), room


def _row_quantile(rows: Ints, share: float) -> int:
    """Return the length below which series hold at most a share of all rows; 0 where there are none."""
    ordered = np.sort(rows)
    return int(ordered[np.searchsorted(np.cumsum(ordered), share * ordered.sum())]) if len(rows) else 0
