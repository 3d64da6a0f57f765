from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foretide.heads.base import Distribution, HeadShape, SeriesInfo
from foretide.heads.continuous import Gaussian, GaussianHead, StudentT, StudentTHead, inverse_softplus
from foretide.heads.table import make_head
from foretide.seeding import numpy_generator, torch_generator

SHAPE = HeadShape(5, 2, h=3, entities=4)
LOCATION, SCALE = torch.tensor([-3.0, 0.0, 50.0]), torch.tensor([0.1, 1.0, 20.0])
DF = torch.tensor([2.5, 5.0, 100.0])
DISTRIBUTIONS = {
    "gaussian": (Gaussian(LOCATION, SCALE), stats.norm(LOCATION.numpy(), SCALE.numpy())),
    "student_t": (StudentT(LOCATION, SCALE, DF), stats.t(DF.numpy(), LOCATION.numpy(), SCALE.numpy())),
}
each = pytest.mark.parametrize("name", DISTRIBUTIONS)


def info(windows: int) -> SeriesInfo:
    return SeriesInfo(torch.arange(windows) % 4, torch.ones(windows, 2))


@each
def test_laws_are_scipys(name: str) -> None:
    distribution, twin = DISTRIBUTIONS[name]
    for z in (-1e3, -5.0, -0.3, 0.0, 2.0, 1e4):
        y = LOCATION + z * SCALE
        np.testing.assert_allclose(-distribution.loss(y), twin.logpdf(y.numpy()), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(distribution.cdf(y), twin.cdf(y.numpy()), rtol=1e-3, atol=1e-6)
    for q in (0.001, 0.1, 0.5, 0.975):
        np.testing.assert_allclose(distribution.quantile(q), twin.ppf(q), rtol=1e-4, atol=1e-5)
    both = distribution.quantiles((0.1, 0.9))
    assert both is not None
    assert both.shape == (3, 2)
    assert torch.equal(distribution.mean(), LOCATION)


@each
def test_samples_have_the_distribution(name: str) -> None:
    distribution, twin = DISTRIBUTIONS[name]
    drawn = distribution.sample(torch_generator(0), n=20_000)
    for q in (0.05, 0.5, 0.9):
        np.testing.assert_allclose((drawn.numpy() <= twin.ppf(q)).mean(axis=0), q, atol=0.012)
    assert torch.equal(distribution.sample(torch_generator(1)), distribution.sample(torch_generator(1)))
    assert distribution.sample().shape == (3,)


@settings(max_examples=40)
@given(st.sampled_from(sorted(DISTRIBUTIONS)), st.floats(0.01, 0.99))
def test_cdf_and_quantile_are_inverse(name: str, level: float) -> None:
    distribution: Distribution = DISTRIBUTIONS[name][0]
    q = distribution.quantile(level)
    assert q is not None
    np.testing.assert_allclose(distribution.cdf(q), level, atol=1e-4)


@each
def test_begins_with_the_errors_of_the_base(name: str) -> None:
    rng = numpy_generator(0)
    sd = np.array([[0.2, 1.0], [2.0, 3.0], [0.5, 0.5], [1.0, 9.0]])
    profile = np.sqrt([0.5, 1.0, 1.5])
    series = info(4000)
    each_sd = sd[series.entity.numpy()][:, None] * profile[:, None]
    z = rng.standard_normal((4000, 3, 2)) if name == "gaussian" else rng.standard_t([3.0, 20.0], (4000, 3, 2))
    base = torch.randn(4000, 3, 2, generator=torch_generator(0))
    y = base + torch.from_numpy(z * each_sd).float()
    observed = torch.rand(y.shape, generator=torch_generator(1)) < 0.8
    head = make_head(name, SHAPE)
    head.begin(base, torch.where(observed, y, torch.tensor(1e4)), series, observed)
    distribution = head(torch.zeros(4000, 3, 5), base, torch.ones(4000, 1, 2), series)
    assert torch.equal(distribution.mean(), base)
    found = distribution.sd if isinstance(distribution, Gaussian) else distribution.scale  # type: ignore[attr-defined]
    np.testing.assert_allclose(found[:4].detach(), each_sd[:4], rtol=0.15)
    for q in (0.025, 0.1, 0.9):
        assert ((y <= distribution.quantile(q)) & observed).sum() / observed.sum() == pytest.approx(q, abs=0.01)
    if isinstance(head, StudentTHead):
        df = distribution.df.detach()  # type: ignore[attr-defined]
        assert 2.3 < df[0] < 4.5 < df[1]
    one = head(torch.zeros(4000, 5), base[:, 0], torch.ones(4000, 2), series)
    assert torch.equal(one.mean(), base[:, 0])
    assert torch.isfinite(one.loss(y[:, 0])).all()


def test_a_series_with_few_windows_leans_on_the_others() -> None:
    head = GaussianHead(SHAPE)
    entity = torch.cat([torch.zeros(100, dtype=torch.long), torch.ones(1, dtype=torch.long)])
    series = SeriesInfo(entity, torch.ones(101, 2))
    y = torch.ones(101, 3, 2)
    y[100] = 5.0
    head.begin(torch.zeros_like(y), y, series)
    sd = head.spread(info(4), False).exp()
    pooled = 25 ** (1 / 101)  # geometric mean of the variances
    np.testing.assert_allclose(sd[0].detach() ** 2, pooled ** (10 / 110), rtol=1e-4)
    np.testing.assert_allclose(sd[1].detach() ** 2, 25 ** (1 / 11) * pooled ** (10 / 11), rtol=1e-4)
    np.testing.assert_allclose(sd[2].detach() ** 2, pooled, rtol=1e-4)


@each
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e6])
def test_extreme_errors_stay_finite(name: str, size: float) -> None:
    head, base = make_head(name, SHAPE), torch.zeros(8, 3, 2)
    y = torch.full_like(base, size)
    head.begin(base, y, info(8))
    loss = head(torch.ones(8, 3, 5), base, torch.ones(8, 1, 2), info(8)).loss(y)
    assert torch.isfinite(loss).all()
    loss.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in head.parameters() if p.grad is not None)
    assert all(p.grad is not None for p in head.parameters())


def test_inverse_softplus() -> None:
    x = torch.tensor([1e-3, 0.5, 6.0, 40.0])
    torch.testing.assert_close(torch.nn.functional.softplus(inverse_softplus(x)), x)
