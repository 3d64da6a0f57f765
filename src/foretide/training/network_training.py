"""How a network is trained, by one process or by several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from foretide.training.config import TrainingConfig
from foretide.training.followers import Followers
from foretide.training.joined import JoinedLearner, joined_learner
from foretide.training.learner import MOST_AT_ONCE, Group, NetworkLearner, stretches
from foretide.training.loop import History, train
from foretide.training.means import joined_mean
from foretide.training.store import WindowBatches
from foretide.training.watch import EpochCallback


def train_network(
    network: nn.Module,
    train_batches: WindowBatches,
    val_batches: WindowBatches | None,
    config: TrainingConfig,
    *,
    groups: Sequence[Group] = (),
    generator: torch.Generator,
    on_epoch: EpochCallback | None = None,
    followers: Followers | None = None,
) -> History:
    """Train in place and leave the network in its best validation state, see :func:`foretide.training.loop.train`.

    Parameters
    ----------
    network : nn.Module
        Has ``loss(inputs, labels)``.
    train_batches, val_batches : WindowBatches
        Without validation windows the last state is kept.
    config : TrainingConfig
    groups : sequence of dict
        Parameter groups of the optimizer; all parameters at ``config.lr`` by default.
    generator : torch.Generator
        Orders the windows; a CPU generator on every device.
    on_epoch : callable, optional
        Called after each epoch with its row of the history.
    followers : Followers, optional
        Processes of this machine that take part, see :func:`foretide.training.joined.others`.

    Returns
    -------
    History

    Raises
    ------
    TrainingError
        When a loss is not finite; the message names epoch, batch and series.
    """
    every = Group(params=list(network.parameters()), lr=config.lr, weight_decay=config.weight_decay)
    windows = (train_batches, val_batches)
    with joined_learner(network, windows, config, groups or [every], generator, followers) as learner:
        # How far it came is kept under a name that others go on from, however many they are.
        history = _trained(learner, replace(config, devices=1), on_epoch)
    network.load_state_dict(learner.averaged.state_dict())
    network.eval()
    return history


def _trained(learner: NetworkLearner, config: TrainingConfig, on_epoch: EpochCallback | None) -> History:
    """Train, or take what the process that is followed has trained; keep the start where nothing was gained."""
    if isinstance(learner, JoinedLearner) and not learner.leads and (history := learner.follow()) is not None:
        return history
    history = train(learner, config, on_epoch=on_epoch, stop=learner.hopeless)
    if history.best_epoch and not learner.gained:
        learner.back_to_start()
        history.best_epoch = history.parts["network"] = 0
    return learner.ended(history) if isinstance(learner, JoinedLearner) else history


def evaluate(network: nn.Module, batches: WindowBatches, batch_size: int = MOST_AT_ONCE) -> float:
    """Mean loss over observed elements of ``batches``, in evaluation mode, see :func:`stretches`.

    Parameters
    ----------
    network : nn.Module
        Has ``loss(inputs, labels)``.
    batches : WindowBatches
    batch_size : int

    Returns
    -------
    float
    """
    return joined_mean(*stretches(network, batches, batch_size))
