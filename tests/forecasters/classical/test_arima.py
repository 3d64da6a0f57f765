from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.cli.demo import demo_config
from foretide.errors import ConfigError, MissingExtraError
from foretide.forecasters.classical.arima import ARIMA

H = 6
STEPS = [59, 60, 75, 119]
ORDERS = [(5, 1, 0), (2, 0, 1), (1, 2, 1), (0, 1, 0)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_equal_to_statsmodels_applied_at_every_cutoff(order: tuple[int, int, int], missing: float) -> None:
    from statsmodels.tsa.arima import model as theirs_

    panel = make_panel((120,), targets=2, missing=missing)
    model = ARIMA(H, order).fit(panel, until=times(panel, [59])[0])
    got = model.predict(panel, times(panel, STEPS), levels=(80,))
    for d in range(2):
        location, scale, *params = model.state()["params"][d]
        for i, step in enumerate(STEPS):
            start = int(np.flatnonzero(~np.isnan(panel.values[:, d]))[0])
            y = (panel.values[start : step + 1, d] - location) / scale
            theirs = theirs_.ARIMA(y, order=order).filter(params).get_forecast(H)
            np.testing.assert_allclose(got.mean[i, :, d], location + scale * theirs.predicted_mean, rtol=1e-6)
            bounds = np.maximum(location + scale * theirs.conf_int(alpha=0.2), 0)  # the series never was below
            np.testing.assert_allclose(got.quantile(0.1)[i, :, d], bounds[:, 0], rtol=1e-6)
            np.testing.assert_allclose(got.quantile(0.9)[i, :, d], bounds[:, 1], rtol=1e-6)


def test_rolled_forward_as_statsmodels_append() -> None:
    from statsmodels.tsa.arima import model as theirs_

    panel = make_panel((120,))
    model = ARIMA(H, (2, 1, 0)).fit(panel, until=times(panel, [59])[0])
    location, scale, *params = model.state()["params"][0]
    y = (panel.values[:, 0] - location) / scale
    fixed = theirs_.ARIMA(y[:60], order=(2, 1, 0)).filter(params).append(y[60:90], refit=False)
    got = model.predict(panel, times(panel, [89])).mean[0, :, 0]
    np.testing.assert_allclose(got, location + scale * fixed.forecast(H), rtol=1e-6)


def test_parameters_are_the_maximum_likelihood_of_the_training_part() -> None:
    rng = np.random.default_rng(0)
    y = np.zeros(900)
    for t in range(1, 900):
        y[t] = 0.7 * y[t - 1] + rng.normal()
    panel = make_panel((900,))
    panel = panel.with_values(1000 + 50 * y[:, None])
    model = ARIMA(H, (1, 0, 0)).fit(panel)
    _, scale, _, phi, variance = model.state()["params"][0]
    assert phi == pytest.approx(0.7, abs=0.06)
    assert np.sqrt(variance) * scale == pytest.approx(50, rel=0.06)
    # The distribution of a known AR(1): variance grows as 1 + phi^2 + phi^4 ...
    forecast = model.predict(panel, levels=(80,))
    width = (forecast.quantile(0.9) - forecast.quantile(0.1))[0, :, 0]
    expected = np.sqrt(np.cumsum(phi ** (2 * np.arange(H))))
    np.testing.assert_allclose(width / width[0], expected, rtol=1e-6)


def test_only_the_last_rows_are_estimated_on() -> None:
    panel = make_panel((200,))
    short = panel.with_values(np.where(np.arange(200)[:, None] < 100, 500.0, panel.values))
    full, part = ARIMA(H, (1, 0, 0), fit_rows=100).fit(panel), ARIMA(H, (1, 0, 0), fit_rows=100).fit(short)
    np.testing.assert_array_equal(full.state()["params"], part.state()["params"])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full(120, 3.0), "the series is constant in training"),
        (np.r_[np.full(115, np.nan), 1, 2, 3, 4, 5], "fewer than 15 values are observed"),
    ],
)
def test_hopeless_series_get_the_random_walk_and_a_warning(values: np.ndarray, reason: str) -> None:
    panel = make_panel((120, 120))
    filled = panel.values.copy()
    filled[:120, 0] = values
    panel = panel.with_values(filled)
    with pytest.warns(UserWarning, match=f"ARIMA: 1 forecasts or series \\('shop0'\\) got the random walk.*{reason}"):
        model = ARIMA(H, (2, 1, 0)).fit(panel)
    with pytest.warns(UserWarning, match="no parameters could be estimated for them at fit"):
        forecast = model.predict(panel)
    np.testing.assert_array_equal(forecast.mean[0], values[-1])
    assert np.isfinite(forecast.quantiles).all()  # type: ignore[call-overload]


def test_nothing_observed_gives_nan() -> None:
    panel = make_panel((120,))
    values = panel.values.copy()
    values[:10] = np.nan
    panel = panel.with_values(values)
    got = ARIMA(H, (1, 1, 0)).fit(panel).predict(panel, times(panel, [5, 10, 60])).mean
    assert np.isnan(got[0]).all()
    assert np.isfinite(got[1:]).all()


@pytest.mark.parametrize("order", [(1, 1), (1, -1, 0), (1.5, 0, 0)])
def test_bad_order(order: Any) -> None:
    with pytest.raises(ConfigError, match="order is three whole numbers"):
        ARIMA(H, order)


def test_bad_fit_rows() -> None:
    with pytest.raises(ConfigError, match="fit_rows must be at least 50"):
        ARIMA(H, fit_rows=3)


def test_a_missing_package_is_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    with pytest.raises(MissingExtraError, match=r"ARIMA needs the package 'statsmodels'.*foretide\[baselines\]"):
        ARIMA(h=2)
    config = {"data": {"synthetic": {"args": {"T": 300}}}, "h": 2, "models": ["Ridge", "ARIMA"]}
    with pytest.raises(MissingExtraError, match="ARIMA"):
        ft.run(config, output=tmp_path / "none")
    assert not (tmp_path / "none").exists()
    assert "ARIMA" not in demo_config()["models"]
