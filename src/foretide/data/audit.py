"""What is in a panel, column by column and series by series, as two small tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.time.seasons import main_season
from foretide.typing import Floats

if TYPE_CHECKING:
    from foretide.data.panel import Panel


FAR = 6.0
"""A value is a spike where it is so many robust standard deviations from its neighbours one season before and after."""
MAD = 1.4826


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
    apart = season if season is not None else main_season(panel)
    rows: list[dict[str, object]] = []
    ends: list[int] = []
    for i in range(panel.n_entities):
        block = panel.rows(i)
        for d in range(panel.n_targets):
            y = block[:, d].astype(np.float64)
            seen = np.flatnonzero(np.isfinite(y))
            line: dict[str, object] = {"series": panel.series_name(i, d), "first": None, "last": None, "steps": 0}
            if len(seen):
                y = y[seen[0] : seen[-1] + 1]
                ends += [int(panel.first[i] + seen[0]), int(panel.first[i] + seen[-1])]
                line["steps"] = len(y)
            known = y[np.isfinite(y)]
            line |= _figures(known, len(y))
            rows.append({**line, "constant_run": longest_run(y), "spikes": spikes(y, apart)})
    times = iter([_time(time) for time in panel.grid.output_times(ends)] if ends else [])
    for line in rows:
        if line["steps"]:
            line |= {"first": next(times), "last": next(times)}
    return pd.DataFrame(rows)


def longest_run(y: Floats) -> int:
    """Return the length of the longest run of one value; missing values end a run.

    Parameters
    ----------
    y : float array ``[T]``

    Returns
    -------
    int

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.audit import longest_run
    >>> longest_run(np.array([1.0, 2, 2, 2, 3]))
    3
    """
    if not len(y):
        return 0
    same = np.diff(y) == 0
    edges = np.flatnonzero(np.concatenate([[True], ~same, [True]]))
    longest = int(np.diff(edges).max())
    return longest if np.isfinite(y).any() else 0


def spikes(y: Floats, season: int) -> int:
    """Return how many values lie far from those one season before and after, on the same side of both.

    Parameters
    ----------
    y : float array ``[T]``
    season : int

    Returns
    -------
    int
    """
    if len(y) < 4 * season:
        return 0
    step = y[season:] - y[:-season]
    known = step[np.isfinite(step)]
    if not len(known):
        return 0
    limit = FAR * MAD * float(np.median(np.abs(known - np.median(known))))
    if limit == 0:  # more than half of the differences are equal: nothing to measure by
        return 0
    before, after = step[:-season], -step[season:]
    with np.errstate(invalid="ignore"):
        far = (np.abs(before) > limit) & (np.abs(after) > limit) & (np.sign(before) == np.sign(after))
    return int(far.sum())


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
