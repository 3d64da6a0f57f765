"""The regular time axis that all entities of a panel share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import pandas as pd

from foretide.data.time.frequency import PER_YEAR, code_of, ends_steps, fixed_step, offset_of, shift_of
from foretide.data.time.moments import read_moment
from foretide.data.time.stamps import DAY
from foretide.data.time.zones import on_the_clock
from foretide.errors import DataError
from foretide.typing import Ints, Time, Times

if TYPE_CHECKING:
    from numpy.typing import NDArray


Steps: TypeAlias = Sequence[int] | range | Ints | np.integer | int
"""Grid steps as they are asked for."""
_FEW, _NEAR = 8, 50_000  # times, and steps from the start, that are counted one by one and not out of all times
_LOW, _HIGH = pd.Timestamp.min.value, pd.Timestamp.max.value


@dataclass(frozen=True)
class Grid:
    """Step ``k`` of the grid lies at ``start + k * freq``.

    Attributes
    ----------
    start : pandas.Timestamp or int
        Time of step 0. Timestamps are naive: times of the grid's own clock.
    freq : str or int
        A pandas frequency alias (``"h"``, ``"D"``, ``"MS"``), one of them shifted by days (``"MS+14D"``, the 15th of
        every month), or an integer for integer time.
    tz : str or None
        Zone of the times the user gave; used for calendar features and for output.
    wall : bool
        What clock steps are regular on where there is a ``tz``: the one on the wall there (days, weeks, months, also
        six hours), or UTC (hours and less, which only there are regular through a daylight-saving change). A step
        that the clock on the wall skips is shown at the first time after it, one that comes twice at the earlier.
    """

    start: pd.Timestamp | int
    freq: str | int
    tz: str | None = None
    wall: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether time is counted in integers and has no calendar."""
        return isinstance(self.freq, int)

    @property
    def offset(self) -> pd.offsets.BaseOffset:
        """The pandas offset of one step, without its shift (datetime grids only)."""
        return offset_of(self.freq)

    def times(self, steps: Steps) -> pd.Index:
        """Return the times of grid steps.

        Parameters
        ----------
        steps : int array ``[n]``

        Returns
        -------
        index ``[n]``
            Naive; with a ``tz`` in UTC, or, with ``wall``, as the clock there shows.

        Examples
        --------
        >>> import pandas as pd
        >>> from foretide.data.time.grid import Grid
        >>> grid = Grid(pd.Timestamp("2024-01-31"), "ME")
        >>> [str(time.date()) for time in grid.times([0, 1])]
        ['2024-01-31', '2024-02-29']
        """
        steps = np.asarray(steps, dtype=np.int64).ravel()
        if isinstance(self.freq, int):
            counted: pd.Index = pd.Index(int(self.start) + steps * int(self.freq))
            return counted
        if steps.size == 0:
            return pd.DatetimeIndex([], dtype="datetime64[ns]")
        fixed = fixed_step(self.freq)
        if fixed is not None:
            begin = self._begin
            for step in (int(steps.min()), int(steps.max())):
                if not _LOW <= begin + step * fixed <= _HIGH:
                    raise self._beyond(step)
            return pd.DatetimeIndex((begin + steps * fixed).view("datetime64[ns]"))
        shift = pd.Timedelta(shift_of(self.freq))
        start = pd.Timestamp(self.start) - shift
        try:
            if steps.size <= _FEW and int(np.abs(steps).max()) < _NEAR and self.offset.is_on_offset(start):
                found = pd.DatetimeIndex([start + int(step) * self.offset if step else start for step in steps])
                return pd.DatetimeIndex((found + shift).as_unit("ns"))
            # Never one date alone: pandas multiplies the offset by 0 then, which some offsets refuse.
            low, high = int(min(steps.min(), -1)), int(max(steps.max(), 1))
            forward = pd.date_range(start, periods=high + 1, freq=self.offset)
            back = pd.date_range(end=start, periods=1 - low, freq=self.offset)[:-1]
            return pd.DatetimeIndex((pd.DatetimeIndex(back.append(forward)) + shift).as_unit("ns")[steps - low])
        except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta, OverflowError) as error:
            raise self._beyond(int(steps.max()) if steps.max() > 0 else int(steps.min())) from error

    @property
    def _begin(self) -> int:
        return int(pd.Timestamp(self.start).as_unit("ns").value)

    def _beyond(self, step: int) -> DataError:
        return DataError(
            f"Step {step} of a grid every {self.freq} from {self.start} lies beyond the years 1678 to 2261, which "
            "nanoseconds can count. Lower h, or count time in whole numbers."
        )

    def local_times(self, steps: Steps) -> pd.Index:
        """Return the times that a clock on the wall shows.

        Parameters
        ----------
        steps : int array ``[n]``

        Returns
        -------
        index ``[n]``
            Naive: as :meth:`times`, moved to ``tz``.
        """
        if self.is_integer or self.tz is None:
            return self.times(steps)
        return pd.DatetimeIndex(self.output_times(steps)).tz_localize(None)

    def output_times(self, steps: Steps) -> pd.Index:
        """Return the times as the user knows them: zone-aware where the input was.

        Parameters
        ----------
        steps : int array ``[n]``

        Returns
        -------
        index ``[n]``
        """
        times = self.times(steps)
        if self.is_integer or self.tz is None:
            return times
        if self.wall:
            return on_the_clock(times, self.tz)
        return pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(self.tz)

    def days(self, steps: Steps) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
        """Return the days that steps of more than one day cover, on the wall: the first, and the first day after.

        As pandas labels them: a week, and what is named by the end of a month, lasts up to its date, all others from
        their date on.

        Parameters
        ----------
        steps : int array ``[n]``

        Returns
        -------
        first, after : datetime64[D] arrays ``[n]``

        Examples
        --------
        >>> import pandas as pd
        >>> from foretide.data.time.grid import Grid
        >>> grid = Grid(pd.Timestamp("2024-01-31"), "ME")
        >>> [str(day[0]) for day in grid.days([1])]
        ['2024-02-01', '2024-03-01']
        """
        steps = np.asarray(steps, dtype=np.int64).ravel()
        ends = ends_steps(str(self.freq))

        def day(at: Ints) -> NDArray[np.datetime64]:
            days = self.local_times(at).to_numpy().astype("datetime64[D]")
            return np.asarray(days + np.timedelta64(int(ends), "D"), dtype="datetime64[D]")

        return (day(steps - 1), day(steps)) if ends else (day(steps), day(steps + 1))

    @property
    def lasts_days(self) -> bool:
        """Whether a step lasts more than one day."""
        if isinstance(self.freq, int):
            return False
        fixed = fixed_step(self.freq)
        return fixed > DAY if fixed is not None else code_of(self.freq) in PER_YEAR

    def normalise(self, time: Time) -> pd.Timestamp | int:
        """Return one time in the grid's own terms: an int for integer grids, else naive, on the grid's own clock.

        A month, quarter, week or year (``"2024-06"``, ``"2024Q2"``, a Period) is the one step that lies in it; its
        first moment where steps are shorter. A naive time is one on the wall of ``tz``.

        Parameters
        ----------
        time : time

        Returns
        -------
        Timestamp or int

        Raises
        ------
        DataError
            When a time can mean more than one thing, such as ``05/06/2024``; the message says what to type.
        """
        if self.is_integer:
            if isinstance(time, (int, np.integer)) and not isinstance(time, bool) and abs(int(time)) < 2**62:
                return int(time)
            raise DataError(f"This panel counts time in integers; expected an integer time, got {time!r}.")
        stamp, end = read_moment(time)
        if end is not None:
            step = self.step_at_or_before(self._on_own_clock(end) - pd.Timedelta(1, "ns"))
            labels = self.local_times([step - 1, step])
            return self.times([step])[0] if labels[0] < stamp <= labels[1] else self._on_own_clock(stamp)
        if self.tz is None and stamp.tzinfo is not None:
            raise DataError(
                f"The panel's times have no time zone, but {time!r} has one. "
                f"Type the time without a zone: {stamp.tz_localize(None)!s}"
            )
        return self._on_own_clock(stamp)

    def _on_own_clock(self, stamp: pd.Timestamp) -> pd.Timestamp:
        """Return a time, naive or not, as the grid counts it."""
        if self.tz is None:
            return stamp
        if self.wall:
            return stamp if stamp.tzinfo is None else self._labels(pd.DatetimeIndex([stamp]))[0]
        if stamp.tzinfo is None:
            known = stamp.tz_localize(self.tz, ambiguous="NaT", nonexistent="NaT")
            if pd.isna(known):
                raise DataError(f"{stamp!s} does not exist or comes twice in {self.tz}. {self._instead(stamp)}")
            stamp = pd.Timestamp(known)
        return stamp.tz_convert("UTC").tz_localize(None).as_unit("ns")

    def _instead(self, stamp: pd.Timestamp) -> str:
        ways = [stamp.tz_localize(self.tz, ambiguous=first, nonexistent="shift_forward") for first in (True, False)]
        shown = " or ".join(dict.fromkeys(repr(str(way)) for way in ways))
        return f"The clock changes there for daylight saving; type {shown}."

    def _labels(self, index: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Return zone-aware times on the wall; where a label was moved because the clock skips it, that label."""
        wall = index.tz_convert(self.tz).tz_localize(None).as_unit("ns")
        labels = self.times(self._at_or_before(wall))
        other = np.flatnonzero(np.asarray(labels != wall))
        if not other.size:
            return wall
        moved = np.asarray(on_the_clock(labels[other], str(self.tz)) == index[other])
        values = wall.to_numpy().copy()
        values[other[moved]] = labels[other[moved]].to_numpy()
        return pd.DatetimeIndex(values)

    def _at_or_before(self, stamps: pd.DatetimeIndex) -> Ints:
        """Return the last steps not after times of the grid's own clock, ``[n]``."""
        assert isinstance(self.freq, str)
        fixed = fixed_step(self.freq)
        if fixed is not None:
            return np.asarray((stamps.as_unit("ns").asi8 - self._begin) // fixed, dtype=np.int64)
        low, high = self._step_at_or_before(stamps.min()), self._step_at_or_before(stamps.max())
        found = self.times(np.arange(low, high + 1)).searchsorted(stamps, side="right")
        return np.asarray(low + found - 1, dtype=np.int64)

    def step_at_or_before(self, time: Time) -> int:
        """Return the last grid step whose time is not after a time.

        Parameters
        ----------
        time : time

        Returns
        -------
        int

        Examples
        --------
        >>> import pandas as pd
        >>> from foretide.data.time.grid import Grid
        >>> grid = Grid(pd.Timestamp("2024-01-31"), "ME")
        >>> grid.step_at_or_before("2024-04-15")
        2
        """
        moment = self.normalise(time)
        if isinstance(moment, pd.Timestamp):
            return self._step_at_or_before(moment)
        return int((moment - int(cast("int", self.start))) // int(self.freq))

    def _step_at_or_before(self, time: pd.Timestamp) -> int:
        fixed = fixed_step(str(self.freq))
        if fixed is not None:
            return (time.as_unit("ns").value - self._begin) // fixed
        shift = pd.Timedelta(shift_of(self.freq))
        time, start = time - shift, pd.Timestamp(self.start) - shift
        if time >= start:
            return len(pd.date_range(start, time, freq=self.offset)) - 1
        # Counting from ``time`` would keep its time of day; counting back from the start does not.
        periods = len(pd.date_range(time, start, freq=self.offset)) + 2
        back = pd.date_range(end=start, periods=periods, freq=self.offset)
        return int(back.searchsorted(time, side="right")) - periods

    def step_of(self, time: Time) -> int:
        """Return the grid step that lies exactly at a time.

        Parameters
        ----------
        time : time

        Returns
        -------
        int

        Examples
        --------
        >>> import pandas as pd
        >>> from foretide.data.time.grid import Grid
        >>> grid = Grid(pd.Timestamp("2024-01-31"), "ME")
        >>> grid.step_of("2024-03-31"), grid.step_of("2024-03")
        (2, 2)
        """
        step = self.step_at_or_before(time)
        if self.times([step])[0] != self.normalise(time):
            raise DataError(
                f"{time!s} is not on the panel's time grid (every {self.freq} from {self.output_times([0])[0]}). "
                f"The last grid time before it is {self.output_times([step])[0]}."
            )
        return step

    def steps_of(self, times: Times) -> Ints:
        """Return the grid steps of many times; as :meth:`step_of`, in one go.

        Parameters
        ----------
        times : sequence of times

        Returns
        -------
        int array ``[n]``
        """
        stamps = self._normalise_all(times)
        if not len(stamps):
            return np.zeros(0, dtype=np.int64)
        if isinstance(stamps, pd.DatetimeIndex):
            steps = self._at_or_before(stamps)
        else:
            steps = (stamps - int(cast("int", self.start))) // int(self.freq)
        wrong = np.flatnonzero(np.asarray(self.times(steps) != stamps))
        if wrong.size:
            self.step_of(times[int(wrong[0])])
        return steps

    def _normalise_all(self, times: Times) -> Ints | pd.DatetimeIndex:
        """As :meth:`normalise`, at once where the times are an index of the grid's own kind."""
        index = times if isinstance(times, pd.DatetimeIndex) else None
        if index is not None and len(index) and not index.hasnans and not self.is_integer:
            if index.tz is not None and self.tz is not None:
                return self._labels(index) if self.wall else index.tz_convert("UTC").tz_localize(None).as_unit("ns")
            if index.tz is None and self.tz is None:
                return index.as_unit("ns")
        stamps = [self.normalise(time) for time in times]
        return np.array(stamps, dtype=np.int64) if self.is_integer else pd.DatetimeIndex(stamps)
