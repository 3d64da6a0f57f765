"""Heads that look something up: scores from a step and its neighbours, and a copy that takes the start's place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from foretide.models.frame import SMALLEST_SCALE, Framed
from foretide.models.inputs import Inputs, Shape

REACH = 4
"""A key sees so many steps on either side of its own."""


@dataclass(frozen=True, eq=False, slots=True)
class Clue:
    """What a head begins by looking for.

    Attributes
    ----------
    column : int
        Of what the head reads: targets, past columns, known-future columns.
    slope, threshold : float
        The mark is ``tanh(slope x (value - threshold))``; a slope below zero looks for low values.
    strength : float
        Score of a mark of one.
    offset : int
        How many steps after the mark the copy stands.
    by_lag : float tensor ``[L]``
        Score of each lag, oldest first.
    source : int or None
        Channel that is copied into the only target; None: each target's own.
    """

    column: int
    slope: float
    threshold: float
    strength: float
    offset: int
    by_lag: Tensor
    source: int | None = None


class LookUp(nn.Module):
    """Scores and copies of heads that begin free of the closed form.

    Their scores are ``(query + probe) . tanh(conv(seen)) + lag``: a step's key is made of the ``2 * REACH + 1`` steps
    around it, so that "the value beside the marker" can be asked for, and bounded, so that of two marks the newer one
    can win, not the larger one. What is copied moves the forecast by ``gate x (copy - start)``, with a gate from the
    state of the horizon step; the gate begins at zero, and so the forecast at the start.

    Parameters
    ----------
    shape : Shape
    hidden, heads : int
        Width ``d`` of the states, and heads of this kind.
    width : int
        Of a key.
    """

    def __init__(self, shape: Shape, hidden: int, heads: int, width: int) -> None:
        super().__init__()
        self.shape, self.heads = shape, heads
        self.key = nn.Conv1d(shape.channels + shape.known, heads * width, 2 * REACH + 1, padding=REACH)
        self.probe = nn.Parameter(torch.randn(heads, shape.h, width) * 0.1)
        self.lag = nn.Parameter(torch.zeros(heads, shape.input_size))
        self.mix = nn.Parameter(torch.eye(shape.channels, shape.targets).repeat(heads, 1, 1))
        self.gate = nn.Linear(hidden, heads)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def seen(self, framed: Framed, inputs: Inputs) -> Tensor:
        """What keys are made of, ``[B, C + G, L]``: targets by their window's mean and spread, the rest as it is."""
        own = framed.window[:, : self.shape.targets]
        spread, mean = torch.var_mean(own, dim=2, keepdim=True, correction=0)
        parts = [(own - mean) / (spread + SMALLEST_SCALE**2).sqrt(), inputs.past[..., self.shape.targets :].mT]
        if inputs.known_past is not None:
            parts.append(inputs.known_past.mT)
        return torch.cat(parts, dim=1)

    def scores(self, query: Tensor, seen: Tensor) -> Tensor:
        """Scores ``[B, heads, H, L]`` of all steps, for queries ``[B, heads, H, width]``."""
        keys = self.key(seen).tanh().unflatten(1, (self.heads, -1))
        scores: Tensor = (query + self.probe) @ keys + self.lag[:, None]
        return scores

    def change(self, state: Tensor, weights: Tensor, window: Tensor, linear: Tensor) -> Tensor:
        """Return what the copies change of a forecast inside the frame, ``[B, H, D]``.

        Parameters
        ----------
        state : float tensor ``[B, H, d]``
        weights : float tensor ``[B, heads, H, L]``
        window : float tensor ``[B, C, L]``
        linear : float tensor ``[B, H, D]``
            The forecast so far.
        """
        copied = (weights @ window.transpose(1, 2)[:, None]) @ self.mix
        gate = self.gate(state).transpose(1, 2)[..., None]
        return (gate * (copied - linear[:, None])).sum(dim=1)

    @torch.no_grad()
    def follow(self, head: int, clue: Clue) -> None:
        """Point a head at what was found.

        Parameters
        ----------
        head : int
        clue : Clue
        """
        first = head * self.probe.shape[2]
        self.probe[head] *= 0.1
        self.probe[head, :, 0] = clue.strength
        self.key.weight[first] = 0.0
        self.key.weight[first, clue.column, REACH - clue.offset] = clue.slope
        self.key.bias[first] = -clue.slope * clue.threshold
        self.lag[head] = clue.by_lag
        if clue.source is not None:
            self.mix[head] = 0.0
            self.mix[head, clue.source] = 1.0
