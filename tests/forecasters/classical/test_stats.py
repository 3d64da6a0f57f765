from __future__ import annotations

import sys
import time
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from cases import make_panel, times

from foretide.errors import ConfigError, MissingExtraError
from foretide.forecasters.classical import stats
from foretide.forecasters.classical.stats import Stats
from foretide.forecasters.gaussian import naive_distribution

H = 5
STEPS = [69, 70, 90]
SETTINGS: dict[str, dict[str, Any]] = {
    "TSB": {"alpha_d": 0.3, "alpha_p": 0.1},
    "WindowAverage": {"window_size": 3},
    "SimpleExponentialSmoothing": {"alpha": 0.3},
    "AutoRegressive": {"lags": 2},
}


@pytest.mark.parametrize("name", ["AutoETS", "AutoTheta", "Theta", "Holt", "AutoRegressive", "MSTL", "SeasonalNaive"])
def test_rolled_forward_as_the_library_does(name: str) -> None:
    import inspect

    from statsforecast import models

    panel = make_panel((100,))
    model = Stats(name, H, season=7, params=SETTINGS.get(name)).fit(panel, until=times(panel, [69])[0])
    got = model.predict(panel, times(panel, STEPS), levels=(80, 95))
    kind = getattr(models, name)
    season = {"season_length": 7} if "season_length" in inspect.signature(kind).parameters else {}
    theirs = kind(**season, **SETTINGS.get(name, {})).fit(panel.values[:70, 0].copy())
    for i, step in enumerate(STEPS):
        expected = theirs.forward(y=panel.values[: step + 1, 0].copy(), h=H, level=[80, 95])
        np.testing.assert_allclose(got.mean[i, :, 0], expected["mean"], rtol=1e-12)
        np.testing.assert_allclose(got.quantile(0.1)[i, :, 0], expected["lo-80"], rtol=1e-9)
        np.testing.assert_allclose(got.quantile(0.975)[i, :, 0], expected["hi-95"], rtol=1e-9)


@pytest.mark.parametrize("name", ["CrostonOptimized", "TSB", "WindowAverage", "SimpleExponentialSmoothing", "IMAPA"])
def test_estimated_anew_where_the_library_cannot_roll(name: str) -> None:
    from statsforecast import models

    panel = make_panel((100,))
    got = Stats(name, H, params=SETTINGS.get(name)).fit(panel, until=times(panel, [69])[0])
    forecast = got.predict(panel, times(panel, STEPS))
    for i, step in enumerate(STEPS):
        expected = getattr(models, name)(**SETTINGS.get(name, {})).forecast(y=panel.values[: step + 1, 0].copy(), h=H)
        np.testing.assert_allclose(forecast.mean[i, :, 0], expected["mean"], rtol=1e-12)


def test_forward_of_complex_smoothing_is_avoided() -> None:
    # The library's own forward runs away here, past the training part: if this fails one day, the exception can go.
    from statsforecast.models import AutoCES

    y = 10 + 3 * np.sin(np.arange(120) * 2 * np.pi / 12) + np.random.default_rng(0).normal(size=120)
    theirs = AutoCES(season_length=12).fit(y[:72])
    assert np.abs(theirs.forward(y=y[:90], h=5)["mean"] - 10).max() > 100
    panel = make_panel((120,)).with_values(y[:, None])
    model = Stats("AutoCES", H, season=12).fit(panel, until=times(panel, [71])[0])
    assert np.abs(model.predict(panel, times(panel, [89])).mean - 10).max() < 6


@pytest.mark.parametrize("name", sorted(stats._NO_DISTRIBUTION - {"AutoMFLES", "MFLES"}))
def test_models_without_intervals_have_those_of_their_past_errors(name: str) -> None:
    params = {**SETTINGS.get(name, {})}
    if "Seasonal" in name:
        params |= {"alpha": 0.3} if name == "SeasonalExponentialSmoothing" else {}
        params |= {"window_size": 2} if name == "SeasonalWindowAverage" else {}
    panel = make_panel((60,))
    forecast = Stats(name, H, params=params).fit(panel).predict(panel)
    assert forecast.levels == (80.0, 95.0)
    assert (forecast.quantile(0.1) < forecast.quantile(0.9)).all()
    assert np.isfinite(forecast.mean).all()


def test_missing_values_are_carried_forward() -> None:
    panel = make_panel((80,), missing=0.2)
    filled = panel.values.copy()
    filled[0] = np.nan
    panel = panel.with_values(filled.copy())
    for t in range(2, 80):
        filled[t] = np.where(np.isnan(filled[t]), filled[t - 1], filled[t])
    start = int(np.flatnonzero(~np.isnan(filled[:, 0]))[0])
    whole = make_panel((80 - start,)).with_values(filled[start:])
    expected = Stats("Theta", H, 7).fit(whole).predict(whole).mean
    np.testing.assert_array_equal(Stats("Theta", H, 7).fit(panel).predict(panel).mean, expected)


# ---------------------------------------------------------------- names and settings
@pytest.mark.parametrize(
    ("wrong", "right"), [("AutoEts", "AutoETS"), ("autoarima", "AutoARIMA"), ("Croston", "Croston")]
)
def test_unknown_name_gets_the_nearest_one(wrong: str, right: str) -> None:
    with pytest.raises(ConfigError, match=f"statsforecast has no model '{wrong}'.*{right}"):
        Stats(wrong, H)


