from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from cases import make_panel, times

from foretide.data.panel import Panel, Static
from foretide.data.reading.problems import DataWarning
from foretide.data.time.calendar import Calendar
from foretide.data.time.grid import Grid
from foretide.errors import ConfigError, DataError
from foretide.forecasters.artifact import load, without_times
from foretide.forecasters.networks.attention import Attention
from foretide.forecasters.networks.lstm import LSTM
from foretide.forecasters.networks.neural import NeuralForecaster, covered_calendar

H = 3
MODELS: dict[str, type[NeuralForecaster]] = {"Attention": Attention, "LSTM": LSTM}
each = pytest.mark.parametrize("kind", MODELS)


def make(kind: str, **settings: Any) -> NeuralForecaster:
    own = {"heads": 2} if kind == "Attention" else {}
    return MODELS[kind](H, **{"input_size": 14, "hidden": 8, "epochs": 2, "device": "cpu", **own, **settings})


def poisoned(panel: Panel, rows: slice) -> Panel:
    values = panel.values.copy()
    values[rows] = 1e6
    return panel.with_values(values)


# ---------------------------------------------------------------- training
@each
def test_seeds(kind: str) -> None:
    panel = make_panel()
    before = torch.get_rng_state()

    def weights(seed: int) -> dict[str, np.ndarray]:
        return make(kind, seed=seed, dropout=0.1).fit(panel).state()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(first[k], again[k]) for k in first)
    assert any(not np.array_equal(first[k], other[k]) for k in first)
    assert torch.equal(before, torch.get_rng_state())


@each
def test_history_has_epochs(kind: str) -> None:
    model = make(kind, epochs=3, patience=5).fit(make_panel())
    assert [row["epoch"] for row in model.history] == [0, 1, 2, 3]
    assert set(model.history[0]) == {"epoch", "train_loss", "val_loss", "seconds"}
    assert model.best_epoch == int(np.argmin([row["val_loss"] for row in model.history]))
    # Epoch 0 is the closed-form start.
    assert model.history[0]["val_loss"] == pytest.approx(model.start_report()[0]["val_mse"], rel=1e-3)


@each
def test_no_epochs_give_the_closed_form_start(kind: str) -> None:
    panel = make_panel((140,), targets=2, past=1)
    model = make(kind, epochs=0, calendar=None).fit(panel)
    assert model.closed_form is not None
    assert model.preparation is not None
    assert model.closed_form.later is not None
    start, values = model.closed_form.later, model.preparation.values(panel)
    cutoff = 139
    ahead = np.arange(cutoff - 13, cutoff + H + 1)
    season = start.season.at(0, ahead)
    window = values[cutoff - 13 : cutoff + 1] - season[:14]
    level = {"last": window[-1], "mean": window.mean(axis=0), "none": 0 * window[-1]}[start.level]
    window = window - level
    expected = np.zeros((H, 2))
    for d in range(2):
        if start.channels == "all":
            mapped = np.einsum("lc,clh->h", window, start.weights[:, :, d])
        else:
            mapped = window[:, d] @ start.weights[d if start.channels == "own" else 0]
        expected[:, d] = mapped + start.intercept[d] + level[d] + season[14:, d]
    part = panel.values[: int(0.85 * 140), :2]
    got = model.predict(panel).mean[0]
    np.testing.assert_allclose(got, expected * part.std(axis=0) + part.mean(axis=0), rtol=2e-4)


@each
@pytest.mark.parametrize("head", ["absolute", "huber"])
def test_other_heads(kind: str, head: str) -> None:
    panel = make_panel()
    last = times(panel, [119])[0]  # no validation windows: the trained weights are kept
    model, squared = (make(kind, head=name).fit(panel, train_until=last) for name in (head, "point"))
    assert np.isfinite(model.predict(panel).mean).all()
    assert model.history[1]["train_loss"] != squared.history[1]["train_loss"]
    assert not np.array_equal(model.predict(panel).mean, squared.predict(panel).mean)


@each
def test_validation_is_not_trained_on(kind: str) -> None:
    panel = make_panel((160,), targets=1, past=1)
    until = times(panel, [129])[0]
    options = {"epochs": 3, "patience": 3, "channels": "shared", "level": "last", "waves": 1, "known": "off",
               "penalties": (0.1,), "by_step": False}  # fmt: skip
    models = [
        make(kind, **options).fit(p, train_until=until) for p in (panel, panel.with_values(panel.values + np.where(
            np.arange(160)[:, None] > 129, 3.0, 0.0)))
    ]  # fmt: skip
    # All choices are fixed and epochs are counted: only validation losses may differ.
    losses = [[row["train_loss"] for row in m.history[1:]] for m in models]
    assert losses[0] == losses[1]
    assert models[0].history[0]["val_loss"] != models[1].history[0]["val_loss"]


