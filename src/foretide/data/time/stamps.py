"""Times as nanoseconds since 1970: the numbers that readers, grids and zones count in."""

from __future__ import annotations

import numpy as np
import pandas as pd

from foretide.typing import Ints

NOWHERE = np.iinfo(np.int64).min
"""What is no time."""
DAY = 86_400_000_000_000
HOUR = DAY // 24


def as_index(values: Ints) -> pd.DatetimeIndex:
    """Return nanoseconds as an index of naive times.

    Parameters
    ----------
    values : int array ``[R]``

    Returns
    -------
    DatetimeIndex
    """
    return pd.DatetimeIndex(values.view("datetime64[ns]"))


def as_ns(index: pd.Index) -> Ints:
    """Return an index of times as nanoseconds, in UTC where it has a zone.

    Parameters
    ----------
    index : index of times ``[R]``

    Returns
    -------
    int array ``[R]``

    Examples
    --------
    >>> import pandas as pd
    >>> from foretide.data.time.stamps import as_ns
    >>> as_ns(pd.DatetimeIndex(["1970-01-01 01:00"]).tz_localize("Europe/Berlin")).tolist()
    [0]
    """
    index = pd.DatetimeIndex(index)
    naive = index if index.tz is None else index.tz_convert(None)
    return np.asarray(naive.to_numpy().astype("datetime64[ns]")).view(np.int64)
