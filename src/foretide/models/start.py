"""The closed-form start of the neural models: season, level and a linear map of the lags, chosen on validation.

Measured before the first line was written: gradient descent alone needs many epochs to find what a regression
finds in milliseconds, and often does not. So a network starts *at* this solution and learns corrections to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from math import lcm
from typing import NotRequired, TypedDict

import numpy as np

from foretide.data.windows import spaced
from foretide.models.closed_form import Moments, RidgePath, chunks, future_rows, lagged_rows, ridge_path, within_span
from foretide.models.config import StartConfig
from foretide.models.known_basis import KnownBasis
from foretide.models.season_term import (
    MAX_RANKED_ENTITIES,
    SeasonTerm,
    candidate_frequencies,
    candidate_periods,
    fit_season_term,
    rank_frequencies,
)
from foretide.models.series import BaseForecasts, Series, TrainingParts, base_level
from foretide.typing import Ints, Reals

WAVE_COUNTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
MAX_BESIDE = 24
"""Known-future columns are told apart from at most this many waves."""
MAX_ALL_CHANNELS = 1200
"""Above this many lags x channels only each target's own lags enter the linear map."""
LARGEST = 4.0
"""In standard deviations of the series: what a window may move before it counts less."""
MARGIN = 0.02
BASIS_PENALTIES = (1e-3, 1e-2, 1e-1)
"""Of a basis of known-future columns, per row."""
MAX_VALIDATION = 20_000
"""Choices are made on at most this many validation windows, thinned out evenly."""
MAX_GRAM_FLOPS = 4e10
"""Windows are thinned out evenly so that one Gram matrix costs no more than this."""


