"""A network is a backbone and a head; its objective masks and reduces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from foretide.heads.base import Distribution, Head, SeriesInfo, for_entities
from foretide.models.backbone import Backbone
from foretide.models.inputs import Feedback, Hidden, Inputs, Labels
from foretide.models.start import LARGEST
from foretide.training.learner import Group
from foretide.training.means import reduce
from foretide.typing import Array, Bools, Reals

START_PARAMETERS = ("frame.", "bias", "gain")


class Network(nn.Module):
    """A backbone and a head.

    Parameters
    ----------
    backbone : Backbone
    head : Head
    unit : Tensor ``[N, D]``, optional
        Original units in one of the network's units, of each fitted entity and target; for heads that need to know.
    """

    unit: Tensor | None

    def __init__(self, backbone: Backbone, head: Head, unit: Tensor | None = None) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head
        if head.needs_series and unit is None:
            raise ValueError(f"{type(head).__name__} has parameters of each series, so a network needs their units.")
        # Only what the head needs is kept, so that a network of points is what it always was.
        self.register_buffer("unit", unit if head.needs_series else None)

    def forward(self, inputs: Inputs) -> tuple[Distribution, dict[str, Tensor]]:
        """Return the distribution of a batch and its traces."""
        distribution, hidden = self._distribution(inputs)
        return distribution, hidden.traces

    def loss(self, inputs: Inputs, labels: Labels) -> Tensor:
        """Mean loss over the observed elements of a batch, a scalar."""
        distribution, hidden = self._distribution(inputs)
        elements = distribution.loss(labels.y)
        if (weight := bounded_weight(hidden.base, labels)) is not None:
            elements = elements * self.head.weigh(weight)
        return reduce(elements, labels.observed)

    def for_new(self, unit: Reals, of: Bools | None = None) -> Network:
        """Return a copy for entities that were not fitted: what belongs to single entities is the mean of it.

        ``unit`` ``[N', D]``: original units in one of the network's units, of each new entity and target. ``of``
        ``[N]``: the fitted entities that the mean is taken of; all by default.
        """
        new = for_entities(self, len(unit), of)
        assert isinstance(new, Network)
        if new.unit is not None:
            new.unit = torch.as_tensor(unit, dtype=new.unit.dtype, device=new.unit.device)
        return new

    def base(self, inputs: Inputs) -> Tensor:
        """Forecast ``[B, H, D]`` that the head's correction is added to."""
        return self._distribution(inputs)[1].base

    def points(self) -> Network | None:
        """Network of points that shares backbone and linear map; None where the head has no such, see its own."""
        head = self.head.points()
        return None if head is None else Network(self.backbone, head, self.unit)

    def _distribution(self, inputs: Inputs) -> tuple[Distribution, Hidden]:
        series = None
        if self.unit is not None:
            unit = self.unit[inputs.entity]
            # Targets are scaled and not centred where this matters: zero is zero.
            awake = (inputs.past[..., : unit.shape[1]] != 0).any(dim=1) if self.head.counts else None
            if awake is not None and inputs.base is not None:
                awake = awake | (inputs.base > 0).any(dim=1)
            series = SeriesInfo(inputs.entity, unit, awake=awake)

        def own_prediction(features: Tensor, base: Tensor, scale: Tensor) -> Tensor:
            """What an autoregressive decoder reads after a step: the network's own point forecast, ``[B, D]``."""
            return self.head.mean(features, base, scale, series)

        hidden: Hidden = self.backbone(inputs, Feedback(own_prediction, self.head.linear_mean()))
        return self.head(hidden.features, hidden.base, hidden.scale, series), hidden

    def groups(self, lr: float, start_lr: float, weight_decay: float) -> list[Group]:
        """Parameter groups: what begins at the closed-form start learns at its own rate and does not decay."""
        start = [p for n, p in self._named() if n.startswith(START_PARAMETERS) and p.numel() and p.requires_grad]
        rest = [p for n, p in self._named() if not n.startswith(START_PARAMETERS)]
        groups = [Group(params=rest, lr=lr, weight_decay=weight_decay)]
        if start and start_lr > 0:
            groups.append(Group(params=start, lr=start_lr, weight_decay=0.0))
        return groups

    def take_over(self, arrays: Mapping[str, Array]) -> int:
        """Begin at the weights of an earlier network; return how many parameters were taken.

        What comes from the closed-form start is left as it was found on the present data, and so is every parameter
        whose shape has changed (that of a head for other entities, say).
        """
        taken = 0
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                former = arrays.get(name)
                of_start = name.removeprefix("backbone.").startswith(START_PARAMETERS)
                if former is None or of_start or former.shape != tuple(parameter.shape):
                    continue
                parameter.copy_(torch.from_numpy(np.array(former)))
                taken += 1
        return taken

    def _named(self) -> Iterator[tuple[str, nn.Parameter]]:
        for name, parameter in self.named_parameters():
            yield name.removeprefix("backbone."), parameter


def bounded_weight(base: Tensor, labels: Labels) -> Tensor | None:
    """Weight of each window and target, ``[B, 1, D]``: less than one where the base errs by more than :data:`LARGEST`.

    None where it does so nowhere, which is looked at on a CPU only: another device would have to wait for the answer.

    Bounds what one window adds to the loss, as :func:`foretide.models.start.tamed` does for the closed-form start: a
    series that wakes after a silent training part would otherwise be all that is learned.
    """
    error = labels.y - base.detach()
    if labels.observed is not None:
        error = error * labels.observed
    if error.is_cpu and not torch.compiler.is_compiling() and float(error.abs().max()) <= LARGEST:
        return None
    size = error.square().mean(dim=1, keepdim=True).sqrt()
    return (LARGEST / size.clamp(min=LARGEST)).square()
