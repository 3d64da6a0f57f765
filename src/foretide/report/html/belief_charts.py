"""Pictures of attention: where it looks, how sharply, what events change, and whether the forecast needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.report.explained_data import MASKS, MEASURED, Ranked, both_tests, difference_words
from foretide.report.html.chart import Chart, Picker, View, titles
from foretide.report.html.escape import rounded
from foretide.report.html.marks import bars_of, level_line, line_of, whole_steps
from foretide.report.style import COLOURS
from foretide.text import number

if TYPE_CHECKING:
    Tables = Mapping[str, pd.DataFrame]

FOCUS = ("recent", "seasonal", "other")
"""Kinds of lags, as :func:`foretide.explain.weights.profiles.kinds` tells them apart."""


def belief_charts(place: int, model: str, tables: Tables, steps: str) -> list[Chart]:
    """Return every picture that the tables of one model allow.

    Parameters
    ----------
    place : int
        Of the model among those with attention; part of the pictures' identities.
    model : str
    tables : mapping
        As :meth:`foretide.explain.weights.summary.AttentionSummary.tables`.
    steps : str
        The word for steps of time.
    """
    drawn = []
    if "faithfulness" in tables:
        drawn += [
            mask_chart(f"chart-masks-{place}", model, tables, steps),
            rank_chart(f"chart-ranks-{place}", model, tables),
        ]
    if "lags" in tables:
        drawn.append(lag_chart(f"chart-lags-{place}", model, tables, steps))
    if "entropy" in tables:
        drawn.append(entropy_chart(f"chart-entropy-{place}", model, tables["entropy"], steps))
    if "horizon" in tables and len(tables["horizon"]) > 1:
        drawn.append(focus_chart(f"chart-focus-{place}", model, tables["horizon"], steps))
    if "regimes" in tables:
        drawn.append(regime_chart(f"chart-regimes-{place}", model, tables, steps))
    return drawn


def mask_chart(identity: str, model: str, tables: Tables, steps: str) -> Chart:
    """Error by horizon step without a mask, with the most attended lags masked, and with random ones."""
    table, one = tables["faithfulness_by_step"], tables["faithfulness"].iloc[0]
    x = [int(k) for k in table["h_step"]]
    data = [
        line_of(k, name, x, rounded(table[column]), "step %{x}: %{y:.4g}", markers=True)
        for k, (column, name, *_) in enumerate(MASKS)
    ]
    worse = (table["attended"] > table["random"]).to_numpy()
    error = float(one["error"])
    attended, random = (f"{float(one[c]) / error - 1:+.1%}" if error > 0 else "–" for c in ("attended", "random"))
    caption = (
        f"{model}, {int(one['n_windows'])} windows: with {_lags(int(one['k']))} of {int(one['lookback'])} masked the "
        f"error changes by {attended}, with as many random ones by {random}, the mean of {int(one['draws'])} draws. "
        f"The mask of the attended lags does more harm at {int(worse.sum())} of {len(x)} steps. Over all steps the "
        f"difference is {difference_words(one)}. Verdict: {one['verdict']}; faithful needs an interval above zero, a "
        "difference of 2 % or more, and both p at most 0.05."
    )
    layout = titles(f"horizon step, {steps} after the cutoff", MEASURED)
    layout["yaxis"]["rangemode"] = "tozero"
    whole_steps(layout, len(x))
    return Chart(identity, f"Does {model}'s forecast need the lags it attends to?", caption, data, layout)


def rank_chart(identity: str, model: str, tables: Tables) -> Chart:
    """Where the true error lies among those with the lags relabelled, for both tests."""
    one, found = tables["faithfulness"].iloc[0], both_tests(tables)
    n = int(one["draws"])
    masking = _rank_view(
        found["masking"], "random lags masked", "most attended lags masked",
        f"{model}: error with {_lags(int(one['k']))} masked (diamond) among {n} with the same mask on "
        f"random lags. It is number {found['masking'].place} of {n + 1} from below; p = "
        f"{number(found['masking'].p_value)} is the share at least as high, itself included.",
    )  # fmt: skip
    moving = _rank_view(
        found["moving"], "weights at random lags", "weights where they are",
        f"{model}: error by its own weights (diamond) among {n} with the weights moved to random lags. It is number "
        f"{found['moving'].place} of {n + 1} from below; p = {number(found['moving'].p_value)} is the share at "
        "least as low, itself included.",
    )  # fmt: skip
    return Chart.picked(
        identity, f"{model} among random relabellings",
        [Picker("Test", ["masking: the true one should be high", "moving: the true one should be low"])],
        {"0": masking, "1": moving}, titles("rank of the error (lowest left)", MEASURED),
    )  # fmt: skip


def _lags(k: int) -> str:
    return "the most attended lag" if k == 1 else f"the {k} most attended lags"


def _rank_view(found: Ranked, others: str, own: str, caption: str) -> View:
    place = np.arange(1, len(found.values) + 1)
    rest = place != found.place
    hover = "rank %{x}: %{y:.4g}"
    drawn = [
        {
            "type": "scatter", "mode": "markers", "name": name, "x": x, "y": rounded(y), "hovertemplate": hover,
            "marker": {"color": colour, "symbol": symbol, "size": size},
        }
        for name, x, y, colour, symbol, size in (
            (others, place[rest].tolist(), found.values[rest], "@quiet", "circle", 6),
            (own, [found.place], [found.values[found.place - 1]], COLOURS[1], "diamond", 13),
        )
    ]  # fmt: skip
    return View(drawn, caption)


def lag_chart(identity: str, model: str, tables: Tables, steps: str) -> Chart:
    """Weight by lag and by distance, and how often each lag leads."""
    even = 1 / np.exp(float(tables["entropy"]["limit"].iloc[0])) if "entropy" in tables else 1 / len(tables["lags"])
    lag = f"lag, {steps} before the cutoff (oldest left)"
    far = f"{steps} before the forecast step (oldest left)"
    known = [("mean weight by lag", lag, "lag", "weight", tables["lags"], "mean weight, share of one")]
    if "lags_by_distance" in tables:
        table = tables["lags_by_distance"]
        known.insert(0, ("mean weight by distance", far, "distance", "weight", table, "mean weight, share of one"))
    if "top1" in tables:
        leads = tables["top1"].groupby("lag")["share"].sum()
        top = pd.DataFrame({"lag": leads.index, "share": leads.to_numpy() / leads.sum()})
        known.append(("how often a lag leads", lag, "lag", "share", top, "most attended, share of all rows"))
    views = {}
    for k, (_, x, axis, column, table, y) in enumerate(known):
        bars = bars_of(0, "weight", [int(v) for v in table[axis]], rounded(table[column]), "%{x}: %{y:.4f}")
        layout = {**titles(x, y), "shapes": [level_line(even)], "showlegend": False, "bargap": 0.15}
        if column == "share":  # lags that never lead have no bar, but a place
            layout["xaxis"]["range"] = [len(tables["lags"]) - 0.5, -0.5]
        else:
            layout["xaxis"]["autorange"] = "reversed"
        layout["yaxis"]["rangemode"] = "tozero"
        views[str(k)] = View([bars], f"{model}: {_leading(table, axis, column, steps)} {_even(column, even)}", layout)
    return Chart.picked(
        identity, f"Where {model} looks", [Picker("Measured", [name for name, *_ in known])], views, {}
    )  # fmt: skip


def _leading(table: pd.DataFrame, axis: str, column: str, steps: str) -> str:
    top = table.sort_values(column, ascending=False, kind="stable").head(3)
    listed = ", ".join(f"{int(a)} ({number(float(v))})" for a, v in zip(top[axis], top[column], strict=True))
    if column == "share":
        return f"the lags that lead most often are {listed} {steps}, of all windows, heads and horizon steps."
    where = "before the forecast step" if axis == "distance" else "before the cutoff"
    return f"the largest mean weights lie {listed} {steps} {where}."


def _even(column: str, even: float) -> str:
    what = "each lag would lead equally often" if column == "share" else "attention would be even"
    return f"On the dotted line, at {number(even)}, {what}."


def entropy_chart(identity: str, model: str, table: pd.DataFrame, steps: str) -> Chart:
    """Entropy of each head by horizon step, with the limit of even weights."""
    data = [
        line_of(k, f"head {head}", [int(s) for s in part["h_step"]], rounded(part["entropy"]),
                f"head {head}, step %{{x}}: %{{y:.3f}}", markers=True)
        for k, (head, part) in enumerate(table.groupby("head", sort=True))
    ]  # fmt: skip
    limit = float(table["limit"].iloc[0])
    order = np.argsort(table["entropy"].to_numpy(float), kind="stable")
    low, high = table.iloc[int(order[0])], table.iloc[int(order[-1])]
    caption = (
        f"{model}: on the dotted line, at {number(limit)}, attention would be even over all {round(np.exp(limit))} "
        f"lags. Sharpest is head {int(low['head'])} at step {int(low['h_step'])}, as spread out as over "
        f"{number(float(low['lags']))} lags; widest is head {int(high['head'])} at step {int(high['h_step'])}, "
        f"{number(float(high['lags']))} lags."
    )
    layout: dict[str, Any] = titles(f"horizon step, {steps} after the cutoff", "entropy of the weights, nats")
    layout["yaxis"]["range"] = [0, limit * 1.08]
    layout["shapes"] = [level_line(limit)]
    whole_steps(layout, table["h_step"].nunique())
    return Chart(identity, f"How sharply {model} looks", caption, data, layout)


def focus_chart(identity: str, model: str, table: pd.DataFrame, steps: str) -> Chart:
    """Shares of recent, seasonal and other lags by horizon step, stacked."""
    x = [int(k) for k in table["h_step"]]
    data = [
        bars_of(k, f"{kind} lags", x, rounded(table[kind] * 100), f"{kind}, step %{{x}}: %{{y:.1f}} %")
        for k, kind in enumerate(FOCUS)
    ]
    first, last = table.iloc[0], table.iloc[-1]
    moved = ", ".join(f"{kind} lags {float(first[kind]):.0%} and {float(last[kind]):.0%}" for kind in FOCUS)
    caption = (
        f"{model}, share of the weight at step {x[0]} and at step {x[-1]}: {moved}. Seasonal lags lie whole seasons "
        "before the forecast step; recent ones are the newest quarter of the shortest season, a tenth of the lookback "
        "without one."
    )
    layout = {**titles(f"horizon step, {steps} after the cutoff", "share of the weight, %"), "barmode": "stack"}
    layout["yaxis"]["range"] = [0, 100]
    whole_steps(layout, len(x))
    return Chart(identity, f"Recent and seasonal lags of {model}", caption, data, layout)


def regime_chart(identity: str, model: str, tables: Tables, steps: str) -> Chart:
    """Mean weight by distance inside and outside event windows."""
    table, figures = tables["regime_profiles"], tables["regimes"]
    about = figures.iloc[0]
    x = [int(d) for d in table["distance"]]
    data = [
        line_of(k, f"{side} event windows", x, rounded(table[side]), f"{side}, %{{x}} back: %{{y:.4f}}")
        for k, side in enumerate(("outside", "inside"))
    ]
    gap = (table["inside"] - table["outside"]).to_numpy(float)
    most = int(np.abs(gap).argmax())
    sure = int(figures["more_than_chance"].astype(bool).sum())
    one, other = (number(float(table[side].iloc[most])) for side in ("inside", "outside"))
    apart = (
        "Both profiles are the same to four digits" if one == other
        else f"The profiles lie farthest apart {x[most]} {steps} back: {one} inside, {other} outside"
    )  # fmt: skip
    rule = f"intervals of {float(about['level']):.4g} % each, so that all hold together with 95 %"
    told = (
        "too few cutoffs for intervals" if figures["low"].isna().all()
        else f"{sure} of {len(figures)} figures in the table below differ by more than chance ({rule})"
    )  # fmt: skip
    caption = (
        f"{model}: {int(about['n_inside'])} windows are inside ({about['events']}), {int(about['n_outside'])} outside. "
        f"{apart}; {told}."
    )
    layout = titles(f"{steps} before the forecast step (oldest left)", "mean weight, share of one")
    layout["xaxis"]["autorange"] = "reversed"
    layout["yaxis"]["rangemode"] = "tozero"
    return Chart(identity, f"{model} inside event windows", caption, data, layout)
