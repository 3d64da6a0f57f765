"""The trials of a search, and the picture of their values in the order of their start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from foretide.pictures.picture import Axis, Line, Mark, Picture, Points
from foretide.pictures.style import COLOURS, QUIET, TEXT
from foretide.text import clipped, number, phrase
from foretide.tuning.trials import (
    FINISHED,
    NOT_FINITE,
    ceiling,
    counted,
    finished,
    missing,
    outcomes,
    parameters,
    shown_cell,
)  # fmt: skip

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
UNITS = {"mse": "squared counts", "rmse": "original units", "mae": "original units"}
SYMBOLS = ("circle", "square", "diamond", "triangle-down", "cross", "x", "pentagon", "hexagon")
LONGEST = 40
"""Letters of a name or value in a picture."""


@dataclass(frozen=True, eq=False)
class TrialTable:
    """The trials of a search, as pictures show them.

    Attributes
    ----------
    trials : DataFrame
        ``number, model, state, value, seconds, seed, error`` and one column per setting, a row per trial; settings as
        they were tried, None where a trial has none.
    measure : str
        The metric that a trial's value is.
    baselines : mapping
        Simple baseline -> its value on the same folds, None where it has none.
    """

    trials: pd.DataFrame
    measure: str
    baselines: Mapping[str, float | None]

    @property
    def metric(self) -> str:
        """Name of a trial's value, as it is shown."""
        return str(self.measure).upper()

    @property
    def value_label(self) -> str:
        """Name of the axis of values: unit and direction, on two lines."""
        unit = UNITS.get(self.measure, "")
        return f"{self.metric}{', ' + unit if unit else ''}\n(lower is better)"

    @cached_property
    def done(self) -> pd.DataFrame:
        """The trials with a value."""
        return finished(self.trials)

    @cached_property
    def ranked(self) -> list[str]:
        """All models, that with the best trial first."""
        best = self.done.groupby("model")["value"].min().to_dict()
        names = [str(name) for name in dict.fromkeys(self.trials["model"])]
        return sorted(names, key=lambda name: float(best.get(name, math.inf)))

    @property
    def baseline(self) -> tuple[str, float] | None:
        """The best simple baseline and its value."""
        known = {str(k): float(v) for k, v in self.baselines.items() if v is not None and math.isfinite(v)}
        return min(known.items(), key=lambda pair: pair[1], default=None)

    def colour(self, model: str) -> str:
        """Return the colour of a model, the same in every picture."""
        return COLOURS[self.ranked.index(model) % len(COLOURS)]

    def symbol(self, model: str) -> str:
        """Return the symbol of a model's points; a second mark beside the colour."""
        k = self.ranked.index(model)
        return SYMBOLS[(k + k // len(COLOURS)) % len(SYMBOLS)]


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


def history_picture(table: TrialTable) -> Picture:
    """Draw each trial's value by its number, the best so far, the best baseline, and those without a value."""
    trials, done = table.trials, table.done
    values, how = done["value"].to_numpy(dtype=np.float64), outcomes(trials)
    limits = Limits.of(values, table.baseline)
    marks: list[Mark] = []
    for model in table.ranked:
        own = done[done["model"] == model]
        if len(own):
            marks.append(Points(
                model, own["number"].tolist(), own["value"].to_numpy(float), table.colour(model),
                table.symbol(model), 8, 0.85, texts=_hovers(table, own), hover="{text}",
            ))  # fmt: skip
    marks += limits.above(done["number"].tolist(), values, _hovers(table, done))
    marks += _best_so_far(table, values)
    marks += _ended(table, how, limits)
    marks += baseline_line(table, limits, [int(trials["number"].min()), int(trials["number"].max())])
    return Picture.one(
        "history", "Value of each trial", _history_words(table, values, how, limits), marks,
        Axis("number of the trial, in order of its start →"),
        limits.axis(table.value_label, marks=bool((how != FINISHED).any())), wide=True,
        note="" if len(done) else "no trial has a value", file="history",
    )  # fmt: skip


def baseline_line(table: TrialTable, limits: Limits, x: Places) -> list[Mark]:
    """Return the dotted line of the best simple baseline, in a list; an empty one where it is not in the picture."""
    if table.baseline is None or limits.where:
        return []
    name, value = table.baseline
    text = f"best simple baseline, {short(name)}: {number(value)}"
    return [
        Line("best baseline", x, [value] * len(x), TEXT, "dot", width=1.5, texts=[text] * len(x), hover="{text}")
    ]  # fmt: skip


def baseline_words(table: TrialTable, limits: Limits) -> str:
    """Say where the best simple baseline lies; "" where there is none."""
    if table.baseline is None:
        return ""
    name, value = table.baseline
    where = f"{limits.where} the picture" if limits.where else "dotted line"
    return f" Best simple baseline: {name}, {number(value)} ({where})."


def _best_so_far(table: TrialTable, values: Floats) -> list[Mark]:
    if not len(values):
        return []
    numbers, best = table.done["number"].tolist(), int(values.argmin())
    hover = _hovers(table, table.done.iloc[best : best + 1])
    so_far = np.append(np.minimum.accumulate(values), values.min())
    x = [*numbers, int(table.trials["number"].max())]
    return [
        Line("best so far", x, so_far, TEXT, width=1.5, stepped=True, hover="best so far: {y}"),
        Points("best", [numbers[best]], [values[best]], BEST, "circle-open", 16, legend=False, texts=hover,
               hover="{text}"),
    ]  # fmt: skip


def _ended(table: TrialTable, how: Array, limits: Limits) -> list[Mark]:
    """Return marks at the lower edge for each way to end without a value."""
    marks: list[Mark] = []
    for kind in _kinds(how):
        own = table.trials[how == kind]
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


def _hovers(table: TrialTable, rows: pd.DataFrame) -> list[str]:
    """Number, model, value and settings of each trial; of very many trials no settings."""
    brief = len(rows) > 1 and len(table.trials) > MOST_TOLD
    names = {model: parameters(table.trials, model) for model in dict.fromkeys(rows["model"])}
    texts = []
    for line in rows.to_dict("records"):
        given = [] if brief else [f"{short(name)} {short(value_text(line[name]))}" for name in names[line["model"]]]
        lines = [", ".join(given[k : k + PER_LINE]) for k in range(0, len(given), PER_LINE)]
        head = f"trial {line['number']}, {short(line['model'])}: {table.metric} {number(line['value'])}"
        texts.append("\n".join([head, *lines]))
    return texts


def _history_words(table: TrialTable, values: Floats, how: Array, limits: Limits) -> str:
    said = f"{phrase('trial', len(table.trials))}: {counted(how)}."
    if len(values):
        done, best = table.done, int(values.argmin())
        first, top = done.iloc[0], done.iloc[best]
        said += f" The best (ring) is trial {top['number']}, {top['model']}, {table.metric} {number(values[best])}"
        if best:
            share = f" by {1 - values[best] / values[0]:.1%}" if values[0] > 0 else ""
            said += f"; the best so far fell{share} from {number(values[0])}, trial {first['number']}"
        after = len(values) - 1 - best
        said += f"; {phrase('trial', after)} finished after it." if after else "."
        said += limits.words(values)
    said += baseline_words(table, limits)
    if (how != FINISHED).any():
        kinds = [kind for kind in _kinds(how) if (how == kind).any()]
        signs = ", ".join(f"{MARKS.get(kind, OTHER)[1]} {kind}" for kind in kinds)
        said += f" Marks at the lower edge are trials without a value: {signs}."
    return said


def value_text(value: object) -> str:
    """Return a setting's value in few letters; ``none`` where it has none."""
    return "none" if missing(value) else shown_cell(value)


def short(text: object, most: int = LONGEST) -> str:
    """Return text on one line; a long one loses its end."""
    return clipped(text, most)
