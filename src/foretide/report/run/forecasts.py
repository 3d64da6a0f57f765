"""Forecasts beside truth, thinned until they fit: for the page's script, and as pictures for files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.pictures.picture import Axis, Band, Line, Mark, Panel, Picture, View
from foretide.pictures.plotly import escaped, rounded
from foretide.pictures.style import TEXT
from foretide.pictures.times import kind_of_times, times
from foretide.report.content import Content
from foretide.report.render.page import script_json
from foretide.report.run.typical import typical_of
from foretide.report.section import Explorer, Section

if TYPE_CHECKING:
    from foretide.typing import Bools, Ints, Json

MOST_POINTS = 600
"""Points of one line; the newest ones of a longer test part."""
BUDGET = 1_400_000
"""Characters for all series together."""
CHAIN = "chain"
DENSITIES = {"dense": "dense", "sparse": "sparse", "ultra": "ultra-sparse"}


def forecasts(content: Content) -> Section | None:
    """Return the explorer of forecasts."""
    frame = content.forecasts
    if frame is None or not len(frame):
        return None
    drawn = [m for m in content.shown if m in frame.columns]
    if not any(content.levels.get(m) for m in drawn):  # the best one that has intervals
        drawn += [m for m in content.ranked if content.levels.get(m)][:1]
    if not drawn:
        return None
    order, judged = list[str](), 0
    if content.by_series is not None and drawn and drawn[0] in content.by_series:
        order = [str(s) for s in content.by_series.sort_values(drawn[0], kind="stable").iloc[:, 0]]
        judged = int(content.by_series[drawn[0]].notna().sum())
    data = forecast_data(frame, drawn, content.levels, order=order, before=content.before)
    data["total"] = max(data["total"], judged)  # of many series, only some are here
    data["reference"] = content.baselines[0] if content.baselines else ""
    names = [series["name"] for series in data["series"]]
    data["first"] = names.index(typical_of(content, names) or names[0])
    chains = chain_picture(data, content)
    made = [chains, density_picture(chains, data, content)] if chains else []
    return Section(
        "forecasts", "Forecasts beside the truth", [_words(data, drawn, content.steps)],
        explorer=Explorer("forecasts", data, [picture for picture in made if picture is not None]),
    )  # fmt: skip


def explorer_data(content: Content) -> Json:
    """Return what the scripts of explorers read beside their own data: colours, words."""
    return {
        "steps": content.steps, "unit": "counts" if content.facts["counts"] else "original units",
        "colours": {escaped(m): [content.colour(m), content.dash(m)] for m in content.ranked},
    }  # fmt: skip


def forecast_data(
    frame: pd.DataFrame,
    models: Sequence[str],
    levels: Mapping[str, Sequence[float]],
    *,
    order: Sequence[str] = (),
    before: pd.DataFrame | None = None,
    budget: int = BUDGET,
) -> Json:
    """Return what the page draws forecasts from.

    Parameters
    ----------
    frame : DataFrame
        Id, time, ``cutoff``, ``h_step``, ``y``, models, bounds.
    models : sequence of str
        Those that are drawn.
    levels : mapping
        Model -> central levels, in percent, that the frame has bounds of.
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
    earlier = frame.iloc[:0] if before is None else before
    known = rows_of(earlier, name)
    kept, horizon = [m for m in models if m in frame.columns], int(frame["h_step"].max())
    bounds = {m: [f"{level:g}" for level in sorted(levels.get(m, ()))] for m in kept}
    rows = rows_of(frame, name)
    chosen = {CHAIN: _in_chains(frame, name, time)}
    chosen |= {str(k): (frame["h_step"] == k).to_numpy() for k in dict.fromkeys((1, horizon))} if horizon > 1 else {}
    grids = Grids(pd.Index(np.sort(pd.concat([frame[time], earlier[time]]).unique())))
    series: list[Json] = []
    used, cut = 0, False
    for one in spread([s for s in order if s in rows] or list(rows)):
        own = {view: frame.iloc[rows[one][which[rows[one]]]].sort_values(time) for view, which in chosen.items()}
        entry: Json = {"name": one, "views": _views(own, grids, kept, bounds, time)}
        if one in known:
            past, tested = earlier.iloc[known[one]], frame.iloc[rows[one]]
            entry["before"] = _before(grids, entry["views"][CHAIN]["grid"], past, tested, time)
        size = len(script_json(entry))
        if used and used + size > budget:
            break
        used, cut = used + size, cut or any(len(part) > MOST_POINTS for part in own.values())
        series.append(entry)
    return {
        "times": times(grids.moments), "grids": [list(grid) for grid in grids.known], "views": list(chosen),
        "series": sorted(series, key=lambda s: s["name"]), "horizon": horizon, "models": kept, "levels": bounds,
        "total": len(rows), "cut": cut,
    }  # fmt: skip