@each
def test_without_validation_windows(kind: str) -> None:
    panel = make_panel()
    model = make(kind).fit(panel, train_until=times(panel, [119])[0])
    assert model.best_epoch == 2
    assert np.isnan(model.history[-1]["val_loss"])
    assert np.isfinite(model.predict(panel).mean).all()


@each
def test_a_series_that_begins_after_the_training_part(kind: str) -> None:
    panel = make_panel((170, 40), first=(0, 120))
    until, train_until = times(panel, [150, 110])
    model = make(kind).fit(panel, until, train_until=train_until)
    alone = make(kind).fit(panel.take([0]), until, train_until=train_until)
    np.testing.assert_array_equal(model.predict(panel.take([0])).mean, alone.predict(panel.take([0])).mean)
    # It is forecast from its own window.
    assert np.abs(model.predict(panel).mean[1] - 20).max() < 10


@each
def test_a_series_without_values_beside_others(kind: str) -> None:
    panel = make_panel((120, 120), future=1)
    values = panel.values.copy()
    values[120:, 0] = np.nan
    panel = panel.with_values(values)
    model = make(kind).fit(panel, times(panel, [110])[0])
    found = model.predict(panel, times(panel, [110])).mean
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()  # nothing is known of it


# ---------------------------------------------------------------- columns
def with_known(n: int = 160) -> Panel:
    """Daily noise plus three times a flag that is known ahead."""
    panel = make_panel((n,), future=1)
    rng = np.random.default_rng(0)
    flag = (rng.random(n) < 0.5).astype(float)
    return panel.with_values(np.stack([20 + 3 * flag + 0.3 * rng.normal(size=n), flag], axis=1))


@each
def test_known_columns_change_the_forecast(kind: str) -> None:
    panel = with_known()
    until, cutoff = times(panel, [139]), times(panel, [145])
    model = make(kind).fit(panel, until[0])
    before = model.predict(panel, cutoff).mean[0, :, 0]
    values = panel.values.copy()
    values[146:149, 1] = 1 - values[146:149, 1]
    after = model.predict(panel.with_values(values), cutoff).mean[0, :, 0]
    np.testing.assert_allclose(after - before, 3 * (values[146:149, 1] - panel.values[146:149, 1]), atol=1.0)


@each
def test_known_columns_must_reach_the_horizon(kind: str) -> None:
    panel = with_known()
    model = make(kind).fit(panel)
    with pytest.raises(DataError, match=r"Known-future column 'f0' of 'y0' has no value at 2023-06-11 00:00:00, which"):
        model.predict(panel)


@each
def test_a_known_column_that_did_not_vary(kind: str) -> None:
    # Its spread is rounding; the first other value must not become 1e16 of it.
    panel = with_known()
    values = panel.values.copy()
    values[:, 1] = 0.1
    values[150:, 1] = 0.2
    panel = panel.with_values(values)
    model = make(kind).fit(panel, times(panel, [140])[0])
    assert np.abs(model.predict(panel, times(panel, [150])).mean - 21.5).max() < 5


@each
def test_static_columns_tell_series_apart(kind: str) -> None:
    panel = make_panel((120, 120, 120))
    fixed = Static(("size",), np.array([[1.0], [5.0], [np.nan]]))
    panel = replace(panel, static=fixed)
    model = make(kind, epochs=3, lr=0.05, patience=9, ema=0.0).fit(panel, train_until=times(panel, [119])[0])
    before = model.predict(panel).mean
    assert np.isfinite(before).all()
    other = replace(panel, static=Static(("size",), np.array([[5.0], [5.0], [np.nan]])))
    after = model.predict(other).mean
    assert not np.allclose(after[0], before[0], atol=1e-3)
    np.testing.assert_array_equal(after[1:], before[1:])
    with pytest.raises(DataError, match=r"fitted with static columns \['size'\], this panel has \[\]"):
        model.predict(replace(panel, static=Static()))


@each
def test_several_targets_each_in_its_own_units(kind: str) -> None:
    panel = make_panel((140,), targets=2, past=1)
    scaled = panel.with_values(panel.values * np.array([1.0, 1e4, 1e-3]))
    plain, large = make(kind).fit(panel).predict(panel).mean, make(kind).fit(scaled).predict(scaled).mean
    np.testing.assert_allclose(large / np.array([1.0, 1e4]), plain, rtol=1e-3)


# ---------------------------------------------------------------- calendar
def hourly(days: float) -> Panel:
    panel = make_panel((int(24 * days),))
    return replace(panel, grid=Grid(pd.Timestamp("2023-01-02"), "h"))


@pytest.mark.parametrize(
    ("days", "features"),
    [(1.5, None), (2.1, ("hour",)), (13.9, ("hour",)), (14.1, ("hour", "weekday")), (731, ("hour", "weekday")),
     (733, ("hour", "weekday", "yearday"))],
)  # fmt: skip
def test_only_cycles_seen_twice_are_features(days: float, features: tuple[str, ...] | None) -> None:
    found = covered_calendar(hourly(days))
    assert (None if found is None else found.features) == features


