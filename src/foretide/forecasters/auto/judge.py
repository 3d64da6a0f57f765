"""What a candidate is worth: its quantiles on the last part of every series, which it has not learned from."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.time.seasons import telling
from foretide.data.windows import Windows, evenly, first_rows, places, truth_of
from foretide.forecasters.classical.time_limit import Watch, can_interrupt, limit
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.intervals.past import predict_within
from foretide.forecasters.wrappers.wrapper import fit_member

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster
    from foretide.typing import Floats, Ints

DECILES = tuple(k / 10 for k in range(1, 10))
"""Quantiles that candidates are judged by."""
CHECKED = (50.0, 80.0, 95.0)
"""Central intervals, in percent, whose coverage is checked."""
QUANTILES = tuple(sorted({*DECILES, *(round(0.5 + side * x / 200, 4) for x in CHECKED for side in (-1, 1))}))
"""All quantiles that are asked of a candidate."""
ORIGINS, MOST_ORIGINS = 3, 12
"""Origins of each series, as far as its length allows: half a horizon apart; or more, at least a horizon apart."""
MOST_KEPT_BACK, FOR_MORE = 1 / 3, 1 / 5
"""Share of a series that may be kept back for more origins than one, and for more than :data:`ORIGINS`."""
MOST_SERIES = 2_000
"""Of more series so many, spread evenly, are judged on: what is better on these is better on all, and there is time
left to fit it on all."""
FEWEST = 3
"""Rows that must be left to learn from; and more than one horizon, or point forecasts have no past errors."""
SAMPLE_SERIES, SAMPLE_ROWS, SAMPLE_PART, FEW_ROWS = 4, 1500, 8, 100
"""The time that a candidate takes is measured on so many series, and so many rows of each; on no more than this part of
all rows, but not on fewer of each than the last number."""
FURTHER, WORTH = 16, 0.05
"""A candidate for which there would be no time is measured again, on so many times the series, where that takes no more
than about this part of the time that is left: how its time grows says more than its time on few."""
SMALL = 5_000
"""Of fewer rows only those that go through series one by one are measured, where a candidate can be stopped: the others
are done almost as soon as measured."""
OF_NETWORKS, AT_ONCE = 0.25, 0.75
"""So much of a network's time on few series grows with the rows; the rest is there once. That of others grows with this
power of them, unless they go through series and windows one by one: on 25 times the rows trees took 10 times as long,
linear maps 8, analogues 3 times."""


@dataclass(frozen=True, eq=False)
class Judge:
    """The origins that candidates are judged from.

    Attributes
    ----------
    panel : Panel
        The series that are long enough to be judged on.
    known : Panel
        Their rows before the first origin's targets.
    windows : Windows
        Origins in ``panel``.
    truth : float array ``[W, H, D]``
    share : float
        Of all rows, those of the series that are judged on.
    """

    panel: Panel
    known: Panel
    windows: Windows
    truth: Floats
    share: float = 1.0

    @classmethod
    def of(cls, panel: Panel, h: int, season: int) -> Judge | None:
        """Keep the last part of every series back, at each series' own end; None where all are too short.

        Of a series of less than three horizons a third is kept back, fewer steps than are forecast. Where half of the
        series leave room, origins are more, and further apart.

        Parameters
        ----------
        panel : Panel
            The training part.
        h : int
            Steps forecast.
        season : int
            Origins do not all share one position of it.

        Returns
        -------
        Judge or None
        """
        every = panel
        if panel.n_entities > MOST_SERIES:
            panel = panel.take(evenly(panel.n_entities, MOST_SERIES, down=True))
        rows = panel.observed
        share = np.round(MOST_KEPT_BACK * rows).astype(np.int64)
        stride, most = _spacing(rows[telling(panel, season)], h, season)
        more = np.clip((share - h) // stride, 0, most - 1)
        kept_back = np.minimum(h, np.maximum(share, 1)) + stride * more
        able = rows - kept_back >= max(FEWEST, h + 1)
        longer = able & np.isin(np.arange(panel.n_entities), telling(panel, season))
        if 2 * longer.sum() >= able.sum():  # few short series have no say; where most are short, they are the question
            able = longer
        known = panel.head(np.where(able, rows - kept_back, 0))
        known = known.take(np.flatnonzero(known.observed > 0))
        if not known.n_entities:
            return None
        inside = panel.take(places(known.ids, panel.ids))
        origins = 1 + more[places(known.ids, panel.ids)]
        entity = np.repeat(np.arange(known.n_entities), origins)
        nth = np.arange(len(entity)) - np.repeat(np.cumsum(origins) - origins, origins)
        windows = Windows(entity, known.length[entity] - 1 + stride * nth)
        truth = truth_of(inside, windows, h)
        if not np.isfinite(truth).any():
            return None
        return cls(inside, known, windows, truth, float(rows.sum() / every.observed.sum()))

    @property
    def series(self) -> int:
        """How many series are judged on."""
        return len(np.unique(self.windows.entity)) * self.panel.n_targets

    @property
    def evidence(self) -> float:
        """How much there is to judge by: the series, where each has :data:`ORIGINS` origins."""
        return self.series * self.origins / ORIGINS

    @property
    def origins(self) -> float:
        """Origins of each series, on average."""
        return len(self.windows) / len(np.unique(self.windows.entity))

    def again(self, candidate: Forecaster) -> float:
        """Return how many times as long as its trial a candidate's fit on everything takes.

        Parameters
        ----------
        candidate : Forecaster

        Returns
        -------
        float
            One where all series are judged on.
        """
        return 1 + (OF_NETWORKS if candidate.neural else 1.0) * (1 / self.share - 1)

    def score(self, quantiles: Floats) -> float:
        """Return what candidates are compared by, so that no single series decides.

        The geometric mean of :func:`wql` and of its mean over series, where each series' loss is measured by the mean
        size of its known values.

        Parameters
        ----------
        quantiles : float array ``[W, H, D, Q]``
            At :data:`QUANTILES`, from the origins.

        Returns
        -------
        float
            Infinite where a quantile is missing beside a truth.
        """
        pooled, loss = wql(quantiles, self.truth), losses(quantiles, self.truth)
        if not np.isfinite(pooled):
            return float("inf")
        told, size = ~np.isnan(self.truth), self._sizes
        total, count = np.zeros_like(size), np.zeros_like(size)
        np.add.at(total, self.windows.entity, np.where(told, loss, 0.0).sum(axis=1))
        np.add.at(count, self.windows.entity, told.sum(axis=1))
        able = (count > 0) & (size > 0)
        typical = float((total[able] / count[able] / size[able]).mean()) if able.any() else 1.0
        return float(np.sqrt(pooled * typical))

    @cached_property
    def _sizes(self) -> Floats:
        """Mean absolute known value of each series, ``[N, D]``."""
        known, entity = self.known, np.repeat(np.arange(self.known.n_entities), self.known.length)
        row = np.arange(len(entity)) + (known.row0 - first_rows(known.length))[entity]
        values = np.asarray(known.values[row, : known.n_targets], dtype=np.float64)
        seen, shape = ~np.isnan(values), (known.n_entities, known.n_targets)
        total, count = np.zeros(shape), np.zeros(shape)
        np.add.at(total, entity, np.where(seen, np.abs(values), 0.0))
        np.add.at(count, entity, seen)
        return np.asarray(total / np.maximum(count, 1))

    def forecast(self, name: str, trial: Trial, *, baseline: bool = False) -> Forecast:
        """Return a trial as a forecast from the origins, which can be scored.

        Parameters
        ----------
        name : str
            Of the candidate.
        trial : Trial
        baseline : bool
            Whether skill is measured against it.

        Returns
        -------
        Forecast
            With the levels :data:`CHECKED`, and the deciles.
        """
        return Forecast(
            name, self.panel, self.windows, trial.mean, CHECKED, QUANTILES, trial.quantiles,
            quantile_columns=DECILES, baseline=baseline,
        )  # fmt: skip


def _spacing(rows: Ints, h: int, season: int) -> tuple[int, int]:
    """Return the steps between two origins of a series, and how many there are at most."""
    room = int(FOR_MORE * np.median(rows)) - h
    most = int(np.clip(1 + room // h, 0, MOST_ORIGINS))
    stride = max(h, room // (most - 1)) if most > ORIGINS else max(1, -(-h // 2))
    while gcd(stride, season) > 1:
        stride += 1
    return stride, max(most, ORIGINS)


@dataclass(frozen=True, eq=False)
class Trial:
    """What a candidate forecast: mean ``[W, H, D]``, quantiles ``[W, H, D, Q]``."""

    mean: Floats
    quantiles: Floats


def tried(judge: Judge, candidate: Forecaster, seconds: float | None, *, wall: bool = False) -> Trial:
    """Fit a copy of a candidate on what is known, and forecast from all origins.

    Parameters
    ----------
    judge : Judge
    candidate : Forecaster
        Unfitted.
    seconds : float or None
        After which it is stopped, where that can be done.
    wall : bool
        Whether they are those of the clock on the wall, not of computing.

    Returns
    -------
    Trial

    Raises
    ------
    OutOfTime
        When it was stopped.
    """
    with limit(seconds, wall=wall), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say is said when the whole part is fitted
        model = fit_member(judge.known, (candidate.fresh(), None))
        got = predict_within(model, judge.panel, judge.windows, QUANTILES)
    quantiles = np.full((*judge.truth.shape, len(QUANTILES)), np.nan) if got.quantiles is None else got.quantiles
    return Trial(np.asarray(got.mean, dtype=np.float64), np.asarray(quantiles, dtype=np.float64))


def predicted_seconds(judge: Judge, item: tuple[Forecaster, bool, float, float]) -> float:
    """Return about how long :func:`tried` will take, from a fit on a few series, or on the beginning of a few.

    0 where rows are few, or few series are most of the work, and it can be stopped when it takes too long.

    Parameters
    ----------
    judge : Judge
    item : (Forecaster, bool, float, float)
        The candidate, unfitted; whether it is the clock on the wall that counts; the seconds that are left, and how
        often there must be time for it within these.

    Returns
    -------
    float
    """
    known, (candidate, wall, left, times) = judge.known, item
    if known.length.sum() < SMALL and can_interrupt() and not one_by_one(candidate):
        return 0.0
    few = known.take(evenly(known.n_entities, SAMPLE_SERIES, down=True))
    part = int(known.length.sum()) // (SAMPLE_PART * few.n_entities)
    few = few.head(np.minimum(few.length, np.clip(part, FEW_ROWS, SAMPLE_ROWS)))
    if few.length.sum() > known.length.sum() / 2:
        if can_interrupt():
            return 0.0
        few = few.head(few.length // 3 + FEWEST)
    scale = float(known.length.sum() / few.length.sum())
    _seconds_of(few.take([0]), candidate, wall=wall)  # imports and compiles what the first fit needs
    seconds = _seconds_of(few, candidate, wall=wall)
    power = 1.0 if one_by_one(candidate) else AT_ONCE
    expected = seconds * float(1 + OF_NETWORKS * (scale - 1) if candidate.neural else scale**power)
    far = scale >= SAMPLE_PART * FURTHER
    if times * expected <= left or not far or seconds * FURTHER**power > WORTH * left:
        return expected
    more = known.take(evenly(known.n_entities, FURTHER * SAMPLE_SERIES, down=True))
    more = more.head(np.minimum(more.length, int(few.length.max())))
    longer, rows = _seconds_of(more, candidate, wall=wall), float(more.length.sum() - few.length.sum())
    return float(longer + max(longer - seconds, 0.0) * (known.length.sum() - more.length.sum()) / max(rows, 1.0))


def _seconds_of(part: Panel, candidate: Forecaster, *, wall: bool) -> float:
    """Seconds that a fit on a part takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        watch = Watch(wall=wall)
        fit_member(part, (candidate.fresh(), None))
    return watch.seconds()


