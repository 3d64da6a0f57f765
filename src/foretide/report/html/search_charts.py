"""Pictures of a search, as plotly.js reads them: its history, and which settings matter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.report.html.chart import Chart, Picker, View, titles
from foretide.report.html.escape import plot_text, rounded
from foretide.report.html.search_words import short, told, unescaped
from foretide.report.many_models import short_names
from foretide.report.search_figures import MOST_BARS
from foretide.report.search_summary import importance_words
from foretide.report.search_trials import FINISHED, NOT_FINITE, ceiling, counted, missing, outcomes, parameters
from foretide.text import number, phrase

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from foretide.report.html.search_content import SearchContent

    Floats = NDArray[np.floating]

BEST = "#D55E00"
"""The colour of the best trial."""
MARKS = {
    "pruned": ("line-ns-open", "|"), "failed": ("x-thin-open", "×"), "interrupted": ("cross-thin-open", "+"),
    NOT_FINITE: ("asterisk-open", "*"),
}  # fmt: skip
"""How a trial ended without a value -> its symbol, and the sign for it in the caption."""
OTHER = ("y-up-open", "Y")
PER_LINE = 3
"""Settings on one line of what is shown under the pointer."""
MOST_TOLD = 2000
"""Trials up to which the settings of each stand under the pointer; of more they would make the page large."""


@dataclass(frozen=True)
class Limits:
    """The part of an axis of values that is shown, as in the picture by matplotlib.

    Attributes
    ----------
    low, high : float
        Ends of what is shown; values above ``high`` stand at the upper edge.
    where : str
        Where the baseline lies outside: ``above``, ``below``, or "" where it is in the picture or there is none.
    """

    low: float
    high: float
    where: str = ""

    @classmethod
    def of(cls, values: Floats, baseline: tuple[str, float] | None, *, reach: float = 3.0) -> Limits:
        """Leave out terrible values, and a baseline more than ``reach`` times the range of the others away."""
        at = None if baseline is None else baseline[1]
        if not len(values):
            middle = 0.5 if at is None else at
            return cls(middle - 0.1 * abs(middle), middle + 0.1 * abs(middle))
        low, high = float(values.min()), ceiling(values)
        if at is None:
            return cls(low, high)
        far = reach * ((high - low) or 0.25 * abs(high) or 1.0)
        if low - far <= at <= high + far:
            return cls(min(low, at), max(high, at))
        return cls(low, high, "above" if at > high else "below")

    @property
    def span(self) -> float:
        """Height of what is shown; above 0."""
        return (self.high - self.low) or abs(self.high) or 1.0

    def at(self, share: float) -> float:
        """Return a place at a share of the height: 0 is the lower end, 1 the upper one."""
        return self.low + share * self.span

    def axis(self, *, marks: bool = False) -> dict[str, Any]:
        """Return the axis, with room at the bottom for marks."""
        return {"range": rounded([self.at(-0.17 if marks else -0.07), self.at(1.09)])}

    def above(self, x: list[Any], values: Floats, text: list[str]) -> list[dict[str, Any]]:
        """Return triangles at the upper edge for values above it, in a list; an empty one where there are none."""
        over = [k for k, value in enumerate(values) if value > self.high]
        if not over:
            return []
        return [{
            "type": "scatter", "mode": "markers", "name": f"above ({len(over)})", "showlegend": False,
            "x": [x[k] for k in over], "y": rounded([self.at(1.05)] * len(over)), "text": [text[k] for k in over],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"symbol": "triangle-up-open", "size": 9, "color": "@quiet", "line": {"width": 1.5}},
        }]  # fmt: skip

    def words(self, values: Floats) -> str:
        """Say how many values lie above the picture; "" for none."""
        n = int((values > self.high).sum())
        if not n:
            return ""
        many = f"{n} trials lie" if n > 1 else "1 trial lies"
        return (
            f" {many} above the picture, worst {number(float(values.max()))}: triangles at the upper edge; a "
            "double-click on the picture shows the whole range."
        )


# ------------------------------------------------------------------ history
def history_chart(content: SearchContent) -> Chart:
    """Value of each trial by its number, the best so far, the best baseline, and marks of those without a value."""
    trials, done = content.trials, content.done
    values, how = done["value"].to_numpy(dtype=np.float64), outcomes(trials)
    limits = Limits.of(values, content.baseline)
    data: list[dict[str, Any]] = []
    for model in content.ranked:
        own = done[done["model"] == model]
        if len(own):
            data.append({
                "type": "scatter", "mode": "markers", "name": plot_text(model), "x": own["number"].tolist(),
                "y": rounded(own["value"]), "text": _hovers(content, own), "hovertemplate": "%{text}<extra></extra>",
                "marker": {
                    "color": content.colour(model), "symbol": content.symbol(model), "size": 8, "opacity": 0.85,
                },
            })  # fmt: skip
    data += limits.above(done["number"].tolist(), values, _hovers(content, done))
    data += _best_so_far(content, values)
    data += _marks(content, how, limits)
    data += baseline_line(content, limits, [int(trials["number"].min()), int(trials["number"].max())])
    layout = titles("number of the trial, in order of its start →", content.value_label)
    layout["yaxis"] |= limits.axis(marks=bool((how != FINISHED).any()))
    layout["xaxis"] |= {"rangemode": "normal", "zeroline": False}
    if not len(done):
        layout["annotations"] = [_note("no trial has a value")]
    caption = _history_words(content, values, how, limits)
    return Chart("chart-history", "Value of each trial", caption, data, layout)


def baseline_line(content: SearchContent, limits: Limits, x: list[Any]) -> list[dict[str, Any]]:
    """Return the dotted line of the best simple baseline, in a list; an empty one where it is not in the picture."""
    if content.baseline is None or limits.where:
        return []
    name, value = content.baseline
    (y,) = rounded([value])
    return [{
        "type": "scatter", "mode": "lines", "name": "best baseline", "x": x, "y": [y] * len(x),
        "text": [f"best simple baseline, {short(name)}: {number(value)}"] * len(x),
        "hovertemplate": "%{text}<extra></extra>",
        "line": {"color": "@text", "width": 1.5, "dash": "dot"},
    }]  # fmt: skip


def baseline_words(content: SearchContent, limits: Limits) -> str:
    """Say where the best simple baseline lies; "" where there is none."""
    if content.baseline is None:
        return ""
    name, value = content.baseline
    where = f"{limits.where} the picture" if limits.where else "dotted line"
    return f" Best simple baseline: {name}, {number(value)} ({where})."


def _best_so_far(content: SearchContent, values: Floats) -> list[dict[str, Any]]:
    if not len(values):
        return []
    numbers, best = content.done["number"].tolist(), int(values.argmin())
    last = int(content.trials["number"].max())
    hover = _hovers(content, content.done.iloc[best : best + 1])
    return [
        {
            "type": "scatter", "mode": "lines", "name": "best so far", "x": [*numbers, last],
            "y": rounded([*np.minimum.accumulate(values), values.min()]),
            "hovertemplate": "best so far: %{y}<extra></extra>",
            "line": {"color": "@text", "width": 1.5, "shape": "hv"},
        },
        {
            "type": "scatter", "mode": "markers", "name": "best", "showlegend": False, "x": [numbers[best]],
            "y": rounded(values[best : best + 1]), "text": hover, "hovertemplate": "best: %{text}<extra></extra>",
            "marker": {"symbol": "circle-open", "size": 16, "color": BEST, "line": {"width": 2.5}},
        },
    ]  # fmt: skip


def _marks(content: SearchContent, how: NDArray[Any], limits: Limits) -> list[dict[str, Any]]:
    """Marks at the lower edge, a trace for each way to end without a value."""
    found = []
    for kind in _kinds(how):
        own = content.trials[how == kind]
        if not len(own):
            continue
        text = [
            f"trial {line['number']}, {short(line['model'])}: {plot_text(kind)}"
            + ("" if missing(line["error"]) or not line["error"] else f"<br>{short(line['error'], 90)}")
            for line in own.to_dict("records")
        ]
        height = -0.06 if kind == "pruned" else -0.12
        found.append({
            "type": "scatter", "mode": "markers", "name": f"{plot_text(kind)} ({len(own)})", "showlegend": False,
            "x": own["number"].tolist(), "y": rounded([limits.at(height)] * len(own)), "text": text,
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "symbol": MARKS.get(kind, OTHER)[0], "size": 9, "color": "@quiet",
                "line": {"width": 1.6, "color": "@quiet"},
            },
        })  # fmt: skip
    return found


def _kinds(how: NDArray[Any]) -> list[str]:
    return [*MARKS, *sorted(set(how) - set(MARKS) - {FINISHED})]


def _hovers(content: SearchContent, rows: pd.DataFrame) -> list[str]:
    """Number, model, value and settings of each trial, as plotly.js shows them; of very many trials no settings."""
    brief = len(rows) > 1 and len(content.trials) > MOST_TOLD
    names = {model: parameters(content.trials, model) for model in dict.fromkeys(rows["model"])}
    found = []
    for line in rows.to_dict("records"):
        given = [] if brief else [f"{short(name)} {short(told(line[name]))}" for name in names[line["model"]]]
        lines = [", ".join(given[k : k + PER_LINE]) for k in range(0, len(given), PER_LINE)]
        head = f"trial {line['number']}, {short(line['model'])}: {plot_text(content.metric)} {number(line['value'])}"
        found.append("<br>".join([head, *lines]))
    return found


def _history_words(content: SearchContent, values: Floats, how: NDArray[Any], limits: Limits) -> str:
    total = len(content.trials)
    said = f"{phrase('trial', total)}: {counted(how)}."
    if len(values):
        done, best = content.done, int(values.argmin())
        first, found = done.iloc[0], done.iloc[best]
        said += (
            f" The best (ring) is trial {found['number']}, {found['model']}, {content.metric} {number(values[best])}"
        )
        if best:
            share = f" by {1 - values[best] / values[0]:.1%}" if values[0] > 0 else ""
            said += f"; the best so far fell{share} from {number(values[0])}, trial {first['number']}"
        after = len(values) - 1 - best
        said += f"; {phrase('trial', after)} finished after it." if after else "."
        said += limits.words(values)
    said += baseline_words(content, limits)
    if (how != FINISHED).any():
        kinds = [kind for kind in _kinds(how) if (how == kind).any()]
        signs = ", ".join(f"{MARKS.get(kind, OTHER)[1]} {kind}" for kind in kinds)
        said += f" Marks at the lower edge are trials without a value: {signs}."
    return said


# ------------------------------------------------------------------ importance
def importance_chart(content: SearchContent) -> Chart | None:
    """Share of each setting, a model at a time; None where nothing was searched or nothing is known."""
    models = [model for model in content.ranked if content.importances.get(model)]
    if not models:
        return None
    views = {str(k): _importance_view(content, model) for k, model in enumerate(models)}
    layout = titles("share of the importance, sum one →", "setting, most important first")
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "showgrid": False}
    layout |= {"showlegend": False, "bargap": 0.3}
    return Chart.picked("chart-importance", "Importance of each setting", [Picker("Model", models)], views, layout)


def _importance_view(content: SearchContent, model: str) -> View:
    shares = content.importances[model]
    said = unescaped(importance_words(content.trials, model, shares))
    caption = f"{model}: {said}."
    known = {name: float(v) for name, v in shares.items() if math.isfinite(v)}
    order = sorted(known, key=lambda name: (-known[name], name))
    if not sum(known.values()):
        return empty_view("no importance can be told", caption)
    if len(order) > MOST_BARS:
        rest = sum(known[name] for name in order[MOST_BARS:])
        caption += f" {len(order) - MOST_BARS} further settings have {rest:.0%} together."
        order = order[:MOST_BARS]
    bars = {
        "type": "bar", "orientation": "h", "y": _names(order), "x": rounded([known[name] for name in order]),
        "text": [f"{known[name]:.0%}" for name in order], "textposition": "outside", "cliponaxis": False,
        "marker": {"color": content.colour(model)}, "hovertemplate": "%{y}: %{x:.3f}<extra></extra>",
    }  # fmt: skip
    if len(known) > 1:
        caption += f" An even share would be {1 / len(known):.0%}."
    layout: dict[str, Any] = {
        "xaxis": {
            "title": {"text": "share of the importance, sum one →"}, "range": [0, 1.15 * max(known.values())],
            "tickformat": ".0%",
        },
    }  # fmt: skip
    return View([bars], caption, layout)


def empty_view(note: str, caption: str) -> View:
    """Return a view without data that says so."""
    return View([], caption, {
        "xaxis": {"visible": False}, "yaxis": {"visible": False}, "annotations": [_note(note)],
    })  # fmt: skip


def _names(names: list[str]) -> list[str]:
    known: Mapping[str, str] = short_names(names)
    return [plot_text(known[name]) for name in names]


def _note(text: str) -> dict[str, Any]:
    return {
        "text": plot_text(text), "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5,
        "font": {"color": "@quiet"},
    }  # fmt: skip
