"""Where the columns of an opened table lie: made once, known by a checksum, made anew when the files have changed."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.files import storing, write_text

if TYPE_CHECKING:
    from foretide.typing import Array, Json

VALUES, WHOLE, PROGRESS, SEEN = "values.bin", "whole.json", "progress.json", "seen.bin"
_READ_BYTES = 4 * 2**20


def cache_folder(named: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder for columns of opened tables.

    Parameters
    ----------
    named : path, optional
        By default ``$FORETIDE_CACHE``, or what the system has for such things: ``$XDG_CACHE_HOME/foretide``,
        ``~/.cache/foretide``; ``~/Library/Caches/foretide`` on a Mac, ``%LOCALAPPDATA%/foretide`` on Windows.

    Returns
    -------
    Path

    Examples
    --------
    >>> from foretide.data.opened.cache import cache_folder
    >>> cache_folder("scratch").name
    'scratch'
    """
    if named is not None or os.environ.get("FORETIDE_CACHE"):
        return Path(os.path.expanduser(os.fspath(named) if named is not None else os.environ["FORETIDE_CACHE"]))
    usual = {"darwin": Path.home() / "Library/Caches", "win32": Path(os.environ.get("LOCALAPPDATA", Path.home()))}
    return Path(os.environ.get("XDG_CACHE_HOME") or usual.get(sys.platform, Path.home() / ".cache")) / "foretide"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process works in a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    context manager
    """
    with storing(folder, "Name another folder: cache=..., or FORETIDE_CACHE.", deed="make the folder"):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "in-use.lock").open("a")
    with file:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def mapped(path: Path, dtype: np.dtype[np.generic], shape: tuple[int, ...], *, new: bool = False) -> Array:
    """Return a file as an array that can be written to.

    Parameters
    ----------
    path : Path
    dtype : dtype
    shape : tuple of int
    new : bool
        Whether it is made, with room for all of it; 0 everywhere.

    Returns
    -------
    array
    """
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    with storing(path, "Name a folder with more room: cache=..., or FORETIDE_CACHE."):
        if new:
            with path.open("wb") as file:
                file.truncate(size)
                if hasattr(os, "posix_fallocate"):  # a full disk says so now, and not by a signal later
                    os.posix_fallocate(file.fileno(), 0, max(size, 1))
        return np.memmap(path, dtype=dtype, mode="r+", shape=shape)


def read_json(path: Path) -> Json | None:
    """Return what a file holds; None where there is none, or half of one.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict or None
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _sum_of(path: Path) -> int:
    """Return the checksum of a file."""
    told = 0
    with storing(path, deed="read"), path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            told = zlib.crc32(part, told)
    return told


def _stamp(path: Path) -> list[int]:
    """Return what changes when somebody writes to a file."""
    about = path.stat()
    return [about.st_size, about.st_mtime_ns, about.st_ino]


def seal(folder: Path, facts: Mapping[str, object]) -> None:
    """Say that the columns in a folder are whole.

    Parameters
    ----------
    folder : Path
    facts : mapping
        What else is to be known of them, as JSON.
    """
    told = json.dumps(facts)
    about = {"facts": told, "facts_sum": zlib.crc32(told.encode()), "sum": _sum_of(folder / VALUES)}
    write_text(folder / WHOLE, json.dumps({**about, "stamp": _stamp(folder / VALUES)}))
    for path in folder.iterdir():
        if path.name not in (VALUES, WHOLE):
            path.unlink()


def unseal(folder: Path) -> Json | None:
    """Return what is known of the columns in a folder; None where they are not whole, or not as they were made.

    They are read through only where their file was touched since that was done last.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict or None
    """
    about, path = read_json(folder / WHOLE), folder / VALUES
    if about is None or not path.is_file():
        return None
    told = about.get("facts")
    if not isinstance(told, str) or zlib.crc32(told.encode()) != about.get("facts_sum"):
        return None
    if about.get("stamp") != _stamp(path):
        if _sum_of(path) != about.get("sum"):
            return None
        write_text(folder / WHOLE, json.dumps({**about, "stamp": _stamp(path)}))
    facts: Json = json.loads(told)
    return facts


def forget_others(folder: Path) -> None:
    """Remove what was made of earlier states of a table; what another process has mapped stays until it ends.

    Parameters
    ----------
    folder : Path
        Of its present state.
    """
    for path in folder.parent.iterdir():
        if path.is_dir() and path != folder:
            shutil.rmtree(path, ignore_errors=True)
