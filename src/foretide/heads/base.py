"""What a head and its distribution promise."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from foretide.seeding import numpy_generator
from foretide.typing import Bools, Floats


@dataclass(frozen=True)
class HeadShape:
    """Sizes a head is built for.

    Attributes
    ----------
    features, targets, h : int
        Width ``K`` of the features, targets ``D``, horizon ``H``.
    entities : int
        Fitted entities ``N``; spread parameters are learned for each.
    private : bool
        Whether each entity has weights of its own on top of the shared ones.
    """

    features: int
    targets: int
    h: int = 1
    entities: int = 1
    private: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class SeriesInfo:
    """What a head may know of the series of a batch.

    Attributes
    ----------
    entity : int tensor ``[B]``
        Position among the fitted entities.
    unit : float tensor ``[B, D]``
        Original units in one unit of the network: a series' scale.
    rate : float tensor ``[B, D]`` or None
        Mean over the training part, in the network's units; only :meth:`Head.begin` reads it.
    awake : bool tensor ``[B, D]`` or None
        Whether the window holds anything but zeros; for heads of counts.
    """

    entity: Tensor
    unit: Tensor
    rate: Tensor | None = None
    awake: Tensor | None = None


class Parameter(NamedTuple):
    """One parameter of a distribution, in the network's units or in its own.

    Attributes
    ----------
    value : Tensor ``[B, H, D]``, or ``[B, H, D, Q]``
    kind : {"place", "size", "own"}
        A value on the axis of the targets, a distance on it, or something that has a unit of its own.
    meaning : str
        What it is, in a few words.
    """

    value: Tensor
    kind: Literal["place", "size", "own"]
    meaning: str

    def in_units(self, unit: Tensor, zero: Tensor) -> Tensor:
        """Return it in original units, double precision.

        Parameters
        ----------
        unit, zero : Tensor ``[B, 1, D]``
            Original units in one of the network's, and the original value of its zero.

        Returns
        -------
        Tensor
        """
        value = self.value.double()
        if self.kind == "own":
            return value
        unit, zero = (unit[..., None], zero[..., None]) if value.ndim > unit.ndim else (unit, zero)
        return value * unit + zero if self.kind == "place" else value * unit


class Distribution(ABC):
    """Forecasts of a batch as a distribution, in the scaled units the network works in."""

    family: ClassVar[str] = "points"
    """What distributions of this kind are called."""

    def parameters(self) -> Mapping[str, Parameter]:
        """Return what, together with the mean, says all of the distribution; nothing of points.

        Returns
        -------
        mapping
            Name -> parameter.
        """
        return {}

    def groups(self) -> Sequence[tuple[Sequence[int] | None, Distribution]]:
        """Return the positions of the targets of each distribution inside; None: all of them.

        Returns
        -------
        sequence of (sequence of int or None, Distribution)
        """
        return [(None, self)]

    @abstractmethod
    def loss(self, y: Tensor) -> Tensor:
        """Loss of each element, not reduced.

        Parameters
        ----------
        y : float tensor ``[B, H, D]``
            The truth, in the network's units.

        Returns
        -------
        Tensor ``[B, H, D]``
        """

    @abstractmethod
    def mean(self) -> Tensor:
        """Point forecast ``[B, H, D]``."""

    def quantile(self, level: float) -> Tensor | None:
        """Quantile ``[B, H, D]``; None for a distribution of points.

        A distribution overrides this or :meth:`quantiles`: each follows from the other.

        Parameters
        ----------
        level : float
            Between 0 and 1.

        Returns
        -------
        Tensor or None
        """
        found = self.quantiles((level,))
        return None if found is None else found[..., 0]

    def quantiles(self, levels: Sequence[float]) -> Tensor | None:
        """Quantiles ``[B, H, D, Q]``; None for a distribution of points.

        Parameters
        ----------
        levels : sequence of float
            ``Q`` of them, between 0 and 1.

        Returns
        -------
        Tensor or None
        """
        known = [found for level in levels if (found := self.quantile(level)) is not None]
        return torch.stack(known, dim=-1) if known else None

    @abstractmethod
    def cdf(self, y: Tensor) -> Tensor:
        """Probability of at most ``y``; no gradient.

        Parameters
        ----------
        y : float tensor ``[B, H, D]``

        Returns
        -------
        Tensor ``[B, H, D]``
        """

    @abstractmethod
    def sample(self, generator: torch.Generator | None = None, n: int | None = None) -> Tensor:
        """Draw values; no gradient.

        Parameters
        ----------
        generator : torch.Generator, optional
        n : int, optional
            Values of each element; one, without an axis for it, by default.

        Returns
        -------
        Tensor ``[B, H, D]`` or ``[n, B, H, D]``
        """


class Head(nn.Module, ABC):
    """Turns hidden features into a distribution; it knows nothing of the backbone they came from.

    Parameters
    ----------
    shape : HeadShape
    """

    has_distribution: bool = False
    """Whether its distributions have quantiles."""
    counts: bool = False
    """Whether targets are counts: scaled but never centred, and quantiles are whole numbers."""
    needs_series: bool = False
    """Whether ``forward`` must be told whose windows it sees."""
    levels: tuple[float, ...] = ()
    """Of a head that knows its distribution at some quantiles only: these, unless its option ``levels`` says others."""
    links: tuple[str, ...] = ()
    """What its option ``link`` may be, how the mean depends on the features; none without such an option."""
    corrects: bool = True
    """Whether it corrects a base; False: it forecasts from the features alone, and must learn all of it."""
    bounded: bool = True
    """Whether a window that errs wildly should count less in the loss: true where the loss grows with the square."""

    def __init__(self, shape: HeadShape, **options: object) -> None:
        super().__init__()
        self.shape = shape

    @abstractmethod
    def forward(self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None) -> Distribution:
        """Return the distribution of a batch.

        Parameters
        ----------
        features : float tensor ``[B, H, K]``
            From the backbone; without a horizon axis (one decoder step) this, ``base`` and ``scale`` lack it.
        base : float tensor ``[B, H, D]``
            Forecast that the head corrects.
        scale : float tensor
            Unit of the correction; broadcasts to the base.
        series : SeriesInfo, optional
            Whose windows these are, for a head that ``needs_series``.

        Returns
        -------
        Distribution
        """

    def mean(self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None) -> Tensor:
        """Return the mean of the distribution alone, as :meth:`forward` takes it.

        For decoders that read it at each step; a head overrides this where it is quicker than all of the distribution.

        Parameters
        ----------
        features, base, scale, series
            As for :meth:`forward`.

        Returns
        -------
        Tensor ``[B, D]`` or ``[B, H, D]``
        """
        distribution: Distribution = self(features, base, scale, series)
        return distribution.mean()

    def linear_mean(self) -> tuple[Tensor, Tensor] | None:
        """Weight ``[D, K]`` and bias ``[D]`` where the mean of a step is ``base + scale * (weight features + bias)``.

        None where it is not, or where these are of each entity.
        """
        return None

    def points(self) -> Head | None:
        """Head of points that shares this head's linear map, so that training it by squared error fits the mean here.

        None where the mean is not ``base + scale * linear(features)``, or where there is only a point.
        """
        return None

    def weigh(self, weight: Tensor) -> Tensor:
        """Weights of windows and targets ``[B, 1, D]`` that this head's loss needs: those given, or ones."""
        return weight if self.bounded else torch.ones_like(weight)

    def begin(self, base: Tensor, y: Tensor, series: SeriesInfo, observed: Tensor | None = None) -> None:
        """Set the spread parameters from the errors of the base, so that training begins with honest intervals.

        A head without spread parameters has nothing to set.

        Parameters
        ----------
        base, y : float tensors ``[W, H, D]``
            Forecasts and truths, in the network's units.
        series : SeriesInfo
        observed : bool tensor ``[W, H, D]``, optional
            Which truths are known; all by default.
        """

    def settle(self, means: Tensor, y: Tensor, series: SeriesInfo, observed: Tensor | None = None) -> None:
        """Set the spread parameters for good, from the errors of trained ``means`` of :meth:`points`."""
        self.begin(means, y, series, observed)