class Grids:
    """Lists of times, each once, by their places among all moments.

    Attributes
    ----------
    moments : Index
        All times, sorted.
    known : dict
        List of places -> its number.
    """

    def __init__(self, moments: pd.Index) -> None:
        self.moments = moments
        self.known: dict[tuple[int, ...], int] = {}

    def of(self, stamps: pd.Series) -> int:
        """Return the number of a list of times."""
        places = tuple(int(i) for i in self.moments.get_indexer(pd.Index(stamps)))
        return self.known.setdefault(places, len(self.known))


def _before(grids: Grids, chain: int, known: pd.DataFrame, tested: pd.DataFrame, time: str) -> Json:
    """Return the truth before the first forecast drawn, which may be later than the first one made."""
    past = pd.concat([known[[time, "y"]], tested[[time, "y"]]]).drop_duplicates(time)
    past = past.loc[past[time] < grids.moments[list(grids.known)[chain][0]]].sort_values(time).tail(len(known))
    return {"grid": grids.of(past[time]), "y": rounded(past["y"])}


def _views(
    own: Mapping[str, pd.DataFrame], grids: Grids, models: Sequence[str], levels: Mapping[str, Sequence[str]],
    time: str,
) -> Json:  # fmt: skip
    """Return for each view the newest points of a series: times, truth, forecasts, bounds."""
    views: Json = {}
    for view, whole in own.items():
        part = whole.tail(MOST_POINTS)
        steps = part["h_step"].to_numpy()
        views[view] = {
            "grid": grids.of(part[time]),
            "starts": [int(i) for i in np.flatnonzero(steps == 1)] if view == CHAIN else [],
            "y": rounded(part["y"]),
            "mean": {m: rounded(part[m]) for m in models},
            "bounds": {
                m: {level: [rounded(part[f"{m}-{side}-{level}"]) for side in ("lo", "hi")] for level in levels[m]}
                for m in models if levels[m] and part[f"{m}-lo-{levels[m][0]}"].notna().any()
            },
        }  # fmt: skip
    return views


def rows_of(frame: pd.DataFrame, name: str) -> dict[str, Ints]:
    """Return the places of the rows of each series.

    Parameters
    ----------
    frame : DataFrame
    name : str
        Column of the series.

    Returns
    -------
    dict
        Series -> int array, in the order in which they first come.

    Examples
    --------
    >>> import pandas as pd
    >>> {name: at.tolist() for name, at in rows_of(pd.DataFrame({"id": ["b", "a", "b"]}), "id").items()}
    {'b': [0, 2], 'a': [1]}
    """
    codes, names = pd.factorize(frame[name])
    order, counts = np.argsort(codes, kind="stable"), np.bincount(codes, minlength=len(names))
    return {str(key): order[end - n : end] for key, end, n in zip(names, np.cumsum(counts), counts, strict=True)}


def _in_chains(frame: pd.DataFrame, name: str, time: str) -> Bools:
    """Whether each row lies in a window of its series' chain: series may end at different times, each has its own.

    The windows of a chain follow one another without overlap, counted back from the newest.
    """
    windows = frame.groupby([name, "cutoff"], sort=True, observed=True)[time]
    ends = windows.max()
    series, cutoffs = (ends.index.get_level_values(k) for k in (0, 1))
    codes, begins = pd.factorize(series)[0].tolist(), cutoffs.tolist()
    chosen, last = np.zeros(len(ends), dtype=bool), len(ends)
    for k, end in reversed(list(enumerate(ends.tolist()))):
        if last == len(ends) or codes[k] != codes[last] or end <= begins[last]:
            chosen[k], last = True, k
    return np.asarray(chosen[windows.ngroup().to_numpy()])


def spread(series: list[str]) -> list[str]:
    """Return series in an order in which any first few are spread over the whole.

    Parameters
    ----------
    series : list of str

    Returns
    -------
    list of str
        By the binary digits of their places, read backwards.

    Examples
    --------
    >>> from foretide.report.run.forecasts import spread
    >>> spread(["a", "b", "c", "d"])
    ['a', 'c', 'b', 'd']
    """
    width = max(1, (len(series) - 1).bit_length())
    return [series[i] for i in sorted(range(len(series)), key=lambda i: int(f"{i:0{width}b}"[::-1], 2))]


