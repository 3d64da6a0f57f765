"""Forecasts made from origins inside new rows, beside what came there."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.windows import Windows, evenly, truth_of
from foretide.errors import ConfigError
from foretide.evaluation.monitor.checks import Check
from foretide.forecasters.answer import in_order, reordered
from foretide.forecasters.base import Prediction
from foretide.forecasters.levels import bounds_of
from foretide.forecasters.paths.source import paths_of
from foretide.text import percent, phrase

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.forecast import Forecast
    from foretide.typing import Bools, Floats, Ints

LEVELS = (80.0, 95.0)
TOLERANCE = 1.1
"""Errors this many times as wide as the model states are no change: stated spreads are estimates."""
SIDE = 0.2
"""Errors that lie so many stated spreads to one side are no change: of many series the smallest bias would be seen."""
FEWEST = 8.0
"""A spread is taken to be known as well as from so many independent errors at least."""
DRAWS, FEWEST_DRAWS = 999, 199
NUMBERS = 16_000_000
"""So many numbers are drawn at most, windows times steps times targets times draws."""
FEW_VALUES, FEW_STEPS = 6, 24
"""Fewer truths say nothing; a horizon longer than so many steps need not have come whole."""
MOST_ORIGINS = 60
FARTHEST = 6.0
"""An error counts as so many stated spreads at most: one value says no more."""
NORMAL_80 = 2.5631
"""Width of the central 80 % of a normal distribution, in standard deviations."""
STATISTICS = ("size of the errors", "errors to one side", "misses of 80 %", "misses of 95 %", "one series alone")


@dataclass(frozen=True, eq=False)
class Judged:
    """Forecasts of new rows beside what came.

    Attributes
    ----------
    forecast : Forecast
    truth : float array ``[W, h, D]``
    baseline : float array ``[W, h, D]``
        Of the simple stand-in, on the same points.
    checks : tuple of Check
    series, origins : DataFrame
        Figures of each series and of each origin.
    figures : dict
        ``mae``, ``stated_mae`` (what the model's own distributions lead to expect), ``baseline_mae``,
        ``coverage_80`` and ``coverage_95``, where they are known.
    notes : tuple of str
    """

    forecast: Forecast
    truth: Floats
    baseline: Floats
    checks: tuple[Check, ...]
    series: pd.DataFrame
    origins: pd.DataFrame
    figures: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def judge(model: Forecaster, panel: Panel, until: int, *, seed: int = 0) -> Judged | str:
    """Forecast new rows of series that were learned from, from origins one horizon apart, and test the errors.

    The null distribution of every figure comes from the model itself: joint paths over steps and series, drawn with
    the dependence that its past errors showed, :data:`TOLERANCE` times as wide as stated. Figures of draws and of the
    truth are ranked together, and the smallest p-value of the truth among the smallest of the draws (Westfall and
    Young), so steps, series and figures may depend on each other as they like.

    Parameters
    ----------
    model : Forecaster
        Fitted.
    panel : Panel
        With rows after the fit.
    until : int
        Last step that the model was fitted on, on the panel's grid.
    seed : int
        Of the draws.

    Returns
    -------
    Judged or str
        Why nothing can be said.
    """
    windows = origins_of(model, panel, until)
    if not isinstance(windows, str):
        windows = _adjoining(model, panel, windows)
    if isinstance(windows, str):
        return windows
    levels = LEVELS if model.answers_levels else ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forecast = model.predict(panel, cutoffs=windows, levels=levels)
        baseline = _baseline(model, panel, windows)
    truth = truth_of(panel, windows, model.h)
    known = np.isfinite(truth) & np.isfinite(forecast.mean)
    if int(known.sum()) < FEW_VALUES:
        return f"only {phrase('value', int(known.sum()))} came after the fit, and {FEW_VALUES} are needed"
    truth = np.where(known, truth, np.nan)
    notes: list[str] = []
    checks: list[Check] = []
    stated, p_series = np.full((len(windows), panel.n_targets), np.nan), None
    try:
        checks, stated, p_series = _tested(forecast, truth, seed)
    except ConfigError as error:  # means alone, or nothing known of how errors hang together
        notes.append(f"The errors are not tested: {error}")
    made = Judged(forecast, truth, np.where(known, baseline, np.nan), tuple(checks), pd.DataFrame(), pd.DataFrame())
    series, origins = _tables(made, stated, p_series)
    return Judged(
        forecast, truth, made.baseline, tuple(checks), series, origins, _figures(made, stated), tuple(notes)
    )  # fmt: skip


def origins_of(model: Forecaster, panel: Panel, until: int) -> Windows | str:
    """Return origins from the end of the fit on, one horizon apart, of known series; or why there are none."""
    assert model._fitted is not None
    ends = panel.first + panel.observed - 1
    strangers = ~np.isin(np.array(panel.ids, dtype=object), np.array(model._fitted.ids, dtype=object))
    last = int(ends[~strangers].max(initial=-1))
    needed = min(model.h, FEW_STEPS)
    if last - until < needed:
        came = max(0, last - until)
        return f"{phrase('step', came)} came after the fit, and {needed} are needed"
    steps = np.arange(until, max(last - model.h, until) + 1, model.h)
    steps = steps[evenly(len(steps), MOST_ORIGINS, newest=True)]
    begins = np.where(model._fitted.follows(panel), panel.first - 1, panel.first)
    usable = (steps >= begins[:, None]) & (steps < ends[:, None]) & ~strangers[:, None]
    entity, which = np.nonzero(usable)
    if not len(entity):
        return "no series that it was fitted on has rows right before and after an origin"
    most = max(1, NUMBERS // (FEWEST_DRAWS * model.h * panel.n_targets))
    if len(entity) > most:
        kept = evenly(panel.n_entities, max(1, most * panel.n_entities // len(entity)))
        inside = np.isin(entity, kept)
        entity, which = entity[inside], which[inside]
    return Windows(entity.astype(np.int64), steps[which] - panel.first[entity])


def _adjoining(model: Forecaster, panel: Panel, windows: Windows) -> Windows | str:
    """Return the origins whose past is known, as far as the model reads it; or why there are none."""
    assert model._fitted is not None
    apart = model._fitted.apart(model.view(panel, windows), model.memory)
    if apart.all():
        return (
            "the table begins later than one step after the fit, and what lies between is not known. Give the rows "
            "between too"
        )
    return windows[~apart]


def _baseline(model: Forecaster, panel: Panel, windows: Windows) -> Floats:
    """Forecast by the simple stand-in that is kept beside every model, in the panel's own steps and targets."""
    view, fitted = model.view(panel, windows), model._fitted
    assert fitted is not None
    assert fitted.stand_in is not None
    steps = model.h if view.ahead is None else int(view.ahead.max(initial=0)) + 1
    got = Prediction(fitted.stand_in.forecast(view.panel, view.windows, steps, ())[0])
    got = got if view.ahead is None else reordered(got, view.ahead)
    return np.asarray(in_order(got, view.panel.targets, panel.targets, ()).mean, dtype=np.float64)


# -------------------------------------------------------------------- the test
@dataclass(frozen=True, eq=False)
class _Sums:
    """What is added up over steps: of each window and target, for the truth (first) and every draw ``[W, D, 1 + n]``.

    ``size`` absolute errors and ``side`` errors over their stated spread; ``out_80``, ``out_95`` misses.
    """

    size: Floats
    side: Floats
    out_80: Floats
    out_95: Floats
    count: Ints


def _tested(forecast: Forecast, truth: Floats, seed: int) -> tuple[list[Check], Floats, Floats]:
    """Return the checks, the mean absolute error that is stated ``[W, D]``, and p-values of series ``[N, D]``."""
    if forecast.quantiles is None:
        raise ConfigError(f"{forecast.model} gives means alone, without intervals.")
    w, h, d = truth.shape
    n = int(np.clip(NUMBERS // (w * h * d), FEWEST_DRAWS, DRAWS))
    sums, stated = _summed(forecast, truth, n, seed)
    entity = forecast.windows.entity
    entities, at = np.unique(entity, return_inverse=True)
    shape = (len(entities), d, n + 1)
    size, side, count = np.zeros(shape), np.zeros(shape), np.zeros(shape[:2])
    for total, part in ((size, sums.size), (side, sums.side), (count, sums.count)):
        np.add.at(total, at, part)
    known = count > 0
    values = max(int(count.sum()), 1)
    size, side = size[known] / count[known][:, None], side[known] / count[known][:, None]
    lean = np.abs(side)
    lean[:, 0] = np.maximum(lean[:, 0] - SIDE, 0.0)
    each = np.maximum(_apart(size), _apart(lean))
    weight = count[known] / values
    aside = np.abs(weight @ side)
    aside[0] = max(aside[0] - SIDE, 0.0)
    found = np.stack([
        weight @ size, aside, sums.out_80.sum(axis=(0, 1)) / values,
        sums.out_95.sum(axis=(0, 1)) / values, each.max(axis=0),
    ])  # fmt: skip
    if len(each) == 1:
        found = found[:-1]  # the only series is all series
    p = _ranked(found)
    adjusted = np.array([(p.min(axis=0) <= one).mean() for one in p[:, 0]])
    worst = np.full(known.shape, np.nan)
    worst[known] = (each.max(axis=0) >= each[:, :1] - 1e-12).mean(axis=1)
    bad = np.argwhere(known)[int(each[:, 0].argmax())]
    worst_name = forecast.panel.series_name(int(entities[bad[0]]), int(bad[1]))
    texts = (
        f"errors are {found[0, 0] / max(np.median(found[0, 1:]) / TOLERANCE, 1e-300):.2f} times as large as stated",
        f"truths lie {float(weight @ side[:, 0]):+.2f} stated spreads beside the forecasts, on average",
        f"80 % intervals hold {percent(1 - found[2, 0])} of what came",
        f"95 % intervals hold {percent(1 - found[3, 0])} of what came",
        f"{worst_name!r} is off most",
    )
    usual = np.median(found[:, 1:], axis=1)
    checks = [
        Check("forecast", name, text, float(value), float(expected), float(own), float(of_all))
        for name, text, value, expected, own, of_all in zip(
            STATISTICS, texts, found[:, 0], usual, p[:, 0], adjusted, strict=False
        )
    ]
    every = np.full((forecast.panel.n_entities, d), np.nan)
    every[entities] = worst
    return checks, stated, every


def _summed(forecast: Forecast, truth: Floats, n: int, seed: int) -> tuple[_Sums, Floats]:
    w, _, d = truth.shape
    known = np.isfinite(truth)
    mean = np.asarray(forecast.mean, dtype=np.float64)
    bounds = {level: _bounds(forecast, level) for level in LEVELS}
    spread = _spread(*bounds[LEVELS[0]], known)
    made = {name: np.zeros((w, d, n + 1)) for name in ("size", "side", "out_80", "out_95")}
    stated = np.full((w, d), np.nan)
    wider = TOLERANCE * _doubt(forecast, n, seed)
    for at, paths in paths_of(forecast, n, seed):
        inside, center = known[at][..., None], mean[at][..., None]
        drawn = np.moveaxis(paths, 1, -1)  # [w, h, d, n]
        with np.errstate(invalid="ignore"):
            away = np.abs(drawn - center)
            stated[at] = np.where(inside, away, 0).mean(axis=-1).sum(axis=1) / np.maximum(known[at].sum(axis=1), 1)
        came = np.where(known[at], truth[at], 0)[..., None]
        values = np.concatenate([came, center + wider[at] * (drawn - center)], axis=-1)
        error = np.clip((values - center) / spread[at][..., None], -FARTHEST, FARTHEST)
        made["size"][at] = np.where(inside, np.abs(error), 0).sum(axis=1)
        made["side"][at] = np.where(inside, error, 0).sum(axis=1)
        whole = (drawn == np.rint(drawn)).all(axis=(0, 1, 3)) & (came == np.rint(came)).all(axis=(0, 1, 3))
        for level in LEVELS:
            low, high = (bound[at][..., None] for bound in bounds[level])
            # A count that a draw has at the bound is inside, also when the draw is taken to be a little wider.
            low = np.where(whole[:, None], np.ceil(low) - 0.5, low)
            high = np.where(whole[:, None], np.floor(high) + 0.5, high)
            made[f"out_{level:.0f}"][at] = np.where(inside, (values < low) | (values > high), False).sum(axis=1)
    return _Sums(made["size"], made["side"], made["out_80"], made["out_95"], known.sum(axis=1)), stated


def _doubt(forecast: Forecast, n: int, seed: int) -> Floats:
    """Draw by how much stated spreads may be wrong ``[W, 1, D, n]``: they were estimated from past errors.

    The logarithm of a spread found from ``k`` independent values has a variance of about ``1 / 2k``. Steps of a window
    count as far as they are independent. All series share a part of the doubt, and each has one of its own.
    """
    source, (_, _, d) = forecast.source, forecast.mean.shape
    past = None if source is None else source.fitted.joint
    if past is None:
        return np.ones((len(forecast), 1, d, n))
    series = max(past.loadings[:-1, :, 0].size, 1)
    shared = float(np.square(past.loadings[:-1]).sum(axis=-1).mean()) if series > 1 else 0.0
    alike = series / (1 + (series - 1) * shared**2)
    values = past.windows * len(past.own) ** 2 / float(np.square(past.own).sum())
    together, alone = (1 / np.sqrt(2 * max(known, FEWEST)) for known in (values, values / alike))
    generator = np.random.default_rng([seed, n])
    common = generator.standard_normal(n)
    own = generator.standard_normal((forecast.panel.n_entities, 1, d, n))
    rest = np.sqrt(max(alone**2 - together**2, 0.0))
    return np.asarray(np.exp(together * common + rest * own)[forecast.windows.entity])


def _bounds(forecast: Forecast, level: float) -> tuple[Floats, Floats]:
    low, high = (np.asarray(forecast.quantile(q), dtype=np.float64) for q in bounds_of(level))
    return low, high


def _spread(low: Floats, high: Floats, known: Bools) -> Floats:
    """Return stated standard deviations ``[W, h, D]``; those near nothing, as of rare counts, are raised."""
    found = np.where(known & np.isfinite(high - low), (high - low) / NORMAL_80, 0.0)
    usual = found.sum(axis=(0, 1)) / np.maximum(known.sum(axis=(0, 1)), 1)
    own = found.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    floor = np.maximum(np.where(own > 0, own, usual)[:, None] / 4, 1e-12)
    return np.asarray(np.maximum(found, floor))


def _apart(values: Floats) -> Floats:
    """Return by how many standard deviations of the draws each value ``[S, 1 + n]`` lies above their mean."""
    center, spread = values[:, 1:].mean(axis=1, keepdims=True), values[:, 1:].std(axis=1, keepdims=True)
    return np.asarray((values - center) / np.maximum(spread, 1e-12))


def _ranked(values: Floats) -> Floats:
    """Return the share of all columns at least as large as each, per row: exact p-values where all are exchangeable."""
    ordered = np.sort(values, axis=1)
    slack = 1e-12 * np.maximum(1.0, np.abs(values))
    rank = np.stack([np.searchsorted(row, own, side="left") for row, own in zip(ordered, values - slack, strict=True)])
    return np.asarray(1.0 - rank / values.shape[1])


# -------------------------------------------------------------------- tables
def _figures(made: Judged, stated: Floats) -> dict[str, float]:
    known = np.isfinite(made.truth)
    count = known.sum(axis=1)
    error, both = np.abs(made.truth - made.forecast.mean), known & np.isfinite(made.baseline)
    figures = {"mae": float(error[known].mean())}
    if both.any():
        figures["baseline_mae"] = float(np.abs(made.truth - made.baseline)[both].mean())
    if np.isfinite(stated[count > 0]).all():
        figures["stated_mae"] = float((stated * count)[count > 0].sum() / count.sum())
    for level in made.forecast.levels:
        figures[f"coverage_{level:.0f}"] = float(_inside(made, level)[known].mean())
    return figures


def _inside(made: Judged, level: float) -> Bools:
    low, high = (made.forecast.quantile(q) for q in bounds_of(level))
    return np.asarray((made.truth >= low) & (made.truth <= high))


def _tables(made: Judged, stated: Floats, p: Floats | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return figures by series, worst first, and by origin."""
    panel, d = made.forecast.panel, made.truth.shape[2]
    entity = np.broadcast_to(made.forecast.windows.entity[:, None, None], made.truth.shape)
    target = np.broadcast_to(np.arange(d), made.truth.shape)
    series = (entity * d + target).ravel()
    origins, at = np.unique(made.forecast.cutoff_steps, return_inverse=True)
    by_series = _grouped(made, stated, series, panel.n_entities * d)
    seen = by_series["values"].to_numpy() > 0
    names = [panel.series_name(i, k) for i in range(panel.n_entities) for k in range(d)]
    by_series.insert(0, "series", names)
    if p is not None:
        by_series["p"] = p.ravel()
    by_series = by_series[seen]
    if "stated_mae" in by_series:
        ratio = by_series["mae"] / by_series["stated_mae"].where(by_series["stated_mae"] > 0)
        by_series = by_series.assign(ratio=ratio).sort_values(["p", "ratio"] if p is not None else "ratio",
            ascending=[True, False] if p is not None else False, kind="stable")  # fmt: skip
    by_origin = _grouped(made, stated, np.broadcast_to(at[:, None, None], made.truth.shape).ravel(), len(origins))
    by_origin.insert(0, "cutoff", list(panel.grid.output_times(origins)))
    return by_series.reset_index(drop=True), by_origin


def _grouped(made: Judged, stated: Floats, codes: Ints, n: int) -> pd.DataFrame:
    known = np.isfinite(made.truth).ravel()
    count = np.bincount(codes[known], minlength=n)

    def mean(values: Sequence[float] | Floats | Bools) -> Floats:
        flat = np.asarray(values, dtype=np.float64).ravel()
        with np.errstate(invalid="ignore"):
            return np.asarray(np.bincount(codes[known], flat[known], n) / np.where(count > 0, count, np.nan))

    columns: dict[str, Floats | Ints] = {"values": count, "mae": mean(np.abs(made.truth - made.forecast.mean))}
    columns["baseline_mae"] = mean(np.abs(made.truth - made.baseline))
    if np.isfinite(stated).any():
        columns["stated_mae"] = mean(np.broadcast_to(stated[:, None], made.truth.shape))
    for level in made.forecast.levels:
        columns[f"coverage_{level:.0f}"] = mean(_inside(made, level))
    return pd.DataFrame(columns)