@torch.no_grad()
def for_entities(module: nn.Module, n: int, of: Bools | None = None) -> nn.Module:
    """Return a copy for ``n`` entities that were not fitted: what belongs to single entities is the mean of it.

    ``of`` ``[N]``: the fitted entities that the mean is taken of; all by default.
    """
    new = copy.deepcopy(module)
    for part in new.modules():
        for name in getattr(part, "of_entities", ()):
            table = getattr(part, name)
            chosen = table if of is None else table[torch.as_tensor(of, device=table.device)]
            shared = chosen.float().mean(dim=0, keepdim=True).expand(n, *table.shape[1:]).clone()
            setattr(part, name, nn.Parameter(shared) if isinstance(table, nn.Parameter) else shared)
    return new


def known_series(series: SeriesInfo | None) -> SeriesInfo:
    """Return ``series``, or say that it is needed."""
    if series is None:
        raise ValueError("This head has parameters of each series. Call it with series=SeriesInfo(entity, unit).")
    return series


def drawn_generator(generator: torch.Generator | None) -> np.random.Generator:
    """Return a numpy generator seeded by a torch one."""
    return numpy_generator(int(torch.randint(2**62, (1,), generator=generator)))


def as_numpy(x: Tensor) -> Floats:
    """Values of a tensor in double precision."""
    array: Floats = x.detach().cpu().double().numpy()
    return array


def as_tensor(x: Floats, like: Tensor) -> Tensor:
    """Return a tensor in double precision on the device of ``like``."""
    return torch.as_tensor(x, dtype=torch.float64).to(like.device)
