"""One batch of windows, and what a network makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Feedback:
    """What an autoregressive decoder reads after a step.

    Attributes
    ----------
    value : callable
        Gives it, ``[B, D]``, from the step's features ``[B, K]``, base ``[B, D]`` and scale ``[B, D]``.
    linear : pair of Tensor or None
        Weight ``[D, K]`` and bias ``[D]`` where it is ``base + scale * (weight features + bias)``: a decoder need not
        wait for the value of a step then to go on to the next.
    """

    value: Callable[[Tensor, Tensor, Tensor], Tensor]
    linear: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Inputs:
    """What a forward pass may see: the past and the known future, never the truth.

    Attributes
    ----------
    past : float tensor ``[B, L, C]``
        Scaled targets, then past columns, oldest first; gaps carry the last value forward.
    step : int tensor ``[B]``
        Grid step of the cutoff.
    entity : int tensor ``[B]``
    h : int
        Steps to forecast.
    known_past, known : float tensors ``[B, L, G]`` and ``[B, H, G]``, or None
        Known-future columns and calendar features over lookback and horizon.
    static : float tensor ``[B, S]`` or None
    base : float tensor ``[B, H, D]`` or None
        Scaled forecast of a base that the network corrects, from the rows up to the cutoff.
    effect : float tensor ``[B, C, L + H]`` or None
        What the frame makes of the known-future columns, where that was computed before; see :meth:`Frame.effect`.
    """

    past: Tensor
    step: Tensor
    entity: Tensor
    h: int
    known_past: Tensor | None = None
    known: Tensor | None = None
    static: Tensor | None = None
    base: Tensor | None = None
    effect: Tensor | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Labels:
    """The truth of a batch.

    Attributes
    ----------
    y : float tensor ``[B, H, D]``
        Scaled targets; the last value carried forward where not observed.
    observed : bool tensor ``[B, H, D]`` or None
        None: every value was observed.
    """

    y: Tensor
    observed: Tensor | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Hidden:
    """What a backbone returns to the head.

    Attributes
    ----------
    features : float tensor ``[B, H, K]``
    base : float tensor ``[B, H, D]``
        Forecast in scaled units that the head's correction is added to.
    scale : float tensor ``[B, 1, D]``
        Size of the window's movements, the unit of the correction.
    traces : dict
        What can be looked at, e.g. ``"attention"`` ``[B, M, H, L]``. Returned, never kept on the module.
    """

    features: Tensor
    base: Tensor
    scale: Tensor
    traces: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Shape:
    """Sizes a backbone is built for.

    Attributes
    ----------
    input_size, h : int
        Lookback ``L`` and horizon ``H``.
    targets, channels, known, static : int
        ``D`` targets among ``C`` channels, ``G`` known-future columns, ``S`` static columns.
    """

    input_size: int
    h: int
    targets: int
    channels: int
    known: int = 0
    static: int = 0
