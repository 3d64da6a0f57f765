from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times
from documented import metric_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foretide.errors import ConfigError
from foretide.evaluation.metrics.scale import NEAR_ZERO, training_scale
from foretide.evaluation.metrics.table import METRICS, find_metric, metric_of, shown_metrics

numbers = st.floats(-1e4, 1e4).map(lambda v: round(v, 6))
cells = st.one_of(numbers, st.just(np.nan))
shape = (3, 2, 2)
tables = arrays(np.float64, shape, elements=cells)
full = arrays(np.float64, shape, elements=numbers)
SCALE = 2.5
OF_MEANS = [name for name, metric in METRICS.items() if metric.quantiles is None and not metric.counts]


def slow(name: str, y: np.ndarray, f: np.ndarray, near_zero: float = 0.0) -> float:
    """The definition, one point at a time."""
    found = []
    for a, b in zip(y.ravel(), f.ravel(), strict=True):
        if math.isnan(a) or math.isnan(b):
            continue
        if name in ("rmse", "mse"):
            found.append((b - a) ** 2)
        elif name == "mae":
            found.append(abs(b - a))
        elif name == "bias":
            found.append(b - a)
        elif name == "mape" and abs(a) > near_zero:
            found.append(100 * abs(b - a) / abs(a))
        elif name == "smape":
            found.append(200 * abs(b - a) / (abs(a) + abs(b)) if a or b else 0.0)
        elif name == "mase":
            found.append(abs(b - a) / SCALE)
        elif name == "rmsse":
            found.append(((b - a) / SCALE) ** 2)
    if not found:
        return math.nan
    mean = math.fsum(found) / len(found)
    return math.sqrt(mean) if name in ("rmse", "rmsse") else mean


@pytest.mark.parametrize("name", OF_MEANS)
@settings(max_examples=40)
@given(y=tables, f=tables)
def test_equal_to_a_slow_loop(name: str, y: np.ndarray, f: np.ndarray) -> None:
    scale = SCALE if METRICS[name].scale in ("mae", "rmse") else None
    assert METRICS[name](y, f, scale) == pytest.approx(slow(name, y, f), rel=1e-9, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", OF_MEANS)
@settings(max_examples=20)
@given(y=tables, f=tables)
def test_groups_reduce_as_parts(name: str, y: np.ndarray, f: np.ndarray) -> None:
    scale = SCALE if METRICS[name].scale in ("mae", "rmse") else None
    step = np.broadcast_to(np.arange(shape[1])[None, :, None], shape)
    one = np.zeros(shape, dtype=np.int64)
    steps = METRICS[name].reduce(METRICS[name].points(y, f, scale), y, step, shape[1], one)
    expected = [slow(name, y[:, k], f[:, k]) for k in range(shape[1])]
    np.testing.assert_allclose(steps, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["rmse", "mae", "mape", "smape", "mase", "rmsse", "mse"])
@settings(max_examples=30)
@given(y=full, f=full)
def test_errors_are_never_negative_and_zero_for_the_truth(name: str, y: np.ndarray, f: np.ndarray) -> None:
    scale = SCALE if METRICS[name].scale in ("mae", "rmse") else None
    assert not METRICS[name](y, f, scale) < 0
    if (y != 0).any():
        assert METRICS[name](y, y, scale) == 0


@settings(max_examples=30)
@given(y=full, f=full, unit=st.sampled_from([1e-3, 7.0, 1e4]))
def test_units(y: np.ndarray, f: np.ndarray, unit: float) -> None:
    assert METRICS["rmse"](unit * y, unit * f) == pytest.approx(unit * METRICS["rmse"](y, f))
    assert METRICS["smape"](unit * y, unit * f) == pytest.approx(METRICS["smape"](y, f))
    assert METRICS["smape"](y, f) <= 200
    assert METRICS["mase"](unit * y, unit * f, unit) == pytest.approx(METRICS["mase"](y, f, 1.0))
    assert METRICS["mae"](y, f) <= METRICS["rmse"](y, f) * (1 + 1e-12)
    assert abs(METRICS["bias"](y, f)) <= METRICS["mae"](y, f) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("name", "factor"), [("rmse", 1), ("mae", 1), ("mse", 1), ("bias", 1), ("mape", 100), ("smape", 200)]
)
def test_equal_to_utilsforecast(name: str, factor: float) -> None:
    from utilsforecast import losses

    frame, y, f, groups, series = long_frame()
    expected = getattr(losses, name)(frame, ["m"])["m"].to_numpy() * factor
    got = METRICS[name].reduce(METRICS[name].points(y, f), y, groups, 3, series)
    np.testing.assert_allclose(got, expected, rtol=1e-9)


