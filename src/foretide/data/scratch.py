"""Arrays too large for the memory: they lie in a file of their own, of which the system keeps in memory what it can."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from foretide.data.files import storing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.typing import Array

_ANEW = "Open the table again: Panel.open(...)."
T = TypeVar("T", bound=np.generic)
_COPIED_ROWS = 65_536
IN_MEMORY = 256 * 2**20
"""Bytes of an array made from a table in memory, above which it lies in a file."""
BESIDE_A_FILE = 16 * 2**20
"""The same for one made from a table that lies in a file itself."""

_WHOLE: ContextVar[bool] = ContextVar("sent_whole", default=False)


def mapped_file(values: Array) -> Path | None:
    """Return the file that an array is mapped from; None for one in memory.

    Parameters
    ----------
    values : array
        Or a view of one.

    Returns
    -------
    Path or None
        An empty path where the file has no name any more.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.scratch import mapped_file
    >>> mapped_file(np.zeros(3)) is None
    True
    """
    base: object = values
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and base.filename is not None:
            return Path(str(base.filename))
        base = base.base
    return Path() if isinstance(base, mmap.mmap) else None


def joined(parts: Sequence[NDArray[T]], like: Array) -> NDArray[T]:
    """Return arrays one after the other, as ``numpy.concatenate`` does, in an array of :func:`empty`.

    Parameters
    ----------
    parts : sequence of array ``[n, ...]``
        At least one.
    like : array
        As for :func:`empty`.

    Returns
    -------
    array

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.scratch import joined
    >>> joined([np.zeros((2, 1)), np.ones((1, 1))], like=np.zeros(1)).ravel().tolist()
    [0.0, 0.0, 1.0]
    """
    shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
    return np.concatenate(parts, out=empty(shape, np.result_type(*parts), like))


def copied(values: NDArray[T], columns: Sequence[int] | None = None) -> NDArray[T]:
    """Return a copy of a table, or of some of its columns, in an array of :func:`empty`.

    Parameters
    ----------
    values : array ``[R, C]``
    columns : sequence of int, optional
        All by default.

    Returns
    -------
    array ``[R, C']``

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.scratch import copied
    >>> copied(np.array([[1, 2, 3]]), [2, 0]).tolist()
    [[3, 1]]
    """
    width = values.shape[1] if columns is None else len(columns)
    made = empty((len(values), width), values.dtype, values)
    for low in range(0, len(values), _COPIED_ROWS):
        some = values[low : low + _COPIED_ROWS]
        made[low : low + _COPIED_ROWS] = some if columns is None else some[:, list(columns)]
    return made


@dataclass(frozen=True)
class Mapping:
    """Where an array that is mapped from a file lies in it, for another process to map it too.

    Attributes
    ----------
    path : Path
    dtype : str
    shape, strides : tuples of int
    offset : int
        Of its first value, in bytes.
    mark : (int, int)
        Size of the file and when it was last written, by which another one of the same name is told from it.
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    mark: tuple[int, int]

    def open(self) -> Array:
        """Return the array, to be read only.

        Returns
        -------
        array

        Raises
        ------
        StorageError
            Where the file is no longer there, or is another one.
        """
        with storing(self.path, _ANEW, deed="read"):
            if _mark(self.path) != self.mark:
                raise OSError(0, "it is not the file that was opened")
            whole = np.memmap(self.path, dtype=np.uint8, mode="r")
        return np.ndarray(self.shape, self.dtype, whole, self.offset, self.strides)


def as_mapping(values: Array) -> Array | Mapping:
    """Return an array that is mapped from a file with a name as what finds it there; any other, and all inside
    :func:`sent_whole`, as it is.

    Parameters
    ----------
    values : array
        Or a view of one.

    Returns
    -------
    array or Mapping
    """
    base: object = None if _WHOLE.get() else values
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and base.filename is not None:
            path = Path(str(base.filename))
            within = values.__array_interface__["data"][0] - base.__array_interface__["data"][0]
            place = base.offset + within
            return Mapping(path, values.dtype.str, values.shape, values.strides, place, _mark(path))
        base = base.base
    return values


def _mark(path: Path) -> tuple[int, int]:
    with storing(path, _ANEW, deed="read"):
        found = path.stat()
    return found.st_size, found.st_mtime_ns


@contextmanager
def sent_whole() -> Iterator[None]:
    """Let panels that are pickled inside carry their values, for a machine that does not see the file.

    Yields
    ------
    None
    """
    token = _WHOLE.set(True)
    try:
        yield
    finally:
        _WHOLE.reset(token)


def empty(
    shape: tuple[int, ...], dtype: type[T] | np.dtype[T], like: Array | None = None, *, most: int | None = None
) -> NDArray[T]:
    """Return an array whose values are not set, in memory or, where it is large, in a file that goes with it.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    like : array, optional
        What it is made from. Where that lies in a file, this one does from :data:`BESIDE_A_FILE` bytes on, beside it.
    most : int, optional
        Bytes in memory of an array that is made from nothing in a file, :data:`IN_MEMORY` by default; a larger one lies
        where temporary files do (``TMPDIR``).

    Returns
    -------
    array

    Raises
    ------
    StorageError
        Where the disk has no room for it.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.scratch import empty
    >>> empty((2, 3), np.float32, like=np.zeros(3)).shape
    (2, 3)
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    source = None if like is None else mapped_file(like)
    if size <= (BESIDE_A_FILE if source is not None else IN_MEMORY if most is None else most):
        return np.empty(shape, dtype=dtype)
    folder = source.parent if source is not None and source.name and os.access(source.parent, os.W_OK) else None
    place = Path(tempfile.gettempdir()) if folder is None else folder
    fix = "A copy of the table, or its forecasts, need room there; TMPDIR names another folder for temporary files."
    with storing(place, fix, deed="make a temporary file in"), tempfile.TemporaryFile(dir=place) as file:
        if hasattr(os, "posix_fallocate"):  # a full disk says so now, and not by a signal when pages are written
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape).view(np.ndarray)
