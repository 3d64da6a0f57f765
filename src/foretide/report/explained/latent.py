"""Pictures of a latent state: modes and error of its dynamics, which targets follow it, what it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.pictures.picture import Axis, Bars, Heat, Line, Panel, Picture, Points, View
from foretide.pictures.style import QUIET
from foretide.report.explained.path import path_picture
from foretide.report.explained.shocks import response_picture, share_picture
from foretide.text import number

if TYPE_CHECKING:
    import pandas as pd

    from foretide.report.content import Explained
    from foretide.typing import Floats

ROOM = {"responses": 200_000, "shares": 110_000, "path": 200_000}
"""Characters that the views of a picture may take; all pictures of a latent state stay below 600,000."""
MOST_ROWS = 20
"""Of a picture of names."""


def latent_pictures(part: Explained, steps: str, models: int = 1) -> list[Picture]:
    """Return every picture that the tables of one model allow.

    Parameters
    ----------
    part : Explained
        Its tables are those of :class:`foretide.explain.latent.summary.DynamicsSummary`; ``path`` may say which rows
        were ``fitted``.
    steps : str
        The word for steps of time.
    models : int
        Models that share the room in the page.

    Returns
    -------
    list of Picture
    """
    model, tables = part.model, part.tables
    room = {key: most // models for key, most in ROOM.items()}
    drawn: list[Picture | None] = []
    if "modes" in tables:
        drawn.append(mode_picture(model, tables["modes"]))
    if "latent_errors" in tables:
        drawn.append(latent_error_picture(model, tables["latent_errors"], steps))
    if {"impulse_responses", "target_effects"} <= set(tables):
        drawn.append(response_picture(model, tables, steps, room["responses"]))
    if {"variance_decomposition", "target_effects"} <= set(tables):
        drawn.append(share_picture(model, tables, steps, room["shares"]))
    if "target_effects" in tables and len(tables["target_effects"]) > 1:
        drawn.append(effect_picture(model, tables["target_effects"]))
    if "loadings" in tables and len(tables["loadings"]) > 1:
        drawn.append(loading_picture(model, tables["loadings"]))
    if "path" in tables and len(tables["path"]):
        drawn.append(path_picture(model, tables["path"], steps, room["path"]))
    return [picture for picture in drawn if picture is not None]


def mode_picture(model: str, modes: pd.DataFrame) -> Picture | None:
    """Draw the eigenvalues of the companion matrix, with the circle that a stable state stays inside."""
    if not len(modes):
        return None
    around = np.linspace(0, 2 * np.pi, 121)
    circle = Line("", np.cos(around), np.sin(around), QUIET, "dot", width=1, legend=False, hover="")
    texts = [
        f"modulus {number(float(m))}, half-life {number(float(h))}, period {number(float(p))}"
        for m, h, p in zip(modes["modulus"], modes["half_life"], modes["period"], strict=True)
    ]
    points = Points(
        "eigenvalue", modes["real"].to_numpy(float), modes["imag"].to_numpy(float), size=9, texts=texts, hover="{text}"
    )
    moduli = modes["modulus"].to_numpy(float)
    waves = int((modes["imag"] > 0).sum())
    swing = "1 pair swings" if waves == 1 else f"{waves} pairs swing"
    caption = (
        f"{model}: {int((moduli < 1).sum())} of {len(moduli)} eigenvalues lie inside the dotted unit circle, where "
        f"effects die out; the largest modulus is {number(float(moduli.max()))}. {swing}, off the horizontal axis."
    )
    low, high = (None, None) if moduli.max() > 1.25 else (-1.3, 1.3)
    return Picture.one(
        "modes", f"Modes of {model}'s latent state", caption, [circle, points], Axis("real part", low=low, high=high),
        Axis("imaginary part", low=low, high=high, square=True),
    )  # fmt: skip


def latent_error_picture(model: str, errors: pd.DataFrame, steps: str) -> Picture | None:
    """Draw the error of the rolled-out latent state by step, beside that of the last state kept."""
    if len(errors) < 2:
        return None
    x = [int(k) for k in errors["h_step"]]
    mse, kept = errors["mse"].to_numpy(float), errors["persistence"].to_numpy(float)
    low = high = None
    tested = ""
    if {"low", "high", "difference"} <= set(errors.columns) and errors["low"].notna().any():
        low, high = (kept + errors[side].to_numpy(float) for side in ("low", "high"))
        level = f"{float(errors['level'].iloc[0]):g} % " if "level" in errors else ""
        tested = (
            f" Bars are {level}intervals of the difference, around the dashed line: where one leaves out that line, "
            f"the difference is more than chance at that step alone ({int(((low > kept) | (high < kept)).sum())} of "
            f"{len(x)} steps)."
        )
    hover = "step {x}: {y:.4g}"
    marks = [
        Line("rolled-out state", x, mse, "#0072B2", "solid", "circle", low=low, high=high, hover=hover),
        Line("last state kept", x, kept, "#D55E00", "dash", "circle", hover=hover),
    ]
    caption = (
        f"{model}'s rolled-out state has less error than the last state kept at {int((mse < kept).sum())} of {len(x)} "
        f"steps: {number(float(mse[0]))} against {number(float(kept[0]))} at step 1, {number(float(mse[-1]))} against "
        f"{number(float(kept[-1]))} at step {x[-1]}.{tested}"
    )
    return Picture.one(
        "latent", f"Latent forecast error of {model}", caption, marks,
        Axis.steps(f"step, {steps} after the cutoff", len(x)),
        Axis("mean squared error, standard units", from_zero=True),
    )  # fmt: skip


def effect_picture(model: str, table: pd.DataFrame) -> Picture:
    """Draw how far shocks to all latents together move each forecast, the most moved at the top."""
    share = bool((table["relative"] > 0).any())
    column, unit = ("relative", "% of the mean forecast") if share else ("size", "original units")
    order = table.sort_values(column, ascending=False, kind="stable")
    part = order.head(MOST_ROWS)
    value = part[column].to_numpy(float) * (100 if share else 1)
    places = zip(part["target"], part["step"], strict=True)
    texts = [f"{name}, step {int(step)} after the shock" for name, step in places]
    bars = Bars("move", list(range(len(part))), value, across=True, texts=texts, hover="{text}: {x:.4g}")
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
    return Picture.one(
        "effects", f"Which forecasts follow {model}'s latent state", caption, [bars],
        Axis(f"move of the forecast, {unit}"), Axis.names("target", part["target"].tolist()),
    )  # fmt: skip


def loading_picture(model: str, table: pd.DataFrame) -> Picture:
    """Draw how the columns that are read go with the latents."""
    shown = leading_loadings(table, MOST_ROWS)
    size = np.nan_to_num(np.abs(shown.correlation))
    c, k = divmod(int(size.argmax()), size.shape[1])
    left = (
        f" The {len(shown.columns)} columns with the largest correlations of {len(shown.columns) + shown.left_out} are "
        "shown." if shown.left_out else ""
    )  # fmt: skip
    blank = " Blank: a constant column." if np.isnan(shown.correlation).any() else ""
    together = (
        f"{model}: columns that go with the same latent stand together. Most: {shown.columns[c]} with "
        f"{shown.latents[k]}, correlation {shown.correlation[c, k]:+.2f} over the training part.{left}{blank}"
    )
    reach = float(np.nanmax(np.abs(shown.jacobian), initial=0.0)) or 1.0
    slope = (
        f"{model}: the decoder's slope at the mean state, in standard deviations of the column per standard deviation "
        f"of the latent; between {number(float(shown.jacobian.min()))} and {number(float(shown.jacobian.max()))}.{left}"
    )
    x = Axis("latent state", ticks=list(enumerate(shown.latents)), grid=False)
    y = Axis.names("column that is read", shown.columns)
    places, rows = list(range(len(shown.latents))), list(range(len(shown.columns)))
    views = {
        label: View([
            Panel([Heat(places, rows, values, -most, most, "diverging", name, shown.columns, "{text}: {z:.3f}")], x, y)
        ], caption)
        for label, values, most, name, caption in (
            ("correlation", shown.correlation, 1.0, "correlation", together),
            ("slope of the decoder", shown.jacobian, reach, "slope", slope),
        )
    }  # fmt: skip
    return Picture.with_list("loadings", f"What {model}'s latent states go with", "Measured", views)


@dataclass(frozen=True)
class Loadings:
    """The columns that go most with the latent states.

    Attributes
    ----------
    columns : sequence of str
        ``C``; those that go with the same latent stand together, the strongest first.
    latents : sequence of str
        ``K``.
    correlation, jacobian : float arrays ``[C, K]``
    left_out : int
    """

    columns: Sequence[str]
    latents: Sequence[str]
    correlation: Floats
    jacobian: Floats
    left_out: int


def leading_loadings(table: pd.DataFrame, most: int) -> Loadings:
    """Pick the columns with the largest correlations (of either sign) with any latent, at most ``most``."""
    latents = list(dict.fromkeys(table["latent"].astype(str)))
    columns = [str(c) for c in table["column"].to_numpy()[:: len(latents)]]
    correlation, jacobian = (
        table[name].to_numpy(float).reshape(len(columns), len(latents)) for name in ("correlation", "jacobian")
    )
    size = np.nan_to_num(np.abs(correlation))
    strongest = size.max(axis=1)
    kept = np.argsort(-strongest, kind="stable")[:most]
    kept = kept[np.lexsort((-strongest[kept], size[kept].argmax(axis=1)))]
    return Loadings(
        [columns[c] for c in kept], latents, correlation[kept], jacobian[kept], len(columns) - len(kept)
    )  # fmt: skip
