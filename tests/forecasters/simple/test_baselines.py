from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times

from foretide.data.panel import Panel
from foretide.data.time.grid import Grid
from foretide.data.windows import Windows
from foretide.errors import ConfigError
from foretide.forecasters.simple.baselines import (
    Drift,
    Persistence,
    SeasonalES,
    SeasonalMean,
    SeasonalNaive,
    WindowMean,
)

H = 17
SEASON = 7
STEPS = [59, 60, 66, 101, 119]
BASELINES = {cls.__name__: cls for cls in (Persistence, SeasonalNaive, WindowMean, SeasonalMean, SeasonalES, Drift)}
each = pytest.mark.parametrize("name", BASELINES)


def one(values: Any) -> Panel:
    """Panel of one daily series."""
    column = np.asarray(values, dtype=np.float64)[:, None]
    zero = np.zeros(1, dtype=np.int64)
    return Panel(Grid(pd.Timestamp("2023-01-02"), "D"), ("",), column, zero, np.array([len(column)]), zero, ("y",))


def forecasts(model: Any, panel: Panel, steps: list[int] = STEPS, until: int = 59) -> np.ndarray:
    return model.fit(panel, until=times(panel, [until])[0]).predict(panel, times(panel, steps)).mean


@pytest.mark.parametrize(
    ("ours", "theirs", "arguments"),
    [
        (Persistence(H), "Naive", {}),
        (SeasonalNaive(H, SEASON), "SeasonalNaive", {"season_length": SEASON}),
        (WindowMean(H, 10), "WindowAverage", {"window_size": 10}),
        (SeasonalMean(H, SEASON, 4), "SeasonalWindowAverage", {"season_length": SEASON, "window_size": 4}),
        (Drift(H), "RandomWalkWithDrift", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_equal_to_statsforecast(ours: Any, theirs: str, arguments: dict[str, Any]) -> None:
    from statsforecast import models

    panel = make_panel((120,))
    got = forecasts(ours, panel)
    for i, step in enumerate(STEPS):
        expected = getattr(models, theirs)(**arguments).forecast(y=panel.values[: step + 1, 0].copy(), h=H)["mean"]
        np.testing.assert_allclose(got[i, :, 0], expected, rtol=1e-9)


def test_smoothing_agrees_with_statsforecast_after_a_long_history() -> None:
    # The library starts from the first value, ours from a mean: the difference fades with (1 - alpha)^cycles.
    from statsforecast.models import SeasonalExponentialSmoothing

    panel = make_panel((700,))
    got = forecasts(SeasonalES(SEASON, SEASON, 0.3), panel, [699])
    expected = SeasonalExponentialSmoothing(season_length=SEASON, alpha=0.3).forecast(y=panel.values[:, 0], h=SEASON)
    np.testing.assert_allclose(got[0, :, 0], expected["mean"], rtol=1e-9)


# ---------------------------------------------------------------- slow twins, with missing values
def slow(name: str, y: np.ndarray, k: int) -> float:
    """Forecast of step ``k`` after the last value of ``y``, written as a person would say it."""
    seen = np.flatnonzero(~np.isnan(y))
    if not len(seen):
        return np.nan
    last, end = y[seen[-1]], len(y) - 1
    if name == "Persistence":
        return float(last)
    if name == "Drift":
        a, b = seen[0], seen[-1]
        return float(last + (end + k - b) * (last - y[a]) / (b - a)) if b > a else float(last)
    if name == "WindowMean":
        window = y[-9:]
        return float(np.nanmean(window)) if not np.isnan(window).all() else float(last)
    same = [y[t] for t in range(end + k - SEASON, -1, -SEASON) if t <= end]
    if name == "SeasonalNaive" or name == "SeasonalES":
        known = [v for v in same if not np.isnan(v)]
        weights = [0.4**i for i in range(len(known))] if name == "SeasonalES" else [1.0] + [0.0] * (len(known) - 1)
        return float(np.average(known, weights=weights)) if known else float(last)
    recent = [v for v in same[:3] if not np.isnan(v)]
    older = [v for v in same if not np.isnan(v)]
    return float(np.mean(recent)) if recent else float(older[0] if older else last)


MAKE = {
    "Persistence": lambda: Persistence(H),
    "Drift": lambda: Drift(H),
    "WindowMean": lambda: WindowMean(H, 9),
    "SeasonalNaive": lambda: SeasonalNaive(H, SEASON),
    "SeasonalMean": lambda: SeasonalMean(H, SEASON, 3),
    "SeasonalES": lambda: SeasonalES(H, SEASON, 0.6),
}


@each
@pytest.mark.parametrize("missing", [0.0, 0.3, 0.8])
def test_equal_to_a_slow_loop_at_every_cutoff(name: str, missing: float) -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=45)
    values[rng.random(45) < missing] = np.nan
    values[:2] = np.nan
    values[3] = 1.5
    panel = one(values)
    got = forecasts(MAKE[name](), panel, list(range(45)), until=44)
    same_end = {k: k - (-(-k // SEASON) - 1) * SEASON for k in range(1, H + 1)}
    for c in range(45):
        for k in range(1, H + 1):
            # Steps beyond one season repeat the first season.
            step = same_end[k] if name.startswith("Seasonal") else k
            expected = slow(name, values[: c + 1], step)
            np.testing.assert_allclose(got[c, k - 1, 0], expected, rtol=1e-12, err_msg=f"cutoff {c}, step {k}")


@each
def test_nothing_known_gives_nan_and_one_value_gives_that_value(name: str) -> None:
    panel = one([np.nan, np.nan, 3.0, np.nan, 5.0] + [4.0] * 40)
    got = forecasts(MAKE[name](), panel, [1, 2, 3], until=44)
    assert np.isnan(got[0]).all()
    np.testing.assert_array_equal(got[1:], 3.0)


@each
def test_constant_series_is_continued(name: str) -> None:
    np.testing.assert_array_equal(forecasts(BASELINES[name](H), one(np.full(70, 2.5)), [60, 69]), 2.5)


@each
def test_float32_panels_are_computed_in_float64(name: str) -> None:
    panel = make_panel((120,))
    narrow = panel.with_values(panel.values.astype(np.float32))
    wide = panel.with_values(narrow.values.astype(np.float64))
    got = forecasts(BASELINES[name](H), narrow)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, forecasts(BASELINES[name](H), wide))


def test_season_is_found_and_can_be_given() -> None:
    panel = make_panel((120,))
    assert SeasonalNaive(3).fit(panel).facts() == {"season": 7}
    assert SeasonalNaive(3, season=5).fit(panel).facts() == {"season": 5}


def test_window_is_a_season_or_the_horizon() -> None:
    panel = make_panel((120,))
    assert WindowMean(3).fit(panel).facts()["window"] == 7
    counted = replace(panel, grid=Grid(0, 1))
    assert WindowMean(3).fit(counted).facts()["window"] == 3


def pandas_choice(values: np.ndarray, one_ahead: Any, grid: tuple[float, ...]) -> float:
    """The setting with the least squared error one cycle ahead, by pandas."""
    errors = []
    for setting in grid:
        made = np.full_like(values, np.nan)
        for position in range(SEASON):
            made[position::SEASON] = one_ahead(pd.Series(values[position::SEASON]), setting).shift(1)
        errors.append((made - values) ** 2)
    together = np.stack(errors)
    return grid[int(np.argmin(together[:, ~np.isnan(together).any(axis=0)].mean(axis=1)))]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("wander", [0.0, 0.4, 3.0])
def test_settings_are_chosen_by_the_error_one_cycle_ahead(seed: int, wander: float) -> None:
    rng = np.random.default_rng(seed)
    level = np.cumsum(wander * rng.normal(size=(30, SEASON)), axis=0).ravel()
    values = 10 * np.sin(np.arange(210) * 2 * np.pi / SEASON) + level + rng.normal(size=210)
    panel = one(values)
    until = times(panel, [181])[0]
    alpha = SeasonalES(3, SEASON).fit(panel, until=until).facts()["alpha"]
    assert alpha == pandas_choice(values[:182], lambda s, a: s.ewm(alpha=a).mean(), SeasonalES.grid)
    cycles = SeasonalMean(3, SEASON).fit(panel, until=until).facts()["cycles"]
    assert cycles == pandas_choice(values[:182], lambda s, n: s.rolling(n, min_periods=1).mean(), SeasonalMean.grid)


def test_a_short_training_part_takes_the_middle_of_the_grid() -> None:
    assert SeasonalES(3, SEASON).fit(one(np.arange(6.0))).facts()["alpha"] == 0.3


@pytest.mark.parametrize("bad", [0, -1, 2.5, True])
def test_bad_settings(bad: Any) -> None:
    for make, what in ((SeasonalNaive, "season"), (WindowMean, "window"), (SeasonalMean, "season")):
        with pytest.raises(ConfigError, match=f"{what} is a whole number of steps of at least 1, got {bad!r}"):
            make(3, bad)


def test_bad_alpha() -> None:
    with pytest.raises(ConfigError, match=r"alpha is a share above 0 and at most 1, got 1\.5"):
        SeasonalES(3, alpha=1.5)


@pytest.mark.timing
def test_hundreds_of_series_and_cutoffs_take_a_second_at_most() -> None:
    panel = make_panel((204,) * 336)
    cutoffs = times(panel, list(range(100, 200)))
    for name, cls in BASELINES.items():
        model = cls(12, alias=name).fit(panel, until=cutoffs[0])
        start = time.perf_counter()
        assert model.predict(panel, cutoffs).mean.shape == (33600, 12, 1)
        assert time.perf_counter() - start < 2, name


def test_real_hourly_data_is_forecast_best_by_the_season(real_data: Path) -> None:
    values = pd.read_csv(real_data / "vic_electricity.csv", usecols=["Demand"])["Demand"].to_numpy()[: 2 * 24 * 60 : 2]
    panel = replace(one(values), grid=Grid(pd.Timestamp("2012-01-01"), "h"))
    cutoffs = times(panel, list(range(700, 1400, 5)))
    error = {}
    for name, cls in BASELINES.items():
        forecast = cls(24).fit(panel, until=cutoffs[0]).predict(panel, cutoffs)
        error[name] = np.sqrt(np.nanmean((forecast.mean - forecast.truth()) ** 2))
    assert max(error["SeasonalNaive"], error["SeasonalES"]) < 0.8 * min(error["Persistence"], error["Drift"])


@each
def test_series_side_by_side_are_forecast_as_one_by_one(name: str) -> None:
    rng = np.random.default_rng(1)
    lengths = np.array([40, 33, 40, 9, 40, 33, 2])
    values = rng.gamma(2.0, 5.0, (lengths.sum(), 2)).round(1)
    values[rng.random(values.shape) < 0.1] = np.nan
    row0 = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    panel = Panel(
        Grid(pd.Timestamp("2024-01-01"), "D"), tuple("abcdefg"), values, row0, lengths, 40 - lengths, ("y", "z")
    )
    model = BASELINES[name](h=9).fit(panel.take([0, 1, 2, 4, 5]))
    windows = Windows(np.array([6, 0, 1, 2, 3, 4, 5, 0, 2, 4, 1]), np.array([1, 39, 32, 39, 8, 39, 32, 30, 30, 30, 5]))
    together = model._predict(panel, windows, (), ()).mean
    for w in range(len(windows)):
        alone = model._predict(panel, windows[np.array([w])], (), ()).mean
        np.testing.assert_array_equal(together[w], alone[0])
