"""What a head and its law promise."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Law(ABC):
    """Forecasts of a batch as a law, in the scaled units the network works in."""

    @abstractmethod
    def loss(self, y: Tensor) -> Tensor:
        """Loss of each element of ``y`` ``[B, H, D]``, not reduced."""

    @abstractmethod
    def mean(self) -> Tensor:
        """Point forecast ``[B, H, D]``."""

    @abstractmethod
    def quantile(self, level: float) -> Tensor | None:
        """Quantile ``[B, H, D]``; None for a law of points."""


class Head(nn.Module, ABC):
    """Turns hidden features into a law; it knows nothing of the backbone they came from."""

    has_law: bool = False
    """Whether its laws have quantiles."""

    @abstractmethod
    def forward(self, features: Tensor, base: Tensor, scale: Tensor) -> Law:
        """Return the law of features ``[B, H, K]`` around a base ``[B, H, D]``, corrected in units of ``scale``.

        ``scale`` broadcasts to the base; without a horizon axis (one decoder step) all three lack it.
        """
