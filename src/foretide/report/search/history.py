"""Pictures of a search: its history, and which settings matter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.pictures.picture import Axis, Bars, Line, Mark, Panel, Picture, Points, View
from foretide.pictures.style import QUIET, TEXT, short_names
from foretide.report.search.content import SearchContent, short, value_text
from foretide.report.search.importances import importance_words
from foretide.report.search.trials import FINISHED, NOT_FINITE, ceiling, counted, missing, outcomes, parameters
from foretide.text import number, phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from foretide.pictures.picture import Places
    from foretide.typing import Array, Floats

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
MOST_BARS = 15
"""Settings of one model with a bar of their own."""


@dataclass(frozen=True)
class Limits:
    """The part of an axis of values that is shown.

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

    def axis(self, title: str, *, marks: bool = False) -> Axis:
        """Return the axis, with room at the bottom for marks."""
        return Axis(title, low=self.at(-0.17 if marks else -0.07), high=self.at(1.09))

    def above(self, x: Sequence[float | None], values: Floats, texts: Sequence[str]) -> list[Mark]:
        """Return triangles at the upper edge for values above it, in a list; an empty one where there are none."""
        over = [k for k, value in enumerate(values) if value > self.high]
        if not over:
            return []
        return [Points(
            f"above ({len(over)})", [x[k] for k in over], [self.at(1.05)] * len(over), QUIET, "triangle-up-open", 9,
            legend=False, texts=[texts[k] for k in over], hover="{text}",
        )]  # fmt: skip

    def words(self, values: Floats) -> str:
        """Say how many values lie above the picture; "" for none."""
        n = int((values > self.high).sum())
        if not n:
            return ""
        return (
            f" {phrase('trial lies|trials lie', n)} above the picture, worst {number(float(values.max()))}: "
            "triangles at the upper edge; a double-click on the picture shows the whole range."
        )


# ------------------------------------------------------------------ history
def history_picture(content: SearchContent) -> Picture:
    """Draw each trial's value by its number, the best so far, the best baseline, and those without a value."""
    trials, done = content.trials, content.done
    values, how = done["value"].to_numpy(dtype=np.float64), outcomes(trials)
    limits = Limits.of(values, content.baseline)
    marks: list[Mark] = []
    for model in content.ranked:
        own = done[done["model"] == model]
        if len(own):
            marks.append(Points(
                model, own["number"].tolist(), own["value"].to_numpy(float), content.colour(model),
                content.symbol(model), 8, 0.85, texts=_hovers(content, own), hover="{text}",
            ))  # fmt: skip
    marks += limits.above(done["number"].tolist(), values, _hovers(content, done))
    marks += _best_so_far(content, values)
    marks += _ended(content, how, limits)
    marks += baseline_line(content, limits, [int(trials["number"].min()), int(trials["number"].max())])
    return Picture.one(
        "history", "Value of each trial", _history_words(content, values, how, limits), marks,
        Axis("number of the trial, in order of its start →"),
        limits.axis(content.value_label, marks=bool((how != FINISHED).any())), wide=True,
        note="" if len(done) else "no trial has a value", file="history",
    )  # fmt: skip


def baseline_line(content: SearchContent, limits: Limits, x: Places) -> list[Mark]:
    """Return the dotted line of the best simple baseline, in a list; an empty one where it is not in the picture."""
    if content.baseline is None or limits.where:
        return []
    name, value = content.baseline
    text = f"best simple baseline, {short(name)}: {number(value)}"
    return [
        Line("best baseline", x, [value] * len(x), TEXT, "dot", width=1.5, texts=[text] * len(x), hover="{text}")
    ]  # fmt: skip


def baseline_words(content: SearchContent, limits: Limits) -> str:
    """Say where the best simple baseline lies; "" where there is none."""
    if content.baseline is None:
        return ""
    name, value = content.baseline
    where = f"{limits.where} the picture" if limits.where else "dotted line"
    return f" Best simple baseline: {name}, {number(value)} ({where})."


