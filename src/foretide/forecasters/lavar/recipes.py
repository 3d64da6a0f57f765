"""Recipes for a seasonal level that moves: ratios of discounted sums, one recursion each, all series at once.

A forecast of step ``k`` from row ``t`` is ``level[t] * profile[same season position] * growth * events``.
Level and profile are ratios of sums with weights ``(1 - alpha)^age``: what was seen over what the other parts explain
(the discounted gamma-Poisson model of Harvey & Fernandes 1989, without its prior). So an event day that explains little
also counts little, and zeros need no care. Every table is causal: row ``t`` depends on rows ``0 .. t``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

import numpy as np

from foretide.forecasters.lavar.sums import discounted, fold, last_sums, moments, numbers, ratio, unfold
from foretide.forecasters.simple.history import last_seen, season_last
from foretide.typing import Floats, Ints

PROFILE_VARIANCE = 0.1
"""Prior variance of a series' seasonal factors around those of all series."""
MAX_LOG_GROWTH = 0.7
"""A forecast grows or shrinks by at most a factor of two against its level."""
SLOPELESS = 12.0
"""The slope of a line is drawn to zero as if so many rows without one had been seen."""
SEASON_COST = 0.5
"""A season must earn itself: over so few rows that they fill one horizon, by so much of the logarithm of the squared
error; the more horizons, the less. Of 0 to 1, on validation parts of 26 tables."""
LINE_COST = 0.05
"""What a line must gain however many rows there are: it is wrong by much where it is wrong."""


@dataclass(frozen=True)
class Recipe:
    """One way to a level.

    Attributes
    ----------
    kind : {"last", "season", "level", "mean", "profile"}
        Last value; same season's last value; same season's smoothed level; same season's mean over the last cycles;
        a level over all steps times a seasonal profile.
    season : int
        Steps of one season.
    alpha : float
        Discount per step (``profile``) or per cycle (``level``); cycles averaged over (``mean``).
    profile_alpha : float
        Discount of the profile per cycle.
    trend : float
        Share of the growth that goes on.
    line : bool
        Whether growth is the slope of a line through all rows (Assimakopoulos & Nikolopoulos 2000, *The theta model*),
        not that over the last cycle.
    """

    kind: str
    season: int = 1
    alpha: float = 0.0
    profile_alpha: float = 0.0
    trend: float = 0.0
    line: bool = False

    def cost(self, spans: Floats) -> Floats:
        """What it must gain in the logarithm of the squared error, given how many horizons a series' rows fill."""
        return (SEASON_COST if self.season > 1 else 0.0) / np.maximum(spans, 1.0) + (LINE_COST if self.line else 0.0)

    @property
    def knows_events(self) -> bool:
        """Whether event factors apply: a last value is repeated as it is."""
        return self.kind not in ("last", "season")

    def __str__(self) -> str:
        """What it does, in words: ``level 0.1 of each of 7 positions``."""
        if self.kind == "last":
            return "last value"
        if self.kind == "season":
            return f"value {self.season} steps before"
        if self.kind == "level":
            return f"level {self.alpha:g} of each of {self.season} positions"
        if self.kind == "mean":
            return f"mean of {self.alpha:g} cycles of {self.season}"
        moving = "" if not self.profile_alpha else f" {self.profile_alpha:g}"
        profile = f" x profile{moving} of {self.season}" if self.season > 1 else ""
        grown = f", {'line' if self.line else 'trend'} {self.trend:g}" if self.trend else ""
        return f"level {self.alpha:g}{profile}{grown}"


