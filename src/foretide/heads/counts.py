"""Distributions of counts in original units: Poisson, negative binomial and zero-inflated negative binomial."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from foretide.heads import nbinom
from foretide.heads.base import Distribution, Parameter, as_numpy, as_tensor, drawn_generator
from foretide.typing import Floats

SMALLEST, LARGEST = 1e-30, 1e30
CERTAIN = 1.0 - 1e-12


class CountDistribution(Distribution):
    """A distribution on the whole numbers from zero; ``loss`` is the negative log-likelihood.

    Probabilities are computed in double precision, because in single precision they are off by 0.9 nats at a
    dispersion of 1e6, and come back in the precision of the parameters.

    Attributes
    ----------
    mu : Tensor
        Mean of the negative binomial distribution this is.
    theta : Tensor or float
        Its dispersion; infinite: a Poisson distribution.
    pi : Tensor or None
        Probability of a zero beside it.
    """

    mu: Tensor
    theta: Tensor | float = float("inf")
    pi: Tensor | None = None

    def parameters(self) -> dict[str, Parameter]:
        """Those of a negative binomial distribution, and the share of zeros beside it; all in counts."""
        found = {"mu": Parameter(self.mu, "own", "mean of the negative binomial (or Poisson) part, in counts")}
        if isinstance(self.theta, Tensor):
            meaning = "dispersion of that part: its variance is mu + mu^2 / theta"
            found["theta"] = Parameter(self.theta.expand_as(self.mu), "own", meaning)
        if self.pi is not None:
            meaning = "probability of a zero beside it; below 0 where zeros are rarer than it has them"
            found["pi"] = Parameter(self.pi, "own", meaning)
        return found

    @abstractmethod
    def log_prob(self, y: Tensor) -> Tensor:
        """Logarithm of the probability of whole numbers ``y``, with gradients to the parameters."""

    def mean(self) -> Tensor:
        """Mean of each element."""
        return self.mu

    def loss(self, y: Tensor) -> Tensor:
        """Negative log-likelihood of each element."""
        return -self.log_prob(y)

    def cdf(self, y: Tensor) -> Tensor:
        """Probability of at most ``y``, double precision."""
        return as_tensor(nbinom.cdf(as_numpy(y), *self._arrays()), self.mu)

    def quantiles(self, levels: Sequence[float]) -> Tensor:
        """Smallest whole numbers whose cumulative probability reaches each level ``[..., Q]``, double precision."""
        return as_tensor(nbinom.quantiles(levels, *self._arrays()), self.mu)

    def sample(self, generator: torch.Generator | None = None, n: int | None = None) -> Tensor:
        """Draw counts, ``n`` of each element."""
        drawn = nbinom.sample(drawn_generator(generator), *self._arrays(), n)
        return as_tensor(drawn, self.mu).to(self.mu.dtype)

    def _arrays(self) -> tuple[Floats, Floats | float, Floats | None]:
        theta = as_numpy(self.theta) if isinstance(self.theta, Tensor) else self.theta
        return as_numpy(self.mu), theta, None if self.pi is None else as_numpy(self.pi)


class Poisson(CountDistribution):
    """Poisson distribution: variance equal to the mean.

    Parameters
    ----------
    mean : Tensor
    """

    family = "poisson"

    def __init__(self, mean: Tensor) -> None:
        self.mu = mean

    def log_prob(self, y: Tensor) -> Tensor:
        """``y ln mu - mu - ln y!``."""
        count, mu = y.double(), self.mu.double()
        out: Tensor = torch.special.xlogy(count, mu) - mu - torch.lgamma(count + 1.0)
        return out.to(self.mu.dtype)


class NegativeBinomial(CountDistribution):
    """Negative binomial distribution with variance ``mean + mean^2 / dispersion``.

    Parameters
    ----------
    mean, dispersion : Tensor
        Broadcast; positive.
    """

    family = "negative_binomial"
    theta: Tensor

    def __init__(self, mean: Tensor, dispersion: Tensor) -> None:
        self.mu, self.theta = mean, dispersion

    def log_prob(self, y: Tensor) -> Tensor:
        """``ln G(y+t) - ln G(t) - ln y! + t ln(t/(t+mu)) + y ln(mu/(t+mu))``."""
        return _log_nb(y, self.mu, self.theta).to(self.mu.dtype)


class ZeroInflatedNegativeBinomial(CountDistribution):
    """Zero with probability ``zero_probability``, else negative binomial; its mean is ``(1 - zero_probability) mean``.

    Parameters
    ----------
    zero_probability, mean, dispersion : Tensor
        Broadcast; a probability, and the mean and dispersion of the other part (Lambert 1992; Greene 1994).
    """

    family = "zero_inflated_negative_binomial"
    theta: Tensor
    pi: Tensor

    def __init__(self, zero_probability: Tensor, mean: Tensor, dispersion: Tensor) -> None:
        self.pi, self.mu, self.theta = zero_probability, mean, dispersion

    def log_prob(self, y: Tensor) -> Tensor:
        """``ln(pi + (1 - pi) NB(0))`` at zero, ``ln(1 - pi) + ln NB(y)`` above."""
        pi = self.pi.double().clamp(SMALLEST, CERTAIN)
        other = torch.log1p(-pi) + _log_nb(y, self.mu, self.theta)
        return torch.where(y == 0, torch.logaddexp(pi.log(), other), other).to(self.mu.dtype)

    def mean(self) -> Tensor:
        """``(1 - pi) mu``."""
        return (1.0 - self.pi) * self.mu


@dataclass(frozen=True, eq=False, slots=True)
class Counted(Distribution):
    """A distribution of counts that speaks the network's units: ``unit`` ``[B, 1, D]`` counts in one of them."""

    distribution: CountDistribution
    unit: Tensor

    @property
    def family(self) -> str:  # type: ignore[override]  # that of the counts
        """What distributions of this kind are called."""
        return self.distribution.family

    def parameters(self) -> dict[str, Parameter]:
        """Those of the counts."""
        return self.distribution.parameters()

    def loss(self, y: Tensor) -> Tensor:
        """Negative log-likelihood of the counts that ``y`` stands for."""
        return self.distribution.loss((y * self.unit).round())

    def mean(self) -> Tensor:
        """Mean in the network's units."""
        return self.distribution.mean() / self.unit

    def quantiles(self, levels: Sequence[float]) -> Tensor:
        """Quantiles ``[B, H, D, Q]`` in the network's units: whole numbers of counts, double precision."""
        return self.distribution.quantiles(levels) / self.unit[..., None]

    def cdf(self, y: Tensor) -> Tensor:
        """Probability of at most as many counts as ``y`` stands for."""
        # A whole number that went through the units and back may have come out a little below itself.
        return self.distribution.cdf(torch.floor(y.double() * self.unit * (1.0 + 1e-6) + 1e-6))

    def sample(self, generator: torch.Generator | None = None, n: int | None = None) -> Tensor:
        """Draw counts, in the network's units."""
        return self.distribution.sample(generator, n) / self.unit


