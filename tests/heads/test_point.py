from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from foretide.heads.base import Distribution, Head, HeadShape, SeriesInfo
from foretide.heads.point import PointHead
from foretide.heads.table import make_head
from foretide.seeding import torch_generator

SHAPE = HeadShape(5, 2, h=3)
each = pytest.mark.parametrize("name", ["point", "absolute", "huber"])


def draw(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch_generator(len(size)))


@each
def test_begins_at_the_base(name: str) -> None:
    head = make_head(name, SHAPE)
    assert isinstance(head, Head)
    base = draw(4, 3, 2)
    distribution = head(draw(4, 3, 5), base, draw(4, 1, 2).exp())
    assert isinstance(distribution, Distribution)
    assert torch.equal(distribution.mean(), base)


def test_corrects_in_units_of_the_scale() -> None:
    head = make_head("point", SHAPE)
    head.load_state_dict({"linear.weight": draw(2, 5), "linear.bias": draw(2)})
    features, base, scale = draw(4, 3, 5), draw(4, 3, 2), draw(4, 1, 2).exp()
    got = head(features, base, scale).mean().detach().numpy()
    for b in range(4):
        for k in range(3):
            for d in range(2):
                correction = features[b, k] @ draw(2, 5)[d] + draw(2)[d]
                np.testing.assert_allclose(got[b, k, d], base[b, k, d] + scale[b, 0, d] * correction, rtol=1e-4)
    # One decoder step has no horizon axis.
    one = head(features[:, 1], base[:, 1], scale[:, 0]).mean().detach().numpy()
    np.testing.assert_allclose(one, got[:, 1], rtol=1e-5)


@each
def test_losses(name: str) -> None:
    y, base = 2.0 * draw(4, 3, 2), torch.zeros(4, 3, 2)
    got = make_head(name, SHAPE)(draw(4, 3, 5), base, torch.ones(4, 1, 2)).loss(y).detach()
    error = np.abs(y.numpy())
    by_hand = {
        "point": error**2,
        "absolute": error,
        "huber": np.where(error <= 1, 0.5 * error**2, error - 0.5),
    }[name]
    assert (error > 1).any()
    assert (error < 1).any()
    np.testing.assert_allclose(got, by_hand, rtol=1e-6)
    reference = {"point": functional.mse_loss, "absolute": functional.l1_loss, "huber": functional.huber_loss}[name]
    torch.testing.assert_close(got.mean(), reference(base, y))


@each
def test_a_point_has_no_quantiles(name: str) -> None:
    distribution = make_head(name, SHAPE)(draw(4, 3, 5), draw(4, 3, 2), draw(4, 1, 2))
    assert distribution.quantile(0.5) is None
    assert not PointHead.has_distribution


@each
def test_a_point_is_a_law_without_spread(name: str) -> None:
    base = draw(4, 3, 2)
    distribution = make_head(name, SHAPE)(draw(4, 3, 5), base, draw(4, 1, 2))
    assert distribution.quantiles((0.1, 0.9)) is None
    assert torch.equal(distribution.sample(n=3), base.expand(3, 4, 3, 2))
    assert torch.equal(distribution.sample(), base)
    assert distribution.cdf(base).min() == 1
    assert distribution.cdf(base - 1e-3).max() == 0


def test_private_weights_are_added_to_the_shared_ones() -> None:
    head = make_head("point", HeadShape(5, 2, h=3, entities=3, private=True))
    assert head.needs_series
    features, base, scale = draw(4, 3, 5), draw(4, 3, 2), draw(4, 1, 2).exp()
    entity = torch.tensor([2, 0, 2, 1])
    series = SeriesInfo(entity, torch.ones(4, 2))
    assert torch.equal(head(features, base, scale, series).mean(), base)
    linear = head.linear
    generator = torch_generator(3)
    with torch.no_grad():
        for p in linear.parameters():
            p.normal_(generator=generator)
    got = head(features, base, scale, series).mean()
    for b in range(4):
        weight = linear.weight + linear.private_weight[entity[b]]
        bias = linear.bias + linear.private_bias[entity[b]]
        expected = base[b] + scale[b] * (features[b] @ weight.T + bias)
        torch.testing.assert_close(got[b], expected)
    one = SeriesInfo(entity, torch.ones(4, 2))
    torch.testing.assert_close(head(features[:, 1], base[:, 1], scale[:, 0], one).mean(), got[:, 1])
    with pytest.raises(ValueError, match="parameters of each series"):
        head(features, base, scale)
