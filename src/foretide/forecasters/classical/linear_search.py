"""What validation chooses of linear maps: how windows are read, penalties, and which maps are averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.windows import spaced
from foretide.models.closed_form import Moments
from foretide.models.pooled_map import DEVIATIONS, Frame, PooledMap, Store, robust, with_deviations

if TYPE_CHECKING:
    from foretide.typing import Ints, Reals

MOST_LOOKBACK = 750
"""Longer ones are not tried."""
TRIED_PENALTIES: tuple[float, ...] = (1e-6, 1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 10.0)
"""Relative to the mean eigenvalue of the Gram matrix."""
BLOCKS, ROOM_FOR_BLOCKS = 3, 12
"""The training part is divided into so many blocks where it has room for so many horizons."""
MOST_JUDGED = 4_000
"""Choices are made on at most about so many windows, all series together."""
FLOPS_TRIED, FLOPS_KEPT = 1e10, 4e10
"""What the Gram matrix of a map that is tried, and of one that is kept, may cost; windows are thinned out evenly."""
NEAR = 0.05
"""Maps whose error is within so much of the best one's are averaged."""
MOST_KEPT = 8
GAIN = 0.003
"""Deviations of single series and robust maps must be better by so much."""
ROBUST_SHARES = (0.5, 1.0)
"""Of the robust map in its mean with that of least squares, where it is taken at all."""
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


