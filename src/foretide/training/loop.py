"""The one training loop: epochs, validation, best states, patience. Networks and both stages of LAVAR go through it."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor

from foretide.errors import TrainingError
from foretide.training.config import Stage, TrainingConfig
from foretide.training.heap import kept_heap
from foretide.training.kept import Best, Far, Keeper
from foretide.training.watch import Epoch, EpochCallback, show_watchers

Batch = TypeVar("Batch")


@dataclass
class History:
    """What happened, epoch by epoch.

    Attributes
    ----------
    epochs : list of dict
        ``epoch``, ``train_loss``, ``val_loss``, ``seconds``; epoch 0 is the state before the first step.
    best_epoch : int
        The epoch whose state was restored; of several parts, the latest.
    parts : dict
        The same of each part that has a best epoch of its own, e.g. of the heads that train side by side.
    """

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    parts: dict[str, int] = field(default_factory=dict)


class Learner(ABC, Generic[Batch]):
    """What the loop trains: it draws batches, moves by one of them, and judges itself on validation windows.

    Attributes
    ----------
    parts : mapping
        Parameters of each part that is left in a best validation state of its own.
    """

    parts: Mapping[str, Sequence[Tensor]]

    @abstractmethod
    def batches(self) -> Sequence[Batch]:
        """Get ready for an epoch of training, and return its batches in an order drawn anew."""

    @abstractmethod
    def step(self, batch: Batch) -> Tensor:
        """Move the parameters by one batch.

        Parameters
        ----------
        batch : Batch
            One of :meth:`batches`.

        Returns
        -------
        Tensor
            Its loss before the step, a scalar without a gradient.
        """

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Return the loss of each part on the validation windows, in evaluation mode; nothing where there are none."""

    @abstractmethod
    def moving(self) -> dict[str, Tensor]:
        """Return all that changes from epoch to epoch: parameters, moments, generators, what it remembers."""

    @abstractmethod
    def take_up(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`moving` gave.

        Parameters
        ----------
        state : mapping
            Name -> tensor, on the CPU.
        """

    @abstractmethod
    def describe(self, batch: Batch) -> str:
        """Name the windows of a batch, for an error message."""

    @property
    @abstractmethod
    def advice(self) -> tuple[str, str]:
        """How an error message calls the loss, and what it says to change."""

    @property
    def kind(self) -> str:
        """What another process must be to go on from where this one came."""
        return type(self).__qualname__

    def weight(self, batch: Batch) -> float:
        """Return what a batch's loss counts in the mean over an epoch."""
        return 1.0


def train(
    learner: Learner[Batch], schedule: TrainingConfig | Stage, *, on_epoch: EpochCallback | None = None,
    stop: Callable[[int], bool] | None = None,
) -> History:  # fmt: skip
    """Train in place, and leave every part in its best validation state; in its last one without validation windows.

    Parameters
    ----------
    learner : Learner
    schedule : TrainingConfig or Stage
        How long: its epochs and patience. A part that has not got better for ``patience`` epochs stays as it was at
        its best; when all have stopped, training ends.
    on_epoch : callable, optional
        Called after each epoch with its row of the history.
    stop : callable, optional
        Called after each epoch with its number, all in evaluation mode: whether training ends there.

    Returns
    -------
    History

    Raises
    ------
    TrainingError
        When a loss is not finite; the message names epoch, batch and windows.
    WorkerDiedError
        When one of the processes that train together is gone; how far they came is kept.
    """
    keeper = Keeper(learner, schedule)
    found = keeper.found()
    diary = _Diary(on_epoch, [] if found is None else found.epochs)
    history, ended = diary.history, found is not None and found.ended
    if found is None:
        losses = learner.validate()
        best = {part: Best(0, loss, _copied(learner, part)) for part, loss in losses.items()}
        diary.note(0, math.nan, losses)
    else:
        best = found.best
    for epoch in range(len(history.epochs), 0 if ended else schedule.epochs + 1):
        with keeper.safely(Far(history.epochs, best)), kept_heap():
            batches = learner.batches()
            train_loss = _mean(learner, epoch, batches, [learner.step(batch) for batch in batches])
            losses = learner.validate()
        diary.note(epoch, train_loss, losses)
        for part, loss in losses.items():
            if loss < best[part].loss:
                best[part] = Best(epoch, loss, _copied(learner, part))
        latest = max((one.epoch for one in best.values()), default=epoch)
        if schedule.patience is not None and epoch - latest >= schedule.patience:
            break
        if stop is not None and stop(epoch):
            break
        keeper.keep(Far(history.epochs, best))
    if not ended:
        keeper.keep(Far(history.epochs, best, ended=True))
    for part, kept in best.items():
        history.parts[part] = kept.epoch
        _put_back(learner, part, kept)
    history.best_epoch = max(history.parts.values(), default=len(history.epochs) - 1)
    return history


class _Diary:
    """Writes the history, and tells whoever watches; of epochs that an earlier process trained first."""

    def __init__(self, on_epoch: EpochCallback | None, passed: Sequence[Epoch]) -> None:
        self.history, self.on_epoch = History(), on_epoch
        self.began = time.perf_counter() - (passed[-1]["seconds"] if passed else 0.0)
        for row in passed:
            self._tell(row)

    def note(self, epoch: int, train_loss: float, losses: dict[str, float]) -> None:
        """Write an epoch down."""
        val_loss = sum(losses.values()) if losses else math.nan
        seconds = time.perf_counter() - self.began
        self._tell(Epoch(epoch=epoch, train_loss=train_loss, val_loss=val_loss, seconds=seconds))

    def _tell(self, row: Epoch) -> None:
        self.history.epochs.append(row)
        if self.on_epoch is not None:
            self.on_epoch(row)
        show_watchers(row)


def _copied(learner: Learner[Batch], part: str) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in learner.parts[part]]


@torch.no_grad()
def _put_back(learner: Learner[Batch], part: str, kept: Best) -> None:
    for parameter, value in zip(learner.parts[part], kept.values, strict=True):
        parameter.copy_(value)


def _mean(learner: Learner[Batch], epoch: int, batches: Sequence[Batch], losses: Sequence[Tensor]) -> float:
    """Mean loss of an epoch. One look at all losses: a look at each would make the device wait at every step."""
    stacked = torch.stack(list(losses))
    bad = torch.nonzero(~torch.isfinite(stacked))
    if len(bad):
        first = int(bad[0])
        what, remedy = learner.advice
        raise TrainingError(
            f"The {what} became {float(stacked[first])} in epoch {epoch}, batch {first + 1} of {len(batches)} "
            f"({learner.describe(batches[first])}). Expected a finite number. {remedy}, or look for extreme values "
            "with: foretide check"
        )
    weights = torch.tensor([learner.weight(batch) for batch in batches], device=stacked.device)
    return float((stacked * weights).sum() / weights.sum())


def shuffled(n: int, size: int, steps: int | None, generator: torch.Generator) -> Sequence[Tensor]:
    """Numbers of the windows of each step, in a new order.

    Parameters
    ----------
    n, size : int
        Windows in all, and of a step.
    steps : int or None
        Most steps; None: all windows.
    generator : torch.Generator

    Returns
    -------
    sequence of int tensors ``[size]``

    Examples
    --------
    >>> import torch
    >>> from foretide.training.loop import shuffled
    >>> [len(part) for part in shuffled(10, 4, None, torch.Generator())]
    [4, 4, 2]
    """
    short = torch.int32 if n < 2**31 else torch.int64  # the same order, in half the memory
    order = torch.randperm(n, generator=generator, dtype=short)
    return torch.split((order if steps is None else order[: steps * size]).long(), size)