@pytest.mark.parametrize(("ours", "field"), [("mase", "mae"), ("rmsse", "rmse")])
@pytest.mark.parametrize("season", [1, 7])
def test_scaled_metrics_are_utilsforecasts(ours: str, field: str, season: int) -> None:
    from utilsforecast import losses

    panel = make_panel((60, 50, 40))
    frame, y, f, groups, series = long_frame()
    train = pd.DataFrame(
        {
            "unique_id": np.repeat(panel.ids, panel.length),
            "ds": np.concatenate([np.arange(n) for n in panel.length]),
            "y": panel.values[:, 0],
        }
    )
    frame["unique_id"] = np.repeat(panel.ids, 20)
    expected = getattr(losses, ours)(frame, ["m"], seasonality=season, train_df=train)["m"].to_numpy()
    scale = getattr(training_scale(panel, panel, season), field)[groups, 0]
    points = METRICS[ours].points(y, f, scale)
    np.testing.assert_allclose(METRICS[ours].reduce(points, y, groups, 3, series), expected, rtol=1e-9)
    # Over all series: the mean of the series' values.
    whole = METRICS[ours].reduce(points, y, np.zeros_like(groups), 1, series)
    np.testing.assert_allclose(whole, [expected.mean()], rtol=1e-9)


def long_frame() -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(3), 20)
    y, f = rng.normal(size=60) + 3, rng.normal(size=60) + 3
    frame = pd.DataFrame({"unique_id": groups, "ds": np.tile(np.arange(20), 3), "y": y, "m": f})
    return frame, y, f, groups, groups.copy()


def test_mape_leaves_out_truths_near_zero() -> None:
    y, f = np.array([0.0, 0.004, 10.0]), np.array([1.0, 1.0, 11.0])
    assert METRICS["mape"](y, f) == pytest.approx((100 * 0.996 / 0.004 + 10) / 2)
    assert METRICS["mape"](y, f, 0.005) == pytest.approx(10)
    assert math.isnan(METRICS["mape"](np.zeros(2), np.ones(2)))


def test_smape_of_two_zeros_is_zero() -> None:
    assert METRICS["smape"](np.array([0.0, 1.0]), np.array([0.0, -1.0])) == 100.0


def test_training_scale_names_what_it_drops() -> None:
    panel = make_panel((60, 60, 60, 5))
    values = panel.values.copy()
    values[60:120] = 4.0
    values[120:180] = np.tile(np.arange(7.0), 9)[:60, None]
    panel = panel.with_values(values)
    scale = training_scale(panel, panel.until(times(panel, [39])[0]), 7)
    assert scale.dropped == {
        "the training part repeats itself exactly every 7 steps": ("shop1", "shop2"),
        "no two observed training values lie 7 steps apart": ("shop3",),
    }
    train = values[:40, 0]
    assert scale.mae[0, 0] == pytest.approx(np.mean(np.abs(train[7:] - train[:-7])))
    assert scale.rmse[0, 0] == pytest.approx(np.sqrt(np.mean((train[7:] - train[:-7]) ** 2)))
    assert np.isnan(scale.mae[1:]).all()
    assert scale.near_zero[1, 0] == pytest.approx(NEAR_ZERO * 4)


