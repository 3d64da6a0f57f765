"""The closed-form start of the neural models: season, level and a linear map of the lags, chosen on validation.

Measured before the first line was written: gradient descent alone needs many epochs to find what a regression
finds in milliseconds, and often does not. So a network starts *at* this solution and learns corrections to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict, overload

import numpy as np

from foretide.models.closed_form import RidgePath, chunks, future_rows, lagged_rows, ridge_path
from foretide.models.config import StartConfig
from foretide.models.season_term import (
    MAX_RANKED_ENTITIES,
    SeasonTerm,
    candidate_frequencies,
    candidate_periods,
    fit_season_term,
    rank_frequencies,
)
from foretide.typing import Ints, Reals

Part = tuple[Ints, Reals, Reals | None]
"""Steps, values and known columns of some rows."""

WAVE_COUNTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
MAX_BESIDE = 24
"""Known-future columns are told apart from at most this many waves."""
MAX_ALL_CHANNELS = 1200
"""Above this many lags x channels only each target's own lags enter the linear map."""
MAX_SEASON_ROWS = 10_000
"""The season term is fitted on at most this many of each entity's newest training rows."""
LARGEST = 4.0
"""In standard deviations of the series: what a window may move before it counts less."""
MARGIN = 0.02
SEASON_CHUNK = 8_192
"""Rows of the season term made at once; its basis is much wider than the data."""
MAX_VALIDATION = 20_000
"""Choices are made on at most this many validation windows, thinned out evenly."""
MAX_GRAM_FLOPS = 4e10
"""Windows are thinned out evenly so that one Gram matrix costs no more than this."""


@dataclass(frozen=True, eq=False)
class Series:
    """Scaled values as one store, without missing cells, beside what the start needs to know of them.

    Attributes
    ----------
    values : float32 array ``[R, C]``
        Targets first, then past columns; scaled, gaps filled. Entities follow each other without holes.
    known : callable or None
        ``known(entity, low, high)`` gives known-future columns and calendar ``[high - low, G]`` at an entity's rows.
    first : int array ``[N]``
        Grid step of each entity's first row.
    row0, length : int arrays ``[N]``
        Rows of each entity.
    train_length : int array ``[N]``
        Rows of each entity that belong to the training part.
    n_targets : int
    """

    values: Reals
    known: Callable[[int, int, int], Reals] | None
    first: Ints
    row0: Ints
    length: Ints
    train_length: Ints
    n_targets: int

    def part(self, entity: int, low: int, high: int) -> Part:
        """Steps ``[n]``, values ``[n, C]`` and known columns ``[n, G]`` of an entity's rows ``low .. high - 1``."""
        known = None if self.known is None else self.known(entity, low, high)
        row0 = int(self.row0[entity])
        return self.first[entity] + np.arange(low, high), self.values[row0 + low : row0 + high], known


class TrainingParts(Sequence["Part"]):
    """The newest training rows of each entity, made when asked for, so that many entities cost no memory."""

    def __init__(self, series: Series) -> None:
        self.series = series

    def __len__(self) -> int:
        return len(self.series.row0)

    @overload
    def __getitem__(self, entity: int) -> Part: ...
    @overload
    def __getitem__(self, entity: slice) -> list[Part]: ...
    def __getitem__(self, entity: int | slice) -> Part | list[Part]:
        chosen = range(len(self))[entity]
        if isinstance(chosen, range):
            return [self[i] for i in chosen]
        stop = int(self.series.train_length[chosen])
        return self.series.part(chosen, max(0, stop - MAX_SEASON_ROWS), stop)


class Tried(TypedDict):
    """A combination that was tried, and its validation error in scaled units."""

    waves: int
    known: bool
    level: str
    channels: str
    penalty: float
    val_mse: float


@dataclass(frozen=True, eq=False)
class Start:
    """A solution in closed form: ``forecast = season + level + map(window - season - level)``.

    Attributes
    ----------
    season : SeasonTerm
    level : {"last", "mean", "none"}
    channels : {"shared", "own", "all", "none"}
        ``"none"``: there is no map, and no intercept.
    weights : ``[1, L, H]`` (shared), ``[D, L, H]`` (own) or ``[C, L, D, H]`` (all)
        Lag axis oldest first.
    intercept : ``[D, H]``
    chosen : dict
        The combination that was chosen, with its penalty and validation error.
    tried : list of dict
        Every combination that was tried, with its validation error; none where nothing was solved for.
    scale : {"window", "none"}
        As in :class:`~foretide.models.config.StartConfig`.
    """

    season: SeasonTerm
    level: str
    channels: str
    weights: Reals
    intercept: Reals
    chosen: Tried
    tried: list[Tried] = field(default_factory=list)
    scale: str = "window"

    @property
    def val_error(self) -> float:
        """Mean squared error on the validation windows, scaled units."""
        return self.chosen["val_mse"]


