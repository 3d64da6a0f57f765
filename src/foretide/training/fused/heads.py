"""The gradient of stage 2: heads whose gradient is written out, and autograd for all others.

The losses themselves are those of the heads; a test holds both together. A batch of stage 2 is small, and most of a
recorded step would be the cost of starting operations and of recording them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from scipy import special
from torch import Tensor, nn

from foretide.heads import nbinom
from foretide.heads.base import SeriesInfo
from foretide.heads.count_heads import (
    LARGEST_DISPERSION,
    LOG_RANGE,
    LOGITS,
    SMALLEST_DISPERSION,
    NegativeBinomialHead,
    ZeroInflatedHead,
)
from foretide.heads.delta import DeltaHead
from foretide.heads.linear import Correction
from foretide.heads.point import PointHead, squared
from foretide.training.fused.flat import Flat
from foretide.typing import Ints

if TYPE_CHECKING:
    from foretide.training.head_bank import HeadBank, HeadData


class HeadSteps:
    """Sum of the losses of all heads of a bank over some windows, and its gradient.

    Parameters
    ----------
    bank : HeadBank
        Its parameters live in :attr:`flat` until that is released. Every head has begun.
    parts : mapping
        Bucket -> the training windows, its targets only.

    Attributes
    ----------
    flat : Flat
        All parameters of all heads.
    windows : int ``[n]``
        Training windows that any of the heads sees.
    """

    def __init__(self, bank: HeadBank, parts: Mapping[str, HeadData]) -> None:
        kinds = {bucket: _kind(bank.head(bucket), data) for bucket, data in parts.items()}
        squared, counts, self.recorded = (
            {bucket: data for bucket, data in parts.items() if kinds[bucket] == kind}
            for kind in ("squared", "counts", "recorded")
        )
        self.bank, self.buckets = bank, tuple(parts)
        self.steps: list[HeadStep] = [SquaredStep(bank, squared)] if squared else []
        self.steps += [CountStep(bank, bucket, data) for bucket, data in counts.items()]
        rest = [p for bucket in self.recorded for p in bank.head(bucket).parameters()]
        self.flat = Flat([*(p for step in self.steps for p in step.parameters), *rest])
        for step in self.steps:
            step.bind(self.flat)
        some = next(iter(parts.values()))
        self.features = some.features
        seen = torch.stack([data.places(torch.arange(some.n_all)) >= 0 for data in parts.values()])
        self.windows = torch.nonzero(seen.any(dim=0))[:, 0]

    def __call__(self, chosen: Tensor) -> Tensor:
        """Windows ``[B]`` -> the loss; fills ``flat.gradient``."""
        losses: list[Tensor] = []
        if self.recorded:
            own = [(bucket, data, data.here(chosen)) for bucket, data in self.recorded.items()]
            recorded = torch.stack([self.bank.loss(*each) for each in own if len(each[2])]).sum()
            self.flat.backward(recorded)
            losses.append(recorded.detach())
        if self.steps:
            features = self.features.index_select(0, chosen).flatten(0, 1)
            losses += [step(chosen, features) for step in self.steps]
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()


def _kind(head: nn.Module, data: HeadData) -> str:
    """Which step knows the gradient of a head."""
    if data.observed is not None or data.local is not None or not isinstance(getattr(head, "linear", None), Correction):
        return "recorded"
    level = isinstance(head, DeltaHead) and not head.cumulative and head.on == "level"
    if level or (isinstance(head, PointHead) and head.error is squared):
        return "squared"
    if type(head) in (NegativeBinomialHead, ZeroInflatedHead):
        counts = cast(NegativeBinomialHead, head)
        return "counts" if counts.link == "log" and counts.shape.entities == 1 else "recorded"
    return "recorded"


class HeadStep(ABC):
    """Loss of some heads and its gradient, without recording; ``parameters`` stand side by side in the flat ones."""

    parameters: list[nn.Parameter]

    @abstractmethod
    def bind(self, flat: Flat) -> None:
        """Take values and gradients of the parameters from ``flat``."""

    @abstractmethod
    def __call__(self, chosen: Tensor, features: Tensor) -> Tensor:
        """Windows ``[B]`` and their features ``[B * H, F]`` -> the loss; writes the gradients."""


def _weights(linears: list[Correction]) -> list[nn.Parameter]:
    """All weights, then all biases: each kind becomes one matrix."""
    return [cast(nn.Parameter, getattr(linear, name)) for name in ("weight", "bias") for linear in linears]


class SquaredStep(HeadStep):
    """All heads of ``base + scale * linear(features)`` under squared error, as one map to all their targets.

    Parameters
    ----------
    bank : HeadBank
    parts : mapping
        Bucket -> its windows.
    """

    def __init__(self, bank: HeadBank, parts: Mapping[str, HeadData]) -> None:
        slopes, rests = [], []
        linears = [cast(Correction, bank.heads[bucket].linear) for bucket in parts]
        for bucket, data in parts.items():
            # The share of one element in the mean over steps and targets goes into both parts of the error.
            weights = getattr(bank.heads[bucket], "weights", None)
            share = data.base.new_tensor(1.0) if weights is None else weights.sqrt()
            share = share / (data.base.shape[1] * data.base.shape[2]) ** 0.5
            slopes.append(data.scale * share)
            rests.append((data.base - data.y) * share)
        self.slope, self.rest = torch.cat(slopes, dim=2), torch.cat(rests, dim=2)
        self.parameters = _weights(linears)
        self.room = cache(self._room)

    def bind(self, flat: Flat) -> None:
        """Join the weights, and the biases, of all heads."""
        d = self.slope.shape[2]
        half = len(self.parameters) // 2
        self.weight, self.grad_weight = (t.view(d, -1) for t in flat.joined(self.parameters[:half]))
        self.bias, self.grad_bias = flat.joined(self.parameters[half:])
        self.turned = torch.empty_like(self.weight.t(), memory_format=torch.contiguous_format)

    def __call__(self, chosen: Tensor, features: Tensor) -> Tensor:
        """See :class:`HeadStep`."""
        n = len(chosen)
        slope, error, linear, ones = self.room(n)
        torch.index_select(self.slope, 0, chosen, out=slope)
        torch.index_select(self.rest, 0, chosen, out=error)
        torch.addmm(self.bias, features, self.weight.t(), out=linear)
        error.addcmul_(slope, linear.view_as(slope))
        flat = error.view(-1)
        loss = torch.dot(flat, flat) / n
        pull = slope.mul_(error).view_as(linear)
        torch.addmv(self.grad_bias, pull.t(), ones, beta=0, alpha=2.0 / n, out=self.grad_bias)
        # This way round the product takes a quarter less.
        torch.mm(features.t(), pull, out=self.turned)
        torch.mul(self.turned.t(), 2.0 / n, out=self.grad_weight)
        return loss

    def _room(self, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Memory of a batch of ``n`` windows: to ask for it at every step would cost as much as the arithmetic."""
        like, (_, h, d) = self.slope, self.slope.shape
        return like.new_empty(n, h, d), like.new_empty(n, h, d), like.new_empty(n * h, d), like.new_ones(n * h)


