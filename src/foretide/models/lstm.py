"""The LSTM encoder-decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
        known = torch.cat(ahead, dim=2) if ahead else None
        # What the module does after a third of its time went into checks.
        weights: list[Tensor] = [weight for layer in self.decoder.all_weights for weight in layer]
        options = True, self.decoder.num_layers, self.decoder.dropout, self.training, False, True
        features = []
        for step in range(self.shape.h):
            given = previous if known is None else torch.cat([previous, known.select(1, step)], dim=1)
            out, *state = torch.lstm(given[:, None], state, weights, *options)
            features.append(out.select(1, 0))
            forecast = feedback(features[-1], base.select(1, step), scale)
            previous = (forecast - framed.outside.select(1, step)) / scale
        return Hidden(torch.stack(features, dim=1), base, framed.scale)
