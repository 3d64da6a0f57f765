"""A head that looks something up: scores from a step and its neighbours, and a copy in the place of the start."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from foretide.models.frame import SMALLEST_SCALE, Framed
from foretide.models.inputs import Inputs, Shape

REACH = 4
"""A key sees so many steps on either side of its own."""
WIDTH = 8
"""Of a key."""
GATE = 4.0
"""What the gate's linear map is multiplied by, so that it opens within tens of steps."""


@dataclass(frozen=True, eq=False, slots=True)
class Clue:
    """What the head begins by looking for.

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


def read(framed: Framed, inputs: Inputs, targets: int) -> Tensor:
    """Return what keys are made of: targets by their window's mean and spread, the other columns as they are.

    Parameters
    ----------
    framed : Framed
    inputs : Inputs
    targets : int
        ``D``.

    Returns
    -------
    Tensor ``[B, C + G, L]``
    """
    own = framed.window[:, :targets]
    spread, mean = torch.var_mean(own, dim=2, keepdim=True, correction=0)
    parts = [(own - mean) / (spread + SMALLEST_SCALE**2).sqrt(), inputs.past[..., targets:].mT]
    if inputs.known_past is not None:
        parts.append(inputs.known_past.mT)
    return torch.cat(parts, dim=1)


class LookUp(nn.Module):
    """Scores and copy of a head that is free of the closed form.

    Its scores are ``(query + probe) . tanh(conv(seen)) + lag``: a step's key is made of the ``2 * REACH + 1`` steps
    around it, so that "the value beside the marker" can be asked for, and bounded, so that of two marks the newer one
    can win, not the larger one. What is copied moves the forecast by ``gate x (copy - start)``, with a gate from the
    state of the horizon step; the gate begins at zero, and so the forecast at the start.

    Parameters
    ----------
    shape : Shape
    hidden : int
        Width ``d`` of the states.
    """

    def __init__(self, shape: Shape, hidden: int) -> None:
        super().__init__()
        self.shape = shape
        self.key = nn.Conv1d(shape.channels + shape.known, WIDTH, 2 * REACH + 1, padding=REACH)
        self.probe = nn.Parameter(torch.randn(shape.h, WIDTH) * 0.01)
        self.lag = nn.Parameter(torch.zeros(shape.input_size))
        self.mix = nn.Parameter(torch.eye(shape.channels, shape.targets))
        self.query, self.gate = nn.Linear(hidden, WIDTH, bias=False), nn.Linear(hidden, 1)
        for parameter in (self.query.weight, self.gate.weight, self.gate.bias):
            nn.init.zeros_(parameter)

    def scores(self, state: Tensor, seen: Tensor) -> Tensor:
        """Scores ``[B, 1, H, L]`` of all steps, for states ``[B, H, d]`` and what was :func:`read`."""
        scores: Tensor = (self.query(state) + self.probe) @ self.key(seen).tanh() + self.lag
        return scores[:, None]

    def change(self, state: Tensor, weights: Tensor, window: Tensor, linear: Tensor) -> Tensor:
        """Return what the copy changes of a forecast inside the frame, ``[B, H, D]``.

        Parameters
        ----------
        state : float tensor ``[B, H, d]``
        weights : float tensor ``[B, H, L]``
        window : float tensor ``[B, C, L]``
        linear : float tensor ``[B, H, D]``
            The forecast so far.
        """
        change: Tensor = GATE * self.gate(state) * ((weights @ window.mT) @ self.mix - linear)
        return change

    @torch.no_grad()
    def follow(self, clue: Clue) -> None:
        """Point the head at what was found.

        Parameters
        ----------
        clue : Clue
        """
        self.probe[:, 0] = clue.strength
        self.key.weight[0] = 0.0
        self.key.weight[0, clue.column, REACH - clue.offset] = clue.slope
        assert self.key.bias is not None
        self.key.bias[0] = -clue.slope * clue.threshold
        self.lag[:] = clue.by_lag
        if clue.source is not None:
            self.mix[:] = 0.0
            self.mix[clue.source] = 1.0