class CountStep(HeadStep):
    """A (zero-inflated) negative binomial head of one entity with a logarithmic link.

    With ``L = theta ln(1 + mu / theta)`` the distribution gives zero the probability ``p = pi + (1 - pi) exp(-L)``, and
    ``s = pi / p`` is the probability that a zero comes from the inflation (0 above zero). Derivatives of ``-ln p`` by
    ``ln mu``, ``ln theta`` and the logit of ``pi``, ``mu`` held, then are ``(1 - s) u``, ``(1 - s) (L - u)`` and
    ``pi - s``, with ``u = mu / (1 + mu / theta)``. The mean of the mixture is what the head holds: ``ln mu`` moves with
    the logit by ``pi``. Zeros need no more than single precision; what is above zero is computed in double.

    Parameters
    ----------
    bank : HeadBank
    bucket : str
    data : HeadData
        Its windows.
    """

    def __init__(self, bank: HeadBank, bucket: str, data: HeadData) -> None:
        self.head = head = cast(NegativeBinomialHead, bank.heads[bucket])
        unit = bank.unit[:, bank.columns[bucket]][data.entity]
        self.mean = head.mean_of(data.base, SeriesInfo(data.entity, unit)).detach()
        self.counts = (data.y * unit[:, None]).round()
        linears = [cast(Correction, head.linear)]
        self.logit = None
        self.parameters = [head.dispersion.series, head.dispersion.profile]
        if isinstance(head, ZeroInflatedHead):
            linears.append(cast(Correction, head.zero))
            self.logit = head.zero_logit
            self.parameters.append(head.zero_logit)
        self.maps = len(linears)
        self.weights = _weights(linears)
        self.parameters += self.weights

    def bind(self, flat: Flat) -> None:
        """Join the weights, and the biases, of both maps."""
        d = self.mean.shape[2]
        self.weight, self.grad_weight = (t.view(self.maps, d, -1) for t in flat.joined(self.weights[: self.maps]))
        self.bias, self.grad_bias = (t.view(self.maps, d) for t in flat.joined(self.weights[self.maps :]))
        self.flat_weight, self.flat_bias = self.weight.flatten(0, 1).t(), self.bias.view(-1)
        (self.series, self.grad_series), (profile, self.grad_profile) = (flat.joined([p]) for p in self.parameters[:2])
        self.rows = profile[:, None]
        self.room = cache(lambda n: _Room(self.mean, n, self.maps))
        if self.logit is not None:
            self.zero, self.grad_zero = flat.joined([self.logit])

    def __call__(self, chosen: Tensor, features: Tensor) -> Tensor:
        """See :class:`HeadStep`."""
        room = self.room(len(chosen))
        mu, y, gone, u, spare = room.mu, room.y, room.gone, room.u, room.spare
        torch.index_select(self.mean, 0, chosen, out=mu)
        torch.index_select(self.counts, 0, chosen, out=y)
        torch.addmm(self.flat_bias, features, self.flat_weight, out=room.product)
        room.maps.copy_(room.split)
        mu.mul_(torch.clamp(room.linear, -LOG_RANGE, LOG_RANGE, out=spare).exp_())
        log_theta = self.series + self.rows
        theta = log_theta.clamp(*_LOG_DISPERSIONS).exp_()
        some = torch.nonzero(room.flat_y)[:, 0].numpy()
        if self.logit is not None:
            torch.clamp(room.logit.add_(self.zero), *LOGITS, out=room.pi).sigmoid_()
            torch.sub(_ONE, room.pi, out=room.keep)
            mu.div_(room.keep)
        torch.div(mu, theta, out=spare)
        torch.log1p(spare, out=gone).mul_(theta)  # L
        torch.div(mu, spare.add_(1.0), out=u)
        to_log_theta = torch.sub(gone, u, out=spare)
        if self.logit is None:
            room.flat_gone[some] = 0.0
            loss = gone.sum()
            room.by_mean.copy_(u)
        else:
            loss = self._inflated(room, to_log_theta, some)
        if len(some):
            loss += self._above_zero(room, theta, some)
        if self.logit is not None:
            room.by_logit.addcmul_(room.by_mean, room.pi)
            room.by_logit.copy_(_inside(room.by_logit, room.logit, *LOGITS))
        room.by_mean.copy_(_inside(room.by_mean, room.linear, -LOG_RANGE, LOG_RANGE))
        share = 1.0 / mu.numel()
        wide = features.expand(self.maps, -1, -1)
        torch.baddbmm(self.grad_weight, room.turned, wide, beta=0, alpha=share, out=self.grad_weight)
        torch.sum(room.pull, dim=1, out=self.grad_bias).mul_(share)
        if self.logit is not None:
            self.grad_zero.copy_(self.grad_bias[1])
        inside = _inside(to_log_theta.sum(dim=0), log_theta, *_LOG_DISPERSIONS).mul_(share)
        torch.sum(inside, dim=0, out=self.grad_series)
        torch.sum(inside, dim=1, out=self.grad_profile)
        return loss.mul_(share)

    def _inflated(self, room: _Room, to_log_theta: Tensor, some: Ints) -> Tensor:
        """Loss of zeros, and of not being inflated above; slopes of zeros, and of the logit, ``mu`` held."""
        zero = torch.addcmul(_ONE, room.keep, room.gone.neg_().expm1_(), out=room.gone)
        inflated = torch.div(room.pi, zero, out=room.other)
        room.flat_other[some] = 0.0
        room.flat_gone[some] = room.flat_keep[some]
        torch.sub(room.pi, inflated, out=room.by_logit)
        rest = torch.sub(_ONE, inflated, out=inflated)
        to_log_theta.mul_(rest)
        torch.mul(rest, room.u, out=room.by_mean)
        return zero.log_().sum().neg_()

    def _above_zero(self, room: _Room, theta: Tensor, some: Ints) -> float:
        """Loss of the counts at flat places ``some``; puts in their slopes by ``ln mu`` and ``ln theta``.

        Mostly a handful of numbers, and numpy starts an operation in a third of the time.
        """
        k, m = (x[some].astype(np.float64) for x in (room.flat_y_array, room.flat_mu))
        t = theta.numpy().reshape(-1)[some % theta.numel()].astype(np.float64)
        more = m / t
        log = np.log1p(more)
        loss = (k + t) * log - nbinom.rising(k, t) + special.gammaln(k + 1.0) - k * np.log(m)
        to_mu = (m - k) / (1.0 + more)
        room.flat_by_mean[some] = to_mu
        room.flat_spare[some] = t * (log - special.digamma(k + t) + special.digamma(t)) - to_mu
        return float(loss.sum())