def one_by_one(model: Forecaster) -> bool:
    """Whether a forecaster, or one inside it, goes through series and windows one after the other.

    Parameters
    ----------
    model : Forecaster

    Returns
    -------
    bool

    Examples
    --------
    >>> import foretide as ft
    >>> one_by_one(ft.WithIntervals(ft.Stats("Theta", h=7))), one_by_one(ft.Linear(h=7))
    (True, False)
    """
    return model.one_by_one or any(one_by_one(part) for part in model.parts)


def wql(quantiles: Floats, truth: Floats) -> float:
    """Return the weighted quantile loss at the deciles, pooled over series and steps, its mean over targets.

    ``2 sum(pinball) / sum(|y|)``, the mean over the quantiles 0.1 to 0.9.

    Parameters
    ----------
    quantiles : float array ``[W, H, D, Q]``
        At :data:`QUANTILES`.
    truth : float array ``[W, H, D]``

    Returns
    -------
    float
        Infinite where a quantile is missing beside a truth.

    Examples
    --------
    >>> import numpy as np
    >>> wql(np.full((1, 1, 1, len(QUANTILES)), 8.0), np.full((1, 1, 1), 10.0))
    0.2
    """
    loss, known = losses(quantiles, truth), ~np.isnan(truth)
    if np.isnan(loss[known]).any():
        return float("inf")
    size = np.where(known, np.abs(truth), 0.0).sum(axis=(0, 1))
    total = np.where(known, loss, 0.0).sum(axis=(0, 1))
    told = known.any(axis=(0, 1))
    return float((total / np.where(size > 0, size, 1.0))[told].mean())


def losses(quantiles: Floats, truth: Floats) -> Floats:
    """Return twice the pinball loss, its mean over the deciles, ``[W, H, D]``.

    Parameters
    ----------
    quantiles : float array ``[W, H, D, Q]``
        At :data:`QUANTILES`.
    truth : float array ``[W, H, D]``

    Returns
    -------
    float array ``[W, H, D]``

    Examples
    --------
    >>> import numpy as np
    >>> losses(np.full((1, 1, 1, len(QUANTILES)), 8.0), np.full((1, 1, 1), 10.0)).tolist()
    [[[2.0]]]
    """
    gap = truth[..., None] - quantiles[..., [QUANTILES.index(q) for q in DECILES]]
    return np.asarray(2 * np.maximum(gap * DECILES, gap * (np.array(DECILES) - 1)).mean(axis=-1))
