"""The hurdle head: whether anything comes, and how much then, a negative binomial without its zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from foretide.heads import nbinom
from foretide.heads.base import HeadShape, SeriesInfo, as_numpy, as_tensor, drawn_generator
from foretide.heads.count_heads import LARGEST_DISPERSION, SMALLEST_DISPERSION, NegativeBinomialHead
from foretide.heads.counts import CERTAIN, CountDistribution, NegativeBinomial
from foretide.heads.dispersion import UNKNOWN
from foretide.heads.linear import apply_linear, make_linear
from foretide.typing import Bools, Floats, Ints

GRID = np.exp(np.linspace(np.log(1e-3), np.log(1e4), 41))
"""Dispersions that are tried at first."""
PRIOR = 1.0
"""Standard deviation of the logarithm of a dispersion among series that is thought plausible beforehand."""
TURNS, CLOSE = 60, 1e-9
EXPORTED_TURNS = 30
TABLE = 2000
LOGS = (float(np.log(SMALLEST_DISPERSION)), float(np.log(LARGEST_DISPERSION)))


class HurdleNegativeBinomial(CountDistribution):
    """Above zero with some ``probability``, and then negative binomial given that it is not zero.

    Zeros may be more frequent than in the negative binomial distribution, as under zero inflation, or rarer.

    Parameters
    ----------
    probability, mean, dispersion : Tensor
        Broadcast; of something above zero, and mean and dispersion before zeros are left out (Mullahy 1986).
    """

    family = "hurdle_negative_binomial"
    theta: Tensor
    pi: Tensor

    def __init__(self, probability: Tensor, mean: Tensor, dispersion: Tensor) -> None:
        self.probability, self.mu, self.theta = probability, mean, dispersion
        # Zero inflation by a share that is negative where zeros are rarer: quantiles and probabilities follow from it.
        above = -torch.expm1(-_exponent(self.mu.double(), self.theta.double()))
        self.pi = 1.0 - self.probability.double() / above

    def log_prob(self, y: Tensor) -> Tensor:
        """``ln(1 - p)`` at zero, ``ln p + ln NB(y) - ln(1 - NB(0))`` above."""
        p, mu, theta = (x.double() for x in (self.probability, self.mu, self.theta))
        p = p.clamp(1.0 - CERTAIN, CERTAIN)
        size = NegativeBinomial(mu, theta).log_prob(y.double())
        above = p.log() + size - (-torch.expm1(-_exponent(mu, theta))).log()
        return torch.where(y == 0, torch.log1p(-p), above).to(self.mu.dtype)

    def mean(self) -> Tensor:
        """``p mu / (1 - NB(0))``."""
        return (self.probability * truncated_mean(self.mu.double(), self.theta.double())).to(self.mu.dtype)

    def sample(self, generator: torch.Generator | None = None, n: int | None = None) -> Tensor:
        """Draw counts, ``n`` of each element: quantiles at random levels."""
        mu, theta, pi = as_numpy(self.mu), as_numpy(self.theta), as_numpy(self.pi)
        levels = drawn_generator(generator).random(pi.shape if n is None else (n, *pi.shape))
        return as_tensor(nbinom.at_levels(levels, mu, theta, pi), self.mu).to(self.mu.dtype)


def _exponent(mu: Tensor, theta: Tensor) -> Tensor:
    """Minus the logarithm of the probability of zero, ``theta ln(1 + mu / theta)``."""
    return theta * torch.log1p(mu / theta)


def truncated_mean(mu: Tensor, theta: Tensor) -> Tensor:
    """Mean of a negative binomial distribution given that it is not zero, ``mu / (1 - NB(0))``; above one."""
    return mu / -torch.expm1(-_exponent(mu, theta))


def mean_of_truncated(size: Tensor, theta: Tensor) -> Tensor:
    """Return the ``mu`` whose :func:`truncated_mean` is ``size``, in double precision, with gradients to both.

    Newton steps on its logarithm inside a bracket; a last step that is recorded has the gradient of the inverse.

    Parameters
    ----------
    size : float tensor
        Above one.
    theta : float tensor of that shape

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import torch
    >>> from foretide.heads.hurdle import mean_of_truncated, truncated_mean
    >>> size, theta = torch.tensor([1.5, 20.0]), torch.tensor([0.5, 2.0])
    >>> truncated_mean(mean_of_truncated(size, theta), theta.double()).round(decimals=6).tolist()
    [1.5, 20.0]
    """
    size, theta = size.double(), theta.double()
    with torch.no_grad():
        excess = (size - 1.0).clamp(min=1e-15)
        low, high = (excess / (1.0 + 1.0 / theta)).log() - 2.0, size.log()
        x = torch.minimum((2.0 * excess / (1.0 + 1.0 / theta)).log(), high)
        for _ in range(EXPORTED_TURNS if torch.compiler.is_exporting() else TURNS):
            gap, slope = _gap(x, size, theta)
            low, high = torch.where(gap < 0, x, low), torch.where(gap < 0, high, x)
            step = x - gap / slope
            inside = (step > low) & (step < high)
            moved = torch.where(inside, step, 0.5 * (low + high))
            # A graph for other programs cannot end early: it does a fixed number of turns.
            done = not torch.compiler.is_exporting() and bool(((moved - x).abs() < CLOSE).all())
            x = moved
            if done:
                break
        mu = x.exp()
        slope = (_gap(x, size, theta)[1] / mu).clamp(min=1e-300)
    return mu - (truncated_mean(mu, theta) - size) / slope


def _gap(x: Tensor, size: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
    """How far the truncated mean at ``exp(x)`` lies above ``size``, and its slope in ``x``."""
    mu = x.exp()
    exponent = _exponent(mu, theta)
    above = -torch.expm1(-exponent)
    mean = mu / above
    return mean - size, mean * (1.0 - (mean / (1.0 + mu / theta)) * (-exponent).exp())


class HurdleHead(NegativeBinomialHead):
    """Whether anything comes, and how much then, each with a dispersion of its own.

    The base and its correction are the mean of both parts together, so that neither dispersion moves a forecast.

    Parameters
    ----------
    shape : HeadShape
    link : {"additive", "log"}

    Notes
    -----
    With the mean ``m``, something comes with the probability of a negative binomial distribution of dispersion
    ``kappa``, ``p = 1 - (1 + m / kappa)^-kappa``; what comes has the mean ``m / p`` and the dispersion ``theta`` of the
    size. With both dispersions equal it is the negative binomial distribution; ``kappa`` below ``theta`` makes zeros
    more frequent, above it rarer, down to those of a Poisson distribution. ``ln kappa`` is one number of each series
    plus a linear map of the features.
    """

    of_entities = ("floor", "alive", "occurrence")

    def __init__(self, shape: HeadShape, link: str = "additive") -> None:
        super().__init__(shape, link)
        self.often = make_linear(shape)
        self.occurrence = nn.Parameter(torch.zeros(shape.entities, shape.targets))

    def _distribution(self, mean: Tensor, features: Tensor, series: SeriesInfo) -> CountDistribution:
        own = self.occurrence[series.entity]
        log = apply_linear(self.often, features, series) + (own[:, None] if features.ndim == 3 else own)
        kappa = log.clamp(*LOGS).exp().double()
        theta = self._dispersion(series, features.ndim == 3).expand_as(mean).double()
        probability = -torch.expm1(-_exponent(mean.double(), kappa))
        mu = mean_of_truncated(mean.double() / probability, theta)
        return HurdleNegativeBinomial(*(x.to(mean.dtype) for x in (probability, mu, theta)))

    def _begin(self, mean: Floats, counts: Floats, entity: Ints) -> None:
        known, above = np.isfinite(counts), counts > 0
        often = spread = np.full((self.shape.entities, self.shape.targets), np.log(UNKNOWN))
        if above.any():
            m = torch.from_numpy(np.where(known, mean, 1.0))
            often = likeliest(self._of_series(values, entity, known) for values in _of_occurrence(m, above))
            kappa = torch.from_numpy(np.exp(often)[entity][:, None]).expand_as(m)
            size = (m / -torch.expm1(-_exponent(m, kappa)))[torch.from_numpy(above)]
            spread = likeliest(self._of_series(v, entity, above) for v in _of_size(size, counts, above))
        with torch.no_grad():
            self.occurrence.copy_(torch.from_numpy(often))
        self.dispersion.put(torch.from_numpy(spread), torch.zeros(self.shape.h, dtype=torch.float64))

    def _of_series(self, values: Floats, entity: Ints, where: Bools) -> Floats:
        """Sums over the elements ``[W, H, D]`` of each series ``where`` they are known."""
        out = np.zeros((self.shape.entities, self.shape.targets))
        np.add.at(out, entity, np.where(where, values, 0.0).sum(axis=1))
        return out


def _of_occurrence(mean: Tensor, above: Bools) -> Iterator[Floats]:
    """Log-likelihoods of something or nothing at each dispersion of the grid."""
    for kappa in GRID:
        exponent = as_numpy(_exponent(mean, torch.full_like(mean, float(kappa))))
        yield np.where(above, np.log(-np.expm1(-exponent)), -exponent)


def _of_size(size: Tensor, counts: Floats, above: Bools) -> Iterator[Floats]:
    """Log-likelihoods of the counts above zero, of mean ``size``, at each dispersion of the grid."""
    excess = np.log(np.maximum(as_numpy(size) - 1.0, 1e-15))
    low, high = excess.min() - 2.0, np.log(as_numpy(size).max())
    for theta in GRID:
        # A table read backwards is near enough here, and a solution of each element would take a minute.
        table = torch.linspace(low + np.log(theta / (1.0 + theta)), high, TABLE, dtype=torch.float64)
        sizes = as_numpy(truncated_mean(table.exp(), torch.full_like(table, float(theta))))
        mu = np.exp(np.interp(excess, np.log(np.maximum(sizes - 1.0, 1e-15)), table.numpy()))
        values = np.zeros(counts.shape)
        values[above] = nbinom.log_pmf(counts[above], mu, theta) - np.log(-np.expm1(-theta * np.log1p(mu / theta)))
        yield values


def likeliest(likelihoods: Iterable[Floats]) -> Floats:
    """Logarithms of the likeliest dispersions ``[N, D]``, drawn towards that of all series together.

    Parameters
    ----------
    likelihoods : iterable of arrays ``[N, D]``
        Log-likelihoods of the series at each of the dispersions of :data:`GRID`.

    Returns
    -------
    float64 array ``[N, D]``
    """
    logs, values = np.log(GRID)[:, None, None], np.stack(list(likelihoods))
    centre = _peak(logs, values.sum(axis=(1, 2), keepdims=True))
    return _peak(logs, values - (logs - centre) ** 2 / (2.0 * PRIOR**2))


def _peak(logs: Floats, values: Floats) -> Floats:
    """Where the parabola through the best point of an even grid ``[G, 1, 1]`` and its neighbours is highest."""
    best = np.clip(np.argmax(values, axis=0), 1, len(values) - 2)[None]
    before, here, after = (np.take_along_axis(values, best + k, axis=0)[0] for k in (-1, 0, 1))
    curve = np.minimum(before - 2.0 * here + after, -1e-12)
    step = np.clip(0.5 * (before - after) / curve, -1.0, 1.0)
    return np.asarray(logs[best[0], 0, 0] + step * (logs[1, 0, 0] - logs[0, 0, 0]))
