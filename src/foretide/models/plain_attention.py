"""The plain recipe's attention encoder-decoder: each step's context is the next step's state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from foretide.models.attending import AttendingBackbone, Look
from foretide.models.config import PlainAttentionConfig
from foretide.models.frame import Frame
from foretide.models.inputs import Hidden, Inputs, Shape


class PlainAttentionBackbone(AttendingBackbone):
    """One set of projections for encoder and decoder; the queries of a step do not know which step it is.

    The encoder is one self-attention whose queries serve as keys too, without residual or norm. The first state of the
    decoder is the mean of the encoded lookback; a step's context is its feature and the next step's state. Keys and
    values of the decoder are made once: they are the same at every step.

    Parameters
    ----------
    frame : Frame
        Without a closed form, level and scale it passes the scaled window on, and forecasts zero.
    shape : Shape
        Known-future and static columns are not read.
    config : PlainAttentionConfig

    Notes
    -----
    ``C d + d + L d + 3 (d^2 + d)`` parameters, for ``C`` channels, lookback ``L`` and width ``d``.
    """

    def __init__(self, frame: Frame, shape: Shape, config: PlainAttentionConfig) -> None:
        d = config.hidden
        super().__init__(frame, shape, d, config.heads)
        self.embed = nn.Linear(shape.channels, d)
        self.position = nn.Parameter(torch.randn(shape.input_size, d) * 0.01)
        self.query, self.key, self.value = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)

    def look(self, inputs: Inputs) -> Look:
        """Encode the lookback and go through the steps; the scores of each follow from the context before."""
        framed = self.frame(inputs)
        tokens = self.embed(framed.tokens) + self.position
        query = self._split(self.query(tokens))
        encoded = self._joined(torch.softmax(self._scores(query, query), dim=-1) @ self._split(self.value(tokens)))
        keys, values = self._split(self.key(encoded)), self._split(self.value(encoded))
        state = encoded.mean(dim=1, keepdim=True)
        states, scores = [], []
        for _ in range(self.shape.h):
            states.append(state)
            scores.append(self._scores(self._split(self.query(state)), keys))
            state = self._joined(torch.softmax(scores[-1], dim=-1) @ values)
        return Look(framed, torch.cat(states, dim=1), values, torch.cat(scores, dim=2))

    def decode(self, seen: Look, weights: Tensor) -> Hidden:
        """Return the contexts of all steps as features; under other weights the states stay those of ``seen``."""
        framed = seen.framed
        context = self._joined(weights @ seen.values)
        return Hidden(context, framed.outside + framed.linear, framed.scale, {"attention": weights})

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """``q k / sqrt(d/M)``, ``[B, M, n, L]``."""
        scores: Tensor = query @ keys.transpose(2, 3) / (self.features // self.heads) ** 0.5
        return scores

    def _joined(self, x: Tensor) -> Tensor:
        """``[B, M, n, d/M]`` -> ``[B, n, d]``."""
        return x.transpose(1, 2).flatten(2)
