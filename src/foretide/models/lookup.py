"""Heads that look something up: scores from a step and its neighbours, and a copy that takes the start's place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from foretide.models.frame import Framed
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
    strength : float
        Score of one unit of the column; below zero: its low values.
    offset : int
        How many steps after such a value the copy stands.
    by_lag : float tensor ``[L]``
        Score of each lag, oldest first.
    source : int or None
        Channel that is copied into the only target; None: each target's own.
    """

    column: int
    strength: float
    offset: int
    by_lag: Tensor
    source: int | None = None


class LookUp(nn.Module):
    """Scores and copies of heads that begin free of the closed form.

    Their scores are ``probe . conv(seen) + lag``: a step's key is made of the ``2 * REACH + 1`` steps around it, so
    that "the value beside the marker" can be asked for. What is copied moves the forecast by ``gate x (copy - start)``,
    with a gate from the state of the horizon step; the gate begins at zero, and so the forecast at the start.

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
        self.columns = shape.channels + shape.known
        self.probe = nn.Parameter(torch.randn(heads, shape.h, width) * 0.1)
        self.key = nn.Parameter(torch.randn(heads, width, self.columns, 2 * REACH + 1) * 0.1)
        self.lag = nn.Parameter(torch.zeros(heads, shape.input_size))
        self.mix = nn.Parameter(torch.eye(shape.channels, shape.targets).repeat(heads, 1, 1))
        self.gate = nn.Linear(hidden, heads)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def seen(self, framed: Framed, inputs: Inputs) -> Tensor:
        """What the keys are made of, ``[B, C + G, L]``: targets in the frame, the other columns as they are."""
        d = self.shape.targets
        parts = [framed.tokens[..., :d], inputs.past[..., d:]]
        if inputs.known_past is not None:
            parts.append(inputs.known_past)
        return torch.cat(parts, dim=2).transpose(1, 2)

    def scores(self, seen: Tensor) -> Tensor:
        """Scores ``[B, heads, H, L]`` of all steps."""
        kernel = torch.einsum("mhw,mwcr->mhcr", self.probe, self.key).flatten(0, 1)
        found = F.conv1d(seen, kernel, padding=REACH)
        return found.view(len(seen), self.heads, self.shape.h, -1) + self.lag[:, None]

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
        self.probe[head], self.key[head] = 0.0, self.key[head] * 0.1
        self.probe[head, :, 0] = 1.0
        self.key[head, 0] = 0.0
        self.key[head, 0, clue.column, REACH - clue.offset] = clue.strength
        self.lag[head] = clue.by_lag
        if clue.source is not None:
            self.mix[head] = 0.0
            self.mix[head, clue.source] = 1.0