def _words(data: Json, models: Sequence[str], steps: str) -> str:
    """Say what can be picked and what was left out."""
    kept, total = len(data["series"]), data["total"]
    which = (
        f"All {total} series" if kept == total
        else f"{kept} of {total} series, spread evenly from the least to the largest error of {models[0]},"
    )  # fmt: skip
    which = "The one series" if total == 1 else which
    said = (
        f"{which} of the part that models were tested on, for {', '.join(models)}. “One after the other” shows whole "
        f"windows that do not overlap, each drawn from its cutoff on; the other views show every forecast made so many "
        f"{steps} ahead."
    )
    return said + (" Of long series only the newest points are shown." if data["cut"] else "")


# ------------------------------------------------------------------ for files
def chain_picture(data: Json, content: Content) -> Picture | None:
    """Draw the chain of forecasts of each series as the page first shows it.

    The models drawn are the first one, the reference, and the first that has intervals; its intervals are shown.
    """
    if not data["series"]:
        return None
    unit = "counts" if content.facts["counts"] else "original units"
    views = {}
    for series in data["series"]:
        name, one = str(series["name"]), series["views"][CHAIN]
        bounded: str | None = next((m for m in data["models"] if m in one["bounds"]), None)
        drawn = [m for m in (data["models"][0], data["reference"], bounded) if m is not None and m in one["mean"]]
        marks = list(_marks(data, series, dict.fromkeys(drawn), bounded, content))
        stamps = data["times"]
        panel = Panel(
            marks, Axis(f"time, {content.steps} (oldest left)", kind_of_times(stamps)), Axis(f"{name}, {unit}"),
        )  # fmt: skip
        n = max(1, len(one["starts"]))
        windows = f"{n} forecasts in a row, each" if n > 1 else "one forecast,"
        caption = f"{name}: {', '.join(dict.fromkeys(drawn))} against truth at the end of the test part; {windows} "
        caption += f"{data['horizon']} {content.steps} long and made from its own cutoff."
        views[name] = View([panel], caption)
    first = str(data["series"][data["first"]]["name"])
    ordered = {first: views[first], **views}
    return Picture.with_list("forecasts", "At the end of the test part", "Series", ordered, wide=True, file="forecast")


def density_picture(chains: Picture, data: Json, content: Content) -> Picture | None:
    """Draw intervals of counts: the series that stands for each density, one panel below the other."""
    names = [series["name"] for series in data["series"]]
    kept = {kind: names.index(name) for kind, name in content.typical.items() if name in names}
    level = next((data["levels"][m][0] for m in data["models"] if data["levels"][m]), None)
    if not kept or level is None:
        return None
    drawn = dict(zip(chains.choices[0].options, chains.views.values(), strict=True))
    panels, parts = [], []
    model = next(m for m in data["models"] if data["levels"][m])
    for kind, k in kept.items():
        panel, one = drawn[names[k]].panels[0], data["series"][k]["views"][CHAIN]
        panels.append(Panel(panel.marks, panel.x, Axis("count", from_zero=True), f"{names[k]} ({DENSITIES[kind]})"))
        if model in one["bounds"]:
            low, high = (np.array(bound, dtype=float) for bound in one["bounds"][model][level])
            truth = np.array(one["y"], dtype=float)
            held = ((low <= truth) & (truth <= high))[np.isfinite(truth)]
            parts.append(f"{DENSITIES[kind]} {names[k]} {float(held.mean()) if len(held) else float('nan'):.0%}")
    caption = (
        f"{model}, a series of each density. Truths inside the {level} % interval: {'; '.join(parts)}. Intervals of "
        "counts hold whole numbers, so that those of rare items cover more than they say."
    )
    return Picture("intervals", "Intervals by density", {(): View(panels, caption)}, wide=True, file="intervals")


def _marks(
    data: Json, series: Json, models: Iterable[str], bounded: str | None, content: Content
) -> Iterator[Mark]:  # fmt: skip
    one = series["views"][CHAIN]
    stamps = [data["times"][k] for k in data["grids"][one["grid"]]]
    if bounded is not None:
        levels = [level for level in reversed(data["levels"][bounded]) if level in one["bounds"][bounded]]
        for level in levels:
            low, high = one["bounds"][bounded][level]
            yield Band(
                f"{level} % interval of {bounded}", stamps, low, high, content.colour(bounded),
                0.3 if level == levels[-1] else 0.16, one["starts"],
            )  # fmt: skip
    for model in models:
        x, y = list(stamps), list(one["mean"][model])
        for at in sorted(one["starts"][1:], reverse=True):  # a gap before each window but the first
            x.insert(at, stamps[at])
            y.insert(at, None)
        yield Line(model, x, y, content.colour(model), content.dash(model))
    before = series.get("before")
    earlier = [data["times"][k] for k in data["grids"][before["grid"]]] if before else []
    yield Line("truth", earlier + stamps, (before["y"] if before else []) + one["y"], TEXT, width=1.4)
