"""Pictures of attention: where it looks, how sharply, what events change, and whether the forecast needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.pictures.picture import Axis, Bars, Line, Panel, Picture, Points, Rule, View
from foretide.pictures.style import COLOURS, QUIET
from foretide.text import number

if TYPE_CHECKING:
    from foretide.report.content import Explained
    from foretide.typing import Floats

    Tables = Mapping[str, pd.DataFrame]

FOCUS = ("recent", "seasonal", "other")
"""Kinds of lags, as :func:`foretide.explain.weights.profiles.kinds` tells them apart."""
MEASURED = "mean squared error, training scale = 1"
"""What errors of the test of faithfulness are measured in, as the title of an axis."""
BY_DISTANCE = "mean weight by distance"
MASKS = (("error", "no mask"), ("attended", "most attended lags masked"), ("random", "as many random lags masked"))
"""Column of ``faithfulness_by_step``, and its name."""


def belief_pictures(part: Explained, steps: str, models: int = 1) -> list[Picture]:
    """Return every picture that the tables of one model allow.

    Parameters
    ----------
    part : Explained
        Its tables are those of :class:`foretide.explain.weights.summary.AttentionSummary`.
    steps : str
        The word for steps of time.
    models : int
        Not needed here.

    Returns
    -------
    list of Picture
    """
    model, tables = part.model, part.tables
    drawn = []
    if "faithfulness" in tables:
        drawn += [mask_picture(model, tables, steps), rank_picture(model, tables)]
    if "lags" in tables:
        drawn.append(lag_picture(model, tables, steps))
    if "entropy" in tables:
        drawn.append(entropy_picture(model, tables["entropy"], steps))
    if "horizon" in tables and len(tables["horizon"]) > 1:
        drawn.append(focus_picture(model, tables["horizon"], steps))
    if "regimes" in tables:
        drawn.append(regime_picture(model, tables, steps))
    return drawn


def mask_picture(model: str, tables: Tables, steps: str) -> Picture:
    """Draw the error by horizon step without a mask, with the most attended lags masked, and with random ones."""
    table, one = tables["faithfulness_by_step"], tables["faithfulness"].iloc[0]
    x = [int(k) for k in table["h_step"]]
    marks = [
        Line.nth(k, name, x, table[column].to_numpy(float), "step {x}: {y:.4g}")
        for k, (column, name) in enumerate(MASKS)
    ]  # fmt: skip
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
    title = f"Does {model}'s forecast need the lags it attends to?"
    return Picture.one("masks", title, caption, marks, _steps(steps, len(x)), Axis(MEASURED, from_zero=True))


def rank_picture(model: str, tables: Tables) -> Picture:
    """Draw where the true error lies among those with the lags relabelled, for both tests."""
    one, tests = tables["faithfulness"].iloc[0], both_tests(tables)
    n = int(one["draws"])
    masking = _rank_view(
        tests["masking"], "random lags masked", "most attended lags masked",
        f"{model}: error with {_lags(int(one['k']))} masked (diamond) among {n} with the same mask on "
        f"random lags. It is number {tests['masking'].place} of {n + 1} from below; p = "
        f"{number(tests['masking'].p_value)} is the share at least as high, itself included.",
    )  # fmt: skip
    moving = _rank_view(
        tests["moving"], "weights at random lags", "weights where they are",
        f"{model}: error by its own weights (diamond) among {n} with the weights moved to random lags. It is number "
        f"{tests['moving'].place} of {n + 1} from below; p = {number(tests['moving'].p_value)} is the share at "
        "least as low, itself included.",
    )  # fmt: skip
    views = {"masking: the true one should be high": masking, "moving: the true one should be low": moving}
    return Picture.with_list("ranks", f"{model} among random relabellings", "Test", views, every=True)


def _lags(k: int) -> str:
    return "the most attended lag" if k == 1 else f"the {k} most attended lags"


def _rank_view(ranks: Ranked, others: str, own: str, caption: str) -> View:
    place = np.arange(1, len(ranks.values) + 1)
    rest, hover = place != ranks.place, "rank {x}: {y:.4g}"
    marks = [
        Points(others, place[rest], ranks.values[rest], QUIET, "circle", 6, hover=hover),
        Points(own, [ranks.place], [ranks.values[ranks.place - 1]], COLOURS[1], "diamond", 13, hover=hover),
    ]
    return View([Panel(marks, Axis("rank of the error (lowest left)"), Axis(MEASURED))], caption)


def lag_picture(model: str, tables: Tables, steps: str) -> Picture:
    """Draw the weight by lag and by distance, and how often each lag leads."""
    even = 1 / np.exp(float(tables["entropy"]["limit"].iloc[0])) if "entropy" in tables else 1 / len(tables["lags"])
    lag = f"lag, {steps} before the cutoff (oldest left)"
    far = f"{steps} before the forecast step (oldest left)"
    known = [("mean weight by lag", lag, "lag", "weight", tables["lags"], "mean weight, share of one")]
    if "lags_by_distance" in tables:
        table = tables["lags_by_distance"]
        known.insert(0, (BY_DISTANCE, far, "distance", "weight", table, "mean weight, share of one"))
    if "top1" in tables:
        leads = tables["top1"].groupby("lag")["share"].sum()
        top = pd.DataFrame({"lag": leads.index, "share": leads.to_numpy() / leads.sum()})
        known.append(("how often a lag leads", lag, "lag", "share", top, "most attended, share of all rows"))
    views = {}
    for name, title, axis, column, table, y in known:
        bars = Bars("weight", [int(v) for v in table[axis]], table[column].to_numpy(float), hover="{x}: {y:.4f}")
        x = Axis(title, reverse=True)
        if column == "share":  # lags that never lead have no bar, but a place
            x = Axis(title, low=-0.5, high=len(tables["lags"]) - 0.5, reverse=True)
        panel = Panel([bars, Rule(float(even))], x, Axis(y, from_zero=True))
        views[name] = View([panel], f"{model}: {_leading(table, axis, column, steps)} {_even(column, float(even))}")
    return Picture.with_list("lags", f"Where {model} looks", "Measured", views)


def _leading(table: pd.DataFrame, axis: str, column: str, steps: str) -> str:
    top = table.sort_values(column, ascending=False, kind="stable").head(3)
    said = ", ".join(f"{int(a)} ({number(float(v))})" for a, v in zip(top[axis], top[column], strict=True))
    if column == "share":
        return f"the lags that lead most often are {said} {steps}, of all windows, heads and horizon steps."
    where = "before the forecast step" if axis == "distance" else "before the cutoff"
    return f"the largest mean weights lie {said} {steps} {where}."


def _even(column: str, even: float) -> str:
    what = "each lag would lead equally often" if column == "share" else "attention would be even"
    return f"On the dotted line, at {number(even)}, {what}."


def entropy_picture(model: str, table: pd.DataFrame, steps: str) -> Picture:
    """Draw the entropy of each head by horizon step, with the limit of even weights."""
    marks = [
        Line.nth(k, f"head {head}", part["h_step"].tolist(), part["entropy"].to_numpy(float), "step {x}: {y:.3f}")
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
    return Picture.one(
        "entropy", f"How sharply {model} looks", caption, [*marks, Rule(limit)],
        _steps(steps, table["h_step"].nunique()), Axis("entropy of the weights, nats", low=0, high=limit * 1.08),
    )  # fmt: skip


def focus_picture(model: str, table: pd.DataFrame, steps: str) -> Picture:
    """Draw the shares of recent, seasonal and other lags by horizon step, stacked."""
    x = [int(k) for k in table["h_step"]]
    marks = [
        Bars.nth(k, f"{kind} lags", x, table[kind].to_numpy(float) * 100, "step {x}: {y:.1f} %")
        for k, kind in enumerate(FOCUS)
    ]  # fmt: skip
    first, last = table.iloc[0], table.iloc[-1]
    moved = ", ".join(f"{kind} lags {float(first[kind]):.0%} and {float(last[kind]):.0%}" for kind in FOCUS)
    caption = (
        f"{model}, share of the weight at step {x[0]} and at step {x[-1]}: {moved}. Seasonal lags lie whole seasons "
        "before the forecast step; recent ones are the newest quarter of the shortest season, a tenth of the lookback "
        "without one."
    )
    y = Axis("share of the weight, %", low=0, high=100)
    title = f"Recent and seasonal lags of {model}"
    return Picture.one("focus", title, caption, marks, _steps(steps, len(x)), y, stacked=True)


def regime_picture(model: str, tables: Tables, steps: str) -> Picture:
    """Draw the mean weight by distance inside and outside event windows."""
    table, figures = tables["regime_profiles"], tables["regimes"]
    about = figures.iloc[0]
    x = [int(d) for d in table["distance"]]
    marks = [
        Line.nth(k, f"{side} event windows", x, table[side].to_numpy(float), "{x} back: {y:.4f}", symbols=False)
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
    tested = (
        "too few cutoffs for intervals" if figures["low"].isna().all()
        else f"{sure} of {len(figures)} figures in the table below differ by more than chance ({rule})"
    )  # fmt: skip
    caption = (
        f"{model}: {int(about['n_inside'])} windows are inside ({about['events']}), {int(about['n_outside'])} outside. "
        f"{apart}; {tested}."
    )
    across = Axis(f"{steps} before the forecast step (oldest left)", reverse=True)
    y = Axis("mean weight, share of one", from_zero=True)
    return Picture.one("regimes", f"{model} inside event windows", caption, marks, across, y)


def _steps(steps: str, n: int) -> Axis:
    """Return an axis of the horizon, a tick at every step where there are few."""
    return Axis.steps(f"horizon step, {steps} after the cutoff", n)


# ------------------------------------------------------------------ the test of faithfulness
@dataclass(frozen=True)
class Ranked:
    """An error among those of its relabellings.

    Attributes
    ----------
    values : float array ``[1 + draws]``
        All of them, smallest first.
    place : int
        Where the true one stands, 1 the smallest. Equal ones stand on the side that makes it less special.
    p_value : float
    """

    values: Floats
    place: int
    p_value: float


def ranked(draws: Floats, own: float, *, expected: str) -> Ranked:
    """Sort an error among its draws; ``expected`` says whether it is special when ``"high"`` or when ``"low"``."""
    beyond = int((draws >= own).sum() if expected == "high" else (draws <= own).sum())
    place = len(draws) + 1 - beyond if expected == "high" else 1 + beyond
    return Ranked(np.sort(np.append(draws, own)), place, (1 + beyond) / (1 + len(draws)))


def both_tests(tables: Tables) -> dict[str, Ranked]:
    """Where the true error lies in the test of masking and in that of moving."""
    one, draws = tables["faithfulness"].iloc[0], tables["faithfulness_draws"]
    return {
        "masking": ranked(draws["random"].to_numpy(float), float(one["attended"]), expected="high"),
        "moving": ranked(draws["moved"].to_numpy(float), float(one["error"]), expected="low"),
    }


def difference_words(one: pd.Series) -> str:
    """Say how far the error with attended lags masked lies from that with random ones; ``one`` is the test's row."""
    said = f"{float(one['difference']):+.1%} of the error"
    if not np.isfinite([float(one["low"]), float(one["high"])]).all():
        return f"{said}, {int(one['n_cutoffs'])} cutoffs are too few for an interval"
    return (
        f"{said}, 95 % interval {float(one['low']):+.1%} to {float(one['high']):+.1%} over {int(one['n_cutoffs'])} "
        "cutoffs"
    )
