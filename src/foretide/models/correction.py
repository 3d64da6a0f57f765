"""What a network adds at each step of the horizon, from the start's forecast there and a few values like it.

A network over the whole lookback learns its training windows by heart within some hundred steps. This one sees a few
dozen numbers of one step at a time, the same weights for all steps and targets, so that each window is a horizon's
worth of examples: what follows from hour, holiday, temperature and the size of the forecast beyond a straight line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from foretide.models.inputs import Shape

if TYPE_CHECKING:
    from foretide.models.frame import Framed

MEMBERS, WIDTH = 4, 32
DROPOUT = 0.2
SMALLEST_SPREAD = 1e-2
LARGEST = 4.0
"""Standard deviations from its mean over training windows, at which an input ends."""


class StepCorrection(nn.Module):
    """A few small networks side by side, whose mean corrects each step and target of a forecast.

    They begin at random within, and at zero outside: the forecast of the start is left as it is. Half of them see no
    absolute sizes, only the window in units of its movements: where series grow, what follows from a size was learned
    at other sizes. Inputs are bounded by what training windows hold, so that a trend leads nowhere unknown.

    Parameters
    ----------
    shape : Shape
    lags : sequence of int
        Cycles, at most ``input_size``, whose last value at the same place a step is compared with.
    members, width : int
        How many networks, and of which width.

    Attributes
    ----------
    low, high, mean, spread : buffers ``[F]``
        Bounds and units of the inputs, from :meth:`measure`.
    """

    low: Tensor
    high: Tensor
    mean: Tensor
    spread: Tensor
    _places: Tensor
    _sees: Tensor

    def __init__(self, shape: Shape, lags: Sequence[int], members: int = MEMBERS, width: int = WIDTH) -> None:
        super().__init__()
        self.shape, self.lags, self.members, self.width = shape, tuple(lags), members, width
        self.own = 6 + 2 * len(self.lags)
        shared = 1 + shape.known * (1 + len(self.lags)) + shape.static
        for name, value in (("low", -LARGEST), ("high", LARGEST), ("mean", 0.0), ("spread", 1.0)):
            self.register_buffer(name, torch.full((self.own + shared,), value))
        ahead = torch.arange(shape.h)
        places = [shape.input_size - lag + ahead.remainder(lag) for lag in self.lags]
        self.register_buffer("_places", torch.cat(places) if places else ahead[:0], persistent=False)
        sees = torch.ones(members, width, self.own + shared)
        # The forecast, its unit and raw past values: see read.
        sees[members // 2 :, :, [0, 2, *range(6, self.own, 2)]] = 0.0
        self.register_buffer("_sees", sees.flatten(0, 1), persistent=False)
        self.first = nn.Linear(self.own + shared, members * width)
        self.target = nn.Parameter(torch.zeros(shape.targets, members * width))
        between = nn.Linear(width, members * width)
        self.inner = nn.Parameter(between.weight.detach().T.reshape(width, members, width).transpose(0, 1).clone())
        self.inner_bias = nn.Parameter(between.bias.detach().view(members, 1, width).clone())
        self.out = nn.Parameter(torch.zeros(members, width, 1))
        self.out_bias = nn.Parameter(torch.zeros(members, 1, 1))

    def forward(self, framed: Framed, inside: Tensor) -> Tensor:
        """Correct a forecast ``inside`` the frame ``[B, H, D]``; the same shape, in scaled units."""
        return self.each(framed, inside, 0.0).mean(dim=0)

    def each(self, framed: Framed, inside: Tensor, dropout: float = DROPOUT) -> Tensor:
        """Return the correction of every member, ``[M, B, H, D]``."""
        own, shared = self.read(framed, inside)
        n = self.own
        bounded = (torch.maximum(torch.minimum(x, high), low) for x, low, high in (
            (own, self.low[:n], self.high[:n]), (shared, self.low[n:], self.high[n:])
        ))  # fmt: skip
        own, shared = ((x - m) / s for x, m, s in zip(
            bounded, (self.mean[:n], self.mean[n:]), (self.spread[:n], self.spread[n:]), strict=True
        ))  # fmt: skip
        weight = self.first.weight * self._sees
        first = F.linear(own, weight[:, :n]) + F.linear(shared, weight[:, n:], self.first.bias)[:, :, None]
        hidden = F.dropout(F.gelu(first + self.target), dropout, training=dropout > 0)
        rows = hidden.reshape(-1, self.members, self.width).transpose(0, 1)
        hidden = F.dropout(F.gelu(torch.baddbmm(self.inner_bias, rows, self.inner)), dropout, training=dropout > 0)
        out = torch.baddbmm(self.out_bias, hidden, self.out).view(self.members, *inside.shape)
        return out * framed.scale

    def read(self, framed: Framed, inside: Tensor) -> tuple[Tensor, Tensor]:
        """Return what it reads of each target, ``[B, H, D, F]``, and for all targets alike, ``[B, H, F']``."""
        inputs, shape = framed.inputs, self.shape
        b, h, d = inside.shape
        scale = framed.scale.expand(b, h, d)
        window = framed.tokens[..., :d]
        last = window[:, -1:].expand(b, h, d)
        before = window[:, -2:-1].expand(b, h, d)
        span = min((*self.lags, shape.input_size))
        mean = window[:, -span:].mean(dim=1, keepdim=True).expand(b, h, d)
        own = [framed.outside + inside, inside / scale, scale, last, before, mean]
        places = self._places.view(-1, h)
        for place in places:
            own += [inputs.past[:, place, :d], window[:, place]]
        step = torch.linspace(0.0, 1.0, h, device=inside.device)[None, :, None].expand(b, h, 1)
        shared = [step]
        if inputs.known is not None and inputs.known_past is not None:
            shared += [inputs.known, *(inputs.known_past[:, place] for place in places)]
        if inputs.static is not None:
            shared.append(inputs.static[:, None].expand(b, h, -1))
        return torch.stack(own, dim=3), torch.cat(shared, dim=2)

    @torch.no_grad()
    def measure(self, framed: Framed, inside: Tensor) -> None:
        """Take bounds and units of the inputs from training windows."""
        own, shared = self.read(framed, inside)
        for at, x in ((slice(0, self.own), own), (slice(self.own, None), shared)):
            rows = x.reshape(-1, x.shape[-1])
            mean, spread = rows.mean(dim=0), rows.std(dim=0, correction=0).clamp(min=SMALLEST_SPREAD)
            self.mean[at], self.spread[at] = mean, spread
            self.low[at] = torch.maximum(rows.amin(dim=0), mean - LARGEST * spread)
            self.high[at] = torch.minimum(rows.amax(dim=0), mean + LARGEST * spread)

    def structure(self) -> dict[str, Any]:
        """What of it is not a tensor, as JSON; with the shape it makes another one."""
        return {"lags": list(self.lags), "members": self.members, "width": self.width}

    @classmethod
    def like(cls, structure: Mapping[str, Any], shape: Shape) -> StepCorrection:
        """Return one of a saved :meth:`structure`, for a state dict to fill."""
        return cls(shape, structure["lags"], int(structure["members"]), int(structure["width"]))
