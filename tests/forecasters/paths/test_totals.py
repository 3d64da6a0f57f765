"""Sums over steps and series, and what can be asked for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.errors import ConfigError
from foretide.forecasters.paths import source as source_module
from foretide.forecasters.paths.margins import GRID, spread_evenly


@cache
def sales() -> pd.DataFrame:
    """Three shops in two towns, whole sales."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=150)
    shops = {"a": "north", "b": "north", "c": "south"}
    parts = [
        pd.DataFrame({"unique_id": k, "ds": days, "y": rng.poisson(9, 150).astype(float), "town": town})
        for k, town in shops.items()
    ]
    return pd.concat(parts)


@cache
def forecast() -> ft.Forecast:
    panel = ft.Panel.from_frame(sales(), static=["town"])
    cutoffs = panel.grid.output_times([130, 149])
    return ft.SeasonalMean(h=7).fit(panel, until=cutoffs[0]).predict(panel, cutoffs)


def test_each_sum_has_its_row_and_its_paths() -> None:
    found, paths = forecast(), forecast().sample(1000)
    table = found.total([2, 7], levels=80, quantiles=0.5)
    assert list(table.columns) == [
        "unique_id", "ds", "cutoff", "SeasonalMean", "SeasonalMean-lo-80", "SeasonalMean-hi-80", "SeasonalMean-ql0.5",
    ]  # fmt: skip
    assert table.unique_id.to_list() == [k for k in "abc" for _ in range(4)]
    assert (table.ds - table.cutoff).dt.days.to_list() == [2, 7] * 6
    np.testing.assert_allclose(table.SeasonalMean[1::2], found.mean.sum(axis=1).ravel())
    for rows, steps in ((slice(0, None, 2), 2), (slice(1, None, 2), 7)):
        sums = paths[:, :, :steps].sum(axis=2)[..., 0]
        for column, q in (("lo-80", 0.1), ("hi-80", 0.9), ("ql0.5", 0.5)):
            expected = np.quantile(sums, q, axis=1, method="inverted_cdf")
            np.testing.assert_array_equal(table[f"SeasonalMean-{column}"][rows], expected)


def test_series_are_added_up_by_a_static_column_by_a_mapping_or_all() -> None:
    found, paths = forecast(), forecast().sample(1000)  # a, a, b, b, c, c: two cutoffs each
    towns = found.total("each", by="town", levels=80)
    assert towns.unique_id.unique().tolist() == ["north", "south"]
    assert len(towns) == 2 * 2 * 7
    north = paths[[0, 2]].sum(axis=0)[..., 0]
    np.testing.assert_array_equal(
        towns["SeasonalMean-hi-80"][:7], np.quantile(north, 0.9, axis=0, method="inverted_cdf")
    )
    mapped = found.total("each", by={"a": "north", "b": "north", "c": "south"}, levels=80)
    pd.testing.assert_frame_equal(mapped, towns)
    whole = found.total(by="all", levels=80)
    assert whole.unique_id.to_list() == ["all", "all"]
    np.testing.assert_allclose(whole.SeasonalMean, found.mean.reshape(3, 2, -1).sum(axis=(0, 2)))
    both = paths.reshape(3, 2, 1000, -1).sum(axis=(0, 3))
    np.testing.assert_array_equal(whole["SeasonalMean-lo-80"], np.quantile(both, 0.1, axis=1, method="inverted_cdf"))


def test_several_targets_are_series_too() -> None:
    wide = sales().pivot(index="ds", columns="unique_id", values="y").reset_index()
    panel = ft.Panel.from_wide(wide, time="ds", target=["a", "b", "c"])
    found = ft.SeasonalMean(h=7).fit(panel).predict(panel)
    assert found.sample(50).shape == (1, 50, 7, 3)
    assert found.total(by={"a": "x", "b": "x", "c": "y"}, levels=80).unique_id.to_list() == ["x", "y"]
    turned = found.panel.grid
    assert turned is panel.grid
    again = wide[["ds", "c", "a", "b"]]
    other = ft.Panel.from_wide(again, time="ds", target=["c", "a", "b"])
    model = ft.SeasonalMean(h=7).fit(panel)
    np.testing.assert_array_equal(
        model.predict(other).sample(50)[..., [1, 2, 0]], model.predict(panel).sample(50)
    )  # the columns of a table may stand in another order


