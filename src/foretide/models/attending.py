"""What backbones promise whose weights over the lookback can be looked at."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from foretide.models.backbone import Backbone
from foretide.models.frame import Frame, Framed
from foretide.models.inputs import Feedback, Hidden, Inputs, Shape


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """What the decoder knows before it weighs the lags.

    Attributes
    ----------
    framed : Framed
    state : float tensor ``[B, H, d]``
        Of each horizon step, before it reads anything.
    values : float tensor ``[B, M, P, d/M]``
        Per patch of the lookback.
    scores : float tensor ``[B, M, H, L]``
        Whose softmax over the last axis is the attention; minus infinity takes a lag out.
    """

    framed: Framed
    state: Tensor
    values: Tensor
    scores: Tensor


class AttendingBackbone(Backbone):
    """A decoder that weighs the lags of the lookback, in two halves: scores, and a forecast by the weights.

    Parameters
    ----------
    frame : Frame
    shape : Shape
    hidden, heads : int
        Width ``d`` and heads ``M``.
    """

    def __init__(self, frame: Frame, shape: Shape, hidden: int, heads: int) -> None:
        super().__init__(frame, shape, hidden)
        self.heads = heads

    @property
    def attention_shape(self) -> tuple[int, int, int]:
        """Sizes of a window's weights: ``M, H, L``."""
        return self.heads, self.shape.h, self.shape.input_size

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next(self.parameters()).device

    def forward(self, inputs: Inputs, feedback: Feedback) -> Hidden:
        """Return features ``[B, H, d]``, the base forecast, and the trace ``attention`` ``[B, M, H, L]``."""
        seen = self.look(inputs)
        return self.decode(seen, torch.softmax(seen.scores, dim=-1))

    @abstractmethod
    def look(self, inputs: Inputs) -> Look:
        """Do what comes before the decoder's softmax, for those who read or change weights.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        Look
        """

    @abstractmethod
    def decode(self, seen: Look, weights: Tensor) -> Hidden:
        """Forecast by weights: ``softmax(seen.scores)``, or others.

        Parameters
        ----------
        seen : Look
        weights : float tensor ``[B, M, H, L]``

        Returns
        -------
        Hidden
        """

    def _split(self, x: Tensor) -> Tensor:
        """``[B, n, d]`` -> ``[B, M, n, d/M]``."""
        b, n, d = x.shape
        return x.view(b, n, self.heads, d // self.heads).transpose(1, 2)
