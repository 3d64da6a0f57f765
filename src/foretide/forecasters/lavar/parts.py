"""Everything a fitted LAVAR is made of, and how it is saved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from foretide.data.panel import Panel
from foretide.data.time.calendar import Calendar
from foretide.forecasters.intervals.distribution import ErrorDistribution
from foretide.forecasters.lavar.guardrails import Guard
from foretide.forecasters.lavar.heads import like_fitted
from foretide.forecasters.lavar.latent_effects import LatentEffects
from foretide.forecasters.lavar.latent_state import LatentState
from foretide.forecasters.lavar.seasonal_base import SeasonalBase
from foretide.heads.base import HeadShape
from foretide.heads.table import HeadSpec, Route, placed, resolve
from foretide.models.config import LatentConfig
from foretide.models.latent import LatentModel
from foretide.training.head_bank import HeadBank
from foretide.training.prepare import Preparation
from foretide.training.saved import arrays_of, facts_of, prefixed, put_weights, rebuilt, under, weights_of
from foretide.typing import Array, Bools, Floats, Json


@dataclass(frozen=True, eq=False)
class Parts:
    """A fitted LAVAR.

    Attributes
    ----------
    targets, buckets : tuples of str, ``D`` each
    rates : ``[D]``
        Nonzero rates in the training part, the mean over entities.
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
    positive : bool ``[D]``
        Targets whose correction is a share of the base; the others are corrected in units.
    distribution : ErrorDistribution
        Around the forecasts of heads without a distribution.
    guard : Guard
    own_history, known_ahead : bool
        What the heads see beside the state.
    """

    targets: tuple[str, ...]
    buckets: tuple[str, ...]
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

    def routes(self, bucket: str) -> list[Route]:
        """Heads of a bucket, each with the positions of its columns within the bucket (None: all)."""
        return resolve(self.heads[bucket], [t for t, b in zip(self.targets, self.buckets, strict=True) if b == bucket])

    def head_names(self) -> list[str]:
        """Name of each target's head, ``D``."""
        found = [""] * len(self.targets)
        for bucket, columns in columns_of(self.buckets).items():
            for route in placed(self.routes(bucket), columns):
                for j in route.places or ():
                    found[j] = route.name
        return found

    def for_new(self, panel: Panel) -> Parts:
        """Return the parts of entities that were not there at fit: sizes from their own rows, the rest what all share.

        The errors of a series are taken to be as large, beside its own spread, as is usual among the fitted ones.
        """
        d = panel.n_targets
        preparation = like_fitted(self.preparation.for_new(panel), self.preparation, panel)
        unit = preparation.scale[:, :d] * np.median(self.unit / self.preparation.scale[:, :d], axis=0)
        return dataclasses.replace(
            self, preparation=preparation, base=self.base.for_new(panel),
            effects=None if self.effects is None else self.effects.for_new(panel.n_entities),
            bank=self.bank.for_new(torch.from_numpy(unit.astype(np.float32))), unit=unit,
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
        for name in ("effects", "distribution", "guard"):
            part = getattr(self, name)
            found |= prefixed(f"{name}.", {} if part is None else arrays_of(part))
        return found

    def facts(self) -> Json:
        """Everything that is no array, as JSON."""
        calendar, model = self.preparation.calendar, self.state.model
        return {
            "targets": list(self.targets),
            "buckets": list(self.buckets),
            "heads": self.heads,
            "ids": list(self.preparation.ids),
            "calendar": calendar.to_dict() if calendar else None,
            "channels": model.channels,
            "latent": model.config.latent,
            "order": model.config.order,
            "source": self.state.source,
            "base": self.base.facts(),
            "shape": dataclasses.asdict(self.shape),
            "distribution": None if self.distribution is None else facts_of(self.distribution),
            "guard": facts_of(self.guard),
            "own_history": self.own_history,
            "known_ahead": self.known_ahead,
        }

    @classmethod
    def restore(cls, state: Mapping[str, Array], facts: Json, h: int, config: LatentConfig) -> Parts:
        """Rebuild from :meth:`arrays` and :meth:`facts`."""
        calendar = Calendar.from_dict(facts["calendar"]) if facts["calendar"] else None
        shape = HeadShape(**facts["shape"])
        unit = torch.from_numpy(state["unit"].astype(np.float32))
        bank = HeadBank(facts["heads"], columns_of(facts["buckets"]), shape, unit)
        put_weights(bank, under("bank.", state))
        config = dataclasses.replace(config, latent=facts["latent"], order=facts["order"])
        model = LatentModel(facts["channels"], h, config)
        effects, distribution = under("effects.", state), under("distribution.", state)
        objects = {
            "preparation": Preparation.from_arrays(state, tuple(facts["ids"]), calendar),
            "state": LatentState.restore(under("latent.", state), model, facts["source"]),
            "base": SeasonalBase.restore(state, facts["base"]),
            "effects": rebuilt(LatentEffects, effects) if effects else None,
            "bank": bank.eval(),
            "shape": shape,
            "distribution": rebuilt(ErrorDistribution, distribution, facts["distribution"]) if distribution else None,
            "guard": rebuilt(Guard, under("guard.", state), facts["guard"]),
        }
        return rebuilt(cls, state, facts, objects)


def columns_of(buckets: Sequence[str]) -> dict[str, list[int]]:
    """Positions of the targets of each bucket, buckets in order of first appearance."""
    found: dict[str, list[int]] = {}
    for j, bucket in enumerate(buckets):
        found.setdefault(bucket, []).append(j)
    return found
