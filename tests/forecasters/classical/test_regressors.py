"""Known-future columns in the models that take regressors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.data.panel import Panel
from foretide.errors import ConfigError, DataError
from foretide.forecasters.base import Forecaster
from foretide.forecasters.classical.regressors import COMBINED, CONSTANT, MANY, Regressors

H, LAST = 10, 259
MODELS: dict[str, Callable[[], Forecaster]] = {
    "Ridge": lambda: ft.Ridge(H, input_size=21),
    "ARIMA": lambda: ft.ARIMA(H, (2, 1, 0)),
    "ARIMA-mean": lambda: ft.ARIMA(H, (2, 0, 1)),
    "Stats-ARIMA": lambda: ft.Stats("ARIMA", H, params={"order": (2, 0, 1)}),
    "AutoRegressive": lambda: ft.Stats("AutoRegressive", H, params={"lags": 2}),
    "AutoARIMA": lambda: ft.Stats("AutoARIMA", H, params={"max_p": 1, "max_q": 1, "seasonal": False}),
    "MSTL": lambda: ft.Stats("MSTL", H, params={"trend_forecaster": {"ARIMA": {"order": (1, 0, 0)}}}),
}
each = pytest.mark.parametrize("case", MODELS)
each_way = pytest.mark.parametrize("case", ["Ridge", "ARIMA-mean", "Stats-ARIMA", "MSTL"])
"""One of each way to take them: closed form, own estimation, statsforecast's, inside of another model."""


def events(*, seed: int = 1, ahead: bool = True) -> Panel:
    """Two series with a payday (+20), a delivery day (-8) and a price that says nothing."""
    rng = np.random.default_rng(seed)
    n = LAST + 1 + H
    parts = []
    for _ in range(2):
        payday = (np.arange(n) % 30 == 24).astype(float)
        payday[-4] = 1.0
        delivery = (rng.random(n) < 0.1).astype(float)
        noise = np.convolve(rng.normal(size=n + 1), [1, 0.5], mode="valid")
        y = 50 + 3 * np.sin(2 * np.pi * np.arange(n) / 7) + 20 * payday - 8 * delivery + noise
        parts.append(np.stack([y, payday, delivery, 5 + rng.normal(size=n)], axis=1))
    panel = make_panel((n, n), future=3)
    panel = replace(panel.with_values(np.concatenate(parts)), future=("payday", "delivery", "price"))
    return panel if not ahead else hidden(panel)


def hidden(panel: Panel) -> Panel:
    """The targets after LAST are not known yet."""
    values = panel.values.copy()
    for start, length in zip(panel.row0, panel.length, strict=True):
        values[start + LAST + 1 : start + length, 0] = np.nan
    return panel.with_values(values)


def without(panel: Panel, *names: str) -> Panel:
    kept = [k for k, name in enumerate(panel.columns) if name not in names]
    return replace(panel, values=panel.values[:, kept], future=tuple(n for n in panel.future if n not in names))


def columns_of(panel: Panel, **columns: np.ndarray) -> Panel:
    values = panel.values.copy()
    for name, column in columns.items():
        values[:, panel.index(name)] = column
    return panel.with_values(values)


@cache
def fitted(case: str) -> Forecaster:
    return MODELS[case]().fit(events())


@each
def test_events_known_ahead_are_used(case: str) -> None:
    panel, truth = events(), events(ahead=False)
    plain = without(panel, *panel.future)
    known = fitted(case).predict(panel)
    alone = MODELS[case]().fit(plain).predict(plain)

    def error(forecast: ft.Forecast) -> float:
        return float(np.abs(forecast.mean - forecast.truth(truth)).mean())

    assert MODELS[case]().uses_future
    assert error(known) < 0.75 * error(alone)
    assert not [note for note in known.notes if "payday" in note.text]


@each_way
def test_all_cutoffs_at_once_and_after_loading(case: str, tmp_path: Path) -> None:
    panel = events(ahead=False)
    cutoffs = times(panel, [LAST - 20, LAST - 3, LAST])
    model = MODELS[case]().fit(panel, until=times(panel, [LAST - 20])[0])
    together = model.predict(panel, cutoffs)
    for cutoff in cutoffs:
        chosen = np.flatnonzero(together.cutoff_steps == panel.grid.step_of(cutoff))
        np.testing.assert_allclose(model.predict(panel, [cutoff]).mean, together.mean[chosen], rtol=1e-6)
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(ft.load(tmp_path / "m").predict(panel, cutoffs).mean, together.mean)
    # What came before the table, and the other series, are not needed to know the effects.
    short = panel.since(times(panel, [LAST - 29])[0]).take([1])
    one = model.predict(short, [cutoffs[2]]).mean[0]
    np.testing.assert_allclose(one, together.mean[together.windows.entity == 1][2], rtol=1e-5)


