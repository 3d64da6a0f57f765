"""Times as pictures hold them: text on an axis of time, numbers where time is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd


def times(column: pd.Series | pd.Index) -> list[str] | list[int]:
    """Return times as they are written, whole days without a time of day; steps that are numbers as they are.

    Parameters
    ----------
    column : Series or Index
        Of times with or without a zone, of their text, or of whole numbers.

    Returns
    -------
    list of str or list of int

    Examples
    --------
    >>> import pandas as pd
    >>> from foretide.pictures.times import times
    >>> times(pd.DatetimeIndex(["2024-01-01", "2024-01-02"])), times(pd.Index([3, 4]))
    (['2024-01-01', '2024-01-02'], [3, 4])
    """
    if pd.api.types.is_numeric_dtype(column):
        return [int(m) for m in column]
    # Without the offset of a zone: the time on the wall.
    index = column if isinstance(column, pd.DatetimeIndex) else pd.DatetimeIndex(
        pd.to_datetime(pd.Index(column).astype(str).str.slice(0, 19), format="ISO8601")
    )  # fmt: skip
    local = index.tz_localize(None) if index.tz is not None else index
    days = bool((local == local.normalize()).all())
    return [str(t) for t in local.strftime("%Y-%m-%d" if days else "%Y-%m-%d %H:%M:%S")]


def kind_of_times(values: Sequence[str] | Sequence[int]) -> Literal["time", "linear"]:
    """Return the kind of axis that times stand on.

    Parameters
    ----------
    values : sequence of str or int
        As of :func:`times`.

    Returns
    -------
    {"time", "linear"}
    """
    return "time" if len(values) and isinstance(values[0], str) else "linear"


def time_labels(values: Sequence[str]) -> list[str]:
    r"""Return short labels of times in their order: two lines, the second only where it changes.

    Parameters
    ----------
    values : sequence of str
        As of :func:`times`.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from foretide.pictures.times import time_labels
    >>> time_labels(["2023-12-01", "2024-01-01"]), time_labels(["2024-01-30", "2024-01-31"])
    (['Dec\n2023', 'Jan\n2024'], ['30 Jan\n2024', '31 Jan'])
    """
    index = pd.DatetimeIndex(pd.to_datetime(pd.Index(values), format="ISO8601"))
    if (index != index.normalize()).any():
        lines = index.strftime("%H:%M"), index.strftime("%d %b %Y")
    else:
        lines = index.strftime("%b" if (index.day == 1).all() else "%d %b"), index.strftime("%Y")
    pairs = zip(*lines, ["", *lines[1]], strict=False)
    return [first if second == before else f"{first}\n{second}" for first, second, before in pairs]