def test_training_scale_skips_missing_values_and_absent_entities() -> None:
    panel = make_panel((60, 60), first=(0, 50), missing=0.2)
    scale = training_scale(panel, panel.until(times(panel, [40])[0]), 1)
    expected = pd.Series(panel.values[:41, 0]).diff().abs().mean()
    assert scale.mae[0, 0] == pytest.approx(expected)
    assert scale.dropped == {"no two observed training values lie 1 steps apart": ("shop1",)}


def reject(call: Callable[[], object], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        call()


def test_clear_errors() -> None:
    one = np.ones(2)
    reject(lambda: METRICS["mase"](one, one), "Give scale=")
    reject(lambda: METRICS["rmse"](one, np.ones(3)), r"truth has shape \(2,\), forecast \(3,\)")
    reject(lambda: metric_of("rmsee"), r"There is no metric 'rmsee'\. Did you mean 'rmse'")


def test_families_have_members_at_any_level() -> None:
    member = metric_of("winkler_97.5")
    assert (member.name, member.family, member.level) == ("winkler_97.5", "winkler", 97.5)
    assert "97.5 %" in member.meaning
    assert metric_of("coverage_80").goal == 0.8
    assert metric_of("service_level_90").better == "higher"
    for name in ("coverage_100", "coverage_0", "covrage_80", "rmse_80", "coverage", "coverage_", "coverage_x"):
        assert find_metric(name) is None
    reject(lambda: metric_of("coverage"), "Did you mean 'coverage_80'")
    reject(lambda: metric_of("stock_cost_0.9"), "levels of metrics are percentages above 1. Type stock_cost_90")


def test_only_losses_that_the_best_forecast_makes_least_can_be_searched() -> None:
    searchable = {name for name, metric in METRICS.items() if metric.searchable}
    assert searchable == {
        "rmse", "mae", "mape", "smape", "mase", "rmsse", "mse", "wql", "crps", "winkler", "stock_cost",
    }  # fmt: skip


def test_what_pages_and_notebooks_show() -> None:
    board = [
        "model", "kind", "rmse", "mae", "mape", "mase", "rmsse", "bias", "mse", "wql", "crps", "coverage_80",
        "coverage_95", "fair_coverage_80", "fair_coverage_95", "winkler_80", "winkler_95", "width_80", "zero_accuracy",
        "skill_vs_best_baseline",
    ]  # fmt: skip
    assert shown_metrics(board, "page", "rmse") == ["rmse", "mae", "mase", "bias"]
    assert shown_metrics(board, "page of counts", "mse") == [
        "mse", "mae", "rmsse", "wql", "crps", "coverage_80", "coverage_95", "fair_coverage_80", "winkler_80",
        "zero_accuracy",
    ]  # fmt: skip
    assert shown_metrics(board, "notebook", "rmse") == ["rmse", "mae", "mase", "mse", "wql", "coverage_80"]


def test_the_documented_table_is_this_one() -> None:
    text = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert [line for line in metric_rows() if line not in text] == []
    assert sum(line.startswith("| `") and line.count("|") == 6 for line in text.splitlines()) == len(METRICS)


def test_means_over_series_take_no_table_of_groups_and_series() -> None:
    n = 4000
    figures, codes = np.repeat(np.arange(1.0, n + 1), 2), np.repeat(np.arange(n), 2)
    tracemalloc.start()
    by_series = METRICS["mase"].reduce(figures, figures, codes, n, codes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(by_series, np.arange(1.0, n + 1))
    assert peak < 2_000_000  # a table of all pairs has 16 million cells


def test_means_over_series_are_those_of_a_slow_loop() -> None:
    rng = np.random.default_rng(0)
    figures, codes, series = rng.gamma(1.0, 1.0, 300), rng.integers(0, 6, 300), rng.integers(0, 40, 300)
    figures[rng.random(300) < 0.2] = np.nan
    codes[codes == 4] = 5  # a group without points
    found = METRICS["mase"].reduce(figures, figures, codes, 6, series)
    for group in range(6):
        parts = [figures[(codes == group) & (series == s)] for s in range(40)]
        means = [np.nanmean(part) for part in parts if (~np.isnan(part)).any()]
        np.testing.assert_allclose(found[group], np.mean(means) if means else np.nan, rtol=1e-12)
