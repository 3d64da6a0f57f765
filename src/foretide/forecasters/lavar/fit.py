"""How LAVAR is fitted, stage by stage, and how it predicts."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from foretide.data.counts import count_like
from foretide.data.time.seasons import main_season, seasons_of
from foretide.data.windows import Windows, first_rows, slide
from foretide.errors import DataError
from foretide.forecasters.base import Prediction
from foretide.forecasters.intervals.distribution import ErrorDistribution, Errors, suited
from foretide.forecasters.intervals.inside import beside, latest, means_by_entity
from foretide.forecasters.lavar.config import BY_CHANCE
from foretide.forecasters.lavar.drivers import known_numbers
from foretide.forecasters.lavar.effect_trial import EffectTrial, refitted
from foretide.forecasters.lavar.features import Look, answers, head_data, spread
from foretide.forecasters.lavar.gates import Evidence, Judge, Verdict
from foretide.forecasters.lavar.guardrails import Guard
from foretide.forecasters.lavar.heads import (
    buckets_of,
    by_share,
    columns_of,
    heads_of,
    inherit,
    like_teacher,
    members_of,
)
from foretide.forecasters.lavar.latent_effects import PERSISTENCE, LatentEffects
from foretide.forecasters.lavar.latent_state import LatentState
from foretide.forecasters.lavar.parts import Parts
from foretide.forecasters.lavar.pooled import Pooled, judged, mean_and_quantiles
from foretide.forecasters.lavar.recipes import tables_held
from foretide.forecasters.lavar.seasonal_base import SeasonalBase
from foretide.forecasters.lavar.stage_two import NO_WINDOWS, SWITCHED_OFF, HeadTrial
from foretide.forecasters.lavar.standard_base import standard_base
from foretide.forecasters.networks.neural import covered_calendar
from foretide.forecasters.simple.analogue_pool import HALF_WAY
from foretide.forecasters.simple.analogue_pools import room, some
from foretide.heads.base import HeadShape
from foretide.seeding import seeded_init, torch_generator
from foretide.training.head_bank import HeadBank, HeadData, train_heads
from foretide.training.prepare import Preparation
from foretide.typing import Floats, Ints, Reals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.data.panel import Panel
    from foretide.forecasters.base import FitPart
    from foretide.forecasters.lavar.lavar import LAVAR
    from foretide.training.config import Stage
    from foretide.training.watch import Epoch

    History = dict[str, list[Epoch]]

MAX_ELEMENTS = 40_000_000
"""Training windows are thinned out evenly so that stage 2 holds no more numbers than this."""
LEAST_WINDOWS = 1_000
"""Training windows of single series below which similar ones are not looked for."""
DAYS_PER_STATE = 4
"""Independent days of training per latent state below which its effects are not looked for."""


def fit_parts(
    model: LAVAR, part: FitPart, order: int, teacher: Parts | None
) -> tuple[Parts, History, list[dict[str, object]]]:  # fmt: skip
    """Fit everything; with a teacher, stage 1 is taken from it and the rest begins where it ended."""
    return _Fit(model, part, order, teacher).run()


def predict_parts(
    parts: Parts, panel: Panel, windows: Windows, h: int, quantiles: tuple[float, ...], traces: tuple[str, ...]
) -> tuple[Prediction, dict[str, int]]:
    """Forecast from windows; return the forecast and what the guardrails did."""
    if panel.ids[0] not in parts.preparation.ids:
        parts = parts.for_new(panel)
    look = Look.at(panel, windows, h, parts.state, parts.preparation, parts.own_history, known_ahead=parts.known_ahead)
    base = look.base(parts.base, parts.effects)
    mean, own = answers(parts, look, base, quantiles)
    where = parts.base.positions(panel)[windows.entity]
    mean, found = mean_and_quantiles(parts, panel, windows, mean, own, quantiles)
    mean, found, interventions = parts.guard.apply(panel, windows, where, mean, found)
    extras: dict[str, Reals] = {}
    if "base" in traces:
        extras["base"] = base
    if "latent" in traces:
        extras["latent"] = look.ahead
    return Prediction(mean, found, extras), interventions


class _Fit:
    """One fit.

    Parameters
    ----------
    model : LAVAR
        Its settings.
    part : FitPart
    order : int
        Lags of the VAR, as many as the series bear.
    teacher : Parts or None
    """

    def __init__(self, model: LAVAR, part: FitPart, order: int, teacher: Parts | None) -> None:
        self.model, self.part, self.teacher, self.h = model, part, teacher, model.h
        self.panel, self.train = part.panel, part.train
        self.rates, self.buckets = buckets_of(model, self.train, teacher)
        self.columns = columns_of(self.buckets)
        self.heads = heads_of(model, self.train, self.columns)
        calendar = covered_calendar(self.train) if isinstance(model.calendar, str) else model.calendar
        own = Preparation.fit(self.train, calendar)
        self.known_ahead = model.supply.head_inputs != "state"
        self.own_history = self.known_ahead and (model.supply.own_history or model.supply.base in BY_CHANCE)
        self.preparation = own if teacher is None else like_teacher(own, teacher.preparation, self.train)
        self.order = order
        self.windows = part.windows(input_size=order + 1, h=model.h)
        self.unjudged = teacher is None and not len(self.windows[1]) and model.stages.head_margin > 0
        self.generator = torch_generator(model.seed)
        self.history: History = {}
        self.verdicts: list[Verdict] = []

    @tables_held()
    def run(self) -> tuple[Parts, History, list[dict[str, object]]]:
        """Stage 1, base and effects, stage 2, distribution, and base and heads once more on the whole part."""
        self.state = self._stage_one() if self.teacher is None else self.teacher.state
        looks = [self._look(self.panel, self._thinned(self.windows[0]))]
        if len(self.windows[1]):
            looks.append(self._look(self.panel, self.windows[1]))
        base = self._base(self.train)
        bases = [look.base(base, None) for look in looks]
        unit = _units(bases[0], looks[0].truth(), looks[0].windows.entity, self.train)
        base, effects, richer = self._with_effects(base, looks, bases, unit)
        if effects is not None:
            bases = richer
            unit = _units(bases[0], looks[0].truth(), looks[0].windows.entity, self.train)
        own = unit if self.model.supply.units == "series" else np.ones_like(unit)
        parts = self._parts(base, effects, own, looks[0].width)
        best = self._stage_two(parts, looks, bases, unit)
        past = self._past(parts, looks, bases)
        if len(looks) > 1:
            spread(parts, past, [bucket for bucket, epochs in best.items() if not epochs])
        parts = self._with_errors(parts, past)
        way = self._way(parts, looks, bases)
        if self.model.supply.refit and len(looks) > 1:
            parts = self._again(parts, best)
        parts = parts if way is None else self._with_pool(parts, way)
        return parts, self.history, [verdict.row() for verdict in self.verdicts]

    # ---------------------------------------------------------------- steps
    def _stage(self, number: int) -> Stage:
        """Without windows to judge by, state and heads stay as they begin: what nothing rewards does harm as often."""
        stages, config = self.model.stages, self.model.config
        begun = number == 1 and stages.epochs is None and config.begun
        return stages.stage(number, 0 if self.unjudged or begun else None)

    def _look(self, panel: Panel, windows: Windows) -> Look:
        return Look.at(
            panel, windows, self.h, self.state, self.preparation, self.own_history, all_rows=True,
            known_ahead=self.known_ahead,
        )  # fmt: skip

    def _stage_one(self) -> LatentState:
        model, panel = self.model, self.panel
        source = model.supply.encode
        if source == "auto":
            source = "past" if panel.past else "targets"
        if source == "past" and not panel.past:
            raise DataError(
                "encode='past' needs past columns, the panel has none. Type encode='targets', or name some."
            )
        d, c = panel.n_targets, len(panel.past)
        channels = {"past": c, "targets": d, "both": d + c}[source]
        config = dataclasses.replace(model.config, order=self.order, latent=min(model.config.latent, channels))
        with seeded_init(model.seed):
            state, history = LatentState.fit(
                panel, self.preparation, self.windows, self.h, config, source, self._stage(1), self.generator,
                standard=model.supply.units == "series",
            )  # fmt: skip
        self.history["stage1"] = history.epochs
        return state

    def _base(self, panel: Panel) -> SeasonalBase:
        model, prior = self.model, None if self.teacher is None else self.teacher.base
        kind, calendar = model.supply.base, model.calendar
        return standard_base(panel, self.h, model.seasons, kind=kind, calendar=calendar, prior=prior)

    def _with_effects(
        self, base: SeasonalBase, looks: list[Look], bases: list[Floats], unit: Floats
    ) -> tuple[SeasonalBase, LatentEffects | None, list[Floats]]:
        """Base, effects and forecasts of all windows with them, where validation speaks for them; else the base."""
        trial = EffectTrial(base, self._of_train(looks[0]), looks, bases, unit, self.h, self._prior())
        if self._taught():
            trial.take_over()
        elif against := self._against_effects(looks):
            trial.verdicts.append(Verdict("effects", False, against))
        else:
            # Past columns that were given are believed to matter until validation speaks against them, the targets' own
            # history only if it speaks for it.
            if self.known_ahead:
                trial.of("known numbers", known_numbers(self.train, base.events.columns))
            if few := self._few(looks[0]):
                trial.verdicts.append(Verdict("effects", False, few))
            else:
                trial.of("effects", states=True, given=self.state.source != "targets")
        self.verdicts += trial.verdicts
        return trial.found

    def _of_train(self, look: Look) -> Look:
        """The same training windows, of the training rows alone."""
        kept = [low + np.arange(n) for low, n in zip(first_rows(self.panel.length), self.train.length, strict=True)]
        return dataclasses.replace(look, panel=self.train, z=look.z[np.concatenate(kept)])

    def _prior(self) -> LatentEffects | None:
        """Effects of a teacher, for the new entities."""
        effects = None if self.teacher is None else self.teacher.effects
        return None if effects is None else effects.for_new(self.train)

    def _taught(self) -> bool:
        """Whether a teacher's series have shown that the effects help."""
        return self.teacher is not None and self.teacher.effects is not None

    def _against_effects(self, looks: list[Look]) -> str | None:
        """Why effects are not tried: windows cannot tell those of so many states, or no others can judge them."""
        if not self.model.supply.effects:
            return SWITCHED_OFF
        if self._taught():
            return None
        if len(looks) < 2:
            return NO_WINDOWS
        return None

    def _few(self, look: Look) -> str | None:
        few = len(look.windows) < DAYS_PER_STATE * PERSISTENCE * look.z.shape[1]
        return f"too few training windows for {look.z.shape[1]} states" if few else None

    def _parts(self, base: SeasonalBase, effects: LatentEffects | None, unit: Floats, features: int) -> Parts:
        n, supply = self.panel.n_entities, self.model.supply
        shape = HeadShape(features, self.panel.n_targets, self.h, n, private=n > 1)
        with seeded_init(self.model.seed):
            bank = HeadBank(
                self.heads, self.columns, shape, torch.from_numpy(unit.astype(np.float32)),
                members_of(self.buckets, self.columns),
            )  # fmt: skip
        if self.teacher is not None:
            inherit(bank, self.teacher.bank)
        guard = Guard.fit(self.train, supply.bound_quantile, supply.bound_factor, supply.gate, supply.whole)
        positive = by_share(base, self.rates)
        return Parts(
            self.panel.targets, self.buckets, (supply.dense, supply.ultra), self.rates, self.heads, self.preparation,
            self.state, base, effects, bank, shape, unit, positive, None, guard, self.own_history, self.known_ahead,
        )  # fmt: skip

    def _data(self, parts: Parts, look: Look, base: Floats) -> HeadData:
        """What the heads learn from, or are validated on."""
        return head_data(look, base, look.windows.entity, parts.unit, parts.positive, look.truth())

    def _stage_two(self, parts: Parts, looks: list[Look], bases: list[Floats], unit: Floats) -> dict[str, int]:
        """Train the heads; return the best epoch of each bucket, 0 where the head stays as it begins."""
        stage, margin = self._stage(2), self.model.stages.head_margin
        train, *rest = (self._data(parts, *both) for both in zip(looks, bases, strict=True))
        validation = rest[0] if rest else None
        if validation is None or not margin or not stage.epochs:
            history = train_heads(parts.bank, train, validation, stage, self.generator)
            why = NO_WINDOWS if validation is None else "at its lowest validation loss"
            why = why if stage.epochs else SWITCHED_OFF
            for bucket in parts.bank.columns:
                epochs = history.parts.get(bucket, stage.epochs)
                self.verdicts.append(Verdict(f"head {bucket}", epochs > 0, why, None, len(history.epochs) - 1))
        else:
            trial = HeadTrial(parts, looks[1], bases[1], Judge.of(looks[1], unit), margin)
            history = trial.run(train, validation, stage, self.generator)
            self.verdicts += trial.verdicts.values()
        self.history["stage2"] = history.epochs
        return history.parts

    def _with_errors(self, parts: Parts, past: Errors) -> Parts:
        """Let forecasts of heads without a distribution be spread as past errors are."""
        kinds = suited(tuple("negative_binomial" if c else "normal" for c in count_like(self.panel)), past)
        season, ids = int(main_season(self.train)), parts.preparation.ids
        return dataclasses.replace(parts, distribution=ErrorDistribution.fit(past, kinds, ids, self.h, season))

    def _past(self, parts: Parts, looks: Sequence[Look], bases: Sequence[Floats]) -> Errors:
        """Errors that spreads are made of: on validation windows, beside those on the newest training windows."""
        *inside, held = (self._errors(parts, *both) for both in zip(looks, bases, strict=True))
        if inside:
            begun = _settled(self.train.observed, int(main_season(self.train)))
            settled = inside[0].take(np.flatnonzero(looks[0].windows.cutoff >= begun[looks[0].windows.entity]))
            n = self.panel.n_entities
            held = beside(held, settled.take(latest(held, settled, n)), ~count_like(self.panel), n)
        return held

    def _errors(self, parts: Parts, look: Look, base: Floats) -> Errors:
        least = np.where(parts.guard.nonnegative, 0.0, -np.inf)[look.windows.entity][:, None, :]
        mean = np.maximum(answers(parts, look, base)[0], least)
        return Errors(mean, look.truth(), look.windows.entity, look.windows.steps(look.panel))

    def _way(self, parts: Parts, looks: Sequence[Look], bases: Sequence[Floats]) -> float | None:
        """How far values that followed similar windows are drawn towards the forecast; None: they are not looked for.

        Where nothing was held back to judge by, they are: on no table looked at was their quantile loss higher by 1 %.
        """
        kind, started = self.model.supply.distribution, time.perf_counter()
        way, gain, why = HALF_WAY, math.nan, NO_WINDOWS
        few = kind == "auto" and len(self.windows[0]) * self.panel.n_targets < LEAST_WINDOWS
        if few or kind == "errors":
            why = f"fewer than {LEAST_WINDOWS:,} windows" if few else SWITCHED_OFF
            self.verdicts.append(Verdict("similar windows", False, why))
            return None
        if len(looks) > 1:
            blind = self._with_errors(parts, self._past(parts, looks[:1], bases[:1]))
            way, gain = judged(blind, looks[0], bases[0], looks[1], bases[1], self.model.heads == "auto")
            why = "less quantile loss than the distribution of past errors" if gain > 0 else "no less quantile loss"
        asked, seen = kind == "analogues", Evidence(gain, math.nan, math.nan)
        kept, why = asked or not gain <= 0, f"asked for; {why}" if asked else why
        seconds = time.perf_counter() - started
        self.verdicts.append(Verdict("similar windows", kept, why, seen, 0, seconds))
        return way if kept else None

    def _with_pool(self, parts: Parts, way: float) -> Parts:
        """Learn from all windows what followed them, around what the parts forecast now."""
        windows = slide(self.panel, input_size=self.order + 1, h=self.h)
        look = self._look(self.panel, windows[some(len(windows), room(self.h, self.panel.n_targets))])
        base = look.base(parts.base, parts.effects)
        return dataclasses.replace(parts, pooled=Pooled.learn(parts, look, base, way, self.model.heads == "auto"))

    def _again(self, parts: Parts, best: dict[str, int]) -> Parts:
        """Base, effects and the heads that were kept, from training and validation part together.

        Heads learn for as many epochs as were best before: they must fit the base they correct.
        """
        panel = self.panel
        base, effects = self._base(panel), parts.effects
        if effects is None and not any(best.values()):
            return dataclasses.replace(parts, base=base)
        look = self._look(panel, self._thinned(slide(panel, input_size=self.order + 1, h=self.h)))
        if effects is not None:
            base, effects = refitted(base, look, self.h, effects, self._prior())
        parts = dataclasses.replace(parts, base=base, effects=effects)
        if not any(best.values()):
            return parts
        fresh = self._parts(base, effects, parts.unit, look.width)
        data = self._data(parts, look, look.base(base, effects))
        for bucket, epochs in best.items():
            if epochs:
                one = HeadBank(
                    {bucket: parts.heads[bucket]}, {bucket: parts.bank.columns[bucket]}, parts.shape, parts.bank.unit,
                    parts.bank.members,
                )  # fmt: skip
                one.heads[bucket].load_state_dict(fresh.bank.heads[bucket].state_dict())
                train_heads(one, data, None, self.model.stages.stage(2, epochs), self.generator)
                parts.bank.heads[bucket].load_state_dict(one.heads[bucket].state_dict())
        return parts

    def _thinned(self, windows: Windows) -> Windows:
        """At most so many windows that stage 2 holds :data:`MAX_ELEMENTS` numbers, through all season positions."""
        width = self.h * (4 * self.panel.n_targets + self.state.model.config.latent + 16)
        stride = max(1, -(-len(windows) * width // MAX_ELEMENTS))
        while stride > 1 and any(np.gcd(stride, s) > 1 for s in seasons_of(self.panel.grid.freq)):
            stride += 1
        return windows[np.arange(len(windows))[::-1][::stride][::-1]]


def _settled(rows: Ints, season: int) -> Ints:
    """First rows of series ``[N]`` from which a forecast knows enough to show the errors to come."""
    return np.asarray(np.maximum(2 * season, rows // 4))


def _units(base: Floats, y: Floats, entity: Ints, train: Panel) -> Floats:
    """Root mean squared errors of the base, ``[N, D]``, never below what one value in the training part would give.

    A series without any value but zero has shown no size: it gets the usual unit of its target, where there is one.
    """
    mean_square = np.nan_to_num(means_by_entity((base - y) ** 2, entity, train.n_entities))
    largest = np.zeros_like(mean_square)
    for i, rows in enumerate(train.observed):
        seen = np.nan_to_num(np.abs(np.asarray(train.rows(i)[:rows, : train.n_targets], dtype=np.float64)))
        largest[i] = seen.max(axis=0, initial=0.0)
    silent = largest == 0
    floor = np.where(silent, 1.0, largest) ** 2 / np.maximum(train.observed, 1)[:, None]
    unit = np.sqrt(mean_square + floor)
    for j in np.flatnonzero(silent.any(axis=0) & ~silent.all(axis=0)):
        unit[silent[:, j], j] = np.median(unit[~silent[:, j], j])
    return unit