def fit_start(
    series: Series,
    train: Ints,
    validation: Ints,
    *,
    input_size: int,
    h: int,
    seasons: Sequence[float],
    config: StartConfig,
) -> Start:
    """Fit on the training windows, choose on the validation windows.

    Parameters
    ----------
    train, validation : int arrays
        Rows of the cutoffs.
    seasons : sequence of float
        Periods in steps.
    """
    if not config.closed_form:
        return no_start(len(series.row0), series.values.shape[1], config)
    search = _Search(series, train, validation, input_size, h, seasons, config)
    widest = series.values.shape[1] * input_size
    can_all = series.values.shape[1] > 1 and widest <= MAX_ALL_CHANNELS
    channels = "shared" if config.channels == "auto" else config.channels
    level = config.level if config.level != "auto" else "last"
    known = config.known != "off" and series.known is not None
    best: Start | None = None
    worse = 0
    for count in search.wave_counts():
        found = search.solve(count, known, level, channels)
        worse = 0 if best is None or found.val_error < best.val_error else worse + 1
        best = _simpler(best, found)
        if worse >= 3:
            break
    assert best is not None
    count = len(best.season.frequencies)
    if config.level == "auto":
        best = _simpler(best, search.solve(count, known, "mean", channels))
    if config.known == "auto" and known:
        best = _simpler(search.solve(count, False, best.level, channels), best)
    richer = [c for c, possible in (("own", series.n_targets > 1), ("all", can_all)) if possible]
    for wider in richer if config.channels == "auto" else ():
        best = _simpler(best, search.solve(count, bool(len(best.season.known)), best.level, wider))
    return replace(best, scale=config.scale)


def no_start(entities: int, channels: int, config: StartConfig) -> Start:
    """Return a start at which nothing was solved for: no season, no map, and the level that was asked for.

    Parameters
    ----------
    entities, channels : int
        ``N`` and ``C``.
    config : StartConfig

    Returns
    -------
    Start
    """
    level = "last" if config.level == "auto" else config.level
    season = SeasonTerm(np.zeros(0), np.zeros((entities, 0, channels)), np.zeros((0, channels)))
    chosen = Tried(waves=0, known=False, level=level, channels="none", penalty=float("nan"), val_mse=float("nan"))
    return Start(season, level, "none", np.zeros(0), np.zeros(0), chosen, scale=config.scale)


def _simpler(simple: Start | None, rich: Start) -> Start:
    """Return the richer start only when it is better by :data:`MARGIN`: validation windows overlap and are few."""
    return rich if simple is None or rich.val_error < (1.0 - MARGIN) * simple.val_error else simple


