"""The LSTM encoder-decoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from foretide.models.backbone import Backbone
from foretide.models.config import LSTMConfig
from foretide.models.frame import Frame
from foretide.models.inputs import Feedback, Hidden, Inputs, Shape

FEW = 32
"""Windows up to which a forecast's decoder goes cell by cell."""
State = tuple[Any, Any]
"""Output and memory of every layer, ``[layers, B, K]`` each, or a sequence of ``[B, K]``."""


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
        known = torch.cat(ahead, dim=2).unbind(1) if ahead else None
        bases, outsides = base.unbind(1), framed.outside.unbind(1)
        decode = self._decoder(previous)
        features = []
        for step in range(self.shape.h):
            given = previous if known is None else torch.cat([previous, known[step]], dim=1)
            feature, state = decode(given, state)
            features.append(feature)
            forecast = feedback(feature, bases[step], scale)
            previous = (forecast - outsides[step]) / scale
        return Hidden(torch.stack(features, dim=1), base, framed.scale)

    def _decoder(self, first: Tensor) -> Callable[[Tensor, State], tuple[Tensor, State]]:
        """Return one step of the decoder: from its input ``[B, I]`` and state to features ``[B, K]`` and state.

        PyTorch's LSTM without its checks, which take a third of the time. Forecasts of a few windows go through its
        cells, four times as quick there (half as quick with a hundred windows), and equal but for rounding.
        """
        layers = self.decoder.all_weights
        if torch.is_inference_mode_enabled() and not torch.compiler.is_exporting() and first.shape[0] <= FEW:

            def cells(given: Tensor, state: State) -> tuple[Tensor, State]:
                out, outputs, memories = given, [], []
                for weights, *pair in zip(layers, *state, strict=True):
                    out, memory = torch.lstm_cell(out, pair, *weights)
                    outputs.append(out)
                    memories.append(memory)
                return out, (outputs, memories)

            return cells
        flat: list[Tensor] = [weight for layer in layers for weight in layer]
        options = True, self.decoder.num_layers, self.decoder.dropout, self.training, False, True

        def whole(given: Tensor, state: State) -> tuple[Tensor, State]:
            out, output, memory = torch.lstm(given[:, None], state, flat, *options)
            return out.select(1, 0), (output, memory)

        return whole
