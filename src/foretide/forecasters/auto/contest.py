"""The contest of the candidates, within a time limit."""

from __future__ import annotations

import time
from contextlib import closing
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
from foretide.forecasters.auto.crew import NO_WORKERS, Crew, can_travel
from foretide.forecasters.auto.judge import CHECKED, QUANTILES, Judge, Trial, wql
from foretide.forecasters.auto.turns import FAILED, NO_TIME, Attempt, Turn, attempt
from foretide.text import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from foretide.forecasters.auto.budget import Budget
    from foretide.forecasters.base import Forecaster
    from foretide.parallel import Outcome
    from foretide.typing import Bools, Floats

NOT_FINITE = "no finite forecast"
TOO_SHORT = "the series are too short to be judged on"
FAR, PARTS, OTHERS = 2.0, (0.1, 0.2, 0.3), 2
"""A candidate whose score is at most so many times the best one may still be let in with one of these shares, and so
many may be, where the blend's own score falls clearly."""
GAIN = 0.01
"""By so much, and by a tenth of the doubt: 2.25 % on twelve origins of one series. On 27 windows of the league before
the test parts no candidate came in at 1 %, and those at 0.5 % did harm; on Victoria's demand, where a network errs
unlike boosted trees that are half as good again, their blend has 7 % less error than the network."""


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
    pretrained : bool
        Whether it was trained on other series before.
    start_of : str
        The network whose closed-form start it is; empty for all others.
    """

    candidate: str
    wql: float = float("nan")
    weight: float = 0.0
    seconds: float = 0.0
    left_out: str = ""
    simple: bool = False
    pretrained: bool = False
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


def is_pretrained(model: Forecaster) -> bool:
    """Whether a forecaster, or what it wraps, was trained on other series before."""
    return model.pretrained or (bool(model.parts) and all(is_pretrained(part) for part in model.parts))


def contest(
    crew: Crew,
    models: Sequence[Forecaster],
    budget: Budget,
    *,
    smooth: bool = True,
    starts: Mapping[str, str] | None = None,
    say: Callable[[str], object] = len,
) -> Held:
    """Judge candidates on held-back origins while there is time, and share the blend out among the good ones.

    Parameters
    ----------
    crew : Crew
        Without a judge the simple candidates count the same.
    models : sequence of Forecaster
        Unfitted ones; the first is judged in any case.
    budget : Budget
        Of seconds, the later fits on everything included.
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
    judge = crew.shared[0]
    begun = [
        Entry(m.name, simple=is_simple(m), pretrained=is_pretrained(m), start_of=(starts or {}).get(m.name, ""))
        for m in models
    ]
    if judge is None:
        result = _unjudged([replace(entry, left_out=TOO_SHORT) for entry in begun])
        return Held(result, [None] * len(models))
    judging = _Judging(crew, judge, models, begun, [None] * len(models), budget, say)
    judging.all()
    return settled(judge, judging.entries, judging.trials, smooth=smooth)


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
    shares = shares_of(
        np.where(able, scores, np.inf).tolist(), judge.evidence, [e.simple for e in entries],
        [e.pretrained for e in entries],
    )  # fmt: skip
    blend = _blended(trials, shares)
    best = int(np.argmin(np.where(able, scores, np.inf)))
    alone = (ALONE + doubt(judge.evidence)) * scores[best]
    if np.count_nonzero(shares) > 1 and judge.score(blend.quantiles) > alone:
        shares = np.eye(len(entries))[best]
        blend = _blended(trials, shares)
    plain = np.array([entry.simple for entry in entries])
    shares, blend = _with_others(judge, trials, shares, able & ~plain & (scores <= FAR * scores[best]), blend)
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


