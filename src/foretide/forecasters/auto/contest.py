"""The contest of the candidates, within a time limit."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from foretide.forecasters.auto.blend import (
    ALONE,
    asked_for,
    blended,
    doubt,
    factors_of,
    levels_of,
    near,
    relevelled,
    shares_of,
    stretched,
)
from foretide.forecasters.auto.judge import CHECKED, QUANTILES, Judge, Trial, predicted_seconds, tried, wql
from foretide.forecasters.classical.time_limit import OutOfTime
from foretide.parallel import map_tasks
from foretide.text import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from foretide.forecasters.base import Forecaster
    from foretide.typing import Floats

FAILED, NO_TIME = "failed", "no time left"
TOO_SHORT = "the series are too short to be judged on"


@dataclass(frozen=True)
class Entry:
    """A candidate and how it did.

    Attributes
    ----------
    candidate : str
        Its name.
    wql : float
        Weighted quantile loss on the held-back origins; NaN where it was not judged.
    weight : float
        Share of the blend.
    seconds : float
        That its fit and its forecasts took.
    left_out : str
        Why it was not judged, or is not in the blend; empty otherwise.
    simple : bool
        Whether it is a simple baseline.
    start_of : str
        The network whose closed-form start it is; empty for all others.
    """

    candidate: str
    wql: float = float("nan")
    weight: float = 0.0
    seconds: float = 0.0
    left_out: str = ""
    simple: bool = False
    start_of: str = ""

    @property
    def lost(self) -> bool:
        """Whether it was to be judged and could not be."""
        return not self.weight and self.left_out != TOO_SHORT and not np.isfinite(self.wql)


@dataclass(frozen=True, eq=False)
class Result:
    """What came of a contest.

    Attributes
    ----------
    entries : tuple of Entry
        One per candidate, in their order.
    wql : float
        Of the blend.
    factors : float array
        By which intervals are stretched, one per level checked.
    levels : float array
        Which central intervals stand for those of the levels checked.
    origins : int
        Forecasts that were judged.
    """

    entries: tuple[Entry, ...]
    wql: float = float("nan")
    factors: Floats = field(default_factory=lambda: np.ones(len(CHECKED)))
    levels: Floats = field(default_factory=lambda: np.array(CHECKED))
    origins: int = 0


class Held(NamedTuple):
    """What a contest leaves.

    Attributes
    ----------
    result : Result
    trials : list of Trial or None
        One per candidate, in their order; None for those that were not judged.
    blend : Trial or None
        That of the blend; None where nothing was judged.
    """

    result: Result
    trials: list[Trial | None]
    blend: Trial | None = None


def is_simple(model: Forecaster) -> bool:
    """Whether a forecaster, or what it wraps, is a baseline that learns no model of single series."""
    return model.baseline and not any(part.knows_ids for part in (model, *model.parts))


def contest(
    judge: Judge | None,
    models: Sequence[Forecaster],
    time_limit: float,
    *,
    smooth: bool = True,
    starts: Mapping[str, str] | None = None,
    say: Callable[[str], object] = len,
) -> Held:
    """Judge candidates on held-back origins while there is time, and share the blend out among the good ones.

    Parameters
    ----------
    judge : Judge or None
        None: the simple candidates count the same.
    models : sequence of Forecaster
        Unfitted ones; the first is judged in any case.
    time_limit : float
        Seconds, the later fits on everything included.
    smooth : bool
        Whether intervals can be stretched; those of whole or sparse values get other levels instead.
    starts : mapping, optional
        Name of a closed-form start among the models -> that of its network.
    say : callable
        Gets a line before each step; by default nothing is said.

    Returns
    -------
    Held
    """
    begun = [Entry(m.name, simple=is_simple(m), start_of=(starts or {}).get(m.name, "")) for m in models]
    if judge is None:
        result = _unjudged([replace(entry, left_out=TOO_SHORT) for entry in begun])
        return Held(result, [None] * len(models))
    entries, trials = _judged(judge, list(zip(models, begun, strict=True)), time_limit, say)
    return settled(judge, entries, trials, smooth=smooth)


def settled(judge: Judge, entries: Sequence[Entry], trials: Sequence[Trial | None], *, smooth: bool) -> Held:
    """Share the blend out among candidates that were judged, and set its intervals right.

    Parameters
    ----------
    judge : Judge
    entries : sequence of Entry
        With the scores of those that were judged.
    trials : sequence of Trial or None
        Their forecasts.
    smooth : bool
        As for :func:`contest`.

    Returns
    -------
    Held
    """
    truth = judge.truth
    if not np.isfinite([entry.wql for entry in entries]).any():
        return Held(_unjudged(entries), list(trials))
    scores = np.array([np.inf if trial is None else judge.score(trial.quantiles) for trial in trials])
    outdone = _outdone(entries)
    able = np.isfinite(scores) & (np.array([not why for why in outdone]))
    shares = shares_of(np.where(able, scores, np.inf).tolist(), judge.evidence, [e.simple for e in entries])
    blend = _blended(trials, shares)
    best = int(np.argmin(np.where(able, scores, np.inf)))
    alone = (ALONE + doubt(judge.evidence)) * scores[best]
    if np.count_nonzero(shares) > 1 and judge.score(blend.quantiles) > alone:
        shares = np.eye(len(entries))[best]
        blend = _blended(trials, shares)
    factors, levels, quantiles = np.ones(len(CHECKED)), np.array(CHECKED), blend.quantiles
    if smooth:
        factors = factors_of(quantiles, truth, judge.origins)
        quantiles = stretched(quantiles, QUANTILES, factors)
    else:
        levels = levels_of(quantiles, truth, judge.origins)
        quantiles = relevelled(quantiles, asked_for(QUANTILES, levels))
    behind = [f"{score / scores[best] - 1:.0%} worse than {entries[best].candidate}" for score in scores]
    entries = [
        replace(e, weight=float(w), left_out=e.left_out or ("" if w else outdone[k] or behind[k]))
        for k, (e, w) in enumerate(zip(entries, shares, strict=True))
    ]
    result = Result(tuple(entries), wql(quantiles, truth), factors, levels, len(truth))
    return Held(result, list(trials), Trial(blend.mean, quantiles))


def _outdone(entries: Sequence[Entry]) -> list[str]:
    """Say of a network and its start why the worse one stays out; training that adds nothing is not kept."""
    scores = {entry.candidate: entry.wql for entry in entries}
    starts = {entry.start_of: entry.candidate for entry in entries if entry.start_of}
    found = []
    for entry in entries:
        own, start = scores[entry.candidate], starts.get(entry.candidate, "")
        better = scores.get(entry.start_of, np.nan) < own
        found.append(
            f"{entry.start_of} begins there, and is better" if better
            else f"{start}, at which it begins, is as good" if scores.get(start, np.nan) <= own
            else ""
        )  # fmt: skip
    return found


def _unjudged(entries: Sequence[Entry]) -> Result:
    """Let the simple candidates count the same, or the first one where there are none."""
    simple = [k for k, entry in enumerate(entries) if entry.simple] or [0]
    return Result(tuple(
        replace(e, weight=1 / len(simple), left_out="") if k in simple else e for k, e in enumerate(entries)
    ))  # fmt: skip


def _judged(
    judge: Judge, models: Sequence[tuple[Forecaster, Entry]], time_limit: float, say: Callable[[str], object]
) -> tuple[list[Entry], list[Trial | None]]:
    """Try the candidates one after the other; what the good ones need to be fitted again is kept free."""
    ends = time.perf_counter() + time_limit
    entries: list[Entry] = []
    trials: list[Trial | None] = []
    for k, (model, begun) in enumerate(models):
        entry, trial, expected = begun, None, 0.0
        ready = ends - _to_refit(entries, judge.evidence)
        left = ready - time.perf_counter()
        say(f"trying {model.name} ({k + 1} of {len(models)}), {time_left(ends - time.perf_counter())}")
        if k and left > 0 and not entry.simple:
            (measured,) = map_tasks(predicted_seconds, [model], shared=judge)
            expected = 2 * (measured.value or 0.0)  # to be judged and fitted again; what fails here may work on all
            left = ready - time.perf_counter()
        if k and (left <= 0 or expected > left):
            took = f": it would take about {duration(expected)}" if left > 0 else ""
            entry = replace(entry, left_out=NO_TIME + took)
        else:
            (outcome,) = map_tasks(tried, [(model, left / 2 if k else None)], shared=judge)
            trial = outcome.value
            score = wql(trial.quantiles, judge.truth) if trial is not None else float("nan")
            entry = replace(entry, seconds=outcome.seconds)
            if isinstance(outcome.error, OutOfTime):
                entry = replace(entry, left_out=f"{NO_TIME}: it was stopped after {duration(left / 2)}")
            elif not np.isfinite(score):
                entry = replace(entry, left_out=f"{FAILED}: {outcome.error or 'no finite forecast'}")
            else:
                entry = replace(entry, wql=score)
        entries.append(entry)
        trials.append(trial)
    return entries, trials


def _to_refit(entries: Sequence[Entry], evidence: float) -> float:
    """Seconds that fitting those near the best again will take."""
    best = min((entry.wql for entry in entries if np.isfinite(entry.wql)), default=0.0)
    return sum(entry.seconds for entry in entries if entry.wql <= near(evidence) * best)


def time_left(seconds: float) -> str:
    """Say how much time is left.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str

    Examples
    --------
    >>> time_left(12.3), time_left(-1)
    ('12 s left', 'no time left')
    """
    return f"{duration(seconds, rough=True)} left" if seconds > 0 else NO_TIME


def _blended(trials: Sequence[Trial | None], shares: Floats) -> Trial:
    chosen = [(trial, share) for trial, share in zip(trials, shares, strict=True) if trial is not None and share]
    means, quantiles = (np.stack([getattr(trial, name) for trial, _ in chosen]) for name in ("mean", "quantiles"))
    return Trial(*blended(means, quantiles, np.array([share for _, share in chosen]), QUANTILES))
