"""Pictures of which inputs matter: bars with intervals, those above chance filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.pictures.picture import Axis, Bars, Mark, Panel, Picture, View
from foretide.pictures.style import COLOURS
from foretide.text import number, phrase

if TYPE_CHECKING:
    import pandas as pd

    from foretide.report.content import Explained

MOST_BARS = 20
"""Bars at a time."""
ALPHA = 0.05
"""As :data:`foretide.explain.importance.summary.ALPHA`, which the table was made with."""


def input_pictures(part: Explained, steps: str = "", models: int = 1) -> list[Picture]:
    """Return the growth of the error when each input is replaced, largest first.

    Parameters
    ----------
    part : Explained
        Its table ``inputs``: ``group, kind, increase, low, high, more_than_chance``, and ``metric, loss, level``.
    steps, models
        Not needed here.

    Returns
    -------
    list of Picture
        One, or none where there is no input.
    """
    table = part.tables.get("inputs")
    if table is None or not len(table):
        return []
    scale, unit = input_scale(table)
    kinds = list(dict.fromkeys(table["kind"].astype(str)))
    choices = [("all inputs", table)]
    if len(kinds) > 1:
        choices += [(kind_of(kind), table[table["kind"].astype(str) == kind]) for kind in kinds]
    pages = [
        (name if len(own) <= MOST_BARS else f"{name}, {k + 1} to {min(k + MOST_BARS, len(own))}",
         own.iloc[k : k + MOST_BARS], len(own))
        for name, own in choices for k in range(0, len(own), MOST_BARS)
    ]  # fmt: skip
    colour = {kind: COLOURS[k % len(COLOURS)] for k, kind in enumerate(kinds)}
    views = {}
    for name, own, of in pages:
        rows = Axis.names("input that is replaced", own["group"].tolist())
        views[name] = View([Panel(_bars(own, scale, colour), Axis(unit), rows)], _caption(part.model, own, of, table))
    return [Picture.with_list("inputs", f"Which inputs {part.model} relies on", "Inputs", views, wide=True)]


def _bars(part: pd.DataFrame, scale: float, colour: dict[str, str]) -> list[Mark]:
    """Bars of each kind, those above chance filled and the others hatched, each with its interval."""
    value, low, high = (part[column].to_numpy(float) * scale for column in ("increase", "low", "high"))
    sure, kinds = part["more_than_chance"].to_numpy(bool), part["kind"].astype(str).to_numpy()
    drawn: list[Mark] = []
    for kind, shade in colour.items():
        for certain in (True, False):
            chosen = np.flatnonzero((kinds == kind) & (sure == certain))
            if len(chosen):
                drawn.append(Bars(
                    kind_of(kind) + ("" if certain else ", no more than chance"), chosen, value[chosen], shade,
                    "" if certain else "/", 1 if certain else 0.55, across=True, low=low[chosen], high=high[chosen],
                    texts=[str(name) for name in part["group"].iloc[chosen]], hover="{text}: {x:.4g}",
                ))  # fmt: skip
    return drawn


def _caption(model: str, part: pd.DataFrame, of: int, table: pd.DataFrame) -> str:
    sure = part[part["more_than_chance"].astype(bool)]
    loss, metric = float(table["loss"].iloc[0]), str(table["metric"].iloc[0]).upper()
    top = part.iloc[0]
    size = f"{float(top['increase']) / loss:+.1%} of it" if loss > 0 else f"{float(top['increase']):+.4g}"
    shown = f"{len(part)} of {phrase('input', of)}" if len(part) < of else phrase("input", of)
    tested = (
        "the cutoffs are too few for a test" if table["p_holm"].isna().all()
        else f"{len(sure)} of them matter by more than chance, filled bars (p below {ALPHA:g}, corrected for "
        f"{phrase('input', len(table))})"
    )  # fmt: skip
    bounds = (
        "" if part[["low", "high"]].isna().all(axis=None)
        else f" Lines are {float(table['level'].iloc[0]):g} % intervals over cutoffs, each for itself."
    )  # fmt: skip
    return (
        f"{model}: growth of the {metric} ({number(loss)} as it is) when an input is replaced by one that does not "
        f"belong to the window; {shown}, {tested}. Most: {top['group']}, {size}.{bounds}"
    )


def input_scale(table: pd.DataFrame) -> tuple[float, str]:
    """Return what an increase of the loss is multiplied by in pictures, and the unit it has then."""
    metric, loss = str(table["metric"].iloc[0]).upper(), float(table["loss"].iloc[0])
    if loss > 0:
        return 100 / loss, f"growth of the {metric} when replaced, %"
    return 1.0, f"growth of the {metric} when replaced, {'squared units' if metric == 'MSE' else 'original units'}"


def kind_of(kind: str) -> str:
    """Return what a group of inputs is called: ``lags`` -> ``lags of the targets``, ``past`` -> ``past columns``."""
    return "lags of the targets" if kind == "lags" else f"{kind} columns"
