"""Stock decisions against brute force, SciPy's quantiles and the quantile loss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foretide.errors import ConfigError
from foretide.evaluation.cards.distributions import Distributions
from foretide.evaluation.metrics.quantiles import (
    DENSE,
    Quantiles,
    pinball,
)
from foretide.evaluation.metrics.stock import critical_ratio, newsvendor_quantity, order_up_to, stock_decisions
from foretide.evaluation.metrics.table import METRICS, find_metric, metric_of

DEMAND = stats.nbinom(2, 0.3)
LEVELS = (0.1, 0.5, 0.9)
FAMILIES = [name for name, metric in METRICS.items() if metric.parameter == "quantile"]


# ---------------------------------------------------------------- measures by name
def test_measures_of_a_stocked_quantile_by_a_slow_loop() -> None:
    rng = np.random.default_rng(0)
    y = rng.poisson(3.0, size=(40, 3)).astype(float)
    q = rng.poisson(4.0, size=(40, 3)).astype(float)
    y[2, 1] = np.nan
    distribution = Quantiles(LEVELS, np.stack([q - 9, q - 5, q], axis=-1))
    total = dict.fromkeys(("service_level", "stock_out", "holding", "shortage", "fill_rate", "stock_cost"), 0.0)
    n = demand = 0.0
    for truth, held in zip(y.ravel(), q.ravel(), strict=True):
        if np.isnan(truth):
            continue
        n, demand = n + 1, demand + truth
        total["service_level"] += truth <= held
        total["stock_out"] += truth > held
        total["holding"] += held - truth if held > truth else 0
        total["shortage"] += truth - held if truth > held else 0
        total["fill_rate"] += min(truth, held)
        total["stock_cost"] += 0.9 * (truth - held) if truth > held else 0.1 * (held - truth)
    assert set(FAMILIES) == set(total)
    for family, expected in total.items():
        metric = metric_of(f"{family}_90")
        assert metric.quantiles is not None
        assert metric.quantiles(metric.level) == (0.9,)
        assert metric.pooled == ("size" if family == "fill_rate" else "points")
        points = metric.points(y, y, quantiles=distribution)
        assert np.isnan(points[2, 1])
        size = demand if metric.pooled == "size" else n
        assert metric(y, y, quantiles=distribution) == pytest.approx(expected / size)


@settings(max_examples=100)
@given(st.floats(0, 50), st.floats(0, 50), st.sampled_from([50.0, 80.0, 97.5]))
def test_the_cost_of_stock_is_the_quantile_loss_and_its_parts(y: float, q: float, level: float) -> None:
    distribution = Quantiles((level / 100,), np.array([[q]]))
    at = np.array([y])
    figures = {
        family: float(METRICS[family].at(level).points(at, at, quantiles=distribution)[0]) for family in FAMILIES
    }
    share = level / 100
    assert figures["stock_cost"] == pytest.approx(share * figures["shortage"] + (1 - share) * figures["holding"])
    assert figures["stock_cost"] == pytest.approx(float(pinball(y, q, share)))
    assert figures["fill_rate"] + figures["shortage"] == pytest.approx(y)
    assert figures["service_level"] == 1 - figures["stock_out"]


def test_distributions_know_the_metrics_whose_quantile_they_hold() -> None:
    truth = np.array([[[1.0], [4.0]]])
    distributions = Distributions(truth, {"A": Quantiles(LEVELS, np.array([[[[0.0, 1, 3]], [[0, 2, 3]]]]))}, (80.0,))
    for family in FAMILIES:
        assert all(distributions.suffice("A", METRICS[family].at(level)) for level in (90, 50))
    assert not distributions.suffice("A", metric_of("service_level_95"))
    assert not distributions.suffice("B", metric_of("service_level_90"))
    own = distributions.judged("A", metric_of("service_level_90"))
    assert metric_of("service_level_90").points(truth, truth, quantiles=own).ravel().tolist() == [1, 0]
    assert metric_of("shortage_90").points(truth, truth, quantiles=own).ravel().tolist() == [0, 1]
    assert find_metric("service_level_100") is None
    with pytest.raises(ConfigError, match="Did you mean 'service_level_90'"):
        metric_of("servce_level_90")


# ---------------------------------------------------------------- quantities
def test_the_quantity_is_the_quantile_at_the_critical_ratio() -> None:
    held = np.stack([DEMAND.ppf(DENSE), stats.poisson.ppf(DENSE, 7)])
    found = newsvendor_quantity(held, DENSE, 19.0, 1.0, counts=True)
    assert found.tolist() == [DEMAND.ppf(0.95), stats.poisson.ppf(0.95, 7)]
    # Between two levels: interpolated, and up to the next whole unit.
    assert newsvendor_quantity([2.0, 5.0], (0.8, 0.9), 83.0, 17.0) == pytest.approx(2.9)
    assert newsvendor_quantity([2.0, 5.0], (0.8, 0.9), 83.0, 17.0, counts=True) == 3
    assert newsvendor_quantity([2.0, 2.0], (0.8, 0.9), 83.0, 17.0, counts=True) == 2
    z = newsvendor_quantity(stats.norm.ppf(DENSE), DENSE, 0.755, 0.245)
    assert float(z) == pytest.approx(stats.norm.ppf(0.755), abs=1e-3)


def test_the_quantity_costs_least_of_all() -> None:
    """Expected cost of every stock, summed over the distribution."""
    k = np.arange(300)
    for shortage, holding in ((9.0, 1.0), (1.0, 1.0), (1.0, 3.0), (32.0, 1.0)):
        cost = [
            np.sum(DEMAND.pmf(k) * (shortage * np.maximum(k - q, 0) + holding * np.maximum(q - k, 0)))
            for q in range(40)
        ]
        found = float(newsvendor_quantity(DEMAND.ppf(DENSE), DENSE, shortage, holding, counts=True))
        assert found == np.argmin(cost)


def test_quantities_that_cannot_be_told() -> None:
    with pytest.raises(ConfigError, match=r"quantile 0.95, and levels 0.1 to 0.9 are held.*quantiles=\[..., 0.95\]"):
        newsvendor_quantity(np.ones((2, 3)), LEVELS, 19, 1)
    with pytest.raises(ConfigError, match="holding_cost is a positive cost of one unit and step, got 0"):
        newsvendor_quantity(np.ones((2, 3)), LEVELS, 1, 0)
    with pytest.raises(ConfigError, match=r"Expected quantiles \[..., 3\] of ascending levels; got shape \(2, 4\)"):
        newsvendor_quantity(np.ones((2, 4)), LEVELS, 1, 1)


# ---------------------------------------------------------------- decisions
def test_decisions_by_brute_force_and_by_groups() -> None:
    rng = np.random.default_rng(1)
    y, held = rng.poisson(2.0, size=(50, 4)).astype(float), rng.poisson(3.0, size=(50, 4)).astype(float)
    y[0, 0] = np.nan
    y[:, 3] = 0
    series = np.arange(4)
    found = stock_decisions(y, held, 5.0, 2.0, groups=series, n_groups=5)
    for s in range(4):
        pairs = [(a, b) for a, b in zip(y[:, s], held[:, s], strict=True) if not np.isnan(a)]
        row, n = found.loc[s], len(pairs)
        assert row["n"] == n == (49 if s == 0 else 50)
        assert row["service_level"] == pytest.approx(sum(a <= b for a, b in pairs) / n)
        assert row["stock_out_days"] == sum(a > b for a, b in pairs)
        assert row["holding"] == pytest.approx(sum(max(b - a, 0) for a, b in pairs) / n)
        assert row["shortage"] == pytest.approx(sum(max(a - b, 0) for a, b in pairs) / n)
        assert row["cost"] == pytest.approx(sum(5 * (a - b) if a > b else 2 * (b - a) for a, b in pairs) / n)
        if s < 3:
            assert row["fill_rate"] == pytest.approx(sum(min(a, b) for a, b in pairs) / sum(a for a, _ in pairs))
    assert np.isnan(found.loc[3, "fill_rate"])
    assert found.loc[4].drop(["stock_out_days", "n"]).isna().all()
    assert found.loc[4, "n"] == 0
    whole = stock_decisions(y, held, 5.0, 2.0)
    assert len(whole) == 1
    assert whole.loc[0, "stock_out_days"] == found["stock_out_days"].sum()
    assert whole.loc[0, "cost"] == pytest.approx(np.average(found["cost"][:4], weights=found["n"][:4]))
    # The cost is the quantile loss at the critical ratio, times both costs.
    assert whole.loc[0, "cost"] == pytest.approx(7 * np.nanmean(pinball(y, held, 5 / 7)))


def test_the_right_law_gives_the_service_it_promises() -> None:
    y = stats.norm(20, 4).rvs(size=20_000, random_state=2)
    quantity = np.full(y.shape, newsvendor_quantity(stats.norm(20, 4).ppf(DENSE), DENSE, 9, 1))
    found = stock_decisions(y, quantity, 9, 1).loc[0]
    assert found["service_level"] == pytest.approx(0.9, abs=0.007)
    for other in (quantity - 1.5, quantity + 1.5):
        assert stock_decisions(y, other, 9, 1).loc[0, "cost"] > found["cost"]


def test_decisions_that_do_not_fit() -> None:
    with pytest.raises(ConfigError, match=r"Demand has shape \(3,\), stock \(4,\)"):
        stock_decisions(np.ones(3), np.ones(4), 1, 1)
    with pytest.raises(ConfigError, match=r"groups are numbered 0 \.\. 1, got 0 to 2"):
        stock_decisions(np.ones(3), np.ones(3), 1, 1, groups=[0, 1, 2], n_groups=2)
    with pytest.raises(ConfigError, match="shortage_cost is a positive cost"):
        stock_decisions(np.ones(3), np.ones(3), -1, 1)
    with pytest.raises(ConfigError, match=r"groups of shape \(2,\) do not broadcast"):
        stock_decisions(np.ones(3), np.ones(3), 1, 1, groups=[0, 1])


# ---------------------------------------------------------------- lead times
def test_stock_for_a_lead_time_is_a_quantile_of_the_sum() -> None:
    rng = np.random.default_rng(5)
    apart = rng.poisson(3.0, size=(1, 20_000, 6, 1)).astype(float)
    together = np.repeat(rng.poisson(3.0, size=(1, 20_000, 1, 1)), 6, axis=2).astype(float)
    for service in (0.5, 0.9, 0.99):
        assert abs(order_up_to(apart, 4, service)[0, 0] - stats.poisson(12).ppf(service)) <= 1
        assert order_up_to(together, 4, service)[0, 0] == 4 * np.quantile(together[:, :, 0], service)
    lasts = (together.sum(axis=2) <= order_up_to(together, 6, 0.9)[:, None]).mean()
    assert lasts >= 0.9


def test_stock_for_a_lead_time_says_what_it_needs() -> None:
    paths = np.zeros((1, 10, 5, 2))
    with pytest.raises(ConfigError, match="from 1 to 5, which the paths have; got 6"):
        order_up_to(paths, 6, 0.9)
    with pytest.raises(ConfigError, match="fraction between 0 and 1, got 95"):
        order_up_to(paths, 5, 95)
    with pytest.raises(ConfigError, match=r"forecast.sample\(\)"):
        order_up_to(paths[0], 5, 0.9)
    with pytest.raises(ConfigError, match=r"forecast.sample\(\) gives them, got object"):
        order_up_to(object(), 5, 0.9)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="fraction between 0 and 1, got '0.9'"):
        order_up_to(paths, 5, "0.9")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="from 1 to 5, which the paths have; got True"):
        order_up_to(paths, True, 0.9)
    with pytest.raises(ConfigError, match="shortage_cost is a positive cost of one unit and step, got '9'"):
        critical_ratio("9", 1)  # type: ignore[arg-type]
