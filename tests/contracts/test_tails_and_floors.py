"""Bounds to believe: nothing below zero for what never was, no width learned from silence, no value beyond counting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import CASES, ONE_EACH, make_panel

import foretide as ft
from foretide.data.panel import Panel
from foretide.forecasters.wrappers.conformal_quantiles import units

H, N = 7, 90
WITH_DISTRIBUTIONS = [
    "ARIMA", "Stats", "Pretrained", "LAVAR-gaussian", "LSTM-student_t", "Attention-quantile", "Attention-nb",
    "Ensemble-distribution",
    "WithIntervals", "WithIntervals-validation", "Conformal", "Conformal-network", "PerEntity-distribution",
]  # fmt: skip
POINTS = ["Ridge", "LSTM", "CalendarES", "LAVAR", "Ensemble", "Drift", "Theta"]


def series() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "intermittent": (rng.random(N) < 0.15) * rng.poisson(4, N).astype(float),
        "falls silent": np.r_[rng.poisson(20, 30), np.zeros(N - 30)].astype(float),
        "wakes last": np.r_[np.zeros(N - 3), 5.0, 6.0, 7.0],
        "coin": (rng.random(N) < 0.5) * 1.0,
        "week": np.rint(10 + 3 * np.sin(np.arange(N) * 2 * np.pi / 7) + rng.normal(size=N)),
    }


def panel_of(rows: dict[str, np.ndarray]) -> Panel:
    return make_panel([len(y) for y in rows.values()]).with_values(np.concatenate(list(rows.values()))[:, None])


@pytest.mark.filterwarnings("ignore:VAR. 1 forecasts or series .* got the random walk")  # for what wakes last
@pytest.mark.parametrize("case", [*WITH_DISTRIBUTIONS, *POINTS])
def test_what_never_was_below_zero_is_not_forecast_there(case: str) -> None:
    panel = panel_of(series())
    found = CASES[case](H).fit(panel).predict(panel)
    assert (found.mean >= 0).all()
    assert found.quantiles is not None
    assert (found.quantiles >= 0).all()


def test_a_mean_that_was_raised_is_noted_and_other_series_are_left_alone() -> None:
    falling = np.linspace(60, 0, N)
    panel = panel_of({"falls": falling, "changes sides": falling - 30})
    both = ft.Drift(H).fit(panel).predict(panel)
    assert (both.mean[0] < 0).all()  # the target has been below zero elsewhere: nothing forbids it here
    assert [note.kind for note in both.notes] == ["negative"]
    assert both.note_texts() == ["Drift goes below zero, where the series never was", ""]
    alone = panel.take([0])
    one = ft.Drift(H).fit(alone).predict(alone)
    assert (one.mean == 0).all()
    assert [note.kind for note in one.notes] == ["floor"]
    above = alone.with_values(alone.values + 0.1)  # never zero either: no floor is known
    assert ft.Drift(H).fit(above).predict(above).mean.min() < 0


@pytest.mark.parametrize("case", ONE_EACH)
def test_one_value_beyond_counting_is_taken_as_missing_with_a_note(case: str) -> None:
    rows = {name: np.rint(series()["week"] + k) for k, name in enumerate(("spoilt", "other"))}
    without = panel_of({**rows, "spoilt": np.where(np.arange(N) == 60, np.nan, rows["spoilt"])})
    panel = panel_of({**rows, "spoilt": np.where(np.arange(N) == 60, 1e300, rows["spoilt"])})
    found = CASES[case](H).fit(panel).predict(panel)
    np.testing.assert_array_equal(found.mean, CASES[case](H).fit(without).predict(without).mean)
    assert "too large to compute with and taken as missing" in found.note_texts()[0]
    assert "too large" not in found.note_texts()[1]


@pytest.mark.parametrize("head", ["gaussian", "student_t", "quantile"])
def test_a_network_that_saw_silence_only_does_not_claim_to_know_exactly(head: str) -> None:
    rng = np.random.default_rng(0)
    y = np.r_[np.zeros(260), rng.poisson(10, 40)].astype(float)
    panel = make_panel((300,)).with_values(y[:, None])
    model = ft.LSTM(h=H, input_size=28, hidden=8, epochs=1, device="cpu", head=head)
    model.fit(panel, until=panel.grid.output_times([259])[0])
    found = model.predict(panel, levels=(80,))
    width = found.quantile(0.9) - found.quantile(0.1)
    assert (width > 4).all()
    assert (width < 25).all()
    assert "has learned no spread" in found.note_texts()[0]
    silent = model.predict(panel, cutoffs=[panel.grid.output_times([259])[0]], levels=(80,))
    np.testing.assert_allclose(silent.quantile(0.9), silent.quantile(0.1), atol=1e-3)


@pytest.mark.parametrize("method", ["split", "adaptive"])
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_errors_of_others_say_nothing_of_a_series_that_never_moved(method: Any, value: float) -> None:
    rng = np.random.default_rng(0)
    panel = panel_of({"flat": np.full(200, value), **{f"s{k}": rng.normal(20, 5, 200) for k in range(3)}})
    found = ft.Conformal(ft.SeasonalES(H), method).fit(panel).predict(panel)
    np.testing.assert_allclose(found.quantiles[0], value)  # type: ignore[index]
    assert (found.quantile(0.9)[1:] - found.quantile(0.1)[1:] > 5).all()


def test_units_of_series_that_did_not_move() -> None:
    from foretide.data.windows import Windows

    panel = panel_of({"flat": np.full(20, 7.0), "one": np.r_[np.full(19, np.nan), 4.0], "saw": np.arange(20.0) % 7})
    ends = Windows(np.arange(3), np.full(3, 19))
    np.testing.assert_allclose(units(panel, ends, 7)[:2, 0], [0, 4])
    assert units(panel, ends, 7)[2, 0] > 0
