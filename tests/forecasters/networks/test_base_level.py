"""Networks that correct LAVAR's base: level x season x events of each series as of the cutoff."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import times

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.windows import Windows
from foretide.forecasters.artifact import load
from foretide.forecasters.lavar.standard_base import standard_base
from foretide.forecasters.networks.base_level import fewer, like_demand
from foretide.forecasters.networks.neural import NeuralForecaster
from foretide.forecasters.table import forecaster_class

H, T, UNTIL = 7, 260, 229
SETTINGS: dict[str, Any] = {"input_size": 21, "hidden": 8, "device": "cpu"}
each = pytest.mark.parametrize("kind", ["Attention", "LSTM"])


@pytest.fixture(scope="module")
def wide() -> Panel:
    return ft.synthetic.supplies(T=T, n_targets=6, seed=22).panel


@pytest.fixture(scope="module")
def long(wide: Panel) -> Panel:
    """The same counts, an entity each."""
    frame = wide.to_frame()
    known = list(wide.future)
    melted = frame.melt(id_vars=["ds", *known], value_vars=list(wide.targets), var_name="unique_id", value_name="y")
    return Panel.from_frame(melted.sort_values(["unique_id", "ds"]), freq="D", future=known)


def made(kind: str, **settings: Any) -> NeuralForecaster:
    model = forecaster_class(kind)(h=H, **{**SETTINGS, **settings})
    assert isinstance(model, NeuralForecaster)
    return model


def end(panel: Panel) -> Any:
    return times(panel, [UNTIL])[0]


@each
def test_before_training_the_forecast_is_the_base(kind: str, wide: Panel) -> None:
    model = made(kind, level="base", linear=False, epochs=0).fit(wide, until=end(wide))
    until = wide.until(end(wide))
    rows = until.observed - max(H, round(0.15 * (UNTIL + 1)))
    base = standard_base(until.head(rows), H)
    cutoffs = [UNTIL, UNTIL + 5, UNTIL + 11]
    expected = base.at(wide, Windows(np.zeros(3, dtype=np.int64), np.array(cutoffs)), H)
    found = model.predict(wide, times(wide, cutoffs)).mean
    np.testing.assert_allclose(found, np.maximum(expected, 0), rtol=1e-4, atol=1e-3)


@each
@pytest.mark.parametrize("head", ["nb", "point", "quantile"])
def test_validation_chooses_it_for_counts_with_seasons_and_holidays(kind: str, head: str, long: Panel) -> None:
    model = made(kind, head=head, epochs=1).fit(long, until=end(long))
    assert model.start_report()[0]["level"] == "base"
    assert {tried["level"] for tried in model.start_report()} > {"base", "last"}
    assert model.base is not None
    assert model.memory is None


@each
def test_other_levels_have_none(kind: str, wide: Panel) -> None:
    for panel, settings in ((wide, {"level": "last"}), (wide, {"waves": 2}), (ft.synthetic.hourly(T=200).panel, {})):
        model = made(kind, epochs=0, **settings).fit(panel)
        assert model.base is None
        assert model.memory == model.lookback_


@each
def test_nothing_later_is_seen_and_a_saved_model_remembers(kind: str, long: Panel, tmp_path: Path) -> None:
    model = made(kind, head="nb", level="base", epochs=2).fit(long, until=end(long))
    cutoffs = times(long, [UNTIL, UNTIL + 3])
    whole = model.predict(long, cutoffs)
    values = long.values.copy()
    late = np.arange(len(values)) % T > UNTIL + 3
    values[late, : long.n_targets] = 1e6
    np.testing.assert_array_equal(model.predict(long.with_values(values), cutoffs).mean, whole.mean)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(long, cutoffs).mean, whole.mean)
    frame = long.to_frame()
    later = frame[frame.ds > frame.ds.min() + pd.Timedelta(days=UNTIL - 60)]  # the rows before it are remembered
    found = again.predict(Panel.from_frame(later, freq="D", future=list(long.future)), cutoffs[1:])
    np.testing.assert_allclose(found.mean, whole.mean[whole.windows.cutoff == UNTIL + 3], rtol=1e-5, atol=1e-6)


@each
def test_new_series_are_forecast(kind: str, long: Panel) -> None:
    model = made(kind, head="nb", level="base", epochs=1).fit(long.take(np.arange(4)), until=end(long))
    found = model.predict(long, times(long, [UNTIL]), levels=(80,))
    assert not found.notes
    truth = np.nansum(found.truth(), axis=(1, 2))
    busy = truth > 20
    assert (np.abs(found.mean.sum(axis=(1, 2)) - truth)[busy] < 0.6 * truth[busy]).all()


def test_it_is_explained(long: Panel) -> None:
    model = made("Attention", head="nb", level="base", heads=2, epochs=1).fit(long, until=end(long))
    cutoffs = times(long, [UNTIL, UNTIL + 2])
    summary = ft.explain.attention(model, long, cutoffs, keep_weights=True)
    np.testing.assert_allclose(summary.weights.sum(axis=-1), 1, rtol=1e-5)
    assert "a seasonal base (given back to the forecast)" in " ".join(summary.sentences())
    gradients = ft.explain.input_gradients(model, long, cutoffs, n_steps=8)
    np.testing.assert_allclose(gradients.past.sum() + gradients.known.sum(), gradients.total.sum(), atol=0.05)


@each
def test_without_windows_to_judge_by_it_stays_at_its_base(kind: str, long: Panel) -> None:
    model = made(kind, input_size=H, head="nb", epochs=3).fit(long.until(times(long, [2 * H])[0]))
    assert model.start_report()[0]["level"] == "base"
    assert len(model.history) == 1  # the start alone


@each
def test_it_can_be_a_frame_alone(kind: str, wide: Panel) -> None:
    """With nothing solved for, a network of random weights corrects the base."""
    model = made(kind, level="base", closed_form=False, epochs=1).fit(wide, until=end(wide))
    assert model.base is not None
    assert np.isfinite(model.predict(wide, times(wide, [UNTIL])).mean).all()


def test_which_targets_are_like_demand(long: Panel) -> None:
    assert like_demand(long)
    sparse = long.values.copy()
    sparse[:, 0] *= 1.5
    assert like_demand(long.with_values(sparse))
    assert not like_demand(long.with_values(sparse - 1))
    assert not like_demand(long.with_values(sparse + 1000.5))


def test_many_windows_are_thinned_evenly() -> None:
    windows = Windows(np.zeros(50_000, dtype=np.int64), np.arange(50_000))
    assert len(fewer(windows, 10, 10)) == 50_000
    some = fewer(windows, 100, 10)
    assert len(some) == 20_000
    assert some.cutoff[-1] == 49_999
    assert set(np.diff(some.cutoff)) == {2, 3}
