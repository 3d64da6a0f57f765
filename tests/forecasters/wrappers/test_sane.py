"""Nothing absurd without a note: every model of a series' own past, on series that break models."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.data.panel import Panel
from foretide.forecasters.base import Forecaster
from foretide.forecasters.classical.stats import _NO_MODELS
from foretide.forecasters.gaussian import naive_distribution, runs_away
from foretide.forecasters.simple.history import wakes
from foretide.forecasters.table import FORECASTERS, forecaster_class

H, N = 14, 60
NEEDED = {
    "TSB": {"alpha_d": 0.3, "alpha_p": 0.1},
    "WindowAverage": {"window_size": 3},
    "SeasonalWindowAverage": {"window_size": 2},
    "SimpleExponentialSmoothing": {"alpha": 0.3},
    "SeasonalExponentialSmoothing": {"alpha": 0.3},
    "AutoRegressive": {"lags": 2},
    "ConstantModel": {"constant": 2.0},
    "GARCH": {"p": 1, "q": 1},
    "ARCH": {"p": 1},
    "ARIMA": {"order": (2, 1, 1)},
}


def nasty() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    week = 10 + 3 * np.sin(np.arange(N) * 2 * np.pi / 7) + rng.normal(size=N)
    where = np.arange(N)
    return {
        "constant": np.full(N, 3.0),
        "zeros": np.zeros(N),
        "burst": np.r_[np.zeros(40), rng.poisson(5, 20)],
        "wakes last": np.r_[np.zeros(N - 1), 7],
        "outlier": np.where(where == 40, 1e9, week),
        "outlier last": np.where(where == N - 1, 1e9, week),
        "tiny": week * 1e-12,
        "huge": week * 1e12,
        "far from zero": 1e12 + week,
        "two rows": np.array([1.0, 2.0]),
        "three rows": np.array([0.0, 0.0, 1.0]),
        "one value": np.r_[np.full(N - 1, np.nan), 5.0],
        "around zero": week - 10,
        "negative": -week,
        "beyond squares": np.where(where == 30, 1e300, week),
        "beyond sums": np.where(where == 30, 1.7e308, -week),
        "step": np.r_[np.zeros(30), np.full(30, 1e6)],
        "explosive": 1.5**where,
        "alternating": np.where(where % 2, 1e-9, 1e9),
        "sparse": rng.poisson(0.1, N).astype(float),
    }


def panel_of(series: dict[str, np.ndarray]) -> Panel:
    lengths = [len(y) for y in series.values()]
    return make_panel(lengths, first=[N - n for n in lengths]).with_values(
        np.concatenate(list(series.values()))[:, None]
    )


@cache
def library() -> list[str]:
    from statsforecast import models

    # MFLES needs scikit-learn, AutoTBATS and TBATS need minutes.
    return [n for n in models.__all__ if n not in _NO_MODELS and "MFLES" not in n and "TBATS" not in n]


def own(name: str, **settings: object) -> Callable[[], Forecaster]:
    return lambda: forecaster_class(name)(h=H, **settings)


OWN: dict[str, Callable[[], Forecaster]] = {
    **{
        name: own(name)
        for name, where in FORECASTERS.items()
        if where.partition(":")[0].endswith((".baselines", ".intermittent", ".var"))
    },
    "VAR-3": own("VAR", order=3),
    "ARIMA": own("ARIMA"),
    "ARIMA-mean": own("ARIMA", order=(2, 0, 1)),
    "ARIMA-twice": own("ARIMA", order=(0, 2, 1)),
    "Ridge": own("Ridge", input_size=14),
}


def check(model: Forecaster, panel: Panel, names: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)  # what was replaced is said; numpy's own would be an error
        forecast = model.fit(panel, until=times(panel, [N - 6])[0] if len(names) > 3 else None).predict(panel)
    notes, texts = forecast.note_texts(), []
    for k, name in enumerate(names):
        y = panel.rows(k)[:, 0]
        y = y[~np.isnan(y)]
        low, high = y.min(), y.max()
        span = high - low if high > low else max(abs(high), 0.1)
        values = forecast.mean[k].reshape(-1)
        if forecast.quantiles is not None:
            bounds = forecast.quantiles[k, :, 0]
            assert (bounds[:, 1:] >= bounds[:, :-1]).all(), name
            values = np.concatenate([values, bounds.reshape(-1)])
        assert np.isfinite(values).all(), name
        with np.errstate(over="ignore"):
            far = (values > high + 5 * span).any() or (values < low - 5 * span).any()
        texts += [name] if far and not notes[k] else []
    assert texts == []


@pytest.mark.parametrize("case", OWN)
def test_own_models(case: str) -> None:
    series = nasty()
    check(OWN[case](), panel_of(series), list(series))


def test_models_of_statsforecast() -> None:
    series = nasty()
    panel = panel_of(series)
    for name in library():
        check(ft.Stats(name, H, season=7, params=NEEDED.get(name)), panel, list(series))


# ---------------------------------------------------------------- asleep and awake
def silent(seed: int, asleep: int = 130, awake: int = 20, rate: float = 5.0) -> np.ndarray:
    return np.r_[np.zeros(asleep), np.random.default_rng(seed).poisson(rate, awake)].astype(float)


@pytest.mark.parametrize("make", [
    lambda: ft.VAR(7), lambda: ft.VAR(7, order=2), lambda: ft.ARIMA(7, (1, 0, 0)),
    lambda: ft.Stats("AutoETS", 7), lambda: ft.Stats("AutoTheta", 7),
])  # fmt: skip
def test_a_series_that_wakes_is_forecast_awake(make: Callable[[], Forecaster]) -> None:
    for seed in range(4):
        panel = make_panel((150,)).with_values(silent(seed)[:, None])
        forecast = make().fit(panel).predict(panel, levels=(80,))
        assert ((forecast.mean > 2.5) & (forecast.mean < 8)).all()
        half = (forecast.quantile(0.9) - forecast.quantile(0.1)) / 2
        assert ((half > 1.5) & (half < 7)).all()
        assert forecast.notes == ()


def test_a_few_steps_awake() -> None:
    panel = make_panel((150,)).with_values(silent(1, 145, 5)[:, None])
    with pytest.warns(UserWarning, match="got the random walk"):
        forecast = ft.VAR(7).fit(panel).predict(panel, levels=(80,))
    assert (forecast.quantile(0.9) - forecast.quantile(0.1) > 3).all()
    assert "forecast by the random walk: no model could be estimated" in forecast.note_texts()[0]


def test_bursts_between_silences() -> None:
    rng = np.random.default_rng(3)
    values = np.r_[rng.poisson(5, 12), np.zeros(80), rng.poisson(5, 20), np.zeros(30), rng.poisson(5, 8)].astype(float)
    panel = make_panel((150,)).with_values(values[:, None])
    forecast = ft.VAR(7).fit(panel).predict(panel, levels=(80,))
    assert ((forecast.mean > 0) & (forecast.mean < 10)).all()
    assert ((forecast.quantile(0.9) - forecast.quantile(0.1)) > 2).all()


def test_targets_that_wake_at_different_times() -> None:
    rng = np.random.default_rng(5)
    early, late = rng.normal(20, 2, size=150), silent(2)
    both = make_panel((150,), targets=2).with_values(np.stack([early, late], axis=1))
    model = ft.VAR(7).fit(both)
    forecast = model.predict(both, levels=(80,))
    one = make_panel((150,)).with_values(early[:, None])
    np.testing.assert_allclose(forecast.mean[..., 0], ft.VAR(7).fit(one).predict(one).mean[..., 0])
    assert ((forecast.mean[..., 1] > 2.5) & (forecast.mean[..., 1] < 8)).all()
    assert list(model.orders()) == ["", ", y1"]
    # Waking together, they are modelled together.
    again = np.where(np.arange(150) < 40, 0.0, early)
    together = make_panel((150,), targets=2).with_values(np.stack([again, np.where(np.arange(150) < 40, 0, late)], 1))
    assert "" in ft.VAR(7).fit(together).orders()


def test_wakes() -> None:
    assert wakes(silent(0)) == 130 + int(np.flatnonzero(silent(0)[130:])[0])
    assert wakes(np.r_[np.full(20, np.nan), np.full(9, 4.0), 5, 6]) == 0
    assert wakes(np.r_[np.full(20, np.nan), np.full(10, 4.0), 5, 6]) == 30
    assert wakes(np.full(50, 4.0)) == 0
    assert wakes(np.full(5, np.nan)) == 0


def test_leave_one_out_errors_are_those_of_refits() -> None:
    from foretide.forecasters.classical.var import _regression, _solved

    values = np.r_[np.zeros(11), [4.0, -2.0, 1.0, 0.5]][:, None]
    solved = _solved(values, 1)
    assert solved is not None
    design, answer = _regression(values, 1)
    errors = []
    for i in range(len(design)):
        rest = np.arange(len(design)) != i
        weights = np.linalg.lstsq(design[rest], answer[rest], rcond=None)[0]
        errors.append(float((answer[i] - design[i] @ weights)[0]))
    plain = np.linalg.lstsq(design, answer, rcond=None)[1][0] / (len(design) - 2)
    expected = np.mean(np.square(errors))
    assert solved[1][0, 0] == pytest.approx(expected if expected > 2 * plain else plain)


def test_sleep_does_not_count_for_the_spread_of_the_random_walk() -> None:
    y = np.r_[np.zeros(30), 3.0, 5.0, 4.0]
    sd = naive_distribution(y[:, None], np.array([20, 32]), 1, 1)[1]
    assert sd[0, 0, 0] == 0
    assert sd[1, 0, 0] == pytest.approx(np.sqrt((9 + 4 + 1) / 3))


def test_runs_away() -> None:
    history = np.array([np.nan, 1.0, 3.0, 2.0])
    mean = np.array([[203.0, 1.0], [203.1, 1.0], [0.0, -199.1], [np.nan, np.nan]])
    assert runs_away(mean, history, np.full(4, 3)).tolist() == [False, True, True, False]
    assert runs_away(np.array([[500.0], [600.0]]), np.full(3, 5.0), np.array([2, 2])).tolist() == [False, True]


# ---------------------------------------------------------------- what stands in is noted
def test_what_stands_in_is_noted_on_its_forecasts() -> None:
    panel = make_panel((N, N, N))
    values = panel.values.copy()
    values[:N] = 3.0
    values[N : 2 * N - 4] = np.nan
    panel = panel.with_values(values)
    for model, reason in (
        (ft.ARIMA(5, (2, 1, 0)), r"the random walk: no parameters .* \(the series is constant in training\)"),
        (ft.VAR(5, 2), "the random walk: no model could be estimated"),
    ):
        with pytest.warns(UserWarning, match="got the random walk"):
            forecast = model.fit(panel).predict(panel)
        texts = forecast.note_texts()
        assert re.search(f"forecast by {reason}", texts[0])
        assert "forecast by the random walk" in texts[1]
        assert texts[2] == ""
        assert {note.kind for note in forecast.notes} == {"stand-in"}
        notes = forecast.to_frame(notes=True)["note"]
        assert (notes.to_numpy()[:5] != "").all()
        assert (notes.to_numpy()[-5:] == "").all()


def test_models_of_statsforecast_note_what_stands_in() -> None:
    panel = make_panel((N, 2), first=(0, N - 2))
    with pytest.warns(UserWarning, match="got the seasonal naive instead, because fewer than 3 values are observed"):
        model = ft.Stats("AutoETS", 5).fit(panel)
    with pytest.warns(UserWarning, match="no model could be estimated"):
        forecast = model.predict(panel)
    assert forecast.note_texts()[0] == ""
    said = "no model could be estimated for them at fit (fewer than 3 values are observed)"
    assert forecast.note_texts()[1] == f"forecast by the seasonal naive: {said}"
