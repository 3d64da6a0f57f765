"""A forecast from the series' own past and the calendar: moving level, seasonal profile, event factors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.events import Events
from foretide.errors import DataError, nearest
from foretide.forecasters.event_factors import fit_factors, multiplied
from foretide.forecasters.recipe_choice import best, judge
from foretide.forecasters.recipes import Block, Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.calendar import Calendar
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows

    Floats = NDArray[np.float64]
    Steps = NDArray[np.int64]

TOP = 3
"""So many recipes are averaged per series."""
LEAST_NOISE = 1e-9
SIDE_BY_SIDE = 20_000
"""Recipes are judged on blocks of series that hold no more numbers than this per origin."""
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
    start : Timestamp or int
        Time of the training part's grid step 0, from which :attr:`pooled` counts.
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
    start: Any = 0

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
            ahead = prior._steps_after_start(train)
            pooled = {s: np.roll(prior.pooled[s], -ahead) if s in prior.pooled else own for s, own in pooled.items()}
        events = Events.find(train, calendar) if prior is None else prior.events
        rough = cls(
            train.ids, (Recipe("profile", season, 0.02),), np.zeros((n, d, 1), dtype=np.int64), np.ones((n, d, 1)),
            pooled, np.ones((n, d)), events, np.ones((n, len(events.names), d)), shift,
            int(train.grid.start) if train.grid.is_integer else train.grid.start,
        )  # fmt: skip
        observed = [int(rows) for rows in train.observed]
        flags = [events.flags(train, i, 0, rows, needed=rows) for i, rows in enumerate(observed)]
        known = replace(rough, noise=rough._noise(train, flags))
        factors = known._find_factors(train, flags, prior) if events.names else known.factors
        return replace(known, recipes=tuple(recipes), factors=factors).chosen(train, h, top)

    def chosen(self, train: Panel, h: int, top: int = TOP, past: Floats | None = None) -> SeasonalBase:
        """Choose the recipes of every series anew, given ``past`` effects as in :meth:`at`."""
        n, d = train.n_entities, train.n_targets
        errors = np.empty((len(self.recipes), n, d))
        for block in _blocks(train, range(n), h * d):
            rows = int(train.observed[block[0]])
            factors = self._event_factors(train, block, rows) * _effects(train, block, rows, past)
            errors[:, block] = judge(self._block(train, block, factors), self.recipes, h).reshape(-1, len(block), d)
        picks, weights = best(errors, top)
        return replace(self, picks=picks, weights=weights)

    def _noise(self, train: Panel, flags: list[Floats]) -> Floats:
        noise = np.ones((train.n_entities, train.n_targets))
        for i, (y, expected) in enumerate(self._one_step_ahead(train, flags)):
            error = np.where(flags[i].any(axis=1), np.nan, y - expected)
            usable = ~np.isnan(error)
            above = np.where(usable, error, 0.0) ** 2
            below = np.where(usable, np.abs(expected), 0.0)
            noise[i] = above.sum(axis=0) / np.maximum(below.sum(axis=0), 1e-300)
        noise = np.where(np.isfinite(noise) & (noise < 1e100), noise, 0.0)
        return np.maximum(noise, LEAST_NOISE)

    def _find_factors(self, train: Panel, flags: list[Floats], prior: SeasonalBase | None) -> Floats:
        y, expected = zip(*self._one_step_ahead(train, flags), strict=True)
        centre = None if prior is None else np.exp(np.log(prior.factors).mean(axis=(0, 2)))
        factors, _ = fit_factors(flags, y, expected, self.noise, centre)
        if prior is not None and prior.factors.shape[2] == train.n_targets:
            # The same target elsewhere tells more than all targets here.
            elsewhere = np.exp(np.log(prior.factors).mean(axis=0))[None]
            factors = np.sqrt(factors * elsewhere)
        return factors

    def _one_step_ahead(self, train: Panel, flags: list[Floats]) -> Iterator[tuple[Floats, Floats]]:
        """Values of each entity, and what the row before expects; event days are left out of its sums."""
        for i in range(train.n_entities):
            whole = self._block(train, np.array([i]), np.ones((int(train.observed[i]), train.n_targets)))
            quiet = replace(whole, y=np.where(flags[i].any(axis=1), np.nan, whole.y))
            expected = np.full_like(whole.y, np.nan)
            expected[1:] = quiet.tables(self.recipes[0]).ahead(np.arange(len(expected) - 1), 1)[:, 0]
            yield whole.y, expected

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
            factors = self._event_factors(panel, block, rows + h, fitted, int(cutoff.min()) + 1)
            steps = cutoff[:, None] + np.arange(1, h + 1)
            events = factors.reshape(rows + h, len(block), -1)[steps, entity[:, None]]
            if ahead is not None:
                events = events * ahead[chosen]
            series = self._block(panel, block, factors[:rows] * _effects(panel, block, rows, past), fitted)
            out[chosen] = self._blend(series, events, fitted, entity, cutoff)
            out[chosen] -= self.shift[fitted][entity][:, None, :]
        return out

    def _blend(self, block: Block, events: Floats, fitted: Steps, entity: Steps, cutoff: Steps) -> Floats:
        """Weighted mean of each series' recipes, ``[n, h, D]``; events ``[n, h, D]``, entity and cutoff ``[n]``."""
        h, d = events.shape[1:]
        # Targets first, so that the few targets of a recipe are blocks of memory.
        factor = np.ascontiguousarray(np.moveaxis(events, 2, 0))
        total, share = np.zeros_like(factor), np.zeros_like(factor)
        for k, recipe in enumerate(self.recipes):
            weight = np.where(self.picks[fitted] == k, self.weights[fitted], 0.0).sum(axis=2)
            users, targets = np.flatnonzero(weight.any(axis=1)), np.flatnonzero(weight.any(axis=0))
            if not len(users):
                continue
            chosen = np.flatnonzero(np.isin(entity, users))
            own = np.searchsorted(users, entity[chosen])
            tables = block.take((users[:, None] * d + targets).ravel()).tables(recipe)
            forecast = np.moveaxis(tables.ahead(cutoff[chosen], h, own, len(targets)), 2, 0)
            where = targets if len(chosen) == len(entity) else np.ix_(targets, chosen)
            if recipe.knows_events:
                forecast = forecast * factor[where]
            mine = weight[users[own]][:, targets].T[:, :, None]
            known = ~np.isnan(forecast)
            if known.all():
                total[where] += mine * forecast
                share[where] += mine
            else:
                total[where] += mine * np.where(known, forecast, 0.0)
                share[where] += mine * known
        mean = np.moveaxis(np.where(share > 0, total / np.where(share > 0, share, 1.0), np.nan), 0, 2)
        if np.isnan(mean).any():
            columns = entity[:, None] * d + np.arange(d)
            seen = ~np.isnan(block.y)
            average = np.cumsum(np.where(seen, block.y, 0.0), axis=0) / np.maximum(np.cumsum(seen, axis=0), 1)
            average = np.where(np.logical_or.accumulate(seen, axis=0), average, self.shift[fitted].ravel())
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

    def _block(self, panel: Panel, block: Steps, factors: Floats, fitted: Steps | None = None) -> Block:
        """Rows of a block of entities as far as there are ``factors`` ``[rows, S]``, side by side."""
        fitted = block if fitted is None else fitted
        first = int(panel.first[block[0]]) + self._steps_after_start(panel)
        pooled = {season: np.roll(own, -(first % season)) for season, own in self.pooled.items()}
        return Block(
            _values(panel, block, len(factors), self.shift[fitted]), factors, pooled, self.noise[fitted].ravel()
        )

    def _steps_after_start(self, panel: Panel) -> int:
        """Steps by which a panel's grid begins after the one that this base was fitted on."""
        if panel.grid.is_integer:
            return int((panel.grid.start - self.start) // panel.grid.freq)
        # Both starts are naive: in UTC where there is a zone.
        return -replace(panel.grid, tz=None).step_at_or_before(self.start)

    def _event_factors(
        self, panel: Panel, block: Steps, rows: int, fitted: Steps | None = None, needed: int | None = None
    ) -> Floats:
        """Event factors of a block's rows, ``[rows, S]``; events of the rows from ``needed`` on must be known."""
        d = panel.n_targets
        out = np.ones((rows, len(block) * d))
        if not self.events.names:
            return out
        for k, entity in enumerate(block):
            position = entity if fitted is None else fitted[k]
            flags = self.events.flags(panel, int(entity), 0, rows, rows if needed is None else needed)
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
        start = self.start if isinstance(self.start, int) else str(self.start)
        recipes = [r.to_dict() for r in self.recipes]
        return {"ids": list(self.ids), "recipes": recipes, "events": self.events.to_dict(), "start": start}

    @classmethod
    def restore(cls, arrays: dict[str, NDArray[Any]], facts: dict[str, Any]) -> SeasonalBase:
        """Rebuild from :meth:`arrays` and :meth:`facts`."""
        prefix = "base.pooled."
        pooled = {int(k.removeprefix(prefix)): v for k, v in arrays.items() if k.startswith(prefix)}
        recipes = tuple(Recipe(**r) for r in facts["recipes"])
        events = Events.from_dict(facts["events"])
        kept = {name: arrays[f"base.{name}"] for name in KEPT}
        start = facts["start"] if isinstance(facts["start"], int) else pd.Timestamp(facts["start"])
        return cls(tuple(facts["ids"]), recipes, pooled=pooled, events=events, start=start, **kept)


def standard_recipes(seasons: Sequence[int], kinds: Sequence[str] | None = None) -> tuple[Recipe, ...]:
    """Return the candidates for some seasons: naive, smoothed and mean seasons, profiles with and without trend."""
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
    chosen = tuple(r for r in found if kinds is None or r.kind in kinds)
    return chosen or (Recipe("last"),)  # same-season values without a season


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


def _blocks(panel: Panel, entities: Any, width: int = 1) -> Iterator[Steps]:
    """Yield groups of entities that share first step and length, so that they can stand side by side.

    A group holds at most :data:`SIDE_BY_SIDE` numbers per origin when an entity has ``width`` of them.
    """
    groups: dict[tuple[int, int, int], list[int]] = {}
    for i in entities:
        key = (int(panel.first[i]), int(panel.observed[i]), int(panel.length[i]))
        groups.setdefault(key, []).append(int(i))
    most = max(1, SIDE_BY_SIDE // width)
    for members in groups.values():
        for low in range(0, len(members), most):
            yield np.array(members[low : low + most], dtype=np.int64)


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
