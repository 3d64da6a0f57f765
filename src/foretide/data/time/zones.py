"""Time zones: their names, and the way between UTC and the clock on the wall."""

from __future__ import annotations

import re
import zoneinfo
from datetime import tzinfo
from typing import Literal

import numpy as np
import pandas as pd

from foretide.data.time.stamps import as_index, as_ns
from foretide.errors import ConfigError, nearest
from foretide.typing import Bools, Ints

_OFFSET = re.compile(r"(?:UTC)?([+-])(\d{1,2})(?::?(\d\d))?(?::00)?")
_LIKELY = (
    "Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/Los_Angeles", "Europe/Athens",
    "Australia/Sydney",
)  # fmt: skip


def read_zone(tz: str | None) -> str | None:
    """Return the name of a zone as it is kept.

    Parameters
    ----------
    tz : str or None

    Returns
    -------
    str or None
        Offsets such as ``UTC+2`` and ``+0530`` become ``+02:00``, ``+05:30``.

    Examples
    --------
    >>> from foretide.data.time.zones import read_zone
    >>> read_zone("UTC+2"), read_zone("Europe/Berlin")
    ('+02:00', 'Europe/Berlin')
    """
    if tz is None or tz == "UTC":
        return tz
    offset = _OFFSET.fullmatch(tz) if isinstance(tz, str) else None
    if offset and int(offset[2]) <= 14 and int(offset[3] or 0) < 60:
        name = f"{offset[1]}{int(offset[2]):02d}:{offset[3] or '00'}"
        return "UTC" if name[1:] == "00:00" else name
    try:
        pd.Timestamp(0, tz="UTC").tz_convert(tz)
    except (KeyError, ValueError, OSError, TypeError, IndexError) as error:
        hint = nearest(tz, sorted(zoneinfo.available_timezones()))
        hint = hint if hint.startswith("Did") else "Name one such as 'Europe/Berlin', 'UTC' or '+02:00'."
        raise ConfigError(f"{tz!r} is not a known time zone. {hint}") from error
    return tz


def zone_name(zone: tzinfo) -> str:
    """Return the name of a zone object of the standard library, pytz or dateutil; where it has none, its offset.

    Parameters
    ----------
    zone : tzinfo

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        For a zone without a name whose offset changes.
    """
    names = (getattr(zone, "key", None), getattr(zone, "zone", None), *_file_of(zone), str(zone))
    for name in names:
        try:
            if name and not name.endswith("()"):  # tzlocal() is another zone elsewhere
                return str(read_zone(name))
        except ConfigError:  # the next one may be known
            continue
    offsets = {pd.Timestamp(f"2024-{month:02d}-15", tz=zone).utcoffset() for month in (1, 4, 7, 10)}
    if len(offsets) == 1 and (offset := offsets.pop()) is not None:
        return str(read_zone(offset_name(round(offset.total_seconds() / 60))))
    raise ConfigError(f"The time zone {zone!r} has no name. Type: tz='Europe/Berlin' (or the zone that is meant).")


def offset_name(minutes: int) -> str:
    """Return an offset from UTC as text.

    Parameters
    ----------
    minutes : int

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.data.time.zones import offset_name
    >>> print(offset_name(-210))
    -03:30
    """
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _file_of(zone: tzinfo) -> tuple[str, ...]:
    """Return the name in a zone of dateutil, which knows the path it was read from."""
    found = re.search(r"zoneinfo/(.+?)'", repr(zone))
    return (found[1],) if found else ()


def zone_of_offsets(utc: Ints, offsets: Ints) -> str | None:
    """Return a zone whose clock shows these offsets at these times, or None.

    Parameters
    ----------
    utc, offsets : int arrays ``[R]``
        Nanoseconds.

    Returns
    -------
    str or None
    """
    for name in (*_LIKELY, *sorted(zoneinfo.available_timezones())):
        try:
            wall = to_wall(utc, name)
        except (KeyError, ValueError, OSError):  # a name that pandas does not take
            continue
        if np.array_equal(wall - utc, offsets):
            return name
    return None


def zone_put_back(wall: Ints) -> str | None:
    """Return a zone whose clock shows all of these times twice, as when it is put back in autumn, or None.

    Parameters
    ----------
    wall : int array ``[R]``
        Nanoseconds.

    Returns
    -------
    str or None
    """
    return _zone_where(wall, "NaT", "shift_forward")


def zone_put_forward(wall: Ints) -> str | None:
    """Return a zone whose clock shows none of these times, as when it is put forward in spring, or None.

    Parameters
    ----------
    wall : int array ``[R]``
        Nanoseconds.

    Returns
    -------
    str or None
    """
    return _zone_where(wall, np.zeros(len(wall), dtype=bool), "NaT")


def _zone_where(wall: Ints, twice: Literal["NaT"] | Bools, never: Literal["NaT", "shift_forward"]) -> str | None:
    index = as_index(wall)
    return next((name for name in _LIKELY if index.tz_localize(name, twice, never).isna().all()), None)


def localise(values: Ints, codes: Ints, tz: str) -> tuple[Ints, Bools]:
    """Return wall-clock times of a zone in UTC, and which of them do not exist there.

    In the hour that a clock shows twice, an entity's first time is the earlier one. A time in the hour that a clock
    skips is the first one after it, as midnight of a day that begins at 01:00; where the entity has that time too,
    it does not exist.

    Parameters
    ----------
    values : int array ``[R]``
        Nanoseconds on the wall.
    codes : int array ``[R]``
        Entity of each row.
    tz : str

    Returns
    -------
    utc : int array ``[R]``
    absent : bool array ``[R]``
    """
    first = ~pd.DataFrame({"code": codes, "time": values}).duplicated().to_numpy()
    index = as_index(values)
    utc = as_ns(index.tz_localize(tz, ambiguous=first, nonexistent="shift_forward"))
    skipped = np.asarray(index.tz_localize(tz, ambiguous=first, nonexistent="NaT").isna())
    if skipped.any():
        skipped &= pd.DataFrame({"code": codes, "time": utc}).duplicated(keep=False).to_numpy()
    return utc, skipped


def on_the_clock(labels: pd.Index, tz: str) -> pd.DatetimeIndex:
    """Return labels of a regular wall clock with their zone.

    One in the hour that the clock skips becomes the first time after it, one in the hour that comes twice the first.

    Parameters
    ----------
    labels : index of naive times
    tz : str

    Returns
    -------
    DatetimeIndex
    """
    index = pd.DatetimeIndex(labels)
    return index.tz_localize(tz, ambiguous=np.ones(len(index), dtype=bool), nonexistent="shift_forward")


def to_wall(values: Ints, tz: str) -> Ints:
    """Return UTC nanoseconds as nanoseconds on a wall clock of the zone.

    Parameters
    ----------
    values : int array ``[R]``
    tz : str

    Returns
    -------
    int array ``[R]``

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.time.zones import to_wall
    >>> to_wall(np.array([0]), "+01:00").tolist()
    [3600000000000]
    """
    return as_ns(as_index(values).tz_localize("UTC").tz_convert(tz).tz_localize(None))


def from_wall(values: Ints, tz: str) -> Ints:
    """Return nanoseconds of labels on a regular wall clock in UTC; see :func:`on_the_clock`.

    Parameters
    ----------
    values : int array ``[R]``
    tz : str

    Returns
    -------
    int array ``[R]``
    """
    return as_ns(on_the_clock(as_index(values), tz))
