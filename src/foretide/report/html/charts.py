"""Pictures that do not change with a picker, as plotly.js reads them; ``@text`` and ``@quiet`` are theme colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.windows import evenly
from foretide.report.html.chart import Chart, titles
from foretide.report.html.content import ORACLE, Content
from foretide.report.html.escape import plot_text, rounded
from foretide.report.html.marks import level_line
from foretide.report.words import error_words
from foretide.text import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SERIES = 1000
"""Points per model in the picture of errors by series."""
FEW_STEPS = 14


def step_chart(content: Content) -> Chart | None:
    """Error by horizon step."""
    table = content.by_step
    if table is None or len(table) < 2:
        return None
    metric = content.metric.upper()
    x = [int(k) for k in table.iloc[:, 0]]
    models = [m for m in (*([ORACLE] if ORACLE in table else []), *content.ranked) if m in table]
    data = [_line(content, m, x, rounded(table[m]), "step %{x}: %{y:.5g}") for m in models]
    first = content.shown[0]
    words = error_words(first, table[first].to_numpy(float), content.facts["data"]["freq"], metric)
    floor = " The grey line is the oracle, which knows the generator." if ORACLE in table else ""
    return Chart(
        "chart-steps", "Error by horizon step", f"{words}{floor}{_others(content)}", data,
        _by_step(content, len(x), f"{metric}, {content.metric_unit}"),
    )  # fmt: skip


def series_chart(content: Content) -> Chart | None:
    """Error of each series beside that of the best baseline."""
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
    names = [plot_text(table.iloc[i, 0]) for i in order]
    data = [
        {
            "type": "scatter", "mode": "markers", "name": plot_text(m), "x": list(range(1, len(order) + 1)),
            "y": [v if v else None for v in rounded(ratios[m][order])], "text": names,
            "hovertemplate": "%{text}: %{y:.4g}",
            "marker": {"color": content.colour(m), "size": 7, "symbol": _symbol(k)},
        }
        for k, m in enumerate(models)
    ]  # fmt: skip
    metric = content.metric.upper()
    known = ratios[models[0]][np.isfinite(ratios[models[0]])]
    layout = titles(
        f"series, sorted by {plot_text(models[0])}'s ratio", f"{metric} / {metric} of {plot_text(reference)} (log)"
    )
    layout["yaxis"] |= {"type": "log", "exponentformat": "power"}
    layout["shapes"] = [level_line(1.0)]
    caption = (
        f"Each point is a series; below the line at 1 a model has less error there than {reference}. "
        f"{models[0]} has less on {int((known < 1).sum())} of {len(known)} series; its ratios reach from "
        f"{number(known.min())} to {number(known.max())}, median {number(float(np.median(known)))}."
    )
    return Chart("chart-series", "Error by series", caption, data, layout)


def fold_chart(content: Content) -> Chart | None:
    """Error of each fold over time."""
    table = content.folds
    if table is None or len(table) < 2:
        return None
    x = [str(c) for c in table["cutoff"]] if table["cutoff"].dtype == object else table["cutoff"].tolist()
    data = [
        {**_line(content, m, x, rounded(table[m]), "after %{x}: %{y:.5g}"), "mode": "lines+markers"}
        for m in content.ranked if m in table
    ]  # fmt: skip
    first, metric = content.shown[0], content.metric.upper()
    errors = table[first].to_numpy(float)
    if not np.isfinite(errors).any():
        return None
    worst = int(np.nanargmax(errors))
    when = str(table["cutoff"].iloc[worst])
    caption = (
        f"{first}'s {metric} over {len(errors)} folds: mean {number(float(np.nanmean(errors)))}, least "
        f"{number(float(np.nanmin(errors)))}, largest {number(float(errors[worst]))} after {when}."
        f"{_others(content)}"
    )
    layout = titles("cutoff of the fold, time (oldest left)", f"{metric}, {content.metric_unit}")
    return Chart("chart-folds", "Error by fold", caption, data, layout)


def reliability_chart(content: Content) -> Chart | None:
    """Share of truths below each quantile."""
    table = content.reliability
    if table is None or not len(table):
        return None
    models = [m for m in content.ranked if m in set(table["model"])]
    first = next((m for m in content.shown if m in models), models[0])
    visible = {m for m in content.shown if m in models} or {first}
    diagonal = {
        "type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "showlegend": False, "hoverinfo": "skip",
        "line": {"color": "@quiet", "width": 1, "dash": "dot"},
    }  # fmt: skip
    data: list[dict[str, Any]] = [diagonal]
    for m in models:
        part = table[table["model"] == m].sort_values("level")
        low, high = part["below"].to_numpy(float), part["at_or_below"].to_numpy(float)
        middle = (low + high) / 2
        line = _line(content, m, rounded(part["level"]), rounded(middle), "level %{x}: %{y:.3f}")
        line |= {"mode": "lines+markers", "visible": True if m in visible else "legendonly"}
        if (high - low).max() > 0.005:
            line["error_y"] = {"type": "data", "array": rounded((high - low) / 2), "thickness": 1, "width": 0}
        data.append(line)
    part = table[table["model"] == first]
    miss = ((part["below"] + part["at_or_below"]) / 2 - part["level"]).to_numpy(float)
    k = int(np.argmax(np.abs(miss)))
    way = "more" if miss[k] > 0 else "fewer"
    caption = (
        f"On the dotted line as many truths lie below a quantile as its level says. {first} is farthest off at level "
        f"{part['level'].iloc[k]:.4g}: {abs(miss[k]) * 100:.1f} points {way} than named. Truths equal to the quantile "
        "count half; bars reach from those below to those at or below it, wide where values are few whole numbers."
    )
    layout = titles("level of the quantile, share", "truths below it, share")
    return Chart("chart-reliability", "Reliability of the quantiles", caption, data, layout)


def coverage_chart(content: Content) -> Chart | None:
    """Coverage of the intervals by horizon step, at the first level."""
    if not content.coverage:
        return None
    level, table = next(iter(content.coverage.items()))
    models = [m for m in content.ranked if m in table and table[m].notna().any()]
    if not models or len(table) < 2:
        return None
    visible = {m for m in content.shown if m in models} or {models[0]}
    x = [int(k) for k in table["h_step"]]
    data = [
        {
            **_line(content, m, x, rounded(table[m] * 100), "step %{x}: %{y:.1f} %"),
            "visible": True if m in visible else "legendonly",
        }
        for m in models
    ]  # fmt: skip
    first = next((m for m in content.shown if m in models), models[0])
    values = table[first].to_numpy(float)
    layout = _by_step(content, len(x), f"truths in {level:g} % interval, %")
    layout["shapes"] = [level_line(level)]
    caption = (
        f"{first}'s {level:g} % interval holds {np.nanmin(values):.1%} of the truths at its worst step and "
        f"{np.nanmax(values):.1%} at its best; the dotted line is {level:g} %."
    )
    return Chart("chart-coverage", "Coverage by horizon step", caption, data, layout)


def training_charts(content: Content) -> list[Chart]:
    """Losses by epoch, a picture for each model (and stage): their losses are in units of their own."""
    table = content.history
    if table is None or not {"train_loss", "epoch"} <= set(table.columns):
        return []
    keys = ["model", *(["stage"] if "stage" in table and table["stage"].notna().any() else [])]
    charts: list[Chart] = []
    for key, part in table.groupby(keys, sort=False, dropna=False):
        name = ", ".join(str(k) for k in key if k == k)  # a missing stage is NaN
        charts.append(_training_chart(f"chart-training-{len(charts)}", name, part.sort_values("epoch")))
    return charts


def _training_chart(identity: str, name: str, part: pd.DataFrame) -> Chart:
    x = [int(e) for e in part["epoch"]]
    data: list[dict[str, Any]] = []
    for column, label, colour, dash in (
        ("train_loss", "training", "#0072B2", "solid"), ("val_loss", "validation", "#D55E00", "dash"),
    ):  # fmt: skip
        if column in part and part[column].notna().any():
            data.append({
                "type": "scatter", "mode": "lines+markers", "name": label, "x": x, "y": rounded(part[column]),
                "line": {"color": colour, "dash": dash}, "hovertemplate": "epoch %{x}: %{y:.5g}",
            })  # fmt: skip
    held = part["val_loss"].to_numpy(float) if "val_loss" in part else np.full(len(part), np.nan)
    told = f"{name}: epochs {x[0]} to {x[-1]}."
    if np.isfinite(held).any():
        k = int(np.nanargmin(held))
        told += f" The validation loss is least after epoch {x[k]} ({number(float(held[k]))})"
        told += "; epoch 0 is the start, before training." if x[0] == 0 else "."
    layout = titles("epoch (oldest left)", "loss, in the model's own units")
    layout["xaxis"]["dtick"] = max(1, round(len(part) / 8))
    return Chart(identity, name, told, data, layout)


def _by_step(content: Content, h: int, y: str) -> dict[str, Any]:
    """Return a layout over the horizon, with a tick at each step where these are few."""
    layout = titles(f"horizon step, {content.steps} after the cutoff", y)
    if h <= FEW_STEPS:
        layout["xaxis"]["dtick"] = 1
    return layout


def _ratio(errors: NDArray[np.float64], base: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: NDArray[np.float64] = errors / base
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _others(content: Content) -> str:
    hidden = len(content.ranked) - len(content.shown)
    return f" {hidden} more models are in the legend; click a name to see its line." if hidden > 0 else ""


def _line(content: Content, model: str, x: list[Any], y: list[Any], hover: str) -> dict[str, Any]:
    """Return a model's line; those that do not stand out wait in the legend."""
    return {
        "type": "scatter", "mode": "lines", "name": plot_text(model), "x": x, "y": y, "hovertemplate": hover,
        "visible": True if model in content.shown or model == ORACLE else "legendonly",
        "line": {"color": content.colour(model), "dash": content.dash(model), "width": 2},
    }  # fmt: skip


def _symbol(k: int) -> str:
    return ("circle", "diamond", "square", "triangle-up")[k % 4]
