"""Interval levels and quantiles, however they are given, and wherever."""

from __future__ import annotations

import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.support.cases import make_panel
from typer.testing import CliRunner

import foretide as ft
from foretide.errors import ConfigError
from foretide.forecasters.levels import COMMAND, YAML, interval_levels, quantile_levels
from foretide.jobs.config import load_config

H = 3


def distribution(**settings: Any) -> Any:
    return ft.WithIntervals(ft.SeasonalNaive(H, 7), **settings)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (80, (80,)), (80.0, (80,)), (np.float32(99.9), (99.9,)), (np.array(95), (95,)), ([80, 95], (80, 95)),
        (np.array([95, 80]), (95, 80)), (pd.Series([50]), (50,)), ((80, 80.0), (80,)), ((), ()), (None, ()),
        (range(80, 91, 10), (80, 90)), ((q for q in (80,)), (80,)), (99.99999, (99.99999,)), (1.5, (1.5,)),
        ({80, 95}, (80, 95)), ({80: "a"}.keys(), (80,)), (Decimal("97.5"), (97.5,)), (np.array(80), (80,)),
    ],
)  # fmt: skip
def test_levels_are_read(given: Any, read: tuple[float, ...]) -> None:
    assert interval_levels(given) == read


@pytest.mark.parametrize(
    ("given", "typed"),
    [
        ((0.8, 0.95), r"levels=\(80, 95\)"), (0.8, "levels=80"), ([80, 0.95], r"levels=\(80, 95\)"),
        (np.array([0.9], dtype=np.float32), "levels=90"), (1, "levels=99"), (1.0, "levels=99"), (0.005, r"levels="),
        ("80", "levels=80"), ("80,95", r"levels=\(80, 95\)"), (["80", "95"], r"levels=\(80, 95\)"), (100, "levels=99"),
        (0, r"levels=\(80, 95\)"), (-5, r"levels=\(80, 95\)"), (float("nan"), r"levels=\(80, 95\)"),
        (float("inf"), r"levels=\(80, 95\)"), (True, "levels="), ([80, None], "levels=80"), ({80: 1}, "levels="),
        (object(), r"levels=\(80, 95\)"), ([[80, 95]], r"levels="), (99.9999999999, "levels="), ("high", "levels="),
        (10**400, "levels="), ([80, 10**400], "levels=80"), (b"80", "levels=80"),
    ],
)  # fmt: skip
def test_levels_are_refused_with_what_to_type(given: Any, typed: str) -> None:
    with pytest.raises(ConfigError, match=rf"percentage between 0 and 100, got .*Type {typed}"):
        interval_levels(given)


