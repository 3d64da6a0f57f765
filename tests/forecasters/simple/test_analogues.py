"""The values that followed similar windows: against slow loops, and on series with a known answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times
from hypothesis import given, settings
from hypothesis import strategies as st

import foretide as ft
from foretide.data.windows import Windows, slide
from foretide.errors import DataError, NotFittedError
from foretide.forecasters.simple import analogue_pools
from foretide.forecasters.simple.analogue_pool import Pool, mixture, place, quantiles_of
from foretide.forecasters.simple.analogue_states import QUICK, SLOW, States, _tables

LEVELS = tuple(np.round(np.arange(0.1, 0.95, 0.1), 1).tolist())


def smoothed(y: list[float], steps: int, t: int) -> float:
    weights = {s: (1 - 1 / steps) ** (t - s) for s in range(t + 1) if not np.isnan(y[s])}
    return sum(weights[s] * y[s] for s in weights) / sum(weights.values()) if weights else 0.0


def test_states_are_those_of_a_slow_loop() -> None:
    rng = np.random.default_rng(0)
    y = np.where(rng.random(40) < 0.5, 0.0, rng.poisson(3.0, 40)).astype(float)
    y[[0, 7, 8]] = np.nan
    level, usual, rate, size, spread, silence = (table[:, 0] for table in _tables(y[:, None]))
    for t in range(1, 40):
        seen = [s for s in range(t + 1) if not np.isnan(y[s])]
        sold = [s for s in seen if y[s] > 0]
        some = [float(y[s] > 0) if not np.isnan(y[s]) else np.nan for s in range(t + 1)]
        far = [abs(y[s] - smoothed(list(y), SLOW, max(s - 1, 0))) for s in range(t + 1)]
        assert level[t] == pytest.approx(smoothed(list(y), QUICK, t))
        assert usual[t] == pytest.approx(np.mean([y[s] for s in seen]))
        assert rate[t] == pytest.approx(0.5 * (smoothed(some, SLOW, t) + len(sold) / len(seen)))
        assert size[t] == pytest.approx(np.mean([y[s] for s in sold]) if sold else 0.0)
        assert spread[t] == pytest.approx(smoothed(far, SLOW, t))
        assert silence[t] == (t - sold[-1] if sold else t + 1)


def test_states_do_not_depend_on_other_series_or_later_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = make_panel((60, 43, 50), targets=2, missing=0.1)
    windows = slide(panel, input_size=1, h=5)
    shift = np.zeros((3, 2))
    whole = States.at(panel, windows, shift)
    monkeypatch.setattr("foretide.forecasters.simple.analogue_states.SIDE_BY_SIDE", 1)
    alone = States.at(panel, windows, shift)
    some = States.at(panel.head(np.array([30, 30, 30])), windows[windows.cutoff < 30], shift)
    for name in ("level", "usual", "rate", "size", "spread", "silence"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(alone, name))
        np.testing.assert_array_equal(getattr(whole, name)[windows.cutoff < 30], getattr(some, name))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 9), st.just(None)), min_size=1, max_size=30), st.booleans())
def test_quantiles_are_numpys(values: list[int | None], whole: bool) -> None:
    held = np.array([np.nan if v is None else v for v in values])
    known = held[~np.isnan(held)]
    if len(known):
        found = quantiles_of(held[None], LEVELS, whole)[0]
        np.testing.assert_allclose(found, np.quantile(known, LEVELS, method="inverted_cdf" if whole else "hazen"))


def states(n: int, seed: int) -> States:
    rng = np.random.default_rng(seed)
    return States(*(rng.random(n) * scale for scale in (4, 4, 1, 4, 2, 9)))


@pytest.mark.parametrize("whole", [True, False])
def test_what_followed_the_nearest_windows_is_scaled_to_the_one_at_hand(whole: bool) -> None:
    rng, n, h, k = np.random.default_rng(1), 80, 3, 7
    centre, around = 8 + 12 * rng.random((n, h)), 8 + 12 * rng.random((4, h))
    later = rng.poisson(centre).astype(float)
    pool, own = Pool.of(centre, states(n, 2), later, whole), states(4, 3)
    found = pool.values(around, own, k)
    there, here = place(centre, states(n, 2), whole), place(around, own, whole)
    for i in range(4):
        nearest = np.argsort(((there.at - here.at[i]) ** 2).sum(axis=1))[:k]
        for s in range(h):
            factor = here.unit[i] / there.unit[nearest] * here.profile[i, s] / there.profile[nearest, s]
            np.testing.assert_allclose(found[i, s], later[nearest, s] * factor, rtol=1e-5)


def test_counts_of_little_demand_are_taken_as_they_are() -> None:
    n = 40
    later = np.random.default_rng(0).poisson(0.7, (n, 2)).astype(float)
    pool = Pool.of(np.full((n, 2), 0.7), states(n, 0), later, True)
    values = pool.values(np.full((1, 2), 0.4), states(1, 1), n)[0]
    assert values.shape == (2, 20)
    np.testing.assert_allclose(values, np.rint(values), atol=1e-6)


def test_a_closed_day_says_nothing_of_an_open_one() -> None:
    open_first, closed_first = np.tile([8.0, 8.0], (5, 1)), np.tile([0.0, 16.0], (5, 1))
    centre = np.concatenate([open_first, closed_first])
    alike = States(*(np.ones(10) for _ in range(6)))
    pool = Pool.of(centre, alike, centre.copy(), True)
    values = pool.values(np.array([[8.0, 8.0], [0.0, 16.0]]), States(*(np.ones(2) for _ in range(6))), 10)
    assert np.isnan(values[0, 0]).sum() == 5
    assert np.nanmin(values[0]) == pytest.approx(8.0)
    assert np.nanmax(values[1, 0]) == 0.0


def test_means_of_counts_stay_when_values_are_made_whole() -> None:
    n = 200
    later = np.random.default_rng(0).poisson(40.0, (n, 1)).astype(float)
    pool = Pool.of(np.full((n, 1), 40.0), states(n, 0), later, True)
    values, mean = pool.drawn(np.array([[55.5]]), states(1, 0), n)
    np.testing.assert_array_equal(values, np.floor(values))
    assert values.mean() == pytest.approx(mean[0, 0], abs=0.05)


def test_blocks_of_windows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, n = np.random.default_rng(0), 60
    centre, later = 3 * rng.random((n, 2)), rng.poisson(2.0, (n, 2)).astype(float)
    pool = Pool.of(centre, states(n, 0), later, True)
    whole = mixture([pool], [centre], states(n, 0), 9, LEVELS)
    monkeypatch.setattr("foretide.forecasters.simple.analogue_pool.MOST_VALUES", 40)
    for one, other in zip(whole, mixture([pool], [centre], states(n, 0), 9, LEVELS), strict=True):
        np.testing.assert_array_equal(one, other)


def test_units_do_not_matter() -> None:
    panel = make_panel((90, 90))
    one, other = (
        ft.Analogues(h=7, k=30).fit(p).predict(p, quantiles=LEVELS)
        for p in (panel, panel.with_values(panel.values * 1000))
    )
    np.testing.assert_allclose(one.mean * 1000, other.mean, rtol=1e-3)
    assert one.quantiles is not None
    assert other.quantiles is not None
    np.testing.assert_allclose(one.quantiles * 1000, other.quantiles, rtol=1e-3)


def test_values_below_zero_move_with_their_level() -> None:
    panel = make_panel((120, 120))
    low = panel.with_values(panel.values - 40)
    forecast = ft.Analogues(h=7, k=40).fit(low).predict(low, levels=80)
    assert np.abs(forecast.mean + 20).max() < 6
    assert (forecast.quantile(0.9) - forecast.quantile(0.1)).max() < 12


def test_draws_never_looked_at_are_forecast_better_than_by_tsb_with_intervals() -> None:
    pytest.importorskip("statsforecast")
    found = []
    for seed in (131, 132):
        panel = ft.synthetic.supplies(T=400, n_targets=24, seed=seed).panel
        models = [ft.Analogues(h=14), ft.WithIntervals(ft.TSB(h=14))]
        card = ft.backtest(models, panel, h=14, n_windows=4, refit=False, baselines=False)
        found.append(card.scores("wql")[["Analogues", "TSB"]].iloc[0].to_numpy(dtype=float))
        covered = float(card.scores("coverage_80")["Analogues"].iloc[0])
        assert 0.76 < covered < 0.97
    losses = np.array(found)
    assert (losses[:, 0] < 0.85 * losses[:, 1]).all()


def monthly(rows: int, series: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rates = np.tile(rng.gamma(1.0, 2.0, series), (rows, 1)).T
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"part{i}" for i in range(series)], rows),
            "ds": np.tile(pd.date_range("2020-01-01", periods=rows, freq="MS"), series),
            "y": rng.poisson(rates).ravel(),
        }
    )


@pytest.mark.parametrize("rows", [2, 5, 8, 18])
def test_short_histories_are_forecast(rows: int) -> None:
    forecast = ft.Analogues(h=6).fit(monthly(rows, 30)).predict(monthly(rows, 30), levels=80)
    assert forecast.mean.shape == (30, 6, 1)
    assert np.isfinite(forecast.mean).all()
    assert forecast.quantiles is not None
    np.testing.assert_array_equal(forecast.quantiles, np.floor(forecast.quantiles))
    assert (forecast.quantiles >= 0).all()


def test_without_two_rows_nothing_can_be_learned() -> None:
    with pytest.raises(DataError, match=r"no series has two rows .* Give longer series"):
        ft.Analogues(h=6).fit(make_panel((1,) * 5))


def test_a_new_series_is_forecast_by_what_followed_windows_of_the_others() -> None:
    table = monthly(40, 30)
    model = ft.Analogues(h=6).fit(table[table.unique_id != "part0"])
    new = table[table.unique_id == "part0"]
    forecast = model.predict(new, levels=80)
    assert abs(float(forecast.mean.mean()) - new.y.mean()) < 1.5
    assert not [note for note in forecast.notes if note.kind == "stand-in"]


def test_pools_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analogue_pools, "MOST_WINDOWS", 50)
    model = ft.Analogues(h=7).fit(make_panel((120, 120), targets=2, whole=True))
    assert model.pools_ is not None
    assert {len(pool.at) for pool in model.pools_.held.values()} == {50}


def test_centres_are_chosen_on_held_back_steps() -> None:
    season = np.where(np.arange(300) % 7 < 5, 6.0, 0.0)
    rng = np.random.default_rng(0)
    weekly = make_panel((300, 300)).with_values(rng.poisson(np.tile(season, 2))[:, None].astype(float))
    flat = make_panel((300, 300)).with_values(rng.poisson(3.0, (600, 1)).astype(float))
    assert ft.Analogues(h=7).fit(weekly).taken_ == (0,)
    assert len(ft.Analogues(h=7).fit(flat).taken_) == 2
    table = ft.Analogues(h=7).fit(weekly).choices()
    assert set(table.value[table.setting == "centre"]) == {"seasonal base"}
    with pytest.raises(NotFittedError, match="not fitted"):
        ft.Analogues(h=7).choices()


def test_many_origins_at_once_are_the_same_as_one() -> None:
    panel = make_panel((120, 90), targets=2, whole=True)
    model = ft.Analogues(h=7, k=40).fit(panel)
    both = model.predict(panel, times(panel, [70, 80]), levels=80)
    one = model.predict(panel, times(panel, [80]), levels=80)
    late = both.windows.cutoff == 80
    np.testing.assert_array_equal(both.mean[late], one.mean)
    assert isinstance(both.windows, Windows)
