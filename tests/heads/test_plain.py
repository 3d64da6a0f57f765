from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from foretide.heads.base import HeadShape, SeriesInfo
from foretide.heads.linear import Correction, Layers, make_linear
from foretide.heads.plain import PlainZeroInflatedHead
from foretide.heads.point import PointHead
from foretide.heads.table import make_head

SHAPE = HeadShape(features=4, targets=2, h=3, entities=2, private=True)


def test_the_plain_head_is_one_layer_as_pytorch_begins_it() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = make_head("plain", SHAPE)
        torch.manual_seed(0)
        layer = torch.nn.Linear(4, 2)
    assert isinstance(head, PointHead)
    assert (head.bounded, head.needs_series) == (False, False)
    features, base = torch.randn(5, 3, 4), torch.randn(5, 3, 2)
    torch.testing.assert_close(head(features, base, torch.ones(5, 1, 2)).mean(), base + layer(features))
    y = torch.randn(5, 3, 2)
    torch.testing.assert_close(head(features, base, torch.ones(5, 1, 2)).loss(y), (base + layer(features) - y) ** 2)
    assert (head.weigh(torch.zeros(5, 1, 2)) == 1).all()


@pytest.mark.parametrize("name", ["point", "delta"])
def test_widths_make_a_small_network(name: str) -> None:
    head = make_head({"name": name, "widths": [8, 6]}, SHAPE)
    sizes = [(part.in_features, part.out_features) for part in head.linear if isinstance(part, torch.nn.Linear)]
    assert sizes == [(4, 8), (8, 6), (6, 2)]
    assert not head.needs_series
    x = torch.randn(5, 3, 4)
    first, second, third = (part for part in head.linear if isinstance(part, torch.nn.Linear))
    raw = third(torch.relu(second(torch.relu(first(x)))))
    expected = raw.cumsum(dim=1) if name == "delta" else raw
    torch.testing.assert_close(head(x, torch.zeros(5, 3, 2), torch.ones(5, 1, 2)).mean(), expected)


def test_without_widths_the_map_begins_at_zero() -> None:
    plain = HeadShape(features=4, targets=2)
    assert isinstance(make_linear(plain), Correction)
    assert not make_linear(plain)(torch.randn(3, 4)).any()
    assert isinstance(make_linear(plain, widths=()), Layers)
    assert make_linear(plain, widths=())(torch.randn(3, 4)).all()


def test_plain_zero_inflated_probabilities_are_those_of_scipy() -> None:
    head = PlainZeroInflatedHead(SHAPE, widths=(8,))
    unit = torch.tensor([[1.0, 5.0]]).expand(4, 2)
    features = torch.randn(4, 3, 4)
    counted = head(features, torch.randn(4, 3, 2), torch.ones(4, 1, 2), SeriesInfo(torch.zeros(4).long(), unit))
    raw = head.linear(features).detach().double().numpy()
    logit, mean, theta = np.split(raw, 3, axis=-1)
    pi = 1 / (1 + np.exp(-logit))
    mu = unit.double().numpy()[:, None] * np.log1p(np.exp(mean))
    size = np.log1p(np.exp(theta)) + 1e-6
    np.testing.assert_allclose(counted.mean().detach() * unit[:, None], (1 - pi) * mu, rtol=1e-4)
    for count in (0, 1, 7):
        y = torch.full((4, 3, 2), float(count)) / unit[:, None]
        chance = (1 - pi) * stats.nbinom.pmf(count, size, size / (size + mu)) + (pi if count == 0 else 0)
        np.testing.assert_allclose(counted.loss(y).detach(), -np.log(chance), rtol=2e-3, atol=1e-4)


def test_base_and_scale_do_not_enter_the_plain_zero_inflated_head() -> None:
    head = make_head("plain_zinb", SHAPE)
    info = SeriesInfo(torch.zeros(4).long(), torch.ones(4, 2))
    features = torch.randn(4, 3, 4)
    first, second = (
        head(features, base, scale, info).mean()
        for base, scale in ((torch.zeros(4, 3, 2), torch.ones(4, 1, 2)), (torch.randn(4, 3, 2), torch.rand(4, 1, 2)))
    )
    torch.testing.assert_close(first, second)
    one = head(features[:, 0], torch.zeros(4, 2), torch.ones(4, 2), info).mean()
    torch.testing.assert_close(one, first[:, 0])
    assert not head.corrects
