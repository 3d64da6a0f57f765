from __future__ import annotations

import numpy as np
import pytest
import torch

from foretide.heads import nbinom
from foretide.heads.base import HeadShape, SeriesInfo
from foretide.heads.count_heads import (
    CountHead,
    NegativeBinomialHead,
    PoissonHead,
    ZeroInflatedHead,
    log_likelihood,
    positive,
)
from foretide.heads.table import make_head
from foretide.seeding import numpy_generator, torch_generator

SHAPE = HeadShape(5, 2, h=3, entities=4)
each = pytest.mark.parametrize("name", ["poisson", "nb", "zinb", "hurdle"])


def draw(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch_generator(len(size)))


def info(windows: int, unit: torch.Tensor | None = None, rate: torch.Tensor | None = None) -> SeriesInfo:
    entity = torch.arange(windows) % SHAPE.entities
    u = torch.ones(SHAPE.entities, 2) if unit is None else unit
    return SeriesInfo(entity, u[entity], None if rate is None else rate[entity])


def test_positive_is_smooth_and_above_zero() -> None:
    floor = torch.tensor(0.05, dtype=torch.float64)
    x = torch.cat([torch.linspace(-4, 2, 4001, dtype=torch.float64), torch.tensor([-1e8, 1e8]).double()])
    x.requires_grad_()
    y = positive(x, floor)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert (y > 0).all()
    assert (slope > 0).all()
    assert torch.equal(y[x > floor], x[x > floor])
    near = (x <= floor) & (x > -0.5)
    torch.testing.assert_close(y[near], floor * torch.exp(x[near] / floor - 1))
    # No jump of value or slope where the pieces meet.
    assert (y[:4001].diff().abs() < 1.01 * 0.0015).all()
    assert (slope[:4001].diff().abs() < 0.05).all()
    small = torch.tensor([-1e8], dtype=torch.float32, requires_grad=True)
    (g,) = torch.autograd.grad(positive(small, floor.float()).log().sum(), small)
    assert 0 < float(positive(small, floor.float()).detach()) < 1e-10
    assert torch.isfinite(g).all()
    assert float(g) > 0


@each
@pytest.mark.parametrize("link", ["additive", "log"])
def test_begins_at_the_base_and_moves_with_the_features(name: str, link: str) -> None:
    head = make_head(name, SHAPE, link=link)
    assert isinstance(head, CountHead)
    base, scale, features = draw(6, 3, 2).abs() + 0.1, draw(6, 1, 2).exp(), draw(6, 3, 5)
    unit = torch.tensor([[2.0, 30], [1, 1], [0.1, 7], [50, 3]])
    series = info(6, unit)
    torch.testing.assert_close(head(features, base, scale, series).mean(), base)
    with torch.no_grad():
        head.linear.weight.copy_(draw(2, 5) * 0.1)
        head.linear.bias.fill_(0.2)
    linear = features @ (draw(2, 5) * 0.1).T + 0.2
    x = base + scale * linear
    expected = positive(x, torch.tensor(0.05)) if link == "additive" else base * linear.exp()
    torch.testing.assert_close(head(features, base, scale, series).mean(), expected)
    # One decoder step has no horizon axis.
    one = head(features[:, 1], base[:, 1], scale[:, 0], series).mean()
    torch.testing.assert_close(one, expected[:, 1])


@each
def test_one_scale_for_two_thousandths_beside_two_hundred(name: str) -> None:
    rng = numpy_generator(0)
    mu = np.array([[0.002, 200.0]] * 4)
    unit = torch.tensor(np.sqrt(mu + mu**2 / 2), dtype=torch.float32)
    head = make_head(name, SHAPE)
    series = info(4000, unit, torch.tensor(mu, dtype=torch.float32) / unit)
    counts = torch.from_numpy(nbinom.sample(rng, np.broadcast_to(mu[0], (4000, 3, 2)), 2.0).astype(np.float32))
    y = counts / series.unit[:, None]
    base = (torch.tensor(mu, dtype=torch.float32) / unit)[series.entity][:, None].expand(-1, 3, -1)
    head.begin(base, y, series)
    distribution = head(torch.zeros(4000, 3, 5), base, torch.ones(4000, 1, 2), series)
    torch.testing.assert_close(
        distribution.mean() * series.unit[:, None], torch.tensor(mu[0]).float().expand(4000, 3, 2)
    )
    loss = distribution.loss(y)
    assert torch.isfinite(loss).all()
    assert loss[..., 0].mean() < 0.05
    loss.mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in head.parameters() if p.grad is not None)
    high = (distribution.quantile(0.9) * series.unit[:, None].double()).round()
    assert high[..., 0].max() == 0
    assert high[..., 1].min() > 200


