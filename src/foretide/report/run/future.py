"""What comes next, first on the page: the forecast from the end of the table, with its intervals and its numbers."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.exports import csv_text
from foretide.pictures.lines import forecast_marks, observed_marks
from foretide.pictures.picture import Axis, Mark, Panel, Picture, Rule, View
from foretide.pictures.plotly import rounded
from foretide.pictures.style import COLOURS, DASHES
from foretide.pictures.times import kind_of_times, times
from foretide.report.content import Content, Future
from foretide.report.render.page import script_json
from foretide.report.run.boards import FIRST
from foretide.report.run.forecasts import Grids, rows_of, spread
from foretide.report.run.typical import typical_of
from foretide.report.section import Column, Explorer, Section, Table
from foretide.text import number, phrase, unit_of

if TYPE_CHECKING:
    from foretide.typing import Floats, Ints, Json

BUDGET = 700_000
"""Characters for the pictures of all series together."""
MOST_NUMBERS = 800_000
"""Characters of the numbers to download, packed."""
LOOKED_AT = 50_000
"""Where so many rows of them are too many already, the others are not packed."""
FILE = "forecast.csv"
SERIES, TIME, MEAN, LAST = "series", "time", "mean", "y"


def future(content: Content) -> Section | None:
    """Return what comes next: a picture to pick a series in, and a line for each series."""
    ahead = content.future
    if ahead is None or not len(ahead.table):
        return None
    data = future_data(content, ahead)
    picture = future_picture(data, content)
    forecast = content.facts["kind"] == "forecast"
    facts = [*content.facts["notes"]] if forecast else [f"Note: {note}" for note in ahead.notes]
    return Section(
        "future", "What comes next", _words(data, content, ahead), facts,
        tables=[change_table(content, ahead) if data["total"] > 1 else step_table(ahead)],
        explorer=Explorer("future", data, [picture] if picture else []),
    )  # fmt: skip


def future_data(content: Content, ahead: Future, *, budget: int = BUDGET) -> Json:
    """Return what the page draws the future from.

    Parameters
    ----------
    content : Content
    ahead : Future
    budget : int
        Characters that all series together may take; the typical one is kept whatever it takes.

    Returns
    -------
    dict
        ``times``, ``grids`` (lists of places in ``times``), ``series`` (name; the grids ``past`` and ``ahead``; ``y``,
        ``mean``, ``bounds`` by level, ``caption``), ``first`` (the place of the one that is shown first), ``model``,
        ``levels``, ``colour``, ``total`` (series there are), ``numbers`` (CSV, packed; "" where it is too large),
        ``file`` (what to call it).
    """
    own, known = rows_of(ahead.table, SERIES), rows_of(ahead.history, SERIES)
    grids = Grids(pd.Index(np.sort(pd.concat([ahead.table[TIME], ahead.history[TIME]]).unique())))
    levels = [f"{level:g}" for level in sorted(ahead.levels)]
    names = list(own)
    first = typical_of(content, names) or _middle(_values(known, ahead.history), names)
    series: list[Json] = []
    used = 0
    for name in [first, *(other for other in spread(names) if other != first)]:
        past = ahead.history.iloc[known.get(name, slice(0))]
        entry = _entry(content, name, ahead.table.iloc[own[name]], past, levels, grids)
        size = len(script_json(entry))
        if used and used + size > budget:
            break
        used += size
        series.append(entry)
    order = {name: k for k, name in enumerate(names)}
    series.sort(key=lambda entry: order[entry["name"]])
    return {
        "times": times(grids.moments), "grids": [list(grid) for grid in grids.known], "series": series,
        "first": [entry["name"] for entry in series].index(first), "model": ahead.model, "levels": levels,
        "colour": colour_of(content, ahead.model), "total": len(names), "numbers": packed(ahead), "file": FILE,
    }  # fmt: skip


def colour_of(content: Content, model: str) -> tuple[str, str]:
    """Return colour and dash of the model that looks ahead: its own of the other pictures."""
    return (content.colour(model), content.dash(model)) if model in content.ranked else (COLOURS[0], DASHES[0])


def packed(ahead: Future) -> str:
    """Return the numbers as CSV, compressed, in base64; "" where there are none or they are too many for a page."""
    whole = ahead.download
    if whole is None:
        return ""
    found = ""
    for rows in (whole.head(LOOKED_AT), whole) if len(whole) > LOOKED_AT else (whole,):
        text = csv_text(rows, float_format="%.10g")
        found = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")
        if len(found) > MOST_NUMBERS:
            return ""
    return found


def _entry(
    content: Content, name: str, part: pd.DataFrame, known: pd.DataFrame, levels: Sequence[str], grids: Grids
) -> Json:
    kept = [level for level in levels if part[f"lo-{level}"].notna().any()]
    return {
        "name": name, "past": grids.of(known[TIME]), "ahead": grids.of(part[TIME]), "y": rounded(known[LAST]),
        "mean": rounded(part[MEAN]),
        "bounds": {level: [rounded(part[f"{side}-{level}"]) for side in ("lo", "hi")] for level in kept},
        "caption": _caption(content, name, part, known, kept),
    }  # fmt: skip


def _caption(content: Content, name: str, part: pd.DataFrame, known: pd.DataFrame, levels: Sequence[str]) -> str:
    """Say the first and the last step with the narrowest interval, and how the means before and after lie."""
    stamps, mean = times(part[TIME]), part[MEAN].to_numpy(float)

    def said(k: int) -> str:
        text = f"{number(float(mean[k]))} at {stamps[k]}"
        if not levels:
            return text
        low, high = (number(float(part[f"{side}-{levels[0]}"].iloc[k])) for side in ("lo", "hi"))
        return f"{text} ({levels[0]} %: {low} to {high})"

    assert content.future is not None
    ends = said(0) if len(part) == 1 else f"{said(0)} and {said(len(part) - 1)}"
    before, after = _level(known[LAST].to_numpy(float)[-len(part) :]), _level(mean)
    steps = phrase(unit_of(content.facts["data"]["freq"], plural=False), len(part))
    level = f" On average {number(after)} over {steps}, {number(before)} over as many before."
    return f"{name}: {content.future.model} expects {ends}.{level if len(part) > 1 and np.isfinite(before) else ''}"


def _level(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _values(rows: dict[str, Ints], history: pd.DataFrame) -> dict[str, Floats]:
    values = history[LAST].to_numpy(float)
    return {name: values[at] for name, at in rows.items()}


def _middle(known: dict[str, Floats], names: Sequence[str]) -> str:
    """The series with the middle level of those that moved lately; of all where none did."""
    moved = [name for name in names if name in known and _moves(known[name])] or list(names)
    level = {name: _level(np.abs(known[name])) if name in known else 0.0 for name in moved}
    return sorted(moved, key=level.__getitem__)[len(moved) // 2]  # of equal ones the first


def _moves(values: Floats) -> bool:
    known = values[~np.isnan(values)]
    return bool(len(known) and (known != known[0]).any())


def _words(data: Json, content: Content, ahead: Future) -> list[str]:
    """Say who forecasts, from where, and what is shown and to be had."""
    h, unit = int(ahead.table.groupby(SERIES, sort=False).size().max()), content.facts["data"]["freq"]
    steps = phrase(unit_of(unit, plural=False), h)
    fitted = f"; it was fitted on what lies up to {ahead.fitted_until}" if ahead.fitted_until else ""
    ends = "each series" if ahead.table.groupby(SERIES)[TIME].min().nunique() > 1 else "the table"
    shown = f"{ahead.model} looks {steps} ahead, from the end of {ends}{fitted}."
    if ahead.levels:
        levels = " and ".join(f"{level:g} %" for level in sorted(ahead.levels))
        shown += f" Shaded: where the truth should lie in {levels} of all cases."
    else:
        shown += " It says a mean only, no interval."
    kept, total = len(data["series"]), data["total"]
    if kept < total:
        shown += f" {kept} of {total} series can be picked here, evenly spread."
    if ahead.download is not None:
        shown += f" All numbers are in {FILE}." if not data["numbers"] else ""
    return [shown]


def change_table(content: Content, ahead: Future) -> Table:
    """Return a line for each series: its mean over the horizon, beside that over as many steps before."""
    level = f"{min(ahead.levels):g}" if ahead.levels else ""
    known = _values(rows_of(ahead.history, SERIES), ahead.history)
    means = ahead.table[MEAN].to_numpy(float)
    bounds = [ahead.table[f"{side}-{level}"].to_numpy() for side in ("lo", "hi")] if level else []
    rows: list[list[object]] = []
    for name, at in rows_of(ahead.table, SERIES).items():
        mean, before = _level(means[at]), _level(known.get(name, np.zeros(0))[-len(at) :])
        change = mean / before - 1 if np.isfinite(before) and before > 0 else None
        rows.append([name, before, mean, change, means[at[0]], *(own[at[0]] for own in bounds)])
    columns = ["series", "before", "ahead", "change", "next", "from", "to"][: 5 + 2 * bool(level)]
    unit = content.steps
    meanings = {
        "series": Column("series", kind="text"),
        "before": Column("before", f"mean of the last {unit}, as many as are forecast"),
        "ahead": Column("ahead", f"mean of the {unit} forecast"),
        "change": Column("change", "from the one to the other", "change"),
        "next": Column("next step", "the first step ahead"),
        "from": Column("from", f"{level} % interval of the next step"),
        "to": Column("to", f"{level} % interval of the next step"),
    }  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns)
    return Table.of(
        "future-series", "Each series: what lies behind and what comes.", frame,
        {name: meanings[name] for name in columns}, brief=12, of="series", first=FIRST,
    )  # fmt: skip


def step_table(ahead: Future) -> Table:
    """Return a line for each step of a single series: its mean and intervals."""
    bounds = {
        f"{side}-{level:g}": Column(f"{level:g} % {'from' if side == 'lo' else 'to'}")
        for level in sorted(ahead.levels) for side in ("lo", "hi")
    }  # fmt: skip
    columns = {TIME: Column("time", kind="time"), MEAN: Column("mean"), **bounds}
    return Table.of("future-steps", "Each step ahead.", ahead.table, columns, of="steps", first=FIRST)


# ------------------------------------------------------------------ for files
def future_picture(data: Json, content: Content) -> Picture | None:
    """Draw each series as the page does, the typical one first."""
    if not data["series"]:
        return None
    unit = "counts" if content.facts["counts"] else "original units"
    order = [data["first"], *(k for k in range(len(data["series"])) if k != data["first"])]
    views = {}
    for k in order:
        entry = data["series"][k]
        axis = Axis(f"time, {content.steps} (oldest left)", kind_of_times(data["times"]))
        panel = Panel(_marks(data, entry), axis, Axis(f"{entry['name']}, {unit}"))
        views[str(entry["name"])] = View([panel], entry["caption"])
    return Picture.with_list("future", "What comes next", "Series", views, wide=True, file="future")


def _marks(data: Json, entry: Json) -> list[Mark]:
    before, after = ([data["times"][k] for k in data["grids"][entry[which]]] for which in ("past", "ahead"))
    bounds = {float(level): (low, high) for level, (low, high) in entry["bounds"].items()}
    colour, dash = data["colour"]
    marks = forecast_marks(after, entry["mean"], bounds, name=data["model"], colour=colour, dash=dash)
    marks += observed_marks(before, entry["y"])
    return [*marks, Rule(before[-1], upright=True)] if before else marks
