"""Calendar features for any step, past or future."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.record import Record
from foretide.data.time.frequency import PER_YEAR, code_of, fixed_step, read_freq
from foretide.data.time.grid import Steps
from foretide.data.time.stamps import DAY
from foretide.errors import ConfigError, MissingExtraError, nearest
from foretide.typing import Array, Floats, Singles

if TYPE_CHECKING:
    from foretide.data.time.grid import Grid

    Part = Callable[[pd.DatetimeIndex], Floats]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _hour(t: pd.DatetimeIndex) -> Floats:
    return np.asarray((t.minute + t.second / 60) / 60, dtype=np.float64)


def _day(t: pd.DatetimeIndex) -> Floats:
    return (np.asarray(t.hour, dtype=np.float64) + _hour(t)) / 24


CYCLES: dict[str, Callable[[pd.DatetimeIndex], Floats]] = {
    "minute": _hour,
    "hour": _day,
    "weekhour": lambda t: (np.asarray(t.day_of_week, dtype=np.float64) + _day(t)) / 7,
    "monthday": lambda t: (np.asarray(t.day, dtype=np.float64) - 1) / np.asarray(t.days_in_month, dtype=np.float64),
    "month": lambda t: (np.asarray(t.month, dtype=np.float64) - 1) / 12,
    "quarter": lambda t: (np.asarray(t.quarter, dtype=np.float64) - 1) / 4,
    "yearday": lambda t: (np.asarray(t.day_of_year, dtype=np.float64) - 1) / np.where(t.is_leap_year, 366, 365),
}
"""Fraction of a cycle that has passed."""
FEATURES = ("weekday", "weekend", *CYCLES)
_LONG: dict[int, tuple[str, ...]] = {
    52: ("yearday",),
    24: ("monthday", "month"),
    12: ("month",),
    4: ("quarter",),
    1: (),
}
"""Steps a year -> features."""


@dataclass(frozen=True)
class Calendar(Record):
    """Features that are known ahead because they follow from the wall-clock time alone.

    A cycle gives two columns, ``<name>_sin`` and ``<name>_cos`` of ``2 pi`` times its fraction, so that its end
    lies beside its beginning; the weekday gives seven 0/1 columns, because days differ in no smooth way.

    ============ ============================================================
    ``minute``   fraction of the hour
    ``hour``     fraction of the day
    ``weekday``  seven flags, ``weekday_mon`` .. ``weekday_sun``
    ``weekend``  one flag, Saturday and Sunday
    ``weekhour`` fraction of the week
    ``monthday`` fraction of the month
    ``month``    month, a twelfth of a turn each
    ``quarter``  quarter, a quarter of a turn each
    ``yearday``  fraction of the year
    ============ ============================================================

    With a country come the flags ``holiday``, ``holiday_before`` (the next day is a holiday) and ``holiday_after``
    (the day before was one); they hold for the whole local day. Steps of several days, weeks, months and quarters count
    such days: a month with two holidays has 2. What days a step covers is told by
    :meth:`foretide.data.time.grid.Grid.days`.

    Attributes
    ----------
    features : tuple of str
        Names out of the table.
    country : str, tuple of two str, or None
        ISO code, as in ``"DE"``, or with a subdivision, as in ``("AU", "VIC")``.

    Examples
    --------
    >>> import foretide as ft
    >>> ft.Calendar(("hour", "weekend"), country="DE").names()
    ('hour_sin', 'hour_cos', 'weekend', 'holiday', 'holiday_before', 'holiday_after')
    """

    features: tuple[str, ...] = ("hour", "weekday", "yearday")
    country: str | tuple[str, str] | None = None

    def __post_init__(self) -> None:
        given: str | Iterable[str] = self.features
        features = (given,) if isinstance(given, str) else tuple(given)
        for name in features:
            if name not in FEATURES:
                raise ConfigError(f"There is no calendar feature {name!r}. {nearest(name, FEATURES)}")
        if len(set(features)) < len(features):
            raise ConfigError(f"A calendar feature is named twice: {features}.")
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "country", tuple(self.country) if isinstance(self.country, list) else self.country)
        if self.country is not None:
            _check_country(*_country_parts(self.country))

    @classmethod
    def for_freq(cls, freq: str | int, country: str | tuple[str, str] | None = None) -> Calendar:
        """Return the features that make sense at a frequency.

        Steps below an hour: minute, hour, weekday, yearday; below a day: hour, weekday, yearday; days and business
        days: weekday, monthday, yearday; weeks: yearday; half months: monthday, month; months: month; quarters:
        quarter; years: none, and no country.

        Parameters
        ----------
        freq : str or int
        country : str, tuple of two str, or None

        Returns
        -------
        Calendar

        Raises
        ------
        ConfigError
            For integer time, which has no calendar.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.Calendar.for_freq("D").features
        ('weekday', 'monthday', 'yearday')
        """
        freq = read_freq(freq)
        if isinstance(freq, int):
            raise ConfigError(_NO_CALENDAR)
        step = fixed_step(freq)
        per_year = PER_YEAR.get(code_of(freq)) or (52 if step is not None and step >= 7 * DAY else None)
        if per_year is not None:
            return cls(_LONG[per_year], country if per_year > 1 else None)
        if step is None or step >= DAY:
            return cls(("weekday", "monthday", "yearday"), country)
        below_hour = ("minute",) if step % (DAY // 24) else ()
        return cls((*below_hour, "hour", "weekday", "yearday"), country)

    def names(self, grid: Grid | None = None) -> tuple[str, ...]:
        """Return the names of the columns.

        Parameters
        ----------
        grid : Grid, optional
            Time of the columns; a grid of integers has no calendar, which is a :class:`ConfigError`.

        Returns
        -------
        tuple of str
            ``K`` of them.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.Calendar(("month", "weekend")).names()
        ('month_sin', 'month_cos', 'weekend')
        """
        if grid is not None and grid.is_integer:
            raise ConfigError(_NO_CALENDAR)
        own = {"weekday": [f"weekday_{day}" for day in WEEKDAYS], "weekend": ["weekend"]}
        found = [column for name in self.features for column in own.get(name, [f"{name}_sin", f"{name}_cos"])]
        return (*found, *(() if self.country is None else ("holiday", "holiday_before", "holiday_after")))

    def values(self, grid: Grid, steps: Steps) -> Singles:
        """Return the features of grid steps, on the wall clock of the grid's zone.

        Parameters
        ----------
        grid : Grid
        steps : int array ``[n]``
            Before, inside or after the data.

        Returns
        -------
        float32 array ``[n, K]``

        Examples
        --------
        >>> import foretide as ft
        >>> days = ft.synthetic.supplies(T=30).panel.grid
        >>> ft.Calendar(("weekend",)).values(days, range(7))[:, 0].tolist()
        [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0]
        """
        names, times = self.names(grid), pd.DatetimeIndex(grid.local_times(steps))
        parts: list[Array] = [np.zeros((len(times), 0))]
        weekday = np.asarray(times.day_of_week)[:, None]
        for name in self.features:
            if name in CYCLES:
                turn = 2 * np.pi * CYCLES[name](times)
                parts += [np.sin(turn)[:, None], np.cos(turn)[:, None]]
            else:
                parts.append(weekday == np.arange(7) if name == "weekday" else weekday >= 5)
        if self.country is not None:
            code, part = _country_parts(self.country)
            counted = grid.lasts_days
            parts.append(_counts(grid, steps, code, part) if counted else _holiday_flags(times, code, part))
        out: Singles = np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe").reshape(-1, len(names))
        return out


_NO_CALENDAR = (
    "Time is counted in integers and has no calendar. Give dates (a datetime column), or leave the calendar out."
)


def _country_parts(country: object) -> tuple[str, str | None]:
    if isinstance(country, str):
        return country, None
    if isinstance(country, tuple) and len(country) == 2 and all(isinstance(part, str) for part in country):
        return country[0], country[1]
    raise ConfigError(
        f"country is a code such as 'DE', or a code with a subdivision such as ('AU', 'VIC'); got {country!r}."
    )


def _holidays() -> ModuleType:
    try:
        import holidays
    except ImportError as error:  # pragma: no cover - a core dependency
        raise MissingExtraError("holidays", "holidays", "A calendar with a country") from error
    return holidays


def _check_country(code: str, subdivision: str | None) -> None:
    """Raise a ConfigError that names the nearest country or subdivision."""
    supported = _holidays().list_supported_countries(include_aliases=True)
    if code not in supported:
        by_name = {_spaced(name): known for known, name in _country_names().items()}
        close = nearest(code, by_name)
        if close.startswith("Did"):
            meant = close.split("'")[1] if "'" in close else close
            raise ConfigError(f"There is no country {code!r}. Did you mean {by_name.get(meant, meant)!r} ({meant})?")
        hint = nearest(code, supported)
        hint = hint if hint.startswith("Did") else "Give a two-letter ISO code such as 'DE'."
        raise ConfigError(f"There is no country {code!r}. {hint}")
    if subdivision is not None and subdivision not in supported[code]:
        known = f" {nearest(subdivision, supported[code])}" if supported[code] else " It has none; leave it out."
        raise ConfigError(f"{code!r} has no subdivision {subdivision!r}.{known}")


def _country_names() -> dict[str, str]:
    """Return code -> name of the class that the package keeps for a country."""
    return {names[1]: names[0] for names in _holidays().registry.COUNTRIES.values()}


def _spaced(name: str) -> str:
    return "".join(f" {c}" if c.isupper() and k else c for k, c in enumerate(name)).strip()


def _counts(grid: Grid, steps: Steps, code: str, subdivision: str | None) -> Singles:
    """Return how many holidays, days before and days after one lie in each step, ``[n, 3]``."""
    first, after = grid.days(steps)
    if not len(first):
        return np.zeros((0, 3), dtype=np.float32)
    days = np.arange(first.min(), after.max())
    flags = _holiday_flags(pd.DatetimeIndex(days.astype("datetime64[ns]")), code, subdivision)
    before = np.concatenate([np.zeros((1, 3)), np.cumsum(flags, axis=0, dtype=np.float64)])
    low, high = ((ends - days[0]).astype(np.int64) for ends in (first, after))
    return np.asarray(before[high] - before[low], dtype=np.float32)


def _holiday_flags(times: pd.DatetimeIndex, code: str, subdivision: str | None) -> Singles:
    """Return holiday, day before and day after, ``[n, 3]``; looked up once per day."""
    if not len(times):
        return np.zeros((0, 3), dtype=np.float32)
    days, where = np.unique(times.to_numpy().astype("datetime64[D]"), return_inverse=True)
    around = np.unique(np.concatenate([days - 1, days, days + 1]))
    years = range(int(str(around[0])[:4]), int(str(around[-1])[:4]) + 1)
    free = _holidays().country_holidays(code, subdiv=subdivision, years=years)
    listed = np.array(sorted(free), dtype="datetime64[D]")
    flags = np.stack([np.isin(days, listed), np.isin(days + 1, listed), np.isin(days - 1, listed)], axis=1)
    return flags[where.ravel()].astype(np.float32)
