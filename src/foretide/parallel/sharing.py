"""What all workers read: written once, arrays mapped into their memory and not copied.

The function and what is shared go to a file in a temporary folder; every large array in them becomes a file of its
own, whose pages all workers have in common. Arrays are read-only in the workers.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from foretide.data.files import storing

if TYPE_CHECKING:
    from foretide.typing import Array

MAPPED = 2**18
"""Arrays of at least so many bytes are mapped from a file; smaller ones are sent."""
IN_MEMORY = Path("/dev/shm")
PREFIX = "foretide-map-"
JOB = "job"


def _nowhere(number: int) -> Array:
    raise LookupError(number)


@dataclass
class _Reading:
    """Where the large arrays of what is being read are."""

    find: Callable[[int], Array] = _nowhere


_READING = _Reading()


@contextlib.contextmanager
def written_job(function: Callable[..., object], shared: object) -> Iterator[Path]:
    """Write what the workers need to a temporary folder, in memory where there is room, and remove it afterwards.

    Parameters
    ----------
    function : callable
    shared : object

    Yields
    ------
    path
    """
    content, large = packed((function, shared))
    size = len(content) + sum(array.nbytes for array in large)
    room = _place(size)
    with storing(room or tempfile.gettempdir(), "Set TMPDIR to a folder with room, or type n_jobs=1."):
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=room))
    try:
        with storing(folder, "Set TMPDIR to a folder with room, or type n_jobs=1."):
            for number, array in enumerate(large):
                np.save(folder / f"{number}.npy", array)
            (folder / JOB).write_bytes(content)
        del large, content
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_job(folder: Path) -> tuple[Callable[[object, object], object], object]:
    """Return function and shared object, with arrays that cannot be written to.

    Parameters
    ----------
    folder : path

    Returns
    -------
    tuple[callable
    """

    def mapped(number: int) -> Array:
        # A plain array over the map: memmap's own class makes every slice slower.
        found: Array = np.load(folder / f"{number}.npy", mmap_mode="r").view(np.ndarray)
        return found

    function, shared = cast("tuple[Callable[[object, object], object], object]", unpacked(
        (folder / JOB).read_bytes(), mapped
    ))  # fmt: skip
    return function, shared


def packed(value: object) -> tuple[bytes, list[Array]]:
    """Return a value as bytes, without its large arrays, and these.

    Parameters
    ----------
    value : object

    Returns
    -------
    bytes, list of array
    """
    from loky.backend.reduction import dumps

    writer = _Writer()
    content = dumps(value, reducers={np.ndarray: writer, np.memmap: writer})
    return bytes(content), writer.large


def unpacked(content: bytes, find: Callable[[int], Array]) -> object:
    """Return what :func:`packed` took apart; its small arrays are read-only.

    Parameters
    ----------
    content : bytes
    find : callable
        Returns a large array by its number.

    Returns
    -------
    object
    """
    from loky.backend.reduction import loads

    _READING.find = find
    try:
        return loads(content)
    finally:
        _READING.find = _nowhere


def _place(size: int) -> str | None:
    """Return the folder in memory where it has twice the room, None for the usual temporary folder."""
    try:
        room = shutil.disk_usage(IN_MEMORY).free
    except OSError:
        return None
    return str(IN_MEMORY) if room > 2 * size and os.access(IN_MEMORY, os.W_OK) else None


class _Writer:
    """Reduces a large array to the number of its file, a small one to its bytes."""

    def __init__(self) -> None:
        self.large: list[Array] = []

    def __call__(self, array: Array) -> str | tuple[object, ...]:
        if array.dtype.hasobject or not array.size:
            return np.asarray(array).__reduce__()
        if array.nbytes < MAPPED:
            order: Literal["C", "F"] = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
            return _from_bytes, (array.tobytes(order), array.dtype, array.shape, order)
        self.large.append(array)
        return _found, (len(self.large) - 1,)


def _found(number: int) -> Array:
    return _READING.find(number)


def _from_bytes(content: bytes, dtype: np.dtype[np.generic], shape: tuple[int, ...], order: Literal["C", "F"]) -> Array:
    return np.frombuffer(content, dtype).reshape(shape, order=order)
