"""A forecast from the series' own past and the calendar: moving level, seasonal profile, event factors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from foretide.data.panel import Panel
from foretide.data.time.calendar import Calendar
from foretide.data.time.events import Events
from foretide.data.windows import Windows
from foretide.forecasters.choices import of_each
from foretide.forecasters.classical.side_by_side import (
    blocks,
    effects_of,
    pooled_profile,
    shifts,
    some_targets,
    values_of,
)
from foretide.forecasters.lavar.event_factors import fit_factors, multiplied
from foretide.forecasters.lavar.recipe_choice import TEMPERATURE, best, judge, most_taken, scores
from foretide.forecasters.lavar.recipes import Block, Recipe
from foretide.forecasters.simple.history import by_entity
from foretide.training.prepare import positions_among
from foretide.training.saved import arrays_of, prefixed, restored, under
from foretide.typing import Array, Bools, Floats, Ints, Json

TOP = 8
"""So many recipes are averaged per series."""
LEAST_NOISE = 1e-9
LEAST_SHOWN = 0.005
"""Weights below are left out of tables."""
NO_ROWS = np.zeros(0, dtype=np.int64)


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
    judged : bool ``[N, D]``
        Series whose training part told recipes apart; the others, silent or too short, take what those take, and choose
        anew from their own past once there is something in it.
    season : int
        Main season, by which noise and event factors are found.
    start : Timestamp or int
        Time of the training part's grid step 0, from which :attr:`pooled` counts.
    temperature : float
        How much a recipe with more error still weighs.
    """

    ids: tuple[str, ...]
    recipes: tuple[Recipe, ...]
    picks: Ints
    weights: Floats
    pooled: dict[int, Floats]
    noise: Floats
    events: Events
    factors: Floats
    shift: Floats
    judged: Bools
    season: int = 1
    start: pd.Timestamp | int = 0
    temperature: float = TEMPERATURE

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
        temperature: float = TEMPERATURE,
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
            Recipes averaged per series.
        temperature : float
            Of their weights.
        """
        n, d = train.n_entities, train.n_targets
        shift = shifts(train)
        seasons = sorted({r.season for r in recipes if r.season > 1} | ({season} if season > 1 else set()))
        pooled = {1: np.ones(1), **{s: pooled_profile(train, s, shift) for s in seasons}}
        if prior is not None:
            ahead = prior._steps_after_start(train)
            pooled = {s: np.roll(prior.pooled[s], -ahead) if s in prior.pooled else own for s, own in pooled.items()}
        events = Events.find(train, calendar) if prior is None else prior.events
        rough = cls(
            train.ids, tuple(recipes), np.zeros((n, d, 1), dtype=np.int64), np.ones((n, d, 1)),
            pooled, np.ones((n, d)), events, np.ones((n, len(events.names), d)), shift,
            np.ones((n, d), dtype=bool), season,
            int(train.grid.start) if train.grid.is_integer else train.grid.start, temperature,
        )  # fmt: skip
        flags = rough._flags(train)
        known = replace(rough, noise=rough._noise(train, flags))
        factors = known._find_factors(train, flags, prior) if events.names else known.factors
        return replace(known, factors=factors).chosen(train, h, top)

    def for_new(self, panel: Panel) -> SeasonalBase:
        """Return the base of entities that were not there at fit.

        Shift and noise come from their own rows, recipes and event factors are those that all fitted entities share.
        """
        shared = (*most_taken(self.picks, self.weights, len(self.recipes)), np.exp(np.log(self.factors).mean(axis=0)))
        picks, weights, factors = (np.repeat(of_all[None], panel.n_entities, axis=0) for of_all in shared)
        shift = shifts(panel)
        new = replace(
            self,
            ids=panel.ids,
            picks=picks,
            weights=weights,
            factors=factors,
            shift=shift,
            noise=np.ones_like(shift),
            judged=np.ones(shift.shape, dtype=bool),
        )
        return replace(new, noise=new._noise(panel, new._flags(panel)))

    def chosen(self, train: Panel, h: int, top: int = TOP, past: Floats | None = None, since: int = 0) -> SeasonalBase:
        """Choose each series' recipes anew, by rows from ``since`` on, given ``past`` effects as in :meth:`at`."""
        n, d = train.n_entities, train.n_targets
        errors = np.empty((len(self.recipes), n, d))
        for block in blocks(train, range(n), h * d):
            rows = int(train.observed[block[0]])
            factors = self._event_factors(train, block, rows) * effects_of(train, block, rows, past)
            own = self._block(train, block, factors).hold()
            errors[:, block] = judge(own, self.recipes, h, since).reshape(-1, len(block), d)
        costs = np.stack([recipe.cost(train.observed / h) for recipe in self.recipes])[:, :, None]
        picks, weights = best(scores(errors, _horizons(train, h), costs), top, self.temperature)
        judged = np.asarray(errors.max(axis=0) > errors.min(axis=0)) | (len(self.recipes) == 1)
        return replace(self, picks=picks, weights=weights, judged=judged)

    def _flags(self, train: Panel) -> list[Bools]:
        """Events of each entity's observed rows, ``[T, J, D]``; one array where entities share all of them."""
        found: dict[int, Bools] = {}
        for block in blocks(train, range(train.n_entities)):
            rows = int(train.observed[block[0]])
            for members, flags in self._alike(train, block, rows):
                found |= dict.fromkeys(block[members].tolist(), flags)
        return [found[i] for i in range(train.n_entities)]

    def _noise(self, train: Panel, flags: list[Bools]) -> Floats:
        noise = np.ones((train.n_entities, train.n_targets))
        for i, (y, expected) in enumerate(self._one_step_ahead(train, flags)):
            error = np.where(flags[i].any(axis=1), np.nan, y - expected)
            usable = ~np.isnan(error)
            above = np.where(usable, error, 0.0) ** 2
            below = np.where(usable, np.abs(expected), 0.0)
            noise[i] = above.sum(axis=0) / np.maximum(below.sum(axis=0), 1e-300)
        noise = np.where(np.isfinite(noise) & (noise < 1e100), noise, 0.0)
        return np.maximum(noise, LEAST_NOISE)

    def _find_factors(self, train: Panel, flags: list[Bools], prior: SeasonalBase | None) -> Floats:
        y, expected = zip(*self._one_step_ahead(train, flags), strict=True)
        centre = None if prior is None else np.exp(np.log(prior.factors).mean(axis=(0, 2)))
        factors, _ = fit_factors(flags, y, expected, self.noise, centre, train.first)
        if prior is not None and prior.factors.shape[2] == train.n_targets:
            # The same target elsewhere tells more than all targets here.
            elsewhere = np.exp(np.log(prior.factors).mean(axis=0))[None]
            factors = np.sqrt(factors * elsewhere)
        return factors

    def _one_step_ahead(self, train: Panel, flags: list[Bools]) -> list[tuple[Floats, Floats]]:
        """Values of each entity, and what the row before expects; event days are left out of its sums."""
        usual, d = Recipe("profile", self.season, 0.02), train.n_targets
        found: dict[int, tuple[Floats, Floats]] = {}
        for block in blocks(train, range(train.n_entities), d):
            whole = self._block(train, block, np.ones((int(train.observed[block[0]]), len(block) * d)))
            events = np.concatenate([flags[i].any(axis=1) for i in block], axis=1)
            quiet = replace(whole, y=np.where(events, np.nan, whole.y))
            expected = np.full_like(whole.y, np.nan)
            expected[1:] = quiet.tables(usual).ahead(np.arange(len(expected) - 1), 1)[:, 0]
            for k, entity in enumerate(block):
                own = slice(k * d, (k + 1) * d)
                found[int(entity)] = whole.y[:, own], expected[:, own]
        return [found[i] for i in range(train.n_entities)]

    # ---------------------------------------------------------------- forecasting
    def at(
        self, panel: Panel, windows: Windows, h: int, past: Floats | None = None, ahead: Floats | None = None, *,
        learning: bool = False,
    ) -> Floats:  # fmt: skip
        """Forecast from windows, ``[W, h, D]``; 0 for a series without any observed value.

        Parameters
        ----------
        past : ``[R, D]``, optional
            What else multiplied the panel's rows, as events do.
        ahead : ``[W, h, D]``, optional
            What else is expected to multiply the steps ahead.
        learning : bool
            The windows' steps lie in the part one may learn from, where an event without a value is none; else it is
            an error.
        """
        where, each = self.positions(panel), dict(by_entity(windows))
        out = np.zeros((len(windows), h, panel.n_targets))
        for block in blocks(panel, each):
            chosen = np.concatenate([each[i] for i in block])
            entity, cutoff = np.searchsorted(block, windows.entity[chosen]), windows.cutoff[chosen]
            rows, fitted = int(cutoff.max()) + 1, where[block]
            steps = cutoff[:, None] + np.arange(1, h + 1)
            needed = NO_ROWS if learning else np.unique(steps)
            factors = self._event_factors(panel, block, rows + h, fitted, needed)
            events = factors.reshape(rows + h, len(block), -1)[steps, entity[:, None]]
            if ahead is not None:
                events = events * ahead[chosen]
            series = self._block(panel, block, factors[:rows] * effects_of(panel, block, rows, past), fitted).held()
            out[chosen] = self._blend(series, events, fitted, entity, cutoff)
            out[chosen] -= self.shift[fitted][entity][:, None, :]
        if not learning:
            for w in np.flatnonzero(~self.judged[where[windows.entity]].all(axis=1)):
                own = self._anew(panel, int(windows.entity[w]), int(windows.cutoff[w]), h, past)
                if own is not None:
                    base, alone, end, before, columns = own
                    later = None if ahead is None else ahead[w : w + 1, :, columns]
                    out[w][:, columns] = base.at(alone, end, h, before, later)[0]
        return out

    def _anew(
        self, panel: Panel, entity: int, cutoff: int, h: int, past: Floats | None
    ) -> tuple[SeasonalBase, Panel, Windows, Floats | None, Ints] | None:
        """Choose recipes from what came up to a cutoff for series that were not judged at fit; None: nothing came.

        They are judged by the second half of the rows since something came: none foresees the first. All that is
        returned is of the targets, the last of it, that something came of.
        """
        rows, k = cutoff + 1, self.positions(panel.take([entity]))[0]
        came = np.nan_to_num(panel.rows(entity)[:rows, : panel.n_targets]) != 0
        columns = np.flatnonzero(~self.judged[k] & came.any(axis=0))
        if not len(columns):
            return None
        begun = int(np.argmax(came[:, columns].any(axis=1)))
        alone, one = some_targets(panel, entity, columns), self._some_targets(k, columns)
        seen = replace(alone, length=np.array([rows], dtype=np.int64))
        row0 = int(panel.length[:entity].sum())
        before = None if past is None else past[row0 : row0 + int(panel.length[entity]), columns]
        noise = one._noise(seen, one._flags(seen))
        fresh = replace(one, noise=noise).chosen(seen, h, self.picks.shape[2], before, (begun + rows) // 2)
        new = fresh.judged[:, :, None]
        picks, weights = np.where(new, fresh.picks, one.picks), np.where(new, fresh.weights, one.weights)
        end = Windows(np.zeros(1, dtype=np.int64), np.array([cutoff]))
        return replace(fresh, picks=picks, weights=weights, judged=fresh.judged | True), alone, end, before, columns

    def _some_targets(self, position: int, columns: Ints) -> SeasonalBase:
        """What was learned of some targets of one entity."""
        one = {name: getattr(self, name)[position : position + 1] for name in arrays_of(self)}
        some = {name: table[:, :, columns] if name == "factors" else table[:, columns] for name, table in one.items()}
        events = replace(self.events, closed=tuple(self.events.closed[int(c)] for c in columns))
        return replace(self, ids=(self.ids[position],), events=events, **some)

    def _blend(self, block: Block, events: Floats, fitted: Ints, entity: Ints, cutoff: Ints) -> Floats:
        """Weighted mean of each series' recipes, ``[n, h, D]``; events ``[n, h, D]``, entity and cutoff ``[n]``."""
        n, h, d = events.shape
        # Targets first, so that those of a recipe are blocks of memory; recipes with and without events apart.
        totals, share = np.zeros((2, d, n, h)), np.zeros((d, n, 1))
        for k, recipe in enumerate(self.recipes):
            weight = np.where(self.picks[fitted] == k, self.weights[fitted], 0.0).sum(axis=2)
            users, targets = np.flatnonzero(weight.any(axis=1)), np.flatnonzero(weight.any(axis=0))
            if not len(users):
                continue
            chosen = np.flatnonzero(np.isin(entity, users))
            own = np.searchsorted(users, entity[chosen])
            tables = block.tables(recipe, (users[:, None] * d + targets).ravel())
            mine = weight[users[own]][:, targets]
            forecast = tables.ahead(cutoff[chosen], h, own, len(targets), mine)
            sure = not np.isnan(forecast.min(initial=0.0))
            if not sure:
                known = ~np.isnan(forecast)
                share = np.broadcast_to(share, totals.shape[1:]).copy() if share.shape[2] < h else share
                forecast = np.where(known, forecast, 0.0)
            where = slice(None) if len(chosen) == n else chosen
            for j, target in enumerate(targets):
                totals[int(recipe.knows_events), target, where] += forecast[:, :, j]
                share[target, where] += mine[:, j, None] if sure else mine[:, j, None] * known[:, :, j]
        total = totals[0] + totals[1] * np.moveaxis(events, 2, 0)
        mean = np.moveaxis(np.where(share > 0, total / np.where(share > 0, share, 1.0), np.nan), 0, 2)
        if np.isnan(mean).any():
            columns = entity[:, None] * d + np.arange(d)
            seen = ~np.isnan(block.y)
            average = np.cumsum(np.where(seen, block.y, 0.0), axis=0) / np.maximum(np.cumsum(seen, axis=0), 1)
            average = np.where(np.logical_or.accumulate(seen, axis=0), average, self.shift[fitted].ravel())
            mean = np.where(np.isnan(mean), average[cutoff[:, None], columns][:, None, :], mean)
        return np.asarray(mean)

    def positions(self, panel: Panel) -> Ints:
        """Position of each of the panel's entities among the fitted ones."""
        return positions_among(self.ids, panel)

    def _block(self, panel: Panel, block: Ints, factors: Floats, fitted: Ints | None = None) -> Block:
        """Rows of a block of entities as far as there are ``factors`` ``[rows, S]``, side by side."""
        fitted = block if fitted is None else fitted
        first = int(panel.first[block[0]]) + self._steps_after_start(panel)
        pooled = {season: np.roll(own, -(first % season)) for season, own in self.pooled.items()}
        return Block(
            values_of(panel, block, len(factors), self.shift[fitted]), factors, pooled, self.noise[fitted].ravel()
        )

    def _steps_after_start(self, panel: Panel) -> int:
        """Steps by which a panel's grid begins after the one that this base was fitted on."""
        # Both starts are naive: in UTC where there is a zone.
        return -replace(panel.grid, tz=None).step_at_or_before(self.start)

    def _event_factors(
        self, panel: Panel, block: Ints, rows: int, fitted: Ints | None = None, needed: Ints = NO_ROWS
    ) -> Floats:
        """Event factors of a block's rows, ``[rows, S]``; events of the rows ``needed`` must be known."""
        out = np.ones((rows, len(block), panel.n_targets))
        fitted = block if fitted is None else fitted
        for members, flags in self._alike(panel, block, rows, needed):
            out[:, members] = multiplied(flags, self.factors[fitted[members]])
        return out.reshape(rows, len(block) * panel.n_targets)

    def _alike(self, panel: Panel, block: Ints, rows: int, needed: Ints = NO_ROWS) -> Iterator[tuple[Ints, Bools]]:
        """Yield the entities of a block that share all events, by their positions in it, and their flags."""
        columns = [panel.index(name) for name in self.events.columns]
        groups: dict[bytes, list[int]] = {}
        for k, entity in enumerate(block):
            key = panel.rows(int(entity))[:, columns].tobytes() if columns else b""
            groups.setdefault(key, []).append(k)
        for members in groups.values():
            entity = int(block[members[0]])
            yield np.array(members), self.events.flags(panel, entity, 0, rows, needed)

    def choices(self, series: Sequence[str]) -> pd.DataFrame:
        """Return what each series got.

        Parameters
        ----------
        series : sequence of str
            Their names, entities outer, targets inner.

        Returns
        -------
        DataFrame
            As of :meth:`foretide.forecasters.choices.Chooses.choices`, the heaviest recipe of a series first.
        """
        m = self.picks.shape[2]
        recipes = [str(recipe) for recipe in self.recipes]
        shown = self.weights.ravel() >= LEAST_SHOWN
        picked = [recipes[k] for k in self.picks.ravel()[shown]]
        names = np.repeat(np.array(series, dtype=object), m)[shown].tolist()
        weights = np.where(self.weights >= LEAST_SHOWN, self.weights, 0.0)
        weights /= weights.sum(axis=2, keepdims=True)
        return of_each(names, "recipe", picked, weights.ravel()[shown], np.repeat(self.judged.ravel(), m)[shown])

    # ---------------------------------------------------------------- saving
    def arrays(self) -> dict[str, Array]:
        """Everything that is an array, by names that begin with ``base.``."""
        pooled = {f"pooled.{season}": factors for season, factors in self.pooled.items()}
        return prefixed("base.", {**arrays_of(self), **pooled})

    def facts(self) -> Json:
        """Everything that is no array, as JSON."""
        start = self.start if isinstance(self.start, int) else str(self.start)
        recipes, events = [asdict(recipe) for recipe in self.recipes], self.events.to_dict()
        return {
            "ids": list(self.ids), "recipes": recipes, "events": events, "season": self.season, "start": start,
            "temperature": self.temperature,
        }  # fmt: skip

    @classmethod
    def restore(cls, arrays: Mapping[str, Array], facts: Json) -> SeasonalBase:
        """Rebuild from :meth:`arrays` and :meth:`facts`."""
        start = facts["start"]
        objects = {
            "recipes": tuple(Recipe(**recipe) for recipe in facts["recipes"]),
            "events": Events.from_dict(facts["events"]),
            "pooled": {int(season): value for season, value in under("base.pooled.", arrays).items()},
            "start": start if isinstance(start, int) else pd.Timestamp(start),
        }
        return restored(cls, under("base.", arrays), facts, objects)


def _horizons(train: Panel, h: int) -> Floats:
    """How many horizons the values of each series that are not zero fill, ``[N, D]``."""
    own = (train.rows(i)[: train.observed[i], : train.n_targets] for i in range(train.n_entities))
    return np.stack([(np.nan_to_num(rows) != 0).sum(axis=0) for rows in own]) / h
