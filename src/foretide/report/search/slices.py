"""Pictures of one model's finished trials by their settings: against one, two against each other, all side by side."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.windows import evenly
from foretide.pictures.picture import Axis, Choice, Line, Mark, Panel, Picture, Points, View
from foretide.pictures.style import CIVIDIS
from foretide.report.search.content import SearchContent
from foretide.text import number, phrase
from foretide.tuning.drawn import BEST, Limits, baseline_line, baseline_words, short, value_text
from foretide.tuning.trials import Scale, scale_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from foretide.typing import Floats

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
SHADES = 6
"""Colours of lines across all settings; one trace each."""
BELOW = -0.12
"""Where a line across all settings goes through a number that a trial does not have."""


@dataclass(frozen=True)
class Placed:
    """The finished trials of one model by one setting.

    Attributes
    ----------
    scale : Scale
        Where they stand, NaN for those without the setting.
    x : float array
        Where they are drawn: trials with the same choice side by side.
    texts : list of str
        The setting and its value of each.
    axis : Axis
    """

    scale: Scale
    x: Floats
    texts: list[str]
    axis: Axis

    @classmethod
    def of(
        cls, content: SearchContent, model: str, setting: str, done: pd.DataFrame, *, step: float = STEPS[0]
    ) -> Placed:
        """Place the trials of ``done``."""
        scale = scale_of(setting, done[setting], log=content.is_log(model, setting))
        texts = [f"{short(setting)} {short(value_text(value))}" for value in done[setting]]
        if scale.kind == "choice":
            spread = (np.arange(len(done)) * step % 1 - 0.5) * SPREAD
            ticks = [(k, short(choice, 18)) for k, choice in enumerate(scale.choices)]
            axis = Axis(f"{short(setting)} (choices)", ticks=ticks, low=-0.6, high=len(scale.choices) - 0.4, grid=False)
            return cls(scale, scale.values + spread, texts, axis)
        low, high = float(np.nanmin(scale.values)), float(np.nanmax(scale.values))
        if scale.kind == "log":
            room = (high / low) ** 0.06
            return cls(scale, scale.values, texts, Axis(f"{short(setting)} (log) →", "log", low / room, high * room))
        return cls(scale, scale.values, texts, Axis(f"{short(setting)} →"))


# ------------------------------------------------------------------ value against one setting
def slice_picture(content: SearchContent) -> Picture | None:
    """Draw the value of each finished trial against one setting; lists choose model and setting."""
    models = _drawable(content)
    if not models:
        return None
    settings = list(dict.fromkeys(name for model in models for name in content.settings_of(model)))
    views: dict[tuple[int, ...], View] = {
        (i, k): _slice_view(content, model, setting)
        for i, model in enumerate(models)
        for k, setting in enumerate(settings)
    }
    choices = [Choice("Model", models), Choice("Setting", settings)]
    return Picture("slices", "Value against one setting", views, choices, file="slices", every=True)


def _slice_view(content: SearchContent, model: str, setting: str) -> View:
    own = content.settings_of(model)
    if setting not in own:
        caption = f"{setting} of {model} was not searched. What was: {', '.join(own)}."
        return View.of([], Axis(), Axis(), note="not searched", caption=caption)
    whole, done = _finished(content, model)
    placed = Placed.of(content, model, setting, done)
    values = done["value"].to_numpy(dtype=np.float64)
    limits, best = Limits.of(values, content.baseline, reach=NEAR), int(values.argmin())
    texts = _texts(content, done, [placed])
    ends = [-0.6, len(placed.scale.choices) - 0.4]
    if placed.scale.kind != "choice":
        ends = [float(np.nanmin(placed.scale.values)), float(np.nanmax(placed.scale.values))]
    marks: list[Mark] = [
        Points(f"trials of {short(model)}", placed.x, values, content.colour(model), content.symbol(model), 8, 0.75,
               legend=False, texts=texts, hover="{text}"),
        *limits.above(placed.x.tolist(), values, texts),
        _star(done, best, placed.x, values, texts),
        *baseline_line(content, limits, ends),
    ]  # fmt: skip
    caption = f"{model}: {_slice_words(content, placed, done)}{limits.words(values)}"
    caption += f"{baseline_words(content, limits)}{_thinned_words(whole, done)}"
    return View([Panel(marks, placed.axis, limits.axis(content.value_label))], caption)


def _slice_words(content: SearchContent, placed: Placed, done: pd.DataFrame) -> str:
    """Tell which values the best fifth of the trials have, or the best value of each choice."""
    scale, values = placed.scale, done["value"].to_numpy(dtype=np.float64)
    best = int(values.argmin())
    value = value_text(done[scale.name].iloc[best])
    said = f"trial {done['number'].iloc[best]}, the best (star), has {scale.name} {value}."
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
    at, ends = scale.values[known], values[known]
    top = max(3, math.ceil(len(ends) / 5))
    if len(ends) >= 2 * top:
        chosen = at[np.argsort(ends, kind="stable")[:top]]
        said += (
            f" The best {top} of {len(ends)} trials lie from {number(chosen.min())} to {number(chosen.max())}, all "
            f"from {number(at.min())} to {number(at.max())}."
        )
    lacking = int((~known).sum())
    return said + (f" {lacking} trials without it are not shown." if lacking else "")


# ------------------------------------------------------------------ two settings
def pair_picture(content: SearchContent) -> Picture | None:
    """Draw two settings of a model against each other, coloured by value; a list chooses the pair."""
    views = {
        f"{model}: {x} and {y}": _pair_view(content, model, x, y)
        for model in _drawable(content)
        for x, y in itertools.combinations(content.settings_of(model)[:MOST_PAIRED], 2)
    }
    return Picture.with_list("pairs", "Two settings and the value", "Model and settings", views) if views else None


def _pair_view(content: SearchContent, model: str, x: str, y: str) -> View:
    whole, done = _finished(content, model)
    # The worst first, so that good ones lie above.
    done = done.sort_values("value", ascending=False, kind="stable").reset_index(drop=True)
    values = done["value"].to_numpy(dtype=np.float64)
    limits, best = Limits.of(values, None), int(values.argmin())
    across, up = (Placed.of(content, model, name, done, step=step) for name, step in zip((x, y), STEPS, strict=True))
    texts = _texts(content, done, [across, up])
    marks: list[Mark] = [
        Points("trials", across.x, up.x, size=10, legend=False, values=np.minimum(values, limits.high), low=limits.low,
               high=limits.high, scale=content.metric, texts=texts, hover="{text}"),
        _star(done, best, across.x, up.x, texts),
    ]  # fmt: skip
    over = int((values > limits.high).sum())
    caption = (
        f"{model}: dark is better. Trial {done['number'].iloc[best]}, the best (star), has {content.metric} "
        f"{number(values[best])} with {x} {value_text(done[x].iloc[best])} and {y} {value_text(done[y].iloc[best])}."
    )
    if over:
        caption += (
            f" Lightest: {phrase('trial', over)} above {number(limits.high)}, worst {number(float(values.max()))}."
        )
    caption += SPREAD_WORDS if "choice" in (across.scale.kind, up.scale.kind) else ""
    return View([Panel(marks, across.axis, up.axis)], caption + _thinned_words(whole, done))


# ------------------------------------------------------------------ all settings side by side
def parallel_picture(content: SearchContent) -> Picture | None:
    """Draw each finished trial of a model as a line across its settings to its value; dark is better."""
    models = [model for model in _drawable(content) if len(content.settings_of(model)) > 1]
    if not models:
        return None
    views = {model: _parallel_view(content, model) for model in models}
    return Picture.with_list(
        "parallel", "All settings side by side", "Model", views, wide=True, file="parallel", every=True
    )  # fmt: skip


def _parallel_view(content: SearchContent, model: str) -> View:
    whole, done = _finished(content, model)
    values, names = done["value"].to_numpy(dtype=np.float64), content.settings_of(model)
    high, best = Limits.of(values, None).high, int(values.argmin())
    scales = [scale_of(name, done[name], log=content.is_log(model, name)) for name in names]
    shares = _fractions(np.minimum(values, high))
    heights = np.column_stack([*(_heights(scale) for scale in scales), shares])
    marks: list[Mark] = []
    shade = np.minimum((shares * SHADES).astype(int), SHADES - 1)
    across = list(range(heights.shape[1]))
    for k in reversed(range(SHADES)):  # the worst first, so that good ones lie above
        chosen = np.flatnonzero(shade == k)
        if len(chosen):
            up = np.column_stack([heights[chosen], np.full(len(chosen), np.nan)]).reshape(-1)
            colour = CIVIDIS[round(k * (len(CIVIDIS) - 2) / (SHADES - 1))]
            marks.append(
                Line("", [*across, len(scales)] * len(chosen), up, colour, width=1, legend=False, hover="")
            )  # fmt: skip
    marks.append(Line(
        f"best: trial {done['number'].iloc[best]}", across, heights[best], BEST, symbol="circle", width=3, legend=False,
        texts=[*(f"{name} {value_text(done[name].iloc[best])}" for name in names), number(values[best])],
        hover="{text}",
    ))  # fmt: skip
    ticks = [(float(k), f"{short(s.name, 18)}\n{_range(s)}") for k, s in enumerate(scales)]
    ticks.append((float(len(scales)), f"{content.metric}\n{number(values.min())} to {number(high)}"))
    caption = (
        f"{model}: each line is a trial, from setting to setting and to its value; every axis runs from small below to "
        f"large above, choices in their order. Dark is better; orange is the best, trial {done['number'].iloc[best]}, "
        f"{content.metric} {number(values[best])}."
    )
    over = int((values > high).sum())
    caption += (
        f" {phrase('trial', over)} above {number(high)} end{'s' if over == 1 else ''} at the top." if over else ""
    )
    x = Axis("setting; the last is the value", ticks=ticks, low=-0.3, high=len(scales) + 0.3)
    y = Axis(
        "place between the least and the largest", low=BELOW - 0.05, high=1.05, ticks=[(0, "least"), (1, "largest")]
    )
    return View([Panel(marks, x, y)], caption + _thinned_words(whole, done))


def _fractions(values: Floats) -> Floats:
    """Return numbers as fractions of their range; the middle where all are equal."""
    low, high = np.nanmin(values), np.nanmax(values)
    return (values - low) / (high - low) if high > low else np.where(np.isnan(values), np.nan, 0.5)


def _heights(scale: Scale) -> Floats:
    if scale.kind == "choice":
        n = len(scale.choices)
        return scale.values / (n - 1) if n > 1 else np.full(len(scale.values), 0.5)
    fractions = _fractions(np.log(scale.values) if scale.kind == "log" else scale.values)
    return np.where(np.isnan(fractions), BELOW, fractions)


def _range(scale: Scale) -> str:
    if scale.kind == "choice":
        return short(", ".join(scale.choices), 24)
    ends = f"{number(float(np.nanmin(scale.values)))} to {number(float(np.nanmax(scale.values)))}"
    return f"{ends}{', log' if scale.kind == 'log' else ''}"


# ------------------------------------------------------------------ shared
def _finished(content: SearchContent, model: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A model's finished trials, and those of them that are drawn."""
    whole = content.done[content.done["model"] == model].reset_index(drop=True)
    return whole, thinned(whole, max(LEAST_POINTS, MOST_POINTS // len(content.ranked)))


def thinned(done: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return at most ``most`` trials, evenly spread over the search, the best among them."""
    if len(done) <= most:
        return done
    kept = {*evenly(len(done), most - 1).tolist(), int(done["value"].to_numpy(dtype=np.float64).argmin())}
    part: pd.DataFrame = done.iloc[sorted(kept)].reset_index(drop=True)
    return part


def _thinned_words(whole: pd.DataFrame, shown: pd.DataFrame) -> str:
    if len(shown) == len(whole):
        return ""
    return f" Shown are {len(shown)} of {len(whole)} trials, evenly spread over the search, the best among them."


def _drawable(content: SearchContent) -> list[str]:
    """Models with a finished trial and a searched setting."""
    done = set(content.done["model"])
    return [model for model in content.ranked if model in done and content.settings_of(model)]


def _texts(content: SearchContent, done: pd.DataFrame, placed: Sequence[Placed]) -> list[str]:
    return [
        "\n".join([f"trial {n}: {content.metric} {number(value)}", *(p.texts[k] for p in placed)])
        for k, (n, value) in enumerate(zip(done["number"], done["value"], strict=True))
    ]


def _star(done: pd.DataFrame, best: int, x: Floats, y: Floats, texts: list[str]) -> Points:
    return Points(
        f"best: trial {done['number'].iloc[best]}", [x[best]], [y[best]], BEST, "star", 15, legend=False,
        texts=[texts[best]], hover="{text}",
    )  # fmt: skip
