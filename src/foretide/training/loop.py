"""The one training loop: plain PyTorch on one device."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from foretide.errors import TrainingError
from foretide.models.inputs import Inputs, Labels
from foretide.training.config import TrainingConfig
from foretide.training.watch import show_watchers

EpochCallback = Callable[[dict[str, Any]], None]


class Batches(Protocol):
    """Windows that can be gathered by number."""

    def __len__(self) -> int:
        """Number of windows."""
        ...

    def batch(self, chosen: Tensor) -> tuple[Inputs, Labels]:
        """Gather the windows numbered ``chosen`` ``[B]``."""
        ...

    def describe(self, chosen: Tensor) -> str:
        """Name the series and cutoffs of some windows, for an error message."""
        ...


@dataclass
class History:
    """What happened, epoch by epoch.

    Attributes
    ----------
    epochs : list of dict
        ``epoch``, ``train_loss``, ``val_loss``, ``seconds``; epoch 0 is the state before the first step.
    best_epoch : int
        The epoch whose state was restored.
    parts : dict
        The same of each part that has a best epoch of its own, e.g. of the heads that train side by side.
    """

    epochs: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    parts: dict[str, int] = field(default_factory=dict)

    def add(
        self, on_epoch: EpochCallback | None, epoch: int, train_loss: float, val_loss: float, started: float
    ) -> None:
        """Append an epoch's row, and show it to ``on_epoch`` and to whoever watches.

        ``started`` is in seconds of ``time.perf_counter``.
        """
        row = {
            "epoch": epoch, "train_loss": train_loss, "val_loss": val_loss, "seconds": time.perf_counter() - started,
        }  # fmt: skip
        self.epochs.append(row)
        if on_epoch is not None:
            on_epoch(row)
        show_watchers(row)


def train(
    network: nn.Module,
    train_batches: Batches,
    val_batches: Batches | None,
    config: TrainingConfig,
    *,
    groups: list[dict[str, Any]] | None = None,
    generator: torch.Generator,
    on_epoch: EpochCallback | None = None,
) -> History:
    """Train in place and leave the network in its best validation state.

    Parameters
    ----------
    network : nn.Module
        Has ``loss(inputs, labels)``.
    train_batches, val_batches : Batches
        Without validation windows the last state is kept.
    groups : list of dict, optional
        Parameter groups of the optimizer; all parameters at ``config.lr`` by default.
    generator : torch.Generator
        Orders the windows; a CPU generator on every device.
    on_epoch : callable, optional
        Called after each epoch with its row of the history.

    Raises
    ------
    TrainingError
        When a loss is not finite; the message names epoch, batch and series.
    """
    groups = groups or [{"params": list(network.parameters()), "lr": config.lr, "weight_decay": config.weight_decay}]
    optimizer = make_optimizer(groups, config)
    parameters = [p for group in groups for p in group["params"]]
    averaged = copy.deepcopy(network) if config.ema else network
    history, best, since_best = History(), _copy(network), 0
    started = time.perf_counter()
    best_loss = evaluate(network, val_batches) if val_batches is not None else float("inf")
    history.add(on_epoch, 0, float("nan"), best_loss, started)
    for epoch in range(1, config.epochs + 1):
        network.train()
        average = _average(averaged, network, config.ema) if config.ema else None
        train_loss = _one_epoch(network, train_batches, config, optimizer, parameters, generator, epoch, average)
        val_loss = evaluate(averaged, val_batches) if val_batches is not None else float("nan")
        history.add(on_epoch, epoch, train_loss, val_loss, started)
        if val_batches is None or val_loss < best_loss:
            best_loss, best, since_best, history.best_epoch = val_loss, _copy(averaged), 0, epoch
        else:
            since_best += 1
            if since_best >= config.patience:
                break
    network.load_state_dict(best)
    network.eval()
    return history


class Rates(Protocol):
    """Settings an optimizer is made from."""

    @property
    def lr(self) -> float:
        """Learning rate of groups that name none."""
        ...

    @property
    def weight_decay(self) -> float:
        """Above 0: AdamW."""
        ...


def make_optimizer(groups: list[dict[str, Any]], config: Rates) -> torch.optim.Optimizer:
    """Adam (Kingma & Ba 2015), or AdamW with weight decay (Loshchilov & Hutter 2019), in PyTorch's fused form."""
    kind = torch.optim.AdamW if config.weight_decay > 0 else torch.optim.Adam
    return kind(groups, lr=config.lr, fused=True)


