"""How a network learns: fused Adam on batches of windows, an average of the weights, the mean validation loss."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from foretide.data.windows import evenly
from foretide.training.config import TrainingConfig
from foretide.training.fused.adam import FusedAdam
from foretide.training.fused.flat import clip_gradients
from foretide.training.loop import Learner, shuffled
from foretide.training.means import joined_mean, observed_in
from foretide.training.store import WindowBatches
from foretide.typing import Floats

MOST_VALIDATION = 4_096
"""Validation windows looked at after each epoch, at most."""
MOST_AT_ONCE = 256
STRETCHES = 10
"""Validation windows make at least so many stretches, whose gains are compared."""
FEWEST_STRETCHES = 5
FIRST_PATIENCE = 3
"""Looks at validation that may see nothing better than the start before training ends."""


class Group(TypedDict):
    """Parameters that the optimizer moves alike."""

    params: list[nn.Parameter]
    lr: float
    weight_decay: float


class NetworkLearner(Learner[Tensor]):
    """Moves a network by fused Adam; what is validated and kept is the running average of its weights.

    A trained network is kept only if its gain over the start on validation windows is larger than the gain's own
    standard error over stretches of them: see :attr:`gained`.

    Parameters
    ----------
    network : nn.Module
    windows : pair of WindowBatches
        For training and for validation; None: no validation.
    config : TrainingConfig
    groups : sequence of dict
    generator : torch.Generator
    """

    def __init__(
        self,
        network: nn.Module,
        windows: tuple[WindowBatches, WindowBatches | None],
        config: TrainingConfig,
        groups: Sequence[Group],
        generator: torch.Generator,
    ) -> None:
        self.network, self.config, self.generator = network, config, generator
        self.windows, self.validation = windows
        self.optimizer = make_optimizer(groups, config)
        self.moved = [parameter for group in groups for parameter in group["params"]]
        self.averaged = copy.deepcopy(network) if config.ema else network
        self.parts = {"network": list(self.averaged.parameters())}
        self.live = list(network.parameters())
        self.losses: list[Floats] = []
        """Validation loss by stretches: of the start, then of the best state so far."""
        self._best = self._start = math.inf
        self.first = [parameter.detach().clone() for parameter in self.parts["network"]]
        self.average = get_ema_multi_avg_fn(config.ema)  # type: ignore[no-untyped-call]

    def batches(self) -> Sequence[Tensor]:
        """Numbers of the windows of each step."""
        self.network.train()
        return shuffled(len(self.windows), self.config.batch_size, self.config.steps_per_epoch, self.generator)

    def step(self, batch: Tensor) -> Tensor:
        """Gradient, clipping, Adam; then the average moves towards the weights (Polyak & Juditsky 1992)."""
        loss = self.gradient(batch)
        if self.config.clip is not None:
            clip_gradients(self.moved, self.config.clip)
        self.optimizer.step()
        if self.config.ema:
            self.average(self.parts["network"], self.live, None)
        return loss

    def gradient(self, batch: Tensor) -> Tensor:
        """Give every parameter its gradient; return the loss without one."""
        loss: Tensor = self.network.loss(*self.windows.batch(batch))  # type: ignore[operator]
        for parameter in self.moved:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def validate(self) -> dict[str, float]:
        """Mean loss of the average."""
        if self.validation is None:
            return {}
        means, counts = self.look(self.validation)
        loss = joined_mean(means, counts)
        own = np.asarray(means) * np.asarray(counts)
        if not self.losses:
            self._start = self._best = loss
            self.losses = [own, own]
        elif loss < self._best:
            self._best, self.losses[1] = loss, own
        return {"network": loss}

    def look(self, validation: WindowBatches) -> tuple[list[float], list[int]]:
        """Mean loss of each stretch of validation windows, and its observed elements, see :func:`stretches`."""
        return stretches(self.averaged, validation)

    def moving(self) -> dict[str, Tensor]:
        """Weights and their average, moments, the generator, and the losses so far."""
        moments = self.optimizer.state_dict()["state"]
        return {
            **{f"live.{name}": value for name, value in self.network.state_dict().items()},
            **{f"average.{name}": value for name, value in self.averaged.state_dict().items()},
            **{f"moment.{k}.{name}": value for k, own in moments.items() for name, value in own.items()},
            **{f"losses.{k}": torch.from_numpy(own) for k, own in enumerate(self.losses)},
            "least": torch.tensor([self._start, self._best], dtype=torch.float64),
            "generator": self.generator.get_state(),
        }

    def take_up(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`moving` gave."""
        self.network.load_state_dict(_under("live.", state))
        self.averaged.load_state_dict(_under("average.", state))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("moment.", state).items():
            place, _, kind = name.partition(".")
            moments.setdefault(int(place), {})[kind] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        losses = _under("losses.", state)
        self.losses = [losses[str(k)].numpy() for k in range(len(losses))]
        self._start, self._best = state["least"].tolist()
        self.generator.set_state(state["generator"])

    @property
    def gained(self) -> bool:
        """Whether the best state beats the start by more than the standard error of its gain over stretches.

        With fewer than :data:`FEWEST_STRETCHES` no error is known, and any gain counts.
        """
        if not self.losses:
            return True
        gain = self.losses[0] - self.losses[1]
        if len(gain) < FEWEST_STRETCHES:
            return bool(gain.sum() > 0)
        return bool(gain.mean() > gain.std(ddof=1) / len(gain) ** 0.5)

    def hopeless(self, epoch: int) -> bool:
        """Whether :data:`FIRST_PATIENCE` looks at validation saw nothing better than the start."""
        patience = self.config.patience
        if patience is None or epoch < min(FIRST_PATIENCE, patience) or self.validation is None:
            return False
        return not self._best < self._start

    @torch.no_grad()
    def back_to_start(self) -> None:
        """Undo what was learned."""
        for parameter, value in zip(self.parts["network"], self.first, strict=True):
            parameter.copy_(value)

    def describe(self, batch: Tensor) -> str:
        """Series and cutoffs."""
        return self.windows.describe(batch)

    @property
    def advice(self) -> tuple[str, str]:
        """Name the settings that keep a loss finite."""
        return "loss", f"Lower lr (now {self.config.lr:g}), set clip=1.0"


