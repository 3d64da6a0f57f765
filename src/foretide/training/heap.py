"""Memory of one step kept for the next, where the C library would hand it back to the system in between."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's ``mallopt``."""
_WHILE = {_MMAP_THRESHOLD: 2**28, _TRIM_THRESHOLD: 2**29}
_AFTERWARDS = {_MMAP_THRESHOLD: 2**25, _TRIM_THRESHOLD: 2**26}
"""What glibc comes to by itself in a process that has freed a block of 32 MiB."""


@contextmanager
def kept_heap() -> Iterator[None]:
    """Keep freed memory in the process for as long as steps of the same sizes follow each other.

    glibc gives a block above 32 MiB, and a free end of the heap above 64 MiB, back to the system at once, and each step
    of a training then waits for empty pages: a third of the time of an LSTM, 64 wide with a lookback of 168. Up to
    half a GiB is kept here; afterwards the heap shrinks as it always does, when its end is freed. Elsewhere than on
    Linux with glibc nothing is done.

    Examples
    --------
    >>> from foretide.training.heap import kept_heap
    >>> with kept_heap():
    ...     pass
    """
    _set(_WHILE)
    try:
        yield
    finally:
        _set(_AFTERWARDS)


def _set(options: dict[int, int]) -> None:
    library = _glibc()
    if library is not None:
        for option, value in options.items():
            library.mallopt(option, value)


@cache
def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") and hasattr(library, "mallopt") else None