def test_begin_finds_the_dispersion_of_each_series() -> None:
    rng = numpy_generator(1)
    theta = np.array([[0.5, 8.0], [2.0, 2.0], [5.0, 0.5], [1.0, 20.0]])
    series = info(4000)
    head = NegativeBinomialHead(SHAPE)
    profile = np.array([2.0, 1.0, 0.5])
    each_theta = theta[series.entity.numpy()][:, None] * profile[:, None]
    y = torch.from_numpy(nbinom.sample(rng, 4.0, each_theta).astype(np.float32))
    observed = torch.rand(y.shape, generator=torch_generator(0)) < 0.8
    head.begin(torch.full_like(y, 4.0), torch.where(observed, y, torch.tensor(1e6)), series, observed)
    found = head.dispersion(info(4), True).exp().detach().numpy()
    # A dispersion of 20 hardly differs from Poisson here, so it is drawn a little towards the others.
    error = np.abs(np.log(found / (theta[:, None] * profile[:, None])))
    assert error.max() < 0.5
    assert error[theta.repeat(3, axis=0).reshape(4, 3, 2) < 10].max() < 0.25
    mean_step = head.dispersion(info(4), False).exp().detach().numpy()
    np.testing.assert_allclose(np.log(mean_step), np.log(found).mean(axis=1), rtol=1e-5, atol=1e-6)


def test_begin_of_a_zero_inflated_head() -> None:
    rng = numpy_generator(2)
    pi = np.array([[0.05, 0.5], [0.3, 0.7], [0.15, 0.85], [0.5, 0.05]])
    series = info(6000)
    p = pi[series.entity.numpy()][:, None] * np.ones((1, 3, 1))
    mean = 6.0 * (1 - p)
    y = torch.from_numpy(nbinom.sample(rng, np.full(p.shape, 6.0), 3.0, p).astype(np.float32))
    head = ZeroInflatedHead(SHAPE)
    base = torch.from_numpy(mean.astype(np.float32))
    head.begin(base, y, series)
    np.testing.assert_allclose(head.zero_logit.detach().sigmoid().numpy(), pi, atol=0.02)
    distribution = head(torch.zeros(6000, 3, 5), base, torch.ones(6000, 1, 2), series)
    torch.testing.assert_close(distribution.mean(), base)
    np.testing.assert_allclose(head.dispersion(info(4), False).exp().detach(), 3.0, rtol=0.25)
    plain = NegativeBinomialHead(SHAPE)
    plain.begin(base, y, series)
    other = plain(torch.zeros(6000, 3, 5), base, torch.ones(6000, 1, 2), series)
    assert distribution.loss(y).mean() < other.loss(y).mean() - 0.05


@each
def test_a_series_that_was_never_anything_but_zero(name: str) -> None:
    head = make_head(name, SHAPE)
    rate = torch.tensor([[0.0, 1.0]] * 4)
    series = info(8, rate=rate)
    y = torch.zeros(8, 3, 2)
    y[..., 1] = 1.0
    head.begin(0.3 * torch.ones(8, 3, 2), y, series)
    with torch.no_grad():
        head.linear.bias.fill_(5.0)
    distribution = head(draw(8, 3, 5), 0.3 * torch.ones(8, 3, 2), torch.ones(8, 1, 2), series)
    assert distribution.mean()[..., 0].max() <= 1e-8
    assert distribution.mean()[..., 1].min() > 1
    assert distribution.quantile(0.999)[..., 0].max() == 0
    assert torch.isfinite(distribution.loss(y + 3)).all()  # it may wake


@each
def test_private_weights(name: str) -> None:
    head = make_head(name, HeadShape(5, 2, h=3, entities=4, private=True))
    series, base = info(6), torch.ones(6, 3, 2)
    with torch.no_grad():
        head.linear.private_bias[1] = 2.0
    mean = head(draw(6, 3, 5), base, torch.ones(6, 1, 2), series).mean()
    assert mean[1].min() == 3.0
    assert mean[[0, 2, 3]].max() == 1.0


def test_poisson_has_nothing_to_begin_but_its_floor() -> None:
    head = PoissonHead(SHAPE)
    y = torch.full((8, 3, 2), 4.0)
    head.begin(y, y, info(8))
    np.testing.assert_allclose(head.floor, 0.2, rtol=1e-5)
    assert [n for n, _ in head.named_parameters()] == ["linear.weight", "linear.bias"]


