"""What shocks to a latent state move, and whose shocks the forecast error comes from; the targets to pick from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from foretide.pictures.picture import Axis, Bars, Choice, Line, Panel, Picture, View
from foretide.pictures.plotly import chart
from foretide.report.render.page import script_json
from foretide.text import number, phrase

if TYPE_CHECKING:
    import pandas as pd

    Tables = Mapping[str, pd.DataFrame]
    Parts = Mapping[tuple[str, str], pd.DataFrame]

MOST_TARGETS = 60
"""That can be picked, where they fit."""


def response_picture(model: str, tables: Tables, steps: str, room: int) -> Picture:
    """Draw what a shock to each latent does to targets and latents; those targets that are moved most."""
    table = tables["impulse_responses"]
    parts, units = _parts(table), ["original units"]
    if table["relative"].notna().any():
        units.append("% of the mean forecast")
    x = Axis.steps(f"{steps} after the shock", table["step"].nunique())
    more = _about_shocks(tables)

    def views_of(kind: str, name: str) -> list[View]:
        return [_responses(model, kind, name, parts[kind, name], x, unit) for unit in units]

    options, views, left = _fitting(_names(tables), views_of, room)
    choices = [Choice("Response of", options), Choice("Unit", units)]
    said = {key: View(view.panels, f"{view.caption}{more}{left}") for key, view in views.items()}
    return Picture("responses", f"What shocks to {model}'s latent state move", said, choices)


def _responses(model: str, kind: str, name: str, part: pd.DataFrame, x: Axis, unit: str) -> View:
    share = unit.startswith("%") and kind == "target"
    column = "relative" if share else "response"
    marks, largest = [], (0.0, "", 0)
    for k, (shock, own) in enumerate(part.groupby("shock", sort=False)):
        values = own[column].to_numpy(float) * (100 if share else 1)
        at = [int(s) for s in own["step"]]
        marks.append(Line.nth(k, f"shock to {shock}", at, values, symbols=len(at) < 3))
        if np.isfinite(values).any():
            most = int(np.nanargmax(np.abs(values)))
            if abs(values[most]) > abs(largest[0]):
                largest = (float(values[most]), str(shock), at[most])
    measured = unit if share else "standard units" if kind == "state" else "original units"
    what = f"{name}'s forecast" if kind == "target" else f"the latent state {name}"
    caption = (
        f"{model}: what a shock of one standard deviation to each latent, at the first step ahead, does to {what}, in "
        f"{measured}. "
    )
    if largest[1]:
        caption += f"Largest: {number(largest[0])} by a shock to {largest[1]}, {_later(largest[2])}."
    elif share and not part["relative"].notna().any():
        caption += "Its mean forecast is not above zero, so there is no share of it."
    else:
        caption += "Nothing moves."
    return View([Panel(marks, x, Axis(f"response, {measured}"))], caption)


def share_picture(model: str, tables: Tables, steps: str, room: int) -> Picture | None:
    """Draw whose shocks the forecast error comes from, stacked by step; nothing where all come from one latent."""
    table = tables["variance_decomposition"]
    if table["shock"].nunique() < 2:
        return None
    parts = _parts(table)
    x = Axis.steps(f"step, {steps} after the cutoff", table["h_step"].nunique())

    def views_of(kind: str, name: str) -> list[View]:
        return [_shares(model, kind, name, parts[kind, name], x)]

    options, views, left = _fitting(_names(tables), views_of, room)
    said = {key[:1]: View(view.panels, f"{view.caption}{left}") for key, view in views.items()}
    return Picture(
        "shares", f"Which shocks make {model}'s forecast uncertain", said, [Choice("Variance of", options)]
    )  # fmt: skip


def _shares(model: str, kind: str, name: str, part: pd.DataFrame, x: Axis) -> View:
    marks, last = [], []
    for k, (shock, own) in enumerate(part.groupby("shock", sort=False)):
        values = own["share"].to_numpy(float) * 100
        steps = [int(s) for s in own["h_step"]]
        marks.append(Bars.nth(k, f"shock to {shock}", steps, values, "step {x}: {y:.1f} %"))
        last.append((float(values[-1]), str(shock)))
    what = f"{name}'s forecast that the latent state causes" if kind == "target" else f"the latent state {name}"
    horizon = int(part["h_step"].max())
    known = [(share, shock) for share, shock in last if np.isfinite(share)]
    caption = f"{model}: no shock moves {name}."
    if known:
        top = " and ".join(f"{share:.0f} % from shocks to {shock}" for share, shock in sorted(known, reverse=True)[:2])
        noise = " The target's own noise comes on top." if kind == "target" else ""
        caption = f"{model}: of the variance of {what}, {top} at step {horizon}.{noise}"
    y = Axis("share of the variance, %", low=0, high=100)
    return View([Panel(marks, x, y, stacked=True)], caption)


# ------------------------------------------------------------------ what can be picked
def most_moved(effects: pd.DataFrame) -> list[str]:
    """Names of targets, those first whose forecasts shocks move most, as a share of their mean where there is one."""
    order = effects.sort_values(["relative", "size"], ascending=False, kind="stable")
    return [str(name) for name in order["target"]]


def size_of(views: Sequence[View]) -> int:
    """How many characters views take in the page."""
    return sum(len(script_json([chart(view), view.caption])) for view in views)


def _names(tables: Tables) -> dict[str, list[str]]:
    """Targets, those first that shocks move most, and latents."""
    table = tables["impulse_responses"] if "impulse_responses" in tables else tables["variance_decomposition"]
    latents = list(dict.fromkeys(table.loc[table["kind"] == "state", "name"].astype(str)))
    return {"target": most_moved(tables["target_effects"]), "state": latents}


def _parts(table: pd.DataFrame) -> Parts:
    grouped = table.groupby([table["kind"], table["name"].astype(str)], sort=False)
    return {(str(kind), str(name)): part for (kind, name), part in grouped}


def _fitting(
    names: Mapping[str, list[str]], views_of: Callable[[str, str], list[View]], room: int
) -> tuple[list[str], dict[tuple[int, ...], View], str]:  # fmt: skip
    """Views of as many targets and latents as fit, the first ones, at least one of each.

    Returns
    -------
    Options, views by the places of option and unit, and what is left out, in words.
    """
    states, used = _kept(names["state"], "state", views_of, room // 3)
    targets, _ = _kept(names["target"][:MOST_TARGETS], "target", views_of, room - used)
    kept = {"target": len(targets), "state": len(states)}
    options = [
        *names["target"][: kept["target"]],
        *(f"latent state {name}" for name in names["state"][: kept["state"]]),
    ]
    views: dict[tuple[int, ...], View] = {
        (k, u): view for k, own in enumerate([*targets, *states]) for u, view in enumerate(own)
    }
    cut = [
        f"{kept[kind]} of {len(names[kind])} {what}"
        for kind, what in (("target", "targets, those that shocks move most"), ("state", "latents"))
        if kept[kind] < len(names[kind])
    ]
    return options, views, f" Here are {' and '.join(cut)}; the tables have all." if cut else ""


def _kept(
    names: Sequence[str], kind: str, views_of: Callable[[str, str], list[View]], room: int
) -> tuple[list[list[View]], int]:  # fmt: skip
    """Views of the first names that fit, and the room they take."""
    kept: list[list[View]] = []
    used = 0
    for name in names:
        views = views_of(kind, name)
        size = size_of(views)
        if kept and used + size > room:
            break
        kept.append(views)
        used += size
    return kept, used


def _later(step: int) -> str:
    return "at that step" if step == 0 else f"{phrase('step', step)} later"


def _about_shocks(tables: Tables) -> str:
    """Say how correlated errors became shocks, where that is known."""
    if "latent_about" not in tables:
        return ""
    about = tables["latent_about"].iloc[0]
    if about["shocks"] == "cholesky":
        return f" Shocks are uncorrelated, by Cholesky in the order {about['order']}."
    return " Shocks are generalised: they need no order and are correlated."
