"""Everything a fitted LAVAR is made of, and how it is saved."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from foretide.data.time.calendar import Calendar
from foretide.forecasters.keeping import arrays_of, facts_of, rebuilt
from foretide.forecasters.lavar.guardrails import Guard
from foretide.forecasters.lavar.heads import like_fitted
from foretide.forecasters.lavar.latent_effects import LatentEffects
from foretide.forecasters.lavar.latent_state import LatentState
from foretide.forecasters.lavar.seasonal_base import SeasonalBase
from foretide.forecasters.wrappers.error_distribution import ErrorDistribution
from foretide.heads.base import HeadShape
from foretide.heads.table import Route, resolve
from foretide.training.head_bank import HeadBank
from foretide.training.prepare import Preparation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.models.config import LatentConfig

    Floats = NDArray[np.float64]


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
    own_history : bool
    """

    targets: tuple[str, ...]
    buckets: tuple[str, ...]
    rates: Floats
    heads: dict[str, Any]
    preparation: Preparation
    state: LatentState
    base: SeasonalBase
    effects: LatentEffects | None
    bank: HeadBank
    shape: HeadShape
    unit: Floats
    positive: NDArray[np.bool_]
    distribution: ErrorDistribution | None
    guard: Guard
    own_history: bool

    def routes(self, bucket: str) -> list[Route]:
        """Heads of a bucket, each with the positions of its columns within the bucket (None: all)."""
        return resolve(self.heads[bucket], [t for t, b in zip(self.targets, self.buckets, strict=True) if b == bucket])

    def head_names(self) -> list[str]:
        """Name of each target's head, ``D``."""
        found = [""] * len(self.targets)
        for bucket, columns in columns_of(self.buckets).items():
            for route in self.routes(bucket):
                for j in range(len(columns)) if route.places is None else route.places:
                    found[columns[j]] = route.name
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
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that is an array."""
        bank = {f"bank.{k}": v.detach().cpu().numpy() for k, v in self.bank.state_dict().items()}
        own = {"rates": self.rates, "unit": self.unit, "positive": self.positive.astype(np.uint8)}
        guard = {"guard.upper": self.guard.upper, "guard.nonnegative": self.guard.nonnegative.astype(np.uint8)}
        effects = {}
        if self.effects is not None:
            effects = {"effects.weights": self.effects.weights, "effects.shared": self.effects.shared}
        learned = {} if self.distribution is None else arrays_of(self.distribution)
        distribution = {f"distribution.{name}": array for name, array in learned.items()}
        return {
            **self.preparation.arrays(), **self.state.arrays(), **self.base.arrays(), **bank, **own, **guard,
            **effects, **distribution,
        }  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Everything that is no array, as JSON."""
        calendar = self.preparation.calendar
        return {
            "targets": list(self.targets),
            "buckets": list(self.buckets),
            "heads": self.heads,
            "ids": list(self.preparation.ids),
            "calendar": calendar.to_dict() if calendar else None,
            "channels": self.state.model.channels,
            "latent": self.state.model.config.latent,
            "order": self.state.model.config.order,
            "source": self.state.source,
            "base": self.base.facts(),
            "shape": dataclasses.asdict(self.shape),
            "distribution": None if self.distribution is None else facts_of(self.distribution),
            "guard": {name: getattr(self.guard, name) for name in ("gate", "whole", "factor")},
            "own_history": self.own_history,
        }

    @classmethod
    def restore(cls, state: dict[str, NDArray[Any]], facts: dict[str, Any], h: int, config: LatentConfig) -> Parts:
        """Rebuild from :meth:`arrays` and :meth:`facts`."""
        calendar = Calendar.from_dict(facts["calendar"]) if facts["calendar"] else None
        shape = HeadShape(**facts["shape"])
        buckets = tuple(facts["buckets"])
        unit = state["unit"]
        bank = HeadBank(facts["heads"], columns_of(buckets), shape, torch.from_numpy(unit.astype(np.float32)))
        bank.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in _under(state, "bank.").items()})
        effects = None
        if "effects.weights" in state:
            effects = LatentEffects(state["effects.weights"], state["effects.shared"])
        config = dataclasses.replace(config, latent=facts["latent"], order=facts["order"])
        return cls(
            tuple(facts["targets"]), buckets, state["rates"], facts["heads"],
            Preparation.from_arrays(state, tuple(facts["ids"]), calendar),
            LatentState.restore(state, facts["channels"], h, config, facts["source"]),
            SeasonalBase.restore(state, facts["base"]), effects, bank.eval(), shape, unit,
            state["positive"].astype(bool),
            rebuilt(ErrorDistribution, _under(state, "distribution."), facts["distribution"])
            if facts["distribution"] else None,
            Guard(state["guard.upper"], state["guard.nonnegative"].astype(bool), **facts["guard"]),
            facts["own_history"],
        )  # fmt: skip


def columns_of(buckets: tuple[str, ...]) -> dict[str, list[int]]:
    """Positions of the targets of each bucket, buckets in order of first appearance."""
    found: dict[str, list[int]] = {}
    for j, bucket in enumerate(buckets):
        found.setdefault(bucket, []).append(j)
    return found


def _under(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