def test_the_longest_series_decides() -> None:
    panel = make_panel((10, 40), first=(0, 0))
    assert covered_calendar(panel) == Calendar(("weekday",))
    assert covered_calendar(panel.take([0])) is None
    assert covered_calendar(replace(panel, grid=Grid(0, 1))) is None


@each
def test_calendar_as_object_dict_or_none(kind: str) -> None:
    panel = make_panel()
    as_object, as_dict = (make(kind, calendar=c) for c in (Calendar(("weekend",)), {"features": ["weekend"]}))
    a, b = as_object.fit(panel).predict(panel).mean, as_dict.fit(panel).predict(panel).mean
    np.testing.assert_array_equal(a, b)
    assert as_object.settings()["calendar"] == as_dict.settings()["calendar"]
    assert as_object.facts()["shape"]["known"] == 1
    assert make(kind, calendar=None).fit(panel).facts()["shape"]["known"] == 0
    assert make(kind).fit(panel).facts()["calendar"] == {"features": ["weekday", "monthday"], "country": None}
    with pytest.raises(ConfigError, match="calendar is 'auto', None or a foretide Calendar, got 'holidays'"):
        make(kind, calendar="holidays").fit(panel)


@each
def test_integer_time(kind: str) -> None:
    panel = replace(make_panel(), grid=Grid(0, 1))
    assert np.isfinite(make(kind, seasons=(7,)).fit(panel).predict(panel).mean).all()


# ---------------------------------------------------------------- saving
@each
def test_saved_with_its_report_and_without_touching_the_global_state(kind: str, tmp_path: Path) -> None:
    panel = make_panel((120,), targets=2)
    model = make(kind, calendar=Calendar(("weekday",)), penalties=(0.01, 0.1), seasons=[7, 14]).fit(panel)
    model.save(tmp_path / "model")
    before = torch.get_rng_state()
    loaded = load(tmp_path / "model")
    assert torch.equal(before, torch.get_rng_state())
    assert isinstance(loaded, NeuralForecaster)
    assert loaded.start_report() == model.start_report()
    assert loaded.best_epoch == model.best_epoch
    assert len(loaded.history) == len(model.history)
    assert repr(loaded.history) == repr(without_times(model.history))
    assert loaded.seasons == (7, 14)
    assert loaded.settings() == model.settings()
    np.testing.assert_array_equal(loaded.predict(panel).mean, model.predict(panel).mean)


def test_the_report_begins_with_what_was_chosen() -> None:
    model = make("Attention").fit(make_panel((140,), targets=2, past=1))
    report = model.start_report()
    assert model.closed_form is not None
    assert report[0] == model.closed_form.chosen
    assert len(report) == len(model.closed_form.tried)
    assert all(report.count(row) == 1 for row in report)


# ---------------------------------------------------------------- errors
@each
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3}, r"There is no setting 'epoch'\. Did you mean 'epochs'\?"),
        ({"batchsize": 3}, "Did you mean 'batch_size'"),
        ({"devise": "cpu"}, "Did you mean 'device'"),
        ({"input_size": 1}, "input_size is a number of steps, at least 2; got 1"),
        ({"input_size": "long"}, "input_size is a number of steps, at least 2; got 'long'"),
        ({"level": "lst"}, "level is one of"),
        ({"lr": -1.0}, "lr=-1.0 cannot work"),
        ({"hidden": 0}, "hidden"),
    ],
)
def test_bad_settings(kind: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(kind, **settings)


@each
def test_errors_of_fit(kind: str) -> None:
    with pytest.raises(DataError, match=r"input_size=14 and h=3 need 17 rows, the longest series has 4 in the train"):
        make(kind).fit(make_panel((4,)))
    with pytest.warns(
        DataWarning, match="looks back at 7 steps instead of 14: half of all rows lie in series of at most 14"
    ):
        short = make(kind).fit(make_panel((17,)))
    assert short.min_history == 7
    with pytest.raises(ConfigError, match=r"device='gpu' is not known\. Type 'auto', 'cpu' or 'cuda'"):
        make(kind, device="gpu").fit(make_panel())
    with pytest.raises(ConfigError, match=r"There is no head 'pont'\. Did you mean 'point'"):
        make(kind, head="pont").fit(make_panel())
    with pytest.raises(ConfigError, match=r"has no trace 'heat'; it can return"):
        make(kind).fit(make_panel()).predict(make_panel(), heat=True)


def test_options_of_one_model_are_not_those_of_another() -> None:
    with pytest.raises(ConfigError, match="There is no setting 'layers'"):
        make("Attention", layers=2)
    with pytest.raises(ConfigError, match="There is no setting 'heads'"):
        make("LSTM", heads=2)


@each
def test_making_one_warns_of_nothing_and_sets_no_seed(kind: str) -> None:
    before = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(kind, dropout=0.3)
    assert torch.equal(before, torch.get_rng_state())
