"""A forecast from the series' own past and the calendar: moving level, seasonal profile, event factors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.events import Events
from foretide.errors import DataError, nearest
from foretide.forecasters.event_factors import fit_factors, multiplied
from foretide.forecasters.recipes import Recipe, Tables, make_tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.calendar import Calendar
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows

    Floats = NDArray[np.float64]
    Steps = NDArray[np.int64]

MAX_ORIGINS = 300
"""Recipes are judged from at most this many origins per series."""
TOP = 3
"""So many recipes are averaged per series."""
TEMPERATURE = 0.01
"""A recipe worse than the best by this share of its squared error weighs a factor e less."""
LEAST_NOISE = 1e-9
KEPT = ("picks", "weights", "noise", "factors", "shift")


@dataclass(frozen=True, eq=False)
class SeasonalBase:
    """Recipes, chosen per series on a training part.

    Attributes
    ----------
    ids : tuple of str
        Entities, ``N``.
    recipes : tuple of Recipe
    picks, weights : ``[N, D, M]``
        Which recipes a series averages, and by which weights.
    pooled : dict
        Season -> factors of all series by grid step ``[season]``.
    noise : ``[N, D]``
        Variance over mean of each series around its level.
    events : Events
    factors : ``[N, J, D]``
    shift : ``[N, D]``
        Added to a series while it is worked on, so that one with negative values has a level to be multiplied; else 0.
    """

    ids: tuple[str, ...]
    recipes: tuple[Recipe, ...]
    picks: NDArray[np.int64]
    weights: Floats
    pooled: dict[int, Floats]
    noise: Floats
    events: Events
    factors: Floats
    shift: Floats

    # ---------------------------------------------------------------- learning
    @classmethod
    def fit(
        cls,
        train: Panel,
        h: int,
        recipes: Sequence[Recipe],
        season: int,
        *,
        calendar: Calendar | None = None,
        prior: SeasonalBase | None = None,
        top: int = TOP,
    ) -> SeasonalBase:
        """Learn profiles, event factors and the choice of recipes.

        Parameters
        ----------
        train : Panel
            The training part; nothing else is looked at.
        h : int
            Steps ahead that recipes are judged over.
        recipes : sequence of Recipe
            Candidates.
        season : int
            Main season, by which the event factors are found.
        prior : SeasonalBase, optional
            Fitted on other entities: where its events are the same, factors are drawn towards its factors.
        top : int
            Recipes averaged per series; 1 takes the best alone.
        """
        n, d = train.n_entities, train.n_targets
        shift = _shifts(train)
        seasons = sorted({r.season for r in recipes if r.season > 1} | ({season} if season > 1 else set()))
        pooled = {1: np.ones(1), **{s: _pooled_profile(train, s, shift) for s in seasons}}
        if prior is not None:
            pooled = {s: prior.pooled.get(s, own) for s, own in pooled.items()}
        events = Events.find(train, calendar) if prior is None else prior.events
        rough = cls(
            train.ids, (Recipe("profile", season, 0.02),), np.zeros((n, d, 1), dtype=np.int64), np.ones((n, d, 1)),
            pooled, np.ones((n, d)), events, np.ones((n, len(events.names), d)), shift,
        )  # fmt: skip
        known = replace(rough, noise=rough._noise(train))
        factors = known._find_factors(train, prior) if events.names else known.factors
        return replace(known, recipes=tuple(recipes), factors=factors).chosen(train, h, top)

    def chosen(self, train: Panel, h: int, top: int = TOP, past: Floats | None = None) -> SeasonalBase:
        """Choose the recipes of every series anew, given ``past`` effects as in :meth:`at`."""
        picks, weights = self._choose(train, h, top, past)
        return replace(self, picks=picks, weights=weights)

    def _noise(self, train: Panel) -> Floats:
        noise = np.ones((train.n_entities, train.n_targets))
        for i, y, flags, expected in self._one_cycle_ahead(train):
            error = np.where(flags.any(axis=1), np.nan, y - expected)
            usable = ~np.isnan(error)
            above = np.where(usable, error, 0.0) ** 2
            below = np.where(usable, np.abs(expected), 0.0)
            noise[i] = above.sum(axis=0) / np.maximum(below.sum(axis=0), 1e-300)
        noise = np.where(np.isfinite(noise) & (noise < 1e100), noise, 0.0)
        return np.maximum(noise, LEAST_NOISE)

    def _find_factors(self, train: Panel, prior: SeasonalBase | None) -> Floats:
        found = list(self._one_cycle_ahead(train))
        flags, y, expected = [f[2] for f in found], [f[1] for f in found], [f[3] for f in found]
        centre = None if prior is None else np.exp(np.log(prior.factors).mean(axis=(0, 2)))
        factors, _ = fit_factors(flags, y, expected, [self.noise[i] for i, *_ in found], centre)
        if prior is not None and prior.factors.shape[2] == train.n_targets:
            # The same target elsewhere tells more than all targets here.
            elsewhere = np.exp(np.log(prior.factors).mean(axis=0))[None]
            factors = np.sqrt(factors * elsewhere)
        return factors

    def _one_cycle_ahead(self, train: Panel) -> Iterator[tuple[int, Floats, Floats, Floats]]:
        """Entity, values, flags and what the row before expects of an ordinary day, event days left out of its sums."""
        for i in range(train.n_entities):
            y = np.array(train.rows(i)[: train.observed[i], : train.n_targets], dtype=np.float64) + self.shift[i]
            flags = self.events.flags(train, i, 0, len(y))
            quiet = np.where(flags.any(axis=1), np.nan, y)
            tables = self._tables(quiet, np.ones_like(y), self.recipes[0], int(train.first[i]), self.noise[i])
            columns = np.broadcast_to(np.arange(y.shape[1]), y.shape)
            expected = np.full_like(y, np.nan)
            expected[1:] = tables.ahead(np.arange(len(y) - 1), columns[:-1], 1)[:, 0]
            yield i, y, flags, expected

    def _choose(self, train: Panel, h: int, top: int, past: Floats | None) -> tuple[NDArray[np.int64], Floats]:
        errors = np.full((len(self.recipes), train.n_entities, train.n_targets), np.inf)
        for block in _blocks(train, range(train.n_entities)):
            origins = _origins(int(train.observed[block[0]]), max(r.season for r in self.recipes))
            ahead = origins[:, None] + np.arange(1, h + 1)
            inside = ahead < int(train.observed[block[0]])
            found = [self._recipe_errors(train, block, recipe, origins, ahead, inside, past) for recipe in self.recipes]
            # Only what every recipe can forecast counts, or the most careful one would win.
            shared = ~np.isnan(np.stack([f.sum(axis=1) for f in found])).any(axis=0)
            for k, squares in enumerate(found):
                kept = np.where(shared[:, None], np.nan_to_num(squares), 0.0)
                errors[k][block] = kept.sum(axis=(0, 1)).reshape(len(block), -1)
        order = np.argsort(errors, axis=0, kind="stable")[: min(top, len(self.recipes))]
        best = np.take_along_axis(errors, order, axis=0)
        with np.errstate(invalid="ignore"):
            worse = np.nan_to_num(best / np.maximum(best[:1], 1e-300) - 1.0, nan=0.0, posinf=1e9)
        weights = np.exp(-worse / TEMPERATURE)
        weights /= weights.sum(axis=0)
        return np.moveaxis(order, 0, -1), np.moveaxis(weights, 0, -1)

    def _recipe_errors(
        self,
        train: Panel,
        block: Steps,
        recipe: Recipe,
        origins: Steps,
        ahead: Steps,
        inside: NDArray[np.bool_],
        past: Floats | None,
    ) -> Floats:
        """Squared errors ``[n, h, S]``, NaN where the recipe has no forecast, 0 where there is no truth."""
        rows = int(train.observed[block[0]])
        y = _values(train, block, rows, self.shift[block])
        factors = np.ones_like(y)
        if recipe.knows_events:
            factors = self._event_factors(train, block, rows) * _effects(train, block, rows, past)
        noise = self.noise[block].reshape(-1)
        tables = self._tables(y, factors, recipe, int(train.first[block[0]]), noise)
        columns = np.broadcast_to(np.arange(y.shape[1]), (len(origins), y.shape[1]))
        at = np.where(inside, ahead, 0)
        forecast = tables.ahead(origins, columns, ahead.shape[1]) * factors[at]
        counted = inside[:, :, None] & ~np.isnan(y[at])
        return np.where(counted, (forecast - y[at]) ** 2, np.where(np.isnan(forecast), np.nan, 0.0))

    # ---------------------------------------------------------------- forecasting
    def at(
        self, panel: Panel, windows: Windows, h: int, past: Floats | None = None, ahead: Floats | None = None
    ) -> Floats:
        """Forecast from windows, ``[W, h, D]``; 0 for a series without any observed value.

        Parameters
        ----------
        past : ``[R, D]``, optional
            What else multiplied the panel's rows, as events do.
        ahead : ``[W, h, D]``, optional
            What else is expected to multiply the steps ahead.
        """
        where = self.positions(panel)
        out = np.zeros((len(windows), h, panel.n_targets))
        for block in _blocks(panel, np.unique(windows.entity)):
            chosen = np.flatnonzero(np.isin(windows.entity, block))
            entity, cutoff = np.searchsorted(block, windows.entity[chosen]), windows.cutoff[chosen]
            rows, fitted = int(cutoff.max()) + 1, where[block]
            y = _values(panel, block, rows, self.shift[fitted])
            factors = self._event_factors(panel, block, rows + h, fitted)
            columns = entity[:, None] * panel.n_targets + np.arange(panel.n_targets)
            steps = cutoff[:, None] + np.arange(1, h + 1)
            events = factors[steps[:, :, None], columns[:, None, :]]
            if ahead is not None:
                events = events * ahead[chosen]
            factors = factors[:rows] * _effects(panel, block, rows, past)
            first = int(panel.first[block[0]])
            out[chosen] = self._blend(y, factors, events, first, fitted, entity, cutoff)
            out[chosen] -= self.shift[fitted][entity][:, None, :]
        return out

    def _blend(
        self, y: Floats, factors: Floats, events: Floats, first: int, fitted: Steps, entity: Steps, cutoff: Steps
    ) -> Floats:
        h, d = events.shape[1], self.noise.shape[1]
        columns = entity[:, None] * d + np.arange(d)[None, :]
        picks, weights = self.picks[fitted], self.weights[fitted]
        total, share = np.zeros_like(events), np.zeros_like(events)
        ones = np.ones_like(y)
        for k in np.unique(picks):
            weight = np.where(picks == k, weights, 0.0).sum(axis=2)[entity][:, None, :]
            if not weight.any():
                continue
            recipe = self.recipes[int(k)]
            factor = factors if recipe.knows_events else ones
            tables = self._tables(y, factor, recipe, first, self.noise[fitted].reshape(-1))
            forecast = tables.ahead(cutoff, columns, h) * (events if recipe.knows_events else 1.0)
            known = ~np.isnan(forecast)
            total += np.where(known, weight * np.where(known, forecast, 0.0), 0.0)
            share += np.where(known, weight, 0.0)
        mean = np.where(share > 0, total / np.where(share > 0, share, 1.0), np.nan)
        if np.isnan(mean).any():
            seen = ~np.isnan(y)
            average = np.cumsum(np.where(seen, y, 0.0), axis=0) / np.maximum(np.cumsum(seen, axis=0), 1)
            mean = np.where(np.isnan(mean), average[cutoff[:, None], columns][:, None, :], mean)
        return np.asarray(mean)

    def positions(self, panel: Panel) -> Steps:
        """Position of each of the panel's entities among the fitted ones."""
        known = {name: i for i, name in enumerate(self.ids)}
        for name in panel.ids:
            if name not in known:
                raise DataError(
                    f"Entity {name!r} was not in the training part this model was fitted on. Fit again with a training "
                    f"part that holds it, or leave it out. {nearest(name, self.ids)}"
                )
        return np.array([known[name] for name in panel.ids], dtype=np.int64)

    def _tables(self, y: Floats, factors: Floats, recipe: Recipe, first: int, noise: Floats) -> Tables:
        pooled = np.roll(self.pooled.get(recipe.season, np.ones(recipe.season)), -(first % recipe.season))
        return make_tables(y, factors, recipe, pooled, noise)

    def _event_factors(self, panel: Panel, block: Steps, rows: int, fitted: Steps | None = None) -> Floats:
        """Event factors of a block's rows, ``[rows, S]``."""
        d = panel.n_targets
        out = np.ones((rows, len(block) * d))
        if not self.events.names:
            return out
        for k, entity in enumerate(block):
            position = entity if fitted is None else fitted[k]
            flags = self.events.flags(panel, int(entity), 0, rows)
            out[:, k * d : (k + 1) * d] = multiplied(flags, self.factors[position])
        return out

    # ---------------------------------------------------------------- saving
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that is an array, by names that begin with ``base.``."""
        pooled = {f"base.pooled.{s}": v for s, v in self.pooled.items()}
        kept = KEPT
        return {**{f"base.{name}": getattr(self, name) for name in kept}, **pooled}

    def facts(self) -> dict[str, Any]:
        """Everything that is no array, as JSON."""
        return {"ids": list(self.ids), "recipes": [r.to_dict() for r in self.recipes], "events": self.events.to_dict()}

    @classmethod
    def restore(cls, arrays: dict[str, NDArray[Any]], facts: dict[str, Any]) -> SeasonalBase:
        """Rebuild from :meth:`arrays` and :meth:`facts`."""
        prefix = "base.pooled."
        pooled = {int(k.removeprefix(prefix)): v for k, v in arrays.items() if k.startswith(prefix)}
        recipes = tuple(Recipe(**r) for r in facts["recipes"])
        events = Events.from_dict(facts["events"])
        kept = {name: arrays[f"base.{name}"] for name in KEPT}
        return cls(tuple(facts["ids"]), recipes, pooled=pooled, events=events, **kept)


def standard_recipes(seasons: Sequence[int], kinds: Sequence[str] | None = None) -> tuple[Recipe, ...]:
    """Return the candidates for some seasons: naive, smoothed and mean same-season levels, profiles with and without trend."""
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
    return tuple(r for r in found if kinds is None or r.kind in kinds)


def _shifts(train: Panel) -> Floats:
    """Return what to add to each series so that its level is well above zero, ``[N, D]``; 0 for one never negative."""
    found = np.zeros((train.n_entities, train.n_targets))
    for i in range(train.n_entities):
        y = np.array(train.rows(i)[: train.observed[i], : train.n_targets], dtype=np.float64)
        seen = ~np.isnan(y)
        low = np.where(seen, y, np.inf).min(axis=0, initial=np.inf)
        high = np.where(seen, y, -np.inf).max(axis=0, initial=-np.inf)
        found[i] = np.where(low < 0, (high - low) - low, 0.0)
    return found


def _pooled_profile(train: Panel, season: int, shift: Floats) -> Floats:
    """Seasonal factors of all series together, by grid step; 1 on average over the positions seen."""
    total, count = np.zeros(season), np.zeros(season)
    for i in range(train.n_entities):
        y = np.array(train.rows(i)[: train.observed[i], : train.n_targets], dtype=np.float64) + shift[i]
        seen = ~np.isnan(y)
        mean = np.where(seen, y, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        usable = seen & (mean > 0)
        # Weights by the square root: large series say more, but do not speak alone.
        share = np.where(usable, y / np.where(mean > 0, mean, 1.0), 0.0)
        trust = np.sqrt(np.where(mean > 0, mean, 0.0))
        position = (int(train.first[i]) + np.arange(len(y))) % season
        total += np.bincount(position, share @ trust, season)
        count += np.bincount(position, usable @ trust, season)
    profile = np.where(count > 0, total / np.where(count > 0, count, 1.0), 1.0)
    return np.maximum(profile, 0.0)


def _origins(rows: int, season: int) -> Steps:
    """Origins spread over all but the first part of the rows, through all positions of the season."""
    first = min(max(2 * season, rows // 4), max(rows - 2, 0))
    stride = max(1, -(-(rows - 1 - first) // MAX_ORIGINS))
    while stride > 1 and np.gcd(stride, season) > 1:
        stride += 1
    return np.arange(first, max(rows - 1, first + 1), stride, dtype=np.int64)


def _blocks(panel: Panel, entities: Any) -> Iterator[Steps]:
    """Yield groups of entities that share first step and length, so that they can stand side by side."""
    groups: dict[tuple[int, int, int], list[int]] = {}
    for i in entities:
        key = (int(panel.first[i]), int(panel.observed[i]), int(panel.length[i]))
        groups.setdefault(key, []).append(int(i))
    for members in groups.values():
        yield np.array(members, dtype=np.int64)


def _values(panel: Panel, block: Steps, rows: int, shift: Floats) -> Floats:
    """Shifted targets of a block side by side, ``[rows, n D]``."""
    parts = [np.asarray(panel.rows(int(i))[:rows, : panel.n_targets], dtype=np.float64) for i in block]
    return np.concatenate(parts, axis=1) + shift.reshape(-1)


def _effects(panel: Panel, block: Steps, rows: int, past: Floats | None) -> Floats | float:
    """Further effects of a block's rows side by side, ``[rows, n D]``; 1 where there are none."""
    if past is None:
        return 1.0
    row0 = np.concatenate([[0], np.cumsum(panel.length)[:-1]])
    return np.concatenate([past[row0[i] : row0[i] + rows] for i in block], axis=1)