def _under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def make_optimizer(groups: Sequence[Group], config: TrainingConfig) -> FusedAdam:
    """Adam, or AdamW for decoupled decay.

    Parameters
    ----------
    groups : sequence of dict
        Parameter groups.
    config : TrainingConfig

    Returns
    -------
    FusedAdam
    """
    return FusedAdam(groups, decoupled=config.weight_decay > 0 and config.decoupled)


@torch.no_grad()
def stretches(
    network: nn.Module, batches: WindowBatches, batch_size: int = MOST_AT_ONCE, turn: tuple[int, int] = (0, 1)
) -> tuple[list[float], list[int]]:  # fmt: skip
    """Mean loss of each stretch of neighbouring windows, and its observed elements, in evaluation mode.

    Parameters
    ----------
    network : nn.Module
        Has ``loss(inputs, labels)``.
    batches : WindowBatches
        At most :data:`MOST_VALIDATION` of them are looked at, evenly spread.
    batch_size : int
        Windows at once, at most.
    turn : pair of int
        ``(k, n)``: every n-th stretch is looked at, from number k on; others are 0.

    Returns
    -------
    means : list of float
    counts : list of int
    """
    network.eval()
    means, counts = [], []
    number = torch.from_numpy(evenly(len(batches), MOST_VALIDATION))
    size = min(batch_size, max(1, -(-len(number) // STRETCHES)))
    for place, chosen in enumerate(torch.split(number, size)):
        if place % turn[1] != turn[0]:
            means.append(0.0)
            counts.append(0)
            continue
        inputs, labels = batches.batch(chosen)
        means.append(float(network.loss(inputs, labels)))  # type: ignore[operator]
        counts.append(observed_in(labels.y, labels.observed))
    return means, counts
