import numpy as np
import pytest
from cases import make_panel

from foretide.data.counts import are_counts, buckets, count_like, density
from foretide.data.panel import Panel
from foretide.errors import ConfigError


def with_targets(values: np.ndarray, lengths: tuple[int, ...]) -> Panel:
    return make_panel(lengths, targets=values.shape[1]).with_values(values)


def test_counts_are_whole_and_not_negative_where_observed() -> None:
    nan = np.nan
    values = np.array(
        [[0, 0.5, -1, nan, 0, np.inf], [3, 1, 2, nan, 0, 1], [nan, 2, nan, nan, 0, 2], [7, 4, 1, nan, 0, 2.0]]
    )
    assert are_counts(with_targets(values, (4,))).tolist() == [True, False, False, False, True, False]
    # One entity that breaks the rule is enough; one without observations is not.
    two = np.array([[1.0, nan], [2.0, 3.0], [0.5, nan], [1.0, nan]])
    assert are_counts(with_targets(two, (2, 2))).tolist() == [False, True]


def series(*made: np.ndarray) -> Panel:
    return make_panel(tuple(len(y) for y in made), targets=1).with_values(np.concatenate(made)[:, None].astype(float))


RNG = np.random.default_rng(0)
KINDS = {
    "small": (RNG.poisson(3, 200), True),
    "sparse": (RNG.poisson(0.1, 200), True),
    "silent": (np.zeros(200), True),
    "closed Sundays": (RNG.poisson(60, 200) * (np.arange(200) % 7 > 0), True),
    "35 a day": (RNG.poisson(35, 200), False),
    "20 a day": (RNG.poisson(20, 200), True),
    "one zero of 35 a day": (RNG.poisson(35, 200) * (np.arange(200) > 0), False),
    "revenue": (np.round(RNG.normal(1e12, 1e10, 200)), False),
    "revenue, closed Sundays": (np.round(RNG.normal(1e12, 1e10, 200)) * (np.arange(200) % 7 > 0), False),
    "fractions": (RNG.normal(1, 1, 200), False),
}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_zeros_or_small_numbers_make_counting_worth_it(name: str) -> None:
    y, expected = KINDS[name]
    assert count_like(series(y)).tolist() == [expected]


def test_half_of_the_series_or_a_tenth_of_small_ones_is_enough() -> None:
    assert count_like(series(*(RNG.poisson(mean, 50) for mean in (20, 35, 45)))).tolist() == [False]
    assert count_like(series(*(RNG.poisson(mean, 50) for mean in (20, 20, 45)))).tolist() == [True]
    many = [RNG.poisson(35, 50) for _ in range(9)]
    assert count_like(series(*many, RNG.poisson(1, 50))).tolist() == [True]
    assert count_like(series(*many, RNG.poisson(35, 50), RNG.poisson(1, 50))).tolist() == [False]
    assert count_like(series(*many, np.full(50, np.nan), RNG.poisson(1, 50))).tolist() == [True]
    assert count_like(series(np.full(50, np.nan))).tolist() == [False]


def test_large_whole_numbers_with_a_few_zeros_are_as_good_as_continuous() -> None:
    guests = [RNG.poisson(mean, 100) for mean in (300, 2000, 9000)]
    rare = RNG.poisson(60, 100) * (np.arange(100) % 40 > 0)
    assert count_like(series(*guests, rare)).tolist() == [False]
    assert count_like(series(*guests, RNG.poisson(60, 100) * (np.arange(100) % 4 > 0))).tolist() == [True]


def test_targets_and_entities_are_alike() -> None:
    many = np.column_stack([RNG.poisson(mean, 100) for mean in (35, 50, 1)]).astype(float)
    assert count_like(with_targets(many, (100,))).tolist() == [True, True, True]
    assert count_like(with_targets(many[:, :2], (100,))).tolist() == [False, False]
    many[0, 1] = 0.5
    assert count_like(with_targets(many, (100,))).tolist() == [True, False, True]


def test_density_is_the_share_above_zero_of_what_is_observed() -> None:
    nan = np.nan
    values = np.array([[0, 1.0], [2, nan], [nan, nan], [0, 0], [5, nan], [0, nan]])
    panel = with_targets(values, (4, 2))
    np.testing.assert_allclose(density(panel), [[1 / 3, 1 / 2], [1 / 2, 0.0]])
    np.testing.assert_allclose(density(panel.until(panel.grid.times([0])[0]))[:, 0], [0, 1])


def test_buckets_include_their_thresholds() -> None:
    rates = [[0.0, 0.005, 0.0051], [0.699, 0.7, 1.0]]
    expected = [["ultra", "ultra", "sparse"], ["sparse", "dense", "dense"]]
    assert buckets(rates).tolist() == expected
    assert buckets([0.0, 0.3, 0.4], dense=0.3, ultra=0.3).tolist() == ["ultra", "dense", "dense"]
    assert buckets([0.0, 0.9], dense=1, ultra=0).tolist() == ["ultra", "sparse"]
    assert buckets(np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(("dense", "ultra"), [(0.1, 0.2), (1.1, 0.0), (0.5, -0.1), (float("nan"), 0.1)])
def test_wrong_thresholds_are_refused(dense: float, ultra: float) -> None:
    with pytest.raises(ConfigError, match=r"0 <= ultra <= dense <= 1; got dense=.* Try dense=0\.7"):
        buckets([0.5], dense, ultra)
