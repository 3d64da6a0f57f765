"""Rolling origins: where a backtest forecasts from, what it may learn from, and when it learns anew."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from math import gcd
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np

from foretide.data.splits import Split
from foretide.data.time.seasons import main_season
from foretide.errors import ConfigError, DataError, nearest
from foretide.evaluation.rolling.dates import moment
from foretide.evaluation.rolling.plan import BacktestWarning, Fold, Plan, Refit
from foretide.text import season_text, time_text

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Time, Times

DEFAULT_WINDOWS = 10
"""Folds of a backtest that asks for no number of them."""


class FoldOptions(TypedDict, total=False):
    """How the folds of a backtest are laid out.

    Attributes
    ----------
    step : int
        Steps between neighbouring cutoffs; by default the least number of at least ``h`` that shares no factor with
        the season, so that origins pass through all weekdays (hours, months).
    n_windows : int
        Number of folds, counted back from the last cutoff whose ``h`` steps are known; 10 by default, or as many as
        there are from ``start`` on.
    start : time
        First cutoff; folds are counted forward from it.
    gap : int
        Steps between the end of the training part and the cutoff; 0 by default.
    train_size : int
        Steps of a sliding training part; by default it expands from the first step on.
    val_size : int
        Steps at the end of the training part kept for validation; by default what each model takes by itself. It ends
        before the cutoff whatever it is.
    refit : bool, int or callable
        False: one fit, before the first cutoff, and a model that comes fitted is used as it is; True: a fit for every
        fold; ``k``: one every ``k`` folds; a function of :class:`Fold`: where it returns True.
    season : int
        Season of baselines and of scaled measures; found on the first training part by default.
    """

    step: int | None
    n_windows: int | None
    start: Time | None
    gap: int
    train_size: int | None
    val_size: int | None
    refit: Refit
    season: int | None


def plan_of_split(panel: Panel, split: Split, h: int, *, step: int = 1, season: int | None = None) -> Plan:
    """Lay out a run: one block, whose fit sees training and validation part, and every window of the test part.

    Parameters
    ----------
    panel : Panel
    split : Split
    h : int
        Horizon.
    step : int
        Steps between neighbouring cutoffs of a series, counted back from its newest.
    season : int, optional
        Found on the rows before the test part by default.

    Returns
    -------
    Plan

    Raises
    ------
    ConfigError
        Where no window of ``h`` steps fits the test part.
    """
    windows = split.windows(panel, "test", input_size=1, h=h, stride=step)
    if not len(windows):
        raise ConfigError(
            f"No test window: the test part has {split.sizes[2]} steps, a window needs {h} of them and one row before "
            "it. Lower h, or give the test part more (split)."
        )
    cutoffs = np.unique(windows.steps(panel)).tolist()
    folds = _folds(cutoffs, panel.grid.output_times(cutoffs), False)
    plan = Plan(h, step, 0, None, None, 1, folds, split)
    return replace(plan, season=main_season(plan.known(panel), season))


def make_plan(panel: Panel, h: int, **options: Unpack[FoldOptions]) -> Plan:
    """Lay out the folds of a backtest; :class:`FoldOptions` says how.

    Parameters
    ----------
    panel : Panel
    h : int
    **options : Unpack[FoldOptions]

    Returns
    -------
    Plan

    Raises
    ------
    ConfigError, DataError
        For settings that cannot work, or where the panel is too short for them.
    """
    _check(h, options)
    step, n_windows, start = options.get("step"), options.get("n_windows"), options.get("start")
    gap, given = options.get("gap", 0), options.get("season")
    ends = panel.first + panel.observed - 1
    first, last = int(panel.first.min()), int(ends.max()) - h
    if last - gap - 1 < first:
        raise DataError(
            f"A backtest with h={h} and gap={gap} needs at least {h + gap + 2} steps; the panel has "
            f"{int(ends.max()) - first + 1} observed ones. Lower h or gap, or give more data."
        )
    begin = None if start is None else _first_cutoff(panel, start, first + gap + 1, last)
    n = n_windows or (DEFAULT_WINDOWS if begin is None else None)
    known = main_season(panel.until(moment(panel, begin if begin is not None else last)), given)
    stride = step if step is not None else rotating_step(h, known)
    candidates = range(begin, last + 1, stride) if begin is not None else range(last, first + gap, -stride)[::-1]
    cutoffs = _cutoffs(_inhabited(panel, candidates, gap), begin, stride, n, asked=n_windows is not None)
    folds = _folds(cutoffs, panel.grid.output_times(cutoffs), options.get("refit", False))
    plan = Plan(h, stride, gap, options.get("train_size"), options.get("val_size"), known, folds)
    _warn_of_one_phase(plan, panel)
    if given is None:  # what measures and baselines take must not know what comes after the first training part
        plan = replace(plan, season=main_season(panel.until(moment(panel, plan.fit_end(plan.blocks[0])))))
    return plan


def _check(h: int, options: FoldOptions) -> None:
    for name in options:
        if name not in FoldOptions.__annotations__:
            known = ("h", "levels", "quantiles", *FoldOptions.__annotations__)
            raise ConfigError(f"backtest has no option {name!r}. {nearest(name, known)}")
    given = {"h": h, **options}
    for name, low in (("h", 1), ("step", 1), ("n_windows", 1), ("gap", 0), ("train_size", 2), ("val_size", 0)):
        value = given.get(name)
        if value is None and (name not in ("h", "gap") or name not in given):
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
            raise ConfigError(f"{name} is a whole number of steps of at least {low}, got {value!r}.")


def rotating_step(h: int, season: int) -> int:
    """Return the least step of at least ``h`` that shares no factor with the season: origins reach all phases.

    Parameters
    ----------
    h : int
    season : int

    Returns
    -------
    int
    """
    step = h
    while season > 1 and gcd(step, season) > 1:
        step += 1
    return step


def _first_cutoff(panel: Panel, start: Time, low: int, high: int) -> int:
    begin = panel.grid.step_of(start)
    if not low <= begin <= high:
        raise ConfigError(
            f"start={start!s} is the first cutoff; it must lie between {time_text(moment(panel, low))} and "
            f"{time_text(moment(panel, high))}, so that there is something to learn from and the horizon to score."
        )
    return begin


def _inhabited(panel: Panel, cutoffs: Sequence[int], gap: int) -> list[int]:
    """Return the cutoffs at which some series has both rows to learn from and observed rows ahead.

    Series whose lives do not overlap leave stretches between them in which there is nothing to forecast.
    """
    steps = np.asarray(cutoffs, dtype=np.int64)
    ends = panel.first + panel.observed - 1
    alive = np.zeros(len(steps), dtype=bool)
    for first, end in np.unique(np.stack([panel.first, ends], axis=1), axis=0):
        alive |= (steps - gap >= first) & (steps < end)
    return [int(step) for step in steps[alive]]


def _cutoffs(found: Sequence[int], begin: int | None, step: int, n: int | None, *, asked: bool) -> Sequence[int]:
    """Return ``n`` of the cutoffs, oldest first: the last ones, or those from ``begin`` on."""
    if begin is not None:
        if n is not None and len(found) < n:
            raise ConfigError(
                f"From start on there are {len(found)} cutoffs {step} steps apart, not n_windows={n}. Lower "
                "n_windows or step, or begin earlier."
            )
        return found[:n]
    assert n is not None
    if asked and n > len(found):
        raise ConfigError(
            f"n_windows={n} cutoffs {step} steps apart do not fit: the panel has room for {len(found)}. Lower "
            "n_windows or step."
        )
    return found[-n:]


def _folds(cutoffs: Sequence[int], times: Times, refit: Refit) -> tuple[Fold, ...]:
    """Number the folds and settle which fit each of them uses."""
    every = 0 if callable(refit) else int(refit) if isinstance(refit, (bool, int, np.integer)) else -1
    if every < 0:
        raise ConfigError(f"refit is True, False, a number of folds, or a function of the fold; got {refit!r}.")
    folds: list[Fold] = []
    fit = 0
    for k, (cutoff, time) in enumerate(zip(cutoffs, times, strict=True)):
        if k and callable(refit):
            again = bool(refit(Fold(k, cutoff, time, fit)))
        else:
            again = bool(k and every and k % every == 0)
        fit = k if again else fit
        folds.append(Fold(k, cutoff, time, fit))
    return tuple(folds)


def _warn_of_one_phase(plan: Plan, panel: Panel) -> None:
    """Say so where every fold begins on the same weekday (hour, month): the figures then hold for that one alone."""
    season = plan.season
    if len(plan.folds) < 2 or season < 2 or plan.step % season:
        return
    shared = season_text(panel.grid.freq, season)
    better = rotating_step(plan.step + 1, season)
    warnings.warn(
        f"All {len(plan.folds)} cutoffs lie a multiple of {season} steps ({shared}) apart, so every forecast begins "
        f"at the same point of the season, as after {time_text(plan.folds[0].time)}; the others are never tried. "
        f"Take a step that rotates through the season, e.g. step={better}.",
        BacktestWarning,
        stacklevel=4,
    )