@each_way
def test_a_value_missing_ahead_is_named(case: str) -> None:
    panel, model = events(), fitted(case)
    at = int(panel.row0[1]) + LAST + 3
    values = panel.values.copy()
    values[at, panel.index("payday")] = np.nan
    # For one series a stand-in answers; for all of them the error says what to add.
    found = model.predict(panel.with_values(values))
    assert np.isfinite(found.mean).all()
    assert [note.windows.tolist() for note in found.notes if note.kind == "stand-in"] == [[1]]
    gone = panel.until(times(panel, [LAST + 2])[0])
    with pytest.raises(DataError, match="'payday' of 'shop0' has no value at 2023-09-21.*Add rows with its values"):
        model.predict(gone)
    past = columns_of(panel)
    past.values[5, 1:] = np.nan
    past.values[:2, 3] = np.nan
    assert np.isfinite(MODELS[case]().fit(past).predict(past).mean).all()


@each_way
def test_columns_that_say_nothing_new_break_nothing(case: str) -> None:
    panel = events()
    price = panel.values[:, panel.index("price")]
    flat = columns_of(panel, price=np.full(len(price), 7.0))
    copied = columns_of(panel, price=1 - panel.values[:, panel.index("payday")])
    plain = without(panel, "price")
    expected = MODELS[case]().fit(plain.take([0])).predict(plain.take([0])).mean
    other = columns_of(flat)
    other.values[LAST + 2, other.index("price")] = 1e6  # never seen to vary: no effect is known
    for table, ahead in ((flat, other), (copied, copied)):
        forecast = MODELS[case]().fit(table.take([0])).predict(ahead.take([0]))
        np.testing.assert_allclose(forecast.mean, expected, atol=0.3)
        if case != "Ridge":
            assert "leaves out price: " in forecast.note_texts()[0]


@pytest.mark.parametrize("case", ["Ridge", "ARIMA", "ARIMA-mean"])
def test_columns_of_no_use_change_nothing(case: str) -> None:
    panel = without(events(), "payday", "delivery")
    plain = without(panel, "price")
    model = MODELS[case]().fit(panel)
    forecast = model.predict(panel)
    np.testing.assert_array_equal(forecast.mean, MODELS[case]().fit(plain).predict(plain).mean)
    assert all("leaves out price: " in text for text in forecast.note_texts())
    # What is not used need not be known ahead.
    cut = panel.until(times(panel, [LAST])[0])
    np.testing.assert_array_equal(model.predict(cut).mean, forecast.mean)


def test_models_that_take_no_regressors_say_so() -> None:
    panel = events()
    for model in (ft.Stats("AutoETS", H), ft.Stats("MSTL", H), ft.VAR(H, 2), ft.Ridge(H, input_size=14, known="off")):
        assert not model.uses_future
        assert "does not use payday, delivery, price" in model.fit(panel).predict(panel).note_texts()[0]
    assert ft.Ridge(H, input_size=14, known="on").uses_future
    with pytest.raises(ConfigError, match="known is one of 'auto', 'on', 'off'; got 'yes'"):
        ft.Ridge(H, known="yes")


def test_new_series_are_given_the_shared_effects() -> None:
    panel = events()
    model = ft.Ridge(H, input_size=21).fit(panel.take([0]))
    forecast = model.predict(panel)
    truth = forecast.truth(events(ahead=False))
    assert np.abs(forecast.mean[1] - truth[1]).mean() < 3


def test_effects_are_those_of_statsmodels() -> None:
    from statsmodels.tsa.arima import model as theirs_

    panel = without(events(), "price").take([0])
    model = ft.ARIMA(H, (2, 0, 1)).fit(panel)
    rows = panel.rows(0)
    theirs = theirs_.ARIMA(rows[: LAST + 1, 0], exog=rows[: LAST + 1, 1:], order=(2, 0, 1)).fit()
    expected = theirs.get_forecast(H, exog=rows[LAST + 1 :, 1:])
    got = model.predict(panel, levels=(80,))
    np.testing.assert_allclose(got.mean[0, :, 0], expected.predicted_mean, atol=0.05)
    np.testing.assert_allclose(got.quantile(0.1)[0, :, 0], expected.conf_int(alpha=0.2)[:, 0], atol=0.1)


