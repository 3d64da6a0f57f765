"""Everything a fitted LAVAR is made of, and how it is saved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from foretide.data.counts import BUCKETS, density
from foretide.data.panel import Panel
from foretide.data.time.calendar import Calendar
from foretide.forecasters.intervals.distribution import ErrorDistribution
from foretide.forecasters.lavar.guardrails import Guard
from foretide.forecasters.lavar.heads import by_share, coded, like_fitted, members_of, observed_at_all
from foretide.forecasters.lavar.latent_effects import LatentEffects
from foretide.forecasters.lavar.latent_state import LatentState
from foretide.forecasters.lavar.pooled import Pooled
from foretide.forecasters.lavar.seasonal_base import SeasonalBase
from foretide.heads.base import HeadShape
from foretide.heads.table import HeadSpec, Route, placed, resolve
from foretide.models.config import LatentConfig
from foretide.models.latent import LatentModel
from foretide.training.head_bank import HeadBank
from foretide.training.prepare import Preparation
from foretide.training.saved import arrays_of, facts_of, prefixed, put_weights, restored, under, weights_of
from foretide.typing import Array, Bools, Floats, Ints, Json


@dataclass(frozen=True, eq=False)
class Parts:
    """A fitted LAVAR.

    Attributes
    ----------
    targets : tuple of str, ``D``
    rates, buckets : ``[N, D]``
        Nonzero rates of all series in the training part, and the buckets that follow, as positions in ``BUCKETS``.
    thresholds : tuple of float
        Rates from which a series is dense, and up to which ultra-sparse.
    heads : dict
        Bucket -> head, with its options.
    preparation : Preparation
    state : LatentState
    base : SeasonalBase
    effects : LatentEffects or None
    bank : HeadBank
    shape : HeadShape
    unit : ``[N, D]``
        Original units in one unit of each series.
    positive : bool ``[N, D]``
        Series whose correction is a share of the base; the others are corrected in units.
    distribution : ErrorDistribution
        Around the forecasts of heads without a distribution.
    guard : Guard
    own_history, known_ahead : bool
        What the heads see beside the state.
    pooled : Pooled or None
        Values that followed similar windows, where they answer in place of the distribution of past errors.
    """

    targets: tuple[str, ...]
    buckets: Ints
    thresholds: tuple[float, float]
    rates: Floats
    heads: dict[str, HeadSpec]
    preparation: Preparation
    state: LatentState
    base: SeasonalBase
    effects: LatentEffects | None
    bank: HeadBank
    shape: HeadShape
    unit: Floats
    positive: Bools
    distribution: ErrorDistribution | None
    guard: Guard
    own_history: bool
    known_ahead: bool = True
    pooled: Pooled | None = None

    def routes(self, bucket: str) -> list[Route]:
        """Heads of a bucket, each with the positions of its columns within the bucket (None: all)."""
        return resolve(self.heads[bucket], [self.targets[j] for j in self.bank.columns[bucket]])

    def head_names(self) -> list[list[str]]:
        """Name of each series' head, ``N`` times ``D``."""
        found = [[""] * len(self.targets) for _ in self.buckets]
        for bucket, columns in self.bank.columns.items():
            for route in placed(self.routes(bucket), columns):
                for j in route.places or ():
                    for i in np.flatnonzero(self.buckets[:, j] == BUCKETS.index(bucket)):
                        found[i][j] = route.name
        return found

    def buckets_at(self, rates: Floats, observed: Bools) -> Ints:
        """Buckets of other series by their rates ``[N', D]``; the usual one where there is no head, or no value yet."""
        found = coded(rates, self.thresholds)
        for j, fitted in enumerate(self.buckets.T):
            own = observed[:, j] & np.isin(found[:, j], fitted)
            found[:, j] = np.where(own, found[:, j], np.bincount(fitted).argmax())
        return found

    def for_new(self, panel: Panel) -> Parts:
        """Return the parts of entities that were not there at fit: sizes from their own rows, the rest what all share.

        The errors of a series are taken to be as large, beside its own spread, as is usual among the fitted ones.
        """
        d = panel.n_targets
        preparation = like_fitted(self.preparation.for_new(panel), self.preparation, panel)
        unit = preparation.scale[:, :d] * np.median(self.unit / self.preparation.scale[:, :d], axis=0)
        observed = observed_at_all(panel)
        rates = np.where(observed, density(panel), self.rates.mean(axis=0))
        found, base = self.buckets_at(rates, observed), self.base.for_new(panel)
        bank = self.bank.for_new(torch.from_numpy(unit.astype(np.float32)), members_of(found, self.bank.columns))
        return dataclasses.replace(
            self, preparation=preparation, base=base, rates=rates, buckets=found, bank=bank, unit=unit,
            positive=by_share(base, rates),
            effects=None if self.effects is None else self.effects.for_new(panel),
            distribution=None if self.distribution is None else self.distribution.for_new(panel.ids, self.unit, unit),
            guard=self.guard.for_new(panel),
        )  # fmt: skip

    # ---------------------------------------------------------------- saving
    def arrays(self) -> dict[str, Array]:
        """Everything that is an array."""
        found = {
            **arrays_of(self), **self.preparation.arrays(), **self.base.arrays(),
            **prefixed("latent.", self.state.arrays()), **prefixed("bank.", weights_of(self.bank)),
        }  # fmt: skip
        if self.effects is not None:
            found |= prefixed("effects.", self.effects.arrays())
        for name in ("distribution", "guard"):
            part = getattr(self, name)
            found |= prefixed(f"{name}.", {} if part is None else arrays_of(part))
        return found if self.pooled is None else found | self.pooled.arrays()

    def facts(self) -> Json:
        """Everything that is no array, as JSON."""
        calendar, model = self.preparation.calendar, self.state.model
        return {
            "targets": list(self.targets),
            "columns": self.bank.columns,
            "thresholds": list(self.thresholds),
            "heads": self.heads,
            "ids": list(self.preparation.ids),
            "calendar": calendar.to_dict() if calendar else None,
            "channels": model.channels,
            "latent": model.config.latent,
            "order": model.config.order,
            "source": self.state.source,
            "base": self.base.facts(),
            "drivers": None if self.effects is None or self.effects.drivers is None else self.effects.drivers.facts(),
            "shape": dataclasses.asdict(self.shape),
            "distribution": None if self.distribution is None else facts_of(self.distribution),
            "guard": facts_of(self.guard),
            "own_history": self.own_history,
            "known_ahead": self.known_ahead,
            "pooled": None if self.pooled is None else self.pooled.facts(),
        }

    @classmethod
    def restore(cls, state: Mapping[str, Array], facts: Json, h: int, config: LatentConfig) -> Parts:
        """Rebuild from :meth:`arrays` and :meth:`facts`."""
        calendar = Calendar.from_dict(facts["calendar"]) if facts["calendar"] else None
        shape = HeadShape(**facts["shape"])
        unit = torch.from_numpy(state["unit"].astype(np.float32))
        members = members_of(np.asarray(state["buckets"], dtype=np.int64), facts["columns"])
        bank = HeadBank(facts["heads"], facts["columns"], shape, unit, members)
        put_weights(bank, under("bank.", state))
        config = dataclasses.replace(config, latent=facts["latent"], order=facts["order"])
        model = LatentModel(facts["channels"], h, config)
        effects, distribution = under("effects.", state), under("distribution.", state)
        objects = {
            "preparation": Preparation.from_arrays(state, tuple(facts["ids"]), calendar),
            "state": LatentState.restore(under("latent.", state), model, facts["source"]),
            "base": SeasonalBase.restore(state, facts["base"]),
            "effects": LatentEffects.restore(effects, facts.get("drivers")) if effects else None,
            "bank": bank.eval(),
            "shape": shape,
            "distribution": restored(ErrorDistribution, distribution, facts["distribution"]) if distribution else None,
            "pooled": Pooled.restore(state, facts.get("pooled")),
            "guard": restored(Guard, under("guard.", state), facts["guard"]),
        }
        return restored(cls, state, facts, objects)
