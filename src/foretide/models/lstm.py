"""The LSTM encoder-decoder."""

from __future__ import annotations

import torch
from torch import nn

from foretide.models.backbone import Backbone
from foretide.models.config import LSTMConfig
from foretide.models.frame import Frame
from foretide.models.inputs import Feedback, Hidden, Inputs, Shape


class LSTMBackbone(Backbone):
    """An encoder reads the lookback, its final state starts a decoder that feeds back its own forecasts.

    Everything happens inside the frame: the encoder reads the window less season and level, the decoder's first
    input is the last observed target there, and its features correct the frame's linear map.

    Parameters
    ----------
    frame : Frame
    shape : Shape
    config : LSTMConfig
    """

    def __init__(self, frame: Frame, shape: Shape, config: LSTMConfig) -> None:
        super().__init__(frame, shape, config.hidden)
        dropout = config.dropout if config.layers > 1 else 0.0
        options = {"num_layers": config.layers, "dropout": dropout, "batch_first": True}
        self.encoder = nn.LSTM(shape.channels + shape.known + shape.static, config.hidden, **options)
        self.decoder = nn.LSTM(shape.targets + shape.known + shape.static, config.hidden, **options)

    def forward(self, inputs: Inputs, feedback: Feedback) -> Hidden:
        """Return features ``[B, H, K]`` and the base forecast ``[B, H, D]``.

        ``feedback`` says what the decoder reads after each step, so that no distribution is known here.
        """
        framed = self.frame(inputs)
        tokens = [framed.tokens]
        ahead = [] if inputs.known is None else [inputs.known]
        if inputs.known_past is not None:
            tokens.append(inputs.known_past)
        if inputs.static is not None:
            tokens.append(inputs.static[:, None].expand(-1, self.shape.input_size, -1))
            ahead.append(inputs.static[:, None].expand(-1, self.shape.h, -1))
        _, state = self.encoder(torch.cat(tokens, dim=2))
        base = framed.outside + self.frame.corrected(framed, framed.linear)
        scale = framed.scale[:, 0]
        previous = framed.tokens[:, -1, : self.shape.targets]
        features = []
        for step in range(self.shape.h):
            given = torch.cat([previous, *(a[:, step] for a in ahead)], dim=1)
            out, state = self.decoder(given[:, None], state)
            features.append(out[:, 0])
            previous = (feedback(out[:, 0], base[:, step], scale) - framed.outside[:, step]) / scale
        return Hidden(torch.stack(features, dim=1), base, framed.scale)
