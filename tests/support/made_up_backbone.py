"""The backbone of the network in ``made_up.py``, apart from it because it imports torch."""

from __future__ import annotations

import torch

from foretide.models.backbone import Backbone
from foretide.models.frame import Frame
from foretide.models.inputs import Feedback, Hidden, Inputs, Shape


class PooledBackbone(Backbone):
    def __init__(self, frame: Frame, shape: Shape, width: int) -> None:
        super().__init__(frame, shape, width)
        self.steps = torch.nn.Linear(shape.channels, shape.h * width)

    def forward(self, inputs: Inputs, feedback: Feedback) -> Hidden:
        framed = self.frame(inputs)
        features = torch.tanh(self.steps(framed.tokens.mean(dim=1))).reshape(-1, self.shape.h, self.features)
        return Hidden(features, framed.outside + framed.linear, framed.scale)