def _log_nb(y: Tensor, mean: Tensor, dispersion: Tensor) -> Tensor:
    """Log-probability in double precision; gradients reach ``mean`` and ``dispersion``."""
    arrays = torch.broadcast_tensors(y.double(), mean.double(), dispersion.double())  # type: ignore[no-untyped-call]
    out: Tensor = _LogNegativeBinomial.apply(*arrays)  # type: ignore[no-untyped-call]
    return out


class _LogNegativeBinomial(torch.autograd.Function):
    """The formula and its gradients in closed form, which neither overflow nor cancel where autograd's would."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, mu: Tensor, theta: Tensor) -> Tensor:
        y, mu, theta = y.contiguous(), mu.contiguous(), theta.clamp(max=LARGEST).contiguous()
        log_ratio = torch.log1p(mu / theta)
        out: Tensor = -(theta + y) * log_ratio
        # Most counts are zero where it matters, and then nothing is left of the gamma functions.
        some = torch.nonzero(y.reshape(-1))[:, 0]
        k, t, m = (x.reshape(-1)[some] for x in (y, theta, mu))
        out.view(-1).index_add_(0, some, rising(k, t) - torch.lgamma(k + 1.0) + k * m.log())
        ctx.save_for_backward(y, mu, theta, log_ratio, some)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        y, mu, theta, log_ratio, some = ctx.saved_tensors
        both = mu + theta
        to_mu = to_theta = None
        k, t = y.reshape(-1)[some], theta.reshape(-1)[some]
        if ctx.needs_input_grad[1]:
            slope = -(theta + y) / both
            slope.view(-1).index_add_(0, some, k / mu.reshape(-1)[some])
            to_mu = grad * slope
        if ctx.needs_input_grad[2]:
            slope = (mu - y) / both - log_ratio
            slope.view(-1).index_add_(0, some, torch.digamma(k + t) - torch.digamma(t))
            to_theta = grad * slope
        return None, to_mu, to_theta


def rising(k: Tensor, theta: Tensor) -> Tensor:
    """``ln G(k + theta) - ln G(theta) - k ln theta``, as :func:`foretide.heads.nbinom.rising`."""
    small, large = theta.clamp(max=nbinom.STIRLING), theta.clamp(min=nbinom.STIRLING)
    plain = torch.lgamma(k + small) - torch.lgamma(small) - k * small.log()
    series = (k + large - 0.5) * torch.log1p(k / large) - k - k / (12.0 * large * (k + large))
    return torch.where(theta < nbinom.STIRLING, plain, series)
