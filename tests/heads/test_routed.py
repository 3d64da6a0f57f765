from __future__ import annotations

import pytest
import torch

from foretide.heads.base import HeadShape, SeriesInfo
from foretide.heads.routed import RoutedHead
from foretide.heads.table import make_head
from foretide.seeding import torch_generator

SHAPE = HeadShape(5, 4, h=3, entities=2)
SPEC = {"nb": ["c", "a"], "point": ["d"], "quantile": {"columns": ["b"], "levels": [0.2, 0.5, 0.8]}}
COLUMNS = {"nb": [2, 0], "point": [3], "quantile": [1]}


def draw(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch_generator(len(size)))


def parts() -> tuple[RoutedHead, torch.Tensor, torch.Tensor, torch.Tensor, SeriesInfo]:
    head = make_head(SPEC, SHAPE, ("a", "b", "c", "d"))
    assert isinstance(head, RoutedHead)
    generator = torch_generator(9)
    with torch.no_grad():
        for p in head.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=generator))
    entity = torch.tensor([1, 0, 1, 1])
    unit = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]])
    return head, draw(4, 3, 5), draw(4, 3, 4), draw(4, 1, 4).exp(), SeriesInfo(entity, unit[entity])


def test_each_column_is_its_own_heads() -> None:
    head, features, base, scale, series = parts()
    distribution = head(features, base, scale, series)
    y = torch.round(3 * draw(4, 3, 4).abs()) / series.unit[:, None]
    quantiles = distribution.quantiles((0.1, 0.9))
    assert quantiles is not None
    for sub, columns in zip(head.heads, COLUMNS.values(), strict=True):
        alone = sub(
            features, base[..., columns], scale[..., columns], SeriesInfo(series.entity, series.unit[:, columns])
        )
        torch.testing.assert_close(distribution.mean()[..., columns], alone.mean())
        torch.testing.assert_close(distribution.loss(y)[..., columns], alone.loss(y[..., columns]))
        torch.testing.assert_close(distribution.cdf(y)[..., columns].float(), alone.cdf(y[..., columns]).float())
        own = alone.quantiles((0.1, 0.9))
        if own is None:
            assert quantiles[..., columns, :].isnan().all()
        else:
            torch.testing.assert_close(quantiles[..., columns, :].double(), own.double(), equal_nan=True)
            torch.testing.assert_close(
                distribution.quantile(0.9)[..., columns].double(), own[..., 1].double(), equal_nan=True
            )
    assert distribution.sample(torch_generator(0), n=7).shape == (7, 4, 3, 4)
    one = head(features[:, 1], base[:, 1], scale[:, 0], series)
    assert one.mean().shape == (4, 4)


def test_flags_and_weights() -> None:
    head = parts()[0]
    assert (head.has_distribution, head.counts, head.needs_series, head.bounded) == (True, True, True, False)
    weight = torch.full((4, 1, 4), 0.5)
    assert head.weigh(weight)[0, 0].tolist() == [1.0, 0.5, 1.0, 0.5]
    assert torch.equal(make_head("nb", SHAPE).weigh(weight), torch.ones(4, 1, 4))
    assert make_head("point", SHAPE).weigh(weight) is weight
    points = make_head({"point": [0, 1], "huber": [2, 3]}, SHAPE)
    assert (points.has_distribution, points.needs_series) == (False, False)
    assert points(draw(4, 3, 5), draw(4, 3, 4), torch.ones(4, 1, 4)).quantile(0.5) is None


def test_begin_reaches_every_head() -> None:
    head, _, _, _, series = parts()
    before = {n: p.clone() for n, p in head.named_parameters()}
    y = torch.round(5 * draw(4, 3, 4).abs())
    rate = torch.ones(4, 4)
    rate[:, 2] = 0.0
    head.begin(
        torch.ones(4, 3, 4), y, SeriesInfo(series.entity, series.unit, rate), torch.ones(4, 3, 4, dtype=torch.bool)
    )
    changed = {n for n, p in head.named_parameters() if not torch.equal(p, before[n])}
    assert {"heads.0.dispersion.series", "heads.2.spread.series"} <= changed
    alive = head.heads[0].alive
    assert alive.tolist() == [[0.0, 1.0], [0.0, 1.0]]


@pytest.mark.parametrize("names", [(), ("a", "b", "c", "d")])
def test_columns_by_position(names: tuple[str, ...]) -> None:
    head = make_head({"nb": [2, 0], "point": [1, 3]}, SHAPE, names)
    assert head.order.tolist() == [1, 2, 0, 3]
