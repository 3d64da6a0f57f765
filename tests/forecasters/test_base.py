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