def test_unknown_setting_gets_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"AutoETS has no setting 'dampd'\. Did you mean 'damped'"):
        Stats("AutoETS", H, params={"dampd": True})


def test_absent_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"needs the setting 'window_size'\. Type: Stats\('WindowAverage'"):
        Stats("WindowAverage", H)


def test_bad_budget() -> None:
    with pytest.raises(ConfigError, match="budget is a number of seconds above 0"):
        Stats("AutoETS", H, budget=0)


def test_name_is_the_models() -> None:
    assert Stats("AutoETS", H).name == "AutoETS"
    assert Stats("AutoETS", H, alias="ets").name == "ets"


def test_absent_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast.models", None)
    with pytest.raises(MissingExtraError, match=r"Stats\('AutoETS'\) needs the package 'statsforecast'"):
        Stats("AutoETS", H)


# ---------------------------------------------------------------- time and failure
class _Slow:
    """A model that needs two seconds for a fit, in Python, and swallows what it can."""

    def __init__(self, season_length: int = 1) -> None:
        self.season_length = season_length

    def fit(self, y: np.ndarray) -> _Slow:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            try:
                time.sleep(0.005)
            except Exception:
                continue
        return self

    def forward(self, y: np.ndarray, h: int, level: Any = None) -> dict[str, np.ndarray]:
        time.sleep(0.02)
        names = ["mean", *(f"{side}-{q}" for q in level or () for side in ("lo", "hi"))]
        return {name: np.full(h, 1.0) for name in names}


class _Failing(_Slow):
    def fit(self, y: np.ndarray) -> _Slow:
        return self

    def forward(self, y: np.ndarray, h: int, level: Any = None) -> dict[str, np.ndarray]:
        raise Exception("tiny datasets")


@pytest.mark.timing
def test_time_budget_at_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "_kind", lambda name: _Slow)
    panel = make_panel((60, 60))
    started = time.monotonic()
    with pytest.warns(UserWarning, match=r"2 forecasts or series \('shop0', 'shop1'\) got the seasonal naive.*0\.1 s"):
        model = Stats("AutoETS", H, budget=0.1).fit(panel)
    assert time.monotonic() - started < 1.5
    with pytest.warns(UserWarning, match="no model could be estimated for them at fit"):
        forecast = model.predict(panel)
    np.testing.assert_array_equal(forecast.mean[0], panel.values[53:58])
    assert np.isfinite(forecast.quantiles).all()  # type: ignore[call-overload]


def test_time_budget_at_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "_kind", lambda name: _Failing)
    monkeypatch.setattr(_Failing, "forward", _Slow.forward)
    panel = make_panel((60,))
    model = Stats("AutoETS", H, budget=0.1).fit(panel)
    with pytest.warns(UserWarning, match=r"its time budget of 0\.1 s per series ran out"):
        forecast = model.predict(panel, times(panel, list(range(30, 60))))
    answered = (forecast.mean[:, :, 0] == 1.0).all(axis=1)
    assert answered[0]
    assert not answered[-1]


def test_failures_are_replaced_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "_kind", lambda name: _Failing)
    panel = make_panel((60,))
    model = Stats("AutoETS", H).fit(panel)
    with pytest.warns(UserWarning, match=r"2 forecasts or series .* because it failed \(tiny datasets\)"):
        forecast = model.predict(panel, times(panel, [50, 59]))
    np.testing.assert_array_equal(forecast.mean[1], panel.values[53:58])


class _RunningAway(_Failing):
    """Bounds that grow without limit around an honest mean, as those of multiplicative errors can."""

    def forward(self, y: np.ndarray, h: int, level: Any = None) -> dict[str, np.ndarray]:
        wide = np.abs(y).max() * 10.0 ** np.arange(h)
        bounds = {f"{side}-{q}": 7.0 + sign * wide for q in level or () for side, sign in (("lo", -1), ("hi", 1))}
        return {"mean": np.full(h, 7.0), **bounds}


def test_intervals_that_run_away_get_the_spread_of_the_seasonal_naive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "_kind", lambda name: _RunningAway)
    panel = make_panel((60,))
    model = Stats("AutoETS", H).fit(panel)
    said = (
        r"1 forecasts or series \('y0'\) got the intervals of the seasonal naive instead, because a bound of their own"
    )
    with pytest.warns(UserWarning, match=said):
        forecast = model.predict(panel, levels=[80])
    np.testing.assert_array_equal(forecast.mean, 7.0)
    sd = naive_distribution(panel.rows(0)[:, :1], np.array([59]), H, model.season_)[1]
    assert forecast.quantiles is not None
    low, high = forecast.quantiles[..., 0], forecast.quantiles[..., -1]
    np.testing.assert_allclose(high - low, 2 * NormalDist().inv_cdf(0.9) * sd, rtol=1e-6)
    assert not np.isnan(model.predict(panel, levels=[]).mean).any()  # no bounds, nothing to say


def test_the_alarm_of_others_survives() -> None:
    import signal

    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.15)
        with stats._limit(5):
            time.sleep(0.01)
        time.sleep(0.3)
        assert rung == [True]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
