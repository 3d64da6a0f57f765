"""Whether predictive distributions keep their promises: quantiles, the integral transform, coverage by step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from foretide.evaluation.cards.drawn import model_line, reliability_of, steps_axis
from foretide.pictures.picture import Axis, Line, Mark, Picture, Rule
from foretide.report.content import Content
from foretide.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

BELOW = 20.0
"""Points below its level at which the picture of coverage begins, or lower: a small miss looks small."""
HIGHEST = 4.0
"""Ratio at which the picture of the integral transform ends."""


def calibration(content: Content) -> Section | None:
    """Return pictures of calibration: that of the best model with intervals is seen, others wait in the legends."""
    made = (reliability_picture(content), pit_picture(content), coverage_picture(content))
    drawn = [picture for picture in made if picture is not None]
    if not drawn:
        return None
    first = next((m for m in _winner_first(content) if content.levels.get(m)), "")
    which = "" if first == content.winner else ", the best model with intervals"
    said = f"Of {first}{which}; others wait in the legends."
    return Section("calibration", "Calibration", [said] if first else (), pictures=drawn)


def reliability_picture(content: Content) -> Picture | None:
    """Draw the share of truths below each quantile."""
    table = content.reliability
    models = _models(content, table)
    if table is None or not models:
        return None
    return reliability_of(content, table, models, models[:1])


def pit_picture(content: Content) -> Picture | None:
    """Draw the histogram of the probability integral transform, as a ratio to what a calibrated distribution has."""
    table = content.pit
    models = _models(content, table)
    if table is None or not models:
        return None
    marks: list[Mark] = []
    ratios = {}
    visible = models[:1]
    for m in models:
        part = table[table["model"] == m]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = part["observed"].to_numpy(float) / part["nominal"].to_numpy(float)
        ratios[m] = np.where(np.isfinite(ratio), ratio, np.nan)
        edges = [*part["low"], part["high"].iloc[-1]]
        marks.append(Line(
            m, edges, np.minimum([*ratios[m], ratios[m][-1]], HIGHEST), content.colour(m), content.dash(m),
            stepped=True, hidden=m not in visible, hover="from {x}: {y:.3f}",
        ))  # fmt: skip
    first = ratios[visible[0]]
    caption = (
        "How many truths fall between neighbouring quantiles, over how many should (dotted line at 1): high at both "
        "ends, intervals are too narrow; high in the middle, too wide. "
        f"{visible[0]}: from {np.nanmin(first):.2f} to {np.nanmax(first):.2f}."
    )
    highest = min(HIGHEST, 1.08 * float(np.nanmax([np.nanmax(ratios[m]) for m in visible])))
    return Picture.one(
        "pit", "Histogram of the probability integral transform", caption, [*marks, Rule(1.0)],
        Axis("probability integral transform, share", low=0, high=1),
        Axis("observed over expected share of truths", low=0, high=highest), file="calibration",
    )  # fmt: skip


def coverage_picture(content: Content) -> Picture | None:
    """Draw the coverage of the intervals by horizon step, at the first level."""
    if not content.coverage:
        return None
    level, table = next(iter(content.coverage.items()))
    models = [m for m in _winner_first(content) if m in table and table[m].notna().any()]
    if not models or len(table) < 2:
        return None
    visible, x = models[:1], [int(k) for k in table["h_step"]]
    marks: list[Mark] = []
    for m in models:
        line = model_line(content, m, x, table[m].to_numpy(float) * 100, "step {x}: {y:.1f} %")
        marks.append(replace(line, hidden=m not in visible))
    values = table[visible[0]].to_numpy(float)
    lowest = 100 * float(np.nanmin([np.nanmin(table[m].to_numpy(float)) for m in visible]))
    low = max(0.0, min(level - BELOW, 10 * np.floor(lowest / 10) - 10))
    caption = (
        f"{visible[0]}'s {level:g} % interval holds {np.nanmin(values):.1%} of the truths at its worst step and "
        f"{np.nanmax(values):.1%} at its best; the dotted line is {level:g} %."
    )
    if content.facts["counts"]:
        caption += (
            " Bounds are whole numbers and belong to the interval, so a calibrated one holds at least that much; it "
            f"holds at most {level:g} % without its bounds."
        )
    return Picture.one(
        "coverage", "Coverage by horizon step", caption, [*marks, Rule(level)], steps_axis(content, len(x)),
        Axis(f"truths in {level:g} % interval, %", low=low, high=101), file="calibration",
    )  # fmt: skip


def _models(content: Content, table: pd.DataFrame | None) -> list[str]:
    """Models with rows in a table, the winner first, then by their error; the oracle is none."""
    return [] if table is None or not len(table) else [m for m in _winner_first(content) if m in set(table["model"])]


def _winner_first(content: Content) -> list[str]:
    return sorted(content.ranked, key=lambda model: model != content.winner)