@pytest.mark.parametrize("given", [0.005, 0.8, 1, "80", (0.8, 0.95), ("80", 95), 100, 0, [0.5, 80]])
def test_what_an_error_says_to_type_works(given: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        interval_levels(given)
    typed = str(caught.value).rpartition("Type ")[2].rstrip(".")
    assert interval_levels(eval(typed.removeprefix("levels=")))


@pytest.mark.parametrize(
    ("given", "read"),
    [(0.5, (0.5,)), ((0.9, 0.1), (0.1, 0.9)), (np.float32(0.1), (0.1,)), ((0.1, 0.1), (0.1,)), ((), ()), (None, ())],
)
def test_quantiles_are_read(given: Any, read: tuple[float, ...]) -> None:
    assert quantile_levels(given) == read


@pytest.mark.parametrize(
    ("given", "typed"),
    [
        (10, "quantiles=0.1"), ((10, 50, 90), r"quantiles=\(0.1, 0.5, 0.9\)"), ("0.1,0.9", r"quantiles=\(0.1, 0.9\)"),
        (0, "quantiles="), (1, "quantiles="), (float("nan"), "quantiles="), (-0.1, "quantiles="), (1e-12, "quantiles="),
    ],
)  # fmt: skip
def test_quantiles_are_refused_with_what_to_type(given: Any, typed: str) -> None:
    with pytest.raises(ConfigError, match=rf"fraction between 0 and 1, got .*Type {typed}"):
        quantile_levels(given)


def test_advice_is_in_the_form_of_the_place() -> None:
    with pytest.raises(ConfigError, match=r"Type levels: \[80, 95\]\."):
        interval_levels((0.8, 0.95), typed=YAML)
    with pytest.raises(ConfigError, match=r"Type --quantiles 0\.1,0\.9\."):
        quantile_levels((10, 90), typed=COMMAND)


# ---------------------------------------------------------------- predict and its frame
def test_every_asked_quantile_is_in_the_frame_under_one_name() -> None:
    forecast = distribution().fit(make_panel((80,))).predict(make_panel((80,)), levels=80, quantiles=(0.9, 0.1, 0.5))
    frame = forecast.to_frame()
    assert list(frame.columns[3:]) == [
        "SeasonalNaive", "SeasonalNaive-lo-80", "SeasonalNaive-hi-80", "SeasonalNaive-ql0.1", "SeasonalNaive-ql0.5",
        "SeasonalNaive-ql0.9",
    ]  # fmt: skip
    np.testing.assert_array_equal(frame["SeasonalNaive-lo-80"], frame["SeasonalNaive-ql0.1"])
    assert frame.notna().all().all()
    assert forecast.levels == (80,)
    assert forecast.quantile_columns == (0.1, 0.5, 0.9)
    assert list(forecast.take(np.array([0])).to_frame().columns) == list(frame.columns)


def test_predict_and_backtest_refuse_fractions_before_any_work(tmp_path: Path) -> None:
    panel, model = make_panel((80,)), distribution()
    fitted = model.fit(panel)
    for wrong in ((0.8, 0.95), "80", 0.8):
        with pytest.raises(ConfigError, match="percentage between 0 and 100"):
            fitted.predict(panel, levels=wrong)
        with pytest.raises(ConfigError, match="percentage between 0 and 100"):
            ft.backtest(distribution(), panel, n_windows=2, levels=wrong)
        with pytest.raises(ConfigError, match="percentage between 0 and 100"):
            ft.SeasonalNaive(H, 7).fit(panel).predict(panel, levels=wrong)  # a model without a distribution too
    with pytest.raises(ConfigError, match="fraction between 0 and 1"):
        ft.backtest(distribution(), panel, n_windows=2, quantiles=50)
    card = ft.backtest(distribution(), panel, n_windows=2, levels=80, quantiles=0.5, baselines=False)
    assert card.distributions.levels == (80,)
    assert list(card.to_frame().columns[5:]) == [
        "SeasonalNaive", "SeasonalNaive-lo-80", "SeasonalNaive-hi-80", "SeasonalNaive-ql0.5",
    ]  # fmt: skip
    card.save(tmp_path / "card")
    pd.testing.assert_frame_equal(ft.Scorecard.load(tmp_path / "card").to_frame(), card.to_frame())
    with pytest.raises(ConfigError, match=r"level is in percent, between 0 and 100; got 0\.8.*Type level=80"):
        card.coverage(0.8)
    with pytest.raises(ConfigError, match=r"Type coverage_80\."):
        card.value("SeasonalNaive", "coverage_0.8")


def test_a_quantile_that_is_not_held_says_how_to_ask_for_it() -> None:
    panel = make_panel((80,))
    forecast = distribution().fit(panel).predict(panel, quantiles=0.5)
    with pytest.raises(ConfigError, match=r"not 0\.3\. Ask for it: model\.predict\(panel, quantiles=\[0\.3, 0\.5\]\)"):
        forecast.quantile(0.3)
    with pytest.raises(ConfigError, match=r"fraction between 0 and 1, got 30.*Type quantiles=0\.3"):
        forecast.quantile(30)
    with pytest.raises(ConfigError, match="has no quantiles"):
        ft.SeasonalNaive(H, 7).fit(panel).predict(panel, levels=()).quantile(0.5)


# ---------------------------------------------------------------- configuration and command line
@pytest.mark.parametrize(("given", "read"), [(80, (80,)), ([80, 95], (80, 95)), ([], ())])
def test_a_configuration_takes_levels(given: Any, read: tuple[float, ...]) -> None:
    config = load_config({"data": {"synthetic": {}}, "levels": given, "quantiles": 0.5})
    assert config.levels == read
    assert config.quantiles == (0.5,)
    assert load_config(config.model_dump(mode="json")) == config


def test_a_configuration_refuses_fractions() -> None:
    with pytest.raises(ConfigError, match=r"levels: A level is a percentage.*Type levels: \[80, 95\]"):
        load_config({"data": {"synthetic": {}}, "levels": [0.8, 0.95]})
    with pytest.raises(ConfigError, match=r"quantiles: A quantile is a fraction.*Type quantiles: \[0\.1\]"):
        load_config({"data": {"synthetic": {}}, "quantiles": 10})


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--levels", "0.8,0.95"], r"Type --levels 80,95\."),
        (["--levels", "high"], r"Type --levels 80,95\."),
        (["--quantiles", "10,90"], r"Type --quantiles 0\.1,0\.9\."),
        (["--quantiles", "a"], r"Type --quantiles 0\.1,0\.5,0\.9\."),
    ],
)
def test_the_command_line_refuses_fractions(option: list[str], said: str) -> None:
    from foretide.cli.app import app

    with pytest.raises(ConfigError, match=said):
        CliRunner().invoke(app, ["predict", "nowhere", *option], catch_exceptions=False)


