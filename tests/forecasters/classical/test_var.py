from __future__ import annotations

import numpy as np
import pytest
from cases import make_panel, times

from foretide.data.panel import Panel
from foretide.errors import ConfigError
from foretide.forecasters.classical.var import VAR

H = 8
STEPS = [139, 150, 199]


def coupled(length: int = 200) -> Panel:
    """Three channels of a stable VAR(2), far from zero and of different units."""
    rng = np.random.default_rng(2)
    y, shock = np.zeros((length, 3)), rng.normal(size=(length, 3))
    for t in range(2, length):
        y[t] = 0.5 * y[t - 1] + 0.3 * y[t - 1, ::-1] - 0.25 * y[t - 2] + shock[t]
    panel = make_panel((length,), targets=2, past=1)
    return panel.with_values(y * np.array([1.0, 100.0, 0.01]) + np.array([5.0, -900.0, 3.0]))


@pytest.mark.parametrize("order", [1, 2, 5])
def test_equal_to_statsmodels(order: int) -> None:
    from statsmodels.tsa import api

    panel = coupled()
    got = VAR(H, order).fit(panel, until=times(panel, [139])[0]).predict(panel, times(panel, STEPS), levels=(90,))
    theirs = api.VAR(panel.values[:140]).fit(order)
    for i, step in enumerate(STEPS):
        mean, low, high = theirs.forecast_interval(panel.values[step + 1 - order : step + 1], H, alpha=0.1)
        np.testing.assert_allclose(got.mean[i], mean[:, :2], rtol=1e-8)
        np.testing.assert_allclose(got.quantile(0.05)[i], low[:, :2], rtol=1e-8)
        np.testing.assert_allclose(got.quantile(0.95)[i], high[:, :2], rtol=1e-8)


@pytest.mark.parametrize("most", [3, 8])
def test_order_is_chosen_as_statsmodels_does(most: int) -> None:
    from statsmodels.tsa import api

    panel = coupled()
    model = VAR(H, max_order=most).fit(panel, until=times(panel, [139])[0])
    assert model.orders() == {"": api.VAR(panel.values[:140]).select_order(most).aic}


def test_each_entity_has_its_own_model() -> None:
    panel = make_panel((120, 120), targets=2)
    both = VAR(H, 2).fit(panel).predict(panel)
    for i in range(2):
        alone = panel.take([i])
        np.testing.assert_allclose(VAR(H, 2).fit(alone).predict(alone).mean[0], both.mean[i], rtol=1e-12)


def test_missing_values_are_carried_forward() -> None:
    panel = coupled()
    values = panel.values.copy()
    values[199, 1] = np.nan
    holes = panel.with_values(values.copy())
    values[199, 1] = values[198, 1]
    model = VAR(H, 3).fit(panel, until=times(panel, [139])[0])
    np.testing.assert_array_equal(model.predict(holes).mean, model.predict(panel.with_values(values)).mean)


def test_a_constant_channel_is_left_out() -> None:
    panel = coupled()
    values = panel.values.copy()
    values[:, 2] = 7.0
    constant = VAR(H, 2).fit(panel.with_values(values)).predict(panel.with_values(values)).mean
    without = make_panel((200,), targets=2).with_values(values[:, :2])
    np.testing.assert_allclose(constant, VAR(H, 2).fit(without).predict(without).mean, rtol=1e-9)


def test_constant_targets_and_short_series_get_the_random_walk_and_a_warning() -> None:
    panel = coupled()
    values = panel.values.copy()
    values[:, 0] = 7.0
    panel = panel.with_values(values)
    model = VAR(H, 2).fit(panel)
    with pytest.warns(UserWarning, match=r"VAR: 1 forecasts or series \('y0'\) got the random walk instead"):
        got = model.predict(panel)
    np.testing.assert_array_equal(got.mean[0, :, 0], 7.0)
    assert np.std(got.mean[0, :, 1]) > 0
    short = make_panel((9,), targets=2)
    with pytest.warns(UserWarning, match="its training part is too short or constant"):
        model = VAR(H, 5).fit(short)
    with pytest.warns(UserWarning, match="no model could be estimated"):
        np.testing.assert_array_equal(model.predict(short).mean[0], np.repeat(short.values[-1:], H, axis=0))


def test_explosive_models_are_damped_and_counted() -> None:
    panel = make_panel((60,))
    panel = panel.with_values(1.3 ** np.arange(60)[:, None] + 0.01 * panel.values)
    with pytest.warns(UserWarning, match=r"VAR: 1 .* got a damped model.*root exceeded 1\.091"):
        model = VAR(H, 1).fit(panel)
    state = model.state()
    assert state["radius.0"] == pytest.approx(1.3, abs=0.01)
    assert abs(state["weights.0"][1, 0]) == pytest.approx(2 ** (1 / H))
    # Distance from the model's own mean doubles over the horizon.
    mean = state["weights.0"][0, 0] / (1 - state["weights.0"][1, 0]) * state["scale.0"] + state["location.0"]
    got = model.predict(panel).mean[0, -1, 0]
    assert (got - mean) / (panel.values[-1, 0] - mean) == pytest.approx(2)


def test_bad_order() -> None:
    with pytest.raises(ConfigError, match="order is a whole number of steps of at least 1, got 0"):
        VAR(H, 0)
