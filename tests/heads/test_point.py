from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from foretide.errors import ConfigError
from foretide.heads.base import Head, Law
from foretide.heads.point import PointHead
from foretide.heads.table import HEADS, make_head
from foretide.seeding import torch_generator


def draw(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch_generator(len(size)))


@pytest.mark.parametrize("name", HEADS)
def test_begins_at_the_base(name: str) -> None:
    head = make_head(name, 5, 2)
    assert isinstance(head, Head)
    base = draw(4, 3, 2)
    law = head(draw(4, 3, 5), base, draw(4, 1, 2).exp())
    assert isinstance(law, Law)
    assert torch.equal(law.mean(), base)


def test_corrects_in_units_of_the_scale() -> None:
    head = make_head("point", 5, 2)
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


@pytest.mark.parametrize("name", HEADS)
def test_losses(name: str) -> None:
    y, base = 2.0 * draw(4, 3, 2), torch.zeros(4, 3, 2)
    got = make_head(name, 5, 2)(draw(4, 3, 5), base, torch.ones(4, 1, 2)).loss(y).detach()
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


@pytest.mark.parametrize("name", HEADS)
def test_a_point_has_no_quantiles(name: str) -> None:
    law = make_head(name, 5, 2)(draw(4, 3, 5), draw(4, 3, 2), draw(4, 1, 2))
    assert law.quantile(0.5) is None
    assert not PointHead.has_law


def test_unknown_head() -> None:
    with pytest.raises(ConfigError, match=r"There is no head 'pont'\. Did you mean 'point'\?"):
        make_head("pont", 5, 2)
    with pytest.raises(ConfigError, match="Known: point, absolute, huber"):
        make_head("xyz", 5, 2)