def standard_recipes(seasons: Sequence[int], kinds: Sequence[str] | None = None) -> tuple[Recipe, ...]:
    """Return the candidates for some seasons: naive and smoothed seasons, profiles with and without trend, levels.

    Parameters
    ----------
    seasons : sequence of int
        Periods in steps.
    kinds : sequence of str, optional
        Kinds of recipes; all but "mean" by default, whose place smoothed seasons take as well.

    Returns
    -------
    tuple of Recipe

    Examples
    --------
    >>> from foretide.forecasters.lavar.recipes import standard_recipes
    >>> [recipe.kind for recipe in standard_recipes((7,), ("last", "season"))]
    ['last', 'season']
    """
    kinds = ("last", "season", "level", "profile") if kinds is None else kinds
    found: list[Recipe] = [Recipe("last")]
    for season in seasons or (1,):
        found += [Recipe("season", season)] if season > 1 else []
        found += [Recipe("level", season, a) for a in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)]
        found += [Recipe("mean", season, c) for c in (2, 4, 8, 16)]
        # A level of all steps moves once a step, a smoothed season once a cycle.
        for alpha in (0.003, 0.01, 0.03, 0.1, 0.3):
            found += [Recipe("profile", season, alpha, p) for p in ((0.0, 0.1) if season > 1 else (0.0,))]
            if alpha >= 0.03:
                found += [Recipe("profile", season, alpha, 0.1 if season > 1 else 0.0, t) for t in (0.4, 0.8)]
        for alpha in (0.3, 0.9):
            found += [Recipe("profile", season, alpha, p, 0.5, True) for p in ((0.0, 0.1) if season > 1 else (0.0,))]
    found += [
        Recipe("profile", 1, alpha)
        for alpha in ((0.003, 0.01, 0.03, 0.1, 0.3, 0.6) if max(seasons, default=1) > 1 else ())
    ]
    chosen = tuple(r for r in found if r.kind in kinds)
    return chosen or (Recipe("last"),)  # same-season values without a season


@dataclass(frozen=True, eq=False)
class Tables:
    """What a recipe makes of a block of series, ``[T, S]`` each.

    Attributes
    ----------
    profile : float array
        Of the row's own season position; the whole forecast where there is no level.
    level : float array or None
        Of all steps up to the row.
    growth : float array or None
        Log growth per step, already damped; of a line, steps up in levels.
    lag : float
        Steps by which the level is behind.
    season : int
        Steps after which the profile repeats.
    line : bool
        Whether growth adds up instead of multiplying.
    """

    profile: Floats
    level: Floats | None = None
    growth: Floats | None = None
    lag: float = 0.0
    season: int = 1
    line: bool = False

    def take(self, columns: Ints) -> Tables:
        """Return the tables of these columns only."""
        level, growth = (None if t is None else t[:, columns] for t in (self.level, self.growth))
        return replace(self, profile=self.profile[:, columns], level=level, growth=growth)

    def ahead(
        self, rows: Ints, h: int, entity: Ints | None = None, targets: int = 1, weight: Floats | float = 1.0
    ) -> Floats:  # fmt: skip
        """Forecast ``h`` steps from each row, without events.

        Parameters
        ----------
        rows : ``[n]``
        entity : ``[n]``, optional
            Take only the columns ``entity * targets .. (entity + 1) * targets - 1`` of each row; all by default.
        weight : ``[n, targets]``, optional
            What the forecasts from each row are multiplied by.

        Returns
        -------
        ``[n, h, S]``, or ``[n, h, targets]`` with an entity; NaN where nothing is known yet.
        """
        found = self.profile_ahead(rows, h, entity, targets)
        if self.level is not None:
            weight = weight * _pick(self.level, rows, entity, targets)
        found *= np.asarray(weight)[..., None, :] if np.ndim(weight) else weight
        if self.growth is not None:
            found *= self.growth_ahead(rows, h, entity, targets)
        return found

    def profile_ahead(self, rows: Ints, h: int, entity: Ints | None = None, targets: int = 1) -> Floats:
        """Profile of the ``h`` steps after each row as it was known at the row, shaped as :meth:`ahead`."""
        same = rows[:, None] - self.season + 1 + np.arange(h)[None, :] % self.season
        found = _pick(self.profile, same.clip(0), None if entity is None else entity[:, None], targets)
        found[same < 0] = np.nan
        return found

    def growth_ahead(self, rows: Ints, h: int, entity: Ints | None = None, targets: int = 1) -> Floats:
        """What the growth multiplies the ``h`` steps after each row by, shaped as :meth:`ahead`."""
        assert self.growth is not None
        steps = np.arange(1, h + 1) + self.lag
        grown = _pick(self.growth, rows, entity, targets)[:, None, :] * steps[None, :, None]
        if self.line:
            return np.clip(1.0 + grown, np.exp(-MAX_LOG_GROWTH), np.exp(MAX_LOG_GROWTH))
        return np.asarray(np.exp(np.clip(grown, -MAX_LOG_GROWTH, MAX_LOG_GROWTH)))


