"""Pictures of which inputs matter: bars with intervals, those above chance marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.report.explained_data import input_scale, kind_of
from foretide.report.html.chart import Chart, Picker, View, titles
from foretide.report.html.escape import plot_text, rounded
from foretide.report.html.marks import HATCHED, name_axis
from foretide.report.style import COLOURS
from foretide.text import number, phrase

if TYPE_CHECKING:
    import pandas as pd

MOST_BARS = 20
"""Bars at a time."""
ALPHA = 0.05
"""As :data:`foretide.explain.importance.summary.ALPHA`, which the table was made with."""


def input_chart(identity: str, model: str, table: pd.DataFrame) -> Chart | None:
    """Growth of the error when each input is replaced, largest first.

    Parameters
    ----------
    identity, model : str
    table : DataFrame
        ``group, kind, increase, low, high, more_than_chance``, and ``metric, loss, level``.
    """
    if not len(table):
        return None
    scale, unit = input_scale(table)
    kinds = list(dict.fromkeys(table["kind"].astype(str)))
    choices = [("all inputs", table)]
    if len(kinds) > 1:
        choices += [(kind_of(kind), table[table["kind"].astype(str) == kind]) for kind in kinds]
    pages = [
        (name if len(part) <= MOST_BARS else f"{name}, {k + 1} to {min(k + MOST_BARS, len(part))}",
         part.iloc[k : k + MOST_BARS], len(part))
        for name, part in choices for k in range(0, len(part), MOST_BARS)
    ]  # fmt: skip
    colour = {kind: COLOURS[k % len(COLOURS)] for k, kind in enumerate(kinds)}
    views = {
        str(k): View(_bars(part, scale, colour), _caption(model, part, of, table), _rows(part))
        for k, (_, part, of) in enumerate(pages)
    }
    layout = titles(unit, "input that is replaced")
    layout |= {"barmode": "overlay", "bargap": 0.3}
    return Chart.picked(
        identity, f"Which inputs {model} relies on", [Picker("Inputs", [name for name, *_ in pages])], views, layout,
        wide=True,
    )  # fmt: skip


def _bars(part: pd.DataFrame, scale: float, colour: dict[str, str]) -> list[dict[str, Any]]:
    """Bars of each kind, those above chance filled and the others hatched, each with its interval."""
    value, low, high = (part[column].to_numpy(float) * scale for column in ("increase", "low", "high"))
    sure, kinds = part["more_than_chance"].to_numpy(bool), part["kind"].astype(str).to_numpy()
    drawn = []
    for kind, shade in colour.items():
        for certain in (True, False):
            chosen = np.flatnonzero((kinds == kind) & (sure == certain))
            if not len(chosen):
                continue
            marker: dict[str, Any] = {"color": shade}
            if not certain:
                marker |= {"opacity": 0.55, "pattern": HATCHED}
            drawn.append({
                "type": "bar", "orientation": "h", "y": chosen.tolist(), "x": rounded(value[chosen]), "marker": marker,
                "name": plot_text(kind_of(kind)) + ("" if certain else ", no more than chance"),
                "text": [plot_text(name) for name in part["group"].iloc[chosen]], "textposition": "none",
                "hovertemplate": "%{text}: %{x:.4g}",
                "error_x": {
                    "type": "data", "symmetric": False, "array": rounded((high - value)[chosen]),
                    "arrayminus": rounded((value - low)[chosen]), "thickness": 1.5, "width": 3, "color": "@text",
                },
            })  # fmt: skip
    return drawn


def _rows(part: pd.DataFrame) -> dict[str, Any]:
    """Return the axis of names, the largest at the top."""
    return {"yaxis": {"title": {"text": "input that is replaced"}, **name_axis(part["group"])}}


def _caption(model: str, part: pd.DataFrame, of: int, table: pd.DataFrame) -> str:
    sure = part[part["more_than_chance"].astype(bool)]
    loss, metric = float(table["loss"].iloc[0]), str(table["metric"].iloc[0]).upper()
    top = part.iloc[0]
    size = f"{float(top['increase']) / loss:+.1%} of it" if loss > 0 else f"{float(top['increase']):+.4g}"
    shown = f"{len(part)} of {_inputs(of)}" if len(part) < of else _inputs(of)
    tested = (
        "the cutoffs are too few for a test" if table["p_holm"].isna().all()
        else f"{len(sure)} of them matter by more than chance, filled bars (p below {ALPHA:g}, corrected for "
        f"{_inputs(len(table))})"
    )  # fmt: skip
    bounds = (
        "" if part[["low", "high"]].isna().all(axis=None)
        else f" Lines are {float(table['level'].iloc[0]):g} % intervals over cutoffs, each for itself."
    )  # fmt: skip
    return (
        f"{model}: growth of the {metric} ({number(loss)} as it is) when an input is replaced by one that does not "
        f"belong to the window; {shown}, {tested}. Most: {top['group']}, {size}.{bounds}"
    )


def _inputs(n: int) -> str:
    return phrase("input", n)
