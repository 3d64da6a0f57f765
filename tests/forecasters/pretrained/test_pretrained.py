"""The network as it comes with the package, on series that it has never seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import foretide as ft

LEVELS = tuple(k / 10 for k in range(1, 10))


def monthly(n: int = 40, length: int = 96) -> tuple[ft.Panel, np.ndarray]:
    """Return months with trend, season and dependent noise, and the year that follows."""
    rng, t = np.random.default_rng(3), np.arange(length + 12)
    noise = np.zeros((n, len(t)))
    for i in range(1, len(t)):
        noise[:, i] = 0.6 * noise[:, i - 1] + rng.normal(size=n)
    season = 3 * np.sin(2 * np.pi * t / 12 + rng.random((n, 1)) * 6)
    y = 100 + rng.normal(0, 0.3, (n, 1)) * t + season + noise
    times = pd.date_range("2010-01-01", periods=len(t), freq="MS")
    frame = pd.DataFrame({
        "unique_id": np.repeat([f"s{i:02}" for i in range(n)], length), "ds": np.tile(times[:length], n),
        "y": y[:, :length].ravel(),
    })  # fmt: skip
    return ft.Panel.from_frame(frame, freq="MS"), y[:, length:]


def pinball(found: np.ndarray, truth: np.ndarray) -> float:
    gap, q = truth[..., None] - found, np.array(LEVELS)
    return float(np.maximum(q * gap, (q - 1) * gap).mean())


def test_it_forecasts_series_it_was_never_fitted_to_better_than_what_is_simple() -> None:
    panel, truth = monthly()
    found = ft.Pretrained(12).fit(panel, intervals=False).predict(panel, quantiles=LEVELS, levels=())
    assert found.quantiles is not None
    loss = pinball(found.quantiles[:, :, 0], truth)
    for name in ("SeasonalNaive", "SeasonalES", "Drift"):
        other = getattr(ft, name)(12).fit(panel).predict(panel, quantiles=LEVELS, levels=())
        assert loss < 0.9 * pinball(other.quantiles[:, :, 0], truth), name


def test_its_intervals_hold_what_they_say() -> None:
    panel, truth = monthly(100)
    found = ft.Pretrained(12).fit(panel, intervals=False).predict(panel, levels=80)
    assert found.quantiles is not None
    low, high = np.moveaxis(found.quantiles[:, :, 0], -1, 0)
    assert 0.7 < float(((low <= truth) & (truth <= high)).mean()) < 0.9
    assert ((found.mean[..., 0] > low) & (found.mean[..., 0] < high)).all()


def test_hours_with_a_daily_season_are_forecast_better_than_by_the_simple() -> None:
    panel = ft.synthetic.hourly(T=700, n_series=2, seed=211).panel
    cutoffs = list(panel.grid.output_times(np.arange(500, 676, 35)))
    error = {}
    for name in ("Pretrained", "SeasonalNaive", "SeasonalES"):
        found = getattr(ft, name)(24).fit(panel, until=cutoffs[0], intervals=False).predict(panel, cutoffs, levels=())
        error[name] = float(np.sqrt(np.nanmean((found.mean - found.truth()) ** 2)))
    assert error["Pretrained"] < 0.9 * min(error["SeasonalNaive"], error["SeasonalES"]), error


def test_any_quantile_is_between_those_it_was_trained_for_or_in_the_tail_beyond() -> None:
    panel, _ = monthly(3)
    asked = (0.001, 0.025, 0.04, 0.5, 0.77, 0.999)
    found = ft.Pretrained(4).fit(panel, intervals=False).predict(panel, quantiles=asked, levels=())
    assert found.quantiles is not None
    assert (np.diff(found.quantiles, axis=-1) > 0).all()


def test_a_season_can_be_given() -> None:
    panel, truth = monthly()
    errors = [
        float(
            np.abs(
                ft.Pretrained(12, season=season).fit(panel, intervals=False).predict(panel).mean[..., 0] - truth
            ).mean()
        )
        for season in (12, 1)
    ]
    assert errors[0] < 0.8 * errors[1]


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_the_shortest_series_are_forecast(rows: int) -> None:
    panel, _ = monthly(2)
    short = panel.head(np.full(2, rows))
    assert np.isfinite(ft.Pretrained(3).fit(panel, intervals=False).predict(short).mean).all()


def test_quantiles_of_counts_are_whole() -> None:
    panel = ft.synthetic.supplies(T=120, n_targets=4, seed=101).panel
    found = ft.Pretrained(7).fit(panel, intervals=False).predict(panel)
    assert found.quantiles is not None
    assert (found.quantiles == np.round(found.quantiles)).all()
    assert (found.mean != np.round(found.mean)).any()
