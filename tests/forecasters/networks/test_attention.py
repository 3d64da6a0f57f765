from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from cases import make_panel, times

from foretide.data.panel import Panel
from foretide.data.splits import split
from foretide.data.synthetic import hourly, planted_lags
from foretide.forecasters.base import Forecaster
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.networks.attention import Attention
from foretide.forecasters.networks.lstm import LSTM
from foretide.forecasters.simple.baselines import Persistence, SeasonalNaive


def rmse(forecast: Forecast) -> float:
    return float(np.sqrt(np.mean((forecast.mean - forecast.truth()) ** 2)))


def test_weights_come_on_request() -> None:
    panel = make_panel((120, 130), targets=2)
    model = Attention(4, input_size=14, hidden=8, heads=2, epochs=1, device="cpu").fit(panel)
    cutoffs = times(panel, list(range(60, 110)))
    assert "attention" not in model.predict(panel, cutoffs).extras
    got = model.predict(panel, cutoffs, attention=True)
    weights = got.extras["attention"]
    assert weights.shape == (100, 2, 4, 14)
    np.testing.assert_allclose(weights.sum(axis=3), 1.0, atol=1e-5)
    np.testing.assert_array_equal(got.mean, model.predict(panel, cutoffs).mean)
    one = model.predict(panel, cutoffs[:1], attention=True).extras["attention"]
    np.testing.assert_allclose(one[0], weights[0], atol=1e-5)


@pytest.mark.parametrize("n", [255, 256, 257])
def test_batches_of_a_prediction_join(n: int) -> None:
    panel = make_panel((300,))
    model = Attention(2, input_size=7, hidden=4, heads=2, epochs=1, device="cpu").fit(panel)
    cutoffs = times(panel, list(range(20, 20 + n)))
    got = model.predict(panel, cutoffs, attention=True)
    assert got.extras["attention"].shape[0] == n
    for k in (0, n - 2, n - 1):
        np.testing.assert_allclose(model.predict(panel, [cutoffs[k]]).mean[0], got.mean[k], rtol=1e-5)


@cache
def planted() -> tuple[Panel, Forecast]:
    panel = planted_lags(1200, lags=(6, 12), weights=(0.6, 0.3), seed=0).panel
    model = Attention(4, input_size=24, hidden=16, epochs=3, device="cpu").fit(panel, times(panel, [999])[0])
    return panel, model.predict(panel, times(panel, list(range(999, 1190))), attention=True)


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_planted_lags_are_read_from_the_weights(step: int) -> None:
    _, forecast = planted()
    weights = forecast.extras["attention"].mean(axis=(0, 1))[step - 1]
    distance = {24 - 1 - k + step: float(weights[k]) for k in range(24)}  # lag, counted from the step forecast
    largest = sorted(distance, key=distance.__getitem__, reverse=True)
    assert largest[:2] == [6, 12]
    assert distance[6] > 1.3 * distance[12] > 3 * distance[largest[2]]


@pytest.mark.parametrize("model", [Attention(10, hidden=16, epochs=1, device="cpu"),
                                   LSTM(10, hidden=16, epochs=1, device="cpu")], ids=["Attention", "LSTM"])  # fmt: skip
def test_close_to_the_oracle_and_far_from_persistence(model: Forecaster) -> None:
    made = hourly(2000, seed=42, regime_shifts=0, heteroskedasticity=0, coupling=0)
    parts = split(made.panel, h=10)
    windows = parts.windows(made.panel, "test", input_size=60, h=10, stride=3)
    cutoffs = list(made.panel.grid.times(windows.steps(made.panel)))
    forecast = model.fit(made.panel, parts.val_until, train_until=parts.train_until).predict(made.panel, cutoffs)
    floor = float(np.sqrt(np.mean((made.truth.oracle(windows.steps(made.panel), 10) - forecast.truth()) ** 2)))
    naive = [
        rmse(m.fit(made.panel, parts.val_until).predict(made.panel, cutoffs))
        for m in (Persistence(10), SeasonalNaive(10, season=24))
    ]
    assert floor < rmse(forecast) < 1.15 * floor
    assert rmse(forecast) < 0.5 * min(naive)
