"""Intervals by default: every forecaster answers every level, honestly, and pays for it only where it is asked to."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import CASES, ONE_EACH, make_panel, times

import foretide as ft
from foretide.data.panel import Panel
from foretide.errors import ConfigError
from foretide.forecasters.base import FitPart, Forecaster
from foretide.forecasters.fitted import Fitted
from foretide.forecasters.intervals import past as past_module
from foretide.tuning.objective import inner_plan, make_task

H, LAST = 5, 209
LEVELS, QUANTILES = (50, 80, 95), (0.01, 0.3, 0.5, 0.99)
each = pytest.mark.parametrize("case", CASES)
each_class = pytest.mark.parametrize("case", ONE_EACH)
pytestmark = pytest.mark.filterwarnings("ignore:.*its quantile head was trained:UserWarning")


@cache
def counts() -> Panel:
    """Three shops: Poisson sales of about 8 with a week, in steps of a day."""
    panel, rng = make_panel((260, 260, 240)), np.random.default_rng(3)
    week = 8 * (1 + 0.4 * np.sin(2 * np.pi * np.arange(len(panel.values)) / 7))
    return panel.with_values(rng.poisson(week)[:, None].astype(float))


@cache
def fitted(case: str) -> Forecaster:
    return CASES[case](H).fit(counts(), until=times(counts(), [LAST])[0])


@each
def test_levels_and_quantiles_are_answered_in_order(case: str) -> None:
    model, cutoffs = fitted(case), times(counts(), range(LAST, 232))
    assert model.answers_levels
    found = model.predict(counts(), cutoffs, LEVELS, quantiles=QUANTILES)
    assert found.quantiles is not None
    inside = [k for k, q in enumerate(found.quantile_levels) if model.quantile_range is None or 0.1 <= q <= 0.9]
    held = found.quantiles[..., inside]
    assert np.isfinite(held).all()
    assert (np.diff(held, axis=-1) >= 0).all()
    assert (held >= 0).all()
    assert (found.quantile(0.1) < found.quantile(0.9)).mean() > 0.99
    truth = found.truth()
    cover = ((truth >= found.quantile(0.1)) & (truth <= found.quantile(0.9))).mean()
    assert 0.6 < cover < 0.99  # loose: some of the cases have learned for one epoch


@each
def test_intervals_of_past_errors_are_those_of_counts(case: str) -> None:
    model = fitted(case)
    if not model._points(("y0",)).any():
        return
    found = model.predict(counts(), times(counts(), range(LAST, 232)))
    assert found.quantiles is not None
    assert (found.quantiles == np.rint(found.quantiles)).all()
    later = model.predict(counts(), times(counts(), range(LAST, 255)))  # overlapping windows say little: all there are
    truth = later.truth()
    inside = (truth >= later.quantile(0.1)) & (truth <= later.quantile(0.9))
    assert 0.7 < inside[~np.isnan(truth)].mean() < 0.97
    fewer = model.predict(counts(), times(counts(), [LAST]), 80, h=2)
    whole = model.predict(counts(), times(counts(), [LAST]))
    np.testing.assert_array_equal(fewer.quantile(0.9), whole.quantile(0.9)[:, :2])


@each_class
def test_means_are_the_same_with_and_without(case: str) -> None:
    until = times(counts(), [LAST])[0]
    alone = CASES[case](H).fit(counts(), until=until, intervals=False)
    cutoffs = times(counts(), [LAST, 220])
    np.testing.assert_array_equal(alone.predict(counts(), cutoffs).mean, fitted(case).predict(counts(), cutoffs).mean)
    assert alone.answers_levels == alone.has_distribution
    assert (alone.predict(counts(), cutoffs).quantiles is None) == (not alone.has_distribution)
    with pytest.raises(ConfigError, match=r"fitted with intervals=False.*model.fit\(panel\)"):  # nothing known of paths
        alone.predict(counts(), cutoffs[:1]).sample()


# ---------------------------------------------------------------- the same as by hand
@pytest.mark.parametrize("name", ["SeasonalES", "Drift", "TSB", "Ridge"])
def test_a_baseline_has_the_intervals_that_it_would_have_by_hand(name: str) -> None:
    kind = getattr(ft, name)
    for panel in (counts(), make_panel((150, 140), targets=2, missing=0.1)):
        plain = kind(h=H).fit(panel).predict(panel)
        wrapped = ft.WithIntervals(kind(h=H)).fit(panel).predict(panel)
        np.testing.assert_array_equal(plain.quantiles, wrapped.quantiles)


def test_normal_intervals_are_the_root_mean_squared_errors_of_past_forecasts() -> None:
    rng = np.random.default_rng(0)
    panel = make_panel((400,)).with_values(rng.normal(scale=2.0, size=(400, 1)).cumsum(axis=0))
    found = ft.Persistence(h=3).fit(panel).predict(panel, levels=(), quantiles=(0.5, 0.975))
    half = (found.quantile(0.975) - found.quantile(0.5))[0, :, 0]
    np.testing.assert_allclose(half / 1.959964, 2.0 * np.sqrt([1, 2, 3]), rtol=0.2)
    np.testing.assert_allclose(found.quantile(0.5), found.mean)


def weekly(seed: int) -> Panel:
    """Six daily series around 50 with a week, and noise that remembers the day before."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(scale=3.0, size=(6, 460))
    for t in range(1, 460):
        noise[:, t] += 0.5 * noise[:, t - 1]
    y = 50 + 8 * np.sin(2 * np.pi * np.arange(460) / 7) + noise
    return make_panel([460] * 6).with_values(y.reshape(-1, 1))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["SeasonalMean", "Ridge", "LSTM", "Ensemble"])
