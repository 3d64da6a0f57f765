"""Stage 2 of LAVAR: heads learn what the base leaves, and stay where validation shows a gain beyond chance."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

from foretide.data.counts import BUCKETS
from foretide.forecasters.lavar.features import answers
from foretide.forecasters.lavar.gates import LOOKS, Evidence, Judge, Verdict, first_look
from foretide.training.head_bank import HeadBank, HeadData, train_heads
from foretide.typing import Floats

if TYPE_CHECKING:
    from foretide.forecasters.lavar.features import Look
    from foretide.forecasters.lavar.parts import Parts
    from foretide.training.config import Stage
    from foretide.training.loop import History

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Quantiles by which a head with a distribution is judged."""
NOT_TOLD = "validation windows say too little: their errors lie in too few horizons of time"
NO_WINDOWS = "no validation windows"
SWITCHED_OFF = "switched off"


class HeadTrial:
    """Heads on trial: a quick look first, the long training for those that gain, and a verdict on each.

    Parameters
    ----------
    parts : Parts
        With the heads as they begin.
    look, base : Look, ``[W, H, D]``
        Validation windows, and their forecast before the heads.
    judge : Judge
        Of these windows.
    margin : float
        What a head must gain beyond chance.
    """

    def __init__(self, parts: Parts, look: Look, base: Floats, judge: Judge, margin: float) -> None:
        self.parts, self.look, self.base, self.judge, self.margin = parts, look, base, judge, margin
        self.levels: tuple[float, ...] = ()
        self.before = self._errors()
        self.told = {bucket for bucket in parts.bank.columns if self._evidence(bucket, self.before).provable}
        if any(route.cls.has_distribution for bucket in self.told for route in parts.routes(bucket)):
            self.levels = LEVELS
            self.before = self._errors()
        self.verdicts: dict[str, Verdict] = {}
        self.seconds = dict.fromkeys(parts.bank.columns, 0.0)
        """What each head took so far."""

    def run(self, train: HeadData, validation: HeadData, stage: Stage, generator: torch.Generator) -> History:
        """Train the heads of :attr:`parts` in place, all that may help for up to ``stage.epochs``."""
        bank = self.parts.bank
        begun = {bucket: _copied(bank, bucket) for bucket in bank.columns if bucket in self.told}
        for bucket in bank.columns.keys() - begun:
            self.verdicts[bucket] = Verdict(f"head {bucket}", False, NOT_TOLD)
        first = dataclasses.replace(
            stage, epochs=min(stage.epochs, first_look(len(train), stage.batch_size, stage.steps))
        )
        if len(begun) < len(bank.columns):
            rest = bank.only(bank.columns.keys() - begun)
            history = train_heads(rest, train, validation, dataclasses.replace(stage, epochs=0), generator)
        with self._timed(begun):
            if begun:
                history = train_heads(bank.only(begun), train, validation, first, generator)
            hopeful = self._hopeful(begun, first.epochs / stage.epochs)
        after = self._errors() if begun else self.before
        for bucket in begun.keys() - hopeful:
            self._say(bucket, after, first.epochs, f"no gain beyond chance in {first.epochs} of {stage.epochs} epochs")
        if hopeful and stage.epochs > first.epochs:
            for bucket in hopeful:
                bank.heads[bucket].load_state_dict(begun[bucket])

            def hopeless(epoch: int) -> bool:
                return epoch in LOOKS and not self._hopeful(hopeful, epoch / stage.epochs)

            with self._timed(hopeful):
                history = train_heads(bank.only(hopeful), train, validation, stage, generator, hopeless)
            after = self._errors()
        for bucket in hopeful:
            self._say(bucket, after, len(history.epochs) - 1, None)
        for bucket, start in begun.items():
            if not self.verdicts[bucket].kept:
                bank.heads[bucket].load_state_dict(start)
        history.parts = {b: history.parts.get(b, 0) if self.verdicts[b].kept else 0 for b in bank.columns}
        return history

    @contextmanager
    def _timed(self, buckets: Collection[str]) -> Iterator[None]:
        """Share the time that passes among some buckets."""
        started = time.perf_counter()
        yield
        for bucket in buckets:
            self.seconds[bucket] += (time.perf_counter() - started) / len(buckets)

    def _errors(self) -> tuple[Floats, Floats]:
        """Squared errors of the heads as they are, and what they are judged by: quantile loss where there is any."""
        mean, quantiles = answers(self.parts, self.look, self.base, self.levels)
        square = self.judge.errors(mean)
        if not self.levels:
            return square, square
        loss = self.judge.quantile_errors(quantiles, self.levels)
        return square, np.where(np.isnan(loss), square, loss)

    def _evidence(self, bucket: str, after: tuple[Floats, Floats]) -> Evidence:
        """What a bucket's head gains; a better distribution around worse means is no gain."""
        own = self.parts.buckets == BUCKETS.index(bucket)
        square, found = (self.judge.evidence(*both, own) for both in zip(self.before, after, strict=True))
        return found if square.gain >= 0 else square

    def _hopeful(self, buckets: Collection[str], share: float) -> set[str]:
        after = self._errors() if buckets else self.before
        return {b for b in buckets if self._evidence(b, after).hopeful(share, self.margin)}

    def _say(self, bucket: str, after: tuple[Floats, Floats], epochs: int, against: str | None) -> None:
        """Settle a bucket; ``against``: why it goes, if that is known."""
        evidence = self._evidence(bucket, after)
        kept = against is None and evidence.bound >= self.margin
        why = against or (
            f"gains {evidence.bound:.1%} at least" if kept else f"its gain may be below {self.margin:.1%} by chance"
        )
        self.verdicts[bucket] = Verdict(f"head {bucket}", kept, why, evidence, epochs, self.seconds[bucket])


def _copied(bank: HeadBank, bucket: str) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in bank.heads[bucket].state_dict().items()}
