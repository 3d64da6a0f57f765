"""One stage of LAVAR in the training loop: all that learns is one tensor, moved by Adam."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from foretide.training.config import Stage
from foretide.training.fused.flat import Flat, FlatAdam
from foretide.training.loop import Batch, Learner


class StageLearner(Learner[Batch]):
    """Moves parameters that are views of one tensor.

    Parameters
    ----------
    flat : Flat
        What learns.
    stage : Stage
    generator : torch.Generator
        Orders the batches.
    """

    def __init__(self, flat: Flat, stage: Stage, generator: torch.Generator) -> None:
        self.flat, self.stage, self.generator = flat, stage, generator
        self.optimizer = FlatAdam(flat, stage.lr, stage.weight_decay)

    def moving(self) -> dict[str, Tensor]:
        """Parameters, moments, the generator."""
        adam = self.optimizer
        return {
            "whole": self.flat.whole, "mean": adam.mean, "square": adam.square, "steps": torch.tensor(adam.steps),
            "generator": self.generator.get_state(),
        }  # fmt: skip

    @torch.no_grad()
    def take_up(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`moving` gave."""
        adam = self.optimizer
        for tensor, name in ((self.flat.whole, "whole"), (adam.mean, "mean"), (adam.square, "square")):
            tensor.copy_(state[name])
        adam.steps = int(state["steps"])
        self.generator.set_state(state["generator"])

    @abstractmethod
    def gradient(self, batch: Batch) -> Tensor:
        """Fill ``flat.gradient``; return the loss without a gradient."""

    def step(self, batch: Batch) -> Tensor:
        """Gradient, clipping, Adam."""
        loss = self.gradient(batch)
        if self.stage.clip is not None:
            self.flat.clip(self.stage.clip)
        self.optimizer.step()
        return loss
