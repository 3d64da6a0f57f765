from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.time.calendar import Calendar
from foretide.data.windows import Windows, truth_of
from foretide.errors import ConfigError, DataError, NotFittedError
from foretide.forecasters.lavar import recipe_choice
from foretide.forecasters.lavar.seasonal_base import SeasonalBase
from foretide.forecasters.simple.calendar_es import CalendarES, CalendarMean, calendar_of
from foretide.forecasters.simple.history import season_level

HOLIDAYS = Calendar((), "DE")


def shop(rows: int = 800, seed: int = 0) -> Panel:
    """Two noise-free weekly series that fall to a fifth on German holidays and half as much again the day after."""
    panel = make_panel((rows,), targets=2)
    shape = np.array([1.2, 1.0, 0.9, 1.1, 1.4, 0.9, 0.5])
    y = np.stack([40 * shape, 15 * shape[::-1]], axis=1)[np.arange(rows) % 7]
    holiday = HOLIDAYS.values(panel.grid, np.arange(-1, rows))[:, 0] > 0
    y[holiday[1:]] *= 0.2
    y[holiday[:-1] & ~holiday[1:]] *= 1.5
    return panel.with_values(y)


@pytest.mark.parametrize("alpha", [0.1, 0.6, 1.0])
def test_without_events_it_is_the_smoothed_level_of_the_season(alpha: float) -> None:
    panel = make_panel((200, 150), targets=2, first=(0, 9))
    found = CalendarES(h=9, season=7, alpha=alpha).fit(panel).predict(panel, times(panel, [60, 101, 150]))
    for w in range(len(found.windows)):
        i, t = int(found.windows.entity[w]), int(found.windows.cutoff[w])
        level = season_level(panel.rows(i)[: t + 1], 7, alpha)
        expected = level[t - 6 + np.arange(9) % 7]
        np.testing.assert_allclose(found.mean[w], expected, rtol=1e-9)


@pytest.mark.parametrize("cycles", [1, 3])
def test_without_events_the_mean_is_that_of_the_last_cycles(cycles: int) -> None:
    panel = make_panel((200,), targets=2)
    found = CalendarMean(h=7, season=7, cycles=cycles).fit(panel).predict(panel, times(panel, [100])).mean[0]
    expected = np.mean([panel.values[101 - 7 * k : 108 - 7 * k] for k in range(1, cycles + 1)], axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("kind", [CalendarES, CalendarMean])
def test_holidays_are_forecast_beyond_the_panel(kind: type[CalendarES]) -> None:
    panel, longer = shop(700), shop(800)
    model = kind(h=60, season=7, calendar=HOLIDAYS).fit(panel)
    factors = model.factors()
    assert list(factors.index) == ["public_holiday", "public_holiday_after", "public_holiday_before"]
    np.testing.assert_allclose(factors.to_numpy()[:2], [[0.2] * 2, [1.5] * 2], rtol=0.1)
    np.testing.assert_allclose(factors.to_numpy()[2], 1.0, rtol=0.1)
    found = model.predict(panel).mean[0]
    truth = longer.values[700:760]
    assert np.abs(found - truth).max() < 0.12 * truth.max()
    plain = kind(h=60, season=7).fit(panel)
    assert plain.factors().empty
    assert np.abs(plain.predict(panel).mean[0] - truth).max() > 0.3 * truth.max()


def test_a_share_of_its_own_goes_to_a_series_for_which_it_is_clearly_better() -> None:
    rng = np.random.default_rng(0)
    walk = 100 + 3 * np.repeat(np.cumsum(rng.normal(size=400)), 7)
    still = rng.poisson(20, 2800)
    panel = make_panel((2800,), targets=2).with_values(np.column_stack([walk, still]).astype(float))
    model = CalendarES(h=7, season=7).fit(panel)
    assert model.base_ is not None
    alphas = [model.base_.recipes[int(model.base_.picks[0, d, 0])].alpha for d in range(2)]
    assert alphas[0] == 0.7
    assert alphas[1] <= 0.05
    assert (model.base_.weights[0, :, 0] > [0.9, 0.4]).all()
    mean = CalendarMean(h=7, season=7).fit(panel)
    assert mean.base_ is not None
    assert [mean.base_.recipes[int(mean.base_.picks[0, d, 0])].alpha for d in range(2)] == [2.0, 16.0]


def test_the_season_comes_from_the_frequency() -> None:
    model = CalendarES(h=3, alpha=0.3).fit(make_panel((100,)))
    assert model.base_ is not None
    assert model.base_.recipes[0].season == 7


def test_saved_and_loaded_it_forecasts_the_same(tmp_path: object) -> None:
    panel = shop(400)
    model = ft.CalendarES(h=14, season=7, calendar=HOLIDAYS, alias="shop").fit(panel)
    model.save(f"{tmp_path}/m")
    loaded = ft.load(f"{tmp_path}/m")
    assert loaded.settings() == model.settings()
    np.testing.assert_array_equal(loaded.predict(panel).mean, model.predict(panel).mean)
    pd.testing.assert_frame_equal(loaded.factors(), model.factors())


def test_columns_that_mark_events_must_be_known_ahead() -> None:
    panel = make_panel((120,), future=1)
    values = panel.values.copy()
    values[:, 1] = np.arange(120) % 29 == 3
    panel = panel.with_values(values)
    model = CalendarES(h=5).fit(panel)
    assert list(model.factors().index) == ["f0", "f0_after", "f0_before"]
    assert model.predict(panel, times(panel, [114])).mean.shape == (1, 5, 1)
    with pytest.raises(DataError, match=r"Known-future column 'f0' of 'y0' has no value at 2023-05-02 00:00:00"):
        model.predict(panel)


@pytest.mark.parametrize("alpha", [0, 0.0, -0.1, 1.1, float("nan"), "much", True])
def test_alpha_is_a_share(alpha: object) -> None:
    with pytest.raises(ConfigError, match=r"alpha is a share above 0 and at most 1, got .* Leave it out"):
        CalendarES(h=3, alpha=alpha)  # type: ignore[arg-type]


def test_other_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="cycles"):
        CalendarMean(h=3, cycles=0)
    with pytest.raises(ConfigError, match="season"):
        CalendarES(h=3, season=0)
    with pytest.raises(ConfigError, match=r"calendar is None or a foretide Calendar.*got 'DE'"):
        CalendarES(h=3, calendar="DE")  # type: ignore[arg-type]
    assert calendar_of(None) is None
    assert calendar_of({"features": ["weekday"], "country": "DE"}) == Calendar(("weekday",), "DE")
    assert calendar_of(HOLIDAYS) is HOLIDAYS