def test_they_cover_what_they_say(name: str, seed: int) -> None:
    net: Any = {"hidden": 8, "epochs": 2, "input_size": 21}
    own: Any = {
        "LSTM": net, "Ridge": {"input_size": 21}, "Ensemble": {"models": [{"LSTM": net}, {"SeasonalMean": {}}]},
    }.get(name, {})  # fmt: skip
    panel = weekly(seed)
    cutoffs = times(panel, range(299, 453, 5))
    found = getattr(ft, name)(**{"h": 7, **own}).fit(panel, until=cutoffs[0]).predict(panel, cutoffs)
    truth = found.truth()
    for level in (80, 95):
        low, high = found.quantile(0.5 - level / 200), found.quantile(0.5 + level / 200)
        assert abs(((truth >= low) & (truth <= high)).mean() - level / 100) < 0.06


# ---------------------------------------------------------------- what it costs
def fits_of(monkeypatch: pytest.MonkeyPatch, kind: type[Forecaster]) -> list[int]:
    """Count the fits of a class by the rows that they see."""
    seen: list[int] = []
    own = kind._fit

    def spy(self: Any, part: Any) -> None:
        seen.append(int(part.panel.observed.max()))
        own(self, part)

    monkeypatch.setattr(kind, "_fit", spy)
    return seen


def test_a_network_is_trained_once_and_a_baseline_fitted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    nets, simple = fits_of(monkeypatch, ft.LSTM), fits_of(monkeypatch, ft.SeasonalMean)
    panel = make_panel((200,))
    net: Any = {"input_size": 14, "hidden": 4, "epochs": 1}
    ft.LSTM(h=H, **net).fit(panel)
    assert nets == [200]
    ft.Ensemble([ft.LSTM(h=H, **net), ft.SeasonalMean(h=H)]).fit(panel)
    assert nets == [200, 200]
    assert simple == [200, 170]
    simple.clear()
    ft.SeasonalMean(h=H).fit(panel)
    assert simple == [200, 140]


def test_members_and_searches_and_backtests_of_means_do_not_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    simple, panel = fits_of(monkeypatch, ft.SeasonalMean), make_panel((200,))
    ft.WithIntervals(ft.SeasonalMean(h=H)).fit(panel)
    ft.Conformal(ft.SeasonalMean(h=H)).fit(panel)
    assert simple == [200, 140] * 2
    simple.clear()
    ft.fit_each("SeasonalMean", make_panel((200, 190)), h=H)
    assert sorted(simple) == [133, 140, 190, 200]
    simple.clear()
    task = make_task(panel, inner_plan(panel, H, n_windows=2, step=None), [1], "rmse")
    task.evaluate(ft.SeasonalMean(h=H))
    assert len(simple) == 1
    make_task(panel, task.plan, [1], "wql").evaluate(ft.SeasonalMean(h=H))
    assert len(simple) == 3
    simple.clear()
    ft.backtest("SeasonalMean", panel, h=H, n_windows=2, step=3, levels=(), quantiles=(), baselines=False)
    assert len(simple) == 1


