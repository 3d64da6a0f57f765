"""Cards of many series: some windows at a time, and quantiles in files, so that a card may exceed the memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from foretide.data import scratch

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)
POINTS_AT_ONCE = 100_000
"""Points whose figures are worked out, and whose rows are written, at once."""
IN_MEMORY = 64 * 2**20
"""Bytes of one model's quantiles, above which they lie in a temporary file; a card holds several models."""


def windows_at_once(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield slices of windows, each of about :data:`POINTS_AT_ONCE` points.

    Parameters
    ----------
    shape : (N, H, D)

    Yields
    ------
    slice
        At least one.

    Examples
    --------
    >>> list(windows_at_once((30_000, 5, 1)))
    [slice(0, 20000, None), slice(20000, 30000, None)]
    """
    n, of_window = shape[0], max(1, shape[1] * shape[2])
    step = max(1, POINTS_AT_ONCE // of_window)
    for low in range(0, max(1, n), step):
        yield slice(low, min(low + step, n))


def room(shape: tuple[int, ...], dtype: type[T] | np.dtype[T]) -> NDArray[T]:
    """Return an array whose values are not set; a large one lies in a temporary file that goes with it.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype

    Returns
    -------
    array
    """
    return scratch.empty(shape, dtype, most=IN_MEMORY)


def put_away(values: NDArray[T]) -> NDArray[T]:
    """Return an array as it is where it is small or lies in a file already, else a copy of it in :func:`room`.

    Parameters
    ----------
    values : array

    Returns
    -------
    array
    """
    if values.nbytes <= IN_MEMORY or scratch.mapped_file(values) is not None:
        return values
    made = room(values.shape, values.dtype)
    made[...] = values
    return made
