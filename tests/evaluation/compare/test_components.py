"""Variance components against statsmodels, a slow loop and simulated effects."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from foretide.errors import ConfigError, DataError
from foretide.evaluation.compare.components import variance_components

SOURCES = ["seed", "fold", "series", "seed x fold", "seed x series", "fold x series", "seed x fold x series"]


def simulated(
    rng: np.random.Generator, shape: tuple[int, int, int], deviations: dict[tuple[int, ...], float]
) -> np.ndarray:
    total = np.full(shape, 10.0)
    for axes, deviation in deviations.items():
        total += rng.normal(scale=deviation, size=[size if a in axes else 1 for a, size in enumerate(shape)])
    return total


def test_sums_of_squares_are_those_of_statsmodels() -> None:
    anova = pytest.importorskip("statsmodels.stats.anova")
    formula = pytest.importorskip("statsmodels.formula.api")
    x = simulated(np.random.default_rng(0), (3, 4, 5), {(0,): 1.0, (1, 2): 2.0, (0, 1, 2): 1.0})
    cells = pd.DataFrame(
        [(*place, x[place]) for place in itertools.product(*map(range, x.shape))],
        columns=["seed", "fold", "series", "y"],
    )
    model = formula.ols("y ~ (C(seed) + C(fold) + C(series)) ** 2", cells).fit()
    twin, found = anova.anova_lm(model), variance_components(x).set_index("source")
    names = {f"C({a})": a for a in ("seed", "fold", "series")}
    for key, row in twin.iterrows():
        source = " x ".join(names[part] for part in key.split(":")) if key != "Residual" else SOURCES[-1]
        assert found.loc[source, "sum_of_squares"] == pytest.approx(row["sum_sq"], rel=1e-9)
        assert found.loc[source, "freedom"] == row["df"]
    assert len(twin) == 7


def test_sums_of_squares_add_up_by_a_slow_loop() -> None:
    x = np.random.default_rng(1).gamma(2.0, size=(3, 4, 6))
    mean, total, by_fold = sum(x.ravel()) / x.size, 0.0, 0.0
    for s, k, n in itertools.product(range(3), range(4), range(6)):
        total += (x[s, k, n] - mean) ** 2
        by_fold += (sum(x[a, k, b] for a in range(3) for b in range(6)) / 18 - mean) ** 2
    found = variance_components(x).set_index("source")
    assert found.index.tolist() == [*SOURCES, "total"]
    assert found.loc["total", "sum_of_squares"] == pytest.approx(total)
    assert found.loc[SOURCES, "sum_of_squares"].sum() == pytest.approx(total)
    assert found.loc["fold", "sum_of_squares"] == pytest.approx(by_fold)
    assert found.loc[SOURCES, "share"].sum() == pytest.approx(1)
    assert found.loc[SOURCES, "freedom"].sum() == x.size - 1 == found.loc["total", "freedom"]


def test_components_of_simulated_effects_are_found() -> None:
    rng, shape = np.random.default_rng(2), (8, 10, 12)
    deviations = {(0,): 1.0, (1,): 2.0, (2,): 3.0, (0, 1): 1.0, (0, 2): 0.7, (1, 2): 1.5, (0, 1, 2): 1.0}
    mean = sum(variance_components(simulated(rng, shape, deviations))["variance"].to_numpy() for _ in range(300)) / 300
    expected = np.square(list(deviations.values()))
    np.testing.assert_allclose(mean, [*expected, expected.sum()], rtol=0.1)


def test_the_standard_error_of_the_total_is_the_spread_of_the_mean() -> None:
    rng, shape, deviations = np.random.default_rng(3), (8, 10, 12), {(0,): 0.5, (1,): 1.0, (2,): 1.0, (0, 1, 2): 1.0}
    drawn = [simulated(rng, shape, deviations) for _ in range(600)]
    tables = [variance_components(x).set_index("source")["standard_error"] for x in drawn]
    spread = np.std([x.mean() for x in drawn])
    assert np.sqrt(np.mean([t["total"] ** 2 for t in tables])) == pytest.approx(spread, rel=0.08)
    # The spread of the seeds alone says nothing of the folds.
    assert np.sqrt(np.mean([t["seed"] ** 2 for t in tables])) < 0.5 * spread


def test_standard_errors_over_one_axis() -> None:
    x = np.random.default_rng(4).gamma(2.0, size=(5, 6, 7))
    found = variance_components(x).set_index("source")["standard_error"]
    assert found["seed"] == pytest.approx(np.std(x.mean(axis=(1, 2)), ddof=1) / np.sqrt(5))
    assert found["fold"] == pytest.approx(np.std(x.mean(axis=(0, 2)), ddof=1) / np.sqrt(6))
    assert np.isnan(found["seed x fold"])


def test_negative_components_are_zero_and_flagged() -> None:
    # Every seed has the same mean, while seeds differ within folds: the seeds' component is estimated below zero.
    x = np.array([[0.0, 1, 0, 1], [1.0, 0, 1, 0]])
    found = variance_components(x, ("seed", "fold")).set_index("source")
    assert found.loc["seed", "sum_of_squares"] == 0
    assert found["negative"].tolist() == [True, True, False, False]
    assert found.loc["seed", "variance"] == 0
    # Mean square of the rest: 2 / 3; (0 - 2 / 3) / 4 for seeds is below zero.
    assert found.loc["seed x fold", "variance"] == pytest.approx(2 / 3)
    flat = variance_components(np.ones((2, 3, 4)))
    assert flat["variance"].tolist() == [0.0] * 8
    assert flat["share"].isna().all()


def test_what_cannot_be_split() -> None:
    x = np.ones((1, 3, 4))
    with pytest.raises(ConfigError, match=r"'seed' has 1 levels.*losses.mean\(axis=0\), names=\('fold', 'series'\)"):
        variance_components(x)
    with pytest.raises(ConfigError, match=r"one name for each axis of the losses \(2, 3\)"):
        variance_components(np.ones((2, 3)))
    holes = np.ones((2, 3, 4))
    holes[1, 2, 3] = np.nan
    with pytest.raises(DataError, match="1 of 24 losses are NaN"):
        variance_components(holes)
