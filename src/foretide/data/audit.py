"""What is in a panel, column by column and series by series, as two small tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.time.seasons import main_season
from foretide.typing import Bools, Floats, Ints, Reals

if TYPE_CHECKING:
    from foretide.data.panel import Panel


FAR = 6.0
"""A value is a spike where it is so many robust standard deviations from its neighbours one season before and after."""
MAD = 1.4826
CELLS = 500_000
"""So many values of series are looked at together."""


def column_audit(panel: Panel) -> pd.DataFrame:
    """Return one row per column.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    DataFrame
        ``column, role`` (target, past, future); ``min, mean, max, std`` over all entities; ``zeros, missing``, shares
        of the known cells and of all cells.

    Examples
    --------
    >>> import foretide as ft
    >>> from foretide.data.audit import column_audit
    >>> column_audit(ft.synthetic.hourly(T=48).panel)["role"].tolist()
    ['target', 'past', 'past']
    """
    roles = {
        **dict.fromkeys(panel.targets, "target"), **dict.fromkeys(panel.past, "past"),
        **dict.fromkeys(panel.future, "future"),
    }  # fmt: skip
    rows = []
    for k, name in enumerate(panel.columns):
        values = panel.values[:, k].astype(np.float64)
        known = values[np.isfinite(values)]
        figures = _figures(known, len(values))
        if name in panel.categories:  # codes of labels are no quantities
            figures |= dict.fromkeys(("min", "mean", "max", "std", "zeros"), float("nan"))
        rows.append({"column": name, "role": roles[name], **figures})
    return pd.DataFrame(rows)


def series_audit(panel: Panel, season: int | None = None) -> pd.DataFrame:
    """Return one row per series, a target of an entity.

    Parameters
    ----------
    panel : Panel
    season : int, optional
        Steps between values that are compared to find spikes; the main season by default.

    Returns
    -------
    DataFrame
        ``series``; ``first, last`` times with a known value; ``steps`` between them, both included; ``min, mean, max,
        std``; ``zeros, missing``, shares of the known and of all steps; ``constant_run``, the longest run of one value;
        ``spikes``, values further than :data:`FAR` robust standard deviations of the seasonal differences from those
        one season before and one after.
    """
    apart, d = season if season is not None else main_season(panel), panel.n_targets
    parts: list[dict[str, Reals | Ints]] = []
    for low, high in _chunks(panel.length):
        y, first = _trimmed(panel, low, high)
        begins, some = np.repeat(panel.first[low:high], d), np.repeat(panel.length[low:high] > 0, d)
        parts.append({
            "first": begins + first, **_by_row(y, some),
            "constant_run": longest_run(y), "spikes": spikes(y, apart),
        })  # fmt: skip
    table = pd.DataFrame({key: np.concatenate([part[key] for part in parts]) for key in parts[0]})
    seen = table["steps"].to_numpy() > 0
    times = {"first": table["first"].to_numpy(), "last": (table["first"] + table["steps"] - 1).to_numpy()}
    said = pd.DataFrame({"series": list(panel.series), **{key: _said(panel, at, seen) for key, at in times.items()}})
    return pd.concat([said, table.drop(columns="first")], axis=1)


def _chunks(lengths: Ints) -> Iterator[tuple[int, int]]:
    """Yield neighbouring entities, so many that a table with a row for each is no larger than :data:`CELLS`."""
    low, longest = 0, 0
    for k, length in enumerate(lengths.tolist()):
        if k > low and (k + 1 - low) * max(longest, length) > CELLS:
            yield low, k
            low, longest = k, 0
        longest = max(longest, length)
    yield low, len(lengths)


def _trimmed(panel: Panel, low: int, high: int) -> tuple[Floats, Ints]:
    """Return the series of some entities from their first to their last known value, and the row of the first.

    Returns
    -------
    float array ``[S, T]``
        Missing values, and steps after the last known one, are NaN.
    int array ``[S]``
    """
    length, d = panel.length[low:high], panel.n_targets
    steps = np.arange(max(1, int(length.max())))
    rows = np.minimum(panel.row0[low:high, None] + steps, len(panel.values) - 1)
    y = panel.values[rows][:, :, :d].astype(np.float64)
    y[steps >= length[:, None]] = np.nan
    y = y.swapaxes(1, 2).reshape(-1, len(steps))
    y[~np.isfinite(y)] = np.nan
    known = ~np.isnan(y)
    first = np.where(known.any(axis=1), known.argmax(axis=1), 0)
    places = first[:, None] + steps
    y = np.take_along_axis(y, np.minimum(places, len(steps) - 1), axis=1)
    y[places >= len(steps)] = np.nan
    return y, first


def _by_row(y: Floats, some: Bools) -> dict[str, Reals | Ints]:
    """Return the figures of each row; ``some`` says which series have rows at all."""
    known = ~np.isnan(y)
    n = known.sum(axis=1)
    steps = np.where(n > 0, y.shape[1] - known[:, ::-1].argmax(axis=1), 0)
    size = np.where(n > 0, n, np.nan)
    mean = np.where(known, y, 0.0).sum(axis=1) / size
    off = np.where(known, y - mean[:, None], 0.0)
    least, most = np.where(known, y, np.inf).min(axis=1), np.where(known, y, -np.inf).max(axis=1)
    return {
        "steps": steps, "min": np.where(n > 0, least, np.nan), "mean": mean, "max": np.where(n > 0, most, np.nan),
        "std": np.sqrt((off**2).sum(axis=1) / size), "zeros": (y == 0).sum(axis=1) / size,
        "missing": np.where(n > 0, 1 - n / np.maximum(steps, 1), np.where(some, 1.0, np.nan)),
    }  # fmt: skip


def longest_run(y: Floats) -> Ints:
    """Return the length of the longest run of one value in each row; missing values end a run.

    Parameters
    ----------
    y : float array ``[S, T]``

    Returns
    -------
    int array ``[S]``
        Zero where nothing is known.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.audit import longest_run
    >>> longest_run(np.array([[1.0, 2, 2, 2, 3]])).tolist()
    [3]
    """
    places = np.arange(1, y.shape[1])
    other = np.maximum.accumulate(np.where(np.diff(y, axis=1) == 0, 0, places), axis=1)  # where the run began
    runs = (places - other).max(axis=1, initial=0) + 1
    return np.where(np.isfinite(y).any(axis=1), runs, 0)


def spikes(y: Floats, season: int) -> Ints:
    """Return how many values of each row lie far from those one season before and after, on the same side of both.

    Parameters
    ----------
    y : float array ``[S, T]``
        From the first known value on.
    season : int

    Returns
    -------
    int array ``[S]``
        Zero for a row with less than four seasons from its first to its last known value, and where more than half of
        the differences are equal: there is nothing to measure by.
    """
    known = ~np.isnan(y)
    long = known.any(axis=1) & (y.shape[1] - known[:, ::-1].argmax(axis=1) >= 4 * season)
    found = np.zeros(len(y), dtype=np.int64)
    if not long.any():
        return found
    step = y[long][:, season:] - y[long][:, :-season]
    limit = FAR * MAD * _median(np.abs(step - _median(step)[:, None]))[:, None]
    before, after = step[:, :-season], -step[:, season:]
    far = (np.abs(before) > limit) & (np.abs(after) > limit) & (np.sign(before) == np.sign(after))
    found[long] = np.where(limit[:, 0] > 0, far.sum(axis=1), 0)
    return found


def _median(values: Floats) -> Floats:
    """Median of the known values of each row."""
    ordered, n = np.sort(values, axis=1), (~np.isnan(values)).sum(axis=1)  # NaN last
    low, high = (np.take_along_axis(ordered, np.maximum(k, 0)[:, None], axis=1)[:, 0] for k in ((n - 1) // 2, n // 2))
    return np.where(n > 0, (low + high) / 2, np.nan)


def _said(panel: Panel, steps: Ints, seen: Bools) -> Sequence[object]:
    """Return times as text, and steps of a grid that counts in integers as numbers; None where there is none."""
    found = np.full(len(steps), None, dtype=object)
    if seen.any():
        numbers, places = np.unique(steps[seen], return_inverse=True)
        texts = np.array([_time(time) for time in panel.grid.output_times(numbers)], dtype=object)
        found[seen] = texts[places]
    return found.tolist()


def _figures(known: Floats, n: int) -> dict[str, float]:
    if not len(known):
        nothing = dict.fromkeys(("min", "mean", "max", "std", "zeros"), float("nan"))
        return {**nothing, "missing": 1.0 if n else float("nan")}
    return {
        "min": float(known.min()), "mean": float(known.mean()), "max": float(known.max()), "std": float(known.std()),
        "zeros": float((known == 0).mean()), "missing": 1 - len(known) / n,
    }  # fmt: skip


def _time(time: object) -> int | str:
    """Return a time as text; a step of a grid that counts in integers stays a number."""
    return int(time) if isinstance(time, int | np.integer) else str(time)
