"""Pictures of a latent state: modes and error of its dynamics, which targets follow it, what it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.report.explained_data import leading_loadings
from foretide.report.html.chart import Chart, Picker, View, titles
from foretide.report.html.escape import plot_text, rounded
from foretide.report.html.latent_path import path_chart
from foretide.report.html.latent_shocks import response_chart, share_chart
from foretide.report.html.marks import name_axis, whole_steps
from foretide.report.style import COLOURS
from foretide.text import number

if TYPE_CHECKING:
    import pandas as pd

    Tables = Mapping[str, pd.DataFrame]

ROOM = {"responses": 200_000, "shares": 110_000, "path": 200_000}
"""Characters that the views of a picture may take; all pictures of a latent state stay below 600,000."""
MOST_ROWS = 20
"""Of a picture of names."""
DIVERGING = [[0, "#2166ac"], [0.25, "#92c5de"], [0.5, "#f7f7f7"], [0.75, "#f4a582"], [1, "#b2182b"]]
"""Blue below zero, red above it: told apart with every common kind of colour blindness (ColorBrewer's RdBu)."""


def latent_charts(place: int, model: str, tables: Tables, steps: str, *, models: int = 1) -> list[Chart]:
    """Return every picture that the tables of one model allow.

    Parameters
    ----------
    place : int
        Of the model among those with a latent state; part of the pictures' identities.
    model : str
    tables : mapping
        As :meth:`foretide.explain.latent.summary.DynamicsSummary.frames`; ``path`` may say which rows were
        ``fitted``.
    steps : str
        The word for steps of time.
    models : int
        Models that share the room in the page.
    """
    drawn: list[Chart | None] = []
    if "modes" in tables:
        drawn.append(mode_chart(f"chart-modes-{place}", model, tables["modes"]))
    if "latent_errors" in tables:
        drawn.append(latent_error_chart(f"chart-latent-{place}", model, tables["latent_errors"], steps))
    if {"impulse_responses", "target_effects"} <= set(tables):
        room = ROOM["responses"] // models
        drawn.append(response_chart(f"chart-responses-{place}", model, tables, steps, room))
    if {"variance_decomposition", "target_effects"} <= set(tables):
        room = ROOM["shares"] // models
        drawn.append(share_chart(f"chart-shares-{place}", model, tables, steps, room))
    if "target_effects" in tables and len(tables["target_effects"]) > 1:
        drawn.append(effect_chart(f"chart-effects-{place}", model, tables["target_effects"]))
    if "loadings" in tables:
        drawn.append(loading_chart(f"chart-loadings-{place}", model, tables["loadings"]))
    if "path" in tables and len(tables["path"]):
        drawn.append(path_chart(f"chart-path-{place}", model, tables["path"], steps, ROOM["path"] // models))
    return [chart for chart in drawn if chart is not None]


def mode_chart(identity: str, model: str, modes: pd.DataFrame) -> Chart | None:
    """Eigenvalues of the companion matrix in the complex plane, with the circle that a stable state stays inside."""
    if not len(modes):
        return None
    around = np.linspace(0, 2 * np.pi, 121)
    circle = {
        "type": "scatter", "mode": "lines", "x": rounded(np.cos(around)), "y": rounded(np.sin(around)),
        "line": {"color": "@quiet", "width": 1, "dash": "dot"}, "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip
    text = [
        f"modulus {number(float(m))}, half-life {number(float(h))}, period {number(float(p))}"
        for m, h, p in zip(modes["modulus"], modes["half_life"], modes["period"], strict=True)
    ]
    points = {
        "type": "scatter", "mode": "markers", "x": rounded(modes["real"]), "y": rounded(modes["imag"]), "text": text,
        "hovertemplate": "%{text}", "marker": {"color": "#0072B2", "size": 9}, "name": "eigenvalue",
    }  # fmt: skip
    moduli = modes["modulus"].to_numpy(float)
    inside = int((moduli < 1).sum())
    waves = int((modes["imag"] > 0).sum())
    swing = "1 pair swings" if waves == 1 else f"{waves} pairs swing"
    caption = (
        f"{model}: {inside} of {len(moduli)} eigenvalues lie inside the dotted unit circle, where effects die out; the "
        f"largest modulus is {number(float(moduli.max()))}. {swing}, off the horizontal axis."
    )
    layout = {
        "xaxis": {"title": {"text": "real part"}, "range": [-1.3, 1.3], "constrain": "domain"},
        "yaxis": {"title": {"text": "imaginary part"}, "range": [-1.3, 1.3], "scaleanchor": "x"},
        "showlegend": False,
    }  # fmt: skip
    if moduli.max() > 1.25:
        for axis in ("xaxis", "yaxis"):
            layout[axis].pop("range")  # type: ignore[attr-defined]
    return Chart(identity, f"Modes of {model}'s latent state", caption, [circle, points], layout)


def latent_error_chart(identity: str, model: str, errors: pd.DataFrame, steps: str) -> Chart | None:
    """Error of the rolled-out latent state by step, beside that of the last state kept."""
    if len(errors) < 2:
        return None
    x = [int(k) for k in errors["h_step"]]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines+markers", "name": name, "x": x, "y": rounded(errors[column]),
            "line": {"color": colour, "dash": dash}, "hovertemplate": "step %{x}: %{y:.4g}",
        }
        for column, name, colour, dash in (
            ("mse", "rolled-out state", "#0072B2", "solid"), ("persistence", "last state kept", "#D55E00", "dash"),
        )
    ]  # fmt: skip
    mse, kept = errors["mse"].to_numpy(float), errors["persistence"].to_numpy(float)
    tested = ""
    if {"low", "high", "difference"} <= set(errors.columns) and errors["low"].notna().any():
        low, high = (kept + errors[side].to_numpy(float) for side in ("low", "high"))
        data[0]["error_y"] = {
            "type": "data", "symmetric": False, "array": rounded(high - mse), "arrayminus": rounded(mse - low),
            "thickness": 1.3, "width": 3,
        }  # fmt: skip
        level = f"{float(errors['level'].iloc[0]):g} % " if "level" in errors else ""
        tested = (
            f" Bars are {level}intervals of the difference, around the dashed line: where one leaves out that line, "
            f"the difference is more than chance at that step alone ({int(((low > kept) | (high < kept)).sum())} of "
            f"{len(x)} steps)."
        )
    caption = (
        f"{model}'s rolled-out state has less error than the last state kept at {int((mse < kept).sum())} of {len(x)} "
        f"steps: {number(float(mse[0]))} against {number(float(kept[0]))} at step 1, {number(float(mse[-1]))} against "
        f"{number(float(kept[-1]))} at step {x[-1]}.{tested}"
    )
    layout = {
        "xaxis": {"title": {"text": f"step, {steps} after the cutoff"}},
        "yaxis": {"title": {"text": "mean squared error, standard units"}, "rangemode": "tozero"},
    }
    whole_steps(layout, len(x))
    return Chart(identity, f"Latent forecast error of {model}", caption, data, layout)


def effect_chart(identity: str, model: str, table: pd.DataFrame) -> Chart:
    """How far shocks to all latents together move each forecast, the most moved at the top."""
    share = bool((table["relative"] > 0).any())
    column, unit = ("relative", "% of the mean forecast") if share else ("size", "original units")
    order = table.sort_values(column, ascending=False, kind="stable")
    part = order.head(MOST_ROWS)
    value = part[column].to_numpy(float) * (100 if share else 1)
    places = zip(part["target"], part["step"], strict=True)
    data = [{
        "type": "bar", "orientation": "h", "y": list(range(len(part))), "x": rounded(value),
        "marker": {"color": COLOURS[0]}, "textposition": "none", "hovertemplate": "%{text}: %{x:.4g}",
        "text": [f"{plot_text(name)}, step {int(step)} after the shock" for name, step in places],
    }]  # fmt: skip
    half = int((order[column] >= order[column].iloc[0] / 2).sum())
    farthest = (
        f"Farthest: {part['target'].iloc[0]}, {number(float(value[0]))} {unit}; {half} of {len(order)} move at least "
        "half as far." if value[0] > 0 else "None moves."
    )  # fmt: skip
    cut = f" The {len(part)} most moved of {len(order)} targets." if len(part) < len(order) else ""
    caption = (
        f"{model}: how far shocks of one standard deviation to all latents together (root of the summed squares) move "
        f"each forecast, at the step where most. {farthest}{cut}"
    )
    layout = {**titles(f"move of the forecast, {unit}", "target"), "showlegend": False, "bargap": 0.25}
    layout["yaxis"] |= name_axis(part["target"])
    return Chart(identity, f"Which forecasts follow {model}'s latent state", caption, data, layout)


def loading_chart(identity: str, model: str, table: pd.DataFrame) -> Chart:
    """How the columns that are read go with the latents."""
    shown = leading_loadings(table, MOST_ROWS)
    size = np.nan_to_num(np.abs(shown.correlation))
    c, k = divmod(int(size.argmax()), size.shape[1])
    left = (
        f" The {len(shown.columns)} columns with the largest correlations of {len(shown.columns) + shown.left_out} are "
        "shown." if shown.left_out else ""
    )  # fmt: skip
    told = (
        f"{model}: columns that go with the same latent stand together. Most: {shown.columns[c]} with "
        f"{shown.latents[k]}, correlation {shown.correlation[c, k]:+.2f} over the training part.{left}"
    )
    blank = " Blank: a constant column." if np.isnan(shown.correlation).any() else ""
    reach = float(np.nanmax(np.abs(shown.jacobian), initial=0.0)) or 1.0
    slope = (
        f"{model}: the decoder's slope at the mean state, in standard deviations of the column per standard deviation "
        f"of the latent; between {number(float(shown.jacobian.min()))} and {number(float(shown.jacobian.max()))}.{left}"
    )
    views = {
        "0": View([_heat(shown.columns, shown.latents, shown.correlation, 1.0, "correlation")], told + blank),
        "1": View([_heat(shown.columns, shown.latents, shown.jacobian, reach, "slope")], slope),
    }
    layout = titles("latent state", "column that is read")
    layout["yaxis"] |= name_axis(shown.columns)
    layout["xaxis"] |= {"type": "category", "showgrid": False}
    return Chart.picked(
        identity, f"What {model}'s latent states go with",
        [Picker("Measured", ["correlation", "slope of the decoder"])], views, layout,
    )  # fmt: skip


def _heat(columns: Any, latents: Any, values: Any, reach: float, name: str) -> dict[str, Any]:
    return {
        "type": "heatmap", "x": [plot_text(z) for z in latents], "y": list(range(len(columns))),
        "z": [rounded(row) for row in values], "zmin": -reach, "zmax": reach, "colorscale": DIVERGING,
        "text": [[plot_text(name)] * len(latents) for name in columns], "xgap": 1, "ygap": 1,
        "hovertemplate": "%{text}, %{x}: %{z:.3f}<extra></extra>",
        "colorbar": {
            "title": {"text": name, "side": "right", "font": {"size": 13}}, "thickness": 12, "outlinewidth": 0,
        },
    }  # fmt: skip
