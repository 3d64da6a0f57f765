"""How the correction of each step is found: trained on the start's errors, kept if validation asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from foretide.models.correction import StepCorrection
from foretide.models.frame import Frame
from foretide.models.inputs import Inputs, Labels, Shape
from foretide.models.start import Start
from foretide.seeding import seeded_init, torch_generator
from foretide.training.config import TrainingConfig
from foretide.training.learner import Group
from foretide.training.means import reduce
from foretide.training.network import bounded_weight
from foretide.training.network_training import train_network
from foretide.training.store import WindowBatches
from foretide.training.watch import nobody_watching

MOST_EPOCHS, MOST_STEPS = 20, 1_000
"""Steps of an epoch that are enough where a network goes through every one of many windows."""
LR, WEIGHT_DECAY = 2e-3, 0.01
MEASURED = 1_000
"""Training windows that bounds and units of the inputs are taken from."""
MOST_ROWS = 20_000
"""Steps and targets of one batch, at most, where a batch of fewer windows can do that."""
MOST_VALUES = 200_000
"""Steps and targets that bounds and units are taken from, at most."""
FEWEST_WINDOWS, FEWEST_STEPS = 8, 50
"""Of a batch, and of an epoch."""


class CorrectedFrame(nn.Module):
    """A frame and the correction that learns inside it, as what :func:`train_network` trains."""

    def __init__(self, frame: Frame, correction: StepCorrection) -> None:
        super().__init__()
        self.frame, self.correction = frame, correction

    def loss(self, inputs: Inputs, labels: Labels) -> Tensor:
        """Mean squared error over the observed elements of a batch: of each member in training, of their mean else."""
        with torch.no_grad():
            framed = self.frame(inputs)
            base = framed.outside + framed.linear
        if self.training:
            forecast = base + self.correction.each(framed, framed.linear)
        else:
            forecast = (base + self.correction(framed, framed.linear))[None]
        errors = (forecast - labels.y).square().mean(dim=0)
        weight = bounded_weight(base, labels)
        return reduce(errors if weight is None else errors * weight, labels.observed)


def find_correction(
    start: Start, shape: Shape, windows: tuple[WindowBatches, WindowBatches], seasons: Sequence[float],
    config: TrainingConfig, seed: int,
) -> StepCorrection | None:  # fmt: skip
    """Train a correction of the start's forecast by step.

    Parameters
    ----------
    start : Start
    shape : Shape
    windows : pair of WindowBatches
        For training and for validation.
    seasons : sequence of float
        Periods in steps.
    config : TrainingConfig
    seed : int

    Returns
    -------
    StepCorrection or None
        None where validation does not ask for one beyond chance, or there is nothing to judge by.
    """
    train, validation = windows
    if not config.epochs or not len(validation) or not len(train):
        return None
    device, rows = train.store.device, shape.h * shape.targets
    size = max(min(config.batch_size, MOST_ROWS // rows, len(train) // FEWEST_STEPS), FEWEST_WINDOWS)
    many = config.steps_per_epoch is None and len(train) > MOST_STEPS * size
    own = replace(
        config, epochs=min(config.epochs, MOST_EPOCHS), lr=LR, weight_decay=WEIGHT_DECAY, batch_size=size, devices=1,
        steps_per_epoch=MOST_STEPS if many else config.steps_per_epoch,
    )  # fmt: skip
    with seeded_init(seed), nobody_watching():
        frame = Frame(start, shape).to(device).requires_grad_(False)
        network = CorrectedFrame(frame, StepCorrection(shape, _lags(seasons, shape.input_size))).to(device)
        for some in windows:
            some.take_effect(frame)
        framed = frame(train.spread(max(1, min(MEASURED, MOST_VALUES // rows)))[0])
        network.correction.measure(framed, framed.linear)
        groups = [Group(params=list(network.correction.parameters()), lr=LR, weight_decay=WEIGHT_DECAY)]
        history = train_network(network, train, validation, own, groups=groups, generator=torch_generator(seed))
    return network.correction.requires_grad_(False) if history.best_epoch else None


def _lags(seasons: Sequence[float], input_size: int) -> tuple[int, ...]:
    """Whole cycles that fit into the lookback."""
    return tuple(sorted({round(season) for season in seasons if 1.5 < season <= input_size}))
