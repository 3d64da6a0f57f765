"""The LSTM encoder-decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from foretide.models.backbone import Backbone
from foretide.models.config import LSTMConfig
from foretide.models.frame import Frame, Framed
from foretide.models.inputs import Feedback, Hidden, Inputs, Shape

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
        nothing = framed.tokens.new_zeros(self.encoder.num_layers, framed.tokens.shape[0], self.features)
        _, output, memory = _read(self.encoder, _side_by_side(tokens), (nothing, nothing))
        state = output, memory
        inside = self.frame.corrected(framed, framed.linear)
        base = framed.outside + inside
        # On a GPU, cuDNN would copy weights that are no parameters at each call, and warn of it.
        if feedback.linear is not None and self.decoder.num_layers == 1 and base.is_cpu:
            features = self._at_once(framed, inside / framed.scale, ahead, state, feedback.linear)
        else:
            features = self._step_by_step(framed, base, ahead, state, feedback)
        return Hidden(features, base, framed.scale)

    def _at_once(
        self, framed: Framed, drift: Tensor, ahead: list[Tensor], state: State, linear: tuple[Tensor, Tensor]
    ) -> Tensor:  # fmt: skip
        """Features ``[B, H, K]`` where what is fed back is linear in them: then it is part of the recurrent weights.

        A step reads ``drift + weight features + bias`` of the step before it, and these features are the state that
        it begins at. So ``weight`` joins the recurrent weights, and the first step, whose state is the encoder's,
        reads so much less. ``drift`` ``[B, H, D]`` is the base inside the frame, in units of the scale.
        """
        weight, bias = linear
        read, own, *biases = self.decoder.all_weights[0]
        first = self._first(framed) - state[0].squeeze(0) @ weight.T
        given = [torch.cat([first[:, None], drift[:, :-1] + bias], dim=1), *ahead]
        recurrent = torch.addmm(own, read[:, : self.shape.targets], weight)
        return _read(self.decoder, _side_by_side(given), state, [read, recurrent, *biases])[0]

    def _step_by_step(
        self, framed: Framed, base: Tensor, ahead: list[Tensor], state: State, feedback: Feedback
    ) -> Tensor:  # fmt: skip
        """Features ``[B, H, K]``, each step fed with the value of the step before it."""
        known = torch.cat(ahead, dim=2).unbind(1) if ahead else None
        bases, outsides, scale = base.unbind(1), framed.outside.unbind(1), framed.scale[:, 0]
        previous, decode, features = self._first(framed), self._decoder(), []
        for step in range(self.shape.h):
            given = previous if known is None else torch.cat([previous, known[step]], dim=1)
            feature, state = decode(given, state)
            features.append(feature)
            if step + 1 < self.shape.h:
                previous = (feedback.value(feature, bases[step], scale) - outsides[step]) / scale
        return torch.stack(features, dim=1)

    def _first(self, framed: Framed) -> Tensor:
        """What the decoder's first step reads: the last observed targets, ``[B, D]``."""
        return framed.tokens[:, -1, : self.shape.targets]

    def _decoder(self) -> Callable[[Tensor, State], tuple[Tensor, State]]:
        """Return one step of the decoder: from its input ``[B, I]`` and state to features ``[B, K]`` and state.

        Cell by cell on a CPU, which takes two thirds of the time of a step of PyTorch's whole LSTM, and as the latter
        elsewhere and in exported files, where it is one node; equal but for rounding.
        """
        layers, dropout = self.decoder.all_weights, self.decoder.dropout

        def cells(given: Tensor, state: State) -> tuple[Tensor, State]:
            out = given
            outputs: list[Tensor] = []
            memories: list[Tensor] = []
            for weights, *pair in zip(layers, *state, strict=True):
                if outputs and dropout:
                    out = F.dropout(out, dropout, self.training)
                out, memory = torch.lstm_cell(out, pair, *weights)
                outputs.append(out)
                memories.append(memory)
            return out, (outputs, memories)

        def whole(given: Tensor, state: State) -> tuple[Tensor, State]:
            out, output, memory = _read(self.decoder, given[:, None], state)
            return out.select(1, 0), (output, memory)

        return cells if layers[0][0].is_cpu and not torch.compiler.is_exporting() else whole


def _read(
    lstm: nn.LSTM, given: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Output ``[B, T, K]`` and state of an LSTM, with its own weights or others.

    Without the module's own call, which looks at all it is given: that is as much work as three steps of the LSTM.
    """
    if weights is None:
        weights = [weight for layer in lstm.all_weights for weight in layer]
    return torch.lstm(
        given, tuple(state), tuple(weights), True, lstm.num_layers, lstm.dropout, lstm.training, False, True
    )


def _side_by_side(columns: list[Tensor]) -> Tensor:
    """Columns ``[B, T, ·]`` as one tensor; one alone is not copied."""
    return columns[0] if len(columns) == 1 else torch.cat(columns, dim=2)