# ---------------------------------------------------------------- every way in
def test_a_saved_point_network_has_them_in_another_process(tmp_path: Path) -> None:
    model = ft.Attention(h=H, input_size=14, hidden=8, heads=2, epochs=1).fit(counts())
    model.save(tmp_path / "model")
    counts().to_frame().to_csv(tmp_path / "sales.csv", index=False)
    program = (
        "import foretide as ft, pandas as pd; m = ft.load('model'); f = pd.read_csv('sales.csv', parse_dates=['ds']);"
        "m.predict(f, levels=(80,), quantiles=(0.25,)).to_frame().to_csv('out.csv', index=False)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=tmp_path, check=True)
    there = pd.read_csv(tmp_path / "out.csv")
    here = model.predict(counts(), levels=(80,), quantiles=(0.25,)).to_frame()
    np.testing.assert_allclose(there.iloc[:, 3:].to_numpy(), here.iloc[:, 3:].to_numpy(), rtol=1e-6)
    assert list(there.columns[3:]) == ["Attention", "Attention-lo-80", "Attention-hi-80", "Attention-ql0.25"]


def test_what_was_saved_before_has_the_spread_of_the_stand_in() -> None:
    model = ft.SeasonalNaive(h=H).fit(counts())
    assert model._fitted is not None
    facts: Any = model._fitted.facts()
    del facts["intervals"]
    model._fitted = Fitted.restore(facts, model._fitted.arrays())
    found = model.predict(counts(), levels=80)
    assert (found.quantile(0.9) > found.quantile(0.1)).all()
    assert "those of a simple stand-in around the forecast: it was saved by" in found.note_texts()[0]


def test_a_new_series_and_a_short_one_have_them() -> None:
    panel = counts()
    model = ft.LSTM(h=H, input_size=14, hidden=4, epochs=1).fit(panel.take([0, 1]))
    rows = panel.length.copy()
    rows[1] = 6
    found = model.predict(panel.head(rows), levels=80)
    assert (found.quantile(0.9) > found.quantile(0.1)).all()
    assert "forecast by WindowMean" in found.note_texts()[1] or "forecast by SeasonalNaive" in found.note_texts()[1]
    width = (found.quantile(0.9) - found.quantile(0.1)).mean(axis=(1, 2))
    np.testing.assert_allclose(width[2], width[0], rtol=0.6)


def test_heads_of_some_targets_leave_the_others_to_past_errors(tmp_path: Path) -> None:
    panel = make_panel((220,), targets=2, whole=True)
    net: Any = {"input_size": 14, "hidden": 8, "epochs": 1, "calendar": None}
    for model in (
        ft.LSTM(h=H, head={"nb": ["y0"], "point": ["y1"]}, **net),
        ft.WithIntervals(ft.LSTM(h=H, head={"nb": ["y0"], "point": ["y1"]}, **net)),
    ):
        found = model.fit(panel).predict(panel)
        assert found.quantiles is not None
        assert np.isfinite(found.quantiles).all()
        assert (found.quantile(0.9) > found.quantile(0.1)).all()
        model.save(tmp_path / model.__class__.__name__)
        again = ft.load(tmp_path / model.__class__.__name__).predict(panel)
        np.testing.assert_array_equal(again.quantiles, found.quantiles)


# ---------------------------------------------------------------- little to learn from
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 12])
def test_short_series_have_them_without_a_warning(rows: int) -> None:
    panel = make_panel((rows,))
    found = ft.SeasonalNaive(h=H, season=7).fit(panel).predict(panel, levels=(80, 95))
    assert found.quantiles is not None
    assert np.isfinite(found.quantiles).all()
    if rows < 7:
        assert "intervals" in found.note_texts()[0]
    if rows > 1:
        assert (found.quantile(0.9) > found.quantile(0.1)).all()


def test_a_doubt_that_several_models_share_is_said_once() -> None:
    card = ft.backtest(
        [ft.SeasonalNaive(h=6, season=7), ft.Drift(h=6)], make_panel((10,)), n_windows=1, baselines=False
    )
    assert [note for note in card.notes if note.startswith("SeasonalNaive, Drift: the intervals of later steps ")]


def test_a_fit_that_fails_on_fewer_rows_costs_no_more_than_the_intervals() -> None:
    class Picky(ft.Persistence):
        def _fit(self, part: Any) -> None:
            if part.panel.observed.max() < 60:
                raise ConfigError("I need 60 rows.")

    panel = make_panel((60,))
    found = Picky(h=H).fit(panel).predict(panel, levels=80)
    assert (found.quantile(0.9) > found.quantile(0.1)).all()
    assert "may be too narrow: it cannot be fitted on the steps before" in found.note_texts()[0]


def test_many_series_share_the_past_forecasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_module, "MOST_WINDOWS", 100)
    panel = make_panel([120] * 20)
    model, part = ft.Persistence(h=H).fit(panel), FitPart(panel, panel.observed)
    rows = panel.observed - np.round(0.3 * panel.observed).astype(int)
    found = past_module.past_forecasts(model, panel, 7, lambda rows: model._early(part, rows))
    assert not isinstance(found, str)
    assert 20 <= len(found.errors.step) <= 120
    assert (np.bincount(found.errors.entity) >= 1).all()
    assert found.errors.step.min() >= rows.min() - 1
