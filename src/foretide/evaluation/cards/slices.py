"""The windows of a large scorecard, so many at a time that what is made of them stays small."""

from __future__ import annotations

from collections.abc import Iterator

POINTS_AT_ONCE = 100_000
IN_MEMORY = 64 * 2**20
"""Bytes of one model's quantiles, above which they lie in a temporary file; a card holds several models."""


def windows_at_once(shape: tuple[int, ...], points: int = POINTS_AT_ONCE) -> Iterator[slice]:
    """Yield slices of windows, each of about so many points.

    Parameters
    ----------
    shape : (N, H, D)
    points : int

    Yields
    ------
    slice
        At least one.

    Examples
    --------
    >>> list(windows_at_once((5, 3, 2), points=12))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    n, of_window = shape[0], max(1, shape[1] * shape[2])
    step = max(1, points // of_window)
    for low in range(0, max(1, n), step):
        yield slice(low, min(low + step, n))
