"""PIT histograms and reliability of exact distributions, against slow loops and the randomised PIT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from foretide.errors import ConfigError
from foretide.evaluation.metrics.calibration import pit_histogram, reliability
from foretide.evaluation.metrics.pit import pit_from_quantiles
from foretide.evaluation.metrics.quantiles import DECILES, DENSE

UNEVEN = (0.025, 0.1, 0.5, 0.8, 0.975)


def drawn(distribution: Any, levels: tuple[float, ...], n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    y = distribution.rvs(size=n, random_state=1).astype(float)
    return y, np.broadcast_to(distribution.ppf(levels), (n, len(levels)))


@pytest.mark.parametrize("levels", [(0.5,), UNEVEN, DECILES, DENSE])
def test_a_right_continuous_law_is_flat_on_any_grid(levels: tuple[float, ...]) -> None:
    y, values = drawn(stats.norm(3, 2), levels)
    found = pit_histogram(y, values, levels)
    assert found.n == len(y)
    assert found.nominal.sum() == pytest.approx(1)
    # Pearson's chi-square with cells - 1 degrees of freedom.
    assert stats.chi2.sf(found.n * found.distance, len(found.nominal) - 1) > 0.01
    # A distribution that is too narrow is U-shaped, one that is biased slopes.
    narrow = pit_histogram(y, 3 + 0.6 * (values - 3), levels)
    biased = pit_histogram(y, values + 1, levels)
    assert biased.observed[0] > 1.2 * biased.nominal[0]
    for wrong in (narrow, biased)[len(levels) == 1 :]:
        assert stats.chi2.sf(wrong.n * wrong.distance, len(wrong.nominal) - 1) < 1e-9


@pytest.mark.parametrize(
    "distribution", [stats.nbinom(2, 0.3), stats.poisson(0.2), stats.poisson(0.03), stats.nbinom(50, 0.05)]
)
def test_a_right_law_of_counts_is_flat_on_a_dense_grid(distribution: Any) -> None:
    y, values = drawn(distribution, DENSE)
    found = pit_histogram(y, values, DENSE, bins=10)
    assert len(found.nominal) == 10
    np.testing.assert_allclose(found.edges, np.arange(11) / 10, atol=1e-9)
    np.testing.assert_allclose(found.observed, 0.1, atol=0.0075)
    # The randomised PIT agrees, up to its draws.
    pit = pit_from_quantiles(y, values, DENSE, np.random.default_rng(2))
    np.testing.assert_allclose(found.observed, np.histogram(pit, found.edges)[0] / len(pit), atol=0.01)
    assert pit_histogram(y, values + np.ceil(distribution.std()), DENSE).distance > 20 * found.distance


def test_cells_of_a_continuous_law_by_a_slow_loop() -> None:
    y, values = drawn(stats.norm(0, 1), UNEVEN, n=300)
    expected = [0.0] * 6
    for truth, quantiles in zip(y, values, strict=True):
        expected[sum(q < truth for q in quantiles)] += 1 / 300
    found = pit_histogram(y, values, UNEVEN)
    np.testing.assert_allclose(found.observed, expected)
    assert found.distance == pytest.approx(sum((o - p) ** 2 / p for o, p in zip(expected, found.nominal, strict=True)))
    np.testing.assert_allclose(found.nominal, [0.025, 0.075, 0.4, 0.3, 0.175, 0.025])


def test_a_jump_is_split_over_the_cells_it_covers() -> None:
    levels = (0.2, 0.4, 0.6, 0.8)
    # The quantiles of 0.4 and 0.6 equal the truth: it jumps from the middle of [0.2, 0.4] to that of [0.6, 0.8].
    found = pit_histogram([1.0], [[0.0, 1.0, 1.0, 2.0]], levels)
    np.testing.assert_allclose(found.observed, [0, 0.25, 0.5, 0.25, 0])
    # The lowest quantile equals it: nothing lies below it.
    np.testing.assert_allclose(pit_histogram([0.0], [[0.0, 1, 2, 3]], levels).observed, [2 / 3, 1 / 3, 0, 0, 0])
    np.testing.assert_allclose(pit_histogram([0.5], [[0.0, 1, 2, 3]], levels).observed, [0, 1, 0, 0, 0])


def test_few_cells_are_not_merged_and_many_are() -> None:
    y, values = drawn(stats.norm(), DENSE, n=500)
    assert len(pit_histogram(y, values, DENSE, bins=None).nominal) == 100
    whole = pit_histogram(y, values, DENSE, bins=None).observed.reshape(20, 5).sum(axis=1)
    np.testing.assert_allclose(pit_histogram(y, values, DENSE, bins=20).observed, whole)
    tails = tuple(sorted({*DECILES, 0.025, 0.975}))
    merged = pit_histogram(*drawn(stats.norm(), tails, n=500), tails, bins=10)
    np.testing.assert_allclose(merged.edges, np.arange(11) / 10)


def test_groups_and_what_is_not_known() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(200, 3))
    values = np.broadcast_to(stats.norm.ppf(DECILES), (200, 3, 9)).copy()
    y[5, 0], values[7, 1, 2] = np.nan, np.nan
    steps = np.array([1, 2, 4])
    found = pit_histogram(y, values, DECILES, groups=steps)
    assert found.groups is not None
    assert found.groups.tolist() == [1, 2, 4]
    assert found.n.tolist() == [199, 199, 200]
    for k in range(3):
        alone = pit_histogram(y[:, k], values[:, k], DECILES)
        np.testing.assert_allclose(found.observed[k], alone.observed)
        assert found.distance[k] == pytest.approx(float(alone.distance))
    frame = found.to_frame()
    assert frame.columns.tolist() == ["group", "low", "high", "nominal", "observed", "n"]
    assert frame["group"].tolist() == np.repeat(steps, 10).tolist()
    np.testing.assert_allclose(frame.groupby("group")["observed"].sum(), 1)
    assert len(pit_histogram(y, values, DECILES).to_frame()) == 10
    nothing = pit_histogram(np.full((4, 3), np.nan), values[:4], DECILES, groups=steps)
    assert nothing.n.tolist() == [0, 0, 0]
    assert np.isnan(nothing.observed).all()


@pytest.mark.parametrize("distribution", [stats.nbinom(2, 0.3), stats.poisson(0.2), stats.norm(1, 2)])
@pytest.mark.parametrize("levels", [UNEVEN, DENSE])
def test_reliability_of_a_right_law_holds_the_level_between(distribution: Any, levels: tuple[float, ...]) -> None:
    y, values = drawn(distribution, levels)
    found = reliability(y, values, levels)
    # Exact: the chance of being below, and at or below, a quantile.
    np.testing.assert_allclose(found["at_or_below"], distribution.cdf(values[0]), atol=0.015)
    exact = distribution.cdf(values[0] - 1) if hasattr(distribution.dist, "pmf") else distribution.cdf(values[0])
    np.testing.assert_allclose(found["below"], exact, atol=0.015)
    assert (found["below"] <= found["level"] + 0.015).all()
    assert (found["at_or_below"] >= found["level"] - 0.015).all()
    high = reliability(y, values + 2, levels)
    assert (high["below"] > high["level"] + 0.05).any()


def test_reliability_by_a_slow_loop_and_by_groups() -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 4, size=(30, 2)).astype(float)
    values = np.sort(rng.integers(0, 4, size=(30, 2, 3)), axis=-1).astype(float)
    y[3, 1], values[4, 0, 1] = np.nan, np.nan
    found = reliability(y, values, (0.1, 0.5, 0.9), groups=np.array([0, 7])).set_index(["group", "level"])
    for g, group in enumerate((0, 7)):
        for k, level in enumerate((0.1, 0.5, 0.9)):
            pairs = [(y[i, g], values[i, g, k]) for i in range(30)]
            pairs = [p for p in pairs if not np.isnan(p).any()]
            row = found.loc[(group, level)]
            assert row["n"] == len(pairs) == (29 if g or k == 1 else 30)
            assert row["below"] == pytest.approx(sum(a < b for a, b in pairs) / len(pairs))
            assert row["at_or_below"] == pytest.approx(sum(a <= b for a, b in pairs) / len(pairs))
    assert reliability(y, values, (0.1, 0.5, 0.9)).columns.tolist() == ["level", "below", "at_or_below", "n"]


def test_what_does_not_fit() -> None:
    with pytest.raises(ConfigError, match=r"ascend between 0 and 1, e.g. \(0.1, 0.5, 0.9\); got \(0.5, 0.1\)"):
        reliability(np.ones(3), np.ones((3, 2)), (0.5, 0.1))
    with pytest.raises(ConfigError, match=r"for each point and level, \(3, 2\); got \(3, 3\)"):
        pit_histogram(np.ones(3), np.ones((3, 3)), (0.1, 0.5))
    with pytest.raises(ConfigError, match="bins is at least 2"):
        pit_histogram(np.ones(3), np.ones((3, 2)), (0.1, 0.5), bins=1)
    with pytest.raises(ConfigError, match=r"groups of shape \(2,\) do not broadcast to the truth's \(3,\)"):
        reliability(np.ones(3), np.ones((3, 2)), (0.1, 0.5), groups=[0, 1])