# ---------------------------------------------------------------- beyond what a head was trained for
def quantile_model(kind: Any = ft.LSTM, **settings: Any) -> Any:
    head = {"name": "quantile", "levels": [0.1, 0.5, 0.9]}
    return kind(h=H, input_size=6, epochs=1, hidden=8, calendar=None, head=head, **settings)


def test_tails_are_not_invented() -> None:
    panel = make_panel((90,))
    model = quantile_model().fit(panel)
    said = r"trained for quantiles from 0\.1 to 0\.9, so 0\.025, 0\.975 is NaN.*levels=80"
    with pytest.warns(UserWarning, match=said):
        frame = model.predict(panel, levels=(80, 95)).to_frame()
    assert frame[["LSTM-lo-95", "LSTM-hi-95"]].isna().all().all()
    assert frame[["LSTM", "LSTM-lo-80", "LSTM-hi-80"]].notna().all().all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inside = model.predict(panel, levels=(80, 50), quantiles=0.3).to_frame()
        assert model.predict(panel).levels == (80,)  # what nobody asked for is left out without a word
    assert inside.notna().all().all()
    head = {"name": "quantile", "levels": [0.025, 0.1, 0.5, 0.9, 0.975]}  # as the warning says to type
    wider = ft.LSTM(h=H, input_size=6, epochs=1, hidden=8, calendar=None, head=head).fit(panel)
    assert wider.predict(panel).to_frame().notna().all().all()


def test_a_law_without_tails_is_scored_within_its_levels() -> None:
    with pytest.warns(UserWarning, match="trained for quantiles from"):
        card = ft.backtest(quantile_model(), make_panel((90,)), n_windows=2, baselines=False, levels=(80, 95))
    assert ft.backtest(quantile_model(), make_panel((90,)), n_windows=2, baselines=False).distributions.levels == (80,)
    assert np.isfinite(card.value("LSTM", "coverage_80"))
    assert np.isfinite(card.value("LSTM", "wql"))
    assert np.isnan(card.value("LSTM", "coverage_95"))


@pytest.mark.parametrize("make", [ft.PerEntity, ft.WithIntervals, lambda m: ft.Ensemble([m, m])])
def test_wrappers_pass_limits_on(make: Any) -> None:
    assert make(quantile_model()).quantile_range == (0.1, 0.9)
    assert make(ft.SeasonalNaive(H, 7)).quantile_range is None


def test_conformal_corrects_the_outermost_level_where_a_head_has_no_further_one() -> None:
    panel = make_panel((120,))
    model = ft.Conformal(quantile_model()).fit(panel)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = model.predict(panel).to_frame()
    assert frame.notna().all().all()
