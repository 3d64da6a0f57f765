"""What validation chooses of linear maps: how windows are read, penalties, and which maps are averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from foretide.models.closed_form import PENALTIES
from foretide.models.pooled_map import DEVIATIONS, Frame, PooledMap, Solved, Store, solve, with_deviations

if TYPE_CHECKING:
    from foretide.typing import Ints, Reals

MOST_LOOKBACK = 750
"""Longer ones are not tried."""
MOST_VALIDATION = 4_000
"""Choices are made on at most about so many windows, all series together."""
FLOPS_TRIED, FLOPS_KEPT = 1e10, 4e10
"""What the Gram matrix of a map that is tried, and of one that is kept, may cost; windows are thinned out evenly."""
NEAR = 0.03
"""Maps whose error is within so much of the best one's are averaged."""
MOST_KEPT = 5
GAIN = 0.01
"""Deviations of single series must be better by so much."""
USUAL_PENALTY = 0.1
"""Taken where no series can spare steps for validation."""


def lookbacks(seasons: Sequence[int], room: int) -> list[int]:
    """Return the lookbacks to try: 1, 2, 4, 8 ... of each season, at most half the room.

    Parameters
    ----------
    seasons : sequence of int
        In steps, shortest first.
    room : int
        Rows of a typical series up to its last training cutoff.

    Returns
    -------
    list of int
        Ascending, at least one.

    Examples
    --------
    >>> lookbacks((7,), 100), lookbacks((24, 168), 4000), lookbacks((), 14)
    ([7, 14, 28], [24, 48, 96, 168, 336, 672], [2, 4])
    """
    most = min(max(room, 2) // 2, MOST_LOOKBACK)
    found: list[int] = []
    for season in seasons or (2,):
        found = [size for size in found if size < season or season > most]
        found += [season * 2**k for k in range(10) if season * 2**k <= most and season * 2**k not in found]
    return found or [max(1, min(min(seasons, default=1), room))]


def spaced(rows: Ints, most: int, season: int) -> Ints:
    """Return at most ``most`` of the rows, evenly spaced through all positions of a season, the last one among them."""
    stride = max(1, -(-len(rows) // max(most, 1)))
    while gcd(stride, season) > 1:
        stride += 1
    return rows[::-1][::stride][::-1]


@dataclass(frozen=True, eq=False)
class Tried:
    """A map that was tried.

    Attributes
    ----------
    solved : Solved
    penalty, score : float
    ahead : ``[n, H]``
        Its forecasts of the validation windows.
    """

    solved: Solved
    penalty: float
    score: float
    ahead: Reals


@dataclass(frozen=True)
class Recipe:
    """What was chosen.

    Attributes
    ----------
    members : tuple of (Frame, float)
        Maps that are averaged, and their penalties.
    deviation : float or None
        Penalty of the deviations of single series; None without them.
    score : float
        Error on validation; NaN where there is none.
    """

    members: tuple[tuple[Frame, float], ...]
    deviation: float | None = None
    score: float = float("nan")


class Search:
    """Tries maps on training windows, and judges them on validation windows.

    Parameters
    ----------
    store : Store
    train : callable
        Lookback -> rows of the cutoffs of the training windows.
    validation : int array
        Rows of the cutoffs.
    size : ``[S]``
        Units of the series: errors are judged in units of each series, and in those of all.
    h : int
    """

    def __init__(
        self, store: Store, train: Callable[[int], Ints], validation: Ints, size: Reals, h: int
    ) -> None:
        self.store, self.train, self.h = store, train, h
        self.rows = spaced(validation, MOST_VALIDATION, store.season)
        self.truth = store.ahead(self.rows, h)
        self.size = (size / size.mean())[store.series[self.rows]]

    def score(self, ahead: Reals) -> float:
        """Return the geometric mean of the absolute error in units of each series and in those of all."""
        errors = np.abs(ahead - self.truth).mean(axis=1)
        return float(np.sqrt(errors.mean() * (errors * self.size).mean()))

    def tried(self, frame: Frame) -> Tried:
        """Solve for one frame; the penalty with the least error wins."""
        solved = solve(self.store, self.thinned(frame, FLOPS_TRIED), self.h, frame)
        x, level, unit = self.store.windows(self.rows, frame)
        best: Tried | None = None
        for penalty in PENALTIES:
            weights, intercept = solved.path.solve(penalty)
            ahead = (x @ weights + intercept) * unit[:, None] + level[:, None]
            score = self.score(ahead)
            if best is None or score < best.score:
                best = Tried(solved, penalty, score, ahead)
        assert best is not None
        return best

    def thinned(self, frame: Frame, flops: float) -> Ints:
        """Return the training windows of a frame, as many as may be afforded."""
        width = frame.lookback
        most = max(int(flops / (2.0 * width * (width + self.h))), 4 * width, 256)
        return spaced(self.train(width), most, self.store.season)

    def chosen(self, sizes: Sequence[int], scales: Sequence[str], own: bool) -> Recipe:
        """Choose how windows are read at one lookback, then among lookbacks; average what is about as good."""
        levels = ("last", "season") if self.store.season > 1 else ("last",)
        frames = [(level, scale) for scale in scales for level in levels]
        found: dict[Frame, Tried] = {}
        first = sizes[min(1, len(sizes) - 1)]

        def best() -> Frame:
            return min(found, key=lambda frame: found[frame].score)

        for level, scale in frames:
            frame = Frame(first, level, scale)
            found[frame] = self.tried(frame)
        level, scale = best().level, best().scale
        for size in sizes:
            frame = Frame(size, level, scale)
            if frame not in found:
                found[frame] = self.tried(frame)
        for level, scale in frames:
            frame = Frame(best().lookback, level, scale)
            if frame not in found:
                found[frame] = self.tried(frame)
        least = found[best()].score
        kept = [frame for frame in found if found[frame].score <= (1.0 + NEAR) * least]
        kept = sorted(kept, key=lambda frame: found[frame].score)[:MOST_KEPT]
        members = [found[frame] for frame in kept]
        score = self.score(np.mean([one.ahead for one in members], axis=0))
        deviation, score = self._deviation(members, score) if own else (None, score)
        return Recipe(tuple((one.solved.frame, one.penalty) for one in members), deviation, score)

    def _deviation(self, members: Sequence[Tried], score: float) -> tuple[float | None, float]:
        """Choose how much each series may differ, the same for all members; not at all unless it helps."""
        sums = np.zeros((len(DEVIATIONS), *self.truth.shape))
        series = self.store.series[self.rows]
        for one in members:
            rows, base = self.thinned(one.solved.frame, FLOPS_TRIED), one.solved.shared(one.penalty)
            k = -1
            for k, own in enumerate(with_deviations(one.solved, base, self.store, rows, DEVIATIONS)):
                sums[k] += own.forecast(self.store, self.rows, series) / len(members)
            if k < 0:
                return None, score
        scores = [self.score(ahead) for ahead in sums]
        pick = int(np.argmin(scores))
        return (DEVIATIONS[pick], scores[pick]) if scores[pick] < (1.0 - GAIN) * score else (None, score)


def refitted(recipe: Recipe, search: Search) -> list[PooledMap]:
    """Solve for what was chosen on all windows that ``search.train`` gives."""
    made = []
    for frame, penalty in recipe.members:
        rows = search.thinned(frame, FLOPS_KEPT)
        solved = solve(search.store, rows, search.h, frame)
        one = solved.shared(penalty)
        if recipe.deviation is not None:
            one = next(with_deviations(solved, one, search.store, rows, (recipe.deviation,)), one)
        made.append(one)
    return made