class Tried(TypedDict):
    """A combination that was tried, and its validation error in scaled units.

    ``basis``: penalty of the known-future columns where they stand beside functions of them.
    """

    waves: int
    known: bool
    basis: NotRequired[float]
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
    level : {"last", "mean", "none", "base"}
        ``"base"``: a base from elsewhere stands in the place of season and level.
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
    basis : KnownBasis or None
        Functions of the known-future columns that stand beside them in the season term.
    later : Start or None
        The same choices, everything estimated on training and validation part.
    """

    season: SeasonTerm
    level: str
    channels: str
    weights: Reals
    intercept: Reals
    chosen: Tried
    tried: list[Tried] = field(default_factory=list)
    scale: str = "window"
    basis: KnownBasis | None = None
    later: Start | None = None

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
    base: BaseForecasts | None = None,
    wide: Series | None = None,
    lengths: Ints | None = None,
) -> Start:
    """Fit on the training windows, choose on the validation windows.

    Parameters
    ----------
    train, validation : int arrays
        Rows of the cutoffs.
    seasons : sequence of float
        Periods in steps.
    base : BaseForecasts, optional
        Of all windows; tried with ``level="auto"``, where anything else must be better by :data:`MARGIN`, and taken
        with ``level="base"``.
    wide : Series, optional
        The same with further known columns and a basis of them; tried with ``known="auto"`` and ``"on"``, and taken
        where it is better by :data:`MARGIN`.
    lengths : int array ``[N]``, optional
        Rows of each entity that the chosen start is estimated on once more, see :attr:`Start.later`.
    """
    if not config.closed_form:
        return no_start(len(series.row0), series.values.shape[1], config)
    search = _Search(series, train, validation, input_size, h, seasons, config, base)
    search.wide = wide if config.known != "off" and len(validation) else None
    on_base = None if base is None else _on_base(search, config)
    if on_base is not None and (config.level == "base" or not len(validation)):
        return replace(on_base, scale=config.scale)
    best = replace(_simpler(on_base, _on_season(search, config)), scale=config.scale)
    return best if lengths is None or best.level == "base" else replace(best, later=search.again(best, lengths))


def _on_base(search: _Search, config: StartConfig) -> Start:
    """Return the base alone, or with a linear map of the lags where validation windows ask for it."""
    best = search.base_alone()
    if config.linear and len(search.validation):
        best = _simpler(
            best, search.solve(0, False, "base", "shared" if config.channels == "auto" else config.channels)
        )
    return best


def _on_season(search: _Search, config: StartConfig) -> Start:
    """Return season, level and linear map, as many of each as validation windows ask for."""
    series, input_size = search.series, search.input_size
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
    tries = sorted({count, *list(search.wave_counts())[::-3]}) if search.wide is not None else []
    for penalty in BASIS_PENALTIES:
        for some in tries:
            best = _simpler(best, search.solve(some, True, best.level, best.channels, penalty))
    return best


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
        base: BaseForecasts | None = None,
    ) -> None:
        self.series, self.input_size, self.h, self.config, self.base = series, input_size, h, config, base
        self.cycle = lcm(*(max(1, round(season)) for season in seasons))
        self.train, self.validation = train, spaced(validation, MAX_VALIDATION, self.cycle)
        self.wide: Series | None = None
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

    def solve(self, count: int, known: bool, level: str, channels: str, basis: float | None = None) -> Start:
        """Fit season term and ridge path for one combination; the penalty with the least validation error wins.

        ``basis``: penalty of known columns and their basis; None: the columns alone.
        """
        beside = self._beside(count) if known and self.config.apart else None
        series = self.series if basis is None or self.wide is None else self.wide
        season = fit_season_term(
            self.parts if series is self.series else TrainingParts(series), self.ranked[:count], self.longest,
            use_known=known, beside=beside, known_penalty=basis,
        )  # fmt: skip
        n_targets, n_channels = self.series.n_targets, self.series.values.shape[1]
        targets = list(range(n_targets))
        groups = {"shared": [targets], "own": [[d] for d in targets], "all": [list(range(n_channels))]}[channels]
        errors = np.zeros(len(self.config.penalties))
        paths = []
        for inputs in groups:
            outputs = targets if channels == "all" else inputs
            pooled = channels == "shared"
            path = ridge_path(self._blocks(series, season, self._thinned(len(inputs)), inputs, outputs, level, pooled))
            errors += self._errors(path, self._blocks(series, season, self.validation, inputs, outputs, level, pooled))
            paths.append(path)
        errors /= max(len(self.validation) * self.h * n_targets, 1)
        # Without validation windows the middle of the path is taken.
        pick = int(np.argmin(errors)) if len(self.validation) else len(errors) // 2
        penalty = self.config.penalties[pick] if self.config.linear else float("inf")
        solved = [path.solve(penalty) for path in paths] if self.config.linear else [_no_map(p) for p in paths]
        choice = Tried(
            waves=count, known=known, level=level, channels=channels, penalty=penalty, val_mse=float(errors[pick])
        )
        if basis is not None:
            choice["basis"] = basis
        self.tried.append(choice)
        shaped = self._shaped(solved, channels)
        return Start(season, level, channels, *shaped, choice, self.tried, basis=series.basis)

    def again(self, best: Start, lengths: Ints) -> Start:
        """Estimate a start of this search once more, with validation windows among those it learns from."""
        last = copy(self)
        last.series = replace(self.series, train_length=lengths)
        last.wide = None if self.wide is None else replace(self.wide, train_length=lengths)
        last.parts, last.tried = TrainingParts(last.series), []
        last.train, last.validation = np.sort(np.concatenate([self.train, self.validation])), self.validation[:0]
        chosen = best.chosen
        if self.config.linear:
            last.config = replace(self.config, penalties=(chosen["penalty"],))
        return last.solve(chosen["waves"], chosen["known"], best.level, best.channels, chosen.get("basis"))

    def base_alone(self) -> Start:
        """Return the base without a map."""
        season = fit_season_term(self.parts, self.ranked[:0], self.longest, use_known=False)
        targets = list(range(self.series.n_targets))
        blocks = self._blocks(self.series, season, self.validation, targets, targets, "base", True)
        error = sum(float((y**2).sum()) for _, y in blocks)
        error /= max(len(self.validation) * self.h * len(targets), 1)
        choice = Tried(waves=0, known=False, level="base", channels="none", penalty=float("inf"), val_mse=error)
        self.tried.append(choice)
        return Start(season, "base", "none", np.zeros(0), np.zeros(0), choice, self.tried)

    def _beside(self, count: int) -> Reals:
        """Return the waves that come next after the first ``count``, as many as the training part can carry."""
        most = min(MAX_BESIDE, int(self.series.train_length.max()) // 8)
        return np.asarray(self.ranked[count:most])

    def _thinned(self, n_inputs: int) -> Ints:
        width = n_inputs * self.input_size
        most = max(int(MAX_GRAM_FLOPS / (2.0 * width * (width + self.h))), 4 * width, 256)
        return spaced(self.train, most, self.cycle)

    def _blocks(
        self,
        series: Series,
        season: SeasonTerm,
        rows: Ints,
        inputs: list[int],
        outputs: list[int],
        level: str,
        pooled: bool,
    ) -> Iterable[tuple[Reals, Reals]]:
        """Lags ``X`` and truths ``Y`` of some windows; ``pooled`` stacks the channels as if they were windows."""
        position = [inputs.index(o) for o in outputs]
        # Without a season nothing is taken off, and the other columns need not be read.
        bare = not len(season.frequencies) and not len(season.known)
        width = len(inputs) if bare else self.series.values.shape[1]
        for part in within_span(chunks(rows, len(inputs) * self.input_size), width):
            low, high = int(part[0]) - self.input_size + 1, int(part[-1]) + self.h + 1
            left = self.series.values[low:high, inputs] if bare else season.taken_off(series, low, high)
            lags, truths = (left, left[:, position]) if bare else (left[:, inputs], left[:, outputs])
            x = lagged_rows(np.asarray(lags, dtype=np.float64), part - low, self.input_size)
            y = future_rows(np.asarray(truths, dtype=np.float64), part - low, self.h)
            if level == "base" and self.base is not None:
                ahead = self.base.at(part)
                base, y = base_level(x, ahead, inputs), y - ahead[:, outputs]
            else:
                base = window_level(x, level)
                y = y - base[:, position, None]
            n = len(part) * len(inputs) if pooled else len(part)
            yield tamed((x - base[:, :, None]).reshape(n, -1), y.reshape(n, -1))

    def _errors(self, path: RidgePath, blocks: Iterable[tuple[Reals, Reals]]) -> Reals:
        solutions = [path.solve(p) if self.config.linear else _no_map(path) for p in self.config.penalties]
        moments = Moments.of(blocks)  # so that a further penalty costs no pass over the windows
        return np.array([moments.squared_error(*solution) for solution in solutions])

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
    of_x, of_y = (np.einsum("ij,ij->i", z, z) / z.shape[1] for z in (x, y))
    size = np.sqrt(np.maximum(of_x, of_y))
    if size.max(initial=0.0) <= LARGEST:
        return x, y
    shrink = 1.0 / np.maximum(1.0, size / LARGEST)[:, None]
    return x * shrink, y * shrink


def window_level(window: Reals, level: str) -> Reals:
    """Level of each channel of a window ``[n, C, L]`` -> ``[n, C]``."""
    if level == "last":
        return np.asarray(window[:, :, -1])
    if level == "mean":
        return np.asarray(window.mean(axis=2))
    return np.zeros(window.shape[:2])


def _no_map(path: RidgePath) -> tuple[Reals, Reals]:
    return np.zeros((len(path.mean_x), len(path.mean_y))), path.mean_y