def blocks_of(begin: Ints, train_rows: Ints, h: int, room: int) -> Ints:
    """Return to which block each row belongs: parts of the training rows, and behind them those for validation.

    Parameters
    ----------
    begin : int array ``[R]``
        First row of the series that a row belongs to.
    train_rows : int array ``[R]``
        Training rows of that series.
    h, room : int
        As in :func:`lookbacks`: little room is not divided.

    Returns
    -------
    int array ``[R]``
        Ascending within a series; the same numbers in all.
    """
    parts = BLOCKS if room >= ROOM_FOR_BLOCKS * h else 1
    place = np.arange(len(begin)) - begin
    return np.where(place < train_rows, place * parts // np.maximum(train_rows, 1), parts)


@dataclass(frozen=True, eq=False)
class Tried:
    """A map that was tried.

    Attributes
    ----------
    frame : Frame
    parts : dict
        Moments of each block's windows.
    penalty, score : float
    ahead : ``[n, H]``
        Forecasts of the windows judged, each by a map that was solved without their block.
    """

    frame: Frame
    parts: dict[int, Moments]
    penalty: float
    score: float
    ahead: Reals

    def n_without(self, block: int) -> int:
        """Return the number of windows of all blocks but one."""
        return sum(part.n for k, part in self.parts.items() if k != block)

    def without(self, block: int | None = None) -> Moments:
        """Return the moments of all blocks but one."""
        return reduce(add, [one for k, one in self.parts.items() if k != block])


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
        Error on the windows judged; NaN where there are none.
    robust : float
        Share of the robust map in each member.
    """

    members: tuple[tuple[Frame, float], ...]
    deviation: float | None = None
    score: float = float("nan")
    robust: float = 0.0


class Search:
    """Tries maps on all blocks of windows but one, and judges them on that one, for each in turn.

    Parameters
    ----------
    store : Store
    rows : callable
        Lookback -> rows of the cutoffs of all windows, ascending.
    blocks : int array ``[R]``
        Of :func:`blocks_of`; windows whose truths lie in two of them are left out.
    size : ``[S]``
        Units of the series: errors are judged in units of each series, and in those of all.
    h, shortest, longest : int
        Horizon, and lookbacks that will be tried. Windows are judged that have the longest or half of their series
        behind them, as those to be forecast will: others would speak against long lookbacks only.
    """

    def __init__(
        self, store: Store, rows: Callable[[int], Ints], blocks: Ints, size: Reals, h: int, shortest: int, longest: int
    ) -> None:
        self.store, self.rows, self.h = store, rows, h
        self._blocks = blocks
        found = rows(shortest)
        at = self.block(found)
        counts = {int(k): int((at == k).sum()) for k in np.unique(at[at >= 0])}
        self.folds = [k for k, n in counts.items() if 0 < n <= sum(counts.values()) - n]
        grown = found - store.begin[found] >= np.minimum(longest, np.bincount(store.series)[store.series[found]] // 2)
        self.folds = [k for k in self.folds if (grown & (at == k)).any()]
        most = MOST_JUDGED // max(len(self.folds), 1)
        chosen = [spaced(found[grown & (at == k)], most, store.season) for k in self.folds]
        self.judged = np.concatenate([*chosen, np.zeros(0, dtype=np.int64)])
        self.fold = np.repeat(self.folds, [len(one) for one in chosen])
        self.truth = store.ahead(self.judged, h)
        self.size = (size / size.mean())[store.series[self.judged]]

    def block(self, rows: Ints) -> Ints:
        """Return the block of windows, -1 for those whose truths lie in two."""
        first = self._blocks[rows + 1]
        return np.where(first == self._blocks[rows + self.h], first, -1)

    def score(self, ahead: Reals) -> float:
        """Return the mean root mean square of windows: in units of each series times in those of all, the root."""
        errors = np.sqrt(np.mean((ahead - self.truth) ** 2, axis=1))
        return float(np.sqrt(errors.mean() * (errors * self.size).mean()))

    def tried(self, frame: Frame) -> Tried:
        """Solve for one frame; the penalty with the least error wins."""
        rows = self.thinned(frame, FLOPS_TRIED)
        at = self.block(rows)
        parts = {int(k): Moments.of(self.store.blocks(rows[at == k], self.h, frame)) for k in np.unique(at[at >= 0])}
        one = Tried(frame, parts, USUAL_PENALTY, np.inf, self.truth)
        ahead = np.empty((len(TRIED_PENALTIES), *self.truth.shape))
        x, level = self.store.windows(self.judged, frame)
        if any(one.n_without(fold) < 2 for fold in self.folds):
            return one
        for fold in self.folds:
            own = self.fold == fold
            for k, (weights, intercept) in enumerate(one.without(fold).solve(TRIED_PENALTIES)):
                ahead[k, own] = x[own] @ weights + intercept + level[own, None]
        scores = [self.score(each) for each in ahead]
        pick = int(np.argmin(scores))
        return replace(one, penalty=TRIED_PENALTIES[pick], score=scores[pick], ahead=ahead[pick].copy())

    def thinned(self, frame: Frame, flops: float) -> Ints:
        """Return the windows of a frame, as many as may be afforded."""
        width = frame.lookback
        most = max(int(flops / (2.0 * width * (width + self.h))), 4 * width, 256)
        return spaced(self.rows(width), most, self.store.season)

    def chosen(self, sizes: Sequence[int], own: bool) -> Recipe:
        """Choose the level at one lookback, then among lookbacks; average what is about as good."""
        levels = ("last", "season") if self.store.season > 1 else ("last",)
        found: dict[Frame, Tried] = {}

        def try_all(frames: Iterable[Frame]) -> Frame:
            found.update({frame: self.tried(frame) for frame in frames if frame not in found})
            return min(found, key=lambda frame: found[frame].score)

        best = try_all(Frame(sizes[min(1, len(sizes) - 1)], level) for level in levels)
        best = try_all(Frame(size, best.level) for size in sizes)
        best = try_all(Frame(best.lookback, level) for level in levels)
        ranked = sorted(found.values(), key=lambda one: one.score)
        kept = [one for one in ranked if one.score <= (1.0 + NEAR) * found[best].score][:MOST_KEPT]
        score = self.score(np.mean([one.ahead for one in kept], axis=0))
        deviation, score = self._deviation(kept, score) if own else (None, score)
        return Recipe(tuple((one.frame, one.penalty) for one in kept), deviation, score, self._robust(kept[0]))

    def _robust(self, one: Tried) -> float:
        """Choose the share of the robust map by the best member, the same for all."""
        rows, ahead = self.rows(one.frame.lookback), np.empty_like(self.truth)
        at = self.block(rows)
        for fold in self.folds:
            base = PooledMap.shared(one.frame, *next(one.without(fold).solve((one.penalty,))))
            train, own = rows[(at >= 0) & (at != fold)], self.fold == fold
            ahead[own] = robust(base, self.store, train, one.penalty).forecast(self.store, self.judged[own], None)
        scores = [self.score((1.0 - share) * one.ahead + share * ahead) for share in ROBUST_SHARES]
        pick = int(np.argmin(scores))
        return ROBUST_SHARES[pick] if scores[pick] < (1.0 - GAIN) * one.score else 0.0

    def _deviation(self, members: Sequence[Tried], score: float) -> tuple[float | None, float]:
        """Choose how much each series may differ, the same for all members; not at all unless it helps."""
        sums = np.zeros((len(DEVIATIONS), *self.truth.shape))
        for one in members:
            rows, path = self.thinned(one.frame, FLOPS_TRIED), one.without().path()
            at = self.block(rows)
            for fold in self.folds:
                base = PooledMap.shared(one.frame, *next(one.without(fold).solve((one.penalty,))))
                train, own = rows[(at >= 0) & (at != fold)], self.fold == fold
                series, k = self.store.series[self.judged[own]], -1
                for k, made in enumerate(with_deviations(base, path, self.store, train, DEVIATIONS)):
                    sums[k, own] += made.forecast(self.store, self.judged[own], series) / len(members)
                if k < 0:
                    return None, score
        scores = [self.score(ahead) for ahead in sums]
        pick = int(np.argmin(scores))
        return (DEVIATIONS[pick], scores[pick]) if scores[pick] < (1.0 - GAIN) * score else (None, score)

    def solved(self, recipe: Recipe) -> list[PooledMap]:
        """Solve for what was chosen on all windows."""
        made = []
        for frame, penalty in recipe.members:
            rows = self.thinned(frame, FLOPS_KEPT)
            path = Moments.of(self.store.blocks(rows, self.h, frame)).path()
            one = PooledMap.shared(frame, *path.solve(penalty))
            if recipe.robust:
                one = one.towards(robust(one, self.store, self.rows(frame.lookback), penalty), recipe.robust)
            if recipe.deviation is not None:
                one = next(with_deviations(one, path, self.store, rows, (recipe.deviation,)), one)
            made.append(one)
        return made
