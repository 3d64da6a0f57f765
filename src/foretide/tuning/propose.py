"""Which settings a class tries next: its defaults, what was interrupted, then what the sampler says."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretide.errors import ConfigError, nearest
from foretide.seeding import numpy_generator
from foretide.tuning.candidates import Candidate
from foretide.tuning.ledger import INTERRUPTED, Ledger, Row
from foretide.tuning.space import grid, key_of, settings_of
from foretide.tuning.storage import get_optuna

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

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

    settings: dict[str, Any]
    position: int
    seed: int | None = None


def check_names(sampler: str, pruner: str | None) -> None:
    """Refuse names that are unknown."""
    if sampler not in SAMPLERS:
        raise ConfigError(f"There is no sampler {sampler!r}. {nearest(sampler, SAMPLERS)}")
    if pruner is not None and pruner not in PRUNERS:
        raise ConfigError(f"There is no pruner {pruner!r}. {nearest(pruner, PRUNERS)} Or None: no trial is cut short.")


def distributions_of(candidate: Candidate) -> dict[str, BaseDistribution]:
    """Return what Optuna samples from; entries of one value need no sampling."""
    return {name: entry.distribution() for name, entry in candidate.space.items() if entry.size > 1}


def params_of(candidate: Candidate, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as Optuna holds them; nothing where the defaults lie outside the space."""
    if not all(value in candidate.space[name] for name, value in settings.items()):
        return {}
    return {name: candidate.space[name].encode(v) for name, v in settings.items() if candidate.space[name].size > 1}


def is_exhausted(candidate: Candidate, rows: Sequence[Row]) -> bool:
    """Whether every setting of a finite space was tried, or is being tried."""
    mine = {row.key: row.settings for row in rows if row.label == candidate.label and row.counts}
    if key_of(candidate.start) not in mine:
        return False
    size = grid(candidate.space)
    if not math.isfinite(size):
        return False
    inside = [s for s in mine.values() if all(v in candidate.space[name] for name, v in s.items())]
    return len(inside) >= size or not candidate.space


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
    if is_exhausted(candidate, rows):
        return None
    draws = numpy_generator(seed, zlib.crc32(candidate.label.encode()), position)
    study = ledger.mirror(candidate.label, sampler=_sampler(sampler, int(draws.integers(2**31))), sampled=True)
    for _ in range(TRIES):
        held = study.ask(distributions_of(candidate)).params
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


def _sampler(name: str, seed: int) -> Any:
    optuna = get_optuna()
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    # Trials of other processes that still run count as bad, so that two do not try the same corner.
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)


def make_pruner(name: str | None, epochs: int) -> Any:
    """Return Optuna's pruner; None: none."""
    optuna = get_optuna()
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=WARMUP)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=max(epochs, 2), reduction_factor=3)
    return None
