"""Pictures of one model's finished trials by their settings: value against one, and two against each other."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.windows import evenly
from foretide.report.html.chart import Chart, Picker, View, titles
from foretide.report.html.escape import plot_text, rounded
from foretide.report.html.search_charts import BEST, Limits, baseline_line, baseline_words, empty_view
from foretide.report.html.search_words import short, told
from foretide.report.search_trials import Scale, scale_of
from foretide.text import number, phrase

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from foretide.report.html.search_content import SearchContent

    Floats = NDArray[np.floating]

MOST_POINTS, LEAST_POINTS = 1500, 100
"""Trials of all models together in each of these pictures; however many models there are, so many of each."""
MOST_PAIRED = 4
"""Settings of one model of which every two are drawn against each other."""
NAMED = 6
"""Choices named in a caption."""
SPREAD = 0.4
"""Width over which trials with the same choice are spread, in places of the axis."""
STEPS = (0.7548776662, 0.5698402910)
"""Steps of the spread across and up, whose multiples fill a square evenly (Roberts 2018, R2 sequence)."""
NEAR = 0.5
"""The best baseline is drawn where it lies at most so many times the range of the trials away from them."""
SPREAD_WORDS = " Trials with the same choice are drawn side by side."


@dataclass(frozen=True)
class Placed:
    """The finished trials of one model by one setting.

    Attributes
    ----------
    scale : Scale
        Where they stand, NaN for those without the setting.
    x : list
        Where they are drawn: trials with the same choice side by side.
    text : list of str
        The setting and its value of each, as plotly.js shows it.
    axis : dict
        As plotly.js takes it, with title.
    """

    scale: Scale
    x: list[float | int | None]
    text: list[str]
    axis: dict[str, Any]

    @classmethod
    def of(
        cls, content: SearchContent, model: str, setting: str, done: pd.DataFrame, *, step: float = STEPS[0]
    ) -> Placed:
        """Place the trials of ``done``."""
        scale = scale_of(setting, done[setting], log=content.is_log(model, setting))
        text = [f"{short(setting)} {short(told(value))}" for value in done[setting]]
        if scale.kind == "choice":
            spread = (np.arange(len(done)) * step % 1 - 0.5) * SPREAD
            axis = {
                "title": {"text": f"{short(setting)} (choices)"}, "tickmode": "array",
                "tickvals": list(range(len(scale.choices))), "ticktext": [short(c, 18) for c in scale.choices],
                "range": [-0.6, len(scale.choices) - 0.4], "showgrid": False, "zeroline": False,
            }  # fmt: skip
            return cls(scale, rounded(scale.values + spread), text, axis)
        log = scale.kind == "log"
        axis = {"title": {"text": f"{short(setting)}{' (log)' if log else ''} →"}, "zeroline": False}
        if log:
            axis |= _log_ticks(scale.values)
        return cls(scale, rounded(scale.values), text, axis)


def _log_ticks(values: Floats) -> dict[str, Any]:
    """Ticks at powers of ten, or at 1, 2 and 5 of each where there are too few of them."""
    low, high = math.log10(float(np.nanmin(values))), math.log10(float(np.nanmax(values)))
    powers = math.floor(high) - math.ceil(low) + 1
    return {"type": "log", "tickformat": "~g", "dtick": math.ceil(powers / 6) if powers > 1 else "D2"}


# ------------------------------------------------------------------ value against one setting
def slice_chart(content: SearchContent) -> Chart | None:
    """Value of each finished trial against one setting; lists choose model and setting."""
    models = _drawable(content)
    if not models:
        return None
    settings = list(dict.fromkeys(name for model in models for name in content.settings_of(model)))
    views = {
        f"{i}/{k}": _slice_view(content, model, setting)
        for i, model in enumerate(models)
        for k, setting in enumerate(settings)
    }
    layout = titles("", content.value_label) | {"showlegend": False}
    pickers = [Picker("Model", models), Picker("Setting", settings)]
    return Chart.picked("chart-slices", "Value against one setting", pickers, views, layout)


def _slice_view(content: SearchContent, model: str, setting: str) -> View:
    own = content.settings_of(model)
    if setting not in own:
        return empty_view("not searched", f"{setting} of {model} was not searched. What was: {', '.join(own)}.")
    whole = content.done[content.done["model"] == model].reset_index(drop=True)
    done = thinned(whole, _room(content))
    placed = Placed.of(content, model, setting, done)
    values = done["value"].to_numpy(dtype=np.float64)
    limits, best = Limits.of(values, content.baseline, reach=NEAR), int(values.argmin())
    text = _texts(content, done, [placed])
    data: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "markers", "name": f"trials of {short(model)}", "x": placed.x,
            "y": rounded(values), "text": text, "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "color": content.colour(model), "symbol": content.symbol(model), "size": 8, "opacity": 0.75,
            },
        },
        *limits.above(placed.x, values, text),
        _star(done, best, placed.x, rounded(values), text),
        *baseline_line(content, limits, _ends(placed)),
    ]  # fmt: skip
    caption = f"{model}: {_slice_words(content, placed, done)}{limits.words(values)}"
    caption += f"{baseline_words(content, limits)}{_thinned_words(whole, done)}"
    axis = {"title": {"text": content.value_label}, **limits.axis()}
    return View(data, caption, {"xaxis": placed.axis, "yaxis": axis})


def _ends(placed: Placed) -> list[Any]:
    if placed.scale.kind == "choice":
        return [-0.6, len(placed.scale.choices) - 0.4]
    return rounded([np.nanmin(placed.scale.values), np.nanmax(placed.scale.values)])


def _slice_words(content: SearchContent, placed: Placed, done: pd.DataFrame) -> str:
    """Tell which values the best fifth of the trials have, or the best value of each choice."""
    scale, values = placed.scale, done["value"].to_numpy(dtype=np.float64)
    best = int(values.argmin())
    said = f"trial {done['number'].iloc[best]}, the best (star), has {scale.name} {told(done[scale.name].iloc[best])}."
    if scale.kind == "choice":
        least = [
            (float(values[scale.values == k].min()), int((scale.values == k).sum())) for k in range(len(scale.choices))
        ]
        order = sorted(range(len(least)), key=lambda k: least[k])
        parts = [f"{scale.choices[k]} {number(least[k][0])} ({phrase('trial', least[k][1])})" for k in order[:NAMED]]
        more = f", and {len(order) - NAMED} more" if len(order) > NAMED else ""
        spread = "" if len(done) == len(scale.choices) else SPREAD_WORDS
        return f"{said} Least {content.metric} by choice: {', '.join(parts)}{more}.{spread}"
    known = np.isfinite(scale.values)
    at, found = scale.values[known], values[known]
    top = max(3, math.ceil(len(found) / 5))
    if len(found) >= 2 * top:
        chosen = at[np.argsort(found, kind="stable")[:top]]
        said += (
            f" The best {top} of {len(found)} trials lie from {number(chosen.min())} to {number(chosen.max())}, all "
            f"from {number(at.min())} to {number(at.max())}."
        )
    lacking = int((~known).sum())
    return said + (f" {lacking} trials without it are not shown." if lacking else "")


# ------------------------------------------------------------------ two settings
def pair_chart(content: SearchContent) -> Chart | None:
    """Two settings of a model against each other, coloured by value; a list chooses the pair."""
    options: list[str] = []
    views: dict[str, View] = {}
    for model in _drawable(content):
        names = content.settings_of(model)[:MOST_PAIRED]
        for x, y in itertools.combinations(names, 2):
            views[str(len(options))] = _pair_view(content, model, x, y)
            options.append(f"{model}: {x} and {y}")
    if not options:
        return None
    pickers = [Picker("Model and settings", options)]
    return Chart.picked("chart-pairs", "Two settings and the value", pickers, views, {"showlegend": False})


def _pair_view(content: SearchContent, model: str, x: str, y: str) -> View:
    whole = content.done[content.done["model"] == model].reset_index(drop=True)
    done = thinned(whole, _room(content))
    # The worst first, so that good ones lie above.
    done = done.sort_values("value", ascending=False, kind="stable").reset_index(drop=True)
    values = done["value"].to_numpy(dtype=np.float64)
    limits, best = Limits.of(values, None), int(values.argmin())
    across, up = (Placed.of(content, model, name, done, step=step) for name, step in zip((x, y), STEPS, strict=True))
    text = _texts(content, done, [across, up])
    data: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "markers", "name": "trials", "x": across.x, "y": up.x, "text": text,
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "color": rounded(np.minimum(values, limits.high)), "colorscale": "Cividis", "size": 10,
                "cmin": limits.low, "cmax": limits.high, "line": {"width": 1, "color": "@quiet"},
                "colorbar": {
                    "title": {"text": plot_text(content.metric), "side": "right", "font": {"size": 13}},
                    "thickness": 12, "outlinewidth": 0,
                },
            },
        },
        _star(done, best, across.x, up.x, text),
    ]  # fmt: skip
    over = int((values > limits.high).sum())
    caption = (
        f"{model}: dark is better. Trial {done['number'].iloc[best]}, the best (star), has {content.metric} "
        f"{number(values[best])} with {x} {told(done[x].iloc[best])} and {y} {told(done[y].iloc[best])}."
    )
    if over:
        many = f"{over} trials" if over > 1 else "1 trial"
        caption += f" Lightest: {many} above {number(limits.high)}, worst {number(float(values.max()))}."
    caption += SPREAD_WORDS if "choice" in (across.scale.kind, up.scale.kind) else ""
    caption += _thinned_words(whole, done)
    return View(data, caption, {"xaxis": across.axis, "yaxis": up.axis})


# ------------------------------------------------------------------ shared
def _room(content: SearchContent) -> int:
    return max(LEAST_POINTS, MOST_POINTS // len(content.ranked))


def thinned(done: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return at most ``most`` trials, evenly spread over the search, the best among them."""
    if len(done) <= most:
        return done
    kept = set(evenly(len(done), most - 1).tolist())
    kept.add(int(done["value"].to_numpy(dtype=np.float64).argmin()))
    part: pd.DataFrame = done.iloc[sorted(kept)].reset_index(drop=True)
    return part


def _thinned_words(whole: pd.DataFrame, shown: pd.DataFrame) -> str:
    if len(shown) == len(whole):
        return ""
    return f" Shown are {len(shown)} of {len(whole)} trials, evenly spread over the search, the best among them."


def _drawable(content: SearchContent) -> list[str]:
    """Models with a finished trial and a searched setting."""
    finished = set(content.done["model"])
    return [model for model in content.ranked if model in finished and content.settings_of(model)]


def _texts(content: SearchContent, done: pd.DataFrame, placed: list[Placed]) -> list[str]:
    return [
        "<br>".join([f"trial {n}: {plot_text(content.metric)} {number(value)}", *(p.text[k] for p in placed)])
        for k, (n, value) in enumerate(zip(done["number"], done["value"], strict=True))
    ]


def _star(done: pd.DataFrame, best: int, x: list[Any], y: list[Any], text: list[str]) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "markers", "name": f"best: trial {done['number'].iloc[best]}", "x": [x[best]],
        "y": [y[best]], "text": [text[best]], "hovertemplate": "%{text}<extra></extra>",
        "marker": {"symbol": "star", "size": 15, "color": BEST, "line": {"width": 1, "color": "@text"}},
    }  # fmt: skip
