"""Heads of counts: a positive mean around the base, and a dispersion of each series."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from foretide.errors import check_choice
from foretide.heads import nbinom
from foretide.heads.base import Head, HeadShape, SeriesInfo, as_numpy, known_series
from foretide.heads.counts import CountDistribution, Counted, NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial
from foretide.heads.dispersion import fit_of_series
from foretide.heads.linear import apply_linear, make_linear
from foretide.heads.point import PointHead
from foretide.heads.spread import Spread, mean_by_series
from foretide.typing import Floats, Ints

FLOOR = 0.05
"""The mean is the base plus a correction down to this share of a series' own rate, and positive below."""
ERROR_FLOORS = (0.0, 0.25, 0.5, 1.0)
"""Floors that are tried around trained means, in root mean square errors of a series; never below :data:`FLOOR`."""
SMALLEST_MEAN = 1e-8
"""In counts; the mean of a series that never was anything but zero."""
LOG_RANGE = 12.0
LOGITS = (-10.0, 7.0)
"""Bounds of the logit of a zero probability."""
SMALLEST_DISPERSION, LARGEST_DISPERSION = 1e-6, 1e8
FIT_ELEMENTS, ENOUGH_ELEMENTS = 300_000, 30_000
"""A dispersion is first found from at most as many elements as the first, and of more than the second from fewer
windows: neighbours repeat each other's counts, each of which is still seen four times."""
ZERO_PROBABILITIES = (0.001, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85)


def positive(x: Tensor, floor: Tensor) -> Tensor:
    """``x`` above ``floor``, ``floor exp(x / floor - 1)`` below: once differentiable, always above zero.

    Twelve floors below, the exponential goes over into ``1 / x``, so that neither it nor its slope underflows.
    """
    t = (x / floor - 1.0).clamp(max=0.0)
    deep = (-LOG_RANGE - t).clamp(min=0.0)
    return torch.where(x > floor, x, floor * torch.exp(t.clamp(min=-LOG_RANGE)) / (1.0 + deep))