def test_polars_is_answered_by_polars() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(sales().drop(columns="town"))
    model = ft.SeasonalMean(h=7).fit(frame)
    assert isinstance(model.predict(frame).total(by="all"), polars.DataFrame)


def test_what_is_only_summed_is_never_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = forecast().total(by="all", levels=80)
    monkeypatch.setattr(source_module, "AT_ONCE", 7 * 1000)  # one series at a time
    pd.testing.assert_frame_equal(forecast().total(by="all", levels=80), whole)
    sizes = [paths.shape[0] for _, paths in source_module.paths_of(forecast(), 1000, 0)]
    assert sizes == [1] * 6


def test_errors_say_what_to_type() -> None:
    found = forecast()
    for call, said in (
        (lambda: found.total(8), r"Sums are over 1 to 7 steps.*total\(7\)"),
        (lambda: found.total(0), "Sums are over 1 to 7 steps"),
        (lambda: found.total("every"), "total\\('each'\\)"),
        (lambda: found.total(by="twon"), "'town'"),
        (lambda: found.total(by={"a": "x"}), "no group of the series 'b'"),
        (lambda: found.sample(1), "n is a whole number of at least 2"),
        (lambda: found.sample(-1), "n is a whole number of at least 2, got -1"),
        (lambda: found.sample("many"), "n is a whole number of at least 2, got 'many'"),  # type: ignore[arg-type]
        (lambda: found.total(n=-1), "n is a whole number of at least 2, got -1"),
        (lambda: found.sample(seed=-1), "seed is a whole number of at least 0"),
        (lambda: found.total(levels=0.8), "levels=80"),
    ):
        with pytest.raises(ConfigError, match=said):
            call()
    panel = ft.Panel.from_frame(sales(), static=["town"])
    model = ft.Drift(h=3).fit(panel)
    before = model.predict(panel)
    model.fit(panel)
    with pytest.raises(ConfigError, match="fitted again"):
        before.sample()
    bare = ft.Forecast("mine", panel, before.windows, before.mean)
    with pytest.raises(ConfigError, match="does not come from predict"):
        bare.sample()


# ---------------------------------------------------------------- one distribution
def test_values_of_a_normal_distribution_beyond_the_levels_that_are_held() -> None:
    from scipy.stats import norm

    levels = (0.1, 0.3, 0.5, 0.7, 0.9)
    made = spread_evenly(np.array([5.0]), 5 + 2 * norm.ppf([levels]), levels, 2000, np.zeros(1, bool))
    np.testing.assert_allclose(made[0], 5 + 2 * norm.ppf((np.arange(2000) + 0.5) / 2000), atol=1e-9)
    floored = spread_evenly(np.array([1.0]), np.array([[0.0, 0.5, 1.0, 1.5, 2.0]]), levels, 500, np.ones(1, bool))
    assert floored.min() == 0


@pytest.mark.parametrize("mean", [0.004, 0.05, 0.8, 40.0, 700.0])
def test_whole_values_have_the_quantiles_and_the_mean(mean: float) -> None:
    from scipy.stats import poisson

    made = spread_evenly(np.array([mean]), poisson.ppf([GRID], mean), GRID, 4000, np.ones(1, bool))[0]
    assert (made == np.rint(made)).all()
    assert (np.diff(made) >= 0).all()
    assert made.mean() == pytest.approx(mean, rel=0.02, abs=0.002)
    for q in (0.1, 0.5, 0.9, 0.99):
        assert made[round(q * 4000) - 1] == poisson.ppf(q, mean)


def test_whole_values_stay_whole_beside_others() -> None:
    counts, others = np.floor(np.linspace(0, 5, len(GRID))), np.linspace(0, 5, len(GRID))
    both = np.stack([counts, others])[:, None, None]  # two windows, one step, one target
    mean, never = both.mean(axis=-1), np.ones(1, bool)
    found = spread_evenly(mean, both, GRID, 100, never)
    np.testing.assert_array_equal(found[:1], spread_evenly(mean[:1], both[:1], GRID, 100, never))
    assert (found[0] == np.rint(found[0])).all()
    assert (found[1] != np.rint(found[1])).any()