class _Search:
    """Solves the start for one combination after another and keeps a list of what was tried."""

    def __init__(
        self,
        series: Series,
        train: Ints,
        validation: Ints,
        input_size: int,
        h: int,
        seasons: Sequence[float],
        config: StartConfig,
    ) -> None:
        self.series, self.input_size, self.h, self.config = series, input_size, h, config
        self.train, self.validation = train, thin(validation, MAX_VALIDATION)
        self.tried: list[Tried] = []
        periods = candidate_periods(seasons, int(series.train_length.max()))
        self.longest = max(periods, default=float(series.train_length.max()))
        self.parts = TrainingParts(series)
        looked_at = [part for part in self.parts[:: max(1, -(-len(self.parts) // MAX_RANKED_ENTITIES))] if len(part[0])]
        targets = [(steps, values[:, : series.n_targets].astype(np.float64)) for steps, values, _ in looked_at]
        self.ranked = rank_frequencies(targets, candidate_frequencies(periods), self.longest)

    def wave_counts(self) -> Iterable[int]:
        """Numbers of waves worth trying, smallest first."""
        if self.config.waves != "auto":
            return [min(int(self.config.waves), len(self.ranked))]
        shortest = int(self.series.train_length.max())
        return [k for k in WAVE_COUNTS if k <= len(self.ranked) and 8 * k <= shortest]

    def solve(self, count: int, known: bool, level: str, channels: str) -> Start:
        """Fit season term and ridge path for one combination; the penalty with the least validation error wins."""
        beside = self._beside(count) if known and self.config.apart else None
        season = fit_season_term(self.parts, self.ranked[:count], self.longest, use_known=known, beside=beside)
        n_targets, n_channels = self.series.n_targets, self.series.values.shape[1]
        targets = list(range(n_targets))
        groups = {"shared": [targets], "own": [[d] for d in targets], "all": [list(range(n_channels))]}[channels]
        errors = np.zeros(len(self.config.penalties))
        paths = []
        for inputs in groups:
            outputs = targets if channels == "all" else inputs
            pooled = channels == "shared"
            path = ridge_path(self._blocks(season, self._thinned(len(inputs)), inputs, outputs, level, pooled))
            errors += self._errors(path, self._blocks(season, self.validation, inputs, outputs, level, pooled))
            paths.append(path)
        errors /= max(len(self.validation) * self.h * n_targets, 1)
        # Without validation windows the middle of the path is taken.
        pick = int(np.argmin(errors)) if len(self.validation) else len(errors) // 2
        penalty = self.config.penalties[pick] if self.config.linear else float("inf")
        solved = [path.solve(penalty) for path in paths] if self.config.linear else [_no_map(p) for p in paths]
        choice = Tried(
            waves=count, known=known, level=level, channels=channels, penalty=penalty, val_mse=float(errors[pick])
        )
        self.tried.append(choice)
        return Start(season, level, channels, *self._shaped(solved, channels), choice, self.tried)

    def _beside(self, count: int) -> Reals:
        """Return the waves that come next after the first ``count``, as many as the training part can carry."""
        most = min(MAX_BESIDE, int(self.series.train_length.max()) // 8)
        return np.asarray(self.ranked[count:most])

    def _without(self, season: SeasonTerm, low: int, high: int) -> Reals:
        """Rows ``low .. high - 1`` less the season term, ``[high - low, C]``."""
        left = self.series.values[low:high].astype(np.float64)
        first = int(np.searchsorted(self.series.row0, low, side="right")) - 1
        for i in range(first, len(self.series.row0)):
            row0 = int(self.series.row0[i])
            start, stop = max(low, row0), min(high, row0 + int(self.series.length[i]))
            if start >= high:
                break
            for begin in range(start, stop, SEASON_CHUNK):
                end = min(begin + SEASON_CHUNK, stop)
                steps, _, known = self.series.part(i, begin - row0, end - row0)
                left[begin - low : end - low] -= season.at(i, steps, known)
        return left

    def _thinned(self, n_inputs: int) -> Ints:
        width = n_inputs * self.input_size
        most = max(int(MAX_GRAM_FLOPS / (2.0 * width * (width + self.h))), 4 * width, 256)
        return thin(self.train, most)

    def _blocks(
        self,
        season: SeasonTerm,
        rows: Ints,
        inputs: list[int],
        outputs: list[int],
        level: str,
        pooled: bool,
    ) -> Iterable[tuple[Reals, Reals]]:
        """Lags ``X`` and truths ``Y`` of some windows; ``pooled`` stacks the channels as if they were windows."""
        position = [inputs.index(o) for o in outputs]
        for part in chunks(rows, len(inputs) * self.input_size):
            low = int(part[0]) - self.input_size + 1
            left = self._without(season, low, int(part[-1]) + self.h + 1)
            x = lagged_rows(left[:, inputs], part - low, self.input_size)
            base = window_level(x, level)
            y = future_rows(left[:, outputs], part - low, self.h) - base[:, position, None]
            n = len(part) * len(inputs) if pooled else len(part)
            yield tamed((x - base[:, :, None]).reshape(n, -1), y.reshape(n, -1))

    def _errors(self, path: RidgePath, blocks: Iterable[tuple[Reals, Reals]]) -> Reals:
        solutions = [path.solve(p) if self.config.linear else _no_map(path) for p in self.config.penalties]
        errors = np.zeros(len(solutions))
        for x, y in blocks:
            for k, (weights, intercept) in enumerate(solutions):
                errors[k] += float(((y - x @ weights - intercept) ** 2).sum())
        return errors

    def _shaped(self, solved: list[tuple[Reals, Reals]], channels: str) -> tuple[Reals, Reals]:
        size, h, d = self.input_size, self.h, self.series.n_targets
        if channels != "all":
            intercepts = np.stack([b for _, b in solved])
            return np.stack([w for w, _ in solved]), np.broadcast_to(intercepts, (d, h)).copy()
        weights, intercept = solved[0]
        return weights.reshape(-1, size, d, h), intercept.reshape(d, h)


def tamed(x: Reals, y: Reals) -> tuple[Reals, Reals]:
    """Shrink the windows that move more than :data:`LARGEST`, lags and truths alike.

    A series that slept through its training part and wakes later has scaled values in the hundreds; unshrunk, it
    alone would choose penalty and weights for all others. A linear map fits a shrunk window as well as the window.
    """
    size = np.sqrt(np.maximum(np.square(x).mean(axis=1), np.square(y).mean(axis=1)))
    shrink = 1.0 / np.maximum(1.0, size / LARGEST)[:, None]
    return x * shrink, y * shrink


def window_level(window: Reals, level: str) -> Reals:
    """Level of each channel of a window ``[n, C, L]`` -> ``[n, C]``."""
    if level == "last":
        return np.asarray(window[:, :, -1])
    if level == "mean":
        return np.asarray(window.mean(axis=2))
    return np.zeros(window.shape[:2])


def thin(rows: Ints, most: int) -> Ints:
    """Return at most ``most`` of ``rows``, evenly spaced, the last one among them."""
    stride = max(1, -(-len(rows) // most))
    return rows[::-1][::stride][::-1]


def _no_map(path: RidgePath) -> tuple[Reals, Reals]:
    return np.zeros((len(path.mean_x), len(path.mean_y))), path.mean_y
