"""Log-linear effects on trial: what is known ahead first, then the latent state, each kept where validation allows."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from foretide.forecasters.lavar.drivers import Drivers
from foretide.forecasters.lavar.gates import Judge, Verdict
from foretide.forecasters.lavar.latent_effects import ROUNDS, LatentEffects, fit_effects
from foretide.forecasters.lavar.stage_two import NOT_TOLD
from foretide.typing import Floats

if TYPE_CHECKING:
    from foretide.forecasters.lavar.features import Look
    from foretide.forecasters.lavar.gates import Evidence
    from foretide.forecasters.lavar.seasonal_base import SeasonalBase

Found = tuple["SeasonalBase", LatentEffects | None, list[Floats]]


class EffectTrial:
    """Candidates for effects, one after the other.

    Parameters
    ----------
    base : SeasonalBase
        Without effects.
    train : Look
        At training windows of the training rows alone.
    looks : list of Look
        At training windows and, where there are any, at validation windows.
    bases : list of ``[W, H, D]``
        Forecasts of the base from them.
    unit : ``[N, D]``
        Of each series.
    h : int
    prior : LatentEffects or None
        Of a teacher.
    """

    def __init__(
        self, base: SeasonalBase, train: Look, looks: list[Look], bases: list[Floats], unit: Floats, h: int,
        prior: LatentEffects | None,
    ) -> None:  # fmt: skip
        self.base, self.looks, self.bases, self.h, self.prior = base, looks, bases, h, prior
        self.judge = Judge.of(looks[1], unit) if len(looks) > 1 else None
        self.before = None if self.judge is None else self.judge.errors(bases[1])
        self.train = train
        self.columns: tuple[str, ...] = ()
        self.found: Found = (base, None, bases)
        """The base, what is kept of effects, and forecasts of all windows with them."""
        self.verdicts: list[Verdict] = []

    def take_over(self) -> None:
        """Take the effects of a teacher's entities as the beginning of these."""
        assert self.prior is not None
        started = time.perf_counter()
        rich = self._fitted(self.prior.drivers, ROUNDS)
        self.found = (*rich, [look.base(*rich) for look in self.looks])
        why = "those of the model whose stage 1 is shared"
        self.verdicts.append(Verdict("effects", True, why, None, 0, time.perf_counter() - started))

    def of(self, part: str, columns: Sequence[str] = (), *, states: bool = False, given: bool = True) -> None:
        """Try known-ahead ``columns``, or latent states beside what was kept, and keep them unless validation forbids.

        A first round tells whether more are worth while.
        """
        if not columns and not states:
            return
        started, judge, before = time.perf_counter(), self.judge, self.before
        assert judge is not None
        assert before is not None

        def say(kept: bool, why: str, evidence: Evidence | None = None) -> None:
            self.verdicts.append(Verdict(part, kept, why, evidence, 0, time.perf_counter() - started))

        time_there_is = judge.evidence(before, before)
        if not (time_there_is.told if given else time_there_is.provable):
            return say(False, NOT_TOLD)
        z = self.train.z if states else self.train.z[:, :0]
        used = tuple(columns) or self.columns
        seasons = [recipe.season for recipe in self.base.recipes]
        drivers = Drivers.fit(self.train.panel, used, z, seasons)
        rich = self._fitted(drivers, 1, plain=self.bases[0])
        for rounds in (0, ROUNDS - 1):
            if rounds:
                rich = self._fitted(drivers, rounds, base=rich[0], begun=rich[1])
            richer = self.looks[1].base(*rich)
            after = judge.errors(richer)
            evidence = judge.evidence(before, after)
            # Numbers known ahead say at once what they do; the state has to be foreseen.
            if not (evidence.speaks_for(given) if states else evidence.gain > 0):
                found = ("a loss beyond chance" if given else "no gain beyond chance") if states else "no gain"
                return say(False, f"{found} after {'all' if rounds else 'the first of'} {ROUNDS} rounds", evidence)
        usual = "validation does not speak against the columns given" if given else "a gain beyond chance"
        say(True, usual if states else "a gain", evidence)
        self.columns, self.before = used, after
        self.found = (*rich, [self.looks[0].base(*rich), richer])
        return None

    def _fitted(
        self, drivers: Drivers | None, rounds: int, *, base: SeasonalBase | None = None, plain: Floats | None = None,
        begun: LatentEffects | None = None,
    ) -> tuple[SeasonalBase, LatentEffects]:  # fmt: skip
        return _fit(
            self.base if base is None else base, self.train, self.h, drivers, rounds, prior=self.prior, plain=plain,
            begun=begun,
        )  # fmt: skip


def refitted(
    base: SeasonalBase, look: Look, h: int, effects: LatentEffects, prior: LatentEffects | None
) -> tuple[SeasonalBase, LatentEffects]:
    """Base and effects from more rows, where effects go on from what they are."""
    return _fit(base, look, h, effects.drivers, 1, prior=prior, begun=effects)


def _fit(
    base: SeasonalBase, look: Look, h: int, drivers: Drivers | None, rounds: int, *, prior: LatentEffects | None,
    plain: Floats | None = None, begun: LatentEffects | None = None,
) -> tuple[SeasonalBase, LatentEffects]:  # fmt: skip
    z, ahead = look.regressors(drivers)
    shared = None if prior is None else prior.shared
    base, effects = fit_effects(
        base, look.panel, look.windows, h, z, ahead, shared, plain=plain, begun=begun, rounds=rounds
    )
    return base, dataclasses.replace(effects, drivers=drivers)
