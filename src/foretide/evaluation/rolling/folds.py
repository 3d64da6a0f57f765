"""Rolling origins: where a backtest forecasts from, what it may learn from, and when it learns anew."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np

from foretide.data.splits import Split
from foretide.data.time.seasons import main_season
from foretide.errors import ConfigError, DataError, nearest
from foretide.evaluation.rolling.dates import moment
from foretide.text import season_text, time_text

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.typing import Json, Time, Times

DEFAULT_WINDOWS = 10
"""Folds of a backtest that asks for no number of them."""


class BacktestWarning(UserWarning):
    """Something about a backtest makes its figures worth less than they seem."""


@dataclass(frozen=True)
class Fold:
    """One origin of a backtest.

    Attributes
    ----------
    index : int
        From 0, oldest first.
    cutoff : int
        Grid step of the last observed step.
    time : time
        The same, as the user knows it.
    fit : int
        Index of the fold whose fit is used; its own where models are fitted anew.
    """

    index: int
    cutoff: int
    time: Time
    fit: int

    @property
    def refits(self) -> bool:
        """Whether models are fitted anew for this fold."""
        return self.fit == self.index


Refit = bool | int | Callable[[Fold], bool]


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


@dataclass(frozen=True)
class Plan:
    """All folds of a backtest.

    Attributes
    ----------
    h, step, gap : int
        Horizon; steps between neighbouring cutoffs; steps between the end of the training part and the cutoff.
    train_size : int or None
        Steps of a sliding training part; None: it expands from the first step on.
    val_size : int or None
        Steps at the end of the training part that are kept for validation; None: what each model takes by itself.
    season : int
        Season of baselines and scaled measures, found on the first training part unless given.
    folds : tuple of Fold
    split : Split, optional
        Of a run, which is a backtest with one block: models learn from the training and validation part, and forecast
        every window of the test part; each series its own parts, where the split has them.
    """

    h: int
    step: int
    gap: int
    train_size: int | None
    val_size: int | None
    season: int
    folds: tuple[Fold, ...]
    split: Split | None = None

    @property
    def blocks(self) -> tuple[tuple[Fold, ...], ...]:
        """Folds that share one fit, in order; each block is one fit and one vectorised pass."""
        fits = sorted({fold.fit for fold in self.folds})
        return tuple(tuple(fold for fold in self.folds if fold.fit == fit) for fit in fits)

    @property
    def overlap(self) -> int:
        """How many neighbouring cutoffs forecast one and the same step, at most."""
        return -(-self.h // self.step)

    def fit_end(self, block: Sequence[Fold]) -> int:
        """Grid step of the last step that a block's fit may see."""
        return block[0].cutoff - self.gap if self.split is None else self.split.val_end

    def train_end(self, block: Sequence[Fold]) -> int | None:
        """Grid step of a block's last training step where validation has a given size, else None."""
        return None if self.val_size is None else self.fit_end(block) - self.val_size

    def part(self, panel: Panel, block: Sequence[Fold]) -> Panel:
        """Return the panel that a block is fitted on: all of it, or from the start of a sliding training part on."""
        if self.split is not None:
            return panel.head(self.split.rows(panel)[1])
        if self.train_size is None:
            return panel
        start = self.fit_end(block) - self.train_size + 1
        return panel if start <= int(panel.first.min()) else panel.since(moment(panel, start))

    def known(self, panel: Panel, block: Sequence[Fold] | None = None) -> Panel:
        """Return the rows that the fit of a block (of the first one) may see."""
        block = block or self.blocks[0]
        part = self.part(panel, block)
        return part if self.split is not None else part.until(moment(panel, self.fit_end(block)))

    def fit_options(self, panel: Panel, block: Sequence[Fold]) -> dict[str, Time]:
        """Return ``until`` and ``train_until`` of a block's fit on :meth:`part`, where they are not left to models."""
        if self.split is None:
            end = self.train_end(block)
            validation = {} if end is None else {"train_until": moment(panel, end)}
            return {"until": moment(panel, self.fit_end(block)), **validation}
        first, last = panel.first, panel.first + panel.observed - 1
        shared = (first <= self.split.train_end) & (last >= self.split.val_end)
        return {"train_until": self.split.train_until} if self.split.own is None and shared.all() else {}

    def origins(self, panel: Panel, block: Sequence[Fold]) -> Windows | list[Time]:
        """Return where a block forecasts from: single windows, or times at which every series is forecast."""
        return [fold.time for fold in block] if self.split is None else self.test_windows(panel)

    def test_windows(self, panel: Panel) -> Windows:
        """Return every window of the test part of a run."""
        assert self.split is not None
        return self.split.windows(panel, "test", input_size=1, h=self.h, stride=self.step)

    def to_dict(self) -> Json:
        """The plan as JSON."""
        names = ("h", "step", "gap", "train_size", "val_size", "season")
        folds = [{"cutoff": f.cutoff, "time": str(f.time), "fit": f.fit} for f in self.folds]
        split = self.split
        parts = None if split is None else [split.start, split.train_end, split.val_end, split.test_end, split.own]
        return {**{name: getattr(self, name) for name in names}, "folds": folds, "split": parts}

    @classmethod
    def from_dict(cls, found: Json, panel: Panel) -> Plan:
        """Undo :meth:`to_dict`."""
        times = panel.grid.output_times([f["cutoff"] for f in found["folds"]])
        folds = tuple(Fold(k, f["cutoff"], times[k], f["fit"]) for k, f in enumerate(found["folds"]))
        parts = found.get("split")
        split = None
        if parts is not None:
            start, train_end, val_end, test_end, own = parts
            split = Split(panel.grid, start, train_end, val_end, test_end, None if own is None else tuple(own))
        return cls(**{k: v for k, v in found.items() if k not in ("folds", "split")}, folds=folds, split=split)


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
            raise ConfigError(f"backtest has no option {name!r}. {nearest(name, FoldOptions.__annotations__)}")
    given = {"h": h, **options}
    for name, low in (("h", 1), ("step", 1), ("n_windows", 1), ("gap", 0), ("train_size", 2), ("val_size", 0)):
        value = given.get(name)
        if value is None and (name not in ("h", "gap") or name not in given):
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
            raise ConfigError(f"{name} is a whole number of steps of at least {low}, got {value!r}.")


def rotating_step(h: int, season: int) -> int:
    """Return the least step of at least ``h`` that shares no factor with the season: origins reach all phases."""
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