def _with_others(
    judge: Judge, trials: Sequence[Trial | None], shares: Floats, able: Bools, blend: Trial
) -> tuple[Floats, Trial]:
    """Let those of the rest in with which the blend would have been clearly better: they err where others do not."""
    score, kept = judge.score(blend.quantiles), 1 - GAIN - doubt(judge.evidence) / 10
    for _ in range(OTHERS):
        least, bound = (score, shares, blend), kept * score
        for k in np.flatnonzero(able & (shares == 0)):
            before = score
            for part in PARTS:
                mixed = (1 - part) * shares + part * np.eye(len(shares))[k]
                trial = _blended(trials, mixed)
                got = judge.score(trial.quantiles)
                if got < least[0]:
                    least = (got, mixed, trial)
                if got > before:
                    break  # more of it is worse still
                before = got
        if least[0] > bound:
            break
        score, shares, blend = least
    return shares, blend


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


@dataclass(eq=False)
class _Judging:
    """The candidates while they are judged.

    Attributes
    ----------
    crew : Crew
    judge : Judge
    models : sequence of Forecaster
    entries : list of Entry
        One per model.
    trials : list of Trial or None
    budget : Budget
    say : callable
    """

    crew: Crew
    judge: Judge
    models: Sequence[Forecaster]
    entries: list[Entry]
    trials: list[Trial | None]
    budget: Budget
    say: Callable[[str], object]
    done: set[int] = field(default_factory=set)

    def all(self) -> None:
        """Judge every candidate: in this process until it pays to do it in several."""
        began, waiting = time.perf_counter(), list(range(len(self.models)))
        while waiting:
            able = [k for k in waiting if can_travel(self.models[k])]
            if self.crew.pays(time.perf_counter() - began, len(able)):
                self._some([k for k in waiting if k not in able], beside=False)
                try:
                    self._some(able, beside=True)
                except NO_WORKERS:
                    self.crew.alone()
            else:
                self._some(waiting[:1], beside=False)
            waiting = [k for k in waiting if k not in self.done]

    def _some(self, places: Sequence[int], *, beside: bool) -> None:
        turns = [Turn(self.models[k], k, not self.entries[k].simple) for k in places]
        with closing(self.crew.stream(attempt, turns, beside=beside, prepare=self._turn)) as outcomes:
            for outcome in outcomes:
                self._ended(places[outcome.index], outcome)
                self.budget.charge(outcome, self.crew.jobs, beside=beside)

    def _turn(self, turn: Turn) -> Turn:
        """Give a candidate what time is left; what the good ones need to be fitted again is kept free."""
        left, k = self.budget.left(), turn.place
        self.say(f"trying {turn.model.name} ({k + 1} of {len(self.models)}), {time_left(left)}")
        again = [self.judge.again(model) for model in self.models]
        left -= _to_refit(self.entries, self.judge.evidence, self.crew.jobs, again)
        return turn._replace(left=left if k else None, wall=self.budget.wall)

    def _ended(self, k: int, outcome: Outcome[Attempt]) -> None:
        """Note what came of a candidate's turn."""
        self.done.add(k)
        entry, got = self.entries[k], outcome.value
        if got is None or got.trial is None:
            seconds, why = (outcome.seconds, f"{FAILED}: {outcome.error}") if got is None else got[1:]
            self.entries[k] = replace(entry, seconds=seconds, left_out=why)
            return
        score = wql(got.trial.quantiles, self.judge.truth)
        self.trials[k], entry = got.trial, replace(entry, seconds=got.seconds)
        able = np.isfinite(score)
        self.entries[k] = replace(entry, wql=score) if able else replace(entry, left_out=f"{FAILED}: {NOT_FINITE}")


def _to_refit(entries: Sequence[Entry], evidence: float, jobs: int, again: Sequence[float]) -> float:
    """Seconds that fitting those near the best again will take, each so many times as long as its trial."""
    best = min((entry.wql for entry in entries if np.isfinite(entry.wql)), default=0.0)
    seconds = [n * e.seconds for e, n in zip(entries, again, strict=True) if e.wql <= near(evidence) * best]
    return max(sum(seconds) / jobs, max(seconds, default=0.0))


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