def _best_so_far(content: SearchContent, values: Floats) -> list[Mark]:
    if not len(values):
        return []
    numbers, best = content.done["number"].tolist(), int(values.argmin())
    hover = _hovers(content, content.done.iloc[best : best + 1])
    so_far = np.append(np.minimum.accumulate(values), values.min())
    x = [*numbers, int(content.trials["number"].max())]
    return [
        Line("best so far", x, so_far, TEXT, width=1.5, stepped=True, hover="best so far: {y}"),
        Points("best", [numbers[best]], [values[best]], BEST, "circle-open", 16, legend=False, texts=hover,
               hover="{text}"),
    ]  # fmt: skip


def _ended(content: SearchContent, how: Array, limits: Limits) -> list[Mark]:
    """Return marks at the lower edge for each way to end without a value."""
    marks: list[Mark] = []
    for kind in _kinds(how):
        own = content.trials[how == kind]
        if not len(own):
            continue
        texts = [
            f"trial {line['number']}, {short(line['model'])}: {kind}"
            + ("" if missing(line["error"]) or not line["error"] else f"\n{short(line['error'], 90)}")
            for line in own.to_dict("records")
        ]
        height = limits.at(-0.06 if kind == "pruned" else -0.12)
        marks.append(Points(
            f"{kind} ({len(own)})", own["number"].tolist(), [height] * len(own), QUIET, MARKS.get(kind, OTHER)[0], 9,
            legend=False, texts=texts, hover="{text}",
        ))  # fmt: skip
    return marks


def _kinds(how: Array) -> list[str]:
    return [*MARKS, *sorted(set(how) - set(MARKS) - {FINISHED})]


def _hovers(content: SearchContent, rows: pd.DataFrame) -> list[str]:
    """Number, model, value and settings of each trial; of very many trials no settings."""
    brief = len(rows) > 1 and len(content.trials) > MOST_TOLD
    names = {model: parameters(content.trials, model) for model in dict.fromkeys(rows["model"])}
    texts = []
    for line in rows.to_dict("records"):
        given = [] if brief else [f"{short(name)} {short(value_text(line[name]))}" for name in names[line["model"]]]
        lines = [", ".join(given[k : k + PER_LINE]) for k in range(0, len(given), PER_LINE)]
        head = f"trial {line['number']}, {short(line['model'])}: {content.metric} {number(line['value'])}"
        texts.append("\n".join([head, *lines]))
    return texts


def _history_words(content: SearchContent, values: Floats, how: Array, limits: Limits) -> str:
    said = f"{phrase('trial', len(content.trials))}: {counted(how)}."
    if len(values):
        done, best = content.done, int(values.argmin())
        first, top = done.iloc[0], done.iloc[best]
        said += f" The best (ring) is trial {top['number']}, {top['model']}, {content.metric} {number(values[best])}"
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
def importance_picture(content: SearchContent) -> Picture | None:
    """Draw the share of each setting, a model at a time; None where nothing was searched or nothing is known."""
    models = [model for model in content.ranked if content.importances.get(model)]
    if not models:
        return None
    views = {model: _importance_view(content, model) for model in models}
    return Picture.with_list(
        "importance", "Importance of each setting", "Model", views, wide=True, file="importance",
        every=True,
    )  # fmt: skip


def _importance_view(content: SearchContent, model: str) -> View:
    shares = content.importances[model]
    caption = f"{model}: {importance_words(content.trials, model, shares)}."
    known = {name: float(v) for name, v in shares.items() if math.isfinite(v)}
    order = sorted(known, key=lambda name: (-known[name], name))
    if not sum(known.values()):
        return empty_view("no importance can be told", caption)
    if len(order) > MOST_BARS:
        rest = sum(known[name] for name in order[MOST_BARS:])
        caption += f" {len(order) - MOST_BARS} further settings have {rest:.0%} together."
        order = order[:MOST_BARS]
    if len(known) > 1:
        caption += f" An even share would be {1 / len(known):.0%}."
    names = short_names(order)
    bars = Bars(
        "importance", list(range(len(order))), [known[name] for name in order], content.colour(model), across=True,
        labels=[f"{known[name]:.0%}" for name in order], hover="{x:.3f}",
    )  # fmt: skip
    x = Axis("share of the importance, sum one →", low=0, high=1.15 * max(known.values()), percent=True)
    y = Axis.names("setting, most important first", [names[name] for name in order])
    return View([Panel([bars], x, y)], caption)


def empty_view(note: str, caption: str) -> View:
    """Return a view without data that says so."""
    return View([Panel([], note=note)], caption)