class CountHead(Head):
    """``mean = positive(base + scale * linear(features))`` in counts; see :func:`positive`.

    Parameters
    ----------
    shape : HeadShape
    link : {"additive", "log"}
        ``"log"``: ``mean = positive(base) * exp(linear(features))``.

    Notes
    -----
    A series whose rate in the training part is exactly zero is asleep: until something else than zeros stands in its
    window, its mean is what such series came to on the windows that :meth:`begin` saw, one number for all of them;
    zero where they slept on.
    """

    has_distribution, counts, needs_series, bounded = True, True, True, False
    links = ("additive", "log")
    of_entities: tuple[str, ...] = ("floor", "alive")
    floor: Tensor
    alive: Tensor
    asleep: Tensor

    def __init__(self, shape: HeadShape, link: str = "additive") -> None:
        super().__init__(shape)
        check_choice("link", link, self.links)
        self.link = link
        self.linear = make_linear(shape)
        self.register_buffer("floor", torch.full((shape.entities, shape.targets), FLOOR))
        self.register_buffer("alive", torch.ones(shape.entities, shape.targets))
        self.register_buffer("asleep", torch.zeros(()))

    def forward(self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None) -> Counted:
        """Return the distribution for features ``[B, H, K]``: a base ``[B, H, D]`` corrected in units of ``scale``."""
        info = known_series(series)
        mean = self._mean(features, base, scale, info)
        return Counted(self._distribution(mean, features, info), _along(info.unit, base))

    def mean(self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo | None = None) -> Tensor:
        """Return the mean, which no other parameter of the distribution moves."""
        info = known_series(series)
        return self._mean(features, base, scale, info) / _along(info.unit, base)

    def _mean(self, features: Tensor, base: Tensor, scale: Tensor, series: SeriesInfo) -> Tensor:
        """Mean in counts."""
        linear = apply_linear(self.linear, features, series)
        if self.link == "additive":
            return self.mean_of(base + scale * linear, series)
        return self.mean_of(base, series) * linear.clamp(-LOG_RANGE, LOG_RANGE).exp()

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: object) -> None:
        """Heads that were saved before there was ``asleep`` let no silent series wake."""
        state_dict.setdefault(f"{prefix}asleep", torch.zeros(()))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def points(self) -> PointHead | None:
        """Head of points that shares the linear map; none with the log link."""
        return PointHead(self.shape, linear=self.linear) if self.link == "additive" else None

    @abstractmethod
    def _distribution(self, mean: Tensor, features: Tensor, series: SeriesInfo) -> CountDistribution:
        """Return the distribution of these means in counts."""

    def mean_of(self, x: Tensor, series: SeriesInfo) -> Tensor:
        """Means in counts of forecasts ``x`` in the network's units."""
        own = self.alive[series.entity]
        if series.awake is not None:
            own = torch.maximum(own, series.awake.to(own.dtype))
        floor, alive = _along(self.floor[series.entity], x), _along(own, x)
        mean = positive(x, floor) * alive * _along(series.unit, x)
        return (mean + (1.0 - alive) * self.asleep).clamp(min=SMALLEST_MEAN)

    @torch.no_grad()
    def begin(self, base: Tensor, y: Tensor, series: SeriesInfo, observed: Tensor | None = None) -> None:
        """Set floors from the series' rates, and dispersions by maximum likelihood around the base."""
        n = self.shape.entities
        mean, windows = mean_by_series(y, series.entity, n, observed)
        # As if one window more had held the mean of all entities: a silent sample is no proof of silence.
        pooled = (mean * windows).sum(dim=0) / windows.sum(dim=0).clamp(min=1e-9)
        seen = (mean * windows + pooled) / (windows + 1.0)
        if series.rate is not None:
            seen[series.entity.long()] = series.rate.double()
            self.alive[series.entity.long()] = (series.rate > 0).to(self.alive.dtype)
            self.asleep.copy_(_mean_of(y * series.unit[:, None], series.rate == 0, observed))
        least = SMALLEST_MEAN / series.unit.max().clamp(min=1.0)
        self.floor.copy_((FLOOR * seen).clamp(min=float(least)))
        self._spread_around(base, y, series, observed)

    @torch.no_grad()
    def settle(self, means: Tensor, y: Tensor, series: SeriesInfo, observed: Tensor | None = None) -> None:
        """As :meth:`begin`, with the likeliest of several floors for each series.

        Squared error hardly minds a mean just below zero. A likelihood does: counts beside a mean of almost nothing
        would make the distribution of the whole series as wide as can be. A floor as high as the usual error helps
        there, and costs where means near zero are right. With a logarithmic link the mean is corrected by a factor, and
        the floor stays low.
        """
        self.begin(means, y, series, observed)
        if self.link == "log":
            return
        n = self.shape.entities
        error = mean_by_series((y - means).square(), series.entity, n, observed)[0].sqrt()
        floors = torch.stack([torch.maximum(self.floor, share * error.to(self.floor.dtype)) for share in ERROR_FLOORS])
        losses = []
        for floor in floors:
            self.floor.copy_(floor)
            self._spread_around(means, y, series, observed)
            features = means.new_zeros((*means.shape[:2], self.shape.features))
            distribution = Counted(
                self._distribution(self.mean_of(means, series), features, series), _along(series.unit, means)
            )
            losses.append(mean_by_series(distribution.loss(y), series.entity, n, observed)[0])
        own = torch.stack(losses)
        # Beside all series together, which count as much: what a sparse one says rests on a count or two.
        best = (own + own.mean(dim=(1, 2), keepdim=True)).argmin(dim=0, keepdim=True)
        self.floor.copy_(floors.gather(0, best)[0])
        self._spread_around(means, y, series, observed)

    def _spread_around(self, base: Tensor, y: Tensor, series: SeriesInfo, observed: Tensor | None) -> None:
        w, h, d = base.shape
        stride = max(1, -(-w * h * d // FIT_ELEMENTS), min(h // 4, w * h * d // ENOUGH_ELEMENTS))
        chosen = torch.arange(0, w, stride, device=base.device)
        entity = series.entity[chosen]
        some = SeriesInfo(entity, series.unit[chosen])
        counts = as_numpy((y[chosen] * some.unit[:, None]).round())
        if observed is not None:
            counts = np.where(observed[chosen].cpu().numpy(), counts, np.nan)
        self._begin(as_numpy(self.mean_of(base[chosen], some)), counts, as_numpy(entity).astype(np.int64))

    def _begin(self, mean: Floats, counts: Floats, entity: Ints) -> None:
        """Set the dispersion from means and counts ``[W, H, D]`` of entities ``[W]``; NaN: not observed."""


class PoissonHead(CountHead):
    """Counts whose variance is their mean."""

    def _distribution(self, mean: Tensor, features: Tensor, series: SeriesInfo) -> CountDistribution:
        return Poisson(mean)


class NegativeBinomialHead(CountHead):
    """Counts with a dispersion of each series, times a profile over the horizon.

    Parameters
    ----------
    shape : HeadShape
    link : {"additive", "log"}
    """

    def __init__(self, shape: HeadShape, link: str = "additive") -> None:
        super().__init__(shape, link)
        self.dispersion = Spread(shape)

    def _distribution(self, mean: Tensor, features: Tensor, series: SeriesInfo) -> CountDistribution:
        return NegativeBinomial(mean, self._dispersion(series, features.ndim == 3))

    def _dispersion(self, series: SeriesInfo, horizon: bool) -> Tensor:
        low, high = np.log((SMALLEST_DISPERSION, LARGEST_DISPERSION))
        log: Tensor = self.dispersion(series, horizon)
        return log.clamp(low, high).exp()

    def _begin(self, mean: Floats, counts: Floats, entity: Ints) -> None:
        own, profile = fit_spread(mean, counts, entity, self.shape)
        self.dispersion.put(torch.from_numpy(own), torch.from_numpy(profile))


class ZeroInflatedHead(NegativeBinomialHead):
    """Counts with more zeros than a negative binomial distribution has.

    The base and its correction are the mean of the mixture, ``(1 - pi) mu``, so that ``pi`` moves no forecast. Its
    logit is one number of each series plus a linear map of the features.

    Parameters
    ----------
    shape : HeadShape
    link : {"additive", "log"}
    """

    of_entities = ("floor", "alive", "zero_logit")

    def __init__(self, shape: HeadShape, link: str = "additive") -> None:
        super().__init__(shape, link)
        self.zero = make_linear(shape)
        self.zero_logit = nn.Parameter(torch.full((shape.entities, shape.targets), -3.0))

    def _distribution(self, mean: Tensor, features: Tensor, series: SeriesInfo) -> CountDistribution:
        logit = apply_linear(self.zero, features, series) + _along(self.zero_logit[series.entity], mean)
        pi = logit.clamp(*LOGITS).sigmoid()
        return ZeroInflatedNegativeBinomial(pi, mean / (1.0 - pi), self._dispersion(series, features.ndim == 3))

    def _begin(self, mean: Floats, counts: Floats, entity: Ints) -> None:
        shape = (self.shape.entities, self.shape.targets)
        tried = []
        for pi in ZERO_PROBABILITIES:
            theta = np.exp(fit_spread(mean / (1 - pi), counts, entity, self.shape, pi=pi, profile=False)[0])
            tried.append((log_likelihood(mean / (1 - pi), counts, entity, theta, pi), theta))
        likelihoods = np.stack([found for found, _ in tried])
        # A series of which nothing is known follows all of them together.
        # So does one that was silent, where all probabilities are as likely up to rounding: the smallest is taken.
        best = np.argmax(np.round(likelihoods + 1e-3 * likelihoods.sum(axis=1, keepdims=True), 6), axis=0)
        pi = np.array(ZERO_PROBABILITIES)[best]
        theta = np.take_along_axis(np.stack([t for _, t in tried]), best[None], axis=0)[0]
        assert theta.shape == shape
        with torch.no_grad():
            self.zero_logit.copy_(torch.from_numpy(np.log(pi) - np.log1p(-pi)))
        self.dispersion.put(torch.from_numpy(np.log(theta)), torch.zeros(self.shape.h, dtype=torch.float64))


def fit_spread(
    mean: Floats,
    counts: Floats,
    entity: Ints,
    shape: HeadShape,
    *,
    pi: float | None = None,
    profile: bool = True,
) -> tuple[Floats, Floats]:
    """Logarithms of the dispersion of each series ``[N, D]`` and of its profile over the horizon ``[H]``."""
    h, d = mean.shape[1:]
    series = np.broadcast_to((entity[:, None] * d + np.arange(d))[:, None], mean.shape)
    step = np.broadcast_to(np.arange(h)[:, None], mean.shape)
    flat_mean, flat_counts, flat_series, flat_step = (
        mean.reshape(-1), counts.reshape(-1), series.reshape(-1), step.reshape(-1),
    )  # fmt: skip
    n = shape.entities * d
    own = np.log(fit_of_series(flat_mean, flat_counts, flat_series, n, zero_probability=pi))
    if not profile:
        return own.reshape(shape.entities, d), np.zeros(h)
    factor = own[flat_series]
    times = fit_of_series(flat_mean, flat_counts, flat_step, h, log_factor=factor, pooled=1.0, spread=0.5)
    return own.reshape(shape.entities, d), np.log(times)


def log_likelihood(mean: Floats, counts: Floats, entity: Ints, theta: Floats, pi: float) -> Floats:
    """Log-likelihood of each series ``[N, D]``."""
    found = np.nan_to_num(nbinom.log_pmf(np.nan_to_num(counts), mean, theta[entity][:, None], pi), neginf=-1e3)
    out = np.zeros(theta.shape)
    np.add.at(out, entity, np.where(np.isnan(counts), 0.0, found).sum(axis=1))
    return out


def _mean_of(counts: Tensor, chosen: Tensor, observed: Tensor | None) -> Tensor:
    """Mean of the counts ``[W, H, D]`` of the chosen windows and targets ``[W, D]``; 0 where there are none."""
    mask = chosen[:, None].expand_as(counts)
    mask = mask if observed is None else mask & observed
    return torch.where(mask, counts, 0.0).sum() / mask.sum().clamp(min=1)


def _along(values: Tensor, like: Tensor) -> Tensor:
    """``[B, D]`` beside ``[B, H, D]`` or ``[B, D]``."""
    return values[:, None] if like.ndim == 3 else values
