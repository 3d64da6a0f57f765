"""Trials that are cut short because their validation error falls behind: by the median, or by Optuna's Hyperband."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from foretide.training.watch import Epoch, watching
from foretide.tuning.storage import get_optuna

if TYPE_CHECKING:
    from foretide.tuning.candidates import Candidate
    from foretide.tuning.ledger import Ledger

PRUNERS = ("median", "hyperband")
STARTUP, WARMUP = 5, 3
"""The median waits for so many completed trials, and lets each train so many epochs."""


class PrunedError(Exception):
    """A trial was cut short."""


class Judge(Protocol):
    """What decides, epoch by epoch, whether a trial goes on."""

    rungs: Mapping[str, object]

    def stops(self, epoch: int, value: float) -> bool:
        """Whether a trial ends here, with this validation error."""


class Median:
    """Stops a trial whose best error so far is above the median of the completed trials at this epoch.

    The rule is that of Optuna's ``MedianPruner``.

    Parameters
    ----------
    curves : sequence of mapping
        Errors by epoch of the completed trials.
    """

    rungs: Mapping[str, object] = {}

    def __init__(self, curves: Sequence[Mapping[int, float]]) -> None:
        self.curves = curves
        self._best = math.inf

    def stops(self, epoch: int, value: float) -> bool:
        """Whether a trial ends here, with this validation error."""
        self._best = min(self._best, value)
        others = [curve[epoch] for curve in self.curves if epoch in curve]
        if len(self.curves) < STARTUP or epoch < WARMUP or not others:
            return False
        return self._best > float(np.median(others))


class Hyperband:
    """Optuna's Hyperband, which looks at the class's trials and notes its rungs beside them.

    Parameters
    ----------
    ledger : Ledger
    candidate : Candidate
    trial : int
        Id of the one that is judged.
    epochs : int
        Most of them.
    """

    def __init__(self, ledger: Ledger, candidate: Candidate, trial: int, epochs: int) -> None:
        pruner = get_optuna().pruners.HyperbandPruner(
            min_resource=1, max_resource=max(epochs, 2), reduction_factor=3
        )  # fmt: skip
        self.rungs: Mapping[str, object] = {}
        self._study = ledger.mirror(candidate.label, candidate.space, pruner=pruner, without=trial)
        self._trial = self._study.ask()

    def stops(self, epoch: int, value: float) -> bool:
        """Whether a trial ends here, with this validation error."""
        self._trial.report(value, epoch)
        stops = bool(self._trial.should_prune())
        self.rungs = dict(self._study.get_trials(deepcopy=False)[self._trial.number].system_attrs)
        return stops


def judge_of(name: str | None, ledger: Ledger, candidate: Candidate, trial: int, epochs: int) -> Judge | None:
    """Return what judges a trial; None where nothing does."""
    if name is None or not candidate.prunes:
        return None
    if name == "median":
        return Median(ledger.curves(candidate.label, without=trial))
    return Hyperband(ledger, candidate, trial, epochs)


class Curve:
    """Validation errors of a trial by epoch, and the pruner's notes on it."""

    def __init__(self) -> None:
        self.epochs: dict[int, float] = {}
        self.rungs: Mapping[str, object] = {}

    @contextlib.contextmanager
    def watched(self, judge: Judge | None, *, may_stop: bool) -> Iterator[None]:
        """Note every epoch, and stop the fit where the judge says so; the defaults always come to their end."""
        if judge is None:
            yield
            return

        def look(epoch: Epoch) -> None:
            number, value = epoch["epoch"], epoch["val_loss"]
            if number == 0 or number in self.epochs or not math.isfinite(value):
                return
            self.epochs[number] = value
            stops = judge.stops(number, value)
            self.rungs = judge.rungs
            if stops and may_stop:
                raise PrunedError

        with watching(look):
            yield
