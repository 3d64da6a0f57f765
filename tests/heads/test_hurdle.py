"""The hurdle distribution against SciPy and slow loops; the head's means, gradients and first dispersions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foretide.heads import nbinom
from foretide.heads.base import HeadShape, SeriesInfo
from foretide.heads.count_heads import NegativeBinomialHead
from foretide.heads.counts import NegativeBinomial, ZeroInflatedNegativeBinomial
from foretide.heads.hurdle import HurdleHead, HurdleNegativeBinomial, mean_of_truncated, truncated_mean
from foretide.seeding import numpy_generator, torch_generator

P, MU, THETA = [0.05, 0.3, 0.97, 0.6], [0.4, 6.0, 3.0, 150.0], [0.8, 3.0, 40.0, 1.5]


def made() -> HurdleNegativeBinomial:
    return HurdleNegativeBinomial(*(torch.tensor(x, dtype=torch.float64) for x in (P, MU, THETA)))


def probabilities(p: float, mu: float, theta: float) -> np.ndarray:
    """By SciPy: zero or not, and the negative binomial probabilities divided by that of not being zero."""
    size = stats.nbinom(theta, theta / (theta + mu))
    return np.append(1 - p, p * size.pmf(np.arange(1, 4000)) / size.sf(0))


def test_probabilities_mean_and_quantiles_are_those_of_scipy() -> None:
    distribution = made()
    for i, each in enumerate(zip(P, MU, THETA, strict=True)):
        table = probabilities(*each)
        assert table.sum() == pytest.approx(1, abs=1e-9)
        for k in (0, 1, 2, 9, 200):
            y = torch.full((4,), float(k), dtype=torch.float64)
            assert float(distribution.log_prob(y)[i].exp()) == pytest.approx(table[k], rel=1e-9, abs=1e-300)
            assert float(distribution.cdf(y)[i]) == pytest.approx(table[: k + 1].sum(), rel=1e-9)
        assert float(distribution.mean()[i]) == pytest.approx((np.arange(4000) * table).sum(), rel=1e-9)
        levels = (0.01, 0.2, 0.5, 0.75, 0.99)
        expected = [int(np.argmax(np.cumsum(table) >= level)) for level in levels]
        assert distribution.quantiles(levels)[i].tolist() == expected


def test_draws_are_as_likely_as_their_probabilities() -> None:
    distribution = made()
    drawn = distribution.sample(torch_generator(1), n=40_000)
    assert drawn.shape == (40_000, 4)
    np.testing.assert_allclose(drawn.mean(dim=0), distribution.mean(), rtol=0.03)
    for k in (0.0, 1.0, 5.0, 120.0):
        expected = distribution.cdf(torch.tensor(k))
        np.testing.assert_allclose((drawn <= k).double().mean(dim=0), expected, atol=0.01)
    assert torch.equal(distribution.sample(torch_generator(1)), distribution.sample(torch_generator(1)))


def test_it_is_the_negative_binomial_or_the_zero_inflated_one_where_zeros_are_as_frequent() -> None:
    mu, theta = (torch.tensor(x, dtype=torch.float64) for x in (MU, THETA))
    y = torch.tensor([0.0, 3.0, 0.0, 40.0], dtype=torch.float64)
    above = 1 - NegativeBinomial(mu, theta).log_prob(torch.zeros_like(y)).exp()
    for pi in (0.0, 0.25):
        got = HurdleNegativeBinomial((1 - pi) * above, mu, theta)
        zinb = ZeroInflatedNegativeBinomial(torch.full_like(mu, pi), mu, theta)
        torch.testing.assert_close(got.log_prob(y), zinb.log_prob(y))
        torch.testing.assert_close(got.mean(), zinb.mean())
        torch.testing.assert_close(got.quantiles((0.1, 0.6, 0.95)), zinb.quantiles((0.1, 0.6, 0.95)))


def test_gradients_are_differences() -> None:
    parameters = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (P, MU, THETA)]
    for count in (0.0, 1.0, 12.0):
        y = torch.full((4,), count, dtype=torch.float64)
        assert torch.autograd.gradcheck(lambda *x, y=y: HurdleNegativeBinomial(*x).log_prob(y), parameters)
    size = torch.tensor([1.001, 1.7, 30.0], dtype=torch.float64, requires_grad=True)
    theta = torch.tensor([0.3, 2.0, 50.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(mean_of_truncated, (size, theta))


@settings(max_examples=80)
@given(st.floats(-7, 5), st.floats(-5, 7))
def test_the_mean_before_truncation_is_found(excess: float, dispersion: float) -> None:
    size, theta = (torch.tensor([x], dtype=torch.float64) for x in (1 + 10.0**excess, 10.0**dispersion))
    mu = mean_of_truncated(size, theta)
    assert float(mu) > 0
    assert float(truncated_mean(mu, theta) - 1) == pytest.approx(float(size - 1), rel=1e-6, abs=1e-12)


def head_of(entities: int = 3, targets: int = 1) -> HurdleHead:
    return HurdleHead(HeadShape(2, targets, 4, entities))


@pytest.mark.parametrize("mean", [1e-8, 1e-3, 0.7, 40.0, 1e5])
def test_neither_dispersion_moves_the_mean_and_losses_stay_finite(mean: float) -> None:
    head, series = head_of(), SeriesInfo(torch.arange(3), torch.ones(3, 1))
    base = torch.full((3, 4, 1), mean)
    for occurrence in (-12.0, 0.0, 15.0):
        for size in (-12.0, 0.0, 15.0):
            with torch.no_grad():
                head.occurrence.fill_(occurrence)
                head.dispersion.series.fill_(size)
                head.floor.fill_(1e-9)
            distribution = head(torch.zeros(3, 4, 2), base, torch.ones(3, 1, 1), series)
            torch.testing.assert_close(distribution.mean(), base, rtol=1e-4, atol=1e-9)
            for count in (0.0, 1.0, 50.0):
                head.zero_grad()
                loss = distribution.loss(torch.full_like(base, count))
                assert torch.isfinite(loss).all()
                loss.sum().backward(retain_graph=True)
                assert all(torch.isfinite(p.grad).all() for p in head.parameters() if p.grad is not None)


def test_begins_at_the_dispersions_that_made_the_counts() -> None:
    """Series with more zeros than a negative binomial of their sizes has, and with fewer."""
    rng, entities = numpy_generator(2), np.arange(9000) % 3
    kappa, theta = np.array([0.15, 1.0, 50.0]), np.array([4.0, 1.0, 0.8])
    mean = np.full((9000, 4, 1), 2.5)
    p = 1 - (1 + mean / kappa[entities][:, None, None]) ** -kappa[entities][:, None, None]
    spread = np.broadcast_to(theta[entities][:, None, None], mean.shape)
    mu = mean_of_truncated(torch.from_numpy(mean / p), torch.from_numpy(spread.copy())).numpy()
    share = 1 - p / (1 - (1 + mu / spread) ** -spread)
    y = torch.from_numpy(nbinom.at_levels(rng.random(mean.shape), mu, spread, share).astype(np.float32))
    series = SeriesInfo(torch.from_numpy(entities), torch.ones(9000, 1))
    base = torch.from_numpy(mean.astype(np.float32))
    head, plain = head_of(), NegativeBinomialHead(HeadShape(2, 1, 4, 3))
    for each in (head, plain):
        each.begin(base, y, series)
    own = head.occurrence.detach().exp().numpy()[:, 0]
    np.testing.assert_allclose(own[:2], kappa[:2], rtol=0.2)
    assert own[2] > 10
    np.testing.assert_allclose(head.dispersion.series.detach().exp().numpy()[:, 0], theta, rtol=0.25)
    found, other = (h(torch.zeros(9000, 4, 2), base, torch.ones(1, 1, 1), series) for h in (head, plain))
    gain = (other.loss(y) - found.loss(y)).detach().mean(dim=(1, 2))
    by_series = [float(gain[series.entity == i].mean()) for i in range(3)]
    assert by_series[0] > 0.1
    assert abs(by_series[1]) < 0.01  # which is negative binomial
    assert by_series[2] > 0.02
    observed = torch.rand(y.shape, generator=torch_generator(0)) < 0.8
    again = head_of()
    again.begin(base, torch.where(observed, y, torch.tensor(1e6)), series, observed)
    np.testing.assert_allclose(again.occurrence.detach(), head.occurrence.detach(), atol=0.3)
