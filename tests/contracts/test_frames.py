"""Frames wherever a panel goes: the same forecasts, of the frame's own kind; and fewer steps than were fitted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from cases import CASES, ONE_EACH, make_panel

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.reading.problems import DataWarning
from foretide.errors import ConfigError, DataError
from foretide.forecasters.base import Forecaster
from foretide.forecasters.forecast import Forecast

H = 5
each_class = pytest.mark.parametrize("case", ONE_EACH)


def frame_of(ahead: bool = True) -> pd.DataFrame:
    """Two shops with a promotion that is known ahead, in columns of their own names."""
    made = make_panel((90 + H, 90 + H), future=1, ahead=H, whole=True).to_frame()
    frame = pd.DataFrame(made).rename(
        columns={"unique_id": "item_id", "ds": "timestamp", "y0": "target", "f0": "promo"}
    )
    return frame if ahead else frame.drop(columns="promo").dropna().reset_index(drop=True)


@cache
def fitted(case: str) -> tuple[Forecaster, Forecaster]:
    """One that was fitted on a frame, with its roles guessed, and one on the panel."""
    frame = frame_of()
    with pytest.warns(DataWarning, match=r"Guessed id: item_id.*type: ft\.Panel\.from_frame\(frame, id='item_id'"):
        own = CASES[case](H).fit(frame)
    return own, CASES[case](H).fit(panel_of(frame))


def panel_of(frame: Any) -> Panel:
    return Panel.from_frame(frame, id="item_id", time="timestamp", target="target", future="promo")


def same(one: Forecast, other: Forecast) -> None:
    np.testing.assert_array_equal(one.mean, other.mean)
    assert one.levels == other.levels
    if one.quantiles is not None:
        assert other.quantiles is not None
        np.testing.assert_array_equal(one.quantiles, other.quantiles)
    assert one.note_texts() == other.note_texts()


@each_class
def test_fit_and_predict_of_a_frame_are_those_of_its_panel(case: str) -> None:
    by_frame, by_panel = fitted(case)
    frame = frame_of()
    wanted = by_panel.predict(panel_of(frame))
    same(by_frame.predict(frame), wanted)
    in_polars = by_panel.predict(pl.from_pandas(frame))
    same(in_polars, wanted)
    answer = in_polars.to_frame()
    assert isinstance(answer, pl.DataFrame)
    assert answer.columns[:3] == ["item_id", "timestamp", "cutoff"]
    assert isinstance(by_panel.predict(frame).to_frame(), pd.DataFrame)


@each_class
def test_fewer_steps_than_fitted_are_the_first_ones(case: str) -> None:
    model, frame = fitted(case)[1], panel_of(frame_of())
    whole, short = model.predict(frame), model.predict(frame, h=2)
    assert short.h == 2
    np.testing.assert_array_equal(short.mean, whole.mean[:, :2])
    if whole.quantiles is not None:
        assert short.quantiles is not None
        np.testing.assert_array_equal(short.quantiles, whole.quantiles[:, :2])
    traces: Any = dict.fromkeys(model.traces, True)
    for name, value in model.predict(frame, h=2, **traces).extras.items():
        shape = model.predict(frame, **traces).extras[name].shape
        axis = model.step_axis.get(name, 1)
        assert value.shape == (*shape[:axis], 2, *shape[axis + 1 :])
    with pytest.raises(ConfigError, match=rf"h={H} steps, fewer than h={H + 1}.*model\.fresh\(h={H + 1}\)\.fit"):
        model.predict(frame, h=H + 1)


def test_the_usual_names_need_no_guess_and_no_warning() -> None:
    frame = frame_of(ahead=False).set_axis(["unique_id", "ds", "y"], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = ft.SeasonalNaive(h=H, season=7).fit(frame)
        same(model.predict(frame), model.predict(Panel.from_frame(frame)))
        assert len(ft.fit_each("SeasonalNaive", frame, h=H).predict(frame)) == 2
        panel = Panel.from_frame(frame)
        assert ft.split(frame).sizes == ft.split(panel).sizes
        assert ft.check_leaks(ft.Persistence(h=2), frame).ok
        cards: list[Any] = [ft.backtest(ft.SeasonalNaive(h=H, season=7), data, n_windows=2) for data in (frame, panel)]
        one, other = (card.leaderboard() for card in cards)
        names = [name for name in one.columns if "seconds" not in name and name != "peak_mib"]
        assert one[names].equals(other[names])
        forecast = model.predict(frame, frame["ds"].iloc[[60]].tolist())
        assert np.array_equal(forecast.truth(pl.from_pandas(frame)), forecast.truth())
        assert ft.score([forecast], frame).value("SeasonalNaive", "mae") == ft.score([forecast]).value(
            "SeasonalNaive", "mae"
        )
        study = ft.tune("SeasonalES", frame, h=2, n_trials=1, storage="memory", baselines=False)
        assert study.best.model == "SeasonalES"


def test_explanations_take_frames() -> None:
    frame = frame_of(ahead=False).set_axis(["unique_id", "ds", "y"], axis=1)
    early = frame[frame["ds"] < "2023-03-01"]
    ridge = ft.Ridge(h=2, input_size=10).fit(early)
    one, other = (ft.explain.inputs(ridge, data, n_repeats=2) for data in (frame, Panel.from_frame(frame)))
    np.testing.assert_array_equal(one.increase, other.increase)
    attention = CASES["Attention"](H).fit(early)
    assert (
        ft.explain.attention(attention, frame).shape == ft.explain.attention(attention, Panel.from_frame(frame)).shape
    )
    assert len(ft.explain.input_gradients(attention, frame, n_steps=4).total) == 2
    assert isinstance(ft.explain.dynamics(CASES["LAVAR"](H).fit(early), frame).stable, bool)


def test_the_next_table_is_read_as_the_first_one_was(tmp_path: Any) -> None:
    frame = frame_of()
    frame[["region", "item_id"]] = [["north", name] for name in frame["item_id"]]
    told: Any = {"id": ["region", "item_id"], "time": "timestamp", "target": "target", "future": "promo"}
    holes = frame.drop(index=[20, 40])
    model = ft.Ridge(h=H, input_size=14).fit(Panel.from_frame(holes, **told, fill_gaps=True, tz="Europe/Berlin"))
    model.save(tmp_path / "model")
    again = ft.load(tmp_path / "model")
    same(again.predict(holes), model.predict(Panel.from_frame(holes, **told, fill_gaps=True, tz="Europe/Berlin")))
    assert list(again.predict(holes).to_frame().columns[:2]) == ["region/item_id", "timestamp"]
    # What is known ahead alone is enough: the rows before were kept at fit.
    coming = holes[holes["target"].isna()]
    same(again.predict(coming), model.predict(holes))
    same(again.predict(coming.drop(columns="target")), model.predict(holes))
    with pytest.raises(DataError, match=r"(?s)'promo' \(future\).*from_frame\(frame, id=\['region', 'item_id'\]"):
        again.predict(holes.drop(columns="promo"))


def test_a_column_per_series_and_one_row_per_series_too() -> None:
    long = frame_of(ahead=False)
    wide = long.pivot(index="timestamp", columns="item_id", values="target").reset_index()
    wide.columns.name = None
    with pytest.warns(DataWarning, match="each is taken as a series of its own"):
        model = ft.SeasonalNaive(h=H, season=7).fit(wide)
    answer: Any = model.predict(pl.from_pandas(wide.tail(20))).to_frame()
    assert sorted(set(answer["unique_id"])) == ["shop0", "shop1"]


def test_names_of_other_libraries_are_answered_with_what_to_type() -> None:
    frame = frame_of(ahead=False).set_axis(["unique_id", "ds", "y"], axis=1)
    model: Any = ft.SeasonalNaive(h=H, season=7).fit(frame)
    kinds: Any = ft
    slips: dict[str, Callable[[], object]] = {
        r"called 'levels' here\. Type: levels=\(80,\)": lambda: model.predict(frame, level=[80]),
        r"Type: quantiles=\(0\.1,\)": lambda: model.predict(frame, quantile_levels=[0.1]),
        r"the table comes first\. Type: model\.fit\(frame\)": lambda: model.fit(df=frame),
        r"predict needs the table.*Type: model\.predict\(frame\)": lambda: model.predict(h=3),
        r"rows after the last observed one": lambda: model.predict(frame, futr_df=frame),
        r"SeasonalNaive has no argument 'horizon'.*Type: h=14": lambda: kinds.SeasonalNaive(horizon=14),
        r"Attention has no argument 'prediction_length'.*Type: h=7": lambda: kinds.Attention(prediction_length=7),
        r"Ridge has no argument 'fh'.*Type: h=3": lambda: kinds.Ridge(fh=3),
        r"Type: lr=0\.1": lambda: kinds.LSTM(h=2, learning_rate=0.1),
        r"how the table is read. Type: ft\.Panel\.from_frame\(frame, freq='D'\)": lambda: kinds.Drift(h=2, freq="D"),
        r"Type: ft\.Panel\.from_frame\(frame, id='unique_id'\)": lambda: model.fit(frame, id_col="unique_id"),
        r"called 'n_windows' here": lambda: kinds.backtest(model, frame, n_folds=3),
        r"called 'h' here": lambda: kinds.tune("Ridge", frame, horizon=3),
        r"called 'id' here": lambda: kinds.Panel.from_frame(frame, id_col="unique_id"),
        r"fit has no argument 'untli'. Did you mean 'until'": lambda: model.fit(frame, untli="2023-02-01"),
        r"a whole number from 1 to 5; got 0": lambda: model.predict(frame, h=0),
    }
    for message, slip in slips.items():
        with pytest.raises(ConfigError, match=message):
            slip()


@pytest.mark.parametrize(("typed", "freq"), [("M", "ME"), ("H", "h"), ("T", "min"), ("2H", "2h"), ("Q", "QE-DEC")])
def test_frequencies_of_earlier_pandas_are_understood(typed: str, freq: str) -> None:
    from foretide.data.time.frequency import read_freq

    assert read_freq(typed) == freq


def test_month_ends_for_months_that_begin_are_answered_with_the_right_frequency() -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=30, freq="MS"), "y": np.arange(30.0)})
    with pytest.raises(DataError, match=r"They lie on steps of MS: freq='MS', or leave freq out"):
        Panel.from_frame(frame, id=None, freq="M")
