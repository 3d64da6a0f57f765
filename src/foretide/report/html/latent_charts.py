"""Pictures of a latent state: the modes of its dynamics, and its forecast error beside standing still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.report.html.charts import Chart
from foretide.report.html.escape import rounded
from foretide.report.summary import number

if TYPE_CHECKING:
    import pandas as pd


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
    caption = (
        f"{model}'s rolled-out state has less error than the last state kept at {int((mse < kept).sum())} of {len(x)} "
        f"steps: {number(float(mse[0]))} against {number(float(kept[0]))} at step 1, {number(float(mse[-1]))} against "
        f"{number(float(kept[-1]))} at step {x[-1]}."
    )
    layout = {
        "xaxis": {"title": {"text": f"step, {steps} after the cutoff"}},
        "yaxis": {"title": {"text": "mean squared error, standard units"}, "rangemode": "tozero"},
    }
    return Chart(identity, f"Latent forecast error of {model}", caption, data, layout)
