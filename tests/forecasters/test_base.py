"""What every forecaster's predict takes."""

from __future__ import annotations

import numpy as np
import pytest
from cases import make_panel

from foretide.errors import ConfigError
from foretide.forecasters.arima import ARIMA
from foretide.forecasters.baselines import Persistence


def test_further_quantiles_come_beside_those_of_the_levels() -> None:
    panel = make_panel((60,))
    forecast = ARIMA(h=3, order=(1, 0, 0)).fit(panel).predict(panel, levels=(80,), quantiles=(0.5, 0.3, 0.1))
    assert forecast.quantile_levels == (0.1, 0.3, 0.5, 0.9)
    assert forecast.quantiles is not None
    assert (np.diff(forecast.quantiles, axis=-1) > 0).all()
    assert forecast.levels == (80,)


def test_a_model_of_points_returns_no_quantiles() -> None:
    panel = make_panel((60,))
    assert Persistence(h=3).fit(panel).predict(panel, quantiles=(0.5,)).quantiles is None


def test_a_quantile_is_a_fraction() -> None:
    panel = make_panel((60,))
    model = ARIMA(h=3, order=(1, 0, 0)).fit(panel)
    with pytest.raises(ConfigError, match="fraction between 0 and 1, got 80"):
        model.predict(panel, quantiles=(80,))


def test_what_a_fit_saw_last_and_a_fresh_copy() -> None:
    panel = make_panel((60, 50), first=(0, 4))
    model = ARIMA(h=3, order=(1, 0, 0), alias="mine")
    assert model.fitted_until is None
    model.fit(panel, until="2023-02-10")
    assert model.fitted_until == "2023-02-10 00:00:00"
    assert Persistence(h=3).fit(panel).fitted_until == str(panel.grid.times([59])[0])
    fresh = model.fresh()
    assert not fresh.is_fitted
    assert fresh.settings() == model.settings()


def test_some_windows_of_a_forecast() -> None:
    panel = make_panel((60, 50))
    forecast = (
        ARIMA(h=3, order=(1, 0, 0)).fit(panel).predict(panel, list(panel.grid.output_times([40, 45])), levels=(80,))
    )
    part = forecast.take(np.array([3, 0]))
    np.testing.assert_array_equal(part.mean, forecast.mean[[3, 0]])
    assert part.quantiles is not None
    assert forecast.quantiles is not None
    np.testing.assert_array_equal(part.quantiles, forecast.quantiles[[3, 0]])
    assert part.windows.entity.tolist() == [1, 0]
    assert part.cutoff_steps.tolist() == [45, 40]
    assert forecast.take(np.arange(4)) is forecast


def test_a_notebook_shows_the_first_origin() -> None:
    panel = make_panel((60, 50))
    forecast = Persistence(h=3, alias="<b>me</b>").fit(panel).predict(panel)
    html = forecast._repr_html_()
    assert "&lt;b&gt;me&lt;/b&gt;: 2 origins x 3 steps" in html
    assert "<b>me</b>" not in html
    assert html.count("<td>shop0</td>") == 3
    assert "shop1" not in html
