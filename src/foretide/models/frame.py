"""The frame every backbone works in: season and level taken off the window, given back to the forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from foretide.models.correction import StepCorrection
from foretide.models.inputs import Inputs, Shape
from foretide.models.known_basis import KnownBasis
from foretide.models.season_term import SeasonTerm
from foretide.models.start import Start, Tried
from foretide.typing import Array, Reals

SMALLEST_SCALE = 0.1
"""In standard deviations of the series; a flat window does not blow its noise up."""


@dataclass(frozen=True, eq=False, slots=True)
class Framed:
    """A window in its frame.

    Attributes
    ----------
    window : float tensor ``[B, C, L]``
        Channels less season and level; channel-major, because the maps read whole channels.
    tokens : float tensor ``[B, L, C]``
        The window in units of its own movements, for networks.
    scale : float tensor ``[B, 1, D]``
        Root mean square of each target's window, kept off zero, or ones; the unit of a network's correction.
    outside : float tensor ``[B, H, D]``
        Season and level over the horizon: what a forecast of zero inside the frame means.
    linear : float tensor ``[B, H, D]``
        The linear map's forecast inside the frame.
    inputs : Inputs
        What was framed.
    """

    window: Tensor
    tokens: Tensor
    scale: Tensor
    outside: Tensor
    linear: Tensor
    inputs: Inputs


class Frame(nn.Module):
    """Season, level and linear map as trainable parameters that begin at the closed-form start.

    ``forecast = outside + linear + whatever a backbone adds``.

    Parameters
    ----------
    start : Start
        Its arrays become the initial parameters.
    shape : Shape
    """

    of_entities = ("waves",)
    frequencies: Tensor
    table: Tensor

    def __init__(self, start: Start, shape: Shape) -> None:
        super().__init__()
        self.shape, self.level, self.channels, self.scale = shape, start.level, start.channels, start.scale
        self.basis = start.basis
        self.correction: StepCorrection | None = None
        self.waves = nn.Parameter(_float(start.season.waves))
        # Beside a basis of them they do not learn: their effect on each row is then computed once, see Store.
        self.known = nn.Parameter(_float(start.season.known), requires_grad=start.basis is None)
        self.weights = nn.Parameter(_float(start.weights))
        self.intercept = nn.Parameter(_float(start.intercept))
        frequencies = torch.as_tensor(start.season.frequencies, dtype=torch.float64)
        self.register_buffer("frequencies", frequencies)
        around = torch.arange(1 - shape.input_size, shape.h + 1, dtype=torch.float64)
        phase = 2.0 * np.pi * torch.remainder(around[:, None] * frequencies, 1.0)
        self.register_buffer("table", torch.cat([phase.sin(), phase.cos()], dim=1).float())

    def forward(self, inputs: Inputs) -> Framed:
        """Take season and level off the lookback and apply the linear map."""
        size, d = self.shape.input_size, self.shape.targets
        window = inputs.past.transpose(1, 2)
        season = self._season(inputs)
        if season is not None:
            before, season = torch.split(season, [size, self.shape.h], dim=-1)
            window = window - before
        if self.level == "last":
            level = window[..., -1:]
        elif self.level == "mean":
            level = window.mean(dim=-1, keepdim=True)
        elif self.level == "base":
            level = torch.cat([_base(inputs).mean(dim=-1, keepdim=True), window[:, d:].mean(dim=-1, keepdim=True)], 1)
        else:
            level = torch.zeros_like(window[..., -1:])
        window = window - level
        outside = _base(inputs) if self.level == "base" else level[:, :d].expand(-1, -1, self.shape.h)
        if season is not None:
            outside = outside + season[:, :d]
        scale = (window.square().mean(dim=-1, keepdim=True) + SMALLEST_SCALE**2).sqrt()
        if self.scale == "none":
            scale = torch.ones_like(scale)
        tokens = (window / scale).transpose(1, 2)
        return Framed(
            window, tokens, scale[:, :d].transpose(1, 2), outside.transpose(1, 2), self._linear(window), inputs
        )

    def corrected(self, framed: Framed, inside: Tensor) -> Tensor:
        """Add what was learned of each step to a forecast ``inside`` the frame, ``[B, H, D]``."""
        return inside if self.correction is None else inside + self.correction(framed, inside)

    def _linear(self, window: Tensor) -> Tensor:
        targets = window[:, : self.shape.targets]
        if self.channels == "none":
            return window.new_zeros(window.shape[0], self.shape.h, self.shape.targets)
        if self.channels == "shared":
            return (targets @ self.weights.squeeze(0) + self.intercept).transpose(1, 2)
        if self.channels == "own":
            mapped = torch.einsum("bdl,dlh->bdh", targets, self.weights)
            return (mapped + self.intercept).transpose(1, 2)
        flat = self.weights.flatten(0, 1).flatten(1)
        mapped = torch.addmm(self.intercept.flatten(), window.flatten(1), flat)
        return mapped.view(-1, self.shape.targets, self.shape.h).transpose(1, 2)

    def _season(self, inputs: Inputs) -> Tensor | None:
        """Season term over lookback and horizon, ``[B, C, L + H]``.

        A wave at ``cutoff + r`` is the wave at ``r`` with coefficients turned by the cutoff's phase, so the
        trigonometry is one table and two numbers per window and wave.
        """
        season = None
        if len(self.frequencies):
            phase = 2.0 * np.pi * torch.remainder(inputs.step.double()[:, None] * self.frequencies, 1.0)
            sin, cos = phase.sin().float()[..., None], phase.cos().float()[..., None]
            a, b = self.waves[inputs.entity].chunk(2, dim=1)
            turned = torch.cat([a * cos - b * sin, a * sin + b * cos], dim=1)
            season = torch.matmul(turned.transpose(1, 2), self.table.T)
        if len(self.known) and inputs.known is not None and inputs.known_past is not None:
            known = inputs.effect
            if known is None:
                known = self.effect(torch.cat([inputs.known_past, inputs.known], dim=1)).transpose(1, 2)
            season = known if season is None else season + known
        return season

    def effect(self, known: Tensor) -> Tensor:
        """What known-future columns ``[..., G]`` add to every channel, ``[..., C]``."""
        if self.basis is not None:
            known = torch.cat([known, self.basis.expand(known, torch.cat)], dim=-1)
        return known @ self.known

    @torch.no_grad()
    def shift(self, old: Start, new: Start) -> None:
        """Move the parameters by what one start differs from another of the same choices."""
        pairs = (
            (self.waves, old.season.waves, new.season.waves), (self.known, old.season.known, new.season.known),
            (self.weights, old.weights, new.weights), (self.intercept, old.intercept, new.intercept),
        )  # fmt: skip
        for parameter, before, after in pairs:
            parameter.add_(_float(after - before).to(parameter.device))

    def structure(self) -> dict[str, Any]:
        """What of the frame is not a tensor, as JSON; with the state dict it rebuilds the frame."""
        basis = {} if self.basis is None else {"basis": self.basis.to_dict()}
        steps = {} if self.correction is None else {"correction": self.correction.structure()}
        return {"level": self.level, "channels": self.channels, "scale": self.scale, **basis, **steps}

    def take_structure(self, structure: Mapping[str, Any]) -> None:
        """Make what of a saved :meth:`structure` is no part of a start, for a state dict to fill."""
        if "correction" in structure:
            self.correction = StepCorrection.like(structure["correction"], self.shape)


def empty_start(structure: Mapping[str, Any], arrays: Mapping[str, Array], prefix: str) -> Start:
    """Return a start with the sizes of a saved frame, to be filled from its state dict.

    Parameters
    ----------
    structure : mapping
        From :meth:`Frame.structure`.
    arrays : mapping
        State of a network.
    prefix : str
        What the names of the frame's arrays begin with.

    Returns
    -------
    Start
    """
    names = ("frequencies", "waves", "known", "weights", "intercept")
    frequencies, waves, known, weights, intercept = (
        np.asarray(arrays[prefix + name], dtype=np.float64) for name in names
    )
    season = SeasonTerm(frequencies, waves, known)
    level, channels, scale = structure["level"], structure["channels"], structure.get("scale", "window")
    unknown = Tried(
        waves=len(frequencies), known=bool(len(known)), level=level, channels=channels, penalty=nan, val_mse=nan
    )
    basis = KnownBasis.from_dict(structure["basis"]) if "basis" in structure else None
    return Start(season, level, channels, weights, intercept, unknown, scale=scale, basis=basis)


def _base(inputs: Inputs) -> Tensor:
    """Forecast of the base, ``[B, D, H]``."""
    if inputs.base is None:
        raise ValueError('A frame of level="base" needs the base of each window. Call it with Inputs(..., base=...).')
    return inputs.base.transpose(1, 2)


def _float(array: Reals) -> Tensor:
    return torch.as_tensor(np.array(array, dtype=np.float32))