class _Room:
    """Memory of a batch of ``n`` windows, and all views of it: each costs as much to make as to fill.

    Parameters
    ----------
    like : ``[W, H, D]``
    n : int
    maps : int
        2: there is a logit.
    """

    def __init__(self, like: Tensor, n: int, maps: int) -> None:
        _, h, d = like.shape
        self.mu, self.y, self.gone, self.u, self.spare, self.other, self.pi, self.keep = (
            like.new_empty(n, h, d) for _ in range(8)
        )
        self.flat_y = self.y.view(-1)
        self.product = like.new_empty(n * h, maps * d)
        self.split = self.product.view(n * h, maps, d).transpose(0, 1)
        self.maps, self.pull = like.new_empty(maps, n * h, d), like.new_empty(maps, n * h, d)
        self.turned = self.pull.transpose(1, 2)
        # With one map there is no logit, and nobody looks at these two.
        (self.linear, self.logit), (self.by_mean, self.by_logit) = (
            (t[0].view(n, h, d), t[-1].view(n, h, d)) for t in (self.maps, self.pull)
        )
        # The same memory as numpy arrays.
        self.flat_y_array, self.flat_mu, self.flat_gone, self.flat_keep, self.flat_other, self.flat_spare = (
            t.view(-1).numpy() for t in (self.y, self.mu, self.gone, self.keep, self.other, self.spare)
        )
        self.flat_by_mean = self.by_mean.view(-1).numpy()


_inside = torch.ops.aten.hardtanh_backward
"""Slope, value, low, high -> the slope, zero where the value is not between them."""
_LOG_DISPERSIONS = tuple(torch.tensor([SMALLEST_DISPERSION, LARGEST_DISPERSION], dtype=torch.float64).log().tolist())
_ONE = torch.ones(())
