"""Intervals of complex exponential smoothing beside the library's own recursion."""

from __future__ import annotations

import numpy as np
import pytest
from cases import make_panel

import foretide as ft
from foretide.forecasters.classical.complex_smoothing import responses, with_intervals_of_its_own

H, SEASON = 11, 4


@pytest.mark.parametrize("kind", ["N", "S", "P", "F"])
def test_responses_are_what_one_more_error_changes(kind: str) -> None:
    ces = pytest.importorskip("statsforecast.ces")
    rng = np.random.default_rng(0)
    y = 100 + np.cumsum(rng.normal(size=60)) + 5 * np.sin(np.arange(60) * 2 * np.pi / SEASON)
    from statsforecast.models import AutoCES

    model = AutoCES(season_length=SEASON, model=kind).fit(y).model_
    begin = ces.initstate(y, model["m"], kind)
    par = [float(np.nan_to_num(model["par"][name])) for name in ("alpha_0", "alpha_1", "beta_0", "beta_1")]

    def ahead(last: float) -> np.ndarray:
        longer = np.append(y, last)
        states = np.zeros((len(longer) + 2 * model["m"], begin.shape[1]))
        states[: len(begin)] = begin
        ces.cescalc(
            longer, states, model["m"], ces.switch_ces(kind), *par, np.zeros(len(longer)), np.zeros(3), 3, 0
        )  # no smoothing backwards, or the first states would change with the last value
        return np.asarray(ces.pegelsfcast_C(H - 1, {**model, "states": states, "n": len(longer)}))

    found = responses(model["par"], model["m"], kind, H)
    np.testing.assert_allclose(ahead(101.0) - ahead(100.0), found[1:], atol=1e-8)
    answer = with_intervals_of_its_own({"mean": np.zeros(H)}, model, [50.0, 80.0])
    width = answer["hi-80.0"] - answer["lo-80.0"]
    np.testing.assert_allclose(width, 2 * 1.2815516 * np.sqrt(model["sigma2"] * np.cumsum(found**2)), rtol=1e-6)
    assert (answer["hi-50.0"] < answer["hi-80.0"]).all()


def test_a_forecast_has_them() -> None:
    pytest.importorskip("statsforecast")
    panel = make_panel((60, 44))
    forecast = ft.Stats("AutoCES", h=5, season=7).fit(panel).predict(panel, quantiles=(0.1, 0.5, 0.9))
    np.testing.assert_allclose(forecast.quantile(0.5), forecast.mean)
    width = forecast.quantile(0.9) - forecast.quantile(0.1)
    assert (np.diff(width, axis=1) >= 0).all()
    assert (width > 0).all()
