"""Forecasts beside truth, thinned until they fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.report.html.escape import rounded, script_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_POINTS = 600
"""Points of one line; the newest ones of a longer test part."""
BUDGET = 1_400_000
"""Characters for all series together."""
CHAIN = "chain"


def levels_of(columns: Sequence[str], model: str) -> list[str]:
    """Return the central levels that a table has bounds of, as text, narrowest first."""
    found = [re.fullmatch(re.escape(model) + r"-lo-(\d+(?:\.\d+)?)", str(c)) for c in columns]
    return sorted((m[1] for m in found if m and f"{model}-hi-{m[1]}" in columns), key=float)


def forecast_data(
    frame: pd.DataFrame,
    models: Sequence[str],
    *,
    order: Sequence[str] = (),
    before: pd.DataFrame | None = None,
    budget: int = BUDGET,
) -> dict[str, Any]:
    """Return what the page draws forecasts from.

    Parameters
    ----------
    frame : DataFrame
        Id, time, ``cutoff``, ``h_step``, ``y``, models, bounds.
    models : sequence of str
        Those that are drawn.
    order : sequence of str
        Series from the least to the largest error; where not all fit, those kept are spread evenly over it.
    before : DataFrame, optional
        Id, time, ``y``: what was known before the first cutoff.
    budget : int
        Characters that all series together may take; the first is kept whatever it takes.

    Returns
    -------
    dict
        ``times``, ``grids`` (lists of places in ``times``), ``series`` (name; per view the grid, truth, forecasts and
        bounds; ``before``, the grid and truth up to the first forecast of the chain), ``views``,
        ``models``, ``levels``, ``total`` (series there are), ``cut`` (whether older points were left out).
    """
    name, time = str(frame.columns[0]), str(frame.columns[1])
    known = {} if before is None else dict(tuple(before.groupby(name, sort=False)))
    moments = pd.Index(np.sort(pd.concat([part[time] for part in (frame, *known.values())]).unique()))
    horizon = int(frame["h_step"].max())
    kept = models_in(frame, models)
    levels = {m: levels_of(list(frame.columns), m) for m in kept}
    rows = {key: np.asarray(at) for key, at in frame.groupby(name, sort=False).indices.items()}
    views = {CHAIN: _in_chains(frame, rows.values(), time)}
    views |= {str(k): (frame["h_step"] == k).to_numpy() for k in dict.fromkeys((1, horizon))} if horizon > 1 else {}
    out: dict[str, Any] = {
        "times": _written(moments), "grids": [], "series": [], "views": list(views), "horizon": horizon,
        "models": kept, "levels": levels, "total": int(frame[name].nunique()), "cut": False,
    }  # fmt: skip
    grids: dict[tuple[int, ...], int] = {}
    used = 0
    for series in _spread([s for s in order if s in rows] or list(rows)):
        one, cut = _one_series(frame, rows[series], views, moments, time, kept, levels, grids)
        entry: dict[str, Any] = {"name": str(series), "views": one}
        if series in known:
            start = moments[list(grids)[one[CHAIN]["grid"]][0]]
            entry["before"] = _up_to(start, known[series], frame.iloc[rows[series]], time, moments, grids)
        size = len(script_json(entry))
        if used and used + size > budget:
            break
        used += size
        out["cut"] = out["cut"] or cut
        out["series"].append(entry)
    out["series"].sort(key=lambda s: s["name"])
    out["grids"] = [list(grid) for grid in grids]
    return out


def _up_to(
    start: Any, before: pd.DataFrame, tested: pd.DataFrame, time: str, moments: pd.Index,
    grids: dict[tuple[int, ...], int],
) -> dict[str, Any]:  # fmt: skip
    """Return the truth before the first forecast drawn, which may be later than the first one made."""
    known = pd.concat([before[[time, "y"]], tested[[time, "y"]]]).drop_duplicates(time)
    kept = known.loc[known[time] < start].sort_values(time).tail(len(before))
    grid = tuple(int(i) for i in moments.get_indexer(pd.Index(kept[time])))
    return {"grid": grids.setdefault(grid, len(grids)), "y": rounded(kept["y"])}


def models_in(frame: pd.DataFrame, models: Sequence[str]) -> list[str]:
    """Return the models that the table has a column of."""
    return [m for m in models if m in frame.columns]


def _chain(frame: pd.DataFrame, time: str) -> list[Any]:
    """Cutoffs whose windows follow one another without overlap, counted back from the newest."""
    ends = frame.groupby("cutoff")[time].max().sort_index()
    chosen: list[Any] = []
    for cutoff, end in reversed(list(ends.items())):
        if not chosen or end <= chosen[-1]:
            chosen.append(cutoff)
    return chosen


def _in_chains(frame: pd.DataFrame, places: Iterable[NDArray[np.int64]], time: str) -> NDArray[np.bool_]:
    """Whether each row lies in a window of its series' chain: series may end at different times, each has its own."""
    found = np.zeros(len(frame), dtype=bool)
    for at in places:
        own = frame.iloc[at][["cutoff", time]]
        found[at] = own["cutoff"].isin(_chain(own, time))
    return found


def _one_series(
    frame: pd.DataFrame, rows: NDArray[np.int64], views: dict[str, NDArray[np.bool_]], moments: pd.Index, time: str,
    models: Sequence[str], levels: dict[str, list[str]], grids: dict[tuple[int, ...], int],
) -> tuple[dict[str, Any], bool]:  # fmt: skip
    out: dict[str, Any] = {}
    cut = False
    for view, chosen in views.items():
        part = frame.iloc[rows[chosen[rows]]].sort_values(time)
        cut = cut or len(part) > MOST_POINTS
        part = part.tail(MOST_POINTS)
        grid = tuple(int(i) for i in moments.get_indexer(pd.Index(part[time])))
        steps = part["h_step"].to_numpy()
        out[view] = {
            "grid": grids.setdefault(grid, len(grids)),
            "starts": [int(i) for i in np.flatnonzero(steps == 1)] if view == CHAIN else [],
            "y": rounded(part["y"]),
            "mean": {m: rounded(part[m]) for m in models},
            "bounds": {
                m: {level: [rounded(part[f"{m}-{side}-{level}"]) for side in ("lo", "hi")] for level in levels[m]}
                for m in models if levels[m] and part[f"{m}-lo-{levels[m][0]}"].notna().any()
            },
        }  # fmt: skip
    return out, cut


def _spread(series: list[Any]) -> list[Any]:
    """Order in which any first few are spread over the whole: places by their binary digits read backwards."""
    width = max(1, (len(series) - 1).bit_length())
    return [series[i] for i in sorted(range(len(series)), key=lambda i: int(f"{i:0{width}b}"[::-1], 2))]


def _written(moments: pd.Index) -> list[Any]:
    """Times as plotly.js reads them, whole days without a time of day; steps that are numbers as they are."""
    if not isinstance(moments, pd.DatetimeIndex):
        return [int(m) for m in moments]
    local = moments.tz_localize(None) if moments.tz is not None else moments
    days = bool((local == local.normalize()).all())
    return [str(t) for t in local.strftime("%Y-%m-%d" if days else "%Y-%m-%d %H:%M:%S")]