@torch.no_grad()
def evaluate(network: nn.Module, batches: Batches, batch_size: int = 128) -> float:
    """Mean loss over all observed elements of ``batches``, in evaluation mode."""
    network.eval()
    total, count = 0.0, 0
    for chosen in torch.split(torch.arange(len(batches)), batch_size):
        inputs, labels = batches.batch(chosen)
        observed = labels.y.numel() if labels.observed is None else int(labels.observed.sum())
        total += float(network.loss(inputs, labels)) * observed  # type: ignore[operator]
        count += observed
    return total / max(count, 1)


def _one_epoch(
    network: nn.Module,
    batches: Batches,
    config: TrainingConfig,
    optimizer: torch.optim.Optimizer,
    parameters: list[Tensor],
    generator: torch.Generator,
    epoch: int,
    average: Callable[[], None] | None,
) -> float:
    order = list(_order(len(batches), config, generator))
    losses: list[Tensor] = []
    for chosen in order:
        inputs, labels = batches.batch(chosen)
        loss = network.loss(inputs, labels)  # type: ignore[operator]
        for parameter in parameters:
            parameter.grad = None
        loss.backward()
        if config.clip is not None:
            clip_gradients(parameters, config.clip)
        optimizer.step()
        if average is not None:
            average()
        losses.append(loss.detach())
    # One look at all losses per epoch: a look at each would make the device wait at every step.
    stacked = torch.stack(losses)
    bad = torch.nonzero(~torch.isfinite(stacked))
    if len(bad):
        first = int(bad[0])
        raise TrainingError(
            f"The loss became {float(stacked[first])} in epoch {epoch}, batch {first + 1} of {len(order)} "
            f"({batches.describe(order[first])}). Expected a finite number. "
            f"Lower lr (now {config.lr:g}), set clip=1.0, or look for extreme values with: foretide check"
        )
    return float(stacked.mean())


def clip_gradients(parameters: Sequence[Tensor], most: float) -> None:
    """Scale all gradients so that their joint norm is at most ``most``.

    The same as ``torch.nn.utils.clip_grad_norm_`` (a test holds that) in half its time: all gradients of a network
    share device and dtype, so nothing has to be grouped. On a small network that is a tenth of a step.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    if norm.device.type == "cpu":  # on a GPU the look would cost more than it saves
        if (length := float(norm)) > most:
            torch._foreach_mul_(gradients, most / (length + 1e-6))
        return
    torch._foreach_mul_(gradients, (most / (norm + 1e-6)).clamp(max=1.0))


def _order(n: int, config: TrainingConfig, generator: torch.Generator) -> Iterator[Tensor]:
    """Numbers of the windows of each step, shuffled."""
    order = torch.randperm(n, generator=generator)
    if config.steps_per_epoch is not None:
        order = order[: config.steps_per_epoch * config.batch_size]
    return iter(torch.split(order, config.batch_size))


def _average(averaged: nn.Module, network: nn.Module, decay: float) -> Callable[[], None]:
    """Return a call that moves the averaged weights towards the live ones (Polyak & Juditsky 1992)."""
    update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    mean, live = list(averaged.parameters()), list(network.parameters())

    def move() -> None:
        update(mean, live, None)

    return move


def _copy(network: nn.Module) -> dict[str, Tensor]:
    """Copy the state: ``state_dict`` hands out the live tensors, which the next step would overwrite."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
