"""Where the error lies: by horizon step, by series, from fold to fold, over training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.data.windows import evenly
from foretide.evaluation.cards.drawn import fold_picture, step_picture
from foretide.pictures.picture import Axis, Line, Mark, Picture, Points, Rule
from foretide.report.content import Content
from foretide.report.run.boards import FIRST
from foretide.report.section import Column, Section, Table
from foretide.text import number

if TYPE_CHECKING:
    import pandas as pd

    from foretide.typing import Reals

MOST_SERIES, FEW_SERIES = 1000, 20
"""Points per model in the picture of errors by series; so few stand there by their names."""
SYMBOLS = ("circle", "diamond", "square", "triangle-up")
WIDE = 4
"""Ratios stand on a logarithmic axis where the largest is more than so many times the smallest."""


def where_the_error_lies(content: Content) -> Section | None:
    """Return the errors by horizon step and by series."""
    drawn = [p for p in (step_picture(content, content.by_step), series_picture(content), skill_picture(content)) if p]
    table = series_table(content)
    if not drawn and table is None:
        return None
    return Section("errors", "Where the error lies", pictures=drawn, tables=[table] if table else [])


def series_picture(content: Content) -> Picture | None:
    """Draw the error of each series beside that of the best baseline; few series by their names."""
    table = content.by_series
    reference = content.baselines[0] if content.baselines else None
    if table is None or len(table) < 2 or reference not in table:
        return None
    models = [m for m in content.shown if m != reference and m in table]
    base = table[reference].to_numpy(float)
    ratios = {m: _ratio(table[m].to_numpy(float), base) for m in models}
    if not models or not np.isfinite(ratios[models[0]]).any():
        return None
    order = np.argsort(ratios[models[0]], kind="stable")
    order = order[evenly(len(order), MOST_SERIES)]
    names = [str(table.iloc[i, 0]) for i in order]
    few, metric = len(names) <= FEW_SERIES, content.metric.upper()
    drawn = {m: np.where(ratios[m] == 0, np.nan, ratios[m])[order] for m in models}
    every = np.concatenate(list(drawn.values()))
    log = np.nanmax(every) > WIDE * np.nanmin(every)
    ratio = Axis(f"{metric} / {metric} of {reference}{' (log)' if log else ''}", "log" if log else "linear")
    places = list(range(len(names))) if few else list(range(1, len(names) + 1))
    marks: list[Mark] = [
        Points(
            m, values if few else places, places if few else values, content.colour(m), SYMBOLS[k % len(SYMBOLS)], 7,
            texts=names, hover="{text}: {x:.4g}" if few else "{text}: {y:.4g}",
        )
        for k, (m, values) in enumerate(drawn.items())
    ]  # fmt: skip
    known = ratios[models[0]][np.isfinite(ratios[models[0]])]
    caption = (
        f"Each point is a series; {'left of' if few else 'below'} the line at 1 a model has less error there than "
        f"{reference}. {models[0]} has less on {int((known < 1).sum())} of {len(known)} series; its ratios reach from "
        f"{number(known.min())} to {number(known.max())}, median {number(float(np.median(known)))}."
    )
    axes = (ratio, Axis.names("series", names)) if few else (Axis(f"series, sorted by {models[0]}'s ratio"), ratio)
    return Picture.one(
        "series", "Error by series", caption, [*marks, Rule(1.0, upright=few)], *axes, file="error_by_step"
    )


def skill_picture(content: Content) -> Picture | None:
    """Draw the skill of each model on every series, each model's series sorted from worst to best.

    Of few series the errors by name say it already.
    """
    table = content.skill
    if table is None or len(table) <= FEW_SERIES:
        return None
    models = [m for m in content.ranked if m in table and m not in content.baselines] or [
        m for m in content.ranked if m in table
    ][1:]
    values = {m: np.sort(table[m].dropna().to_numpy(float)) for m in models[:6]}
    values = {m: own for m, own in values.items() if len(own)}
    if not values:
        return None
    places = {m: evenly(len(own), MOST_SERIES) for m, own in values.items()}
    marks: list[Mark] = [
        Line(
            m, 100 * (places[m] + 0.5) / len(own), np.clip(own[places[m]], -1, 1), content.colour(m), content.dash(m),
            "circle" if len(own) <= 40 else "", hover="{y:.3f}",
        )
        for m, own in values.items()
    ]  # fmt: skip
    parts = [f"{m} is above 0 on {float((own > 0).mean()):.0%}" for m, own in values.items()]
    beyond = sum(int((np.abs(own) > 1).sum()) for own in values.values())
    outside = f" {beyond} values beyond 1 or -1 stand at the edge." if beyond else ""
    left = len(table) * len(values) - sum(map(len, values.values()))
    lacking = f" {left} without a skill are left out." if left else ""
    caption = (
        "Skill on each series against that series' own best baseline, chosen with hindsight; above 0 the model is "
        f"better. {'; '.join(parts)}.{outside}{lacking}"
    )
    seen = np.clip(np.concatenate([np.zeros(1), *values.values()]), -1, 1)
    return Picture.one(
        "skill", "Skill by series", caption, [*marks, Rule(0.0)],
        Axis("share of series in %, each model's own order (worst left)", low=0, high=100),
        Axis(f"skill in {content.metric.upper()} (1 is perfect)", low=seen.min() - 0.05, high=seen.max() + 0.05),
        file="skill_by_series",
    )  # fmt: skip


def series_table(content: Content) -> Table | None:
    """Return the main error of each series for the models that stand out."""
    table = content.by_series
    if table is None or not len(table):
        return None
    models = [m for m in content.shown if m in table]
    columns = {str(table.columns[0]): Column("series", kind="text"), **{m: Column(m) for m in models}}
    caption = f"{content.metric.upper()} of each series, {content.metric_unit}."
    return Table.of("by-series", caption, table, columns, brief=12, of="series", first=FIRST)


# ------------------------------------------------------------------ folds
def from_fold_to_fold(content: Content) -> Section | None:
    """Return the error of each fold over time."""
    table, picture = content.fold_summary, fold_picture(content, content.folds)
    tables = []
    if table is not None and len(table):
        columns = {
            "model": Column("model", kind="text"), "mean": Column("mean"), "sd": Column("sd"),
            "p95": Column("95th percentile"), "worst": Column("worst"),
            "worst_cutoff": Column("after", "cutoff of the worst fold", "time"),
        }  # fmt: skip
        caption = f"{content.metric.upper()} by fold, {content.metric_unit}."
        tables = [Table.of("fold-summary", caption, table.sort_values("mean"), columns, first=FIRST)]
    if picture is None and not tables:
        return None
    return Section("folds", "From fold to fold", pictures=[picture] if picture else [], tables=tables)


# ------------------------------------------------------------------ training
def training(content: Content) -> Section | None:
    """Return a picture for each model (and stage): their losses are in units of their own."""
    table = content.history
    if table is None or not {"train_loss", "epoch"} <= set(table.columns):
        return None
    keys = ["model", *(["stage"] if "stage" in table and table["stage"].notna().any() else [])]
    drawn: list[Picture] = []
    for key, part in table.groupby(keys, sort=False, dropna=False):
        name = ", ".join(str(k) for k in key if k == k)  # a missing stage is NaN
        drawn.append(_training(f"training-{len(drawn)}", name, part.sort_values("epoch")))
    return Section("training", "Training", pictures=drawn)


def _training(identity: str, name: str, part: pd.DataFrame) -> Picture:
    x = [int(e) for e in part["epoch"]]
    marks = [
        Line(label, x, part[column].to_numpy(float), colour, dash, "circle", hover="epoch {x}: {y:.5g}")
        for column, label, colour, dash in (
            ("train_loss", "training", "#0072B2", "solid"), ("val_loss", "validation", "#D55E00", "dash"),
        )
        if column in part and part[column].notna().any()
    ]  # fmt: skip
    held = part["val_loss"].to_numpy(float) if "val_loss" in part else np.full(len(part), np.nan)
    caption = f"{name}: epochs {x[0]} to {x[-1]}."
    if np.isfinite(held).any():
        k = int(np.nanargmin(held))
        caption += f" The validation loss is least after epoch {x[k]} ({number(float(held[k]))})"
        caption += "; epoch 0 is the start, before training." if x[0] == 0 else "."
    across = Axis("epoch (oldest left)", step=max(1, round(len(part) / 8)))
    return Picture.one(identity, name, caption, marks, across, Axis("loss, in the model's own units"))


def _ratio(errors: Reals, base: Reals) -> Reals:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = errors / base
    return np.where(np.isfinite(ratio), ratio, np.nan)