def test_factors_need_a_fit() -> None:
    with pytest.raises(NotFittedError, match=r"CalendarES is not fitted"):
        CalendarES(h=3).factors()


def test_factors_have_a_column_per_series() -> None:
    one = shop(400)
    values = np.concatenate([one.values, one.values * [1.0, 0.0] + 5.0])
    panel = make_panel((400, 400), targets=2).with_values(values)
    model = CalendarES(h=3, season=7, alpha=0.2, calendar=HOLIDAYS).fit(panel)
    assert model.base_ is not None
    table = model.factors()
    assert table.shape == (3, 4)
    for s in range(4):
        np.testing.assert_array_equal(table[s], model.base_.factors[s // 2, :, s % 2])


def test_series_that_say_little_lean_on_the_same_share() -> None:
    rng = np.random.default_rng(3)
    rare = rng.poisson(0.15, (280, 12)).astype(float)
    model = CalendarES(h=14, season=7).fit(make_panel((280,), targets=12).with_values(rare))
    assert model.base_ is not None
    weights = np.take_along_axis(model.base_.weights, model.base_.picks.argsort(axis=2), axis=2)[0]
    assert len(np.unique(weights.argmax(axis=1))) == 1
    assert np.ptp(weights, axis=0).max() < 0.3


def test_choices_can_be_read_as_a_table() -> None:
    values = np.column_stack([np.random.default_rng(3).poisson(5.0, 280), np.zeros(280)]).astype(float)
    model = CalendarES(h=14, season=7).fit(make_panel((280,), targets=2).with_values(values))
    table = model.choices()
    assert set(table["setting"]) == {"recipe"}
    loud, silent = (own.drop(columns="series").reset_index(drop=True) for _, own in table.groupby("series"))
    assert loud["own"].all()
    assert not silent["own"].any()
    pd.testing.assert_frame_equal(loud.drop(columns="own"), silent.drop(columns="own"))
    assert loud["weight"].sum() == pytest.approx(1.0)
    with pytest.raises(NotFittedError, match="not fitted"):
        CalendarES(h=14).choices()


def wandering(seed: int, rows: int, *, alike: bool) -> np.ndarray:
    """Counts of 40 series: weekly profile times levels that wander, all as much, or each in its own way."""
    rng = np.random.default_rng(seed)
    step = np.full(40, 0.02) if alike else np.geomspace(0.001, 0.15, 40)
    level = np.exp(np.cumsum(rng.normal(0, step, (rows, 40)), axis=0)) * rng.uniform(0.5, 20, 40)
    profile = 1 + 0.6 * np.sin(2 * np.pi * (np.arange(rows)[:, None] / 7 + rng.random(40)))
    return rng.poisson(np.minimum(level, 500) * profile).astype(float)


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("name", ["level", "mean"])
def test_the_choice_is_no_worse_than_one_for_all_and_than_each_its_own(
    name: str, alike: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On draws that no constant was set on: short alike series want one smoothing for all, long ones their own."""
    h, errors = 14, np.zeros((4, 3))
    kind = CalendarES if name == "level" else CalendarMean
    for k, seed in enumerate((9101, 9102, 9103, 9104)):
        rows = 70 if alike else 560
        values = wandering(seed, rows + h, alike=alike)
        panel = make_panel((rows + h,) * 40).with_values(values.T.reshape(-1, 1))
        train = panel.head(np.full(40, rows))
        model = kind(h, season=7).fit(train)
        assert model.base_ is not None
        errors[k, 0] = squared(model.base_, panel, rows, h)
        for column, shrink in ((1, 1e18), (2, 0.0)):
            with monkeypatch.context() as patch:
                patch.setattr(recipe_choice, "SHRINK", shrink)
                one = SeasonalBase.fit(train, h, model.base_.recipes, 7, top=1)
            errors[k, column] = squared(one, panel, rows, h)
    shrunk, pooled, own = errors.mean(axis=0)
    assert shrunk <= 1.01 * min(pooled, own)


def squared(base: SeasonalBase, panel: Panel, rows: int, h: int) -> float:
    """Error of the last ``h`` steps in units of each series' mean, which is that of its counts' variance."""
    windows = Windows(np.arange(40), np.full(40, rows - 1))
    truth = truth_of(panel, windows, h)
    return float((((base.at(panel, windows, h) - truth) ** 2).mean(axis=1) / (truth.mean(axis=1) + 0.1)).mean())