def test_statsforecast_gets_the_columns() -> None:
    from statsforecast.models import ARIMA

    panel = without(events(ahead=False), "price").take([0])
    until = times(panel, [LAST - 10])[0]
    got = ft.Stats("ARIMA", H, params={"order": (1, 0, 1)}).fit(panel, until).predict(panel, times(panel, [LAST]))
    y, x = panel.rows(0)[:, 0].copy(), panel.rows(0)[:, 1:]
    location, scale = x[: LAST - 9].mean(axis=0), x[: LAST - 9].std(axis=0)
    x = (x - location) / scale
    theirs = ARIMA(order=(1, 0, 1)).fit(y[: LAST - 9], x[: LAST - 9])
    expected = theirs.forward(y=y[: LAST + 1], h=H, X=x[: LAST + 1], X_future=x[LAST + 1 :])
    np.testing.assert_allclose(got.mean[0, :, 0], expected["mean"], rtol=1e-6)


class _Refusing:
    """Takes no regressors at fit, though its class says so."""

    uses_exog = True

    def __init__(self, season_length: int = 1) -> None:
        self.season_length = season_length

    def fit(self, y: np.ndarray, X: Any = None) -> _Refusing:
        if X is not None:
            raise ValueError("singular")
        return self

    def forward(self, y: np.ndarray, h: int, level: Any = None, X: Any = None) -> dict[str, np.ndarray]:
        mean = np.full(h, float(y[-1]))
        return {"mean": mean, **{f"{side}-{one}": mean for one in level or () for side in ("lo", "hi")}}


def test_a_model_that_fails_with_the_columns_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    from foretide.forecasters.classical import stats

    monkeypatch.setattr(stats, "_kind", lambda name: _Refusing)
    panel = events()
    forecast = ft.Stats("AutoARIMA", H).fit(panel).predict(panel, levels=())
    np.testing.assert_array_equal(forecast.mean[0], panel.values[LAST, 0])
    said = "AutoARIMA leaves out payday, delivery, price: its estimation failed with them (singular)"
    assert forecast.note_texts() == [said, said]


# ---------------------------------------------------------------- the choice of columns
def test_choice_of_columns() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 80))
    table = np.stack([a, np.full(80, 3.0), b, a + 2 * b + 1, np.arange(80.0), np.full(80, np.nan)], axis=1)
    y = rng.normal(size=80)
    found = Regressors.choose(table, y)
    assert found.columns.tolist() == [0, 2]
    assert found.left_out == {CONSTANT: [1, 4, 5], COMBINED: [3]}
    assert Regressors.choose(table, y, differences=0).columns.tolist() == [0, 2, 4]
    np.testing.assert_allclose(found.of(table).std(axis=0), 1)
    again = Regressors.from_dict(found.to_dict())
    np.testing.assert_array_equal(again.of(table), found.of(table))


def test_few_rows_keep_the_columns_that_are_followed_most_closely() -> None:
    rng = np.random.default_rng(2)
    table = rng.normal(size=(20, 6))
    y = 5 * table[:, 4] + 0.1 * rng.normal(size=20)
    found = Regressors.choose(table, y)
    assert 4 in found.columns.tolist()
    assert len(found.columns) == 2
    assert len(found.left_out[MANY]) == 4
    assert Regressors.choose(table[:3], y[:3]).columns.tolist() == []


def test_a_column_left_out_for_one_target_is_said_to_be_so() -> None:
    panel, rng = events(), np.random.default_rng(2)
    y, payday, delivery, price = panel.values.T
    later = np.where(np.isfinite(y) & (payday == 0), 30 + 9 * delivery + 9 * price + rng.normal(size=len(y)), np.nan)
    panel = replace(panel, values=np.insert(panel.values, 1, later, axis=1), targets=("y0", "later"))
    found = MODELS["ARIMA-mean"]().fit(panel).predict(panel)
    (note,) = (note for note in found.notes if note.kind == "left-out" and "payday" in note.columns)
    assert (note.text, note.targets) == (f"ARIMA leaves out payday for later: {CONSTANT}", ("later",))
    assert "payday" not in found.unused
    assert "payday" not in found.take(np.array([1])).unused


def test_a_column_that_one_member_leaves_out_enters_a_blend_by_the_other() -> None:
    panel = events()
    values = panel.values.copy()
    values[:, 3] = 5.0
    constant = panel.with_values(values)
    for members, unused in ((["ARIMA", "ARIMA-mean"], ("price",)), (["ARIMA", "Ridge"], ())):
        found = ft.Ensemble([MODELS[name]() for name in members]).fit(constant).predict(constant)
        assert any("ARIMA leaves out price: " in text for text in found.note_texts())
        assert found.unused == unused
