"""The pictures of a scorecard: errors by step and by fold, calibration, forecasts beside the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.evaluation.cards.align import ORACLE
from foretide.evaluation.cards.look import Look
from foretide.evaluation.cards.words import error_words
from foretide.pictures.picture import FEW_STEPS, Axis, Line, Mark, Picture, Points, Span
from foretide.pictures.style import QUIET, TEXT
from foretide.pictures.times import kind_of_times, times
from foretide.text import number, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from foretide.pictures.picture import Places, Values
    from foretide.typing import Bools

TIES = 0.005
"""Share of truths equal to a quantile from which on they are many; and a miss that is none."""


def step_picture(look: Look, table: pd.DataFrame | None) -> Picture | None:
    """Draw the error by horizon step."""
    if table is None or len(table) < 2:
        return None
    metric, x = look.metric.upper(), [int(k) for k in table.iloc[:, 0]]
    models = [m for m in (*([ORACLE] if ORACLE in table else []), *look.ranked) if m in table]
    first = look.shown[0]
    words = error_words(first, table[first].to_numpy(float), look.freq, metric)
    floor = " The grey line is the oracle, which knows the generator." if ORACLE in table else ""
    return Picture.one(
        "steps", "Error by horizon step", f"{words}{floor}{others(look)}",
        [model_line(look, m, x, table[m].to_numpy(float), "step {x}: {y:.5g}") for m in models],
        steps_axis(look, len(x)), Axis(f"{metric}, {look.metric_unit}"), file="error_by_step",
    )  # fmt: skip


def fold_picture(look: Look, table: pd.DataFrame | None) -> Picture | None:
    """Draw the error of each fold over time; where the best baseline is better is shaded."""
    if table is None or len(table) < 2:
        return None
    metric, first, x = look.metric.upper(), look.shown[0], times(table["cutoff"])
    errors = table[first].to_numpy(float)
    if not np.isfinite(errors).any():
        return None
    worst = int(np.nanargmax(errors))
    marks: list[Mark] = [
        model_line(look, m, x, table[m].to_numpy(float), "after {x}: {y:.5g}", "circle")
        for m in look.ranked if m in table
    ]  # fmt: skip
    marks.append(
        Points(f"worst fold of {first}", [x[worst]], [errors[worst]], TEXT, "circle-open", 14, legend=False, hover="")
    )
    caption = (
        f"{first}'s {metric} over {len(errors)} folds: mean {number(float(np.nanmean(errors)))}, least "
        f"{number(float(np.nanmin(errors)))}, largest {number(float(errors[worst]))} after {time_text(x[worst])} "
        "(ring)."
    )
    reference = look.baselines[0] if look.baselines else first
    better = table[reference].to_numpy(float) < errors if reference in table and reference != first else errors < 0
    if better.any():
        marks += _shaded(x, better)
        caption += f" {reference} is better in {int(better.sum())} of {len(errors)} folds (shaded)."
    return Picture.one(
        "folds", "Error by fold", caption + others(look), marks,
        Axis("cutoff of the fold, time (oldest left)", kind_of_times(x)), Axis(f"{metric}, {look.metric_unit}"),
        file="folds", wide=True,
    )  # fmt: skip


def _shaded(x: list[str] | list[int], chosen: Bools) -> list[Mark]:
    """Shade from each chosen fold to the next one."""
    spans: list[Mark] = []
    for k in np.flatnonzero(chosen).tolist():
        spans.append(Span(x[max(k - 1, 0)] if k + 1 == len(x) else x[k], x[min(k + 1, len(x) - 1)], "#D55E00"))
    return spans


def reliability_of(look: Look, table: pd.DataFrame, models: Sequence[str], visible: Sequence[str]) -> Picture:
    """Draw the share of truths below each quantile, a line of each model; ``visible`` are those seen at first.

    Truths equal to a quantile count half; where there are many of them, as of counts, bars reach from those below to
    those at or below it.
    """
    marks: list[Mark] = [Line("", [0, 1], [0, 1], QUIET, "dot", width=1, legend=False, hover="")]
    parts = {m: table[table["model"] == m].sort_values("level") for m in models}
    for m, part in parts.items():
        low, high = part["below"].to_numpy(float), part["at_or_below"].to_numpy(float)
        ties = _tied(part)
        marks.append(Line(
            m, part["level"].to_numpy(float), (low + high) / 2, look.colour(m), look.dash(m), "circle",
            hidden=m not in visible, low=low if ties else None, high=high if ties else None,
            hover="level {x}: {y:.3f}",
        ))  # fmt: skip
    return Picture.one(
        "reliability", "Reliability of the quantiles", _reliability_words(visible[0], parts[visible[0]]), marks,
        Axis("level of the quantile, share"), Axis("truths below it, share"), file="calibration",
    )  # fmt: skip


def _tied(part: pd.DataFrame) -> bool:
    """Whether truths are often equal to a quantile, as those of counts are."""
    return bool((part["at_or_below"] - part["below"]).max() > TIES)


def _reliability_words(model: str, part: pd.DataFrame) -> str:
    """Say how far a model's quantiles are off; of few whole numbers, how far the level lies outside its band."""
    level, low, high = (part[name].to_numpy(float) for name in ("level", "below", "at_or_below"))
    short, over = level - high, low - level  # too few truths at or below the quantile; too many below it
    k = int(np.argmax(np.maximum(short, over)))
    miss = max(short[k], over[k], 0.0)
    off = f"{100 * miss:.1f} points {'fewer' if short[k] > over[k] else 'more'} than named"
    if not _tied(part):
        return (
            "On the dotted line as many truths lie below a quantile as its level says. "
            f"{model} is farthest off at level {level[k]:.4g}: {off}."
        )
    inside = int((np.maximum(short, over) <= TIES).sum())
    return (
        "Values are few whole numbers, many of them equal to a quantile: bars reach from the truths below it to those "
        "at or below it, and a calibrated forecast has the dotted line anywhere between. "
        f"{model}'s bars hold it at {inside} of {len(part)} levels"
        + (f"; farthest off is level {level[k]:.4g}: {off}." if miss > TIES else ".")
    )


def model_line(look: Look, model: str, x: Places, y: Values, hover: str, symbol: str = "") -> Line:
    """Return a model's line, few points with a mark each; models that do not stand out wait in the legend."""
    symbol = symbol or ("circle" if len(x) <= FEW_STEPS else "")
    hidden = not (model in look.shown or model == ORACLE)
    return Line(model, x, y, look.colour(model), look.dash(model), symbol, hidden=hidden, hover=hover)


def steps_axis(look: Look, h: int) -> Axis:
    """Return an axis of the horizon, with a tick at each step where these are few."""
    return Axis.steps(f"horizon step, {look.steps} after the cutoff", h)


def others(look: Look) -> str:
    """Say how many models wait in the legend."""
    hidden = len(look.ranked) - len(look.shown)
    return f" {hidden} more models are in the legend; click a name to see its line." if hidden > 0 else ""
