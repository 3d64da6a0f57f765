from __future__ import annotations

import numpy as np
import pytest
import torch

from foretide.errors import ConfigError
from foretide.heads.base import HeadShape
from foretide.heads.table import make_head, resolve
from foretide.seeding import torch_generator

SHAPE = HeadShape(5, 2, h=3)


def draw(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch_generator(len(size)))


def moved(**options: object) -> tuple[torch.nn.Module, torch.Tensor]:
    head = make_head("delta", SHAPE, **options)
    with torch.no_grad():
        head.linear.weight.copy_(draw(2, 5))
        head.linear.bias.copy_(draw(2))
    return head, draw(4, 3, 5) @ draw(2, 5).T + draw(2)


def test_adds_increments_onto_the_base() -> None:
    head, delta = moved()
    base, scale = draw(4, 3, 2), draw(4, 1, 2).exp()
    got = head(draw(4, 3, 5), base, scale).mean().detach()
    for k in range(3):
        expected = base[:, k] + scale[:, 0] * delta[:, : k + 1].sum(dim=1)
        torch.testing.assert_close(got[:, k], expected)
    one = head(draw(4, 3, 5)[:, 1], base[:, 1], scale[:, 0]).mean()
    torch.testing.assert_close(one, base[:, 1] + scale[:, 0] * delta[:, 1])


def test_loss_of_increments_on_a_constant_base_is_the_papers() -> None:
    head, delta = moved()
    last, y = draw(4, 1, 2), 2 * draw(4, 3, 2)
    distribution = head(draw(4, 3, 5), last.expand(-1, 3, -1), torch.ones(4, 1, 2))
    steps = torch.diff(torch.cat([last, y], dim=1), dim=1)
    torch.testing.assert_close(distribution.loss(y), (steps - delta).square())


def test_loss_of_the_level_and_weights() -> None:
    y, base = 2 * draw(4, 3, 2), draw(4, 3, 2)
    head, _ = moved(on="level", weights=[1.0, 2, 3])
    distribution = head(draw(4, 3, 5), base, torch.ones(4, 1, 2))
    expected = (y - distribution.mean()).square() * torch.tensor([0.5, 1.0, 1.5])[:, None]
    torch.testing.assert_close(distribution.loss(y), expected)
    one = head(draw(4, 3, 5)[:, 0], base[:, 0], torch.ones(4, 2))
    torch.testing.assert_close(one.loss(y[:, 0]), (y[:, 0] - one.mean()).square())


def test_nonnegative_cuts_the_forecast_and_not_the_loss() -> None:
    (head, _), (plain, _) = moved(nonnegative=True), moved()
    arguments = (draw(4, 3, 5), draw(4, 3, 2), torch.ones(4, 1, 2))
    cut, distribution = head(*arguments), plain(*arguments)
    torch.testing.assert_close(cut.mean(), distribution.mean().clamp(min=0))
    assert (distribution.mean() < 0).any()
    assert torch.equal(cut.loss(draw(4, 3, 2)), distribution.loss(draw(4, 3, 2)))
    assert cut.quantiles((0.5,)) is None
    assert torch.equal(cut.sample(n=2)[1], cut.mean())
    assert cut.cdf(cut.mean()).min() == 1
    assert resolve({"name": "delta", "nonnegative": True}, ["a"])[0].uncentred
    assert not resolve("delta", ["a"])[0].uncentred


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="on is one of 'increments', 'level'; got 'levels'"):
        make_head("delta", SHAPE, on="levels")
    for weights in ([1.0], [0.0, 0, 0], [1.0, -1, 1]):
        with pytest.raises(ConfigError, match="one number of at least 0 for each of the 3 horizon steps"):
            make_head("delta", SHAPE, weights=weights)
    assert np.isclose(float(make_head("delta", SHAPE, weights=[1, 5, 9]).weights.mean()), 1.0)
