"""What shocks to a latent state move, and whose shocks the forecast error comes from; the targets to pick from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.report.explained_data import most_moved
from foretide.report.html.chart import Chart, Picker, View, titles
from foretide.report.html.escape import rounded
from foretide.report.html.marks import bars_of, characters, line_of, whole_steps
from foretide.text import number

if TYPE_CHECKING:
    import pandas as pd

    Tables = Mapping[str, pd.DataFrame]

MOST_TARGETS = 60
"""That can be picked, where they fit."""


def response_chart(identity: str, model: str, tables: Tables, steps: str, room: int) -> Chart:
    """What a shock to each latent does to targets and latents, step by step; those targets that are moved most."""
    table = tables["impulse_responses"]
    names = _names(tables)
    parts = dict(_parts(table))
    shared = bool(table["relative"].notna().any())
    units = ["original units", "% of the mean forecast"] if shared else ["original units"]
    base = titles(f"{steps} after the shock", "")
    whole_steps(base, table["step"].nunique())

    def views_of(kind: str, name: str) -> list[View]:
        return [_responses(model, kind, name, parts[kind, name], base["xaxis"], unit) for unit in units]

    options, views, left = _fitting(names, views_of, room)
    more = _about_shocks(tables) + left
    told = {key: View(view.data, f"{view.caption}{more}", view.layout) for key, view in views.items()}
    return Chart.picked(
        identity, f"What shocks to {model}'s latent state move",
        [Picker("Response of", options), Picker("Unit", units)], told, {},
    )  # fmt: skip


def _responses(model: str, kind: str, name: str, part: pd.DataFrame, x: dict[str, Any], unit: str) -> View:
    share = unit.startswith("%") and kind == "target"
    column = "relative" if share else "response"
    data, largest = [], (0.0, "", 0)
    for k, (shock, own) in enumerate(part.groupby("shock", sort=False)):
        values = own[column].to_numpy(float) * (100 if share else 1)
        at = [int(s) for s in own["step"]]
        data.append(line_of(k, f"shock to {shock}", at, rounded(values), "%{x}: %{y:.4g}", markers=len(at) < 3))
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
    title = {"text": f"response, {measured}"}
    return View(data, caption, {"xaxis": x, "yaxis": {"title": title, "zerolinecolor": "@quiet"}})


def share_chart(identity: str, model: str, tables: Tables, steps: str, room: int) -> Chart:
    """Whose shocks the forecast error comes from, stacked by step."""
    names = _names(tables)
    parts = dict(_parts(tables["variance_decomposition"]))

    def views_of(kind: str, name: str) -> list[View]:
        return [_shares(model, kind, name, parts[kind, name])]

    options, views, left = _fitting(names, views_of, room)
    told = {
        key.removesuffix("/0"): View(view.data, f"{view.caption}{left}", view.layout) for key, view in views.items()
    }
    layout = {**titles(f"step, {steps} after the cutoff", "share of the variance, %"), "barmode": "stack"}
    layout["yaxis"]["range"] = [0, 100]
    whole_steps(layout, tables["variance_decomposition"]["h_step"].nunique())
    return Chart.picked(
        identity, f"Which shocks make {model}'s forecast uncertain", [Picker("Variance of", options)], told, layout
    )


def _shares(model: str, kind: str, name: str, part: pd.DataFrame) -> View:
    data, last = [], []
    for k, (shock, own) in enumerate(part.groupby("shock", sort=False)):
        values = own["share"].to_numpy(float) * 100
        data.append(
            bars_of(k, f"shock to {shock}", [int(s) for s in own["h_step"]], rounded(values), "step %{x}: %{y:.1f} %")
        )
        last.append((float(values[-1]), str(shock)))
    what = f"{name}'s forecast that the latent state causes" if kind == "target" else f"the latent state {name}"
    horizon = int(part["h_step"].max())
    known = [(share, shock) for share, shock in last if np.isfinite(share)]
    if not known:
        return View(data, f"{model}: no shock moves {name}.")
    top = sorted(known, reverse=True)[:2]
    listed = " and ".join(f"{share:.0f} % from shocks to {shock}" for share, shock in top)
    noise = " The target's own noise comes on top." if kind == "target" else ""
    return View(data, f"{model}: of the variance of {what}, {listed} at step {horizon}.{noise}")


# ------------------------------------------------------------------ what can be picked
def _names(tables: Tables) -> dict[str, list[str]]:
    """Targets, those first that shocks move most, and latents."""
    table = tables.get("impulse_responses", tables.get("variance_decomposition"))
    assert table is not None
    latents = list(dict.fromkeys(table.loc[table["kind"] == "state", "name"].astype(str)))
    return {"target": most_moved(tables["target_effects"]), "state": latents}


def _parts(table: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    found = table.groupby([table["kind"], table["name"].astype(str)], sort=False)
    return [((str(kind), str(name)), part) for (kind, name), part in found]


def _fitting(names: dict[str, list[str]], views_of: Any, room: int) -> tuple[list[str], dict[str, View], str]:
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
    found = {f"{k}/{u}": view for k, views in enumerate([*targets, *states]) for u, view in enumerate(views)}
    cut = [
        f"{kept[kind]} of {len(names[kind])} {what}"
        for kind, what in (("target", "targets, those that shocks move most"), ("state", "latents"))
        if kept[kind] < len(names[kind])
    ]
    return options, found, f" Here are {' and '.join(cut)}; the tables have all." if cut else ""


def _kept(names: Sequence[str], kind: str, views_of: Any, room: int) -> tuple[list[list[View]], int]:
    """Views of the first names that fit, and the room they take."""
    kept: list[list[View]] = []
    used = 0
    for name in names:
        views = views_of(kind, name)
        size = characters(views)
        if kept and used + size > room:
            break
        kept.append(views)
        used += size
    return kept, used


def _later(step: int) -> str:
    return "at that step" if step == 0 else f"{step} step{'s' if step > 1 else ''} later"


def _about_shocks(tables: Tables) -> str:
    """Say how correlated errors became shocks, where that is known."""
    if "latent_about" not in tables:
        return ""
    about = tables["latent_about"].iloc[0]
    if about["shocks"] == "cholesky":
        return f" Shocks are uncorrelated, by Cholesky in the order {about['order']}."
    return " Shocks are generalised: they need no order and are correlated."
