"""The regular time axis that all entities of a panel share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """Step ``k`` of the grid lies at ``start + k * freq``.

    Attributes
    ----------
    start : pandas.Timestamp or int
        Time of step 0. Timestamps are naive; with a ``tz`` they are in UTC, because
        only there hours are regular through a daylight-saving change.
    freq : str or int
        A pandas frequency alias (``"h"``, ``"D"``, ``"MS"``), or an integer for integer time.
    tz : str or None
        Zone of the times the user gave; used for calendar features and for output.
    """

    start: Any
    freq: str | int
    tz: str | None = None

    @property
    def is_integer(self) -> bool:
        """Whether time is counted in integers and has no calendar."""
        return isinstance(self.freq, int)

    @property
    def offset(self) -> Any:
        """The pandas offset of one step (datetime grids only)."""
        to_offset: Any = pd.tseries.frequencies.to_offset
        return to_offset(self.freq)

    def _fixed_step(self) -> pd.Timedelta | None:
        """Length of one step, or None where steps differ in length (months, business days)."""
        offset = self.offset
        if type(offset) is pd.offsets.Day:  # a tick in pandas 2, none in pandas 3
            return pd.Timedelta(offset.n, "D")
        if isinstance(offset, pd.offsets.Tick):
            return pd.Timedelta(offset.nanos, "ns")
        if type(offset) is pd.offsets.Week:
            return pd.Timedelta(7 * offset.n, "D")
        return None

    def times(self, steps: Any) -> pd.Index[Any]:
        """Return the times of grid steps, int array ``[n]`` -> index ``[n]`` (naive; UTC when a ``tz`` is set)."""
        steps = np.asarray(steps, dtype=np.int64).ravel()
        if self.is_integer:
            counted: pd.Index[Any] = pd.Index(int(self.start) + steps * int(self.freq))
            return counted
        fixed = self._fixed_step()
        if fixed is not None:
            delta = steps * np.int64(fixed.value // 1000)
            base = np.int64(pd.Timestamp(self.start).as_unit("ns").value // 1000)
            return pd.DatetimeIndex((base + delta).astype("datetime64[us]").astype("datetime64[ns]"))
        if steps.size == 0:
            return pd.DatetimeIndex([], dtype="datetime64[ns]")
        low, high = int(min(steps.min(), 0)), int(max(steps.max(), 0))
        forward = pd.date_range(self.start, periods=high + 1, freq=self.offset)
        back = pd.date_range(end=self.start, periods=1 - low, freq=self.offset)[:-1]
        chosen: pd.Index[Any] = pd.DatetimeIndex(back.append(forward)).as_unit("ns")[steps - low]
        return chosen

    def local_times(self, steps: Any) -> pd.Index[Any]:
        """Return the times a clock on the wall shows (as :meth:`times`, moved to ``tz``, naive)."""
        times = self.times(steps)
        if self.is_integer or self.tz is None:
            return times
        return pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(self.tz).tz_localize(None)

    def output_times(self, steps: Any) -> pd.Index[Any]:
        """Return the times as the user knows them: zone-aware where the input was."""
        times = self.times(steps)
        if self.is_integer or self.tz is None:
            return times
        return pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(self.tz)

    def normalise(self, time: Any) -> Any:
        """Return one time in the grid's own terms (naive, UTC when a ``tz`` is set; int for integer grids)."""
        if self.is_integer:
            if isinstance(time, (int, np.integer)):
                return int(time)
            raise DataError(f"This panel counts time in integers; expected an integer time, got {time!r}.")
        try:
            stamp: Any = pd.Timestamp(time)
        except (TypeError, ValueError) as error:
            raise DataError(f"Expected a time such as '2024-01-31 06:00', got {time!r}.") from error
        if stamp is pd.NaT:
            raise DataError("Expected a time such as '2024-01-31 06:00', got a missing time (NaT).")
        if self.tz is not None:
            if stamp.tzinfo is None:
                stamp = stamp.tz_localize(self.tz, ambiguous="NaT", nonexistent="NaT")
            if stamp is pd.NaT:
                raise DataError(
                    f"{time!s} does not exist or comes twice in {self.tz}, because of daylight saving. "
                    "Give the time with its offset, such as '2024-01-31 06:00+01:00'."
                )
            return stamp.tz_convert("UTC").tz_localize(None)
        if stamp.tzinfo is not None:
            raise DataError(
                f"The panel's times have no time zone, but {time!r} has one. "
                f"Type the time without a zone: {stamp.tz_localize(None)!s}"
            )
        return stamp

    def step_at_or_before(self, time: Any) -> int:
        """Return the last grid step whose time is not after ``time``."""
        time = self.normalise(time)
        if self.is_integer:
            return int((time - int(self.start)) // int(self.freq))
        fixed = self._fixed_step()
        if fixed is not None:
            return int((time - self.start) // fixed)
        if time >= self.start:
            return len(pd.date_range(self.start, time, freq=self.offset)) - 1
        # Counting from ``time`` would keep its time of day; counting back from the start does not.
        periods = len(pd.date_range(time, self.start, freq=self.offset)) + 2
        back = pd.date_range(end=self.start, periods=periods, freq=self.offset)
        return int(back.searchsorted(time, side="right")) - periods

    def step_of(self, time: Any) -> int:
        """Return the grid step that lies exactly at ``time``.

        Raises
        ------
        DataError
            When the time is not on the grid; the message names the nearest time that is.
        """
        step = self.step_at_or_before(time)
        found = self.times([step])[0]
        if found != self.normalise(time):
            raise DataError(
                f"{time!s} is not on the panel's time grid (every {self.freq} from {self.start}). "
                f"The last grid time before it is {found}."
            )
        return step

    def steps_of(self, times: Sequence[Any] | pd.Index) -> NDArray[np.int64]:
        """Return the grid steps of many times, ``[n]``; as :meth:`step_of`, in one go."""
        stamps = self._normalise_all(times)
        if self.is_integer:
            steps = (stamps - int(self.start)) // int(self.freq)
        elif (fixed := self._fixed_step()) is not None:
            steps = np.asarray((stamps - self.start) // fixed, dtype=np.int64)
        else:
            low, high = self.step_at_or_before(stamps.min()), self.step_at_or_before(stamps.max())
            steps = low + self.times(np.arange(low, high + 1)).searchsorted(stamps, side="right") - 1
        steps = np.asarray(steps, dtype=np.int64)
        wrong = np.flatnonzero(np.asarray(self.times(steps) != stamps))
        if wrong.size:
            self.step_of(times[int(wrong[0])])
        return steps

    def _normalise_all(self, times: Sequence[Any] | pd.Index) -> Any:
        """As :meth:`normalise`, at once where the times are an index of the grid's own kind."""
        index = times if isinstance(times, pd.DatetimeIndex) else None
        if index is not None and not index.hasnans and not self.is_integer:
            if index.tz is not None and self.tz is not None:
                return index.tz_convert("UTC").tz_localize(None)
            if index.tz is None and self.tz is None:
                return index
        stamps = [self.normalise(time) for time in times]
        return np.array(stamps, dtype=np.int64) if self.is_integer else pd.DatetimeIndex(stamps)
