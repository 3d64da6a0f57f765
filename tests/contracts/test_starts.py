"""The closed form that a network begins at is a forecaster of its own, which no training has touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import CASES, make_panel, times

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.windows import at_cutoffs
from foretide.forecasters.base import Forecaster
from foretide.forecasters.networks.neural import NeuralForecaster, in_batches
from foretide.forecasters.table import FORECASTERS, forecaster_class

H, LAST = 5, 99
NETWORKS = [name for name in FORECASTERS if forecaster_class(name).neural and forecaster_class(name).nests is None]
BEGINNING = [case for case in CASES if CASES[case](H).start() is not None]
"""Cases of the contracts that begin at a closed form, networks with any head and wrappers around them."""
QUICK: dict[str, Any] = {"input_size": 14, "hidden": 8, "epochs": 2, "device": "cpu"}
SOLVED: dict[str, Any] = {"closed_form": True, "level": "auto", "waves": "auto", "linear": True, "scale": "window"}
"""What the plain networks have switched off by default."""


def panel_(**changes: Any) -> Panel:
    return make_panel((120, 112), whole=True, first=(0, 3), **changes)


def fitted(model: Forecaster | None, panel: Panel) -> Forecaster:
    assert model is not None
    return model.fit(panel, until=times(panel, [LAST])[0])


def test_the_networks_of_the_table_are_among_the_cases() -> None:
    assert {"Attention", "LSTM", "LAVAR"} <= set(NETWORKS) & {type(CASES[case](H)).__name__ for case in BEGINNING}


@pytest.mark.parametrize("case", BEGINNING)
def test_it_has_its_name_and_stops_there(case: str, tmp_path: Path) -> None:
    panel, model = panel_(), CASES[case](H)
    start = model.start()
    assert start is not None
    assert start.name == f"{model.name}-start"
    assert start.start() is None
    assert not start.is_fitted
    assert start.has_distribution == model.has_distribution
    forecast = fitted(start, panel).predict(panel, times(panel, [LAST, 105]))
    assert np.isfinite(forecast.mean).all()
    start.save(tmp_path / "start")
    np.testing.assert_array_equal(
        ft.load(tmp_path / "start").predict(panel, times(panel, [LAST, 105])).mean, forecast.mean
    )


@pytest.mark.parametrize("name", [n for n in NETWORKS if issubclass(forecaster_class(n), NeuralForecaster)])
@pytest.mark.parametrize("head", ["point", "gaussian", "student_t", "huber"])
def test_nothing_is_added_to_season_level_and_map(name: str, head: str) -> None:
    panel = panel_()
    start = fitted(forecaster_class(name)(h=H, **{**QUICK, **SOLVED, "head": head}).start(), panel)
    assert isinstance(start, NeuralForecaster)
    windows = at_cutoffs(panel, times(panel, [LAST, 104, 111]))
    batches = start.window_batches(panel, windows)
    network, preparation = start._parts()
    base = np.concatenate([network.base(batches.inputs(k)).detach().numpy() for _, k in in_batches(batches)])
    told = start.predict(panel, times(panel, [LAST, 104, 111])).mean
    np.testing.assert_allclose(told, preparation.unscale(panel, windows.entity, base), rtol=1e-5, atol=1e-5)


def test_the_seed_and_the_network_do_not_matter() -> None:
    panel, at = panel_(), times(panel_(), [LAST, 104])
    means = [
        fitted(model.start(), panel).predict(panel, at).mean
        for model in (ft.LSTM(h=H, **QUICK), ft.LSTM(h=H, **QUICK, seed=7), ft.Attention(h=H, **QUICK, heads=2))
    ]
    np.testing.assert_array_equal(means[0], means[1])
    np.testing.assert_allclose(means[0], means[2], rtol=1e-5)


def test_training_moves_a_network_away_from_it() -> None:
    panel, at = panel_(), times(panel_(), [LAST, 104])
    model = ft.LSTM(h=H, **{**QUICK, "epochs": 5}, patience=99, lr=0.01)
    start = fitted(model.start(), panel)
    assert model.fit(panel, until=times(panel, [LAST])[0]).history[0]["val_loss"] == pytest.approx(
        start.start_report()[0]["val_mse"],
        rel=1e-3,  # type: ignore[attr-defined]
    )
    assert np.abs(model.predict(panel, at).mean - start.predict(panel, at).mean).max() > 0


def test_lavar_begins_at_its_base() -> None:
    panel = ft.synthetic.supplies(T=200, n_targets=6, seed=3).panel
    start = ft.LAVAR(h=7, heads=("delta", "delta", "delta"), bound_factor=0.0).start()
    assert start is not None
    at = times(panel, [180])
    forecast = start.fit(panel, until=at[0]).predict(panel, at, base=True)
    np.testing.assert_allclose(forecast.mean, np.maximum(forecast.extras["base"], 0), atol=1e-4)


def test_what_begins_nowhere_says_so() -> None:
    for model in (
        ft.Ridge(h=H), ft.SeasonalES(h=H), ft.Auto(h=H), ft.Ensemble(["LSTM", "Drift"], h=H), ft.LSTM(h=H, epochs=0),
        ft.PlainLSTM(h=H), ft.PlainAttention(h=H), ft.PlainLAVAR(h=H), ft.LSTM(h=H, closed_form=False),
        ft.LAVAR(h=H, base="last"), ft.LAVAR(h=H, base="season"), ft.LAVAR(h=H).start(),
        ft.Attention(h=H, level="none", waves=0, known="off", linear=False),
    ):  # fmt: skip
        assert model is not None
        assert model.start() is None
