from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from foretide.errors import ConfigError
from foretide.heads.base import HeadShape, SeriesInfo
from foretide.heads.quantile import QUANTILES as LEVELS
from foretide.heads.quantile import QuantileDistribution, QuantileHead
from foretide.heads.table import make_head
from foretide.seeding import numpy_generator, torch_generator

SHAPE = HeadShape(5, 2, h=3, entities=4)


def info(windows: int) -> SeriesInfo:
    return SeriesInfo(torch.arange(windows) % 4, torch.ones(windows, 2))


def distribution_of(seed: int, levels: tuple[float, ...] = LEVELS) -> QuantileDistribution:
    rng = numpy_generator(seed)
    values = rng.normal(size=(2, 1)) + np.cumsum(rng.exponential(size=(2, len(levels))) + 0.01, axis=1)
    return QuantileDistribution(torch.from_numpy(values), levels)


def by_hand(distribution: QuantileDistribution, row: int, level: float) -> float:
    """The quantile function, from its words."""
    v, q = distribution.values[row].tolist(), distribution.levels
    if level < q[0]:
        return v[0] + (v[1] - v[0]) * np.log(level / q[0]) / np.log(q[1] / q[0])
    if level > q[-1]:
        low, lower = 1 - q[-1], 1 - q[-2]
        return v[-1] + (v[-1] - v[-2]) * np.log(low / (1 - level)) / np.log(lower / low)
    return float(np.interp(level, q, v))


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.floats(1e-6, 1 - 1e-6))
def test_quantile_function(seed: int, level: float) -> None:
    distribution = distribution_of(seed)
    tail = np.array([by_hand(distribution, r, level) for r in range(2)])
    np.testing.assert_allclose(distribution.cdf(torch.from_numpy(tail)), level, rtol=1e-6)
    got = distribution.quantile(level)
    if not LEVELS[0] <= level <= LEVELS[-1]:  # nothing was learned there
        assert torch.isnan(got).all()
        return
    np.testing.assert_allclose(got, tail, rtol=1e-9)
    higher = distribution.quantile(level + (LEVELS[-1] - level) / 2)
    assert (higher >= got).all()


@pytest.mark.parametrize("levels", [LEVELS, (0.1, 0.5, 0.9), (0.3, 0.5, 0.6, 0.99)])
def test_mean_is_the_integral(levels: tuple[float, ...]) -> None:
    distribution = distribution_of(3, levels)
    for row in range(2):
        edges = [0.0, *levels, 1.0]
        total = sum(
            integrate.quad(lambda q: by_hand(distribution, row, q), a, b, limit=200)[0]  # noqa: B023
            for a, b in pairwise(edges)
        )
        assert float(distribution.mean()[row]) == pytest.approx(total, rel=1e-6)
    drawn = distribution.sample(torch_generator(0), n=100_000)
    np.testing.assert_allclose(drawn.mean(dim=0), distribution.mean(), rtol=0.02)
    np.testing.assert_allclose((drawn <= distribution.quantile(0.8)).double().mean(dim=0), 0.8, atol=0.01)


def test_loss_is_the_mean_pinball() -> None:
    distribution, y = distribution_of(1), torch.tensor([0.3, 4.0], dtype=torch.float64)
    for row in range(2):
        total = 0.0
        for q, v in zip(distribution.levels, distribution.values[row].tolist(), strict=True):
            error = float(y[row]) - v
            total += 2 * (q * error if error > 0 else (q - 1) * error)
        assert float(distribution.loss(y)[row]) == pytest.approx(total / len(distribution.levels))


def test_never_crosses_whatever_the_weights() -> None:
    head = make_head("quantile", SHAPE)
    generator = torch_generator(0)
    with torch.no_grad():
        for p in head.parameters():
            p.normal_(std=3.0, generator=generator)
    features = 5 * torch.randn(16, 3, 5, generator=generator)
    base = torch.randn(16, 3, 2, generator=generator)
    distribution = head(features, base, torch.ones(16, 1, 2), info(16))
    assert isinstance(distribution, QuantileDistribution)
    assert (distribution.values.diff(dim=-1) >= 0).all()
    asked = distribution.quantiles(tuple(np.linspace(LEVELS[0], LEVELS[-1], 50)))
    assert (asked.diff(dim=-1) >= -1e-4 * asked.abs().max()).all()
    one = head(features[:, 1], base[:, 1], torch.ones(16, 2), info(16))
    assert one.values.shape == (16, 2, len(LEVELS))  # type: ignore[attr-defined]


def test_begins_at_the_base_and_with_its_errors() -> None:
    head = make_head("quantile", SHAPE)
    base = torch.randn(4000, 3, 2, generator=torch_generator(0))
    distribution = head(torch.zeros(4000, 3, 5), base, torch.ones(4000, 1, 2), info(4000))
    torch.testing.assert_close(distribution.mean(), base, atol=1e-5, rtol=1e-5)
    error = torch.from_numpy(numpy_generator(1).exponential([1.0, 4.0], (4000, 3, 2))).float() - 0.5
    observed = torch.rand(base.shape, generator=torch_generator(1)) < 0.7
    head.begin(base, torch.where(observed, base + error, torch.tensor(1e5)), info(4000), observed)
    distribution = head(torch.zeros(4000, 3, 5), base, torch.ones(4000, 1, 2), info(4000))
    for q in (0.025, 0.1, 0.45, 0.5, 0.9, 0.975):
        below = (base + error <= distribution.quantile(q)).double().mean(dim=(0, 1))
        np.testing.assert_allclose(below, q, atol=0.02)
    np.testing.assert_allclose((distribution.mean() - base).mean(dim=(0, 1)).detach(), [0.5, 3.5], rtol=0.05)


def test_recovers_quantiles_of_what_it_sees() -> None:
    head = QuantileHead(HeadShape(1, 1), levels=[0.1, 0.5, 0.9])
    y = torch.from_numpy(numpy_generator(2).gamma(2.0, 1.0, (4000, 1, 1))).float()
    series = SeriesInfo(torch.zeros(4000, dtype=torch.long), torch.ones(4000, 1))
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(400):
        distribution = head(torch.ones(4000, 1, 1), torch.zeros(4000, 1, 1), torch.ones(4000, 1, 1), series)
        optimizer.zero_grad()
        distribution.loss(y).mean().backward()
        optimizer.step()
    np.testing.assert_allclose(
        distribution.values[0, 0, 0].detach(), np.quantile(y.numpy(), [0.1, 0.5, 0.9]), atol=0.06
    )


@pytest.mark.parametrize(
    "levels", [[0.5], [0.1, 0.9], [0.9, 0.5, 0.1], [0.0, 0.5, 1.0], [0.5, 0.9], [0.1, 0.5, 0.5, 0.9]]
)
def test_wrong_levels(levels: list[float]) -> None:
    with pytest.raises(ConfigError, match=r"ascend between 0 and 1 and hold 0\.5 .* got \["):
        make_head({"name": "quantile", "levels": levels}, SHAPE)