@dataclass(frozen=True, eq=False)
class Block:
    """Series side by side, and what recipes find out about them: what several need is worked out once.

    Attributes
    ----------
    y : ``[T, S]``
        Observed values, NaN where missing.
    events : ``[T, S]``
        Event factors, 1 on ordinary days.
    pooled : mapping
        Season -> seasonal factors of all series together ``[season]``, by the row's position ``t % season``.
    noise : ``[S]``
        Variance over mean of each series; a noisy series leans more on the pooled factors.
    """

    y: Floats
    events: Floats
    pooled: Mapping[int, Floats]
    noise: Floats
    _kept: dict[tuple[str | float, ...], Floats] = field(default_factory=dict, repr=False)
    _tables: dict[tuple[Recipe, bytes], Tables] = field(default_factory=dict, repr=False)

    def take(self, columns: Ints) -> Block:
        """Return the block with these columns only."""
        return Block(self.y[:, columns], self.events[:, columns], self.pooled, self.noise[columns])

    def tables(self, recipe: Recipe, columns: Ints | None = None) -> Tables:
        """Follow a recipe over the block, or over these columns of it."""
        whole = self._tables.get((recipe, b""))
        if columns is None:
            found = self._followed(recipe) if whole is None else whole
        else:
            found = self._tables.get((recipe, columns.tobytes())) or (
                self.take(columns)._followed(recipe) if whole is None else whole.take(columns)
            )
        if self in _HELD.get():
            self._tables[recipe, b"" if columns is None else columns.tobytes()] = found
        return found

    def held(self) -> Block:
        """Return a block that is held and begins as this one does, or this one, held from now on.

        Tables are causal: those of a longer block are the same up to the last row of this one.
        """
        held = _HELD.get()
        for other in held:
            if self._begins(other):
                return other
        return self.hold()

    def hold(self) -> Block:
        """Hold this block in the place of others, inside of :func:`tables_held`."""
        held = _HELD.get()
        if isinstance(held, list):
            held[:] = [self]
        return self

    def _begins(self, other: Block) -> bool:
        n = len(self.y)
        return (
            self.y.shape[1] == other.y.shape[1]
            and n <= len(other.y)
            and np.array_equal(self.noise, other.noise)
            and np.array_equal(self.events, other.events[:n])
            and np.array_equal(self.y, other.y[:n], equal_nan=True)
            and self.pooled.keys() == other.pooled.keys()
            and all(np.array_equal(own, other.pooled[season]) for season, own in self.pooled.items())
        )

    def _followed(self, recipe: Recipe) -> Tables:
        season, alpha = recipe.season, recipe.alpha
        if recipe.kind == "last":
            return Tables(last_seen(self.y))
        if recipe.kind == "season":
            return Tables(season_last(self.y, season), season=season)
        if recipe.kind in ("level", "mean"):
            return Tables(self._by_position(recipe), season=season)
        key = (season, recipe.profile_alpha)
        profile = self._once(("profile", *key), lambda: self._profile(*key))
        level = self._once(("moving", alpha, *key), lambda: self._level(alpha, *key))
        if not recipe.trend:
            return Tables(profile, level, season=season)
        behind = (1 - alpha) / max(alpha, 0.05)
        if recipe.line:
            slope = self._once(("slope", *key), lambda: self._slope(*key))
            return Tables(profile, level, recipe.trend * numbers(ratio(slope, level)), behind, season, True)
        span = season if season > 1 else max(2, round(1 / max(alpha, 1e-3)))
        growth = self._once(("growth", alpha, *key), lambda: _growth(level, span))
        return Tables(profile, level, recipe.trend * growth, behind, season)

    def _once(self, key: tuple[str | float, ...], make: Callable[[], Floats]) -> Floats:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    @property
    def _value(self) -> Floats:
        return self._once(("value",), lambda: np.where(np.isnan(self.y), 0.0, self.y))

    @property
    def _weight(self) -> Floats:
        return self._once(("weight",), lambda: np.where(np.isnan(self.y), 0.0, self.events))

    def _by_position(self, recipe: Recipe) -> Floats:
        above, below = (
            self._once((name, "folded", recipe.season), lambda part=part: fold(part, recipe.season))  # type: ignore[misc]
            for name, part in (("value", self._value), ("weight", self._weight))
        )
        if recipe.kind == "level":
            above, below = discounted(above, recipe.alpha), discounted(below, recipe.alpha)
        else:
            above, below = (last_sums(part, int(recipe.alpha)) for part in (above, below))
        shape = above.shape
        found = _carried(ratio(above, below).reshape(shape[0], shape[1] * shape[2]))
        return unfold(found.reshape(shape), len(self.y))

    def _profile(self, season: int, alpha: float) -> Floats:
        """Factors by season position, drawn towards those of all series, ``[T, S]``."""
        if season == 1:
            return np.ones_like(self.y)
        usual = np.resize(self.pooled[season], len(self.y))[:, None]
        leveled = self._once(("leveled", season), lambda: self._weight * self._rough(season, usual))
        prior = self.noise / PROFILE_VARIANCE
        above, below = (unfold(discounted(fold(part, season), alpha), len(self.y)) for part in (self._value, leveled))
        # A series that has gone below zero since it was fitted has no factors of its own.
        return (np.maximum(above, 0.0) + prior * usual) / np.maximum(below + prior, 1e-300)

    def _rough(self, season: int, usual: Floats) -> Floats:
        """Level around the pooled profile, over some cycles; 0 where nothing is known yet, never negative."""
        alpha = 1 / (4 * season)
        found = ratio(discounted(self._value, alpha), discounted(self._weight * usual, alpha))
        return np.maximum(numbers(found), 0.0)

    def _level(self, alpha: float, season: int, profile_alpha: float) -> Floats:
        above = self._once(("sum", alpha), lambda: discounted(self._value, alpha))
        return _carried(ratio(above, discounted(self._expected(season, profile_alpha), alpha)))

    def _slope(self, season: int, profile_alpha: float) -> Floats:
        """Slope per step of the line through all rows up to each, weighed by what is expected of a row."""
        total, moment, _ = moments(self._value)
        weight, age, square = moments(self._expected(season, profile_alpha))
        middle = ratio(age, weight)
        rows = np.cumsum(np.where(self._weight > 0, 1.0, 0.0), axis=0)
        spread = square - middle * age + ratio(weight, rows) * SLOPELESS**3 / 12
        return numbers(ratio(middle * total - moment, spread))

    def _expected(self, season: int, profile_alpha: float) -> Floats:
        """What a level of one explains of each row, ``[T, S]``."""
        return self._once(("expected", season, profile_alpha), lambda: self._explained(season, profile_alpha))

    def _explained(self, season: int, profile_alpha: float) -> Floats:
        profile = self._once(("profile", season, profile_alpha), lambda: self._profile(season, profile_alpha))
        # The profile of a row holds its own value, which would damp the level's answer to it: take the one before.
        before = np.concatenate([profile[:season], profile[:-season]]) if len(profile) > season else profile
        return self._weight * before


_HELD: ContextVar[Sequence[Block]] = ContextVar("held", default=())


@contextmanager
def tables_held() -> Iterator[None]:
    """Hold the tables of the newest block: recipes are judged and forecast from the same rows in turn."""
    token = _HELD.set([])
    try:
        yield
    finally:
        _HELD.reset(token)


def _pick(table: Floats, rows: Ints, entity: Ints | None, targets: int) -> Floats:
    """Rows of a table ``[T, S]``: with an entity, the columns of its targets only."""
    if entity is None:
        return np.asarray(table[rows])
    return np.asarray(table.reshape(len(table), table.shape[1] // targets, targets)[rows, entity])


def _growth(level: Floats, span: int) -> Floats:
    """Log growth per step over the last ``span`` steps; 0 where the level was not known then or is next to nothing."""
    known = np.maximum(numbers(level), 0.0)
    floor = 0.05 * np.maximum.accumulate(known, axis=0) + 1e-12
    logs = np.log(known + floor)
    out = np.zeros_like(level)
    out[2 * span :] = (logs[2 * span :] - logs[span:-span]) / span
    return out


def _carried(level: Floats) -> Floats:
    """Keep the last level where a long gap has discounted all that was seen."""
    return last_seen(level) if np.isnan(level).any() else level