def test_log_likelihood_of_series_leaves_out_what_was_not_observed() -> None:
    rng = numpy_generator(4)
    mean, entity = rng.uniform(0.5, 3, size=(5, 3, 2)), np.array([0, 1, 0, 1, 1])
    counts = np.where(rng.random((5, 3, 2)) < 0.3, np.nan, rng.poisson(2.0, size=(5, 3, 2)))
    theta = rng.uniform(1, 3, size=(2, 2))
    expected = np.zeros((2, 2))
    for w, k, d in np.ndindex(5, 3, 2):
        if not np.isnan(counts[w, k, d]):
            n = entity[w]
            expected[n, d] += nbinom.log_pmf(counts[w, k, d], mean[w, k, d], theta[n, d], 0.2)
    np.testing.assert_allclose(log_likelihood(mean, counts, entity, theta, 0.2), expected)


def test_a_trained_mean_of_almost_nothing_beside_counts_is_lifted() -> None:
    rng = np.random.default_rng(4)
    head = make_head("nb", HeadShape(2, 1, 6, 2))
    entity = torch.arange(200) % 2
    level = torch.full((200, 6, 1), 30.0)
    level[:, 4:] = torch.where(entity == 0, 5.0, 1.5)[:, None, None]
    y = torch.from_numpy(rng.negative_binomial(10, 10 / (10 + level.numpy())).astype(np.float32))
    # The first series' means err by the same amount everywhere, which puts the small ones below zero.
    means = level.clone()
    means[entity == 0] -= 8.0
    series = SeriesInfo(entity, torch.ones(200, 1), torch.full((200, 1), 20.0))
    head.settle(means, y, series)
    plain = make_head("nb", HeadShape(2, 1, 6, 2))
    plain.begin(means, y, series)
    features = torch.zeros(200, 6, 2)
    with torch.no_grad():
        lifted, before = (h(features, means, torch.ones(1, 1, 1), series) for h in (head, plain))
    mine = entity == 0
    assert float(before.mean()[mine][:, 4:].max()) < 0.05
    assert 1.0 < float(lifted.mean()[mine][:, 4:].min()) < 8.0
    assert float(lifted.loss(y)[mine].mean()) < float(before.loss(y)[mine].mean()) - 0.2
    assert torch.equal(lifted.mean()[mine][:, :4], means[mine][:, :4])
    right, other = make_head("nb", HeadShape(2, 1, 6, 2)), SeriesInfo(entity[~mine], torch.ones(100, 1))
    right.settle(means[~mine], y[~mine], other)
    moved = right.mean_of(means[~mine], other) - means[~mine]
    assert float(moved.abs().max()) < 0.15
    assert head.dispersion.series[0, 0].item() > plain.dispersion.series[0, 0].item() + 0.5


@each
def test_silent_series_share_what_such_series_came_to(name: str) -> None:
    unit = torch.full((SHAPE.entities, 2), 2.0)
    rate = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    y = torch.zeros(8, SHAPE.h, 2)
    y[3, :, 0] = 1.5  # three counts at each step of one of eight windows of silent series
    observed = torch.ones_like(y, dtype=torch.bool)
    observed[7] = False
    head = make_head(name, SHAPE)
    assert isinstance(head, CountHead)
    at = info(8, unit, rate)
    head.begin(torch.ones_like(y), y, at, observed)
    silent = (rate[at.entity] == 0)[:, None].expand_as(y) & observed
    expected = float((2.0 * y)[silent].mean())
    assert float(head.asleep) == pytest.approx(expected)
    assert expected == pytest.approx(3.0 / 6)
    means = head.mean_of(torch.ones_like(y), SeriesInfo(at.entity, at.unit))
    np.testing.assert_allclose(means[silent].numpy(), expected, rtol=1e-6)
    awake = SeriesInfo(at.entity, at.unit, awake=torch.ones(8, 2, dtype=torch.bool))
    np.testing.assert_allclose(head.mean_of(torch.ones_like(y), awake).numpy(), 2.0, rtol=1e-6)


@each
def test_a_head_saved_before_silent_series_could_wake_is_read(name: str) -> None:
    head, other = make_head(name, SHAPE), make_head(name, SHAPE)
    kept = {key: value for key, value in head.state_dict().items() if not key.endswith("asleep")}
    other.load_state_dict(kept)
    assert isinstance(other, CountHead)
    assert float(other.asleep) == 0
