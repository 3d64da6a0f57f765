"""How much a table may hold: a file that unpacks to far more than it is, or would fill the memory, is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from foretide.errors import ConfigError, DataError
from foretide.text import number

VARIABLE = "FORETIDE_LARGEST_TABLE"
"""Environment variable with the bytes that a table may hold, such as ``8GB``."""
SHARE = 4
"""By default a table may hold the memory of the machine over this."""
COLUMNS = 10_000
"""Most columns of a table by default."""
RATIO, ALWAYS = 1000, 1 << 28
"""A packed file may hold so many times its size, and 256 MiB whatever its size."""
CELL = 8
"""Bytes of a number."""
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True)
class Limits:
    """What a table may hold.

    Attributes
    ----------
    bytes : int
        Unpacked, as text or as columns.
    rows : int or None
        None: as many as the bytes allow.
    columns : int
    trusted : bool
        Whether the bytes were named by a person: then a packed file may hold so many, whatever its own size.
    """

    bytes: int
    rows: int | None = None
    columns: int = COLUMNS
    trusted: bool = False

    def unpacked(self, packed: int) -> int:
        """Return the bytes that a packed file of so many bytes may hold.

        Parameters
        ----------
        packed : int

        Returns
        -------
        int
        """
        return self.bytes if self.trusted else min(self.bytes, max(ALWAYS, RATIO * packed))

    def check(self, name: str, *, rows: int = 0, columns: int = 0, size: int = 0) -> None:
        """Refuse a table that holds too much.

        Parameters
        ----------
        name : str
            Of the file.
        rows, columns, size : int
            What it holds, as far as it is known; ``size`` in bytes.

        Raises
        ------
        DataError
        """
        if columns > self.columns:
            raise DataError(
                f"{name} has {columns} columns; at most {self.columns} are read. Write it long: one row per series and "
                "time."
            )
        if self.rows is not None and rows > self.rows:
            raise DataError(f"{name} has {rows} rows; at most {self.rows} are read. Give fewer, or aggregate first.")
        if size > self.bytes:
            raise too_large(name, self.bytes)


def too_large(name: str, most: int, packed: int | None = None) -> DataError:
    """Return the error of a table that holds too many bytes.

    Parameters
    ----------
    name : str
    most : int
        Bytes that it may hold.
    packed : int, optional
        Bytes of the file, where it is packed.

    Returns
    -------
    DataError
    """
    of = "" if packed is None else f", {number(most / max(packed, 1))} times its own size, once unpacked"
    return DataError(
        f"{name} holds more than {number(most / 1e9)} GB{of}. Keep the columns and rows that are needed, or aggregate "
        f"first. If the file is yours and memory suffices, raise the limit in the environment: {VARIABLE}=16GB"
    )


_current: ContextVar[Limits | None] = ContextVar("limits", default=None)


def current() -> Limits:
    """Return the limits that hold here: of :func:`limits`, else of the environment, else a quarter of the memory.

    Returns
    -------
    Limits

    Raises
    ------
    ConfigError
        Where the environment variable is no size.
    """
    found = _current.get()
    if found is not None:
        return found
    typed = os.environ.get(VARIABLE, "").strip()
    return Limits(size_in(typed), trusted=True) if typed else Limits(_memory() // SHARE)


@contextmanager
def limits(**changes: int | None) -> Iterator[Limits]:
    """Let other limits hold inside, for tables that come from elsewhere.

    Parameters
    ----------
    **changes : int or None
        ``bytes``, ``rows``, ``columns``, as of :class:`Limits`; the packed ratio stays bounded.

    Yields
    ------
    Limits

    Examples
    --------
    >>> from foretide.data.tables.limits import current, limits
    >>> with limits(bytes=1_000_000, rows=1000):
    ...     current().rows
    1000
    """
    made = replace(current(), trusted=False, **changes)  # type: ignore[arg-type]
    token = _current.set(made)
    try:
        yield made
    finally:
        _current.reset(token)


def size_in(text: str) -> int:
    """Return a size in bytes: ``8GB``, ``500 MB``, ``1000000``.

    Parameters
    ----------
    text : str

    Returns
    -------
    int

    Raises
    ------
    ConfigError
        For what is no size.

    Examples
    --------
    >>> from foretide.data.tables.limits import size_in
    >>> size_in("8GB"), size_in("1.5 mb")
    (8000000000, 1500000)
    """
    found = re.fullmatch(r"(\d{1,15}(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", text.strip().upper())
    if found is None or float(found[1]) <= 0:
        raise ConfigError(f"{VARIABLE}={text!r} is no size. Expected bytes, such as 8GB or 500MB.")
    return int(float(found[1]) * _UNITS[found[2]])


def _memory() -> int:
    if not hasattr(os, "sysconf"):
        return 1 << 34
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
