"""Which settings a class tries next: its defaults, what was interrupted, then what the sampler says."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foretide.errors import ConfigError, nearest
from foretide.seeding import numpy_generator
from foretide.tuning.candidates import Candidate
from foretide.tuning.ledger import INTERRUPTED, Ledger, Row
from foretide.tuning.space import Settings, distributions_of, grid, key_of, settings_of
from foretide.tuning.storage import get_optuna

if TYPE_CHECKING:
    import optuna

SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "hyperband")
TRIES = 20
"""Draws before the settings not tried yet are listed instead."""
MOST_LISTED = 20_000
STARTUP, WARMUP = 5, 3
"""The median pruner waits for so many finished trials, and lets each train so many epochs."""


@dataclass(frozen=True)
class Proposal:
    """Settings to try.

    Attributes
    ----------
    settings : dict
    position : int
        How many trials of the class came before.
    seed : int or None
        That of the trial whose place it takes, where there was one.
    """

    settings: Settings
    position: int
    seed: int | None = None


def check_names(sampler: str, pruner: str | None) -> None:
    """Refuse names that are unknown."""
    if sampler not in SAMPLERS:
        raise ConfigError(f"There is no sampler {sampler!r}. {nearest(sampler, SAMPLERS)}")
    if pruner is not None and pruner not in PRUNERS:
        raise ConfigError(f"There is no pruner {pruner!r}. {nearest(pruner, PRUNERS)} Or None: no trial is cut short.")


def propose(candidate: Candidate, rows: Sequence[Row], ledger: Ledger, *, sampler: str, seed: int) -> Proposal | None:
    """Return settings that no trial of the class has tried; None where none are left.

    The sampler is made anew for every trial, from the seed, the class and the trial's place, so that a search that was
    interrupted and goes on proposes what it would have proposed anyway.
    """
    own = [row for row in rows if row.label == candidate.label]
    tried = {row.key for row in own if row.counts}
    for row in own:
        if row.state == INTERRUPTED and row.key not in tried:
            return Proposal(row.settings, row.position, row.seed)
    position = sum(row.counts for row in own)
    if key_of(candidate.start) not in tried:
        return Proposal(dict(candidate.start), position)
    if candidate.is_exhausted(rows):
        return None
    draws = numpy_generator(seed, zlib.crc32(candidate.label.encode()), position)
    study = ledger.mirror(candidate.label, sampler=_sampler(sampler, int(draws.integers(2**31))), sampled=True)
    for _ in range(TRIES):
        held = study.ask(distributions_of(candidate.space)).params
        settings = {
            name: entry.decode(held[name]) if name in held else next(entry.values())
            for name, entry in candidate.space.items()
        }
        if key_of(settings) not in tried:
            return Proposal(settings, position)
    if grid(candidate.space) > MOST_LISTED:
        return Proposal(settings, position)
    left = [s for s in settings_of(candidate.space) if key_of(s) not in tried]
    return Proposal(left[int(draws.integers(len(left)))], position) if left else None


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    samplers = get_optuna().samplers
    # Trials of other processes that still run count as bad, so that two do not try the same corner.
    sampler: optuna.samplers.BaseSampler = (
        samplers.RandomSampler(seed=seed) if name == "random"
        else samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    )  # fmt: skip
    return sampler


def make_pruner(name: str | None, epochs: int) -> optuna.pruners.BasePruner | None:
    """Return Optuna's pruner; None: none."""
    pruners = get_optuna().pruners
    pruner: optuna.pruners.BasePruner | None = None
    if name == "median":
        pruner = pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=WARMUP)
    if name == "hyperband":
        pruner = pruners.HyperbandPruner(min_resource=1, max_resource=max(epochs, 2), reduction_factor=3)
    return pruner
